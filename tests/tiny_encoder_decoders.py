"""Tiny random checkpoints of encoder-decoder networks, built from each family's own config and saved as the hub's are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.case import Case

WORDS = tuple("▁" + first + second for first in "bdfgklmnprstvz" for second in "aeiou")
CANARY_LANGUAGES = ("en", "de", "fr")
COHERE_LANGUAGES = ("en", "de", "ja")
SEAMLESS_LANGUAGES = ("eng", "deu", "fra")
_PARAKEET = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_mel_bins": 16,
    "subsampling_conv_channels": 8,
    "layerdrop": 0.0,
    "initializer_range": 0.4,
}


def canary(folder: Path) -> Path:
    import torch
    from transformers import CanaryConfig, CanaryForConditionalGeneration, ParakeetFeatureExtractor

    controls = ["<|startofcontext|>", *_controls(CANARY_LANGUAGES)]
    ids = _tokenizer(folder, controls)
    decoder = {
        "vocab_size": len(ids),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 600,
        "initializer_range": 0.4,
        **_marks(ids),
    }
    torch.manual_seed(0)
    config = CanaryConfig(
        encoder_config={"model_type": "parakeet_encoder", "scale_input": False, **_PARAKEET},
        decoder_config=decoder,
        vocab_size=len(ids),
        decoder_start_token_id=ids["<|startofcontext|>"],
        initializer_range=0.4,
        **_marks(ids),
    )
    model = CanaryForConditionalGeneration(config)
    _talk(model.proj_out, ids)
    model.save_pretrained(folder)
    ParakeetFeatureExtractor(feature_size=16).save_pretrained(folder)
    return folder


def cohere(folder: Path) -> Path:
    import torch
    from transformers import CohereAsrConfig, CohereAsrFeatureExtractor, CohereAsrForConditionalGeneration

    ids = _tokenizer(folder, ["▁", "<|startofcontext|>", *_controls(COHERE_LANGUAGES)])
    torch.manual_seed(0)
    config = CohereAsrConfig(
        encoder_config={"model_type": "parakeet_encoder", **_PARAKEET},
        vocab_size=len(ids),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=600,
        decoder_start_token_id=ids["▁"],
        initializer_range=0.4,
        **_marks(ids),
    )
    model = CohereAsrForConditionalGeneration(config)
    _talk(model.proj_out, ids)
    model.save_pretrained(folder)
    CohereAsrFeatureExtractor(feature_size=16).save_pretrained(folder)
    return folder


def moonshine(folder: Path) -> Path:
    import torch
    from transformers import MoonshineConfig, MoonshineForConditionalGeneration

    ids = _tokenizer(folder, [])
    torch.manual_seed(0)
    config = MoonshineConfig(
        vocab_size=len(ids),
        hidden_size=32,
        intermediate_size=32,
        encoder_num_hidden_layers=1,
        decoder_num_hidden_layers=2,
        encoder_num_attention_heads=2,
        decoder_num_attention_heads=2,
        max_position_embeddings=194,
        decoder_start_token_id=ids["<s>"],
        initializer_range=0.4,
        bos_token_id=ids["<s>"],
        eos_token_id=ids["</s>"],
        pad_token_id=ids["</s>"],
    )
    model = MoonshineForConditionalGeneration(config)
    model.save_pretrained(folder)
    _wav2vec2_extractor(folder, "Wav2Vec2Processor")
    return folder


def moonshine_streaming(folder: Path) -> Path:
    import torch
    from transformers import MoonshineStreamingConfig, MoonshineStreamingForConditionalGeneration

    ids = _tokenizer(folder, [])
    torch.manual_seed(0)
    config = MoonshineStreamingConfig(
        encoder_config={
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "sliding_windows": [[16, 4], [16, 0]],
        },
        vocab_size=len(ids),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=1100,  # of the encoder's frames, 50 a second, too
        decoder_start_token_id=ids["<s>"],
        initializer_range=0.4,
        bos_token_id=ids["<s>"],
        eos_token_id=ids["</s>"],
        pad_token_id=ids["<pad>"],
    )
    model = MoonshineStreamingForConditionalGeneration(config)
    model.save_pretrained(folder)
    _wav2vec2_extractor(folder, "MoonshineStreamingProcessor")
    return folder


def seamless(folder: Path) -> Path:
    import torch
    from transformers import (
        SeamlessM4TFeatureExtractor,
        SeamlessM4TTokenizer,
        SeamlessM4Tv2Config,
        SeamlessM4Tv2ForSpeechToText,
    )

    codes = [f"__{language}__" for language in SEAMLESS_LANGUAGES]
    vocabulary = ("<pad>", "<unk>", "<s>", "</s>", *WORDS)
    tokenizer = SeamlessM4TTokenizer(
        vocab={text: number for number, text in enumerate(vocabulary)},
        merges=[],
        additional_special_tokens=codes,
        src_lang="eng",
        tgt_lang="eng",
    )
    tokenizer.save_pretrained(folder)
    ids = tokenizer.get_vocab()
    torch.manual_seed(0)
    config = SeamlessM4Tv2Config(
        vocab_size=len(ids),
        hidden_size=16,
        encoder_layers=1,
        encoder_ffn_dim=16,
        encoder_attention_heads=2,
        decoder_layers=1,
        decoder_ffn_dim=16,
        decoder_attention_heads=2,
        speech_encoder_layers=1,
        speech_encoder_attention_heads=2,
        speech_encoder_intermediate_size=16,
        conv_depthwise_kernel_size=7,
        max_position_embeddings=512,
        initializer_range=0.4,
        decoder_start_token_id=3,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
    )
    model = SeamlessM4Tv2ForSpeechToText(config)
    generation = model.generation_config
    generation.text_decoder_lang_to_code_id = {code.strip("_"): ids[code] for code in codes}
    generation.max_new_tokens = 256
    generation._from_model_config = False
    model.save_pretrained(folder)
    SeamlessM4TFeatureExtractor().save_pretrained(folder)
    return folder


def kyutai(folder: Path) -> Path:
    import torch
    from transformers import (
        KyutaiSpeechToTextConfig,
        KyutaiSpeechToTextFeatureExtractor,
        KyutaiSpeechToTextForConditionalGeneration,
        MimiConfig,
    )

    # As in the original, 0 stands before a word and 3 for nothing to say.
    ids = _tokenizer(folder, [], first=("<boundary>", "<s>", "</s>", "<pad>", "<unk>"))
    torch.manual_seed(0)
    codec = MimiConfig(
        num_filters=4,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=16,
        codebook_size=32,
        codebook_dim=8,
        num_quantizers=4,
        vector_quantization_hidden_dimension=8,
        upsample_groups=16,
    )
    config = KyutaiSpeechToTextConfig(
        codec_config=codec,
        codebook_vocab_size=33,
        vocab_size=len(ids),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        ffn_dim=32,
        num_codebooks=4,
        audio_bos_token_id=32,
        audio_pad_token_id=len(ids) + 4 * 33,
        pad_token_id=ids["<pad>"],
        bos_token_id=ids["<s>"],
        initializer_range=0.4,
    )
    model = KyutaiSpeechToTextForConditionalGeneration(config)
    with torch.no_grad():
        model.lm_head.weight[ids["<s>"]] = model.lm_head.weight[ids["</s>"]] = 0
        for codebook in (
            *model.codec_model.quantizer.semantic_residual_vector_quantizer.layers,
            *model.codec_model.quantizer.acoustic_residual_vector_quantizer.layers,
        ):
            codebook.codebook.embed_sum.normal_()  # all zero as they are made: every sound would be the same
    model.save_pretrained(folder)
    KyutaiSpeechToTextFeatureExtractor(audio_delay_seconds=0.5, audio_silence_prefix_seconds=0.25).save_pretrained(folder)
    return folder


def _controls(languages: Sequence[str]) -> list[str]:
    names = ("startoftranscript", "emo:undefined", *languages, "pnc", "nopnc", "noitn", "notimestamp", "nodiarize")
    return [f"<|{name}|>" for name in names]


def _marks(ids: Mapping[str, int]) -> dict[str, int]:
    return {"pad_token_id": ids["<pad>"], "bos_token_id": ids["<s>"], "eos_token_id": ids["</s>"]}


def _tokenizer(
    folder: Path, controls: Sequence[str], first: Sequence[str] = ("<pad>", "<s>", "</s>", "<unk>")
) -> dict[str, int]:
    """Whole words as SentencePiece writes them, with the control tokens before them; returns the vocabulary."""
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE

    special = [*first, *controls]
    ids = {text: number for number, text in enumerate([*special, *WORDS])}
    backend = Tokenizer(BPE(ids, [], unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁")
    backend.decoder = decoders.Metaspace(replacement="▁")
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
    folder.mkdir(parents=True, exist_ok=True)
    backend.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return ids


def _wav2vec2_extractor(folder: Path, processor: str) -> None:
    """As the hub's Moonshine folders have it: inside the processor's file, and by itself."""
    from transformers import Wav2Vec2FeatureExtractor

    extractor = Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True)
    extractor.save_pretrained(folder)
    settings = {"feature_extractor": extractor.to_dict(), "processor_class": processor}
    (folder / "processor_config.json").write_text(json.dumps(settings), encoding="utf-8")


def _talk(head: Any, ids: Mapping[str, int]) -> None:
    """Have a random network say words, and end now and then: a text that is not empty and not endless."""
    import torch

    with torch.no_grad():
        head.bias.fill_(-30.0)
        for word in WORDS:
            head.bias[ids[word]] = 0.0
        head.bias[ids["</s>"]] = 0.5


CASES: dict[str, Case] = {
    "canary": Case("canary", canary),
    "cohere-transcribe": Case("cohere-transcribe", cohere),
    "moonshine-transformers": Case("moonshine-transformers", moonshine),
    "moonshine-streaming": Case("moonshine-transformers", moonshine_streaming),
    "seamless-m4t": Case("seamless-m4t", seamless),
    "kyutai-stt": Case("kyutai-stt", kyutai),
}
