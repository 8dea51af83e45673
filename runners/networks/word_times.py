"""Word times out of a decoder's attention: which frames of audio it looked at while it wrote each token.

The method of OpenAI's Whisper (``whisper/timing.py``): dynamic time warping over the attention of a few heads that are
known to follow the audio. Numpy only; the attention itself comes from the runner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from runners.base import Segment, Word

Timed = TypeVar("Timed", Word, Segment)

UNSPACED_LANGUAGES = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km", "bo"})
"""ISO codes of languages written without spaces: each character that is complete counts as a word there."""

_OPENING = frozenset("\"'“‘«„([{¿¡「『（《〈")


def warp(attention: NDArray[np.floating]) -> NDArray[np.int64]:
    """Find the frame at which each token begins.

    Dynamic time warping: the monotonic path through ``attention`` (tokens, frames) with the largest sum.

    Returns:
        Frame numbers, shape (tokens,), non-decreasing.
    """
    tokens, frames = attention.shape
    if not tokens or not frames:
        return np.zeros(tokens, dtype=np.int64)
    cost = -np.asarray(attention, dtype=np.float64)
    total = np.full((tokens + 1, frames + 1), np.inf)
    total[0, 0] = 0.0
    step = np.zeros((tokens + 1, frames + 1), dtype=np.int8)  # 0: both, 1: next token, 2: next frame
    # All cells of an anti-diagonal depend only on the two before it, so each is one vector operation.
    for diagonal in range(2, tokens + frames + 1):
        i = np.arange(max(1, diagonal - frames), min(tokens, diagonal - 1) + 1)
        j = diagonal - i
        ways = np.stack((total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]))
        best = ways.argmin(axis=0)
        step[i, j] = best
        total[i, j] = cost[i - 1, j - 1] + ways[best, np.arange(len(i))]
    begins = np.zeros(tokens, dtype=np.int64)
    i, j = tokens, frames
    while i > 0 and j > 0:
        begins[i - 1] = j - 1
        move = step[i, j]
        if move != 2:
            i -= 1
        if move != 1:
            j -= 1
    return begins


def words_of(tokens: Sequence[int], decode: Callable[[list[int]], str], language: str | None) -> list[tuple[str, int, int]]:
    """Group tokens into words.

    A word begins at a token with a leading space, or at every character in a language that writes none; tokens that are
    parts of one character stay together; punctuation joins the word before it, an opening quote or bracket the one after.

    Returns:
        (text, first token, token after the last) of each word.
    """
    pieces: list[tuple[str, int, int]] = []
    first = 0
    for last in range(1, len(tokens) + 1):
        text = decode(list(tokens[first:last]))
        if text.endswith("\N{REPLACEMENT CHARACTER}") and last < len(tokens) and last - first < 8:
            continue  # the bytes of one character are not all there yet
        pieces.append((text, first, last))
        first = last
    words: list[tuple[str, int, int]] = []
    for text, start, end in pieces:
        begins = language in UNSPACED_LANGUAGES or text[:1].isspace()
        begins = begins and (_has_letters(text) or text.strip() in _OPENING)
        if words and (not begins or words[-1][0].strip() in _OPENING):
            before, at, _ = words[-1]
            words[-1] = (before + text, at, end)
        else:
            words.append((text, start, end))
    return [(text.strip(), start, end) for text, start, end in words if text.strip()]


def in_order(timed: Sequence[Timed], end: float) -> tuple[Timed, ...]:
    """Keep times inside a clip of ``end`` seconds and from running backwards, which a model's own may do."""
    ordered: list[Timed] = []
    last_start = last_end = 0.0
    for item in timed:
        if item.start is not None:
            last_start = min(max(item.start, last_start), end)
        if item.end is not None:
            last_end = min(max(item.end, last_end, last_start), end)
        ordered.append(
            replace(item, start=None if item.start is None else last_start, end=None if item.end is None else last_end)
        )
    return tuple(ordered)


def _has_letters(text: str) -> bool:
    return any(letter.isalnum() for letter in text)
