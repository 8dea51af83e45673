"""A folder with a transformers checkpoint: what it holds, and how it is loaded without surprises.

Shared by the runners that load one. Damaged, incomplete and foreign folders are refused by name, because transformers
itself fills what is missing with random numbers, and a random head transcribes too.

A model goes to its device as a whole, unless its placement says otherwise: spread over several devices and main memory
(accelerate), or with its decoder's layers in 8 or 4 bits (bitsandbytes). Encoders, embeddings and adapters keep half
precision there: they are small, and hearing suffers first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runners.base import SAMPLE_RATE, MissingPackage, ModelLoadError, OutOfMemory, Placement, UnsupportedOption
from runners.catalogue.rows import CHECKPOINTS
from runners.here.machine import look
from runners.here.memory import is_shortage
from runners.here.weights import UnreadableWeights, Weights, in_layers, read_weights

SPREAD_RESERVE_BYTES = 1_200_000_000
"""What each of several accelerators keeps free beside the weights, at the least: its context (0.5 GB), activations and
its layers' part of the key-value cache."""

_BYTE_LEVEL_FILES = (("tokenizer.json",), ("vocab.json", "merges.txt"))
"""Either of them is a byte-level tokenizer."""

_TRAINING_ONLY = ("masked_spec_embed",)
"""Weights used in training alone; several published wav2vec2 checkpoints lack them."""

_DAMAGE_FINDERS = {"safetensors", "safetensors_rust", "pickle", "_pickle", "huggingface_hub", "zipfile"}
"""Packages that raise classes of their own for damaged files."""


def read(weights: Path | None, family: str, folders: tuple[str, ...] = ()) -> Weights:
    """Return what a folder holds, with the adapters in the ``folders`` inside it.

    Raises:
        ModelLoadError: there is no such folder, or a part of the checkpoint is missing or damaged.
    """
    if weights is None:
        raise ModelLoadError("No weights were given.", f"Name a folder: {family}:FOLDER.")
    try:
        return read_weights(weights, folders)
    except UnreadableWeights as error:
        raise ModelLoadError(
            f"The folder {weights} {error}.", error.fix or "Fetch it again, or choose one with a whole checkpoint."
        ) from error


def read_of(weights: Path | None, family: str, folders: tuple[str, ...] = ()) -> Weights:
    """``read``, for a family whose checkpoints the catalogue knows by what their ``config.json`` says.

    Raises:
        ModelLoadError: as ``read``; or the folder is of another family, which the fix then names.
    """
    found = read(weights, family)
    heard = CHECKPOINTS[family]
    if not heard.fits(found.model_type, found.architectures, found.format):
        raise foreign(found, heard.says)
    return read(weights, family, folders) if folders else found


def family_of(found: Weights) -> str | None:
    """Say which family of runners a folder is for; None if for none that is known."""
    if found.format == "ctranslate2":
        return next((family for family, heard in CHECKPOINTS.items() if found.format in heard.formats), None)
    for family, heard in CHECKPOINTS.items():
        if found.model_type is not None and found.model_type in heard.model_types:
            return family
    for family, heard in CHECKPOINTS.items():
        if heard.architecture_ending and any(name.endswith(heard.architecture_ending) for name in found.architectures):
            return family
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


def require_extractor(weights: Path) -> None:
    """Refuse a folder that does not say how samples become features.

    Raises:
        ModelLoadError: it does not.
    """
    require_files(weights, "feature extractor", ("preprocessor_config.json",), ("processor_config.json",))


def load_tokenizer(weights: Path, *choices: tuple[str, ...]) -> Any:
    """Load the folder's tokenizer; ``choices`` of files that can be one, for others than byte-level ones.

    Raises:
        ModelLoadError: it is missing or damaged.
    """
    require_files(weights, "tokenizer", *(choices or _BYTE_LEVEL_FILES))
    from transformers import AutoTokenizer

    with loading(weights):
        return AutoTokenizer.from_pretrained(weights, local_files_only=True, trust_remote_code=False)


def load_extractor(weights: Path, kind: Any = None) -> Any:
    """Load the folder's feature extractor; ``kind`` is its class in transformers, None for the one that its file names.

    Raises:
        ModelLoadError: it is missing or damaged.
    """
    require_extractor(weights)
    from transformers import AutoFeatureExtractor

    with loading(weights):
        if kind is not None:
            return kind.from_pretrained(weights, local_files_only=True)
        return AutoFeatureExtractor.from_pretrained(weights, local_files_only=True, trust_remote_code=False)


def require_sample_rate(weights: Path, extractor: Any) -> None:
    """Refuse a feature extractor that wants another sampling rate than clips have; one that names none wants theirs.

    Raises:
        ModelLoadError: it does.
    """
    rate = getattr(extractor, "sampling_rate", SAMPLE_RATE)
    if rate != SAMPLE_RATE:
        raise ModelLoadError(
            f"{weights} hears {rate} samples a second, clips have {SAMPLE_RATE}.", "Choose a checkpoint for 16 kHz."
        )


def torch_dtype(placement: Placement) -> Any:
    """The PyTorch type of a placed model's numbers; where its layers are in 8 or 4 bits, of everything else.

    Raises:
        UnsupportedOption: the precision is not one that PyTorch computes in.
    """
    import torch

    plain = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if placement.dtype in plain:
        return plain[placement.dtype]
    if placement.dtype not in {"int8", "int4"}:
        raise UnsupportedOption(f"The precision {placement.dtype} is not offered here.", "Choose float32, bfloat16 or float16.")
    if placement.torch_device == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.float16
    return torch.bfloat16


def load_model(auto_class: Any, weights: Path, placement: Placement, **options: Any) -> Any:
    """Load a model from a local folder where its placement says, in evaluation mode.

    ``auto_class`` is a transformers class with ``from_pretrained``; ``options`` go to it.

    Raises:
        ModelLoadError: weights are damaged, of other shapes, or not all there.
        OutOfMemory: they do not fit.
        UnsupportedOption: the precision is not one that PyTorch computes in.
        MissingPackage: the precision needs bitsandbytes, or the placement accelerate.
    """
    from transformers.utils import logging

    dtype = torch_dtype(placement)
    # Bars and advice would fill the log whose last lines a skipped result quotes; what matters is raised.
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    is_quantised = placement.dtype in {"int8", "int4"}
    with loading(weights):
        if placement.spread or is_quantised:
            outline = _outline(auto_class, weights, dtype)
            if is_quantised:
                options["quantization_config"] = _quantisation(outline, placement, dtype)
                options["device_map"] = {"": placement.torch_device}
            if placement.spread:
                options["device_map"] = _device_map(outline, placement, main_memory=not is_quantised)
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
    if "device_map" in options:  # it lies where it shall lie
        return model.eval()
    with loading(weights):
        return model.to(placement.torch_device).eval()


def _outline(auto_class: Any, weights: Path, dtype: Any) -> Any:
    """The model without its weights: names, shapes and which parts share theirs."""
    from accelerate import init_empty_weights
    from transformers import AutoConfig

    # A class of its own knows which part of a nested configuration is its; an auto class has none.
    kind = getattr(auto_class, "config_class", None) or AutoConfig
    options = {} if kind is not AutoConfig else {"trust_remote_code": False}
    config = kind.from_pretrained(weights, local_files_only=True, **options)
    build = getattr(auto_class, "from_config", None) or auto_class._from_config
    with init_empty_weights():
        outline = build(config, dtype=dtype)
    outline.tie_weights()
    return outline


def _quantisation(outline: Any, placement: Placement, dtype: Any) -> Any:
    """How bitsandbytes shall store the decoder's layers, and which matrices it shall leave alone."""
    import torch
    from transformers import BitsAndBytesConfig

    kept = [name for name, part in outline.named_modules() if isinstance(part, torch.nn.Linear) and not in_layers(name)]
    if placement.dtype == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=kept)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype, llm_int8_skip_modules=kept
    )


def _device_map(outline: Any, placement: Placement, *, main_memory: bool) -> dict[str, Any]:
    """Which part goes where: layers to the accelerators in order, then, if they may, to main memory; the rest to the first.

    The rest is embeddings, encoders and the head. Encoders ask their own weights where they are, which main memory cannot
    answer while accelerate holds them there.

    Raises:
        OutOfMemory: it does not fit.
    """
    import torch

    devices = torch.xpu if placement.device == "xpu" else torch.cuda
    layers, rest = _parts(outline)
    all_bytes = sum(layers.values()) + sum(rest.values())
    kept_bytes = max(SPREAD_RESERVE_BYTES, max(0, (placement.need_bytes or 0) - all_bytes) // max(1, devices.device_count()))
    room: dict[int | str, int] = {index: devices.mem_get_info(index)[0] - kept_bytes for index in range(devices.device_count())}
    room[0] -= sum(rest.values())
    fits = room[0] >= 0
    room = {index: max(0, free_bytes) for index, free_bytes in room.items()}
    # Where the accelerators have more than enough, each keeps its part of the difference free, but for one layer.
    more_bytes = (sum(room.values()) - sum(layers.values())) // len(room) - max(layers.values(), default=0)
    room = {index: free_bytes - min(free_bytes, max(0, more_bytes)) for index, free_bytes in room.items()}
    if main_memory:
        room["cpu"] = round(0.9 * look().memory_free_bytes)
    found: dict[str, Any] = dict.fromkeys(rest, 0)
    places = list(room)
    for name, size_bytes in layers.items():
        while places and room[places[0]] < size_bytes:
            places.pop(0)
        if not places or not fits:
            raise OutOfMemory(
                "The model does not fit on this machine's GPUs" + (" and in its main memory together." if main_memory else "."),
                "Close other programs, or choose a smaller model or precision.",
            )
        room[places[0]] -= size_bytes
        found[name] = places[0]
    return found


def _parts(outline: Any) -> tuple[dict[str, int], dict[str, int]]:
    """The decoder's layers, and the largest parts that hold none of them, each with its bytes."""
    layers = {name: part for name, part in outline.named_modules() if in_layers(f"{name}.") and name[-1].isdigit()}
    above = {name[:end] for name in layers for end in (0, *(at for at, letter in enumerate(name) if letter == "."))}
    rest = {
        name: part
        for name, part in outline.named_modules()
        if name not in above and name not in layers and name.rpartition(".")[0] in above
    }
    seen: set[int] = set()

    def size_bytes(part: Any) -> int:
        tensors = [each for each in part.parameters() if id(each) not in seen]  # a head may be the embeddings over again
        seen.update(id(each) for each in tensors)
        return sum(each.numel() * each.element_size() for each in tensors)

    return {name: size_bytes(part) for name, part in layers.items()}, {name: size_bytes(part) for name, part in rest.items()}


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
