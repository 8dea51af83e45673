"""A runner that hears what a script tells it to: for trying the page without a model, and for every fault a model can have.

A script is JSON; a built-in one is named by the spec's ``model`` ("demo" where it names none), one of your own by its path:

    {"label": text,                what it is, for whoever reads the file
     "load": [step, …],            done while loading
     "takes": [[step, …], …],      one list of steps for each time it hears a clip
     "repeat": true}               after the last take begin again; else it raises when the takes run out

A step is an object with one of these keys:

    "wait": seconds       wait, and stop if asked to
    "say": text           add to the transcript and report the text so far
    "words": [[text, start, end, confidence], …]   the transcript's words; the last three may be null or left out
    "raise": text         fail in an orderly way; beside it "fix" says what to do about it, and "kind" is one of
                          "out of memory", "audio" and "load"
    "crash": true         a real segmentation fault
    "kill": true          end like a process that the kernel kills for its memory
    "exit": code          end the process
    "hang": true          answer to nothing, holding on to the interpreter
    "flood": bytes        print that much to standard output and standard error
    "allocate": bytes     hold on to that much more memory

Crash, kill, exit and hang are refused where the runner has no process of its own.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from runners.base import (
    AudioError,
    Clip,
    ModelLoadError,
    OutOfMemory,
    Placement,
    Progress,
    RunnerError,
    RunnerSpec,
    TranscribeOptions,
    Transcript,
    UnsupportedOption,
    Word,
)

_SCRIPTS = Path(__file__).resolve().parent / "scripts"
_DEFAULT = "demo"
_LOOK_SECONDS = 0.02
_PAGE_BYTES = 4096
_LONGEST_SCRIPT = 1_000_000

_ISOLATED = "EARSHOT_ISOLATED"  # set by runners.worker in a process of its own
_DANGEROUS = frozenset({"crash", "kill", "exit", "hang"})
_KINDS: dict[str | None, type[RunnerError]] = {
    None: RunnerError,
    "out of memory": OutOfMemory,
    "audio": AudioError,
    "load": ModelLoadError,
}


def built_in() -> tuple[str, ...]:
    """Names of the scripts that ship with Earshot."""
    return tuple(sorted(path.stem for path in _SCRIPTS.glob("*.json")))


class Scripted:
    """Says what its script says; see the module's docstring."""

    takes_weights = False
    """``spec.model`` names a script; there is nothing to download."""

    def __init__(self, spec: RunnerSpec) -> None:
        self._name = spec.model or _DEFAULT
        self._takes: list[list[dict[str, Any]]] = []
        self._repeat = False
        self._next_take = 0
        self._held: list[bytearray] = []

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Read the script and do its ``load`` steps.

        Raises:
            ModelLoadError: there is no such script, or a step of it is wrong; says which.
            UnsupportedOption: it would end this process, which is not its own.
        """
        script = _read(self._name)
        self._takes = script.get("takes", [])
        self._repeat = script.get("repeat", False)
        self._next_take = 0
        self._play(script.get("load", []), progress)

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Play the next take; the clip is not listened to."""
        if self._next_take >= len(self._takes) and self._repeat and self._takes:
            self._next_take = 0
        if self._next_take >= len(self._takes):
            raise RunnerError(
                f"The script {self._name!r} has {len(self._takes)} takes and was asked for another.",
                'Add takes to it, or set "repeat" to true.',
            )
        take = self._takes[self._next_take]
        self._next_take += 1
        text, words = self._play(take, progress)
        return Transcript(text, words=words, language=options.language)

    def unload(self) -> None:
        """Forget the script and give back what it allocated."""
        self._takes, self._held = [], []

    def _play(self, steps: Sequence[dict[str, Any]], progress: Progress) -> tuple[str, tuple[Word, ...]]:
        text = ""
        words: tuple[Word, ...] = ()
        for step in steps:
            progress.check()
            match next(iter(step)), next(iter(step.values())):
                case "wait", seconds:
                    _wait(seconds, progress)
                case "say", said:
                    text += said
                    progress.partial(text)
                case "words", listed:
                    words = tuple(Word(*word) for word in listed)
                case "raise", what:
                    raise _KINDS[step.get("kind")](what, step.get("fix"))
                case "flood", count:
                    _flood(count)
                case "allocate", count:
                    self._held.append(_touched(count))
                case "exit", code:
                    os._exit(code)
                case ("crash" | "kill" | "hang") as fault, True:
                    _FAULTS[fault]()
        return text, words


def _wait(seconds: float, progress: Progress) -> None:
    ends_at = time.monotonic() + seconds
    while (left := ends_at - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK_SECONDS))
        progress.check()


def _flood(count: int) -> None:
    """Half as whole lines, half without an end of line; to both outputs, below Python's own buffers too."""
    lines = (b"flood " * 20 + b"\n") * 512
    for descriptor in (1, 2):
        left = count // 2
        for piece in (lines, b"x" * len(lines)):
            part = left // 2
            while part > 0:
                part -= os.write(descriptor, piece[:part])
    print("\nthe flood is over", file=sys.stderr, flush=True)  # noqa: T201  # the log is what it tries


def _touched(count: int) -> bytearray:
    """Memory that is really there: a page counts once it has been written to."""
    held = bytearray(count)
    held[::_PAGE_BYTES] = b"\1" * len(range(0, count, _PAGE_BYTES))
    return held


def _crash() -> None:
    ctypes.string_at(0)


def _kill() -> None:
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def _hang() -> None:
    # Called through PyDLL, C code keeps the interpreter to itself: no other thread of this process runs any more.
    while True:
        if sys.platform == "win32":
            ctypes.PyDLL("kernel32").Sleep(0xFFFFFFFF)
        else:
            ctypes.PyDLL(None).pause()


_FAULTS: dict[str, Callable[[], None]] = {"crash": _crash, "kill": _kill, "hang": _hang}


def _read(name: str) -> dict[str, Any]:
    path = Path(name) if name.endswith(".json") else _SCRIPTS / f"{name}.json"
    known = f"Name one of {', '.join(built_in())}, or a path that ends in .json."
    if not name.endswith(".json") and name not in built_in():
        raise ModelLoadError(f"There is no script {name!r}.", known)
    try:
        if path.stat().st_size > _LONGEST_SCRIPT:
            raise ModelLoadError(f"The script {path.name!r} is larger than a megabyte.", known)
        script = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelLoadError(f"The script {path.name!r} cannot be read: {error.strerror}.", known) from error
    except (ValueError, RecursionError) as error:
        raise ModelLoadError(f"The script {path.name!r} is not JSON: {error}.", "Mend the script.") from error
    fault = _fault_in(script)
    if fault:
        raise ModelLoadError(f"The script {path.name!r} is wrong: {fault}.", "Mend the script.")
    dangers = sorted({kind for steps in _step_lists(script) for step in steps for kind in step if kind in _DANGEROUS})
    if dangers and os.environ.get(_ISOLATED) != "1":
        raise UnsupportedOption(
            f"The script {path.name!r} would {dangers[0]} in a process that is not its own.",
            "Set EARSHOT_ISOLATION to process.",
        )
    checked: dict[str, Any] = script
    return checked


def _step_lists(script: dict[str, Any]) -> list[list[dict[str, Any]]]:
    return [script.get("load", []), *script.get("takes", [])]


def _fault_in(script: object) -> str | None:
    """What is wrong with a script, naming the step; None if nothing is."""
    if not isinstance(script, dict):
        return "it is not an object"
    unknown = set(script) - {"label", "load", "takes", "repeat"}
    if unknown:
        return f"it has no place for {min(unknown)!r}"
    takes = script.get("takes", [])
    if not isinstance(script.get("repeat", False), bool):
        return '"repeat" is not true or false'
    if not isinstance(takes, list):
        return '"takes" is not a list'
    for place, steps in [("load", script.get("load", [])), *((f"take {n}", take) for n, take in enumerate(takes, 1))]:
        if not isinstance(steps, list):
            return f"{place} is not a list of steps"
        for number, step in enumerate(steps, 1):
            fault = _fault_in_step(step)
            if fault:
                return f"step {number} of {place} {fault}"
    return None


def _fault_in_step(step: object) -> str | None:
    if not isinstance(step, dict) or not step:
        return "is not an object with a key"
    kind, value = next(iter(step.items()))
    beside = set(step) - {kind} - ({"fix", "kind"} if kind == "raise" else set())
    if kind not in _VALUES:
        return f"has the unknown key {kind!r}"
    if beside:
        return f"has {min(beside)!r} beside {kind!r}"
    expected, fits = _VALUES[kind]
    if not fits(value):
        return f"needs {expected} after {kind!r}"
    if not isinstance(step.get("fix", ""), str):
        return 'needs text after "fix"'
    if not isinstance(step.get("kind", ""), str) or step.get("kind") not in _KINDS:
        return f'needs one of {", ".join(kind for kind in _KINDS if kind)} after "kind"'
    return None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_word(word: object) -> bool:
    return (
        isinstance(word, list)
        and 1 <= len(word) <= 4
        and isinstance(word[0], str)
        and all(part is None or _is_number(part) for part in word[1:])
    )


_VALUES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "wait": ("a number of seconds", lambda value: _is_number(value) and value >= 0),
    "say": ("text", lambda value: isinstance(value, str)),
    "words": ("a list of [text, start, end, confidence]", lambda value: isinstance(value, list) and all(map(_is_word, value))),
    "raise": ("text", lambda value: isinstance(value, str) and bool(value)),
    "crash": ("true", lambda value: value is True),
    "kill": ("true", lambda value: value is True),
    "hang": ("true", lambda value: value is True),
    "exit": ("a code from 0 to 255", lambda value: _is_count(value) and value <= 255),
    "flood": ("a number of bytes", _is_count),
    "allocate": ("a number of bytes", _is_count),
}
