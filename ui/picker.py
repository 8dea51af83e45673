"""What the picker shows: a row a system and the presets, as plain data. The browser draws, searches and filters them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from comparisons import figures
from runners.base import Availability, RunnerSpec
from runners.catalogue.listing import at_once
from runners.catalogue.presets import Offer, Preset
from runners.here.availability import as_plain
from runners.here.places import NAMES
from runners.here.ways import Way
from ui import views
from ui.desk import Desk


def value(
    offers: Sequence[Offer],
    presets: Sequence[Preset],
    chosen: Iterable[str] | None,
    ways: Mapping[str, Sequence[Way]] = MappingProxyType({}),
    *,
    free_bytes: int | None = None,
    first: bool = False,
) -> dict[str, Any]:
    """The value of ``ui.components.contender_cards``.

    Args:
        chosen: names of contenders to tick; None leaves the ticks as they are.
        ways: by a system's name, the ways in which it can run here; none for one that has but one.
        free_bytes: room on the disk that takes downloads; None if unknown.
        first: what this browser remembers of an earlier visit is ticked instead, where it can run.
    """
    return {
        "rows": [row(spec, found, ways.get(spec.name, ())) for spec, found in offers],
        "presets": [{**asdict(preset), "names": list(preset.names)} for preset in presets],
        "free_bytes": free_bytes,
        "chosen": None if chosen is None else list(chosen),
        "first": first,
    }


def now(desk: Desk, offers: Sequence[Offer], chosen: Iterable[str] | None, *, first: bool = False) -> dict[str, Any]:
    """The value for these systems, with what the desk offers of them at this moment."""
    return value(offers, desk.presets(offers), chosen, desk.ways(offers), free_bytes=desk.free_bytes(), first=first)


def row(spec: RunnerSpec, found: Availability, ways: Sequence[Way] = ()) -> dict[str, Any]:
    """One system: what ``python -m runners --json`` says of it, and how its card words that. Untrusted, as labels are."""
    return {
        **as_plain(spec, found),
        "facts": views.facts(spec),
        "at_once": at_once(spec),
        "where": views.where(spec, found),
        "licence": views.licence(spec.license) if spec.license else None,
        "ways": [_way(way, has_devices=any(each.device is not None for each in ways)) for way in ways],
    }


def _way(way: Way, *, has_devices: bool) -> dict[str, Any]:
    """What a name may ask for, as its check box words it.

    ``on`` is the heading that it stands below, None for where the system goes by itself; ``says`` stands beside the box, and
    ``briefly`` on the card once it is ticked. Which device that is goes without saying where there is one.
    """
    dtype, device = way.placement.dtype, figures.device(way.placement.device)
    automatic = f"Automatic ({dtype}, {device})" if has_devices and way.device is None else f"Automatic ({dtype})"
    return {
        "asked": way.asked,
        "on": f"On the {NAMES[way.device]}" if way.device is not None else None,
        "says": way.dtype or automatic,
        "briefly": f"{dtype} on {device}" if has_devices else dtype,
        "need_bytes": way.placement.need_bytes,
    }
