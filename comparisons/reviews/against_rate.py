"""Whether people like what the number likes: what judges preferred, held against error rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

from comparisons.reviews.preferences import Preference, majorities
from comparisons.reviews.review import Review
from comparisons.score import pooled

FEWEST_SYSTEMS = 3
"""Of two, an order by strength and one by rate are the same or turned round, and that is all."""


@dataclass(frozen=True, slots=True)
class AgainstRate:
    """How often people preferred what has the lower error rate.

    Counted are every two texts of a clip of which most judges preferred one, and whose rates differ.
    """

    metric: str
    """ "WER", "CER", or "error rate" where clips differ in it."""
    agreed: int
    """Where the preferred one had the lower rate."""
    decided: int
    """Out of so many."""
    same_rate: int
    """Where people preferred one although the rates are the same; not among ``decided``."""
    low: float | None
    """95 % interval of ``agreed / decided`` (Wilson 1927), as if each two texts were judged apart; None without any."""
    high: float | None
    tau: float | None
    """Kendall's rank correlation (tau-b; Kendall 1945) of strength and pooled rate, 1 where the stronger always has the lower
    rate; None with fewer than ``FEWEST_SYSTEMS``, or where there is no order."""

    def in_words(self) -> str:
        """What it means, for anybody."""
        if not self.decided or self.low is None or self.high is None:
            why = f"their {self.metric} was the same" if self.same_rate else "there is no pair to count"
            return f"Whether people agree with the {self.metric} can't be said: {why}"
        told = (
            f"Of two texts people preferred the one with the lower {self.metric} {self.agreed} times of {self.decided} "
            f"({100 * self.agreed / self.decided:.0f} %, 95 % from {100 * self.low:.0f} to {100 * self.high:.0f} %)"
        )
        if self.low > 0.5:
            meant = "they agree with the number more often than not"
        elif self.high < 0.5:
            meant = "they disagree with the number more often than not"
        else:
            meant = "too few, or too evenly split, to say whether they agree with the number"
        order = f"; the order of the systems is the same to tau = {self.tau:.2f}" if self.tau is not None else ""
        return f"{told}: {meant}{order}"


def against_rate(
    review: Review, preferred: Sequence[Preference], strengths: Mapping[str, float], rates: Mapping[str, float]
) -> AgainstRate | None:
    """What was preferred, against error rates; None where no clip has a reference.

    Args:
        strengths: by contender, of those that have one.
        rates: pooled, by contender, of those that have one.
    """
    known = {(clip.number, hearing.contender): hearing.rate for clip in review.clips for hearing in clip.hearings}
    metrics = {
        hearing.score.headline[0]
        for clip in review.clips
        for hearing in clip.hearings
        if hearing.score is not None and hearing.rate is not None
    }
    if not metrics:
        return None
    agreed = decided = same = 0
    for (clip, first, second), more in majorities(preferred).items():
        one, other = known[clip, first], known[clip, second]
        if one is None or other is None or not more:
            continue
        if one == other:
            same += 1
            continue
        decided += 1
        agreed += (one < other) == (more > 0)
    low, high = wilson(agreed, decided) if decided else (None, None)
    both = [name for name in strengths if name in rates]
    tau = kendall([strengths[name] for name in both], [-rates[name] for name in both]) if len(both) >= FEWEST_SYSTEMS else None
    return AgainstRate(metrics.pop() if len(metrics) == 1 else "error rate", agreed, decided, same, low, high, tau)


def pooled_rates(review: Review) -> dict[str, float]:
    """By contender, its rate over all clips that have a reference; those are left out that were counted in different ways."""
    found = {}
    for name in review.labels:
        scores = [
            hearing.score
            for clip in review.clips
            for hearing in clip.hearings
            if hearing.contender == name and hearing.score is not None
        ]
        try:
            whole = pooled(scores)
        except ValueError:  # different normalisers, or words here and characters there
            continue
        rate = whole.headline[1] if whole is not None else None
        if rate is not None:
            found[name] = rate
    return found


def wilson(successes: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927, "Probable inference, the law of succession, and statistical inference").

    Args:
        of: at least 1.
    """
    z = NormalDist().inv_cdf(0.975)
    share = successes / of
    middle = share + z * z / (2 * of)
    reach = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    scale = 1 + z * z / of
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def kendall(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Kendall's tau-b of two sequences of the same length; None where either is all the same."""
    alike = [((a > b) - (a < b), (c > d) - (c < d)) for (a, c), (b, d) in combinations(zip(one, other, strict=True), 2)]
    untied = [sum(pair[side] != 0 for pair in alike) for side in (0, 1)]
    if not all(untied):
        return None
    return sum(a * b for a, b in alike) / math.sqrt(untied[0] * untied[1])
