"""Every row of the catalogue: that its facts fit together, and that it claims nothing that no test ran."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import Counter
from pathlib import Path

import pytest

from runners.base import Prompt, RunnerSpec, TranscribeOptions, UnsupportedOption, check_options
from runners.catalogue.names import spec_for
from runners.catalogue.rows import CHECKPOINTS, FAMILIES, RUNNERS, SCRIPTED
from tests.subjects import CASES

BUILT = {case.family for case in CASES.values()}
"""Families that the contract test loads and runs."""
CODE = re.compile(r"[a-z]{2}|yue|haw")
"""ISO 639-1, and the two that Whisper has beyond it."""
SPDX = re.compile(r"[A-Za-z0-9.+-]+")
HUB_ROWS = [spec for spec in RUNNERS if spec.model is not None]


def each(rows: list[RunnerSpec] | tuple[RunnerSpec, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("spec", rows, ids=[spec.name for spec in rows])


def test_a_person_who_wants_to_compare_finds_them_all() -> None:
    assert len(RUNNERS) >= 45
    assert {"whisper", "faster-whisper", "ctc", "parakeet", "nemotron", "canary", "granite-speech", "qwen3-asr"} <= set(
        FAMILIES
    )
    assert {"voxtral", "voxtral-realtime", "qwen3-asr", "cohere-transcribe", "moonshine-transformers", "kyutai-stt"} <= set(
        FAMILIES
    )
    assert {"cohere-transcribe", "glm-asr", "vibevoice-asr", "fun-asr", "seamless-m4t", "phi4-multimodal"} <= set(FAMILIES)
    assert {"qwen2-audio", "qwen-omni", "gemma", "audio-flamingo", "moonshine", "pocketsphinx"} <= set(FAMILIES)


def test_names_are_different_and_each_family_has_one_default() -> None:
    assert max(Counter(spec.name for spec in RUNNERS).values()) == 1
    assert max(Counter((spec.family, spec.label) for spec in RUNNERS).values()) == 1
    assert Counter(spec.family for spec in RUNNERS if spec.is_default) == dict.fromkeys(FAMILIES, 1)


@each(RUNNERS)
def test_a_row_can_be_named_and_its_class_is_there(spec: RunnerSpec) -> None:
    assert spec_for(spec.name) == spec
    module, _, name = spec.target.partition(":")
    kind = getattr(importlib.import_module(module), name)
    for method in ("load", "transcribe", "unload"):
        assert inspect.isfunction(getattr(kind, method))
    assert spec.can_chat == (hasattr(kind, "chat") and hasattr(kind, "forget")) or not spec.can_chat
    if spec.can_chat:
        assert inspect.isgeneratorfunction(kind.chat)


@each(RUNNERS)
def test_its_facts_fit_together(spec: RunnerSpec) -> None:
    assert spec.label
    assert spec.languages is None or len(set(spec.languages)) == len(spec.languages)
    assert all(CODE.fullmatch(code) for code in (*(spec.languages or ()), *spec.translates_to))
    assert spec.license is None or SPDX.fullmatch(spec.license)
    assert spec.assumes_language is None or spec.assumes_language in (spec.languages or ())
    assert spec.assumes_language is None or spec.can_choose_language, "what is assumed can be told"
    assert not spec.translates_from_told or (spec.translates_to and spec.assumes_language is not None)
    assert spec.dtypes
    assert spec.devices
    assert not (spec.can_be_spread and spec.audio_tokens_per_second is None and not spec.tested)
    if spec.longest_prompt_seconds is not None:
        assert spec.takes_prompt or spec.can_chat
    if spec.can_chat and spec.family != SCRIPTED:
        assert spec.takes_prompt


@each(HUB_ROWS)
def test_what_is_fetched_is_as_large_as_its_parameters(spec: RunnerSpec) -> None:
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", spec.model or "")
    assert spec.family in CHECKPOINTS, "a foreign folder is refused by what its config.json says"
    assert spec.parameters is not None
    assert spec.size_bytes is not None
    assert 0.9 <= spec.size_bytes / spec.parameters <= 4.5, "one to four bytes a parameter"


@each(RUNNERS)
def test_it_claims_nothing_that_no_test_ran(spec: RunnerSpec) -> None:
    if spec.tested is None:
        return
    if spec.tested == "tiny checkpoint":
        assert spec.family in BUILT
    if spec.tested == "real weights":
        assert spec.family in {"moonshine", "moonshine-transformers", "pocketsphinx", "whisper", "faster-whisper", "ctc"}
    assert spec.tested != "server" or spec.server is not None


@pytest.mark.parametrize("family", sorted(BUILT))
def test_what_a_test_ran_is_said(family: str) -> None:
    assert any(spec.tested for spec in RUNNERS if spec.family == family) or family == SCRIPTED


@each(RUNNERS)
def test_what_it_cannot_do_is_refused_by_name(spec: RunnerSpec) -> None:
    refused: list[TranscribeOptions] = []
    if not spec.takes_prompt:
        refused.append(TranscribeOptions(prompt=Prompt("verbatim", "transcription", "Write it down.")))
    if spec.languages is not None:
        refused.append(TranscribeOptions(language="xx"))
    if not spec.can_choose_language and len(spec.languages or ()) > 1:
        refused.append(TranscribeOptions(language=(spec.languages or ("en",))[0]))
    refused.append(TranscribeOptions(translate_to="xx"))
    for options in refused:
        with pytest.raises(UnsupportedOption) as fault:
            check_options(spec, options)
        assert spec.label in str(fault.value)
        assert fault.value.fix


def test_every_kind_of_system_has_its_tests() -> None:
    tests = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
    modules = {spec.target.partition(":")[0].rpartition(".")[2] for spec in RUNNERS}
    assert not {module for module in modules if f"test_{module}" not in tests}
