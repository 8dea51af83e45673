"""Every local runner, small and loaded, for the tests of what they all keep to."""

from __future__ import annotations

import importlib
import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pytest

from runners.base import (
    ChatOptions,
    ChatRunner,
    Clip,
    Placement,
    Runner,
    RunnerSpec,
    TranscribeOptions,
    Transcript,
    Turn,
    Usage,
)
from runners.catalogue.names import spec_for
from tests import (
    answers,
    tiny_audio_chat,
    tiny_ctc,
    tiny_encoder_decoders,
    tiny_omni,
    tiny_phi4,
    tiny_speech_llms,
    tiny_transducers,
    tiny_wav2vec2,
    tiny_whisper,
)
from tests.case import Case
from tests.sounds import babble, silence
from tests.watcher import Watcher

LANGUAGE_OPEN = TranscribeOptions()


def _script(folder: Path) -> Path:
    path = folder / "plain.json"
    path.write_text(
        json.dumps(
            {
                "takes": [[{"say": "all clear"}, {"words": [["all", 0, 0, 1], ["clear", 0, 0, 1]]}]],
                "answers": [[{"say": "all "}, {"say": "is "}, {"say": "clear "}, {"say": "here"}]],
                "repeat": True,
            }
        )
    )
    return path


def _brief_whisper(folder: Path) -> Path:
    """Says some words of each clip, and not many: with a vocabulary of this size each costs some 20 ms."""
    return tiny_whisper.whisper(folder, positions=40, eagerness=25)


def _brief_english_whisper(folder: Path) -> Path:
    return tiny_whisper.whisper(folder, multilingual=False, positions=40, eagerness=25.5)


def _brief_third_whisper(folder: Path) -> Path:
    return tiny_whisper.whisper(folder, third=True, positions=40, eagerness=25)


def _third_whisper(folder: Path) -> Path:
    return tiny_whisper.whisper(folder, third=True)


CASES = {
    "whisper": Case("whisper", _brief_whisper),
    "whisper-english": Case("whisper", _brief_english_whisper),
    "whisper-v3": Case("whisper", _brief_third_whisper),
    "whisper-bfloat16": Case("whisper", _brief_whisper, "bfloat16"),
    "faster-whisper": Case("faster-whisper", tiny_whisper.whisper, "int8", "faster_whisper"),
    "faster-whisper-v3": Case("faster-whisper", _third_whisper, "int8", "faster_whisper"),
    "wav2vec2": Case("ctc", tiny_wav2vec2.wav2vec2),
    "hubert": Case("ctc", tiny_wav2vec2.hubert),
    "data2vec": Case("ctc", tiny_wav2vec2.data2vec),
    "wavlm": Case("ctc", tiny_wav2vec2.wavlm),
    "wav2vec2-bert": Case("ctc", tiny_wav2vec2.wav2vec2_bert),
    "mms": Case("ctc", tiny_wav2vec2.mms),
    "moonshine": Case("moonshine", None, "int8", "moonshine_voice", repeats=False),
    "pocketsphinx": Case("pocketsphinx", None, package="pocketsphinx"),
    "scripted": Case("scripted", _script),
    "phi4-multimodal": Case("phi4-multimodal", tiny_phi4.phi4_multimodal, package="peft", needs_sound=True),
    "qwen2-audio": Case("qwen2-audio", tiny_audio_chat.qwen2_audio, package="transformers", needs_sound=True),
    **tiny_ctc.CASES,
    **tiny_transducers.CASES,
    **tiny_encoder_decoders.CASES,
    **tiny_speech_llms.CASES,
    **tiny_omni.CASES,
}


def voiced_at_both_ends(seconds: float) -> Clip:
    """Somebody says something, is silent for long, and says something again."""
    samples = silence(seconds).samples
    voice = babble(4).samples
    samples[: len(voice)] = samples[-len(voice) :] = voice
    return Clip(samples, seconds, "long.wav")


CLIPS = {
    "shortest": babble(0.03),
    "silent": silence(1),
    "short": babble(3),
    "long": voiced_at_both_ends(36),  # longer than most hear at once
}


@dataclass
class Subject:
    case: str
    """Its name among the cases."""
    spec: RunnerSpec
    runner: Runner
    weights: Path | None
    placement: Placement
    repeats: bool
    needs_sound: bool
    first: dict[str, tuple[Transcript, Watcher]] = field(default_factory=dict)

    def load(self) -> None:
        self.runner.load(self.weights, self.placement, Watcher())

    def heard(self, name: str) -> Transcript:
        """What it heard in one of the clips, the first time that it was asked."""
        return self.watched(name)[0]

    def watched(self, name: str) -> tuple[Transcript, Watcher]:
        if name not in self.first:
            watcher = Watcher()
            self.first[name] = self.hear(CLIPS[name], watcher), watcher
        return self.first[name]

    def hear(self, clip: Clip, watcher: Watcher | None = None) -> Transcript:
        return self.runner.transcribe(clip, LANGUAGE_OPEN, watcher or Watcher())

    def answers(self, said: tuple[str, ...], clip: Clip | None, conversation: str, **options: Any) -> tuple[list[str], Usage]:
        """The pieces of an answer to the last of these turns, the user's and the runner's by turns, and what it took."""
        answering = self.chat(said, clip, conversation, **options)
        return answers.pieces(answering)

    def chat(
        self, said: tuple[str, ...], clip: Clip | None, conversation: str, watcher: Watcher | None = None, **options: Any
    ) -> Generator[str, None, Usage]:
        turns = tuple(Turn("assistant" if number % 2 else "user", text) for number, text in enumerate(said))
        wanted = ChatOptions(conversation, **{"most_tokens": 8, **options})
        return cast(ChatRunner, self.runner).chat(clip, turns, wanted, watcher or Watcher())

    def forget(self, conversation: str) -> None:
        cast(ChatRunner, self.runner).forget(conversation)


@contextmanager
def loaded(name: str, folders: pytest.TempPathFactory) -> Iterator[Subject]:
    """The runner of a case with its weights made and loaded; the test is skipped where its package is missing."""
    case = CASES[name]
    if case.package and find_spec(case.package) is None:
        pytest.skip(f"{case.package} is not installed")
    weights = case.build(folders.mktemp(case.family)) if case.build else None
    spec = spec_for(f"{case.family}:{weights}" if weights else case.family)
    module, _, kind = spec.target.partition(":")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARSHOT_CACHE_FOLDER", str(folders.mktemp("cache")))
        runner: Runner = getattr(importlib.import_module(module), kind)(spec)
        found = Subject(
            name,
            spec,
            runner,
            None if case.family == "scripted" else weights,
            Placement("cpu", case.dtype),
            case.repeats,
            case.needs_sound,
        )
        found.load()
        yield found
        runner.unload()
