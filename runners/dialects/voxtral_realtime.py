"""Voxtral Realtime's way to ask and to answer (arXiv 2602.11298): a token for each 80 ms of sound, most of them silence.

A prompt is a beginning and as many pads as the text comes after the sound; the sound of each place is added to its token.
What the package mistral-common would make of a clip is made here from what ``tekken.json`` says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from runners.base import SAMPLE_RATE, ModelLoadError, TranscribeOptions
from runners.dialects.tekken import FILE, Tekken
from runners.networks import checkpoint
from runners.networks.piecewise import Piece

BEGIN, PAD = "<s>", "[STREAMING_PAD]"
FRAMES_PER_SECOND, DELAY_MILLISECONDS, PADS_BEFORE = 12.5, 480, 32
"""What ``tekken.json`` of Voxtral-Mini-4B-Realtime-2602 says, for one that does not."""
LONGEST_WORD_TOKENS = 10
"""Silence after the end, so that the last word has time to be written down; mistral-common's number."""


class VoxtralRealtime:
    """Asks and reads as ``runners.dialects.dialect`` says."""

    model_class: ClassVar[str] = "VoxtralRealtimeForConditionalGeneration"
    may_repeat: ClassVar[bool] = True

    def __init__(self, weights: Path) -> None:
        self._weights = weights
        self._tokens = Tekken(weights)
        heard = self._tokens.audio
        self._features = checkpoint.load_extractor(weights)
        rate = self._number(heard, "frame_rate", FRAMES_PER_SECOND)
        self._samples = round(SAMPLE_RATE / rate)
        self._delay = round(self._number(heard, "transcription_delay_ms", DELAY_MILLISECONDS) / 1000 * rate)
        self._before = round(self._number(heard, "streaming_n_left_pad_tokens", PADS_BEFORE))
        self._begin, self._pad = self._tokens.control(BEGIN), self._tokens.control(PAD)

    def _number(self, heard: Mapping[str, Any], name: str, default: float) -> float:
        held = heard.get(name, default)
        if isinstance(held, bool) or not isinstance(held, int | float) or not 0 < held < 10_000:
            raise ModelLoadError(
                f"{self._weights / FILE} is damaged: {name} is no number that it could be.", "Fetch the checkpoint again."
            )
        return float(held)

    def fit(self, model: Any) -> None:
        heard = model.config.audio_length_per_tok * self._features.hop_length
        if heard != self._samples or self._pad >= model.config.text_config.vocab_size:
            raise ModelLoadError(
                f"{self._weights} does not fit together: its tekken.json is another model's.",
                "Fetch the checkpoint's own tekken.json.",
            )

    def inputs(self, samples: NDArray[np.float32], options: TranscribeOptions) -> dict[str, Any]:
        import torch

        rest = -len(samples) % self._samples
        after = rest + (self._delay + 1 + LONGEST_WORD_TOKENS) * self._samples
        sound = np.pad(samples, (self._before * self._samples, after))
        features = self._features(sound, sampling_rate=SAMPLE_RATE, center=True, return_tensors="pt").input_features
        ids = torch.tensor([[self._begin] + [self._pad] * (self._before + self._delay)])
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "input_features": features,
            "num_delay_tokens": self._delay,
        }

    def limits(self, seconds: float, options: TranscribeOptions) -> dict[str, Any]:
        # It writes as many tokens as there is sound, and takes a larger number for that.
        places = math.ceil(seconds * SAMPLE_RATE / self._samples) + self._delay + 2 * LONGEST_WORD_TOKENS
        return {"max_new_tokens": places, "do_sample": False, "num_beams": 1}

    def read(self, ids: Sequence[int], seconds: float, is_whole: bool = True) -> Piece:
        return Piece(self._tokens.decode(ids).rstrip("\ufffd").strip())
