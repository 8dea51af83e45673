"""Granite Speech: asked in words, and told to translate in words too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from runners.base import ModelLoadError, TranscribeOptions
from runners.dialects.dialect import WORDS_HERE, Templated, at_least
from runners.networks import spectrogram


class GraniteSpeech(Templated):
    """Granite Speech (Saon et al. 2025, arXiv 2505.08699): told what to do in words."""

    model_class = "GraniteSpeechForConditionalGeneration"
    audio_text = "<|audio|>"
    transcribe = "can you transcribe the speech into a written format?"
    """The model cards' wording."""
    translate = "can you translate the speech to {}?"
    names: ClassVar[Mapping[str, str]] = {
        "en": "English",
        "fr": "French",
        "de": "German",
        "es": "Spanish",
        "it": "Italian",
        "pt": "Portuguese",
        "ja": "Japanese",
        "zh": "Mandarin",
    }
    system = (
        "Knowledge Cutoff Date: April 2024.\nToday's Date: April 9, 2025.\n"
        "You are Granite, developed by IBM. You are a helpful AI assistant"
    )
    """The model card's, for templates that would tell the day of the year: the same clip shall give the same text."""

    def __init__(self, weights: Path) -> None:
        super().__init__(weights)
        settings = self._settings("audio_processor", "feature_extractor")
        mel = settings.get("melspec_kwargs")
        bins = mel.get("n_mels", 80) if isinstance(mel, dict) else settings.get("n_mels", settings.get("feature_size", 80))
        self._bins = self._count({"n_mels": bins}, "n_mels", 80)
        self._window = self._count(settings, "projector_window_size", 15)
        self._step = self._count(settings, "projector_downsample_rate", 5)

    def fit(self, model: Any) -> None:
        super().fit(model)
        heard = int(model.config.encoder_config.input_dim)
        if heard != 2 * self._bins or (model.config.window_size, model.config.downsample_rate) != (self._window, self._step):
            raise ModelLoadError(
                f"{self._weights} does not fit together: its feature extractor is another model's.",
                "Fetch the checkpoint's own preprocessor_config.json.",
            )

    def inputs(self, samples: NDArray[np.float32], options: TranscribeOptions) -> dict[str, Any]:
        import torch

        features = spectrogram.log_mel(at_least(samples, spectrogram.WINDOW_SAMPLES), self._bins)
        places = math.ceil(features.shape[1] / self._window) * (self._window // self._step)
        words = self.transcribe
        if options.prompt is not None:
            words = options.prompt.text.strip()
        elif options.translate_to is not None:
            words = self.translate.format(self.names[options.translate_to])
        messages = [{"role": "user", "content": self.audio_text + WORDS_HERE}]
        if "strftime_now" in self._template:
            messages.insert(0, {"role": "system", "content": self.system})
        mask = torch.ones(1, places, dtype=torch.bool)
        return {**self.asked(messages, places, words), "input_features": features, "input_features_mask": mask}
