"""Names become rows, and rows become names."""

from __future__ import annotations

import importlib.util
import string
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.base import RunnerError, RunnerSpec
from runners.catalogue.names import UnknownRunner, offered, offered_spec, spec_for
from runners.catalogue.presets import check_names
from runners.catalogue.rows import BUNDLES, FAMILIES, RUNNERS
from runners.settings import Settings, read_settings

WITH_MODELS = ("whisper", "faster-whisper", "ctc", "phi4-multimodal", "qwen2-audio")
_word = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)
_hub_ids = st.builds(lambda organisation, name: f"{organisation}/{name}", _word, _word)
_revisions = st.one_of(st.none(), _word, st.just("refs/pr/3"), st.just("v1.0-beta_2"))
_folder_parts = st.text(
    st.characters(blacklist_categories=("Cc", "Cs"), blacklist_characters="/"), min_size=1, max_size=12
).filter(lambda part: part not in {".", ".."})
_askeds = st.sampled_from(["", "+float32", "+bfloat16", "+int4", "+cuda", "+cpu", "+int8+cuda", "+float16+mps"])
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
        assert row.languages is None or row.languages  # None: its makers do not list them
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


@given(family=st.sampled_from(WITH_MODELS), model=_hub_ids, revision=_revisions, asked=_askeds)
def test_a_hub_id_keeps_its_name(family: str, model: str, revision: str | None, asked: str) -> None:
    name = f"{family}:{model}" + (f"@{revision}" if revision else "") + asked
    spec = spec_for(name)
    assert spec.name == name
    assert (spec.model, spec.revision) == (model, revision)
    assert spec.target == spec_for(family).target


@given(family=st.sampled_from(WITH_MODELS), folder=_folders, asked=_askeds)
def test_a_folder_keeps_its_name_whatever_is_in_it(family: str, folder: str, asked: str) -> None:
    spec = spec_for(f"{family}:{folder}{asked}")
    assert spec.name == f"{family}:{folder}{asked}"
    assert spec.revision is None
    assert spec.model == folder
    assert spec.label.startswith(folder.rpartition("/")[2])


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
        "whisper+bf16",
        "whisper+float32+bfloat16",
        "whisper:openai/whisper-tiny+gpu",
        "whisper+cpu:openai/whisper-tiny",
        "openai:",
        "openai:whisper-1",
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
        ("whisper+float-32", '"+float32"'),
        ("whisper:openai/whisper-tiny+bfloat", '"+bfloat16"'),
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


@pytest.mark.parametrize(
    ("written", "dtype", "device", "name", "label"),
    [
        ("whisper+bfloat16", "bfloat16", None, "whisper+bfloat16", "Whisper small (bfloat16)"),
        ("whisper:openai/whisper-small+cuda", None, "cuda", "whisper+cuda", "Whisper small (CUDA)"),
        ("ctc+cpu+float32", "float32", "cpu", "ctc+float32+cpu", "wav2vec 2.0 base (float32, CPU)"),
        (
            "faster-whisper+int8_float16",
            "int8_float16",
            None,
            "faster-whisper+int8_float16",
            "faster-whisper small (int8_float16)",
        ),
        (" ctc +int4", "int4", None, "ctc+int4", "wav2vec 2.0 base (int4)"),
    ],
)
def test_a_name_may_ask_for_a_precision_and_a_device(written: str, dtype: str, device: str, name: str, label: str) -> None:
    spec = spec_for(written)
    assert (spec.asked_dtype, spec.asked_device, spec.name, spec.label) == (dtype, device, name, label)
    assert spec_for(name) == spec


def test_a_model_in_two_precisions_is_two_contenders() -> None:
    as_it_is, in_half = spec_for("whisper"), spec_for("whisper+bfloat16")
    assert as_it_is != in_half
    assert replace(in_half, asked_dtype=None, label=as_it_is.label) == as_it_is


def test_a_folder_whose_path_ends_like_a_precision_is_that_folder(tmp_path: Path) -> None:
    folder = tmp_path / "mine+int8"
    assert spec_for(f"ctc:{folder}").asked_dtype == "int8"
    folder.mkdir()
    spec = spec_for(f"ctc:{folder}")
    assert (spec.model, spec.asked_dtype) == (str(folder), None)
    both = spec_for(f"ctc:{folder}+float32")
    assert (both.model, both.asked_dtype) == (str(folder), "float32")


WARD = Settings(
    models=(
        {"name": "whisper", "label": "House Whisper", "languages": ["en"]},
        {"name": "ctc:/models/ward", "label": "Ward round", "license": "MIT"},
        {"name": "pocketsphinx", "hidden": True},
        {"name": "ctc+bfloat16"},
    ),
    servers={"lab": {"base_url": "http://x/v1", "models": [{"model": "a/b+int8", "label": "Lab"}, {"model": "speech"}]}},
)


def test_the_file_adds_renames_and_hides_rows() -> None:
    names = {spec.name: spec for spec in offered(WARD)}
    assert "pocketsphinx" not in names
    assert names["whisper"].label == "House Whisper"
    assert names["whisper"].languages == ("en",)
    assert names["whisper"].parameters == spec_for("whisper").parameters
    assert (names["ctc:/models/ward"].label, names["ctc:/models/ward"].license) == ("Ward round", "MIT")
    assert names["ctc+bfloat16"].asked_dtype == "bfloat16"
    assert names["openai:a/b+int8@lab"].label == "Lab"
    assert len(names) == len(offered(Settings())) - 1 + 4


def test_the_files_labels_are_those_of_every_name() -> None:
    assert spec_for("whisper:openai/whisper-small", WARD).label == "House Whisper"
    assert spec_for("whisper+float32", WARD).label == "House Whisper (float32)"
    assert spec_for("ctc:/models/ward", WARD).label == "Ward round"
    assert spec_for("ctc:/models/ward/+cpu", WARD).label == "Ward round (CPU)"
    assert spec_for("whisper").label == "Whisper small"


def test_what_is_served_is_named_with_its_server_or_without_where_that_is_clear() -> None:
    assert spec_for("openai:speech@lab", WARD).name == spec_for("openai:speech", WARD).name == "openai:speech@lab"
    assert spec_for("openai:a/b+int8@lab", WARD).asked_dtype is None
    assert spec_for("openai:other@lab", WARD).server == spec_for("openai:speech@lab", WARD).server
    with pytest.raises(UnknownRunner, match="lib"):
        spec_for("openai:speech@lib", WARD)
    with pytest.raises(UnknownRunner, match="server, which chooses"):
        spec_for("openai:speech@lab+cuda", WARD)


def test_where_runners_are_named_nothing_else_is_offered_but_by_its_labels() -> None:
    settings = WARD.model_copy(update={"runners": ("whisper", "pocketsphinx", "openai:speech"), "extra_runners": ("ctc",)})
    assert [(spec.name, spec.label) for spec in offered(settings)] == [
        ("whisper", "House Whisper"),
        ("openai:speech@lab", "speech on lab"),
        ("ctc", "wav2vec 2.0 base"),
    ]


def test_a_precision_of_what_is_offered_is_offered() -> None:
    settings = Settings(runners=("whisper",))
    assert offered_spec("whisper:openai/whisper-small", settings) is spec_for("whisper")
    found = offered_spec("whisper+bfloat16", settings)
    assert found is not None
    assert found.name == "whisper+bfloat16"
    assert offered_spec("ctc", settings) is None
    assert offered_spec("whisper:/models/x+bfloat16", settings) is None
    assert offered_spec("nobody", settings) is None


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('[[models]]\nname = "whisper"\n[[models]]\nname = "whipser:/models/x"\n', 4, 'Did you mean "whisper"?'),
        ('[[models]]\nname = "whisper"\n[[models]]\nname = "whisper:openai/whisper-small"\n', 4, "one [[models]]"),
        ('port = 1\nextra_runners = ["whispr"]\n', 2, 'Did you mean "whisper"?'),
        ('disabled_runners = "ctc, wav2vec"\n', 1, "wav2vec"),
        ('[presets]\n"Ward round" = ["moonshine", "whisperer"]\n', 2, 'Did you mean "whisper"?'),
        ('runners = ["moonshine"]\n[presets]\nward = ["ctc"]\n', 3, "choose from: moonshine"),
        ('port = 1\n[servers."a b"]\nbase_url = "http://x/v1"\nmodels = [{model = "y"}]\n', 2, "[servers.gpu-1]"),
        ('chosen = ["moonshine", "ctcc"]\n', 1, 'Did you mean "ctc"?'),
        ('chosen = ["phi4-multimodal#verbtim"]\n', 1, "verbatim"),
    ],
)
def test_a_wrong_name_in_the_file_is_refused_with_its_line(
    text: str, line: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("earshot.toml").write_text(text, encoding="utf-8")
    with pytest.raises(RunnerError, match=rf"earshot\.toml, line {line}: ") as caught:
        check_names(read_settings())
    assert said in f"{caught.value} {caught.value.fix}"


def test_everything_but_the_scripted_system_is_offered_by_default() -> None:
    real = [row.name for row in RUNNERS if row.family != "scripted"]
    assert [spec.name for spec in offered(Settings())] == real
    settings = Settings.model_validate({"models": [{"name": "scripted", "label": "A play"}, {"name": "scripted:/plays/one"}]})
    assert [spec.name for spec in offered(settings)] == [*real, "scripted:/plays/one"]  # the one that was asked for


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
    theirs = tuple("jv" if code == "jw" else code for code in tokenization.LANGUAGES)  # Javanese by its ISO code
    assert spec_for("whisper:openai/whisper-large-v3").languages == theirs
    assert set(theirs) - set(spec_for("whisper").languages or ()) == {"yue"}
