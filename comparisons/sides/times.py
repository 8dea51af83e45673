"""When each word was said, also of words whose system does not say.

    anchor   send      the       notes          own times, else the median of the sides, else by length over the speech
    A        send 0.2  the 0.6   notes 0.7      the system's own
    B        send      -         note           where the anchor's words are, between its own times if it has some

Nothing here listens to the sound: between known times words are spread by their number of characters over what is not
silence, which is right to a fraction of a second where known times are near, and a guess where they are not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comparisons.sides.marks import Mark

SHORTEST_CHARACTER_SECONDS = 0.04
"""Half of what a character takes in quick speech (about 15 in a second)."""

Floats = NDArray[np.float64]
Times = tuple[Floats, Floats]
"""Starts and ends, in seconds; NaN where unknown."""
Span = tuple[float, float]

_STANDING = frozenset({"hit", "substitution", "deletion"})
"""Kinds of marks that stand for words of the anchor."""


def with_times(
    anchor: Sequence[Mark], sides: Sequence[Sequence[Mark]], seconds: float, silences: Sequence[Span] = ()
) -> tuple[tuple[Mark, ...], tuple[tuple[Mark, ...], ...]]:
    """The same marks, all with a start and an end that go forward and stay within the clip.

    Times of its own stay with a mark, unless they go backwards; every other start is marked ``is_interpolated``. What a
    transcript lacks gets the time of the anchor's word.

    Args:
        anchor: the words that the sides are held against, one mark each; may be empty.
        sides: of each side, its marks, whose ``at`` counts the anchor's; None where they are held against nothing.
        seconds: length of the clip.
        silences: (start, end) of each, in order.
    """
    speech = _Speech(seconds, silences)
    words, tracks = _Track(anchor, seconds), [_Track(side, seconds) for side in sides]
    anchored = _spread(words, _forward(*_filled(words.own, _fitting(_voted(len(anchor), tracks), words.own))), speech)
    held = [track.retimed(_spread(track, _filled(track.own, _tied(track, anchored)), speech)) for track in tracks]
    return words.retimed(anchored), tuple(held)


class _Track:
    """Marks as columns, for an hour of speech has many, and the times that they bring."""

    def __init__(self, marks: Sequence[Mark], seconds: float) -> None:
        self.length = len(marks)
        self._columns: dict[str, tuple[Any, ...]] = dict(
            zip(Mark._fields, zip(*marks, strict=True) if marks else repeat(()), strict=False)
        )
        column = self._columns
        starts, ends = np.array(column["start"], np.float64), np.array(column["end"], np.float64)
        self.own = _forward(np.clip(starts, 0.0, seconds), np.clip(ends, 0.0, seconds))
        """Starts and ends, each (marks,); NaN where unknown, or where it would go backwards."""
        self.lengths = np.array([max(1, len(text)) for text in column["text"]], np.float64)
        self.gaps = np.array([len(after) for after in column["after"]], np.float64)

    def places(self, words: int) -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.bool_]]:
        """Of each mark: the anchor's word it stands at; whether it is the first, or last, to stand for that word."""
        at = np.array([words if at is None else at for at in self._columns["at"]], np.intp)
        stands = np.array([kind in _STANDING for kind in self._columns["kind"]], np.bool_) & (at < words)
        changes = np.diff(at) != 0
        first, last = stands.copy(), stands.copy()
        first[1:] &= changes | ~stands[:-1]
        last[:-1] &= changes | ~stands[1:]
        return at, first, last

    def retimed(self, times: Times) -> tuple[Mark, ...]:
        """The marks with these times where they have none of their own."""
        starts, ends = _filled(self.own, times)
        ends = np.maximum(starts, ends)
        told = {"start": starts.tolist(), "end": ends.tolist(), "is_interpolated": np.isnan(self.own[0]).tolist()}
        return tuple(map(Mark._make, zip(*(self._columns | told).values(), strict=True)))


class _Speech:
    """Clip time with the silences taken out, and back."""

    def __init__(self, seconds: float, silences: Sequence[Span]) -> None:
        begins, ends = [0.0], []
        for start, end in silences:
            if end > start:
                ends.append(min(max(start, begins[-1]), seconds))
                begins.append(min(max(end, begins[-1]), seconds))
        ends.append(seconds)
        kept = [(begin, end) for begin, end in zip(begins, ends, strict=True) if end > begin] or [(0.0, seconds)]
        self.begins = np.array([begin for begin, _ in kept])
        self.ends = np.array([end for _, end in kept])
        self.sums = np.cumsum(self.ends - self.begins)  # speech up to the end of each stretch
        self.seconds = float(self.sums[-1])

    def into(self, times: Floats) -> Floats:
        """Seconds of speech before each time."""
        knots = np.stack([self.begins, self.ends], axis=1).ravel()
        before = np.concatenate([[0.0], self.sums[:-1]])
        return np.interp(times, knots, np.stack([before, self.sums], axis=1).ravel())

    def back(self, speech: Floats, *, is_start: bool) -> Floats:
        """Where in the clip so much speech is over; at a silence, words begin after it and end before it."""
        place = np.searchsorted(self.sums, speech, "right" if is_start else "left")
        place = np.minimum(place, len(self.sums) - 1)
        return np.asarray(self.ends[place] - (self.sums[place] - speech))


def _forward(starts: Floats, ends: Floats) -> Times:
    """Without the fewest starts that would have to go for the rest to go forward, and without ends that fit none."""
    known = np.flatnonzero(~np.isnan(starts))
    if np.any(np.diff(starts[known]) < 0):
        kept = np.zeros(len(starts), bool)
        kept[known[_longest_forward(starts[known].tolist())]] = True
        starts = np.where(kept, starts, np.nan)
    lowest = np.fmax.accumulate(np.where(np.isnan(starts), -np.inf, starts)) if len(starts) else starts
    return starts, np.where(ends < lowest, np.nan, ends)


def _longest_forward(values: Sequence[float]) -> list[int]:
    """Indices of the longest run that never falls, gaps allowed (patience sorting)."""
    tops: list[float] = []
    piles: list[int] = []
    previous: list[int] = []
    for index, value in enumerate(values):
        pile = bisect_right(tops, value)
        previous.append(piles[pile - 1] if pile else -1)
        tops[pile:] = [value] if pile == len(tops) else [value, *tops[pile + 1 :]]
        piles[pile:] = [index] if pile == len(piles) else [index, *piles[pile + 1 :]]
    found: list[int] = []
    index = piles[-1] if piles else -1
    while index >= 0:
        found.append(index)
        index = previous[index]
    return found[::-1]


def _voted(words: int, tracks: Sequence[_Track]) -> Times:
    """Of each word of the anchor, the median of the sides' own starts and ends; NaN where no side knows."""
    starts, ends = np.full((len(tracks), words), np.nan), np.full((len(tracks), words), np.nan)
    for row, track in enumerate(tracks):
        if not all(np.isnan(own).all() for own in track.own):
            at, first, last = track.places(words)
            starts[row, at[first]] = track.own[0][first]
            ends[row, _last_covered(at, words)[last]] = track.own[1][last]
    return _median(starts), _median(ends)


def _last_covered(at: NDArray[np.intp], words: int) -> NDArray[np.intp]:
    """The last word of the anchor before the next mark's; a substitution may stand for several."""
    following = np.append(at[1:], words)
    return np.maximum(at, following - 1)


def _median(votes: Floats) -> Floats:
    """Over the first axis, without NaN. (``nanmedian`` is much slower.)"""
    if not votes.size:
        return np.full(votes.shape[1], np.nan)
    ranked = np.sort(votes, axis=0)  # NaN last
    count = np.sum(~np.isnan(votes), axis=0)
    columns = np.arange(votes.shape[1])
    return np.asarray((ranked[(count - 1) // 2, columns] + ranked[count // 2, columns]) / 2)


def _tied(track: _Track, anchored: Times) -> Times:
    """Starts and ends that the marks have from the anchor's words."""
    starts, ends = np.full(track.length, np.nan), np.full(track.length, np.nan)
    words = len(anchored[0])
    if words and track.length:
        at, first, last = track.places(words)
        starts[first] = anchored[0][at[first]]
        ends[last] = anchored[1][_last_covered(at, words)[last]]
    return _fitting((starts, ends), track.own)


def _fitting(times: Times, own: Times) -> Times:
    """Of some times those for which a track's own leave room; NaN for all others."""
    if not len(own[0]):
        return times
    (starts, ends), (own_starts, own_ends) = times, own
    lowest = np.maximum.accumulate(np.fmax(np.nan_to_num(own_starts, nan=0.0), np.nan_to_num(own_ends, nan=0.0)))
    highest = np.append(np.minimum.accumulate(np.nan_to_num(own_starts, nan=np.inf)[::-1])[::-1], np.inf)
    fits = (starts >= np.append(0.0, lowest[:-1])) & (starts <= highest[:-1])
    return np.where(fits, starts, np.nan), np.where((ends >= lowest) & (ends <= highest[1:]), ends, np.nan)


def _filled(times: Times, others: Times) -> Times:
    return np.where(np.isnan(times[0]), others[0], times[0]), np.where(np.isnan(times[1]), others[1], times[1])


def _spread(track: _Track, times: Times, speech: _Speech) -> Times:
    """Starts and ends without gaps: those known, and in between by characters over the speech."""
    if not track.length:
        return times
    (starts, ends), lengths, gaps = times, track.lengths, track.gaps
    closes = np.cumsum(lengths + gaps) - gaps
    x = np.stack([closes - lengths, closes], axis=1).ravel()  # start, end, start, end …
    later, words = _later(starts)
    # As a knot, an end does not reach over the next start: systems let neighbouring words overlap a little. And where it
    # leaves no time for words in between that nobody timed, they share the time of the word before.
    begun = np.append(x[0::2], x[-1])[words]
    has_room = (words == np.arange(1, track.length + 1)) | (later - ends >= SHORTEST_CHARACTER_SECONDS * (begun - x[1::2]))
    ends = np.where(has_room, np.minimum(ends, later), np.nan)
    known = np.stack([starts, ends], axis=1).ravel()
    there = ~np.isnan(known)
    known_x, known_speech = x[there], np.maximum.accumulate(speech.into(known[there]))
    before, behind = 0.0, speech.seconds
    if len(known_x):
        # Words before the first known time and after the last are said as fast as the others.
        span = known_x[-1] - known_x[0]
        pace = (known_speech[-1] - known_speech[0]) / span if span > 0 else 0.0
        pace = pace or speech.seconds / x[-1]
        before = max(0.0, known_speech[0] - pace * known_x[0])
        behind = min(speech.seconds, known_speech[-1] + pace * (x[-1] - known_x[-1]))
    if not there[0]:
        known_x, known_speech = np.append(0.0, known_x), np.append(before, known_speech)
    if not there[-1]:
        known_x, known_speech = np.append(known_x, x[-1]), np.append(known_speech, behind)
    found = np.interp(x, known_x, known_speech)
    made_starts, made_ends = speech.back(found[0::2], is_start=True), speech.back(found[1::2], is_start=False)
    # Known times may lie within a silence, and what is in between then too.
    earlier = np.maximum.accumulate(np.nan_to_num(starts, nan=0.0))
    made_starts = np.where(np.isnan(starts), np.maximum.accumulate(np.clip(made_starts, earlier, later)), starts)
    made_ends = np.where(np.isnan(ends), np.minimum(made_ends, later), ends)
    return made_starts, np.maximum(made_starts, made_ends)


def _later(starts: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """For each word the next known start, and of which word; infinite, and the number of words, after the last."""
    known = np.flatnonzero(~np.isnan(starts))
    words = np.append(known, len(starts))[np.searchsorted(known, np.arange(len(starts)), "right")]
    return np.append(starts, np.inf)[words], words
