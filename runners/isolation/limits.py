"""How long a job may take, what is said when it took longer, and the clock that watches it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from runners.base import Cancelled, Clip, Progress, RunnerTimeout

CANCEL_GRACE_SECONDS = 2.0
"""How long a runner may take to notice that it should stop before it is given up."""
STALL_SECONDS = 120.0
"""How long a download may bring nothing before it counts as stuck."""


@dataclass(frozen=True)
class Limit:
    """How long a step of a job may take."""

    seconds: float
    error: RunnerTimeout
    """What is said when it took longer."""
    of_silence: bool = False
    """True if every piece of an answer starts the clock again: a long answer is no fault, a silent one is."""


class Clock:
    """What is being waited for, and until when."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._done_bytes: int | None = None
        self.begin()

    def begin(self) -> None:
        """A step of the job begins: loading, or a run."""
        self._wait(self._limit)

    def arrived(self, done_bytes: int) -> None:
        """A download has come so far; one that stands still does not start the clock again."""
        if done_bytes != self._done_bytes:
            self._done_bytes = done_bytes
            self._wait(to_download())

    def spoke(self) -> None:
        """A piece of text has come."""
        if self._limit.of_silence:
            self._wait(self._limit)

    def give_grace(self) -> None:
        """The job was asked to stop, and is given a little time to do so."""
        self._ends_at = time.monotonic() + CANCEL_GRACE_SECONDS

    @property
    def left_seconds(self) -> float:
        return max(0.0, self._ends_at - time.monotonic())

    def _wait(self, limit: Limit) -> None:
        self._ends_at = time.monotonic() + limit.seconds
        self.error = limit.error


def is_stopped(progress: Progress) -> bool:
    """Whether somebody asked to stop."""
    try:
        progress.check()
    except Cancelled:
        return True
    return False


def to_download() -> Limit:
    """The limit of a download that brings nothing."""
    error = RunnerTimeout(f"The download brought nothing for {STALL_SECONDS:g} s.", "Check the network, then run it again.")
    return Limit(STALL_SECONDS, error)


def to_load(deadline_seconds: float) -> Limit:
    """The limit of loading, downloads apart."""
    error = RunnerTimeout(
        f"It took longer than {deadline_seconds:g} s to load.",
        "Choose a smaller model, or raise EARSHOT_LOAD_TIMEOUT_SECONDS.",
    )
    return Limit(deadline_seconds, error)


def to_transcribe(clip: Clip, deadline_seconds: float) -> Limit:
    """The limit of one run over ``clip``."""
    seconds = f"{clip.seconds:.0f}" if clip.seconds >= 1 else f"{clip.seconds:.1g}"
    article = "an" if seconds.startswith("8") or seconds in ("11", "18") else "a"
    error = RunnerTimeout(
        f"It took longer than {_rounded(deadline_seconds)} s to transcribe {article} {seconds} s clip.",
        "Try a shorter clip or a smaller model, or raise EARSHOT_TRANSCRIBE_TIMEOUT_SECONDS.",
    )
    return Limit(deadline_seconds, error)


def to_answer(silence_seconds: float) -> Limit:
    """The limit of the wait for each piece of an answer, the first included."""
    error = RunnerTimeout(
        f"It said nothing for {_rounded(silence_seconds)} s.",
        "Ask about a shorter clip or with a smaller model, or raise EARSHOT_TRANSCRIBE_TIMEOUT_SECONDS.",
    )
    return Limit(silence_seconds, error, of_silence=True)


def _rounded(seconds: float) -> str:
    return f"{round(seconds, 0 if seconds >= 10 else 2):g}"
