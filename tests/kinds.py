"""Which kind of network each row's model is, and what the tests have of that very kind.

A row that claims to have been tried is held against this: to delete a case of ``tests.subjects`` leaves the rows of its kind
with a claim that nothing stands behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from runners.base import RunnerSpec


@dataclass(frozen=True)
class Kind:
    """A kind of network, of one shape: what is loaded and run by the same code in the same way."""

    case: str
    """The case of ``tests.subjects`` that is of this kind."""
    model_type: str | None
    """What ``config.json`` calls it in the row's checkpoint and the case's; None for a package that carries its model."""
    weights: str | None = None
    """A folder of trained weights of this kind among ``EARSHOT_TEST_WEIGHTS``, which the runner's own tests load."""


_WHISPER = Kind("whisper", "whisper", "whisper-digits")
_WHISPER_3 = Kind("whisper-v3", "whisper")
_FASTER_WHISPER = Kind("faster-whisper", "whisper", "whisper-digits")
_FASTER_WHISPER_3 = Kind("faster-whisper-v3", "whisper")
_MOONSHINE = Kind("moonshine-transformers", "moonshine")
_MOONSHINE_STREAMING = Kind("moonshine-streaming", "moonshine_streaming")
_GRANITE = Kind("granite-speech", "granite_speech")
_GRANITE_WITH_ADAPTER = Kind("granite-speech-adapter", "granite_speech")
_QWEN3_ASR = Kind("qwen3-asr", "qwen3_asr")
_VOXTRAL = Kind("voxtral", "voxtral")
_QWEN2_5_OMNI = Kind("qwen2.5-omni", "qwen2_5_omni")
_GEMMA_3N = Kind("gemma3n", "gemma3n")
_GEMMA_4 = Kind("gemma4", "gemma4")

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "moonshine": Kind("moonshine", None),
        "pocketsphinx": Kind("pocketsphinx", None),
        "openai/whisper-tiny": _WHISPER,
        "openai/whisper-base": _WHISPER,
        "openai/whisper-small": _WHISPER,
        "openai/whisper-medium": _WHISPER,
        "openai/whisper-large-v3": _WHISPER_3,
        "openai/whisper-large-v3-turbo": _WHISPER_3,
        "distil-whisper/distil-large-v3.5": _WHISPER_3,
        "Systran/faster-whisper-tiny": _FASTER_WHISPER,
        "Systran/faster-whisper-base": _FASTER_WHISPER,
        "Systran/faster-whisper-small": _FASTER_WHISPER,
        "Systran/faster-whisper-medium": _FASTER_WHISPER,
        "Systran/faster-whisper-large-v3": _FASTER_WHISPER_3,
        "deepdml/faster-whisper-large-v3-turbo-ct2": _FASTER_WHISPER_3,
        "Systran/faster-distil-whisper-large-v3": _FASTER_WHISPER_3,
        "facebook/wav2vec2-base-960h": Kind("wav2vec2", "wav2vec2", "wav2vec2-digits"),
        "facebook/hubert-large-ls960-ft": Kind("hubert", "hubert"),
        "facebook/data2vec-audio-base-960h": Kind("data2vec", "data2vec-audio"),
        "facebook/mms-1b-all": Kind("mms", "wav2vec2"),
        "nvidia/parakeet-ctc-1.1b": Kind("parakeet-ctc", "parakeet_ctc"),
        "ibm-granite/granite-speech-5.0-470m-turboctc": Kind("granite-turboctc", "granite_speech5_ctc"),
        "google/medasr": Kind("medasr", "lasr_ctc"),
        "nvidia/parakeet-tdt-0.6b-v3": Kind("parakeet-tdt", "parakeet_tdt"),
        "nvidia/parakeet-rnnt-0.6b": Kind("parakeet-rnnt", "parakeet_rnnt"),
        "nvidia/nemotron-3.5-asr-streaming-0.6b": Kind("nemotron", "nemotron3_5_asr"),
        "nvidia/nemotron-speech-streaming-en-0.6b": Kind("nemotron-streaming", "nemotron_asr_streaming"),
        "nvidia/canary-1b-v2": Kind("canary", "canary"),
        "CohereLabs/cohere-transcribe-03-2026": Kind("cohere-transcribe", "cohere_asr"),
        "UsefulSensors/moonshine-tiny": Kind("moonshine-transformers", "moonshine", "moonshine-tiny-en"),
        "UsefulSensors/moonshine-base": _MOONSHINE,
        "UsefulSensors/moonshine-streaming-tiny": _MOONSHINE_STREAMING,
        "UsefulSensors/moonshine-streaming-small": _MOONSHINE_STREAMING,
        "UsefulSensors/moonshine-streaming-medium": _MOONSHINE_STREAMING,
        "facebook/seamless-m4t-v2-large": Kind("seamless-m4t", "seamless_m4t_v2"),
        "kyutai/stt-2.6b-en-trfs": Kind("kyutai-stt", "kyutai_speech_to_text"),
        "ibm-granite/granite-speech-4.1-2b": _GRANITE,
        "ibm-granite/granite-4.0-1b-speech": _GRANITE,
        "ibm-granite/granite-speech-3.3-2b": _GRANITE_WITH_ADAPTER,
        "ibm-granite/granite-speech-3.3-8b": _GRANITE_WITH_ADAPTER,
        "Qwen/Qwen3-ASR-0.6B-hf": _QWEN3_ASR,
        "Qwen/Qwen3-ASR-1.7B-hf": _QWEN3_ASR,
        "mistralai/Voxtral-Mini-4B-Realtime-2602": Kind("voxtral-realtime", "voxtral_realtime"),
        "zai-org/GLM-ASR-Nano-2512": Kind("glm-asr", "glmasr"),
        "microsoft/VibeVoice-ASR-HF": Kind("vibevoice-asr", "vibevoice_asr"),
        "FunAudioLLM/Fun-ASR-Nano-2512-hf": Kind("fun-asr", "fun_asr_nano"),
        "microsoft/Phi-4-multimodal-instruct": Kind("phi4-multimodal", "phi4_multimodal"),
        "Qwen/Qwen2-Audio-7B-Instruct": Kind("qwen2-audio", "qwen2_audio"),
        "mistralai/Voxtral-Mini-3B-2507": _VOXTRAL,
        "mistralai/Voxtral-Small-24B-2507": _VOXTRAL,
        "Qwen/Qwen2.5-Omni-3B": _QWEN2_5_OMNI,
        "Qwen/Qwen2.5-Omni-7B": _QWEN2_5_OMNI,
        "Qwen/Qwen3-Omni-30B-A3B-Instruct": Kind("qwen3-omni", "qwen3_omni_moe"),
        "google/gemma-3n-E2B-it": _GEMMA_3N,
        "google/gemma-3n-E4B-it": _GEMMA_3N,
        "google/gemma-4-E2B-it": _GEMMA_4,
        "google/gemma-4-E4B-it": _GEMMA_4,
        "nvidia/audio-flamingo-3-hf": Kind("audio-flamingo", "audioflamingo3"),
    }
)
"""By the model's id on the hub, or the family where a package carries the model."""


def kind_of(spec: RunnerSpec) -> Kind | None:
    """The kind of network that a row's model is; None for one that is not known here."""
    return KINDS.get(spec.model or spec.family)
