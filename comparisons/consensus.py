"""What most systems say: all hypotheses aligned at once, the majority of each place, and who dissents.

This is agreement, not accuracy: systems can agree on what was never said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from comparisons.align import Alignment
from comparisons.normalise import Normaliser
from comparisons.score import Unit


@dataclass(frozen=True, slots=True)
class Slot:
    """A place at which each system has a word, or none."""

    token: str | None
    """The majority's normalised word; None where most have none."""
    text: str | None
    """The same as most of its supporters write it, with case and punctuation. Untrusted."""
    support: int
    """How many systems have the majority's word, or none, here."""
    tokens: tuple[str | None, ...]
    """What each system has, in their order."""


@dataclass(frozen=True)
class Consensus:
    """All hypotheses aligned at once."""

    slots: tuple[Slot, ...]
    alignments: tuple[Alignment, ...]
    """For each system: the majority's words as reference against its own."""
    agreement: tuple[float | None, ...]
    """For each system: how much of the others' majority it shares, a fraction; None where there is nothing to share."""

    @property
    def text(self) -> str:
        """The majority text, as it can be read, edited and used as a reference."""
        return ""


def consensus(texts: Sequence[str], normaliser: Normaliser, unit: Unit = "word") -> Consensus:
    """Align hypotheses at once and take the majority.

    Raises:
        ValueError: there are fewer than two.
    """
    raise NotImplementedError
