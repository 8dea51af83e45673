"""Whisper, through transformers and through CTranslate2."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from runners.base import Dtype, RunnerSpec, Tested
from runners.catalogue.rows.kinds import MB, TORCH_DEVICES, Heard

HEARD: Mapping[str, Heard] = MappingProxyType(
    {
        "whisper": Heard("a Whisper model for transformers", model_types=("whisper",)),
        "faster-whisper": Heard(
            "a Whisper model, for CTranslate2 or transformers",
            model_types=("whisper",),
            formats=("ctranslate2", "safetensors", "pytorch"),
            converts=("safetensors", "pytorch"),
            converting_requires=("transformers", "torch"),
        ),
    }
)

_WHISPER_CODES = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml cy "
    "sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo "
    "uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jv su"
)
_WHISPER_LANGUAGES = tuple(_WHISPER_CODES.split())
_WHISPER_V3_LANGUAGES = (*_WHISPER_LANGUAGES, "yue")
_CT2_FILES = ("config.json", "model.bin", "tokenizer.json", "preprocessor_config.json", "vocabulary.*")


def _translates_to(model: str, languages: tuple[str, ...]) -> tuple[str, ...]:
    """Into English, except where a checkpoint knows only that, or (turbo) was trained on transcripts alone."""
    return ("en",) if len(languages) > 1 and "turbo" not in model else ()


def _tested(model: str) -> Tested:
    """A small multilingual Whisper that was trained on spoken digits is of one kind with the older models; version 3 hears 128
    bands and knows another language, and so do the models that were made from it.
    """
    return "tiny checkpoint" if "large-v3" in model else "real weights of its kind"


def _whisper(model: str, label: str, millions: int, megabytes: int, languages: tuple[str, ...], license_: str) -> RunnerSpec:
    return RunnerSpec(
        family="whisper",
        label=label,
        target="runners.whisper:Whisper",
        model=model,
        is_default=model == "openai/whisper-small",
        parameters=millions * 1_000_000,
        languages=languages,
        license=license_,
        requires=("transformers", "torch"),
        size_bytes=megabytes * MB,
        stored_dtype="float32" if megabytes > 3 * millions else "float16",
        devices=TORCH_DEVICES,
        can_choose_language=True,
        translates_to=_translates_to(model, languages),
        has_word_times=True,
        has_segment_times=True,
        longest_transcribed_seconds=30,
        beyond="windows",
        tested=_tested(model),
    )


def _faster_whisper(model: str, label: str, millions: int, megabytes: int, languages: tuple[str, ...]) -> RunnerSpec:
    dtypes: tuple[Dtype, ...] = ("int8", "float16", "int8_float16", "float32")
    return RunnerSpec(
        family="faster-whisper",
        label=label,
        target="runners.faster_whisper:FasterWhisper",
        model=model,
        is_default=model == "Systran/faster-whisper-small",
        parameters=millions * 1_000_000,
        languages=languages,
        license="MIT",
        requires=("faster-whisper",),
        size_bytes=megabytes * MB,
        stored_dtype="float16",
        files=_CT2_FILES,
        dtypes=dtypes,
        devices=("cpu", "cuda"),
        can_choose_language=True,
        translates_to=_translates_to(model, languages),
        has_word_times=True,
        has_segment_times=True,
        longest_transcribed_seconds=30,
        beyond="windows",
        tested=_tested(model),
    )


ROWS: tuple[RunnerSpec, ...] = (
    _whisper("openai/whisper-tiny", "Whisper tiny", 39, 155, _WHISPER_LANGUAGES, "Apache-2.0"),
    _whisper("openai/whisper-base", "Whisper base", 74, 295, _WHISPER_LANGUAGES, "Apache-2.0"),
    _whisper("openai/whisper-small", "Whisper small", 244, 972, _WHISPER_LANGUAGES, "Apache-2.0"),
    _whisper("openai/whisper-medium", "Whisper medium", 769, 3060, _WHISPER_LANGUAGES, "Apache-2.0"),
    _whisper("openai/whisper-large-v3", "Whisper large-v3", 1550, 3092, _WHISPER_V3_LANGUAGES, "Apache-2.0"),
    _whisper("openai/whisper-large-v3-turbo", "Whisper large-v3-turbo", 809, 1623, _WHISPER_V3_LANGUAGES, "MIT"),
    _whisper("distil-whisper/distil-large-v3.5", "Distil-Whisper large-v3.5", 756, 3030, ("en",), "MIT"),
    _faster_whisper("Systran/faster-whisper-tiny", "faster-whisper tiny", 39, 78, _WHISPER_LANGUAGES),
    _faster_whisper("Systran/faster-whisper-base", "faster-whisper base", 74, 148, _WHISPER_LANGUAGES),
    _faster_whisper("Systran/faster-whisper-small", "faster-whisper small", 244, 486, _WHISPER_LANGUAGES),
    _faster_whisper("Systran/faster-whisper-medium", "faster-whisper medium", 769, 1531, _WHISPER_LANGUAGES),
    _faster_whisper("Systran/faster-whisper-large-v3", "faster-whisper large-v3", 1550, 3091, _WHISPER_V3_LANGUAGES),
    _faster_whisper(
        "deepdml/faster-whisper-large-v3-turbo-ct2", "faster-whisper large-v3-turbo", 809, 1621, _WHISPER_V3_LANGUAGES
    ),
    _faster_whisper("Systran/faster-distil-whisper-large-v3", "faster-whisper distil-large-v3", 756, 1516, ("en",)),
)
