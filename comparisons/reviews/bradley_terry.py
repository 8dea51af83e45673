"""How strong each system is, from who was preferred to whom.

    chance that i is preferred to j = strength i / (strength i + strength j)

(Bradley and Terry 1952, "Rank analysis of incomplete block designs".) The strengths that make the votes likeliest are found by
the MM algorithm (Hunter 2004, "MM algorithms for generalized Bradley-Terry models", Annals of Statistics 32(1)). A tie is half
a win for each side. Strengths are shown against the average: their geometric mean is 1, the mean of their logarithms 0.

Where somebody has won or lost every time, or a group every time against the rest, no finite strengths are the likeliest
(Ford 1957: the graph of wins is not strongly connected). Then each system is given half a win and half a loss
more, shared out evenly among the others, which holds strengths back, and ``Strengths.is_held_back`` says so. Where two groups
never met, nothing can be said.

How far strengths can be trusted is found by drawing judges again, each with all their votes, because one person's votes
hang together (cluster bootstrap; Field and Welsh 2007). With few judges who vote alike that has no width at all, and so a
spread is never taken for less than that of as many votes by strangers (the Fisher information of the model). What the
intervals know nothing of: other clips.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
SEED = 20_260_101
"""Any number would do; with a fixed one the same votes have the same interval everywhere."""
HELD_BACK = 0.5
"""Wins, and losses, that each system is given where the votes alone have no finite answer, and in every resample."""
CLOSE_ENOUGH = 1e-8
"""Change of a logarithm of strength at which the search ends."""
ROUGHLY = 1e-4
"""The same for resamples, of which only the spread is wanted."""
MOST_STEPS = 20_000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Strengths:
    """How strong each of n systems is. All logarithms are natural."""

    log: Floats
    """(n,); 0 is average."""
    half_width: Floats | None
    """(n,): the 95 % interval of each is ``log`` ± this; None with fewer than two judges."""
    p: Floats | None
    """(n, n): two-sided, that systems equally strong differ as much as these two; not corrected. None as above."""
    spread: Floats | None
    """(n, n): standard error of the difference of two logarithms. None as above."""
    is_held_back: bool
    """True where the votes alone have no finite answer."""

    def chance(self, one: int, other: int) -> float:
        """That one is preferred to another, where one of both is."""
        return preferred(self.log[one] - self.log[other])


def preferred(difference: float) -> float:
    """The chance that goes with a difference of logarithms of strength: 0 -> 0.5."""
    return 1 / (1 + math.exp(-difference)) if difference > -700 else 0.0


def strengths(wins: Floats, worth: Floats) -> Strengths | None:
    """The strengths that votes give; None where there are none, or where groups of systems never met.

    Args:
        wins: (judges, n, n): how often each judge preferred row to column; a tie is half on both sides.
        worth: (n, n), symmetric: how many independent votes those between two are worth.
    """
    judges, n, _ = wins.shape
    whole = wins.sum(0)
    met = whole + whole.T
    if n < 2 or not judges or not _reach(met > 0).all():
        return None
    given = HELD_BACK / (n - 1) * (1 - np.eye(n))
    is_held_back = not _reach(whole > 0).all()
    log = fitted(whole + given if is_held_back else whole)
    if judges < 2:
        return Strengths(log, None, None, None, is_held_back)
    drawn = np.random.default_rng(SEED).multinomial(judges, np.full(judges, 1 / judges), size=RESAMPLES)
    resampled = fitted(np.tensordot(drawn, wins, 1) + given, ROUGHLY)  # (resamples, n)
    by_judges = np.cov(resampled.T) * judges / (judges - 1)
    by_strangers = _covariance(log, worth + 2 * given if is_held_back else worth)
    freedom = judges - 1
    widths = [np.sqrt(np.diag(each)) for each in (by_judges, by_strangers)]
    half_width = np.maximum(students_t(0.05, freedom) * widths[0], NormalDist().inv_cdf(0.975) * widths[1])
    p, spread = np.ones((n, n)), np.zeros((n, n))
    for i, j in combinations(range(n), 2):
        apart = abs(log[i] - log[j])
        errors = [math.sqrt(max(0.0, each[i, i] + each[j, j] - 2 * each[i, j])) for each in (by_judges, by_strangers)]
        spread[i, j] = spread[j, i] = max(errors)
        chances = (
            two_sided(apart / errors[0], freedom) if errors[0] else float(apart == 0),
            math.erfc(apart / errors[1] / math.sqrt(2)),
        )
        p[i, j] = p[j, i] = max(chances)
    return Strengths(log, half_width, p, spread, is_held_back)


def fitted(wins: Floats, close_enough: float = CLOSE_ENOUGH) -> Floats:
    """Logarithms of the likeliest strengths, (…, n, n) -> (…, n), each with the mean 0.

    Args:
        wins: how often row was preferred to column; the graph of wins must be strongly connected.
    """
    won = wins.sum(-1)
    met = wins + np.swapaxes(wins, -1, -2)
    log = np.zeros(wins.shape[:-1])
    for _ in range(MOST_STEPS):
        strength = np.exp(log)
        together = strength[..., :, None] + strength[..., None, :]
        found = np.log(won / (met / together).sum(-1))
        found -= found.mean(-1, keepdims=True)
        change = float(np.abs(found - log).max(initial=0.0))
        log = found
        if change < close_enough:
            break
    return log


def _covariance(log: Floats, met: Floats) -> Floats:
    """Of the logarithms about their mean, for independent votes: the inverse of the Fisher information; (n, n)."""
    chance = 1 / (1 + np.exp(log[None] - log[:, None]))
    weights = met * chance * (1 - chance)
    np.fill_diagonal(weights, 0.0)
    information = np.diag(weights.sum(1)) - weights
    centred = np.eye(len(log)) - 1 / len(log)
    inverse: Floats = centred @ np.linalg.pinv(information, hermitian=True) @ centred
    return inverse


def _reach(steps: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n, n): who is reached from whom, in any number of steps (Warshall 1962)."""
    reached = steps | np.eye(len(steps), dtype=bool)
    for through in range(len(steps)):
        reached = reached | (reached[:, through, None] & reached[None, through])
    return reached


def two_sided(t: float, freedom: int) -> float:
    """The chance that Student's t is as far from 0, or farther (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4)."""
    angle = math.atan(abs(t) / math.sqrt(freedom))
    square = math.cos(angle) ** 2
    term = total = math.cos(angle) if freedom % 2 else 1.0
    for k in range(3 if freedom % 2 else 2, freedom - 1, 2):
        term *= square * (k - 1) / k
        total += term
    if freedom == 1:
        within = 2 * angle / math.pi
    elif freedom % 2:
        within = 2 / math.pi * (angle + math.sin(angle) * total)
    else:
        within = math.sin(angle) * total
    return min(1.0, max(0.0, 1 - within))


def students_t(chance: float, freedom: int) -> float:
    """The t for which ``two_sided`` gives the chance."""
    low, high = 0.0, 1.0
    while two_sided(high, freedom) > chance:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided(middle, freedom) > chance else (low, middle)
    return high
