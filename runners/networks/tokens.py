"""Tokens and text: text from tokens as they come, tokens from text that nobody can misuse, and tokens that go in circles."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Sequence
from typing import Any

from runners.base import PromptError

SHORTEST_LOOP_TOKENS = 48
"""A cycle is a loop once it has filled so many tokens: longer than what a person says by way of emphasis."""
LONGEST_CYCLE_TOKENS = 128
FEWEST_CYCLES = 4
"""A loop goes round at least so often: a chorus comes two or three times."""
LONGEST_CHARACTER_TOKENS = 8
"""A character takes four bytes at most, and byte-level tokens one each; what is incomplete for longer is damaged for good."""


class Detokeniser:
    """Turns token ids into text as they come, never half a character."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._shown = 0  # ids whose text is out

    def add(self, token: int) -> str:
        """Return the text that is complete with this token; empty while a character is not."""
        self._ids.append(token)
        before, now = self._text(self._ids[: self._shown]), self._text(self._ids)
        # U+FFFD at the end stands for a character whose other bytes are still to come.
        if now.endswith("\ufffd") and len(self._ids) - self._shown < LONGEST_CHARACTER_TOKENS:
            return ""
        return self._show(before, now)

    def rest(self) -> str:
        """Return what is left at the end, complete or not."""
        return self._show(self._text(self._ids[: self._shown]), self._text(self._ids))

    def _show(self, before: str, now: str) -> str:
        # Decoding goes on from the last piece, not from the first: a long answer would take quadratic time. The last
        # piece stays, because some tokenizers write a first word without the space that stands before it elsewhere.
        self._ids = self._ids[self._shown :]
        self._shown = len(self._ids)
        return now[len(before) :]

    def _text(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)) if ids else ""


def plain_ids(tokenizer: Any, text: str) -> list[int]:
    """Token ids of somebody's text; what looks like a control token in it stays ordinary text."""
    added = sorted(tokenizer.get_added_vocab(), key=len, reverse=True)
    # Taken apart after its first character, a control token is none. Asking the tokenizer not to look for special tokens
    # would not do: it finds those all the same that were added without being called special.
    parts = re.split(f"(?<=.)(?={'|'.join(re.escape(token[1:]) for token in added if len(token) > 1)})", text, flags=re.DOTALL)
    ids: list[int] = []
    for part in parts:
        ids += tokenizer(part, add_special_tokens=False, split_special_tokens=True).input_ids
    control = set(tokenizer.get_added_vocab().values())
    if control.intersection(ids):
        raise PromptError("The text holds a control token that cannot be made harmless.", "Leave it out.")
    return ids


class Circles:
    """Watches tokens as they come, and tells when the end of the sequence goes round: the same ones over and over.

    For each length of a cycle it counts how many tokens in a row, up to the last, were the one that stood a cycle earlier.
    Lengths that the last token breaks are forgotten, and there are hardly any others: it costs next to nothing.
    """

    def __init__(self) -> None:
        self._count = 0
        self._rows: dict[int, int] = {}
        """By length of the cycle."""
        self._places: dict[int, deque[int]] = {}
        """By token: where it came last, the latest first."""
        self.found = False
        """Whether the sequence went round with its last token."""

    def add(self, token: int) -> bool:
        """Whether the sequence goes round with this token at its end."""
        places = self._places.setdefault(token, deque(maxlen=LONGEST_CYCLE_TOKENS))
        rows: dict[int, int] = {}
        self.found = False
        for place in places:
            cycle = self._count - place
            if cycle > LONGEST_CYCLE_TOKENS:
                break
            rows[cycle] = row = self._rows.get(cycle, 0) + 1
            self.found = self.found or row >= _ROUND[cycle - 1]
        self._rows = rows
        places.appendleft(self._count)
        self._count += 1
        return self.found


_ROUND = tuple(
    max(FEWEST_CYCLES, math.ceil(SHORTEST_LOOP_TOKENS / cycle)) * cycle - cycle for cycle in range(1, LONGEST_CYCLE_TOKENS + 1)
)
"""How many tokens in a row make a loop, for cycles of 1, 2, … tokens: all but those of the first time round."""
