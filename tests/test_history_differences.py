"""Two comparisons over the same clip: what changed, by one yardstick."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from comparisons.compare import Comparison, rescored
from comparisons.history.differences import Changed, SystemChange, beside, differences
from comparisons.made_with import MadeWith
from comparisons.normalise import normaliser
from comparisons.reading import from_dict
from comparisons.records import to_dict
from comparisons.sides.side_by_side import side_by_side
from runners.base import Contender, Prompt, RunnerSpec
from tests.keeping import ALPHA, BETA, clip, compared, edited, heard

REVISED = replace(BETA, spec=replace(BETA.spec, revision="v2"))
PROMPTED = replace(BETA, options=replace(BETA.options, prompt=Prompt("long", "transcription", "Write all of it down.")))
GAMMA = Contender(RunnerSpec("gamma", "Gamma", "runners.scripted:Scripted", is_default=True))


def one(before: Comparison, after: Comparison) -> SystemChange:
    (system,) = differences(before, after).systems
    return system


def test_the_same_twice_has_not_changed() -> None:
    comparison = compared(clip(), heard(ALPHA, "hello world"), heard(BETA, "yellow word"))
    found = differences(comparison, from_dict(to_dict(comparison)).comparison)
    assert found.changes == ()
    assert [(system.label, system.changes, system.words) for system in found.systems] == [
        ("Alpha", (), 0),
        ("Beta #short", (), 0),
    ]
    assert found.systems[1].rates == (("WER", 1.0, 1.0),)


def test_another_revision_is_a_change_of_one_system() -> None:
    system = one(compared(clip(), heard(BETA, "yellow world")), compared(clip(), heard(REVISED, "hello world")))
    assert system.changes == (Changed("revision", "main", "v2"),)
    assert system.words == 1
    assert system.rates == (("WER", 0.5, 0.0),)


def test_another_prompt_is_a_change_of_one_system() -> None:
    system = one(compared(clip(), heard(BETA, "hello")), compared(clip(), heard(PROMPTED, "hello world")))
    assert system.changes == (
        Changed("prompt template", "short", "long"),
        Changed("prompt", "Write it down.", "Write all of it down."),
    )


def test_where_it_is_not_clear_which_is_which_one_is_gone_and_another_has_come() -> None:
    before = compared(clip(), heard(BETA, "hello"), heard(ALPHA, "hello"))
    after = compared(clip(), heard(PROMPTED, "hello"), heard(REVISED, "hello"), heard(GAMMA, "hello"))
    found = [
        (system.before is not None, system.after is not None, system.label) for system in differences(before, after).systems
    ]
    assert found == [
        (False, True, "Beta #long"),
        (False, True, "Beta #short"),
        (False, True, "Gamma"),
        (True, False, "Beta #short"),
        (True, False, "Alpha"),
    ]


def test_both_are_measured_by_the_later_yardstick() -> None:
    before = compared(clip(), heard(ALPHA, "Hello world"))
    after = rescored(edited(compared(clip(), heard(ALPHA, "Hello, wide world!")), "Hello, wide world!"), normaliser("none"))
    found = differences(before, after)
    assert [change.what for change in found.changes] == ["reference", "normaliser"]
    assert found.changes[0] == Changed("reference", "Hello, world!", "Hello, wide world!")
    assert found.systems[0].rates == (("WER", 1.0, 0.0),)


def test_other_versions_and_machines_are_told() -> None:
    made = MadeWith(datetime(2026, 8, 1, tzinfo=UTC), "0.1", "3.11", "Linux", "1 core", (("torch", "2.1"), ("old", "1")))
    now = replace(made, machine="8 cores", packages=(("torch", "2.2"), ("new", "1")))
    before, after = (replace(compared(clip()), made_with=(each,)) for each in (made, now))
    assert differences(before, after).changes == (
        Changed("machine", "1 core", "8 cores"),
        Changed("torch", "2.1", "2.2"),
        Changed("old", "1", None),
        Changed("new", None, "1"),
    )
    assert differences(compared(clip()), after).changes == ()  # nothing is known of the first


def test_a_system_that_could_not_run_before_has_no_words_to_differ_in() -> None:
    system = differences(compared(clip()), compared(clip(), heard(ALPHA, "hello world"), heard(BETA, "hello"))).systems[1]
    assert (system.words, system.rates) == (None, ())
    assert Changed("state", "skipped", "ok") in system.changes


def test_both_stand_side_by_side_with_every_word() -> None:
    before = compared(clip(), heard(BETA, "hello word", timed=True))
    after = compared(clip(), heard(PROMPTED, "hello world", timed=True), heard(ALPHA, "hello world"))
    both = beside(before, after)
    assert [column.contender.label for column in both.columns] == ["Beta, before #short", "Beta, after #long", "Alpha, after"]
    assert len({column.contender.name for column in both.columns}) == 3
    assert [column.score.wer for column in both.columns if column.score] == [pytest.approx(0.5), 0.0, 0.0]
    assert [side.label for side in side_by_side(both).sides] == [column.contender.label for column in both.columns]
