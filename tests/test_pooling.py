"""Several clips together: counts and times are added, and systems told apart over all of them."""

from __future__ import annotations

import pytest

from comparisons import report
from comparisons.statistics.pooling import pooled_pairs
from tests.markup import Page
from tests.reported import (
    LONG,
    MOONSHINE,
    SPHINX,
    WHISPER,
    compared,
    long_clip,
    ran,
    skipped,
    two_clips,
    wrong,
)


def test_pooled_rows_add_counts_and_times_over_the_clips_that_ran() -> None:
    rows = {row.name: row for row in report.pooled_rows(two_clips())}
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


def test_several_clips_have_pooled_intervals_and_say_who_differs() -> None:
    other = compared(LONG, ran(MOONSHINE, LONG), ran(SPHINX, wrong(6)), ran(WHISPER, wrong(6, 4)), name="second.wav")
    rows = {row.name: row for row in report.pooled_rows([long_clip(), other])}
    sphinx = rows["pocketsphinx"]
    assert sphinx.score is not None
    assert sphinx.score.wer is not None
    assert sphinx.interval is not None
    assert sphinx.interval.low < sphinx.score.wer < sphinx.interval.high
    over = {(pair.first, pair.second): pair.verdict for pair in pooled_pairs([long_clip(), other])}
    assert over == {
        ("moonshine", "pocketsphinx"): "first",
        ("moonshine", "whisper"): "first",
        ("pocketsphinx", "whisper"): "alike",
    }
    for text in (report.to_table([long_clip(), other]), Page(report.to_html([long_clip(), other])).text):
        assert "Moonshine tiny makes fewer errors than PocketSphinx on these clips" in text
        assert f"{100 * sphinx.interval.low:.1f} to {100 * sphinx.interval.high:.1f}" in text
    assert Page(report.to_html([long_clip(), other])).tags.count("figure") == 2 + 2  # speed and kinds of all, times of each


def test_only_clips_that_all_were_scored_on_tell_systems_apart() -> None:
    alone = compared(LONG, ran(MOONSHINE, wrong(2)), skipped(SPHINX), ran(WHISPER, LONG), name="second.wav")
    assert pooled_pairs([long_clip(), alone]) == long_clip().pairs
    said = report.to_table([long_clip(), alone]).split("counts pooled")[1]
    assert "Moonshine tiny makes fewer errors than PocketSphinx on this clip" in said
    assert "Told from 1 clip of 2: all others were not scored for every system" in said
    chinese = compared("今天天气", ran(MOONSHINE, "今天"), ran(SPHINX, "今天"), language="zh")
    assert pooled_pairs([long_clip(), chinese]) == ()
    assert pooled_pairs([compared(None, ran(SPHINX, "a"))]) == ()
