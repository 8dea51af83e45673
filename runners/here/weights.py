"""A folder with a model's weights, read cheaply: what it holds, how much, and whether it is whole.

Reads names, sizes, ``config.json`` and the JSON heads of safetensors files; never a weight, and nothing that imports
torch. What it reads may be hostile: every read is bounded and every number checked.

From the heads it also knows what a language model's key-value cache takes, and how much lies in its layers, which is
what 8 and 4 bits a number concern.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from runners.base import Dtype, RunnerError

LARGEST_HEADER_BYTES = 25_000_000
"""A safetensors head holds about 100 bytes a tensor; 25 MB is a quarter of a million tensors. The format allows 100 MB."""
LARGEST_JSON_BYTES = 25_000_000

NEEDS_CODE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "phi4mm": (
            "holds Phi-4-multimodal in the form that runs code of its own (model type phi4mm), which Earshot never does",
            "Use phi4-multimodal, which takes the revision with native weights (refs/pr/70), or a folder that has such ones.",
        ),
    }
)
"""Model types that transformers knows only by code that comes with the weights: what is said of such a folder, and the
fix. Their native twins have types of their own."""

Format = Literal["safetensors", "pytorch", "ctranslate2"]

_BITS = {
    "F64": 64, "I64": 64, "U64": 64, "C64": 64,
    "F32": 32, "I32": 32, "U32": 32,
    "F16": 16, "BF16": 16, "I16": 16, "U16": 16,
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "I8": 8, "U8": 8, "BOOL": 8,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip

_LFS_POINTER = b"version https://git-lfs"
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
"""What peft keeps of an adapter in its folder."""

_VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model", "tokenizer_config.json", "tekken.json")
_LAYER = re.compile(r"(?:(?:model|language_model|text_model|thinker)\.)*layers\.[0-9]+\.")
_PROJECTION = re.compile(_LAYER.pattern + r"self_attn\.(k_proj|v_proj|qkv_proj|o_proj)\.weight")
_LARGEST_COUNT = 100_000_000  # tokens of a context; more is a lie
_VOCABULARY_START = "vocabulary."  # CTranslate2 keeps its vocabulary under this name, as .txt or .json


class UnreadableWeights(RunnerError):
    """The folder cannot be loaded from. ``str()`` is a phrase that fits after "the folder …": "holds no config.json"."""


class ForeignForm(UnreadableWeights):
    """The folder is whole, but in a form that Earshot does not load (``NEEDS_CODE``)."""


@dataclass(frozen=True)
class Weights:
    """What a folder holds."""

    folder: Path
    format: Format
    size_bytes: int
    """Size of the weight files on disk, adapters included."""
    parameters: int | None
    """Exact for safetensors, adapters included; None where only the size is known."""
    stored_bits: float | None
    """Bits a parameter on disk, from the heads of the files or ``config.json``; None if neither says."""
    model_type: str | None
    architectures: tuple[str, ...]
    layers_parameters: int | None = None
    """Of those, how many lie in a language model's layers; None if unknown or none do."""
    cached_numbers: int | None = None
    """Numbers that a token takes in a language model's key-value cache; None if unknown, or if it has no such cache."""
    is_bfloat16: bool = False
    """Most of it is stored in bfloat16; False where nothing says so."""
    context_tokens: int | None = None
    """The longest context, if ``config.json`` says so; configurations leave out what is their class's default."""

    def cache_bytes_per_token(self, dtype: Dtype) -> int | None:
        """What a token takes in the key-value cache; it is in half precision where the weights are in 8 or 4 bits."""
        return None if self.cached_numbers is None else self.cached_numbers * (4 if dtype == "float32" else 2)


@dataclass(frozen=True)
class Header:
    """What the head of one safetensors file says."""

    parameters: int
    """Elements of all tensors."""
    tensor_bytes: int
    layers_parameters: int = 0
    """Elements of the tensors in a language model's layers."""
    projections: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Rows and columns of the attention matrices in those layers, by name."""
    bfloat16_bytes: int = 0
    """Of the tensors, what is stored in bfloat16."""


def is_folder(model: str) -> bool:
    """True if ``model`` names a local folder rather than a hub id: by its form, or because such a folder is here."""
    if looks_like_path(model):
        return True
    try:
        return Path(model).is_dir()
    except (OSError, ValueError):
        return False


def looks_like_path(model: str) -> bool:
    """True for ``/x``, ``./x``, ``../x``, ``~/x``, ``C:\\x``, ``\\\\server\\x`` and anything that ends with a slash."""
    return (
        model in {".", "..", "~"}
        or model.startswith(("/", "./", "../", "~", ".\\", "..\\", "\\\\"))
        or re.match(r"[A-Za-z]:[\\/]", model) is not None
        or model.endswith("/")
    )


def local_folder(model: str) -> Path:
    """The absolute path of a model that ``is_folder``; the folder need not be there."""
    try:
        return Path(model).expanduser().absolute()
    except RuntimeError:  # "~nobody/models": there is no such user
        return Path(model).absolute()


def in_layers(name: str) -> bool:
    """True for a tensor, or a module, in the layers of a language model; not of an encoder beside it."""
    return _LAYER.match(name) is not None


def check_form(model_type: object) -> None:
    """Refuse a model type of ``NEEDS_CODE``.

    Raises:
        ForeignForm: with what is wrong and the fix.
    """
    if isinstance(model_type, str) and model_type in NEEDS_CODE:
        raise ForeignForm(*NEEDS_CODE[model_type])


def read_weights(folder: Path, folders: tuple[str, ...] = ()) -> Weights:
    """Read what a folder holds, with the adapters in the ``folders`` inside it.

    Raises:
        UnreadableWeights: no folder, no weights, a missing shard, a truncated file, no configuration, no vocabulary, a
            missing or damaged adapter; or a form that is not loaded here (``ForeignForm``).
    """
    try:
        if not folder.is_dir():
            raise UnreadableWeights("is a file, not a folder" if folder.exists() else "is not there")
        names = {entry.name for entry in os.scandir(folder) if entry.is_file()}  # follows links; a broken one is no file
        return _with_adapters(_read(folder, names), folders)
    except OSError as error:
        raise UnreadableWeights(f"cannot be read ({error.strerror or 'input/output error'})") from error


def weight_files(folder: Path, names: set[str]) -> tuple[Format, list[str]]:
    """Which of a folder's files hold the weights: safetensors first, as transformers does, then PyTorch, then CTranslate2.

    Raises:
        UnreadableWeights: there are none, or an index names a file that is not there.
    """
    formats: tuple[tuple[Format, str, str], ...] = (
        ("safetensors", "model.safetensors", "model.safetensors.index.json"),
        ("pytorch", "pytorch_model.bin", "pytorch_model.bin.index.json"),
    )
    for kind, single, index in formats:
        if single in names:
            return kind, [single]
        if index in names:
            return kind, _shards(folder, index, names)
    if "model.bin" in names:
        return "ctranslate2", ["model.bin"]
    raise UnreadableWeights("holds no weights (model.safetensors, pytorch_model.bin or model.bin)")


def read_safetensors_header(path: Path) -> Header:
    """Count the parameters of one safetensors file from its head: 8 bytes of length (little-endian), then JSON.

    Raises:
        UnreadableWeights: the head is not valid, claims more than the file holds, or the file is cut short.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(LARGEST_HEADER_BYTES, size - 8):
            raise UnreadableWeights(f"holds a damaged or incomplete {path.name}")
        head = _json(file.read(length), path.name)
    parameters = tensor_bytes = last_byte = layers_parameters = bfloat16_bytes = 0
    projections: dict[str, tuple[int, int]] = {}
    for name, tensor in head.items():
        if name == "__metadata__":
            continue
        try:
            start, end = tensor["data_offsets"]
            bits = _BITS.get(tensor["dtype"], 8)
        except (TypeError, KeyError, ValueError) as error:
            raise UnreadableWeights(f"holds a damaged {path.name}") from error
        if type(start) is not int or type(end) is not int or not 0 <= start <= end:
            raise UnreadableWeights(f"holds a damaged {path.name}")
        last_byte = max(last_byte, end)
        tensor_bytes += end - start
        bfloat16_bytes += end - start if tensor["dtype"] == "BF16" else 0
        elements = (end - start) * 8 // bits
        parameters += elements
        if in_layers(name):
            layers_parameters += elements
        match tensor.get("shape"):
            case [int(rows), int(columns)] if _PROJECTION.fullmatch(name) and rows > 0 and rows * columns == elements:
                projections[name] = rows, columns
    if last_byte > size - 8 - length:
        raise UnreadableWeights(f"holds only part of {path.name}")
    if tensor_bytes > last_byte:  # tensors may not overlap
        raise UnreadableWeights(f"holds a damaged {path.name}")
    return Header(parameters, tensor_bytes, layers_parameters, projections, bfloat16_bytes)


def read_model_type(path: Path) -> tuple[str | None, tuple[str, ...]]:
    """Type and architectures that a ``config.json`` names; it may be all that is here of a model.

    Raises:
        UnreadableWeights: it is damaged.
        OSError: it cannot be read.
    """
    return _kind(_config(path))


def _read(folder: Path, names: set[str]) -> Weights:
    if "config.json" not in names:
        raise UnreadableWeights("holds no config.json")
    config = _config(folder / "config.json")
    model_type, architectures = _kind(config)
    check_form(model_type)
    kind, files = weight_files(folder, names)
    size_bytes = sum(_size(folder / name) for name in files)
    if not any(name in names for name in _VOCABULARIES) and not any(n.startswith(_VOCABULARY_START) for n in names):
        raise UnreadableWeights("holds no tokenizer or vocabulary")
    parameters = layers_parameters = cached_numbers = None
    if kind == "safetensors":
        heads = [read_safetensors_header(folder / name) for name in files]
        parameters = sum(head.parameters for head in heads)
        tensor_bytes = sum(head.tensor_bytes for head in heads)
        layers_parameters = sum(head.layers_parameters for head in heads) or None
        cached_numbers = _cached_numbers({name: shape for head in heads for name, shape in head.projections.items()})
        stored_bits = 8 * tensor_bytes / parameters if parameters else None
        is_bfloat16 = 2 * sum(head.bfloat16_bytes for head in heads) > tensor_bytes
    else:
        stored = str(config.get("dtype") or config.get("torch_dtype")).removeprefix("torch.")
        stored_bits = {"float32": 32.0, "float16": 16.0, "bfloat16": 16.0}.get(stored)
        is_bfloat16 = stored == "bfloat16"
    return Weights(
        folder=folder,
        format=kind,
        size_bytes=size_bytes,
        parameters=parameters,
        stored_bits=stored_bits,
        model_type=model_type,
        architectures=architectures,
        layers_parameters=layers_parameters,
        cached_numbers=cached_numbers,
        is_bfloat16=is_bfloat16,
        context_tokens=_count(_text_part(config), "max_position_embeddings"),
    )


def _with_adapters(weights: Weights, folders: tuple[str, ...]) -> Weights:
    for name in folders:
        folder = weights.folder / name
        missing = [file for file in ADAPTER_FILES if not (folder / file).is_file()]
        if missing:
            raise UnreadableWeights(
                f"lacks {name}/{missing[0]}, a part of the model without which it does not work",
                f"Put the folder {name} of the same checkpoint inside it, with {' and '.join(ADAPTER_FILES)}.",
            )
        _config(folder / ADAPTER_FILES[0])
        size_bytes = _size(folder / ADAPTER_FILES[1])
        head = read_safetensors_header(folder / ADAPTER_FILES[1])
        weights = replace(
            weights,
            size_bytes=weights.size_bytes + size_bytes,
            parameters=None if weights.parameters is None else weights.parameters + head.parameters,
        )
    return weights


def _config(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return _json(file.read(LARGEST_JSON_BYTES + 1), path.name)


def _kind(config: dict[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    architectures, model_type = config.get("architectures"), config.get("model_type")
    return (
        model_type if isinstance(model_type, str) else None,
        tuple(each for each in architectures if isinstance(each, str)) if isinstance(architectures, list) else (),
    )


def _cached_numbers(projections: Mapping[str, tuple[int, int]]) -> int | None:
    """Keys and values of all layers: the rows of their matrices.

    Where queries, keys and values are one matrix, the queries are as many as the output matrix has columns.
    """
    total = 0
    for name, (rows, _) in projections.items():
        if name.endswith(("k_proj.weight", "v_proj.weight")) and not name.endswith("qkv_proj.weight"):
            total += rows
        elif name.endswith("qkv_proj.weight"):
            _, queries = projections.get(name.replace("qkv_proj", "o_proj"), (0, rows))
            total += max(0, rows - queries)
    return total or None


def _text_part(config: dict[str, Any]) -> dict[str, Any]:
    """The part of a configuration that is about the language model: models that also hear or see have it apart."""
    part = config.get("text_config")
    return part if isinstance(part, dict) else config


def _count(config: dict[str, Any], name: str) -> int | None:
    value = config.get(name)
    return value if type(value) is int and 0 < value < _LARGEST_COUNT else None


def _shards(folder: Path, index: str, names: set[str]) -> list[str]:
    with (folder / index).open("rb") as file:
        table = _json(file.read(LARGEST_JSON_BYTES + 1), index).get("weight_map")
    if not isinstance(table, dict) or not table:
        raise UnreadableWeights(f"holds a damaged {index}")
    shards = sorted({str(name) for name in table.values()})
    missing = [name for name in shards if name not in names]  # a path out of the folder is never among its names
    if missing:
        raise UnreadableWeights(f"lacks {len(missing)} of the {len(shards)} weight files that {index} names")
    return shards


def _json(raw: bytes, name: str) -> dict[str, Any]:
    if len(raw) > LARGEST_JSON_BYTES:
        raise UnreadableWeights(f"holds a {name} of unreasonable size")
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UnreadableWeights(f"holds a damaged {name}") from error
    if not isinstance(value, dict):
        raise UnreadableWeights(f"holds a damaged {name}")
    return value


def _size(path: Path) -> int:
    size = path.stat().st_size
    if size == 0:
        raise UnreadableWeights(f"holds an empty {path.name}")
    if size < 1024:
        with path.open("rb") as file:
            if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
                raise UnreadableWeights(f"holds a Git LFS pointer instead of {path.name} (run: git lfs pull)")
    return size
