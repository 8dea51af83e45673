"""The parent's side of one runner in a child process: whatever happens in there, here it is an exception in bounded time.

This module does not know which runner to start, when to keep it, or what a result is (``runners.pool`` does).
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, Protocol, cast

from runners.base import (
    AudioError,
    Cancelled,
    Clip,
    Placement,
    RunnerCrashed,
    RunnerError,
    RunnerSpec,
    RunnerTimeout,
    TranscribeOptions,
)
from runners.isolation import wire
from runners.isolation.child_log import ChildLog, masker, secrets_in
from runners.isolation.death import crashed, oom_kills
from runners.isolation.spawner import Spawner, child_environment
from runners.settings import Settings
from runners.worker import MARK, Heard, JobProgress, Loaded, failure_from, failure_message

CANCEL_GRACE_SECONDS = 2.0
"""How long a runner may take to notice that it should stop before its process is killed."""
STALL_SECONDS = 120.0
"""How long a download may bring nothing before it counts as stuck."""

_TICK_SECONDS = 0.05
_END_SECONDS = 2.0


class Worker(Protocol):
    """One runner behind a wall, or without one: ``ProcessWorker`` and ``runners.inline.InlineWorker``."""

    @property
    def pid(self) -> int: ...

    @property
    def alive(self) -> bool: ...

    def log(self) -> tuple[str, ...]: ...

    def memory_bytes(self) -> int | None: ...

    def fetch(self, *, progress: JobProgress, stopped: Callable[[], bool]) -> None: ...

    def load(
        self, placement: Placement, *, deadline_seconds: float, progress: JobProgress, stopped: Callable[[], bool]
    ) -> Loaded: ...

    def transcribe(
        self,
        clip: Clip,
        options: TranscribeOptions,
        *,
        repeat: int,
        deadline_seconds: float,
        progress: JobProgress,
        stopped: Callable[[], bool],
    ) -> Heard: ...

    def close(self) -> None: ...

    def ask_to_end(self) -> None: ...

    def kill(self) -> None: ...


class Clock:
    """What is being waited for, and until when."""

    def __init__(self, seconds: float, error: RunnerTimeout) -> None:
        self._done_bytes: int | None = None
        self.restart(seconds, error)

    def restart(self, seconds: float, error: RunnerTimeout) -> None:
        """Wait from now on for so long, and then give this reason."""
        self._ends_at = time.monotonic() + seconds
        self.error = error

    def arrived(self, done_bytes: int) -> None:
        """A download has come so far; one that stands still does not start the clock again."""
        if done_bytes != self._done_bytes:
            self._done_bytes = done_bytes
            self.restart(*stalled())

    @property
    def left_seconds(self) -> float:
        return max(0.0, self._ends_at - time.monotonic())


class ProcessWorker:
    """One child with one runner. One job at a time; ``kill`` and ``close`` may come from another thread."""

    def __init__(self, spec: RunnerSpec, settings: Settings, spawner: Spawner) -> None:
        """Start the child; it loads nothing yet.

        Raises:
            RunnerCrashed: the system cannot start a process.
        """
        self.spec = spec
        command = [sys.executable, "-P", "-m", "runners.worker", str(os.getpid())]
        try:
            self._process = spawner.start(command, child_environment(settings))
        except OSError as error:
            raise RunnerCrashed(f"Its process could not be started: {error}.", "Close other programs.") from error
        self._mask = masker(secrets_in(os.environ))
        self._commands = cast(BinaryIO, self._process.stdin)
        self._messages = cast(BinaryIO, self._process.stdout)
        self._log = ChildLog(cast(BinaryIO, self._process.stderr), self._mask, MARK)
        self._inbox: queue.SimpleQueue[wire.Message | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[tuple[wire.Message, wire.Samples | None] | None] = queue.SimpleQueue()
        self._job = 0
        self._oom_kills: dict[str, int] = {}
        self._ended_with: int | None = None
        self._broken = False
        self._killing = threading.Lock()
        self._gone = False
        for work in (self._listen, self._talk):
            threading.Thread(target=work, name=f"child {work.__name__}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can take another job."""
        return not self._broken and self._process.poll() is None

    def log(self) -> tuple[str, ...]:
        """The last lines that it printed in the latest job."""
        return self._log.lines()

    def memory_bytes(self) -> int | None:
        """Main memory that the child holds now; None if it is gone."""
        import psutil

        with suppress(psutil.Error):
            return int(psutil.Process(self.pid).memory_info().rss)
        return None

    def fetch(self, *, progress: JobProgress, stopped: Callable[[], bool]) -> None:
        """Make sure that the weights are on this machine; no deadline but that of a download that brings nothing.

        Raises:
            RunnerError: what the runner or the hub raised, or how the child died.
            Cancelled: ``stopped`` said so.
        """
        self._do({"do": "fetch", "spec": wire.as_message(self.spec)}, None, Clock(*stalled()), None, progress, stopped)

    def load(
        self, placement: Placement, *, deadline_seconds: float, progress: JobProgress, stopped: Callable[[], bool]
    ) -> Loaded:
        """Load the runner; a download before it does not count against the deadline.

        Raises:
            RunnerError: what the runner raised, how the child died, or that it took too long.
            Cancelled: ``stopped`` said so.
        """
        limit = deadline_seconds, too_long_to_load(deadline_seconds)
        command = {
            "do": "load",
            "spec": wire.as_message(self.spec),
            "placement": wire.as_message(placement),
            "deadline_seconds": deadline_seconds,
        }
        answer = self._do(command, None, Clock(*limit), limit, progress, stopped)
        return Loaded(answer["load_seconds"], answer["held_bytes"])

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
        """Hear a clip ``repeat`` times; the deadline is for each time.

        Raises:
            RunnerError: what the runner raised, how the child died, or that it took too long.
            Cancelled: ``stopped`` said so.
        """
        limit = deadline_seconds, too_slow(clip, deadline_seconds)
        command = {
            "do": "transcribe",
            "clip": wire.clip_message(clip),
            "options": wire.as_message(options),
            "repeat": repeat,
            "deadline_seconds": deadline_seconds,
        }
        answer = self._do(command, clip.samples, Clock(*limit), limit, progress, stopped)
        try:
            return Heard(wire.transcript_from(answer["transcript"]), tuple(answer["runs"]), answer["peak_memory"])
        except wire.FrameError as error:
            raise RunnerError("Its answer could not be read.") from error

    def close(self) -> None:
        """End the child: let it unload, then kill what is left. Idempotent."""
        self.ask_to_end()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self.kill()

    def ask_to_end(self) -> None:
        """Let an idle child unload and end; does not wait."""
        self._broken = True
        self._outbox.put(({"do": "end"}, None))

    def kill(self) -> None:
        """End the child and all that it started, now. Idempotent."""
        self._broken = True
        with self._killing:
            if self._gone:  # its number may be another's by now
                return
            if os.name == "posix":
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):  # in the kernel's hands: waiting for a disk or a driver
                self._process.wait(_END_SECONDS)
                self._gone = True
        self._outbox.put(None)

    def _do(
        self,
        command: wire.Message,
        samples: wire.Samples | None,
        clock: Clock,
        limit: tuple[float, RunnerTimeout] | None,
        progress: JobProgress,
        stopped: Callable[[], bool],
    ) -> wire.Message:
        """Give the child a job and wait for it. A fault on this side of the wall ends the child: it would go on working."""
        try:
            return self._converse(command, samples, clock, limit, progress, stopped)
        except (Cancelled, RunnerError):
            raise
        except BaseException:
            self.kill()
            raise

    def _converse(
        self,
        command: wire.Message,
        samples: wire.Samples | None,
        clock: Clock,
        limit: tuple[float, RunnerTimeout] | None,
        progress: JobProgress,
        stopped: Callable[[], bool],
    ) -> wire.Message:
        """Send a job and wait for its last message, the child's death, the deadline or a cancel."""
        self._job += 1
        self._log.clear()
        self._oom_kills = oom_kills()
        self._outbox.put(({**command, "job": self._job}, samples))
        asked_to_stop = False
        while True:
            message: wire.Message | None = {}
            with suppress(queue.Empty):
                message = self._inbox.get(timeout=min(_TICK_SECONDS, clock.left_seconds))
            if message is None:
                self._broken = True
                self._log.wait_for_end(1.0)
                if asked_to_stop or stopped():
                    raise Cancelled
                raise crashed(self._ended_with, self._oom_kills, oom_kills())
            if message.get("job") == self._job:
                tell = message["tell"]
                if tell == "cancelled" or (asked_to_stop and tell in ("done", "failed")):
                    raise Cancelled
                if tell == "done":
                    return message
                if tell == "failed":
                    # After a fault that its runner did not foresee nobody knows what state it is in.
                    self._broken = not message.get("orderly", True)
                    self._log.wait_for_mark(str(self._job), 1.0)
                    raise self._failure(message)
                if not asked_to_stop:
                    self._tell(message, clock, limit, progress)
            if not asked_to_stop and stopped():
                asked_to_stop = True
                self._outbox.put(({"do": "cancel", "job": self._job}, None))
                clock.restart(CANCEL_GRACE_SECONDS, clock.error)
            elif not clock.left_seconds:
                self.kill()
                self._log.wait_for_end(1.0)
                if asked_to_stop:
                    raise Cancelled
                raise clock.error

    def _tell(
        self, message: wire.Message, clock: Clock, limit: tuple[float, RunnerTimeout] | None, progress: JobProgress
    ) -> None:
        match message["tell"]:
            case "downloading":
                clock.arrived(message["done_bytes"])
                progress.downloading(message["done_bytes"], message["total_bytes"])
            case "loading" | "running" as step:
                if limit is not None:
                    clock.restart(*limit)
                progress.loading() if step == "loading" else progress.running()
            case "partial":
                progress.partial(message["text"])

    def _failure(self, message: wire.Message) -> RunnerError:
        failure = failure_from(message)
        return type(failure)(self._mask(str(failure)), self._mask(failure.fix) if failure.fix else None)

    def _listen(self) -> None:
        with suppress(wire.FrameError, OSError, ValueError), self._messages:
            while (frame := wire.read(self._messages, most_sample_bytes=0)) is not None:
                self._inbox.put(frame[0])
        with suppress(subprocess.TimeoutExpired):
            self._ended_with = self._process.wait(_END_SECONDS)
        self.kill()  # and whatever it had started itself
        self._inbox.put(None)

    def _talk(self) -> None:
        """A thread of its own: a child that reads nothing must not keep anybody from seeing its deadline pass."""
        with suppress(OSError, ValueError), self._commands:
            while (order := self._outbox.get()) is not None:
                try:
                    wire.write(self._commands, *order)
                except wire.FrameError as error:
                    failure = failure_message(AudioError(f"It cannot be sent to the runner: {error}.", "Use a shorter clip."))
                    self._inbox.put({"tell": "failed", "job": order[0].get("job"), **failure})


def too_slow(clip: Clip, deadline_seconds: float) -> RunnerTimeout:
    """The error of a run over ``clip`` that passed its deadline."""
    seconds = f"{clip.seconds:.0f}" if clip.seconds >= 1 else f"{clip.seconds:.1g}"
    article = "an" if seconds.startswith("8") or seconds in ("11", "18") else "a"
    limit = f"{round(deadline_seconds, 0 if deadline_seconds >= 10 else 2):g}"
    return RunnerTimeout(
        f"It took longer than {limit} s to transcribe {article} {seconds} s clip.",
        "Try a shorter clip or a smaller model, or raise EARSHOT_TRANSCRIBE_TIMEOUT_SECONDS.",
    )


def too_long_to_load(deadline_seconds: float) -> RunnerTimeout:
    """The error of a load that passed its deadline."""
    return RunnerTimeout(
        f"It took longer than {deadline_seconds:g} s to load.",
        "Choose a smaller model, or raise EARSHOT_LOAD_TIMEOUT_SECONDS.",
    )


def stalled() -> tuple[float, RunnerTimeout]:
    """The limit of a download that brings nothing, in seconds, and its error."""
    return STALL_SECONDS, RunnerTimeout(
        f"The download brought nothing for {STALL_SECONDS:g} s.", "Check the network, then run it again."
    )
