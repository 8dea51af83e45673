"""A folder with a transformers checkpoint: what it holds, and how it is loaded without surprises.

Shared by the runners that load one. Damaged, incomplete and foreign folders are refused by name, because transformers
itself fills what is missing with random numbers, and a random head transcribes too. Knows nothing of audio.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runners.base import MissingPackage, ModelLoadError, OutOfMemory, Placement, UnsupportedOption
from runners.memory import is_shortage
from runners.weights import UnreadableWeights, Weights, read_weights

_TRAINING_ONLY = ("masked_spec_embed",)
"""Weights used in training alone; several published wav2vec2 checkpoints lack them."""

_DAMAGE_FINDERS = {"safetensors", "safetensors_rust", "pickle", "_pickle", "huggingface_hub", "zipfile"}
"""Packages that raise classes of their own for damaged files."""


def read(weights: Path | None, family: str) -> Weights:
    """Return what a folder holds.

    Raises:
        ModelLoadError: there is no such folder, or a part of the checkpoint is missing or damaged.
    """
    if weights is None:
        raise ModelLoadError("No weights were given.", f"Name a folder: {family}:FOLDER.")
    try:
        return read_weights(weights)
    except UnreadableWeights as error:
        raise ModelLoadError(
            f"The folder {weights} {error}.", "Fetch it again, or choose one with a whole checkpoint."
        ) from error


def family_of(found: Weights) -> str | None:
    """Say which family of runners a folder is for; None if for none that is known."""
    if found.format == "ctranslate2":
        return "faster-whisper"
    if found.model_type == "whisper":
        return "whisper"
    if any(name.endswith("ForCTC") for name in found.architectures):
        return "ctc"
    return None


def foreign(found: Weights, wanted: str) -> ModelLoadError:
    """Build the error for a checkpoint of another family; ``wanted`` says what was expected, "a Whisper checkpoint"."""
    family = family_of(found)
    if found.format == "ctranslate2":
        is_ = "a CTranslate2 model"
    else:
        is_ = f"a {found.model_type} checkpoint" if found.model_type else "a checkpoint of unknown kind"
    fix = f"Use {family}:{found.folder}." if family else "Choose another checkpoint or another system."
    return ModelLoadError(f"{found.folder} is {is_}, not {wanted}.", fix)


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
    # Bars and advice would fill the log whose last lines a skipped result quotes; what matters is raised.
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    with loading(weights):
        model, loaded = auto_class.from_pretrained(
            weights, dtype=dtype, local_files_only=True, trust_remote_code=False, output_loading_info=True, **options
        )
    missing = sorted(name for name in loaded["missing_keys"] if not name.endswith(_TRAINING_ONLY))
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
        # Transformers says these two with options of its own, which nobody can set here.
        if "ignore_mismatched_sizes" in str(error):
            raise ModelLoadError(
                f"The weights in {weights} have other shapes than its config.json says.",
                "Fetch the checkpoint again, all of its files.",
            ) from error
        if "custom code" in str(error) or "trust_remote_code" in str(error):
            raise ModelLoadError(
                f"{weights} wants to run code of its own, which Earshot never does.",
                "Choose a model that transformers knows without it.",
            ) from error
        raise ModelLoadError(f"{weights} cannot be loaded: {_first_line(error)}", "Fetch the checkpoint again.") from error
    except Exception as error:
        if type(error).__module__.split(".")[0] not in _DAMAGE_FINDERS:
            raise
        raise ModelLoadError(f"{weights} is damaged: {_first_line(error)}", "Fetch the checkpoint again.") from error


@contextmanager
def memory_limits() -> Iterator[None]:
    """Turn every way in which PyTorch and CTranslate2 say that memory is full into ``OutOfMemory``."""
    try:
        yield
    except Exception as error:
        if not is_shortage(error):
            raise
        raise OutOfMemory(
            f"Not enough memory: {_first_line(error)}", "Choose a smaller model or precision, or close other programs."
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
