"""Tiny random checkpoints of Phi-4-multimodal with all of its parts, saved as the hub's are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests import byte_level

CONTROL = ("<|endoftext|>", "<|image|>", "<|audio|>", "<|assistant|>", "<|end|>", "<|user|>", "<|system|>")
"""Control tokens of the tiny Phi-4-multimodal, in the order of the real one's ids."""
TOOL = "<|tool_call|>"
"""A token that is added but not special, as the real vocabulary has some: not taking special tokens apart finds it too."""


def phi4_multimodal(folder: Path, *, switch: int = 4096, adapter: bool = True, zeroed: bool = False, width: int = 32) -> Path:
    """A Phi-4-multimodal with all of its parts, and its speech adapter in ``speech-lora``; rotary factors switch at ``switch``.

    The adapter is made by peft from a model that is thrown away, as training would save it. ``zeroed`` leaves its B
    matrices as they are before training.
    """
    import torch
    from transformers import Phi4MultimodalConfig, Phi4MultimodalFeatureExtractor, Phi4MultimodalForCausalLM

    ids = _tokenizer(folder)
    config = Phi4MultimodalConfig(
        vocab_size=len(ids),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=32 * switch,
        original_max_position_embeddings=switch,
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": 10_000.0,
            "partial_rotary_factor": 1.0,
            "original_max_position_embeddings": switch,
            "short_factor": [1 + 0.1 * number for number in range(width // 8)],
            "long_factor": [1.5 * (1 + number) ** 1.5 for number in range(width // 8)],
        },
        tie_word_embeddings=True,
        sliding_window=64 * switch,
        bos_token_id=ids["<|endoftext|>"],
        pad_token_id=ids["<|endoftext|>"],
        eos_token_id=[ids["<|endoftext|>"], ids["<|end|>"]],
        audio_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_blocks": 2,
            "num_attention_heads": 2,
            "ext_pw_out_channel": 16,
            "depthwise_separable_out_channel": 16,
            "nemo_conv_channels": 8,
            "bias_max_distance": 100,
            "audio_token_id": ids["<|audio|>"],
        },
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
            "crop_size": 28,
            "image_token_id": ids["<|image|>"],
        },
    )
    torch.manual_seed(0)
    model = Phi4MultimodalForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            # Larger than an untrained one's: what is said must depend on all of what was heard, and not repeat itself.
            if weight.dim() > 1 and "norm" not in name:
                weight.mul_(16 if "layers" in name else 8 if "audio_embed" in name else 20)
    model.save_pretrained(folder)
    Phi4MultimodalFeatureExtractor().save_pretrained(folder)
    if adapter:
        _adapter(model, folder / "speech-lora", zeroed)
    return folder


def _adapter(model: Any, folder: Path, zeroed: bool) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    targets = r"model\.layers\.\d+\.(self_attn\.(qkv|o)_proj|mlp\.(gate_up|down)_proj)"
    adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=targets))
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name and not zeroed:
                weight.normal_(0, 0.5)
    adapted.save_pretrained(str(folder))


def _tokenizer(folder: Path) -> dict[str, int]:
    """The ids of all tokens; control tokens come after the words."""
    return byte_level.save(
        folder,
        [byte_level.SPACE + syllable for syllable in byte_level.SYLLABLES],
        CONTROL,
        [TOOL],
        tokenizer_class="GPT2Tokenizer",
        model_max_length=131_072,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        unk_token="<|endoftext|>",
        extra_special_tokens={"image_token": "<|image|>", "audio_token": "<|audio|>"},
    )
