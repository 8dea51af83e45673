"""What ``earshot.toml`` says of the rows: rows of the deployer's own, other labels, and rows that are hidden.

[[models]]
name = "whisper:/models/ward"
label = "Our Whisper, ward round"

[[models]]
name = "pocketsphinx"
hidden = true
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ModelSetting(BaseModel):
    """A row that is added, or said something else of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """``family[:model[@revision]][+precision][+device]``."""
    label: str | None = None
    hidden: bool = False
    languages: tuple[str, ...] | None = None
    license: str | None = None
