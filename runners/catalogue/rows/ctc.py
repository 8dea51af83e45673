"""Networks that name a letter for each frame (CTC)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from runners.base import RunnerSpec
from runners.catalogue.rows.kinds import MB, TORCH_DEVICES, Heard

HEARD: Mapping[str, Heard] = MappingProxyType(
    {
        "ctc": Heard("a model with a CTC head (…ForCTC)", architecture_ending="ForCTC", may_choose_language=True),
    }
)


def _ctc(model: str, label: str, millions: int, megabytes: int, license_: str) -> RunnerSpec:
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
        devices=TORCH_DEVICES,
        has_word_times=True,
    )


ROWS: tuple[RunnerSpec, ...] = (
    _ctc("facebook/wav2vec2-base-960h", "wav2vec 2.0 base", 94, 378, "Apache-2.0"),
    _ctc("facebook/hubert-large-ls960-ft", "HuBERT large", 316, 1263, "Apache-2.0"),
    _ctc("facebook/data2vec-audio-base-960h", "data2vec audio base", 93, 373, "Apache-2.0"),
    # Its adapters for other languages, 9 MB each, are not fetched; a folder that has them can be told the language.
    _ctc("facebook/mms-1b-all", "MMS 1B (its English adapter)", 965, 3860, "CC-BY-NC-4.0"),
)
