"""Memory at rest: the page's process, which holds no torch, and each runner's child, beside what holding them costs plainly."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil

from benchmarks.servers import ROOT, bare_page, earshot
from benchmarks.tables import megabytes, show
from runners.audio import decode
from runners.base import Contender
from runners.catalogue.names import spec_for
from runners.here.machine import look
from runners.pool import Pool
from runners.settings import read_settings

IMPORTING_ALL = (
    "import gradio, torch, transformers, faster_whisper; from transformers import WhisperForConditionalGeneration; input()"
)


def main() -> None:
    """Print resident memory (RSS) of the page and of each child."""
    with bare_page() as (bare, _):
        bare_bytes = psutil.Process(bare.pid).memory_info().rss
    server, _ = earshot()
    with server as (ours, _):
        threading.Event().wait(8)  # the probe for GPUs is over by then, its child gone
        our_bytes = psutil.Process(ours.pid).memory_info().rss
    fat_bytes = _everything_in_one()
    show(
        "Resident memory of the page's process at rest",
        ("process", "RSS", "ratio"),
        [
            ("bare Gradio page", megabytes(bare_bytes), "1.00"),
            ("python app.py", megabytes(our_bytes), f"{our_bytes / bare_bytes:.2f}"),
            ("a page that imports torch, transformers, faster-whisper", megabytes(fat_bytes), f"{fat_bytes / bare_bytes:.2f}"),
        ],
    )
    show("Resident memory of each runner's child, loaded and warm", ("runner", "RSS"), _children())


def _everything_in_one() -> int:
    child = subprocess.Popen([sys.executable, "-c", IMPORTING_ALL + "\n"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    process = psutil.Process(child.pid)
    last = -1
    while True:  # until it has stopped growing: it waits for a line then
        now = process.memory_info().rss
        if process.num_threads() >= 1 and now == last and now > 300e6:
            break
        last = now
        threading.Event().wait(1.5)
    child.communicate(b"\n")
    return now


def _children() -> list[tuple[str, str]]:
    settings = read_settings(device="cpu", downloads=False)
    clip = decode(ROOT / "samples" / "ferry.flac", max_seconds=600, max_bytes=10**8)
    names = ["scripted", "moonshine", "pocketsphinx"]
    weights = os.environ.get("EARSHOT_TEST_WEIGHTS")
    if weights:
        names += [f"{family}:{Path(weights) / folder}" for family, folder in (
            ("whisper", "whisper-digits"), ("faster-whisper", "whisper-digits"), ("ctc", "wav2vec2-digits")
        )]  # fmt: skip
    rows = []
    for name in names:
        pool = Pool(settings, look)
        try:
            result = pool.run(Contender(spec_for(name)), clip, report=lambda event: None, cancel=threading.Event())
            children = pool.children()
            label = spec_for(name).label
            rows.append((label, megabytes(children[0].memory_bytes or 0) if children else f"skipped: {result.error}"))
        finally:
            pool.close()
    return rows
