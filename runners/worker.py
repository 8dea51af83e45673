"""The child's side of isolation, ``python -m runners.worker``, and the code that loads and times a runner anywhere.

``RunnerHost`` is that code; inline mode uses it too, so that a number means the same however a runner is isolated.

What the two sides say to each other, one JSON object a frame (``runners.isolation.wire``); every one names its ``job``:

    to the child      {"do": "fetch" | "load" | "transcribe" | "cancel" | "end", …}   a clip's samples travel raw
    from the child    {"tell": "downloading" | "loading" | "running" | "partial", …}  on the way
                      {"tell": "done" | "failed" | "cancelled", …}                    the last of a job

The child never outlives its parent: it ends when its standard input does, the kernel kills it when the parent is gone
(Linux), and a watchdog that needs no interpreter ends it some time after a deadline that nobody enforced.
This module imports no torch; a runner's ``load`` does.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import queue
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from runners import base, memory
from runners.base import Cancelled, Clip, Placement, Progress, Runner, RunnerError, RunnerSpec, TranscribeOptions, Transcript
from runners.isolation import wire
from runners.isolation.death import die_with

ISOLATED = "EARSHOT_ISOLATED"
"""Environment variable that is "1" in a child process, where a runner may crash without harm."""
MARK = "\x1eearshot-end-of-job "
"""Begins the line on standard error that says that all output of a job is out; never kept in a log."""

_LONGEST_SENTENCE = 600
_LONGEST_PARTIAL = 100_000
_TELL_EVERY_SECONDS = 0.1
_WATCHDOG_EXTRA_SECONDS = 30.0
_OOM_SCORE_ADJ = "800"  # of 1000: far before the page's process, which has 0


class JobProgress(Progress, Protocol):
    """What a host tells besides what its runner does."""

    def loading(self) -> None:
        """The download, if there was one, is over; the weights are being loaded."""

    def running(self) -> None:
        """A timed run begins."""


@dataclass(frozen=True)
class Loaded:
    """A runner is ready."""

    load_seconds: float | None
    """Loading alone: no download, no start of the process. None if it is put off until the first clip."""
    held_bytes: int | None
    """Memory held now, of the process or of a device with memory of its own; None if unknown."""


@dataclass(frozen=True)
class Heard:
    """A runner has heard a clip."""

    transcript: Transcript
    runs: tuple[float, ...]
    """Seconds of each timed run, in order, the first included."""
    peak_memory: int | None
    """Bytes at the highest, loading included; None if unknown."""
    load_seconds: float | None = None
    """Where loading was put off until now."""


class RunnerHost:
    """Loads one runner and times it. Every method raises what the runner raises; ``plain`` makes it a ``RunnerError``."""

    def __init__(self, spec: RunnerSpec) -> None:
        self.spec = spec
        self._runner: Runner | None = None
        self._weights: Path | None = None
        self._fetched = False
        self._placement = Placement()
        self._load_peak: int | None = None

    def fetch(self, progress: Progress) -> None:
        """Make sure that the weights are on this machine, downloading them if need be."""
        if self._runner is None:
            module, _, name = self.spec.target.partition(":")
            self._runner = getattr(importlib.import_module(module), name)(self.spec)
        # A scripted runner's "model" names a script, not weights.
        if self.spec.model is not None and getattr(self._runner, "takes_weights", True):
            from runners import hub

            try:
                self._weights = hub.folder_of(self.spec)
            except base.WeightsUnavailable:
                self._weights = hub.download(self.spec, progress)
        self._fetched = True

    def load(self, placement: Placement, progress: JobProgress) -> Loaded:
        """Make the runner ready, the download apart from the timing."""
        if not self._fetched:
            self.fetch(progress)
        assert self._runner is not None  # noqa: S101  # fetch has built it
        progress.loading()
        progress.check()
        self._placement = placement
        began = time.perf_counter()
        self._runner.load(self._weights, placement, progress)
        memory.synchronise(placement)
        load_seconds = time.perf_counter() - began
        self._load_peak = memory.peak_bytes(placement)
        return Loaded(load_seconds, memory.held_bytes(placement))

    def transcribe(self, clip: Clip, options: TranscribeOptions, repeat: int, progress: JobProgress) -> Heard:
        """Hear the clip ``repeat`` times; the clock runs around the runner's call alone, with the device synchronised."""
        if self._runner is None:
            raise RuntimeError("transcribe before load")
        memory.forget_peak(self._placement)
        runs: list[float] = []
        transcript = Transcript("")
        for _ in range(max(1, repeat)):
            progress.check()
            progress.running()
            memory.synchronise(self._placement)
            began = time.perf_counter()
            transcript = self._runner.transcribe(clip, options, progress)
            memory.synchronise(self._placement)
            runs.append(time.perf_counter() - began)
        if not isinstance(transcript, Transcript):
            raise TypeError(f"the runner answered with {type(transcript).__name__}, not with a transcript")
        peaks = [peak for peak in (self._load_peak, memory.peak_bytes(self._placement)) if peak is not None]
        return Heard(transcript, tuple(runs), max(peaks, default=None))

    def unload(self) -> None:
        """Give back memory."""
        runner, self._runner, self._fetched = self._runner, None, False
        if runner is not None:
            runner.unload()
        del runner
        memory.give_back(self._placement)


def plain(error: BaseException) -> RunnerError:
    """Any failure as one that says what happened and what to do, no longer than a card can show."""
    if isinstance(error, RunnerError):
        kind: type[RunnerError] = next(
            (kind for kind in type(error).__mro__ if getattr(base, kind.__name__, None) is kind), RunnerError
        )
        fixed: RunnerError = kind(_sentence(str(error)), _sentence(error.fix) if error.fix else None)
        return fixed
    what = _sentence(f"{type(error).__name__}: {error}" if str(error).strip() else type(error).__name__)
    if isinstance(error, ModuleNotFoundError):
        return base.MissingPackage(f"The package {error.name!r} is not installed.", "Install the package that provides it.")
    if memory.is_shortage(error):
        return base.OutOfMemory(
            f"Not enough memory ({what}).", "Choose a smaller model or a smaller precision, or close other programs."
        )
    return RunnerError(what, "Run it again; if it fails again, the last lines of its log say more.")


def failure_message(error: RunnerError) -> wire.Message:
    """An error as plain data."""
    return {"type": type(error).__name__, "what": str(error), "fix": error.fix}


def failure_from(message: wire.Message) -> RunnerError:
    """The error that ``failure_message`` made plain; a type that is not known here is a plain ``RunnerError``."""
    kind = getattr(base, str(message.get("type")), None)
    if not (isinstance(kind, type) and issubclass(kind, RunnerError)):
        kind = RunnerError
    fix = message.get("fix")
    failure: RunnerError = kind(str(message.get("what")), None if fix is None else str(fix))
    return failure


def _sentence(text: str) -> str:
    text = wire.printable(text).strip()
    return text if len(text) <= _LONGEST_SENTENCE else text[: _LONGEST_SENTENCE - 1] + "…"


class _Telling:
    """Progress of one job, told to the parent; a few times a second, however often the runner calls."""

    def __init__(self, child: _Child, job: int, deadline_seconds: float | None) -> None:
        self._child = child
        self._job = job
        self._deadline_seconds = deadline_seconds
        self._told_at: dict[str, float] = {}

    def downloading(self, done_bytes: int, total_bytes: int | None) -> None:
        if done_bytes == total_bytes or self._is_time("downloading"):
            self._tell("downloading", done_bytes=done_bytes, total_bytes=total_bytes)
        self.check()

    def loading(self) -> None:
        self._arm()
        self._tell("loading")

    def running(self) -> None:
        self._arm()
        self._tell("running")

    def partial(self, text: str) -> None:
        if self._is_time("partial"):
            self._tell("partial", text=wire.printable(text[-_LONGEST_PARTIAL:]))

    def check(self) -> None:
        if self._child.is_cancelled(self._job):
            raise Cancelled

    def _tell(self, tell: str, **rest: Any) -> None:
        self._child.tell({"tell": tell, "job": self._job, **rest})

    def _is_time(self, tell: str) -> bool:
        now = time.monotonic()
        if now - self._told_at.get(tell, -_TELL_EVERY_SECONDS) < _TELL_EVERY_SECONDS:
            return False
        self._told_at[tell] = now
        return True

    def _arm(self) -> None:
        """The watchdog is a thread of C: it ends a process whose interpreter is stuck and whose parent is gone."""
        if self._deadline_seconds is not None:
            faulthandler.dump_traceback_later(self._deadline_seconds + _WATCHDOG_EXTRA_SECONDS, exit=True)


class _Child:
    """Takes commands one after the other; a second thread watches for cancels and for the parent's end."""

    def __init__(self, commands: Any, messages: Any) -> None:
        self._commands = commands
        self._messages = messages
        self._writing = threading.Lock()
        self._todo: queue.SimpleQueue[tuple[wire.Message, wire.Samples]] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._host: RunnerHost | None = None

    def tell(self, message: wire.Message) -> None:
        try:
            with self._writing:
                wire.write(self._messages, message)
        except OSError:
            os._exit(0)  # nobody listens any more

    def is_cancelled(self, job: int) -> bool:
        return job in self._cancelled

    def serve(self) -> None:
        threading.Thread(target=self._watch, name="commands", daemon=True).start()
        while True:
            command, samples = self._todo.get()
            if command["do"] == "end":
                if self._host is not None:
                    with suppress(Exception):
                        self._host.unload()
                return
            self._work(command, samples)

    def _watch(self) -> None:
        try:
            while (frame := wire.read(self._commands)) is not None:
                if frame[0].get("do") == "cancel":
                    self._cancelled.add(frame[0]["job"])
                else:
                    self._todo.put(frame)
        finally:
            os._exit(0)  # the parent is gone, or talks nonsense

    def _work(self, command: wire.Message, samples: wire.Samples) -> None:
        job: int = command["job"]
        telling = _Telling(self, job, command.get("deadline_seconds"))
        try:
            telling.check()
            answer = {"tell": "done", "job": job, **self._do(command, samples, telling)}
        except Cancelled:
            answer = {"tell": "cancelled", "job": job}
        except SystemExit as leaving:
            traceback.print_exc()
            # At once: an orderly end would wait for threads, and fail over the pipe that one of them reads.
            os._exit(leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None))
        except BaseException as error:  # panics of Rust libraries are no Exceptions
            if not isinstance(error, RunnerError):
                traceback.print_exc()
            orderly = isinstance(error, RunnerError)
            answer = {"tell": "failed", "job": job, "orderly": orderly, **failure_message(plain(error))}
        faulthandler.cancel_dump_traceback_later()
        sys.stdout.flush()
        print(f"{MARK}{job}", file=sys.stderr, flush=True)  # noqa: T201  # standard error is the log
        try:
            self.tell(answer)
        except wire.FrameError as error:
            self.tell({"tell": "failed", "job": job, **failure_message(RunnerError(f"Its answer cannot be used: {error}."))})

    def _do(self, command: wire.Message, samples: wire.Samples, telling: _Telling) -> wire.Message:
        if self._host is None:
            self._host = RunnerHost(wire.from_message(RunnerSpec, command["spec"]))
        if command["do"] == "fetch":
            self._host.fetch(telling)
            return {}
        if command["do"] == "load":
            loaded = self._host.load(wire.from_message(Placement, command["placement"]), telling)
            return {"load_seconds": loaded.load_seconds, "held_bytes": loaded.held_bytes}
        heard = self._host.transcribe(
            wire.clip_from(command["clip"], samples),
            wire.from_message(TranscribeOptions, command["options"]),
            command["repeat"],
            telling,
        )
        return {
            "transcript": wire.transcript_message(heard.transcript),
            "runs": list(heard.runs),
            "peak_memory": heard.peak_memory,
        }


def _own_pipes() -> tuple[Any, Any]:
    """The two pipes to the parent, moved away from where libraries read and print.

    What is printed to standard output goes to the log, and whoever asks a question on standard input hears nothing.
    """
    commands = os.fdopen(os.dup(0), "rb")
    messages = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return commands, messages


def _offer_to_the_oom_killer() -> None:
    """When the machine runs out of memory, this process goes, not the page."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE_ADJ)


def main(arguments: list[str]) -> None:
    """Serve the parent whose process id is the only argument."""
    commands, messages = _own_pipes()
    die_with(int(arguments[0]))
    _offer_to_the_oom_killer()
    faulthandler.enable()
    os.environ[ISOLATED] = "1"
    _Child(commands, messages).serve()
    os._exit(0)  # threads that a library left behind could keep it from ending


if __name__ == "__main__":
    main(sys.argv[1:])
