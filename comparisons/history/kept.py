"""What the history gives: rows of its list, and whose they are. Plain data; every text in it is untrusted."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

LOCAL = "local"
"""Owner of what is made on the machine itself: on the command line, or on a page that nobody else can reach."""


class Everybody(enum.Enum):
    EVERYBODY = "everybody"


EVERYBODY: Literal[Everybody.EVERYBODY] = Everybody.EVERYBODY
"""For whoever may see what all have kept."""

Whose = str | Everybody
"""An owner's key, or everybody's."""


@dataclass(frozen=True)
class KeptSystem:
    """One contender of a kept comparison, as a list shows it."""

    name: str
    label: str
    state: str
    """ok, skipped or cancelled."""
    rates: tuple[tuple[str, float | None], ...]
    """Those that stand large: ("WER", 0.118); empty without a score."""
    rtf: float | None


@dataclass(frozen=True)
class Kept:
    """A kept comparison as a list shows it."""

    id: str
    owner: str
    made_at: datetime
    """When it was kept first, in UTC."""
    changed_at: datetime
    deleted_at: datetime | None
    """When it was put into the bin; None if it is not there."""
    title: str | None
    """As its owner calls it; None: by its clip."""
    source: str
    """File name of the clip."""
    seconds: float
    """Length of the clip."""
    sound: str
    """Names what is heard in the clip: the same for the same sound, whatever the file was called."""
    has_audio: bool
    """False if the audio was not kept."""
    systems: tuple[KeptSystem, ...]
    """In the order in which they were chosen."""
    has_reference: bool
    normaliser: str
    """Name and version."""
    language: str | None
    tags: tuple[str, ...]
    notes: str

    @property
    def name(self) -> str:
        """What it is called wherever it is shown."""
        return self.title or self.source


@dataclass(frozen=True)
class Page:
    """A part of the list."""

    rows: tuple[Kept, ...]
    """The newest first."""
    total: int
    """How many there are with those of other pages."""


@dataclass(frozen=True)
class Revision:
    """What a comparison was before it was changed."""

    number: int
    made_at: datetime
    """When it became what it was then."""


@dataclass(frozen=True)
class KeptConversation:
    """A conversation about the clip of a comparison."""

    made_at: datetime
    changed_at: datetime
    document: dict[str, Any]
    """As ``runners.conversations.record.to_dict`` gives it."""
