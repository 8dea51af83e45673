"""What ``earshot.toml`` says of servers: where they are, which variable holds their key, and which models they offer.

[servers.lab]
base_url = "http://gpu-1:8000/v1"
key = "LAB_KEY"

[[servers.lab.models]]
model = "openai/whisper-large-v3"
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from runners.base import Route

FAMILY = "openai"
"""First part of the name of what is served, after the protocol that it is served by: "openai:whisper-1@lab"."""


class ServedModel(BaseModel):
    """One model of a server: a row."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """As the server calls it: "openai/whisper-large-v3", or the name of an adapter, "speech"."""
    label: str | None = None
    route: Route = "transcriptions"
    languages: tuple[str, ...] | None = None
    license: str | None = None
    longest_seconds: float | None = Field(default=None, gt=0)
    """Longest audio of one request; longer clips are cut at pauses. None: as the route usually takes."""


class ServerSetting(BaseModel):
    """One server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    key: str | None = None
    """Name of the environment variable that holds the key; never the key."""
    timeout_seconds: float = Field(default=300, gt=0)
    retries: int = Field(default=2, ge=0, le=10)
    requests_at_once: int = Field(default=4, ge=1, le=64)
    models: tuple[ServedModel, ...] = ()
