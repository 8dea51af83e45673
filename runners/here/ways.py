"""The ways in which a system can run on this machine: in other precisions, and on other devices, than it goes by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runners.base import Availability, DeviceKind, Dtype, Placement, RunnerError, RunnerSpec
from runners.here.availability import weights_here
from runners.here.machine import Machine
from runners.here.places import place
from runners.settings import Settings


@dataclass(frozen=True)
class Way:
    """What a name may ask for, and where that leads. Two ways of one system are two contenders."""

    dtype: Dtype | None
    """None leaves it open, as names do."""
    device: DeviceKind | None
    placement: Placement

    @property
    def asked(self) -> str:
        """What follows the first + of the name: "float32+cpu"; "" asks for nothing."""
        return "+".join(part for part in (self.dtype, self.device) if part)


def ways(spec: RunnerSpec, found: Availability, machine: Machine, settings: Settings) -> tuple[Way, ...]:
    """Every way in which a system has room here now: where it goes by itself first, then each other device.

    Empty where there is nothing to choose: it cannot run, its server decides, its name has asked already, or there is
    one way alone. Other devices are not offered where the settings name one.

    Args:
        found: what ``availability`` says of it on this machine.
    """
    if not found.ok or spec.server is not None or spec.asked_dtype is not None or spec.asked_device is not None:
        return ()
    try:
        weights = weights_here(spec, settings)
    except RunnerError:  # they are gone since
        return ()
    there = [Way(None, None, found.placement)]
    for device in (None, *_others(spec, found, machine, settings)):
        for dtype in (None, *spec.dtypes):
            if dtype is None and device is None:
                continue
            try:
                placement = place(replace(spec, asked_dtype=dtype, asked_device=device), machine, settings, weights)
            except RunnerError:  # no such precision there, or no room
                continue
            there.append(Way(dtype, device, placement))
    return tuple(there) if _is_choice(there) else ()


def _others(spec: RunnerSpec, found: Availability, machine: Machine, settings: Settings) -> list[DeviceKind]:
    """Kinds of devices besides the one on which it goes by itself; a name cannot tell two of a kind apart."""
    if settings.device != "auto":
        return []
    kinds = dict.fromkeys(device.kind for device in machine.devices)
    return [
        kind
        for kind in kinds
        if kind in spec.devices and kind != found.placement.device and not (kind == "cpu" and spec.needs_gpu)
    ]


def _is_choice(there: list[Way]) -> bool:
    return len({way.placement.dtype for way in there}) > 1 or any(way.device is not None for way in there)
