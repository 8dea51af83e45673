"""Transcripts side by side: passages of the clip, in each what every system has there, held against one anchor.

The anchor is the reference, the majority, or one of the contenders ("A against B").

    anchor   Send the notes to everyone.                | Then we meet on Tuesday.
    A        Send     notes to everyone.                | Then we meat on Tuesday.
    B        Send the note  to everyone. Thank you.     | Then we meet     Tuesday.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from comparisons.agreement.consensus import consensus
from comparisons.align import align, with_compounds
from comparisons.compare import Column, Comparison
from comparisons.score import Unit
from comparisons.sides.marks import Mark, marks
from comparisons.sides.passages import cuts, divided, split
from comparisons.sides.times import with_times
from comparisons.texts.pieces import known_pieces, pieces, raw, timed
from runners.base import Segment, Transcript, Word

log = logging.getLogger(__name__)

Anchor = Literal["reference", "majority", "contender", "none"]
MAJORITY = "majority"
"""What ``against`` takes for the majority; a contender never has this name."""
REFERENCE = "reference"
"""What ``against`` takes for the reference."""


@dataclass(frozen=True)
class Side:
    """One contender."""

    name: str
    label: str
    """Untrusted."""
    is_timed: bool
    """False if the times of its words are interpolated."""


@dataclass(frozen=True)
class Passage:
    """A stretch of the clip, a row across all sides."""

    start: float | None
    """Seconds from the start of the clip; None where there is nothing."""
    end: float | None
    anchor: tuple[Mark, ...]
    """The anchor's own words, one mark each; empty without an anchor. ``Mark.support`` is set where it is the majority."""
    cells: tuple[tuple[Mark, ...], ...]
    """What each side has, in their order."""


@dataclass(frozen=True)
class SideBySide:
    """All of it, as it is drawn."""

    kind: Anchor
    label: str
    """What the anchor is called: "Reference", "Majority of 4", "Moonshine". Untrusted. "" without an anchor."""
    against: str | None
    """REFERENCE, MAJORITY or the name of the contender; None without an anchor."""
    sides: tuple[Side, ...]
    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class _Held:
    """What the sides are held against, and how each of them stands to it."""

    kind: Anchor
    label: str
    words: tuple[Mark, ...]
    columns: tuple[Column, ...]
    """Of the sides."""
    marks: tuple[tuple[Mark, ...], ...]
    """Of each side."""
    silent: frozenset[int] = frozenset()
    """Words of the anchor that count for nothing."""
    last: frozenset[int] = frozenset()
    """Words of the anchor that end a line or a segment of it."""


def anchors(comparison: Comparison) -> tuple[tuple[str, str], ...]:
    """What the transcripts can be held against: (``against``, label), the usual one first. Labels are untrusted."""
    columns = _columns(comparison)
    found = [(REFERENCE, "Reference")] if comparison.reference is not None and columns else []
    if len(columns) >= 3:
        found.append((MAJORITY, f"Majority of {len(columns)}"))
    if len(columns) >= 2:
        found += [(column.contender.name, column.contender.label) for column in columns]
    return tuple(found)


def side_by_side(comparison: Comparison, against: str | None = None) -> SideBySide:
    """The finished transcripts of a comparison, in passages, in the order of its columns.

    Every raw word of every transcript stands in exactly one passage, in order. All times are known: a system's own, or
    interpolated and marked so.

    Args:
        against: one of ``anchors``; None takes the first, and no anchor where there is none. A contender that is the
            anchor is not among the sides.

    Where they cannot be aligned for a fault, they stand there against nothing.

    Raises:
        ValueError: ``against`` is none of ``anchors``.
    """
    offered = dict(anchors(comparison))
    if against is None:
        against = next(iter(offered), None)
    elif against not in offered:
        raise ValueError(f"Nothing can be held against {against!r}. Choose one of: {', '.join(offered) or 'nothing'}.")
    columns = _columns(comparison)
    try:
        held = _held(comparison, columns, against)
    except Exception:  # a normaliser is somebody else's code, on text nobody has checked
        log.exception("the transcripts could not be held against %r", against)
        against = None
        held = _held(comparison, columns, against)
    words, sides = with_times(held.words, held.marks, comparison.seconds, comparison.silences)
    return SideBySide(
        kind=held.kind,
        label=held.label,
        against=against,
        sides=tuple(
            Side(column.contender.name, column.contender.label, _is_timed(side))
            for column, side in zip(held.columns, sides, strict=True)
        ),
        passages=_passages(held, words, sides, comparison.unit),
    )


def _held(comparison: Comparison, columns: tuple[Column, ...], against: str | None) -> _Held:
    if against is None:
        return _against_nothing(comparison, columns)
    if against == REFERENCE:
        return _against_reference(comparison, columns)
    if against == MAJORITY:
        return _against_majority(comparison, columns)
    return _against_contender(comparison, columns, against)


def _columns(comparison: Comparison) -> tuple[Column, ...]:
    """Those that have a transcript of what was said."""
    return tuple(column for column in comparison.columns if column.state == "ok" and column.contender.is_scored)


def _transcript(column: Column) -> Transcript:
    if column.result is None or column.result.transcript is None:
        raise ValueError(f"{column.contender.name!r} has no transcript.")
    return column.result.transcript


def _against_reference(comparison: Comparison, columns: tuple[Column, ...]) -> _Held:
    reference = comparison.reference
    assert reference is not None  # noqa: S101  # for mypy: ``anchors`` offers it only then
    unit = comparison.unit
    words = _words(reference.text, reference.segments, unit)
    # Where nothing could be scored, the normaliser may have failed at the reference itself.
    is_scored = any(column.score is not None for column in columns)
    silent = pieces(reference.text, comparison.normaliser, unit).silent if is_scored else frozenset()
    if reference.segments:
        last = frozenset(at for at, word in enumerate(words) if word.end is not None)
    elif unit == "word":
        last = frozenset(total - 1 for total in accumulate(len(line.split()) for line in reference.text.splitlines()))
    else:
        last = frozenset()
    sides = tuple(_placed(column.marks, len(words)) for column in columns)
    return _Held("reference", "Reference", words, columns, sides, silent, last)


def _placed(side: tuple[Mark, ...], words: int) -> tuple[Mark, ...]:
    """Marks that stand somewhere: those of a transcript that could not be scored are laid evenly along the words."""
    if all(mark.at is not None for mark in side):
        return side
    return tuple(mark._replace(at=i * words // len(side)) for i, mark in enumerate(side))


def _against_majority(comparison: Comparison, columns: tuple[Column, ...]) -> _Held:
    unit, normaliser = comparison.unit, comparison.normaliser
    transcripts = [_transcript(column) for column in columns]
    agreed = consensus([transcript.text for transcript in transcripts], normaliser, unit)
    read = known_pieces([(piece.text, piece.after, piece.tokens) for piece in agreed.pieces], agreed.tokens)
    words = tuple(
        Mark(piece.text, "plain", after=piece.after, at=at, support=piece.support) for at, piece in enumerate(agreed.pieces)
    )
    held = tuple(
        marks(read, transcript, with_compounds(alignment), normaliser, unit)
        for transcript, alignment in zip(transcripts, agreed.alignments, strict=True)
    )
    return _Held("majority", f"Majority of {len(columns)}", words, columns, held)


def _against_contender(comparison: Comparison, columns: tuple[Column, ...], against: str) -> _Held:
    unit, normaliser = comparison.unit, comparison.normaliser
    anchor = next(column for column in columns if column.contender.name == against)
    said = _transcript(anchor)
    read = pieces(said.text, normaliser, unit)
    others = tuple(column for column in columns if column is not anchor)
    held = []
    for column in others:
        heard = _transcript(column)
        alignment = align(read.tokens, pieces(heard.text, normaliser, unit).tokens)
        held.append(marks(read, heard, alignment, normaliser, unit))
    words = _words(said.text, said.words or said.segments, unit)
    return _Held("contender", anchor.contender.label, words, others, tuple(held), read.silent)


def _against_nothing(comparison: Comparison, columns: tuple[Column, ...]) -> _Held:
    unit = comparison.unit
    held = []
    for column in columns:
        heard = _transcript(column)
        words = _words(heard.text, heard.words or heard.segments, unit)
        held.append(tuple(word._replace(at=None) for word in words))
    return _Held("none", "", (), columns, tuple(held))


def _words(text: str, stretches: Sequence[Word | Segment], unit: Unit) -> tuple[Mark, ...]:
    """Words that are held against nothing: the anchor's, or those of the only transcript."""
    texts, afters = raw(text, unit)
    starts, ends = timed(texts, stretches, unit)
    return tuple(
        Mark(text, "plain", None, start, end, after, at)
        for at, (text, after, start, end) in enumerate(zip(texts, afters, starts, ends, strict=True))
    )


def _is_timed(side: Sequence[Mark]) -> bool:
    """Whether most of its words have times of their own."""
    said = [mark.is_interpolated for mark in side if mark.kind != "deletion"]
    return sum(said) * 2 < len(said)


def _passages(held: _Held, words: tuple[Mark, ...], sides: tuple[tuple[Mark, ...], ...], unit: Unit) -> tuple[Passage, ...]:
    places = cuts(words, sides, held.silent, held.last, unit)
    ranges = [[0, *divided(side, places[1:-1]), len(side)] for side in sides]
    made = []
    for row in range(len(places) - 1):
        anchor = words[places[row] : places[row + 1]]
        cells = tuple(side[mine[row] : mine[row + 1]] for side, mine in zip(sides, ranges, strict=True))
        made += [_passage(*each) for each in split(anchor, cells, unit)]
    return tuple(made)


def _passage(anchor: tuple[Mark, ...], cells: tuple[tuple[Mark, ...], ...]) -> Passage:
    there = [anchor] if anchor else [cell for cell in cells if cell]
    starts = [marked[0].start for marked in there if marked[0].start is not None]
    ends = [marked[-1].end for marked in there if marked[-1].end is not None]
    return Passage(min(starts, default=None), max(ends, default=None), anchor, cells)
