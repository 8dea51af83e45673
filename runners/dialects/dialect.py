"""How language models that hear are asked to write down speech, and how their answers are read: what the families share.

Each builds what its family's processor in transformers builds, from the checkpoint's own template, tokenizer and feature
extractor. Nothing of a person's goes through a template: control tokens in a prompt stay the text they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from runners.base import ModelLoadError, TranscribeOptions
from runners.networks import chat_template, checkpoint, tokens
from runners.networks.answer_length import most_tokens
from runners.networks.piecewise import Piece

WORDS_HERE = "\ue000words\ue001"
"""Stands in a template for somebody's words until they are put in; it is no text that a template would write."""


AUDIO_HERE: Mapping[str, str] = MappingProxyType({"type": "audio", "audio": "clip"})
"""Stands in a message for the clip."""


class Dialect(Protocol):
    """A family's way to ask and to answer. Built with the checkpoint's folder; raises ``ModelLoadError``."""

    model_class: ClassVar[str]
    """Name of its class in transformers."""
    may_repeat: ClassVar[bool]
    """True where the same token over and over is no loop but silence."""

    def __init__(self, weights: Path) -> None: ...

    def fit(self, model: Any) -> None:
        """Refuse a model that does not go with the other files."""

    def inputs(self, samples: NDArray[np.float32], options: TranscribeOptions) -> dict[str, Any]:
        """What ``generate`` gets for samples (T,): ``input_ids`` (1, prompt), and the family's features."""

    def limits(self, seconds: float, options: TranscribeOptions) -> dict[str, Any]:
        """Further arguments of ``generate``."""

    def read(self, ids: Sequence[int], seconds: float, is_whole: bool = True) -> Piece:
        """What token ids say about so many seconds; without ``is_whole`` the text that they have so far."""


class Templated:
    """What the families with a chat template share."""

    model_class: ClassVar[str]
    may_repeat: ClassVar[bool] = False
    audio_text: ClassVar[str]
    """The token of a piece of audio, as the template writes it."""

    def __init__(self, weights: Path) -> None:
        self._weights = weights
        self.tokenizer = checkpoint.load_tokenizer(weights)
        self._template = chat_template.read(weights)
        known = self.tokenizer.get_added_vocab()
        if self.audio_text not in known:
            raise ModelLoadError(
                f"The tokenizer in {weights} lacks {self.audio_text}, which stands for audio.",
                "Fetch the checkpoint's own tokenizer files.",
            )
        self.audio_token = int(known[self.audio_text])

    def fit(self, model: Any) -> None:
        if model.config.audio_token_id != self.audio_token:
            raise ModelLoadError(
                f"{self._weights} does not fit together: its tokenizer gives {self.audio_text} another number than its model.",
                "Fetch the checkpoint's own tokenizer files beside its weights.",
            )

    def limits(self, seconds: float, options: TranscribeOptions) -> dict[str, Any]:
        follows = options.prompt is None or options.prompt.is_word_for_word
        most = most_tokens(seconds, follows_speech=follows)
        return {"max_new_tokens": most, "do_sample": False, "num_beams": 1}

    def read(self, ids: Sequence[int], seconds: float, is_whole: bool = True) -> Piece:
        return Piece(self.text(ids))

    def text(self, ids: Sequence[int]) -> str:
        """The text of token ids without control tokens; of a character that is not complete, nothing."""
        said = str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
        return said.rstrip("\ufffd").strip()

    def asked(
        self, messages: Sequence[Mapping[str, Any]], places: int, words: str = "", change: Callable[[str], str] = str
    ) -> dict[str, Any]:
        """``input_ids`` and their mask: the template's text for ``messages``, with ``places`` tokens for its audio.

        Args:
            words: somebody's, put in where the template wrote ``WORDS_HERE``.
            change: what is done to the template's text before it is taken apart.
        """
        import torch

        rendered = change(self._rendered(messages))
        if rendered.count(self.audio_text) != 1 or rendered.count(WORDS_HERE) > 1:
            raise self._unusable("it has no place for audio")
        ids: list[int] = []
        for part in re.split(f"({re.escape(self.audio_text)}|{WORDS_HERE})", rendered):
            if part == self.audio_text:
                ids += [self.audio_token] * places
            elif part == WORDS_HERE:
                ids += tokens.plain_ids(self.tokenizer, words)
            elif part:
                ids += self.tokenizer(part, add_special_tokens=False).input_ids
        return {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}

    def _rendered(self, messages: Sequence[Mapping[str, Any]]) -> str:
        from jinja2 import TemplateError

        try:
            return str(
                self.tokenizer.apply_chat_template(
                    list(messages), chat_template=self._template, tokenize=False, add_generation_prompt=True
                )
            )
        except (TemplateError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise self._unusable(str(error)[:200]) from error

    def _unusable(self, why: str) -> ModelLoadError:
        return ModelLoadError(
            f"The chat template in {self._weights} cannot be used: {why}.",
            "Fetch the checkpoint's own chat_template.jinja or chat_template.json.",
        )

    def _settings(self, *names: str) -> dict[str, Any]:
        """What the feature extractor's file says, for those that transformers can only load with torchaudio.

        ``names`` are what ``processor_config.json`` may call it.
        """
        found: dict[str, Any] = {}
        for name in ("processor_config.json", "preprocessor_config.json"):
            try:
                held = json.loads((self._weights / name).read_text("utf-8"))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, RecursionError) as error:
                raise ModelLoadError(f"{self._weights / name} is damaged.", "Fetch the checkpoint again.") from error
            if not isinstance(held, dict):
                continue
            if name == "processor_config.json":
                held = next((held[each] for each in names if isinstance(held.get(each), dict)), {})
            found |= held
        return found

    def _count(self, settings: Mapping[str, Any], name: str, default: int) -> int:
        """A number of these settings."""
        held = settings.get(name, default)
        if isinstance(held, bool) or not isinstance(held, int) or not 1 <= held <= 10_000:
            raise ModelLoadError(
                f"The feature extractor's file in {self._weights} is damaged: {name} is no number that it could be.",
                "Fetch the checkpoint again.",
            )
        return held


def at_least(samples: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Shape (T,), filled up with silence to ``count``."""
    return np.pad(samples, (0, max(0, count - len(samples))))
