"""Tiny random checkpoints of networks that talk about a clip, built from each family's own config and saved as the hub's are.

Nothing is downloaded; the same folder comes out every time.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests import byte_level
from tests.case import Case

WORDS = 314
"""Size of the vocabularies without control tokens."""
CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}"
    "{{ message['content'] }}{% else %}{% for part in message['content'] %}{% if part['type'] == 'audio' %}AUDIO"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Says in one line what the families' ChatML templates say; AUDIO is what each writes for a clip."""
GEMMA = (
    "{{ bos_token }}{% for message in messages %}START{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] | trim }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'audio' %}AUDIO{% elif 'text' in part %}{{ part['text'] | trim }}{% endif %}{% endfor %}{% endif %}"
    "END\n{% endfor %}{% if add_generation_prompt %}STARTmodel\n{% endif %}"
)
_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.25,
}
_WHISPER = {"num_mel_bins": 128, "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 64}
_OMNI_EARS = {"num_mel_bins": 128, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 16, "d_model": 16}
_EYES: dict[str, Any] = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 32}


def voxtral(folder: Path, *, positions: int = 4096) -> Path:
    """Save a tiny Voxtral, with a tekken.json instead of a tokenizer of transformers'."""
    import torch
    from transformers import (
        LlamaConfig,
        VoxtralConfig,
        VoxtralEncoderConfig,
        VoxtralForConditionalGeneration,
        WhisperFeatureExtractor,
    )

    control = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", *(f"<SPECIAL_{number}>" for number in range(5, 24)), "[AUDIO]"]
    control += ["[BEGIN_AUDIO]", *(f"<SPECIAL_{number}>" for number in range(26, 34)), "[TRANSCRIBE]"]
    config = VoxtralConfig(
        audio_config=VoxtralEncoderConfig(**_WHISPER).to_dict(),
        text_config=LlamaConfig(
            **_TEXT,
            vocab_size=len(control) + WORDS,
            head_dim=8,
            max_position_embeddings=positions,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=11,
        ).to_dict(),
        audio_token_id=control.index("[AUDIO]"),
    )
    torch.manual_seed(0)
    model = VoxtralForConditionalGeneration(config).eval()
    _loud(model, model.model.language_model, silent=range(len(control)))
    torch.manual_seed(0)  # one of many that have more than a word to say
    projector = model.model.multi_modal_projector
    for part in (projector.linear_1, projector.linear_2):
        part.weight.data.normal_(0, 0.02)
    model.model.language_model.embed_tokens.weight.data.normal_(0, 1)
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=128).save_pretrained(folder)
    _tekken(folder, control)
    return folder


def audio_flamingo(folder: Path) -> Path:
    """Save a tiny Audio Flamingo 3."""
    import torch
    from transformers import (
        AudioFlamingo3Config,
        AudioFlamingo3EncoderConfig,
        AudioFlamingo3ForConditionalGeneration,
        Qwen2Config,
        WhisperFeatureExtractor,
    )

    control = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<sound>")
    ids = {text: WORDS + number for number, text in enumerate(control)}
    config = AudioFlamingo3Config(
        audio_config=AudioFlamingo3EncoderConfig(**_WHISPER).to_dict(),
        text_config=Qwen2Config(
            **_TEXT, vocab_size=WORDS + 4, eos_token_id=ids["<|im_end|>"], pad_token_id=ids["<|endoftext|>"]
        ).to_dict(),
        audio_token_id=ids["<sound>"],
    )
    torch.manual_seed(0)
    model = AudioFlamingo3ForConditionalGeneration(config).eval()
    _loud(model, model.model.language_model, silent=ids.values())
    model.model.multi_modal_projector.linear_2.weight.data.normal_(0, 3)
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=128, return_attention_mask=True).save_pretrained(folder)
    _words(folder, control, "<|im_end|>", "<|endoftext|>")
    (folder / "chat_template.jinja").write_text(CHATML.replace("AUDIO", "<sound>"), "utf-8")
    return folder


def qwen_omni_second(folder: Path) -> Path:
    """Save a tiny Qwen2.5-Omni as it is published: the thinker beside a talker's weights, which are not to be loaded."""
    import torch
    from transformers import Qwen2_5OmniConfig, Qwen2_5OmniThinkerForConditionalGeneration, WhisperFeatureExtractor

    control = (
        *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"),
        *("<|IMAGE|>", "<|VIDEO|>", "<|vision_bos|>", "<|vision_eos|>"),
    )
    ids = {text: WORDS + number for number, text in enumerate(control)}
    thinker = {
        "audio_config": {**_OMNI_EARS, "output_dim": 32},
        "vision_config": _EYES,
        "text_config": {
            **_TEXT,
            "vocab_size": WORDS + len(control),
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 1, 1]},
            "eos_token_id": ids["<|im_end|>"],
        },
        "audio_token_index": ids["<|AUDIO|>"],
        "image_token_index": ids["<|IMAGE|>"],
        "video_token_index": ids["<|VIDEO|>"],
        "audio_start_token_id": ids["<|audio_bos|>"],
        "audio_end_token_id": ids["<|audio_eos|>"],
        "vision_start_token_id": ids["<|vision_bos|>"],
    }
    config = Qwen2_5OmniConfig(thinker_config=thinker)
    torch.manual_seed(0)
    model = Qwen2_5OmniThinkerForConditionalGeneration(config.thinker_config).eval()
    _loud(model, model.model.language_model, silent=ids.values())
    model.model.audio_tower.proj.weight.data.normal_(0, 3)
    config.architectures = ["Qwen2_5OmniModel"]
    _published_omni(folder, model, config)
    WhisperFeatureExtractor(feature_size=128, chunk_length=300, return_attention_mask=True).save_pretrained(folder)
    extra = {"audio_token": "<|AUDIO|>", "image_token": "<|IMAGE|>", "video_token": "<|VIDEO|>"}
    extra |= {"audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>"}
    extra |= {"vision_bos_token": "<|vision_bos|>", "vision_eos_token": "<|vision_eos|>"}
    _words(folder, control, "<|im_end|>", "<|endoftext|>", **extra)
    template = CHATML.replace("AUDIO", "<|audio_bos|><|AUDIO|><|audio_eos|>")
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": template}), "utf-8")
    return folder


def qwen_omni_third(folder: Path) -> Path:
    """Save a tiny Qwen3-Omni as it is published, its experts two of four."""
    import torch
    from transformers import Qwen3OmniMoeConfig, Qwen3OmniMoeThinkerForConditionalGeneration, WhisperFeatureExtractor

    control = (
        *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|audio_pad|>", "<|audio_start|>", "<|audio_end|>"),
        *("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"),
    )
    ids = {text: WORDS + number for number, text in enumerate(control)}
    thinker = {
        "audio_config": {**_OMNI_EARS, "output_dim": 32, "downsample_hidden_size": 8},
        "vision_config": {**_EYES, "deepstack_visual_indexes": [0], "num_position_embeddings": 16},
        "text_config": {
            **_TEXT,
            "vocab_size": WORDS + len(control),
            "head_dim": 8,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 16,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": [2, 1, 1],
                "mrope_interleaved": True,
                "interleaved": True,
            },
            "eos_token_id": ids["<|im_end|>"],
        },
        "audio_token_id": ids["<|audio_pad|>"],
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "audio_start_token_id": ids["<|audio_start|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
    }
    config = Qwen3OmniMoeConfig(thinker_config=thinker, enable_audio_output=False)
    torch.manual_seed(0)
    model = Qwen3OmniMoeThinkerForConditionalGeneration(config.thinker_config).eval()
    _loud(model, model.model.language_model, silent=ids.values())
    model.model.audio_tower.proj2.weight.data.normal_(0, 3)
    config.architectures = ["Qwen3OmniMoeForConditionalGeneration"]
    _published_omni(folder, model, config)
    WhisperFeatureExtractor(feature_size=128, chunk_length=300, return_attention_mask=True).save_pretrained(folder)
    extra = {"audio_token": "<|audio_pad|>", "image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
    extra |= {"audio_bos_token": "<|audio_start|>", "audio_eos_token": "<|audio_end|>"}
    extra |= {"vision_bos_token": "<|vision_start|>", "vision_eos_token": "<|vision_end|>"}
    _words(folder, control, "<|im_end|>", "<|endoftext|>", **extra)
    template = CHATML.replace("AUDIO", "<|audio_start|><|audio_pad|><|audio_end|>")
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": template}), "utf-8")
    return folder


def gemma_fourth(folder: Path) -> Path:
    """Save a tiny Gemma 4 that also sees, with layers that share their keys and a window shorter than a clip."""
    import torch
    from transformers import Gemma4AudioFeatureExtractor, Gemma4Config, Gemma4ForConditionalGeneration

    control = (
        *("<pad>", "<eos>", "<bos>", "<|turn>", "<turn|>", "<|audio|>", "<|audio>", "<audio|>"),
        *("<|image|>", "<|image>", "<image|>", "<|video|>"),
    )
    ids = {text: WORDS + number for number, text in enumerate(control)}
    config = Gemma4Config(
        text_config={
            **_TEXT,
            "vocab_size": WORDS + len(control),
            "vocab_size_per_layer_input": WORDS + len(control),
            "hidden_size_per_layer_input": 8,
            "num_hidden_layers": 4,
            "num_kv_shared_layers": 2,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
            "head_dim": 8,
            "global_head_dim": 16,
            "sliding_window": 16,
            "pad_token_id": ids["<pad>"],
            "eos_token_id": ids["<eos>"],
            "bos_token_id": ids["<bos>"],
        },
        audio_config={
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "subsampling_conv_channels": [128, 4],  # the first is taken for the number of mel bins
            "output_proj_dims": 16,
        },
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "position_embedding_size": 64,
        },
        audio_token_id=ids["<|audio|>"],
        boa_token_id=ids["<|audio>"],
        eoa_token_index=ids["<audio|>"],
        image_token_id=ids["<|image|>"],
        boi_token_id=ids["<|image>"],
        eoi_token_id=ids["<image|>"],
        video_token_id=ids["<|video|>"],
    )
    torch.manual_seed(0)
    model = Gemma4ForConditionalGeneration(config).eval()
    _loud(model, model.model.language_model, silent=ids.values(), head=False)
    model.save_pretrained(folder)
    Gemma4AudioFeatureExtractor().save_pretrained(folder)
    _gemma_words(folder, control, ("<|turn>", "<turn|>\n"), ("<|audio|>", "<|audio>", "<audio|>"), "<|image|>")
    return folder


def gemma_third(folder: Path) -> Path:
    """Save a tiny Gemma 3n without what sees, which cannot be built without timm; a file has a tensor of it all the same."""
    import torch
    from transformers import Gemma3nAudioFeatureExtractor, Gemma3nConfig, Gemma3nVisionConfig

    from runners.dialects.gemma import third_without_eyes

    control = ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>", "<start_of_audio>", "<start_of_image>")
    ids = {text: WORDS + number for number, text in enumerate(control)}
    words = WORDS + len(control)
    pictures, sounds = 4, 4
    # Placeholders of both kinds have tables of their own behind the words, as in the original.
    placeholders = ("<image_soft_token>", "<end_of_image>", "<audio_soft_token>", "<end_of_audio>")
    seen = {placeholders[0]: words, placeholders[1]: words + 1, placeholders[2]: words + pictures, placeholders[3]: words + 5}
    config = Gemma3nConfig(
        text_config={
            **_TEXT,
            "vocab_size": words + pictures + sounds,
            "vocab_size_per_layer_input": words,
            "hidden_size_per_layer_input": 8,
            "num_hidden_layers": 4,
            "num_kv_shared_layers": 2,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
            "head_dim": 8,
            "sliding_window": 16,
            "laurel_rank": 4,
            "activation_sparsity_pattern": [0.0] * 4,
            "pad_token_id": ids["<pad>"],
            "eos_token_id": ids["<eos>"],
            "bos_token_id": ids["<bos>"],
        },
        audio_config={
            "hidden_size": 16,
            "vocab_size": sounds,
            "vocab_offset": words + pictures,
            "conf_num_attention_heads": 2,
            "conf_num_hidden_layers": 1,
            "sscp_conv_channel_size": [8, 4],
        },
        vision_config=Gemma3nVisionConfig(hidden_size=16, vocab_size=pictures, vocab_offset=words),
        audio_token_id=seen["<audio_soft_token>"],
        eoa_token_id=seen["<end_of_audio>"],
        boa_token_id=ids["<start_of_audio>"],
        image_token_id=seen["<image_soft_token>"],
        eoi_token_id=seen["<end_of_image>"],
        boi_token_id=ids["<start_of_image>"],
    )
    torch.manual_seed(0)
    model = third_without_eyes()(config).eval()
    _loud(model, model.model.language_model, silent=[*ids.values(), *range(words, words + pictures + sounds)], head=False)
    state = {**model.state_dict(), "model.vision_tower.timm_model.conv_stem.weight": torch.zeros(2)}
    model.save_pretrained(folder, state_dict={name: part.clone() for name, part in state.items() if "lm_head" not in name})
    Gemma3nAudioFeatureExtractor().save_pretrained(folder)
    filler = [f"<unused{number}>" for number in range(pictures + sounds)]
    behind = [next((name for name, place in seen.items() if place == words + at), filler[at]) for at in range(len(filler))]
    turns = ("<start_of_turn>", "<end_of_turn>\n")
    _gemma_words(
        folder,
        (*control, *behind),
        turns,
        ("<audio_soft_token>", "<start_of_audio>", "<end_of_audio>"),
        "<image_soft_token>",
    )
    return folder


def _loud(model: Any, decoder: Any, silent: Any, *, head: bool = True) -> None:
    """Random enough that answers depend on what was said; control tokens are not said by chance."""
    import torch

    with torch.no_grad():
        # Where the head is the embeddings over again, loud ones would say each token twice.
        decoder.embed_tokens.weight.normal_(0, 1 if head else 0.1)
        if head:
            model.lm_head.weight.normal_(0, 0.5)
        model.lm_head.weight[list(silent)] = 0
        for part in model.model.audio_tower.modules():
            if isinstance(part, torch.nn.Conv1d | torch.nn.Conv2d):
                part.weight.mul_(8)  # what is heard, beside the places it is heard at


def _published_omni(folder: Path, thinker: Any, config: Any) -> None:
    """Save a thinker under the names that a whole model has, with something of what speaks beside it."""
    import torch
    from safetensors.torch import save_file

    thinker.save_pretrained(folder)
    from safetensors.torch import load_file

    state = {f"thinker.{name}": part for name, part in load_file(folder / "model.safetensors").items()}
    state["talker.model.layers.0.mlp.up_proj.weight"] = torch.zeros(2, 2)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    config.save_pretrained(folder)


def _words(folder: Path, control: Sequence[str], end: str, pad: str, **settings: Any) -> None:
    """Made-up words, and the original's control tokens behind them."""
    byte_level.save(
        folder,
        [byte_level.SPACE + syllable for syllable in byte_level.SYLLABLES[: WORDS - 256]],
        control,
        tokenizer_class="PreTrainedTokenizerFast",
        eos_token=end,
        pad_token=pad,
        **settings,
        extra_special_tokens=settings,
    )


def _gemma_words(
    folder: Path, control: Sequence[str], turns: tuple[str, str], audio: tuple[str, str, str], picture: str
) -> None:
    names = {"audio_token": audio[0], "boa_token": audio[1], "eoa_token": audio[2], "image_token": picture}
    _words(folder, control, "<eos>", "<pad>", bos_token="<bos>", **names)
    template = GEMMA.replace("START", turns[0]).replace("END\n", turns[1]).replace("AUDIO", audio[0])
    (folder / "chat_template.jinja").write_text(template, "utf-8")


def _tekken(folder: Path, control: Sequence[str]) -> None:
    """The vocabulary in Mistral's form."""
    syllables = byte_level.SYLLABLES[: WORDS - 256]
    entries = [bytes([number]) for number in range(256)] + [f" {syllable}".encode() for syllable in syllables]
    held = {
        "config": {
            "pattern": r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            "num_vocab_tokens": len(entries),
            "default_vocab_size": len(entries) + len(control),
            "default_num_special_tokens": len(control),
            "version": "v13",
        },
        "vocab": [
            {"rank": rank, "token_bytes": base64.b64encode(entry).decode(), "token_str": None}
            for rank, entry in enumerate(entries)
        ],
        "special_tokens": [{"rank": rank, "token_str": text, "is_control": True} for rank, text in enumerate(control)],
    }
    (folder / "tekken.json").write_text(json.dumps(held), encoding="utf-8")


CASES: dict[str, Case] = {
    "voxtral": Case("voxtral", voxtral, package="transformers", needs_sound=True),
    "audio-flamingo": Case("audio-flamingo", audio_flamingo, package="transformers", needs_sound=True),
    "qwen2.5-omni": Case("qwen-omni", qwen_omni_second, package="transformers", needs_sound=True),
    "qwen3-omni": Case("qwen-omni", qwen_omni_third, package="transformers", needs_sound=True),
    "gemma3n": Case("gemma", gemma_third, package="transformers", needs_sound=True),
    "gemma4": Case("gemma", gemma_fourth, package="transformers", needs_sound=True),
}
