"""The child's side of isolation, ``python -m runners.worker``.

What the two sides say to each other, one JSON object a frame (``runners.isolation.wire``); every one names its ``job``:

    to the child      {"do": "fetch" | "load" | "transcribe" | "chat", …}             a clip's samples travel raw
                      {"do": "cancel" | "forget" | "end", …}                          not answered
    from the child    {"tell": "downloading" | "loading" | "running" | "partial", …}  on the way
                      {"tell": "done" | "failed" | "cancelled", …}                    the last of a job

The child never outlives its parent: it ends when its standard input does, the kernel kills it when the parent is gone
(Linux), and a watchdog that needs no interpreter ends it some time after a deadline that nobody enforced.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from runners.base import Cancelled, ChatOptions, Placement, RunnerError
from runners.isolation import wire
from runners.isolation.death import die_with
from runners.isolation.failures import failure_message, plain
from runners.isolation.host import RunnerHost

ISOLATED = "EARSHOT_ISOLATED"
"""Environment variable that is "1" in a child process, where a runner may crash without harm."""
MARK = "\x1eearshot-end-of-job "
"""Begins the line on standard error that says that all output of a job is out; never kept in a log."""

_LONGEST_PARTIAL = 100_000
_WATCHDOG_EXTRA_SECONDS = 30.0
_OOM_SCORE_ADJ = "800"  # of 1000: far before the page's process, which has 0


class _Telling:
    """Progress of one job, told to the parent."""

    def __init__(self, child: _Child, command: wire.Message) -> None:
        self._child = child
        self._job: int = command["job"]
        self._deadline_seconds: float | None = command.get("deadline_seconds")
        self._is_chat = command["do"] == "chat"

    def downloading(self, done_bytes: int, total_bytes: int | None) -> None:
        self._tell("downloading", done_bytes=done_bytes, total_bytes=total_bytes)

    def loading(self) -> None:
        self._arm()
        self._tell("loading")

    def running(self) -> None:
        self._arm()
        self._tell("running")

    def partial(self, text: str) -> None:
        if self._is_chat:  # its deadline is about silence
            self._arm()
        self._tell("partial", text=wire.printable(text[-_LONGEST_PARTIAL:]))

    def check(self) -> None:
        if self._child.is_cancelled(self._job):
            raise Cancelled

    def _tell(self, tell: str, **rest: Any) -> None:
        self._child.tell({"tell": tell, "job": self._job, **rest})

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
            match command["do"]:
                case "end":
                    if self._host is not None:
                        with suppress(Exception):
                            self._host.unload()
                    return
                case "forget":
                    self._forget(command["conversation"])
                case _:
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
        telling = _Telling(self, command)
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
            self._host = RunnerHost(wire.spec_from(command["spec"]))
        match command["do"]:
            case "fetch":
                self._host.fetch(telling)
                return {}
            case "load":
                return self._host.load(wire.from_message(Placement, command["placement"]), telling).as_message()
            case "transcribe":
                options = wire.options_from(command["options"])
                clip = wire.clip_from(command["clip"], samples)
                return self._host.transcribe(clip, options, command["repeat"], telling).as_message()
        turns, wanted = wire.turns_from(command["turns"]), wire.from_message(ChatOptions, command["options"])
        asked_about = None if command["clip"] is None else wire.clip_from(command["clip"], samples)
        return self._host.chat(asked_about, turns, wanted, telling).as_message()

    def _forget(self, conversation: str) -> None:
        try:
            if self._host is not None:
                self._host.forget(conversation)
        except Exception:  # nobody waits for an answer; the next job shows what is wrong
            traceback.print_exc()


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
