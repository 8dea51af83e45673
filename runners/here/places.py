"""Where a model goes on this machine, and in which precision: every place that it could have, and the first with room.

Accelerators come first, each alone, then several together; with main memory for the rest if they hold the better part
of it; then the CPU. What a device is said to have free is as old as the last look at the machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from runners.base import DeviceKind, Dtype, OutOfMemory, Placement, RunnerError, RunnerSpec, UnsupportedOption
from runners.catalogue.rows import RUNNERS
from runners.here.machine import Device, Machine
from runners.here.memory import OWN_MEMORY
from runners.here.need import (
    TEXT_TOKENS,
    TORCH_PROCESS_BYTES,
    cache_bytes_per_token,
    cached_tokens,
    gigabytes,
    is_quantised_on_request,
    needed_bytes,
)
from runners.here.packages import Requirement, folder_of_package, refuse_missing
from runners.here.weights import Weights
from runners.networks.checkpoint import SPREAD_RESERVE_BYTES
from runners.settings import Settings

_ON_CPU: tuple[Dtype, ...] = ("int8", "float32", "bfloat16")
"""What CPUs compute in, the choice without a setting first; float16 is only stored there."""
_ON_CPU_IN_HALF: tuple[Dtype, ...] = ("int8", "bfloat16", "float32")
"""The same where a CPU has instructions for bfloat16 and the weights are stored in it, so that nothing of them is lost: a
decoder of 0.5 B then reads in a third of the time of float32 and writes in three quarters (``benchmarks/precision.py``)."""
_ON_ACCELERATOR: tuple[Dtype, ...] = ("bfloat16", "float16", "int8_float16", "float32", "int8")

QUANTISER = "bitsandbytes>=0.46.1"
"""What puts a PyTorch model's layers in 8 or 4 bits; transformers 5.23 refuses older ones."""
_QUANTISED: Mapping[str, tuple[DeviceKind, ...]] = MappingProxyType(
    {"int8": ("cuda", "rocm", "xpu"), "int4": ("cpu", "cuda", "rocm", "xpu")}
)
"""Where it does so; on a CPU its int8 was 30 times as slow as bfloat16 (0.50, a matrix of 3072 x 8192), its int4 8 times."""

_LEAST_ON_ACCELERATORS = 0.75
"""Share of a model that accelerators must hold, or the CPU has it rather: every token waits until the rest was copied there
from main memory, at a sixth of the rate or so at which a CPU reads it."""
_LEAST_WITHOUT_CHOICE = 0.4
"""The same where the CPU has no room either: embeddings and encoders must be on an accelerator, about a third of a model."""

NAMES: Mapping[DeviceKind, str] = MappingProxyType(
    {
        "cpu": "CPU",
        "cuda": "NVIDIA GPU (CUDA)",
        "rocm": "AMD GPU (ROCm)",
        "mps": "Apple GPU (MPS)",
        "xpu": "Intel GPU (XPU)",
    }
)
"""What devices are called where a person chooses among them."""


@dataclass(frozen=True)
class _Room:
    """A place for a model: one device, or several that share its layers."""

    device: Device
    """The one that computes, or the first of several."""
    free_bytes: int | None
    """For weights, caches and what its process takes; None if unknown."""
    is_spread: bool = False
    has_main_memory: bool = False
    """What the accelerators do not hold lies in main memory."""
    largest_need_bytes: float = math.inf
    """A larger need is better met elsewhere."""

    def holds(self, need_bytes: int) -> bool:
        return need_bytes <= self.largest_need_bytes and (self.free_bytes is None or need_bytes <= self.free_bytes)


def place(
    spec: RunnerSpec,
    machine: Machine,
    settings: Settings,
    weights: Weights | None = None,
    *,
    clip_seconds: float | None = None,
    chat: bool = False,
) -> Placement:
    """Choose device and precision: the first place that has room, in the best precision that fits there.

    Accelerators come first, each alone, then several together; with main memory for the rest if they hold the better part
    of it; then the CPU. A named device is the only one tried, and what the system's own name asks for wins over the
    settings. ``clip_seconds`` and ``chat`` as for ``availability``.

    Raises:
        UnsupportedOption: the device or the precision that its name or the settings name is not for this system or machine.
        MissingPackage: the named precision needs one.
        OutOfMemory: no place has room.
    """
    tokens = cached_tokens(spec, weights, clip_seconds, chat=chat)
    shortages: list[tuple[int, _Room]] = []
    refusal: RunnerError | None = None
    for room in _rooms(spec, machine, settings):
        try:
            dtypes = precisions(spec, room.device, settings, weights)
        except RunnerError as error:
            refusal = refusal or error
            continue
        for dtype in dtypes:
            if room.has_main_memory and dtype in _QUANTISED:
                continue  # bitsandbytes computes on one kind of device
            need_bytes = needed_bytes(spec, dtype, weights, tokens)
            if need_bytes is None or room.holds(need_bytes):
                return Placement(device=room.device.kind, dtype=dtype, need_bytes=need_bytes, spread=room.is_spread)
            shortages.append((need_bytes, room))
    if refusal is not None and not shortages:
        raise refusal
    alone = [shortage for shortage in shortages if not shortage[1].is_spread]
    if not alone:
        raise UnsupportedOption(f"{spec.label} runs on no device of this machine.", "Choose another system.")
    roomiest = max((room for _, room in alone), key=lambda room: room.free_bytes or 0)
    need_bytes = min(need for need, room in alone if room is roomiest)  # even the smallest precision
    raise _out_of_memory(spec, need_bytes, roomiest.device, settings, weights, tokens)


def precisions(spec: RunnerSpec, device: Device, settings: Settings, weights: Weights | None = None) -> tuple[Dtype, ...]:
    """The precisions to try, best first: the one that the system's name asks for, or else the setting's, or else those that
    lose nothing to speak of on this device.

    What the name asks for is what it gets, or it is refused. The setting does not concern a system with a single precision,
    which has nothing to choose. Layers in 8 or 4 bits (``int8`` and ``int4`` with PyTorch) are taken only if they are asked
    for: they lose accuracy. A system that has none keeps its best precision where the setting asks for them: the setting
    makes the large models fit, it does not ban the small ones.

    Raises:
        UnsupportedOption: a precision is named that the system, or the device, does not compute in.
        MissingPackage: one is named that needs a package.
    """
    by_preference = _ON_CPU if device.kind == "cpu" else _ON_ACCELERATOR
    is_stored_so = weights.is_bfloat16 if weights is not None else spec.stored_dtype == "bfloat16"
    if device.kind == "cpu" and device.has_bfloat16 and is_stored_so:
        by_preference = _ON_CPU_IN_HALF
    possible = [dtype for dtype in by_preference if dtype in spec.dtypes and (dtype != "bfloat16" or _has_bfloat16(device))]
    if is_quantised_on_request(spec):
        possible = [dtype for dtype in possible if dtype not in _QUANTISED]
    if not possible:
        raise UnsupportedOption(f"{spec.label} has no precision that the {NAMES[device.kind]} computes in.", "Choose another.")
    asked = spec.asked_dtype
    wanted = asked or settings.dtype
    if wanted == "auto" or (asked is None and (len(spec.dtypes) == 1 or (wanted in _QUANTISED and wanted not in spec.dtypes))):
        return tuple(possible)
    if wanted in possible:
        return (wanted,)
    if wanted in spec.dtypes and is_quantised_on_request(spec) and device.kind in _QUANTISED.get(wanted, ()):
        refuse_missing(spec, (QUANTISER,), f" for {wanted}")
        return (wanted,)
    whose = spec.label if wanted not in spec.dtypes else f"the {NAMES[device.kind]}"
    others = [dtype for dtype in possible if asked is not None or not dtype.startswith("int8")]
    raise UnsupportedOption(
        f"{whose[0].upper()}{whose[1:]} does not compute in {wanted}.",
        f"Name it with {' or '.join(f'+{dtype}' for dtype in others)}, or without a precision."
        if asked is not None
        else f"Set EARSHOT_DTYPE to auto or to one of: {', '.join(others) or 'none here'}.",
    )


def _rooms(spec: RunnerSpec, machine: Machine, settings: Settings) -> Iterator[_Room]:
    """The places to try, best first."""
    devices = tuple(_devices(spec, machine, settings))
    first = {device.kind: device for device in reversed(devices)}  # PyTorch uses the first of a kind
    accelerators = [device for device in devices if device is first[device.kind] and device.kind != "cpu"]
    yield from (_Room(device, device.free_bytes) for device in accelerators)
    spread = [each for device in accelerators for each in _spread_rooms(device, machine)] if spec.can_be_spread else []
    yield from spread
    if "cpu" in first:
        yield _Room(first["cpu"], first["cpu"].free_bytes)
    for room in spread:
        if room.has_main_memory:
            yield replace(room, largest_need_bytes=room.largest_need_bytes * _LEAST_ON_ACCELERATORS / _LEAST_WITHOUT_CHOICE)


def _spread_rooms(device: Device, machine: Machine) -> Iterator[_Room]:
    """Accelerators of a kind together, then the same with main memory; not those whose memory is the main memory."""
    together = [each for each in machine.devices if each.kind == device.kind and not each.shares_main_memory]
    if device.kind not in OWN_MEMORY or not together or any(each.free_bytes is None for each in together):
        return
    held_bytes = sum(max(0, (each.free_bytes or 0) - SPREAD_RESERVE_BYTES) for each in together)
    # Layers are not cut, so an odd end stays free. What a process takes is part of every need, and of the reserve.
    held_bytes = round(0.95 * held_bytes) + TORCH_PROCESS_BYTES
    if len(together) > 1:
        yield _Room(device, held_bytes, is_spread=True)
    yield _Room(
        device,
        held_bytes + round(0.85 * machine.memory_free_bytes),
        is_spread=True,
        has_main_memory=True,
        largest_need_bytes=held_bytes / _LEAST_ON_ACCELERATORS,
    )


def _devices(spec: RunnerSpec, machine: Machine, settings: Settings) -> Iterator[Device]:
    """The devices to try, best first."""
    asked = spec.asked_device
    wanted = asked or settings.device
    if wanted != "auto":
        fix = "Set EARSHOT_DEVICE to auto." if asked is None else f"Name it without +{asked}."
        device = machine.device(wanted)
        if wanted not in spec.devices and spec.devices == ("cpu",) and asked is None:
            # A system that knows the CPU alone runs there; the setting chooses among devices, it does not ban systems.
            device = machine.device("cpu")
        elif wanted not in spec.devices:
            raise UnsupportedOption(f"{spec.label} does not run on the {NAMES[wanted]}.", fix)
        if device is None:
            have = ", ".join(dict.fromkeys(NAMES[each.kind] for each in machine.devices))
            why = "" if machine.probed else " (GPUs were not looked for yet)"
            raise UnsupportedOption(f"This machine has no {NAMES[wanted]}{why}; it has: {have}.", fix)
        yield device
        return
    for device in machine.devices:
        if device.kind in spec.devices and not (device.kind == "cpu" and spec.needs_gpu):
            yield device


def _has_bfloat16(device: Device) -> bool:
    return device.kind == "cpu" or device.has_bfloat16  # slow on most CPUs, but right; chosen only where it is set


def _out_of_memory(
    spec: RunnerSpec, need_bytes: int, device: Device, settings: Settings, weights: Weights | None, tokens: int
) -> OutOfMemory:
    """The shortage on the roomiest device, and what would fit there."""
    wanted = spec.asked_dtype or settings.dtype
    where = "" if device.kind == "cpu" else f" on the {NAMES[device.kind]}"
    free_bytes = device.free_bytes or 0
    in_4_bits_bytes = needed_bytes(spec, "int4", weights, tokens)
    cache_bytes = tokens * cache_bytes_per_token(spec, weights, "float32" if wanted == "float32" else "bfloat16")
    shorter_bytes = need_bytes - cache_bytes + cache_bytes * TEXT_TOKENS // max(1, tokens)
    smaller = [
        row.label for row in RUNNERS if row.family == spec.family and row.parameters and row.parameters < (spec.parameters or 0)
    ]
    advice = ["free some memory"]
    if tokens > 2 * TEXT_TOKENS and shorter_bytes <= free_bytes:
        advice.append("take a shorter clip")
    if wanted == "float32" and "bfloat16" in spec.dtypes:
        advice.append(f"take half the precision ({_how(spec, 'bfloat16')})")
    if (
        "int4" in spec.dtypes
        and wanted != "int4"
        and device.kind in _QUANTISED["int4"]
        and in_4_bits_bytes is not None
        and in_4_bits_bytes <= free_bytes
    ):
        package = Requirement.read(QUANTISER)
        first = f', after pip install "{QUANTISER}"' if folder_of_package(package.module) is None else ""
        slow = ", slow on a CPU" if device.kind == "cpu" else ""
        advice.append(f"load it in 4 bits ({_how(spec, 'int4')}: {gigabytes(in_4_bits_bytes)}{slow}{first})")
    advice.append("choose a smaller model" + (f" such as {smaller[0]}" if smaller else ""))
    said = ", ".join(advice[:-1]) + (", or " if len(advice) > 2 else " or ") + advice[-1]
    return OutOfMemory(f"Needs {gigabytes(need_bytes)}, {gigabytes(free_bytes)} free{where}.", f"{said[0].upper()}{said[1:]}.")


def _how(spec: RunnerSpec, dtype: Dtype) -> str:
    """How a precision is asked for where the one that was asked for does not fit."""
    return f"EARSHOT_DTYPE={dtype}" if spec.asked_dtype is None else f"+{dtype} after its name"
