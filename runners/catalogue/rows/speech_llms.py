"""Language models that write down what they hear."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from runners.base import RunnerSpec
from runners.catalogue.rows.kinds import Heard

HEARD: Mapping[str, Heard] = MappingProxyType(
    {
        "granite-speech": Heard("a Granite Speech model", model_types=("granite_speech",), formats=("safetensors",)),
        "qwen3-asr": Heard("a Qwen3-ASR model in the form for transformers", model_types=("qwen3_asr",)),
        "voxtral-realtime": Heard("a Voxtral Realtime model", model_types=("voxtral_realtime",)),
        "glm-asr": Heard("a GLM-ASR model", model_types=("glmasr",)),
        "vibevoice-asr": Heard("a VibeVoice-ASR model in the form for transformers", model_types=("vibevoice_asr",)),
        "fun-asr": Heard("a Fun-ASR-Nano model in the form for transformers", model_types=("fun_asr_nano",)),
    }
)

ROWS: tuple[RunnerSpec, ...] = ()
