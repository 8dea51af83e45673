"""Where settings come from, which wins, and what is said about a wrong one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from runners.settings import Settings, SettingsError, read_settings
from runners.settings_file import SETTINGS_FILE


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
    assert settings.history_folder is None


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
        ("share", "perhaps", "boolean"),
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


def test_settings_do_not_change() -> None:
    settings: Any = Settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1
