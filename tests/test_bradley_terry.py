"""Bradley-Terry strengths: known ones are found again, and where votes can't say, nothing is claimed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from comparisons.reviews.bradley_terry import Strengths, fitted, preferred, strengths, students_t, two_sided


def votes(true: list[float], judges: int, times: int, seed: int) -> NDArray[np.float64]:
    """Each judge compares every two systems so many times: (judges, n, n)."""
    chance = np.random.default_rng(seed)
    n = len(true)
    wins = np.zeros((judges, n, n))
    for i in range(n):
        for j in range(i):
            won = chance.binomial(times, preferred(true[i] - true[j]), size=judges)
            wins[:, i, j], wins[:, j, i] = won, times - won
    return wins


def judged(wins: NDArray[np.float64]) -> Strengths | None:
    whole = wins.sum(0)
    return strengths(wins, whole + whole.T)


def found(wins: NDArray[np.float64]) -> Strengths:
    strong = judged(wins)
    assert strong is not None
    return strong


@settings(max_examples=60)
@given(st.integers(1, 1000), st.integers(1, 1000))
def test_of_two_the_odds_are_the_ratio_of_wins(one: int, other: int) -> None:
    log = fitted(np.array([[0.0, one], [other, 0.0]]))
    assert log[0] - log[1] == pytest.approx(math.log(one / other), abs=1e-6)


def test_a_tie_is_half_a_win_for_each() -> None:
    strong = found(np.array([[[0, 2.5], [1.5, 0]]]))  # two wins, one loss, one tie
    assert strong.chance(0, 1) == pytest.approx(2.5 / 4)
    assert strong.chance(0, 1) + strong.chance(1, 0) == pytest.approx(1)


def test_a_worked_case_of_three_in_closed_form() -> None:
    """Wins in the very proportions of strengths 4, 2 and 1 give just these."""
    weights = np.array([4.0, 2.0, 1.0])
    wins = 60 * weights[:, None] / (weights[:, None] + weights) * (1 - np.eye(3))
    assert np.exp(fitted(wins)) == pytest.approx(weights / 2)  # the geometric mean is 1


@settings(max_examples=15)
@given(st.lists(st.floats(-1.5, 1.5), min_size=2, max_size=6), st.integers(0, 10**6))
def test_known_strengths_are_found_again(true: list[float], seed: int) -> None:
    """With 20 000 votes a pair; five standard errors are about 0.1."""
    log = fitted(votes(true, 1, 20_000, seed)[0])
    assert log == pytest.approx(np.array(true) - np.mean(true), abs=0.15)


def test_more_votes_come_nearer() -> None:
    true = np.array([0.8, 0.1, -0.9])
    errors = [
        np.mean([np.abs(fitted(votes(true.tolist(), 1, times, seed)[0]) - true).max() for seed in range(20)])
        for times in (20, 200, 2000)
    ]
    assert errors[0] > errors[1] > errors[2]


@settings(max_examples=30)
@given(st.permutations(range(4)), st.integers(0, 10**6))
def test_names_and_their_order_do_not_count(order: list[int], seed: int) -> None:
    wins = votes([0.5, 0.2, 0.0, -0.7], 4, 6, seed)
    one, other = judged(wins), judged(wins[:, order][:, :, order])
    assert one is not None
    assert other is not None
    assert other.log == pytest.approx(one.log[order], abs=1e-4)
    assert one.is_held_back == other.is_held_back
    assert one.half_width is not None
    assert other.half_width == pytest.approx(one.half_width[order], rel=0.01)


def test_who_won_every_time_is_held_back_and_it_is_said() -> None:
    strong = found(np.array([[[0, 5], [0, 0]]] * 3, dtype=float))
    assert strong.is_held_back
    assert strong.log[0] > 0 > strong.log[1]
    assert strong.chance(0, 1) == pytest.approx(15.5 / 16)
    assert not found(np.array([[[0, 5], [1, 0]]] * 3, dtype=float)).is_held_back


def test_a_group_that_won_every_time_is_held_back_too() -> None:
    wins = np.zeros((1, 4, 4))
    wins[0, 0, 1] = wins[0, 1, 0] = wins[0, 2, 3] = wins[0, 3, 2] = 3
    assert judged(wins) is None  # the two pairs never met
    wins[0, 0, 2] = 2
    strong = found(wins)
    assert strong.is_held_back
    assert strong.log[0] > strong.log[2]


@pytest.mark.parametrize("wins", [np.zeros((0, 3, 3)), np.zeros((3, 3, 3)), np.zeros((3, 1, 1))])
def test_without_votes_there_are_no_strengths(wins: NDArray[np.float64]) -> None:
    assert judged(wins) is None


def test_one_judge_has_strengths_and_no_interval() -> None:
    strong = found(votes([0.5, -0.5], 1, 20, 3))
    assert strong.half_width is None
    assert strong.p is None


def test_judges_who_vote_alike_do_not_make_it_certain() -> None:
    """Three judges, one vote each, all the same: drawn again they are the same again, and yet it may be chance."""
    strong = found(np.array([[[0, 1], [0, 0]]] * 3, dtype=float))
    assert strong.p is not None
    assert strong.p[0, 1] > 0.05
    assert strong.half_width is not None
    assert strong.half_width[0] > abs(strong.log[0])


def test_many_votes_tell_apart_and_equal_systems_stay_alike() -> None:
    strong = found(votes([1.0, 0.0, 0.0], 10, 20, 5))
    assert strong.p is not None
    assert strong.p[0, 1] < 0.001
    assert strong.p[0, 2] < 0.001
    assert strong.p[1, 2] > 0.05


def test_ten_judges_who_disagree_say_less_than_a_hundred_votes_of_one_mind() -> None:
    """The same sums; but five judges are all for one, and five all for the other, bar a little."""
    split = np.array([[[0, 10], [0, 0]]] * 6 + [[[0, 0], [10, 0]]] * 4, dtype=float)
    even = np.array([[[0, 6], [4, 0]]] * 10, dtype=float)
    one, other = found(split), found(even)
    assert one.log == pytest.approx(other.log)
    assert one.half_width is not None
    assert other.half_width is not None
    assert one.half_width[0] > 1.5 * other.half_width[0]


def test_the_same_votes_have_the_same_interval_every_time() -> None:
    wins = votes([0.3, 0.0, -0.3], 5, 4, 8)
    assert found(wins).half_width == pytest.approx(found(wins).half_width, abs=0)


def test_intervals_hold_the_truth_and_equal_systems_are_rarely_told_apart() -> None:
    """Of 60 reviews with 5 judges; more than 9 of 60 misses at 5 % would be chance once in 1000."""
    true = np.zeros(3)
    missed = told_apart = 0
    for seed in range(60):
        strong = found(votes(true.tolist(), 5, 6, seed))
        assert strong.half_width is not None
        assert strong.p is not None
        missed += bool(np.any(np.abs(strong.log - true) > strong.half_width))
        told_apart += bool(strong.p[np.triu_indices(3, 1)].min() * 3 < 0.05)
    assert missed <= 9
    assert told_apart <= 9


@pytest.mark.parametrize(
    ("freedom", "t"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (30, 2.042), (120, 1.980)]
)
def test_students_t_as_in_the_tables(freedom: int, t: float) -> None:
    assert students_t(0.05, freedom) == pytest.approx(t, abs=0.0006)
    assert two_sided(t, freedom) == pytest.approx(0.05, abs=0.0001)
    assert two_sided(0, freedom) == 1
