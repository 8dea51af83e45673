"""Tiny random checkpoints of language models that write down what they hear, built from each family's own config and saved
as the hub's are, so that tests load them through the real ``from_pretrained``. The same folder comes out every time.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests import byte_level
from tests.case import Case

WORDS = 314
"""Size of each vocabulary without control tokens: all bytes, and some made-up words."""
SYLLABLES = byte_level.SYLLABLES[: WORDS - 256]
EAGERNESS = 15.0
"""Logit that the end of an answer always has: most end after some words."""

CHAT = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
GRANITE = ("<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>", "<|audio|>")
QWEN3 = (*CHAT, "<|audio_start|>", "<|audio_end|>", "<|audio_pad|>")
GLM = ("<|endoftext|>", "<|user|>", "<|assistant|>", "<|begin_of_audio|>", "<|end_of_audio|>", "<|pad|>")
FUN = (*CHAT, "<|object_ref_start|>")
VIBEVOICE = (*CHAT, "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|image_pad|>")

GRANITE_TEMPLATE = (
    "{% for turn in messages %}<|start_of_role|>{{ turn.role }}<|end_of_role|>{{ turn.content }}<|end_of_text|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}"
)
GRANITE_TEMPLATE_WITH_THE_DAY = (
    "{% if messages[0].role != 'system' %}<|start_of_role|>system<|end_of_role|>Today is {{ strftime_now('%B %d, %Y') }}."
    "<|end_of_text|>\n{% endif %}" + GRANITE_TEMPLATE
)
_HEARD = "{% for part in turn.content if part.type == 'audio' %}"
QWEN3_TEMPLATE = (
    "<|im_start|>system\n<|im_end|>\n<|im_start|>user\n"
    "{% for turn in messages if turn.role == 'user' %}" + _HEARD + "<|audio_start|><|audio_pad|><|audio_end|>{% endfor %}"
    "{% endfor %}<|im_end|>\n"
    "{% for turn in messages if turn.role == 'assistant' %}<|im_start|>assistant\n{{ turn.content[0].text }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
GLM_TEMPLATE = (
    "{% for turn in messages %}<|user|>\n" + _HEARD + "<|begin_of_audio|><|pad|><|end_of_audio|>{% endfor %}"
    "{% for part in turn.content if part.type == 'text' %}<|user|>\n{{ part.text }}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
FUN_TEMPLATE = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% for turn in messages %}<|im_start|>user\n语音转写"
    "{% for part in turn.content if part.type == 'language' %}成{{ part.language }}{% endfor %}："
    + _HEARD
    + "<|object_ref_start|>{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
VIBEVOICE_TEMPLATE = (
    "{% for turn in messages %}<|im_start|>user\n"
    + _HEARD
    + "<|object_ref_start|><|box_start|><|object_ref_end|>\nThis is a <|AUDIO_DURATION|> seconds audio.{% endfor %}"
    "<|im_end|>\n{% endfor %}"
)


def granite_speech(folder: Path, *, adapter: bool = False, zeroed: bool = False, with_the_day: bool = False) -> Path:
    """A Granite Speech; ``adapter`` puts its weights for hearing beside it, as in the 3.3 models."""
    import torch
    from transformers import GraniteSpeechConfig, GraniteSpeechForConditionalGeneration

    ids = _tokenizer(folder, GRANITE, end="<|end_of_text|>")
    config = GraniteSpeechConfig(
        text_config={"model_type": "granite", **_decoder(ids, "<|end_of_text|>")},
        encoder_config={
            "num_layers": 2, "hidden_dim": 16, "num_heads": 2, "dim_head": 8, "feedforward_mult": 1, "context_size": 20,
            "max_pos_emb": 32, "output_dim": 8, "conv_kernel_size": 3, "input_dim": 160,
        },
        projector_config={
            "model_type": "blip_2_qformer", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 16, "encoder_hidden_size": 16, "cross_attention_frequency": 1,
        },
        audio_token_index=ids["<|audio|>"],
        has_lora_adapter=adapter,
        tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(0)
    model = _spoken(GraniteSpeechForConditionalGeneration(config), ids, "<|end_of_text|>")
    with torch.no_grad():
        model.model.projector.linear.weight.normal_(0, 1)
    if adapter:
        _adapter(model, folder, zeroed)
    model.save_pretrained(folder)
    settings = {"feature_extractor_type": "GraniteSpeechFeatureExtractor", "sampling_rate": 16_000, "feature_size": 80}
    settings |= {"projector_window_size": 15, "projector_downsample_rate": 5}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    template = GRANITE_TEMPLATE_WITH_THE_DAY if with_the_day else GRANITE_TEMPLATE
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return folder


def qwen3_asr(folder: Path) -> Path:
    import torch
    from transformers import (
        AutoTokenizer,
        Qwen3ASRConfig,
        Qwen3ASRFeatureExtractor,
        Qwen3ASRForConditionalGeneration,
        Qwen3ASRProcessor,
    )

    parts = {"audio_token": "<|audio_pad|>", "audio_bos_token": "<|audio_start|>", "audio_eos_token": "<|audio_end|>"}
    ids = _tokenizer(folder, QWEN3, more=("<asr_text>",), parts=parts)
    config = Qwen3ASRConfig(
        audio_config={
            "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 16, "d_model": 16, "output_dim": 32,
            "downsample_hidden_size": 8,
        },
        text_config={"model_type": "qwen3", "head_dim": 8, **_decoder(ids)},
        audio_token_id=ids["<|audio_pad|>"],
        eos_token_id=[ids["<|endoftext|>"], ids["<|im_end|>"]],
        pad_token_id=ids["<|im_end|>"],
        tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(0)
    model = _spoken(Qwen3ASRForConditionalGeneration(config), ids)
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    Qwen3ASRProcessor(Qwen3ASRFeatureExtractor(), tokenizer, chat_template=QWEN3_TEMPLATE).save_pretrained(folder)
    return folder


def glm_asr(folder: Path) -> Path:
    import torch
    from transformers import (
        AutoTokenizer,
        GlmAsrConfig,
        GlmAsrForConditionalGeneration,
        GlmAsrProcessor,
        WhisperFeatureExtractor,
    )

    ids = _tokenizer(folder, GLM, end="<|user|>")
    config = GlmAsrConfig(
        audio_config={
            "model_type": "glmasr_encoder", "hidden_size": 16, "intermediate_size": 64, "num_hidden_layers": 1,
            "num_attention_heads": 2,
        },
        text_config={"model_type": "llama", **_decoder(ids, "<|user|>")},
        audio_token_id=ids["<|pad|>"],
        tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(0)
    model = _spoken(GlmAsrForConditionalGeneration(config), ids, "<|user|>")
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    extractor = WhisperFeatureExtractor(feature_size=128)
    GlmAsrProcessor(extractor, tokenizer, chat_template=GLM_TEMPLATE).save_pretrained(folder)
    return folder


def fun_asr(folder: Path) -> Path:
    import torch
    from transformers import FunAsrNanoConfig, FunAsrNanoForConditionalGeneration

    ids = _tokenizer(folder, FUN)
    config = FunAsrNanoConfig(
        audio_config={
            "model_type": "fun_asr_nano_encoder", "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16,
            "num_hidden_layers": 3, "num_timestamp_prediction_layers": 1,
        },
        adaptor_config={
            "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 8, "num_hidden_layers": 1,
            "projector_hidden_size": 16,
        },
        text_config={"model_type": "qwen3", "head_dim": 8, **_decoder(ids)},
        audio_token_id=ids["<|object_ref_start|>"],
        tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(0)
    model = _spoken(FunAsrNanoForConditionalGeneration(config), ids)
    model.save_pretrained(folder)
    extractor = {"feature_extractor_type": "FunAsrNanoFeatureExtractor", "feature_size": 80, "sampling_rate": 16_000}
    extractor |= {"num_frames_lfr": 7, "stride_lfr": 6, "window": "hamming"}
    held = {"feature_extractor": extractor, "processor_class": "FunAsrNanoProcessor"}
    (folder / "processor_config.json").write_text(json.dumps(held), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(FUN_TEMPLATE, encoding="utf-8")
    return folder


def vibevoice_asr(folder: Path) -> Path:
    import torch
    from transformers import (
        AutoTokenizer,
        VibeVoiceAcousticTokenizerFeatureExtractor,
        VibeVoiceAsrConfig,
        VibeVoiceAsrForConditionalGeneration,
        VibeVoiceAsrProcessor,
    )

    ids = _tokenizer(folder, VIBEVOICE)
    encoder = {
        "model_type": "vibevoice_acoustic_tokenizer_encoder", "hidden_size": 8, "num_filters": 2, "depths": [1] * 7,
    }  # fmt: skip
    config = VibeVoiceAsrConfig(
        acoustic_tokenizer_encoder_config=encoder,
        semantic_tokenizer_encoder_config=encoder,
        text_config={"model_type": "qwen2", **_decoder(ids)},
        audio_token_id=ids["<|box_start|>"],
        audio_bos_token_id=ids["<|object_ref_start|>"],
        audio_eos_token_id=ids["<|object_ref_end|>"],
    )
    torch.manual_seed(0)
    model = _spoken(VibeVoiceAsrForConditionalGeneration(config), ids)
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    extractor = VibeVoiceAcousticTokenizerFeatureExtractor()
    VibeVoiceAsrProcessor(extractor, tokenizer, chat_template=VIBEVOICE_TEMPLATE).save_pretrained(folder)
    return folder


def voxtral_realtime(folder: Path) -> Path:
    """Writes a token for each 320 ms, where the original writes four: there is less to wait for."""
    import torch
    from transformers import (
        VoxtralRealtimeConfig,
        VoxtralRealtimeFeatureExtractor,
        VoxtralRealtimeForConditionalGeneration,
    )

    folder.mkdir(parents=True, exist_ok=True)
    special = ("<unk>", "<s>", "</s>", *(f"<SPECIAL_{number}>" for number in range(3, 8)), "[STREAMING_PAD]")
    vocabulary = [bytes([number]) for number in range(256)] + [f" {word}".encode() for word in SYLLABLES]
    held = {
        "config": {"default_num_special_tokens": 10, "default_vocab_size": 10 + len(vocabulary), "version": "v13"},
        "vocab": [
            {"rank": rank, "token_bytes": base64.b64encode(word).decode(), "token_str": word.decode("utf-8", "replace")}
            for rank, word in enumerate(vocabulary)
        ],
        "special_tokens": [{"rank": rank, "token_str": text, "is_control": True} for rank, text in enumerate(special)],
        "audio": {
            "sampling_rate": 16_000, "frame_rate": 3.125, "transcription_delay_ms": 960, "streaming_n_left_pad_tokens": 4,
            "transcription_format": "streaming",
        },
    }  # fmt: skip
    (folder / "tekken.json").write_text(json.dumps(held), encoding="utf-8")
    config = VoxtralRealtimeConfig(
        audio_config={
            "model_type": "voxtral_realtime_encoder", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "head_dim": 8, "num_mel_bins": 128,
        },
        text_config={
            "model_type": "voxtral_realtime_text", **_decoder({}, None), "vocab_size": 10 + len(vocabulary), "head_dim": 8,
            "bos_token_id": 1, "eos_token_id": 2, "sliding_window": 256,
        },
        audio_length_per_tok=32,
        downsample_factor=16,
        default_num_delay_tokens=3,
        tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(0)
    model = VoxtralRealtimeForConditionalGeneration(config).eval()
    with torch.no_grad():
        model.lm_head.weight.normal_(0, 0.5)
        model.lm_head.weight[:10] = 0
        model.model.language_model.embed_tokens.weight.normal_(0, 0.3)
        model.model.multi_modal_projector.linear_2.weight.normal_(0, 1)
    model.save_pretrained(folder)
    VoxtralRealtimeFeatureExtractor().save_pretrained(folder)
    return folder


def _decoder(ids: dict[str, int], end: str | None = "<|im_end|>") -> dict[str, Any]:
    """What the decoders' configs have in common."""
    ends = {} if end is None else {"eos_token_id": ids[end], "bos_token_id": ids[end], "pad_token_id": ids[end]}
    return {
        "vocab_size": len(ids), "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 8192, "initializer_range": 0.25, "tie_word_embeddings": False,
        **ends,
    }  # fmt: skip


def _spoken(model: Any, ids: dict[str, int], end: str = "<|im_end|>") -> Any:
    """Make a random model say words that depend on what it heard, no control tokens, and come to an end."""
    import torch

    decoder = model.model.language_model
    model.generation_config.eos_token_id = ids[end]
    model.generation_config.pad_token_id = ids[end]
    with torch.no_grad():
        model.lm_head.weight.normal_(0, 0.5)
        model.lm_head.weight[WORDS:] = 0
        decoder.embed_tokens.weight.normal_(0, 1)
        projector = getattr(model.model, "multi_modal_projector", None)
        for part in projector.modules() if projector is not None else ():
            if isinstance(part, torch.nn.Linear):
                part.weight.normal_(0, 0.5)
        # One hidden number is the same everywhere, and the logit of the end depends on it alone.
        decoder.embed_tokens.weight[:, 0] = 1
        for layer in decoder.layers:
            layer.self_attn.o_proj.weight[0] = 0
            layer.mlp.down_proj.weight[0] = 0
        model.lm_head.weight[:, 0] = 0
        model.lm_head.weight[ids[end], 0] = EAGERNESS
    return model.eval()


def _adapter(model: Any, folder: Path, zeroed: bool) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    targets = r"model\.language_model\.layers\.\d+\.self_attn\.(q|v)_proj"
    adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=targets))
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name and not zeroed:
                weight.normal_(0, 0.5)
    adapted.save_pretrained(str(folder))
    adapted.unload()


def _tokenizer(
    folder: Path, control: Sequence[str], end: str = "<|im_end|>", more: Sequence[str] = (), parts: dict[str, str] | None = None
) -> dict[str, int]:
    """Some made-up words and a family's control tokens; returns the ids of all.

    Args:
        more: tokens that are added, but not special.
        parts: names of control tokens, where the family's processor asks for them.
    """
    return byte_level.save(
        folder,
        [byte_level.SPACE + syllable for syllable in SYLLABLES],
        control,
        more,
        tokenizer_class="Qwen2TokenizerFast",
        eos_token=end,
        pad_token=control[0],
        extra_special_tokens=parts or list(control),
    )


BUILD: dict[str, Callable[[Path], Path]] = {
    "granite-speech": granite_speech,
    "qwen3-asr": qwen3_asr,
    "voxtral-realtime": voxtral_realtime,
    "glm-asr": glm_asr,
    "vibevoice-asr": vibevoice_asr,
    "fun-asr": fun_asr,
}
CASES: dict[str, Case] = {
    **{family: Case(family, build) for family, build in BUILD.items()},
    "granite-speech-adapter": Case("granite-speech", lambda folder: granite_speech(folder, adapter=True), package="peft"),
}
