"""``earshot.toml``: what it holds, and on which line something of it stands.

The lines are found with ``tomllib`` itself, which does not tell them: the file is parsed up to one line or another, and what
appears for the first time was written since the last line up to which it could be parsed without it.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_left
from pathlib import Path
from typing import Any

SETTINGS_FILE = "earshot.toml"
"""In the current folder."""


def text_of_file() -> str | None:
    """The file's text; None if it is not there or is not text."""
    try:
        return Path(SETTINGS_FILE).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def value_at(text: str, path: tuple[str | int, ...]) -> Any:
    """What stands at a path such as ``("models", 1, "name")``; None if nothing does, or the text is no TOML."""
    try:
        return _walk(tomllib.loads(text), path)
    except (tomllib.TOMLDecodeError, LookupError):
        return None


def line_of(text: str, path: tuple[str | int, ...]) -> int | None:
    """The line on which something begins, from 1; of a thing that is missing, the line of what it is missing in."""
    lines = text.split("\n")
    for length in range(len(path), 0, -1):
        count = bisect_left(range(1, len(lines) + 1), True, key=lambda count: _has(lines, count, path[:length]))
        if count == len(lines):
            continue
        written = (at for at in range(count, len(lines)) if lines[at].strip() and not lines[at].lstrip().startswith("#"))
        return next(written, count) + 1
    return None


def _has(lines: list[str], count: int, path: tuple[str | int, ...]) -> bool:
    """Whether something stands in the first ``count`` lines, or begins there and ends on a later one."""
    for end in range(count, len(lines) + 1):
        try:
            content = tomllib.loads("\n".join(lines[:end]))
        except tomllib.TOMLDecodeError:  # in the midst of a value of several lines
            continue
        try:
            _walk(content, path)
        except LookupError:
            return False
        return True
    return False


def line_of_fault(text_bytes: bytes) -> int | None:
    """The first line that is not UTF-8, from 1; None if all are."""
    try:
        text_bytes.decode()
    except UnicodeDecodeError as error:
        return text_bytes.count(b"\n", 0, error.start) + 1
    return None


def _walk(content: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        if not isinstance(content, list if isinstance(part, int) else dict):
            raise LookupError(part)
        held: Any = content
        content = held[part]
    return content
