"""A comparison's JSON is read as it was written, or refused in plain words."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comparisons.compare import Comparison, begin, fold, ordered, rescored
from comparisons.made_with import MadeWith
from comparisons.normalise import normaliser
from comparisons.reading import MOST_BYTES, NotAComparison, from_dict, from_json, read, schema
from comparisons.records import to_dict
from comparisons.reference import Reference
from comparisons.report import to_html
from runners.base import (
    Clip,
    Contender,
    Prompt,
    RunnerSpec,
    Segment,
    Server,
    TranscribeOptions,
    Transcript,
    TranscriptionResult,
    Word,
)
from runners.events import Finished
from tests.keeping import ALPHA, clip, compared, heard

TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            "hello there, world",
            "Hello, twenty-five worlds don't colour.",
            "昨日は東京に行きました",
            "안녕하세요 여러분",
            "नमस्ते दुनिया",
            "<b>&amp;</b>",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)
CHECKER = jsonschema.Draft202012Validator(schema())
NAMES = st.text(st.sampled_from("abé#<@:+ 漢"), min_size=1, max_size=8)
TIMES = st.none() | st.floats(0, 60)


def words(draw: st.DrawFn, text: str) -> tuple[Word, ...]:
    return tuple(Word(word, draw(TIMES), draw(TIMES), draw(st.none() | st.floats(0, 1))) for word in text.split())


@st.composite
def contenders(draw: st.DrawFn, family: str) -> Contender:
    spec = RunnerSpec(
        family,
        draw(NAMES),
        "runners.scripted:Scripted",
        model=draw(st.none() | NAMES),
        revision=draw(st.none() | NAMES),
        is_default=draw(st.booleans()),
        parameters=draw(st.none() | st.integers(0, 10**12)),
        languages=draw(st.none() | st.just(("en", "de")) | st.just(())),
        license=draw(st.none() | NAMES),
        takes_prompt=draw(st.booleans()),
        can_chat=draw(st.booleans()),
        longest_transcribed_seconds=draw(st.none() | st.floats(1, 60)),
        asked_dtype=draw(st.sampled_from([None, "float32", "int8"])),
        asked_device=draw(st.sampled_from([None, "cpu"])),
        server=draw(st.none() | st.just(Server("lab", "http://inside:1/v1", "SECRET_KEY"))),
    )
    prompt = draw(
        st.none()
        | st.builds(Prompt, st.none() | NAMES, st.sampled_from(["transcription", "translation", "summarization"]), TEXTS)
    )
    options = TranscribeOptions(draw(st.sampled_from([None, "en"])), draw(st.booleans()), prompt)
    return Contender(
        spec, options if prompt is not None else replace(options, translate_to=draw(st.sampled_from([None, "en"])))
    )


@st.composite
def results(draw: st.DrawFn, who: Contender) -> TranscriptionResult:
    status = draw(st.sampled_from(["ok", "ok", "ok", "skipped", "cancelled"]))
    if status == "cancelled":
        return TranscriptionResult(who, "cancelled", stage=draw(st.sampled_from([None, "load", "transcribe"])))
    if status == "skipped":
        return TranscriptionResult(
            who,
            "skipped",
            error=draw(NAMES),
            fix=draw(st.none() | NAMES),
            log=tuple(draw(st.lists(TEXTS, max_size=2))),
            stage=draw(st.sampled_from(["availability", "load", "transcribe"])),
        )
    text = draw(TEXTS)
    segments = tuple(Segment(part, draw(TIMES), draw(TIMES)) for part in draw(st.lists(TEXTS, max_size=2)))
    return TranscriptionResult(
        who,
        "ok",
        Transcript(
            text, words(draw, text), segments, draw(st.none() | st.just("en")), tuple(draw(st.lists(NAMES, max_size=2)))
        ),
        load_seconds=draw(st.none() | st.floats(0, 9)),
        runs=tuple(draw(st.lists(st.floats(0.001, 9), max_size=3))),
        rtf=draw(st.none() | st.floats(0.001, 9) | st.just(math.nan)),
        peak_memory=draw(st.none() | st.integers(0, 10**12)),
        device=draw(st.sampled_from([None, "cpu", "cuda"])),
        dtype=draw(st.sampled_from([None, "float32"])),
    )


@st.composite
def references(draw: st.DrawFn) -> Reference | None:
    text = draw(st.none() | TEXTS)
    if text is None:
        return None
    segments = tuple(Segment(part, draw(TIMES), draw(TIMES)) for part in text.split())
    reference = (
        Reference.seeded(text, "majority", "the majority", segments) if draw(st.booleans()) else Reference(text, segments)
    )
    return reference.edited(draw(TEXTS)) if draw(st.booleans()) else reference


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    who = [draw(contenders(family)) for family in draw(st.lists(st.sampled_from("abcd"), max_size=3, unique=True))]
    sound = Clip(
        np.zeros(1600, np.float32),
        draw(st.floats(0.1, 4000)),
        draw(TEXTS),
        language=draw(st.sampled_from([None, "en", "zh", "ko"])),
        warnings=tuple(draw(st.lists(TEXTS, max_size=1))),
    )
    made = MadeWith(datetime(2026, 8, 1, tzinfo=UTC), "0.1", "3.11", "Linux", "1 core", (("torch", "2"),), tuple("ab"))
    comparison = begin(
        sound,
        who,
        draw(st.none() | st.sampled_from(["basic", "none", "whisper-basic"]).map(normaliser)),
        metric=draw(st.sampled_from([None, "wer", "cer", "both"])),
        reference=draw(references()),
        key_terms=draw(st.lists(TEXTS, max_size=2)),
        made_with=draw(st.none() | st.just(made)),
    )
    for each in who:
        comparison = fold(comparison, Finished(each, draw(results(each))))
    return comparison


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(comparisons())
def test_what_is_written_is_read_and_written_the_same(comparison: Comparison) -> None:
    document = to_dict(comparison)
    opened = from_dict(document)
    assert to_dict(opened.comparison) == document
    CHECKER.validate(document)
    assert opened.remarks == ()
    again = read(json.dumps(document, indent=1).encode())
    assert again == opened
    for before, after in zip(ordered(comparison), ordered(opened.comparison), strict=True):
        assert (after.contender.name, after.contender.label) == (before.contender.name, before.contender.label)
        assert after.marks == before.marks
        assert (after.cuts, after.oddities, after.not_scored) == (before.cuts, before.oddities, before.not_scored)


def test_the_schema_refuses_what_is_not_read() -> None:
    for change in (put("version", value=2), put("clip", "seconds", value="long"), put("results", value=None)):
        document = to_dict(compared(clip()))
        change(document)
        assert not CHECKER.is_valid(document)


def test_what_is_opened_is_drawn_like_what_was_written() -> None:
    comparison = compared(clip())
    assert to_html(from_dict(to_dict(comparison)).comparison) == to_html(comparison)


def test_no_address_and_no_key_is_written_and_nothing_that_was_read_can_run() -> None:
    server = Server("lab", "http://inside:1/v1", "SECRET_KEY")
    served = Contender(RunnerSpec("openai", "Lab", "runners.served:Served", model="m", server=server))
    text = json.dumps(to_dict(compared(clip(), heard(served, "hello"))))
    assert "inside" not in text
    assert "SECRET_KEY" not in text
    (column,) = from_json(text).comparison.columns
    assert column.contender.name == "openai:m@lab"
    module = column.contender.spec.target.partition(":")[0]
    with pytest.raises(ImportError):
        __import__(module)


def test_what_scores_otherwise_now_says_what_it_was() -> None:
    comparison = compared(clip(), heard(ALPHA, "hello word"))
    document = to_dict(comparison)
    document["normaliser"]["version"] = "0.0.1"
    document["results"][0]["wer"] = 0.25
    opened = from_dict(document)
    now = opened.comparison.normaliser
    assert opened.remarks == (
        f"It was scored with whisper-english 0.0.1; here it is scored with {now.label}.",
        "Alpha: its WER was 25.0 % and is 50.0 %.",
    )
    assert opened.comparison.columns[0].score == comparison.columns[0].score
    document["normaliser"]["name"] = "of-theirs"
    opened = from_dict(document)
    assert opened.remarks[0].startswith("It was scored with a normaliser 'of-theirs', which is not known here")
    assert opened.comparison.normaliser.name == "whisper-english"


def test_what_had_not_finished_counts_as_cancelled() -> None:
    opened = from_dict(to_dict(begin(clip(), [ALPHA])))
    assert [column.state for column in opened.comparison.columns] == ["cancelled"]
    assert opened.comparison.finished
    assert opened.remarks == ("Alpha had not finished when this was written, so it counts as cancelled.",)


def test_it_can_be_scored_again_under_another_normaliser() -> None:
    comparison = compared(clip(), heard(ALPHA, "hello word"))
    opened = from_dict(to_dict(comparison)).comparison
    assert to_dict(rescored(opened, normaliser("none"))) == to_dict(rescored(comparison, normaliser("none")))


def put(*path: str | int, value: Any) -> Callable[[dict[str, Any]], object]:
    """Something else at one place of a document."""

    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (put("schema", value="theirs"), "not a comparison that Earshot wrote"),
        (put("schema", value=None), "not a comparison that Earshot wrote"),
        (put("version", value=0), "not a comparison that Earshot wrote"),
        (put("version", value="1"), "not a comparison that Earshot wrote"),
        (put("version", value=2), "newer Earshot wrote this comparison .*update Earshot"),
        (lambda document: document.pop("clip"), "damaged or was changed by hand, at 'clip'"),
        (lambda document: document.pop("silences"), "at 'silences'"),
        (lambda document: document["results"][0].pop("words"), "at 'results, 1, words'"),
        (put("clip", value=[]), "at 'clip'"),
        (put("clip", "seconds", value=-1), "at 'clip, seconds'"),
        (put("clip", "seconds", value=True), "at 'clip, seconds'"),
        (put("clip", "seconds", value=math.inf), "at 'clip, seconds'"),
        (put("clip", "seconds", value=math.nan), "at 'clip, seconds'"),
        (put("clip", "source", value=7), "at 'clip, source'"),
        (put("results", value={}), "at 'results'"),
        (put("results", 0, value=None), "at 'results, 1'"),
        (put("results", 0, "status", value="fine"), "at 'results, 1, status'"),
        (put("results", 0, "transcript", value=None), "ok exactly if it has a transcript"),
        (put("results", 1, "error", value=None), "a skipped one says why"),
        (put("results", 0, "words", 0, value="word"), "at 'results, 1, words, 1'"),
        (put("results", 0, "words", 0, "start", value="0"), "at 'results, 1, words, 1, start'"),
        (put("results", 0, "words", 0, "start", value=-1.0), "impossible times"),
        (put("results", 0, "words", 0, "end", value=1e300), "impossible times"),
        (put("results", 0, "runs", value=[10**400]), "at 'results, 1, runs, 1'"),
        (put("results", 0, "system", "label", value=None), "at 'results, 1, system, label'"),
        (put("results", 0, "system", "asked_dtype", value="float1"), "at 'results, 1, system, asked_dtype'"),
        (put("results", 0, "device", value="/dev/sda"), "at 'results, 1, device'"),
        (put("results", 0, "contender", value="whisper"), "a result of 'whisper' that is 'alpha'"),
        (lambda document: document["results"].append(document["results"][0]), "two results of one name"),
        (lambda document: document.update(results=document["results"] * 200), "at 'results'"),
        (put("metric", value="best"), "at 'metric'"),
        (put("reference", value="the text"), "at 'reference'"),
        (put("reference", "text", value="a" * 1_000_001), "at 'reference, text'"),
        (put("silences", value=[[0, 1]]), "at 'silences, 1'"),
        (put("made_with", value=[{"at": "today"}]), "at 'made_with, 1, at'"),
    ],
)
def test_what_is_not_as_it_was_written_is_refused_in_words(change: Callable[[dict[str, Any]], object], says: str) -> None:
    document = to_dict(compared(clip()))
    change(document)
    with pytest.raises(NotAComparison, match=says):
        from_dict(document)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"hello",
        b"null",
        b"[]",
        b"1e999",
        b'"text"',
        b'{"schema": "earshot-comparison", "version": 1',
        b'{"schema": "earshot-comparison", "version": 1}',
        b'{"schema": "earshot-comparison", "version": 1, "clip": {"source": "\\ud800"}}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 100_000,
    ],
)
def test_what_is_no_comparison_at_all_is_refused(content: bytes) -> None:
    with pytest.raises(NotAComparison, match="Earshot wrote"):
        read(content)


def test_what_is_no_json_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    for document in (loop, {"schema": object()}, {1: {2}}, None):
        with pytest.raises(NotAComparison, match="Earshot wrote"):
            from_dict(document)


def test_a_file_that_would_take_hours_is_refused() -> None:
    document = to_dict(compared(clip()))
    with pytest.raises(NotAComparison, match="larger than 64 MB"):
        read(b" " * (MOST_BYTES + 1))
    document["reference"]["text"] = document["results"][0]["transcript"] = "a" * 400_000
    with pytest.raises(NotAComparison, match="longer than what is opened"):
        read(json.dumps(document).encode())
