"""How long a child process takes from its start to a loaded model, against a bare script, turn by turn in one run.

The script imports the same class and loads the same folder, as transformers' documentation does. Networks are the random
ones of the tests, of which next to nothing has to be read: their start is imports. One of them is there a second time, so
wide that it has 0.9 GB of weights.

Measured with it on two cores without other work: imports take 3.3 to 3.6 s of a bare script's 3.3 to 3.6, weights 0.03 to
0.2 s (they are mapped, and read as they are needed); a child is ready after 1.08 (wav2vec2), 0.98 (Parakeet TDT), 1.01
(Whisper), 1.02 (Moonshine), 1.03 (Qwen2-Audio) and 1.06 (Whisper of 0.9 GB) times as long as a bare script.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.quiet import Quiet
from benchmarks.runners import widened
from benchmarks.tables import seconds, show
from runners.base import Placement
from runners.catalogue.names import spec_for

TARGET = 1.3
STARTED = ("wav2vec2", "parakeet-tdt", "whisper", "moonshine-transformers", "qwen2-audio")
"""Cases of the tests: of each kind one."""
WIDE = "whisper"
WIDE_TIMES = 128
"""The case that is there with weights too, and how many times as wide."""
_BARE = """
import sys, time
from transformers import {classes}
{loading}
print("ready", flush=True)
"""


@dataclass
class _Starts:
    """Seconds to ready, turn by turn."""

    imports: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    child: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return median(mine / theirs for mine, theirs in zip(self.child, self.bare, strict=True))

    def cells(self) -> tuple[str, ...]:
        weights = max(0.0, median(self.bare) - median(self.imports))
        return seconds(self.imports), f"{weights:.3f} s", seconds(self.bare), seconds(self.child), f"{self.ratio:.2f}"


def main(rounds: int = 3, names: tuple[str, ...] = ()) -> bool:
    """Print how long children take to be ready beside bare scripts, and what of it is imports; whether they are in bounds.

    Args:
        rounds: timed turns of each, after one that warms the disk's cache.
        names: cases of the tests; ``STARTED`` if empty.
    """
    from tests.subjects import CASES

    rows, kept = [], True
    for name, times in [(name, 1) for name in names or STARTED] + ([] if names else [(WIDE, WIDE_TIMES)]):
        case = CASES[name]
        assert case.build is not None
        with tempfile.TemporaryDirectory() as parent:
            folder = case.build(Path(parent) / "tiny")
            if times > 1:
                widened(folder, Path(parent) / "wide", times)
                folder = Path(parent) / "wide"
            starts = _measured(f"{case.family}:{folder}", folder, rounds)
        kept = kept and starts.ratio <= TARGET
        rows.append((name if times == 1 else f"{name}, x{times}", *starts.cells()))
    show(
        "From the start of a process to a loaded model",
        ("family", "imports alone", "weights", "a bare script", "a child of Earshot's", "ratio"),
        rows,
        note=f"target: at most {TARGET:.2f}; a bare script imports the class, loads the folder and its extractor",
    )
    return kept


def _measured(name: str, folder: Path, rounds: int) -> _Starts:
    from runners.isolation.spawner import Spawner
    from runners.process import ProcessWorker
    from runners.settings import read_settings

    spec = spec_for(name)
    settings = read_settings(device="cpu", dtype="float32", downloads=False)
    script = _bare_script(folder)
    importing, _, _ = script.partition("model =")
    starts = _Starts()
    with contextlib.closing(Spawner()) as spawner:

        def child() -> float:
            started = time.perf_counter()
            with contextlib.closing(ProcessWorker(spec, settings, spawner)) as worker:
                worker.load(Placement(), Quiet(), 120)
                return time.perf_counter() - started

        for turn in range(rounds + 1):
            took = _ready(script, folder), _ready(f'{importing}print("ready", flush=True)', folder), child()
            if turn:
                for times, each in zip((starts.bare, starts.imports, starts.child), took, strict=True):
                    times.append(each)
    return starts


def _ready(script: str, folder: Path) -> float:
    """Seconds until a script says that it is ready; how it ends is not timed."""
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise SystemExit(f"the bare script of {folder} failed")
        return time.perf_counter() - started


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
