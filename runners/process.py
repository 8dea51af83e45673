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
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, Protocol, TypeVar, cast

from runners.base import (
    AudioError,
    Cancelled,
    ChatOptions,
    Clip,
    Placement,
    RunnerCrashed,
    RunnerError,
    RunnerSpec,
    TranscribeOptions,
    Turn,
)
from runners.isolation import limits, wire
from runners.isolation.child_log import ChildLog, masker, secrets_in
from runners.isolation.death import crashed, oom_kills
from runners.isolation.failures import failure_from, failure_message
from runners.isolation.host import Heard, JobProgress, Loaded, Replied
from runners.isolation.spawner import Spawner, child_environment
from runners.settings import Settings
from runners.worker import MARK

_TICK_SECONDS = 0.05
_END_SECONDS = 2.0
T = TypeVar("T")


class Worker(Protocol):
    """One runner behind a wall, or without one: ``ProcessWorker`` and ``runners.inline.InlineWorker``.

    ``progress`` hears what the runner tells, and stops a job by raising ``Cancelled`` from ``check``.
    """

    @property
    def pid(self) -> int: ...

    @property
    def alive(self) -> bool: ...

    def log(self) -> tuple[str, ...]: ...

    def memory_bytes(self) -> int | None: ...

    def fetch(self, progress: JobProgress) -> None: ...

    def load(self, placement: Placement, progress: JobProgress, deadline_seconds: float) -> Loaded: ...

    def transcribe(
        self, clip: Clip, options: TranscribeOptions, progress: JobProgress, deadline_seconds: float, repeat: int = 1
    ) -> Heard: ...

    def chat(
        self, clip: Clip | None, turns: tuple[Turn, ...], options: ChatOptions, progress: JobProgress, silence_seconds: float
    ) -> Replied: ...

    def forget(self, conversation: str) -> None: ...

    def close(self) -> None: ...

    def ask_to_end(self) -> None: ...

    def kill(self) -> None: ...


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
            self._process = spawner.start(command, child_environment(settings, spec))
        except OSError as error:
            raise RunnerCrashed(f"Its process could not be started: {error}.", "Close other programs.") from error
        key_variable = spec.server.key_variable if spec.server is not None else None
        self._mask = masker(secrets_in(os.environ, () if key_variable is None else (key_variable,)))
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

    def fetch(self, progress: JobProgress) -> None:
        """Make sure that the weights are on this machine; no deadline but that of a download that brings nothing.

        Raises:
            RunnerError: what the runner or the hub raised, or how the child died.
            Cancelled: ``progress.check`` said so.
        """
        self._do({"do": "fetch", "spec": wire.as_message(self.spec)}, limits.to_download(), progress)

    def load(self, placement: Placement, progress: JobProgress, deadline_seconds: float) -> Loaded:
        """Load the runner; a download before it does not count against the deadline.

        Raises:
            RunnerError: what the runner raised, how the child died, or that it took too long.
            Cancelled: ``progress.check`` said so.
        """
        command = {"do": "load", "spec": wire.as_message(self.spec), "placement": wire.as_message(placement)}
        answer = self._do(command, limits.to_load(deadline_seconds), progress)
        return Loaded(answer["load_seconds"], answer["held_bytes"])

    def transcribe(
        self, clip: Clip, options: TranscribeOptions, progress: JobProgress, deadline_seconds: float, repeat: int = 1
    ) -> Heard:
        """Hear a clip ``repeat`` times; the deadline is for each time. Raises as ``load`` does."""
        command = {"do": "transcribe", "options": wire.options_message(options), "repeat": repeat}
        answer = self._do(command, limits.to_transcribe(clip, deadline_seconds), progress, clip)
        return _read(Heard.from_message, answer)

    def chat(
        self, clip: Clip | None, turns: tuple[Turn, ...], options: ChatOptions, progress: JobProgress, silence_seconds: float
    ) -> Replied:
        """Answer the last turn; the deadline is for each piece of the answer. Raises as ``load`` does.

        What was said before it was cancelled or failed has been told as partial text.
        """
        command = {"do": "chat", "turns": wire.turns_message(turns), "options": wire.as_message(options)}
        answer = self._do(command, limits.to_answer(silence_seconds), progress, clip)
        return _read(Replied.from_message, answer)

    def forget(self, conversation: str) -> None:
        """Have the child drop what it keeps for a conversation, after its present job; does not wait."""
        self._outbox.put(({"do": "forget", "conversation": conversation}, None))

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

    def _do(self, command: wire.Message, limit: limits.Limit, progress: JobProgress, clip: Clip | None = None) -> wire.Message:
        """Give the child a job and wait for it. A fault on this side of the wall ends the child: it would go on working."""
        self._job += 1
        self._log.clear()
        self._oom_kills = oom_kills()
        told = {"job": self._job, "deadline_seconds": limit.seconds, "clip": None if clip is None else wire.clip_message(clip)}
        self._outbox.put(({**command, **told}, None if clip is None else clip.samples))
        try:
            return self._answer(limits.Clock(limit), progress)
        except (Cancelled, RunnerError):
            raise
        except BaseException:
            self.kill()
            raise

    def _answer(self, clock: limits.Clock, progress: JobProgress) -> wire.Message:
        """Wait for the job's last message, the child's death, the deadline or a cancel."""
        asked_to_stop = False
        while True:
            message: wire.Message | None = {}
            with suppress(queue.Empty):
                message = self._inbox.get(timeout=min(_TICK_SECONDS, clock.left_seconds))
            if message is None:
                self._broken = True
                self._log.wait_for_end(1.0)
                if asked_to_stop or limits.is_stopped(progress):
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
                if tell == "partial":  # the last one comes after a cancel, too
                    progress.partial(message["text"])
                if not asked_to_stop:
                    _tell(message, clock, progress)
            if not asked_to_stop and limits.is_stopped(progress):
                asked_to_stop = True
                self._outbox.put(({"do": "cancel", "job": self._job}, None))
                clock.give_grace()
            elif not clock.left_seconds:
                self.kill()
                self._log.wait_for_end(1.0)
                if asked_to_stop:
                    raise Cancelled
                raise clock.error

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


def _tell(message: wire.Message, clock: limits.Clock, progress: JobProgress) -> None:
    """Pass on how far a job has come; its text apart."""
    match message["tell"]:
        case "downloading":
            clock.arrived(message["done_bytes"])
            progress.downloading(message["done_bytes"], message["total_bytes"])
        case "loading":
            clock.begin()
            progress.loading()
        case "running":
            clock.begin()
            progress.running()
        case "partial":
            clock.spoke()


def _read(read: Callable[[wire.Message], T], answer: wire.Message) -> T:
    try:
        return read(answer)
    except wire.FrameError as error:
        raise RunnerError("Its answer could not be read.") from error
