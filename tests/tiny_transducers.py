"""Tiny random checkpoints of transducers, built from each family's own config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runners.base import SAMPLE_RATE
from tests.case import Case
from tests.sounds import babble

SYLLABLES = tuple(f"{start}{first}{second}" for start in ("▁", "") for first in "bdfgklmnprst" for second in "aeiou")
PIECES = ("<unk>", "<pad>", *SYLLABLES, ".", ",", "▁日", "本", "語")
"""A vocabulary as SentencePiece would make it; the blank comes after it."""
TAGS = ("<en-US>", "<de-DE>")
"""How Nemotron 3.5 says which language it heard."""
LANGUAGE_SLOTS = {"en-US": 0, "en": 0, "de-DE": 1, "ja-JP": 2, "auto": 3}

_ENCODER: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "subsampling_conv_channels": 4,
    "initializer_range": 0.3,
}
_DECODER: dict[str, Any] = {"decoder_hidden_size": 16, "num_decoder_layers": 2, "max_symbols_per_step": 2}


def parakeet_tdt(folder: Path) -> Path:
    from transformers import ParakeetFeatureExtractor, ParakeetForTDT, ParakeetProcessor, ParakeetTDTConfig

    tokenizer, ids = _tokenizer()
    config = ParakeetTDTConfig(**_sizes(ids), encoder_config=_ENCODER)
    processor = ParakeetProcessor(ParakeetFeatureExtractor(), tokenizer, decoder_type="tdt")
    return _saved(folder, ParakeetForTDT, config, processor)


def parakeet_rnnt(folder: Path) -> Path:
    from transformers import ParakeetFeatureExtractor, ParakeetForRNNT, ParakeetProcessor, ParakeetRNNTConfig

    tokenizer, ids = _tokenizer()
    config = ParakeetRNNTConfig(**_sizes(ids), encoder_config=_ENCODER)
    return _saved(
        folder, ParakeetForRNNT, config, ParakeetProcessor(ParakeetFeatureExtractor(), tokenizer, decoder_type="rnnt")
    )


def nemotron_streaming(folder: Path) -> Path:
    """English alone: it is told no language."""
    from transformers import (
        NemotronAsrStreamingConfig,
        NemotronAsrStreamingFeatureExtractor,
        NemotronAsrStreamingForRNNT,
        NemotronAsrStreamingProcessor,
    )

    tokenizer, ids = _tokenizer()
    config = NemotronAsrStreamingConfig(**_sizes(ids), encoder_config=_ENCODER)
    processor = NemotronAsrStreamingProcessor(NemotronAsrStreamingFeatureExtractor(), tokenizer)
    return _saved(folder, NemotronAsrStreamingForRNNT, config, processor)


def nemotron(folder: Path) -> Path:
    """Can be told the language, and says it with a tag."""
    from transformers import (
        Nemotron3_5AsrConfig,
        Nemotron3_5AsrForRNNT,
        Nemotron3_5AsrProcessor,
        NemotronAsrStreamingFeatureExtractor,
    )

    tokenizer, ids = _tokenizer(*TAGS)
    config = Nemotron3_5AsrConfig(
        **_sizes(ids),
        encoder_config={"model_type": "nemotron_asr_streaming_encoder", **_ENCODER},
        num_prompts=4,
        prompt_intermediate_size=16,
        default_prompt_id=LANGUAGE_SLOTS["auto"],
    )
    processor = Nemotron3_5AsrProcessor(
        NemotronAsrStreamingFeatureExtractor(), tokenizer, prompt_dictionary=LANGUAGE_SLOTS, num_prompts=4
    )
    return _saved(folder, Nemotron3_5AsrForRNNT, config, processor, seed=0)


def _tokenizer(*more: str) -> tuple[Any, dict[str, int]]:
    """A tokenizer like the families', with its ids; ``more`` pieces come before the blank."""
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import ParakeetTokenizer

    pieces = (*PIECES, *more)
    backend = Tokenizer(BPE({piece: number for number, piece in enumerate(pieces)}, [], unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in ("<unk>", "<pad>", "<blank>")])
    tokenizer = ParakeetTokenizer(tokenizer_object=backend, unk_token="<unk>", pad_token="<pad>")
    return tokenizer, tokenizer.get_vocab()


def _sizes(ids: dict[str, int]) -> dict[str, Any]:
    return {"vocab_size": len(ids), "pad_token_id": ids["<pad>"], "blank_token_id": ids["<blank>"], **_DECODER}


def _saved(folder: Path, kind: Any, config: Any, processor: Any, seed: int = 1) -> Path:
    import torch

    torch.manual_seed(seed)
    model = kind(config).eval()
    model.generation_config.decoder_start_token_id = config.blank_token_id
    durations = len(getattr(config, "durations", ()))
    if durations:  # which `generate` would take for tokens else
        model.generation_config.suppress_tokens = [config.vocab_size + number for number in range(durations)]
    with torch.no_grad():
        # Louder than an untrained one, so that what is said depends on the sound and on what was said before.
        for name, weight in model.named_parameters():
            if name.endswith("weight") and ("subsampling" in name or "lstm" in name):
                weight.mul_(3)
            if name.endswith("weight") and "prompt_projector" in name:
                weight.normal_(0, 1)
        for weight in (model.decoder.embedding.weight, model.decoder.decoder_projector.weight, model.encoder_projector.weight):
            weight.normal_(0, 1)
        head = model.joint.head
        head.weight.normal_(0, 1)
        head.bias.zero_()
        head.bias[config.pad_token_id] = -100.0
        head.weight[config.vocab_size :].mul_(0.2)
        head.bias[config.vocab_size + 1 :] = 3.0  # TDT: rather on than to stay
        # And moving on at most frames, as a trained one does.
        inputs = dict(processor(babble(4).samples, sampling_rate=SAMPLE_RATE))
        blank = config.blank_token_id
        state = model.decoder(torch.tensor([[blank]]))
        logits = model.joint(
            encoder_hidden_states=model.get_audio_features(**inputs).pooler_output, decoder_hidden_states=state
        )
        logits = logits[0, :, : config.vocab_size]
        ahead = logits[:, :blank].max(-1).values - logits[:, blank]
        head.bias[blank] = ahead.quantile(0.8)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


CASES: dict[str, Case] = {
    "parakeet-tdt": Case("parakeet", parakeet_tdt),
    "parakeet-rnnt": Case("parakeet", parakeet_rnnt),
    "nemotron-streaming": Case("nemotron", nemotron_streaming),
    "nemotron": Case("nemotron", nemotron),
}
