"""The column of a system, as page and report draw it."""

from __future__ import annotations

import re
from typing import Any

from comparisons import report
from comparisons.compare import Comparison, fold, ordered
from runners.events import Loading, Partial, Running
from tests.markup import Page
from tests.reported import (
    SPHINX,
    WHISPER,
    compared,
    one_clip,
    ran,
    three_prompts,
)


def columns_html(comparison: Comparison, *, now: float | None = None, cancellable: bool = False) -> str:
    """The columns as page and report draw them."""
    module: Any = report.environment().get_template("column.html").module
    return "\n".join(str(module.es_column(column, 3, now, cancellable)) for column in ordered(comparison))


def test_marks_differ_by_element_and_are_explained() -> None:
    html = columns_html(one_clip())
    assert '<u class="es-w es-s" title="substituted: the reference has “the”">a<' in html
    assert re.search(r'<del class="es-w es-d"[^>]*>.*for<', html)
    assert re.search(r'<ins class="es-w es-i"[^>]*>now<', html)
    assert 'data-start="0.25"' in html


def test_a_skipped_column_stands_last_with_reason_and_fix_and_no_figures() -> None:
    columns = columns_html(one_clip()).split("<article")[1:]
    assert [re.search(r'data-state="(\w+)"', column).group(1) for column in columns] == ["ok", "ok", "cancelled", "skipped"]  # type: ignore[union-attr]
    assert "Needs 11.2 GB, 4.1 GB free." in columns[-1]
    assert "Free memory, or choose 4-bit." in columns[-1]
    assert "line 2" in columns[-1]
    assert "%" not in columns[-1]
    assert "es-figures" not in columns[-1]


def test_a_finished_column_has_its_figures() -> None:
    page = Page(columns_html(one_clip()))
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
    assert 'title="RTFx 24' in columns_html(one_clip())


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


def test_a_summary_is_shown_without_a_rate_and_says_so() -> None:
    summary = next(each for each in report.to_dict(three_prompts())["results"] if each["template"] == "summary")
    assert (summary["scored"], summary["task"], summary["wer"], summary["hits"]) == (False, "summarization", None, None)
    column = columns_html(three_prompts()).split("<article")[-1]
    assert "not scored: a summary" in column
    assert "WER" not in column
    assert "audio.\n- Good\n- Morning" in column
    assert "audio.\n    - Good\n    - Morning\n" in report.to_table(three_prompts())


def test_odd_words_are_flagged_on_the_page_and_stay_in_the_transcript() -> None:
    page = Page(columns_html(three_prompts())).text
    assert "begins with a preamble" in page
    assert "looks like a refusal" in page
    assert "transcription:" in page
    assert "note: looks like a refusal" in report.to_table(three_prompts())


def test_a_cut_is_shown_where_it_is() -> None:
    html = columns_html(three_prompts())
    cut = '<span class="es-w es-cut" data-start="38.5" title="the clip was cut here">0:38</span>'
    assert html.count(cut) == 2
    assert html.index("morning</span>") < html.index(cut) < html.index('data-start="38.5">to<')
    assert "cut at 0:38" in report.to_table(three_prompts())
    assert report.to_dict(three_prompts())["results"][0]["cuts"] == [38.5]


def test_prompt_and_revision_can_be_read_on_the_page() -> None:
    page = Page(columns_html(three_prompts()))
    assert "Summarize the audio clip in 3 sentences." in page.text
    assert "refs/pr/70" in page.text
    assert page.text.count("Prompt") == 3
