"""Machines, packages and a hub cache that are not here, for tests of what can run where."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from runners.base import Availability
from runners.here.machine import Device, Machine
from runners.settings import Settings

GB = 1_000_000_000


def machine(*accelerators: Device, free_gb: float = 16, probed: bool = True) -> Machine:
    """A machine with 16 GB of main memory, of which so much is free."""
    free_bytes = int(free_gb * GB)
    return Machine(
        devices=(*accelerators, Device("cpu", "a processor", 16 * GB, free_bytes, shares_main_memory=True)),
        cores=4,
        memory_total_bytes=16 * GB,
        memory_free_bytes=free_bytes,
        probed=probed,
    )


def gpu(kind: str = "cuda", free_gb: float = 20, *, bfloat16: bool = True, shared: bool = False) -> Device:
    """A GPU with 24 GB, of which so much is free."""
    free_bytes = int(free_gb * GB)
    return Device(kind, "a GPU", 24 * GB, free_bytes, has_bfloat16=bfloat16, shares_main_memory=shared)  # type: ignore[arg-type]


ONLINE = Settings(downloads=True)


def everything_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty hub cache, a network that may be used, and packages that are all there, whatever this machine has.

    Returns the folder of the packages; what is deleted there is not installed.
    """
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub-home"))
    for name in (
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "HF_TOKEN",
        "HF_TOKEN_PATH",
    ):
        monkeypatch.delenv(name, raising=False)
    packages = tmp_path / "packages"
    for folder in (
        "moonshine_voice/assets/tiny-en",
        "pocketsphinx/model/en-us/en-us",
        "torch",
        "transformers",
        "faster_whisper",
        "peft",
        "accelerate",
        "openai",
    ):
        (packages / folder).mkdir(parents=True)
    for module in packages.iterdir():
        (module / "__init__.py").write_text("raise RuntimeError('availability imported this')")

    def find_spec(name: str) -> object:
        path = packages / name / "__init__.py"
        if not path.is_file():
            return None
        return importlib.util.spec_from_file_location(name, path)

    versions = {"moonshine-voice": "0.0.73", "pocketsphinx": "5.1.1", "torch": "2.13.0", "transformers": "5.23.0"}

    def version(name: str) -> str:
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr("runners.here.packages.importlib.util.find_spec", find_spec)
    monkeypatch.setattr("runners.here.packages.importlib.metadata.version", version)
    return packages


def in_cache(home: Path, model: str, fill: Callable[[Path], object], *, revision: str = "main") -> Path:
    """A hub cache with one model, as the hub's client lays it out."""
    repository = home / "hub" / ("models--" + model.replace("/", "--"))
    snapshot = repository / "snapshots" / ("c0ffee" * 6 + "0000")
    fill(snapshot)
    (repository / "refs" / revision).parent.mkdir(parents=True, exist_ok=True)
    (repository / "refs" / revision).write_text(snapshot.name)
    return snapshot


def skipped(found: Availability, reason: str, fix: str) -> None:
    assert found.state == "skipped", found
    assert reason in (found.reason or "")
    assert fix in (found.fix or "")
    assert not found.ok
