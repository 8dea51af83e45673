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

import numpy as np
from numpy.typing import NDArray

from comparisons.marks import Mark

SHORTEST_CHARACTER_SECONDS = 0.04
"""Half of what a character takes in quick speech (about 15 in a second)."""

Floats = NDArray[np.float64]
Span = tuple[float, float]


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
    own = [_own(side, seconds) for side in sides]
    starts, ends = _own(anchor, seconds)
    voted_starts, voted_ends = _voted(len(anchor), sides, own)
    starts, ends = _forward(*_filled(starts, ends, voted_starts, voted_ends))
    anchored = _spread(anchor, starts, ends, speech)
    held = [
        _retimed(side, mine, _spread(side, *_filled(*mine, *_tied(side, mine, anchored)), speech), seconds)
        for side, mine in zip(sides, own, strict=True)
    ]
    return _retimed(anchor, _own(anchor, seconds), anchored, seconds), tuple(held)


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


def _own(marks: Sequence[Mark], seconds: float) -> tuple[Floats, Floats]:
    """Starts and ends that the marks bring, each (marks,); NaN where unknown, or where it would go backwards."""
    starts = np.array([mark.start for mark in marks], np.float64)
    ends = np.array([mark.end for mark in marks], np.float64)
    return _forward(np.clip(starts, 0.0, seconds), np.clip(ends, 0.0, seconds))


def _forward(starts: Floats, ends: Floats) -> tuple[Floats, Floats]:
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


def _places(
    marks: Sequence[Mark], words: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Of each mark: the anchor's word it stands at; whether it stands for that word; whether first, or last, to do so."""
    at = np.array([words if mark.at is None else mark.at for mark in marks], np.intp)
    stands = np.array([mark.kind in ("hit", "substitution", "deletion") for mark in marks], np.bool_) & (at < words)
    changes = np.diff(at) != 0
    first, last = stands.copy(), stands.copy()
    first[1:] &= changes | ~stands[:-1]
    last[:-1] &= changes | ~stands[1:]
    return at, stands, first, last


def _voted(words: int, sides: Sequence[Sequence[Mark]], own: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Of each word of the anchor, the median of the sides' own starts and ends; NaN where no side knows."""
    starts, ends = np.full((len(sides), words), np.nan), np.full((len(sides), words), np.nan)
    for row, (side, (side_starts, side_ends)) in enumerate(zip(sides, own, strict=True)):
        if np.isnan(side_starts).all() and np.isnan(side_ends).all():
            continue
        at, _, first, last = _places(side, words)
        covered = _last_covered(at, words)
        starts[row, at[first]] = side_starts[first]
        ends[row, covered[last]] = side_ends[last]
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


def _tied(marks: Sequence[Mark], own: tuple[Floats, Floats], anchored: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Starts and ends that the marks have from the anchor's words; NaN where their own times leave no room for these."""
    starts, ends = np.full(len(marks), np.nan), np.full(len(marks), np.nan)
    words = len(anchored[0])
    if not words or not marks:
        return starts, ends
    at, _, first, last = _places(marks, words)
    starts[first] = anchored[0][at[first]]
    ends[last] = anchored[1][_last_covered(at, words)[last]]
    lowest = np.maximum.accumulate(np.fmax(np.nan_to_num(own[0], nan=0.0), np.nan_to_num(own[1], nan=0.0)))
    highest = np.minimum.accumulate(np.nan_to_num(own[0], nan=np.inf)[::-1])[::-1]
    starts[(starts < np.append(0.0, lowest[:-1])) | (starts > highest)] = np.nan
    ends[(ends < lowest) | (ends > np.append(highest[1:], np.inf))] = np.nan
    return starts, ends


def _filled(starts: Floats, ends: Floats, other_starts: Floats, other_ends: Floats) -> tuple[Floats, Floats]:
    return np.where(np.isnan(starts), other_starts, starts), np.where(np.isnan(ends), other_ends, ends)


def _spread(marks: Sequence[Mark], starts: Floats, ends: Floats, speech: _Speech) -> tuple[Floats, Floats]:
    """Starts and ends without gaps: those known, and in between by characters over the speech."""
    if not len(marks):
        return starts, ends
    lengths = np.array([max(1, len(mark.text)) for mark in marks], np.float64)
    gaps = np.array([len(mark.after) for mark in marks], np.float64)
    closes = np.cumsum(lengths + gaps) - gaps
    x = np.stack([closes - lengths, closes], axis=1).ravel()  # start, end, start, end …
    later, words = _later(starts)
    # As a knot, an end does not reach over the next start: systems let neighbouring words overlap a little. And where it
    # leaves no time for words in between that nobody timed, they share the time of the word before.
    begun = np.append(x[0::2], x[-1])[words]
    has_room = (words == np.arange(1, len(marks) + 1)) | (later - ends >= SHORTEST_CHARACTER_SECONDS * (begun - x[1::2]))
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


def _retimed(
    marks: Sequence[Mark], own: tuple[Floats, Floats], times: tuple[Floats, Floats], seconds: float
) -> tuple[Mark, ...]:
    """The marks with these times; those that had them are left as they are."""
    made = list(marks)
    starts, ends = times[0].tolist(), times[1].tolist()
    guessed = np.isnan(own[0])
    beyond = (own[0] <= 0) | (np.fmax(own[0], own[1]) >= seconds)
    for i in np.flatnonzero(guessed | np.isnan(own[1]) | beyond).tolist():
        mark = marks[i]
        made[i] = Mark(
            mark.text,
            mark.kind,
            mark.reference,
            starts[i],
            ends[i],
            mark.after,
            mark.at,
            bool(guessed[i]),
            mark.support,
            mark.is_compound,
        )
    return tuple(made)
