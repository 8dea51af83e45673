"""Encoder-decoder networks: the same words as their own transformers call, languages, translation, long clips, damage."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runners import encoder_decoders
from runners.base import (
    Cancelled,
    Clip,
    ModelLoadError,
    Placement,
    Runner,
    RunnerError,
    TranscribeOptions,
    Transcript,
    UnsupportedOption,
    check_options,
)
from runners.catalogue.names import spec_for
from runners.encoder_decoders import EncoderDecoder
from runners.kyutai_stt import KyutaiStt
from tests import tiny_encoder_decoders as tiny_models
from tests.sounds import babble
from tests.watcher import Watcher

OPEN = TranscribeOptions()
GERMAN = TranscribeOptions(language="de")
TOLD = ("canary", "cohere-transcribe", "seamless-m4t")
UNTOLD = ("moonshine-transformers", "moonshine-streaming", "kyutai-stt")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for name, case in tiny_models.CASES.items():
        assert case.build is not None
        made[name] = case.build(tmp_path_factory.mktemp(name))
    return made


def loaded(name: str, folder: Path) -> Runner:
    spec = spec_for(f"{tiny_models.CASES[name].family}:{folder}")
    runner: Runner = KyutaiStt(spec) if name == "kyutai-stt" else EncoderDecoder(spec)
    runner.load(folder, Placement(), Watcher())
    return runner


def hear(runner: Runner, clip: Clip, options: TranscribeOptions = OPEN) -> Transcript:
    return runner.transcribe(clip, options, Watcher())


def plain(folder: Path, model_class: str, clip: Clip, most: int | None, extracting: dict[str, Any], **told: Any) -> str:
    """What the family's own classes write, as transformers' documentation calls them."""
    import torch
    import transformers

    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = getattr(transformers, model_class).from_pretrained(folder, dtype="float32").eval()
    inputs = extractor(clip.samples, sampling_rate=16_000, return_tensors="pt", **extracting)
    inputs.pop("audio_chunk_index", None)
    prompt = told.pop("prompt", None)
    if prompt is not None:
        told["decoder_input_ids"] = torch.tensor([tokenizer.convert_tokens_to_ids(prompt)])
    with torch.no_grad():
        output = model.generate(**inputs, **told, max_new_tokens=most)
    return str(tokenizer.batch_decode(output, skip_special_tokens=True)[0]).strip()


def controls(language: str, target: str) -> list[str]:
    names = ("startofcontext", "startoftranscript", "emo:undefined", language, target)
    return [f"<|{name}|>" for name in (*names, "pnc", "noitn", "notimestamp", "nodiarize")]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_canary_writes_what_its_own_call_writes(folders: dict[str, Path], seed: int) -> None:
    clip, folder = babble(3, seed), folders["canary"]
    most = 50 + round(12.5 * 3)
    for source, target in (("en", "en"), ("de", "de"), ("de", "en"), ("en", "fr")):
        wanted = plain(
            folder, "CanaryForConditionalGeneration", clip, most, {"padding": "longest"}, prompt=controls(source, target)
        )
        options = TranscribeOptions(language=source, translate_to=None if source == target else target)
        assert hear(loaded("canary", folder), clip, options).text == wanted


def test_cohere_writes_what_its_own_processor_asks_for(folders: dict[str, Path]) -> None:
    from transformers import AutoFeatureExtractor, AutoTokenizer, CohereAsrForConditionalGeneration, CohereAsrProcessor

    folder, clip = folders["cohere-transcribe"], babble(3)
    processor = CohereAsrProcessor(
        feature_extractor=AutoFeatureExtractor.from_pretrained(folder), tokenizer=AutoTokenizer.from_pretrained(folder)
    )
    model = CohereAsrForConditionalGeneration.from_pretrained(folder, dtype="float32").eval()
    for language in ("en", "de"):
        inputs = processor(clip.samples, language=language, sampling_rate=16_000)
        inputs.pop("audio_chunk_index")
        output = model.generate(**inputs, max_new_tokens=50 + round(12.5 * 3))
        wanted = processor.decode(output[0], skip_special_tokens=True).strip()
        assert hear(loaded("cohere-transcribe", folder), clip, TranscribeOptions(language=language)).text == wanted


def test_moonshine_writes_what_its_own_call_writes(folders: dict[str, Path]) -> None:
    clip, most = babble(3), round(6.5 * 3) + 4
    for name, model_class, extracting in (
        ("moonshine-transformers", "MoonshineForConditionalGeneration", {}),
        ("moonshine-streaming", "MoonshineStreamingForConditionalGeneration", {"padding": True, "pad_to_multiple_of": 80}),
    ):
        wanted = plain(folders[name], model_class, clip, most, extracting)
        assert wanted
        assert hear(loaded(name, folders[name]), clip).text == wanted


def test_seamless_writes_what_its_own_call_writes(folders: dict[str, Path]) -> None:
    clip, folder = babble(3), folders["seamless-m4t"]
    texts = {}
    for language, code in (("en", "eng"), ("de", "deu"), ("fr", "fra")):
        wanted = plain(folder, "SeamlessM4Tv2ForSpeechToText", clip, 60, {}, tgt_lang=code)
        texts[language] = hear(loaded("seamless-m4t", folder), clip, TranscribeOptions(translate_to=language)).text
        assert texts[language] == wanted
    assert len(set(texts.values())) > 1


@pytest.mark.parametrize("name", TOLD)
def test_a_language_is_assumed_where_nobody_says_and_a_note_says_so(folders: dict[str, Path], name: str) -> None:
    runner = loaded(name, folders[name])
    silent, told = hear(runner, babble(2)), hear(runner, babble(2), TranscribeOptions(language="en"))
    assert silent.text == told.text
    assert silent.language == told.language == "en"
    assert any("taken for 'en'" in note for note in silent.notes)
    assert not any("taken for" in note for note in told.notes)
    german = hear(runner, babble(2), GERMAN)
    assert german.language == "de"
    assert german.text != told.text


@pytest.mark.parametrize("name", TOLD)
def test_a_language_that_a_checkpoint_does_not_know_is_refused(folders: dict[str, Path], name: str) -> None:
    with pytest.raises(UnsupportedOption, match="'cy'"):
        hear(loaded(name, folders[name]), babble(1), TranscribeOptions(language="cy"))


@pytest.mark.parametrize("name", UNTOLD)
def test_those_that_know_one_language_cannot_be_told_another(folders: dict[str, Path], name: str) -> None:
    with pytest.raises(UnsupportedOption, match="cannot be told"):
        hear(loaded(name, folders[name]), babble(1), GERMAN)
    row = spec_for(tiny_models.CASES[name].family)
    with pytest.raises(UnsupportedOption):
        check_options(row, GERMAN)
    assert row.languages == ("en",)


def test_canary_translates_from_english_and_to_it(folders: dict[str, Path]) -> None:
    runner = loaded("canary", folders["canary"])
    assert hear(runner, babble(2), TranscribeOptions(language="fr", translate_to="en")).text
    with pytest.raises(UnsupportedOption, match="from 'de' to 'fr'"):
        hear(runner, babble(2), TranscribeOptions(language="de", translate_to="fr"))


def test_canary_would_translate_nothing_from_a_language_that_it_only_takes_for_the_one_wanted(folders: dict[str, Path]) -> None:
    runner = loaded("canary", folders["canary"])
    to_english = TranscribeOptions(translate_to="en")
    for refusing in (lambda: hear(runner, babble(1), to_english), lambda: check_options(spec_for("canary"), to_english)):
        with pytest.raises(UnsupportedOption, match="translate nothing") as refused:
            refusing()
        assert "Name the language that is spoken" in (refused.value.fix or "")
    german = hear(runner, babble(2), TranscribeOptions(translate_to="de"))
    assert any("taken for 'en'" in note for note in german.notes), "what it is translated from is a guess too"
    assert german.text == hear(runner, babble(2), TranscribeOptions(language="en", translate_to="de")).text


def test_seamless_hears_what_it_translates(folders: dict[str, Path]) -> None:
    check_options(spec_for("seamless-m4t"), TranscribeOptions(translate_to="en"))
    runner = loaded("seamless-m4t", folders["seamless-m4t"])
    heard = hear(runner, babble(2), TranscribeOptions(translate_to="en"))
    assert not any("taken for" in note for note in heard.notes)
    assert heard.text == hear(runner, babble(2), TranscribeOptions(language="de", translate_to="en")).text


def test_cohere_does_not_translate() -> None:
    with pytest.raises(UnsupportedOption, match="does not translate"):
        check_options(spec_for("cohere-transcribe"), TranscribeOptions(translate_to="de"))


@pytest.mark.parametrize("name", tiny_models.CASES)
def test_a_long_clip_is_heard_in_pieces_whose_texts_are_those_of_the_pieces(folders: dict[str, Path], name: str) -> None:
    clip = babble(70)
    runner = loaded(name, folders[name])
    heard = hear(runner, clip)
    longest = spec_for(tiny_models.CASES[name].family).longest_transcribed_seconds
    assert longest is not None
    assert len(heard.segments) >= 70 / longest
    assert any("cut at pauses" in note for note in heard.notes)
    for segment in heard.segments:
        assert segment.start is not None
        assert segment.end is not None
        assert segment.end - segment.start <= longest
        samples = clip.samples[round(segment.start * 16_000) : round(segment.end * 16_000)]
        assert hear(runner, Clip(samples, len(samples) / 16_000, "piece.wav")).text == segment.text
    assert " ".join(segment.text for segment in heard.segments) == heard.text


@pytest.mark.parametrize("name", tiny_models.CASES)
def test_a_run_is_cancelled_in_the_middle_of_a_piece(folders: dict[str, Path], name: str) -> None:
    runner = loaded(name, folders[name])
    whole = Watcher()
    expected = runner.transcribe(babble(3), OPEN, whole)
    assert whole.checks > 10, "between any two tokens"
    with pytest.raises(Cancelled):
        runner.transcribe(babble(3), OPEN, Watcher(cancel_at=whole.checks // 2))
    assert hear(runner, babble(3)) == expected


@pytest.mark.parametrize("name", tiny_models.CASES)
def test_text_is_shown_while_it_comes(folders: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runners.networks.pace.PARTIAL_EVERY_SECONDS", 0.0)
    watcher = Watcher()
    final = loaded(name, folders[name]).transcribe(babble(3), OPEN, watcher)
    assert len(watcher.partials) > 3
    assert watcher.partials[-1] == final.text or final.text.startswith(watcher.partials[-1])


@pytest.mark.parametrize("name", tiny_models.CASES)
def test_folders_that_are_damaged_or_of_another_family_are_refused(folders: dict[str, Path], name: str, tmp_path: Path) -> None:
    family = tiny_models.CASES[name].family
    other = folders["canary" if name != "canary" else "kyutai-stt"]
    wrong = type(loaded(name, folders[name]))(spec_for(family))
    with pytest.raises(ModelLoadError) as refused:
        wrong.load(other, Placement(), Watcher())
    assert str(other) in str(refused.value)
    for number, missing in enumerate(("tokenizer.json", "preprocessor_config.json", "model.safetensors")):
        copy = Path(shutil.copytree(folders[name], tmp_path / f"without-{number}"))
        (copy / missing).unlink()
        if missing == "preprocessor_config.json":
            (copy / "processor_config.json").unlink(missing_ok=True)
        with pytest.raises(RunnerError) as damaged:
            wrong.load(copy, Placement(), Watcher())
        assert damaged.value.fix
    short = Path(shutil.copytree(folders[name], tmp_path / "short"))
    weights = short / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(RunnerError):
        wrong.load(short, Placement(), Watcher())


def test_a_tokenizer_without_its_models_control_tokens_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folders["canary"], tmp_path / "canary"))
    tokenizer = (copy / "tokenizer.json").read_text(encoding="utf-8").replace("<|pnc|>", "<|odd|>")
    (copy / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    with pytest.raises(ModelLoadError, match="control tokens"):
        loaded("canary", copy)


def test_a_feature_extractor_for_another_rate_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    for name, wanted in (("moonshine-transformers", "16000"), ("kyutai-stt", "codec")):
        copy = Path(shutil.copytree(folders[name], tmp_path / name))
        for file in ("preprocessor_config.json", "processor_config.json"):
            if (copy / file).is_file():
                path = copy / file
                settings = json.loads(path.read_text())
                (settings.get("feature_extractor") or settings)["sampling_rate"] = 8000
                path.write_text(json.dumps(settings))
        with pytest.raises(ModelLoadError, match=wanted):
            loaded(name, copy)


def test_a_text_that_goes_in_circles_ends_with_a_note(folders: dict[str, Path]) -> None:
    heard = hear(loaded("moonshine-transformers", folders["moonshine-transformers"]), babble(2))
    assert any("most tokens" in note for note in heard.notes)


def test_each_dialect_has_a_row_that_says_the_same() -> None:
    for dialect in encoder_decoders.DIALECTS.values():
        row = spec_for(dialect.family)
        assert row.longest_transcribed_seconds == dialect.longest_seconds
        assert row.can_choose_language == dialect.is_told_language
        assert (row.assumes_language is not None) == dialect.is_told_language


def test_real_moonshine_hears_a_known_sentence(speech_weights: Path, speech_clips: Path) -> None:
    from runners.audio import decode

    folder = speech_weights / "moonshine-tiny-en"
    runner = EncoderDecoder(replace(spec_for("moonshine-transformers"), model=str(folder)))
    runner.load(folder, Placement(), Watcher())
    heard = hear(runner, decode(speech_clips / "jfk.flac", max_seconds=60, max_bytes=10_000_000))
    assert "ask not what your country can do for you" in heard.text.lower()
    assert heard.language == "en"
