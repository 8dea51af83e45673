"""A review as files: all that was said, safe in a spreadsheet, and nothing that is secret."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from comparisons.reviews.ballots import Ballot, Cast, WordMark
from comparisons.reviews.export import outcome_to_csv, to_dict, votes_to_csv
from comparisons.reviews.outcome import outcome
from comparisons.reviews.review import Judge, Method, Review
from tests.votes import best, cast, duels, judge, rated, review, voted

HOSTILE = '=HYPERLINK("http://bad")<script>'


def exported(made: Review, cast: list[Cast], *, has_names: bool = True) -> dict[str, Any]:
    whole = to_dict(made, cast, outcome(made, cast), has_names=has_names)
    read: dict[str, Any] = json.loads(json.dumps(whole, allow_nan=False))
    return read


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_json_has_the_review_its_votes_and_what_came_of_them() -> None:
    made = review("best", clips=2, errors={"a": 1, "b": 2, "c": 3})
    whole = exported(made, [best(1, 1, "a", WordMark("b", 1, "b", "no")), best(2, 1, None)])
    assert (whole["schema"], whole["version"]) == ("earshot-review", 1)
    assert whole["review"] == {"id": "r1", "title": "By ear", "question": "Which?", "method": "best"}
    assert whole["clips"][0]["texts"][0] == {
        "system": "a", "text": "text a of it", "metric": "WER", "rate": 0.01, "normaliser": "whisper-english"
    }  # fmt: skip
    assert [(vote["judge"], vote["name"], vote["clip"], vote["choice"]) for vote in whole["votes"]] == [
        (1, "Judge 1", 1, "a"),
        (2, None, 1, None),
    ]
    assert whole["votes"][0]["marks"] == [{"system": "b", "at": 1, "word": "b", "comment": "no"}]
    assert whole["outcome"]["refusal"].startswith("Only 2 judges")
    assert whole["outcome"]["marked_words"][0]["comments"] == [{"judge": 1, "comment": "no"}]


@pytest.mark.parametrize("method", ["best", "pairwise", "rating"])
def test_every_method_is_json_with_and_without_votes(method: Method) -> None:
    made = review(method)
    said = {
        "best": [best(1, 1, "a")],
        "pairwise": [duels(1, 1, ("a", "b", "left"))],
        "rating": [rated(1, 1, a=1, b=2, c=3)],
    }[method]
    for votes in ([], said):
        assert len(exported(made, votes)["outcome"]["systems"]) == 3


def test_secrets_and_unwanted_names_stay_here() -> None:
    made, said = review("best"), voted(["abca", "abcb", "abcc"])
    for has_names in (True, False):
        files = [
            json.dumps(exported(made, said, has_names=has_names)),
            votes_to_csv(made, said, has_names=has_names),
            outcome_to_csv(outcome(made, said)),
        ]
        for text in files:
            assert "secret" not in text
            assert has_names or "Judge 1" not in text


def test_csv_of_votes_has_a_row_for_each_thing_said() -> None:
    told = rows(
        votes_to_csv(review("best"), [best(1, 2, "b", WordMark("a", 0, "text", "odd")), best(2, 2, None)], has_names=True)
    )
    assert [(row["judge"], row["name"], row["clip"], row["system"], row["says"]) for row in told] == [
        ("1", "Judge 1", "2", "Bob", "best"),
        ("1", "Judge 1", "2", "Ada", "wrong word"),
        ("2", "", "2", "", "none good"),
    ]
    assert (told[1]["word_at"], told[1]["word"], told[1]["comment"]) == ("0", "text", "odd")
    told = rows(votes_to_csv(review("pairwise"), [duels(1, 1, ("c", "a", "both bad"))], has_names=False))
    assert [(row["system"], row["against"], row["says"]) for row in told] == [("Cy", "Ada", "both bad")]
    assert "name" not in told[0]
    told = rows(votes_to_csv(review("rating"), [rated(1, 1, a=1, b=5)], has_names=False))
    assert [(row["system"], row["says"]) for row in told] == [("Ada", "1"), ("Bob", "5")]


def test_csv_of_the_outcome_has_a_row_a_system() -> None:
    made, said = review("best", errors={"a": 1, "b": 2, "c": 3}), voted(["aaab", "aaac", "aaba"])
    told = rows(outcome_to_csv(outcome(made, said)))
    assert [(row["label"], row["wins"], row["chosen"], row["rate"]) for row in told] == [
        ("Ada", "18", "9", "0.01"),
        ("Bob", "4", "2", "0.02"),
        ("Cy", "2", "1", "0.03"),
    ]
    assert float(told[0]["preferred_to_average_low"]) < float(told[0]["preferred_to_average"])
    assert told[0]["mean_rating"] == ""


def test_no_cell_is_a_formula() -> None:
    made = review("best", clips=1)
    clip = made.clips[0]
    hearings = tuple(replace(hearing, label=HOSTILE) for hearing in clip.hearings)
    made = Review("r", HOSTILE, "q", "best", (replace(clip, source=HOSTILE, hearings=hearings),), b"s")
    ballot = Ballot("best", 1, best="a", marks=(WordMark("a", 0, HOSTILE, "+1"),))
    said = [Cast(Judge("j", 1, "@name"), ballot, "2026-05-01T10:00:00+00:00"), cast(2, Ballot("best", 1, best="b"))]
    for text in (votes_to_csv(made, said, has_names=True), outcome_to_csv(outcome(made, said))):
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert "'" + HOSTILE in cells
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
    assert judge(1).name == "Judge 1"
