"""A runner inside this process, behind the same interface as one in a child: for places where a child cannot be used.

What is lost is said plainly. A runner that crashes takes this process with it. One that hangs cannot be ended: at its
deadline the run is reported as skipped, and its thread goes on in the background until it ends by itself.

On ZeroGPU (``runners.isolation.lent_gpu``) no model stays warm.
"""

from __future__ import annotations

import contextvars
import os
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from runners.base import Cancelled, ChatOptions, Clip, Placement, RunnerError, RunnerSpec, TranscribeOptions, Turn
from runners.here import memory
from runners.isolation import limits, wire
from runners.isolation.failures import plain
from runners.isolation.host import Heard, JobProgress, Loaded, Replied, RunnerHost
from runners.isolation.lent_gpu import MOST_GPU_SECONDS, LentGpu

_WAIT_FOR_GPU_SECONDS = MOST_GPU_SECONDS
"""A lent GPU may have to be waited for; for so long others may have it."""
_TICK_SECONDS = 0.05
T = TypeVar("T")


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
        self._forgotten: deque[str] = deque()
        self._changing = threading.Lock()

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

    def fetch(self, progress: JobProgress) -> None:
        """As ``ProcessWorker.fetch``."""
        self._do(self._host.fetch, limits.to_download(), progress)

    def load(self, placement: Placement, progress: JobProgress, deadline_seconds: float) -> Loaded:
        """As ``ProcessWorker.load``. With a lent GPU only the weights are fetched; loading is a part of each job."""
        self._placement = placement
        if self._lends:
            self.fetch(progress)
            return Loaded(None, None)
        before_bytes = memory.resident_bytes()
        limit = limits.to_load(deadline_seconds)
        loaded = self._do(lambda telling: self._host.load(placement, telling), limit, progress)
        self._held_bytes = loaded.held_bytes
        if placement.device not in memory.OWN_MEMORY and loaded.held_bytes is not None and before_bytes is not None:
            self._held_bytes = max(0, loaded.held_bytes - before_bytes)
        return Loaded(loaded.load_seconds, self._held_bytes)

    def transcribe(
        self, clip: Clip, options: TranscribeOptions, progress: JobProgress, deadline_seconds: float, repeat: int = 1
    ) -> Heard:
        """As ``ProcessWorker.transcribe``, but a runner that passes its deadline is only reported, not ended."""
        limit, lent = limits.to_transcribe(clip, deadline_seconds), self._lends
        if lent is None:
            heard = self._do(lambda telling: self._host.transcribe(clip, options, repeat, telling), limit, progress)
            return Heard.from_message(heard.as_message())  # as it would come from a child: texts and numbers that can be kept
        progress.running()
        limit = replace(limit, seconds=_WAIT_FOR_GPU_SECONDS + repeat * deadline_seconds)
        return self._do(lambda telling: lent.hear(self.spec, self._placement, clip, options, repeat), limit, progress)

    def chat(
        self, clip: Clip | None, turns: tuple[Turn, ...], options: ChatOptions, progress: JobProgress, silence_seconds: float
    ) -> Replied:
        """As ``ProcessWorker.chat``, with the same exception as ``transcribe``."""
        limit, lent = limits.to_answer(silence_seconds), self._lends
        if lent is None:
            replied = self._do(lambda telling: self._host.chat(clip, turns, options, telling), limit, progress)
            return Replied.from_message(replied.as_message())
        progress.running()
        limit = replace(limit, seconds=_WAIT_FOR_GPU_SECONDS + silence_seconds)
        return self._do(lambda telling: lent.chat(self.spec, self._placement, clip, turns, options, telling), limit, progress)

    def forget(self, conversation: str) -> None:
        """As ``ProcessWorker.forget``."""
        with self._changing:
            self._forgotten.append(conversation)
            if not self._at_work:
                self._forget()

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
    def _lends(self) -> LentGpu | None:
        """The way to the lent GPU, where that is what runs the jobs."""
        return None if self._placement.device == "cpu" else self._lent

    def _forget(self) -> None:
        while self._forgotten:
            try:
                self._host.forget(self._forgotten.popleft())
            except Exception:  # nobody waits for an answer; the next job shows what is wrong
                traceback.print_exc()

    def _do(self, work: Callable[[JobProgress], T], limit: limits.Limit, progress: JobProgress) -> T:
        """Do the work on a thread, and stop waiting for it at the deadline or some time after a cancel."""
        clock = limits.Clock(limit)
        telling = _Telling(progress, clock)
        outcome: list[Any] = []
        failure: list[BaseException] = []
        done = threading.Event()

        def job() -> None:
            try:
                outcome.append(work(telling))
            except BaseException as error:  # the caller gets it
                failure.append(error)
            finally:
                with self._changing:
                    self._at_work = False
                    self._forget()
                done.set()

        with self._changing:
            self._at_work = True
        # With the caller's context: ZeroGPU finds in it whose visit the GPU time is counted to.
        thread = threading.Thread(target=contextvars.copy_context().run, args=(job,), name="inline runner", daemon=True)
        thread.start()
        while not done.wait(_TICK_SECONDS):
            if not telling.stopping and limits.is_stopped(progress):
                telling.stopping = True
                clock.give_grace()
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

    def __init__(self, progress: JobProgress, clock: limits.Clock) -> None:
        self._progress = progress
        self._clock = clock
        self.stopping = False
        self.abandoned = False

    def downloading(self, done_bytes: int, total_bytes: int | None) -> None:
        self.check()
        self._clock.arrived(done_bytes)
        self._progress.downloading(done_bytes, total_bytes)

    def loading(self) -> None:
        self.check()
        self._clock.begin()
        self._progress.loading()

    def running(self) -> None:
        self.check()
        self._clock.begin()
        self._progress.running()

    def partial(self, text: str) -> None:
        if not self.stopping:
            self._clock.spoke()
        if not self.abandoned:
            self._progress.partial(wire.printable(text))

    def check(self) -> None:
        if self.stopping:
            raise Cancelled
