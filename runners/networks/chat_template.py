"""The wire format of a chat model, from the template that comes with its checkpoint.

A template makes text, and in text a question could hold control tokens of its own. So it is rendered with a mark in the
place of each turn's words, and the words are put in afterwards, as plain tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runners.base import ModelLoadError, Turn
from runners.networks import tokens

_PLACE = "\ue000{}\ue001"
_PLACES = re.compile("\ue000([0-9]+)\ue001")
_LARGEST_BYTES = 5_000_000
_FILES = ("chat_template.json", "processor_config.json", "tokenizer_config.json")
"""Where a template may be besides ``chat_template.jinja``, in the order in which transformers' processors look."""


class ChatTemplate:
    """A checkpoint's chat template, with its tokenizer."""

    def __init__(self, weights: Path, tokenizer: Any, mark: str) -> None:
        """``mark`` is the text that the template writes for a piece of audio.

        Raises:
            ModelLoadError: the checkpoint has no template, or one that is damaged, drops words or has no place for audio.
        """
        self._weights = weights
        self._tokenizer = tokenizer
        self._mark = mark
        self._template = read(weights)
        trial = self._rendered((Turn("user", "a"), Turn("assistant", "b"), Turn("user", "c")), 1)
        if trial.count(mark) != 1 or _PLACES.findall(trial) != ["0", "1", "2"]:
            raise ModelLoadError(
                f"The chat template in {weights} has no place for audio or for words.",
                "Fetch the checkpoint's own chat_template.jinja or chat_template.json.",
            )

    def ids(self, turns: Sequence[Turn], audio: Sequence[str]) -> list[int]:
        """Token ids of a conversation, up to where the next answer begins.

        Args:
            audio: what stands for each piece of audio, in control tokens' text; it is heard in the first turn.
        """
        standing = iter(audio)
        text = re.sub(re.escape(self._mark), lambda _: next(standing), self._rendered(turns, len(audio)))
        ids: list[int] = []
        for number, part in enumerate(_PLACES.split(text)):
            if number % 2:
                ids += tokens.plain_ids(self._tokenizer, turns[int(part)].text)
            elif part:
                ids += self._tokenizer(part, add_special_tokens=False).input_ids
        return ids

    def _rendered(self, turns: Sequence[Turn], heard: int) -> str:
        """The conversation with numbered places for its words, and a mark for each of the pieces of audio."""
        from jinja2 import TemplateError

        messages = []
        for number, turn in enumerate(turns):
            content: list[dict[str, str]] = [{"type": "audio", "audio": "clip"}] * (heard if number == 0 else 0)
            messages.append({"role": turn.role, "content": [*content, {"type": "text", "text": _PLACE.format(number)}]})
        try:
            return str(
                self._tokenizer.apply_chat_template(
                    messages, chat_template=self._template, tokenize=False, add_generation_prompt=True
                )
            )
        except (TemplateError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelLoadError(
                f"The chat template in {self._weights} cannot be used: {str(error)[:200]}",
                "Fetch the checkpoint's own chat_template.jinja or chat_template.json.",
            ) from error


def read(weights: Path) -> str:
    """The template that comes with a checkpoint.

    Raises:
        ModelLoadError: there is none, or it is damaged.
    """
    try:
        plain = weights / "chat_template.jinja"
        if plain.is_file():
            return _text(plain)
        for name in _FILES:
            if not (weights / name).is_file():
                continue
            found = json.loads(_text(weights / name))
            template = found.get("chat_template") if isinstance(found, dict) else None
            if isinstance(template, str):
                return template
    except (OSError, ValueError, RecursionError) as error:
        raise ModelLoadError(f"The chat template in {weights} is damaged.", "Fetch the checkpoint again.") from error
    raise ModelLoadError(
        f"{weights} has no chat template (chat_template.jinja or chat_template.json).",
        "Fetch the checkpoint's other files too.",
    )


def _text(path: Path) -> str:
    if path.stat().st_size > _LARGEST_BYTES:
        raise ValueError("unreasonable size")
    return path.read_text("utf-8")
