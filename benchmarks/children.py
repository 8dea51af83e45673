"""How long a child process takes from its start to a loaded model, against a bare script, turn by turn in one run.

The script imports the same class and loads the same folder, as transformers' documentation does. Networks are the random
ones of the tests: what is timed is what comes before the reading of weights, which takes as long in both.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.quiet import Quiet
from benchmarks.tables import seconds, show
from runners.base import Placement
from runners.catalogue.names import spec_for

TARGET = 1.3
STARTED = ("wav2vec2", "parakeet-tdt", "whisper", "moonshine-transformers", "qwen2-audio")
"""Cases of the tests: of each kind one."""
_BARE = """
import sys, time
from transformers import {classes}
{loading}
print("ready", flush=True)
"""


def main(rounds: int = 3, names: tuple[str, ...] = ()) -> bool:
    """Print how long children take to be ready beside bare scripts, and what of it is imports; whether they are in bounds.

    Args:
        rounds: timed turns of each, after one that warms the disk's cache.
        names: cases of the tests; ``STARTED`` if empty.
    """
    from runners.isolation.spawner import Spawner
    from runners.process import ProcessWorker
    from runners.settings import read_settings
    from tests.subjects import CASES

    rows, kept = [], True
    for name in names or STARTED:
        case = CASES[name]
        assert case.build is not None
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            built = case.build(Path(folder) / "tiny")
            spec = spec_for(f"{case.family}:{built}")
            settings = read_settings(device="cpu", dtype="float32", downloads=False)
            spawner = Spawner()
            stack.callback(spawner.close)
            script = _bare_script(built)
            bare: list[float] = []
            child: list[float] = []
            imports: list[float] = []
            for turn in range(rounds + 1):
                started = time.perf_counter()
                subprocess.run([sys.executable, "-c", script, str(built)], check=True, capture_output=True)
                bare_seconds = time.perf_counter() - started
                started = time.perf_counter()
                subprocess.run([sys.executable, "-c", script.partition("model =")[0]], check=True, capture_output=True)
                import_seconds = time.perf_counter() - started
                started = time.perf_counter()
                with contextlib.closing(ProcessWorker(spec, settings, spawner)) as worker:
                    worker.load(Placement(), Quiet(), 120)
                    child_seconds = time.perf_counter() - started
                if turn:
                    bare.append(bare_seconds)
                    imports.append(import_seconds)
                    child.append(child_seconds)
            ratio = median(mine / theirs for mine, theirs in zip(child, bare, strict=True))
            kept = kept and ratio <= TARGET
            rows.append((name, seconds(imports), seconds(bare), seconds(child), f"{ratio:.2f}"))
    show(
        "From the start of a process to a loaded model",
        ("family", "imports alone", "a bare script", "a child of Earshot's", "ratio"),
        rows,
        note=f"target: at most {TARGET:.2f}; a bare script imports the class, loads the folder and its extractor",
    )
    return kept


def _bare_script(folder: Path) -> str:
    """A script that loads the folder as transformers' documentation does."""
    kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["architectures"][0]
    return _BARE.format(
        classes=f"AutoFeatureExtractor, AutoTokenizer, {kind}",
        loading=(
            f"model = {kind}.from_pretrained(sys.argv[1], local_files_only=True)\n"
            "AutoFeatureExtractor.from_pretrained(sys.argv[1])\nAutoTokenizer.from_pretrained(sys.argv[1])"
        ),
    )
