"""A folder with a model's weights, read cheaply: what it holds, how much, and whether it is whole.

Reads names, sizes, ``config.json`` and the JSON heads of safetensors files; never a weight, and nothing that imports
torch. What it reads may be hostile: every read is bounded and every number checked.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runners.base import RunnerError

LARGEST_HEADER_BYTES = 25_000_000
"""A safetensors head holds about 100 bytes a tensor; 25 MB is a quarter of a million tensors. The format allows 100 MB."""
LARGEST_JSON_BYTES = 25_000_000

Format = Literal["safetensors", "pytorch", "ctranslate2"]

_BITS = {
    "F64": 64, "I64": 64, "U64": 64, "C64": 64,
    "F32": 32, "I32": 32, "U32": 32,
    "F16": 16, "BF16": 16, "I16": 16, "U16": 16,
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "I8": 8, "U8": 8, "BOOL": 8,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip

_LFS_POINTER = b"version https://git-lfs"
_VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model", "tokenizer_config.json")
_VOCABULARY_START = "vocabulary."  # CTranslate2 keeps its vocabulary under this name, as .txt or .json


class UnreadableWeights(RunnerError):
    """The folder cannot be loaded from. ``str()`` is a phrase that fits after "the folder …": "holds no config.json"."""


@dataclass(frozen=True)
class Weights:
    """What a folder holds."""

    folder: Path
    format: Format
    size_bytes: int
    """Size of the weight files on disk."""
    parameters: int | None
    """Exact for safetensors; None where only the size is known."""
    stored_bits: float | None
    """Bits a parameter on disk, from the heads of the files or ``config.json``; None if neither says."""
    model_type: str | None
    architectures: tuple[str, ...]


@dataclass(frozen=True)
class Header:
    """What the head of one safetensors file says."""

    parameters: int
    """Elements of all tensors."""
    tensor_bytes: int


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


def read_weights(folder: Path) -> Weights:
    """Read what a folder holds.

    Raises:
        UnreadableWeights: no folder, no weights, a missing shard, a truncated file, no configuration, no vocabulary.
    """
    try:
        if not folder.is_dir():
            raise UnreadableWeights("is a file, not a folder" if folder.exists() else "is not there")
        names = {entry.name for entry in os.scandir(folder) if entry.is_file()}  # follows links; a broken one is no file
        return _read(folder, names)
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
    parameters = tensor_bytes = last_byte = 0
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
        parameters += (end - start) * 8 // bits
    if last_byte > size - 8 - length:
        raise UnreadableWeights(f"holds only part of {path.name}")
    if tensor_bytes > last_byte:  # tensors may not overlap
        raise UnreadableWeights(f"holds a damaged {path.name}")
    return Header(parameters, tensor_bytes)


def _read(folder: Path, names: set[str]) -> Weights:
    if "config.json" not in names:
        raise UnreadableWeights("holds no config.json")
    with (folder / "config.json").open("rb") as file:
        config = _json(file.read(LARGEST_JSON_BYTES + 1), "config.json")
    kind, files = weight_files(folder, names)
    size_bytes = sum(_size(folder / name) for name in files)
    if not any(name in names for name in _VOCABULARIES) and not any(n.startswith(_VOCABULARY_START) for n in names):
        raise UnreadableWeights("holds no tokenizer or vocabulary")
    parameters: int | None = None
    if kind == "safetensors":
        heads = [read_safetensors_header(folder / name) for name in files]
        parameters = sum(head.parameters for head in heads)
        tensor_bytes = sum(head.tensor_bytes for head in heads)
        stored_bits = 8 * tensor_bytes / parameters if parameters else None
    else:
        stored = str(config.get("dtype") or config.get("torch_dtype")).removeprefix("torch.")
        stored_bits = {"float32": 32.0, "float16": 16.0, "bfloat16": 16.0}.get(stored)
    architectures, model_type = config.get("architectures"), config.get("model_type")
    return Weights(
        folder=folder,
        format=kind,
        size_bytes=size_bytes,
        parameters=parameters,
        stored_bits=stored_bits,
        model_type=model_type if isinstance(model_type, str) else None,
        architectures=tuple(a for a in architectures if isinstance(a, str)) if isinstance(architectures, list) else (),
    )


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
