"""A comparison without the names of its systems: nothing that is made of it says one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from comparisons import report
from comparisons.anonymous import anonymous
from comparisons.compare import Comparison, fold, rescored
from comparisons.reference import Reference
from comparisons.remarks import said
from runners.base import Contender, Prompt, RunnerSpec, Server, TranscribeOptions, Transcript, TranscriptionResult
from runners.events import Finished
from tests.reported import LONG, compared, long_clip, skipped, wrong

SECRET = "what nobody knows"

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


def texts(value: Any) -> Iterator[str]:
    """Every text in plain data, however deep."""
    if isinstance(value, str):
        yield value
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from texts(getattr(value, field.name))
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from texts(key)
            yield from texts(each)
    elif isinstance(value, tuple | list | frozenset):
        for each in value:
            yield from texts(each)


def test_the_comparison_it_is_tried_on_tells_everything() -> None:
    told = " ".join(texts(whole())).lower()
    for word in TELLING:
        assert word in told, word
    assert any("zephyr" in sentence.lower() or "boreas" in sentence.lower() for sentence in said(whole()))


def test_no_part_of_it_names_a_system() -> None:
    told = " ".join(texts(anonymous(whole(), SECRET))).lower()
    for word in TELLING:
        assert word not in told, word


@pytest.mark.parametrize("form", ["html", "json", "csv", "table"])
def test_nothing_that_is_made_of_it_names_a_system(form: str) -> None:
    bare = anonymous(whole(), SECRET)
    made = {
        "html": report.to_html,
        "json": lambda each: json.dumps(report.to_dict(each)),
        "csv": report.to_csv,
        "table": report.to_table,
    }[form](bare)
    for word in TELLING:
        assert word not in made.lower(), word
    for letter in "ABCDE":
        assert f"System {letter}" in made or f"system-{letter.lower()}" in made
    assert "could not run" in made


def test_what_was_measured_is_the_same() -> None:
    comparison = whole()
    bare = anonymous(comparison, SECRET)
    assert sorted(column.state for column in bare.columns) == sorted(column.state for column in comparison.columns)

    def measured(each: Comparison) -> list[Any]:
        return sorted(
            repr((column.score, column.interval, column.marks, column.result.rtf if column.result else None))
            for column in each.columns
        )

    assert measured(bare) == measured(comparison)
    assert {column.contender.is_scored for column in bare.columns} == {True, False}
    assert bare.reference is not None
    assert (bare.reference.seed_label or "").startswith("System ")


def test_pairs_and_sentences_speak_of_letters() -> None:
    bare = anonymous(long_clip(), SECRET)
    names = {column.contender.name for column in bare.columns}
    assert bare.pairs
    for pair in bare.pairs:
        assert {pair.first, pair.second} <= names
    sentences = " ".join(said(bare))
    assert "System" in sentences
    for label in ("Moonshine", "PocketSphinx", "Whisper"):
        assert label not in sentences


def test_letters_stay_and_say_nothing_of_the_order_in_which_systems_were_chosen() -> None:
    comparison = long_clip()
    assert anonymous(comparison, SECRET) == anonymous(comparison, SECRET)
    turned = replace(comparison, columns=comparison.columns[::-1])
    assert anonymous(turned, SECRET).columns == anonymous(comparison, SECRET).columns
    firsts = {anonymous(comparison, f"secret {number}").columns[0].result for number in range(40)}
    assert len(firsts) == len(comparison.columns)
    assert [column.contender.label for column in anonymous(comparison, SECRET).columns] == [
        "System A", "System B", "System C", "System D",
    ]  # fmt: skip


def test_more_systems_than_letters() -> None:
    many = [Contender(RunnerSpec(f"f{number}", f"F {number}", "", is_default=True)) for number in range(30)]
    comparison = compared("red", *(skipped(each) for each in many))
    labels = [column.contender.label for column in anonymous(comparison, SECRET).columns]
    assert labels[25:28] == ["System Z", "System AA", "System AB"]
    assert len(set(labels)) == 30


def test_a_reference_from_elsewhere_names_nobody_and_the_majoritys_is_nobodys() -> None:
    comparison = long_clip()
    elsewhere = replace(comparison, reference=Reference("red", seed="zephyr:aeolus/zephyr", seed_label="Zephyr"))
    seeded = anonymous(elsewhere, SECRET).reference
    assert seeded is not None
    assert seeded.label == "reference seeded by a system"
    majority = anonymous(replace(comparison, reference=Reference("red", seed="majority", seed_label="the majority")), SECRET)
    assert majority.reference is not None
    assert majority.reference.label == "reference seeded by the majority"


def test_what_runs_still_can_be_had_without_names() -> None:
    running = compared("red", skipped(FAILS))
    running = replace(running, columns=(replace(running.columns[0], state="running", result=None, partial="I am Zephyr"),))
    assert "zephyr" not in " ".join(texts(anonymous(running, SECRET))).lower()
    assert fold(running, skipped(FAILS)).finished
