"""Bytes of an answer become JSON, or the events of a stream. What a server says is untrusted: bounded, and never guessed at."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

MOST_BYTES = 16 * 1024 * 1024
"""Of one answer: a transcript of some 100 000 words with their times."""
MOST_LINE_BYTES = 4 * 1024 * 1024
"""Of one event."""
JSON_TYPES = ("application/json",)
STREAM_TYPE = "text/event-stream"


class Garbled(Exception):
    """An answer that is not what the protocol has; ``str()`` finishes the sentence "The server's answer …"."""


class Event(NamedTuple):
    """A piece of an answer."""

    content: dict[str, Any] | str | None
    """An object of JSON; a text that is none (``transformers serve`` streams transcripts so); None: the server said that
    this is the end."""
    is_whole: bool = False
    """True if it is all of the answer, and no piece of a stream."""


async def bounded(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, as long as they are not too many.

    Raises:
        Garbled: they are.
    """
    taken = 0
    async for piece in pieces:
        taken += len(piece)
        if taken > MOST_BYTES:
            raise Garbled(f"does not end: more than {MOST_BYTES >> 20} MB came")
        yield piece


async def events(content_type: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """The answer's events: many of a stream, one of anything else.

    Raises:
        Garbled: it is neither JSON nor a stream of events, or damaged.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == STREAM_TYPE:
        async for said in _streamed(bounded(pieces)):
            yield said
    elif kind in JSON_TYPES or kind.endswith("+json"):
        whole = b"".join([piece async for piece in bounded(pieces)])
        yield Event(_object(whole), is_whole=True)
    else:
        raise Garbled(f"is of the type {kind[:60]!r}, not JSON" if kind else "does not say what it is")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Garbled("is damaged: it is no JSON" if raw.strip() else "is empty") from error
    if not isinstance(content, dict):
        raise Garbled("is not what was asked for: it is JSON, but no object")
    return content


async def _streamed(pieces: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """The events of a stream (WHATWG HTML, "server-sent events"), each with the lines of its data."""
    lines: list[str] = []
    async for line in _lines(pieces):
        if line:
            name, _, value = line.partition(":")
            if name == "data":
                lines.append(value.removeprefix(" "))
        elif lines:
            yield _event("\n".join(lines))
            lines = []
    if lines:  # the empty line behind it never came
        yield _event("\n".join(lines))


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    pending: list[bytes] = []
    pending_bytes = 0
    async for piece in pieces:
        if b"\n" in piece:
            *whole, piece = b"".join((*pending, piece)).split(b"\n")
            for line in whole:
                yield line.rstrip(b"\r").decode("utf-8", "replace")
            pending, pending_bytes = [], 0
        pending.append(piece)
        pending_bytes += len(piece)
        if pending_bytes > MOST_LINE_BYTES:
            raise Garbled("does not end: one line of it is too long")
    if pending_bytes:
        yield b"".join(pending).rstrip(b"\r").decode("utf-8", "replace")


def _event(text: str) -> Event:
    if text.strip() == "[DONE]":
        return Event(None)
    if text.lstrip().startswith("{"):
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Garbled("is damaged: an event of it is no JSON") from error
        if isinstance(content, dict):
            return Event(content)
    return Event(text)
