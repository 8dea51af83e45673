"""A Phi-4-multimodal of random weights and of any size, saved as a folder that the real runner loads: nothing is downloaded.

The shapes keep the published model's proportions (language model 69 %, audio encoder 8 %, vision 8 %, speech adapter 8 %);
what it says is noise, but it costs what a trained one of that size costs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

CONTROL = ("<|endoftext|>", "<|audio|>", "<|image|>", "<|user|>", "<|assistant|>", "<|end|>", "<|system|>")


@dataclass(frozen=True)
class Size:
    """What differs between sizes; everything else is as published."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    audio_hidden: int
    audio_blocks: int
    vision_hidden: int
    vision_layers: int
    rank: int
    """Of the speech adapter."""


SIZES: Mapping[str, Size] = MappingProxyType(
    {
        "tiny": Size(96, 256, 3, 3, 1, 2048, 32, 3, 32, 3, 8),
        "0.3b": Size(1152, 3072, 12, 9, 3, 32064, 384, 9, 384, 14, 120),
        "full": Size(3072, 8192, 32, 24, 8, 200064, 1024, 24, 1152, 27, 320),
    }
)
"""``full`` is microsoft/Phi-4-multimodal-instruct, 5.57 B with the vision adapter, which is left out here."""


def build(folder: Path, size: Size, texts: Sequence[str] = ()) -> Path:
    """Save a checkpoint in bfloat16 with its speech adapter; ``full`` takes 12 GB of memory meanwhile, and as much on disk.

    ``texts`` are what it will be asked: each of their words is one token, as for a trained tokenizer.
    """
    import torch
    from transformers import Phi4MultimodalConfig, Phi4MultimodalFeatureExtractor, Phi4MultimodalForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    first = size.vocabulary - 64  # control tokens stand at the end, as in the original
    ids = {text: first + number for number, text in enumerate(CONTROL)}
    config = Phi4MultimodalConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.kv_heads,
        tie_word_embeddings=True,
        bos_token_id=ids["<|endoftext|>"],
        eos_token_id=[ids["<|endoftext|>"], ids["<|end|>"]],
        pad_token_id=ids["<|endoftext|>"],
        rope_parameters=_rope(size.hidden // size.heads),
        audio_config={
            "hidden_size": size.audio_hidden,
            "intermediate_size": size.audio_hidden * 3 // 2,
            "num_blocks": size.audio_blocks,
            "num_attention_heads": max(1, size.audio_hidden // 64),
            "ext_pw_out_channel": size.audio_hidden,
            "depthwise_separable_out_channel": size.audio_hidden,
            "nemo_conv_channels": size.audio_hidden,
            "audio_token_id": ids["<|audio|>"],
        },
        vision_config={
            "hidden_size": size.vision_hidden,
            "intermediate_size": size.vision_hidden * 15 // 4,
            "num_hidden_layers": size.vision_layers,
            "num_attention_heads": 16,
            "image_token_id": ids["<|image|>"],
        },
    )
    torch.manual_seed(0)
    with torch.device("meta"):
        model = Phi4MultimodalForCausalLM(config)
    model = model.to(torch.bfloat16).to_empty(device="cpu").eval()
    model.tie_weights()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            _fill(name, weight)
        for buffer in model.buffers():
            buffer.fill_(1)
        embeddings = model.model.embed_tokens.weight
        embeddings[first:] = 0  # a control token is never the likeliest, so no answer ends early
    model.save_pretrained(folder)
    _save_adapter(folder / "speech-lora", model, size.rank)
    Phi4MultimodalFeatureExtractor().save_pretrained(folder)
    _save_tokenizer(folder, first, texts)
    return folder


def parts(model: Any) -> dict[str, int]:
    """Parameters of each part of a loaded model, by what people call it."""
    counts = {"language model": 0, "audio encoder": 0, "vision": 0, "speech adapter": 0}
    for name, weight in model.named_parameters():
        part = (
            "speech adapter" if "lora_" in name
            else "vision" if "image_embed" in name
            else "audio encoder" if "audio_embed" in name
            else "language model"
        )  # fmt: skip
        counts[part] += weight.numel()
    return counts


def _fill(name: str, weight: Any) -> None:
    if weight.ndim < 2:
        weight.fill_(0 if name.endswith("bias") else 1)
    else:
        # Layers louder than embeddings: else a tied model says its last token again and again.
        weight.normal_(0, 0.005 if "embed_tokens" in name else 1.5 / weight[0].numel() ** 0.5)


def _rope(head_size: int) -> dict[str, Any]:
    turning = int(head_size * 0.75) // 2
    return {
        "rope_type": "longrope",
        "rope_theta": 10_000.0,
        "partial_rotary_factor": 0.75,
        "short_factor": [1.0] * turning,
        "long_factor": [1.0 + number / turning for number in range(turning)],
        "original_max_position_embeddings": 4096,
    }


def _save_adapter(folder: Path, model: Any, rank: int) -> None:
    """A speech adapter over every linear layer of the language model, with noise in both of its matrices."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    weights = {}
    targets = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
    for name, module in model.named_modules():
        if name.startswith("model.layers.") and name.endswith(targets):
            dtype = module.weight.dtype
            outside, inside = module.weight.shape
            weights[f"base_model.model.{name}.lora_A.weight"] = torch.randn(rank, inside, dtype=dtype) / inside**0.5
            weights[f"base_model.model.{name}.lora_B.weight"] = 0.05 * torch.randn(outside, rank, dtype=dtype) / rank**0.5
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": 2 * rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": r"model\.layers\.\d+\.(self_attn|mlp)\.(" + "|".join(targets) + ")",
        "inference_mode": True,
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")


def _save_tokenizer(folder: Path, first: int, texts: Sequence[str]) -> None:
    """A byte-level BPE of whole words, most of them made up; ``first`` is the id of the first control token."""
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE

    vocabulary = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    for text in texts:
        for word, _ in splitter.pre_tokenize_str(text):
            vocabulary.setdefault(word, len(vocabulary))
    syllables = [one + two for one in "bdfgklmnprstvz" for two in "aeiou"]
    number = 0
    while len(vocabulary) < first:
        name, rest = "", number
        while not name or rest:
            rest, syllable = divmod(rest, len(syllables))
            name += syllables[syllable]
        vocabulary.setdefault(f"Ġ{name}", len(vocabulary))  # Ġ is how byte-level vocabularies write a space
        number += 1
    # What it says is read back as the tokens that it said, or a follow-up would find its own answer changed.
    backend = Tokenizer(BPE(vocabulary, [], ignore_merges=True))
    backend.pre_tokenizer = splitter
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in CONTROL])
    backend.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": CONTROL[0],
        "eos_token": CONTROL[0],
        "pad_token": CONTROL[0],
        "extra_special_tokens": list(CONTROL[1:]),
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
