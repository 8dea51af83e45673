"""Ballots: what answers its task is taken and given names; whatever else a browser may send is refused in plain words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.reviews.ballots import LONGEST_COMMENT, MOST_MARKS, Ballot, BallotError, WordMark, checked
from comparisons.reviews.review import Hearing, Judge, Method, Review, ReviewClip, Task, Word

JUDGE = Judge("j", 1)
TEXTS = {"ada": "we meat on monday", "bob": "we meet on monday", "cy": "we meet"}


def asked(method: Method) -> tuple[Task, dict[str, str]]:
    """A task with three columns, and whose they are."""
    heard = tuple(
        Hearing(name, name.title(), tuple(Word(word, " ", None, None) for word in text.split()), None)
        for name, text in TEXTS.items()
    )
    review = Review("r", "t", "q", method, (ReviewClip(1, "c.wav", 2.0, heard),), b"seed")
    return review.task(JUDGE, 1), review.contenders(JUDGE, 1)


def sent(method: Method, raw: object) -> Ballot:
    task, whose = asked(method)
    return checked(task, raw, whose)


def vote(method: Method, **fields: Any) -> dict[str, Any]:
    """What the page sends, whole, with some fields otherwise."""
    task, _ = asked(method)
    choice: Any = "A"
    if method == "pairwise":
        choice = [{"left": left, "right": right, "says": "left"} for left, right in task.pairs]
    elif method == "rating":
        choice = {"A": 1, "B": 5, "C": 3}
    return {"heard": True, "choice": choice, "marks": [], **fields}


def test_a_letter_becomes_the_name_it_stands_for() -> None:
    _, whose = asked("best")
    assert {sent("best", vote("best", choice=letter)).best for letter in "ABC"} == set(TEXTS)
    assert sent("best", vote("best", choice="B")) == Ballot("best", 1, best=whose["B"])
    assert sent("best", vote("best", choice="none good")).best is None


def test_each_pair_is_answered_in_whatever_order() -> None:
    task, whose = asked("pairwise")
    says = ["right", "tie", "both bad"]
    choice = [{"left": left, "right": right, "says": said} for (left, right), said in zip(task.pairs, says, strict=True)]
    ballot = sent("pairwise", vote("pairwise", choice=choice[::-1]))
    assert [(duel.left, duel.right, duel.says) for duel in ballot.duels] == [
        (whose[left], whose[right], said) for (left, right), said in zip(task.pairs, says, strict=True)
    ]


def test_each_text_is_rated() -> None:
    _, whose = asked("rating")
    assert dict(sent("rating", vote("rating")).ratings) == {whose["A"]: 1, whose["B"]: 5, whose["C"]: 3}


def test_a_marked_word_is_kept_with_its_system_and_comment() -> None:
    task, whose = asked("best")
    letter = next(letter for letter, name in whose.items() if name == "ada")
    mark = {"letter": letter, "at": 1, "word": "meat", "comment": " <b>should\x00 be\r\nmeet</b> "}
    ballot = checked(task, vote("best", marks=[mark]), whose)
    assert ballot.marks == (WordMark("ada", 1, "meat", "<b>should be meet</b>"),)
    without = {name: value for name, value in mark.items() if name != "comment"}
    assert checked(task, vote("best", marks=[without]), whose).marks[0].comment == ""


@pytest.mark.parametrize("method", ["best", "pairwise", "rating"])
def test_a_ballot_is_written_and_read_again(method: Method) -> None:
    ballot = sent(method, vote(method))
    assert Ballot.from_choice(method, 1, json.loads(json.dumps(ballot.choice())), ballot.marks) == ballot
    none = sent("best", vote("best", choice="none good"))
    assert Ballot.from_choice("best", 1, json.loads(json.dumps(none.choice()))) == none


@pytest.mark.parametrize("method", ["best", "pairwise", "rating"])
@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"heard": False}, "Play the clip"),
        ({"heard": 1}, "Play the clip"),
        ({"heard": "true"}, "Play the clip"),
        ({"choice": None}, "."),
        ({"choice": []}, "."),
        ({"choice": {}}, "."),
        ({"choice": "Z"}, "."),
        ({"choice": "a"}, "."),
        ({"choice": ""}, "."),
        ({"choice": 0}, "."),
        ({"choice": True}, "."),
        ({"choice": "ada"}, "."),
        ({"judge": "another"}, "nobody asked for"),
        ({"marks": {}}, "must be a list"),
        ({"marks": "no"}, "must be a list"),
        ({"marks": [None]}, "form"),
        ({"marks": [{"letter": "A"}]}, "lacks: at, word"),
        ({"marks": [{"letter": "Z", "at": 0, "word": "we"}]}, "Choose one of the texts A to C"),
        ({"marks": [{"letter": ["A"], "at": 0, "word": "we"}]}, "Choose one of the texts"),
        ({"marks": [{"letter": "A", "at": 9, "word": "we"}]}, "not in its text"),
        ({"marks": [{"letter": "A", "at": -1, "word": "we"}]}, "not in its text"),
        ({"marks": [{"letter": "A", "at": False, "word": "we"}]}, "not in its text"),
        ({"marks": [{"letter": "A", "at": 0.0, "word": "we"}]}, "not in its text"),
        ({"marks": [{"letter": "A", "at": 0, "word": "us"}]}, "not in its text"),
        ({"marks": [{"letter": "A", "at": 0, "word": "we", "more": 1}]}, "nobody asked for"),
        ({"marks": [{"letter": "A", "at": 0, "word": "we"}] * 2}, "marked once"),
        ({"marks": [{"letter": "A", "at": 0, "word": "we"}] * (MOST_MARKS + 1)}, "At most 200"),
        ({"marks": [{"letter": "A", "at": 0, "word": "we", "comment": 5}]}, "must be text"),
        ({"marks": [{"letter": "A", "at": 0, "word": "we", "comment": "x" * (LONGEST_COMMENT + 1)}]}, "500 characters"),
        ({"marks": [{"letter": "A", "at": 0, "word": "we", "comment": "\ud800"}]}, "no text"),
    ],
)
def test_what_is_no_answer_is_refused(method: Method, fields: dict[str, Any], why: str) -> None:
    with pytest.raises(BallotError, match=why):
        sent(method, vote(method, **fields))


@pytest.mark.parametrize("raw", [None, [], "A", 3, {}, {"heard": True}, {"choice": "A"}])
def test_what_is_no_ballot_at_all_is_refused(raw: object) -> None:
    with pytest.raises(BallotError):
        sent("best", raw)


def test_a_clip_that_was_not_played_is_said_first() -> None:
    with pytest.raises(BallotError, match="Play the clip first"):
        sent("best", {"choice": "A"})


def test_pairs_that_were_not_asked_about_are_refused() -> None:
    task, _ = asked("pairwise")
    whole = vote("pairwise")["choice"]
    swapped = [{"left": each["right"], "right": each["left"], "says": "left"} for each in whole]
    for choice in (
        whole[:-1],
        whole + whole[:1],
        [whole[0]] * len(task.pairs),
        swapped,
        [{**whole[0], "says": "LEFT"}, *whole[1:]],
        [{**whole[0], "says": ["left"]}, *whole[1:]],
        [{**whole[0], "says": None}, *whole[1:]],
        [{**whole[0], "right": whole[0]["left"]}, *whole[1:]],
        [{"left": "A", "right": "B"}, *whole[1:]],
    ):
        with pytest.raises(BallotError):
            sent("pairwise", vote("pairwise", choice=choice))


@pytest.mark.parametrize("rating", [0, 6, -1, 3.0, "3", None, True, [3], float("nan")])
def test_only_whole_numbers_from_1_to_5_are_ratings(rating: object) -> None:
    with pytest.raises(BallotError, match="whole number from 1 to 5"):
        sent("rating", vote("rating", choice={"A": 3, "B": 3, "C": rating}))


@pytest.mark.parametrize("choice", [{"A": 3, "B": 3}, {"A": 3, "B": 3, "C": 3, "D": 3}, {"ada": 3, "bob": 3, "cy": 3}])
def test_each_text_is_rated_and_no_other(choice: object) -> None:
    with pytest.raises(BallotError):
        sent("rating", vote("rating", choice=choice))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["A", "left", "none good"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["A", "B", "left", "at", "x"]), inner),
    max_leaves=8,
)


@settings(max_examples=150)
@given(
    st.sampled_from(["best", "pairwise", "rating"]),
    st.fixed_dictionaries({}, optional={"heard": st.just(True) | json_values, "choice": json_values, "marks": json_values}),
)
def test_whatever_comes_is_a_ballot_or_refused(method: Method, raw: dict[str, Any]) -> None:
    try:
        ballot = sent(method, raw)
        why = None
    except BallotError as refused:
        why = str(refused)
    if why is not None:
        assert why.endswith(".")
        assert len(why) < 200
    else:
        assert raw["heard"] is True
        assert {ballot.best, *dict(ballot.ratings)} <= {None, *TEXTS}
