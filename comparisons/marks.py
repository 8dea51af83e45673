"""The transcript as the person sees it, with letter case and punctuation, marked by the alignment of normalised words.

    reference   Dr. Smith didn't say it's over.
    transcript  Um, doctor Smith did not say is over now!

    Um,    doctor  Smith  did  not  say  [it's]  is            over  now!
    plain  hit     hit    hit  hit  hit          substitution  hit   insertion

Normalising does not keep words apart: one raw word may become two ("didn't" -> "did not"), several may become one
("twenty one" -> "21"), some become none. So raw words are put into the smallest groups whose normalised words are known,
groups of the two sides that the alignment ties together are taken as one, and one error marks the whole of it. The counts
of a score are therefore not the number of marks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from comparisons.align import Alignment, steps
from comparisons.normalise import Normaliser
from comparisons.score import Unit
from runners.base import Segment, Transcript, Word

MarkKind = Literal["hit", "substitution", "deletion", "insertion", "plain"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of the transcript, or of the reference where the transcript lacks it. Untrusted text: escape it."""

    text: str
    """As it was written: for a deletion by the reference, otherwise by the system."""
    kind: MarkKind
    """ "plain" is neither right nor wrong: no reference, or a filler that the normaliser drops."""
    reference: str | None = None
    """For a substitution or deletion, the reference's own words."""
    start: float | None = None
    """Seconds from the start of the clip."""
    end: float | None = None
    """Seconds from the start of the clip."""
    after: str = " "
    """What stands between this mark and the next."""
    at: int | None = None
    """Where the mark stands in the text it is held against: how many of its raw words come before. None without one."""
    is_interpolated: bool = False
    """True if its times are not the system's own."""
    support: int | None = None
    """Of a word of the majority: how many systems have it."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A raw word, or in scripts without spaces a raw character."""

    text: str
    after: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class _Group:
    """Raw pieces and the tokens they stand for; both are ranges, end excluded."""

    pieces: tuple[int, int]
    tokens: tuple[int, int]


def plain(transcript: Transcript) -> tuple[Mark, ...]:
    """The transcript with nothing marked, and with its line breaks: a summary's points stand one on each line."""
    breaks = [_break(found[0]) for found in re.finditer(r"\s+", transcript.text.strip())]
    return tuple(
        Mark(piece.text, "plain", None, piece.start, piece.end, after)
        for piece, after in zip(_timed_words(transcript), [*breaks, " "], strict=False)
    )


def _break(space: str) -> str:
    """White space as it is shown: at most one empty line."""
    return "\n" * min(2, space.count("\n")) or " "


def marks(
    reference: str, transcript: Transcript, alignment: Alignment, normaliser: Normaliser, unit: Unit = "word"
) -> tuple[Mark, ...]:
    """Mark a transcript. Every raw word of it appears exactly once and in order.

    Args:
        alignment: from ``score(reference, transcript.text, normaliser, …)``, whose ``unit`` is passed on.

    Raises:
        ValueError: the alignment is of other texts, or was made with another normaliser.
    """
    if unit == "word":
        said, heard, tokens = _words(reference), _timed_words(transcript), normaliser.words
    else:
        said, heard, tokens = _characters(reference), _characters(transcript.text), normaliser.characters
    said_tokens, heard_tokens = tokens(reference), tokens(transcript.text)
    if [op.reference for op in alignment.ops if op.reference is not None] != said_tokens or [
        op.hypothesis for op in alignment.ops if op.hypothesis is not None
    ] != heard_tokens:
        raise ValueError("The alignment is not one of these two texts.")
    said_groups = _groups(said, said_tokens, tokens)
    heard_groups = _groups(heard, heard_tokens, tokens)

    made: list[Mark] = []
    shown = 0  # raw pieces of the transcript that stand in ``made``
    for first, last, said_range, heard_range in _ties(alignment, said_groups, heard_groups):
        made += [_mark(heard[i : i + 1], "plain") for i in range(shown, heard_range[0])]
        shown = heard_range[1]
        ours, theirs = heard[slice(*heard_range)], said[slice(*said_range)]
        if all(op.kind == "hit" for op in alignment.ops[first:last]):
            made += [_mark([piece], "hit") for piece in ours]
        elif ours and theirs:
            made.append(_mark(ours, "substitution", _text(theirs)))
        elif ours:
            made += [_mark([piece], "insertion") for piece in ours]
        else:
            made += [_mark([piece], "deletion", piece.text) for piece in theirs]
    made += [_mark(heard[i : i + 1], "plain") for i in range(shown, len(heard))]
    return tuple(made)


def _mark(pieces: Sequence[_Piece], kind: MarkKind, reference: str | None = None) -> Mark:
    return Mark(_text(pieces), kind, reference, pieces[0].start, pieces[-1].end, pieces[-1].after)


def _text(pieces: Sequence[_Piece]) -> str:
    return "".join(piece.text + piece.after for piece in pieces[:-1]) + pieces[-1].text


def _words(text: str) -> list[_Piece]:
    return [_Piece(word, " ") for word in text.split()]


def _characters(text: str) -> list[_Piece]:
    """Letters with the marks that sit on them; white space goes into ``after``."""
    found: list[_Piece] = []
    for character in text:
        if character.isspace():
            if found:
                found[-1] = _Piece(found[-1].text, " ")
        elif found and not found[-1].after and unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf"):
            found[-1] = _Piece(found[-1].text + character, "")
        else:
            found.append(_Piece(character, ""))
    return found


def _timed_words(transcript: Transcript) -> list[_Piece]:
    """Raw words with the times of the system's words, or of its segments' ends, wherever the two agree on the text."""
    raw = transcript.text.split()
    timed: list[tuple[str, float | None, float | None]] = []
    stretches: tuple[Word, ...] | tuple[Segment, ...] = transcript.words or transcript.segments
    for stretch in stretches:
        parts = stretch.text.split()
        for number, part in enumerate(parts):
            start = stretch.start if number == 0 else None
            timed.append((part, start, stretch.end if number == len(parts) - 1 else None))
    times: dict[int, tuple[float | None, float | None]] = {}
    if timed:
        for tag, i1, i2, j1, _ in steps([_bare(word) for word in raw], [_bare(part) for part, _, _ in timed]):
            if tag == "equal":
                times.update({i: timed[j1 + i - i1][1:] for i in range(i1, i2)})
    return [_Piece(word, " ", *times.get(i, (None, None))) for i, word in enumerate(raw)]


def _bare(word: str) -> str:
    """A word without its punctuation and case, for finding it again; the word itself if nothing is left."""
    return "".join(filter(str.isalnum, word)).casefold() or word


def _groups(pieces: Sequence[_Piece], tokens: Sequence[str], tokenise: Callable[[str], list[str]]) -> list[_Group]:
    """Cut raw pieces and their tokens into the smallest groups that are known to belong together.

    Each piece is normalised alone. Where that gives what the whole text gave, the piece is a group of its own; a stretch
    that came out otherwise in its context ("twenty one" -> "21") is one group.
    """
    alone: dict[str, list[str]] = {}
    separate: list[str] = []  # what the pieces give one by one
    starts = [0]  # where in ``separate`` each piece starts, and the end
    for piece in pieces:
        if piece.text not in alone:
            alone[piece.text] = tokenise(piece.text)
        separate += alone[piece.text]
        starts.append(len(separate))

    place = {0: 0}  # position in ``separate`` -> position in ``tokens``, where that is known
    if separate == list(tokens):
        place = {position: position for position in starts}
    else:
        for tag, i1, i2, j1, j2 in _stretches(separate, tokens):
            if tag == "equal":
                place.update({i: j1 + i - i1 for i in range(i1, i2 + 1)})
            elif j1 == j2:
                place.update(dict.fromkeys(range(i1, i2 + 1), j1))
            else:
                place[i2] = j2
    groups: list[_Group] = []
    begin, begin_token = 0, 0
    for end in range(1, len(pieces) + 1):
        place_here = len(tokens) if end == len(pieces) else place.get(starts[end])
        if place_here is not None:
            groups.append(_Group((begin, end), (begin_token, place_here)))
            begin, begin_token = end, place_here
    return groups


def _stretches(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """Like ``steps``, with neighbouring unequal stretches made one."""
    open_stretch: tuple[int, int, int, int] | None = None
    for tag, i1, i2, j1, j2 in steps(before, after):
        if tag == "equal":
            if open_stretch:
                yield ("replace", *open_stretch)
                open_stretch = None
            yield tag, i1, i2, j1, j2
        else:
            open_stretch = (open_stretch[0], i2, open_stretch[2], j2) if open_stretch else (i1, i2, j1, j2)
    if open_stretch:
        yield ("replace", *open_stretch)


def _ties(
    alignment: Alignment, said: Sequence[_Group], heard: Sequence[_Group]
) -> Iterator[tuple[int, int, tuple[int, int], tuple[int, int]]]:
    """Cut the ops into the shortest runs that split no group of either side.

    Yields first and last op (end excluded), raw pieces of the reference, raw pieces of the transcript.
    """
    said_of = {token: group for group in said for token in range(*group.tokens)}
    heard_of = {token: group for group in heard for token in range(*group.tokens)}
    first = said_token = heard_token = 0
    said_run: list[_Group] = []
    heard_run: list[_Group] = []
    said_open = heard_open = 0  # tokens before which the groups met so far are not over
    said_end = heard_end = 0
    for number, op in enumerate(alignment.ops):
        if op.reference is not None:
            said_run.append(said_of[said_token])
            said_open = said_of[said_token].tokens[1]
            said_token += 1
        if op.hypothesis is not None:
            heard_run.append(heard_of[heard_token])
            heard_open = heard_of[heard_token].tokens[1]
            heard_token += 1
        if said_token >= said_open and heard_token >= heard_open:
            said_begin = said_run[0].pieces[0] if said_run else said_end
            heard_begin = heard_run[0].pieces[0] if heard_run else heard_end
            said_end = said_run[-1].pieces[1] if said_run else said_end
            heard_end = heard_run[-1].pieces[1] if heard_run else heard_end
            yield first, number + 1, (said_begin, said_end), (heard_begin, heard_end)
            first, said_run, heard_run = number + 1, [], []
