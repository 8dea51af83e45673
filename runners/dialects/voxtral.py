"""Voxtral: a Whisper encoder before a Mistral decoder (Liu et al. 2025, arXiv 2507.13264).

Its vocabulary is Mistral's tekken.json, which transformers reads without Mistral's own package; the wire format, which
that package would make, is written down here. Audio is heard in windows of exactly 30 s, the last filled up with silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from runners.base import SAMPLE_RATE, ModelLoadError, Placement, Progress, Turn
from runners.networks import checkpoint, hearing, tokens
from runners.networks.generation import Sound, Wire
from runners.networks.hearing import Hearing, Parts, Samples

WINDOW_SECONDS = 30
LONGEST_TRANSCRIBED_SECONDS = 300.0
"""The model card allows half an hour; a tenth of that in one prompt spares memory, and a loop ends with its piece."""
LONGEST_PROMPT_SECONDS = 2400.0
"""The model card's limit for questions about audio: 30,000 of 32,768 tokens."""

_START, _END = "<s>", "</s>"
_ASK, _ASKED, _AUDIO, _AUDIO_START, _TRANSCRIBE = "[INST]", "[/INST]", "[AUDIO]", "[BEGIN_AUDIO]", "[TRANSCRIBE]"
_CONTROL = (_START, _END, _ASK, _ASKED, _AUDIO, _AUDIO_START, _TRANSCRIBE)


def load(weights: Path, placement: Placement, progress: Progress) -> Hearing:
    """Load a Voxtral checkpoint.

    Raises:
        ModelLoadError: it is damaged, incomplete or does not fit together.
        OutOfMemory: it does not fit.
    """
    checkpoint.require_files(weights, "tokenizer", ("tekken.json",), ("tokenizer.json",))
    from transformers import VoxtralForConditionalGeneration, WhisperFeatureExtractor

    parts = hearing.load(
        weights,
        placement,
        progress,
        model=VoxtralForConditionalGeneration,
        extractor=WhisperFeatureExtractor,
        tokenizer=_tokenizer,
    )
    vocabulary = parts.tokenizer.get_vocab()
    missing = [text for text in _CONTROL if text not in vocabulary]
    if missing or vocabulary[_AUDIO] != parts.model.config.audio_token_id:
        wrong = f"its tokenizer lacks {', '.join(missing)}" if missing else f"its tokenizer gives {_AUDIO} another number"
        raise ModelLoadError(f"{weights} does not fit together: {wrong}.", "Fetch the checkpoint's own tekken.json.")
    audio = parts.model.config.audio_config
    hearing.require_shape(weights, parts.extractor, audio.num_mel_bins, 2 * int(audio.max_source_positions))
    encoder = parts.model.model.audio_tower
    encoder.forward = partial(hearing.by_groups, encoder.forward)
    network = hearing.network(
        parts, weights, vocabulary[_AUDIO], ends=(_END, _ASK), silent=(_AUDIO_START, _TRANSCRIBE, _ASKED, _START)
    )
    control = {text: int(vocabulary[text]) for text in _CONTROL}
    # The projector joins as many of the encoder's places as its width is of the encoder's.
    window_tokens = int(audio.max_source_positions) * int(audio.hidden_size) // int(audio.intermediate_size)
    format_ = _Format(parts, control, window_tokens)
    return Hearing(network, format_.wire, format_.request, LONGEST_TRANSCRIBED_SECONDS, LONGEST_PROMPT_SECONDS)


class _Format:
    """``<s>[INST][BEGIN_AUDIO][AUDIO]…QUESTION[/INST]ANSWER</s>[INST]QUESTION[/INST]``; for a transcript
    ``<s>[INST][BEGIN_AUDIO][AUDIO]…[/INST]lang:en[TRANSCRIBE]``, the language left out where nobody says it.
    """

    def __init__(self, parts: Parts, control: Mapping[str, int], window_tokens: int) -> None:
        self._parts = parts
        self._control = control
        self._window_tokens = window_tokens

    def wire(self, samples: Samples | None, turns: Sequence[Turn]) -> Wire:
        control = self._control
        ids = [control[_START]]
        for number, turn in enumerate(turns):
            plain = tokens.plain_ids(self._parts.tokenizer, turn.text)
            if turn.role == "user":
                ids += [control[_ASK], *(self._places(samples) if number == 0 else []), *plain, control[_ASKED]]
            else:
                ids += [*plain, control[_END]]
        return Wire(tuple(ids), None if samples is None else self._sound(samples))

    def request(self, samples: Samples, language: str | None) -> Wire:
        control = self._control
        told = [] if language is None else tokens.plain_ids(self._parts.tokenizer, f"lang:{language}")
        ids = (control[_START], control[_ASK], *self._places(samples), control[_ASKED], *told, control[_TRANSCRIBE])
        return Wire(ids, self._sound(samples))

    def _places(self, samples: Samples | None) -> list[int]:
        if samples is None:
            return []
        return [self._control[_AUDIO_START], *[self._control[_AUDIO]] * self._tokens(samples)]

    def _tokens(self, samples: Samples) -> int:
        return self._window_tokens * max(1, -(-len(samples) // (WINDOW_SECONDS * SAMPLE_RATE)))

    def _sound(self, samples: Samples) -> Sound:
        make = partial(_features, self._parts.extractor, samples)
        return hearing.sound(self._parts.model, [samples], self._tokens(samples), make)


def _features(extractor: Any, samples: Samples, progress: Progress) -> Mapping[str, Any]:
    """``input_features`` (windows, mel bins, frames)."""
    progress.check()
    window = WINDOW_SECONDS * SAMPLE_RATE
    filled = np.pad(samples, (0, -len(samples) % window if len(samples) else window))
    made = hearing.extracted(extractor, filled, truncation=False, padding=False).input_features[0]
    return {"input_features": made.reshape(made.shape[0], -1, extractor.nb_max_frames).transpose(0, 1)}


def _tokenizer(weights: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    if not (weights / "tekken.json").is_file():
        return PreTrainedTokenizerFast.from_pretrained(weights, local_files_only=True)
    from transformers.integrations.mistral.tokenizer import MistralConverter

    words = MistralConverter(str(weights / "tekken.json")).converted()
    return PreTrainedTokenizerFast(tokenizer_object=words, bos_token=_START, eos_token=_END)
