"""What came of a review, drawn: for its owner all of it, for judges whose review is closed what they may know. Plain data ->
HTML; titles, labels, words, comments and names are untrusted, and the template escapes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from comparisons.figures import counted, percent
from comparisons.reviews.ballots import Ballot, Cast
from comparisons.reviews.outcome import Match, Outcome, Standing
from comparisons.reviews.review import Review
from ui.templates import html_of

WORDS = 50
"""Marked words that are listed; the export has all."""


def verdict(review: Review, outcome: Outcome) -> Markup:
    """For judges: what is ranked, or why nothing is, and how often each system was preferred."""
    return _drawn(review, outcome, ())


def whole(review: Review, outcome: Outcome, casts: Sequence[Cast]) -> Markup:
    """For the owner: that, and every pair, agreement, preference against error rates, and the words that were marked."""
    return _drawn(review, outcome, casts, is_whole=True)


def said(review: Review, casts: Sequence[Cast]) -> list[tuple[str, str]]:
    """(clip, what one judge said of it), with the names that the letters stood for."""
    return [(review.clip(each.ballot.clip).source, _said(review, each.ballot)) for each in casts]


def _said(review: Review, ballot: Ballot) -> str:
    labels = review.labels
    if ballot.method == "best":
        return f"{labels[ballot.best]} is the best" if ballot.best is not None else "none is good"
    if ballot.method == "rating":
        return ", ".join(f"{labels[name]} {rating} of 5" for name, rating in ballot.ratings)
    told = []
    for duel in ballot.duels:
        left, right = labels[duel.left], labels[duel.right]
        told.append(
            {
                "left": f"{left} rather than {right}",
                "right": f"{right} rather than {left}",
                "tie": f"{left} and {right} alike",
                "both bad": f"{left} and {right} both bad",
            }[duel.says]
        )
    return "; ".join(told)


def _drawn(review: Review, outcome: Outcome, casts: Sequence[Cast], *, is_whole: bool = False) -> Markup:
    names = {each.judge.number: each.judge.name for each in casts}
    html = html_of(
        "outcome.html",
        whole=is_whole,
        outcome=outcome,
        count=f"{counted(outcome.judges, 'judge')}, {counted(outcome.ballots, 'vote')}",
        metric=outcome.against_rate.metric if outcome.against_rate is not None else "Error rate",
        standings=[_standing(each) for each in outcome.standings],
        has_chosen=review.method == "best",
        has_ratings=review.method == "rating",
        has_rates=any(each.rate is not None for each in outcome.standings),
        has_strengths=any(each.log_strength is not None for each in outcome.standings),
        matches=[_match(each, review) for each in outcome.matches],
        agreement=outcome.agreement.in_words(),
        against=outcome.against_rate.in_words() if outcome.against_rate is not None else None,
        words=[
            {
                "word": each.word,
                "system": review.labels[each.contender],
                "source": each.source,
                "count": counted(len(each.judges), "judge"),
                "comments": [(names.get(number) or f"Judge {number}", comment) for number, comment in each.comments],
            }
            for each in outcome.marked_words[:WORDS]
        ],
        more_words=max(0, len(outcome.marked_words) - WORDS),
    )
    return Markup(html)  # noqa: S704  # the template has escaped it


def _standing(each: Standing) -> dict[str, Any]:
    here, low, high = each.preferred_to_average
    return {
        "label": each.label,
        "wins": each.wins,
        "ties": each.ties,
        "losses": each.losses,
        "chosen": each.chosen,
        "rating": f"{each.mean_rating:.1f}" if each.mean_rating is not None else None,
        "rate": percent(each.rate) if each.rate is not None else None,
        "bar": None
        if here is None
        else {
            "at": round(100 * here, 1),
            "low": round(100 * (low if low is not None else here), 1),
            "high": round(100 * (high if high is not None else here), 1),
        },
        "strength": _strength(here, low, high),
    }


def _strength(here: float | None, low: float | None, high: float | None) -> str | None:
    """ "62 % (48 to 75)"; None where it can't be said."""
    if here is None:
        return None
    if low is None or high is None:
        return f"{100 * here:.0f} %"
    return f"{100 * here:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def _match(each: Match, review: Review) -> dict[str, Any]:
    if each.better is not None:
        told = f"{review.labels[each.better]} is preferred"
    elif each.more_votes is not None:
        told = f"can't be told apart yet; about {counted(each.more_votes, 'more vote')} may do"
    else:
        told = "can't be told apart"
    return {
        "first": review.labels[each.first],
        "second": review.labels[each.second],
        "first_wins": each.first_wins,
        "second_wins": each.second_wins,
        "ties": each.ties,
        "told": told,
    }
