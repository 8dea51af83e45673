"""``python -m benchmarks [PART …]``: what Earshot costs, beside doing without it, in one run.

Machines are noisy: every figure is a median with its range, taken turn by turn with the alternative's.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import sys
from pathlib import Path

_PARTS = "scoring startup children overhead isolation memory phi4 precision runners moonshine whisper history reviews"
PARTS = tuple(_PARTS.split())


def main() -> int:
    """Run the parts that are named, all by default."""
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
    parts = wanted.parts or PARTS
    if "scoring" in parts:
        from benchmarks import scoring

        scoring.main(wanted.rounds)
    if "startup" in parts:
        from benchmarks import startup

        startup.main(wanted.rounds)
    if "children" in parts:
        from benchmarks import children

        children.main(min(wanted.rounds, 3), tuple(wanted.family) or children.STARTED)
    if "overhead" in parts:
        from benchmarks import overhead

        overhead.main(wanted.rounds)
    if "isolation" in parts:
        from benchmarks import isolation

        isolation.main(wanted.whisper, wanted.clip, wanted.rounds)
    if "memory" in parts:
        from benchmarks import memory

        memory.main()
    if "phi4" in parts:
        from benchmarks import phi4

        phi4.main(wanted.size, wanted.rounds)
    if "precision" in parts:
        from benchmarks import precision

        shared = [os.environ.get(name) for name in ("EARSHOT_TEST_WEIGHTS", "EARSHOT_TEST_CLIPS")]
        precision.main(wanted.rounds, *(Path(folder) if folder else None for folder in shared))
    if "runners" in parts:
        from benchmarks import runners

        runners.main(wanted.rounds, tuple(wanted.family))
    if "moonshine" in parts:
        from benchmarks import moonshine

        moonshine.main()
    if "whisper" in parts:
        from benchmarks import whisper

        whisper.main(wanted.whisper, rounds=wanted.rounds)
    if "history" in parts:
        from benchmarks import history

        history.main(wanted.rounds)
    if "reviews" in parts:
        from benchmarks import reviews

        reviews.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
