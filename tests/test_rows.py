"""Every row of the catalogue: that its facts fit together, and that it claims nothing that no test ran."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import pytest

from runners.base import Prompt, Route, RunnerSpec, TranscribeOptions, UnsupportedOption, check_options
from runners.catalogue.names import spec_for
from runners.catalogue.rows import CHECKPOINTS, FAMILIES, RUNNERS, SCRIPTED
from tests.case import Case
from tests.kinds import kind_of
from tests.served_models import row
from tests.subjects import CASES

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
    assert not spec.understands_others or (spec.languages and not spec.can_choose_language)
    assert spec.assumes_language is None or spec.can_choose_language, "what is assumed can be told"
    assert not spec.translates_from_told or (spec.translates_to and spec.assumes_language is not None)
    assert spec.dtypes
    assert spec.devices
    assert not (spec.can_be_spread and spec.audio_tokens_per_second is None and not spec.tested)
    assert (spec.beyond is None) == (spec.longest_transcribed_seconds is None)
    assert spec.beyond is not None or spec.family == SCRIPTED
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
    stands_behind(spec, CASES)


def stands_behind(spec: RunnerSpec, cases: Mapping[str, Case]) -> None:
    """Fails where a row claims more than these cases, the runner's own tests and the tests of servers try."""
    if spec.tested is None:
        assert spec.family == SCRIPTED
        return
    kind = kind_of(spec)
    assert kind is not None, "tests/kinds.py does not know what kind of network it is"
    case = cases[kind.case]
    assert case.family == spec.family
    heard = CHECKPOINTS.get(spec.family)
    assert heard is None or not heard.model_types or kind.model_type in heard.model_types
    match spec.tested:
        case "real weights":  # those inside the package, which is all that the case runs
            assert (case.build, kind.model_type) == (None, None)
            assert case.package
        case "real weights of its kind":
            module = spec.target.partition(":")[0].rpartition(".")[2]
            assert kind.weights
            assert f'"{kind.weights}"' in (Path(__file__).parent / f"test_{module}.py").read_text(encoding="utf-8")
        case "tiny checkpoint":
            assert case.build is not None
            assert kind.weights is None, "more was tried than it says"
        case "server":
            pytest.fail("no row of Earshot's own is served")


@pytest.mark.parametrize("gone", sorted(CASES))
def test_without_its_case_a_claim_does_not_stand(gone: str) -> None:
    left = {name: case for name, case in CASES.items() if name != gone}
    for spec in RUNNERS:
        kind = kind_of(spec)
        if kind is not None and kind.case == gone:
            with pytest.raises(KeyError):
                stands_behind(spec, left)


@pytest.mark.parametrize("route", get_args(Route))
def test_what_is_served_claims_a_server_and_each_route_has_its_tests(route: Route) -> None:
    assert row("http://inside/v1", route).tested == "server"
    tests = [(Path(__file__).parent / f"test_served{more}.py").read_text(encoding="utf-8") for more in ("", "_by_transformers")]
    asks = r"\brow\((?:server\.base_url|address)" + ("" if route == "transcriptions" else rf', "{route}"')
    assert all(re.search(asks, text) for text in tests)


def test_every_family_that_a_test_runs_says_so() -> None:
    assert {case.family for case in CASES.values()} == {spec.family for spec in RUNNERS if spec.tested} | {SCRIPTED}


@each(RUNNERS)
def test_what_it_cannot_do_is_refused_by_name(spec: RunnerSpec) -> None:
    refused: list[TranscribeOptions] = []
    if not spec.takes_prompt:
        refused.append(TranscribeOptions(prompt=Prompt("verbatim", "transcription", "Write it down.")))
    if spec.languages is not None and not spec.understands_others:
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
