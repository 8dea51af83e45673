"""Intervals of rates: how wide, when there is none, and that they hold what they say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.align import Alignment
from comparisons.statistics.uncertainty import Interval, block_length, error_places, errors_by_word, interval, rare_events


def spoken(errors: list[int]) -> Alignment:
    """A clip of so many words: 0 is a right word, 1 a wrong one, more a wrong one with words inserted after it."""

    def steps() -> Iterator[tuple[str | None, str | None]]:
        for count in errors:
            yield ("word", "ward") if count else ("word", "word")
            yield from [(None, "more")] * (count - 1)

    return Alignment.of(steps())


def told(*clips: list[int]) -> Interval:
    found = interval([spoken(errors) for errors in clips])
    assert found is not None
    return found


def width(found: Interval) -> float:
    return found.high - found.low


def every(distance: int, words: int) -> list[int]:
    return [int(word % distance == 0) for word in range(words)]


def test_errors_stand_where_they_were_made() -> None:
    alignment = Alignment.of([(None, "oh"), ("a", "a"), ("b", "x"), (None, "y"), (None, "z"), ("c", None)])
    assert error_places(alignment).tolist() == [1, 0, 0, 1, 2, 1, 0]
    assert errors_by_word(error_places(alignment)).tolist() == [1, 3, 1]


@pytest.mark.parametrize("words", [0, 1, 20, 49])
def test_a_short_clip_has_no_interval(words: int) -> None:
    assert interval([spoken(every(5, words))]) is None


def test_from_fifty_words_on_there_is_one() -> None:
    assert told(every(5, 50)).method == "block bootstrap, 5 blocks of 11 words"


def test_characters_are_less_than_words() -> None:
    def chinese(characters: int) -> Alignment:
        return Alignment.of([("天", "地" if place % 5 == 0 else "天") for place in range(characters)])

    assert interval([chinese(99)]) is None
    found = interval([chinese(100)])
    assert found is not None
    assert found.method == "block bootstrap, 5 blocks of 22 characters"


def test_nothing_at_all_has_no_interval() -> None:
    assert interval([]) is None
    assert interval([Alignment.of([])]) is None


@settings(max_examples=60)
@given(st.lists(st.lists(st.sampled_from([0, 0, 0, 0, 1, 1, 2, 9]), max_size=90), min_size=1, max_size=25))
def test_the_rate_is_in_its_interval_which_never_changes(clips: list[list[int]]) -> None:
    alignments = [spoken(errors) for errors in clips]
    found = interval(alignments)
    words = sum(len(errors) for errors in clips)
    assert (found is None) == (words < 50)
    if found is not None:
        assert 0 <= found.low <= sum(map(sum, clips)) / words <= found.high
        assert found.low < found.high
        assert found == interval(alignments)


def test_no_mistake_does_not_mean_that_there_never_is_one() -> None:
    found = told([0] * 200)
    assert found.low == 0
    assert found.high == pytest.approx(2 * 3.689 / 200, rel=0.01)  # rule of three on one side, for mistakes of two words
    assert found.method == "no mistake in 200 words, as rare events"
    assert told([0] * 2000).high < found.high


def test_all_wrong_does_not_mean_that_no_word_is_ever_right() -> None:
    found = told([1] * 100)
    assert found.low == pytest.approx(0.96, abs=0.01)
    assert found.high == 1


def test_a_single_mistake_in_long_speech_is_a_rare_event() -> None:
    found = told([0] * 500 + [1] + [0] * 499)
    assert found.method == "a single mistake in 1000 words, as rare events"
    assert 0 <= found.low < 0.001 < 0.005 < found.high < 0.01


def test_rates_over_one_are_not_cut() -> None:
    found = told([3] * 50 + [0] * 50)
    assert found.low < 1.5 < found.high
    assert found.high > 2


def test_more_speech_is_surer() -> None:
    passage = [0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]
    once, more = told(passage * 10), told(passage * 160)
    assert width(more) < width(once) / 2


def test_errors_that_come_together_are_less_sure_than_scattered_ones() -> None:
    scattered = every(10, 1000)
    together = ([1] * 25 + [0] * 225) * 4
    assert sum(scattered) == sum(together)
    assert width(told(together)) > 3 * width(told(scattered))


def test_the_interval_is_that_of_drawing_blocks_at_random() -> None:
    generator = np.random.default_rng(7)
    errors = (generator.random(600) < np.where(np.arange(600) // 40 % 3 == 0, 0.4, 0.05)).astype(int)
    block = block_length(600)
    starts = generator.integers(600, size=(40_000, round(600 / block)))
    rates = np.stack([np.roll(errors, -step)[starts].sum(1) for step in range(block)]).sum(0) / (block * starts.shape[1])
    found = told(errors.tolist())
    tails = ((rates < found.low).mean(), (rates > found.high).mean())
    assert all(0.01 < tail < 0.025 for tail in tails)  # a little less than 2.5 %: widened for its 24 blocks
    assert found.method == "block bootstrap, 24 blocks of 25 words"


@pytest.mark.parametrize("loop", [3_000, 200_000])
def test_a_loop_without_end_still_has_an_interval(loop: int) -> None:
    found = told([0] * 500 + [loop] + every(5, 500))
    assert found.low < 0.2
    assert found.high > loop / 1001


def test_many_clips_are_resampled_as_clips() -> None:
    alike = [every(10, 20) for _ in range(40)]
    mixed = [[0] * 20 if clip % 4 else [1] * 8 + [0] * 12 for clip in range(40)]
    found, spread = told(*alike), told(*mixed)
    assert found.method == spread.method == "bootstrap over 40 clips"
    assert width(spread) > 0.05
    assert spread.low < 0.1 < spread.high


def csrnab() -> list[Alignment]:
    """The 51 utterances of sclite's published case; ``golden/sclite_csrnab.txt`` says where they are from."""
    lines = (Path(__file__).parent / "golden" / "sclite_csrnab.txt").read_text().splitlines()
    pairs = {"C": ("said", "said"), "S": ("said", "heard"), "D": ("said", None), "I": (None, "heard")}
    runs = [line.split()[1:] for line in lines if not line.startswith("#")]
    return [Alignment.of([pairs[run[0]] for run in each for _ in range(int(run[1:]))]) for each in runs]


def test_the_interval_of_sclites_published_case() -> None:
    """12.0 % of 1406 words; the standard error of a ratio by linearisation (Cochran 1977, "Sampling techniques", 6.4)."""
    clips = csrnab()
    errors, words = (np.array([getattr(clip, what) for clip in clips]) for what in ("errors", "reference_length"))
    rate = errors.sum() / words.sum()
    error = np.sqrt(len(clips) / (len(clips) - 1) * ((errors - rate * words) ** 2).sum()) / words.sum()
    found = interval(clips)
    assert found is not None
    assert found.method == "bootstrap over 51 clips"
    assert rate == pytest.approx(0.120, abs=0.0005)
    assert width(found) == pytest.approx(2 * 2.009 * error, rel=0.1)  # Student's t, 50 degrees of freedom
    assert found.low < rate - error < rate + error < found.high


def test_a_few_clips_are_resampled_in_blocks() -> None:
    assert told(every(4, 60), every(4, 60), every(3, 80)).method == "block bootstrap, 11 blocks of 18 words"


def test_what_is_invented_where_nothing_was_said_counts() -> None:
    silent = Alignment.of([(None, "thank"), (None, "you")] * 20)
    said = spoken(every(5, 100))
    with_silence, without = interval([said, silent]), interval([said])
    assert with_silence is not None
    assert without is not None
    assert with_silence.low == pytest.approx(without.low + 0.4)
    assert with_silence.high == pytest.approx(without.high + 0.4)


@pytest.mark.parametrize(("events", "low", "high"), [(0, 0, 3.689), (1, 0.025, 5.572), (2, 0.242, 7.225), (10, 4.795, 18.390)])
def test_mistakes_of_one_word_have_the_limits_of_counts(events: int, low: float, high: float) -> None:
    """95 % limits of a Poisson count, Garwood 1936, "Fiducial limits for the Poisson distribution"."""
    assert rare_events(np.ones(events, np.int64), 1) == (pytest.approx(low, abs=0.03), pytest.approx(high, rel=0.01))


@pytest.mark.parametrize(("run", "words", "rate"), [(1, 60, 0.1), (1, 300, 0.05), (2, 80, 0.3), (2, 300, 0.1), (2, 600, 0.02)])
def test_the_true_rate_is_nearly_always_in_it(run: int, words: int, rate: float) -> None:
    """Simulated clips of a known rate, in which errors come alone or in runs of two on average."""
    generator = np.random.default_rng(run * words)
    begins, goes_on = (rate, rate) if run == 1 else (rate / run / (1 - rate), 1 - 1 / run)
    inside = 0
    for _ in range(200):
        chances = generator.random(words).tolist()
        errors: list[int] = []
        wrong = chances[-1] < rate
        for chance in chances:
            errors.append(int(wrong))
            wrong = chance < (goes_on if wrong else begins)
        found = told(errors)
        inside += found.low <= rate <= found.high
    assert inside >= 182
