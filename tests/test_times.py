"""Times of words: a system's own, and what is made of them where it has none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.sides.marks import Mark
from comparisons.sides.times import with_times

TIME = st.none() | st.floats(-5, 40) | st.sampled_from([math.nan, math.inf, 0.0, 30.0])


def said(*words: tuple[str, float | None, float | None]) -> tuple[Mark, ...]:
    """The words of an anchor."""
    return tuple(Mark(text, "plain", None, start, end, at=at) for at, (text, start, end) in enumerate(words))


def heard(text: str, *times: tuple[float | None, float | None]) -> tuple[Mark, ...]:
    """A side that has the anchor's words: "-" lacks one, "+word" is more than it."""
    made: list[Mark] = []
    at = 0
    for word, (start, end) in zip(text.split(), times or [(None, None)] * len(text.split()), strict=True):
        if word.startswith("+"):
            made.append(Mark(word[1:], "insertion", None, start, end, at=at))
        else:
            made.append(Mark(word, "deletion" if word == "-" else "hit", None, start, end, at=at))
            at += 1
    return tuple(made)


def starts(marks: tuple[Mark, ...]) -> list[float]:
    return [round(mark.start, 2) for mark in marks if mark.start is not None]


def test_a_system_keeps_its_own_times() -> None:
    mine = heard("send notes", (0.5, 0.9), (1.0, 1.5))
    _, (side,) = with_times(said(("Send", None, None), ("notes", None, None)), [mine], 2.0)
    assert side == mine


def test_the_anchor_has_the_median_of_the_sides() -> None:
    sides = [heard("send", (0.5, 0.9)), heard("send", (0.6, 1.0)), heard("send", (5.0, 5.5)), heard("send")]
    (word,), (_, _, _, untimed) = with_times(said(("Send", None, None)), sides, 8.0)
    assert (word.start, word.end, word.is_interpolated) == (0.6, 1.0, True)
    assert (untimed[0].start, untimed[0].end, untimed[0].is_interpolated) == (0.6, 1.0, True)


def test_the_anchor_s_own_times_count_more_than_the_sides() -> None:
    (word,), _ = with_times(said(("Send", 1.0, 2.0)), [heard("send", (0.5, 0.9))], 8.0)
    assert (word.start, word.end, word.is_interpolated) == (1.0, 2.0, False)


def test_a_missing_word_has_the_time_at_which_it_was_said() -> None:
    anchor = said(("a", None, None), ("b", None, None), ("c", None, None))
    _, (_, lacking) = with_times(anchor, [heard("a b c", (0, 1), (1, 2), (2, 3)), heard("a - c")], 3.0)
    assert [(mark.kind, mark.start, mark.end) for mark in lacking][1] == ("deletion", 1.0, 2.0)


def test_an_added_word_shares_the_time_of_the_word_before() -> None:
    anchor = said(("aaaa", None, None), ("bbbb", None, None))
    _, (_, more) = with_times(anchor, [heard("aaaa bbbb", (1, 2), (2, 3)), heard("aaaa +aaaa bbbb")], 4.0)
    assert more[0].start == 1
    assert more[2].start == 2
    assert more[1].start == pytest.approx(1.5, abs=0.01)


def test_between_known_words_the_time_goes_by_letters() -> None:
    _, (side,) = with_times((), [heard("a bb cccc d", (0, 1), (None, None), (None, None), (8, 9))], 10.0)
    assert starts(side)[0::3] == [0, 8]
    _, second, third, _ = starts(side)
    assert 1 < second < third < 8
    assert third - second < 8 - third


def test_nobody_speaks_in_a_silence() -> None:
    silences = [(0.0, 2.0), (4.0, 8.0)]
    _, (side,) = with_times((), [heard("one two three four")], 10.0, silences)
    for mark in side:
        assert mark.start is not None
        assert mark.is_interpolated
        assert not any(begin <= mark.start < end for begin, end in silences)
    assert starts(side)[0] == 2.0
    assert side[-1].end == 10.0


def test_words_before_and_after_the_known_ones_are_said_at_their_pace() -> None:
    _, (side,) = with_times((), [heard("ab cd ef gh", (None, None), (50, 50.2), (50.3, 50.5), (None, None))], 100.0)
    assert starts(side)[0] == pytest.approx(49.7, abs=0.02)
    assert side[-1].end == pytest.approx(50.8, abs=0.02)


def test_one_wild_time_does_not_cost_the_others() -> None:
    _, (side,) = with_times((), [heard("a b c d", (1, 1.5), (90, 90.5), (3, 3.5), (4, 4.5))], 100.0)
    assert [mark.is_interpolated for mark in side] == [False, True, False, False]
    assert 1.5 <= starts(side)[1] <= 3


def test_times_beyond_the_clip_end_with_it() -> None:
    _, (side,) = with_times((), [heard("a b", (-1, 0.5), (1.5, 7.0))], 2.0)
    assert [(mark.start, mark.end) for mark in side] == [(0, 0.5), (1.5, 2)]


def test_a_segment_s_first_word_keeps_its_start() -> None:
    _, (side,) = with_times((), [heard("a b c d", (1, None), (None, 2), (5, None), (None, 6))], 8.0)
    assert [mark.is_interpolated for mark in side] == [False, True, False, True]
    assert side[1].end == 2
    assert side[3].end == 6


def test_nothing_has_no_times() -> None:
    assert with_times((), [], 3.0) == ((), ())
    assert with_times((), [()], 0.0) == ((), ((),))


@settings(max_examples=80)
@given(
    anchor=st.lists(st.tuples(st.sampled_from(["a", "word", "किताब", "👍", "مرحبا"]), TIME, TIME), max_size=12),
    sides=st.lists(
        st.lists(
            st.tuples(st.sampled_from(["hit", "insertion", "deletion", "plain", "substitution"]), TIME, TIME), max_size=14
        ),
        max_size=3,
    ),
    seconds=st.sampled_from([0.0, 0.5, 30.0]),
    silences=st.sampled_from([(), ((0.0, 0.2),), ((0.1, 0.3), (5.0, 29.0)), ((0.0, 30.0),)]),
)
def test_times_go_forward_and_stay_within_the_clip(
    anchor: list[tuple[str, float | None, float | None]],
    sides: list[list[tuple[str, float | None, float | None]]],
    seconds: float,
    silences: tuple[tuple[float, float], ...],
) -> None:
    held = [
        tuple(
            Mark("word", kind, None, start, end, at=i * len(anchor) // len(side))  # type: ignore[arg-type]
            for i, (kind, start, end) in enumerate(side)
        )
        for side in sides
    ]
    words, made = with_times(said(*anchor), held, seconds, silences)
    for before, after in zip((said(*anchor), *held), (words, *made), strict=True):
        assert [mark.text for mark in before] == [mark.text for mark in after]
        last = 0.0
        for mark in after:
            assert mark.start is not None
            assert mark.end is not None
            assert last <= mark.start + 1e-6 <= mark.end + 2e-6 <= seconds + 3e-6
            last = mark.start
