"""What leaves Earshot: golden files, escaping, and no number for what is unknown.

After a wanted change, write the golden files anew: ``EARSHOT_TEST_WRITE_GOLDEN=1 pytest tests/test_report.py``.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons import figures, report
from comparisons.compare import Comparison, begin, fold, ordered, rescored
from comparisons.normalise import normaliser
from comparisons.reference import Reference
from comparisons.statistics.pooling import pooled_pairs
from runners.base import (
    Clip,
    Contender,
    Prompt,
    RunnerSpec,
    Segment,
    Task,
    TranscribeOptions,
    Transcript,
    TranscriptionResult,
    Word,
)
from runners.events import Event, Finished, Loading, Partial, Running

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "<script>alert('x')</script> \"&\" \x1b[31mred\u202e"


def contender(family: str, label: str) -> Contender:
    return Contender(RunnerSpec(family, label, "runners.scripted:Scripted", is_default=True))


MOONSHINE, SPHINX = contender("moonshine", "Moonshine tiny"), contender("pocketsphinx", "PocketSphinx")
WHISPER, PHI = contender("whisper", "Whisper small"), contender("phi", "Phi-4-multimodal")


def told(template: str | None, task: Task, text: str) -> Contender:
    """Phi, told what to do."""
    spec = replace(
        PHI.spec, family="phi4", revision="refs/pr/70", takes_prompt=True, longest_transcribed_seconds=40.0, model="org/phi"
    )
    return Contender(spec, TranscribeOptions(prompt=Prompt(template, task, text)))


def ran(who: Contender, text: str, rtf: float | None = 0.25, words: tuple[Word, ...] = (), warm: bool = False) -> Finished:
    result = TranscriptionResult(
        who,
        "ok",
        Transcript(text, words=words, language="en", notes=("cut at 1 pause",) if words else ()),
        load_seconds=None if warm else 0.3125,
        runs=(1.0, 1.5, 1.25),
        rtf=rtf,
        peak_memory=312_400_000,
        device="cpu",
        dtype="float32",
    )
    return Finished(who, result)


def skipped(
    who: Contender, error: str = "Needs 11.2 GB, 4.1 GB free.", fix: str | None = "Free memory, or choose 4-bit."
) -> Finished:
    return Finished(
        who, TranscriptionResult(who, "skipped", error=error, fix=fix, stage="availability", log=("line 1", "line 2"))
    )


def compared(reference: str | None, *events: Event, name: str = "budget.flac", language: str | None = "en") -> Comparison:
    clip = Clip(np.zeros(16, np.float32), 5.0, name, reference=reference, language=language, warnings=("The clip is short.",))
    comparison = begin(clip, [event.contender for event in events], normaliser("basic"))
    for event in events:
        comparison = fold(comparison, event)
    return comparison


@pytest.fixture
def one() -> Comparison:
    return compared(
        "Please schedule the budget review for Thursday.",
        skipped(PHI),
        ran(SPHINX, "please now schedule a budget review thursday", warm=True),
        Finished(WHISPER, TranscriptionResult(WHISPER, "cancelled", stage="transcribe")),
        ran(MOONSHINE, "Please schedule the budget review for Thursday.", 0.041, words=(Word("Please", 0.25, 0.5),)),
    )


@pytest.fixture
def two(one: Comparison) -> list[Comparison]:
    return [one, compared("Good morning.", ran(SPHINX, "good mourning"), skipped(MOONSHINE), name="morning.wav")]


@pytest.fixture
def prompted() -> Comparison:
    """Two templates of one system and a summary of it, one heard in two pieces."""
    verbatim = told("verbatim", "transcription", "Transcribe the audio clip into text, word for word.")
    readable = told("readable", "transcription", "Transcribe the audio clip into text. Write whole sentences.")
    summary = told("summary", "summarization", "Summarize the audio clip in 3 sentences.")
    pieces = Transcript("good morning to all", segments=(Segment("good morning", 0.0, 38.0), Segment("to all", 38.5, 60.0)))
    return compared(
        "Good morning to all.",
        Finished(verbatim, TranscriptionResult(verbatim, "ok", pieces, load_seconds=2.0, runs=(6.0,), rtf=0.1)),
        ran(readable, "Sure, here is the transcription: Good morning."),
        ran(summary, "I'm sorry, but I can't listen to audio.\n- Good\n- Morning"),
        name="morning.wav",
    )


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("prompts.txt", lambda prompted: report.to_table(prompted)),
        ("prompts.csv", lambda prompted: report.to_csv(prompted)),
        ("prompts.json", lambda prompted: json.dumps(report.to_dict(prompted), indent=1) + "\n"),
        ("prompts.html", lambda prompted: report.to_html(prompted)),
    ],
)
def test_golden_prompts(name: str, write: Callable[[Comparison], str], prompted: Comparison) -> None:
    same_as_golden(name, write(prompted))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("report.txt", lambda one, two: report.to_table(two)),
        ("report.csv", lambda one, two: report.to_csv(two)),
        ("report.json", lambda one, two: json.dumps(report.to_dict(one), indent=1) + "\n"),
        ("report.html", lambda one, two: report.to_html(two)),
    ],
)
def test_golden(
    name: str, write: Callable[[Comparison, list[Comparison]], str], one: Comparison, two: list[Comparison]
) -> None:
    same_as_golden(name, write(one, two))


def same_as_golden(name: str, text: str) -> None:
    text = re.sub(r"<svg.*?</svg>", "<svg></svg>", text, flags=re.DOTALL)  # another matplotlib draws other digits
    if os.environ.get("EARSHOT_TEST_WRITE_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def test_json_has_the_promised_keys_and_null_for_unknown(one: Comparison) -> None:
    whole = json.loads(json.dumps(report.to_dict(one), allow_nan=False))
    assert list(whole)[:3] == ["clip", "normaliser", "results"]
    assert whole["clip"] == {"source": "budget.flac", "seconds": 5.0}
    assert whole["normaliser"] == {"name": "basic", "version": "1"}
    promised = (
        "contender runner model status transcript error stage wer cer hits substitutions deletions insertions seconds runs "
        "load_seconds rtf rtfx device dtype peak_memory_mb"
    )
    for result in whole["results"]:
        assert list(result)[:21] == promised.split()
    phi, sphinx, whisper, moonshine = whole["results"]
    assert phi["status"] == "skipped"
    assert phi["fix"] == "Free memory, or choose 4-bit."
    assert [phi[key] for key in ("transcript", "wer", "hits", "rtf", "seconds", "device")] == [None] * 6
    assert phi["runs"] == []
    assert (whisper["status"], whisper["error"], whisper["stage"]) == ("cancelled", None, "transcribe")
    assert (sphinx["substitutions"], sphinx["deletions"], sphinx["insertions"], sphinx["hits"]) == (1, 1, 1, 5)
    assert sphinx["wer"] == pytest.approx(3 / 7)
    assert sphinx["load_seconds"] is None
    assert (moonshine["rtf"], moonshine["rtfx"]) == (0.041, pytest.approx(1 / 0.041))
    assert moonshine["seconds"] == 1.25


def test_what_is_not_a_number_never_reaches_json() -> None:
    whole = report.to_dict(compared("a", ran(SPHINX, "a", rtf=float("nan"))))
    assert whole["results"][0]["rtf"] is None
    json.dumps(whole, allow_nan=False)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", " =cmd", "＝1"])
def test_a_spreadsheet_gets_no_formula(text: str) -> None:
    rows = list(csv.DictReader(io.StringIO(report.to_csv(compared("a", ran(SPHINX, text), name=text)))))
    assert rows[0]["transcript"] == "'" + text
    assert rows[0]["source"] == "'" + text


def test_a_frame_that_is_copied_into_a_spreadsheet_has_no_formula() -> None:
    comparison = compared(None, skipped(SPHINX, error="=1+1"), name="=1+1.wav")
    row = report.to_frame(comparison).iloc[0]
    assert (row["Clip"], row["Reason"]) == ("'=1+1.wav", "'=1+1")


def test_csv_survives_quotes_commas_and_lines() -> None:
    text = 'one, "two"\nthree'
    rows = list(csv.DictReader(io.StringIO(report.to_csv(compared("a", ran(SPHINX, text))))))
    assert rows[0]["transcript"] == text


def test_a_terminal_gets_no_escapes() -> None:
    hostile = contender("evil", HOSTILE)
    one = compared(HOSTILE, ran(SPHINX, HOSTILE), ran(hostile, HOSTILE), skipped(PHI, error=HOSTILE), name=HOSTILE)
    table = report.to_table([one, one])
    assert "\x1b" not in table
    assert "\u202e" not in table


def test_columns_of_a_table_line_up_under_wide_letters() -> None:
    wide, narrow = contender("wide", "音声認識"), contender("narrow", "a")
    lines = report.to_table(compared("a", ran(wide, "a"), ran(narrow, "a"))).splitlines()
    rows = [line for line in lines if "0.0 %" in line]
    assert rows[0].index("0.0 %") + 4 == rows[1].index("0.0 %")  # four letters that take two cells each


class Page(HTMLParser):
    """The elements and the text of a page, with a check that they nest."""

    VOID = frozenset({"meta", "br", "link", "img"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


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
    assert "script" not in page.tags
    assert "<script>alert('x')</script>" in page.text


def test_the_report_needs_nothing_from_elsewhere(two: list[Comparison]) -> None:
    html = report.to_html(two)
    named = html.replace('xmlns="http://www.w3.org/2000/svg"', "")  # a name, which nobody fetches
    assert not re.findall(r"""(?:src|href)\s*=|url\(|@import|https?://""", named)
    assert "default-src 'none'" in html
    Page(html)


def columns_html(comparison: Comparison, *, now: float | None = None, cancellable: bool = False) -> str:
    """The columns as page and report draw them."""
    module: Any = report.environment().get_template("column.html").module
    return "\n".join(str(module.es_column(column, 3, now, cancellable)) for column in ordered(comparison))


def test_marks_differ_by_element_and_are_explained(one: Comparison) -> None:
    html = columns_html(one)
    assert '<u class="es-w es-s" title="substituted: the reference has “the”">a<' in html
    assert re.search(r'<del class="es-w es-d"[^>]*>.*for<', html)
    assert re.search(r'<ins class="es-w es-i"[^>]*>now<', html)
    assert 'data-start="0.25"' in html


def test_a_skipped_column_stands_last_with_reason_and_fix_and_no_figures(one: Comparison) -> None:
    columns = columns_html(one).split("<article")[1:]
    assert [re.search(r'data-state="(\w+)"', column).group(1) for column in columns] == ["ok", "ok", "cancelled", "skipped"]  # type: ignore[union-attr]
    assert "Needs 11.2 GB, 4.1 GB free." in columns[-1]
    assert "Free memory, or choose 4-bit." in columns[-1]
    assert "line 2" in columns[-1]
    assert "%" not in columns[-1]
    assert "es-figures" not in columns[-1]


def test_a_finished_column_has_its_figures(one: Comparison) -> None:
    page = Page(columns_html(one))
    for expected in (
        "42.9 %",
        "basic 1",
        "1 · 1 · 1 of 7 words",
        "0.041",
        "24×",
        "1.25 s",
        "was warm",
        "CPU · float32",
        "312 MB",
    ):
        assert expected in " ".join(page.text.split())
    assert 'title="RTFx 24' in columns_html(one)


def test_an_empty_reference_has_no_rate_on_the_page() -> None:
    page = Page(columns_html(compared("", ran(SPHINX, "two words"))))
    assert "n/a" in page.text
    assert "empty reference, 2 words inserted" in page.text
    assert "%" not in page.text


def test_chinese_is_headed_by_its_character_rate() -> None:
    page = Page(columns_html(compared("今天天气很好", ran(SPHINX, "今天天汽很好"), language="zh")))
    assert "16.7 %" in page.text
    assert "CER · " in page.text
    assert "of 6 characters" in page.text


def test_without_a_reference_there_is_a_transcript_and_no_rate() -> None:
    page = Page(columns_html(compared(None, ran(SPHINX, "two words"))))
    assert "two words" in page.text
    assert "no reference, no error rate" in page.text
    assert "WER" not in page.text


def test_an_empty_transcript_says_so() -> None:
    assert "heard nothing" in Page(columns_html(compared(None, ran(SPHINX, "")))).text


def test_a_column_shows_what_happens_while_it_runs() -> None:
    comparison = fold(compared(None, Loading(WHISPER, 3 * 10**8, 5 * 10**8)), Loading(WHISPER, 3 * 10**8, 5 * 10**8), at=10.0)
    html = columns_html(comparison, now=14.5, cancellable=True)
    assert "downloading: 300 MB of 500 MB" in html
    assert '<progress class="es-progress" max="500000000" value="300000000"' in html
    assert '<button type="button" class="es-cancel" data-contender="whisper" aria-label="Cancel Whisper small">' in html
    comparison = fold(fold(comparison, Running(WHISPER), at=20.0), Partial(WHISPER, "Please <b>"), at=21.0)
    html = columns_html(comparison, now=24.5)
    assert '<span class="es-elapsed" data-since="20.0">4 s</span>' in html
    assert "Please &lt;b&gt;" in html
    assert "es-cancel" not in html


def test_pooled_rows_add_counts_and_times_over_the_clips_that_ran(two: list[Comparison]) -> None:
    rows = {row.name: row for row in report.pooled_rows(two)}
    sphinx = rows["pocketsphinx"]
    assert sphinx.score is not None
    assert (sphinx.score.errors, sphinx.score.reference_length, sphinx.clips) == (4, 9, 2)
    assert sphinx.rtf == pytest.approx(2.5 / 10)
    assert rows["moonshine"].clips == 1
    assert list(rows) == ["moonshine", "pocketsphinx", "phi", "whisper"]  # best first, those that ran nowhere last
    assert rows["phi"].score is None
    assert rows["phi"].rtf is None


def test_clips_that_were_counted_differently_are_not_pooled() -> None:
    english = compared("a b", ran(SPHINX, "a b"))
    chinese = compared("今天", ran(SPHINX, "今天"), language="zh")
    assert report.pooled_rows([english, chinese])[0].score is None
    for text in (report.to_table([english, chinese]), Page(report.to_html([english, chinese])).text):
        assert "there is no rate over all of them: choose one normaliser and one metric" in text
    assert "Too little" not in report.to_table([english, chinese]).split("counts pooled")[1]


def test_the_summary_frame_has_a_row_a_column_and_gaps_for_unknown(one: Comparison) -> None:
    frame = report.to_frame(one)
    assert list(frame["System"]) == ["Moonshine tiny", "PocketSphinx", "Whisper small", "Phi-4-multimodal"]
    assert list(frame["State"]) == ["done", "done", "cancelled", "skipped"]
    assert frame["WER %"][1] == 42.9
    assert frame["S"][1] == 1
    assert frame["WER %"].isna().tolist() == [False, False, True, True]
    assert frame["Reason"][3] == "Needs 11.2 GB, 4.1 GB free."
    assert len(report.to_frame([])) == 0


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (figures.percent(1.5), "150.0 %"),
        (figures.seconds(0.0003), "<1 ms"),
        (figures.seconds(0.0123), "12 ms"),
        (figures.seconds(0.0999), "0.10 s"),
        (figures.seconds(9.999), "10.0 s"),
        (figures.seconds(83), "1:23 min"),
        (figures.elapsed(4.9), "4 s"),
        (figures.elapsed(-0.1), "0 s"),
        (figures.elapsed(61), "1:01 min"),
        (figures.clock(5.4), "0:05"),
        (figures.clock(3723), "1:02:03"),
        (figures.rtf(0.0412), "0.041"),
        (figures.rtf(0.1), "0.10"),
        (figures.rtf(1.26), "1.3"),
        (figures.rtf(12.6), "13"),
        (figures.rtf(0.00001), "<0.0001"),
        (figures.rtfx(0.15), "6.7"),
        (figures.rtfx(0), "∞"),
        (figures.bytes_(4.1e9), "4.1 GB"),
        (figures.bytes_(25e9), "25 GB"),
        (figures.bytes_(29_000_000), "29 MB"),
        (figures.bytes_(1500), "2 kB"),
        (figures.counted(1, "word"), "1 word"),
        (figures.device("rocm"), "ROCm"),
    ],
)
def test_figures(written: str, expected: str) -> None:
    assert written == expected


def test_templates_of_one_system_have_names_and_labels_of_their_own(prompted: Comparison) -> None:
    whole = report.to_dict(prompted)
    assert [each["contender"] for each in whole["results"]] == ["phi4#verbatim", "phi4#readable", "phi4#summary"]
    assert [each["template"] for each in whole["results"]] == ["verbatim", "readable", "summary"]
    assert {each["revision"] for each in whole["results"]} == {"refs/pr/70"}
    assert len(set(report.to_frame(prompted)["System"])) == 3
    assert len({row.label for row in report.pooled_rows([prompted, prompted])}) == 3


def test_a_summary_is_shown_without_a_rate_and_says_so(prompted: Comparison) -> None:
    summary = next(each for each in report.to_dict(prompted)["results"] if each["template"] == "summary")
    assert (summary["scored"], summary["task"], summary["wer"], summary["hits"]) == (False, "summarization", None, None)
    column = columns_html(prompted).split("<article")[-1]
    assert "not scored: a summary" in column
    assert "WER" not in column
    assert "audio.\n- Good\n- Morning" in column
    assert "audio.\n    - Good\n    - Morning\n" in report.to_table(prompted)


def test_odd_words_are_flagged_on_the_page_and_stay_in_the_transcript(prompted: Comparison) -> None:
    page = Page(columns_html(prompted)).text
    assert "begins with a preamble" in page
    assert "looks like a refusal" in page
    assert "transcription:" in page
    assert "note: looks like a refusal" in report.to_table(prompted)


def test_a_cut_is_shown_where_it_is(prompted: Comparison) -> None:
    html = columns_html(prompted)
    cut = '<span class="es-w es-cut" data-start="38.5" title="the clip was cut here">0:38</span>'
    assert html.count(cut) == 2
    assert html.index("morning</span>") < html.index(cut) < html.index('data-start="38.5">to<')
    assert "cut at 0:38" in report.to_table(prompted)
    assert report.to_dict(prompted)["results"][0]["cuts"] == [38.5]


def test_prompt_and_revision_can_be_read_on_the_page(prompted: Comparison) -> None:
    page = Page(columns_html(prompted))
    assert "Summarize the audio clip in 3 sentences." in page.text
    assert "refs/pr/70" in page.text
    assert page.text.count("Prompt") == 3


def test_what_a_person_typed_into_a_prompt_is_only_ever_text() -> None:
    hostile = told(HOSTILE, "question", HOSTILE)
    page = Page(report.to_html(compared(HOSTILE, ran(hostile, HOSTILE))))
    assert "script" not in page.tags
    table = report.to_table(compared(None, ran(hostile, HOSTILE)))
    assert "\x1b" not in table
    row = next(csv.DictReader(io.StringIO(report.to_csv(compared(None, ran(told("x", "chat", "=1+1"), "=1"))))))
    assert (row["prompt"], row["transcript"]) == ("'=1+1", "'=1")


def test_a_typed_prompt_has_no_template() -> None:
    result = report.to_dict(compared(None, ran(told(None, "transcription", "Write it down."), "a")))["results"][0]
    assert (result["template"], result["prompt"]) == (None, "Write it down.")


LONG = " ".join(f"word{number}" for number in range(120)) + "."


def wrong(every: int, first: int = 1) -> str:
    """``LONG`` with a wrong word now and then."""
    return " ".join("oops" if number % every == first else word for number, word in enumerate(LONG.split()))


@pytest.fixture
def long() -> Comparison:
    """Enough speech for an interval, and for one system to be better than another."""
    comparison = compared(LONG, ran(MOONSHINE, LONG), ran(SPHINX, wrong(4)), ran(WHISPER, wrong(4, 3)), skipped(PHI))
    return rescored(comparison, key_terms=("word7", "Zolpidem", "word5"))


def test_json_says_how_sure_a_rate_is_and_what_it_leaves_unsaid(long: Comparison) -> None:
    whole = json.loads(json.dumps(report.to_dict(long), allow_nan=False))
    assert (whole["metric"], whole["alignment"]) == ("wer", "Levenshtein, unit costs")
    assert whole["reference"] == {"text": LONG, "seeded_by": None, "seed_label": None, "original": None}
    assert whole["key_terms"] == ["word7", "Zolpidem", "word5"]
    assert whole["key_terms_unsaid"] == ["Zolpidem"]
    sphinx, phi = whole["results"][1], whole["results"][3]
    assert sphinx["wer"] == 0.25
    assert sphinx["interval"]["low"] < 0.25 < sphinx["interval"]["high"]
    assert sphinx["interval"]["method"]
    measured = sphinx["measures"]
    assert (measured["key_terms_kept"], measured["key_terms_of"], measured["key_terms_missing"]) == (1, 2, ["word5"])
    assert (measured["words"], measured["words_unit"], measured["longest_wrong_errors"]) == (120, "word", 1)
    assert (phi["interval"], phi["measures"], phi["flags"], phi["agreement"]) == (None, None, [], None)


def test_json_says_of_every_two_systems_whether_they_differ(long: Comparison) -> None:
    pairs = report.to_dict(long)["pairs"]
    assert [(pair["first"], pair["second"]) for pair in pairs] == [
        ("moonshine", "pocketsphinx"),
        ("moonshine", "whisper"),
        ("pocketsphinx", "whisper"),
    ]
    assert [pair["verdict"] for pair in pairs] == ["first", "first", "alike"]
    assert pairs[0]["difference"] == -0.25
    assert pairs[0]["p"] <= pairs[0]["corrected_p"] < 0.05
    assert "Moonshine tiny makes fewer errors than PocketSphinx on this clip" in pairs[0]["says"]
    assert "PocketSphinx and Whisper small can't be told apart on this clip" in pairs[2]["says"]


def test_the_same_sentences_stand_in_table_report_and_json(long: Comparison) -> None:
    table, page = report.to_table(long), Page(report.to_html(long)).text
    for pair in report.to_dict(long)["pairs"]:
        assert pair["says"] in table
        assert pair["says"] in page


def test_a_term_that_the_reference_does_not_have_is_named(long: Comparison) -> None:
    assert "key terms that the reference does not have: Zolpidem\n" in report.to_table(long)
    assert "The reference does not have Zolpidem: not counted." in Page(report.to_html(long)).text
    without = rescored(replace(long, reference=None))
    assert without.unsaid_key_terms == ()
    for text in (report.to_table(without), Page(report.to_html(without)).text):
        assert "does not have" not in text
        assert "ey terms are looked for in a reference, and there is none" in text


def test_split_words_are_told_under_the_table() -> None:
    table = report.to_table(compared("the week end is here", ran(SPHINX, "the weekend is hear")))
    assert "2 0 1 of 5" in table
    assert "1 split or joined word · " in table


def test_an_empty_reference_has_no_rate_and_nothing_else_is_to_blame() -> None:
    table = report.to_table(compared("", ran(SPHINX, "a b"), ran(MOONSHINE, "")))
    assert table.count("n/a") == 2
    assert "0 2 0 of 0" in table
    assert "Too little" not in table


def test_csv_has_the_same_names_whatever_is_known(long: Comparison) -> None:
    rows = list(csv.DictReader(io.StringIO(report.to_csv([long, compared(None, ran(SPHINX, "a"))]))))
    assert len(rows) == 5
    moonshine, sphinx, _, phi, alone = rows
    assert (sphinx["better_than"], sphinx["alike"], moonshine["better_than"]) == ("", "whisper", "pocketsphinx; whisper")
    assert float(sphinx["interval_low"]) < float(sphinx["wer"]) < float(sphinx["interval_high"])
    assert (sphinx["key_terms_kept"], sphinx["key_terms_missing"]) == ("1", "word5")
    assert (phi["interval_low"], phi["words"], phi["flags"]) == ("", "", "")
    assert (alone["reference_edited"], alone["wer"], alone["words"]) == ("", "", "1")
    assert None not in rows[4].values()


def test_the_table_has_intervals_in_brackets_or_says_that_it_is_too_short(long: Comparison, one: Comparison) -> None:
    table = report.to_table(long)
    interval = long.columns[1].interval
    assert interval is not None
    assert f"25.0 % ({100 * interval.low:.1f} to {100 * interval.high:.1f})" in table
    assert "key terms 1 of 2 (without word5)" in table
    assert "Too little speech for intervals." in report.to_table(one)


def test_the_frame_has_intervals_and_key_terms(long: Comparison) -> None:
    row = report.to_frame(long).set_index("System").loc["PocketSphinx"]
    assert row["95 % from"] < row["WER %"] < row["95 % to"]
    assert row["Key terms"] == "1 of 2"


def test_where_a_reference_came_from_is_said_wherever_a_rate_is(long: Comparison) -> None:
    seeded = rescored(replace(long, reference=Reference("other words", seed="whisper", seed_label="Whisper <b>").edited(LONG)))
    said = "reference seeded by Whisper <b>, edited"
    whole = report.to_dict(seeded)
    assert whole["reference"] == {
        "text": LONG,
        "seeded_by": "whisper",
        "seed_label": "Whisper <b>",
        "original": "other words",
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
    page = Page(report.to_html(comparison)).text
    assert "Held against: Majority of 3" in page
    assert "These are disagreements, not errors." in page
    assert "not accuracy" in page


def test_agreement_waits_for_everybody_and_needs_two() -> None:
    assert report.agreements(compared(None, ran(SPHINX, "a b"))) == {}
    assert report.agreements(compared(None, ran(SPHINX, "a b"), ran(MOONSHINE, "a b"), Running(WHISPER))) == {}
    assert report.agreements(compared("a b", ran(SPHINX, "a b"), ran(MOONSHINE, "a b"))) == {}


def test_transcripts_stand_side_by_side_in_the_report(long: Comparison) -> None:
    html = report.to_html(long)
    page = Page(html)
    assert "Held against: Reference" in page.text
    assert page.tags.count("section") > 3
    first = html.split('<section class="passage">')[1]
    assert first.count('<p class="cell"') == 3
    assert re.search(r"<u class=\"es-w es-s\"[^>]*>oops", first)
    words = " ".join(re.sub(r"<[^>]+>", " ", part.split("<p class")[0]) for part in html.split('<p class="anchor"')[1:])
    assert [word for word in words.split() if word.startswith("word")] == LONG.split()
    assert page.tags.count("svg") == 3


def test_a_summary_keeps_its_own_text_in_the_report(prompted: Comparison) -> None:
    html = report.to_html(prompted)
    assert html.count('class="es-transcript"') == 1
    assert "listen to audio" in html


def test_a_fault_in_the_pictures_costs_neither_report_nor_transcripts(
    long: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no fonts here")

    monkeypatch.setattr(report, "pictures", broken)
    page = Page(report.to_html(long))
    assert "svg" not in page.tags
    assert "oops" in page.text
    monkeypatch.setattr(report, "side_by_side", broken)
    page = Page(report.to_html(long))
    assert page.text.count("oops") > 20


def test_several_clips_have_pooled_intervals_and_say_who_differs(long: Comparison) -> None:
    other = compared(LONG, ran(MOONSHINE, LONG), ran(SPHINX, wrong(6)), ran(WHISPER, wrong(6, 4)), name="second.wav")
    rows = {row.name: row for row in report.pooled_rows([long, other])}
    sphinx = rows["pocketsphinx"]
    assert sphinx.score is not None
    assert sphinx.score.wer is not None
    assert sphinx.interval is not None
    assert sphinx.interval.low < sphinx.score.wer < sphinx.interval.high
    over = {(pair.first, pair.second): pair.verdict for pair in pooled_pairs([long, other])}
    assert over == {
        ("moonshine", "pocketsphinx"): "first",
        ("moonshine", "whisper"): "first",
        ("pocketsphinx", "whisper"): "alike",
    }
    for text in (report.to_table([long, other]), Page(report.to_html([long, other])).text):
        assert "Moonshine tiny makes fewer errors than PocketSphinx on these clips" in text
        assert f"{100 * sphinx.interval.low:.1f} to {100 * sphinx.interval.high:.1f}" in text
    assert Page(report.to_html([long, other])).tags.count("svg") == 2 + 2  # speed and kinds of all, times of each


def test_only_clips_that_all_were_scored_on_tell_systems_apart(long: Comparison) -> None:
    alone = compared(LONG, ran(MOONSHINE, wrong(2)), skipped(SPHINX), ran(WHISPER, LONG), name="second.wav")
    assert pooled_pairs([long, alone]) == long.pairs
    said = report.to_table([long, alone]).split("counts pooled")[1]
    assert "Moonshine tiny makes fewer errors than PocketSphinx on this clip" in said
    assert "Told from 1 clip of 2: all others were not scored for every system" in said
    chinese = compared("今天天气", ran(MOONSHINE, "今天"), ran(SPHINX, "今天"), language="zh")
    assert pooled_pairs([long, chinese]) == ()
    assert pooled_pairs([compared(None, ran(SPHINX, "a"))]) == ()


def test_everything_a_person_can_type_is_only_ever_text() -> None:
    comparison = rescored(compared(HOSTILE, ran(SPHINX, HOSTILE), ran(MOONSHINE, "alert x")), key_terms=(HOSTILE, "=1+1"))
    seeded = rescored(
        replace(comparison, reference=Reference(HOSTILE + " !", seed=HOSTILE, seed_label=HOSTILE, original=HOSTILE))
    )
    for each in (seeded, rescored(replace(seeded, reference=None))):
        page = Page(report.to_html([each, each]))
        assert "script" not in page.tags
        table = report.to_table([each, each])
        assert "\x1b" not in table
        assert "\u202e" not in table
        for row in csv.DictReader(io.StringIO(report.to_csv(each))):
            assert not [value for value in row.values() if value and value.startswith(("=", "+", "@"))]


@settings(max_examples=15, deadline=None, derandomize=True)
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
        assert not {"script", "img"} & set(page.tags)
        shown = "".join(page.text.split())
        if said is None:  # held against a reference, marks bring words of it in between
            assert all("".join(word.split()) in shown for word in (*one.split(), *other.split()))
        for character in "\x1b\0\u202e":
            assert character not in report.to_table(comparison)
        json.dumps(report.to_dict(comparison), allow_nan=False)
        assert len(list(csv.DictReader(io.StringIO(report.to_csv(comparison).replace("\0", ""), newline="")))) == 2
