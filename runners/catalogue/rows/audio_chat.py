"""Networks that are told what to do with a clip, and talk about it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from runners.base import RunnerSpec
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
    }
)

ROWS: tuple[RunnerSpec, ...] = (
    RunnerSpec(
        family="phi4-multimodal",
        label="Phi-4-multimodal",
        target="runners.phi4_multimodal:Phi4Multimodal",
        model="microsoft/Phi-4-multimodal-instruct",
        revision="refs/pr/70",  # its main branch holds a form that runs code of its own
        is_default=True,
        parameters=5_574_000_000,  # with its adapter for pictures, which is not fetched
        languages=("en", "zh", "de", "fr", "it", "ja", "es", "pt"),
        license="MIT",
        requires=("transformers", "torch", "peft>=0.20", "accelerate"),  # transformers 5.23 refuses an older peft
        # In bfloat16: language model 3.836, audio encoder 0.466, vision encoder 0.442 and speech adapter 0.461 billion.
        size_bytes=10_430 * MB,
        dtypes=TORCH_QUANTISED,
        devices=TORCH_DEVICES,
        has_segment_times=True,
        takes_prompt=True,
        can_chat=True,
        longest_prompt_seconds=1800,
        longest_transcribed_seconds=40,
        audio_tokens_per_second=12.5,
        folders=("speech-lora",),
        can_be_spread=True,
    ),
    RunnerSpec(
        family="qwen2-audio",
        label="Qwen2-Audio 7B",
        target="runners.qwen2_audio:Qwen2Audio",
        model="Qwen/Qwen2-Audio-7B-Instruct",
        is_default=True,
        parameters=8_397_000_000,
        languages=("en", "zh", "yue", "fr", "it", "es", "de", "ja"),
        license="Apache-2.0",
        requires=("transformers", "torch", "accelerate"),
        size_bytes=16_800 * MB,
        dtypes=TORCH_QUANTISED,
        devices=TORCH_DEVICES,
        has_segment_times=True,
        takes_prompt=True,
        can_chat=True,
        longest_prompt_seconds=240,
        longest_transcribed_seconds=30,
        audio_tokens_per_second=25,
        can_be_spread=True,
    ),
)
