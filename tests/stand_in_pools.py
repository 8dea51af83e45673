"""Pools in which nothing runs: what the page does with results does not need any."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from runners.base import Clip, Contender, Transcript, TranscriptionResult
from runners.events import Event
from runners.here.machine import Machine, look

CLIP = Clip(np.zeros(16_000, np.float32), 1.0, "clip.wav")
LOG = ("Fatal Python error: Segmentation fault", 'File "/srv/models/secret.py", line 3')


class CrashingPool:
    """Every contender crashes, and leaves a log behind."""

    def room(self) -> Machine:
        return look()

    def run(
        self, contender: Contender, clip: Clip, *, repeat: int = 1, report: Callable[[Event], None], cancel: threading.Event
    ) -> TranscriptionResult:
        return TranscriptionResult(contender, "skipped", error="It crashed.", log=LOG, stage="transcribe")


class HearingPool(CrashingPool):
    """Every contender hears the same."""

    def run(
        self, contender: Contender, clip: Clip, *, repeat: int = 1, report: Callable[[Event], None], cancel: threading.Event
    ) -> TranscriptionResult:
        return TranscriptionResult(contender, "ok", Transcript("hello"))
