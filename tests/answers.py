"""Answers that are heard out."""

from __future__ import annotations

from collections.abc import Iterator

from runners.base import Usage


def pieces(answering: Iterator[str]) -> tuple[list[str], Usage]:
    """The pieces of an answer, and what it took."""
    found: list[str] = []
    while True:
        try:
            found.append(next(answering))
        except StopIteration as end:
            return found, end.value


def whole(answering: Iterator[str]) -> tuple[str, Usage]:
    """The text of an answer, and what it took."""
    found, usage = pieces(answering)
    return "".join(found), usage
