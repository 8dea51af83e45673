"""The alignment of a reference with a hypothesis: counts, tables and highlights all come from the same one.

    reference:   send the notes  to    everyone       this  week     end
    hypothesis:  send     notes  two   everyone  now  this  weekend
                 hit  D   hit    S     hit       I    hit   S        D
                                                            compound

The total of errors (Levenshtein distance, every error weighs 1) is unique; its split into substitutions, deletions and
insertions is not. The split here is that of rapidfuzz's backtrace, which is also jiwer's. sclite weighs 4/3/3 and can
come to another split, and even to another total.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, count
from types import MappingProxyType
from typing import Literal, NamedTuple

from rapidfuzz.distance import Levenshtein, Opcodes

OpKind = Literal["hit", "substitution", "deletion", "insertion"]

METHOD = "Levenshtein, unit costs"
"""How words are aligned, in the words that stand beside every rate."""

LONGEST_SEARCHED = 200
"""Wrong words in a row on one side in which compounds are still looked for; in longer ones nobody would see them."""

_KINDS: Mapping[str, OpKind] = MappingProxyType(
    {"equal": "hit", "replace": "substitution", "delete": "deletion", "insert": "insertion"}
)


@dataclass(frozen=True, slots=True)
class Op:
    """One step of an alignment."""

    kind: OpKind
    reference: str | None
    """The reference's word; None for an insertion."""
    hypothesis: str | None
    """The hypothesis's word; None for a deletion."""


class Chunk(NamedTuple):
    """A run of steps of one kind; the ranges exclude their ends.

    The ranges of a hit or a substitution are equally long; a deletion's is empty in the hypothesis, an insertion's in
    the reference.
    """

    kind: OpKind
    reference_start: int
    reference_end: int
    hypothesis_start: int
    hypothesis_end: int


class Counts(NamedTuple):
    """Steps of each kind."""

    hits: int
    substitutions: int
    deletions: int
    insertions: int


class Compound(NamedTuple):
    """The same letters, cut into words otherwise: "week end" for "weekend". The ranges exclude their ends."""

    reference_start: int
    reference_end: int
    hypothesis_start: int
    hypothesis_end: int


@dataclass(frozen=True)
class Alignment:
    """What became of every word of two sequences, in order."""

    reference: tuple[str, ...]
    """Its words, or characters, normalised."""
    hypothesis: tuple[str, ...]
    chunks: tuple[Chunk, ...]
    """In order, without gaps on either side. Counts are made of these; ``ops`` says the same word by word."""
    compounds: tuple[Compound, ...] = ()
    """In order. Each is made of whole chunks, whose errors count like any others: it only says what they are."""

    @classmethod
    def of(cls, pairs: Iterable[tuple[str | None, str | None]]) -> Alignment:
        """An alignment that is known already: (reference's word, hypothesis's word), None where one side has none.

        Raises:
            ValueError: a pair has neither.
        """
        reference: list[str] = []
        hypothesis: list[str] = []
        chunks: list[Chunk] = []
        for said, heard in pairs:
            kind: OpKind
            i, j = len(reference), len(hypothesis)
            if said is not None:
                reference.append(said)
                kind = "deletion" if heard is None else "hit" if heard == said else "substitution"
            elif heard is not None:
                kind = "insertion"
            else:
                raise ValueError("A pair needs a word on one side.")
            if heard is not None:
                hypothesis.append(heard)
            if chunks and chunks[-1].kind == kind:
                _, i, _, j, _ = chunks.pop()
            chunks.append(Chunk(kind, i, len(reference), j, len(hypothesis)))
        return cls(tuple(reference), tuple(hypothesis), tuple(chunks))

    @cached_property
    def ops(self) -> tuple[Op, ...]:
        """Every step. Made when it is first asked for: counting needs ``chunks`` only."""
        ops: list[Op] = []
        for kind, i1, i2, j1, j2 in self.chunks:
            if kind == "deletion":
                ops += [Op(kind, said, None) for said in self.reference[i1:i2]]
            elif kind == "insertion":
                ops += [Op(kind, None, heard) for heard in self.hypothesis[j1:j2]]
            else:
                ops += [Op(kind, *both) for both in zip(self.reference[i1:i2], self.hypothesis[j1:j2], strict=True)]
        return tuple(ops)

    @cached_property
    def counts(self) -> Counts:
        """How many steps there are of each kind."""
        hits = substitutions = deletions = insertions = 0
        for kind, i1, i2, j1, j2 in self.chunks:
            if kind == "hit":
                hits += i2 - i1
            elif kind == "substitution":
                substitutions += i2 - i1
            elif kind == "deletion":
                deletions += i2 - i1
            else:
                insertions += j2 - j1
        return Counts(hits, substitutions, deletions, insertions)

    @property
    def hits(self) -> int:
        return self.counts.hits

    @property
    def substitutions(self) -> int:
        return self.counts.substitutions

    @property
    def deletions(self) -> int:
        return self.counts.deletions

    @property
    def insertions(self) -> int:
        return self.counts.insertions

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def reference_length(self) -> int:
        return len(self.reference)


def align(reference: Sequence[str], hypothesis: Sequence[str]) -> Alignment:
    """Align two sequences of words, or of characters, with the fewest errors.

    Where a run of errors holds a compound, its steps are put so that the compound has steps of its own; that changes no
    count. 10 000 words against 10 000 take a small fraction of a second: rapidfuzz works on bits, 64 cells at a time.
    """
    chunks = [
        Chunk(_KINDS[step.tag], step.src_start, step.src_end, step.dest_start, step.dest_end)
        for step in _opcodes(reference, hypothesis)
    ]
    return with_compounds(Alignment(tuple(reference), tuple(hypothesis), tuple(chunks)))


def with_compounds(alignment: Alignment) -> Alignment:
    """The alignment with its compounds found, each on steps of its own; ``align`` has found them already.

    No count changes. A run of errors that could be put more cheaply, as in an alignment made otherwise, is left alone.
    """
    chunks: list[Chunk] = []
    compounds: list[Compound] = []
    run: list[Chunk] = []  # errors since the last hit
    for chunk in alignment.chunks:
        if chunk.kind != "hit":
            run.append(chunk)
            continue
        if run:
            chunks += _with_compounds(alignment, run, compounds)
            run = []
        chunks.append(chunk)
    if run:
        chunks += _with_compounds(alignment, run, compounds)
    return replace(alignment, chunks=tuple(chunks), compounds=tuple(compounds)) if compounds else alignment


def distance(reference: str, hypothesis: str, expected: int | None = None) -> int:
    """Levenshtein distance of two texts, in code points.

    Args:
        expected: about how large it is; the nearer, the faster. The distance does not depend on it.
    """
    return int(Levenshtein.distance(reference, hypothesis, score_hint=expected))


def steps(reference: Sequence[str], hypothesis: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    """Stretches (tag, i1, i2, j1, j2) that turn ``reference[i1:i2]`` into ``hypothesis[j1:j2]``.

    The tag is "equal", "replace" (both stretches equally long), "delete" or "insert".
    """
    return [
        (step.tag, step.src_start, step.src_end, step.dest_start, step.dest_end) for step in _opcodes(reference, hypothesis)
    ]


def _opcodes(reference: Sequence[str], hypothesis: Sequence[str]) -> Opcodes:
    # Words become small numbers, so that equal means equal and not "of the same hash".
    numbers = dict(zip(dict.fromkeys(chain(reference, hypothesis)), count()))  # one of them has no end
    return Levenshtein.opcodes(list(map(numbers.__getitem__, reference)), list(map(numbers.__getitem__, hypothesis)))


def _with_compounds(alignment: Alignment, run: list[Chunk], compounds: list[Compound]) -> list[Chunk]:
    """The run of errors, put so that each compound in it has chunks of its own; those found are added to ``compounds``."""
    i, i_end, j, j_end = run[0].reference_start, run[-1].reference_end, run[0].hypothesis_start, run[-1].hypothesis_end
    if i == i_end or j == j_end or i_end - i + j_end - j < 3:
        return run
    if len(run) > 1 and sum(max(i2 - i1, j2 - j1) for _, i1, i2, j1, j2 in run) > max(i_end - i, j_end - j):
        return run
    found = list(_compounds(alignment.reference, alignment.hypothesis, (i, i_end), (j, j_end)))
    if not found:
        return run
    compounds += found
    chunks: list[Chunk] = []
    for compound in found:
        chunks += _wrong(i, compound.reference_start, j, compound.hypothesis_start)
        chunks += _wrong(*compound)
        _, i, _, j = compound
    return chunks + list(_wrong(i, i_end, j, j_end))


def _compounds(
    reference: Sequence[str], hypothesis: Sequence[str], said: tuple[int, int], heard: tuple[int, int]
) -> Iterator[Compound]:
    """Compounds within a run of errors, leftmost first.

    A run costs as many errors as its longer side has words. What lies before, in and after a compound must come to the
    same sum, so none of the three may have more words on the side that is shorter in all; a compound next to other errors
    that fails this ("a lot" for "alot now": two substitutions) is not told apart from them.
    """
    (i, i_end), (j, j_end) = said, heard
    if max(i_end - i, j_end - j) > LONGEST_SEARCHED:
        return
    sign = 1 if i_end - i >= j_end - j else -1
    spare = sign * ((i_end - i) - (j_end - j))  # words that the longer side has more
    while i < i_end and j < j_end:
        for at in range(i, i_end):
            nearest = range(at - i + j - spare, at - i + j + 1) if sign > 0 else range(at - i + j, at - i + j + spare + 1)
            for other in range(max(j, nearest.start), min(j_end, nearest.stop)):
                found = _same_letters(reference, hypothesis, (at, other), (i_end, j_end))
                if found is None:
                    continue
                before = sign * ((at - i) - (other - j))
                surplus = sign * ((found.reference_end - at) - (found.hypothesis_end - other))
                if 0 <= surplus <= spare - before:
                    break
            else:
                continue
            break
        else:
            return
        yield found
        i, j, spare = found.reference_end, found.hypothesis_end, spare - before - surplus


def _same_letters(
    reference: Sequence[str], hypothesis: Sequence[str], start: tuple[int, int], end: tuple[int, int]
) -> Compound | None:
    """The shortest compound that starts at these two words."""
    (i, j), (i_end, j_end) = start, end
    said, heard = reference[i], hypothesis[j]
    i, j = i + 1, j + 1
    while said != heard:
        if len(said) < len(heard):
            if i == i_end or not heard.startswith(said):
                return None
            said, i = said + reference[i], i + 1
        else:
            if j == j_end or not said.startswith(heard):
                return None
            heard, j = heard + hypothesis[j], j + 1
    return Compound(start[0], i, start[1], j) if (i, j) != (start[0] + 1, start[1] + 1) else None


def _wrong(i1: int, i2: int, j1: int, j2: int) -> Iterator[Chunk]:
    """Stretches without a hit: substitutions, then what one side has more."""
    both = min(i2 - i1, j2 - j1)
    if both:
        yield Chunk("substitution", i1, i1 + both, j1, j1 + both)
    if i1 + both < i2:
        yield Chunk("deletion", i1 + both, i2, j2, j2)
    elif j1 + both < j2:
        yield Chunk("insertion", i2, i2, j1 + both, j2)
