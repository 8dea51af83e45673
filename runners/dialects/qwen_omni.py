"""Qwen2.5-Omni and Qwen3-Omni: the thinker alone, which hears and writes. What speaks is neither loaded nor needed.

Xu et al. 2025, arXiv 2503.20215 and 2509.17765. Where there is no picture the thinker's rotary places are those of text,
one after the other, so that its cache can be cut and continued like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from runners.base import SAMPLE_RATE, Placement, Progress, Turn
from runners.networks import hearing
from runners.networks.chat_template import ChatTemplate
from runners.networks.generation import Wire
from runners.networks.hearing import Hearing, Samples

LONGEST_TRANSCRIBED_SECONDS = 30.0
"""As long as what its error rates were published for."""
LONGEST_PROMPT_SECONDS_OF_SECOND, LONGEST_PROMPT_SECONDS_OF_THIRD = 1200.0, 2400.0
"""30,000 tokens in both: of a context of 32,768, and of what the third keeps of 65,536 for what it hears."""
TRANSCRIBE = "Transcribe the audio into text. Write down the spoken words and nothing else."
TRANSCRIBE_FROM = "Transcribe the {} audio into text. Write down the spoken words and nothing else."
"""Close to the wording of the family's published error rates, which names the language."""

_CHUNK_FRAMES, _CHUNK_TOKENS = 100, 13
"""The third's encoder hears a second at a time: 100 frames become 13 tokens."""
_ENDS = ("<|im_end|>", "<|im_start|>", "<|endoftext|>")
_SILENT = (
    *("<|audio_bos|>", "<|audio_eos|>", "<|audio_start|>", "<|audio_end|>", "<|IMAGE|>", "<|VIDEO|>", "<|image_pad|>"),
    *("<|video_pad|>", "<|vision_bos|>", "<|vision_eos|>", "<|vision_start|>", "<|vision_end|>"),
)


def load(weights: Path, placement: Placement, progress: Progress, *, is_third: bool) -> Hearing:
    """Load the thinker of a checkpoint.

    Raises:
        ModelLoadError: it is damaged, incomplete or does not fit together.
        OutOfMemory: it does not fit.
    """
    import transformers

    thinker = "Qwen3OmniMoeThinkerForConditionalGeneration" if is_third else "Qwen2_5OmniThinkerForConditionalGeneration"
    parts = hearing.load(
        weights,
        placement,
        progress,
        model=getattr(transformers, thinker),
        extractor=transformers.WhisperFeatureExtractor,
    )
    config = parts.model.config
    hearing.require_shape(weights, parts.extractor, config.audio_config.num_mel_bins)
    network = hearing.network(parts, weights, config.audio_token_id, ends=_ENDS, silent=_SILENT)
    mark = str(parts.tokenizer.convert_ids_to_tokens(config.audio_token_id))
    template = ChatTemplate(weights, parts.tokenizer, mark)
    longest_window = float(parts.extractor.n_samples) / SAMPLE_RATE
    count: Callable[[int], int] = tokens_of_third if is_third else tokens_of_second
    make = partial(_features, parts.extractor, is_third)

    def wire(samples: Samples | None, turns: Sequence[Turn]) -> Wire:
        if samples is None:
            return Wire(tuple(template.ids(turns, ())))
        windows = hearing.windows(samples, longest_window)
        counts = [count(len(window)) for window in windows]
        sound = hearing.sound(parts.model, windows, sum(counts), partial(make, windows))
        return Wire(tuple(template.ids(turns, [mark * each for each in counts])), sound)

    return Hearing(
        network,
        wire,
        lambda samples, language: wire(samples, (Turn("user", hearing.asked(TRANSCRIBE, TRANSCRIBE_FROM, language)),)),
        LONGEST_TRANSCRIBED_SECONDS,
        LONGEST_PROMPT_SECONDS_OF_THIRD if is_third else LONGEST_PROMPT_SECONDS_OF_SECOND,
    )


def tokens_of_second(samples: int) -> int:
    """Tokens of a window for Qwen2.5-Omni: 25 a second. A convolution and a pooling halve the frames of 160 samples."""
    frames = -(-samples // 160)
    return (((frames - 1) // 2 + 1) - 2) // 2 + 1


def tokens_of_third(samples: int) -> int:
    """Tokens of a window for Qwen3-Omni: 13 a second, and for what is left one in eight frames, three times rounded up."""
    whole, rest = divmod(samples // 160, _CHUNK_FRAMES)
    return whole * _CHUNK_TOKENS + -(-rest // 8)


def _features(extractor: Any, is_third: bool, windows: Sequence[Samples], progress: Progress) -> Mapping[str, Any]:
    """``input_features`` (windows, mel bins, frames), and a mask (windows, frames) that is 1 where there is audio."""
    features, masks = [], []
    for window in windows:
        progress.check()
        # Silence behind a window keeps its last frames as the family's processor makes them, which fills up five minutes.
        filled: dict[str, Any] = {"padding": False} if is_third else {"padding": "max_length", "max_length": len(window) + 800}
        made = hearing.extracted(extractor, window, truncation=False, return_attention_mask=True, **filled)
        features.append(made.input_features)
        masks.append(made.attention_mask)
    return {"input_features": hearing.stacked(features), "feature_attention_mask": hearing.stacked(masks)}
