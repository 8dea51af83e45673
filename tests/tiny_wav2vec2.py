"""Tiny random checkpoints of wav2vec 2.0 and its kin, built from each family's own config and saved as the hub's are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runners.base import SAMPLE_RATE

LETTERS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"EATONIHSRDLUMWCFGYPBVKJXQZ'")
"""The vocabulary of wav2vec2-base-960h: blank first, "|" between words."""


def wav2vec2(folder: Path) -> Path:
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    return _ctc(folder, Wav2Vec2Config(**_CTC_SIZE, feat_extract_norm="group", num_conv_pos_embeddings=16), Wav2Vec2ForCTC)


def hubert(folder: Path) -> Path:
    from transformers import HubertConfig, HubertForCTC

    return _ctc(
        folder,
        HubertConfig(**_CTC_SIZE, feat_extract_norm="layer", do_stable_layer_norm=True, num_conv_pos_embeddings=16),
        HubertForCTC,
    )


def data2vec(folder: Path) -> Path:
    from transformers import Data2VecAudioConfig, Data2VecAudioForCTC

    return _ctc(
        folder, Data2VecAudioConfig(**_CTC_SIZE, conv_pos_kernel_size=19, num_conv_pos_embeddings=5), Data2VecAudioForCTC
    )


def wavlm(folder: Path) -> Path:
    from transformers import WavLMConfig, WavLMForCTC

    return _ctc(folder, WavLMConfig(**_CTC_SIZE, num_conv_pos_embeddings=16), WavLMForCTC)


_CTC_SIZE: dict[str, Any] = {
    "vocab_size": len(LETTERS),
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embedding_groups": 4,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.5,
}


def wav2vec2_bert(folder: Path) -> Path:
    """Takes a spectrogram (``input_features``) where the others take samples."""
    import torch
    from transformers import SeamlessM4TFeatureExtractor, Wav2Vec2BertConfig, Wav2Vec2BertForCTC

    torch.manual_seed(0)
    config = Wav2Vec2BertConfig(
        vocab_size=len(LETTERS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        initializer_range=0.5,
    )
    _loud(Wav2Vec2BertForCTC(config)).save_pretrained(folder)
    SeamlessM4TFeatureExtractor(feature_size=80, num_mel_bins=80, sampling_rate=SAMPLE_RATE).save_pretrained(folder)
    _letters(folder, dict(zip(LETTERS, range(len(LETTERS)), strict=True)))
    return folder


def mms(folder: Path) -> Path:
    """A wav2vec2 with adapters for English and German, whose alphabets differ in size; English is put in."""
    import torch
    from safetensors.torch import save_file
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    alphabets = {"eng": LETTERS, "deu": (*LETTERS, *"ÄÖÜ")}
    config = Wav2Vec2Config(**_CTC_SIZE, do_stable_layer_norm=True, feat_extract_norm="layer", adapter_attn_dim=4)
    torch.manual_seed(0)
    model = _loud(Wav2Vec2ForCTC(config))
    model.save_pretrained(folder)
    for name, alphabet in alphabets.items():
        weights = {
            key: value.clone()
            for key, value in model.state_dict().items()
            if "adapter_layer" in key or key.startswith("lm_head")
        }
        if name != "eng":
            weights["lm_head.weight"] = torch.randn(len(alphabet), 16)
            weights["lm_head.bias"] = torch.zeros(len(alphabet))
        save_file(weights, folder / f"adapter.{name}.safetensors", metadata={"format": "pt"})
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    nested = {name: {letter: number for number, letter in enumerate(alphabet)} for name, alphabet in alphabets.items()}
    _letters(folder, nested, target_lang="eng")
    return folder


def _ctc(folder: Path, config: Any, model_class: Callable[[Any], Any]) -> Path:
    import torch
    from transformers import Wav2Vec2FeatureExtractor

    torch.manual_seed(0)
    _loud(model_class(config)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    _letters(folder, dict(zip(LETTERS, range(len(LETTERS)), strict=True)))
    return folder


def _loud(model: Any) -> Any:
    """Scale the head up, or a random model says the blank and nothing else."""
    import torch

    with torch.no_grad():
        model.lm_head.weight.normal_(0, 1)
        model.lm_head.bias[0] = -1.0
    return model.eval()


def _letters(folder: Path, vocabulary: dict[str, Any], **settings: Any) -> None:
    from transformers import Wav2Vec2CTCTokenizer

    path = folder / "vocab.json"
    path.write_text(json.dumps(vocabulary), encoding="utf-8")
    Wav2Vec2CTCTokenizer(str(path), **settings).save_pretrained(folder)
