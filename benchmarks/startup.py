"""Start-up to the first HTTP 200: ``python app.py`` against a bare Gradio page, turn by turn in one run."""

from __future__ import annotations

from statistics import median

from benchmarks.servers import bare_page, earshot
from benchmarks.tables import seconds, show

TARGET = 1.25


def main(rounds: int = 5) -> bool:
    """Print both times and their ratio, ``rounds`` pairs after one that warms the disk cache; whether it is in bounds."""
    bare: list[float] = []
    ours: list[float] = []
    for turn in range(rounds + 1):
        with bare_page() as (_, bare_seconds):
            pass
        server, _ = earshot()
        with server as (_, our_seconds):
            pass
        if turn:
            bare.append(bare_seconds)
            ours.append(our_seconds)
    ratio = median(ours) / median(bare)
    show(
        "Start-up to the first HTTP 200",
        ("page", "median (range)", "ratio"),
        [
            ("bare Gradio page", seconds(bare), "1.00"),
            ("python app.py", seconds(ours), f"{ratio:.2f}"),
        ],
        note=f"target: at most {TARGET}",
    )
    return ratio <= TARGET
