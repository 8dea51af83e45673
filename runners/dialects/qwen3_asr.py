"""Qwen3-ASR: says which language it hears, and can be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from runners.base import SAMPLE_RATE, TranscribeOptions
from runners.dialects.dialect import AUDIO_HERE, Templated
from runners.networks import checkpoint
from runners.networks.piecewise import Piece


class Qwen3Asr(Templated):
    """Qwen3-ASR (arXiv 2601.21337): says the language, then the text; the language is told by saying it first."""

    model_class = "Qwen3ASRForConditionalGeneration"
    audio_text = "<|audio_pad|>"
    marker = "<asr_text>"
    names: ClassVar[Mapping[str, str]] = {
        **{"ar": "Arabic", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish"},
        **{"fa": "Persian", "fi": "Finnish", "fr": "French", "hi": "Hindi", "hu": "Hungarian", "id": "Indonesian"},
        **{"it": "Italian", "ja": "Japanese", "ko": "Korean", "mk": "Macedonian", "ms": "Malay", "nl": "Dutch"},
        **{"pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sv": "Swedish", "th": "Thai"},
        **{"tl": "Filipino", "tr": "Turkish", "vi": "Vietnamese", "yue": "Cantonese", "zh": "Chinese"},
    }

    def __init__(self, weights: Path) -> None:
        super().__init__(weights)
        self._features = checkpoint.load_extractor(weights)

    def inputs(self, samples: NDArray[np.float32], options: TranscribeOptions) -> dict[str, Any]:
        made = self._features(
            [samples], sampling_rate=SAMPLE_RATE, padding=True, return_attention_mask=True, return_tensors="pt"
        )
        mask = made["attention_mask"]
        told = f"language {self.names[options.language]}{self.marker}" if options.language is not None else ""
        asked = self.asked(
            [{"role": "user", "content": [dict(AUDIO_HERE)]}], _places(int(mask.sum())), change=lambda text: text + told
        )
        return {**asked, "input_features": made["input_features"], "input_features_mask": mask}

    def read(self, ids: Sequence[int], seconds: float, is_whole: bool = True) -> Piece:
        before, marker, said = self.text(ids).partition(self.marker)
        if not marker:
            # Without its marker all of it is text, unless it has only begun to say the language.
            return Piece("" if not is_whole and before.startswith("language") else before)
        name = before.strip().removeprefix("language").strip().lower()
        return Piece(said.strip(), language=next((code for code, known in self.names.items() if known.lower() == name), None))


def _places(frames: int) -> int:
    """Audio tokens of so many frames of 10 ms: 13 a second, three convolutions of stride 2 over each second by itself."""
    whole, rest = divmod(frames, 100)
    for _ in range(3):
        rest = (rest - 1) // 2 + 1
    return 13 * whole + rest
