"""Whisper through transformers: short and long clips, languages, word times, and which folders are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jiwer
import numpy as np
import pytest

from runners import whisper
from runners.audio import decode
from runners.base import (
    Cancelled,
    Clip,
    ModelLoadError,
    OutOfMemory,
    Placement,
    TranscribeOptions,
    Transcript,
    UnsupportedOption,
)
from runners.catalogue.names import spec_for
from runners.networks import pace, temperatures
from runners.whisper import Whisper
from tests import tiny_wav2vec2, tiny_whisper
from tests.sounds import babble, silence
from tests.watcher import Watcher

OPEN = TranscribeOptions()


def loaded(folder: Path) -> Whisper:
    runner = Whisper(spec_for(f"whisper:{folder}"))
    runner.load(folder, Placement(), Watcher())
    return runner


def hear(runner: Whisper, clip: Clip, options: TranscribeOptions = OPEN) -> Transcript:
    return runner.transcribe(clip, options, Watcher())


@pytest.fixture(scope="module")
def many_languages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper.whisper(tmp_path_factory.mktemp("whisper"), positions=40)


@pytest.fixture(scope="module")
def digits(speech_weights: Path) -> Whisper:
    return loaded(speech_weights / "whisper-digits")


@pytest.fixture(scope="module")
def digit_clips(speech_weights: Path) -> list[Clip]:
    folder = speech_weights / "digits-test"
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    return [decode(folder / row["file"], max_seconds=60, max_bytes=10_000_000, reference=row["text"]) for row in rows]


def error_rate(runner: Whisper, clips: list[Clip]) -> float:
    return float(jiwer.wer([str(clip.reference) for clip in clips], [hear(runner, clip).text for clip in clips]))


def test_spoken_digits_are_heard_as_well_as_noted(digits: Whisper, digit_clips: list[Clip]) -> None:
    assert error_rate(digits, [clip for clip in digit_clips if clip.seconds < 30]) <= 0.15  # noted: 14.6 %
    assert hear(digits, silence(3)).text == ""


def test_a_long_clip_is_heard_to_its_end(digits: Whisper, digit_clips: list[Clip]) -> None:
    [clip] = [clip for clip in digit_clips if clip.seconds > 30]
    transcript = hear(digits, clip)
    # Noted: 68 %. The checkpoint was trained on short clips and without timestamps.
    assert jiwer.wer(str(clip.reference), transcript.text) <= 0.68
    assert transcript.segments[-1].end is not None
    assert transcript.segments[-1].end > 45
    assert " ".join(segment.text for segment in transcript.segments) == transcript.text
    assert " ".join(word.text for word in transcript.words) == transcript.text


def test_a_short_clip_gets_the_words_of_a_plain_generate(
    digits: Whisper, digit_clips: list[Clip], speech_weights: Path
) -> None:
    from transformers import AutoProcessor, WhisperForConditionalGeneration

    folder = speech_weights / "whisper-digits"
    processor = AutoProcessor.from_pretrained(folder)
    model = WhisperForConditionalGeneration.from_pretrained(folder, dtype="float32")
    for clip in digit_clips[:6]:
        features = processor(clip.samples, sampling_rate=16_000, return_tensors="pt").input_features
        plain = processor.batch_decode(model.generate(features, language="en", task="transcribe"), skip_special_tokens=True)[
            0
        ].strip()
        assert hear(digits, clip).text == plain


def test_the_language_is_taken_as_given_or_detected(many_languages: Path) -> None:
    runner = loaded(many_languages)
    assert hear(runner, babble(1)).language in tiny_whisper.LANGUAGES
    assert hear(runner, babble(1), TranscribeOptions(language="de")).language == "de"
    with pytest.raises(UnsupportedOption, match="'fr'"):
        hear(runner, babble(1), TranscribeOptions(language="fr"))


def test_version_3_hears_128_bands_and_can_be_told_cantonese(many_languages: Path, tmp_path: Path) -> None:
    third = loaded(tiny_whisper.whisper(tmp_path, third=True, positions=40))
    heard = hear(third, babble(1), TranscribeOptions(language="yue"))
    assert heard.language == "yue"
    assert heard.words
    with pytest.raises(UnsupportedOption, match="'yue'"):
        hear(loaded(many_languages), babble(1), TranscribeOptions(language="yue"))
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["vocab_size"], config["num_mel_bins"]) == (51_866, 128)


def test_an_english_checkpoint_hears_english_only(tmp_path: Path) -> None:
    runner = loaded(tiny_whisper.whisper(tmp_path, multilingual=False, positions=40))
    assert hear(runner, babble(1)).language == "en"
    assert hear(runner, babble(1), TranscribeOptions(language="en")).language == "en"
    with pytest.raises(UnsupportedOption, match="English only"):
        hear(runner, babble(1), TranscribeOptions(language="de"))


def test_an_old_checkpoint_without_a_generation_config_works(tmp_path: Path) -> None:
    tiny_whisper.whisper(tmp_path, positions=40)
    (tmp_path / "generation_config.json").unlink()
    transcript = hear(loaded(tmp_path), babble(33), TranscribeOptions(language="es"))
    assert transcript.language == "es"
    assert transcript.words == ()
    assert any("alignment heads" in note for note in transcript.notes)


def test_text_is_shown_while_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "PARTIAL_EVERY_SECONDS", 0.0)
    watcher = Watcher()
    text = loaded(tiny_whisper.whisper(tmp_path, positions=40, eagerness=20)).transcribe(babble(3), OPEN, watcher).text
    assert text
    assert any(part and text.startswith(part) for part in watcher.partials)


def test_a_cancel_comes_through_between_two_tokens(many_languages: Path) -> None:
    runner = loaded(many_languages)
    watcher = Watcher()
    whole = runner.transcribe(babble(3), OPEN, watcher)
    assert watcher.checks > 3
    with pytest.raises(Cancelled):
        runner.transcribe(babble(3), OPEN, Watcher(cancel_at=watcher.checks))
    assert hear(runner, babble(3)) == whole


def test_full_memory_is_said_and_survived(many_languages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    runner = loaded(many_languages)
    whole = hear(runner, babble(1))

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    with monkeypatch.context() as patch:
        patch.setattr(whisper, "_encode", full)
        with pytest.raises(OutOfMemory, match="CUDA out of memory") as refused:
            hear(runner, babble(1))
    assert refused.value.fix
    assert hear(runner, babble(1)) == whole


FIRST, END = 1000, 900  # of a made-up vocabulary: "no timestamps", and the end of text; text is below


@pytest.mark.parametrize(
    ("tokens", "pieces", "settled_seconds"),
    [
        ([], [], 30),
        ([1001, 5, 6, 1101], [([5, 6], 0, 100)], 30),  # one closed segment, then nothing more is said
        ([1001, 5, 1101, 1101], [([5], 0, 100)], 2),  # another begins where it ended
        ([1001, 5, 1101, 1151, 6, 7], [([5], 0, 100)], 3),  # another begins, and is not finished
        ([1001, 5, 1101, 1151, 6, 1201], [([5], 0, 100), ([6], 150, 200)], 30),
        ([1026, 5, 6], [([5, 6], 25, 1500)], 30),  # never closed: it fills the window
        ([1001, 1001], [], 30),
    ],
)
def test_a_window_is_cut_at_its_timestamps(
    tokens: list[int], pieces: list[tuple[list[int], int, int]], settled_seconds: int
) -> None:
    class Facts:
        end = END
        no_timestamps = FIRST
        samples_per_frame = 320

    found, settled = whisper._split(tokens, Facts, 480_000, True)  # type: ignore[arg-type]
    assert [(piece.tokens, piece.start, piece.end) for piece in found] == pieces
    assert settled == settled_seconds * 16_000


def _without(*names: str) -> Callable[[Path], None]:
    def harm(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return harm


def _changed(name: str, **facts: object) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | facts)) and None


def _lacking_a_layer(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights = {key: value for key, value in weights.items() if "encoder.layers.0.fc1" not in key}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        (_lacking_a_layer, "encoder.layers.0.fc1"),
        (_without("model.safetensors"), "no weights"),
        (_without("tokenizer.json", "tokenizer_config.json"), "tokenizer"),
        (_without("tokenizer.json"), "tokenizer"),
        (_without("preprocessor_config.json"), "feature extractor"),
        (_changed("preprocessor_config.json", feature_size=128), "128 bands"),
        (_changed("config.json", vocab_size=51_000), ""),
        (_changed("config.json", model_type="speech_to_text"), "speech_to_text"),
    ],
)
def test_a_damaged_folder_is_refused_by_name(tmp_path: Path, harm: Callable[[Path], None], complaint: str) -> None:
    harm(tiny_whisper.whisper(tmp_path))
    with pytest.raises(ModelLoadError) as refused:
        loaded(tmp_path)
    assert str(tmp_path) in str(refused.value)
    assert complaint in str(refused.value)
    assert refused.value.fix


def test_a_checkpoint_of_another_family_is_sent_there(tmp_path: Path) -> None:
    tiny_wav2vec2.wav2vec2(tmp_path)
    with pytest.raises(ModelLoadError, match="wav2vec2 checkpoint") as refused:
        loaded(tmp_path)
    assert refused.value.fix == f"Use ctc:{tmp_path}."


def test_a_wrong_alignment_head_costs_the_word_times_only(tmp_path: Path) -> None:
    tiny_whisper.whisper(tmp_path, positions=40)
    _changed("generation_config.json", alignment_heads=[[7, 0]])(tmp_path)
    transcript = hear(loaded(tmp_path), babble(3))
    assert transcript.words == ()


def test_a_weak_clip_changes_nothing_in_the_samples(many_languages: Path) -> None:
    clip = replace(babble(1), samples=np.full(16_000, 1e-6, np.float32))
    hear(loaded(many_languages), clip)
    assert (clip.samples == np.float32(1e-6)).all()


def test_a_text_that_chance_makes_less_probable_is_not_tried_again_and_again(
    many_languages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []
    probabilities = iter([-2.0, -3.0])

    def improbable(scores: object, tokens: object, temperature: float) -> float:
        tried.append(temperature)
        return next(probabilities)

    monkeypatch.setattr(temperatures, "log_probability", improbable)
    monkeypatch.setattr(temperatures, "MAX_COMPRESSION", 1e9)
    transcript = hear(loaded(many_languages), babble(0.5), TranscribeOptions(word_times=False))
    assert tried == [0.0, 0.2]
    assert any("more than once" in note for note in transcript.notes)


def test_a_translation_is_what_a_plain_generate_translates(many_languages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temperatures, "TEMPERATURES", (0.0,))  # the random network's text is improbable: no second try here
    from transformers import AutoFeatureExtractor, AutoTokenizer, WhisperForConditionalGeneration

    runner = loaded(many_languages)
    clip = babble(3)
    spoken = hear(runner, clip, TranscribeOptions(language="de"))
    translated = hear(runner, clip, TranscribeOptions(language="de", translate_to="en"))
    extractor = AutoFeatureExtractor.from_pretrained(many_languages)
    model = WhisperForConditionalGeneration.from_pretrained(many_languages, dtype="float32")
    features = extractor(clip.samples, sampling_rate=16_000, return_tensors="pt").input_features
    ids = model.generate(features, language="de", task="translate")[0]
    assert translated.text == AutoTokenizer.from_pretrained(many_languages).decode(ids, skip_special_tokens=True).strip()
    assert translated.text != spoken.text
    assert translated.language == "de"
    assert translated.words == ()
    assert any("no word times" in note for note in translated.notes)


def test_a_long_clip_is_translated_too(many_languages: Path) -> None:
    translated = hear(loaded(many_languages), babble(40), TranscribeOptions(translate_to="en", word_times=False))
    assert translated.text
    assert translated.segments


def test_whisper_translates_to_english_alone(many_languages: Path) -> None:
    with pytest.raises(UnsupportedOption, match="'fr'") as refused:
        hear(loaded(many_languages), babble(1), TranscribeOptions(translate_to="fr"))
    assert "English" in str(refused.value.fix)


def test_a_checkpoint_that_knows_english_alone_does_not_translate(tmp_path: Path) -> None:
    runner = loaded(tiny_whisper.whisper(tmp_path, multilingual=False, positions=40))
    with pytest.raises(UnsupportedOption, match="does not translate"):
        hear(runner, babble(1), TranscribeOptions(translate_to="en"))


def test_a_checkpoint_with_a_decoder_that_was_cut_down_does_not_translate(many_languages: Path, tmp_path: Path) -> None:
    import torch
    from transformers import WhisperForConditionalGeneration

    model = WhisperForConditionalGeneration.from_pretrained(many_languages)
    layers = model.model.encoder.layers
    for _ in range(2):  # an encoder of three layers on a decoder of two, as large-v3-turbo has 32 on 4
        layers.append(type(layers[0])(model.config))
    torch.nn.init.zeros_(layers[-1].fc2.weight)
    model.config.encoder_layers = 3
    folder = Path(shutil.copytree(many_languages, tmp_path / "cut"))
    model.save_pretrained(folder)
    with pytest.raises(UnsupportedOption, match="does not translate"):
        hear(loaded(folder), babble(1), TranscribeOptions(translate_to="en"))


def test_rows_translate_where_their_checkpoints_were_trained_to() -> None:
    assert spec_for("whisper").translates_to == ("en",)
    assert spec_for("whisper:openai/whisper-large-v3").translates_to == ("en",)
    assert spec_for("whisper:openai/whisper-large-v3-turbo").translates_to == ()
    assert spec_for("whisper:distil-whisper/distil-large-v3.5").translates_to == ()
    assert spec_for("faster-whisper:deepdml/faster-whisper-large-v3-turbo-ct2").translates_to == ()
