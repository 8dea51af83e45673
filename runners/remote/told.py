"""What a server answers in ``/v1/chat/completions``: pieces of text, why it ended, and what it took."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any

from runners.base import Ended
from runners.remote.faults import Wording
from runners.remote.streams import Event, Garbled

_ENDINGS: dict[str, Ended] = {"length": "limit"}
MOST_CHARACTERS = 1_000_000
"""Of an answer; what goes on is no answer."""


@dataclass
class Telling:
    """Takes the events of one answer, gives its text, and keeps what it took."""

    wording: Wording
    left_out: tuple[str, ...] = ()
    """What the server would not take of the request."""
    prompt_tokens: int = 0
    reused_tokens: int = 0
    new_tokens: int = 0
    ended: Ended = "complete"
    _is_counted: bool = False
    _reason: str | None = None
    _has_ended: bool = False
    _characters: int = 0

    def take(self, events: Iterable[Event]) -> Generator[str, None, None]:
        """Yield the pieces of text of an answer.

        Raises:
            RunnerError: the server says that it failed, its answer is cut off, without end, or nothing that is known.
        """
        for event in events:
            if event.content is None:
                self._has_ended = True
                continue
            if isinstance(event.content, str):
                raise self.wording.garbled(Garbled("is damaged: an event of it is no JSON"))
            yield from self._read(event.content, event.is_whole)
        if not self._has_ended:
            raise self.wording.cut_off()

    def notes(self) -> tuple[str, ...]:
        """What a reader should know about how the answer came about."""
        notes = [f"the server takes no {name}" for name in self.left_out if name != "stream_options"]
        if not self._is_counted:
            notes.append("the server does not count tokens; the pieces of its answer are counted instead")
        if self._reason == "content_filter":
            notes.append("the server's filter ended it")
        return tuple(notes)

    def _read(self, content: dict[str, Any], is_whole: bool) -> Generator[str, None, None]:
        if content.get("error"):
            raise self.wording.told(content["error"])
        choices = content.get("choices")
        if is_whole and not (isinstance(choices, list) and choices):
            raise self.wording.garbled(Garbled("is not what was asked for: it has no choices"))
        self._has_ended = self._has_ended or is_whole
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, dict):
                continue
            said = choice.get("message" if is_whole else "delta")
            text = said.get("content") if isinstance(said, dict) else None
            if isinstance(text, str) and text:
                self._characters += len(text)
                if self._characters > MOST_CHARACTERS:
                    raise self.wording.garbled(Garbled("does not end"))
                if not self._is_counted:
                    self.new_tokens += 1
                yield text
            reason = choice.get("finish_reason")
            if isinstance(reason, str):
                self._reason, self._has_ended, self.ended = reason, True, _ENDINGS.get(reason, "complete")
        self._count(content.get("usage"))

    def _count(self, usage: object) -> None:
        if not isinstance(usage, dict):
            return
        prompt, new = _whole(usage.get("prompt_tokens")), _whole(usage.get("completion_tokens"))
        if prompt is None or new is None:
            return
        details = usage.get("prompt_tokens_details")
        reused = _whole(details.get("cached_tokens")) if isinstance(details, dict) else None
        self.prompt_tokens, self.new_tokens, self._is_counted = prompt, new, True
        self.reused_tokens = min(reused or 0, prompt)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40 else None
