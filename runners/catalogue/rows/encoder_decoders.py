"""Networks with an encoder and a decoder that is told the language and the task by tokens."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from runners.base import RunnerSpec
from runners.catalogue.rows.kinds import Heard

HEARD: Mapping[str, Heard] = MappingProxyType({})

ROWS: tuple[RunnerSpec, ...] = ()
