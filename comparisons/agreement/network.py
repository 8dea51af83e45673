"""A network of word slots: several sequences of words, aligned at once by putting in one after the other.

    slots      0    1    2    3      4        A pairing of a word with a slot costs as much as there are sequences with
    A          so   let  us   meet   tonight  something else, or nothing, in it; a slot left out costs as much as there are
    B          so   let  us   meat   –        sequences with a word in it, and a word with a slot of its own as much as
    C          –    let  –    meet   tonight  there are sequences.

Words are small numbers here. Long runs of the same words are found by rapidfuzz; what lies between is weighed exactly.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

LONG_RUN = 4
"""Words in a row that are the same, from which on they are taken as aligned; inside shorter ones all is weighed."""
MOST_CELLS = 4096
"""Of a table in which a stretch is weighed exactly; a larger stretch is cut at whatever is the same in it."""

_Pairing = tuple[int | None, int | None]
"""A slot and a position; None for a slot that gets no word, and for a word that gets a slot of its own."""


class _Run(NamedTuple):
    """Slots and positions in a row that have the same words."""

    slot: int
    place: int
    length: int


class Network:
    """Slots with a word or None of each system that was put in, and how many have which."""

    def __init__(self, systems: int) -> None:
        self.systems = systems
        self.inside = 0
        self.rows: list[list[int | None]] = []
        self.tallies: list[dict[int | None, int]] = []

    def put(self, system: int, sequence: Sequence[int]) -> None:
        """Align a system's words with the slots; words that fit nowhere make slots of their own."""
        heads = [_head(tally) for tally in self.tallies]
        opcodes = Levenshtein.opcodes(heads, sequence)
        self._put(
            system,
            sequence,
            [_Run(step.src_start, step.dest_start, step.src_end - step.src_start) for step in opcodes if step.tag == "equal"],
        )

    def put_again(self, system: int, sequence: Sequence[int]) -> None:
        """Take a system out, with the slots that only it filled, and align it anew with what the others have."""
        rows: list[list[int | None]] = []
        tallies: list[dict[int | None, int]] = []
        runs: list[_Run] = []
        place = begin = 0  # the next word; where the run of words that the others have too began
        for row, tally in zip(self.rows, self.tallies, strict=True):
            token = row[system]
            row[system] = None
            if tally[token] > 1:
                tally[token] -= 1
            else:
                del tally[token]
            stays = len(tally) > 1 or None not in tally
            if stays and token is not None and token == _head(tally):
                place += 1
            else:
                if place > begin:
                    runs.append(_Run(len(rows) - (place - begin), begin, place - begin))
                place += token is not None
                begin = place
            if stays:
                rows.append(row)
                tallies.append(tally)
        if place > begin:
            runs.append(_Run(len(rows) - (place - begin), begin, place - begin))
        self.rows, self.tallies = rows, tallies
        self.inside -= 1
        self._put(system, sequence, runs)

    def _put(self, system: int, sequence: Sequence[int], runs: list[_Run]) -> None:
        rows: list[list[int | None]] = []
        tallies: list[dict[int | None, int]] = []
        for slot, place in self._path(sequence, runs):
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

    def _path(self, sequence: Sequence[int], runs: list[_Run]) -> list[_Pairing]:
        """Every slot and every position of the sequence, paired, in order; ``runs`` are where they seem to belong together."""
        # A word at each edge of a run stays open: in "no no no" it is not known which one somebody left out.
        sure = [_Run(slot + 1, place + 1, length - 2) for slot, place, length in runs if length >= LONG_RUN]
        path: list[_Pairing] = []
        for i1, i2, j1, j2, length in _gaps(sure, 0, len(self.rows), 0, len(sequence)):
            if (i2 - i1) * (j2 - j1) <= MOST_CELLS:
                path += self._cheapest(i1, i2, sequence, j1, j2)
            else:
                path += self._longest(i1, i2, sequence, j1, j2, runs)
            path += zip(range(i2, i2 + length), range(j2, j2 + length), strict=True)
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
        if i2 - i1 == j2 - j1:
            differing = sum(everybody - tally.get(word, 0) for tally, word in zip(self.tallies[i1:i2], words, strict=True))
            if differing <= everybody + 1:  # any other path leaves out a slot and makes one, and so costs as much at least
                return list(zip(range(i1, i2), range(j1, j2), strict=True))
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


def _head(tally: Mapping[int | None, int]) -> int:
    """The word that most have in a slot."""
    if len(tally) == 1:
        (token,) = tally
        assert token is not None  # noqa: S101  # a slot without any word is taken out
        return token
    return max((token for token in tally if token is not None), key=tally.__getitem__)


def _gaps(runs: Iterable[_Run], i1: int, i2: int, j1: int, j2: int) -> Iterator[tuple[int, int, int, int, int]]:
    """What lies before each run and after the last: (i1, i2, j1, j2, length of the run that follows)."""
    for slot, place, length in runs:
        yield i1, slot, j1, place, length
        i1, j1 = slot + length, place + length
    yield i1, i2, j1, j2, 0
