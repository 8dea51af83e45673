"""What every local runner keeps to, whatever it is inside."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from runners.base import Cancelled, Clip, Dtype, Placement, Runner, RunnerError, RunnerSpec, TranscribeOptions, Transcript
from runners.catalogue import spec_for
from tests import tiny_checkpoints as tiny

LANGUAGE_OPEN = TranscribeOptions()


@dataclass(frozen=True)
class Case:
    """A runner, and how its weights are made; None for a runner that brings its own."""

    family: str
    build: Callable[[Path], Path] | None
    dtype: Dtype = "float32"
    package: str | None = None
    repeats: bool = True
    """False where the library's own voice detection decides by chance whether a sound is speech that hardly is."""


def _script(folder: Path) -> Path:
    path = folder / "plain.json"
    path.write_text(
        json.dumps({"takes": [[{"say": "all clear"}, {"words": [["all", 0, 0, 1], ["clear", 0, 0, 1]]}]], "repeat": True})
    )
    return path


def _brief_whisper(folder: Path) -> Path:
    return tiny.whisper(folder, positions=40)


CASES = {
    "whisper": Case("whisper", _brief_whisper),
    "whisper-english": Case("whisper", lambda folder: tiny.whisper(folder, multilingual=False, positions=40)),
    "whisper-bfloat16": Case("whisper", _brief_whisper, "bfloat16"),
    "faster-whisper": Case("faster-whisper", tiny.whisper, "int8", "faster_whisper"),
    "wav2vec2": Case("ctc", tiny.wav2vec2),
    "hubert": Case("ctc", tiny.hubert),
    "data2vec": Case("ctc", tiny.data2vec),
    "wavlm": Case("ctc", tiny.wavlm),
    "wav2vec2-bert": Case("ctc", tiny.wav2vec2_bert),
    "mms": Case("ctc", tiny.mms),
    "moonshine": Case("moonshine", None, "int8", "moonshine_voice", repeats=False),
    "pocketsphinx": Case("pocketsphinx", None, package="pocketsphinx"),
    "scripted": Case("scripted", _script),
}


def _long() -> Clip:
    """Longer than any model hears at once, with a voice at both ends."""
    samples = tiny.silence(36).samples
    voice = tiny.babble(4).samples
    samples[: len(voice)] = samples[-len(voice) :] = voice
    return Clip(samples, 36.0, "long.wav")


CLIPS = {
    "shortest": tiny.babble(0.03),
    "silent": tiny.silence(1),
    "short": tiny.babble(3),
    "long": _long(),
}


@dataclass
class Subject:
    spec: RunnerSpec
    runner: Runner
    weights: Path | None
    placement: Placement
    repeats: bool
    first: dict[str, tuple[Transcript, tiny.Watcher]] = field(default_factory=dict)

    def load(self) -> None:
        self.runner.load(self.weights, self.placement, tiny.Watcher())

    def heard(self, name: str) -> Transcript:
        """What it heard in one of the clips, the first time that it was asked."""
        return self.watched(name)[0]

    def watched(self, name: str) -> tuple[Transcript, tiny.Watcher]:
        if name not in self.first:
            watcher = tiny.Watcher()
            self.first[name] = self.hear(CLIPS[name], watcher), watcher
        return self.first[name]

    def hear(self, clip: Clip, watcher: tiny.Watcher | None = None) -> Transcript:
        return self.runner.transcribe(clip, LANGUAGE_OPEN, watcher or tiny.Watcher())


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    case: Case = request.param
    if case.package and find_spec(case.package) is None:
        pytest.skip(f"{case.package} is not installed")
    weights = case.build(tmp_path_factory.mktemp(case.family)) if case.build else None
    spec = spec_for(f"{case.family}:{weights}" if weights else case.family)
    module, _, name = spec.target.partition(":")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARSHOT_CACHE_FOLDER", str(tmp_path_factory.mktemp("cache")))
        runner: Runner = getattr(importlib.import_module(module), name)(spec)
        found = Subject(
            spec, runner, None if case.family == "scripted" else weights, Placement("cpu", case.dtype), case.repeats
        )
        found.load()
        yield found
        runner.unload()


@pytest.mark.parametrize("name", CLIPS)
def test_a_clip_of_any_length_becomes_a_transcript_with_times_inside_it(subject: Subject, name: str) -> None:
    clip = CLIPS[name]
    before = clip.samples.copy()
    transcript = subject.heard(name)
    assert isinstance(transcript.text, str)
    assert transcript.text == transcript.text.strip()
    assert np.array_equal(clip.samples, before)
    for timed in (transcript.words, transcript.segments):
        assert all(part.text for part in timed)
        spans = [(part.start, part.end) for part in timed if part.start is not None and part.end is not None]
        assert all(0 <= start <= end <= clip.seconds + 1e-6 for start, end in spans)
        assert spans == sorted(spans)
    assert all(word.confidence is None or 0 <= word.confidence <= 1 for word in transcript.words)
    json.dumps([(word.start, word.end, word.confidence) for word in transcript.words])  # plain numbers, not numpy's


def test_nothing_to_hear_is_no_failure(subject: Subject) -> None:
    assert subject.hear(tiny.silence(0)).text == ("all clear" if subject.spec.family == "scripted" else "")


def test_the_same_clip_gives_the_same_transcript(subject: Subject) -> None:
    if not subject.repeats:
        pytest.skip("its library's voice detection is not repeatable on sounds that are hardly speech")
    assert subject.hear(CLIPS["long"]) == subject.heard("long")


def test_times_come_exactly_where_the_card_says_so(subject: Subject) -> None:
    heard = [subject.heard(name) for name in CLIPS]
    if subject.spec.has_word_times:
        assert all(
            transcript.words or any("no word times" in note for note in transcript.notes)
            for transcript in heard
            if transcript.text
        )
    else:
        assert not any(word.start is not None for transcript in heard for word in transcript.words)
    if not subject.spec.has_segment_times:
        assert not any(segment.start is not None for transcript in heard for segment in transcript.segments)


def test_word_times_change_no_word(subject: Subject) -> None:
    if subject.spec.family == "faster-whisper":
        pytest.skip("the library drops segments whose words it times at no length at all")
    if not subject.repeats:
        pytest.skip("it does not give the same text twice on this clip")
    untimed = subject.runner.transcribe(CLIPS["short"], TranscribeOptions(word_times=False), tiny.Watcher())
    assert untimed.text == subject.heard("short").text


def test_a_cancelled_run_stops_and_the_model_stays_usable(subject: Subject) -> None:
    expected, watcher = subject.watched("long")
    assert watcher.checks >= 1
    for at in {1, watcher.checks}:
        with pytest.raises(Cancelled):
            subject.hear(CLIPS["long"], tiny.Watcher(cancel_at=at))
    again = subject.hear(CLIPS["long"])
    assert again == expected or not subject.repeats


def test_an_unloaded_runner_says_so_and_can_be_loaded_again(subject: Subject) -> None:
    expected = subject.heard("short").text
    subject.runner.unload()
    with pytest.raises(RunnerError):
        subject.hear(CLIPS["short"])
    subject.load()
    assert subject.hear(CLIPS["short"]).text == expected or not subject.repeats


def test_a_wrong_folder_is_refused_with_a_fix(subject: Subject, tmp_path: Path) -> None:
    if subject.weights is None:
        pytest.skip("it brings its own weights")
    (tmp_path / "notes.txt").write_text("no model here")
    runner = type(subject.runner)(subject.spec)
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(RunnerError) as refused:
            runner.load(folder, subject.placement, tiny.Watcher())
        assert str(folder) in str(refused.value)
        assert refused.value.fix
