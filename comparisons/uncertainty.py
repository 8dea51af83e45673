"""How far an error rate can be trusted: intervals by resampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from comparisons.align import Alignment


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the rate would fall in 95 of 100 clips like these."""

    low: float
    """Fraction, as of a rate."""
    high: float
    """Fraction; may be over 1."""
    method: str
    """How it was made, in words: "block bootstrap, 41 blocks of 10 words"."""


def interval(alignments: Sequence[Alignment]) -> Interval | None:
    """The 95 % interval of the pooled rate of one system on these clips; None where they are too short to say."""
    return None
