"""Loads one runner and times it, wherever it lives: in a child, in this process, or in a call on a lent GPU.

A number means the same however a runner is isolated, because this is the only code that measures.
This module imports no torch; a runner's ``load`` does.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from runners import base
from runners.base import (
    ChatOptions,
    ChatRunner,
    Clip,
    Placement,
    Progress,
    Runner,
    RunnerSpec,
    TranscribeOptions,
    Transcript,
    Turn,
    Usage,
)
from runners.here import memory
from runners.isolation import wire

_TELL_EVERY_SECONDS = 0.05


class JobProgress(Progress, Protocol):
    """What a host tells besides what its runner does."""

    def loading(self) -> None:
        """The download, if there was one, is over; the weights are being loaded."""

    def running(self) -> None:
        """A timed run begins."""


@runtime_checkable
class Pauses(Protocol):
    """A runner that at times only waits, such as for a server that says "not now"."""

    @property
    def paused_seconds(self) -> float:
        """Of the present job, or the last; no work, so not counted."""


@dataclass(frozen=True)
class Loaded:
    """A runner is ready."""

    load_seconds: float | None
    """Loading alone: no download, no start of the process. None if it is put off until the first clip."""
    held_bytes: int | None
    """Memory held now, of the process or of a device with memory of its own; None if unknown."""

    def as_message(self) -> wire.Message:
        return {"load_seconds": self.load_seconds, "held_bytes": self.held_bytes}


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

    def as_message(self) -> wire.Message:
        return {**vars(self), "transcript": wire.transcript_message(self.transcript), "runs": list(self.runs)}

    @classmethod
    def from_message(cls, message: wire.Message) -> Heard:
        """What ``as_message`` made plain.

        Raises:
            FrameError: it is not that.
        """
        try:
            transcript, runs = wire.transcript_from(message["transcript"]), tuple(message["runs"])
            return cls(transcript, runs, message["peak_memory"], message["load_seconds"])
        except (TypeError, KeyError) as error:
            raise wire.FrameError(f"not what was heard: {error}") from error


@dataclass(frozen=True)
class Replied:
    """A runner has answered a turn."""

    text: str
    usage: Usage
    first_token_seconds: float | None
    """Until the first piece of text; None if there was none."""
    seconds: float
    peak_memory: int | None
    """Bytes at the highest, loading included; None if unknown."""
    held_bytes: int | None = None
    """As ``Loaded.held_bytes``, with what is kept for the conversations."""
    load_seconds: float | None = None
    """Where loading was put off until now."""

    def as_message(self) -> wire.Message:
        return {**vars(self), "text": wire.printable(self.text), "usage": wire.as_message(self.usage)}

    @classmethod
    def from_message(cls, message: wire.Message) -> Replied:
        """What ``as_message`` made plain.

        Raises:
            FrameError: it is not that.
        """
        try:
            kept = {name: message[name] for name in cls.__dataclass_fields__}
            return cls(**{**kept, "text": str(kept["text"]), "usage": wire.usage_from(kept["usage"])})
        except (TypeError, KeyError) as error:
            raise wire.FrameError(f"not an answer: {error}") from error


class Paced:
    """A runner's progress, told a few times a second, however often the runner calls."""

    def __init__(self, progress: JobProgress) -> None:
        self._progress = progress
        self._told_at: dict[str, float] = {}
        self._withheld: str | None = None

    def downloading(self, done_bytes: int, total_bytes: int | None) -> None:
        if done_bytes == total_bytes or self._is_time("downloading"):
            self._progress.downloading(done_bytes, total_bytes)
        self._progress.check()

    def loading(self) -> None:
        self._progress.loading()

    def running(self) -> None:
        self._progress.running()

    def partial(self, text: str) -> None:
        self._withheld = text
        if self._is_time("partial"):
            self.flush()

    def check(self) -> None:
        if self._withheld is not None:
            self.partial(self._withheld)
        self._progress.check()

    def flush(self) -> None:
        """Tell what was withheld for its time to come."""
        withheld, self._withheld = self._withheld, None
        if withheld is not None:
            self._progress.partial(withheld)

    def _is_time(self, tell: str) -> bool:
        now = time.monotonic()
        if now - self._told_at.get(tell, -_TELL_EVERY_SECONDS) < _TELL_EVERY_SECONDS:
            return False
        self._told_at[tell] = now
        return True


class RunnerHost:
    """One runner. Every method raises what the runner raises; ``failures.plain`` makes it a ``RunnerError``."""

    def __init__(self, spec: RunnerSpec) -> None:
        self.spec = spec
        self._runner: Runner | None = None
        self._weights: Path | None = None
        self._fetched = False
        self._placement = Placement()
        self._load_peak: int | None = None

    def fetch(self, progress: JobProgress) -> None:
        """Make sure that the weights are on this machine, downloading them if need be."""
        if self._runner is None:
            module, _, name = self.spec.target.partition(":")
            self._runner = getattr(importlib.import_module(module), name)(self.spec)
        # A scripted runner's "model" names a script, not weights.
        if self.spec.model is not None and getattr(self._runner, "takes_weights", True):
            from runners.hub import cache, fetch

            try:
                self._weights = cache.folder_of(self.spec)
            except base.WeightsUnavailable:
                self._weights = fetch.download(self.spec, Paced(progress))
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
        self._runner.load(self._weights, placement, Paced(progress))
        memory.synchronise(placement)
        load_seconds = time.perf_counter() - began
        self._load_peak = memory.peak_bytes(placement)
        return Loaded(load_seconds, memory.held_bytes(placement))

    def transcribe(self, clip: Clip, options: TranscribeOptions, repeat: int, progress: JobProgress) -> Heard:
        """Hear the clip ``repeat`` times; the clock runs around the runner's call alone, with the device synchronised."""
        runner = self._ready()
        runs: list[float] = []
        transcript = Transcript("")
        for _ in range(max(1, repeat)):
            began = self._begun(progress)
            transcript = runner.transcribe(clip, options, Paced(progress))
            runs.append(self._seconds_since(began))
        if not isinstance(transcript, Transcript):
            raise TypeError(f"the runner answered with {type(transcript).__name__}, not with a transcript")
        return Heard(transcript, tuple(runs), self._peak_bytes())

    def chat(self, clip: Clip | None, turns: tuple[Turn, ...], options: ChatOptions, progress: JobProgress) -> Replied:
        """Answer the last turn. All that was said is told before this returns or raises, so that nothing of it is lost."""
        paced = Paced(progress)
        replied: list[Replied] = []

        def texts() -> Generator[str, None, None]:
            replied.append((yield from self.answering(clip, turns, options, paced)))

        try:
            for text in texts():
                paced.partial(text)
        finally:
            paced.flush()
        return replied[0]

    def answering(
        self, clip: Clip | None, turns: tuple[Turn, ...], options: ChatOptions, progress: JobProgress
    ) -> Generator[str, None, Replied]:
        """Answer the last turn: yields all that was said so far, whenever there is more of it.

        Looks between pieces whether it should stop. The clock runs as in ``transcribe``.
        """
        runner = cast(ChatRunner, self._ready())
        text, first_token_seconds = "", None
        began = self._begun(progress)
        pieces = runner.chat(clip, turns, options, progress)
        try:
            while True:
                try:
                    piece = next(pieces)
                except StopIteration as end:
                    usage: Any = end.value
                    break
                if piece:
                    if first_token_seconds is None:  # text has left the device: nothing to wait for
                        first_token_seconds = self._worked(time.perf_counter() - began)
                    text += piece
                    yield text
                progress.check()
        finally:
            pieces.close()
        seconds = self._seconds_since(began)
        if not isinstance(usage, Usage):
            raise TypeError(f"the runner ended its answer with {type(usage).__name__}, not with its usage")
        return Replied(text, usage, first_token_seconds, seconds, self._peak_bytes(), memory.held_bytes(self._placement))

    def forget(self, conversation: str) -> None:
        """Give back what is kept for a conversation, if anything is."""
        if self._runner is not None and self.spec.can_chat:
            cast(ChatRunner, self._runner).forget(conversation)

    def unload(self) -> None:
        """Give back memory."""
        runner, self._runner, self._fetched = self._runner, None, False
        if runner is not None:
            runner.unload()
        del runner
        memory.give_back(self._placement)

    def _ready(self) -> Runner:
        """The runner, and the peak of memory counted from now on."""
        if self._runner is None:
            raise RuntimeError("a job before load")
        memory.forget_peak(self._placement)
        return self._runner

    def _begun(self, progress: JobProgress) -> float:
        progress.check()
        progress.running()
        memory.synchronise(self._placement)
        return time.perf_counter()

    def _seconds_since(self, began: float) -> float:
        memory.synchronise(self._placement)
        return self._worked(time.perf_counter() - began)

    def _worked(self, seconds: float) -> float:
        return max(0.0, seconds - self._runner.paused_seconds) if isinstance(self._runner, Pauses) else seconds

    def _peak_bytes(self) -> int | None:
        peaks = [peak for peak in (self._load_peak, memory.peak_bytes(self._placement)) if peak is not None]
        return max(peaks, default=None)
