"""Everything a deployer can set, read once and passed down.

Each field can be set as ``EARSHOT_<FIELD>`` in the environment or as ``<field>`` in ``earshot.toml``; command-line
flags win over both. On a Hugging Face Space the defaults are those of a public server.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from runners.catalogue.offers import ModelSetting
from runners.catalogue.servers import ServedModel, ServerSetting
from runners.settings_file import SETTINGS_FILE, line_of, line_of_fault, text_of_file, value_at

IN_THE_FILE_ALONE = ("models", "servers", "presets", "login")
"""Settings that have neither a flag nor a variable: tables are written in a file."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def on_space() -> bool:
    """True on a Hugging Face Space, by the variables that Spaces set."""
    return bool(os.environ.get("SPACE_ID")) or os.environ.get("SYSTEM") == "spaces"


def on_zero_gpu() -> bool:
    """True on a Space whose GPU is lent call by call (ZeroGPU)."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in {"1", "true", "t"}


def hub_offline() -> bool:
    """True if ``HF_HUB_OFFLINE`` (or transformers' older name for it) forbids the network."""
    return any(
        os.environ.get(name, "").upper() in {"1", "ON", "YES", "TRUE"} for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    )


Names = Annotated[tuple[str, ...], NoDecode]
PresetName = Annotated[str, Field(min_length=1, max_length=80)]
UserName = Annotated[str, Field(min_length=1, max_length=80)]


class Settings(BaseSettings):
    """Frozen; read once at the entry point."""

    model_config = SettingsConfigDict(
        env_prefix="EARSHOT_",
        env_ignore_empty=True,  # "EARSHOT_HISTORY_FOLDER=" must not mean the current folder
        toml_file=SETTINGS_FILE,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
    )

    host: str = Field(default_factory=lambda: "0.0.0.0" if on_space() else "127.0.0.1")  # noqa: S104  # a Space is reached through its proxy
    """Address the page listens on."""
    port: int = Field(default=7860, ge=0, le=65535)
    """Port the page listens on; 0 takes any free one."""
    share: bool = False
    """Open a public gradio.live link."""
    runners: Names | None = None
    """The systems offered, by name; None: all of Earshot's, and those of ``models`` and ``servers``."""
    extra_runners: Names = ()
    """Systems offered besides."""
    disabled_runners: Names = ()
    """Families or names shown as switched off."""
    models: tuple[ModelSetting, ...] = ()
    """Rows added, renamed or hidden; in ``earshot.toml`` alone."""
    servers: Mapping[str, ServerSetting] = Field(default_factory=dict)
    """Served models, by the name of their server; in ``earshot.toml`` alone."""
    presets: Mapping[PresetName, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """Selections offered by name besides the built-in ones; in ``earshot.toml`` alone."""
    login: Mapping[UserName, str] = Field(default_factory=dict)
    """Who may sign in: a user's name, and the NAME of the environment variable that holds the password; in ``earshot.toml``
    alone. Empty: nobody needs to."""
    owners: Names | None = Field(
        default_factory=lambda: _names(os.environ.get("SPACE_AUTHOR_NAME", "")) if on_space() else None
    )
    """Those who see and change what everybody keeps, by the names they sign in with; None: all of ``login``."""
    chosen: Names | None = None
    """The systems ticked on a first visit; None: those that come with Earshot."""
    device: Literal["auto", "cpu", "cuda", "rocm", "mps", "xpu"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16", "int8", "int4"] = "auto"
    isolation: Literal["process", "inline"] = Field(default_factory=lambda: "inline" if on_zero_gpu() else "process")
    """Where local runners live: a child process each, or inside this one."""
    memory_budget_gb: float | None = Field(default=None, gt=0)
    """Memory that warm models may hold together; None: half of what is free at the start."""
    chat_memory_gb: float | None = Field(default=None, gt=0)
    """Memory that one system's conversations may keep, so that follow-ups are fast; None: a quarter of what is free."""
    idle_unload_seconds: float = Field(default=600, gt=0)
    """A model unused for so long is unloaded."""
    load_timeout_seconds: float = Field(default=600, gt=0)
    """Deadline for loading a model, downloads apart."""
    transcribe_timeout_seconds: float = Field(default=60, gt=0)
    """Deadline for one run over a clip: this, plus ``transcribe_timeout_per_second`` for each second of audio."""
    transcribe_timeout_per_second: float = Field(default=20, ge=0)
    max_clip_seconds: float = Field(default_factory=lambda: 600 if on_space() else 7200, gt=0)
    """Longest clip that is taken."""
    max_file_mb: float = Field(default_factory=lambda: 50 if on_space() else 1000, gt=0)
    """Largest file that is taken."""
    downloads: bool = Field(default_factory=lambda: not hub_offline())
    """Whether weights may be downloaded when somebody runs a system that lacks them."""
    visitors_add_models: bool = Field(default_factory=lambda: not on_space())
    """Whether the page offers "add a model" and the API takes any name: folders of this machine and hub ids."""
    visitors_download: bool = Field(default_factory=lambda: not on_space())
    """Whether the page lets a visitor start the download of a model that is offered, besides by running it."""
    visitors_remove: bool = Field(default_factory=lambda: not on_space())
    """Whether the page lets a visitor remove models from this machine."""
    show_logs: bool = Field(default_factory=lambda: not on_space())
    """Whether the page shows the last lines of a skipped runner's log; they can name folders of this machine."""
    upload_keep_seconds: int = Field(default=3600, gt=0)
    """Uploaded files are deleted after so long."""
    prompts_file: Path | None = None
    """Prompt templates of the deployer's, read only for visitors; None: prompts.toml in the current folder, if it is there."""
    history: bool = Field(default_factory=lambda: not on_space())
    """Whether finished comparisons are kept."""
    history_folder: Path = Field(
        default_factory=lambda: Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "earshot"
    )
    """Where they are kept, with the audio of their clips."""
    keep_audio: bool = True
    """Whether the audio is kept with them."""
    cache_folder: Path = Field(
        default_factory=lambda: Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "earshot"
    )
    """Where converted models are kept."""

    @field_validator("runners", "extra_runners", "disabled_runners", "owners", "chosen", mode="before")
    @classmethod
    def _split_names(cls, value: Any) -> Any:
        return _names(value) if isinstance(value, str) else value

    @field_validator("login")
    @classmethod
    def _check_login(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        if padded := [name for name in value if name != name.strip()]:
            raise ValueError(f"a user's name has no spaces around it, as {padded[0]!r} has")
        # What was given is not repeated: it may be a password itself.
        if wrong := [name for name, variable in value.items() if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable)]:
            raise ValueError(
                f"beside {wrong[0]!r} belongs the NAME of the environment variable that has the password, such as ANNA_PASSWORD"
            )
        return value

    @field_validator("prompts_file", "history_folder", "cache_folder")
    @classmethod
    def _expand_home(cls, value: Path | None) -> Path | None:
        try:
            return value.expanduser() if value is not None else None
        except RuntimeError as error:
            raise ValueError("there is no such home folder") from error

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


class SettingsError(ValueError):
    """A setting is wrong; says which, where it came from, and what is allowed."""


def read_settings(**flags: Any) -> Settings:
    """Read the settings; ``flags`` that are not None win over the environment, which wins over ``earshot.toml``.

    Raises:
        SettingsError: with a line for each setting that is wrong; for one of ``earshot.toml``, where in it.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    if misplaced := [name for name in IN_THE_FILE_ALONE if _variable(name)]:
        raise SettingsError(
            "\n".join(
                f"EARSHOT_{name.upper()}: {name} are tables, so they are set in {SETTINGS_FILE} alone" for name in misplaced
            )
        )
    try:
        return Settings(**given)
    except ValidationError as error:
        text = text_of_file()
        faults = [fault for fault in error.errors() if fault["type"] != "too_short" or not fault["input"]]  # else told by item
        raise SettingsError("\n".join(_wrong(fault, given, text) for fault in faults)) from error
    except OSError as error:
        raise SettingsError(f"{SETTINGS_FILE} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = line_of_fault(Path(SETTINGS_FILE).read_bytes())
        raise SettingsError(f"{SETTINGS_FILE}, line {line}: this is not text in UTF-8; save the file as such") from error
    except ValueError as error:  # tomllib's own error, with line and column
        raise SettingsError(_no_toml(str(error))) from error


def where_set(path: tuple[str | int, ...], value: Any) -> str:
    """Where a value of the settings comes from, for people: "earshot.toml, line 12", "EARSHOT_RUNNERS" or "--runners".

    Args:
        path: of the value: the setting's name, then keys and places in it.
    """
    field = str(path[0])
    text = text_of_file()
    if field in IN_THE_FILE_ALONE:
        line = line_of(text, path) if text is not None else None
        return SETTINGS_FILE + (f", line {line}" if line is not None else "")
    if _variable(field):
        return f"EARSHOT_{field.upper()}"
    held = value_at(text, path) if text is not None else None
    is_list = text is not None and held is None and isinstance(value_at(text, path[:1]), str)  # "a, b"
    if text is not None and (held == value or is_list):
        return f"{SETTINGS_FILE}, line {line_of(text, path)}"
    return f"--{field.replace('_', '-')}"


def _variable(field: str) -> str:
    """What the environment says of a setting; an empty variable sets nothing. Small letters count as large ones."""
    wanted = f"EARSHOT_{field.upper()}"
    return next((value for name, value in os.environ.items() if name.upper() == wanted), "")


def _no_toml(fault: str) -> str:
    """A fault that ``tomllib`` found, with the line in front where it told one."""
    found = re.search(r" \(at line ([0-9]+), column ([0-9]+)\)$", fault)
    says, where = (fault[: found.start()], f", line {found[1]}, column {found[2]}") if found else (fault, "")
    if not found and "end of document" in fault:
        where, says = ", last line", fault.replace(" (at end of document)", "")
    return (
        f"{SETTINGS_FILE}{where}: {says[:1].lower()}{says[1:]}; write name = value, each name once, "
        'text in "quotes" and tables as [[models]] or [servers.lab]'
    )


def _wrong(fault: ErrorDetails, flags: Mapping[str, Any], text: str | None) -> str:
    """One wrong setting in a line: what was given, what is allowed, and where it may have come from."""
    path = fault["loc"]
    name = ".".join(part for part in path if isinstance(part, str) and part not in {"", "[key]"})
    setting = str(path[0]) if path else name
    in_file = text is not None and setting not in flags and not _variable(setting)
    line = line_of(text, path) if text is not None and in_file else None
    where = f"{SETTINGS_FILE}, line {line}: " if line is not None else ""
    if fault["type"] == "extra_forbidden":
        fields = _fields_at(path)
        close = get_close_matches(str(path[-1]), fields, n=1)
        here = f"there are: {', '.join(fields)}" if len(path) > 1 else ""
        hint = f"did you mean {close[0]}?" if close else here
        return f"{where}{name}: there is no such setting{'; ' if hint else ''}{hint}"
    if fault["type"] == "missing":
        return f"{where}{name}: this is missing; add {path[-1]} = …"
    if fault["type"] in {"tuple_type", "model_type", "dict_type", "mapping_type"} and setting in _TABLES:
        return f"{where}{name}: this has another form; write\n{_TABLES[setting]}"
    message = _WORDS.get(fault["type"]) or fault["msg"].removeprefix("Value error, ")
    said = f"{name}: {message[:1].lower()}{message[1:]}"
    is_secret = setting == "login" or path[-1:] in {
        ("key",),
        ("base_url",),
    }  # whoever wrote one there does not want it in a log
    if not is_secret and isinstance(fault["input"], str | int | float) and fault["input"] != "":
        said += f", not {str(fault['input'])[:80]!r}"
    if where:
        return f"{where}{said}"
    return f"{said} (set by --{setting.replace('_', '-')}, EARSHOT_{setting.upper()} or {SETTINGS_FILE})"


_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "too_short": "this is empty; leave it out, or name something",
        "string_too_short": "this is empty; leave it out, or write something",
        "bool_parsing": "this is true or false",
        "bool_type": "this is true or false",
        "string_pattern_mismatch": 'a language is written as its code, such as "en"',
    }
)
"""What faults mean, where pydantic says it in words for programmers; the one pattern there is, is of languages."""

_TABLES: Mapping[str, str] = MappingProxyType(
    {
        "models": '    [[models]]\n    name = "whisper:/models/ward"',
        "servers": '    [servers.lab]\n    base_url = "http://gpu-1:8000/v1"\n'
        '    [[servers.lab.models]]\n    model = "whisper-1"',
        "login": '    [login]\n    anna = "ANNA_PASSWORD"',
        "presets": '    [presets]\n    "Ward round" = ["moonshine", "whisper"]',
    }
)
"""How each table is written."""


def _fields_at(path: tuple[str | int, ...]) -> list[str]:
    """The settings that there are where something unknown stands."""
    tables: dict[str, type[BaseModel]] = {"models": ModelSetting, "servers": ServerSetting}
    kind = tables.get(str(path[0])) if len(path) > 1 else Settings
    if path[0] == "servers" and "models" in path[2:-1]:
        kind = ServedModel
    return list(kind.model_fields) if kind is not None else []
