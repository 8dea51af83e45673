"""A runner that hears and answers what a script tells it to: for trying the page without a model, and for every fault.

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

Its tokens are words, and a second of audio is 12.5 of them. For each conversation it keeps what it has read and said, as a
model keeps its key-value cache, and says what of it the next turn reused; a token takes 1000 bytes of the budget.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runners.base import (
    AudioError,
    ChatOptions,
    Clip,
    DeviceUnfit,
    ModelLoadError,
    OutOfMemory,
    Placement,
    Progress,
    RunnerError,
    RunnerSpec,
    TranscribeOptions,
    Transcript,
    Turn,
    UnsupportedOption,
    Usage,
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
    "device": DeviceUnfit,
}
_TOKENS_PER_SECOND = 12.5
_BYTES_PER_TOKEN = 1000
_CONTEXT_TOKENS = 32_768


class _Kept(NamedTuple):
    """What is kept for a conversation: what was read and said, as a model would have to compute it again."""

    audio: tuple[int, int]
    """Tokens of the clip, and what tells it from another."""
    words: tuple[str, ...]

    @property
    def held_bytes(self) -> int:
        return (self.audio[0] + len(self.words)) * _BYTES_PER_TOKEN


def built_in() -> tuple[str, ...]:
    """Names of the scripts that ship with Earshot."""
    return tuple(sorted(path.stem for path in _SCRIPTS.glob("*.json")))


class Scripted:
    """Says what its script says; see the module's docstring."""

    takes_weights = False
    """``spec.model`` names a script; there is nothing to download."""

    def __init__(self, spec: RunnerSpec) -> None:
        self._name = spec.model or _DEFAULT
        self._script: dict[str, Any] = {}
        self._next_take = 0
        self._is_on_gpu = False
        self._held: list[bytearray] = []
        self._kept: dict[str, _Kept] = {}  # used last, last

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Read the script and do its ``load`` steps.

        Raises:
            ModelLoadError: there is no such script, or a step of it is wrong; says which.
            UnsupportedOption: it would end this process, which is not its own.
        """
        self._script = _read(self._name)
        self._next_take = 0
        self._is_on_gpu = placement.device != "cpu"
        self._hear(self._script.get("load", []), "", progress)

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Play the next take, or that of the prompt's template; the clip is not listened to."""
        prompt = options.prompt
        take = self._script.get("prompted", {}).get(prompt.template) if prompt is not None else None
        if take is None:
            take = self._nth("takes", self._next_take)
            self._next_take += 1
        text, words = self._hear(take, prompt.text if prompt is not None else "", progress)
        return Transcript(text, words=words, language=options.language)

    def chat(
        self, clip: Clip | None, turns: tuple[Turn, ...], options: ChatOptions, progress: Progress
    ) -> Generator[str, None, Usage]:
        """Play the answer to this question; neither it nor the clip is listened to."""
        steps = self._answer(sum(turn.role == "user" for turn in turns) - 1, options)
        audio = (0, 0) if clip is None else (round(clip.seconds * _TOKENS_PER_SECOND), hash(clip.samples.tobytes()))
        asked = tuple(word for turn in turns for word in turn.text.split())
        prompt_tokens = audio[0] + len(asked)
        reused_tokens = min(self._reusable(options.conversation, audio, asked), prompt_tokens - 1)
        text, is_cut = "", False
        try:
            for piece in self._play(steps, turns[-1].text, progress, []):
                text += piece
                yield piece
                if len(text.split()) >= options.most_tokens:
                    is_cut = True
                    break
        finally:  # stopped in the middle, it keeps what it has
            kept_bytes = self._keep(options, _Kept(audio, (*asked, *text.split())))
        return Usage(
            prompt_tokens,
            max(0, reused_tokens),
            new_tokens=len(text.split()),
            context_tokens=_CONTEXT_TOKENS,
            cache_bytes=kept_bytes,
            ended="limit" if is_cut else "complete",
        )

    def forget(self, conversation: str) -> None:
        """Drop what is kept for a conversation."""
        self._kept.pop(conversation, None)

    def unload(self) -> None:
        """Forget the script and all conversations, and give back what it allocated."""
        self._script, self._held, self._kept = {}, [], {}

    def _nth(self, kind: str, number: int) -> list[dict[str, Any]]:
        """The steps of a take or an answer, counted from 0.

        Raises:
            RunnerError: the script has run out.
        """
        listed: list[list[dict[str, Any]]] = self._script.get(kind, [])
        if number >= len(listed) and not (self._script.get("repeat") and listed):
            raise RunnerError(
                f"The script {self._name!r} has {len(listed)} {kind} and was asked for another.",
                f'Add {kind} to it, or set "repeat" to true.',
            )
        return listed[number % len(listed)]

    def _answer(self, number: int, options: ChatOptions) -> list[dict[str, Any]]:
        others = len(self._script.get("answers", [])) - 1
        if options.temperature > 0 and others > 0:
            chance = random.Random(options.seed)  # noqa: S311  # for show
            return self._nth("answers", (number + 1 + chance.randrange(others)) % (others + 1))
        return self._nth("answers", number)

    def _reusable(self, conversation: str, audio: tuple[int, int], asked: tuple[str, ...]) -> int:
        """Tokens at the beginning that an earlier turn has read or said."""
        kept = self._kept.get(conversation)
        if kept is None or kept.audio != audio:
            return 0
        same = next((n for n, (one, other) in enumerate(zip(kept.words, asked, strict=False)) if one != other), None)
        return audio[0] + (min(len(kept.words), len(asked)) if same is None else same)

    def _keep(self, options: ChatOptions, kept: _Kept) -> int:
        """Keep it for the next turn, dropping what was used least recently; how many bytes of it are kept."""
        self._kept.pop(options.conversation, None)
        room_bytes = float("inf") if options.cache_bytes is None else options.cache_bytes
        if kept.held_bytes > room_bytes:
            return 0
        while sum(other.held_bytes for other in self._kept.values()) + kept.held_bytes > room_bytes:
            self._kept.pop(next(iter(self._kept)))
        self._kept[options.conversation] = kept
        return kept.held_bytes

    def _hear(self, steps: Sequence[dict[str, Any]], asked: str, progress: Progress) -> tuple[str, tuple[Word, ...]]:
        text = ""
        words: list[Word] = []
        for piece in self._play(steps, asked, progress, words):
            text += piece
            progress.partial(text)
        return text, tuple(words)

    def _play(
        self, steps: Sequence[dict[str, Any]], asked: str, progress: Progress, words: list[Word]
    ) -> Generator[str, None, None]:
        for step in steps:
            if step.get("on") == "gpu" and not self._is_on_gpu:
                continue
            if not _DANGEROUS & set(step):  # a fault comes whatever anybody asks
                progress.check()
            match next(iter(step)), next(iter(step.values())):
                case "wait", seconds:
                    _wait(seconds, progress)
                case "say", said:
                    yield said
                case "echo", True:
                    yield asked
                case "words", listed:
                    words[:] = [Word(*word) for word in listed]
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
    "echo": ("true", lambda value: value is True),
    "crash": ("true", lambda value: value is True),
    "kill": ("true", lambda value: value is True),
    "hang": ("true", lambda value: value is True),
    "exit": ("a code from 0 to 255", lambda value: _is_count(value) and value <= 255),
    "flood": ("a number of bytes", _is_count),
    "allocate": ("a number of bytes", _is_count),
}
