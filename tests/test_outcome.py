"""What came of a review: counts always, an order only where votes tell systems apart, and all of it in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.reviews.against_rate import kendall, wilson
from comparisons.reviews.ballots import Ballot, WordMark
from comparisons.reviews.outcome import Standing, more_votes, outcome
from comparisons.reviews.review import Review
from tests.votes import LABELS, best, cast, clip, duels, judge, leaning, rated, review, voted


def standing(name: str, found: tuple[Standing, ...]) -> Standing:
    (one,) = [each for each in found if each.contender == name]
    return one


def counts(name: str, found: tuple[Standing, ...]) -> tuple[int, int, int]:
    one = standing(name, found)
    return one.wins, one.losses, one.ties


def test_the_best_is_preferred_to_each_of_the_others() -> None:
    found = outcome(review("best", clips=2), voted(["ab", "a-"]))
    assert (found.judges, found.ballots, found.none_good) == (2, 4, 1)
    assert counts("a", found.standings) == (4, 1, 0)
    assert counts("b", found.standings) == (2, 2, 0)
    assert counts("c", found.standings) == (0, 3, 0)
    assert [each.chosen for each in found.standings] == [2, 1, 0]


def test_pairs_are_counted_as_they_were_said() -> None:
    cast = [
        duels(1, 1, ("a", "b", "left"), ("c", "a", "right"), ("b", "c", "tie")),
        duels(2, 1, ("b", "a", "left"), ("a", "c", "both bad"), ("c", "b", "tie")),
    ]
    found = outcome(review("pairwise"), cast)
    assert counts("a", found.standings) == (2, 1, 1)
    assert counts("b", found.standings) == (1, 1, 2)
    assert counts("c", found.standings) == (0, 1, 3)
    assert found.both_bad == 1
    match = found.matches[0]
    assert (match.first, match.second, match.first_wins, match.second_wins, match.ties) == ("a", "b", 1, 1, 0)


def test_of_ratings_the_higher_one_is_preferred() -> None:
    found = outcome(review("rating"), [rated(1, 1, a=5, b=3, c=3), rated(2, 1, a=4, b=5, c=1)])
    assert counts("a", found.standings) == (3, 1, 0)
    assert counts("b", found.standings) == (2, 1, 1)
    assert [each.mean_rating for each in found.standings] == [4.5, 4.0, 2.0]


def test_who_wrote_the_same_shares_the_win_and_beats_no_twin() -> None:
    twins = Review("r", "t", "q", "best", (clip(1, {"a": "same", "b": "same", "c": "other"}),), b"s")
    found = outcome(twins, [best(1, 1, "b")])
    assert counts("a", found.standings) == (1, 0, 0)
    assert counts("b", found.standings) == (1, 0, 0)
    assert counts("c", found.standings) == (0, 2, 0)
    assert [each.chosen for each in found.standings] == [1, 1, 0]
    rating = Review("r", "t", "q", "rating", twins.clips, b"s")
    assert counts("a", outcome(rating, [rated(1, 1, a=5, b=2, c=3)]).standings) == (1, 0, 0)


def test_twins_that_are_chosen_in_turn_are_full_agreement() -> None:
    texts = [{"a": "same", "b": "same", "c": "other"}, {"a": "x", "b": "y", "c": "z"}]
    twins = Review("r", "t", "q", "best", tuple(clip(at, each) for at, each in enumerate(texts, 1)), b"s")
    found = outcome(twins, voted(["ac", "bc"]))
    assert found.agreement.alpha == pytest.approx(1)


def test_nobody_has_voted() -> None:
    found = outcome(review("best"), [])
    assert found.refusal == "Nobody has voted yet"
    assert (found.judges, found.ballots, found.ranking) == (0, 0, ())
    assert [each.log_strength for each in found.standings] == [None] * 3
    assert "No two judges" in found.agreement.in_words()
    assert found.against_rate is None


@pytest.mark.parametrize(
    ("judges", "says"),
    [
        (1, "Only 1 judge has voted, which shows their taste and not people's: 2 more judges"),
        (2, "Only 2 judges have voted, which shows their taste and not people's: 1 more judge at least"),
    ],
)
def test_one_or_two_judges_rank_nothing_however_often_they_vote(judges: int, says: str) -> None:
    found = outcome(review("best", clips=40), voted(["a" * 38 + "bc"] * judges))
    assert found.refusal is not None
    assert found.refusal.startswith(says)
    assert found.ranking == ()
    assert counts("a", found.standings)[0] == 76 * judges  # what was counted is still there
    assert [each.contender for each in found.standings] == ["a", "b", "c"]
    assert standing("a", found.standings).low is None
    assert all(match.p is None and match.better is None for match in found.matches)


def test_too_few_votes_are_refused_with_how_many_more_would_do() -> None:
    found = outcome(review("best", clips=3, systems="ab"), voted(["aab", "aba", "aaa"]))
    assert found.ranking == ()
    assert found.refusal is not None
    assert found.refusal.startswith("Ada and Bob can't be told apart yet: about ")
    (match,) = found.matches
    assert match.more_votes is not None
    assert f"about {match.more_votes} more votes may tell them apart" in found.refusal


def test_equal_votes_may_well_be_equal_systems() -> None:
    found = outcome(review("best", clips=4, systems="ab"), voted(["abab", "baba", "abba", "baab"]))
    assert found.refusal == "Ada and Bob can't be told apart yet: people may well like them equally"


def test_clear_votes_are_ranked_in_words_strongest_first() -> None:
    found = outcome(review("best", clips=10), leaning(10, 10, {"c": 8, "a": 3, "b": 1}))
    assert found.refusal is None
    assert [each.label for each in found.standings] == ["Cy", "Ada", "Bob"]
    assert found.ranking[0] == "People prefer Cy to Ada and Bob: more than chance would explain"
    assert found.ranking[1] == "People prefer Ada to Bob: more than chance would explain"
    for each in found.standings:
        chance, low, high = each.preferred_to_average
        assert chance is not None
        assert low is not None
        assert high is not None
        assert 0 < low < chance < high < 1


def test_of_two_the_chance_is_said() -> None:
    found = outcome(review("best", clips=10, systems="ab"), leaning(6, 10, {"b": 5, "a": 1}))
    (sentence,) = found.ranking
    assert sentence.startswith("People prefer Bob to Ada: more than chance would explain (p ")


def test_those_who_cannot_be_told_apart_are_named_beside_the_others() -> None:
    found = outcome(review("best", clips=10), leaning(8, 10, {"a": 8, "b": 1, "c": 1}, seed=4))
    assert found.ranking[0] == "People prefer Ada to Bob and Cy: more than chance would explain" or (
        found.ranking[0] == "People prefer Ada to Cy and Bob: more than chance would explain"
    )
    assert "can't be told apart yet" in found.ranking[1]


def test_who_never_lost_is_said() -> None:
    found = outcome(review("best", clips=5, systems="ab"), voted(["aaaaa"] * 5))
    assert found.caution is not None
    assert found.caution.startswith("Ada never lost and Bob never won")
    assert found.ranking
    assert outcome(review("best", clips=5, systems="ab"), voted(["aaaab"] * 5)).caution is None


def test_only_none_good() -> None:
    found = outcome(review("best", clips=2), voted(["--", "--", "--"]))
    assert found.none_good == 6
    assert found.refusal is not None
    assert "none is good" in found.refusal


def test_systems_that_never_met() -> None:
    apart = Review("r", "t", "q", "best", (clip(1, {"a": "x", "b": "y"}), clip(2, {"c": "x", "d": "y"})), b"s")
    found = outcome(apart, voted(["ac", "bd", "ad"]))
    assert found.refusal is not None
    assert "were held against each other" in found.refusal
    assert all(each.log_strength is None for each in found.standings)


def test_agreement_has_the_level_that_suits_the_method() -> None:
    assert outcome(review("best"), voted(["abcb", "abcb"])).agreement.level == "nominal"
    told = outcome(review("rating"), [rated(1, 1, a=5, b=3, c=1), rated(2, 1, a=4, b=3, c=1)]).agreement
    assert (told.level, told.units) == ("ordinal", 3)
    assert told.alpha is not None
    swapped = [duels(1, 1, ("a", "b", "left"), ("a", "c", "right")), duels(2, 1, ("b", "a", "right"), ("c", "a", "left"))]
    assert outcome(review("pairwise"), swapped).agreement.alpha == pytest.approx(1)  # the same, on other sides


def test_preference_is_held_against_the_rate() -> None:
    """On each clip a has the lowest rate, and c and b the same: of 4 clips, a is liked best on 3 and b on 1."""
    made = review("best", clips=4, errors={"a": 5, "b": 20, "c": 20})
    found = outcome(made, voted(["aaab", "aaab", "aaab"])).against_rate
    assert found is not None
    assert (found.metric, found.agreed, found.decided, found.same_rate) == ("WER", 6, 7, 1)
    assert (found.low, found.high) == pytest.approx(wilson(6, 7))
    assert found.tau == pytest.approx(2 / 6**0.5)
    assert "6 times of 7 (86 %" in found.in_words()
    assert [each.rate for each in outcome(made, []).standings] == [0.05, 0.2, 0.2]


def test_people_may_disagree_with_the_number() -> None:
    made = review("best", clips=20, systems="ab", errors={"a": 30, "b": 10})
    found = outcome(made, voted(["a" * 20] * 3)).against_rate
    assert found is not None
    assert (found.agreed, found.decided, found.tau) == (0, 20, None)
    assert "disagree with the number" in found.in_words()


def test_where_judges_are_split_no_preference_is_counted() -> None:
    made = review("best", clips=1, systems="ab", errors={"a": 30, "b": 10})
    found = outcome(made, voted(["a", "b"])).against_rate
    assert found is not None
    assert found.decided == 0
    assert "can't be said" in found.in_words()


def test_marked_words_are_gathered_with_who_marked_them_and_what_they_wrote() -> None:
    meat, other = WordMark("a", 1, "a", "should be <b>b</b>"), WordMark("b", 0, "text", "")
    found = outcome(
        review("best"),
        [best(2, 1, "a", WordMark("a", 1, "a", "")), best(1, 1, "b", meat, other), best(1, 2, "b", other)],
    ).marked_words
    first = found[0]
    assert (first.clip, first.source, first.contender, first.at, first.word) == (1, "clip 1.wav", "a", 1, "a")
    assert first.judges == (1, 2)
    assert first.comments == ((1, "should be <b>b</b>"),)
    assert [(each.clip, each.contender) for each in found[1:]] == [(1, "b"), (2, "b")]


@pytest.mark.parametrize(("apart", "wanted"), [(1.0, 1), (0.5, None), (0.0, None)])
def test_more_votes_are_asked_for_where_they_would_help(apart: float, wanted: int | None) -> None:
    few = more_votes(apart, 0.5, ballots=20, judges=10, pairs=1)
    if apart == 0:
        assert few is None
    else:
        assert few is not None
        assert few >= 1
        assert wanted is None or few < (more_votes(0.5, 0.5, 20, 10, 1) or 0)
    assert more_votes(0.01, 0.5, 20, 10, 1) is None


def test_wilson_as_published() -> None:
    """Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I: 81 of 263, 15 of 148, 0 of 20."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=0.0001)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=0.0001)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=0.0001)


def test_kendall() -> None:
    assert kendall([1, 2, 3], [10, 20, 30]) == 1
    assert kendall([1, 2, 3], [3, 2, 1]) == -1
    assert kendall([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(4 / 6)
    assert kendall([1, 2, 2], [1, 2, 3]) == pytest.approx(2 / 6**0.5)
    assert kendall([1, 1, 1], [1, 2, 3]) is None


@settings(max_examples=25)
@given(st.lists(st.text("abc-", min_size=3, max_size=3), max_size=6), st.permutations("abc"))
def test_the_order_of_systems_and_ballots_does_not_count(rows: list[str], order: list[str]) -> None:
    texts = {name: f"text {name}" for name in LABELS}
    made = [
        Review("r", "t", "q", "best", tuple(clip(at, {name: texts[name] for name in names}) for at in (1, 2, 3)), b"s")
        for names in ("abc", order)
    ]
    one, other = outcome(made[0], voted(rows)), outcome(made[1], voted(rows)[::-1])
    assert (one.judges, one.ballots, one.none_good) == (other.judges, other.ballots, other.none_good)
    assert (one.refusal is None) == (other.refusal is None)
    for name in "abc":
        mine, theirs = standing(name, one.standings), standing(name, other.standings)
        assert (mine.wins, mine.losses, mine.ties) == (theirs.wins, theirs.losses, theirs.ties)
        assert mine.log_strength == (None if theirs.log_strength is None else pytest.approx(theirs.log_strength, abs=1e-4))


def test_a_judge_who_only_chose_none_has_voted_too() -> None:
    found = outcome(review("best", clips=1), [cast(1, Ballot("best", 1)), best(2, 1, "a"), best(3, 1, "a")])
    assert found.judges == 3
    assert judge(1).id not in repr(found)
