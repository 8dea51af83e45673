"""The last lines of what a child printed, in bounded memory, without secrets."""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import BinaryIO

_KEPT_LINES = 40
_LONGEST_LINE = 300
_READ_BYTES = 64 * 1024
_LONGEST_PENDING = 4096
"""Bytes of an unfinished line that are kept; more than a secret has, so that none is cut in two where it shows."""
_SHORTEST_SECRET = 8
_SHORTEST_NAMED_SECRET = 4

_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY", re.IGNORECASE)
_HUB_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{16,}")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
_MASK = "•••"


def secrets_in(environment: Mapping[str, str], named: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The values of variables that by their names are secrets, and of those that are ``named``, longest first."""
    found = {value for name, value in environment.items() if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET}
    found |= {value for name in named if len(value := environment.get(name, "").strip()) >= _SHORTEST_NAMED_SECRET}
    return tuple(sorted(found, key=len, reverse=True))


def masker(secrets: tuple[str, ...]) -> Callable[[str], str]:
    """A function that hides the secrets in a text, and whatever looks like a token of the Hugging Face hub."""

    def mask(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, _MASK)
        return _HUB_TOKEN.sub(_MASK, text)

    return mask


class ChildLog:
    """Drains a child's standard error on a thread of its own, so that no flood can block the child or fill the memory."""

    def __init__(self, stream: BinaryIO, mask: Callable[[str], str], mark: str) -> None:
        self._stream = stream
        self._mask = mask
        self._mark = mark.encode()
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._marked: set[str] = set()
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._drain, name="child log", daemon=True)
        self._thread.start()

    def lines(self) -> tuple[str, ...]:
        """The last lines, oldest first."""
        with self._changed:
            return tuple(self._lines)

    def clear(self) -> None:
        """Forget what earlier jobs printed: it may be about another visitor's clip."""
        with self._changed:
            self._lines.clear()
            self._marked.clear()

    def wait_for_mark(self, name: str, seconds: float) -> None:
        """Wait until all that the child printed before ``mark + name`` is here, or until it is gone, or ``seconds``."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or name in self._marked, seconds)

    def wait_for_end(self, seconds: float) -> None:
        """Wait until the child's last line is here; a grandchild that holds the pipe open is not waited for longer."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended, seconds)

    def _drain(self) -> None:
        pending = b""
        try:
            # os.read, not a buffered one: it gives what there is at once.
            while piece := os.read(self._stream.fileno(), _READ_BYTES):
                *whole, rest = re.split(rb"\r?\n|\r", piece)
                if whole:
                    self._keep([pending + whole[0], *whole[1:]])
                    pending = b""
                pending = (pending + rest)[:_LONGEST_PENDING]
        except (OSError, ValueError):
            pass
        finally:
            if pending:
                self._keep([pending])
            self._stream.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _keep(self, raw_lines: list[bytes]) -> None:
        marks = {line[len(self._mark) :].decode("ascii", "replace") for line in raw_lines if line.startswith(self._mark)}
        # Of a flood only what can stay is looked at.
        tail = [line for line in raw_lines if line.strip() and not line.startswith(self._mark)][-_KEPT_LINES:]
        lines = [self._readable(line) for line in tail]
        with self._changed:
            self._lines.extend(lines)
            if marks:
                self._marked |= marks
                self._changed.notify_all()

    def _readable(self, line: bytes) -> str:
        text = self._mask(_CONTROL.sub("", line[:_LONGEST_PENDING].decode("utf-8", "replace"))).rstrip()
        return text if len(text) <= _LONGEST_LINE else text[: _LONGEST_LINE - 1] + "…"
