"""``python -m benchmarks [PART …]``: what Earshot costs, beside doing without it, in one run.

Machines are noisy: every figure is a median with its range, taken turn by turn with the alternative's.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import platform
import sys
from pathlib import Path
from typing import Any

_PARTS = "scoring startup children overhead isolation memory phi4 precision runners moonshine whisper history reviews"
PARTS = tuple(_PARTS.split())


def main() -> int:
    """Run the parts that are named, all by default; returns 1 where a bound is not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all if none is named")
    parser.add_argument("--rounds", type=int, default=5, help="timed turns of each; default: 5")
    parser.add_argument(
        "--whisper", type=Path, metavar="FOLDER", help="a transformers Whisper folder, for isolation and whisper"
    )
    parser.add_argument("--clip", type=Path, help="what it hears")
    parser.add_argument(
        "--family", action="append", default=[], help="of runners and children, this one alone; may be given again"
    )
    parser.add_argument(
        "--size", choices=("tiny", "0.3b", "full"), default="tiny", help="of phi4's random weights; default: tiny"
    )
    wanted = parser.parse_args()
    if wanted.rounds < 1:
        parser.error("--rounds: at least 1")
    if unknown := set(wanted.parts) - set(PARTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a table at a time, into a file too
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["EARSHOT_HISTORY"] = "0"  # nobody's own history
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    given = _given(wanted)
    missed = []
    for part in wanted.parts or PARTS:
        kept = importlib.import_module(f"benchmarks.{part}").main(*given.get(part, ()))
        if kept is False:  # None: it has no bound, or nothing to measure with
            missed.append(part)
    if missed:
        print(f"\nBounds not kept: {', '.join(missed)}")
    return 1 if missed else 0


def _given(wanted: argparse.Namespace) -> dict[str, tuple[Any, ...]]:
    """What each part is called with."""
    shared = [os.environ.get(name) for name in ("EARSHOT_TEST_WEIGHTS", "EARSHOT_TEST_CLIPS")]
    weights, clips = (Path(folder) if folder else None for folder in shared)
    families = tuple(wanted.family)
    return {
        "scoring": (wanted.rounds,),
        "startup": (wanted.rounds,),
        "children": (min(wanted.rounds, 3), families),
        "overhead": (wanted.rounds,),
        "isolation": (wanted.whisper, wanted.clip, wanted.rounds),
        "phi4": (wanted.size, wanted.rounds),
        "precision": (wanted.rounds, weights, clips),
        "runners": (wanted.rounds, families),
        "whisper": (wanted.whisper, None, wanted.rounds),
        "history": (wanted.rounds,),
    }


if __name__ == "__main__":
    sys.exit(main())
