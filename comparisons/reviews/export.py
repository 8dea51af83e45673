"""A review's votes and outcome as files: JSON with all of it, and CSV for spreadsheets.

Judges go by their number; the names that they gave are in it only if whoever exports wants them. The seed and what judges
hold in their cookies never are.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from comparisons.cells import guarded
from comparisons.reviews.ballots import NONE_GOOD, Cast
from comparisons.reviews.outcome import Outcome, Standing
from comparisons.reviews.review import Review

SCHEMA = "earshot-review"
VERSION = 1
"""Of the schema; a higher one may have what this one has not."""
VOTE_FIELDS = (
    "judge", "name", "at", "clip", "source", "method", "system", "against", "says", "word_at", "word", "comment",
)  # fmt: skip
"""The columns of ``votes_to_csv``."""


def to_dict(review: Review, cast: Sequence[Cast], outcome: Outcome, *, has_names: bool) -> dict[str, Any]:
    """All of a review as JSON has it: unknown is None, no number is NaN or infinite.

    Rates and chances are fractions, strengths natural logarithms (0 is average), times ISO 8601.

    Args:
        has_names: whether the names that judges gave are in it.
    """
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "review": {"id": review.id, "title": review.title, "question": review.question, "method": review.method},
        "systems": [{"name": name, "label": label} for name, label in review.labels.items()],
        "clips": [
            {
                "number": clip.number,
                "source": clip.source,
                "seconds": clip.seconds,
                "texts": [
                    {
                        "system": hearing.contender,
                        "text": hearing.text,
                        "metric": hearing.score.headline[0] if hearing.score is not None else None,
                        "rate": hearing.rate,
                        "normaliser": hearing.score.normaliser if hearing.score is not None else None,
                    }
                    for hearing in clip.hearings
                ],
            }
            for clip in review.clips
        ],
        "votes": [
            {
                "judge": each.judge.number,
                **({"name": each.judge.name} if has_names else {}),
                "at": each.at,
                "clip": each.ballot.clip,
                "choice": each.ballot.choice(),
                "marks": [
                    {"system": mark.contender, "at": mark.at, "word": mark.word, "comment": mark.comment}
                    for mark in each.ballot.marks
                ],
            }
            for each in cast
        ],
        "outcome": _outcome(outcome),
    }


def votes_to_csv(review: Review, cast: Sequence[Cast], *, has_names: bool) -> str:
    """A row for each thing that a judge said: a choice, a pair, a rating, a marked word.

    ``says`` is "best" or "none good"; "left", "right", "tie" or "both bad", where ``system`` stood left and ``against`` right;
    1 to 5; or "wrong word". Text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    fields = VOTE_FIELDS if has_names else tuple(name for name in VOTE_FIELDS if name != "name")
    return _csv(fields, (row for each in cast for row in _vote_rows(review, each)))


def outcome_to_csv(outcome: Outcome) -> str:
    """A row a system, with the names of ``to_dict``."""
    rows = [_standing(standing) for standing in outcome.standings]
    return _csv(tuple(rows[0]) if rows else (), rows)


def _csv(fields: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fields, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: guarded(value) for name, value in row.items()})
    return out.getvalue()


def _vote_rows(review: Review, cast: Cast) -> Iterable[dict[str, Any]]:
    ballot, labels = cast.ballot, review.labels
    common = {
        "judge": cast.judge.number,
        "name": cast.judge.name,
        "at": cast.at,
        "clip": ballot.clip,
        "source": review.clip(ballot.clip).source,
        "method": ballot.method,
    }
    if ballot.method == "best":
        chosen = {"says": NONE_GOOD} if ballot.best is None else {"system": labels[ballot.best], "says": "best"}
        yield {**common, **chosen}
    for duel in ballot.duels:
        yield {**common, "system": labels[duel.left], "against": labels[duel.right], "says": duel.says}
    for name, rating in ballot.ratings:
        yield {**common, "system": labels[name], "says": rating}
    for mark in ballot.marks:
        said = {"says": "wrong word", "word_at": mark.at, "word": mark.word, "comment": mark.comment}
        yield {**common, "system": labels[mark.contender], **said}


def _standing(standing: Standing) -> dict[str, Any]:
    chance, low, high = standing.preferred_to_average
    return {
        "system": standing.contender,
        "label": standing.label,
        "wins": standing.wins,
        "losses": standing.losses,
        "ties": standing.ties,
        "chosen": standing.chosen,
        "mean_rating": _number(standing.mean_rating),
        "rate": _number(standing.rate),
        "log_strength": _number(standing.log_strength),
        "log_strength_low": _number(standing.low),
        "log_strength_high": _number(standing.high),
        "preferred_to_average": _number(chance),
        "preferred_to_average_low": _number(low),
        "preferred_to_average_high": _number(high),
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    agreed, against = outcome.agreement, outcome.against_rate
    return {
        "judges": outcome.judges,
        "ballots": outcome.ballots,
        "none_good": outcome.none_good,
        "both_bad": outcome.both_bad,
        "systems": [_standing(standing) for standing in outcome.standings],
        "pairs": [
            {
                "first": match.first,
                "second": match.second,
                "first_wins": match.first_wins,
                "second_wins": match.second_wins,
                "ties": match.ties,
                "first_is_preferred": _number(match.chance),
                "corrected_p": _number(match.p),
                "better": match.better,
                "more_votes": match.more_votes,
            }
            for match in outcome.matches
        ],
        "ranking": list(outcome.ranking),
        "refusal": outcome.refusal,
        "caution": outcome.caution,
        "agreement": {
            "method": "Krippendorff's alpha",
            "level": agreed.level,
            "alpha": _number(agreed.alpha),
            "low": _number(agreed.low),
            "high": _number(agreed.high),
            "units": agreed.units,
            "says": agreed.in_words(),
        },
        "against_rate": None
        if against is None
        else {
            "metric": against.metric,
            "agreed": against.agreed,
            "decided": against.decided,
            "same_rate": against.same_rate,
            "low": _number(against.low),
            "high": _number(against.high),
            "tau": _number(against.tau),
            "says": against.in_words(),
        },
        "marked_words": [
            {
                "clip": marked.clip,
                "system": marked.contender,
                "at": marked.at,
                "word": marked.word,
                "judges": list(marked.judges),
                "comments": [{"judge": judge, "comment": comment} for judge, comment in marked.comments],
            }
            for marked in outcome.marked_words
        ],
    }


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
