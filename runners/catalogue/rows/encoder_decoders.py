"""Networks with an encoder and a decoder that is told the language and the task by tokens; and Kyutai's, whose decoder hears
and writes in one stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from runners.base import RunnerSpec
from runners.catalogue.rows.kinds import MB, TORCH_DEVICES, Heard
from runners.dialects.seamless_m4t import SEAMLESS_CODES

HEARD: Mapping[str, Heard] = MappingProxyType(
    {
        "canary": Heard("a Canary model for transformers", model_types=("canary",)),
        "cohere-transcribe": Heard("a Cohere Transcribe model", model_types=("cohere_asr",)),
        "moonshine-transformers": Heard("a Moonshine model for transformers", model_types=("moonshine", "moonshine_streaming")),
        "seamless-m4t": Heard("a SeamlessM4T v2 model", model_types=("seamless_m4t_v2",)),
        "kyutai-stt": Heard("a Kyutai speech-to-text model for transformers", model_types=("kyutai_speech_to_text",)),
    }
)

_TARGET = "runners.encoder_decoders:EncoderDecoder"
_CANARY = "bg hr cs da nl en et fi fr de el hu it lv lt mt pl pt ro sk sl es sv ru uk"
_COHERE = "ar de el en es fr it ja ko nl pl pt vi zh"
_CANARY_LANGUAGES = tuple(_CANARY.split())
_COHERE_LANGUAGES = tuple(_COHERE.split())


def _moonshine(model: str, label: str, millions: int, *, is_streaming: bool = False) -> RunnerSpec:
    return RunnerSpec(
        family="moonshine-transformers",
        label=label,
        target=_TARGET,
        model=f"UsefulSensors/{model}",
        is_default=model == "moonshine-tiny",
        parameters=millions * 1_000_000,
        languages=("en",),
        license="MIT",
        requires=("transformers", "torch"),
        size_bytes=4 * millions * MB,
        stored_dtype="float32",
        devices=TORCH_DEVICES,
        is_streaming=is_streaming,
        has_segment_times=True,
        longest_transcribed_seconds=20,
        beyond="pauses",
        # Of its kind: Moonshine's tiny English model as another package carries it.
        tested="real weights of its kind" if model == "moonshine-tiny" else "tiny checkpoint",
    )


ROWS: tuple[RunnerSpec, ...] = (
    RunnerSpec(
        family="canary",
        label="Canary 1B v2",
        target=_TARGET,
        model="nvidia/canary-1b-v2",
        is_default=True,
        parameters=962_000_000,
        languages=_CANARY_LANGUAGES,
        license="CC-BY-4.0",
        requires=("transformers", "torch"),
        size_bytes=3_850 * MB,
        stored_dtype="float32",
        devices=TORCH_DEVICES,
        can_choose_language=True,
        assumes_language="en",
        translates_to=_CANARY_LANGUAGES,  # from English to the others, and from them to English
        translates_from_told=True,
        has_segment_times=True,
        longest_transcribed_seconds=40,
        beyond="pauses",
        tested="tiny checkpoint",
    ),
    RunnerSpec(
        family="cohere-transcribe",
        label="Cohere Transcribe",
        target=_TARGET,
        model="CohereLabs/cohere-transcribe-03-2026",
        is_default=True,
        parameters=2_066_000_000,
        languages=_COHERE_LANGUAGES,
        license="Apache-2.0",
        requires=("transformers", "torch"),
        size_bytes=4_132 * MB,
        stored_dtype="bfloat16",
        gated=True,
        devices=TORCH_DEVICES,
        can_choose_language=True,
        assumes_language="en",
        has_segment_times=True,
        longest_transcribed_seconds=30,
        beyond="pauses",
        tested="tiny checkpoint",
    ),
    _moonshine("moonshine-tiny", "Moonshine tiny (transformers)", 27),
    _moonshine("moonshine-base", "Moonshine base (transformers)", 61),
    _moonshine("moonshine-streaming-tiny", "Moonshine streaming tiny", 34, is_streaming=True),
    _moonshine("moonshine-streaming-small", "Moonshine streaming small", 123, is_streaming=True),
    _moonshine("moonshine-streaming-medium", "Moonshine streaming medium", 245, is_streaming=True),
    RunnerSpec(
        family="seamless-m4t",
        label="SeamlessM4T v2 large",
        target=_TARGET,
        model="facebook/seamless-m4t-v2-large",
        is_default=True,
        parameters=2_309_000_000,  # of which 1.5 billion hear and write; the rest, which speaks, is fetched and not loaded
        languages=tuple(SEAMLESS_CODES),
        license="CC-BY-NC-4.0",
        requires=("transformers", "torch"),
        size_bytes=9_240 * MB,
        stored_dtype="float32",
        devices=TORCH_DEVICES,
        can_choose_language=True,
        assumes_language="en",
        translates_to=tuple(SEAMLESS_CODES),
        has_segment_times=True,
        longest_transcribed_seconds=30,
        beyond="pauses",
        tested="tiny checkpoint",
    ),
    RunnerSpec(
        family="kyutai-stt",
        label="Kyutai STT 2.6B",
        target="runners.kyutai_stt:KyutaiStt",
        model="kyutai/stt-2.6b-en-trfs",
        is_default=True,
        parameters=2_696_000_000,
        languages=("en",),
        license="CC-BY-4.0",
        requires=("transformers", "torch", "soxr"),
        size_bytes=5_600 * MB,
        stored_dtype="bfloat16",  # its codec is in float32
        devices=TORCH_DEVICES,
        is_streaming=True,
        has_word_times=True,
        has_segment_times=True,
        longest_transcribed_seconds=60,
        beyond="pauses",
        audio_tokens_per_second=12.5,
        tested="tiny checkpoint",
    ),
)
