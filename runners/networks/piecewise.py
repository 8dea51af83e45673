"""A clip that is longer than a network hears at once: cut at pauses, each piece heard by itself, the texts joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runners.base import Clip, Progress, Segment, Transcript, Word


@dataclass(frozen=True)
class Piece:
    """What was heard in one piece; times count from its own start."""

    text: str
    words: tuple[Word, ...] = ()
    segments: tuple[Segment, ...] = ()
    language: str | None = None
    notes: tuple[str, ...] = ()


Hear = Callable[[Sequence[NDArray[np.float32]], Callable[[str], None]], Sequence[Piece]]
"""Hears pieces, each of shape (T,), and says the text that it has so far of the first of them."""


def hear_in_pieces(
    clip: Clip, longest_seconds: float | None, hear: Hear, progress: Progress, *, at_once: int = 1, word_times: bool = True
) -> Transcript:
    """Hear a clip of any length.

    A clip that is cut has a segment a piece, with its times, unless ``hear`` gives segments of its own, and a note that
    says how many pieces there were. Nothing to hear is an empty text.

    Args:
        longest_seconds: of a piece; None hears the clip whole.
        at_once: how many pieces ``hear`` gets together, for families that are safe to batch.
        word_times: False leaves the words' times out.

    Raises:
        Cancelled: between two pieces.
    """
    raise NotImplementedError
