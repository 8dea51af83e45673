"""Several clips as one: counts are added up, rates never averaged, and what differs from clip to clip is resampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from comparisons.compare import Column, Comparison
from comparisons.score import Score, pooled
from comparisons.statistics.significance import Pair, pairs
from comparisons.statistics.uncertainty import Interval, interval


@dataclass(frozen=True)
class Pooled:
    """One contender over several clips."""

    name: str
    label: str
    clips: int
    """On how many it ran."""
    score: Score | None
    """Σ errors / Σ reference words; None if nothing was scored, or not with one normaliser and unit throughout."""
    rtf: float | None
    """Σ seconds of work / Σ seconds of audio."""
    interval: Interval | None = None
    """Of ``score.headline``; None if it is too little speech to say."""
    rtf_includes_network: bool = False
    """True for what is served elsewhere."""


def pooled_rows(comparisons: Sequence[Comparison]) -> list[Pooled]:
    """Each contender over all clips. Best first, those that ran nowhere last."""
    columns: dict[str, list[tuple[Comparison, Column]]] = {}
    for comparison in comparisons:
        for column in comparison.columns:
            columns.setdefault(column.contender.name, []).append((comparison, column))
    rows = []
    for name, here in columns.items():
        ran = [(comparison, column) for comparison, column in here if column.state == "ok"]
        try:
            whole = pooled(column.score for _, column in ran if column.score is not None)
        except ValueError:
            whole = None
        timed = [
            (column.result.seconds, comparison.seconds)
            for comparison, column in ran
            if column.result is not None and column.result.seconds is not None
        ]
        audio = sum(seconds for _, seconds in timed)
        rtf = sum(work for work, _ in timed) / audio if audio else None
        aligned = [column.alignment for _, column in ran if column.alignment is not None]
        reach = interval(aligned) if whole is not None and aligned else None
        contender = here[0][1].contender
        rows.append(Pooled(name, contender.label, len(ran), whole, rtf, reach, contender.spec.server is not None))

    def place(row: Pooled) -> tuple[bool, float]:
        rate = row.score.headline[1] if row.score else None
        return not row.clips, float("inf") if rate is None else rate

    return sorted(rows, key=place)


def counted_alike(comparisons: Sequence[Comparison]) -> bool:
    """Whether all scores are of one normaliser and one unit, so that they can be pooled; also if there are none."""
    scores = [column.score for comparison in comparisons for column in comparison.columns if column.score is not None]
    return len({(score.normaliser, score.normaliser_version, score.unit) for score in scores}) <= 1


def shared_clips(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The clips on which everybody was scored who was scored on any."""
    scored = [
        {column.contender.name for column in comparison.columns if column.alignment is not None} for comparison in comparisons
    ]
    everybody = set().union(*scored)
    return tuple(comparison for comparison, here in zip(comparisons, scored, strict=True) if everybody and here == everybody)


def pooled_pairs(comparisons: Sequence[Comparison]) -> tuple[Pair, ...]:
    """Every two contenders over ``shared_clips``; none where clips were counted differently, or where there is no such clip."""
    shared = shared_clips(comparisons)
    if not shared or not counted_alike(comparisons):
        return ()
    aligned = [
        {column.contender.name: column.alignment for column in comparison.columns if column.alignment is not None}
        for comparison in shared
    ]
    return pairs({name: [clip[name] for clip in aligned] for name in aligned[0]})
