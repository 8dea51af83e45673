"""Transducers: the same tokens as transformers' own loop, times, long clips, languages, and folders that are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runners.base import (
    Cancelled,
    Clip,
    ModelLoadError,
    Placement,
    RunnerSpec,
    TranscribeOptions,
    Transcript,
    UnsupportedOption,
)
from runners.catalogue.names import spec_for
from runners.networks.word_pieces import Emission, words
from runners.transducers import LONGEST_SECONDS, Transducer
from tests import tiny_ctc, tiny_transducers
from tests.sounds import babble
from tests.watcher import Watcher

OPEN = TranscribeOptions()


def loaded(family: str, folder: Path, **facts: Any) -> Transducer:
    runner = Transducer(replace(spec_for(f"{family}:{folder}"), **facts))
    runner.load(folder, Placement(), Watcher())
    return runner


def hear(runner: Transducer, clip: Clip, options: TranscribeOptions = OPEN) -> Transcript:
    return runner.transcribe(clip, options, Watcher())


@pytest.fixture(scope="module", params=tiny_transducers.CASES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    case = tiny_transducers.CASES[request.param]
    assert case.build is not None
    return case.family, case.build(tmp_path_factory.mktemp(request.param))


def _plain(folder: Path, clip: Clip, **named: Any) -> tuple[str, list[int]]:
    """What the family's own ``generate`` writes, and at which frame each token that is text."""
    import torch
    from transformers import AutoConfig, AutoModelForRNNT, AutoModelForTDT, AutoProcessor

    is_tdt = AutoConfig.from_pretrained(folder).model_type == "parakeet_tdt"
    processor = AutoProcessor.from_pretrained(folder)
    model = (AutoModelForTDT if is_tdt else AutoModelForRNNT).from_pretrained(folder).eval()
    with torch.inference_mode():
        said = model.generate(**processor(clip.samples, sampling_rate=16_000, **named))
    [text] = processor.batch_decode(said.sequences, skip_special_tokens=True)
    starts = (said.durations.cumsum(-1) - said.durations)[0].tolist()
    silent = {model.config.blank_token_id, *processor.tokenizer.all_special_ids}
    return text, [at for token, at in zip(said.sequences[0].tolist(), starts, strict=True) if token not in silent]


@pytest.mark.parametrize("seconds", [0.7, 5.0, 21.0])
def test_what_is_heard_is_what_the_familys_own_loop_writes(folder: tuple[str, Path], seconds: float) -> None:
    clip = babble(seconds)
    heard = hear(loaded(*folder), clip)
    text, frames = _plain(folder[1], clip)
    assert heard.text == text
    assert heard.text
    assert heard.words[0].start == pytest.approx(frames[0] * 0.08)
    assert {round((word.start or 0) / 0.08) for word in heard.words} <= set(frames)


def test_words_are_the_text_and_follow_each_other_within_the_clip(folder: tuple[str, Path]) -> None:
    clip = babble(12)
    heard = hear(loaded(*folder), clip)
    assert "".join(word.text for word in heard.words) == heard.text.replace(" ", "")
    starts = [word.start for word in heard.words]
    assert all(before is not None and after is not None and before <= after for before, after in pairwise(starts))
    assert all(word.start is not None and word.end is not None and word.start <= word.end <= 12 for word in heard.words)
    assert all(word.confidence is not None and 0 < word.confidence <= 1 for word in heard.words)


def test_a_long_clip_is_cut_at_its_pauses_and_heard_piece_by_piece(folder: tuple[str, Path]) -> None:
    voice, pause = babble(40).samples, np.zeros(16_000, np.float32)
    clip = Clip(np.concatenate([voice, pause, voice]), 81.0, "long.wav")
    runner = loaded(*folder)
    watcher = Watcher()
    heard = runner.transcribe(clip, OPEN, watcher)
    assert heard.notes == ("cut at pauses into 2 pieces",)
    assert len(heard.segments) == 2
    assert all((part.end or 0) - (part.start or 0) <= LONGEST_SECONDS for part in heard.segments)
    assert heard.segments[1].start == pytest.approx(40.5, abs=0.6)
    late = [word for word in heard.words if (word.start or 0) > 41]
    assert late
    assert watcher.partials
    assert heard.text.startswith(watcher.partials[0])


def test_a_cancel_stops_in_the_middle_of_a_piece(folder: tuple[str, Path]) -> None:
    runner = loaded(*folder)
    clip = babble(21)
    whole = Watcher()
    expected = runner.transcribe(clip, OPEN, whole)
    assert whole.checks > 8, "it is asked between tokens"
    with pytest.raises(Cancelled):
        runner.transcribe(clip, OPEN, Watcher(cancel_at=whole.checks // 2))
    assert hear(runner, clip) == expected


def test_low_precision_hears_too(tmp_path: Path) -> None:
    runner = Transducer(spec_for(f"parakeet:{tiny_transducers.parakeet_tdt(tmp_path)}"))
    runner.load(tmp_path, Placement("cpu", "bfloat16"), Watcher())
    assert isinstance(hear(runner, babble(2)).text, str)


def test_a_language_is_told_to_a_model_that_can_be_told(tmp_path: Path) -> None:
    runner = loaded("nemotron", tiny_transducers.nemotron(tmp_path), can_choose_language=True)
    clip = babble(9)
    by_itself, german = hear(runner, clip), hear(runner, clip, TranscribeOptions(language="de"))
    assert german.language == "de"
    assert german.text == _plain(tmp_path, clip, language="de-DE")[0]
    assert by_itself.text == _plain(tmp_path, clip, language="auto")[0]
    assert german.text != by_itself.text
    with pytest.raises(UnsupportedOption, match="'sw'"):
        hear(runner, clip, TranscribeOptions(language="sw"))


def test_models_that_hear_the_language_for_themselves_cannot_be_told_one(tmp_path: Path) -> None:
    runner = loaded("parakeet", tiny_transducers.parakeet_tdt(tmp_path))
    with pytest.raises(UnsupportedOption, match="'de'"):
        hear(runner, babble(1), TranscribeOptions(language="de"))


def test_the_only_language_may_be_named(tmp_path: Path) -> None:
    runner = loaded("parakeet", tiny_transducers.parakeet_rnnt(tmp_path), languages=("en",))
    assert hear(runner, babble(1), TranscribeOptions(language="en")).language == "en"
    assert hear(runner, babble(1)).language == "en"


def test_the_tag_of_a_language_names_it_and_is_no_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = loaded("nemotron", tiny_transducers.nemotron(tmp_path))
    ids = {piece: number for number, piece in enumerate((*tiny_transducers.PIECES, *tiny_transducers.TAGS))}
    pieces = ["▁ba", "da", ".", "▁ga", "<de-DE>"]
    spoken = [Emission(ids[piece], 2 * at, 2 * at + 1, 0.5) for at, piece in enumerate(pieces)]
    monkeypatch.setattr("runners.transducers._walk", lambda *_: iter(spoken))
    heard = hear(runner, babble(2))
    assert heard.text == "bada. ga"
    assert heard.language == "de"
    assert [word.text for word in heard.words] == ["bada.", "ga"]
    assert heard.words[0].end == pytest.approx(0.24), "a full stop takes no time"


def test_characters_count_as_words_where_words_are_not_written_apart(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_transducers.parakeet_rnnt(tmp_path))
    ids = tokenizer.convert_tokens_to_ids(["▁日", "本", "語", ".", "▁ba"])
    found = words(tokenizer, [Emission(token, at, at + 1, 1.0) for at, token in enumerate(ids)], 0.1, 0.45)
    assert [word.text for word in found] == ["日", "本", "語.", "ba"]
    assert [word.start for word in found] == pytest.approx([0, 0.1, 0.2, 0.4])
    assert found[-1].end == 0.45


def _cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _headless(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = {key: value for key, value in load_file(folder / "model.safetensors").items() if "joint" not in key}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _for_8_khz(folder: Path) -> None:
    path = folder / "processor_config.json"
    settings = json.loads(path.read_text())
    settings["feature_extractor"]["sampling_rate"] = 8000
    path.write_text(json.dumps(settings))


def _without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        (_cut_short, "model.safetensors"),
        (_headless, "joint"),
        (_for_8_khz, "8000"),
        (_without("model.safetensors"), "no weights"),
        (_without("tokenizer.json"), "tokenizer"),
        (_without("processor_config.json"), "feature extractor"),
    ],
)
def test_a_damaged_folder_is_refused_by_name(tmp_path: Path, harm: Callable[[Path], None], complaint: str) -> None:
    harm(tiny_transducers.parakeet_tdt(tmp_path))
    with pytest.raises(ModelLoadError) as refused:
        loaded("parakeet", tmp_path)
    assert str(tmp_path) in str(refused.value)
    assert complaint in str(refused.value)
    assert refused.value.fix


def test_a_ctc_folder_is_sent_to_ctc(tmp_path: Path) -> None:
    tiny_ctc.parakeet_ctc(tmp_path)
    with pytest.raises(ModelLoadError, match="parakeet_ctc checkpoint") as refused:
        loaded("parakeet", tmp_path)
    assert refused.value.fix == f"Use ctc:{tmp_path}."


def test_nothing_loaded_is_said() -> None:
    with pytest.raises(ModelLoadError):
        hear(Transducer(RunnerSpec("parakeet", "Parakeet", "runners.transducers:Transducer")), babble(1))
