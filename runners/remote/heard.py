"""What a server says that it heard becomes text, words and segments.

Three dialects of ``/v1/audio/transcriptions`` are understood: one object (``text``, and with ``verbose_json`` words and
segments), OpenAI's events (``transcript.text.delta`` and ``.done``) and vLLM's (``choices`` with a ``delta``); and plain
text events, which ``transformers serve`` sends. Times are a server's own: those that are no numbers are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from runners.base import Segment, Word
from runners.networks.languages import NAMES
from runners.networks.piecewise import Piece
from runners.remote.faults import Wording
from runners.remote.streams import Event, Garbled


@dataclass
class Hearing:
    """Takes the events of one answer, and gives what was heard."""

    wording: Wording
    tell: Callable[[str], None]
    """Is told the text so far."""
    _text: str = ""
    _whole: dict[str, Any] = field(default_factory=dict)
    _has_ended: bool = False
    _is_bare: bool = True
    """Nothing but texts have come, which have no end of their own."""

    def take(self, events: Iterable[Event]) -> None:
        """Take all events of the answer.

        Raises:
            RunnerError: the server says that it failed, its answer is cut off, or is nothing that is known.
        """
        for event in events:
            if event.content is None:
                self._has_ended = True
            elif isinstance(event.content, str):
                self._say(event.content)
            else:
                self._is_bare = False
                self._read(event.content, event.is_whole)
        if not (self._has_ended or (self._is_bare and self._text)):
            raise self.wording.cut_off()

    def piece(self, seconds: float, asked_language: str | None) -> Piece:
        """What was heard in ``seconds`` of sound; times lie inside them."""
        words = _timed(self._whole.get("words"), "word", seconds, Word)
        segments = _timed(self._whole.get("segments"), "text", seconds, Segment)
        return Piece(self._text.strip(), words, segments, asked_language or _language(self._whole.get("language")))

    def _say(self, more: object) -> None:
        if isinstance(more, str):
            self._text += more
            self.tell(self._text)

    def _read(self, content: dict[str, Any], is_whole: bool) -> None:
        if content.get("error"):
            raise self.wording.told(content["error"])
        text = content.get("text")
        if isinstance(text, str) and (is_whole or not str(content.get("type", "")).endswith((".delta", ".segment"))):
            self._text, self._whole, self._has_ended = text, content, True
        elif is_whole:
            raise self.wording.garbled(Garbled("is not what was asked for: it has no text"))
        elif isinstance(content.get("delta"), str):
            self._say(content["delta"])
        for choice in _objects(content.get("choices")):
            delta = choice.get("delta")
            self._say(delta.get("content") if isinstance(delta, dict) else None)
            self._has_ended = self._has_ended or isinstance(choice.get("finish_reason"), str)


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _timed(value: object, name: str, seconds: float, kind: Any) -> tuple[Any, ...]:
    """Words or segments that have a text and both times, inside the sound."""
    found = []
    for each in _objects(value):
        text, start, end = each.get(name), _number(each.get("start")), _number(each.get("end"))
        if isinstance(text, str) and text.strip() and start is not None and end is not None:
            first = min(max(start, 0.0), seconds)
            found.append(kind(text.strip(), first, min(max(end, first), seconds)))
    return tuple(found)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _language(value: object) -> str | None:
    """The code of a language that a server names: "en", "en-US", "English"."""
    if not isinstance(value, str):
        return None
    name = value.strip().lower()
    code = name.replace("_", "-").partition("-")[0]
    return code if code in NAMES else next((each for each, english in NAMES.items() if english.lower() == name), None)
