"""A tiny random Qwen2-Audio checkpoint, saved as the hub's is, so that tests load it through the real ``from_pretrained``.

Nothing is downloaded; the same folder comes out every time.
"""

from __future__ import annotations

from pathlib import Path

from tests import byte_level

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>")
"""Control tokens of the original, in its order; their ids stand after the words."""
WORDS = 314
"""Size of the vocabulary without control tokens."""


def qwen2_audio(folder: Path, *, positions: int = 4096, eagerness: float = 0.0) -> Path:
    """Save a tiny Qwen2-Audio.

    Args:
        positions: the longest context, in tokens.
        eagerness: logit that the end of an answer always has; 0 leaves it to chance, 12 ends most answers after some words.
    """
    import torch
    from transformers import (
        Qwen2AudioConfig,
        Qwen2AudioEncoderConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2Config,
        WhisperFeatureExtractor,
    )

    ids = {text: WORDS + number for number, text in enumerate(CONTROL)}
    config = Qwen2AudioConfig(
        audio_config=Qwen2AudioEncoderConfig(
            num_mel_bins=128, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=16, d_model=16
        ).to_dict(),
        text_config=Qwen2Config(
            vocab_size=WORDS + len(CONTROL),
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=positions,
            bos_token_id=ids["<|endoftext|>"],
            eos_token_id=ids["<|im_end|>"],
            pad_token_id=ids["<|endoftext|>"],
            initializer_range=0.25,
        ).to_dict(),
        audio_token_index=ids["<|AUDIO|>"],
    )
    torch.manual_seed(0)
    model = Qwen2AudioForConditionalGeneration(config).eval()
    with torch.no_grad():
        model.lm_head.weight.normal_(0, 0.5)
        model.lm_head.weight[WORDS:] = 0  # control tokens are not said by chance
        model.model.language_model.embed_tokens.weight.normal_(0, 1)
        _constant_logit(model, ids["<|im_end|>"], eagerness)
        model.model.multi_modal_projector.linear.weight.normal_(0, 3)  # loud enough that answers depend on the clip
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=128).save_pretrained(folder)
    _tokenizer(folder)
    return folder


def _constant_logit(model: object, token: int, logit: float) -> None:
    """Keep one hidden number the same everywhere, and let ``token``'s logit depend on it alone."""
    decoder = model.model.language_model  # type: ignore[attr-defined]
    head = model.lm_head.weight  # type: ignore[attr-defined]
    decoder.embed_tokens.weight[:, 0] = 1
    for layer in decoder.layers:
        layer.self_attn.o_proj.weight[0] = 0
        layer.mlp.down_proj.weight[0] = 0
    head[:, 0] = 0
    head[token, 0] = logit


def _tokenizer(folder: Path) -> None:
    """Made-up words, and the original's control tokens."""
    byte_level.save(
        folder,
        [byte_level.SPACE + syllable for syllable in byte_level.SYLLABLES[: WORDS - 256]],
        CONTROL,
        tokenizer_class="Qwen2TokenizerFast",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=list(CONTROL),
    )
