"""Whether two systems differ by more than chance.

Matched pairs sentence segment word error test (MAPSSWE; Gillick and Cox 1989, "Some statistical issues in the comparison
of speech recognition algorithms"; Pallett et al. 1990; NIST's sc_stats does the same). Both systems are held against the
same reference, which falls into stretches wherever two words in a row are right for both; errors in one stretch say
nothing of those in the next. In each stretch with an error, the errors of one system less those of the other are one
measurement. Where the systems are equally good, the mean of these is 0.

Three things differ from sc_stats. A clip is one utterance here, perhaps an hour long, and a system that is wrong all along
never parts it: stretches are cut after ``LONGEST_WORDS``. And a normal distribution is only trusted with
``FEWEST_FOR_NORMAL`` stretches that tell the systems apart; with fewer, every way to flip the signs of the differences is
counted (Fisher's randomisation test), which is exact: sc_stats calls three stretches with Z = 2 a difference, of which
chance gives such a result every second time.

And no stretch weighs more than ``LONGEST_WORDS`` errors. A loop of hundreds of words that nobody said is one stretch, and so
one mishap, however long: nothing is known of how often there would be another. At its full weight it would hide whatever
else differs. (What is as likely to be d as -d still is so when it is cut at the same size on both sides.) Where the mishap
alone makes the rates differ, or differ the other way, the two can't be told apart, and ``Pair.mishap`` says why.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from comparisons.align import Alignment
from comparisons.statistics.uncertainty import APART_WORDS, characters_a_word, error_places, stretch_starts

Verdict = Literal["first", "second", "alike", "too short"]
"""Which of two makes fewer errors, beyond chance; "alike" where they cannot be told apart."""

SIGNIFICANT = 0.05
"""A corrected p below this is more than chance."""
LONGEST_WORDS = 20
"""Words after which a stretch of errors is cut: about an utterance."""
FEWEST_TELLING = 6
"""Stretches with a difference that can be more than chance at all: with 5, all in favour of one, p is still 2/32."""
SHORTEST_WORDS = FEWEST_TELLING * LONGEST_WORDS
"""Fewer words of the reference may be too little to tell even what is all wrong from what is all right."""
FEWEST_FOR_NORMAL = 50
"""Stretches with a difference from which on their mean is taken for normal; in simulations it then is."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two contenders held against each other, on the same clips."""

    first: str
    """Name of a contender."""
    second: str
    """Name of another."""
    difference: float
    """Rate of the first less rate of the second; a fraction."""
    segments: int
    """How many stretches, independent of each other, the test had."""
    p: float | None
    """Two-sided, before correction; None where there is too little to say."""
    corrected_p: float | None
    """After Holm's correction over all pairs."""
    verdict: Verdict
    method: str | None = None
    """How p was found, in words; None without one."""
    mishap: str | None = None
    """Of two who can't be told apart, the name of the one that made one long stretch of errors which is most of the
    difference, such as a loop; None without such a stretch."""


def pairs(contenders: Mapping[str, Sequence[Alignment]]) -> tuple[Pair, ...]:
    """Every pair of contenders, in their order. None where the references are empty: there are no rates then.

    Args:
        contenders: by name, an alignment a clip, the clips in the same order for all.

    Raises:
        ValueError: the contenders were not held against the same references.
    """
    lengths = {tuple(alignment.reference_length for alignment in alignments) for alignments in contenders.values()}
    if len(lengths) > 1:
        raise ValueError("Contenders can only be held against each other on the same references.")
    if len(contenders) < 2 or not sum(next(iter(lengths))):
        return ()
    words = sum(next(iter(lengths)))
    grain = characters_a_word(next(iter(contenders.values())))
    places = {name: _one_after_another(alignments, APART_WORDS * grain) for name, alignments in contenders.items()}
    return corrected([_pair(one, other, places[one], places[other], words, grain) for one, other in combinations(places, 2)])


def segment_differences(
    first: NDArray[np.int64], second: NDArray[np.int64], apart: int = APART_WORDS, longest: int = LONGEST_WORDS
) -> NDArray[np.int64]:
    """Errors of the first less errors of the second, in each stretch in which either has one; shape (stretches,).

    Args:
        first: ``error_places`` of a system, shape (2 N + 1,).
        second: of the other, on the same reference.
        apart: right words that part two stretches.
        longest: words of a stretch, at most.
    """
    wrong = np.flatnonzero(first + second)
    if not len(wrong):
        return np.zeros(0, np.int64)
    starts = stretch_starts(wrong, apart)
    begins = np.repeat(wrong[starts], np.diff(np.append(starts, len(wrong))))  # where the stretch of each place begins
    pieces = (wrong - begins) // (2 * longest)
    is_start = np.concatenate(([True], pieces[1:] != pieces[:-1]))
    is_start[starts] = True
    return np.add.reduceat((first - second)[wrong], np.flatnonzero(is_start))


def matched_pairs(differences: NDArray[np.int64]) -> tuple[float, float]:
    """Z and two-sided p of MAPSSWE: Z = mean / (s / √n), s² with n - 1, normal for many stretches.

    Z is infinite where all differences are the same and not 0; no difference at all has Z = 0.
    """
    n = len(differences)
    mean = float(differences.mean()) if n else 0.0
    if not mean:
        return 0.0, 1.0
    spread = float(differences.std(ddof=1)) if n > 1 else 0.0
    z = mean / (spread / math.sqrt(n)) if spread else math.copysign(math.inf, mean)
    return z, math.erfc(abs(z) / math.sqrt(2))


def sign_flips(differences: NDArray[np.int64]) -> float:
    """Two-sided p by every way to flip the signs of the differences: how many have a sum as far from 0, or farther.

    Exact, however the differences are spread, if they are as likely to be d as -d where the systems are equally good.
    """
    sizes = np.abs(differences[differences != 0])
    most = int(sizes.sum())
    chance = np.zeros(most + 1)  # of the sum of those that stay positive
    chance[0] = 1.0
    for size in sizes:
        flipped = chance / 2
        chance = flipped.copy()
        chance[size:] += flipped[: most + 1 - size]
    sums = 2 * np.arange(most + 1) - most
    return min(1.0, float(chance[np.abs(sums) >= abs(int(differences.sum()))].sum()))


def in_words(pair: Pair, labels: Mapping[str, str], *, clips: int = 1) -> str:
    """What a pair means, for anybody: "Moonshine and PocketSphinx can't be told apart on this clip".

    Args:
        labels: what people call each contender. Untrusted, and so is what is returned.
        clips: how many the pair was held against each other on.
    """
    first, second = (labels.get(name, name) for name in (pair.first, pair.second))
    where = _where(clips)
    if pair.verdict == "too short":
        return f"Too little speech to tell {first} and {second} apart"
    if pair.verdict == "alike":
        why = f": most of the difference is one long mistake of {labels.get(pair.mishap, pair.mishap)}" if pair.mishap else ""
        return f"{first} and {second} can't be told apart {where}{why}"
    better, worse = (first, second) if pair.verdict == "first" else (second, first)
    return f"{better} makes fewer errors than {worse} {where}: more than chance would explain ({p_in_words(pair)})"


def groups(pairs: Sequence[Pair]) -> tuple[tuple[str, ...], ...]:
    """The largest sets of contenders of which no two can be told apart, fewest errors first.

    A contender may be in several: A and B alike, B and C alike, and yet A better than C. One that differs from all
    others stands alone.
    """
    names = _by_errors(pairs)
    alike: dict[str, set[str]] = {name: set() for name in names}
    for pair in pairs:
        if pair.verdict in ("alike", "too short"):
            alike[pair.first].add(pair.second)
            alike[pair.second].add(pair.first)
    place = {name: position for position, name in enumerate(names)}
    found = sorted(sorted(place[name] for name in together) for together in _cliques(set(), set(names), set(), alike))
    return tuple(tuple(names[position] for position in together) for together in found)


def summary(pairs: Sequence[Pair], labels: Mapping[str, str], *, clips: int = 1) -> tuple[str, ...]:
    """The pairs in few sentences: one each up to three contenders; for more, and where none of three differs, who beats whom
    and who can't be told apart.

    Args:
        labels: what people call each contender. Untrusted, and so is what is returned.
        clips: how many the pairs were held against each other on.
    """
    names = _by_errors(pairs)
    told_apart = any(pair.verdict in ("first", "second") for pair in pairs)
    if len(names) < 3 or (len(names) == 3 and told_apart):
        return tuple(in_words(pair, labels, clips=clips) for pair in pairs)
    beaten: dict[str, list[str]] = {name: [] for name in names}
    too_short = set()
    for pair in pairs:
        if pair.verdict in ("first", "second"):
            better, worse = (pair.first, pair.second) if pair.verdict == "first" else (pair.second, pair.first)
            beaten[better].append(worse)
        elif pair.verdict == "too short":
            too_short |= {(pair.first, pair.second), (pair.second, pair.first)}
    winners: dict[tuple[str, ...], list[str]] = {}  # who beat the same are told of together
    for name in names:
        if beaten[name]:
            winners.setdefault(tuple(sorted(beaten[name], key=names.index)), []).append(name)
    sentences = []
    for losers, better_ones in winners.items():
        makes = "makes" if len(better_ones) == 1 else "each make"
        sentences.append(
            f"{listed(better_ones, labels)} {makes} fewer errors than {listed(losers, labels)} {_where(clips)}: "
            "more than chance would explain"
        )
    for together in groups(pairs):
        if len(together) > 1 and all(both in too_short for both in combinations(together, 2)):
            sentences.append(f"Too little speech to tell {listed(together, labels)} apart")
        elif len(together) > 1:
            sentences.append(f"{listed(together, labels)} can't be told apart {_where(clips)}")
    mishaps = {pair.mishap for pair in pairs}
    sentences += [
        f"Many errors of {labels.get(name, name)} are one long mistake, which weighs little when systems are told apart"
        for name in names
        if name in mishaps
    ]
    return tuple(sentences)


def _one_after_another(alignments: Sequence[Alignment], apart: int) -> NDArray[np.int64]:
    """``error_places`` of all clips, with enough right words between them that no stretch goes from one into the next."""
    between = np.zeros(2 * apart + 1, np.int64)  # odd, so that words stay at odd places
    pieces: list[NDArray[np.int64]] = []
    for alignment in alignments:
        pieces += [error_places(alignment), between]
    return np.concatenate(pieces[:-1])


def _pair(one: str, other: str, first: NDArray[np.int64], second: NDArray[np.int64], words: int, grain: int) -> Pair:
    differences = segment_differences(first, second, APART_WORDS * grain, LONGEST_WORDS * grain)
    telling = int(np.count_nonzero(differences))
    longest = LONGEST_WORDS * grain
    mishap = {1: one, -1: other}.get(_mishap(differences, longest))
    weighed = differences.clip(-longest, longest)
    rate = float(first.sum() - second.sum()) / words
    if telling >= FEWEST_FOR_NORMAL:
        _, p = matched_pairs(weighed)
        method = "matched pairs (MAPSSWE)"
    elif telling < FEWEST_TELLING and words < SHORTEST_WORDS * grain:
        return Pair(one, other, rate, len(differences), None, None, "too short")
    else:
        p = sign_flips(weighed)
        method = "matched pairs (MAPSSWE), exact"
    if np.sign(weighed.sum()) != np.sign(differences.sum()):
        p = 1.0  # who has the lower rate is the worse one but for one mishap
    return Pair(one, other, rate, len(differences), p, None, "alike", method, mishap)


def _mishap(differences: NDArray[np.int64], most: int) -> int:
    """Who made one stretch of more than ``most`` errors that is more than half of all that differs: 1 the first, -1 the
    second, 0 nobody."""
    sizes = np.abs(differences)
    longest = int(sizes.argmax()) if len(sizes) else 0
    is_most = len(sizes) > 0 and sizes[longest] > max(most, int(sizes.sum()) / 2)
    return int(np.sign(differences[longest])) if is_most else 0


def corrected(tested: Sequence[Pair]) -> tuple[Pair, ...]:
    """The pairs with Holm's correction (Holm 1979) and the verdicts that follow from it."""
    order = sorted((pair.p, position) for position, pair in enumerate(tested) if pair.p is not None)
    done = list(tested)
    highest = 0.0
    for rank, (p, position) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        pair = tested[position]
        verdict: Verdict = "alike"
        if highest < SIGNIFICANT:
            verdict = "first" if pair.difference < 0 else "second"
        mishap = pair.mishap if verdict == "alike" else None
        done[position] = replace(pair, corrected_p=highest, verdict=verdict, mishap=mishap)
    return tuple(done)


def _by_errors(pairs: Iterable[Pair]) -> list[str]:
    """Names of all contenders, fewest errors first: the differences of one to all others add up to its rate, bar a constant."""
    worse: dict[str, float] = {}
    for pair in pairs:
        worse[pair.first] = worse.get(pair.first, 0.0) + pair.difference
        worse[pair.second] = worse.get(pair.second, 0.0) - pair.difference
    return sorted(worse, key=lambda name: worse[name])


def _cliques(chosen: set[str], open_: set[str], done: set[str], alike: Mapping[str, set[str]]) -> list[set[str]]:
    """Largest sets all of whose members are alike (Bron and Kerbosch 1973, with a pivot)."""
    if not open_:
        return [chosen] if chosen and not done else []
    pivot = max(sorted(open_ | done), key=lambda name: len(alike[name] & open_))
    found = []
    for name in sorted(open_ - alike[pivot]):
        found += _cliques(chosen | {name}, open_ & alike[name], done & alike[name], alike)
        open_, done = open_ - {name}, done | {name}
    return found


def _where(clips: int) -> str:
    return "on this clip" if clips == 1 else "on these clips"


def p_in_words(pair: Pair) -> str:
    """ "p = 0.004 after correction"."""
    p = pair.corrected_p if pair.corrected_p is not None else 1.0
    told = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    return told if p == pair.p else f"{told} after correction"


def listed(names: Sequence[str], labels: Mapping[str, str]) -> str:
    """ "A, B and C"."""
    told = [labels.get(name, name) for name in names]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
