"""What went wrong between here and a server, in plain words. No address and no key is in any of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from runners.base import AudioError, ModelLoadError, OutOfMemory, RunnerError, RunnerTimeout, Server, UnsupportedOption

LONGEST_SAID = 240
"""Characters of a server's own words that are repeated."""
LATER = frozenset((429, 503))
"""Statuses that mean "not now": too many requests, or not ready (RFC 6585, RFC 9110)."""
_HIDDEN = "•••"


class Refusal(Exception):
    """The server answered with a status that is no success."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.retry_after = headers.get("retry-after")
        self.content = _loaded(body)

    @property
    def is_for_now(self) -> bool:
        """Whether asking again may help: a quota that is used up stays so."""
        return self.status in LATER and "quota" not in str(self._error().get("code") or self._error().get("type") or "")

    @property
    def says(self) -> str:
        """The server's own words, whole; empty if they are a page, or none. Untrusted."""
        error = self._error()
        for key in ("message", "detail", "error", "msg"):
            if isinstance(error.get(key), str):
                return str(error[key])
        if error:
            return json.dumps(error, ensure_ascii=False)
        text = self.content if isinstance(self.content, str) else ""
        return "" if text.lstrip().startswith("<") else text

    def _error(self) -> dict[str, Any]:
        content = self.content
        for key in ("error", "detail"):
            if isinstance(content, dict) and isinstance(content.get(key), dict):
                content = content[key]
        return content if isinstance(content, dict) else {}


def _loaded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


@dataclass(frozen=True)
class Wording:
    """Says what happened with a model of a server."""

    label: str
    model: str
    server: Server
    key: str | None
    """Hidden wherever a server repeats it."""

    def redacted(self, text: str) -> str:
        """Somebody else's words on one line, not too long, without the key and the address."""
        parts = urlsplit(self.server.base_url)
        secrets = [self.key, self.server.base_url, parts.netloc, parts.hostname]
        for secret in sorted((each for each in secrets if each), key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        text = " ".join("".join(each if each.isprintable() else " " for each in text).split())
        return text if len(text) <= LONGEST_SAID else text[: LONGEST_SAID - 1] + "…"

    def refused(self, refusal: Refusal) -> RunnerError:
        """What a status means."""
        status, server = refusal.status, self.server.name
        said = self.redacted(refusal.says)
        words = f" It says: “{said}”" if said else ""
        deployer = "Whoever runs this Earshot"
        if 300 <= status < 400:
            return RunnerError(
                f"The server {server} sends requests elsewhere ({status}), and that is not followed.",
                f"{deployer} writes its final address as base_url in earshot.toml.",
            )
        if status == 401:
            wants = f"check the key in {self.server.key_variable}" if self.server.key_variable else "name its `key` variable"
            return RunnerError(f"The server {server} does not accept the key (401).{words}", f"{deployer} should {wants}.")
        if status == 403:
            return RunnerError(
                f"The server {server} forbids this (403).{words}", f"{deployer} should ask for access to {self.model}."
            )
        if status == 404:
            return ModelLoadError(
                f"The server {server} knows no model {self.model!r}, or not this way to ask it (404).{words}",
                f"{deployer} should check `model`, `route` and `base_url` in earshot.toml; the address ends with /v1.",
            )
        if status == 413:
            return AudioError(
                f"The clip is too large for the server {server} (413).{words}",
                f"Try a shorter clip; {deployer.lower()} can set longest_seconds, so that longer ones are cut at pauses.",
            )
        if status == 429 and not refusal.is_for_now:
            return RunnerError(
                f"The quota at the server {server} is used up (429).{words}", "Top it up, or use another system."
            )
        if status in LATER:
            busy = "gets too many requests" if status == 429 else "is not ready"
            return RunnerError(f"The server {server} {busy} ({status}).{words}", "Wait a little, then run it again.")
        if status in (408, 504):
            return RunnerTimeout(
                f"The server {server} gave up waiting ({status}).{words}", "Try a shorter clip, or run it again later."
            )
        if status >= 500:
            return RunnerError(
                f"The server {server} failed ({status}).{words}", "Run it again; if it fails again, its own log says more."
            )
        return UnsupportedOption(
            f"The server {server} refused the request ({status}).{words}",
            "Try without a language, prompt or word times; or check which route the model takes.",
        )

    def told(self, message: object) -> RunnerError:
        """What a server says has gone wrong in the middle of an answer."""
        said = message.get("message") if isinstance(message, dict) else message
        words = self.redacted(said if isinstance(said, str) else "")
        what = f"The server {self.server.name} failed in the middle of its answer" + (f": “{words}”" if words else ".")
        if "out of memory" in words.lower():
            return OutOfMemory(what, "Try a shorter clip.")
        return RunnerError(what, "Run it again; if it fails again, its own log says more.")

    def garbled(self, what: object) -> RunnerError:
        """An answer that is not what the protocol has."""
        return RunnerError(
            f"The answer of the server {self.server.name} {self.redacted(str(what))}.",
            "Check that base_url names an OpenAI-style endpoint, up to and including /v1.",
        )

    def cut_off(self) -> RunnerError:
        """An answer that ended before its end."""
        return RunnerError(
            f"The answer of the server {self.server.name} was cut off.", "Run it again; nothing of a part is scored."
        )

    def lost(self, error: BaseException) -> RunnerError:
        """What the network did. Goes by the names of the classes: the client may bring one of several libraries."""
        chain = [error]
        while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and len(chain) < 8:
            chain.append(cause)
        names = {kind.__name__ for each in chain for kind in type(each).__mro__}
        server = self.server.name
        if "ConnectTimeout" in names or "PoolTimeout" in names:
            return RunnerTimeout(f"The server {server} does not answer.", "Check that it runs, and the network.")
        if "TimeoutException" in names or "TimeoutError" in names:
            return RunnerTimeout(
                f"The server {server} was silent for {self.server.timeout_seconds:g} s.",
                "Try a shorter clip; or raise timeout_seconds of the server in earshot.toml.",
            )
        if names & {"SSLError", "SSLCertVerificationError"}:
            return RunnerError(
                f"The certificate or encryption of the server {server} is not accepted.",
                "Check base_url (http or https), or name its authority's certificate in SSL_CERT_FILE.",
            )
        if "ProxyError" in names:
            return RunnerError(f"The proxy on the way to the server {server} refused.", "Check HTTPS_PROXY and NO_PROXY.")
        if names & {"ConnectError", "ConnectionRefusedError", "gaierror"}:
            return RunnerError(f"The server {server} cannot be reached.", "Check that it runs, its address, and the network.")
        if names & {"RemoteProtocolError", "ReadError", "WriteError", "CloseError", "EndOfStream", "ConnectionError"}:
            return self.cut_off()
        if names & {"DecodingError", "LocalProtocolError"}:
            return self.garbled("is damaged")
        return RunnerError(
            f"Talking to the server {server} failed ({type(chain[-1]).__name__}).", "Run it again; its log may say more."
        )
