"""Networks that name a letter for each frame (CTC)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from runners.base import Dtype, RunnerSpec, Tested
from runners.catalogue.rows.kinds import MB, TORCH_DEVICES, Heard
from runners.dialects.mms import MMS_CODES, adapter_file

HEARD: Mapping[str, Heard] = MappingProxyType(
    {
        "ctc": Heard("a model with a CTC head (…ForCTC)", architecture_ending="ForCTC", may_choose_language=True),
    }
)

_MMS_LANGUAGES = (
    *("en", "ar", "bg", "ca", "cs", "da", "de", "el", "es", "fa", "fi", "fr", "he", "hi", "hu", "id", "it", "ja", "ko", "nl"),
    *("no", "pl", "pt", "ro", "ru", "sv", "sw", "ta", "th", "tr", "uk", "ur", "vi", "zh"),
)
"""Of its more than a thousand: those whose adapters are fetched with it. A folder that has others can be told those too."""
_ADAPTERS_MEGABYTES = 350
"""9 MB each; more where the vocabulary is large."""


def _ctc(
    model: str,
    label: str,
    millions: int,
    megabytes: int,
    license_: str,
    *,
    tested: Tested = "tiny checkpoint",
    gated: bool = False,
    stored_dtype: Dtype = "float32",
) -> RunnerSpec:
    return RunnerSpec(
        family="ctc",
        label=label,
        target="runners.ctc:Ctc",
        model=model,
        is_default=model == "facebook/wav2vec2-base-960h",
        parameters=millions * 1_000_000,
        languages=("en",),
        license=license_,
        requires=("transformers", "torch"),
        size_bytes=megabytes * MB,
        stored_dtype=stored_dtype,
        devices=TORCH_DEVICES,
        gated=gated,
        has_word_times=True,
        longest_transcribed_seconds=30,
        beyond="chunks",
        tested=tested,
    )


ROWS: tuple[RunnerSpec, ...] = (
    # Of its kind: a small wav2vec 2.0 that was trained on spoken digits.
    _ctc("facebook/wav2vec2-base-960h", "wav2vec 2.0 base", 94, 378, "Apache-2.0", tested="real weights of its kind"),
    _ctc("facebook/hubert-large-ls960-ft", "HuBERT large", 316, 1263, "Apache-2.0"),
    _ctc("facebook/data2vec-audio-base-960h", "data2vec audio base", 93, 373, "Apache-2.0"),
    replace(
        _ctc("facebook/mms-1b-all", "MMS 1B", 965, 3860 + _ADAPTERS_MEGABYTES, "CC-BY-NC-4.0"),
        languages=_MMS_LANGUAGES,
        can_choose_language=True,
        assumes_language="en",
        files=("*.json", "*.txt", "model.safetensors", *(adapter_file(MMS_CODES[code]) for code in _MMS_LANGUAGES)),
    ),
    _ctc("nvidia/parakeet-ctc-1.1b", "Parakeet CTC 1.1B", 1063, 4252, "CC-BY-4.0"),
    _ctc(
        "ibm-granite/granite-speech-5.0-470m-turboctc",
        "Granite Speech 5.0 TurboCTC",
        470,
        940,
        "Apache-2.0",
        stored_dtype="bfloat16",
    ),
    _ctc("google/medasr", "MedASR (medical dictation)", 105, 421, "LicenseRef-Health-AI-Developer-Foundations", gated=True),
)
