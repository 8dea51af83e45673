"""Networks that are told what to do with a clip, and talk about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from runners.base import Dtype, RunnerSpec
from runners.catalogue.rows.kinds import MB, TORCH_DEVICES, TORCH_QUANTISED, Heard

HEARD: Mapping[str, Heard] = MappingProxyType(
    {
        "phi4-multimodal": Heard(
            "a Phi-4-multimodal model with native weights",
            model_types=("phi4_multimodal",),
            formats=("safetensors",),
            layers_share=0.62,  # 32 layers of 100.7 million in 5.2 billion
            cached_numbers=65_536,  # 32 layers, keys and values, 8 heads of 128
        ),
        "qwen2-audio": Heard(
            "a Qwen2-Audio model",
            model_types=("qwen2_audio",),
            formats=("safetensors",),
            layers_share=0.77,  # 32 layers of 202.4 million in 8.4 billion
            cached_numbers=262_144,  # 32 layers, keys and values, 32 heads of 128
        ),
        "voxtral": Heard(
            "a Voxtral model",
            model_types=("voxtral",),
            formats=("safetensors",),
            layers_share=0.69,  # 30 layers of 106.9 million in 4.7 billion
            cached_numbers=61_440,  # 30 layers, keys and values, 8 heads of 128
        ),
        "qwen-omni": Heard(
            "a Qwen2.5-Omni or Qwen3-Omni model",
            model_types=("qwen2_5_omni", "qwen3_omni_moe"),
            formats=("safetensors",),
            layers_share=0.61,  # 28 layers of 233.1 million in 10.7 billion
            cached_numbers=28_672,  # 28 layers, keys and values, 4 heads of 128
        ),
        "gemma": Heard(
            "a Gemma 3n or Gemma 4 model",
            model_types=("gemma3n", "gemma4"),
            formats=("safetensors",),
            layers_share=0.38,  # the rest is embeddings, those of each layer for each token above all
            cached_numbers=20_480,  # Gemma 3n: 20 of 30 layers keep their own, keys and values, 2 heads of 256; Gemma 4: fewer
        ),
        "audio-flamingo": Heard(
            "an Audio Flamingo 3 model",
            model_types=("audioflamingo3",),
            formats=("safetensors",),
            layers_share=0.79,  # 28 layers of 233.1 million in 8.3 billion
            cached_numbers=28_672,  # 28 layers, keys and values, 4 heads of 128
        ),
    }
)

_VOXTRAL_LANGUAGES = ("en", "es", "fr", "pt", "hi", "de", "nl", "it")
_QWEN2_5_LANGUAGES = ("en", "zh", "yue", "fr", "it", "es", "de", "ja", "ko", "ru", "pt", "ar", "id", "vi", "nl", "tr")
_QWEN3_LANGUAGES = (
    *("en", "zh", "ko", "ja", "de", "ru", "it", "fr", "es", "pt", "ms", "nl", "id", "tr", "vi", "yue", "ar", "ur"),
)
_GEMMA_LANGUAGES = ("en", "es", "fr", "it", "pt")
"""Those that Gemma 3n's authors name as its strongest from and to English; it was trained on many more."""


def _chat(
    family: str,
    model: str,
    label: str,
    millions: int,
    megabytes: int,
    license_: str,
    languages: tuple[str, ...] | None,
    *,
    is_default: bool = False,
    gated: bool = False,
    translates_to: tuple[str, ...] = (),
    longest_prompt_seconds: float,
    longest_transcribed_seconds: float,
    audio_tokens_per_second: float,
    dtypes: tuple[Dtype, ...] = TORCH_QUANTISED,
) -> RunnerSpec:
    return RunnerSpec(
        family=family,
        label=label,
        target="runners.audio_chat:AudioChat",
        model=model,
        is_default=is_default,
        parameters=millions * 1_000_000,
        languages=languages,
        license=license_,
        requires=("transformers", "torch", "accelerate"),
        size_bytes=megabytes * MB,
        stored_dtype="bfloat16",
        dtypes=dtypes,
        devices=TORCH_DEVICES,
        gated=gated,
        can_choose_language=languages is None or len(languages) > 1,
        translates_to=translates_to,
        has_segment_times=True,
        takes_prompt=True,
        can_chat=True,
        longest_prompt_seconds=longest_prompt_seconds,
        longest_transcribed_seconds=longest_transcribed_seconds,
        beyond="pauses",
        audio_tokens_per_second=audio_tokens_per_second,
        can_be_spread=True,
        tested="tiny checkpoint",
    )


def _voxtral(model: str, label: str, millions: int, megabytes: int) -> RunnerSpec:
    return _chat(
        "voxtral",
        model,
        label,
        millions,
        megabytes,
        "Apache-2.0",
        _VOXTRAL_LANGUAGES,
        is_default=model == "mistralai/Voxtral-Mini-3B-2507",
        translates_to=_VOXTRAL_LANGUAGES,
        longest_prompt_seconds=2400,
        longest_transcribed_seconds=300,
        audio_tokens_per_second=12.5,
    )


def _qwen2_5_omni(model: str, label: str, millions: int, megabytes: int, license_: str) -> RunnerSpec:
    # Parameters and sizes count what speaks, which is fetched with the rest and not loaded.
    return _chat(
        "qwen-omni",
        model,
        label,
        millions,
        megabytes,
        license_,
        _QWEN2_5_LANGUAGES,
        is_default=model == "Qwen/Qwen2.5-Omni-7B",
        translates_to=("en", "zh"),
        longest_prompt_seconds=1200,
        longest_transcribed_seconds=30,
        audio_tokens_per_second=25,
    )


def _gemma(
    model: str, label: str, millions: int, megabytes: int, license_: str, tokens_per_second: float, *, gated: bool
) -> RunnerSpec:
    return _chat(
        "gemma",
        model,
        label,
        millions,
        megabytes,
        license_,
        None,  # the cards name no list: some 35 languages in all, more or less well
        is_default=model == "google/gemma-4-E2B-it",
        gated=gated,
        translates_to=_GEMMA_LANGUAGES,
        longest_prompt_seconds=600,
        longest_transcribed_seconds=30,
        audio_tokens_per_second=tokens_per_second,
    )


ROWS: tuple[RunnerSpec, ...] = (
    replace(
        _chat(
            "phi4-multimodal",
            "microsoft/Phi-4-multimodal-instruct",
            "Phi-4-multimodal",
            5574,  # with its adapter for pictures, which is not fetched
            # In bfloat16: language model 3.836, audio encoder 0.466, vision encoder 0.442 and speech adapter 0.461 billion.
            10_430,
            "MIT",
            ("en", "zh", "de", "fr", "it", "ja", "es", "pt"),
            is_default=True,
            longest_prompt_seconds=1800,
            longest_transcribed_seconds=40,
            audio_tokens_per_second=12.5,
        ),
        target="runners.phi4_multimodal:Phi4Multimodal",
        revision="refs/pr/70",  # its main branch holds a form that runs code of its own
        requires=("transformers", "torch", "peft>=0.20", "accelerate"),  # transformers 5.23 refuses an older peft
        folders=("speech-lora",),
        can_choose_language=False,
    ),
    replace(
        _chat(
            "qwen2-audio",
            "Qwen/Qwen2-Audio-7B-Instruct",
            "Qwen2-Audio 7B",
            8397,
            16_800,
            "Apache-2.0",
            ("en", "zh", "yue", "fr", "it", "es", "de", "ja"),
            is_default=True,
            longest_prompt_seconds=240,
            longest_transcribed_seconds=30,
            audio_tokens_per_second=25,
        ),
        target="runners.qwen2_audio:Qwen2Audio",
        can_choose_language=False,
    ),
    _voxtral("mistralai/Voxtral-Mini-3B-2507", "Voxtral Mini 3B", 4676, 9352),
    _voxtral("mistralai/Voxtral-Small-24B-2507", "Voxtral Small 24B", 24_261, 48_522),
    _qwen2_5_omni("Qwen/Qwen2.5-Omni-3B", "Qwen2.5-Omni 3B", 5_540, 11_970, "LicenseRef-Qwen-Research"),
    _qwen2_5_omni("Qwen/Qwen2.5-Omni-7B", "Qwen2.5-Omni 7B", 10_732, 22_370, "Apache-2.0"),
    _chat(
        "qwen-omni",
        "Qwen/Qwen3-Omni-30B-A3B-Instruct",
        "Qwen3-Omni 30B",
        35_260,
        70_520,
        "Apache-2.0",
        _QWEN3_LANGUAGES,
        translates_to=("en", "zh", "ja", "ko", "de", "fr", "es", "it", "pt", "ru"),
        longest_prompt_seconds=2400,
        longest_transcribed_seconds=30,
        audio_tokens_per_second=13,
        dtypes=("float32", "bfloat16", "float16"),  # its experts are no matrices of the kind that bitsandbytes rounds
    ),
    _gemma("google/gemma-3n-E2B-it", "Gemma 3n E2B", 5439, 10_880, "LicenseRef-Gemma", 6.25, gated=True),
    _gemma("google/gemma-3n-E4B-it", "Gemma 3n E4B", 7850, 15_700, "LicenseRef-Gemma", 6.25, gated=True),
    _gemma("google/gemma-4-E2B-it", "Gemma 4 E2B", 5100, 10_250, "Apache-2.0", 25, gated=False),
    _gemma("google/gemma-4-E4B-it", "Gemma 4 E4B", 7941, 15_990, "Apache-2.0", 25, gated=False),
    _chat(
        "audio-flamingo",
        "nvidia/audio-flamingo-3-hf",
        "Audio Flamingo 3",
        8_267,
        16_540,
        "LicenseRef-NVIDIA-OneWay-Noncommercial",
        ("en",),
        is_default=True,
        longest_prompt_seconds=600,
        longest_transcribed_seconds=30,
        audio_tokens_per_second=25,
    ),
)
