"""What ballots say of every two systems, whichever way the judges were asked.

    best        the chosen one is preferred to each of the others; of those nothing is said, nor of any by "none good"
    pairwise    what was said; "both bad" is a tie
    rating      the higher one is preferred; the same rating is a tie

Where two systems wrote the same, neither is preferred to the other, and whoever chooses one chooses both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Literal, NamedTuple

from comparisons.reviews.alpha import Level
from comparisons.reviews.ballots import Ballot, Cast
from comparisons.reviews.review import Review, ReviewClip

Sign = Literal[-1, 0, 1]


class Preference(NamedTuple):
    """One judge on two systems, on one clip."""

    judge: str
    """Their id."""
    clip: int
    first: str
    """Name of a contender; in the clip it stands before the second."""
    second: str
    sign: Sign
    """1: the first is preferred, -1: the second, 0: neither."""
    worth: float
    """How many votes by strangers it is worth: what one ballot says of several pairs hangs together."""


def preferences(review: Review, cast: Sequence[Cast]) -> list[Preference]:
    """All that the ballots say of two systems."""
    found = []
    for each in cast:
        clip = review.clip(each.ballot.clip)
        signs = _signs(each.ballot, clip)
        worth = min(1.0, _independent(each.ballot, clip) / len(signs)) if signs else 0.0
        found += [Preference(each.judge.id, clip.number, *pair, sign, worth) for pair, sign in signs.items()]
    return found


def _signs(ballot: Ballot, clip: ReviewClip) -> dict[tuple[str, str], Sign]:
    texts = {hearing.contender: hearing.text for hearing in clip.hearings}
    pairs = [(one, other) for one, other in combinations(texts, 2) if texts[one] != texts[other]]
    if ballot.method == "best":
        if ballot.best is None:
            return {}
        best = texts[ballot.best]
        return {(one, other): 1 if texts[one] == best else -1 for one, other in pairs if best in (texts[one], texts[other])}
    if ballot.method == "rating":
        rated = dict(ballot.ratings)
        return {(one, other): _sign(rated[one] - rated[other]) for one, other in pairs}
    said: dict[tuple[str, str], Sign] = {}
    for duel in ballot.duels:
        left: Sign = 1 if duel.says == "left" else -1 if duel.says == "right" else 0
        said[duel.left, duel.right] = left
        said[duel.right, duel.left] = _sign(-left)
    return {pair: said[pair] for pair in pairs if pair in said}


def _sign(difference: int) -> Sign:
    return 1 if difference > 0 else -1 if difference < 0 else 0


def _independent(ballot: Ballot, clip: ReviewClip) -> float:
    """How many comparisons of two by strangers tell as much as this ballot, where k different texts are equally good.

    By the Fisher information of a choice of one among k, or of a whole ranking, which is k choices (Luce 1959; Plackett
    1975): 2 (k - 1) / k for the best, 2 (k - 1/1 - 1/2 … - 1/k) for all in order.
    """
    k = len({hearing.text for hearing in clip.hearings})
    if ballot.method == "best":
        return 2 * (k - 1) / k
    return 2 * (k - sum(1 / rank for rank in range(1, k + 1)))


def judgements(review: Review, cast: Sequence[Cast]) -> tuple[list[list[float | None]], Level]:
    """The table that agreement is counted from: a row a judge, a column for each thing that is judged.

    That is the clip for best (nominal), two texts of a clip for pairwise (ordinal: second, tie, first), a text for rating
    (ordinal). The same text twice counts as one choice for best.
    """
    names = list(review.labels)
    rows: dict[str, dict[tuple[object, ...], float]] = {}
    for each in cast:
        ballot, row = each.ballot, rows.setdefault(each.judge.id, {})
        if ballot.method == "best":
            row[(ballot.clip,)] = (
                -1.0 if ballot.best is None else float(names.index(_first_alike(review, ballot.clip, ballot.best)))
            )
        elif ballot.method == "rating":
            row.update({(ballot.clip, name): float(rating) for name, rating in ballot.ratings})
        else:
            signs = _signs(ballot, review.clip(ballot.clip))
            row.update({(ballot.clip, *pair): float(sign) for pair, sign in signs.items()})
    units = list(dict.fromkeys(unit for row in rows.values() for unit in row))
    return [[row.get(unit) for unit in units] for row in rows.values()], "nominal" if review.method == "best" else "ordinal"


def _first_alike(review: Review, number: int, name: str) -> str:
    """The first system that wrote of a clip what this one wrote."""
    texts = {hearing.contender: hearing.text for hearing in review.clip(number).hearings}
    return next(other for other, text in texts.items() if text == texts[name])


def majorities(preferred: Sequence[Preference]) -> Counter[tuple[int, str, str]]:
    """By clip and two systems, how many more judges prefer the first than the second."""
    found: Counter[tuple[int, str, str]] = Counter()
    for each in preferred:
        found[each.clip, each.first, each.second] += each.sign
    return found
