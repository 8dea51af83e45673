"""Whether a system can run here, now: available, after a download, or skipped with the reason and the fix.

Looks at installed packages, folders, the hub's cache, memory and the disk. Imports nothing heavy, never reaches the
network, and never raises: what it cannot find out, it leaves to loading.

What a model needs is an estimate, made to err on the side of trying::

    need = 1.2 x parameters x bytes of the precision + what its libraries take in a process

Where a language model hears, the cache of this clip is counted apart, and no longer in the fifth::

    need = parameters x bytes + 8 % of it in half precision + tokens x bytes a token + the libraries
"""

from __future__ import annotations

import math
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
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
from runners.catalogue import BUNDLES, CHECKPOINTS, RUNNERS, SCRIPTED, check_family
from runners.checkpoint import SPREAD_RESERVE_BYTES
from runners.machine import Device, Machine
from runners.memory import OWN_MEMORY
from runners.packages import Requirement, folder_of_package, version_of
from runners.settings import Settings, hub_offline
from runners.weights import Weights, is_folder

_BYTES: dict[Dtype, float] = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1, "int8_float16": 1, "int4": 0.5625}
"""Bytes a parameter takes in memory; in 4 bits bitsandbytes keeps a float32 besides for each 64 of them."""

WORKING_SHARE = 1.2
"""Activations, the key-value cache and the allocator's slack, as a share of the weights. Whisper large-v3's cross-attention
cache for one window is 8 % of its weights (32 layers x 2 x 1500 frames x 1280 numbers against 1.54 billion)."""
CHAT_WORKING_SHARE = 0.08
"""The same where the cache is counted apart. Phi-4-multimodal's encoder takes 0.4 GB for 40 s of audio, in half precision."""
TEXT_TOKENS = 1024
"""Tokens of text counted with a clip: its prompt, and an answer as long as ``ChatOptions.most_tokens``."""
TORCH_PROCESS_BYTES = 600_000_000
"""A process with torch 2.13 and transformers 5.23 holds 0.49 GB before its weights; a CUDA context takes about as much."""
OTHER_PROCESS_BYTES = 300_000_000
"""A process with CTranslate2, PocketSphinx or Moonshine's own runtime."""

_ON_CPU: tuple[Dtype, ...] = ("int8", "float32", "bfloat16")
"""What CPUs compute in, the choice without a setting first; float16 is only stored there."""
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

_NAMES: dict[DeviceKind, str] = {
    "cpu": "CPU",
    "cuda": "NVIDIA GPU (CUDA)",
    "rocm": "AMD GPU (ROCm)",
    "mps": "Apple GPU (MPS)",
    "xpu": "Intel GPU (XPU)",
}


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


def availability(
    spec: RunnerSpec, machine: Machine, settings: Settings, *, clip_seconds: float | None = None, chat: bool = False
) -> Availability:
    """Whether a system can run on this machine under these settings, and where it would be placed.

    A key-value cache for ``clip_seconds`` of audio is part of the need, for as much of the clip as the system takes at
    once when it transcribes, or when it is asked about it (``chat``); None counts a short clip.

    ``machine`` is taken as it is: whoever holds warm models that could make room says so with ``Machine.giving_back``.
    """
    try:
        _refuse_switched_off(spec, settings)
        _refuse_missing_packages(spec, spec.requires)
        _refuse_without_gpu(spec, machine)
        weights = _weights_here(spec, settings)
        must_download = weights is None and _comes_from_hub(spec)
        left_bytes = _left_to_download(spec) if must_download else None
        if must_download:
            _refuse_download(spec, settings, left_bytes)
        placement = place(spec, machine, settings, weights, clip_seconds=clip_seconds, chat=chat)
    except RunnerError as error:
        return Availability("skipped", reason=str(error), fix=error.fix)
    if must_download:
        return Availability("download", download_bytes=left_bytes, placement=placement)
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
        "takes_prompt": spec.takes_prompt,
        "can_chat": spec.can_chat,
        "state": found.state,
        "reason": found.reason,
        "fix": found.fix,
        "download_bytes": found.download_bytes,
        "device": found.placement.device if found.ok else None,
        "dtype": found.placement.dtype if found.ok else None,
        "spread": found.placement.spread if found.ok else None,
        "need_bytes": found.placement.need_bytes if found.ok else None,
    }


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
    of it; then the CPU. A named device is the only one tried. ``clip_seconds`` and ``chat`` as for ``availability``.

    Raises:
        UnsupportedOption: the device or the precision that the settings name is not one for this system or machine.
        MissingPackage: the precision that they name needs one.
        OutOfMemory: no place has room.
    """
    tokens = cached_tokens(spec, weights, clip_seconds, chat=chat)
    shortages: list[tuple[int, _Room]] = []
    refusal: RunnerError | None = None
    for room in _rooms(spec, machine, settings):
        try:
            dtypes = precisions(spec, room.device, settings)
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


def precisions(spec: RunnerSpec, device: Device, settings: Settings) -> tuple[Dtype, ...]:
    """The precisions to try, best first: the setting's alone, else those that lose nothing to speak of on this device.

    A system with a single precision has nothing to choose, and the setting does not concern it. Layers in 8 or 4 bits
    (``int8`` and ``int4`` with PyTorch) are taken only if the setting asks: they lose accuracy. A system that has none
    keeps its best precision then: the setting makes the large models fit, it does not ban the small ones.

    Raises:
        UnsupportedOption: the setting names a precision that the system, or the device, does not compute in.
        MissingPackage: the setting names one that needs a package.
    """
    by_preference = _ON_CPU if device.kind == "cpu" else _ON_ACCELERATOR
    possible = [dtype for dtype in by_preference if dtype in spec.dtypes and (dtype != "bfloat16" or _has_bfloat16(device))]
    if _is_quantised_on_request(spec):
        possible = [dtype for dtype in possible if dtype not in _QUANTISED]
    if not possible:
        raise UnsupportedOption(f"{spec.label} has no precision that the {_NAMES[device.kind]} computes in.", "Choose another.")
    wanted = settings.dtype
    if wanted == "auto" or len(spec.dtypes) == 1 or (wanted in _QUANTISED and wanted not in spec.dtypes):
        return tuple(possible)
    if wanted in possible:
        return (wanted,)
    if wanted in spec.dtypes and _is_quantised_on_request(spec) and device.kind in _QUANTISED.get(wanted, ()):
        _refuse_missing_packages(spec, (QUANTISER,), f" for {wanted}")
        return (wanted,)
    whose = spec.label if wanted not in spec.dtypes else f"the {_NAMES[device.kind]}"
    raise UnsupportedOption(
        f"{whose[0].upper()}{whose[1:]} does not compute in {wanted}.",
        f"Set EARSHOT_DTYPE to auto or to one of: {', '.join(d for d in possible if not d.startswith('int8')) or 'none here'}.",
    )


def cached_tokens(spec: RunnerSpec, weights: Weights | None, clip_seconds: float | None, *, chat: bool) -> int:
    """Places in the key-value cache that one turn about a clip takes; 0 for a system that has no such cache.

    A clip that is longer than the system takes at once is cut, and only a piece of it is in the cache. Without a clip
    it is a short one: as long as is transcribed at once.
    """
    if spec.audio_tokens_per_second is None:
        return 0
    longest_seconds = spec.longest_prompt_seconds if chat else spec.longest_transcribed_seconds
    seconds = clip_seconds if clip_seconds is not None else (spec.longest_transcribed_seconds or 30.0)
    if longest_seconds is not None:
        seconds = min(seconds, longest_seconds)
    tokens = round(seconds * spec.audio_tokens_per_second) + TEXT_TOKENS
    return min(tokens, weights.context_tokens) if weights is not None and weights.context_tokens is not None else tokens


def needed_bytes(spec: RunnerSpec, dtype: Dtype, weights: Weights | None = None, tokens: int = 0) -> int | None:
    """Memory that a model is expected to take in a precision, with ``tokens`` in its cache; None if its size is not known.

    From the heads of safetensors files where there are any; else from the files' size and how they are stored; else from
    what the catalogue knows.
    """
    parameters = _parameters(spec, weights)
    if parameters is None:
        return None
    weights_bytes = parameters * _BYTES[dtype]
    if dtype in _QUANTISED and _is_quantised_on_request(spec):
        layers = _layers_parameters(spec, weights, parameters)
        weights_bytes = layers * _BYTES[dtype] + (parameters - layers) * _BYTES["bfloat16"]
    file_bytes = spec.size_bytes if weights is None else weights.size_bytes
    if file_bytes is not None and (weights.format == "ctranslate2" if weights else "torch" not in spec.requires):
        weights_bytes = max(weights_bytes, file_bytes)  # CTranslate2 reads the file as it is stored, then converts it
    fixed_bytes = TORCH_PROCESS_BYTES if "torch" in spec.requires else OTHER_PROCESS_BYTES
    if spec.audio_tokens_per_second is None:
        return round(WORKING_SHARE * weights_bytes) + fixed_bytes
    # Where the layers are in 8 or 4 bits, everything else is in 16.
    working_bytes = CHAT_WORKING_SHARE * parameters * (4 if dtype == "float32" else 2)
    return round(weights_bytes + working_bytes) + tokens * _cache_bytes_per_token(spec, weights, dtype) + fixed_bytes


def gigabytes(count_bytes: int) -> str:
    """A size for people, in decimal units: "7.1 GB", "378 MB"."""
    if count_bytes < 1_000_000_000:
        return f"{count_bytes / 1_000_000:.0f} MB"
    return f"{count_bytes / 1_000_000_000:.1f} GB"


def _refuse_switched_off(spec: RunnerSpec, settings: Settings) -> None:
    # A family's default model by its full name too, and a model with all its revisions.
    model = f"{spec.family}:{spec.model}"
    if {spec.family, spec.name, model, f"{model}@{spec.revision}"} & set(settings.disabled_runners):
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
    if is_folder(spec.model):
        weights: Weights | None = hub.read_folder(spec.model, spec.folders)
    else:
        weights = hub.cached_weights(spec.model, spec.revision, spec.folders)
    if weights is None:
        return None
    check_family(spec, weights.model_type, weights.architectures, weights.format)
    expected = CHECKPOINTS.get(spec.family)
    if expected is not None and weights.format in expected.converts:
        _refuse_missing_packages(spec, expected.converting_requires, " to convert the model")
    return weights


def _left_to_download(spec: RunnerSpec) -> int | None:
    if spec.size_bytes is None:
        return None
    return max(0, spec.size_bytes - hub.present_bytes(spec.model or "", spec.revision))


def _refuse_download(spec: RunnerSpec, settings: Settings, left_bytes: int | None) -> None:
    elsewhere = f"or name a folder that holds them: {spec.family}:FOLDER"
    part = hub.missing_part(spec.model or "", spec.revision, spec.folders)
    here = "Its weights are not on this machine" if part is None else f"What is on this machine of its weights {part}"
    if not settings.downloads:
        allow = "unset HF_HUB_OFFLINE" if hub_offline() else "turn downloads on (EARSHOT_DOWNLOADS=1)"
        raise WeightsUnavailable(f"{here}, and downloads are off.", f"{allow[0].upper()}{allow[1:]}, {elsewhere}.")
    if hub_offline():
        raise WeightsUnavailable(f"{here}, and HF_HUB_OFFLINE is set.", f"Unset HF_HUB_OFFLINE, {elsewhere}.")
    if spec.gated and not hub.has_token():
        raise WeightsUnavailable(
            "Its licence must be accepted on the hub, and nobody is logged in there.",
            f"Accept it at https://huggingface.co/{spec.model}, then log in: hf auth login, or set HF_TOKEN.",
        )
    free_bytes = _disk_free_bytes(hub.cache_folder())
    if left_bytes is not None and free_bytes is not None and left_bytes > free_bytes:
        raise WeightsUnavailable(
            f"The download takes {gigabytes(left_bytes)} on the disk, {gigabytes(free_bytes)} are free.",
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
    for device in machine.devices:
        if device.kind in spec.devices and not (device.kind == "cpu" and spec.needs_gpu):
            yield device


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


def _has_bfloat16(device: Device) -> bool:
    return device.kind == "cpu" or device.has_bfloat16  # slow on most CPUs, but right; chosen only where it is set


def _is_quantised_on_request(spec: RunnerSpec) -> bool:
    """True where 8 and 4 bits are bitsandbytes' work; other libraries have precisions of their own of these names."""
    return "torch" in spec.requires


def _parameters(spec: RunnerSpec, weights: Weights | None) -> float | None:
    if weights is not None and weights.parameters is not None:
        return weights.parameters
    if spec.parameters is not None:
        # A row may count parts that are not fetched; what is fetched holds two bytes a parameter at the least.
        fetched = spec.size_bytes / 2 if spec.size_bytes is not None and "torch" in spec.requires else spec.parameters
        return min(spec.parameters, fetched)
    if weights is not None:
        usual_bits = 16 if weights.format == "ctranslate2" else 32
        return weights.size_bytes * 8 / (weights.stored_bits or usual_bits)
    return spec.size_bytes / 4 if spec.size_bytes is not None else None


def _cache_bytes_per_token(spec: RunnerSpec, weights: Weights | None, dtype: Dtype) -> int:
    """What a token takes in the key-value cache, as far as the files or the catalogue say."""
    if weights is not None:
        return weights.cache_bytes_per_token(dtype) or 0
    heard = CHECKPOINTS.get(spec.family)
    numbers = heard.cached_numbers if heard is not None else None
    return (numbers or 0) * (4 if dtype == "float32" else 2)


def _layers_parameters(spec: RunnerSpec, weights: Weights | None, parameters: float) -> float:
    """How many of the parameters 8 and 4 bits concern: those in the decoder's layers."""
    if weights is not None:
        return weights.layers_parameters or 0
    heard = CHECKPOINTS.get(spec.family)
    return parameters * (heard.layers_share or 0 if heard is not None else 0)


def _out_of_memory(
    spec: RunnerSpec, need_bytes: int, device: Device, settings: Settings, weights: Weights | None, tokens: int
) -> OutOfMemory:
    """The shortage on the roomiest device, and what would fit there."""
    where = "" if device.kind == "cpu" else f" on the {_NAMES[device.kind]}"
    free_bytes = device.free_bytes or 0
    in_4_bits_bytes = needed_bytes(spec, "int4", weights, tokens)
    cache_bytes = tokens * _cache_bytes_per_token(spec, weights, "float32" if settings.dtype == "float32" else "bfloat16")
    shorter_bytes = need_bytes - cache_bytes + cache_bytes * TEXT_TOKENS // max(1, tokens)
    smaller = [
        row.label for row in RUNNERS if row.family == spec.family and row.parameters and row.parameters < (spec.parameters or 0)
    ]
    advice = ["free some memory"]
    if tokens > 2 * TEXT_TOKENS and shorter_bytes <= free_bytes:
        advice.append("take a shorter clip")
    if settings.dtype == "float32" and "bfloat16" in spec.dtypes:
        advice.append("take half the precision (EARSHOT_DTYPE=bfloat16)")
    if (
        "int4" in spec.dtypes
        and settings.dtype != "int4"
        and device.kind in _QUANTISED["int4"]
        and in_4_bits_bytes is not None
        and in_4_bits_bytes <= free_bytes
    ):
        package = Requirement.read(QUANTISER)
        first = f', after pip install "{QUANTISER}"' if folder_of_package(package.module) is None else ""
        slow = ", slow on a CPU" if device.kind == "cpu" else ""
        advice.append(f"load it in 4 bits (EARSHOT_DTYPE=int4: {gigabytes(in_4_bits_bytes)}{slow}{first})")
    advice.append("choose a smaller model" + (f" such as {smaller[0]}" if smaller else ""))
    said = ", ".join(advice[:-1]) + (", or " if len(advice) > 2 else " or ") + advice[-1]
    return OutOfMemory(f"Needs {gigabytes(need_bytes)}, {gigabytes(free_bytes)} free{where}.", f"{said[0].upper()}{said[1:]}.")


def _disk_free_bytes(folder: Path) -> int | None:
    """Room on the disk where a folder is or would be made."""
    for place_ in (folder, *folder.absolute().parents):
        try:
            return shutil.disk_usage(place_).free
        except OSError:
            continue
    return None
