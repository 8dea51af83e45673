"""What came of a review, for its owner: counts always; an order only where the votes tell the systems apart.

Ranked is nothing before ``FEWEST_JUDGES`` have voted: of two people nobody can say how much people differ. Then systems are
only said to be better or worse where a difference of strength that large would be chance in fewer than 5 of 100 reviews, all
pairs taken together (Holm 1979); the others can't be told apart yet, and it is said how many more votes would, if people go
on voting as they do. In simulations with 3 to 30 judges of 1 to 10 clips, of 3 or 4 systems that are all equally good any
two are told apart in about 1 of 100 reviews.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from comparisons.figures import counted
from comparisons.reviews.against_rate import AgainstRate, against_rate, pooled_rates
from comparisons.reviews.alpha import Agreement, agreement
from comparisons.reviews.ballots import Cast
from comparisons.reviews.bradley_terry import Floats, Strengths, preferred, strengths, students_t
from comparisons.reviews.preferences import Preference, judgements, preferences
from comparisons.reviews.review import Method, Review
from comparisons.statistics.significance import Pair, corrected, groups, listed, p_in_words

FEWEST_JUDGES = 3
MOST_TIMES_MORE = 20
"""Where even so many times the votes would not tell two systems apart, they may well be equally good."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One system in a review."""

    contender: str
    label: str
    """Untrusted."""
    wins: int
    """How often a judge preferred it to another system."""
    losses: int
    ties: int
    chosen: int | None
    """For best: on how many ballots it, or the same text, was chosen; else None."""
    mean_rating: float | None
    """For rating: 1 to 5; else None."""
    rate: float | None
    """Pooled error rate, a fraction; None without references."""
    log_strength: float | None = None
    """Natural logarithm; 0 is average. None where strengths can't be said."""
    low: float | None = None
    """95 % interval of ``log_strength``; None with fewer than ``FEWEST_JUDGES``."""
    high: float | None = None

    @property
    def preferred_to_average(self) -> tuple[float | None, float | None, float | None]:
        """The chance that it is preferred to an average system of the review, and its 95 % interval; fractions."""
        here, low, high = (None if log is None else preferred(log) for log in (self.log_strength, self.low, self.high))
        return here, low, high


@dataclass(frozen=True, slots=True)
class Match:
    """Two systems held against each other."""

    first: str
    """Name of a contender."""
    second: str
    first_wins: int
    second_wins: int
    ties: int
    chance: float | None
    """That the first is preferred where one is, by strengths; None without them."""
    p: float | None
    """After Holm's correction over all pairs; None with fewer than ``FEWEST_JUDGES``."""
    better: str | None
    """Which of both is preferred, beyond chance; None where that can't be said."""
    more_votes: int | None
    """About how many more ballots would tell them apart; None where they are, and where many times the votes would not."""


@dataclass(frozen=True, slots=True)
class MarkedWord:
    """A word that judges hold for wrong."""

    clip: int
    source: str
    """File name of the clip. Untrusted."""
    contender: str
    at: int
    """Which word of its text, from 0."""
    word: str
    """Untrusted."""
    judges: tuple[int, ...]
    """Numbers of those who marked it."""
    comments: tuple[tuple[int, str], ...]
    """(number of the judge, what they wrote). Untrusted."""


@dataclass(frozen=True)
class Outcome:
    """What came of a review."""

    method: Method
    judges: int
    """Who have voted."""
    ballots: int
    """One judge on one clip is one."""
    none_good: int
    """Ballots that chose none, for best."""
    both_bad: int
    """Pairs of which both were bad, for pairwise."""
    standings: tuple[Standing, ...]
    """Strongest first where anything is ranked, else in the order of the review."""
    matches: tuple[Match, ...]
    ranking: tuple[str, ...]
    """Who is preferred to whom, and who can't be told apart, in sentences; empty if ``refusal`` says why."""
    refusal: str | None
    """Why nothing is ranked, and what would help, in words."""
    caution: str | None
    """What is to be known of the strengths, in words."""
    agreement: Agreement
    against_rate: AgainstRate | None
    """None without references."""
    marked_words: tuple[MarkedWord, ...]
    """Those that most judges marked first."""


def outcome(review: Review, cast: Sequence[Cast]) -> Outcome:
    """What the ballots of a review say.

    Args:
        cast: all its ballots, in any order: one a judge and clip.
    """
    names = list(review.labels)
    cast = sorted(cast, key=lambda each: (each.judge.number, each.ballot.clip))
    said = preferences(review, cast)
    judges = list(dict.fromkeys(each.judge.id for each in cast))
    wins, worth = _tables(names, judges, said)
    found = strengths(wins, worth) if judges else None
    is_enough = len(judges) >= FEWEST_JUDGES
    pairs = _pairs(names, wins, found) if found is not None and is_enough else ()
    matches = _matches(names, said, found, pairs, len(cast), len(judges))
    told_apart = any(match.better for match in matches)
    rates = pooled_rates(review)
    standings = [_standing(review, name, at, said, cast, found, rates, is_enough) for at, name in enumerate(names)]
    if told_apart:
        standings.sort(key=lambda standing: -(standing.log_strength or 0.0))
    logs = {standing.contender: standing.log_strength for standing in standings if standing.log_strength is not None}
    return Outcome(
        method=review.method,
        judges=len(judges),
        ballots=len(cast),
        none_good=sum(each.ballot.method == "best" and each.ballot.best is None for each in cast),
        both_bad=sum(duel.says == "both bad" for each in cast for duel in each.ballot.duels),
        standings=tuple(standings),
        matches=matches,
        ranking=_ranking(pairs, matches, review.labels) if told_apart else (),
        refusal=None if told_apart else _refusal(len(judges), said, found, matches, review.labels),
        caution=_caution(found, wins.sum(0), names, review.labels),
        agreement=agreement(*judgements(review, cast)),
        against_rate=against_rate(review, said, logs, rates),
        marked_words=_marked_words(review, cast),
    )


def _tables(names: Sequence[str], judges: Sequence[str], said: Sequence[Preference]) -> tuple[Floats, Floats]:
    """(judges, n, n): who preferred row to column how often, a tie half each way; (n, n): what those votes are worth."""
    wins, worth = np.zeros((len(judges), len(names), len(names))), np.zeros((len(names), len(names)))
    row = {judge: at for at, judge in enumerate(judges)}
    place = {name: at for at, name in enumerate(names)}
    for each in said:
        judge, i, j = row[each.judge], place[each.first], place[each.second]
        wins[judge, i, j] += (1 + each.sign) / 2
        wins[judge, j, i] += (1 - each.sign) / 2
        worth[i, j] += each.worth
        worth[j, i] += each.worth
    return wins, worth


def _pairs(names: Sequence[str], wins: Floats, found: Strengths) -> tuple[Pair, ...]:
    """Every two systems, as ``significance`` has them: the stronger one stands for the lower rate."""
    if found.p is None:
        return ()
    met = wins.sum(0) + wins.sum(0).T
    return corrected(
        [
            Pair(
                names[i],
                names[j],
                difference=float(found.log[j] - found.log[i]),
                segments=int(met[i, j]),
                p=float(found.p[i, j]),
                corrected_p=None,
                verdict="alike",
            )
            for i, j in combinations(range(len(names)), 2)
        ]
    )


def _matches(
    names: Sequence[str],
    said: Sequence[Preference],
    found: Strengths | None,
    pairs: Sequence[Pair],
    ballots: int,
    judges: int,
) -> tuple[Match, ...]:
    tested = {(pair.first, pair.second): pair for pair in pairs}
    made = []
    for i, j in combinations(range(len(names)), 2):
        first, second = names[i], names[j]
        signs = [each.sign for each in said if (each.first, each.second) == (first, second)]
        signs += [-each.sign for each in said if (each.first, each.second) == (second, first)]
        pair = tested.get((first, second))
        better = {"first": first, "second": second}.get(pair.verdict) if pair is not None else None
        more = None
        if pair is not None and better is None and found is not None and found.spread is not None:
            more = more_votes(abs(pair.difference), float(found.spread[i, j]), ballots, judges, len(pairs))
        made.append(
            Match(
                first,
                second,
                first_wins=signs.count(1),
                second_wins=signs.count(-1),
                ties=signs.count(0),
                chance=found.chance(i, j) if found is not None else None,
                p=pair.corrected_p if pair is not None else None,
                better=better,
                more_votes=more,
            )
        )
    return tuple(made)


def more_votes(apart: float, spread: float, ballots: int, judges: int, pairs: int) -> int | None:
    """About how many more ballots tell two systems apart, if people go on voting as they do; two digits that count.

    The spread shrinks with the root of the votes, and new votes come from new judges as the old ones did. None where
    ``MOST_TIMES_MORE`` as many ballots would not.

    Args:
        apart: difference of the logarithms of strength.
        spread: its standard error.
        pairs: how many are tested together (each with its share of the 5 %: Bonferroni).
    """

    def are_enough(more: int) -> bool:
        times = 1 + more / ballots
        return apart * math.sqrt(times) > spread * students_t(0.05 / pairs, max(2, int(judges * times)) - 1)

    most = (MOST_TIMES_MORE - 1) * ballots
    more = bisect_left(range(most + 1), True, lo=1, key=are_enough)
    if more > most:
        return None
    digits = max(0, len(str(more)) - 2)
    return math.ceil(more / 10**digits) * 10**digits


def _standing(
    review: Review,
    name: str,
    at: int,
    said: Sequence[Preference],
    cast: Sequence[Cast],
    found: Strengths | None,
    rates: Mapping[str, float],
    is_enough: bool,
) -> Standing:
    signs = [each.sign for each in said if each.first == name] + [-each.sign for each in said if each.second == name]
    ratings = [rating for each in cast for rated, rating in each.ballot.ratings if rated == name]
    standing = Standing(
        name,
        review.labels[name],
        wins=signs.count(1),
        losses=signs.count(-1),
        ties=signs.count(0),
        chosen=_chosen(review, name, cast) if review.method == "best" else None,
        mean_rating=sum(ratings) / len(ratings) if ratings else None,
        rate=rates.get(name),
    )
    if found is None:
        return standing
    log = float(found.log[at])
    if found.half_width is None or not is_enough:
        return replace(standing, log_strength=log)
    reach = float(found.half_width[at])
    return replace(standing, log_strength=log, low=log - reach, high=log + reach)


def _chosen(review: Review, name: str, cast: Sequence[Cast]) -> int:
    count = 0
    for each in cast:
        texts = {hearing.contender: hearing.text for hearing in review.clip(each.ballot.clip).hearings}
        count += each.ballot.best is not None and name in texts and texts[name] == texts[each.ballot.best]
    return count


def _ranking(pairs: Sequence[Pair], matches: Sequence[Match], labels: Mapping[str, str]) -> tuple[str, ...]:
    if len(pairs) == 1:
        (pair,) = pairs
        better, worse = (pair.first, pair.second) if pair.verdict == "first" else (pair.second, pair.first)
        return (f"People prefer {labels[better]} to {labels[worse]}: more than chance would explain ({p_in_words(pair)})",)
    beaten: dict[str, list[str]] = {}
    for match in matches:
        if match.better is not None:
            beaten.setdefault(match.better, []).append(match.second if match.better == match.first else match.first)
    order = [name for together in groups(pairs) for name in together]
    place = {name: order.index(name) for name in order}
    sentences = []
    for better in sorted(beaten, key=place.__getitem__):
        worse = listed(sorted(beaten[better], key=place.__getitem__), labels)
        sentences.append(f"People prefer {labels[better]} to {worse}: more than chance would explain")
    for together in groups(pairs):
        if len(together) > 1:
            among = [match for match in matches if match.first in together and match.second in together]
            sentences.append(f"{listed(together, labels)} can't be told apart yet: {_what_would(among)}")
    return tuple(sentences)


def _what_would(matches: Sequence[Match]) -> str:
    """ "about 12 more votes may tell two of them apart"."""
    wanted = [match.more_votes for match in matches if match.more_votes is not None]
    if not wanted:
        return "people may well like them equally"
    whom = "them" if len(matches) == 1 else "two of them"
    return f"about {counted(min(wanted), 'more vote')} may tell {whom} apart, if people go on voting as they do"


def _refusal(
    judges: int, said: Sequence[Preference], found: Strengths | None, matches: Sequence[Match], labels: Mapping[str, str]
) -> str:
    """Why there is no order."""
    if not judges:
        return "Nobody has voted yet"
    if judges < FEWEST_JUDGES:
        voted = "1 judge has" if judges == 1 else f"{judges} judges have"
        return (
            f"Only {voted} voted, which shows their taste and not people's: "
            f"{counted(FEWEST_JUDGES - judges, 'more judge')} at least before anything is ranked"
        )
    if not said:
        return "Nobody has preferred one system to another yet: all that was voted for is that none is good"
    if found is None:
        return (
            "Not all systems were held against each other, not even by way of others: judge clips that all of them have heard"
        )
    return f"{listed(list(labels), labels)} can't be told apart yet: {_what_would(matches)}"


def _caution(found: Strengths | None, whole: Floats, names: Sequence[str], labels: Mapping[str, str]) -> str | None:
    if found is None or not found.is_held_back:
        return None
    always = [name for at, name in enumerate(names) if not whole[:, at].any()]
    never = [name for at, name in enumerate(names) if not whole[at].any()]
    told = [f"{listed(always, labels)} never lost"] if always else []
    told += [f"{listed(never, labels)} never won"] if never else []
    why = " and ".join(told) or "Some systems won every time against the others"
    return f"{why}: how much stronger or weaker that is can't be known from these votes, so strengths are held back a little"


def _marked_words(review: Review, cast: Sequence[Cast]) -> tuple[MarkedWord, ...]:
    marked: dict[tuple[int, str, int], MarkedWord] = {}
    for each in cast:
        for mark in each.ballot.marks:
            clip = review.clip(each.ballot.clip)
            key = clip.number, mark.contender, mark.at
            before = marked.get(key, MarkedWord(clip.number, clip.source, mark.contender, mark.at, mark.word, (), ()))
            marked[key] = replace(
                before,
                judges=(*before.judges, each.judge.number),
                comments=(*before.comments, (each.judge.number, mark.comment)) if mark.comment else before.comments,
            )
    return tuple(marked[key] for key in sorted(marked, key=lambda key: (-len(marked[key].judges), key)))
