"""The GPU of ZeroGPU, which is lent for the length of one call, in a process that ``spaces`` forks by itself.

What was loaded there is gone afterwards. So the whole of loading and hearing, or loading and answering, is one call; no
model stays warm, and nothing of a conversation is kept for its next turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from runners.base import ChatOptions, Clip, MissingPackage, Placement, RunnerError, RunnerSpec, TranscribeOptions, Turn
from runners.isolation import wire
from runners.isolation.failures import failure_from, failure_message, plain
from runners.isolation.host import Heard, JobProgress, Replied, RunnerHost
from runners.settings import on_zero_gpu

GPU_SECONDS = 30
"""What is asked of ZeroGPU for loading from a local disk. An allowance, not a measurement, like the next two."""
GPU_SECONDS_PER_SECOND = 0.25
"""What is asked for besides, for each second of audio and each run."""
GPU_SECONDS_PER_TOKEN = 0.04
"""What is asked for besides, for each token that an answer may have."""
MOST_GPU_SECONDS = 120
"""A visitor without quota for more is refused, so more is not asked for."""


class LentGpu:
    """The functions of this process that ZeroGPU lends its GPU to.

    Build it before the page is launched: ``spaces`` wants to know at the start that there is such a function.

    Raises:
        MissingPackage: ``spaces`` is not installed.
    """

    def __init__(self) -> None:
        try:
            import spaces
        except ImportError as error:
            raise MissingPackage(
                "SPACES_ZERO_GPU is set, and the package spaces is not installed.", "pip install spaces, or unset the variable."
            ) from error
        self._hear: Callable[[RunnerSpec, Placement, Clip, TranscribeOptions, int], wire.Message]
        self._hear = spaces.GPU(duration=_seconds_to_hear)(_hear_at_once)
        self._answer: Callable[[RunnerSpec, Placement, Clip | None, tuple[Turn, ...], ChatOptions], Iterator[wire.Message]]
        self._answer = spaces.GPU(duration=_seconds_to_answer)(_answer_at_once)

    def hear(self, spec: RunnerSpec, placement: Placement, clip: Clip, options: TranscribeOptions, repeat: int) -> Heard:
        """Load and transcribe in one call, which nothing can end before it is done.

        Raises:
            RunnerError: what the runner raised.
        """
        answer = self._hear(spec, placement, clip, options, repeat)
        if "type" in answer:
            raise failure_from(answer)
        return Heard.from_message(answer)

    def chat(
        self,
        spec: RunnerSpec,
        placement: Placement,
        clip: Clip | None,
        turns: tuple[Turn, ...],
        options: ChatOptions,
        progress: JobProgress,
    ) -> Replied:
        """Load and answer in one call; a cancel is seen when the next piece of text comes.

        Raises:
            RunnerError: what the runner raised.
        """
        for answer in self._answer(spec, placement, clip, turns, replace(options, cache_bytes=0)):
            if "type" in answer:
                raise failure_from(answer)
            if "usage" in answer:
                return Replied.from_message(answer)
            progress.partial(answer["text"])
            progress.check()
        raise RunnerError("The lent GPU was taken back before the answer was done.", "Ask for a shorter answer, or again.")


def lent_gpu() -> LentGpu | None:
    """The way to the GPU on ZeroGPU; None anywhere else, where the package ``spaces`` is not needed."""
    return LentGpu() if on_zero_gpu() else None


def _seconds_to_hear(spec: RunnerSpec, placement: Placement, clip: Clip, options: TranscribeOptions, repeat: int) -> int:
    """For how long the GPU is asked for; a short time is granted sooner."""
    return _granted(GPU_SECONDS_PER_SECOND * len(clip.samples) / clip.sample_rate * repeat)


def _seconds_to_answer(
    spec: RunnerSpec, placement: Placement, clip: Clip | None, turns: tuple[Turn, ...], options: ChatOptions
) -> int:
    audio_seconds = 0 if clip is None else len(clip.samples) / clip.sample_rate
    return _granted(GPU_SECONDS_PER_SECOND * audio_seconds + GPU_SECONDS_PER_TOKEN * options.most_tokens)


def _granted(work_seconds: float) -> int:
    return min(MOST_GPU_SECONDS, round(GPU_SECONDS + work_seconds))


class _Silent:
    """Progress where nobody can hear it: the process that ``spaces`` forks."""

    def downloading(self, done_bytes: int, total_bytes: int | None) -> None: ...
    def loading(self) -> None: ...
    def running(self) -> None: ...
    def partial(self, text: str) -> None: ...
    def check(self) -> None: ...


def _hear_at_once(spec: RunnerSpec, placement: Placement, clip: Clip, options: TranscribeOptions, repeat: int) -> wire.Message:
    """Load and transcribe. Plain data comes back, failures too: it has to cross to another process."""
    try:
        host = RunnerHost(spec)
        loaded = host.load(placement, _Silent())
        heard = host.transcribe(clip, options, repeat, _Silent())
    except Exception as error:
        return failure_message(plain(error))
    return replace(heard, load_seconds=loaded.load_seconds).as_message()


def _answer_at_once(
    spec: RunnerSpec, placement: Placement, clip: Clip | None, turns: tuple[Turn, ...], options: ChatOptions
) -> Iterator[wire.Message]:
    """Load and answer: all that was said so far, as it comes, and at last the whole or the failure."""
    try:
        host = RunnerHost(spec)
        loaded = host.load(placement, _Silent())
        answering = host.answering(clip, turns, options, _Silent())
        while True:
            try:
                yield {"text": wire.printable(next(answering))}
            except StopIteration as end:
                replied: Replied = end.value
                break
    except Exception as error:
        yield failure_message(plain(error))
        return
    yield replace(replied, load_seconds=loaded.load_seconds).as_message()
