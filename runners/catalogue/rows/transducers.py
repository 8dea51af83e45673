"""Networks that emit words as they move along the frames: RNN-T and TDT."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from runners.base import RunnerSpec
from runners.catalogue.rows.kinds import MB, TORCH_DEVICES, Heard

HEARD: Mapping[str, Heard] = MappingProxyType(
    {
        "parakeet": Heard(
            "a Parakeet transducer (TDT or RNN-T)", model_types=("parakeet_tdt", "parakeet_rnnt"), formats=("safetensors",)
        ),
        "nemotron": Heard(
            "a Nemotron transducer",
            model_types=("nemotron3_5_asr", "nemotron_asr_streaming"),
            formats=("safetensors",),
            may_choose_language=True,
        ),
    }
)

_EUROPEAN_CODES = "bg hr cs da nl en et fi fr de el hu it lv lt mt pl pt ro sk sl es sv ru uk"
_EUROPEAN = tuple(_EUROPEAN_CODES.split())
_NEMOTRON_CODES = "en es de fr it ar ja ko pt ru hi zh vi he nl cs da pl no sv th tr bg el et fi hr hu lt lv ro sk uk mt sl"
_NEMOTRON = tuple(_NEMOTRON_CODES.split())


def _transducer(
    family: str, model: str, label: str, millions: int, languages: tuple[str, ...], license_: str, *, is_default: bool = False
) -> RunnerSpec:
    return RunnerSpec(
        family=family,
        label=label,
        target="runners.transducers:Transducer",
        model=model,
        is_default=is_default,
        parameters=millions * 1_000_000,
        languages=languages,
        license=license_,
        requires=("transformers", "torch"),
        size_bytes=4 * millions * MB,
        stored_dtype="float32",
        devices=TORCH_DEVICES,
        can_choose_language=family == "nemotron" and len(languages) > 1,
        is_streaming=family == "nemotron",
        has_word_times=True,
        has_segment_times=True,
        longest_transcribed_seconds=60,
        beyond="pauses",
        tested="tiny checkpoint",
    )


ROWS: tuple[RunnerSpec, ...] = (
    _transducer(
        "parakeet", "nvidia/parakeet-tdt-0.6b-v3", "Parakeet TDT 0.6B v3", 627, _EUROPEAN, "CC-BY-4.0", is_default=True
    ),
    _transducer("parakeet", "nvidia/parakeet-rnnt-0.6b", "Parakeet RNN-T 0.6B", 617, ("en",), "CC-BY-4.0"),
    _transducer(
        "nemotron",
        "nvidia/nemotron-3.5-asr-streaming-0.6b",
        "Nemotron 3.5 ASR streaming 0.6B",
        638,
        _NEMOTRON,
        "OpenMDW-1.1",
        is_default=True,
    ),
    _transducer(
        "nemotron",
        "nvidia/nemotron-speech-streaming-en-0.6b",
        "Nemotron speech streaming 0.6B",
        618,
        ("en",),
        "LicenseRef-NVIDIA-Open-Model",
    ),
)
