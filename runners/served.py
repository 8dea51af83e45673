"""Models behind an OpenAI-style endpoint: vLLM, SGLang, ``transformers serve``, hosted services.

Two ways to ask, of which the settings say the one that a model takes:

    transcriptions   POST /v1/audio/transcriptions   FLAC up, text down; words with times where the server has them
    chat             POST /v1/chat/completions       WAV inside the message; told what to do in words, talks about a clip

What a server refuses of what is only nice to have (word times, streaming, a count of tokens) is left out and asked for no
more; an answer says so. Nothing of a model's own prompt format is written here: servers do that, adapters included.
"""

from __future__ import annotations

import base64
import io
import time
import wave
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners import audio
from runners.base import (
    SAMPLE_RATE,
    ChatOptions,
    Clip,
    Ended,
    ModelLoadError,
    Placement,
    Progress,
    RunnerSpec,
    TranscribeOptions,
    Transcript,
    Turn,
    Usage,
    check_turns,
)
from runners.networks.answer_length import most_tokens
from runners.networks.piecewise import Piece, Tell, hear_in_pieces
from runners.prompts import neutralised
from runners.remote.connection import Connection, Send
from runners.remote.faults import Refusal
from runners.remote.heard import Hearing
from runners.remote.told import Telling

PLAIN_PROMPT = "Transcribe the audio clip into text."
SHORTEST_SECONDS = 0.2
"""Shorter clips get silence behind them: OpenAI's service refuses less than 0.1 s."""

_FORMS: tuple[dict[str, Any], ...] = (
    {"response_format": "verbose_json", "timestamp_granularities": ["word", "segment"]},
    {"response_format": "json", "stream": True},
    {"response_format": "json"},
)
"""Ways to ask for a transcript, the one that brings most first."""
_EXTRAS = ("stream_options", "temperature", "seed")
"""What a server may refuse of a chat request, without which it is asked again."""


class Served:
    """Asks a model of a server."""

    takes_weights = False

    def __init__(self, spec: RunnerSpec) -> None:
        self._spec = spec
        self._connection: Connection | None = None
        self._form = 0
        """The first of the forms that this server has not refused yet."""
        self._has_words = spec.has_word_times
        self._refused: set[str] = set()
        """Extras of a chat request that this server does not take."""
        self._tokens_name = "max_tokens"

    @property
    def paused_seconds(self) -> float:
        """Seconds of the present job, or the last, that were spent on being refused: not the system's work."""
        return 0.0 if self._connection is None else self._connection.paused_seconds

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Make the client; the server is not asked before there is a clip.

        Raises:
            ModelLoadError: there is no server.
            MissingPackage: openai is not installed.
            WeightsUnavailable: the key is not set.
        """
        if self._spec.server is None or self._spec.model is None:
            raise ModelLoadError(f"{self._spec.label} has no server.", "Name it in earshot.toml: [servers.lab].")
        self.unload()
        self._connection = Connection(self._spec, self._spec.server)
        # What is imported for the first request must not count as the system's time.
        flac(np.zeros(0, np.float32))
        self._connection.warm_up()

    def unload(self) -> None:
        """End the connections."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Hear a clip of any length: what is longer than one request takes is cut at pauses, and joined again.

        Raises:
            RunnerError: the server cannot be reached, refuses or fails.
            Cancelled: at any time.
        """
        connection = self._ready()
        connection.begin()
        prompt = options.prompt
        chats = self._spec.server is not None and self._spec.server.route == "chat"
        follows_speech = prompt is None or prompt.is_word_for_word
        longest = self._spec.longest_transcribed_seconds if follows_speech else self._spec.longest_prompt_seconds

        def hear(samples: NDArray[np.float32], tell: Tell) -> Piece:
            if chats:
                return self._told(connection, samples, options, tell, progress)
            return self._heard(connection, samples, options, tell, progress)

        told = hear_in_pieces(clip, longest, hear, progress, word_times=options.word_times)
        return told if not connection.pauses else _with_note(told, _pauses_note(connection))

    def chat(
        self, clip: Clip | None, turns: tuple[Turn, ...], options: ChatOptions, progress: Progress
    ) -> Generator[str, None, Usage]:
        """Answer the last turn. The server hears the whole clip with every turn, and keeps of it what it likes.

        Raises:
            PromptError: the last turn is not the user's.
            AudioError: the clip holds nothing.
            RunnerError: the server cannot be reached, refuses or fails.
            Cancelled: at any time.
        """
        connection = self._ready()
        connection.begin()
        check_turns(turns)
        samples = None if clip is None else audio.mono(clip)
        telling = yield from self._answered(connection, samples, turns, options, progress)
        notes = telling.notes()
        if connection.pauses:
            notes = (*notes, _pauses_note(connection))
        return Usage(
            prompt_tokens=telling.prompt_tokens,
            reused_tokens=telling.reused_tokens,
            new_tokens=telling.new_tokens,
            context_tokens=None,
            ended=telling.ended,
            notes=notes,
        )

    def forget(self, conversation: str) -> None:
        """Nothing is kept here; what the server keeps is its own affair."""

    def _ready(self) -> Connection:
        if self._connection is None:
            raise ModelLoadError("The system is not loaded.", "Load it first.")
        return self._connection

    def _heard(
        self,
        connection: Connection,
        samples: NDArray[np.float32],
        options: TranscribeOptions,
        tell: Tell,
        progress: Progress,
    ) -> Piece:
        """One request of the transcriptions route; asked again more modestly where the server refuses a form of it."""
        recording = flac(samples)
        wants_words = options.word_times and self._has_words
        while True:
            # Without a wish for words the form that streams comes first.
            form = self._form if wants_words else max(1, self._form)
            asked = {"model": self._spec.model, "file": ("clip.flac", recording, "audio/flac"), **_FORMS[form]}
            if options.language is not None:
                asked["language"] = options.language
            began, hearing = time.perf_counter(), Hearing(connection.wording, lambda text: tell(text.strip))
            try:
                with closing(connection.ask(_transcription(asked), progress)) as events:
                    hearing.take(events)
            except Refusal as refusal:
                if refusal.status not in (400, 422) or form + 1 == len(_FORMS):
                    raise connection.wording.refused(refusal) from None
                self._form = form + 1
                connection.uncount(began)
                continue
            piece = hearing.piece(len(samples) / SAMPLE_RATE, options.language)
            if form == 0 and piece.text and not piece.words:
                self._has_words = False  # it takes the wish and heeds it not
            if options.word_times and self._spec.has_word_times and piece.text and not piece.words:
                return Piece(piece.text, (), piece.segments, piece.language, ("this server gives no word times",))
            return piece

    def _told(
        self,
        connection: Connection,
        samples: NDArray[np.float32],
        options: TranscribeOptions,
        tell: Tell,
        progress: Progress,
    ) -> Piece:
        """One request of the chat route that tells the model what to do with a piece of the clip."""
        prompt = options.prompt
        follows_speech = prompt is None or prompt.is_word_for_word
        limit = most_tokens(len(samples) / SAMPLE_RATE, follows_speech=follows_speech)
        turns = (Turn("user", PLAIN_PROMPT if prompt is None else prompt.text),)
        answering = self._answered(connection, samples, turns, ChatOptions("", most_tokens=limit), progress)
        text = ""
        while True:
            try:
                text += next(answering)
            except StopIteration as end:
                telling: Telling = end.value
                break
            tell(text.strip)
        endings: dict[Ended, tuple[str, ...]] = {"limit": (f"it was stopped after {limit} tokens",)}
        return Piece(text, language=options.language, notes=(*telling.notes(), *endings.get(telling.ended, ())))

    def _answered(
        self,
        connection: Connection,
        samples: NDArray[np.float32] | None,
        turns: tuple[Turn, ...],
        options: ChatOptions,
        progress: Progress,
    ) -> Generator[str, None, Telling]:
        """The pieces of an answer; asked again without what the server refuses, if it is only nice to have."""
        asked: dict[str, Any] = {
            "model": self._spec.model,
            "messages": _messages(samples, turns),
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": options.temperature,
        }
        if options.seed is not None:
            asked["seed"] = options.seed
        while True:
            kept = {name: value for name, value in asked.items() if name not in self._refused}
            kept[self._tokens_name] = options.most_tokens
            began = time.perf_counter()
            telling = Telling(connection.wording, tuple(name for name in asked if name in self._refused))
            try:
                with closing(connection.ask(_completion(kept), progress)) as events:
                    yield from telling.take(events)
                return telling
            except Refusal as refusal:
                if not self._is_modest_now(refusal, kept):
                    raise connection.wording.refused(refusal) from None
                connection.uncount(began)

    def _is_modest_now(self, refusal: Refusal, asked: dict[str, Any]) -> bool:
        """Whether the server named something that can be left out; it is, from now on."""
        if refusal.status not in (400, 422):
            return False
        words = refusal.says
        if self._tokens_name == "max_tokens" and "max_completion_tokens" in words:
            self._tokens_name = "max_completion_tokens"
            return True
        named = {name for name in _EXTRAS if name in asked and name in words}
        self._refused |= named
        return bool(named)


def flac(samples: NDArray[np.float32]) -> bytes:
    """Samples (T,) at 16 kHz as FLAC of 16 bits, at least ``SHORTEST_SECONDS`` long."""
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, np.frombuffer(_pcm16(samples), "<i2"), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return out.getvalue()


def wav(samples: NDArray[np.float32]) -> bytes:
    """Samples (T,) at 16 kHz as WAV of 16 bits, at least ``SHORTEST_SECONDS`` long."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(_pcm16(samples))
    return out.getvalue()


def _pcm16(samples: NDArray[np.float32]) -> bytes:
    return audio.pcm16(np.pad(samples, (0, max(0, int(SHORTEST_SECONDS * SAMPLE_RATE) - len(samples)))))


def _messages(samples: NDArray[np.float32] | None, turns: tuple[Turn, ...]) -> list[dict[str, Any]]:
    """The conversation as the route has it; the clip stands in the first question, before its words.

    Texts are people's: whatever looks like a control token in them stays text.
    """
    messages: list[dict[str, Any]] = []
    for turn in turns:
        text = {"type": "text", "text": neutralised(turn.text)}
        content: list[dict[str, Any]] = [text]
        if samples is not None and turn.role == "user" and not any(each["role"] == "user" for each in messages):
            sound = {"data": base64.b64encode(wav(samples)).decode("ascii"), "format": "wav"}
            content = [{"type": "input_audio", "input_audio": sound}, text]
        messages.append({"role": turn.role, "content": content if len(content) > 1 else text["text"]})
    return messages


def _transcription(asked: dict[str, Any]) -> Send:
    return lambda client: client.audio.transcriptions.with_streaming_response.create(**asked)


def _completion(asked: dict[str, Any]) -> Send:
    return lambda client: client.chat.completions.with_streaming_response.create(**asked)


def _with_note(told: Transcript, note: str) -> Transcript:
    return Transcript(told.text, told.words, told.segments, told.language, (*told.notes, note))


def _pauses_note(connection: Connection) -> str:
    times = "once" if connection.pauses == 1 else f"{connection.pauses} times"
    return f"the server was busy and was asked again {times}; that time is not counted"
