"""The real network out of the wheel: what it hears, how well, and what is said where it cannot run."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

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
    WeightsUnavailable,
)
from runners.moonshine import Moonshine
from tests.watcher import Watcher

SPEC = RunnerSpec("moonshine", "Moonshine tiny", "runners.moonshine:Moonshine", languages=("en",))
SAMPLES = Path(__file__).parent.parent / "samples"


@pytest.fixture(scope="module")
def runner() -> Moonshine:
    pytest.importorskip("moonshine_voice", reason="no moonshine-voice wheel fits this platform")
    runner = Moonshine(SPEC)
    runner.load(None, Placement(), Watcher())
    return runner


def hear(runner: Moonshine, samples: Any, progress: Watcher | None = None) -> Any:
    samples = np.asarray(samples, np.float32)
    return runner.transcribe(Clip(samples, len(samples) / 16000, "a.wav"), TranscribeOptions(), progress or Watcher())


def test_hears_a_long_sample_in_pieces(runner: Moonshine) -> None:
    clip = decode(SAMPLES / "meeting.flac", max_seconds=60, max_bytes=10**7)
    progress = Watcher()
    transcript = runner.transcribe(clip, TranscribeOptions(), progress)
    assert "thomas reed" in transcript.text.lower()
    assert "eighty thousand pounds" in transcript.text.lower()
    assert len(transcript.segments) == len(progress.partials) > 1
    assert progress.partials[-1] == transcript.text
    assert transcript.notes
    times = [time for segment in transcript.segments for time in (segment.start or 0.0, segment.end or 0.0)]
    assert times == sorted(times)
    assert times[-1] <= clip.seconds


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(48000),
        np.zeros(0),
        np.random.default_rng(1).normal(0, 0.1, 80000),
        0.3 * np.sin(np.arange(32000) * 0.17),
        np.random.default_rng(1).normal(0, 0.1, 640),
    ],
    ids=["silence", "nothing", "noise", "tone", "40 ms"],
)
def test_no_speech_is_an_empty_text(runner: Moonshine, samples: Any) -> None:
    assert hear(runner, samples).text == ""


def test_cancel_between_pieces(runner: Moonshine) -> None:
    speech = decode(SAMPLES / "meeting.flac", max_seconds=60, max_bytes=10**7).samples
    progress = Watcher(cancel_at=2)
    with pytest.raises(Cancelled):
        hear(runner, speech, progress)
    assert len(progress.partials) == 1


def test_can_be_loaded_again(runner: Moonshine) -> None:
    other = Moonshine(SPEC)
    with pytest.raises(RunnerError, match="not loaded"):
        hear(other, np.zeros(100))
    other.load(None, Placement(), Watcher())
    other.unload()
    other.unload()
    with pytest.raises(RunnerError, match="not loaded"):
        hear(other, np.zeros(100))


def test_weights_of_ones_own_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="its own weights"):
        Moonshine(SPEC).load(tmp_path, Placement(), Watcher())


def test_missing_package_names_its_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moonshine_voice", None)
    with pytest.raises(MissingPackage) as caught:
        Moonshine(SPEC).load(None, Placement(), Watcher())
    assert "pip install" in (caught.value.fix or "")


def test_wheel_without_weights_names_one_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("moonshine_voice")
    monkeypatch.setattr("moonshine_voice.utils.get_model_path", lambda name: tmp_path / name)
    with pytest.raises(WeightsUnavailable) as caught:
        Moonshine(SPEC).load(None, Placement(), Watcher())
    assert "<0.1" in (caught.value.fix or "")


def test_old_c_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("moonshine_voice")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("/lib/libc.so.6: version `GLIBC_2.34' not found")

    monkeypatch.setattr("moonshine_voice.transcriber.Transcriber.__init__", fail)
    monkeypatch.setattr("moonshine_voice.transcriber.Transcriber.__del__", lambda self: None)
    with pytest.raises(ModelLoadError, match="too old"):
        Moonshine(SPEC).load(None, Placement(), Watcher())


def test_reaches_the_noted_rate_on_real_speech(runner: Moonshine, speech_clips: Path) -> None:
    """Noted: 16.1 % pooled over all clips and 22.2 % for the one of five readers, as the library cuts by itself."""
    normalise = EnglishTextNormalizer()
    references, hypotheses = [], []
    for line in (speech_clips / "manifest.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["language"] != "en" or row["duration_s"] > 100:
            continue
        clip = decode(speech_clips / row["file"], max_seconds=900, max_bytes=10**8)
        references.append(normalise(row["text"]))
        hypotheses.append(normalise(runner.transcribe(clip, TranscribeOptions(), Watcher()).text))
    assert len(references) == 29
    assert sum(len(reference.split()) for reference in references) == 455
    assert jiwer.wer(references, hypotheses) <= 0.12

    # Of the long clip two minutes are enough to see whether it is cut well.
    segments = json.loads((speech_clips / "librispeech-5-readers-6m50.segments.json").read_text("utf-8"))
    part = [segment for segment in segments if segment["end"] < 130]
    clip = decode(speech_clips / "librispeech-5-readers-6m50.mp3", max_seconds=900, max_bytes=10**8)
    end = part[-1]["end"] + 0.3
    clip = replace(clip, samples=clip.samples[: int(end * clip.sample_rate)], seconds=end)
    heard = runner.transcribe(clip, TranscribeOptions(), Watcher()).text
    assert jiwer.wer(normalise(" ".join(segment["text"] for segment in part)), normalise(heard)) <= 0.12
