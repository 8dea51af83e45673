"""Krippendorff's alpha: the published examples, and what it must do whatever the votes are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.reviews.alpha import Agreement, Level, agreement

N = None
FOUR_OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
    [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
]
"""Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C: four observers, twelve units, some missing."""
TWO_OBSERVERS = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
"""The same, section A: two observers, ten units, two values."""
LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval")


def alpha(values: list[list[float | None]], level: Level) -> float:
    found = agreement(values, level).alpha
    assert found is not None
    return found


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_the_published_example_with_missing_values(level: Level, published: float) -> None:
    found = agreement(FOUR_OBSERVERS, level)
    assert found.alpha == pytest.approx(published, abs=0.0005)
    assert found.units == 11  # the last was judged by one only


def test_the_published_example_of_two_observers() -> None:
    assert alpha(TWO_OBSERVERS, "nominal") == pytest.approx(0.095, abs=0.0005)


@pytest.mark.parametrize("level", LEVELS)
def test_full_agreement_is_1(level: Level) -> None:
    assert alpha([[1, 2, 3, 1, 2]] * 3, level) == pytest.approx(1)


@pytest.mark.parametrize("level", LEVELS)
def test_to_disagree_on_purpose_is_below_0(level: Level) -> None:
    assert alpha([[1, 2, 1, 2], [2, 1, 2, 1]], level) < 0


def test_a_near_miss_is_less_of_a_disagreement_where_order_counts() -> None:
    near, far = [[1, 2, 3, 4, 5], [2, 2, 3, 4, 5]], [[1, 2, 3, 4, 5], [5, 2, 3, 4, 5]]
    assert alpha(near, "ordinal") > alpha(far, "ordinal")
    assert alpha(near, "interval") > alpha(far, "interval")


def test_for_ordinal_only_the_order_counts() -> None:
    stretched = [[None if value is None else float(value**3) for value in row] for row in FOUR_OBSERVERS]
    assert alpha(stretched, "ordinal") == pytest.approx(alpha(FOUR_OBSERVERS, "ordinal"))
    assert alpha(stretched, "interval") != pytest.approx(alpha(FOUR_OBSERVERS, "interval"))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([], "No two judges"),
        ([[]], "No two judges"),
        ([[1, 2, 3]], "No two judges"),
        ([[1, N], [N, 2]], "No two judges"),
        ([[1, 1], [1, 1]], "the same of everything"),
    ],
)
def test_where_it_cannot_be_said_the_words_say_why(values: list[list[float | None]], why: str) -> None:
    for level in LEVELS:
        found = agreement(values, level)
        assert found.alpha is None
        assert why in found.in_words()


def test_rows_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="Every judge"):
        agreement([[1, 2], [1]], "nominal")


def test_with_few_units_there_is_no_interval() -> None:
    found = agreement([[1, 2, 1, 2]] * 2, "nominal")
    assert (found.alpha, found.low, found.high) == (1.0, None, None)


@pytest.mark.parametrize("level", LEVELS)
def test_the_interval_holds_alpha_and_is_the_same_every_time(level: Level) -> None:
    found = agreement(FOUR_OBSERVERS, level)
    assert found.alpha is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.alpha < found.high <= 1
    assert agreement(FOUR_OBSERVERS, level) == found


@pytest.mark.parametrize(
    ("alpha", "says"),
    [
        (0.9, "agree well"),
        (0.7, "first conclusion"),
        (0.4, "agree little"),
        (0.0, "no more than chance"),
        (-0.3, "no more than"),
    ],
)
def test_what_alpha_means_is_said(alpha: float, says: str) -> None:
    told = Agreement("ordinal", alpha, alpha - 0.1, alpha + 0.05, 12).in_words()
    assert says in told
    assert f"alpha = {alpha:.2f}, 95 % from {alpha - 0.1:.2f} to {alpha + 0.05:.2f}" in told


tables = st.integers(1, 8).flatmap(
    lambda units: st.lists(
        st.lists(st.none() | st.integers(1, 4).map(float), min_size=units, max_size=units), min_size=1, max_size=5
    )
)


@settings(max_examples=60)
@given(tables, st.sampled_from(LEVELS), st.randoms(use_true_random=False))
def test_neither_the_order_of_judges_nor_of_units_counts(
    values: list[list[float | None]], level: Level, chance: object
) -> None:
    judges, units = list(range(len(values))), list(range(len(values[0])))
    chance.shuffle(judges)  # type: ignore[attr-defined]
    chance.shuffle(units)  # type: ignore[attr-defined]
    one = agreement(values, level)
    other = agreement([[values[judge][unit] for unit in units] for judge in judges], level)
    assert one.units == other.units
    assert one.alpha == (None if other.alpha is None else pytest.approx(other.alpha))
    assert one.alpha is None or one.alpha <= 1 + 1e-12
