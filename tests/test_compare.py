"""Comparisons: what events make of columns, and in which order columns stand."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

from comparisons import compare as compare_module
from comparisons.compare import Column, Comparison, Order, begin, fold, ordered, rescored
from comparisons.normalise import normaliser
from comparisons.reference import Reference
from runners.base import (
    Clip,
    Contender,
    Prompt,
    RunnerSpec,
    Segment,
    Status,
    Task,
    TranscribeOptions,
    Transcript,
    TranscriptionResult,
)
from runners.events import Event, Finished, Loading, Partial, Queued, Running


def contender(name: str) -> Contender:
    return Contender(RunnerSpec(name, name.title(), "runners.scripted:Scripted", is_default=True))


A, B, C, D = (contender(name) for name in ("alpha", "beta", "gamma", "delta"))


def clip(reference: str | None = "red green blue white", language: str | None = "en") -> Clip:
    return Clip(np.zeros(16_000, np.float32), 1.0, "clip.wav", reference=reference, language=language)


def ok(who: Contender, text: str, rtf: float = 0.5) -> Finished:
    return Finished(who, TranscriptionResult(who, "ok", Transcript(text), runs=(rtf,), rtf=rtf))


def ended(who: Contender, status: Status) -> Finished:
    return Finished(who, TranscriptionResult(who, status, error="no weights" if status == "skipped" else None))


def folded(comparison: Comparison, *events: Event) -> Comparison:
    for event in events:
        comparison = fold(comparison, event)
    return comparison


def column(comparison: Comparison, who: Contender) -> Column:
    return next(each for each in comparison.columns if each.contender == who)


def names(columns: tuple[Column, ...]) -> list[str]:
    return [each.contender.name for each in columns]


def test_a_comparison_begins_with_every_contender_queued_once() -> None:
    begun = begin(clip(), [A, B, A])
    assert [(each.contender, each.state) for each in begun.columns] == [(A, "queued"), (B, "queued")]
    assert not begun.finished
    assert begun.normaliser.name == "whisper-english"


def test_a_column_follows_its_events() -> None:
    comparison = folded(begin(clip(), [A, B]), Queued(A), Loading(A, 5, 10))
    assert (column(comparison, A).state, column(comparison, A).done_bytes, column(comparison, A).total_bytes) == (
        "loading",
        5,
        10,
    )
    comparison = fold(comparison, Loading(A))
    assert column(comparison, A).done_bytes is None
    comparison = fold(comparison, Running(A))
    assert column(comparison, A).state == "running"
    comparison = fold(comparison, Partial(A, "red green"))
    assert column(comparison, A).partial == "red green"
    comparison = fold(comparison, ok(A, "red green white"))
    done = column(comparison, A)
    assert done.state == "ok"
    assert done.partial is None
    assert done.score is not None
    assert done.score.wer == 0.25
    assert [mark.kind for mark in done.marks] == ["hit", "hit", "deletion", "hit"]
    assert column(comparison, B).state == "queued"


def test_a_state_remembers_since_when_it_lasts() -> None:
    comparison = fold(begin(clip(), [A]), Loading(A, 1, 10), at=100.0)
    comparison = fold(comparison, Loading(A, 2, 10), at=101.0)
    assert column(comparison, A).since == 100.0
    comparison = fold(comparison, Running(A), at=102.0)
    comparison = fold(comparison, Partial(A, "red"), at=103.0)
    assert column(comparison, A).since == 102.0


def test_what_comes_after_the_end_changes_nothing() -> None:
    comparison = folded(begin(clip(), [A]), ended(A, "cancelled"))
    assert folded(comparison, Partial(A, "late"), Running(A), ok(A, "late"), Running(B)) == comparison


@pytest.mark.parametrize("status", ["skipped", "cancelled"])
def test_what_did_not_run_is_never_scored(status: Status) -> None:
    comparison = folded(begin(clip(), [A]), ended(A, status))
    assert column(comparison, A).score is None
    assert column(rescored(comparison, normaliser("none")), A).score is None
    assert comparison.finished


def test_an_empty_transcript_is_scored() -> None:
    score = column(folded(begin(clip(), [A]), ok(A, "")), A).score
    assert score is not None
    assert score.wer == 1.0


def test_without_a_reference_the_transcript_is_plain() -> None:
    done = column(folded(begin(clip(reference=None), [A]), ok(A, "red green")), A)
    assert done.score is None
    assert [mark.kind for mark in done.marks] == ["plain", "plain"]


def test_nothing_jumps_while_contenders_run() -> None:
    comparison = folded(begin(clip(), [A, B, C]), ended(A, "skipped"), ok(C, "red green blue white"))
    assert names(ordered(comparison, "wer")) == ["alpha", "beta", "gamma"]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("wer", ["gamma", "alpha", "beta", "delta"]),
        ("rtf", ["alpha", "gamma", "beta", "delta"]),
        ("name", ["alpha", "gamma", "beta", "delta"]),
        ("chosen", ["alpha", "gamma", "beta", "delta"]),
    ],
)
def test_finished_columns_are_sorted_with_the_cancelled_and_skipped_last(by: Order, expected: list[str]) -> None:
    comparison = folded(
        begin(clip(), [D, A, B, C]),
        ended(D, "skipped"),
        ended(B, "cancelled"),
        ok(A, "red green", rtf=0.1),
        ok(C, "red green blue white", rtf=0.2),
    )
    assert names(ordered(comparison, by)) == expected


def test_a_rate_that_is_unknown_comes_after_those_that_are_known() -> None:
    comparison = folded(begin(clip(), [A, B]), ok(A, "red"), ok(B, "red"))
    unscored = replace(comparison.columns[0], score=None)
    comparison = replace(comparison, columns=(unscored, comparison.columns[1]))
    assert names(ordered(comparison, "wer")) == ["beta", "alpha"]


def test_the_same_texts_can_be_scored_again() -> None:
    comparison = folded(begin(clip("Hello there."), [A]), ok(A, "hello there"))
    before = column(comparison, A).score
    after = column(rescored(comparison, normaliser("none")), A).score
    assert before is not None
    assert after is not None
    assert (before.wer, before.normaliser) == (0.0, "whisper-english")
    assert (after.wer, after.normaliser) == (1.0, "none")


def test_a_reference_can_be_given_and_taken_away_later() -> None:
    comparison = folded(begin(clip(reference=None), [A]), ok(A, "hello there"))
    with_one = column(rescored(replace(comparison, reference=Reference("hello there you"))), A)
    assert with_one.score is not None
    assert with_one.score.deletions == 1
    assert rescored(replace(rescored(replace(comparison, reference=Reference("x"))), reference=None)) == comparison


def test_a_fault_in_scoring_never_costs_the_transcript(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(compare_module, "score", broken)
    done = column(folded(begin(clip(), [A]), ok(A, "red green")), A)
    assert done.state == "ok"
    assert [mark.text for mark in done.marks] == ["red", "green"]
    assert done.score is None
    assert "too deep" in (done.score_error or "")


def test_a_comparison_can_lie_in_a_session() -> None:
    comparison = folded(begin(clip(), [A, B]), ok(A, "red"), ended(B, "skipped"))
    assert copy.deepcopy(comparison) == comparison


PROMPTED = RunnerSpec(
    "prompted", "Prompted", "runners.scripted:Scripted", is_default=True, takes_prompt=True, longest_transcribed_seconds=40
)


def told(task: Task, template: str = "mine") -> Contender:
    return Contender(PROMPTED, TranscribeOptions(prompt=Prompt(template, task, "Do it.")))


def test_two_templates_of_one_system_are_two_columns_scored_apart() -> None:
    first, second = told("transcription", "verbatim"), told("transcription", "readable")
    comparison = folded(begin(clip(), [first, second]), ok(second, "red"), ok(first, "red green blue white"))
    assert names(comparison.columns) == ["prompted#verbatim", "prompted#readable"]
    assert [each.score.wer for each in comparison.columns if each.score] == [0.0, 0.75]


@pytest.mark.parametrize(
    ("task", "why"),
    [
        ("translation", "not scored: a translation"),
        ("summarization", "not scored: a summary"),
        ("question", "not scored: an answer"),
        ("chat", "not scored: an answer"),
    ],
)
def test_only_a_transcription_is_scored_whatever_becomes_of_the_reference(task: Task, why: str) -> None:
    who = told(task)
    comparison = folded(begin(clip(), [who, A]), ok(who, "red green blue white"), ok(A, "red"))
    for after in (
        comparison,
        rescored(comparison, normaliser("none")),
        rescored(replace(comparison, reference=Reference("red green blue white"))),
    ):
        assert column(after, who).score is None
        assert column(after, who).score_error is None
        assert {mark.kind for mark in column(after, who).marks} == {"plain"}
        assert column(after, A).score is not None
    assert column(comparison, who).not_scored == why
    assert column(comparison, A).not_scored is None
    assert names(ordered(comparison, "wer")) == ["alpha", "prompted#mine"]  # what has no rate comes after what has one


def test_a_translation_is_no_transcript_of_what_was_said() -> None:
    who = replace(A, options=TranscribeOptions(translate_to="en"))
    comparison = folded(begin(clip(), [who, B]), ok(who, "red green blue white"), ok(B, "red"))
    assert column(comparison, who).score is None
    assert column(comparison, who).not_scored == "not scored: a translation"
    assert {mark.kind for mark in column(comparison, who).marks} == {"plain"}
    assert comparison.pairs == ()
    assert names(ordered(comparison, "wer")) == ["beta", "alpha"]


def test_a_models_own_words_are_flagged_and_stay_in_text_and_score() -> None:
    who = told("transcription")
    text = "Sure, here is the transcription: red green blue white"
    done = column(folded(begin(clip(), [who]), ok(who, text)), who)
    assert done.oddities == ("begins with a preamble",)
    assert done.result is not None
    assert done.result.transcript is not None
    assert done.result.transcript.text == text
    assert done.score is not None
    assert done.score.insertions == 5


def test_a_system_that_takes_no_prompt_says_what_it_heard() -> None:
    assert column(folded(begin(clip(), [A]), ok(A, "I'm sorry, but I can't come.")), A).oddities == ()
    asked_nothing = Contender(PROMPTED)  # its family's own wording is a prompt too
    done = column(folded(begin(clip(), [asked_nothing]), ok(asked_nothing, "I'm sorry, but I can't come.")), asked_nothing)
    assert done.oddities == ("looks like a refusal",)


def test_where_a_clip_was_cut_can_be_seen() -> None:
    pieces = (
        Segment("red", 0.0, 30.5),
        Segment("green", 31.25, 60.0),
        Segment("blue", None, None),
        Segment("white", 91.0, 92.0),
    )
    heard = Transcript("red green blue white", segments=pieces, notes=("cut at pauses into 4 pieces",))
    who, other = told("transcription"), A
    comparison = folded(
        begin(clip(), [who, other]),
        Finished(who, TranscriptionResult(who, "ok", heard)),
        Finished(other, TranscriptionResult(other, "ok", replace(heard, notes=("heard in 3 windows",)))),
    )
    assert column(comparison, who).cuts == (31.25, 91.0)
    assert column(comparison, other).cuts == ()  # its segments are phrases, not pieces of the clip
    assert [mark.start for mark in column(comparison, who).marks] == [0.0, 31.25, None, 91.0]


def test_columns_that_have_not_finished_have_no_flags() -> None:
    who = told("summarization")
    running = column(folded(begin(clip(), [who]), Partial(who, "Sure, here is the summary:")), who)
    assert (running.oddities, running.cuts) == ((), ())
    skipped = column(folded(begin(clip(), [who]), ended(who, "skipped")), who)
    assert (skipped.oddities, skipped.cuts, skipped.score) == ((), (), None)


@pytest.mark.parametrize(
    ("texts", "unit"),
    [(("你好 世界", "你好世界"), "character"), (("hello there", "hello where"), "word"), (("", "ok"), "word")],
)
def test_without_a_reference_the_script_of_the_transcripts_says_what_is_held_against_each_other(
    texts: tuple[str, str], unit: str
) -> None:
    comparison = folded(begin(clip(reference=None, language=None), [A, B]), ok(A, texts[0]), ok(B, texts[1]))
    assert comparison.unit == unit
    assert rescored(replace(comparison, reference=Reference("hello"))).unit == "word"
