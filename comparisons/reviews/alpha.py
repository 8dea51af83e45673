"""How far judges agree: Krippendorff's alpha, for any number of judges, any of whom may have judged any of it.

    alpha = 1 - observed disagreement / disagreement by chance

1 is full agreement, 0 what chance would give, below 0 they disagree more than chance would. (Krippendorff 2011, "Computing
Krippendorff's Alpha-Reliability", University of Pennsylvania; the names o, n, m and δ below are its.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Level = Literal["nominal", "ordinal", "interval"]
"""How far apart two values are: the same or not; by how many values lie between them; by their difference squared."""

FEWEST_UNITS = 5
"""Things that several have judged, below which alpha has no interval: fewer can hardly be drawn again."""
RESAMPLES = 2000
SEED = 20_260_101
"""Any number would do; with a fixed one the same votes have the same interval everywhere."""
RELIABLE, TENTATIVE = 0.8, 0.667
"""From where on conclusions can be relied on, or drawn tentatively (Krippendorff 2004, "Content Analysis", 2nd ed., p. 241)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far judges agree."""

    level: Level
    alpha: float | None
    """None where it can't be said."""
    low: float | None
    """95 % interval, by drawing again what was judged; None with too little of it."""
    high: float | None
    units: int
    """Things that at least two have judged."""
    why_not: str | None = None
    """Why there is no alpha, in words; None if there is one."""

    def in_words(self) -> str:
        """What it means, for anybody."""
        if self.alpha is None:
            return self.why_not or ""
        told = f"alpha = {self.alpha:.2f}"
        if self.low is not None and self.high is not None:
            told += f", 95 % from {self.low:.2f} to {self.high:.2f}"
        if self.alpha >= RELIABLE:
            return f"The judges agree well ({told})"
        if self.alpha >= TENTATIVE:
            return f"The judges agree fairly well ({told}): good enough for a first conclusion"
        if self.alpha > 0:
            return f"The judges agree little ({told}): another group of judges may well see it otherwise"
        return f"The judges agree no more than chance would have it ({told})"


def agreement(values: Sequence[Sequence[float | None]], level: Level) -> Agreement:
    """Alpha of a table of judgements, with its interval.

    Args:
        values: a row a judge, a column a unit (what is judged); None where somebody has not judged. For nominal, numbers
            stand for names; for ordinal, only their order counts.

    Raises:
        ValueError: the rows are not equally long.
    """
    if len({len(row) for row in values}) > 1:
        raise ValueError("Every judge needs a value or None for each unit.")
    table = np.array([[math.nan if value is None else value for value in row] for row in values], np.float64)
    if table.ndim < 2:
        table = np.empty((0, 0))
    known = ~np.isnan(table)
    table = table[:, known.sum(0) >= 2]  # what only one has judged says nothing of agreement
    units = table.shape[1]
    if not units:
        return Agreement(
            level, None, None, None, 0, "No two judges have judged the same thing: nothing can be said of agreement"
        )
    scale = np.unique(table[~np.isnan(table)])
    if len(scale) < 2:
        return Agreement(
            level, None, None, None, units, "All judges said the same of everything: agreement can't be told from habit"
        )
    counts = (table[None] == scale[:, None, None]).sum(1).T.astype(np.float64)  # (units, values): who said what how often
    whole = float(_alphas(_coincidences(counts)[None], scale, level)[0])
    low, high = _interval(counts, scale, level) if units >= FEWEST_UNITS else (None, None)
    return Agreement(level, whole, low, high, units)


def _coincidences(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """o: how often each two values were given to the same unit, each unit with the weight 1 / (m - 1); (values, values).

    Args:
        counts: (units, values), each unit judged at least twice.
    """
    weighed = counts / (counts.sum(1, keepdims=True) - 1)
    same: NDArray[np.float64] = weighed.T @ counts - np.diag(weighed.sum(0))
    return same


def _alphas(o: NDArray[np.float64], scale: NDArray[np.float64], level: Level) -> NDArray[np.float64]:
    """(…, values, values) -> (…,); NaN where all values are the same."""
    n = o.sum(-1)  # (…, values)
    if level == "nominal":
        apart = np.broadcast_to(1 - np.eye(len(scale)), o.shape)
    elif level == "interval":
        apart = np.broadcast_to((scale[:, None] - scale) ** 2, o.shape)
    else:  # all values from c to k, of c and k themselves half
        place = np.cumsum(n, -1) - n / 2
        apart = (place[..., :, None] - place[..., None, :]) ** 2
    total = n.sum(-1)
    by_chance = (n[..., :, None] * n[..., None, :] * apart).sum((-1, -2))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = 1 - (total - 1) * (o * apart).sum((-1, -2)) / by_chance
    return np.where(by_chance > 0, found, math.nan)


def _interval(counts: NDArray[np.float64], scale: NDArray[np.float64], level: Level) -> tuple[float | None, float | None]:
    """Percentiles over units drawn again; None where most draws have one value only."""
    units = len(counts)
    each = np.stack([_coincidences(unit[None]) for unit in counts])  # o is a sum over units
    drawn = np.random.default_rng(SEED).multinomial(units, np.full(units, 1 / units), size=RESAMPLES)  # (resamples, units)
    found = _alphas(np.tensordot(drawn, each, 1), scale, level)
    found = found[~np.isnan(found)]
    if len(found) * 2 < RESAMPLES:
        return None, None
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)
