"""Fun-ASR-Nano: a question in Chinese, whatever the language."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from runners.base import ModelLoadError, TranscribeOptions
from runners.dialects.dialect import AUDIO_HERE, Templated, at_least
from runners.networks import spectrogram


class FunAsr(Templated):
    """Fun-ASR-Nano: the language is told in the question."""

    model_class = "FunAsrNanoForConditionalGeneration"
    audio_text = "<|object_ref_start|>"
    names: ClassVar[Mapping[str, str]] = {"zh": "中文", "en": "英文", "ja": "日文"}
    """As the question calls them."""

    def __init__(self, weights: Path) -> None:
        super().__init__(weights)
        settings = self._settings("feature_extractor")
        self._bins = self._count(settings, "feature_size", 80)
        self._width = self._count(settings, "num_frames_lfr", 7)
        self._step = self._count(settings, "stride_lfr", 6)

    def fit(self, model: Any) -> None:
        super().fit(model)
        if model.config.audio_config.input_size != self._bins * self._width:
            raise ModelLoadError(
                f"{self._weights} does not fit together: its feature extractor is another model's.",
                "Fetch the checkpoint's own processor_config.json.",
            )

    def inputs(self, samples: NDArray[np.float32], options: TranscribeOptions) -> dict[str, Any]:
        import torch

        bank = spectrogram.kaldi_filter_bank(at_least(samples, spectrogram.WINDOW_SAMPLES), self._bins)
        features = spectrogram.stacked(bank, self._width, self._step)[None]
        content: list[dict[str, str]] = [dict(AUDIO_HERE)]
        if options.language is not None:
            content.append({"type": "language", "language": self.names[options.language]})
        asked = self.asked([{"role": "user", "content": content}], features.shape[1])
        mask = torch.ones(features.shape[:2], dtype=torch.long)
        return {**asked, "input_features": features, "input_features_mask": mask}
