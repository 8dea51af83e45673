"""Transcripts side by side: passages of the clip, in each what every system has there, held against one anchor.

The anchor is the reference, the majority, or one of the contenders ("A against B").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from comparisons.compare import Comparison
from comparisons.marks import Mark

Anchor = Literal["reference", "majority", "contender", "none"]
MAJORITY = "majority"
"""What ``against`` takes for the majority; a contender never has this name."""
REFERENCE = "reference"
"""What ``against`` takes for the reference."""


@dataclass(frozen=True)
class Side:
    """One contender."""

    name: str
    label: str
    """Untrusted."""
    is_timed: bool
    """False if the times of its words are interpolated."""


@dataclass(frozen=True)
class Passage:
    """A stretch of the clip, a row across all sides."""

    start: float | None
    """Seconds from the start of the clip."""
    end: float | None
    anchor: tuple[Mark, ...]
    """The anchor's own words; empty without an anchor. ``Mark.support`` is set where it is the majority."""
    cells: tuple[tuple[Mark, ...], ...]
    """What each side has, in their order."""


@dataclass(frozen=True)
class SideBySide:
    """All of it, as it is drawn."""

    kind: Anchor
    label: str
    """What the anchor is called: "Reference", "Majority of 4", "Moonshine". Untrusted."""
    against: str | None
    """REFERENCE, MAJORITY or the name of the contender; None without an anchor."""
    sides: tuple[Side, ...]
    passages: tuple[Passage, ...]


def anchors(comparison: Comparison) -> tuple[tuple[str, str], ...]:
    """What the transcripts can be held against: (``against``, label), the usual one first."""
    return ()


def side_by_side(comparison: Comparison, against: str | None = None) -> SideBySide:
    """The finished transcripts of a comparison, in passages.

    Args:
        against: one of ``anchors``; None takes the first, and no anchor where there is none.

    Raises:
        ValueError: it cannot be held against that.
    """
    raise NotImplementedError
