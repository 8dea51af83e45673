"""A runner that hears and answers what a script tells it to: for trying the page without a model, and for every fault.

A script is named by the spec's ``model``: one that ships with Earshot ("demo" where it names none), or one of your own by
its path. ``runners.scripts.reading`` says what is in one.

Its tokens are words, and a second of audio is 12.5 of them. For each conversation it keeps what it has read and said, as a
model keeps its key-value cache, and says what of it the next turn reused; a token takes 1000 bytes of the budget.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runners.base import (
    ChatOptions,
    Clip,
    Placement,
    Progress,
    RunnerError,
    RunnerSpec,
    TranscribeOptions,
    Transcript,
    Turn,
    Usage,
    Word,
)
from runners.scripts.reading import DANGEROUS, KINDS, read_script

_DEFAULT = "demo"
_LOOK_SECONDS = 0.02
_PAGE_BYTES = 4096
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
        self._script = read_script(self._name)
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
            if not DANGEROUS & set(step):  # a fault comes whatever anybody asks
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
                    raise KINDS[step.get("kind")](what, step.get("fix"))
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
