"""Where to cut words into passages that can be read across: at the end of a sentence, at a pause, never inside a mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from comparisons.marks import Mark
from comparisons.score import Unit

SIZES: Mapping[Unit, tuple[int, int]] = MappingProxyType({"word": (8, 25), "character": (16, 60)})
"""Fewest and most words, or characters, of a passage, where marks and the end of the text allow it."""

LONG_PAUSE_SECONDS = 0.6
PAUSE_SECONDS = 0.3

_SENTENCE_ENDS = frozenset(".!?…。！？．؟۔।॥།။።")
_CLAUSE_ENDS = frozenset(",;:—–、，；：،؛፣")
_CLOSING = "\"'”’»)]}」』）】》"
_ABBREVIATIONS = frozenset({"mr.", "mrs.", "ms.", "dr.", "st.", "prof.", "vs.", "no.", "e.g.", "i.e."})

_BEST = 3


def cuts(words: Sequence[Mark], sides: Sequence[Sequence[Mark]], silent: frozenset[int], unit: Unit = "word") -> list[int]:
    """Where passages begin, as indices of ``words``, and the end of all.

    Args:
        words: what is to be cut, at least one, with times.
        sides: marks that no cut may go through; their ``at`` counts ``words``.
        silent: words that no mark stands for.
    """
    allowed = _allowed(len(words), sides, silent)
    fewest, most = SIZES[unit]
    found = [0]
    while len(words) - found[-1] > fewest:
        begin = found[-1]
        window = [place for place in range(begin + fewest, min(begin + most, len(words) - 1) + 1) if allowed[place]]
        best = 0
        for place in window:
            worth = _worth(words[place - 1], words[place])
            if worth == _BEST and (len(words) - place) * 2 >= fewest:
                best, window = worth, [place]
                break
            if worth >= best:
                best, latest = worth, place
        else:
            if window:
                window = [latest]
        if len(words) - begin <= most and best < _BEST:
            break
        if not window:
            window = [place for place in range(begin + most + 1, len(words)) if allowed[place]][:1]
            if not window:
                break
        found.append(window[0])
    return [*found, len(words)]


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


def _worth(before: Mark, after: Mark) -> int:
    """How good it is to cut between two words."""
    word = before.text.rstrip(_CLOSING)
    pause = after.start - before.end if after.start is not None and before.end is not None else 0.0
    if (word and word[-1] in _SENTENCE_ENDS and word.lower() not in _ABBREVIATIONS) or pause >= LONG_PAUSE_SECONDS:
        return _BEST
    if pause >= PAUSE_SECONDS:
        return 2
    return int(bool(word) and word[-1] in _CLAUSE_ENDS)
