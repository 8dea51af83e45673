"""A model as the hub has it, and as it lies in the hub's cache."""

from __future__ import annotations

from pathlib import Path

from runners.hub import cache
from tests.hub_server import CHUNK_BYTES, COMMIT, Hub
from tests.weight_files import safetensors

WHOLE = {"model.safetensors": safetensors(("F32", 400))}
MODEL = "whisper:somebody/model"


def cached(home: Path, model: str = "somebody/model", *, revision: str | None = "main", commit: str = COMMIT) -> Path:
    """An empty place for one model in a hub cache."""
    repository = home / "hub" / ("models--" + model.replace("/", "--"))
    if revision:
        path = repository / "refs" / revision
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(commit)
    folder = repository / "snapshots" / commit
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def repository() -> Hub:
    """A Whisper with everything that repositories hold besides."""
    return Hub(
        files={
            "config.json": b'{"model_type": "whisper"}',
            "tokenizer.json": b"{}",
            "modeling_whisper.py": b"raise SystemExit",
            "pytorch_model.bin": bytes(100),
            "onnx/model.onnx": bytes(100),
            "model.safetensors": safetensors(("F32", 24 * CHUNK_BYTES)),
        }
    )


def begun(home: Path) -> list[Path]:
    """Files of it that are here in part."""
    return list((home / "hub/models--somebody--model/blobs").glob(f"*{cache.PART_ENDING}"))
