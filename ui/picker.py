"""What the picker shows: a row a system and the presets, as plain data. The browser draws, searches and filters them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from runners.base import Availability, RunnerSpec
from runners.catalogue.licenses import is_open
from runners.catalogue.presets import Offer, Preset
from runners.here.availability import as_plain
from ui import views

ON_CPU_ALONE = ("float32", "bfloat16", "int8")
"""Precisions that CPUs compute in."""


def value(
    offers: Sequence[Offer], presets: Sequence[Preset], chosen: Iterable[str] | None, *, first: bool = False
) -> dict[str, Any]:
    """The value of ``ui.components.contender_cards``.

    Args:
        chosen: names of contenders to tick; None leaves the ticks as they are.
        first: what this browser remembers of an earlier visit is ticked instead, where it can run.
    """
    return {
        "rows": [row(spec, found) for spec, found in offers],
        "presets": [{**asdict(preset), "names": list(preset.names)} for preset in presets],
        "chosen": None if chosen is None else list(chosen),
        "first": first,
    }


def row(spec: RunnerSpec, found: Availability) -> dict[str, Any]:
    """One system: what ``python -m runners --json`` says of it, and how its card words that. Untrusted, as labels are."""
    return {
        **as_plain(spec, found),
        "facts": views.facts(spec),
        "where": views.where(spec, found),
        "is_open": is_open(spec.license) is True,
        "precisions": precisions(spec, found),
    }


def precisions(spec: RunnerSpec, found: Availability) -> list[str]:
    """The precisions that can be asked for besides the automatic one, where there is a choice."""
    if not found.ok or spec.server is not None or spec.asked_dtype is not None:
        return []
    on_cpu = found.placement.device == "cpu"
    able = [dtype for dtype in spec.dtypes if not on_cpu or dtype in ON_CPU_ALONE]
    return list(able) if len(able) > 1 else []
