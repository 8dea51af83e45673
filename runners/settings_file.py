"""``earshot.toml``: what it holds, and on which line something of it stands.

The lines are found with ``tomllib`` itself, which does not tell them: the file is parsed up to each line in turn, and what
appears for the first time was written since the last line up to which it could be parsed.
"""

from __future__ import annotations

import tomllib
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
        parsed = 0
        for count in range(1, len(lines) + 1):
            try:
                content = tomllib.loads("\n".join(lines[:count]))
            except tomllib.TOMLDecodeError:  # in the midst of a value of several lines
                continue
            try:
                _walk(content, path[:length])
            except LookupError:
                parsed = count
                continue
            written = (at for at in range(parsed, count) if lines[at].strip() and not lines[at].lstrip().startswith("#"))
            return next(written, parsed) + 1
    return None


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
