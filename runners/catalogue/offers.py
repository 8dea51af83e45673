"""What ``earshot.toml`` says of the rows: rows of the deployer's own, other labels, and rows that are hidden.

[[models]]
name = "whisper:/models/ward"
label = "Our Whisper, ward round"

[[models]]
name = "ctc:someone/their-wav2vec2@v2"
languages = ["de"]
license = "Apache-2.0"

[[models]]
name = "pocketsphinx"
hidden = true

A name that no row has adds one: its family says how it is run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from runners.base import RunnerSpec

LanguageCode = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
"""As ISO 639 has it: "en", "yue"."""


class ModelSetting(BaseModel):
    """A row that is added, or said something else of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """``family[:model[@revision]][+precision][+device]``."""
    label: str | None = Field(default=None, min_length=1, max_length=80)
    hidden: bool = False
    """Not offered, unless a visitor may name any model and does."""
    languages: tuple[LanguageCode, ...] | None = Field(default=None, min_length=1)
    """Codes of those it understands."""
    license: str | None = Field(default=None, min_length=1, max_length=80)
    """SPDX identifier."""

    def applied_to(self, spec: RunnerSpec) -> RunnerSpec:
        """The row with what is said of it here."""
        return replace(
            spec,
            label=self.label if self.label is not None else spec.label,
            languages=self.languages if self.languages is not None else spec.languages,
            understands_others=spec.understands_others and self.languages is None,
            license=self.license if self.license is not None else spec.license,
        )
