"""How far an error rate can be trusted: intervals by resampling.

Words of one clip are not independent: a cough, an accent or a name spoils several in a row. So what is drawn again is
never a word, but a block of consecutive words, or a whole clip:

    within a clip    blocks of words, circular block bootstrap (Politis and Romano 1992; for error rates of speech
                     recognition: Liu and Peng 2020, "Statistical testing on ASR performance via blockwise bootstrap")
    several clips    clips (Bisani and Ney 2004, "Bootstrap estimates for confidence intervals in ASR performance
                     evaluation"), of which there must be ``FEWEST_CLIPS``; fewer are resampled in blocks
    few errors       nothing can be drawn that was not seen: a bootstrap of no errors has no width, and of two too little.
                     There the mistakes are taken as rare events that cost some words each (Fay and Feuer 1997,
                     "Confidence intervals for directly standardized rates", whose weights are the costs here)

What the interval knows nothing of: speakers and rooms that are in none of the clips, and words that the reference has wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from comparisons.align import Alignment

SHORTEST_WORDS = 50
"""Fewer words of the reference have no interval: they make less than five blocks. About twenty seconds of speech."""
FEWEST_CLIPS = 20
"""Clips that are resampled as wholes; of fewer, the spread between clips is hardly known."""
CHARACTERS_A_WORD = 2
"""Where characters are counted, this many stand for a word: about what Chinese and Japanese words have."""
APART_WORDS = 2
"""Right words that part two mistakes, as in sclite."""
RESAMPLES = 5000
"""Of clips; blocks need none."""
SEED = 20_260_101
"""Any number would do; with a fixed one the same clips have the same interval everywhere."""
FINEST_TOTALS = 250_000
"""Totals of errors that are told apart; beyond, after loops of thousands of words, they are put together."""

_NORMAL = NormalDist()
_TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the system's rate on speech like this lies, as far as these clips tell: right about 95 times of 100."""

    low: float
    """Fraction, as of a rate."""
    high: float
    """Fraction; may be over 1."""
    method: str
    """How it was made, in words: "block bootstrap, 41 blocks of 10 words"."""


def interval(alignments: Sequence[Alignment]) -> Interval | None:
    """The 95 % interval of the pooled rate of one system on these clips; None where they are too short to say.

    It holds the rate itself, is never cut at 100 %, and the same alignments have the same interval every time. Of simulated
    clips with a known rate of 1 to 50 %, 93 to 100 in 100 have it in their interval where mistakes are one or two words
    long. Where hard passages of twenty words alternate with easy ones, 77 to 98 in 100 have with 50 words, 84 to 98 with
    300 and 90 to 95 with 2000: a short clip does not know which passages it lacks.

    Args:
        alignments: one a clip, of words or of characters.
    """
    length = sum(alignment.reference_length for alignment in alignments)
    grain = characters_a_word(alignments)
    if length < SHORTEST_WORDS * grain:
        return None
    places = [error_places(alignment) for alignment in alignments]
    costs = _costs_of_mistakes(places, APART_WORDS * grain)
    errors = int(costs.sum())
    unit = "words" if grain == 1 else "characters"
    spoken = [at for at in places if len(at) > 1]
    if len(costs) < 10 and errors < 0.15 * length:
        low, high = rare_events(costs, 2 * grain)
        low, high = low / length, high / length
        seen = {0: "no mistake", 1: "a single mistake"}.get(len(costs), f"{len(costs)} separate mistakes")
        method = f"{seen} in {length} {unit}, as rare events"
    elif len(spoken) >= FEWEST_CLIPS:
        low, high = _over_clips(np.array([at.sum() for at in places]), np.array([len(at) // 2 for at in places]))
        method = f"bootstrap over {len(spoken)} clips"
    else:
        block = block_length(length, grain)
        low, high = _over_blocks(np.concatenate([errors_by_word(at) for at in spoken]), block)
        unspoken = (errors - sum(int(at.sum()) for at in spoken)) / length  # what was invented where nothing was said
        low, high = low + unspoken, high + unspoken
        method = f"block bootstrap, {round(length / block)} blocks of {block} {unit}"
    rate = errors / length
    if not any(alignment.hits for alignment in alignments):  # a right word is what is rare then
        low = max(0.0, rate - rare_events(np.zeros(0, np.int64), grain)[1] / length)
    return Interval(min(low, rate), max(high, rate), method)


def error_places(alignment: Alignment) -> NDArray[np.int64]:
    """Errors at every place of the reference, shape (2 N + 1,): place 2 i + 1 is word i, 1 if it is wrong or missing;
    place 2 i is the gap before it, with the number of words inserted there; the last is the gap at the end.
    """
    places = np.zeros(2 * alignment.reference_length + 1, np.int64)
    for kind, start, end, heard_start, heard_end in alignment.chunks:
        if kind == "insertion":
            places[2 * start] += heard_end - heard_start
        elif kind != "hit":
            places[2 * start + 1 : 2 * end : 2] = 1
    return places


def errors_by_word(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """(2 N + 1,) -> (N,): what was inserted counts with the word before it, at the start with the first. N is over 0."""
    errors = places[1::2] + places[2::2]
    errors[0] += places[0]
    return errors


def stretch_starts(wrong: NDArray[np.int64], apart: int) -> NDArray[np.int64]:
    """Which of the wrong places begin a new stretch, as indices into ``wrong``.

    A stretch ends where ``apart`` right words follow each other with nothing inserted between them: two stretches are
    taken as independent (Gillick and Cox 1989).

    Args:
        wrong: places of errors, in the numbering of ``error_places``, ascending.
    """
    if not len(wrong):
        return np.zeros(0, np.int64)
    right_between = wrong[1:] // 2 - (wrong[:-1] + 1) // 2
    return np.concatenate(([0], np.flatnonzero(right_between >= apart) + 1))


def characters_a_word(alignments: Sequence[Alignment]) -> int:
    """How many of what is counted make a word: 1, or ``CHARACTERS_A_WORD`` if the references are cut into characters."""
    is_cut = all(len(token) == 1 for alignment in alignments for token in alignment.reference)
    return CHARACTERS_A_WORD if is_cut else 1


def block_length(length: int, grain: int = 1) -> int:
    """Words, or characters, of a block: 3 ∛N, at least 10.

    For a variance the best length grows with ∛N (Hall, Horowitz and Jing 1995, "On blocking rules for the bootstrap with
    dependent data"). The factor is ours: simulated clips with hard and easy passages need it.
    """
    return grain * max(10, round(3 * (length / grain) ** (1 / 3)))


def _over_blocks(errors: NDArray[np.int64], block: int) -> tuple[float, float]:
    """Circular block bootstrap of a rate, as from infinitely many resamples: nothing is drawn at random.

    Each of the N blocks, one from every word on, is as likely as any other, and all sums of errors are whole numbers. So
    the total of k blocks has the distribution of one block's sum, folded with itself k times.
    """
    n = len(errors)
    blocks = round(n / block)
    running = np.concatenate(([0], np.cumsum(np.concatenate((errors, errors[: block - 1])))))
    sums = running[block:] - running[:-block]  # (N,)
    least = int(sums.min())
    step = 1 + blocks * int(sums.max() - least) // FINEST_TOTALS
    chances = np.bincount((sums - least) // step) / n
    totals = blocks * (len(chances) - 1) + 1
    size = 1 << totals.bit_length()  # a power of two, for speed; large enough that no total comes round
    folded = np.fft.irfft(np.fft.rfft(chances, size) ** blocks, size)[:totals]
    tail = _tail(blocks)
    low, high = np.searchsorted(np.cumsum(folded), (tail, 1 - tail)).clip(max=totals - 1) * step + blocks * least
    return float(low) / (blocks * block), float(high) / (blocks * block)


def _over_clips(errors: NDArray[np.int64], lengths: NDArray[np.int64]) -> tuple[float, float]:
    """Bootstrap of Σ errors / Σ words over clips, both of shape (clips,)."""
    clips = len(errors)
    generator = np.random.default_rng(SEED)
    rates: list[NDArray[np.float64]] = []
    resamples = min(RESAMPLES, max(1000, 10_000_000 // clips))
    at_once = max(1, 1_000_000 // clips)  # so that memory is bounded
    for start in range(0, resamples, at_once):
        drawn = generator.integers(clips, size=(min(at_once, resamples - start), clips), dtype=np.int32)
        rates.append(errors[drawn].sum(1) / np.maximum(lengths[drawn].sum(1), 1))
    tail = _tail(clips)
    low, high = np.quantile(np.concatenate(rates), (tail, 1 - tail))
    return float(low), float(high)


def _tail(drawn: int) -> float:
    """What is left out on either side, so that 95 % stay, when so many blocks or clips are drawn.

    The plain percentiles are too narrow by about t(n - 1) / z · √(n / (n - 1)); they are taken further out (Hesterberg
    2015, "What teachers should know about the bootstrap", the expanded percentile interval).
    """
    return _NORMAL.cdf(-math.sqrt(drawn / (drawn - 1)) * _students_t(1 - _TAIL, drawn - 1))


def _costs_of_mistakes(places: Sequence[NDArray[np.int64]], apart: int) -> NDArray[np.int64]:
    """Errors in every stretch of errors, of all clips."""
    costs: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for at in places:
        wrong = np.flatnonzero(at)
        if len(wrong):
            costs.append(np.add.reduceat(at[wrong], stretch_starts(wrong, apart)))
    return np.concatenate(costs)


def rare_events(costs: NDArray[np.int64], least: int) -> tuple[float, float]:
    """95 % interval of the number of errors expected, of mistakes that cost so many each (Fay and Feuer 1997).

    Without mistakes the upper end is 3.7 times the cost of one: the "rule of three" (Hanley and Lippman-Hand 1983),
    with 97.5 % on this side, and with mistakes that may cost more than a word.

    Args:
        least: what a mistake that has not been seen may cost, at the least.
    """
    total, squares = float(costs.sum()), float((costs**2).sum())
    unseen = float(max(costs.max(initial=0), least))
    low = squares / (2 * total) * _chi_square(_TAIL, 2 * total**2 / squares) if total else 0.0
    with_unseen, squares = total + unseen, squares + unseen**2
    high = squares / (2 * with_unseen) * _chi_square(1 - _TAIL, 2 * with_unseen**2 / squares)
    return low, high


def _chi_square(probability: float, freedom: float) -> float:
    """Quantile of the χ² distribution (Wilson and Hilferty 1931), for 2 degrees of freedom and more.

    The upper one is within 1 %. The lower one is too low by half for 2 degrees and by 1 % for 10: on the safe side.
    """
    spread = 2 / (9 * freedom)
    return freedom * float(max(0.0, 1 - spread + _NORMAL.inv_cdf(probability) * math.sqrt(spread))) ** 3


def _students_t(probability: float, freedom: int) -> float:
    """Quantile of Student's t, within 1 % from 4 degrees of freedom up (Abramowitz and Stegun 1964, 26.7.5)."""
    z = _NORMAL.inv_cdf(probability)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
