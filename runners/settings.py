"""Everything a deployer can set, read once and passed down.

Each field can be set as ``EARSHOT_<FIELD>`` in the environment or as ``<field>`` in ``earshot.toml``; command-line
flags win over both. On a Hugging Face Space the defaults are those of a public server.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from runners.catalogue.offers import ModelSetting
from runners.catalogue.servers import ServerSetting

SETTINGS_FILE = "earshot.toml"
IN_THE_FILE_ALONE = ("models", "servers", "presets")
"""Settings that have neither a flag nor a variable: tables are written in a file."""


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
    """The systems offered, by name; None: the whole catalogue."""
    extra_runners: Names = ()
    """Systems offered besides."""
    disabled_runners: Names = ()
    """Families or names shown as switched off."""
    models: tuple[ModelSetting, ...] = ()
    """Rows added, renamed or hidden; in ``earshot.toml`` alone."""
    servers: Mapping[str, ServerSetting] = Field(default_factory=dict)
    """Served models, by the name of their server; in ``earshot.toml`` alone."""
    presets: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """Selections offered by name besides the built-in ones; in ``earshot.toml`` alone."""
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
    history_folder: Path | None = None
    """Where finished comparisons are kept as JSON; None: they are not."""
    cache_folder: Path = Field(
        default_factory=lambda: Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "earshot"
    )
    """Where converted models are kept."""

    @field_validator("runners", "extra_runners", "disabled_runners", "chosen", mode="before")
    @classmethod
    def _split_names(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
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
        SettingsError: with a line for each setting that is wrong.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise SettingsError("\n".join(_wrong(fault) for fault in error.errors())) from error
    except OSError as error:
        raise SettingsError(f"{SETTINGS_FILE} cannot be read: {error.strerror}") from error
    except ValueError as error:  # tomllib's own error, with line and column
        raise SettingsError(f"{SETTINGS_FILE} cannot be read: {error}") from error


def _wrong(fault: ErrorDetails) -> str:
    """One wrong setting in a line: what was given, what is allowed, and where it may have come from."""
    name = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        close = get_close_matches(name, Settings.model_fields, n=1)
        return f"{name}: there is no such setting" + (f"; did you mean {close[0]}?" if close else f" (in {SETTINGS_FILE})")
    setting = str(fault["loc"][0]) if fault["loc"] else name
    message = fault["msg"][:1].lower() + fault["msg"][1:]
    return (
        f"{name}: {message}, not {str(fault['input'])[:80]!r} "
        f"(set by --{setting.replace('_', '-')}, EARSHOT_{setting.upper()} or {SETTINGS_FILE})"
    )
