"""Whether two contenders differ by more than chance, and how that is said."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.align import Alignment, align
from comparisons.statistics.significance import (
    Pair,
    Verdict,
    groups,
    in_words,
    matched_pairs,
    pairs,
    segment_differences,
    sign_flips,
    summary,
)
from comparisons.statistics.uncertainty import error_places


def differences(reference: str, first: str, second: str) -> list[int]:
    one, other = (error_places(align(reference.split(), heard.split())) for heard in (first, second))
    return segment_differences(one, other).tolist()


def spoken(wrong: set[int], words: int) -> Alignment:
    return Alignment.of([("said", "heard" if word in wrong else "said") for word in range(words)])


def only(contenders: dict[str, list[Alignment]]) -> Pair:
    (pair,) = pairs(contenders)
    return pair


def verdicts(told: str) -> tuple[Pair, ...]:
    """Pairs of a, b, c …, whose rates rise from the first on: "<" where the first is better, "=" alike, "?" too short."""
    names = "abcdefgh"
    count = next(n for n in range(2, 9) if n * (n - 1) // 2 == len(told))
    means: dict[str, Verdict] = {"<": "first", "=": "alike", "?": "too short"}
    return tuple(
        Pair(one, other, names.index(one) - names.index(other), 60, 0.001, 0.004, means[sign])
        for (one, other), sign in zip(combinations(names[:count], 2), told, strict=True)
    )


LABELS = {"a": "Ada", "b": "Bob", "c": "Cy", "d": "Di", "e": "Eve"}


def test_the_published_example_of_sc_stats() -> None:
    """NIST's SCTK 2.4, src/sclite/testdata/base_sc_stats, test 1: two utterances, the first without a word of reference,
    9 and 7 errors in 3 stretches: mean 0.667, standard deviation 0.577, Z 2.000. The words are ours; where the systems
    are right and wrong is as it is there.
    """
    nothing = ("", "oh", "")
    said = (
        "so when can you send us the new plan by friday",
        "so than you sent as he new plan friday it is",
        "so than you sent as he new plan my fridays",
    )
    one, other = (
        [align(nothing[0].split(), nothing[which].split()), align(said[0].split(), said[which].split())] for which in (1, 2)
    )
    found = np.concatenate([segment_differences(error_places(a), error_places(b)) for a, b in zip(one, other, strict=True)])
    assert (sum(a.errors for a in one), sum(b.errors for b in other)) == (9, 7)
    assert found.tolist() == [1, 0, 1]
    assert found.std(ddof=1) == pytest.approx(0.577, abs=0.0005)
    assert matched_pairs(found)[0] == pytest.approx(2.000)
    assert matched_pairs(-found)[0] == pytest.approx(-2.000)  # test 1b: the systems the other way round
    pair = only({"one": one, "other": other})
    assert (pair.segments, pair.verdict, pair.p) == (3, "too short", None)  # three stretches are no proof of anything


def test_a_stretch_ends_at_two_words_that_both_have_right() -> None:
    assert differences("a b c d e f", "x b y d e f", "a b c d e f") == [2]
    assert differences("a b c d e f", "x b c y e f", "a b c d e f") == [1, 1]
    assert differences("a b c d e f", "x b c d e f", "a b c y e f") == [1, -1]
    assert differences("a b c d e f", "x b c d e f", "a b y d e f") == [0]


def test_an_inserted_word_parts_nothing_and_is_an_error() -> None:
    assert differences("a b c d e f", "x b oh c y e f", "a b c d e f") == [3]
    assert differences("a b c d", "a b c d oh", "oh a b c d") == [-1, 1]


def test_texts_without_errors_have_no_stretches() -> None:
    assert differences("a b c", "a b c", "a b c") == []
    assert differences("", "", "") == []


def test_a_system_that_says_nothing_is_cut_into_utterances() -> None:
    said = " ".join(f"w{word}" for word in range(50))
    assert differences(said, "", said) == [20, 20, 10]


def test_clips_are_never_run_together() -> None:
    silent, right = align(["yes"], []), align(["yes"], ["yes"])
    pair = only({"one": [silent] * 130, "other": [right] * 130})
    assert (pair.segments, pair.difference, pair.verdict) == (130, 1, "second")


@settings(max_examples=60)
@given(st.lists(st.integers(-4, 4), max_size=9))
def test_flipped_signs_are_counted_one_by_one(found: list[int]) -> None:
    sums = [sum(sign * each for sign, each in zip(signs, found, strict=True)) for signs in product((1, -1), repeat=len(found))]
    expected = sum(abs(each) >= abs(sum(found)) for each in sums) / len(sums)
    assert sign_flips(np.array(found, np.int64)) == pytest.approx(expected)


@pytest.mark.parametrize(("found", "p"), [([1] * 5, 2 / 32), ([1] * 6, 2 / 64), ([2, 1, 1], 2 / 8), ([3, -1], 1), ([0, 0], 1)])
def test_flipped_signs_by_hand(found: list[int], p: float) -> None:
    assert sign_flips(np.array(found)) == pytest.approx(p)


def test_many_stretches_give_the_same_either_way() -> None:
    found = np.random.default_rng(4).choice([-2, -1, 0, 1, 2], 300)
    assert matched_pairs(found)[1] == pytest.approx(sign_flips(found), rel=0.2)


@pytest.mark.parametrize(("found", "z", "p"), [([0] * 60, 0, 1), ([1] * 60, np.inf, 0), ([], 0, 1), ([1, -1], 0, 1)])
def test_differences_that_do_not_vary(found: list[int], z: float, p: float) -> None:
    assert matched_pairs(np.array(found, np.int64)) == (z, p)


def test_a_clear_difference_is_told_either_way_round() -> None:
    good, bad = [spoken(set(range(0, 600, 60)), 600)], [spoken(set(range(0, 600, 6)), 600)]
    one, other = only({"good": good, "bad": bad}), only({"bad": bad, "good": good})
    assert (one.verdict, other.verdict) == ("first", "second")
    assert one.difference == -other.difference == pytest.approx(-0.15)
    assert one.p == other.p == one.corrected_p
    assert (one.segments, one.method) == (100, "matched pairs (MAPSSWE)")


def test_few_differences_in_long_speech_cannot_be_told_apart() -> None:
    right, nearly = [spoken(set(), 500)], [spoken({30, 200, 350}, 500)]
    pair = only({"right": right, "nearly": nearly})
    assert (pair.verdict, pair.p, pair.method) == ("alike", 0.25, "matched pairs (MAPSSWE), exact")
    assert only({"right": right, "same": right}).p == 1


def test_little_speech_is_too_short_unless_it_tells_enough() -> None:
    assert only({"right": [spoken(set(), 40)], "wrong": [spoken(set(range(40)), 40)]}).verdict == "too short"
    assert only({"right": [spoken(set(), 40)], "wrong": [spoken(set(range(0, 40, 4)), 40)]}).verdict == "first"


def test_one_loop_is_one_mistake() -> None:
    looping = [Alignment.of([("said", "said")] * 300 + [(None, "again")] * 500 + [("said", "said")] * 300)]
    pair = only({"looping": looping, "right": [spoken(set(), 600)]})
    assert pair.difference == pytest.approx(500 / 600)
    assert pair.verdict == "alike"


def test_characters_need_more_between_them() -> None:
    def chinese(wrong: set[int]) -> list[Alignment]:
        return [Alignment.of([("天", "地" if place in wrong else "天") for place in range(300)])]

    assert only({"one": chinese({0, 3, 6}), "other": chinese({1})}).segments == 1
    assert only({"one": chinese({0, 5, 10}), "other": chinese({0})}).segments == 3


def test_many_pairs_are_corrected_by_holm() -> None:
    generator = np.random.default_rng(11)
    contenders = {
        name: [spoken(set(np.flatnonzero(generator.random(900) < rate).tolist()), 900)]
        for name, rate in {"a": 0.05, "b": 0.08, "c": 0.09, "d": 0.12}.items()
    }
    found = pairs(contenders)
    assert [(pair.first, pair.second) for pair in found] == list(combinations("abcd", 2))
    by_p = sorted(found, key=lambda pair: pair.p or 0.0)
    least = 0.0
    for rank, pair in enumerate(by_p):
        assert pair.p is not None
        least = max(least, min(1.0, pair.p * (6 - rank)))
        assert pair.corrected_p == pytest.approx(least)
        assert (pair.verdict == "alike") == (least >= 0.05)


@pytest.mark.parametrize(("words", "rate"), [(80, 0.2), (300, 0.1), (1000, 0.15)])
def test_equally_good_systems_are_hardly_ever_told_apart(words: int, rate: float) -> None:
    """Simulated: both find the same words hard, and are right or wrong about them by chance."""
    generator = np.random.default_rng(words)
    told_apart = 0
    for _ in range(200):
        hard = rate * np.where(np.arange(words) // 20 % 3 == 0, 2.0, 0.5)
        one, other = ([spoken(set(np.flatnonzero(generator.random(words) < hard).tolist()), words)] for _ in "12")
        told_apart += only({"one": one, "other": other}).verdict in ("first", "second")
    assert told_apart <= 18  # 5 % are 10


def test_no_rate_no_pairs() -> None:
    invented = [align([], ["thanks"])]
    assert pairs({"a": invented, "b": invented}) == ()
    assert pairs({"a": [spoken(set(), 60)]}) == pairs({}) == ()


def test_other_references_cannot_be_held_against_each_other() -> None:
    with pytest.raises(ValueError, match="same references"):
        pairs({"a": [spoken(set(), 60)], "b": [spoken(set(), 61)]})


def test_pairs_in_words() -> None:
    better, alike, short = (Pair("a", "b", -0.1, 60, 0.001, 0.004, verdict) for verdict in ("first", "alike", "too short"))
    assert in_words(better, LABELS) == (
        "Ada makes fewer errors than Bob on this clip: more than chance would explain (p = 0.004 after correction)"
    )
    assert in_words(alike, LABELS, clips=3) == "Ada and Bob can't be told apart on these clips"
    assert in_words(short, LABELS) == "Too little speech to tell Ada and Bob apart"
    assert in_words(Pair("a", "b", 0.1, 60, 1e-9, 1e-9, "second"), {"b": "<b>"}) == (
        "<b> makes fewer errors than a on this clip: more than chance would explain (p < 0.001)"
    )


def test_up_to_three_contenders_have_a_sentence_a_pair() -> None:
    found = verdicts("<==")
    assert summary(found, LABELS) == tuple(in_words(pair, LABELS) for pair in found)


def test_three_of_whom_none_differs_have_one_sentence() -> None:
    assert summary(verdicts("???"), LABELS) == ("Too little speech to tell Ada, Bob and Cy apart",)
    assert summary(verdicts("==="), LABELS) == ("Ada, Bob and Cy can't be told apart on this clip",)


def test_many_contenders_have_few_sentences() -> None:
    #                ab ac ad ae bc bd be cd ce de
    found = verdicts("==<<=<<=<?")
    assert groups(found) == (("a", "b", "c"), ("c", "d"), ("d", "e"))
    assert summary(found, LABELS) == (
        "Ada and Bob each make fewer errors than Di and Eve on this clip: more than chance would explain",
        "Cy makes fewer errors than Eve on this clip: more than chance would explain",
        "Ada, Bob and Cy can't be told apart on this clip",
        "Cy and Di can't be told apart on this clip",
        "Too little speech to tell Di and Eve apart",
    )


def test_who_differs_from_all_stands_alone() -> None:
    assert groups(verdicts("<<=")) == (("a",), ("b", "c"))
    assert groups(verdicts("======")) == (("a", "b", "c", "d"),)
    assert groups(()) == ()
    assert summary((), LABELS) == ()


@settings(max_examples=60)
@given(st.lists(st.sampled_from("<=?"), min_size=28, max_size=28))
def test_groups_hold_exactly_those_who_cannot_be_told_apart(signs: list[str]) -> None:
    found = verdicts("".join(signs))
    together = {both for group in groups(found) for both in combinations(group, 2)}
    assert together == {(pair.first, pair.second) for pair in found if pair.verdict != "first"}
    assert {name for group in groups(found) for name in group} == set("abcdefgh")
    assert len(summary(found, {})) <= len(found)


def looping(words: int, extra: int) -> Alignment:
    """All right, but for a loop in the middle."""
    right: list[tuple[str | None, str | None]] = [("said", "said")] * words
    return Alignment.of(right[: words // 2] + [(None, "again")] * extra + right[words // 2 :])


def test_a_loop_is_one_mishap_and_is_said_to_be() -> None:
    found = only({"a": [spoken({10, 200}, 300)], "b": [looping(300, 400)]})
    assert (found.verdict, found.mishap) == ("alike", "b")
    assert found.difference < -1
    assert in_words(found, LABELS) == (
        "Ada and Bob can't be told apart on this clip: most of the difference is one long mistake of Bob"
    )
    turned = only({"b": [looping(300, 400)], "a": [spoken({10, 200}, 300)]})
    assert turned.mishap == "b"


def test_ordinary_mistakes_are_no_mishap() -> None:
    assert only({"a": [spoken({10, 11, 12}, 300)], "b": [spoken({200}, 300)]}).mishap is None
    assert only({"a": [spoken(set(), 300)], "b": [spoken(set(), 300)]}).mishap is None
    better = only({"a": [spoken(set(range(0, 1200, 10)), 1200)], "b": [looping(1200, 30)]})
    assert (better.verdict, better.mishap) == ("second", None)


def test_a_mishap_is_told_once_among_many() -> None:
    found = pairs({name: [looping(300, 400) if name == "d" else spoken({ord(name)}, 300)] for name in "abcd"})
    told = summary(found, LABELS)
    assert told == (
        "Ada, Bob, Cy and Di can't be told apart on this clip",
        "Many errors of Di are one long mistake, which weighs little when systems are told apart",
    )


def test_a_loop_hides_nothing_else() -> None:
    worse = Alignment.of(
        [("said", "heard" if word % 10 == 0 else "said") for word in range(600)]
        + [(None, "again") for _ in range(600)]
        + [("said", "said") for _ in range(20)]
    )
    better = only({"a": [spoken(set(), 620)], "b": [worse]})
    assert (better.verdict, better.mishap) == ("first", None)
    most = set(range(0, 600, 5))
    turned = only({"a": [spoken(most, 620)], "b": [worse]})  # b is better but for its loop
    assert turned.difference < 0
    assert (turned.verdict, turned.p, turned.mishap) == ("alike", 1.0, "b")
