"""Where to cut words into passages that can be read across: at the end of a sentence, at a pause, never inside a mark."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from comparisons.score import Unit
from comparisons.sides.marks import Mark

SIZES: Mapping[Unit, tuple[int, int]] = MappingProxyType({"word": (8, 25), "character": (16, 60)})
"""Fewest and most words, or characters, of a passage, where marks and the end of the text allow it."""

LONG_PAUSE_SECONDS = 0.6
PAUSE_SECONDS = 0.3

_SENTENCE_ENDS = frozenset(".!?…。！？．؟۔।॥།။።")
_CLAUSE_ENDS = frozenset(",;:—–、，；：،؛፣")
_CLOSING = "\"'”’»)]}」』）】》"
_ABBREVIATIONS = frozenset({"mr.", "mrs.", "ms.", "dr.", "st.", "prof.", "vs.", "no.", "e.g.", "i.e."})

_BEST = 3.0


def cuts(
    words: Sequence[Mark],
    sides: Sequence[Sequence[Mark]] = (),
    silent: frozenset[int] = frozenset(),
    last: frozenset[int] = frozenset(),
    unit: Unit = "word",
) -> list[int]:
    """Where passages begin, as indices of ``words``, and the end of all.

    Args:
        words: what is to be cut, with times.
        sides: marks that no cut may go through; their ``at`` counts ``words``.
        silent: words that no mark stands for.
        last: words that end a line, or a segment of a file.
    """
    allowed = _allowed(len(words), sides, silent)
    fewest, most = SIZES[unit]
    found = [0]
    while len(words) - found[-1] > fewest:
        begin, end = found[-1], min(found[-1] + most, len(words) - fewest // 2)
        near = [place for place in range(begin + fewest, end + 1) if allowed[place]]
        worth = {place: _worth(words[place - 1], words[place], place - 1 in last) for place in near}
        place = next((place for place in near if worth[place] == _BEST), None)
        if place is None and len(words) - begin <= most:
            break
        if place is None:  # the best of what is left, and of that the last
            place = max(reversed(near), key=worth.__getitem__, default=None)
        if place is None:
            place = next((place for place in range(end + 1, len(words)) if allowed[place]), None)
        if place is None:
            break
        found.append(place)
    return [*found, len(words)]


def divided(side: Sequence[Mark], places: Sequence[int]) -> list[int]:
    """Where a side is cut, for each place at which the words are that it is held against: indices of its marks.

    What a system adds at a cut begins the next passage ("Um, then"), up to the end of a sentence it belongs to the one
    before ("to everyone. Thank you.").
    """
    at = [mark.at or 0 for mark in side]
    found = []
    for place in places:
        first = bisect_left(at, place)
        for i in range(first, len(side)):
            if at[i] > place or side[i].kind not in ("insertion", "plain"):
                break
            if _ends_sentence(side[i]):
                first = i + 1
        found.append(first)
    return found


def split(
    anchor: tuple[Mark, ...], cells: tuple[tuple[Mark, ...], ...], unit: Unit = "word"
) -> Iterator[tuple[tuple[Mark, ...], tuple[tuple[Mark, ...], ...]]]:
    """A passage, or several by time where somebody says far more than the anchor, as a system in a loop does.

    Without an anchor all of a transcript is more than it. Nothing is yielded where nobody says anything.
    """
    longest = max(cells, key=len, default=())
    _, most = SIZES[unit]
    if len(longest) <= (3 * most if anchor else 0):
        if anchor or longest:
            yield anchor, cells
        return
    own = cuts(longest, unit=unit)
    starts = [longest[place].start or 0.0 for place in own[1:-1]]

    def parts(marks: tuple[Mark, ...]) -> list[tuple[Mark, ...]]:
        if marks is longest:
            places = own
        else:
            times = [mark.start or 0.0 for mark in marks]
            places = [0, *(bisect_left(times, start) for start in starts), len(marks)]
        return [marks[begin:end] for begin, end in pairwise(places)]

    in_parts = [parts(cell) for cell in cells]
    for row, part in enumerate(parts(anchor)):
        yield part, tuple(cell[row] for cell in in_parts)


def _allowed(words: int, sides: Sequence[Sequence[Mark]], silent: frozenset[int]) -> np.ndarray:
    """For each word, whether in no side a mark goes over its beginning; (words + 1,)."""
    allowed = np.ones(words + 1, bool)
    for side in sides:
        begun = np.zeros(words + 1, bool)
        begun[[mark.at or 0 for mark in side]] = True
        allowed &= begun
    allowed[words] = True
    for place in sorted(silent, reverse=True):  # no mark begins there; a cut before it is one before what follows
        allowed[place] |= allowed[place + 1]
    return allowed


def _worth(before: Mark, after: Mark, is_last: bool) -> float:
    """How good it is to cut between two words, up to ``_BEST``."""
    pause = after.start - before.end if after.start is not None and before.end is not None else 0.0
    if is_last or pause >= LONG_PAUSE_SECONDS or _ends_sentence(before):
        return _BEST
    if pause >= PAUSE_SECONDS:
        return 1 + pause / LONG_PAUSE_SECONDS
    return float(before.text.rstrip(_CLOSING)[-1:] in _CLAUSE_ENDS)


def _ends_sentence(mark: Mark) -> bool:
    word = mark.text.rstrip(_CLOSING)
    return word[-1:] in _SENTENCE_ENDS and word.lower() not in _ABBREVIATIONS
