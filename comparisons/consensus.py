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

import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from comparisons.align import Alignment, steps
from comparisons.normalise import Normaliser
from comparisons.score import Unit

LONG_RUN = 4
"""Words in a row that are the same, from which on they are taken as aligned; inside shorter ones all is weighed."""
MOST_CELLS = 4096
"""Of a table in which a stretch is weighed exactly; a larger stretch is cut at whatever is the same in it."""


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
    return _consensus(tuple(texts), normaliser, unit)


def agreement_of(texts: Sequence[str], normaliser: Normaliser, unit: Unit = "word") -> tuple[float | None, ...]:
    """``Consensus.agreement`` of texts; None for each where there are fewer than two."""
    return consensus(texts, normaliser, unit).agreement if len(texts) > 1 else (None,) * len(texts)


@lru_cache(maxsize=8)
def _consensus(texts: tuple[str, ...], normaliser: Normaliser, unit: Unit) -> Consensus:
    read = normaliser.words if unit == "word" else normaliser.characters
    said = [read(text) for text in texts]
    vocabulary: dict[str, int] = {}  # words become small numbers: quick to compare, and equal only if they are
    numbered = [[vocabulary.setdefault(word, len(vocabulary)) for word in words] for words in said]
    ranked = _ranked(numbered, said, texts)

    network = _Network(len(texts))
    for system in ranked:
        network.put(system, numbered[system])
    for system in ranked:
        network.take(system)
        network.put(system, numbered[system])

    words = list(vocabulary)
    majority = [_majority(row, tally, ranked) for row, tally in zip(network.rows, network.tallies, strict=True)]
    forms = [_forms(text, tokens, normaliser, unit) for text, tokens in zip(texts, said, strict=True)]
    written = _written(network, majority, numbered, forms, words, ranked)
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
            apart = int(Levenshtein.distance(numbered[one], numbered[other]))
            far[one] += apart
            far[other] += apart
    return sorted(range(len(numbered)), key=lambda system: (far[system], said[system], texts[system]))


_Pairing = tuple[int | None, int | None]
"""A slot and a position; None for a slot that gets no word, and for a word that gets a slot of its own."""


class _Run(NamedTuple):
    """Slots and positions in a row that have the same words."""

    slot: int
    place: int
    length: int


class _Network:
    """Slots with a word or None of each system that was put in, and how many have which."""

    def __init__(self, systems: int) -> None:
        self.systems = systems
        self.inside = 0
        self.rows: list[list[int | None]] = []
        self.tallies: list[dict[int | None, int]] = []

    def put(self, system: int, sequence: Sequence[int]) -> None:
        """Align a system's words with the slots; words that fit nowhere make slots of their own."""
        rows: list[list[int | None]] = []
        tallies: list[dict[int | None, int]] = []
        for slot, place in self._path(sequence):
            token = None if place is None else sequence[place]
            if slot is None:
                row: list[int | None] = [None] * self.systems
                tally: dict[int | None, int] = {None: self.inside} if self.inside else {}
            else:
                row, tally = self.rows[slot], self.tallies[slot]
            row[system] = token
            tally[token] = tally.get(token, 0) + 1
            rows.append(row)
            tallies.append(tally)
        self.rows, self.tallies = rows, tallies
        self.inside += 1

    def take(self, system: int) -> None:
        """Take a system out, and slots that only it filled."""
        rows: list[list[int | None]] = []
        tallies: list[dict[int | None, int]] = []
        for row, tally in zip(self.rows, self.tallies, strict=True):
            token = row[system]
            row[system] = None
            if tally[token] > 1:
                tally[token] -= 1
            else:
                del tally[token]
            if len(tally) > 1 or (tally and None not in tally):
                rows.append(row)
                tallies.append(tally)
        self.rows, self.tallies = rows, tallies
        self.inside -= 1

    def _path(self, sequence: Sequence[int]) -> list[_Pairing]:
        """Every slot and every position of the sequence, paired, in order."""
        heads = [max((token for token in tally if token is not None), key=tally.__getitem__) for tally in self.tallies]
        runs = [
            _Run(step.src_start, step.dest_start, step.src_end - step.src_start)
            for step in Levenshtein.opcodes(heads, sequence)
            if step.tag == "equal"
        ]
        # A word at each edge of a run stays open: in "no no no" it is not known which one somebody left out.
        sure = [_Run(slot + 1, place + 1, length - 2) for slot, place, length in runs if length >= LONG_RUN]
        path: list[_Pairing] = []
        for i1, i2, j1, j2, length in _gaps(sure, 0, len(heads), 0, len(sequence)):
            if (i2 - i1) * (j2 - j1) <= MOST_CELLS:
                path += self._cheapest(i1, i2, sequence, j1, j2)
            else:
                path += self._longest(i1, i2, sequence, j1, j2, runs)
            path += [(i2 + step, j2 + step) for step in range(length)]
        return path

    def _longest(self, i1: int, i2: int, sequence: Sequence[int], j1: int, j2: int, runs: list[_Run]) -> list[_Pairing]:
        """A path through a stretch that is too large to be weighed whole: it is cut at whatever is the same in it."""
        path: list[_Pairing] = []
        inside = [
            _Run(slot + skipped, place + skipped, min(length, i2 - slot, j2 - place) - skipped)
            for slot, place, length in runs[max(0, bisect_left(runs, (i1,)) - 1) : bisect_left(runs, (i2,))]
            if (skipped := max(0, i1 - slot, j1 - place)) < min(length, i2 - slot, j2 - place)
        ]
        for k1, k2, l1, l2, length in _gaps(inside, i1, i2, j1, j2):
            if (k2 - k1) * (l2 - l1) <= MOST_CELLS:
                path += self._cheapest(k1, k2, sequence, l1, l2)
            else:  # nothing is the same: one word beside the other is as good as anything
                both = min(k2 - k1, l2 - l1)
                path += [(k1 + step, l1 + step) for step in range(both)]
                path += [(slot, None) for slot in range(k1 + both, k2)]
                path += [(None, place) for place in range(l1 + both, l2)]
            path += [(k2 + step, l2 + step) for step in range(length)]
        return path

    def _cheapest(self, i1: int, i2: int, sequence: Sequence[int], j1: int, j2: int) -> list[_Pairing]:
        """The cheapest path through slots i1 to i2 and positions j1 to j2: a pairing costs how many systems differ there."""
        if i1 == i2 or j1 == j2:
            return [*((slot, None) for slot in range(i1, i2)), *((None, place) for place in range(j1, j2))]
        everybody, words = self.inside, sequence[j1:j2]
        above = [everybody * count for count in range(len(words) + 1)]
        table = [above]
        for tally in self.tallies[i1:i2]:
            skipped = everybody - tally.get(None, 0)
            left = above[0] + skipped
            row = [left]
            for number, word in enumerate(words):
                left = min(above[number] + everybody - tally.get(word, 0), above[number + 1] + skipped, left + everybody)
                row.append(left)
            table.append(row)
            above = row
        path: list[_Pairing] = []
        down, right = i2 - i1, j2 - j1
        while down or right:
            cost, tally = table[down][right], self.tallies[i1 + down - 1]
            if down and right and cost == table[down - 1][right - 1] + everybody - tally.get(words[right - 1], 0):
                down, right = down - 1, right - 1
                path.append((i1 + down, j1 + right))
            elif down and cost == table[down - 1][right] + everybody - tally.get(None, 0):
                down -= 1
                path.append((i1 + down, None))
            else:
                right -= 1
                path.append((None, j1 + right))
        return path[::-1]


def _gaps(runs: Iterable[_Run], i1: int, i2: int, j1: int, j2: int) -> Iterator[tuple[int, int, int, int, int]]:
    """What lies before each run and after the last: (i1, i2, j1, j2, length of the run that follows)."""
    for slot, place, length in runs:
        yield i1, slot, j1, place, length
        i1, j1 = slot + length, place + length
    yield i1, i2, j1, j2, 0


def _majority(row: Sequence[int | None], tally: Mapping[int | None, int], ranked: Sequence[int]) -> int | None:
    """What most have; where as many have something else, what the first of them by rank has."""
    most = max(tally.values())
    return next(row[system] for system in ranked if tally[row[system]] == most)


def _agreement(network: _Network, ranked: Sequence[int]) -> tuple[float | None, ...]:
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
    network: _Network,
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


def _forms(text: str, tokens: Sequence[str], normaliser: Normaliser, unit: Unit) -> list[_Form]:
    """For each word of a normalised text, how the text itself writes it.

    Each raw word is normalised alone. Where that gives what the whole text gave, it is a form of its own; a stretch that
    came out otherwise in its context ("twenty one" -> "21") is one form. Punctuation that stands alone goes with the word
    before it; what the normaliser drops ("um") is dropped.
    """
    pieces = _words(text) if unit == "word" else _characters(text)
    separate: list[str] = []
    ends: list[int] = []
    for piece, _ in pieces:
        separate += _alone(piece, normaliser, unit)
        ends.append(len(separate))
    place = {}  # how many words of the whole text come before a word of the separate pieces, where that is known
    if separate == list(tokens):
        place = {end: end for end in ends}
    else:
        for tag, i1, i2, j1, _ in steps(separate, tokens):
            if tag == "equal":
                place.update({i: j1 + i - i1 for i in range(i1, i2 + 1)})
    if ends:
        place[ends[-1]] = len(tokens)

    made: list[_Form] = []
    written, before = "", ""
    last = 0  # the form that stands for the last words
    for (piece, after), end in zip(pieces, ends, strict=True):
        written += before + piece
        before = after
        if end not in place:
            continue
        count = place[end] - len(made)
        if count > 0:
            last = len(made)
            made += [_Form(written, after, count), *[_Form("", after, 0)] * (count - 1)]
        elif made:
            heard = any(map(str.isalnum, written))
            text_before, after_before, counted = made[last]
            made[last] = _Form(text_before if heard else text_before + after_before + written, after or after_before, counted)
        elif not any(map(str.isalnum, written)):
            continue  # punctuation before the first word goes with it
        written = before = ""
    return made


def _words(text: str) -> list[tuple[str, str]]:
    return [(word, " ") for word in text.split()]


def _characters(text: str) -> list[tuple[str, str]]:
    """Letters with the marks that sit on them, each with the space that follows it, if any."""
    made: list[tuple[str, str]] = []
    for character in text:
        if character.isspace():
            if made:
                made[-1] = (made[-1][0], " ")
        elif made and not made[-1][1] and unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf"):
            made[-1] = (made[-1][0] + character, "")
        else:
            made.append((character, ""))
    return made


@lru_cache(maxsize=32_768)
def _alone(piece: str, normaliser: Normaliser, unit: Unit) -> tuple[str, ...]:
    return tuple(normaliser.words(piece) if unit == "word" else normaliser.characters(piece))
