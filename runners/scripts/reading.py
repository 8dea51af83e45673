"""Scripts: what a runner that only pretends is told to hear and to answer, read and checked.

A script is JSON; a built-in one is named by the spec's ``model`` ("demo" where it names none), one of your own by its path:

    {"label": text,                what it is, for whoever reads the file
     "load": [step, …],            done while loading
     "takes": [[step, …], …],      one list of steps for each time it hears a clip
     "prompted": {name: [step, …], …},   what it does instead where it is told to by the prompt template of this name
     "answers": [[step, …], …],    one list of steps for each question of a conversation: the second for the second
     "repeat": true}               after the last take or answer begin again; else it raises when they run out

Chance (a temperature above 0) gives another answer than the likeliest; which one, the seed says.

A step is an object with one of these keys:

    "wait": seconds       wait, and stop if asked to
    "say": text           add to the transcript and report the text so far; a piece of an answer
    "echo": true          say the last question, or the prompt, as it was put
    "words": [[text, start, end, confidence], …]   the transcript's words; the last three may be null or left out
    "raise": text         fail in an orderly way; beside it "fix" says what to do about it, and "kind" is one of
                          "out of memory", "audio", "load" and "device"
    "crash": true         a real segmentation fault
    "kill": true          end like a process that the kernel kills for its memory
    "exit": code          end the process
    "hang": true          answer to nothing, holding on to the interpreter
    "flood": bytes        print that much to standard output and standard error
    "allocate": bytes     hold on to that much more memory

Beside each "on": "gpu" lets it be passed over on a CPU.

Crash, kill, exit and hang are refused where the runner has no process of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runners.base import AudioError, DeviceUnfit, ModelLoadError, OutOfMemory, RunnerError, UnsupportedOption

KINDS: dict[str | None, type[RunnerError]] = {
    None: RunnerError,
    "out of memory": OutOfMemory,
    "audio": AudioError,
    "load": ModelLoadError,
    "device": DeviceUnfit,
}
"""What a step raises, by the "kind" beside it."""

_LONGEST_SCRIPT = 1_000_000
_ISOLATED = "EARSHOT_ISOLATED"  # set by runners.worker in a process of its own
DANGEROUS = frozenset({"crash", "kill", "exit", "hang"})
"""Steps that end or stop the process that they are taken in."""
BUILT_IN = Path(__file__).resolve().parent
"""The folder of the scripts that ship with Earshot."""


def built_in() -> tuple[str, ...]:
    """Names of the scripts that ship with Earshot."""
    return tuple(sorted(path.stem for path in BUILT_IN.glob("*.json")))


def read_script(name: str) -> dict[str, Any]:
    """The script of that name, or at that path.

    Raises:
        ModelLoadError: there is none, or it is wrong.
        UnsupportedOption: it would end a process that is not the runner's own.
    """
    path = Path(name) if name.endswith(".json") else BUILT_IN / f"{name}.json"
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
    dangers = sorted({kind for steps in _step_lists(script) for step in steps for kind in step if kind in DANGEROUS})
    if dangers and os.environ.get(_ISOLATED) != "1":
        raise UnsupportedOption(
            f"The script {path.name!r} would {dangers[0]} in a process that is not its own.",
            "Set EARSHOT_ISOLATION to process.",
        )
    checked: dict[str, Any] = script
    return checked


def _step_lists(script: dict[str, Any]) -> list[list[dict[str, Any]]]:
    return [script.get("load", []), *script.get("takes", []), *script.get("prompted", {}).values(), *script.get("answers", [])]


def _fault_in(script: object) -> str | None:
    """What is wrong with a script, naming the step; None if nothing is."""
    if not isinstance(script, dict):
        return "it is not an object"
    unknown = set(script) - {"label", "load", "takes", "prompted", "answers", "repeat"}
    if unknown:
        return f"it has no place for {min(unknown)!r}"
    if not isinstance(script.get("repeat", False), bool):
        return '"repeat" is not true or false'
    for kind in ("takes", "answers"):
        if not isinstance(script.get(kind, []), list):
            return f'"{kind}" is not a list'
    if not isinstance(script.get("prompted", {}), dict):
        return '"prompted" is not an object'
    places = [
        ("load", script.get("load", [])),
        *((f"take {number}", take) for number, take in enumerate(script.get("takes", []), 1)),
        *((f"the take for {name!r}", take) for name, take in script.get("prompted", {}).items()),
        *((f"answer {number}", answer) for number, answer in enumerate(script.get("answers", []), 1)),
    ]
    for place, steps in places:
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
    beside = set(step) - {kind, "on"} - ({"fix", "kind"} if kind == "raise" else set())
    if kind not in _VALUES:
        return f"has the unknown key {kind!r}"
    if beside:
        return f"has {min(beside)!r} beside {kind!r}"
    expected, fits = _VALUES[kind]
    if not fits(value):
        return f"needs {expected} after {kind!r}"
    if step.get("on", "gpu") != "gpu":
        return 'needs "gpu" after "on"'
    if not isinstance(step.get("fix", ""), str):
        return 'needs text after "fix"'
    if not isinstance(step.get("kind", ""), str) or step.get("kind") not in KINDS:
        return f'needs one of {", ".join(kind for kind in KINDS if kind)} after "kind"'
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
    "echo": ("true", lambda value: value is True),
    "crash": ("true", lambda value: value is True),
    "kill": ("true", lambda value: value is True),
    "hang": ("true", lambda value: value is True),
    "exit": ("a code from 0 to 255", lambda value: _is_count(value) and value <= 255),
    "flood": ("a number of bytes", _is_count),
    "allocate": ("a number of bytes", _is_count),
}
