"""Low-rank adapters (LoRA, Hu et al. 2021) that lie in a folder inside a checkpoint: loaded through peft, checked, merged.

An adapter that is missing, half there or untrained raises nothing by itself: the network runs without it, and answers as
if it had never learnt to hear. So what was loaded is compared with what was to be loaded, and each doubt is an error.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from runners.base import ModelLoadError, OutOfMemory, Placement, Progress
from runners.networks import checkpoint

ADAPTER_NAME = "hearing"
"""peft puts it into the names of the weights. Not "speech": transformers then takes the network's own ``…_for_speech`` for
parts of the adapter, and logs them as newly initialised, which they are not."""
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")

_WRAPPED = "base_model.model."
"""Begins each name where peft saved its own wrapping of the network; others save the network's names. Both are loaded."""
_FETCH = "Fetch the folder again, all of its files."


def attach(model: Any, weights: Path, folder: str, placement: Placement, progress: Progress) -> str:
    """Load the adapter ``weights/folder`` into a model, activate it, and merge it where that loses nothing.

    Merged into the weights it costs nothing at each token. That needs some hundred megabytes for a moment, and weights
    that are neither rounded to few bits nor kept elsewhere.

    Returns:
        What became of it, for a reader: "speech-lora merged into the weights".

    Raises:
        ModelLoadError: files are missing or damaged, of other shapes, for another model, or were never trained.
        OutOfMemory: it does not fit.
    """
    home = weights / folder
    checkpoint.require_files(home, "adapter", ADAPTER_FILES)
    with checkpoint.loading(home):
        _load(model, weights, folder)
    progress.check()
    return settle(model, weights, folder, placement, progress)


def settle(model: Any, weights: Path, folder: str, placement: Placement, progress: Progress) -> str:
    """Check an adapter that is loaded and active, under the name ``ADAPTER_NAME``, and merge it where that loses nothing.

    For checkpoints with an adapter beside the weights, ``folder`` being ".": transformers loads it with the model.

    Returns and raises as ``attach``.
    """
    home = weights / folder
    checkpoint.require_files(home, "adapter", ADAPTER_FILES)
    with checkpoint.loading(home):
        held = _names_in(home / ADAPTER_FILES[1])
    _refuse_foreign(model, held, home)
    _drop_untrained(model, held)
    what = "adapter" if folder == "." else folder
    if placement.spread:
        _bring_near(model, home)
        return f"{what} not merged into the weights, because they are spread over several devices: somewhat slower"
    if placement.dtype in ("int8", "int4"):
        return f"{what} not merged into the weights, because they are rounded to {placement.dtype}: somewhat slower"
    try:
        _merge(model, home, progress)
    except OutOfMemory:
        return f"{what} not merged into the weights, because memory is short: somewhat slower"
    return f"{what} merged into the weights"


def adapted(model: Any) -> dict[str, Any]:
    """The modules that carry an adapter, by name."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return {name: module for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)}


def _load(model: Any, weights: Path, folder: str) -> None:
    try:
        loaded = model.load_adapter(
            str(weights), adapter_name=ADAPTER_NAME, adapter_kwargs={"subfolder": folder, "local_files_only": True}
        )
    except RuntimeError as error:
        if "mismatch" in str(error):
            raise ModelLoadError(f"The adapter in {weights / folder} has other shapes than the model.", _FETCH) from error
        raise
    if loaded.mismatched_keys:
        raise ModelLoadError(f"The adapter in {weights / folder} has other shapes than the model.", _FETCH)
    if loaded.unexpected_keys:
        some = ", ".join(sorted(loaded.unexpected_keys)[:2])
        raise ModelLoadError(
            f"The adapter in {weights / folder} is for another model: it adapts {some}, which this one does not have.",
            "Use the adapter that was published with these weights.",
        )
    model.set_adapter(ADAPTER_NAME)


def _names_in(path: Path) -> dict[str, set[str]]:
    """What an adapter's file adapts: name of the module in the model to the parts there, such as "lora_A" and "lora_B"."""
    from safetensors import safe_open

    held: dict[str, set[str]] = {}
    with safe_open(str(path), "pt") as tensors:
        for name in tensors.keys():  # noqa: SIM118  # not a mapping
            module, found, part = name.removeprefix(_WRAPPED).partition(".lora_")
            if found:
                held.setdefault(module, set()).add("lora_" + part.partition(".")[0])
    return held


def _refuse_foreign(model: Any, held: dict[str, set[str]], home: Path) -> None:
    there = adapted(model)
    if not held or not there:
        raise ModelLoadError(f"The adapter in {home} adapts nothing of this model.", _FETCH)
    # Its configuration may name modules by an ending that other parts of the model share. Those outside of what its file
    # covers are none of its business; a gap inside is damage.
    stacks = {_stack(name) for name in held}
    gaps = sorted(name for name in there if _stack(name) in stacks and held.get(name, set()) < {"lora_A", "lora_B"})
    if gaps:
        raise ModelLoadError(
            f"The adapter in {home} lacks {len(gaps)} of its parts, such as {gaps[0]}.",
            "They would be random numbers. " + _FETCH,
        )
    if not any(bool(module.lora_B[ADAPTER_NAME].weight.any()) for name, module in there.items() if name in held):
        raise ModelLoadError(
            f"The adapter in {home} is empty: all of its B matrices are zero, so it changes nothing.",
            "Some conversions lose them. Take the adapter as it was published, or convert it again.",
        )


def _stack(name: str) -> str:
    """The stack of layers that a module belongs to: "model.layers" of "model.layers.3.mlp.down_proj"."""
    return re.split(r"\.\d+(?:\.|$)", name)[0]


def _drop_untrained(model: Any, held: dict[str, set[str]]) -> None:
    for name, module in adapted(model).items():
        if name not in held:
            model.set_submodule(name, module.get_base_layer())


def _bring_near(model: Any, home: Path) -> None:
    """Put each part of the adapter where its layer computes.

    accelerate fetches the weights of a layer that lies elsewhere whenever it is its turn, but knows nothing of an adapter
    that came later: its parts would stay behind, on another device or with no numbers at all.
    """
    import torch
    from safetensors import safe_open

    with checkpoint.loading(home), safe_open(str(home / ADAPTER_FILES[1]), "pt") as tensors:
        stored = {name.removeprefix(_WRAPPED): name for name in tensors.keys()}  # noqa: SIM118  # not a mapping
        for name, module in adapted(model).items():
            hook = getattr(module.get_base_layer(), "_hf_hook", None)
            device = getattr(hook, "execution_device", None)
            for part in ("lora_A", "lora_B"):
                linear = getattr(module, part)[ADAPTER_NAME]
                if device is None or linear.weight.device == torch.device(device):
                    continue
                numbers = tensors.get_tensor(stored[f"{name}.{part}.weight"])
                linear.weight = torch.nn.Parameter(numbers.to(device, linear.weight.dtype), requires_grad=False)


def _merge(model: Any, home: Path, progress: Progress) -> None:
    for module in adapted(model).values():
        progress.check()
        with checkpoint.memory_limits():
            try:
                module.merge(safe_merge=True)
            except ValueError as error:  # numbers that are none, in the adapter or in the weights
                raise ModelLoadError(f"The adapter in {home} is damaged: {error}", _FETCH) from error
    # Only now, so that a shortage on the way leaves a model that works: what is merged then knows that it is.
    for name, module in adapted(model).items():
        model.set_submodule(name, module.get_base_layer())
    model.peft_config = {}
    model._hf_peft_config_loaded = False
