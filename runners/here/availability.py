"""Whether a system can run here, now: available, after a download, or skipped with the reason and the fix.

Looks at installed packages, folders, the hub's cache, memory and the disk. Imports nothing heavy, never reaches the
network, and never raises: what it cannot find out, it leaves to loading.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from runners.base import Availability, RunnerError, RunnerSpec, Server, UnsupportedOption
from runners.catalogue.licenses import is_open
from runners.catalogue.names import check_family
from runners.catalogue.rows import CHECKPOINTS, SCRIPTED
from runners.here.machine import Machine
from runners.here.packages import refuse_missing
from runners.here.places import place
from runners.here.weights import Weights, is_folder
from runners.hub import cache
from runners.hub.downloadable import comes_from_hub, left_to_download, refuse_download
from runners.settings import Settings


def availability(
    spec: RunnerSpec, machine: Machine, settings: Settings, *, clip_seconds: float | None = None, chat: bool = False
) -> Availability:
    """Whether a system can run on this machine under these settings, and where it would be placed.

    A key-value cache for ``clip_seconds`` of audio is part of the need, for as much of the clip as the system takes at
    once when it transcribes, or when it is asked about all of it (``chat``); None counts a short clip.

    ``machine`` is taken as it is: whoever holds warm models that could make room says so with ``Machine.giving_back``.
    """
    try:
        _refuse_switched_off(spec, settings)
        refuse_missing(spec, spec.requires)
        if spec.server is not None:
            _refuse_without_key(spec.server)
            return Availability("available")  # whether the server answers is found out when it is asked
        _refuse_without_gpu(spec, machine)
        weights = weights_here(spec, settings)
        must_download = weights is None and comes_from_hub(spec)
        left_bytes = left_to_download(spec) if must_download else None
        if must_download:
            refuse_download(spec, settings, left_bytes)
        placement = place(spec, machine, settings, weights, clip_seconds=clip_seconds, chat=chat)
    except RunnerError as error:
        return Availability("skipped", reason=str(error), fix=error.fix)
    if must_download:
        return Availability("download", download_bytes=left_bytes, placement=placement)
    return Availability("available", placement=placement)


def as_plain(spec: RunnerSpec, found: Availability) -> dict[str, Any]:
    """One system and its availability as plain data, for JSON; unknown is None. Of a server it gives the name alone."""
    here = found.ok and spec.server is None
    return {
        "name": spec.name,
        "label": spec.label,
        "family": spec.family,
        "model": spec.model,
        "revision": spec.revision,
        "parameters": spec.parameters,
        "languages": list(spec.languages) if spec.languages is not None else None,
        "understands_others": spec.understands_others,
        "license": spec.license,
        "license_is_open": is_open(spec.license),
        "size_bytes": spec.size_bytes,
        "gated": spec.gated,
        "needs_gpu": spec.needs_gpu,
        "dtypes": list(spec.dtypes),
        "devices": list(spec.devices),
        "can_choose_language": spec.can_choose_language,
        "assumes_language": spec.assumes_language,
        "translates_to": list(spec.translates_to),
        "translates_from_told": spec.translates_from_told,
        "is_streaming": spec.is_streaming,
        "has_word_times": spec.has_word_times,
        "has_segment_times": spec.has_segment_times,
        "takes_prompt": spec.takes_prompt,
        "can_chat": spec.can_chat,
        "longest_transcribed_seconds": spec.longest_transcribed_seconds,
        "beyond": spec.beyond,
        "longest_prompt_seconds": spec.longest_prompt_seconds,
        "tested": spec.tested,
        "asked_dtype": spec.asked_dtype,
        "asked_device": spec.asked_device,
        "server": spec.server.name if spec.server is not None else None,
        "state": found.state,
        "reason": found.reason,
        "fix": found.fix,
        "download_bytes": found.download_bytes,
        "device": found.placement.device if here else None,
        "dtype": found.placement.dtype if here else None,
        "spread": found.placement.spread if here else None,
        "need_bytes": found.placement.need_bytes if here else None,
    }


def _refuse_switched_off(spec: RunnerSpec, settings: Settings) -> None:
    # A family's default model by its full name too, a model with all its revisions, and all of that at any precision.
    model = f"{spec.family}:{spec.model}"
    where = spec.server.name if spec.server is not None else spec.revision
    as_it_is = replace(spec, asked_dtype=None, asked_device=None).name
    if {spec.family, spec.name, as_it_is, model, f"{model}@{where}"} & set(settings.disabled_runners):
        raise UnsupportedOption(
            "Switched off by whoever runs this page.", "It is named in EARSHOT_DISABLED_RUNNERS; take it out to use it."
        )


def _refuse_without_key(server: Server) -> None:
    if server.key_variable is not None and not os.environ.get(server.key_variable, "").strip():
        raise UnsupportedOption(
            f"The server “{server.name}” wants a key, and none is set.",
            f"Whoever runs this sets the environment variable {server.key_variable}.",
        )


def _refuse_without_gpu(spec: RunnerSpec, machine: Machine) -> None:
    if not spec.needs_gpu or any(device.kind in spec.devices for device in machine.accelerators):
        return
    unknown = "" if machine.probed else " (none was looked for yet)"
    raise UnsupportedOption(
        f"Needs a GPU, and this machine has none that it can use{unknown}.", "Run Earshot on a machine with one."
    )


def weights_here(spec: RunnerSpec, settings: Settings) -> Weights | None:
    """What is on this machine; None if nothing need be, or if it would have to be downloaded."""
    if spec.model is None or spec.family == SCRIPTED:
        return None
    if is_folder(spec.model):
        weights: Weights | None = cache.read_folder(spec.model, spec.folders)
    else:
        weights = cache.cached_weights(spec.model, spec.revision, spec.folders)
    if weights is None:
        return None
    check_family(spec, weights.model_type, weights.architectures, weights.format)
    expected = CHECKPOINTS.get(spec.family)
    if expected is not None and weights.format in expected.converts:
        refuse_missing(spec, expected.converting_requires, " to convert the model")
    return weights
