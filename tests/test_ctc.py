"""CTC checkpoints: what is heard, how long audio is joined, languages, and which folders are refused."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest

from runners.audio import decode
from runners.base import (
    Cancelled,
    Clip,
    ModelLoadError,
    OutOfMemory,
    Placement,
    RunnerSpec,
    TranscribeOptions,
    Transcript,
    UnsupportedOption,
    check_options,
)
from runners.catalogue.names import spec_for
from runners.ctc import CONTEXT, CORE, WHOLE, Ctc, _chunks
from runners.ctc import _hear as hear_chunks
from runners.networks.spectrogram import GraniteSpectrogram
from tests import tiny_ctc, tiny_wav2vec2, tiny_whisper
from tests.sounds import babble
from tests.watcher import Watcher

OPEN = TranscribeOptions()


def loaded(folder: Path, **facts: Any) -> Ctc:
    runner = Ctc(replace(spec_for(f"ctc:{folder}"), **facts))
    runner.load(folder, Placement(), Watcher())
    return runner


def hear(runner: Ctc, clip: Clip, options: TranscribeOptions = OPEN) -> Transcript:
    return runner.transcribe(clip, options, Watcher())


@pytest.fixture(scope="module")
def digits(speech_weights: Path) -> Ctc:
    return loaded(speech_weights / "wav2vec2-digits")


def digit_clips(weights: Path) -> list[Clip]:
    rows = [json.loads(line) for line in (weights / "digits-test" / "manifest.jsonl").read_text().splitlines()]
    folder = weights / "digits-test"
    return [decode(folder / row["file"], max_seconds=60, max_bytes=10_000_000, reference=row["text"]) for row in rows]


def error_rate(runner: Ctc, clips: list[Clip]) -> float:
    return float(jiwer.wer([str(clip.reference) for clip in clips], [hear(runner, clip).text.lower() for clip in clips]))


def test_spoken_digits_are_heard_as_well_as_noted(digits: Ctc, speech_weights: Path) -> None:
    clips = digit_clips(speech_weights)
    # Noted: 14.6 % and 21.7 %. A word more or less depends on how 8 kHz becomes 16 kHz.
    assert error_rate(digits, [clip for clip in clips if clip.seconds < 30]) <= 0.15
    assert error_rate(digits, [clip for clip in clips if clip.seconds > 30]) <= 0.24


def test_a_long_clip_loses_and_doubles_nothing_at_the_joins(
    digits: Ctc, speech_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [clip] = [clip for clip in digit_clips(speech_weights) if clip.seconds > 30]
    joined = hear(digits, clip)
    monkeypatch.setattr("runners.ctc.WHOLE", 10**9)
    whole = hear(digits, clip)
    assert len(joined.words) == len(whole.words)
    apart = [abs(a.start - b.start) for a, b in zip(joined.words, whole.words, strict=True) if a.start and b.start]
    assert max(apart) <= 0.06  # three frames
    assert jiwer.wer(whole.text, joined.text) < 0.1
    assert joined.notes == ("heard in 3 overlapping chunks",)


def test_words_are_timed_where_they_are_spoken(digits: Ctc, speech_weights: Path) -> None:
    clip = next(clip for clip in digit_clips(speech_weights) if clip.source == "fsdd-george-5digits.wav")
    late = replace(clip, samples=np.concatenate([np.zeros(32_000, np.float32), clip.samples]), seconds=clip.seconds + 2)
    first, moved = hear(digits, clip), hear(digits, late)
    assert first.text == moved.text == "SIX NINE SIX EIGHT SEVEN"
    for before, after in zip(first.words, moved.words, strict=True):
        assert before.start is not None
        assert after.start == pytest.approx(before.start + 2, abs=0.06)
        assert before.confidence is not None
        assert before.confidence > 0.5


@pytest.mark.parametrize("samples", [1, WHOLE - 1, WHOLE, WHOLE + 1, 2 * CORE, 2 * CORE + 1, 100 * CORE - 7])
def test_chunks_keep_every_sample_once_with_its_neighbourhood(samples: int) -> None:
    chunks = list(_chunks(samples))
    assert chunks[0][2] == 0
    assert chunks[-1][3] == samples
    assert all(before[3] == after[2] for before, after in pairwise(chunks))
    for start, end, keep_start, keep_end in chunks:
        assert 0 <= start <= keep_start < keep_end <= end <= samples
        assert end - start <= WHOLE
        assert start == 0 or keep_start - start == CONTEXT
        assert end == samples or end - keep_end == CONTEXT


class Counting:
    """Hears chunks as the runner does, but no more at once than there is room for, and counts them."""

    def __init__(self, room: int = 100) -> None:
        self.tried: list[int] = []
        self._room = room

    def __call__(self, model: Any, chunks: list[Any]) -> Any:
        self.tried.append(len(chunks))
        if len(chunks) > self._room:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return hear_chunks(model, chunks)


def in_batches(runner: Ctc, at_once: int, hearing: Counting) -> tuple[Transcript, list[str]]:
    """What is heard of 40 s, in chunks of a few seconds, and what was said on the way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runners.ctc.WHOLE", 8 * 16_000)
        patch.setattr("runners.ctc.CORE", 16 * 5_120)
        patch.setattr("runners.ctc.CONTEXT", 4 * 5_120)
        patch.setattr("runners.ctc.AT_ONCE_ON_CPU", at_once)
        patch.setattr("runners.ctc._hear", hearing)
        watcher = Watcher()
        return runner.transcribe(babble(40), OPEN, watcher), watcher.partials


@pytest.mark.parametrize(
    "build",
    [tiny_wav2vec2.wav2vec2, tiny_wav2vec2.wavlm, tiny_wav2vec2.wav2vec2_bert, tiny_ctc.parakeet_ctc, tiny_ctc.granite_ctc],
)
def test_chunks_of_one_length_heard_together_are_heard_as_one_by_one(tmp_path: Path, build: Callable[[Path], Path]) -> None:
    runner = loaded(build(tmp_path))
    alone, together = Counting(), Counting()
    expected, told = in_batches(runner, 1, alone)
    found, told_together = in_batches(runner, 3, together)
    assert alone.tried == [1] * 8
    assert together.tried == [1, 3, 3, 1]  # the first and the last lack a neighbourhood on one side
    assert expected.text
    assert found.text == expected.text
    assert found.notes == expected.notes
    assert told_together == told
    for one, other in zip(expected.words, found.words, strict=True):
        assert (other.text, other.start, other.end) == (one.text, one.start, one.end)
        assert other.confidence == pytest.approx(one.confidence, abs=1e-4)


def test_chunks_that_do_not_fit_together_are_heard_one_by_one(tmp_path: Path) -> None:
    runner = loaded(tiny_wav2vec2.wav2vec2(tmp_path))
    narrow, too_narrow = Counting(room=1), Counting(room=0)
    assert in_batches(runner, 3, narrow) == in_batches(runner, 1, Counting())
    assert narrow.tried == [1, 3, *[1] * 7]
    with pytest.raises(OutOfMemory):
        in_batches(runner, 3, too_narrow)
    assert too_narrow.tried == [1]


def test_a_run_can_be_cancelled_between_two_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hearing = Counting()
    runner = loaded(tiny_wav2vec2.wav2vec2(tmp_path))
    monkeypatch.setattr("runners.ctc.AT_ONCE_ON_CPU", 2)
    monkeypatch.setattr("runners.ctc._hear", hearing)
    with pytest.raises(Cancelled):
        runner.transcribe(babble(100), OPEN, Watcher(cancel_at=4))
    assert hearing.tried == [1, 2]  # of five


def written(folder: Path, letters: str, monkeypatch: pytest.MonkeyPatch) -> Transcript:
    """What becomes of these letters, one a 20 ms frame, "_" for the blank."""
    runner = loaded(folder)
    ids = np.array([0 if letter == "_" else tiny_wav2vec2.LETTERS.index(letter) for letter in letters])
    monkeypatch.setattr("runners.ctc._hear", lambda *_: [(ids, np.full(len(ids), 0.5, np.float32))])
    return hear(runner, Clip(np.zeros(len(ids) * 320, np.float32), len(ids) * 0.02, "letters.wav"))


def test_repeats_collapse_and_blanks_keep_doubles_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transcript = written(tiny_wav2vec2.wav2vec2(tmp_path), "__HHEEL_LLOO||_WW__E||_" + "_" * 80, monkeypatch)
    assert transcript.text == "HELLO WE"
    assert [(word.text, word.start, word.end) for word in transcript.words] == [
        ("HELLO", pytest.approx(0.04), pytest.approx(0.24)),
        ("WE", pytest.approx(0.30), pytest.approx(0.40)),
    ]


def test_a_language_changes_the_adapter_and_none_puts_the_first_one_back(tmp_path: Path) -> None:
    runner = loaded(tiny_wav2vec2.mms(tmp_path), can_choose_language=True)
    clip = babble(2)
    english = hear(runner, clip)
    german = hear(runner, clip, TranscribeOptions(language="de"))
    assert english.language == "en"
    assert german.language == "de"
    assert german.text != english.text
    assert hear(runner, clip) == english
    with pytest.raises(UnsupportedOption, match="'fr'"):
        hear(runner, clip, TranscribeOptions(language="fr"))
    assert hear(runner, clip) == english


def test_the_row_of_mms_is_told_the_languages_whose_adapters_came_with_it(tmp_path: Path) -> None:
    row = spec_for("ctc:facebook/mms-1b-all")
    runner = Ctc(row)
    runner.load(tiny_wav2vec2.mms(tmp_path), Placement(), Watcher())
    for language in (row.assumes_language, "de", "en"):
        options = TranscribeOptions(language=language)
        check_options(row, options)
        assert hear(runner, babble(2), options).language == language
    assert hear(runner, babble(2)).language == row.assumes_language == "en"
    with pytest.raises(UnsupportedOption, match="'fr'") as refused:  # the row knows it, and this folder has no such file
        hear(runner, babble(2), TranscribeOptions(language="fr"))
    assert "adapter" in (refused.value.fix or "")
    with pytest.raises(UnsupportedOption, match="does not understand"):
        check_options(row, TranscribeOptions(language="xx"))


def test_a_model_without_adapters_cannot_be_told_a_language(tmp_path: Path) -> None:
    runner = loaded(tiny_wav2vec2.hubert(tmp_path))
    with pytest.raises(UnsupportedOption, match="'de'"):
        hear(runner, babble(1), TranscribeOptions(language="de"))


def test_a_single_language_may_be_named(tmp_path: Path) -> None:
    runner = loaded(tiny_wav2vec2.hubert(tmp_path), languages=("en",))
    assert hear(runner, babble(1), TranscribeOptions(language="en")).language == "en"


def _headless(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = {key: value for key, value in load_file(folder / "model.safetensors").items() if "lm_head" not in key}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _other_shape(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 32}))


def _code_of_its_own(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    code = {"AutoConfig": "theirs.Config", "AutoModelForCTC": "theirs.Model"}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "theirs", "auto_map": code}))
    (folder / "theirs.py").write_text("raise SystemExit('it ran')")


def _cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        (_headless, "lm_head"),
        (_other_shape, "other shapes"),
        (_code_of_its_own, "code of its own"),
        (_cut_short, "model.safetensors"),
        (_without("model.safetensors"), "no weights"),
        (_without("config.json"), "config.json"),
        (_without("preprocessor_config.json"), "feature extractor"),
        (_without("vocab.json"), "vocab.json"),
    ],
)
def test_a_damaged_folder_is_refused_by_name(tmp_path: Path, harm: Callable[[Path], None], complaint: str) -> None:
    harm(tiny_wav2vec2.wav2vec2(tmp_path))
    with pytest.raises(ModelLoadError) as refused:
        loaded(tmp_path)
    assert str(tmp_path) in str(refused.value)
    assert complaint in str(refused.value)
    assert refused.value.fix


def test_a_whisper_folder_is_sent_to_whisper(tmp_path: Path) -> None:
    tiny_whisper.whisper(tmp_path)
    with pytest.raises(ModelLoadError, match="whisper checkpoint") as refused:
        loaded(tmp_path)
    assert refused.value.fix == f"Use whisper:{tmp_path}."


def test_a_mask_that_only_training_needs_may_be_missing(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    tiny_wav2vec2.wav2vec2(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    assert weights.pop("wav2vec2.masked_spec_embed") is not None
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert loaded(tmp_path)


def test_nothing_loaded_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError):
        hear(Ctc(RunnerSpec("ctc", "CTC", "runners.ctc:Ctc")), babble(1))


@pytest.mark.parametrize(
    ("build", "frame_seconds"), [(tiny_ctc.parakeet_ctc, 0.08), (tiny_ctc.medasr, 0.04), (tiny_ctc.granite_ctc, 0.08)]
)
@pytest.mark.parametrize("seconds", [0.7, 5.0, 21.0])
def test_networks_that_take_a_spectrogram_hear_what_their_own_loop_writes(
    tmp_path: Path, build: Callable[[Path], Path], frame_seconds: float, seconds: float
) -> None:
    import torch
    from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer

    clip = babble(seconds)
    heard = hear(loaded(build(tmp_path)), clip)
    is_granite = build is tiny_ctc.granite_ctc
    extractor = GraniteSpectrogram.read(tmp_path) if is_granite else AutoFeatureExtractor.from_pretrained(tmp_path)
    model = AutoModelForCTC.from_pretrained(tmp_path).eval()
    with torch.inference_mode():
        said = model.generate(**extractor(clip.samples, sampling_rate=16_000, return_tensors="pt"))
    [text] = AutoTokenizer.from_pretrained(tmp_path).batch_decode(said, skip_special_tokens=True)
    assert heard.text == text
    assert heard.text
    assert " ".join(word.text for word in heard.words).split() == heard.text.split()
    frames = [(word.start or 0) / frame_seconds for word in heard.words]
    assert frames == pytest.approx([round(frame) for frame in frames], abs=1e-6)
    assert frames == sorted(frames)
    assert heard.words[-1].end == pytest.approx(seconds, abs=seconds / 3)


def test_granites_spectrogram_is_the_familys_own() -> None:
    try:
        importlib.import_module("torchaudio")
    except (ImportError, OSError) as error:  # a build for another PyTorch cannot be loaded
        pytest.skip(f"torchaudio is not here: {error}")
    from transformers import GraniteSpeech5FeatureExtractor

    for seconds in (0.5, 2.345, 7.0):
        samples = babble(seconds).samples
        theirs = GraniteSpeech5FeatureExtractor()(samples, sampling_rate=16_000)
        ours = GraniteSpectrogram({})(samples)
        assert ours["attention_mask"].tolist() == theirs["attention_mask"].tolist()
        assert np.allclose(ours["input_features"], theirs["input_features"], atol=1e-4)


def test_granites_settings_are_read_from_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"hop_length": 200}))
    assert GraniteSpectrogram.read(tmp_path).hop_length == 200


def test_odd_settings_of_a_spectrogram_are_refused(tmp_path: Path) -> None:
    tiny_ctc.granite_ctc(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"delta_win_length": 5}))
    with pytest.raises(ModelLoadError, match="slopes"):
        loaded(tmp_path)
