"""Chance that only a secret decides: the same draws every time, and nobody else can work them out.

(HMAC, RFC 2104, with SHA-256, of what the draws are for and a count.)
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """Draws that only the seed and what they are for decide; each is used for one thing."""

    def __init__(self, seed: bytes, *purpose: str | int) -> None:
        self._seed = seed
        self._purpose = purpose
        self._blocks = 0

    def below(self, bound: int) -> int:
        """0 to ``bound`` - 1, all equally likely: a draw that would favour the small ones is thrown away."""
        fair = 2**64 - 2**64 % bound
        while True:
            message = json.dumps([*self._purpose, self._blocks]).encode()  # no two purposes read alike
            self._blocks += 1
            drawn = int.from_bytes(hmac.digest(self._seed, message, hashlib.sha256)[:8])
            if drawn < fair:
                return drawn % bound

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in an order, all orders equally likely (Fisher and Yates 1938; Durstenfeld 1964)."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            drawn = self.below(last + 1)
            order[last], order[drawn] = order[drawn], order[last]
        return order


def round_robin(players: Sequence[int]) -> list[tuple[int, int]]:
    """Every pair once, such that a few in a row have as many different players as can be (the circle method)."""
    circle: list[int | None] = [*players, None] if len(players) % 2 else [*players]
    pairs = []
    for _ in range(len(circle) - 1):
        half = len(circle) // 2
        for one, other in zip(circle[:half], reversed(circle[half:]), strict=True):
            if one is not None and other is not None:
                pairs.append((one, other))
        circle = [circle[0], circle[-1], *circle[1:-1]]
    return pairs
