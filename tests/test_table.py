"""The table that a terminal shows."""

from __future__ import annotations

from comparisons import report
from tests.reported import (
    HOSTILE,
    MOONSHINE,
    PHI,
    SPHINX,
    compared,
    contender,
    long_clip,
    one_clip,
    ran,
    skipped,
)


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


def test_split_words_are_told_under_the_table() -> None:
    table = report.to_table(compared("the week end is here", ran(SPHINX, "the weekend is hear")))
    assert "2 0 1 of 5" in table
    assert "1 split or joined word · " in table


def test_an_empty_reference_has_no_rate_and_nothing_else_is_to_blame() -> None:
    table = report.to_table(compared("", ran(SPHINX, "a b"), ran(MOONSHINE, "")))
    assert table.count("n/a") == 2
    assert "0 2 0 of 0" in table
    assert "Too little" not in table


def test_the_table_has_intervals_in_brackets_or_says_that_it_is_too_short() -> None:
    table = report.to_table(long_clip())
    interval = long_clip().columns[1].interval
    assert interval is not None
    assert f"25.0 % ({100 * interval.low:.1f} to {100 * interval.high:.1f})" in table
    assert "key terms 1 of 2 (without word5)" in table
    assert "Too little speech for intervals." in report.to_table(one_clip())
