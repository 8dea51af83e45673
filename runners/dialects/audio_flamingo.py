"""Audio Flamingo 3: a Whisper encoder before Qwen2.5 (Goel et al. 2025, arXiv 2507.08128). A clip is one stretch of audio
tokens, whatever its length; its encoder hears it in windows of 30 s, 750 tokens each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from runners.base import SAMPLE_RATE, Placement, Progress, Turn
from runners.networks import hearing
from runners.networks.chat_template import ChatTemplate
from runners.networks.generation import Wire
from runners.networks.hearing import Hearing, Samples

WINDOW_SECONDS = 30
LONGEST_TRANSCRIBED_SECONDS = 30.0
LONGEST_PROMPT_SECONDS = 600.0
"""The model card's limit."""
TRANSCRIBE = "Transcribe the input speech."
"""What the family's own processor asks for a transcript."""
_BEGINNINGS = (
    "The spoken content of the audio is",
    "The transcription of the audio is",
    "The content of the input audio is",
)
"""How its training transcripts begin; the text follows in quotation marks."""


def load(weights: Path, placement: Placement, progress: Progress) -> Hearing:
    """Load an Audio Flamingo 3 checkpoint.

    Raises:
        ModelLoadError: it is damaged, incomplete or does not fit together.
        OutOfMemory: it does not fit.
    """
    from transformers import AudioFlamingo3ForConditionalGeneration, WhisperFeatureExtractor

    parts = hearing.load(
        weights, placement, progress, model=AudioFlamingo3ForConditionalGeneration, extractor=WhisperFeatureExtractor
    )
    config = parts.model.config
    hearing.require_shape(
        weights, parts.extractor, config.audio_config.num_mel_bins, 2 * int(config.audio_config.max_source_positions)
    )
    encoder = parts.model.model.audio_tower
    encoder.forward = partial(hearing.by_groups, encoder.forward)
    network = hearing.network(parts, weights, config.audio_token_id, ends=("<|im_end|>", "<|im_start|>"), silent=())
    mark = str(parts.tokenizer.convert_ids_to_tokens(config.audio_token_id))
    template = ChatTemplate(weights, parts.tokenizer, mark)

    def wire(samples: Samples | None, turns: Sequence[Turn]) -> Wire:
        if samples is None:
            return Wire(tuple(template.ids(turns, ())))
        windows = _windows(samples)
        count = sum(audio_tokens(len(window)) for window in windows)
        sound = hearing.sound(parts.model, windows, count, partial(_features, parts.extractor, windows))
        return Wire(tuple(template.ids(turns, (mark * count,))), sound)

    return Hearing(
        network,
        wire,
        lambda samples, language: wire(samples, (Turn("user", TRANSCRIBE),)),
        LONGEST_TRANSCRIBED_SECONDS,
        LONGEST_PROMPT_SECONDS,
        unframed,
    )


def unframed(text: str) -> str:
    """A transcript without the sentence and the quotation marks around it: ``The … audio is "good day".`` -> good day."""
    found = text.strip()
    for beginning in _BEGINNINGS:
        if not found.startswith(beginning):
            continue
        inner = found[len(beginning) :].strip()
        inner = inner[:-1].strip() if inner.endswith((".", "。")) and inner[:1] in "\"'" else inner
        return inner[1:-1].strip() if len(inner) >= 2 and inner[0] == inner[-1] and inner[0] in "\"'" else inner
    return found


def audio_tokens(samples: int) -> int:
    """Tokens of a window of so many samples: 25 a second.

    A spectrogram frame takes 160 samples; a convolution and a pooling halve the frames, each with an edge of its own.
    """
    frames = -(-samples // 160)
    return (((frames - 1) // 2 + 1) - 2) // 2 + 1


def _windows(samples: Samples) -> list[Samples]:
    """Shape (T,) in windows of 30 s, not cut at pauses: the encoder joins them seamlessly, as it was trained."""
    window = WINDOW_SECONDS * SAMPLE_RATE
    pieces = [samples[begin : begin + window] for begin in range(0, len(samples), window)]
    if len(pieces) > 1 and len(pieces[-1]) < hearing.SHORTEST_SAMPLES:
        pieces.pop()  # less than the encoder's shortest: a tenth of a second
    return [np.pad(piece, (0, max(0, hearing.SHORTEST_SAMPLES - len(piece)))) for piece in pieces]


def _features(extractor: Any, windows: Sequence[Samples], progress: Progress) -> Mapping[str, Any]:
    """``input_features`` (windows, mel bins, frames), and a mask (windows, frames) that is 1 where there is audio."""
    import torch

    features, masks = [], []
    for window in windows:
        progress.check()
        made = hearing.extracted(extractor, window, padding="max_length", return_attention_mask=True)
        features.append(made.input_features)
        masks.append(made.attention_mask)
    return {"input_features": torch.cat(features), "input_features_mask": torch.cat(masks)}
