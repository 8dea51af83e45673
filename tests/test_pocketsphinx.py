"""The real decoder out of the wheel: what it hears, when, how well, and what is said where it cannot run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jiwer
import numpy as np
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

import runners.pocketsphinx
from runners.audio import decode
from runners.base import (
    Cancelled,
    Clip,
    MissingPackage,
    ModelLoadError,
    Placement,
    RunnerError,
    RunnerSpec,
    TranscribeOptions,
    Transcript,
)
from runners.pocketsphinx import PocketSphinx
from tests.watcher import Watcher

SPEC = RunnerSpec("pocketsphinx", "PocketSphinx", "runners.pocketsphinx:PocketSphinx", languages=("en",))
SAMPLES = Path(__file__).parent.parent / "samples"
NOTED_ERRORS = {  # of the Whisper-normalised words, per clip, whole clip as one utterance
    "jfk.flac": 5,
    "librivox-austen-0920.wav": 3,
    "librivox-austen-0930.wav": 1,
    "go-forward-ten-meters.wav": 0,
    "cards-001.wav": 0,
    "cards-003.wav": 0,
    "cards-005.wav": 0,
    "LJ001-0001.wav": 2,
    "LJ001-0005.wav": 5,
}


@pytest.fixture(scope="module")
def runner() -> PocketSphinx:
    pytest.importorskip("pocketsphinx", reason="no pocketsphinx wheel fits this platform")
    runner = PocketSphinx(SPEC)
    runner.load(None, Placement(), Watcher())
    return runner


def hear(runner: PocketSphinx, name: str, progress: Watcher | None = None) -> Transcript:
    clip = decode(SAMPLES / name, max_seconds=60, max_bytes=10**7)
    return runner.transcribe(clip, TranscribeOptions(), progress or Watcher())


def test_hears_words_with_times_and_confidence(runner: PocketSphinx) -> None:
    transcript = hear(runner, "briefing.flac")
    assert "two days early" in transcript.text
    assert transcript.text == " ".join(word.text for word in transcript.words)
    assert not any(set(word.text) & set("<>[]()+") for word in transcript.words)
    times = [time for word in transcript.words for time in (word.start or 0.0, word.end or 0.0)]
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] <= 16.4
    assert all(0 <= (word.confidence or 0) <= 1 for word in transcript.words)


def test_the_same_clip_gets_the_same_transcript_whatever_came_before(runner: PocketSphinx) -> None:
    first = hear(runner, "briefing.flac")
    hear(runner, "ferry.flac")
    assert hear(runner, "briefing.flac") == first


def test_long_clips_are_cut_at_pauses(runner: PocketSphinx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners.pocketsphinx, "PIECE_SECONDS", 8.0)
    progress = Watcher()
    transcript = hear(runner, "briefing.flac", progress)
    assert len(progress.partials) == 3
    assert progress.partials[-1] == transcript.text
    assert transcript.notes == ("cut at 2 pauses",)
    assert (transcript.words[-1].end or 0) > 14
    stopping = Watcher(cancel_at=2)
    with pytest.raises(Cancelled):
        hear(runner, "briefing.flac", stopping)
    assert len(stopping.partials) == 1


@pytest.mark.parametrize("samples", [np.zeros(48000), np.zeros(0), np.zeros(48000) + 0.1], ids=["silence", "nothing", "offset"])
def test_silence_is_an_empty_text(runner: PocketSphinx, samples: np.ndarray) -> None:
    clip = Clip(samples.astype(np.float32), len(samples) / 16000, "a.wav")
    assert runner.transcribe(clip, TranscribeOptions(), Watcher()).text == ""


def test_40_ms_do_no_harm(runner: PocketSphinx) -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, 640).astype(np.float32)
    assert runner.transcribe(Clip(samples, 0.04, "a.wav"), TranscribeOptions(), Watcher()).words == ()


def test_not_loaded_and_other_weights(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="its own model"):
        PocketSphinx(SPEC).load(tmp_path, Placement(), Watcher())
    with pytest.raises(RunnerError, match="not loaded"):
        hear(PocketSphinx(SPEC), "briefing.flac")


def test_missing_package_names_its_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(MissingPackage) as caught:
        PocketSphinx(SPEC).load(None, Placement(), Watcher())
    assert "pip install" in (caught.value.fix or "")


def test_reaches_the_noted_rates_on_real_speech(runner: PocketSphinx, speech_clips: Path) -> None:
    """The whole set takes minutes; these nine take seconds, and a wrong sample rate or scale ruins each of them."""
    normalise = EnglishTextNormalizer()
    errors = words = 0
    for line in (speech_clips / "manifest.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["file"] in NOTED_ERRORS:
            clip = decode(speech_clips / row["file"], max_seconds=60, max_bytes=10**7)
            heard = normalise(runner.transcribe(clip, TranscribeOptions(), Watcher()).text)
            counts = jiwer.process_words(normalise(row["text"]), heard)
            errors += counts.substitutions + counts.deletions + counts.insertions
            words += len(normalise(row["text"]).split())
    # Three more than noted: resamplers and versions of the decoder differ in a word here and there.
    assert errors <= sum(NOTED_ERRORS.values()) + 3, f"{errors} of {words}"
