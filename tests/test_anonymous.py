"""A comparison without the names of its systems: nothing that is made of it says one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from comparisons import report
from comparisons.anonymous import anonymous
from comparisons.compare import Comparison, fold
from comparisons.reference import Reference
from comparisons.remarks import said
from runners.base import Contender, RunnerSpec
from tests.reported import compared, long_clip, skipped
from tests.telling import FAILS, TELLING, whole

SECRET = "what nobody knows"


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
