"""What conversations keep between their turns: key-value caches, within a budget of memory. The least recently used goes first.

Knows what a cache holds and how to cut it back; how it is filled is ``runners.networks.generation``'s to know.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Kept:
    """The keys and values that a network computed for the beginning of one token sequence."""

    cache: Any
    """A transformers ``DynamicCache``, batch of one; every layer holds at least ``len(ids)`` places."""
    ids: list[int] = field(default_factory=list)
    """The tokens that were forwarded, in order."""
    sound: str | None = None
    """Digest of the audio that stood behind the audio tokens among them; None if there was none."""
    is_far: bool = False
    """True if it was computed with the rotary factors for sequences beyond the network's switch."""

    @property
    def size_bytes(self) -> int:
        """Memory of the tensors."""
        layers = [layer for layer in self.cache.layers if layer.is_initialized]
        return sum(part.numel() * part.element_size() for layer in layers for part in (layer.keys, layer.values))

    def cut(self, length: int) -> None:
        """Drop everything after the first ``length`` tokens, also what a forward that was stopped left in some layers."""
        self.ids = self.ids[:length]
        for layer in self.cache.layers:
            if layer.is_initialized:
                # By layer, because a stopped forward has filled the first ones only. The next forward copies what is left.
                layer.keys = layer.keys[..., :length, :]
                layer.values = layer.values[..., :length, :]
                if not length:  # a view of nothing would hold all that was there, when memory may be short
                    layer.keys, layer.values = layer.keys.clone(), layer.values.clone()


class ChatCache:
    """Caches by conversation. A turn takes its own out and gives it back, so that a turn that fails loses only its own."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self.bytes_per_token = 0
        """What a token takes in this network; 0 until something has been kept."""

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, conversation: object) -> bool:
        return conversation in self._kept

    @property
    def size_bytes(self) -> int:
        """Memory that all conversations keep."""
        return sum(kept.size_bytes for kept in self._kept.values())

    def take(self, conversation: str) -> Kept | None:
        """Take out what a conversation keeps; None if there is nothing, or no longer."""
        return self._kept.pop(conversation, None)

    def keep(self, conversation: str, kept: Kept, budget_bytes: int | None) -> int | None:
        """Keep it, the least recently used others making room.

        Returns:
            Bytes that are kept for the conversation; None if it alone is larger than the budget, so nothing is.
        """
        self._kept.pop(conversation, None)
        size = kept.size_bytes
        self.bytes_per_token = size // max(1, len(kept.ids))
        self.make_room(size, budget_bytes)
        if budget_bytes is not None and size > budget_bytes:
            return None
        self._kept[conversation] = kept
        return size

    def make_room(self, size_bytes: int, budget_bytes: int | None) -> None:
        """Drop the least recently used until ``size_bytes`` more fit the budget, or nothing is left."""
        if budget_bytes is None:
            return
        while self._kept and self.size_bytes + size_bytes > budget_bytes:
            self._kept.popitem(last=False)

    def forget(self, conversation: str) -> None:
        """Drop what a conversation keeps; one that is not known is no error."""
        self._kept.pop(conversation, None)

    def clear(self) -> None:
        """Drop everything."""
        self._kept.clear()


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two sequences begin with in common."""
    shorter = min(len(first), len(second))
    return next((place for place in range(shorter) if first[place] != second[place]), shorter)
