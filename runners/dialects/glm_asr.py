"""GLM-ASR-Nano: a window and a fixed question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.base import SAMPLE_RATE, TranscribeOptions
from runners.dialects.dialect import AUDIO_HERE, Templated, at_least
from runners.networks import checkpoint


class GlmAsr(Templated):
    """GLM-ASR-Nano: one window of 30 s a question."""

    model_class = "GlmAsrForConditionalGeneration"
    audio_text = "<|pad|>"
    transcribe = "Please transcribe this audio into text"
    """What its processor asks."""
    shortest_samples = 1600
    """Of less than seven frames no audio token is left; 0.1 s is filled up to."""

    def __init__(self, weights: Path) -> None:
        super().__init__(weights)
        self._features = checkpoint.load_extractor(weights)

    def inputs(self, samples: NDArray[np.float32], options: TranscribeOptions) -> dict[str, Any]:
        made = self._features(
            [at_least(samples, self.shortest_samples)],
            sampling_rate=SAMPLE_RATE,
            return_attention_mask=True,
            return_tensors="pt",
        )
        frames = int(made["attention_mask"].sum())
        places = ((frames - 1) // 2 + 1) // 4  # a convolution of stride 2, then four frames in one
        asked = self.asked([{"role": "user", "content": [dict(AUDIO_HERE), {"type": "text", "text": self.transcribe}]}], places)
        return {**asked, "input_features": made["input_features"], "input_features_mask": made["attention_mask"]}
