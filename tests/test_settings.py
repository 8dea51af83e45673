"""Where settings come from, which wins, and what is said about a wrong one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from runners.settings import IN_THE_FILE_ALONE, Settings, SettingsError, read_settings, where_set
from runners.settings_file import SETTINGS_FILE, line_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith("EARSHOT_")]:
        monkeypatch.delenv(name)
    for name in ("SPACE_ID", "SYSTEM", "SPACES_ZERO_GPU", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write(text: str | bytes) -> None:
    Path(SETTINGS_FILE).write_bytes(text.encode() if isinstance(text, str) else text)


def test_a_laptops_defaults() -> None:
    settings = read_settings()
    assert (settings.host, settings.port, settings.share) == ("127.0.0.1", 7860, False)
    assert settings.runners is None
    assert settings.downloads
    assert settings.visitors_add_models
    assert settings.isolation == "process"
    assert (settings.history, settings.keep_audio) == (True, True)
    assert settings.history_folder == Path(os.environ["XDG_DATA_HOME"]) / "earshot"


@pytest.mark.parametrize(("name", "value"), [("SPACE_ID", "someone/earshot"), ("SYSTEM", "spaces")])
def test_a_spaces_defaults_are_those_of_a_public_server(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    settings = read_settings()
    assert settings.host == "0.0.0.0"  # noqa: S104  # a Space is reached through its proxy
    assert not settings.visitors_add_models
    assert settings.max_clip_seconds <= 600
    assert settings.max_file_mb <= 50
    assert settings.isolation == "process"


def test_a_space_whose_gpu_is_lent_runs_inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "someone/earshot")
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert read_settings().isolation == "inline"


def test_a_deployer_can_say_otherwise_on_a_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "someone/earshot")
    monkeypatch.setenv("EARSHOT_VISITORS_ADD_MODELS", "1")
    assert read_settings().visitors_add_models


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_an_offline_hub_turns_downloads_off(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert not read_settings().downloads
    monkeypatch.setenv(name, "0")
    assert read_settings().downloads


def test_flags_win_over_the_environment_which_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write('port = 1000\nhost = "file"\ndevice = "cpu"\n')
    monkeypatch.setenv("EARSHOT_PORT", "2000")
    monkeypatch.setenv("EARSHOT_HOST", "environment")
    settings = read_settings(port=3000)
    assert (settings.port, settings.host, settings.device) == (3000, "environment", "cpu")


def test_a_flag_that_was_not_given_sets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_PORT", "2000")
    assert read_settings(port=None, share=False).port == 2000


def test_names_are_a_list_or_text_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_RUNNERS", " moonshine, whisper:/models/my whisper ,")
    assert read_settings().runners == ("moonshine", "whisper:/models/my whisper")
    monkeypatch.delenv("EARSHOT_RUNNERS")
    write('runners = ["moonshine", "whisper:/models/a,b"]\nextra_runners = "ctc, scripted"\n')
    assert read_settings().runners == ("moonshine", "whisper:/models/a,b")
    assert read_settings().extra_runners == ("ctc", "scripted")
    assert read_settings(runners="pocketsphinx").runners == ("pocketsphinx",)


def test_an_empty_variable_sets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RUNNERS", "PORT", "HISTORY_FOLDER", "DEVICE", "MEMORY_BUDGET_GB"):
        monkeypatch.setenv(f"EARSHOT_{name}", "")
    assert read_settings() == read_settings(port=7860)


@pytest.mark.skipif(os.name == "nt", reason="home folders of POSIX")
def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("EARSHOT_HISTORY_FOLDER", "~/history")
    assert read_settings().history_folder == Path("/home/me/history")
    monkeypatch.delenv("EARSHOT_HISTORY_FOLDER")
    monkeypatch.setenv("XDG_DATA_HOME", "")
    assert read_settings().history_folder == Path("/home/me/.local/share/earshot")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert read_settings().cache_folder == Path("/home/me/.cache/earshot")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("port", "many", "integer"),
        ("port", "70000", "65535"),
        ("port", "-1", "0"),
        ("device", "gpu", "'cuda'"),
        ("dtype", "int3", "'bfloat16'"),
        ("share", "perhaps", "true or false"),
        ("memory_budget_gb", "0", "greater than 0"),
        ("max_clip_seconds", "nan", "finite"),
        ("idle_unload_seconds", "inf", "finite"),
        ("upload_keep_seconds", "1.5", "integer"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"EARSHOT_{name.upper()}", value)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert said in message
    assert repr(value) in message
    assert f"EARSHOT_{name.upper()}" in message
    assert f"--{name.replace('_', '-')}" in message


def test_each_wrong_value_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_PORT", "x")
    with pytest.raises(SettingsError) as caught:
        read_settings(device="tpu")
    assert {line.partition(":")[0] for line in str(caught.value).splitlines()} == {"port", "device"}


def test_a_misspelt_setting_in_the_file_is_not_passed_over() -> None:
    write("prot = 1\n")
    with pytest.raises(SettingsError, match="prot: there is no such setting; did you mean port"):
        read_settings()


@pytest.mark.parametrize(
    "text", ["port = \n", "port 1", b"\xff\xfe", "[port]\n", "port = 1\nport = 2\n", "runners = [1]", "runners = 3"]
)
def test_a_damaged_file_is_named(text: str | bytes) -> None:
    write(text)
    with pytest.raises(SettingsError, match=r"earshot\.toml"):
        read_settings()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="may read every file")
def test_a_file_that_may_not_be_read_is_named() -> None:
    write("port = 1\n")
    Path(SETTINGS_FILE).chmod(0)
    with pytest.raises(SettingsError, match=r"earshot\.toml cannot be read"):
        read_settings()


SERVED = '[servers.lab]\nbase_url = "http://x/v1"\n\n[[servers.lab.models]]\nmodel = "a"\n'


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('port = "many"\n', 1, "valid integer"),
        ('# ports\n\nhost = """a\nb"""\n\nport = "many"\n', 6, "valid integer"),
        ('[[models]]\nname = "whisper"\n\n[[models]]\nname = "ctc"\nlable = "Ours"\n', 6, "did you mean label?"),
        ('port = 1\n\n[[models]]\nlabel = "Ours"\n', 3, "add name ="),
        ('[models]\nname = "whisper"\n', 1, "[[models]]"),
        ('[server.lab]\nbase_url = "http://x/v1"\n', 1, "did you mean servers?"),
        ("[servers]\nlab = 3\n", 2, "[servers.lab]"),
        ('[servers.lab]\nbase_url = "http://x/v1"\n\n[[servers.lab.models]]\nmodle = "x"\n', 5, "did you mean model?"),
        ('[servers.lab]\nbase_url = "http://x/v1"\nretries = 1_000\n', 3, "less than or equal to 10"),
        ('[servers.lab]\nbase_url = "http://x/v1"\nmodels = [{model = "a"}, {model = "a"}]\n', 3, "is there twice"),
        ('[servers.lab]\nbase_url = "http://x/v1"\ntimeout_seconds = inf\n', 3, "finite"),
        (f'{SERVED}word_times = "none"\n', 6, "this is true or false"),
        (f'{SERVED}route = "chat"\nword_times = true\n', 7, 'leave this out, or take route = "transcriptions"'),
        (f"{SERVED}word_time = false\n", 6, "did you mean word_times?"),
        ('[servers.lab]\nbase_url = "http://x/v1/audio/transcriptions"\n', 2, 'as in "/v1"'),
        ('[[models]]\nname = "pocketsphinx"\nlanguages = ["English"]\n', 3, 'written as its code, such as "en"'),
        ('[presets]\n"Ward" = []\n', 2, "this is empty"),
        ('[presets]\n"" = ["moonshine"]\n', 2, "this is empty"),
        ('[presets]\nward = "moonshine"\n', 2, "[presets]"),
        ('runners = [\n  "moonshine",\n  3,\n]\n', 1, "valid string"),
        ("port = 1\nhost = here\n", 2, "invalid value"),
        ("port = 1\nport = 2\n", 2, "overwrite"),
        ("port = 1\nhost = '\xff'\n", 2, "UTF-8"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_with_its_line_and_what_to_write(text: str, line: int, said: str) -> None:
    write(text.encode("latin-1"))
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert f"{SETTINGS_FILE}, line {line}" in str(caught.value)
    assert said in str(caught.value)


def test_a_wrong_value_is_not_blamed_on_the_file_where_a_flag_or_a_variable_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    write("port = 1\n")
    with pytest.raises(SettingsError) as caught:
        read_settings(port="many")
    assert "line" not in str(caught.value)
    monkeypatch.setenv("EARSHOT_PORT", "many")
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert "line" not in str(caught.value)


@pytest.mark.parametrize("name", IN_THE_FILE_ALONE)
def test_tables_are_not_taken_from_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"EARSHOT_{name.upper()}", "{}")
    with pytest.raises(SettingsError, match=rf"EARSHOT_{name.upper()}.*earshot\.toml alone"):
        read_settings()


def test_a_key_that_is_written_where_its_variables_name_belongs_is_not_repeated() -> None:
    write('[servers.lab]\nbase_url = "http://me:sesame@x/v1"\nkey = "sk-not-a-variable"\n')
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert "line 2" in str(caught.value)
    assert "line 3" in str(caught.value)
    assert "sesame" not in str(caught.value)
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("models", 0), 2),
        (("models", 1, "name"), 8),
        (("models", 1, "license"), 7),
        (("presets", "Ward round", 1), 11),
        (("servers", "lab", "models", 0, "model"), 17),
        (("nothing",), None),
    ],
)
def test_a_line_is_found_for_what_is_there_and_for_what_lacks_it(path: tuple[str | int, ...], line: int | None) -> None:
    text = """# the ward's
[[models]]
name = "whisper"
label = '''
[[models]]
'''
[[models]]
name = "ctc" # ours

[presets]
"Ward round" = [ # in the morning
    "moonshine",
    "ctc",
]
[servers.lab]
base_url = "http://x/v1"
models = [{ model = "a" }, { model = "b" }]
"""
    assert line_of(text, path) == line


def test_where_a_value_was_set_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    write('port = 1\nrunners = ["moonshine", "whisper"]\nextra_runners = "ctc, scripted"\n')
    assert where_set(("runners", 1), "whisper") == "earshot.toml, line 2"
    assert where_set(("extra_runners", 1), "scripted") == "earshot.toml, line 3"
    assert where_set(("runners", 0), "ctc") == "--runners"
    monkeypatch.setenv("EARSHOT_RUNNERS", "ctc")
    assert where_set(("runners", 0), "ctc") == "EARSHOT_RUNNERS"


def test_visitors_of_a_public_page_neither_fetch_nor_remove_models(monkeypatch: pytest.MonkeyPatch) -> None:
    here = read_settings()
    assert here.visitors_download
    assert here.visitors_remove
    monkeypatch.setenv("SPACE_ID", "someone/earshot")
    there = read_settings()
    assert not there.visitors_download
    assert not there.visitors_remove
    assert read_settings(visitors_download=True).visitors_download


def test_settings_do_not_change() -> None:
    settings: Any = Settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1
