"""A folder with a transformers checkpoint: what it holds, and how it is loaded without surprises.

Shared by the runners that load one. Damaged, incomplete and foreign folders are refused by name, because transformers
itself fills what is missing with random numbers, and a random head transcribes too. Knows nothing of audio.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runners.base import MissingPackage, ModelLoadError, OutOfMemory, Placement, UnsupportedOption

CTRANSLATE2_WEIGHTS = "model.bin"
"""Name of CTranslate2's weights; a transformers checkpoint never has a file of this name."""

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")

_TRAINING_ONLY = ("masked_spec_embed",)
"""Weights used in training alone; several published wav2vec2 checkpoints lack them."""

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory", "bad_alloc")


def read_config(weights: Path | None, family: str) -> tuple[Path, dict[str, Any]]:
    """Return the folder and its ``config.json``.

    Raises:
        ModelLoadError: there is no such folder, or its configuration is missing or unreadable.
    """
    if weights is None or not weights.is_dir():
        raise ModelLoadError(
            f"{weights} is not a folder." if weights else "No weights were given.", f"Name one: {family}:FOLDER."
        )
    path = weights / "config.json"
    if not path.is_file():
        raise ModelLoadError(f"{weights} has no config.json, so it is not a checkpoint.", "Choose a folder that has one.")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"{path} cannot be read: {error}", "Fetch the checkpoint again.") from error
    if not isinstance(config, dict):
        raise ModelLoadError(f"{path} does not hold a configuration.", "Fetch the checkpoint again.")
    return weights, config


def family_of(weights: Path, config: dict[str, Any]) -> str | None:
    """Say which family of runners a folder is for; None if for none that is known."""
    if (weights / CTRANSLATE2_WEIGHTS).is_file():
        return "faster-whisper"
    if config.get("model_type") == "whisper":
        return "whisper"
    if any(str(name).endswith("ForCTC") for name in config.get("architectures") or ()):
        return "ctc"
    return None


def foreign(weights: Path, config: dict[str, Any], wanted: str) -> ModelLoadError:
    """Build the error for a checkpoint of another family; ``wanted`` says what was expected, "a Whisper checkpoint"."""
    other = family_of(weights, config)
    if other == "faster-whisper":
        found = "a CTranslate2 model"
    elif config.get("model_type"):
        found = f"a {config['model_type']} checkpoint"
    else:
        found = "a checkpoint of unknown kind"
    fix = f"Use {other}:{weights}." if other else "Choose another checkpoint or another system."
    return ModelLoadError(f"{weights} is {found}, not {wanted}.", fix)


def require_weights(weights: Path) -> None:
    """Refuse a folder without weights, or with a part of them missing.

    Raises:
        ModelLoadError: naming the files.
    """
    found = next((weights / name for name in _WEIGHTS if (weights / name).is_file()), None)
    if found is None:
        raise ModelLoadError(
            f"{weights} has no weights (no model.safetensors, no pytorch_model.bin).", "Fetch the checkpoint again."
        )
    if found.suffix == ".json":
        try:
            parts = set(json.loads(found.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelLoadError(f"{found} cannot be read: {error}", "Fetch the checkpoint again.") from error
        missing = sorted(str(part) for part in parts if not (weights / str(part)).is_file())
        if missing:
            raise ModelLoadError(f"{weights} lacks {', '.join(missing)}.", "Fetch the checkpoint again.")


def require_files(weights: Path, what: str, *choices: tuple[str, ...]) -> None:
    """Refuse a folder that has none of the ``choices`` of files complete.

    Raises:
        ModelLoadError: naming ``what`` is missing and the files that would do.
    """
    if not any(all((weights / name).is_file() for name in names) for names in choices):
        wanted = ", or ".join(" and ".join(names) for names in choices)
        raise ModelLoadError(f"{weights} has no {what} ({wanted}).", "Fetch the checkpoint's other files too.")


def load_model(auto_class: Any, weights: Path, placement: Placement, **options: Any) -> Any:
    """Load a model from a local folder onto its device, in evaluation mode.

    ``auto_class`` is a transformers class with ``from_pretrained``; ``options`` go to it.

    Raises:
        ModelLoadError: weights are damaged, of other shapes, or not all there.
        OutOfMemory: they do not fit.
        UnsupportedOption: the precision is not one that PyTorch computes in.
    """
    import torch
    from transformers.utils import logging

    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}.get(placement.dtype)
    if dtype is None:
        raise UnsupportedOption(f"The precision {placement.dtype} is not offered here.", "Choose float32, bfloat16 or float16.")
    logging.disable_progress_bar()  # it would fill the log that a skipped result quotes
    with loading(weights):
        model, loaded = auto_class.from_pretrained(
            weights, dtype=dtype, local_files_only=True, trust_remote_code=False, output_loading_info=True, **options
        )
    missing = sorted(name for name in loaded["missing_keys"] if not name.endswith(_TRAINING_ONLY))
    missing += sorted(str(fault[0]) for fault in loaded["mismatched_keys"])
    if missing:
        some = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        raise ModelLoadError(
            f"{weights} lacks {len(missing)} of the model's weights: {some}.",
            "They would be random numbers. Choose a checkpoint that was trained for speech recognition.",
        )
    with loading(weights):
        return model.to(placement.torch_device).eval()


@contextmanager
def loading(weights: Path) -> Iterator[None]:
    """Turn what a library raises while it reads ``weights`` into a ``RunnerError``."""
    try:
        with memory_limits():
            yield
    except ImportError as error:
        raise MissingPackage(
            f"{weights.name} needs a package that is not installed: {error}", f"pip install {error.name or 'it'}"
        ) from error
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise ModelLoadError(f"{weights} cannot be loaded: {_first_line(error)}", "Fetch the checkpoint again.") from error
    except Exception as error:
        # safetensors, pickle and huggingface_hub raise classes of their own for damaged files
        if type(error).__module__.split(".")[0] not in {
            "safetensors_rust",
            "safetensors",
            "_pickle",
            "pickle",
            "huggingface_hub",
        }:
            raise
        raise ModelLoadError(f"{weights} is damaged: {_first_line(error)}", "Fetch the checkpoint again.") from error


@contextmanager
def memory_limits() -> Iterator[None]:
    """Turn every way in which PyTorch and CTranslate2 say that memory is full into ``OutOfMemory``."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(words in str(error).lower() for words in _OUT_OF_MEMORY):
            raise
        free_device_memory()
        raise OutOfMemory(
            f"Not enough memory: {_first_line(error)}", "Choose a smaller model or precision, or close other programs."
        ) from error


def free_device_memory() -> None:
    """Give memory that PyTorch only keeps in reserve back to the device."""
    import gc
    import sys

    gc.collect()
    torch = sys.modules.get("torch")
    if torch is None:
        return
    for name in ("cuda", "mps", "xpu"):
        device = getattr(torch, name, None)
        if device is not None and device.is_available():
            device.empty_cache()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
