"""What most systems say: all hypotheses aligned at once, the majority of each place, and who dissents.

    A         so  let us   meet  on Tuesday
    B             let's    meet  at Tuesday
    C         so  let us   meat  on Tuesday
    majority  so  let us   meet  on Tuesday      support 2 3 3 2 2 3 of 3

This is agreement, not accuracy: systems can agree on what was never said.

The idea is ROVER's (Fiscus, "A post-processing system to yield reduced word error rates", ASRU 1997): a network of word
slots in which systems vote. The network is built from the system that is nearest to all others outwards, and then each
system is taken out and put in again once, against all others, so that the order of building leaves little trace. The cost
of a place is the number of systems that have something else there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from comparisons.agreement.network import Network
from comparisons.align import Alignment
from comparisons.normalise import Normaliser
from comparisons.score import Unit
from comparisons.texts.pieces import Pieces, pieces


@dataclass(frozen=True, slots=True)
class Slot:
    """A place at which each system has a word, or none."""

    token: str | None
    """The majority's normalised word; None where most have none."""
    text: str | None
    """The same as most of its supporters write it, with case and punctuation; "" where it is written as one with the word
    before ("it's" for "it", "is"). None exactly where the token is. Untrusted."""
    support: int
    """How many systems have the majority's word, or none, here."""
    tokens: tuple[str | None, ...]
    """What each system has, in their order."""
    after: str = " "
    """What stands between this text and the next: a space, or "" in scripts without."""


class Piece(NamedTuple):
    """A stretch of the majority's text that stands for exactly some words of the majority."""

    text: str
    """Untrusted."""
    after: str
    tokens: int
    """How many words it stands for."""
    support: int
    """How many systems have them; of several words, of the one that fewest have."""


@dataclass(frozen=True)
class Consensus:
    """All hypotheses aligned at once."""

    slots: tuple[Slot, ...]
    alignments: tuple[Alignment, ...]
    """For each system: the majority's words as reference against its own, as the slots pair them."""
    agreement: tuple[float | None, ...]
    """For each system: of the words that it or the majority of the others has, how many both have. A fraction; None where
    nobody has any. Not accuracy."""

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """The majority's normalised words."""
        return tuple(slot.token for slot in self.slots if slot.token is not None)

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """The majority's text in pieces, in order; together they stand for ``tokens``."""
        made: list[Piece] = []
        for slot in self.slots:
            if slot.token is None:
                continue
            if slot.text or not made:
                made.append(Piece(slot.text or slot.token, slot.after, 1, slot.support))
            else:
                last = made[-1]
                made[-1] = Piece(last.text, slot.after, last.tokens + 1, min(last.support, slot.support))
        return tuple(made)

    @property
    def text(self) -> str:
        """The majority text, as it can be read, edited and used as a reference."""
        return "".join(piece.text + piece.after for piece in self.pieces).strip()


def consensus(texts: Sequence[str], normaliser: Normaliser, unit: Unit = "word") -> Consensus:
    """Align hypotheses at once and take the majority.

    Where as many systems say one thing as another, the one is taken that the system has which is nearest to all others.
    The majority does not depend on the order of the texts. The last few are kept, so asking again costs nothing.

    Raises:
        ValueError: there are fewer than two.
    """
    if len(texts) < 2:
        raise ValueError("A majority needs at least two texts.")
    order = sorted(range(len(texts)), key=texts.__getitem__)  # the same texts in another order are known already
    found = _consensus(tuple(texts[system] for system in order), normaliser, unit)
    if order == list(range(len(texts))):
        return found
    place = sorted(range(len(order)), key=order.__getitem__)  # where each system stands in that order
    return Consensus(
        tuple(replace(slot, tokens=tuple([slot.tokens[at] for at in place])) for slot in found.slots),
        tuple(found.alignments[at] for at in place),
        tuple(found.agreement[at] for at in place),
    )


def agreement_of(texts: Sequence[str], normaliser: Normaliser, unit: Unit = "word") -> tuple[float | None, ...]:
    """``Consensus.agreement`` of texts; None for each where there are fewer than two."""
    return consensus(texts, normaliser, unit).agreement if len(texts) > 1 else (None,) * len(texts)


@lru_cache(maxsize=4)  # an hour of eight systems takes some 10 MB
def _consensus(texts: tuple[str, ...], normaliser: Normaliser, unit: Unit) -> Consensus:
    read = [pieces(text, normaliser, unit) for text in texts]
    said = [each.tokens for each in read]
    vocabulary: dict[str, int] = {}  # words become small numbers: quick to compare, and equal only if they are
    numbered = [[vocabulary.setdefault(word, len(vocabulary)) for word in words] for words in said]
    ranked = _ranked(numbered, said, texts)

    network = Network(len(texts))
    for system in ranked:
        network.put(system, numbered[system])
    for system in ranked:
        network.put_again(system, numbered[system])

    words = list(vocabulary)
    majority = [_majority(row, tally, ranked) for row, tally in zip(network.rows, network.tallies, strict=True)]
    written = _written(network, majority, numbered, [_forms(each) for each in read], words, ranked)
    slots = tuple(
        Slot(
            None if winner is None else words[winner],
            form.text if form else None,
            tally[winner],
            tuple(None if token is None else words[token] for token in row),
            form.after if form else " ",
        )
        for row, tally, winner, form in zip(network.rows, network.tallies, majority, written, strict=True)
    )
    return Consensus(slots, tuple(_projected(slots, system) for system in range(len(texts))), _agreement(network, ranked))


def _ranked(numbered: Sequence[Sequence[int]], said: Sequence[Sequence[str]], texts: Sequence[str]) -> list[int]:
    """The systems, the one that is nearest to all others first; what is as near is ordered by what it says."""
    far = [0] * len(numbered)
    for one in range(len(numbered)):
        for other in range(one):
            expected = max(len(numbered[one]), len(numbered[other])) // 5  # only a matter of speed
            apart = int(Levenshtein.distance(numbered[one], numbered[other], score_hint=expected))
            far[one] += apart
            far[other] += apart
    return sorted(range(len(numbered)), key=lambda system: (far[system], said[system], texts[system]))


def _majority(row: Sequence[int | None], tally: Mapping[int | None, int], ranked: Sequence[int]) -> int | None:
    """What most have; where as many have something else, what the first of them by rank has."""
    most = max(tally.values())
    return next(row[system] for system in ranked if tally[row[system]] == most)


def _agreement(network: Network, ranked: Sequence[int]) -> tuple[float | None, ...]:
    both, either = [0] * len(ranked), [0] * len(ranked)
    unanimous = 0
    for row, tally in zip(network.rows, network.tallies, strict=True):
        if len(tally) == 1:
            unanimous += 1
            continue
        for system, own in enumerate(row):
            others = dict(tally)
            others[own] -= 1
            theirs = _majority(row, others, [other for other in ranked if other != system])
            either[system] += own is not None or theirs is not None
            both[system] += own is not None and own == theirs
    return tuple(
        (shared + unanimous) / (had + unanimous) if had + unanimous else None for shared, had in zip(both, either, strict=True)
    )


def _projected(slots: Iterable[Slot], system: int) -> Alignment:
    """The majority's words as reference against those of a system."""
    pairs = ((slot.token, slot.tokens[system]) for slot in slots)
    return Alignment.of((theirs, own) for theirs, own in pairs if theirs is not None or own is not None)


class _Form(NamedTuple):
    """How somebody writes a word."""

    text: str
    after: str
    tokens: int
    """How many words are written as one with it, itself counted; 0 where it is written as one with the word before."""


def _written(
    network: Network,
    majority: Sequence[int | None],
    numbered: Sequence[Sequence[int]],
    forms: Sequence[Sequence[_Form]],
    words: Sequence[str],
    ranked: Sequence[int],
) -> list[_Form | None]:
    """How each slot's majority word is written by most of those who have it; None where the majority has none."""
    winners = [winner for winner in majority if winner is not None]
    places = [0] * len(numbered)  # how many words of each system stand in the slots before
    made: list[_Form | None] = []
    at = 0  # how many words of the majority stand in the slots before
    joined = 0  # how many of the next ones are written as one with the last
    chosen = _Form("", " ", 0)
    for row, winner in zip(network.rows, majority, strict=True):
        if winner is None:
            made.append(None)
        elif joined:
            made.append(_Form("", chosen.after, 0))
            joined -= 1
            at += 1
        else:
            votes: Counter[_Form] = Counter()
            for system in ranked:
                if row[system] == winner:
                    place = places[system]
                    form = forms[system][place]
                    if form.tokens and numbered[system][place : place + form.tokens] == winners[at : at + form.tokens]:
                        votes[form] += 1
            chosen = max(votes, key=votes.__getitem__) if votes else _Form(words[winner], " ", 1)
            made.append(chosen)
            joined = chosen.tokens - 1
            at += 1
        for system, token in enumerate(row):
            places[system] += token is not None
    return made


def _forms(read: Pieces) -> list[_Form]:
    """For each word of a normalised text, how the text itself writes it.

    Punctuation that stands alone goes with the word before it, or before the first one; what else the normaliser drops
    ("um") is dropped.
    """
    made: list[_Form] = []
    last = 0  # the form that stands for the last words
    opening = ""
    for (begin, end), (token, next_token) in read.groups:
        if begin == end:
            continue
        written, after = read.text(begin, end), read.afters[end - 1]
        if next_token > token:
            last = len(made)
            made += [_Form(opening + written, after, next_token - token), *[_Form("", after, 0)] * (next_token - token - 1)]
            opening = ""
        elif any(map(str.isalnum, written)):
            if made:
                made[last] = made[last]._replace(after=made[last].after or after)
        elif made:
            made[last] = _Form(made[last].text + made[last].after + written, after, made[last].tokens)
        else:
            opening += written + after
    return made
