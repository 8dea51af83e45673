"""The clips that ship with Earshot, as ``samples/samples.json`` lists them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "samples"


@dataclass(frozen=True)
class Sample:
    """A short clip and what is said in it."""

    path: Path
    title: str
    text: str
    """The reference."""
    language: str
    """ISO 639-1 code."""
    what: str
    """What is special about it."""


def samples(folder: Path = FOLDER) -> tuple[Sample, ...]:
    """All samples, in order; empty where the folder has no list."""
    try:
        rows = json.loads((folder / "samples.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    return tuple(Sample(folder / row["file"], row["title"], row["text"], row["language"], row.get("what", "")) for row in rows)
