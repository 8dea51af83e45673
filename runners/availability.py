"""Whether a system can run here, now: available, after a download, or skipped with the reason and the fix.

Looks at installed packages, folders, the hub's cache, memory and the disk. Imports nothing heavy, never reaches the
network, and never raises: what it cannot find out, it leaves to loading.

What a model needs is an estimate, made to err on the side of trying::

    need = 1.2 x parameters x bytes of the precision + what its libraries take in a process
"""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runners import hub
from runners.base import (
    Availability,
    DeviceKind,
    Dtype,
    MissingPackage,
    OutOfMemory,
    Placement,
    RunnerError,
    RunnerSpec,
    UnsupportedOption,
    WeightsUnavailable,
)
from runners.catalogue import BUNDLES, CHECKPOINTS, RUNNERS, SCRIPTED
from runners.machine import Device, Machine
from runners.packages import Requirement, folder_of_package, version_of
from runners.settings import Settings, hub_offline
from runners.weights import Weights, is_folder

_BYTES: dict[Dtype, float] = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1, "int8_float16": 1}
"""Bytes a parameter takes in memory."""

WORKING_SHARE = 1.2
"""Activations, the key-value cache and the allocator's slack, as a share of the weights. Whisper large-v3's cross-attention
cache for one window is 8 % of its weights (32 layers x 2 x 1500 frames x 1280 numbers against 1.54 billion)."""
TORCH_PROCESS_BYTES = 600_000_000
"""A process with torch 2.13 and transformers 5.23 holds 0.49 GB before its weights; a CUDA context takes about as much."""
OTHER_PROCESS_BYTES = 300_000_000
"""A process with CTranslate2, PocketSphinx or Moonshine's own runtime."""

_ON_CPU: tuple[Dtype, ...] = ("int8", "float32", "bfloat16")
"""What CPUs compute in, the choice without a setting first; float16 is only stored there."""
_ON_ACCELERATOR: tuple[Dtype, ...] = ("bfloat16", "float16", "int8_float16", "float32", "int8")

_NAMES: dict[DeviceKind, str] = {
    "cpu": "CPU",
    "cuda": "NVIDIA GPU (CUDA)",
    "rocm": "AMD GPU (ROCm)",
    "mps": "Apple GPU (MPS)",
    "xpu": "Intel GPU (XPU)",
}


def availability(spec: RunnerSpec, machine: Machine, settings: Settings) -> Availability:
    """Whether a system can run on this machine under these settings, and where it would be placed.

    ``machine`` is taken as it is: whoever holds warm models that could make room says so with ``Machine.giving_back``.
    """
    try:
        _refuse_switched_off(spec, settings)
        _refuse_missing_packages(spec, spec.requires)
        _refuse_without_gpu(spec, machine)
        weights = _weights_here(spec, settings)
        must_download = weights is None and _comes_from_hub(spec)
        if must_download:
            _refuse_download(spec, settings)
        placement = place(spec, machine, settings, weights)
    except RunnerError as error:
        return Availability("skipped", reason=str(error), fix=error.fix)
    if must_download:
        return Availability("download", download_bytes=spec.size_bytes, placement=placement)
    return Availability("available", placement=placement)


def as_plain(spec: RunnerSpec, found: Availability) -> dict[str, Any]:
    """One system and its availability as plain data, for JSON; unknown is None."""
    return {
        "name": spec.name,
        "label": spec.label,
        "family": spec.family,
        "model": spec.model,
        "revision": spec.revision,
        "parameters": spec.parameters,
        "languages": list(spec.languages) if spec.languages is not None else None,
        "license": spec.license,
        "state": found.state,
        "reason": found.reason,
        "fix": found.fix,
        "download_bytes": found.download_bytes,
        "device": found.placement.device if found.ok else None,
        "dtype": found.placement.dtype if found.ok else None,
        "need_bytes": found.placement.need_bytes if found.ok else None,
    }


def place(spec: RunnerSpec, machine: Machine, settings: Settings, weights: Weights | None = None) -> Placement:
    """Choose device and precision: the first accelerator that has room, else the CPU; a named device alone if one is named.

    Raises:
        UnsupportedOption: the device or the precision that the settings name is not one for this system or machine.
        OutOfMemory: no device has room.
    """
    shortage: tuple[int, Device] | None = None
    refusal: UnsupportedOption | None = None
    for device in _devices(spec, machine, settings):
        try:
            dtype = choose_dtype(spec, device, settings)
        except UnsupportedOption as error:
            refusal = refusal or error
            continue
        need_bytes = needed_bytes(spec, dtype, weights)
        if need_bytes is None or device.free_bytes is None or need_bytes <= device.free_bytes:
            return Placement(device=device.kind, dtype=dtype, need_bytes=need_bytes)
        if shortage is None or device.free_bytes > (shortage[1].free_bytes or 0):  # tell of the roomiest
            shortage = need_bytes, device
    if shortage is not None:
        raise _out_of_memory(spec, *shortage)
    raise refusal or UnsupportedOption(f"{spec.label} runs on no device of this machine.", "Choose another system.")


def choose_dtype(spec: RunnerSpec, device: Device, settings: Settings) -> Dtype:
    """The precision to load in: the setting's, else the fastest that loses nothing to speak of on this device.

    A system with a single precision has nothing to choose, and the setting does not concern it.

    Raises:
        UnsupportedOption: the setting names a precision that the system, or the device, does not compute in.
    """
    by_preference = _ON_CPU if device.kind == "cpu" else _ON_ACCELERATOR
    possible = [dtype for dtype in by_preference if dtype in spec.dtypes and (dtype != "bfloat16" or _has_bfloat16(device))]
    if "torch" in spec.requires:
        possible = [dtype for dtype in possible if dtype != "int8"]
    if not possible:
        raise UnsupportedOption(f"{spec.label} has no precision that the {_NAMES[device.kind]} computes in.", "Choose another.")
    wanted = settings.dtype
    if wanted == "auto" or len(spec.dtypes) == 1:
        return possible[0]
    if wanted in possible:
        return wanted
    whose = spec.label if wanted not in spec.dtypes else f"the {_NAMES[device.kind]}"
    raise UnsupportedOption(
        f"{whose[0].upper()}{whose[1:]} does not compute in {wanted}.",
        f"Set EARSHOT_DTYPE to auto or to one of: {', '.join(d for d in possible if not d.startswith('int8')) or 'none here'}.",
    )


def needed_bytes(spec: RunnerSpec, dtype: Dtype, weights: Weights | None = None) -> int | None:
    """Memory that a model is expected to take in a precision; None if its size is not known.

    From the heads of safetensors files where there are any; else from the files' size and how they are stored; else from
    what the catalogue knows.
    """
    parameters = _parameters(spec, weights)
    if parameters is None:
        return None
    weights_bytes = parameters * _BYTES[dtype]
    file_bytes = spec.size_bytes if weights is None else weights.size_bytes
    if file_bytes is not None and (weights.format == "ctranslate2" if weights else "torch" not in spec.requires):
        weights_bytes = max(weights_bytes, file_bytes)  # CTranslate2 reads the file as it is stored, then converts it
    fixed_bytes = TORCH_PROCESS_BYTES if "torch" in spec.requires else OTHER_PROCESS_BYTES
    return round(WORKING_SHARE * weights_bytes) + fixed_bytes


def gigabytes(count_bytes: int) -> str:
    """A size for people, in decimal units: "7.1 GB", "378 MB"."""
    if count_bytes < 1_000_000_000:
        return f"{count_bytes / 1_000_000:.0f} MB"
    return f"{count_bytes / 1_000_000_000:.1f} GB"


def _refuse_switched_off(spec: RunnerSpec, settings: Settings) -> None:
    # A family's default model by its full name too, and a model with all its revisions.
    if {spec.family, spec.name, f"{spec.family}:{spec.model}"} & set(settings.disabled_runners):
        raise UnsupportedOption(
            "Switched off by whoever runs this page.", "It is named in EARSHOT_DISABLED_RUNNERS; take it out to use it."
        )


def _refuse_missing_packages(spec: RunnerSpec, requires: tuple[str, ...], purpose: str = "") -> None:
    missing = []
    for text in requires:
        requirement = Requirement.read(text)
        origin = folder_of_package(requirement.module)
        if origin is None:
            _refuse_platform(spec, requirement.package)
            missing.append((requirement.package, text))
            continue
        version = version_of(requirement.package)
        if version is not None and not requirement.allows(version):
            raise MissingPackage(
                f"{requirement.package} {version} is installed; {spec.label} needs {text}.", f'pip install "{text}"'
            )
        bundle = BUNDLES.get(requirement.package)
        if bundle is not None and not (origin / bundle.inside).is_dir():
            raise WeightsUnavailable(
                f"The installed {requirement.package} lacks the model that its package should carry.",
                f'pip install --force-reinstall "{text}"',
            )
    if missing:
        names = " and ".join(package for package, _ in missing)
        lines = " ".join(text if text == package else f'"{text}"' for package, text in missing)
        needed_for = f", and needed{purpose}" if purpose else ""
        raise MissingPackage(
            f"{names} {'is' if len(missing) == 1 else 'are'} not installed{needed_for}.", f"pip install {lines}"
        )


def _refuse_platform(spec: RunnerSpec, package: str) -> None:
    bundle = BUNDLES.get(package)
    if bundle is None or not bundle.platforms or (sys.platform, platform.machine()) in bundle.platforms:
        return
    others = [row.label for row in RUNNERS if row.model is None and row.family not in {spec.family, SCRIPTED}]
    raise MissingPackage(
        f"{package} has no wheel for this machine ({platform.system()} {platform.machine()}); it has some for "
        f"{bundle.platforms_say}.",
        f"Use {' or '.join(others)}, which needs no download either." if others else "Choose another system.",
    )


def _refuse_without_gpu(spec: RunnerSpec, machine: Machine) -> None:
    if not spec.needs_gpu or any(device.kind in spec.devices for device in machine.accelerators):
        return
    unknown = "" if machine.probed else " (none was looked for yet)"
    raise UnsupportedOption(
        f"Needs a GPU, and this machine has none that it can use{unknown}.", "Run Earshot on a machine with one."
    )


def _comes_from_hub(spec: RunnerSpec) -> bool:
    return spec.model is not None and spec.family != SCRIPTED and not is_folder(spec.model)


def _weights_here(spec: RunnerSpec, settings: Settings) -> Weights | None:
    """What is on this machine; None if nothing need be, or if it would have to be downloaded."""
    if spec.model is None or spec.family == SCRIPTED:
        return None
    weights = hub.read_folder(spec.model) if is_folder(spec.model) else hub.cached_weights(spec.model, spec.revision)
    expected = CHECKPOINTS.get(spec.family)
    if weights is None or expected is None:
        return weights
    if expected.fits(weights.model_type, weights.architectures, weights.format):
        if weights.format in expected.converts:
            _refuse_missing_packages(spec, expected.converting_requires, " to convert the model")
        return weights
    found = weights.model_type or (weights.architectures[0] if weights.architectures else weights.format)
    others = [
        family
        for family, each in CHECKPOINTS.items()
        if family != spec.family and each.fits(weights.model_type, weights.architectures, weights.format)
    ]
    known = others and (weights.model_type is not None or weights.format == "ctranslate2")
    name = spec.name.partition(":")[2]
    raise WeightsUnavailable(
        f"{weights.folder.name if is_folder(spec.model) else spec.model} holds a model of type {found!r}, not {expected.says}.",
        f"Name it as {' or '.join(f'{family}:{name}' for family in others)}." if known else "Name another model.",
    )


def _refuse_download(spec: RunnerSpec, settings: Settings) -> None:
    elsewhere = f"or name a folder that holds them: {spec.family}:FOLDER"
    if not settings.downloads:
        allow = "unset HF_HUB_OFFLINE" if hub_offline() else "turn downloads on (EARSHOT_DOWNLOADS=1)"
        raise WeightsUnavailable(
            "Its weights are not on this machine, and downloads are off.", f"{allow[0].upper()}{allow[1:]}, {elsewhere}."
        )
    if hub_offline():
        raise WeightsUnavailable(
            "Its weights are not on this machine, and HF_HUB_OFFLINE is set.", f"Unset HF_HUB_OFFLINE, {elsewhere}."
        )
    if spec.gated and not hub.has_token():
        raise WeightsUnavailable(
            "Its licence must be accepted on the hub, and nobody is logged in there.",
            f"Accept it at https://huggingface.co/{spec.model}, then log in: hf auth login, or set HF_TOKEN.",
        )
    free_bytes = _disk_free_bytes(hub.cache_folder())
    if spec.size_bytes is not None and free_bytes is not None and spec.size_bytes > free_bytes:
        raise WeightsUnavailable(
            f"The download takes {gigabytes(spec.size_bytes)} on the disk, {gigabytes(free_bytes)} are free.",
            f"Free some on the disk of {hub.cache_folder()}, or set HF_HOME to another.",
        )


def _devices(spec: RunnerSpec, machine: Machine, settings: Settings) -> Iterator[Device]:
    """The devices to try, best first."""
    if settings.device != "auto":
        device = machine.device(settings.device)
        # A system that knows the CPU alone runs there; the setting chooses among devices, it does not ban systems.
        if settings.device not in spec.devices and spec.devices == ("cpu",):
            device = machine.device("cpu")
        elif settings.device not in spec.devices:
            raise UnsupportedOption(
                f"{spec.label} does not run on the {_NAMES[settings.device]}.", "Set EARSHOT_DEVICE to auto."
            )
        if device is None:
            have = ", ".join(dict.fromkeys(_NAMES[each.kind] for each in machine.devices))
            why = "" if machine.probed else " (GPUs were not looked for yet)"
            raise UnsupportedOption(
                f"This machine has no {_NAMES[settings.device]}{why}; it has: {have}.", "Set EARSHOT_DEVICE to auto."
            )
        yield device
        return
    tried: set[DeviceKind] = set()
    for device in machine.devices:
        if device.kind in spec.devices and device.kind not in tried and not (device.kind == "cpu" and spec.needs_gpu):
            tried.add(device.kind)
            yield device


def _has_bfloat16(device: Device) -> bool:
    return device.kind == "cpu" or device.has_bfloat16  # slow on most CPUs, but right; chosen only where it is set


def _parameters(spec: RunnerSpec, weights: Weights | None) -> float | None:
    if weights is not None and weights.parameters is not None:
        return weights.parameters
    if spec.parameters is not None:
        return spec.parameters
    if weights is not None:
        usual_bits = 16 if weights.format == "ctranslate2" else 32
        return weights.size_bytes * 8 / (weights.stored_bits or usual_bits)
    return spec.size_bytes / 4 if spec.size_bytes is not None else None


def _out_of_memory(spec: RunnerSpec, need_bytes: int, device: Device) -> OutOfMemory:
    where = "" if device.kind == "cpu" else f" on the {_NAMES[device.kind]}"
    smaller = [
        row.label for row in RUNNERS if row.family == spec.family and row.parameters and row.parameters < (spec.parameters or 0)
    ]
    advice = "choose a smaller model" + (f" such as {smaller[0]}" if smaller else "")
    if device.kind == "cpu" and {"bfloat16", "int8"} & set(spec.dtypes) and "int8" not in spec.dtypes:
        advice += ", or half the precision (EARSHOT_DTYPE=bfloat16)"
    return OutOfMemory(
        f"Needs {gigabytes(need_bytes)}, {gigabytes(device.free_bytes or 0)} free{where}.",
        f"Free some memory, {advice}.",
    )


def _disk_free_bytes(folder: Path) -> int | None:
    """Room on the disk where a folder is or would be made."""
    for place_ in (folder, *folder.absolute().parents):
        try:
            return shutil.disk_usage(place_).free
        except OSError:
            continue
    return None
