"""Networks that emit words as they move along the frames: RNN-T and TDT."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from runners.base import RunnerSpec
from runners.catalogue.rows.kinds import Heard

HEARD: Mapping[str, Heard] = MappingProxyType({})

ROWS: tuple[RunnerSpec, ...] = ()
