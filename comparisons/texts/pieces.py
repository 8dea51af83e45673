"""Raw pieces of a text, as it was written, and which normalised tokens they stand for.

    raw words   Um, | he  | didn't    | pay  | twenty one
    tokens          | he  | did   not | pay  | 21

A piece is a raw word; in scripts without spaces, a raw character with the marks that sit on it. Normalising the whole
text can come out otherwise than normalising its pieces one by one, so pieces and tokens are cut only where it is known
that they belong together: ``Pieces.groups``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from comparisons.align import steps
from comparisons.normalise import Normaliser
from comparisons.score import Unit
from runners.base import Segment, Word

Times = tuple[Sequence[float | None], Sequence[float | None]]
"""Start and end of each piece, in seconds from the start of the clip."""


_ALIKE = 3
"""Tokens in a row that must be the same for two sequences to be taken as going on alike."""
_FARTHEST = 12
"""Tokens that are looked ahead for that; what a normaliser makes of one number or contraction is shorter."""
_LONGEST_KEPT = 40
"""Characters of a piece that is remembered with what it is normalised to: longer ones are no words, and rarely come again."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """A text as it was written, and the tokens it became. Untrusted."""

    texts: tuple[str, ...]
    afters: tuple[str, ...]
    """What stands between each piece and the next: a space, or nothing."""
    tokens: tuple[str, ...]
    cuts: tuple[tuple[int, int], ...]
    """(pieces, tokens) that are over at each cut, in order; the first is (0, 0), the last is the end of both."""

    @property
    def groups(self) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """The smallest known groups, as two ranges with their ends excluded: pieces, and the tokens they stand for."""
        for (piece, token), (next_piece, next_token) in zip(self.cuts, self.cuts[1:], strict=False):
            yield (piece, next_piece), (token, next_token)

    @cached_property
    def opens(self) -> list[int]:
        """For each place between tokens, the piece with which the group begins whose first token follows; -1 without one."""
        found = [-1] * (len(self.tokens) + 1)
        for (piece, token), (_, next_token) in zip(self.cuts, self.cuts[1:], strict=False):
            if token != next_token:
                found[token] = piece
        return found

    @cached_property
    def closes(self) -> list[int]:
        """For each place between tokens, where the pieces of the group end whose last token is before it; -1 in a group."""
        found = [-1] * (len(self.tokens) + 1)
        found[0] = 0
        for (_, token), (next_piece, next_token) in zip(self.cuts, self.cuts[1:], strict=False):
            if token != next_token:
                found[next_token] = next_piece
        return found

    @cached_property
    def silent(self) -> frozenset[int]:
        """Pieces that the normaliser drops: fillers, lone punctuation."""
        return frozenset(
            piece
            for (begin, token), (end, next_token) in zip(self.cuts, self.cuts[1:], strict=False)
            if token == next_token
            for piece in range(begin, end)
        )

    def text(self, begin: int, end: int) -> str:
        """Some pieces in a row, at least one, as they were written."""
        if end - begin == 1:
            return self.texts[begin]
        return "".join(self.texts[i] + self.afters[i] for i in range(begin, end - 1)) + self.texts[end - 1]


@lru_cache(maxsize=16)
def pieces(text: str, normaliser: Normaliser, unit: Unit = "word") -> Pieces:
    """The pieces of a text. Kept for a while: a reference is held against many transcripts."""
    texts, afters = raw(text, unit)
    tokens = normaliser.words(text) if unit == "word" else normaliser.characters(text)
    return Pieces(tuple(texts), tuple(afters), tuple(tokens), tuple(_cuts(texts, tokens, normaliser, unit)))


def raw(text: str, unit: Unit = "word") -> tuple[list[str], list[str]]:
    """Pieces alone, and what stands after each; no normaliser is asked."""
    if unit == "character":
        return _characters(text)
    words = text.split()
    return words, [" "] * len(words)


def known_pieces(parts: Iterable[tuple[str, str, int]], tokens: Iterable[str]) -> Pieces:
    """Pieces of which it is known what they stand for, as those of a majority.

    Args:
        parts: text, what stands after it, and how many of the tokens it stands for.
    """
    texts: list[str] = []
    afters: list[str] = []
    cuts = [(0, 0)]
    for text, after, count in parts:
        texts.append(text)
        afters.append(after)
        cuts.append((len(texts), cuts[-1][1] + count))
    return Pieces(tuple(texts), tuple(afters), tuple(tokens), tuple(cuts))


def timed(texts: Sequence[str], stretches: Sequence[Word | Segment], unit: Unit = "word") -> Times:
    """Times for pieces, from words or segments wherever these have the same text.

    A piece with which a stretch begins has its start, one with which it ends its end, all others have neither.
    """
    if all(stretch.start is None and stretch.end is None for stretch in stretches):
        return [None] * len(texts), [None] * len(texts)
    if len(stretches) == len(texts) and all(stretch.text == text for stretch, text in zip(stretches, texts, strict=True)):
        return [stretch.start for stretch in stretches], [stretch.end for stretch in stretches]
    starts: list[float | None] = [None] * len(texts)
    ends: list[float | None] = [None] * len(texts)
    parts: list[tuple[str, float | None, float | None]] = []
    for stretch in stretches:
        own = stretch.text.split() if unit == "word" else list("".join(stretch.text.split()))
        last = len(own) - 1
        parts += [(part, stretch.start if i == 0 else None, stretch.end if i == last else None) for i, part in enumerate(own)]
    if unit == "word":
        found = steps([_bare(text) for text in texts], [_bare(part) for part, _, _ in parts])
        owners: Sequence[int] = range(len(texts))
    else:  # a piece may be a letter with marks, and so several code points
        found = steps("".join(texts), [part for part, _, _ in parts])
        owners = [piece for piece, text in enumerate(texts) for _ in text]
    for tag, i1, i2, j1, _ in found:
        if tag == "equal":
            for i, (_, start, end) in zip(range(i1, i2), parts[j1 : j1 + i2 - i1], strict=True):
                if start is not None:
                    starts[owners[i]] = start
                if end is not None:
                    ends[owners[i]] = end
    return starts, ends


def _bare(word: str) -> str:
    """A word without its punctuation and case, for finding it again; the word itself if nothing is left."""
    return word.casefold() if word.isalnum() else "".join(filter(str.isalnum, word)).casefold() or word


def _characters(text: str) -> tuple[list[str], list[str]]:
    """Letters with the marks that sit on them, and what stands after each: a space where there was white space."""
    texts: list[str] = []
    afters: list[str] = []
    for character in text:
        if character.isspace():
            if afters:
                afters[-1] = " "
        elif texts and not afters[-1] and unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf"):
            texts[-1] += character
        else:
            texts.append(character)
            afters.append("")
    return texts, afters


@lru_cache(maxsize=1 << 16)
def _alone(normaliser: Normaliser, unit: Unit, piece: str) -> tuple[str, ...]:
    """What a piece is normalised to by itself; most words of a long text have been met before."""
    normalised = normaliser(piece).split()
    return tuple(normalised) if unit == "word" else tuple("".join(normalised))


def _cuts(texts: Sequence[str], tokens: Sequence[str], normaliser: Normaliser, unit: Unit) -> Iterator[tuple[int, int]]:
    """Cut raw pieces and their tokens into the smallest groups that are known to belong together.

    Each piece is normalised alone. Where that gives what the whole text gave, the piece is a group of its own; a stretch
    that came out otherwise in its context ("twenty one" -> "21") is one group.
    """
    alone = {
        text: (_alone if len(text) <= _LONGEST_KEPT else _alone.__wrapped__)(normaliser, unit, text) for text in set(texts)
    }
    separate: list[str] = []  # what the pieces give one by one
    starts = [0]  # where in ``separate`` each piece starts, and the end
    for text in texts:
        separate += alone[text]
        starts.append(len(separate))

    if separate == list(tokens):
        yield from enumerate(starts)
        return
    place: dict[int, int] = {0: 0}  # position in ``separate`` -> position in ``tokens``, where that is known
    for is_equal, i1, i2, j1, j2 in _stretches(separate, list(tokens)):
        if is_equal:
            place.update(zip(range(i1, i2 + 1), range(j1, j2 + 1), strict=True))
        elif j1 == j2:
            place.update(dict.fromkeys(range(i1, i2 + 1), j1))
        else:
            place[i2] = j2
    yield 0, 0
    for end, start in enumerate(starts[1:-1], 1):
        if start in place:
            yield end, place[start]
    if texts:
        yield len(texts), len(tokens)


def _stretches(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[bool, int, int, int, int]]:
    """Stretches (is_equal, i1, i2, j1, j2) of two sequences that are nearly the same, equal and unequal ones in turn.

    Whole alignment of an hour of speech with itself would take longer than all else that is done with it. So the two are
    walked along together, and where they part, what lies before the nearest place where the next few tokens are the same
    again is aligned; all that is left, where no such place is near.
    """
    i = j = 0
    while i < len(before) or j < len(after):
        i1, j1 = i, j
        while i < len(before) and j < len(after) and before[i] == after[j]:
            i += 1
            j += 1
        if i > i1:
            yield True, i1, i, j1, j
        if i < len(before) or j < len(after):
            i1, j1 = i, j
            i, j = _joined(before, after, i, j) or (len(before), len(after))
            yield from _aligned(before, after, (i1, i), (j1, j))


def _joined(before: Sequence[str], after: Sequence[str], i: int, j: int) -> tuple[int, int] | None:
    """The nearest places at which two sequences go on alike; None if there are none near."""
    for far in range(1, 2 * _FARTHEST + 1):
        for ahead in range(max(0, far - _FARTHEST), min(far, _FARTHEST) + 1):
            k, m = i + ahead, j + far - ahead
            if k <= len(before) and m <= len(after) and before[k : k + _ALIKE] == after[m : m + _ALIKE]:
                return k, m
    return None


def _aligned(
    before: Sequence[str], after: Sequence[str], rows: tuple[int, int], columns: tuple[int, int]
) -> Iterator[tuple[bool, int, int, int, int]]:
    """Stretches of two ranges by a whole alignment, neighbouring unequal ones made one."""
    (i, i_end), (j, j_end) = rows, columns
    i0, j0 = i, j  # where the unequal stretch begins that is not over
    if i < i_end and j < j_end:
        for tag, i1, i2, j1, j2 in steps(before[i:i_end], after[j:j_end]):
            if tag == "equal":
                if (i0, j0) != (i + i1, j + j1):
                    yield False, i0, i + i1, j0, j + j1
                i0, j0 = i + i2, j + j2
                yield True, i + i1, i0, j + j1, j0
    if (i0, j0) != (i_end, j_end):
        yield False, i0, i_end, j0, j_end
