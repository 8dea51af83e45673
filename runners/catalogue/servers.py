"""What ``earshot.toml`` says of servers: where they are, which variable holds their key, and which models they offer.

[servers.lab]
base_url = "http://gpu-1:8000/v1"
key = "LAB_KEY"

[[servers.lab.models]]
model = "openai/whisper-large-v3"

[[servers.lab.models]]
model = "speech"
label = "Phi-4-multimodal on the lab's GPUs"
route = "chat"
longest_seconds = 40
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from runners.base import Route, RunnerError, RunnerSpec, Server
from runners.catalogue.offers import LanguageCode

FAMILY = "openai"
"""First part of the name of what is served, after the protocol that it is served by: "openai:whisper-1@lab"."""
PACKAGE = "openai"
"""The client that speaks the protocol, as pip names it."""
LONGEST_SECONDS = 600.0
"""Of one transcription request where the settings say nothing: 19 MB of 16-bit samples, under the 25 MB that OpenAI's
service takes ("File uploads are currently limited to 25 MB", its speech-to-text guide) and vLLM by default does."""
LONGEST_TOLD_SECONDS = 300.0
"""Of one chat request that transcribes: 13 MB in base64, and a few thousand tokens for most models."""
LONGEST_PROMPT_SECONDS = 600.0
"""Of one turn of a conversation where the settings say nothing: 26 MB in base64."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_MODEL = re.compile(r"[^\s@#+\x00-\x1f\x7f][^\x00-\x1f\x7f#]{0,199}")


class UnknownServer(RunnerError):
    """A name that no server of the settings answers to."""


class ServedModel(BaseModel):
    """One model of a server: a row."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: str
    """As the server calls it: "openai/whisper-large-v3", or the name of an adapter, "speech"."""
    label: str | None = Field(default=None, min_length=1, max_length=80)
    route: Route = "transcriptions"
    languages: tuple[LanguageCode, ...] | None = Field(default=None, min_length=1)
    license: str | None = Field(default=None, min_length=1, max_length=80)
    longest_seconds: float | None = Field(default=None, ge=1)
    """Longest audio of one request; longer clips are cut at pauses. None: as the route usually takes."""
    longest_prompt_seconds: float | None = Field(default=None, ge=1)
    """Longest audio of one turn of a conversation (the chat route); None: as the route usually takes."""
    can_choose_language: bool | None = None
    """Whether the server heeds a language; None: the transcriptions route does."""
    word_times: bool | None = None
    """Whether the server times words; None: the transcriptions route does. Where it times none, its text streams."""

    @field_validator("model")
    @classmethod
    def _check_model(cls, value: str) -> str:
        if not _MODEL.fullmatch(value):
            raise ValueError("a model is named as its server names it, without spaces in front, # or line breaks")
        return value

    @field_validator("word_times")
    @classmethod
    def _check_word_times(cls, value: bool | None, told: ValidationInfo) -> bool | None:
        if value and told.data.get("route") == "chat":
            raise ValueError('no words are timed by the chat route; leave this out, or take route = "transcriptions"')
        return value


class ServerSetting(BaseModel):
    """One server."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    base_url: str
    key: str | None = None
    """Name of the environment variable that holds the key; never the key."""
    timeout_seconds: float = Field(default=300, gt=0)
    retries: int = Field(default=2, ge=0, le=10)
    requests_at_once: int = Field(default=4, ge=1, le=64)
    models: tuple[ServedModel, ...] = ()

    @field_validator("models")
    @classmethod
    def _check_names(cls, value: tuple[ServedModel, ...]) -> tuple[ServedModel, ...]:
        names = [each.model for each in value]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice!r} is there twice; a model asked by both routes needs two servers, of the same address")
        return value

    @field_validator("base_url")
    @classmethod
    def _check_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            bad_port = parts.port is not None and not 0 < parts.port < 65536
        except ValueError:
            raise ValueError("this is no address") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or bad_port:
            raise ValueError('an address begins with http:// or https:// and ends with the part before "/audio", as in "/v1"')
        if parts.username or parts.password:
            raise ValueError("a key does not belong into an address; name the variable that holds it with `key`")
        if value.rstrip("/").endswith(("/audio/transcriptions", "/chat/completions")):
            raise ValueError('an address ends with the part before "/audio" or "/chat", as in "/v1"')
        if parts.query or parts.fragment or re.search(r"\s", value):
            raise ValueError("an address has no ?, # or spaces here")
        return value.rstrip("/")

    @field_validator("key")
    @classmethod
    def _check_key(cls, value: str | None) -> str | None:
        # What was given is not repeated: it may be the key itself.
        if value is not None and not _VARIABLE.fullmatch(value):
            raise ValueError("this is the NAME of the environment variable that holds the key, such as LAB_KEY")
        return value


def rows_of(servers: Mapping[str, ServerSetting]) -> tuple[RunnerSpec, ...]:
    """A row for each model that the settings name, in their order.

    Raises:
        UnknownServer: a server's own name cannot be written after the @ of a system's name.
    """
    return tuple(_row(model, name, server) for name, server in servers.items() for model in server.models)


def served(model: str, server_name: str | None, servers: Mapping[str, ServerSetting]) -> RunnerSpec:
    """The row of a model of a server; one that the settings do not name is asked the usual way.

    Args:
        server_name: may be left out where one server only has the model, or where there is one server only.

    Raises:
        UnknownServer: there is no such server, it is not clear which one, or the model's name cannot be one.
    """
    if not servers:
        raise UnknownServer("No server is known to this Earshot.", "Name one in earshot.toml: [servers.lab] with a base_url.")
    name = _which(model, server_name, servers)
    for row in servers[name].models:
        if row.model == model:
            return _row(row, name, servers[name])
    if not _MODEL.fullmatch(model):
        raise UnknownServer(f"{model!r} is no model's name.", "Write openai:MODEL@SERVER.")
    return _row(ServedModel(model=model), name, servers[name])


def _which(model: str, server_name: str | None, servers: Mapping[str, ServerSetting]) -> str:
    if server_name is not None:
        if server_name in servers:
            return server_name
        close = get_close_matches(server_name, servers, n=1)
        hint = f'Did you mean "{close[0]}"? ' if close else ""
        raise UnknownServer(f"There is no server called {server_name!r}.", f"{hint}The servers are: {', '.join(servers)}.")
    having = [name for name, server in servers.items() if any(row.model == model for row in server.models)] or list(servers)
    if len(having) == 1:
        return having[0]
    choices = ", ".join(f"{FAMILY}:{model}@{name}" for name in having)
    raise UnknownServer(f"Several servers may have {model!r}.", f"Say which: {choices}.")


def _row(model: ServedModel, name: str, setting: ServerSetting) -> RunnerSpec:
    if not _NAME.fullmatch(name):
        raise UnknownServer(
            f"{name!r} cannot be a server's name.", "Use letters, digits, dots and hyphens, such as [servers.gpu-1]."
        )
    chats = model.route == "chat"
    times_words = not chats and model.word_times is not False
    return RunnerSpec(
        family=FAMILY,
        label=model.label or f"{model.model.rpartition('/')[2] or model.model} on {name}",
        target="runners.served:Served",
        model=model.model,
        languages=model.languages,
        license=model.license,
        requires=(PACKAGE,),
        dtypes=(),
        devices=(),
        can_choose_language=not chats if model.can_choose_language is None else model.can_choose_language and not chats,
        is_streaming=not times_words,
        has_word_times=times_words,
        has_segment_times=True,
        takes_prompt=chats,
        can_chat=chats,
        longest_transcribed_seconds=model.longest_seconds or (LONGEST_TOLD_SECONDS if chats else LONGEST_SECONDS),
        beyond="pauses",
        longest_prompt_seconds=(model.longest_prompt_seconds or LONGEST_PROMPT_SECONDS) if chats else None,
        tested="server",
        server=Server(
            name=name,
            base_url=setting.base_url,
            key_variable=setting.key,
            route=model.route,
            timeout_seconds=setting.timeout_seconds,
            retries=setting.retries,
            requests_at_once=setting.requests_at_once,
        ),
    )
