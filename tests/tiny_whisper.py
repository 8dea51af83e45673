"""Tiny random checkpoints of Whisper, as the hub's are saved: nothing is downloaded, the same folder comes out every time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runners.catalogue.names import spec_for
from tests import byte_level

LANGUAGES = ("en", "zh", "de", "es")
"""What the tiny multilingual Whisper says it knows; its tokenizer has the tokens of all 99. Version 3 knows "yue" too."""


def whisper(
    folder: Path, *, multilingual: bool = True, third: bool = False, positions: int = 448, eagerness: float = 24
) -> Path:
    """A Whisper with the vocabulary's true size and order, and some of the languages; ``eagerness`` to end shortens its texts.

    The size matters too: CTranslate2 takes a vocabulary of under 51865 tokens for an English-only one, and counts the
    languages by it. The ``third`` version hears 128 bands and has a token for Cantonese besides, which moves those after it.
    """
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    end = 50_257 if multilingual else 50_256
    codes = spec_for("whisper:openai/whisper-large-v3" if third else "whisper").languages
    assert codes is not None
    assert codes[: len(LANGUAGES)] == LANGUAGES
    special = [
        "<|endoftext|>",
        "<|startoftranscript|>",
        *(f"<|{code}|>" for code in codes),
        *(f"<|{name}|>" for name in ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")),
    ]
    ids = {text: end + number for number, text in enumerate(special)}
    known = (*LANGUAGES, "yue") if third else LANGUAGES
    bands = 128 if third else 80
    _tokenizer(folder, end, special)
    config = WhisperConfig(
        vocab_size=ids["<|notimestamps|>"] + 1 + 1501,
        num_mel_bins=bands,
        d_model=16,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_target_positions=positions,
        decoder_start_token_id=ids["<|startoftranscript|>"],
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        begin_suppress_tokens=None,
        suppress_tokens=None,
        init_std=0.4,
    )
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(config)
    with torch.no_grad():
        # Sure of itself, and of ending after a few words: else each window is decoded at six temperatures to its limit.
        decoder = model.model.decoder
        decoder.layer_norm.weight.mul_(4)
        decoder.layer_norm.weight[0] = 0
        decoder.layer_norm.bias[0] = 1
        decoder.embed_tokens.weight[:, 0] = 0
        decoder.embed_tokens.weight[end, 0] = eagerness
    generation = model.generation_config
    facts: dict[str, Any] = {
        "is_multilingual": multilingual,
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "alignment_heads": [[1, 0], [1, 1]],
        "max_initial_timestamp_index": 50,
        "prev_sot_token_id": ids["<|startofprev|>"],
        "suppress_tokens": [ids["<|startoftranscript|>"], *range(ids["<|notimestamps|>"] - 104, ids["<|notimestamps|>"] + 1)],
        "begin_suppress_tokens": [220],
        "return_timestamps": False,
        "max_length": positions,
        "_from_model_config": False,  # else it counts as derived, and is thrown away when the folder is loaded
    }
    for name, fact in facts.items():
        setattr(generation, name, fact)
    if multilingual:
        generation.lang_to_id = {f"<|{code}|>": ids[f"<|{code}|>"] for code in known}
        generation.task_to_id = {"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]}
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=bands).save_pretrained(folder)
    return folder


def _words(count: int) -> list[str]:
    """Made-up words, each with a space before it."""
    words = []
    for number in range(count):
        name, rest = "", number
        while not name or rest:
            rest, syllable = divmod(rest, len(byte_level.SYLLABLES))
            name += byte_level.SYLLABLES[syllable]
        words.append(byte_level.SPACE + name)
    return words


def _tokenizer(folder: Path, end: int, special: list[str]) -> None:
    """Ids of the special tokens as in the original."""
    from transformers import WhisperTokenizer

    byte_level.save(
        folder,
        [*_words(end - 1 - 256), ""],  # "" as in the original; CTranslate2 takes a vocabulary without it for English-only
        special,
        tokenizer_class=WhisperTokenizer.__name__,
        model_max_length=448,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        unk_token="<|endoftext|>",
        extra_special_tokens=special[1:],
    )
