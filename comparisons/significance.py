"""Whether two systems differ by more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from comparisons.align import Alignment

Verdict = Literal["first", "second", "alike", "too short"]
"""Which of two makes fewer errors, beyond chance; "alike" where they cannot be told apart."""


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


def pairs(contenders: Mapping[str, Sequence[Alignment]]) -> tuple[Pair, ...]:
    """Every pair of contenders, in their order.

    Args:
        contenders: by name, an alignment a clip, the clips in the same order for all.
    """
    return ()


def in_words(pair: Pair, labels: Mapping[str, str]) -> str:
    """What a pair means, for anybody: "Moonshine and PocketSphinx can't be told apart on this clip"."""
    return ""
