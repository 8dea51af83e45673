"""A comparison as pictures: error rate against speed, kinds of errors, where in time they are."""

from __future__ import annotations

from dataclasses import dataclass

from comparisons.compare import Comparison


@dataclass(frozen=True)
class Picture:
    """One picture. It takes its colours from the ``--es-*`` variables of whatever page it stands in."""

    name: str
    title: str
    svg: str
    """A whole ``<svg>`` element; every text in it is escaped."""
    says: str
    """What it shows, for who cannot see it. Untrusted."""


def pictures(comparison: Comparison) -> tuple[Picture, ...]:
    """Those that there is something to show in; none without a score."""
    return ()
