"""Moonshine tiny twice, clip by clip in one run: the runtime that comes in a wheel, and the same weights through transformers.

``python -m benchmarks.moonshine [--clips FOLDER] [--weights FOLDER]``: a folder of clips with a
``manifest.jsonl`` (``file``, ``text``, ``language``), and Moonshine tiny-en as a transformers folder. By default those that
``EARSHOT_TEST_CLIPS`` and ``EARSHOT_TEST_WEIGHTS`` name. Bounds: pooled error rates within one point of each other, and the
longest clip far below what it has when nobody cuts it at pauses (22 %).

Measured on 31 clips, one thread on a busy machine: 10.6 % and 11.3 % of the words wrong, on 6m50 of five readers 13.8 % and
14.6 %; 0.26 and 0.27 s for a second of sound. So both routes cost the same; transformers runs on other devices, and takes the
other sizes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.quiet import Quiet
from benchmarks.tables import show
from comparisons.normalise import normaliser
from comparisons.score import Score, pooled, score
from runners.audio import decode
from runners.base import Clip, Placement, Runner, TranscribeOptions
from runners.catalogue.names import spec_for

BOUND_POINTS = 1.0
NAIVE_LONG_RATE = 0.22
"""Error rate of the longest clip where speech is cut as the wheel's own voice detection does."""


@dataclass
class Route:
    name: str
    runner: Runner
    scores: list[Score] = field(default_factory=list)
    factors: list[float] = field(default_factory=list)
    """Real-time factor of each clip."""
    spent_seconds: float = 0.0


def main(clips: Path | None = None, weights: Path | None = None) -> bool | None:
    """Print the table; whether the bounds are kept, None where there is nothing to measure with."""
    clips = clips or _named("EARSHOT_TEST_CLIPS")
    weights = weights or _named("EARSHOT_TEST_WEIGHTS", "moonshine-tiny-en")
    if clips is None or weights is None:
        print("\nmoonshine: skipped, it needs clips and the weights as a transformers folder (--clips, --weights)")
        return None
    import torch

    torch.set_num_threads(1)
    routes = [Route("moonshine (wheel, int8)", _runner("moonshine", None))]
    routes.append(Route("moonshine-transformers (float32)", _runner(f"moonshine-transformers:{weights}", weights)))
    heard = _english(clips)
    normalise = normaliser("whisper-english")
    rows = []
    for clip in heard:
        rates = []
        for route in routes:
            begun = time.perf_counter()
            text = route.runner.transcribe(clip, TranscribeOptions(), Quiet()).text
            took = time.perf_counter() - begun
            found, _ = score(str(clip.reference), text, normalise)
            route.scores.append(found)
            route.factors.append(took / clip.seconds)
            route.spent_seconds += took
            rates.append(found.wer)
        if clip.seconds > 60:
            rows.append([clip.source, *(_percent(rate) for rate in rates)])
    pools = [pooled(route.scores) for route in routes]
    totals = [pool.wer if pool is not None else None for pool in pools]
    seconds = sum(clip.seconds for clip in heard)
    rows.append([f"all {len(heard)} clips, pooled", *(_percent(rate) for rate in totals)])
    rows.append(["RTF, all sound", *(f"{route.spent_seconds / seconds:.3f}" for route in routes)])
    rows.append(["RTF, median of clips", *(f"{median(route.factors):.3f}" for route in routes)])
    show(
        "Moonshine tiny: word error rate and real-time factor",
        ["", *(route.name for route in routes)],
        rows,
        note=f"bound: pooled rates within {BOUND_POINTS:g} point",
    )
    longest = max(range(len(heard)), key=lambda number: heard[number].seconds)
    kept = abs((totals[0] or 0) - (totals[1] or 0)) * 100 <= BOUND_POINTS
    kept = kept and (routes[1].scores[longest].wer or 0) < NAIVE_LONG_RATE
    print("  bounds kept" if kept else "  BOUNDS NOT KEPT")
    return kept


def _runner(name: str, weights: Path | None) -> Runner:
    import importlib

    spec = spec_for(name)
    module, _, kind = spec.target.partition(":")
    runner: Any = getattr(importlib.import_module(module), kind)(spec)
    runner.load(weights, Placement("cpu", "int8" if weights is None else "float32"), Quiet())
    loaded: Runner = runner
    return loaded


def _english(folder: Path) -> list[Clip]:
    found = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    return [
        decode(folder / row["file"], max_seconds=3600, max_bytes=1_000_000_000, reference=row["text"], language="en")
        for row in found
        if row.get("language") == "en" and row.get("text")
    ]


def _named(variable: str, inside: str = "") -> Path | None:
    folder = os.environ.get(variable)
    path = Path(folder) / inside if folder else None
    return path if path is not None and path.is_dir() else None


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{100 * rate:.1f} %"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.moonshine", description=__doc__)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--weights", type=Path)
    asked = parser.parse_args()
    sys.exit(main(asked.clips, asked.weights) is False)
