"""Language models that write down what they hear.

Parameters are counted from each model's config, as transformers builds it, and sizes are two bytes for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from runners.base import RunnerSpec
from runners.catalogue.rows.kinds import MB, TORCH_DEVICES, TORCH_QUANTISED, Heard

HEARD: Mapping[str, Heard] = MappingProxyType(
    {
        "granite-speech": Heard(
            "a Granite Speech model",
            model_types=("granite_speech",),
            formats=("safetensors",),
            layers_share=0.68,  # 40 layers of 35.7 million in 2.1 billion
            cached_numbers=40_960,  # 40 layers, keys and values, 4 heads of 128
        ),
        "qwen3-asr": Heard(
            "a Qwen3-ASR model in the form for transformers",
            model_types=("qwen3_asr",),
            formats=("safetensors",),
            layers_share=0.56,  # 28 layers of 15.7 million in 0.8 billion
            cached_numbers=57_344,  # 28 layers, keys and values, 8 heads of 128
        ),
        "voxtral-realtime": Heard(
            "a Voxtral Realtime model",
            model_types=("voxtral_realtime",),
            formats=("safetensors",),
            layers_share=0.68,  # 26 layers of 116.5 million in 4.4 billion
            cached_numbers=53_248,  # 26 layers, keys and values, 8 heads of 128
        ),
        "glm-asr": Heard(
            "a GLM-ASR model",
            model_types=("glmasr",),
            formats=("safetensors",),
            layers_share=0.63,  # 28 layers of 48.2 million in 2.1 billion
            cached_numbers=28_672,  # 28 layers, keys and values, 4 heads of 128
        ),
        "vibevoice-asr": Heard(
            "a VibeVoice-ASR model in the form for transformers",
            model_types=("vibevoice_asr",),
            formats=("safetensors",),
            layers_share=0.78,  # 28 layers of 233 million in 8.3 billion
            cached_numbers=28_672,  # 28 layers, keys and values, 4 heads of 128
        ),
        "fun-asr": Heard(
            "a Fun-ASR-Nano model in the form for transformers",
            model_types=("fun_asr_nano",),
            formats=("safetensors",),
            layers_share=0.53,  # 28 layers of 15.7 million in 0.8 billion
            cached_numbers=57_344,  # 28 layers, keys and values, 8 heads of 128
        ),
    }
)


def _llm(family: str, model: str, label: str, millions: int, license_: str) -> RunnerSpec:
    return RunnerSpec(
        family=family,
        label=label,
        target="runners.speech_llms:SpeechLlm",
        model=model,
        parameters=millions * 1_000_000,
        license=license_,
        requires=("transformers", "torch", "accelerate"),
        size_bytes=2 * millions * MB,
        stored_dtype="bfloat16",
        dtypes=TORCH_QUANTISED,
        devices=TORCH_DEVICES,
        has_segment_times=True,
        beyond="pauses",
        can_be_spread=True,
        tested="tiny checkpoint",
    )


def _granite(model: str, label: str, millions: int, languages: tuple[str, ...], *, adapter: bool = False) -> RunnerSpec:
    return replace(
        _llm("granite-speech", f"ibm-granite/{model}", label, millions, "Apache-2.0"),
        is_default=model == "granite-speech-4.1-2b",
        languages=languages,
        requires=("transformers", "torch", "accelerate", *(("peft>=0.20",) if adapter else ())),
        # Beside the weights there may be an adapter's, which is loaded with them.
        files=("*.json", "*.txt", "*.jinja", "*.safetensors"),
        translates_to=("en", "fr", "de", "es", "it", "pt", "ja", "zh"),
        takes_prompt=True,
        longest_prompt_seconds=600,
        longest_transcribed_seconds=40,
        audio_tokens_per_second=10,
    )


def _qwen3(model: str, label: str, millions: int) -> RunnerSpec:
    return replace(
        _llm("qwen3-asr", f"Qwen/{model}", label, millions, "Apache-2.0"),
        is_default=model == "Qwen3-ASR-0.6B-hf",
        languages=tuple(_QWEN3.split()),
        can_choose_language=True,
        longest_transcribed_seconds=180,
        audio_tokens_per_second=13,
    )


_QWEN3 = "en zh yue ar cs da de el es fa fi fr hi hu id it ja ko mk ms nl pl pt ro ru sv th tl tr vi"
_VIBEVOICE = (
    "en zh es pt de ja ko fr ru id sv it he nl pl no tr th ar hu ca cs da fa af hi fi et aa el ro vi bg is sl sk lt sw uk kl "
    "lv hr ne sr tl yi ms ur mn hy jv"
)
_GRANITE_3 = ("en", "fr", "de", "es", "pt")

ROWS: tuple[RunnerSpec, ...] = (
    _granite("granite-speech-4.1-2b", "Granite Speech 4.1 2B", 2107, (*_GRANITE_3, "ja")),
    _granite("granite-4.0-1b-speech", "Granite 4.0 1B Speech", 2107, (*_GRANITE_3, "ja")),
    _granite("granite-speech-3.3-2b", "Granite Speech 3.3 2B", 3026, _GRANITE_3, adapter=True),
    _granite("granite-speech-3.3-8b", "Granite Speech 3.3 8B", 8682, _GRANITE_3, adapter=True),
    _qwen3("Qwen3-ASR-0.6B-hf", "Qwen3-ASR 0.6B", 782),
    _qwen3("Qwen3-ASR-1.7B-hf", "Qwen3-ASR 1.7B", 2038),
    replace(
        _llm("voxtral-realtime", "mistralai/Voxtral-Mini-4B-Realtime-2602", "Voxtral Mini 4B Realtime", 4430, "Apache-2.0"),
        is_default=True,
        languages=("en", "ar", "de", "es", "fr", "hi", "it", "ja", "ko", "nl", "pt", "ru", "zh"),
        is_streaming=True,
        longest_transcribed_seconds=600,  # its decoder looks back 8,192 tokens of 80 ms
        audio_tokens_per_second=12.5,
    ),
    replace(
        _llm("glm-asr", "zai-org/GLM-ASR-Nano-2512", "GLM-ASR Nano", 2257, "MIT"),
        is_default=True,
        languages=("en", "zh", "yue"),
        understands_others=True,  # seventeen in all; its authors write down these, and show the others in a picture
        longest_transcribed_seconds=30,
        audio_tokens_per_second=12.5,
    ),
    replace(
        _llm("vibevoice-asr", "microsoft/VibeVoice-ASR-HF", "VibeVoice-ASR", 8330, "MIT"),
        is_default=True,
        requires=("transformers", "torch", "accelerate", "soxr"),
        languages=tuple(_VIBEVOICE.split()),
        longest_transcribed_seconds=3600,
        audio_tokens_per_second=7.5,
    ),
    replace(
        _llm("fun-asr", "FunAudioLLM/Fun-ASR-Nano-2512-hf", "Fun-ASR-Nano", 830, "Apache-2.0"),
        is_default=True,
        languages=("zh", "en", "ja"),
        can_choose_language=True,
        longest_transcribed_seconds=30,
        audio_tokens_per_second=16.7,
    ),
)
