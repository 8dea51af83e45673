"""A text as it was written, and which of its tokens its names, numbers, words and punctuation became.

raw      We  | met | twenty one | men, | Anna!
tokens   we  | met | 21         | men  | anna
name                                     4:5
number               2:3
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import accumulate, groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from comparisons.beyond.wording import Span, Wording, core
from comparisons.normalise import Normaliser
from comparisons.score import Unit
from comparisons.texts.pieces import Pieces, pieces

Run = tuple[str, int, int]
"""Text as it was written, and its first token and last + 1."""


Numbers = NDArray[np.int64]


class Words(NamedTuple):
    """The raw words with a letter and with tokens of their own."""

    first: Numbers
    last: Numbers
    cores: list[str]
    lengths: Numbers
    """For each token, how many tokens the word has that begins there; 0 if none does."""
    capitals: NDArray[np.bool_]
    """For each token, whether a word with a capital begins there."""


class Written:
    """A text as it was written, and where in it is what. Untrusted."""

    def __init__(self, text: str, cut: Pieces) -> None:
        self.wording = Wording(text)
        self.tokens = cut.tokens
        self._cut = cut
        self._cut_pieces = [piece for piece, _ in cut.cuts]
        self._cut_tokens = [token for _, token in cut.cuts]
        # White space apart, the pieces are the raw text cut up, so a piece is found by the characters before it.
        self._before = [0, *accumulate(map(len, cut.texts))]

    def run(self, span: Span) -> Run:
        """A stretch of the raw text, in whole pieces, with the tokens of the groups it is in; maybe none."""
        first = bisect_right(self._before, span.start) - 1
        last = bisect_left(self._before, span.end)
        begin = self._cut_tokens[bisect_right(self._cut_pieces, first) - 1]
        end = self._cut_tokens[bisect_left(self._cut_pieces, last)]
        return self._cut.text(first, last), begin, end

    def text(self, first: int, last: int) -> str:
        """Some tokens in a row, as they were written; "" for none."""
        if first >= last:
            return ""
        begin = bisect_right(self._cut_tokens, first) - 1
        end = bisect_left(self._cut_tokens, last)
        return self._cut.text(self._cut_pieces[begin], self._cut_pieces[end])

    @cached_property
    def names(self) -> list[Run]:
        """Each name with its tokens; names of which the normaliser leaves nothing are left out."""
        return [run for run in map(self.run, self.wording.names) if run[1] < run[2]]

    @cached_property
    def numbers(self) -> list[Run]:
        """Each number with the tokens that say whether it is right: where words around it became one with it, its digits."""
        found: list[Run] = []
        for (first, last), group in groupby(map(self.run, self.wording.numbers), key=itemgetter(1, 2)):
            texts = [text for text, _, _ in group]
            digits = [token for token in range(first, last) if any(map(str.isdigit, self.tokens[token]))]
            if len(digits) == len(texts):
                found += [(text, token, token + 1) for text, token in zip(texts, digits, strict=True)]
            elif first < last:
                found += [(text, first, last) for text in texts]
        return found

    @cached_property
    def index(self) -> dict[str, list[int]]:
        """Where each token stands."""
        places: dict[str, list[int]] = {}
        for number, token in enumerate(self.tokens):
            places.setdefault(token, []).append(number)
        return places

    @cached_property
    def words(self) -> Words:
        """The raw words that became tokens of their own, which no other word shares."""
        raw = self.wording.words
        first, last = self._tokens_of(raw.starts, raw.ends)
        # "twenty one" may have one token: then nobody knows whose it is.
        own = (first < last) & (first >= np.append([0], last[:-1])) & (last <= np.append(first[1:], len(self.tokens)))
        first, last = first[own], last[own]
        lengths = np.zeros(len(self.tokens), dtype=np.int64)
        lengths[first] = last - first
        capitals = np.zeros(len(self.tokens), dtype=bool)
        capitals[first] = np.array(raw.are_capital, dtype=bool)[own]
        return Words(first, last, [raw.cores[number] for number in np.flatnonzero(own).tolist()], lengths, capitals)

    @cached_property
    def marks(self) -> dict[int, str]:
        """For each token after which punctuation stands, its kind."""
        found: dict[int, str] = {}
        after, kinds = self.wording.punctuation
        starts = [max(0, end - 1) for end in after]
        for start, first, last, kind in zip(
            starts, *map(np.ndarray.tolist, self._tokens_of(starts, after)), kinds, strict=True
        ):
            # That of a filler, which the normaliser drops, is nobody's.
            if last > 0 and (first < last or not core(self.run(Span(start, start + 1))[0])):
                found.setdefault(last - 1, kind)
        return found

    def _tokens_of(self, starts: Sequence[int], ends: Sequence[int]) -> tuple[Numbers, Numbers]:
        """First tokens and last + 1 of stretches of the raw text, like ``run``, for thousands at once."""
        before, cut_pieces, cut_tokens = map(np.array, (self._before, self._cut_pieces, self._cut_tokens))
        first = np.searchsorted(before, starts, side="right") - 1
        last = np.searchsorted(before, ends)
        begin = cut_tokens[np.searchsorted(cut_pieces, first, side="right") - 1]
        return begin, cut_tokens[np.searchsorted(cut_pieces, last)]


@lru_cache(maxsize=16)
def written(text: str, normaliser: Normaliser, unit: Unit) -> Written:
    """Kept for a while: a reference is held against many transcripts, and each against many references."""
    return Written(text, pieces(text, normaliser, unit))
