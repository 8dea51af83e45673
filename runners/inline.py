"""A runner inside this process, behind the same interface as one in a child: for places where a child cannot be used.

What is lost is said plainly. A runner that crashes takes this process with it. One that hangs cannot be ended: at its
deadline the run is reported as skipped, and its thread goes on in the background until it ends by itself.

On ZeroGPU the GPU is lent for the length of one call, in a process that ``spaces`` forks by itself; what was loaded there
is gone afterwards. So there the whole of loading and transcribing is one call, and no model stays warm.
"""

from __future__ import annotations

import contextvars
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from runners import memory
from runners.base import Cancelled, Clip, MissingPackage, Placement, RunnerError, RunnerSpec, RunnerTimeout, TranscribeOptions
from runners.isolation import wire
from runners.process import CANCEL_GRACE_SECONDS, Clock, stalled, too_long_to_load, too_slow
from runners.settings import on_zero_gpu
from runners.worker import Heard, JobProgress, Loaded, RunnerHost, failure_from, failure_message, plain

GPU_SECONDS = 30
"""What is asked of ZeroGPU for loading from a local disk. An allowance, not a measurement, like the next."""
GPU_SECONDS_PER_SECOND = 0.25
"""What is asked for besides, for each second of audio and each run."""
MOST_GPU_SECONDS = 120
"""A visitor without quota for more is refused, so more is not asked for."""

_TICK_SECONDS = 0.05
T = TypeVar("T")


class LentGpu:
    """The one function of this process that ZeroGPU lends its GPU to.

    Build it before the page is launched: ``spaces`` wants to know at the start that there is such a function.

    Raises:
        MissingPackage: ``spaces`` is not installed.
    """

    def __init__(self) -> None:
        try:
            import spaces
        except ImportError as error:
            raise MissingPackage(
                "SPACES_ZERO_GPU is set, and the package spaces is not installed.", "pip install spaces, or unset the variable."
            ) from error
        self.hear: Callable[[RunnerSpec, Placement, Clip, TranscribeOptions, int], wire.Message]
        self.hear = spaces.GPU(duration=gpu_seconds)(_hear_at_once)


def lent_gpu() -> LentGpu | None:
    """The way to the GPU on ZeroGPU; None anywhere else, where the package ``spaces`` is not needed."""
    return LentGpu() if on_zero_gpu() else None


def gpu_seconds(spec: RunnerSpec, placement: Placement, clip: Clip, options: TranscribeOptions, repeat: int) -> int:
    """For how long the GPU is asked for; a short time is granted sooner."""
    seconds = GPU_SECONDS + GPU_SECONDS_PER_SECOND * len(clip.samples) / clip.sample_rate * repeat
    return min(MOST_GPU_SECONDS, round(seconds))


class InlineWorker:
    """One runner in this process. One job at a time."""

    def __init__(self, spec: RunnerSpec, lent: LentGpu | None = None) -> None:
        self.spec = spec
        self._host = RunnerHost(spec)
        self._lent = lent
        self._placement = Placement()
        self._held_bytes: int | None = None
        self._broken = False
        self._at_work = False

    @property
    def pid(self) -> int:
        return os.getpid()

    @property
    def alive(self) -> bool:
        """Whether it can take another job."""
        return not self._broken

    def log(self) -> tuple[str, ...]:
        """Nothing: what a runner prints here is mixed with everything else."""
        return ()

    def memory_bytes(self) -> int | None:
        """What the process grew by when the runner was loaded; None if unknown."""
        return self._held_bytes

    def fetch(self, *, progress: JobProgress, stopped: Callable[[], bool]) -> None:
        """As ``ProcessWorker.fetch``."""
        self._in_time(self._host.fetch, Clock(*stalled()), None, progress, stopped)

    def load(
        self, placement: Placement, *, deadline_seconds: float, progress: JobProgress, stopped: Callable[[], bool]
    ) -> Loaded:
        """As ``ProcessWorker.load``. With a lent GPU only the weights are fetched; loading is a part of ``transcribe``."""
        self._placement = placement
        if self._is_lent:
            self.fetch(progress=progress, stopped=stopped)
            return Loaded(None, None)
        before_bytes = memory.resident_bytes()
        limit = deadline_seconds, too_long_to_load(deadline_seconds)
        loaded = self._in_time(lambda telling: self._host.load(placement, telling), Clock(*limit), limit, progress, stopped)
        self._held_bytes = loaded.held_bytes
        if placement.device not in memory.OWN_MEMORY and loaded.held_bytes is not None and before_bytes is not None:
            self._held_bytes = max(0, loaded.held_bytes - before_bytes)
        return Loaded(loaded.load_seconds, self._held_bytes)

    def transcribe(
        self,
        clip: Clip,
        options: TranscribeOptions,
        *,
        repeat: int,
        deadline_seconds: float,
        progress: JobProgress,
        stopped: Callable[[], bool],
    ) -> Heard:
        """As ``ProcessWorker.transcribe``, but a runner that passes its deadline is only reported, not ended."""
        limit = deadline_seconds, too_slow(clip, deadline_seconds)
        if not self._is_lent:
            return self._in_time(
                lambda telling: self._host.transcribe(clip, options, repeat, telling), Clock(*limit), limit, progress, stopped
            )
        progress.running()
        clock = Clock(MOST_GPU_SECONDS + repeat * deadline_seconds, limit[1])  # with the wait for a GPU to be lent
        return self._in_time(lambda telling: self._hear_lent(clip, options, repeat), clock, None, progress, stopped)

    def close(self) -> None:
        """Unload the runner, unless it is at work, in a job that nothing can end. Idempotent."""
        self._broken = True
        if not self._at_work:
            with suppress(Exception):
                self._host.unload()

    def ask_to_end(self) -> None:
        """As ``ProcessWorker.ask_to_end``; there is nothing to ask."""

    def kill(self) -> None:
        """As ``ProcessWorker.kill``, as far as this is possible: it gets no more jobs."""
        self._broken = True

    @property
    def _is_lent(self) -> bool:
        return self._lent is not None and self._placement.device != "cpu"

    def _hear_lent(self, clip: Clip, options: TranscribeOptions, repeat: int) -> Heard:
        assert self._lent is not None  # noqa: S101  # _is_lent
        answer = self._lent.hear(self.spec, self._placement, clip, options, repeat)
        if "type" in answer:
            raise failure_from(answer)
        transcript = wire.transcript_from(answer["transcript"])
        return Heard(transcript, tuple(answer["runs"]), answer["peak_memory"], answer["load_seconds"])

    def _in_time(
        self,
        work: Callable[[JobProgress], T],
        clock: Clock,
        limit: tuple[float, RunnerTimeout] | None,
        progress: JobProgress,
        stopped: Callable[[], bool],
    ) -> T:
        """Do the work on a thread, and stop waiting for it at the deadline or some time after a cancel."""
        telling = _Telling(progress, clock, limit)
        outcome: list[Any] = []
        failure: list[BaseException] = []
        done = threading.Event()

        def job() -> None:
            try:
                outcome.append(work(telling))
            except BaseException as error:  # the caller gets it
                failure.append(error)
            finally:
                self._at_work = False
                done.set()

        self._at_work = True
        # With the caller's context: ZeroGPU finds in it whose visit the GPU time is counted to.
        thread = threading.Thread(target=contextvars.copy_context().run, args=(job,), name="inline runner", daemon=True)
        thread.start()
        while not done.wait(_TICK_SECONDS):
            if not telling.stopping and stopped():
                telling.stopping = True
                clock.restart(CANCEL_GRACE_SECONDS, clock.error)
            elif not clock.left_seconds:
                self._broken = True
                cancelled, telling.stopping, telling.abandoned = telling.stopping, True, True
                if cancelled:
                    raise Cancelled
                raise clock.error
        if telling.stopping:
            raise Cancelled
        if not failure:
            answer: T = outcome[0]
            return answer
        error = failure[0]
        if isinstance(error, Cancelled | RunnerError):
            raise error
        traceback.print_exception(error, file=sys.stderr)
        self._broken = True
        raise plain(error) from error


class _Telling:
    """Passes on what a runner reports, until the run is given up."""

    def __init__(self, progress: JobProgress, clock: Clock, limit: tuple[float, RunnerTimeout] | None) -> None:
        self._progress = progress
        self._clock = clock
        self._limit = limit
        self.stopping = False
        self.abandoned = False

    def downloading(self, done_bytes: int, total_bytes: int | None) -> None:
        self.check()
        self._clock.arrived(done_bytes)
        self._progress.downloading(done_bytes, total_bytes)

    def loading(self) -> None:
        self._begin(self._progress.loading)

    def running(self) -> None:
        self._begin(self._progress.running)

    def partial(self, text: str) -> None:
        if not self.abandoned:
            self._progress.partial(text)

    def check(self) -> None:
        if self.stopping:
            raise Cancelled

    def _begin(self, tell: Callable[[], None]) -> None:
        self.check()
        if self._limit is not None:
            self._clock.restart(*self._limit)
        tell()


class _Silent:
    """Progress where nobody can hear it: the process that ``spaces`` forks."""

    def downloading(self, done_bytes: int, total_bytes: int | None) -> None: ...
    def loading(self) -> None: ...
    def running(self) -> None: ...
    def partial(self, text: str) -> None: ...
    def check(self) -> None: ...


def _hear_at_once(spec: RunnerSpec, placement: Placement, clip: Clip, options: TranscribeOptions, repeat: int) -> wire.Message:
    """Load and transcribe in one call. Plain data comes back, failures too: it has to cross to another process."""
    try:
        host = RunnerHost(spec)
        loaded = host.load(placement, _Silent())
        heard = host.transcribe(clip, options, repeat, _Silent())
    except Exception as error:
        return failure_message(plain(error))
    return {
        "transcript": wire.transcript_message(heard.transcript),
        "runs": list(heard.runs),
        "peak_memory": heard.peak_memory,
        "load_seconds": loaded.load_seconds,
    }
