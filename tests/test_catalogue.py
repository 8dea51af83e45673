"""Names become rows, and rows become names."""

from __future__ import annotations

import importlib.util
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.base import RunnerSpec
from runners.catalogue.names import UnknownRunner, offered, spec_for
from runners.catalogue.rows import BUNDLES, FAMILIES, RUNNERS
from runners.settings import Settings

WITH_MODELS = ("whisper", "faster-whisper", "ctc", "phi4-multimodal", "qwen2-audio")
_word = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)
_hub_ids = st.builds(lambda organisation, name: f"{organisation}/{name}", _word, _word)
_revisions = st.one_of(st.none(), _word, st.just("refs/pr/3"), st.just("v1.0-beta_2"))
_folder_parts = st.text(
    st.characters(blacklist_categories=("Cc", "Cs"), blacklist_characters="/"), min_size=1, max_size=12
).filter(lambda part: part not in {".", ".."})
_folders = st.builds(
    lambda start, parts: start + "/".join(parts),
    st.sampled_from(["/", "./", "../", "~/"]),
    st.lists(_folder_parts, min_size=1, max_size=3),
)


@pytest.mark.parametrize("row", RUNNERS, ids=lambda row: row.name)
def test_each_row_answers_to_its_own_name(row: RunnerSpec) -> None:
    assert spec_for(row.name) is row


@pytest.mark.parametrize("row", RUNNERS, ids=lambda row: row.name)
def test_each_row_says_what_its_card_shows(row: RunnerSpec) -> None:
    assert row.label
    assert row.dtypes
    assert "cpu" in row.devices
    if row.family != "scripted":
        assert row.license
        assert row.languages
        assert row.requires
    if row.model:
        assert row.size_bytes
        assert row.parameters


@pytest.mark.parametrize("family", FAMILIES)
def test_a_bare_family_means_exactly_one_model(family: str) -> None:
    assert [row.is_default for row in RUNNERS if row.family == family].count(True) == 1
    assert spec_for(family).name == family


def test_rows_have_names_of_their_own() -> None:
    assert len({row.name for row in RUNNERS}) == len(RUNNERS)
    assert len({row.label for row in RUNNERS}) == len(RUNNERS)


@pytest.mark.parametrize("target", sorted({row.target for row in RUNNERS}))
def test_each_target_is_a_module_of_ours(target: str) -> None:
    module, colon, name = target.partition(":")
    assert module.startswith("runners.")
    assert colon
    assert name.isidentifier()
    assert importlib.util.find_spec("runners")


def test_the_packages_with_a_model_inside_are_those_that_rows_need() -> None:
    needed = {requirement.split(">")[0] for row in RUNNERS for requirement in row.requires}
    assert set(BUNDLES) <= needed


def test_the_default_may_be_named_in_full() -> None:
    assert spec_for("whisper:openai/whisper-small") is spec_for("whisper")


@given(family=st.sampled_from(WITH_MODELS), model=_hub_ids, revision=_revisions)
def test_a_hub_id_keeps_its_name(family: str, model: str, revision: str | None) -> None:
    name = f"{family}:{model}" + (f"@{revision}" if revision else "")
    spec = spec_for(name)
    assert spec.name == name
    assert (spec.model, spec.revision) == (model, revision)
    assert spec.target == spec_for(family).target


@given(family=st.sampled_from(WITH_MODELS), folder=_folders)
def test_a_folder_keeps_its_name_whatever_is_in_it(family: str, folder: str) -> None:
    spec = spec_for(f"{family}:{folder}")
    assert spec.name == f"{family}:{folder}"
    assert spec.revision is None
    assert spec.label == folder.rpartition("/")[2]


def _read(name: str) -> RunnerSpec | UnknownRunner:
    try:
        return spec_for(name)
    except UnknownRunner as refusal:
        return refusal


@given(st.one_of(st.text(max_size=40), st.builds("{}:{}".format, st.sampled_from(WITH_MODELS), st.text(max_size=40))))
def test_any_text_is_a_name_or_a_clear_refusal(text: str) -> None:
    answer = _read(text)
    if isinstance(answer, UnknownRunner):
        assert answer.fix
        assert str(answer).isprintable()
    else:
        assert spec_for(answer.name) == answer


@pytest.mark.parametrize(
    ("written", "model", "label"),
    [
        ("/models/my whisper/", "/models/my whisper", "my whisper"),
        ("/models/whisper@2024", "/models/whisper@2024", "whisper@2024"),
        ("~/ünï/模型", "~/ünï/模型", "模型"),
        ("C:\\models\\tiny", "C:\\models\\tiny", "tiny"),
        ("D:/models/tiny/", "D:/models/tiny", "tiny"),
        ("\\\\server\\share\\tiny", "\\\\server\\share\\tiny", "tiny"),
        (".", ".", "."),
        ("/", "/", "/"),
    ],
)
def test_folders_as_people_write_them(written: str, model: str, label: str) -> None:
    spec = spec_for(f"whisper:{written}")
    assert (spec.model, spec.label, spec.revision) == (model, label, None)
    assert (spec.parameters, spec.license, spec.languages, spec.size_bytes) == (None, None, None, None)


def test_a_folder_that_is_here_is_never_taken_for_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "openai" / "whisper-tiny").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    spec = spec_for("whisper:openai/whisper-tiny")
    assert spec.model == "./openai/whisper-tiny"
    assert spec.license is None


def test_a_revision_of_a_row_keeps_what_the_row_knows() -> None:
    spec = spec_for("whisper:openai/whisper-small@v1")
    assert spec.name == "whisper:openai/whisper-small@v1"
    assert spec.parameters == spec_for("whisper").parameters


def test_a_model_of_no_row_has_its_familys_abilities_and_nothing_made_up() -> None:
    spec = spec_for("faster-whisper:someone/their-whisper")
    family = spec_for("faster-whisper")
    assert (spec.dtypes, spec.devices, spec.requires) == (family.dtypes, family.devices, family.requires)
    assert spec.has_word_times
    assert (spec.parameters, spec.license, spec.languages, spec.size_bytes, spec.files) == (None, None, None, None, ())


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nobody",
        "whisper:",
        "whisper: ",
        "whisper:small",
        "whisper:openai/whisper--small",
        "whisper:openai/..",
        "whisper:../../x/\0y",
        "whisper:openai/a/b",
        "whisper:openai/x@../../main",
        "whisper:openai/x@",
        "whisper:https://huggingface.co/openai/whisper-tiny",
        "whisper:openai/" + "x" * 100,
        "moonshine:tiny",
        "pocketsphinx:/models/x",
    ],
)
def test_what_is_no_name_is_refused_with_a_way_out(name: str) -> None:
    with pytest.raises(UnknownRunner) as caught:
        spec_for(name)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("wisper", '"whisper"'),
        ("Moonshine", '"moonshine"'),
        ("whisper-small", '"whisper"'),
        ("whisper:tiny", '"whisper:openai/whisper-tiny"'),
        ("faster-whisper:large-v3", '"faster-whisper:Systran/faster-whisper-large-v3"'),
    ],
)
def test_a_near_miss_is_told_what_was_meant(written: str, meant: str) -> None:
    with pytest.raises(UnknownRunner) as caught:
        spec_for(written)
    assert meant in (caught.value.fix or "")


def test_an_unknown_family_is_told_which_there_are() -> None:
    with pytest.raises(UnknownRunner) as caught:
        spec_for("nobody")
    assert all(family in (caught.value.fix or "") for family in FAMILIES)


def test_phi4s_row_is_pinned_to_the_revision_with_native_weights() -> None:
    row = spec_for("phi4-multimodal")
    full = f"phi4-multimodal:{row.model}"
    assert row.revision == "refs/pr/70"
    assert spec_for(full) is spec_for(f"{full}@refs/pr/70") is row
    main = spec_for(f"{full}@main")
    assert (main.name, main.revision, main.folders) == (f"{full}@main", "main", ("speech-lora",))


def test_a_checkpoint_of_ones_own_has_its_familys_abilities_to_talk() -> None:
    row, mine = spec_for("phi4-multimodal"), spec_for("phi4-multimodal:/models/mine")
    assert (mine.revision, mine.parameters, mine.size_bytes, mine.languages) == (None, None, None, None)
    for ability in (
        "can_chat",
        "takes_prompt",
        "folders",
        "can_be_spread",
        "longest_prompt_seconds",
        "audio_tokens_per_second",
    ):
        assert getattr(mine, ability) == getattr(row, ability)


@pytest.mark.parametrize("row", [row for row in RUNNERS if row.can_chat], ids=lambda row: row.name)
def test_what_chats_says_how_much_it_hears_at_once(row: RunnerSpec) -> None:
    assert row.takes_prompt
    if row.model is None:  # scripted
        return
    assert row.audio_tokens_per_second
    assert row.longest_prompt_seconds
    assert row.longest_transcribed_seconds
    assert row.longest_transcribed_seconds <= row.longest_prompt_seconds


def test_a_ctc_model_of_no_row_may_be_told_the_language_and_refuses_for_itself() -> None:
    assert spec_for("ctc:/models/mms-with-adapters").can_choose_language
    assert not spec_for("ctc").can_choose_language


def test_a_scripts_path_or_name_follows_the_colon() -> None:
    assert spec_for("scripted:slow").model == "slow"
    assert spec_for("scripted:/srv/a script.json").model == "/srv/a script.json"


def test_everything_but_the_scripted_system_is_offered_by_default() -> None:
    assert [spec.name for spec in offered(Settings())] == [row.name for row in RUNNERS if row.family != "scripted"]


def test_what_is_offered_can_be_chosen_and_added_to_without_doubles() -> None:
    settings = Settings(runners=("moonshine", "scripted:slow", "moonshine"), extra_runners=("moonshine", "whisper:/models/x"))
    assert [spec.name for spec in offered(settings)] == ["moonshine", "scripted:slow", "whisper:/models/x"]


def test_a_wrong_name_in_the_settings_is_not_passed_over() -> None:
    with pytest.raises(UnknownRunner, match="nobody"):
        offered(Settings(extra_runners=("nobody",)))
    with pytest.raises(UnknownRunner, match="whipser"):
        offered(Settings(disabled_runners=("whipser",)))


def test_nothing_to_offer_is_not_passed_over() -> None:
    with pytest.raises(UnknownRunner) as refused:
        offered(Settings(runners=()))
    assert "moonshine" in (refused.value.fix or "")
    assert [spec.name for spec in offered(Settings(runners=(), extra_runners=("moonshine",)))] == ["moonshine"]


def test_whispers_languages_are_its_tokenizers_own() -> None:
    tokenization = pytest.importorskip("transformers.models.whisper.tokenization_whisper")
    assert spec_for("whisper:openai/whisper-large-v3").languages == tuple(tokenization.LANGUAGES)
    assert set(tokenization.LANGUAGES) - set(spec_for("whisper").languages or ()) == {"yue"}
