"""A clip that is longer than a network hears at once: cut at pauses, each piece heard by itself, the texts joined.

For networks whose answer follows the speech. ``runners.networks.pieces`` has the loop of those that are asked questions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runners.audio import cut_at_pauses, is_silent, mono
from runners.base import SAMPLE_RATE, Clip, Progress, Segment, Transcript, Word
from runners.networks import word_times as times
from runners.networks.generation import joined, span
from runners.networks.pace import Pace


@dataclass(frozen=True)
class Piece:
    """What was heard in one piece; times count from its own start."""

    text: str
    words: tuple[Word, ...] = ()
    segments: tuple[Segment, ...] = ()
    language: str | None = None
    notes: tuple[str, ...] = ()


Tell = Callable[[Callable[[], str]], None]
"""Shows the text so far of a piece; what makes it is called only when it is time to show some."""
Hear = Callable[[NDArray[np.float32], Tell], Piece]
"""Hears a piece of shape (T,), and tells the text that it has so far of it."""


def hear_in_pieces(
    clip: Clip, longest_seconds: float | None, hear: Hear, progress: Progress, *, word_times: bool = True
) -> Transcript:
    """Hear a clip of any length.

    Where ``longest_seconds`` is given, each piece that said something is a segment with its times, unless ``hear`` gives
    segments of its own; a clip that is cut gets a note that says how many pieces there were. Pieces of digital silence
    are not heard, which a note says too: decoders make words up for them. Nothing to hear is an empty text. The language
    is that of the first piece that has one.

    Args:
        longest_seconds: of a piece; None hears the clip whole.
        word_times: False leaves words with their times out.

    Raises:
        AudioError: the clip has more than one channel.
        Cancelled: between two pieces.
    """
    if clip.samples.ndim == 1 and not len(clip.samples):
        return Transcript("")
    samples = mono(clip)
    end = len(samples) / SAMPLE_RATE
    cuts = [(0, len(samples))] if longest_seconds is None else cut_at_pauses(samples, longest_seconds)
    notes = [f"cut at pauses into {len(cuts)} pieces"] if len(cuts) > 1 else []
    loud = [(first, last) for first, last in cuts if not is_silent(samples[first:last])]
    notes += [
        f"nothing but digital silence {span(first / SAMPLE_RATE, last / SAMPLE_RATE)}: left out"
        for first, last in cuts
        if (first, last) not in loud
    ]
    text, language = "", None
    words: list[Word] = []
    segments: list[Segment] = []
    for number, (first, last) in enumerate(loud, 1):
        progress.check()
        piece = hear(samples[first:last], _teller(text, progress))
        start = first / SAMPLE_RATE
        said = piece.text.strip()
        text = joined(text, False, said)
        language = language or piece.language
        notes += [note if len(cuts) == 1 else f"{span(start, last / SAMPLE_RATE)}: {note}" for note in piece.notes]
        if word_times:
            words += [_later(word, start) for word in piece.words]
        if piece.segments:
            segments += [_later(segment, start) for segment in piece.segments]
        elif said and longest_seconds is not None:
            segments.append(Segment(said, start, last / SAMPLE_RATE))
        if number < len(loud):
            progress.partial(text)
    progress.check()
    return Transcript(
        text=text,
        words=times.in_order(words, end),
        segments=times.in_order(segments, end),
        language=language,
        notes=tuple(dict.fromkeys(notes)),
    )


def _teller(before: str, progress: Progress) -> Tell:
    """Shows what is being said after the text ``before``, a few times a second."""
    pace = Pace()

    def tell(said: Callable[[], str]) -> None:
        if pace.is_due():
            progress.partial(joined(before, False, said().strip()))

    return tell


def _later(timed: times.Timed, seconds: float) -> times.Timed:
    return replace(
        timed,
        start=None if timed.start is None else timed.start + seconds,
        end=None if timed.end is None else timed.end + seconds,
    )
