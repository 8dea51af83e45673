"""What happens while contenders run, in the order it happens to each: Queued, Loading, Running, Partial, Finished.

Plain data; whoever draws or folds them (``comparisons.compare``) knows nothing of processes.
"""

from __future__ import annotations

from dataclasses import dataclass

from runners.base import Contender, TranscriptionResult


@dataclass(frozen=True)
class Queued:
    """The contender waits for its turn on the device."""

    contender: Contender


@dataclass(frozen=True)
class Loading:
    """The contender's process starts, downloads (``done_bytes`` is set) or loads its weights."""

    contender: Contender
    done_bytes: int | None = None
    total_bytes: int | None = None


@dataclass(frozen=True)
class Running:
    """The contender hears the clip."""

    contender: Contender


@dataclass(frozen=True)
class Partial:
    """Text heard so far, all of it."""

    contender: Contender
    text: str


@dataclass(frozen=True)
class Finished:
    """The contender is done, skipped or cancelled; its last event."""

    contender: Contender
    result: TranscriptionResult


Event = Queued | Loading | Running | Partial | Finished
