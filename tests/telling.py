"""A comparison in which whatever can tell who its systems are does."""

from __future__ import annotations

from dataclasses import replace

from comparisons.compare import Comparison, rescored
from comparisons.reference import Reference
from runners.base import Contender, Prompt, RunnerSpec, Server, TranscribeOptions, Transcript, TranscriptionResult
from runners.events import Finished
from tests.reported import LONG, compared, skipped, wrong

SPEC = RunnerSpec(
    family="zephyr",
    label="Zephyr large",
    target="runners.zephyr:Zephyr",
    model="aeolus/zephyr-large",
    revision="c0ffee0",
    license="Zephyr-Licence-1.0",
    requires=("zephyr-asr",),
    files=("zephyr.bin",),
    folders=("zephyr-lora",),
    longest_transcribed_seconds=40.0,
    takes_prompt=True,
)
PROMPTED = Contender(SPEC, TranscribeOptions(prompt=Prompt("breeze", "transcription", "You are Zephyr. Write it down.")))
SERVED = Contender(
    replace(
        SPEC, model="boreas/north", label="Boreas", revision=None, server=Server("attic", "http://attic:8000/v1", "ATTIC_KEY")
    )
)
TRANSLATES = Contender(replace(SPEC, model="notus/south", label="Notus"), TranscribeOptions(translate_to="de"))
FAILS = Contender(replace(SPEC, model="eurus/east", label="Eurus"))
BROKEN = Contender(replace(SPEC, model="caurus/west", label="Caurus"))
TELLING = (
    "zephyr", "aeolus", "c0ffee0", "breeze", "boreas", "attic", "notus", "eurus", "caurus", "/models/",
    "pip install", "cuda.so",
)  # fmt: skip
"""Whatever says who somebody is, in small letters."""


def whole() -> Comparison:
    """Every part of a comparison that names a system does."""

    def heard(who: Contender, text: str) -> Finished:
        said = Transcript(text, language="en", notes=("Zephyr heard it in 3 pieces.",))
        return Finished(who, TranscriptionResult(who, "ok", said, runs=(1.0,), rtf=0.2, device="cpu", dtype="int8"))

    failed = skipped(FAILS, error="/models/eurus is damaged.", fix="pip install zephyr-asr")
    failed = Finished(FAILS, replace(failed.result, log=("libzephyr.cuda.so: not found",)))
    comparison = compared(
        LONG, heard(PROMPTED, wrong(3)), heard(SERVED, LONG), heard(TRANSLATES, "eins zwei"), failed, heard(BROKEN, wrong(4))
    )
    comparison = replace(comparison, reference=Reference(LONG, seed=SERVED.name, seed_label=SERVED.label))
    comparison = rescored(comparison)
    columns = [
        replace(column, score=None, alignment=None, interval=None, score_error="It could not be scored: ZephyrError")
        if column.contender == BROKEN
        else column
        for column in comparison.columns
    ]
    return replace(comparison, columns=tuple(columns))
