"""Gemma 3n and Gemma 4 with their audio encoders (Gemma Team 2025 and 2026, the model cards).

Audio is heard in windows of 30 s at most: 188 tokens each for Gemma 3n, whatever their length, and 25 a second for
Gemma 4. What sees is not loaded: it is a third of a billion parameters, and for Gemma 3n it needs timm and torchvision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from runners.base import ModelLoadError, Placement, Progress, Turn
from runners.networks import hearing
from runners.networks.chat_template import ChatTemplate
from runners.networks.generation import Wire
from runners.networks.hearing import Hearing, Samples

WINDOW_SECONDS = 30.0
"""The longest audio that the model cards allow in one piece; the feature extractors drop what is beyond."""
LONGEST_TRANSCRIBED_SECONDS = 30.0
LONGEST_PROMPT_SECONDS = 600.0
"""Twenty windows; the model cards name no limit."""
TRANSCRIBE = "Transcribe the speech in its own language. Write down the spoken words and nothing else."
TRANSCRIBE_FROM = "Transcribe the speech, which is in {0}, into {0} text. Write down the spoken words and nothing else."
"""The model cards ask for a transcript by naming the language twice."""

_ENDS = ("<end_of_turn>", "<turn|>", "<eos>")


def load(weights: Path, placement: Placement, progress: Progress, *, is_fourth: bool) -> Hearing:
    """Load a checkpoint without what sees.

    Raises:
        ModelLoadError: it is damaged, incomplete, does not fit together or does not hear.
        OutOfMemory: it does not fit.
    """
    import transformers

    ears = transformers.Gemma4AudioFeatureExtractor if is_fourth else transformers.Gemma3nAudioFeatureExtractor
    parts = hearing.load(
        weights, placement, progress, model=fourth_without_eyes() if is_fourth else third_without_eyes(), extractor=ears
    )
    config = parts.model.config
    if config.audio_config is None:
        raise ModelLoadError(f"{weights} holds a Gemma that does not hear.", "Choose one with an audio encoder (E2B or E4B).")
    audio = config.audio_config
    hearing.require_shape(weights, parts.extractor, audio.subsampling_conv_channels[0] if is_fourth else audio.input_feat_size)
    text_of = parts.tokenizer.convert_ids_to_tokens
    mark = str(text_of(config.audio_token_id))
    begin, end = str(text_of(config.boa_token_id)), str(text_of(config.eoa_token_index if is_fourth else config.eoa_token_id))
    pictures = [text_of(each) for each in (config.image_token_id, config.boi_token_id, config.eoi_token_id)]
    network = hearing.network(parts, weights, config.audio_token_id, ends=_ENDS, silent=(begin, end, *map(str, pictures)))
    template = ChatTemplate(weights, parts.tokenizer, mark)
    lines = "" if is_fourth else "\n\n"

    def wire(samples: Samples | None, turns: Sequence[Turn]) -> Wire:
        if samples is None:
            return Wire(tuple(template.ids(turns, ())))
        windows = hearing.windows(samples, WINDOW_SECONDS)
        counts = [tokens_of_fourth(len(each)) if is_fourth else int(config.audio_soft_tokens_per_image) for each in windows]
        sound = hearing.sound(parts.model, windows, sum(counts), partial(_features, parts.extractor, windows))
        heard = [f"{lines}{begin}{mark * each}{end}{lines}" for each in counts]
        return Wire(tuple(template.ids(turns, heard)), sound)

    return Hearing(
        network,
        wire,
        lambda samples, language: wire(samples, (Turn("user", hearing.asked(TRANSCRIBE, TRANSCRIBE_FROM, language)),)),
        LONGEST_TRANSCRIBED_SECONDS,
        LONGEST_PROMPT_SECONDS,
    )


def tokens_of_fourth(samples: int) -> int:
    """Tokens of a window for Gemma 4: 25 a second. A frame is counted if all of its 20 ms are audio; two convolutions
    halve the frames.
    """
    frames = max(0, -(-samples // 160) - 1)
    return -(-frames // 4)


def _features(extractor: Any, windows: Sequence[Samples], progress: Progress) -> Mapping[str, Any]:
    """``input_features`` (windows, frames, mel bins), and a mask (windows, frames) that is true where there is audio."""
    features, masks = [], []
    for window in windows:
        progress.check()
        made = extractor([window], return_tensors="pt")
        features.append(made.input_features.transpose(1, 2))
        masks.append(made.input_features_mask)
    return {
        "input_features": hearing.stacked(features).transpose(1, 2).contiguous(),
        "input_features_mask": hearing.stacked(masks),
    }


def fourth_without_eyes() -> Any:
    """Gemma 4's class, which leaves out what its configuration leaves out."""
    from transformers import Gemma4ForConditionalGeneration

    class Gemma4ThatHears(Gemma4ForConditionalGeneration):
        _keys_to_ignore_on_load_unexpected = (r"model\.(vision_tower|embed_vision)\.",)

        def __init__(self, config: Any) -> None:
            config.vision_config = None
            super().__init__(config)

    return Gemma4ThatHears


def third_without_eyes() -> Any:
    """Gemma 3n's class with a vision tower that is empty; the original cannot be built without timm."""
    import torch
    from transformers import AutoModel, Gemma3nForConditionalGeneration, Gemma3nModel, Gemma3nPreTrainedModel
    from transformers.models.gemma3n.modeling_gemma3n import Gemma3nMultimodalEmbedder

    class Gemma3nModelThatHears(Gemma3nModel):
        def __init__(self, config: Any) -> None:
            Gemma3nPreTrainedModel.__init__(self, config)
            self.vision_tower = torch.nn.Module()
            self.vocab_size = config.text_config.vocab_size
            self.language_model = AutoModel.from_config(config.text_config)
            self.vocab_size_per_layer_input = config.text_config.vocab_size_per_layer_input
            self.audio_tower = AutoModel.from_config(config.audio_config)
            # Tokens that stand for pictures have embeddings of their own, which every forward asks.
            self.embed_vision = Gemma3nMultimodalEmbedder(config.vision_config, config.text_config)
            self.embed_audio = Gemma3nMultimodalEmbedder(config.audio_config, config.text_config)
            self.post_init()

    class Gemma3nThatHears(Gemma3nForConditionalGeneration):
        _keys_to_ignore_on_load_unexpected = (r"model\.vision_tower\.",)

        def __init__(self, config: Any) -> None:
            Gemma3nPreTrainedModel.__init__(self, config)
            self.model = Gemma3nModelThatHears(config)
            self.lm_head = torch.nn.Linear(config.text_config.hidden_size, config.text_config.vocab_size, bias=False)
            self.post_init()

    return Gemma3nThatHears
