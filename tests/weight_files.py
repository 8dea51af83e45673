"""Weight files and the folders that they lie in: their heads are true, their numbers zeros."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def safetensors(*tensors: tuple[str, int], kept_bytes: int | None = None) -> bytes:
    """A safetensors file of zeros: pairs of type and size in bytes; ``kept_bytes`` cuts what follows the head."""
    head, end = {}, 0
    for number, (dtype, size) in enumerate(tensors):
        head[f"t{number}"] = {"dtype": dtype, "shape": [size], "data_offsets": [end, end + size]}
        end += size
    raw = json.dumps(head | {"__metadata__": {"format": "pt"}}).encode()
    return len(raw).to_bytes(8, "little") + raw + bytes(end if kept_bytes is None else kept_bytes)


def matrices(shapes: Mapping[str, tuple[int, ...]], *, kept_bytes: int | None = None) -> bytes:
    """A safetensors file of zeros in bfloat16, by tensors' names; ``kept_bytes`` cuts what follows the head."""
    head, end = {}, 0
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        head[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    raw = json.dumps(head).encode()
    return len(raw).to_bytes(8, "little") + raw + bytes(end if kept_bytes is None else kept_bytes)


def with_adapter(folder: Path, *, name: str = "speech-lora", weights: bytes | None = None) -> Path:
    """The folder, with an adapter in a folder inside it."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "adapter_config.json").write_text("{}")
    (folder / name / "adapter_model.safetensors").write_bytes(matrices({"lora_A": (4, 8)}) if weights is None else weights)
    return folder


def checkpoint(folder: Path, weights: dict[str, bytes], **config: object) -> Path:
    """A folder with a configuration, a tokenizer and the given weight files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    for name, raw in weights.items():
        (folder / name).write_bytes(raw)
    return folder


def index(*names: str) -> bytes:
    return json.dumps({"weight_map": {f"t{number}": name for number, name in enumerate(names)}}).encode()


def damaged(folder: Path, to: Path, **changes: Any) -> Path:
    """A copy whose files are left out (None), cut in half ("half") or given other settings (a dict)."""
    shutil.copytree(folder, to)
    for name, change in changes.items():
        path = next(to.glob(f"{name}.*"))
        if change is None:
            path.unlink()
        elif change == "half":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        else:
            path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), encoding="utf-8")
    return to
