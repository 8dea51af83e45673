"""One run of one contender, or one turn of a conversation: what it tells, where it is, and what becomes of it.

``runners.pool`` finds it a place and a loaded runner; this is what is done there, and the only code that builds results.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any, Generic, TypeVar

from runners.base import (
    Cancelled,
    ChatOptions,
    ChatResult,
    Clip,
    Contender,
    Placement,
    RunnerError,
    Stage,
    Status,
    TranscriptionResult,
    Turn,
    UnsupportedOption,
    check_options,
)
from runners.events import Event, Loading, Partial, Running
from runners.here.memory import OWN_MEMORY
from runners.isolation.limits import CANCEL_GRACE_SECONDS
from runners.isolation.warm import WarmModel
from runners.process import Worker
from runners.remote.connection import LONGEST_PAUSE_SECONDS
from runners.settings import Settings

_CHARACTERS_PER_AUDIO_SECOND = 50
"""Text that takes as long to read as a second of audio: 12.5 tokens, of four characters each."""

R = TypeVar("R", TranscriptionResult, ChatResult)


class Attempt(ABC, Generic[R]):
    """What ``runners.isolation.host.JobProgress`` asks for, and the steps that the pool takes with it."""

    stage_of_work: Stage
    """What a runner does once it is loaded."""

    def __init__(
        self, contender: Contender, clip: Clip | None, report: Callable[[Event], None], stopped: Callable[[], bool]
    ) -> None:
        self.contender = contender
        self.clip = clip
        self.stopped = stopped
        self.stage: Stage | None = None
        self.placement: Placement | None = None
        self.worker: Worker | None = None
        self.load_seconds: float | None = None
        self.notes: tuple[str, ...] = ()
        """What a reader should know about where it ran."""
        self._report = report
        self._is_running = False

    @property
    def audio_seconds(self) -> float:
        """Of sound that is there to be heard."""
        return 0.0 if self.clip is None else len(self.clip.samples) / self.clip.sample_rate

    def downloading(self, done_bytes: int, total_bytes: int | None) -> None:
        self._report(Loading(self.contender, done_bytes, total_bytes))

    def loading(self) -> None:
        self._report(Loading(self.contender))

    def running(self) -> None:
        if not self._is_running:  # the page counts its seconds from here, over all runs
            self._is_running = True
            self._report(Running(self.contender))

    def partial(self, text: str) -> None:
        self._report(Partial(self.contender, text))

    def check(self) -> None:
        if self.stopped():
            raise Cancelled

    @property
    @abstractmethod
    def hears_whole(self) -> bool:
        """Whether as much of the clip is in one prompt as the system takes, and not the pieces that it transcribes."""

    @abstractmethod
    def check_wanted(self) -> None:
        """Raise ``UnsupportedOption`` if its runner cannot do what is wanted."""

    @abstractmethod
    def work(self, model: WarmModel, settings: Settings) -> R:
        """Do it with the loaded runner.

        Raises:
            RunnerError: what the runner raised.
            Cancelled: somebody asked to stop.
        """

    @abstractmethod
    def ended(self, status: Status, error: RunnerError | None = None) -> R:
        """What became of it when it was not done: cancelled, or skipped for this reason."""

    def _ending(self, error: RunnerError | None) -> dict[str, Any]:
        return {
            "error": str(error) if error is not None else None,
            "fix": error.fix if error is not None else None,
            "log": self.worker.log() if error is not None and self.worker is not None else (),
            "stage": self.stage,
            **self._place(self.load_seconds),
        }

    def _deadline_seconds(self, seconds: float) -> float:
        """As long as the settings allow; for a server as long as it may be silent and may have to be asked again, too."""
        server = self.contender.spec.server
        if server is None:
            return seconds
        return max(seconds, server.timeout_seconds) + server.retries * LONGEST_PAUSE_SECONDS + CANCEL_GRACE_SECONDS

    def _place(self, load_seconds: float | None) -> dict[str, Any]:
        placement = self.placement
        if self.contender.spec.server is not None:  # where it runs, and what loading took there, nobody says
            return {}
        return {
            "load_seconds": load_seconds if load_seconds is not None else self.load_seconds,
            "device": placement.device if placement is not None else None,
            "dtype": placement.dtype if placement is not None else None,
        }


class Hearing(Attempt[TranscriptionResult]):
    """A clip is transcribed, once or several times."""

    stage_of_work = "transcribe"

    def __init__(
        self, contender: Contender, clip: Clip, repeat: int, report: Callable[[Event], None], stopped: Callable[[], bool]
    ) -> None:
        super().__init__(contender, clip, report, stopped)
        self._heard = clip
        self._repeat = max(1, repeat)

    @property
    def hears_whole(self) -> bool:
        prompt = self.contender.options.prompt
        return prompt is not None and not prompt.is_word_for_word

    def check_wanted(self) -> None:
        check_options(self.contender.spec, self.contender.options)

    def work(self, model: WarmModel, settings: Settings) -> TranscriptionResult:
        deadline = settings.transcribe_timeout_seconds + settings.transcribe_timeout_per_second * self.audio_seconds
        heard = model.worker.transcribe(
            self._heard, self.contender.options, self, self._deadline_seconds(deadline), self._repeat
        )
        return TranscriptionResult(
            self.contender,
            "ok",
            transcript=replace(heard.transcript, notes=(*heard.transcript.notes, *self.notes)),
            runs=heard.runs,
            rtf=median(heard.runs) / self._heard.seconds if self._heard.seconds > 0 else None,
            peak_memory=heard.peak_memory if self.contender.spec.server is None else None,
            **self._place(heard.load_seconds),
        )

    def ended(self, status: Status, error: RunnerError | None = None) -> TranscriptionResult:
        return TranscriptionResult(self.contender, status, **self._ending(error))


class Answering(Attempt[ChatResult]):
    """A turn of a conversation is answered."""

    stage_of_work = "chat"

    def __init__(
        self,
        contender: Contender,
        clip: Clip | None,
        turns: tuple[Turn, ...],
        options: ChatOptions,
        report: Callable[[Event], None],
        stopped: Callable[[], bool],
    ) -> None:
        super().__init__(contender, clip, report, stopped)
        self._turns = turns
        self._options = options
        self._said = ""

    @property
    def hears_whole(self) -> bool:
        return True

    def partial(self, text: str) -> None:
        if self._is_running:
            self._said = text
        super().partial(text)

    def check_wanted(self) -> None:
        spec = self.contender.spec
        if not spec.can_chat:
            raise UnsupportedOption(
                f"{spec.label} cannot talk about a clip: it only writes down what it hears.",
                "Choose a system that answers questions.",
            )

    def work(self, model: WarmModel, settings: Settings) -> ChatResult:
        options = self._options
        if options.cache_bytes is None:
            options = replace(options, cache_bytes=model.cache_bytes)
        to_read_seconds = self.audio_seconds + sum(len(turn.text) for turn in self._turns) / _CHARACTERS_PER_AUDIO_SECOND
        silence = settings.transcribe_timeout_seconds + settings.transcribe_timeout_per_second * to_read_seconds
        replied = model.worker.chat(self.clip, self._turns, options, self, self._deadline_seconds(silence))
        if model.placement.device in OWN_MEMORY and replied.held_bytes is not None:
            model.held_bytes = replied.held_bytes  # it has grown by what is kept for the conversation
        return ChatResult(
            self.contender,
            "ok",
            text=replied.text,
            usage=replace(replied.usage, notes=(*replied.usage.notes, *self.notes)),
            first_token_seconds=replied.first_token_seconds,
            seconds=replied.seconds,
            **self._place(replied.load_seconds),
        )

    def ended(self, status: Status, error: RunnerError | None = None) -> ChatResult:
        return ChatResult(self.contender, status, text=self._said, **self._ending(error))
