"""What leaves Earshot: golden files, the page of a report, and that whatever people type stays text.

After a wanted change, write the golden files anew: ``EARSHOT_TEST_WRITE_GOLDEN=1 pytest tests/test_report.py``.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons import report
from comparisons.compare import rescored
from comparisons.reference import Reference
from runners.base import (
    Word,
)
from runners.events import Partial, Running
from tests.markup import Page
from tests.reported import (
    HOSTILE,
    LONG,
    MOONSHINE,
    PHI,
    SPHINX,
    WHISPER,
    compared,
    contender,
    long_clip,
    one_clip,
    ran,
    skipped,
    three_prompts,
    told,
    two_clips,
)

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("prompts.txt", lambda: report.to_table(three_prompts())),
        ("prompts.csv", lambda: report.to_csv(three_prompts())),
        ("prompts.json", lambda: json.dumps(report.to_dict(three_prompts()), indent=1) + "\n"),
        ("prompts.html", lambda: report.to_html(three_prompts())),
        ("report.txt", lambda: report.to_table(two_clips())),
        ("report.csv", lambda: report.to_csv(two_clips())),
        ("report.json", lambda: json.dumps(report.to_dict(one_clip()), indent=1) + "\n"),
        ("report.html", lambda: report.to_html(two_clips())),
    ],
)
def test_golden(name: str, write: Callable[[], str]) -> None:
    text = re.sub(r"<svg.*?</svg>", "<svg></svg>", write(), flags=re.DOTALL)  # another matplotlib draws other digits
    text = re.sub(r"<(script|style)>.*?</\1>", r"<\1></\1>", text, flags=re.DOTALL)  # their own files have them
    text = re.sub(r"'sha256-[^']+'", "'sha256-'", text)
    if os.environ.get("EARSHOT_TEST_WRITE_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def test_untrusted_text_is_only_ever_text() -> None:
    hostile = contender("hostile", HOSTILE)
    comparison = compared(
        HOSTILE,
        ran(SPHINX, HOSTILE + '" onclick="x', words=(Word("red", 0.0, 1.0),)),
        skipped(PHI, error=HOSTILE, fix=HOSTILE),
        ran(hostile, "a"),
        Partial(WHISPER, HOSTILE),
        name=HOSTILE,
    )
    page = Page(report.to_html([comparison]))
    assert len(page.drawn) == 1
    assert "<script>alert('x')</script>" in page.text


def test_the_report_needs_nothing_from_elsewhere() -> None:
    html = report.to_html(two_clips())
    named = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    named = named.replace('xmlns="http://www.w3.org/2000/svg"', "")  # a name, which nobody fetches
    assert not re.findall(r"""(?:src|href)\s*=|url\(|@import|https?://""", named)
    script = Page(html).scripts[-1].replace('"http://www.w3.org/2000/svg"', "")
    assert not re.findall(r"fetch\(|XMLHttp|WebSocket|sendBeacon|import\(|eval\(|Function\(|https?://", script)
    assert "default-src 'none'" in html
    digest = base64.b64encode(hashlib.sha256(Page(html).scripts[-1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in html


def test_what_a_person_typed_into_a_prompt_is_only_ever_text() -> None:
    hostile = told(HOSTILE, "question", HOSTILE)
    assert not Page(report.to_html(compared(HOSTILE, ran(hostile, HOSTILE)))).drawn  # no transcript to draw
    table = report.to_table(compared(None, ran(hostile, HOSTILE)))
    assert "\x1b" not in table
    row = next(csv.DictReader(io.StringIO(report.to_csv(compared(None, ran(told("x", "chat", "=1+1"), "=1"))))))
    assert (row["prompt"], row["transcript"]) == ("'=1+1", "'=1")


def test_the_same_sentences_stand_in_table_report_and_json() -> None:
    table, page = report.to_table(long_clip()), Page(report.to_html(long_clip())).text
    for pair in report.to_dict(long_clip())["pairs"]:
        assert pair["says"] in table
        assert pair["says"] in page


def test_a_term_that_the_reference_does_not_have_is_named() -> None:
    assert "key terms that the reference does not have: Zolpidem\n" in report.to_table(long_clip())
    assert "The reference does not have Zolpidem: not counted." in Page(report.to_html(long_clip())).text
    without = rescored(replace(long_clip(), reference=None))
    assert without.unsaid_key_terms == ()
    for text in (report.to_table(without), Page(report.to_html(without)).text):
        assert "does not have" not in text
        assert "ey terms are looked for in a reference, and there is none" in text


def test_where_a_reference_came_from_is_said_wherever_a_rate_is() -> None:
    seeded = rescored(
        replace(long_clip(), reference=Reference("other words", seed="whisper", seed_label="Whisper <b>").edited(LONG))
    )
    said = "reference seeded by Whisper <b>, edited"
    whole = report.to_dict(seeded)
    assert whole["reference"] == {
        "text": LONG,
        "seeded_by": "whisper",
        "seed_label": "Whisper <b>",
        "original": "other words",
        "segments": [],
    }
    assert said in report.to_table(seeded)
    page = Page(report.to_html(seeded))
    assert said in page.text
    assert "other words" in page.text  # what it was before it was edited
    assert set(report.to_frame(seeded)["Reference"]) == {said}
    rows = list(csv.DictReader(io.StringIO(report.to_csv(seeded))))
    assert {(row["reference_seeded_by"], row["reference_edited"]) for row in rows} == {("whisper", "True")}
    assert said in report.to_table([seeded, seeded])


def test_without_a_reference_systems_agree_and_nobody_calls_it_accuracy() -> None:
    comparison = compared(None, ran(MOONSHINE, "a b c d"), ran(SPHINX, "a b c d"), ran(WHISPER, "a x c d"), skipped(PHI))
    agreed = report.agreements(comparison)
    assert agreed["moonshine"] > agreed["whisper"]
    assert "phi" not in agreed
    whole = report.to_dict(comparison)
    assert [result["agreement"] for result in whole["results"]] == [
        *(agreed[each.name] for each in (MOONSHINE, SPHINX, WHISPER)),
        None,
    ]
    assert [result["wer"] for result in whole["results"]] == [None] * 4
    table = report.to_table(comparison)
    assert "agreement" in table
    assert "not accuracy" in table
    assert "WER" not in table
    page = Page(report.to_html(comparison))
    assert (page.drawn[0]["kind"], page.drawn[0]["label"]) == ("majority", "Majority of 3")
    assert "not accuracy" in page.text


def test_agreement_waits_for_everybody_and_needs_two() -> None:
    assert report.agreements(compared(None, ran(SPHINX, "a b"))) == {}
    assert report.agreements(compared(None, ran(SPHINX, "a b"), ran(MOONSHINE, "a b"), Running(WHISPER))) == {}
    assert report.agreements(compared("a b", ran(SPHINX, "a b"), ran(MOONSHINE, "a b"))) == {}


def test_transcripts_stand_side_by_side_in_the_report() -> None:
    page = Page(report.to_html(long_clip()))
    drawn = page.drawn[0]
    assert (drawn["label"], drawn["audio"]) == ("Reference", None)
    assert [side["label"] for side in drawn["sides"]] == ["Moonshine tiny", "PocketSphinx", "Whisper small"]
    said = [word for _, _, anchor, _ in drawn["passages"] for word in anchor[0]]
    assert said == LONG.split()
    assert {len(cells) for _, _, _, cells in drawn["passages"]} == {3}
    assert page.tags.count("svg") == 3 + 1  # and the map of errors
    assert " ".join(page.text.split()).count(LONG) == 2  # the reference, and the one without fault for who has no scripts


def test_a_summary_keeps_its_own_text_in_the_report() -> None:
    html = report.to_html(three_prompts())
    assert html.count('class="es-transcript"') == 1
    assert "listen to audio" in html


def test_a_fault_in_the_pictures_costs_neither_report_nor_transcripts(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no fonts here")

    monkeypatch.setattr(report, "pictures", broken)
    page = Page(report.to_html(long_clip()))
    assert "figure" not in page.tags
    assert "oops" in page.text
    monkeypatch.setattr(report, "side_by_side", broken)
    page = Page(report.to_html(long_clip()))
    assert page.text.count("oops") > 20


def test_everything_a_person_can_type_is_only_ever_text() -> None:
    comparison = rescored(compared(HOSTILE, ran(SPHINX, HOSTILE), ran(MOONSHINE, "alert x")), key_terms=(HOSTILE, "=1+1"))
    seeded = rescored(
        replace(comparison, reference=Reference(HOSTILE + " !", seed=HOSTILE, seed_label=HOSTILE, original=HOSTILE))
    )
    for each in (seeded, rescored(replace(seeded, reference=None))):
        assert len(Page(report.to_html([each, each])).drawn) == 2
        table = report.to_table([each, each])
        assert "\x1b" not in table
        assert "\u202e" not in table
        for row in csv.DictReader(io.StringIO(report.to_csv(each))):
            assert not [value for value in row.values() if value and value.startswith(("=", "+", "@"))]


@settings(max_examples=15)
@given(
    *(
        st.text(
            st.sampled_from("ab cd.,\n<>&\"'$é नमस्ते ไทย 今天 한국 العربية שלום 🙂👩🏽‍🚀 \u0301\u200d\u202e\x1b\0"), max_size=40
        )
        for _ in range(4)
    )
)
def test_any_text_in_any_script_can_be_exported(reference: str, one: str, other: str, label: str) -> None:
    columns = ran(contender("one", label or "?"), one), ran(contender("other", "Other"), other)
    for said in (reference, None):
        comparison = compared(said, *columns, name=label, language=None)
        page = Page(report.to_html(comparison))
        assert "img" not in page.tags
        assert len(page.drawn) == int(any(text.strip() for text in (one, other)) or bool(said and said.split()))
        shown = "".join(page.text.split())
        if said is None:  # held against a reference, marks bring words of it in between
            assert all("".join(word.split()) in shown for word in (*one.split(), *other.split()))
        for character in "\x1b\0\u202e":
            assert character not in report.to_table(comparison)
        json.dumps(report.to_dict(comparison), allow_nan=False)
        assert len(list(csv.DictReader(io.StringIO(report.to_csv(comparison).replace("\0", ""), newline="")))) == 2
