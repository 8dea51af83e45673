"""A comparison as pictures: error rate against speed, kinds of errors, where in time they are.

matplotlib lays them out (see ``comparisons.svg``); it is imported when the first one is drawn.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from comparisons import figures
from comparisons.compare import Comparison, ordered
from comparisons.score import Score
from comparisons.sides.side_by_side import REFERENCE, SideBySide, side_by_side
from comparisons.statistics.pooling import Pooled
from comparisons.statistics.uncertainty import Interval
from comparisons.svg import WIDTH, canvas, colour, inline_svg, place_text, scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 96
"""Into how many stretches a clip is cut to show where its errors are: about as many as can be told apart."""

_LONGEST_LABEL = 44


@dataclass(frozen=True)
class Picture:
    """One picture. It takes its colours from the ``--es-*`` variables of whatever page it stands in."""

    name: str
    title: str
    svg: str
    """A whole ``<svg>`` element; every text in it is escaped."""
    says: str
    """What it shows, for who cannot see it. Untrusted."""


class _Rated(NamedTuple):
    """A contender with a rate."""

    label: str
    score: Score
    rate: float
    """Percent."""
    interval: Interval | None
    rtf: float | None
    rtf_includes_network: bool

    @property
    def low(self) -> float:
        return 100 * self.interval.low if self.interval is not None else self.rate

    @property
    def high(self) -> float:
        return 100 * self.interval.high if self.interval is not None else self.rate


def pictures(comparison: Comparison, view: SideBySide | None = None) -> tuple[Picture, ...]:
    """Those that there is something to show in; none without a score.

    Args:
        view: the transcripts held against the reference, where the caller has them already.
    """
    rated = _rated(
        (
            column.contender.label,
            column.score,
            column.interval,
            column.result.rtf if column.result else None,
            column.contender.spec.server is not None,
        )
        for column in ordered(comparison)
    )
    drawn = (_speed(rated), _kinds(rated), times_picture(comparison, view))
    return tuple(picture for picture in drawn if picture is not None)


def pooled_pictures(rows: Iterable[Pooled]) -> tuple[Picture, ...]:
    """The same of several clips whose counts are pooled, but where in time errors are: that is each clip's own."""
    rated = _rated((row.label, row.score, row.interval, row.rtf, row.rtf_includes_network) for row in rows)
    return tuple(picture for picture in (_speed(rated), _kinds(rated)) if picture is not None)


def _rated(columns: Iterable[tuple[str, Score | None, Interval | None, float | None, bool]]) -> list[_Rated]:
    """Those that have a rate, which is the same one for all."""
    found = []
    for label, score, interval, rtf, includes_network in columns:
        rate = score.headline[1] if score is not None else None
        if score is not None and rate is not None:
            found.append(_Rated(_short(label), score, 100 * rate, interval, rtf, includes_network))
    return [each for each in found if each.score.unit == found[0].score.unit]


def _speed(rated: Sequence[_Rated]) -> Picture | None:
    """Error rate against RTF, with the rate's interval; None where nobody's RTF is known."""
    points = [(each, each.rtf) for each in rated if each.rtf is not None and 0 < each.rtf < math.inf]
    if not points:
        return None
    name = rated[0].score.headline[0]
    height, left, right = 250.0, 46.0, 14.0
    figure, axes = canvas(height, left=left, right=right, top=16, bottom=40)
    slowest, quickest = max(rtf for _, rtf in points) * 1.8, min(rtf for _, rtf in points) / 1.8
    top = max(*(each.high for each, _ in points), *(each.rate for each, _ in points), 1.0) * 1.12
    axes.set_xscale("log")
    axes.set_xlim(quickest, slowest)
    axes.set_ylim(-0.03 * top, top)
    texts = scale(axes, "y", _steps(top), lambda value: f"{value:g} %")
    texts |= scale(axes, "x", _decades(quickest, slowest), figures.rtf)
    for each, rtf in points:
        axes.plot([rtf, rtf], [each.low, each.high], color=colour("accent"), linewidth=1.5, alpha=0.6)
        axes.plot([rtf], [each.rate], marker="o", markersize=7, color=colour("accent"), markeredgecolor=colour("card"))
    places = axes.transData.transform([(rtf, each.rate) for each, rtf in points])
    for number, (y, (x, beside)) in enumerate(zip(_apart([place[1] for place in places], 12.0), places, strict=True)):
        to_left = x > (WIDTH + left - right) / 2
        edge = x + (-8 if to_left else 8)
        if abs(y - beside) > 4:
            line = {"arrowstyle": "-", "color": colour("soft"), "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", (x, beside), (edge, y), xycoords="figure pixels", arrowprops=line)
        side = "right" if to_left else "left"
        rated_here = points[number][0]
        said = rated_here.label + (f" ({figures.NETWORK})" if rated_here.rtf_includes_network else "")
        texts |= place_text(axes, f"label{number}", said, edge / WIDTH, y / height, ha=side, va="center")
    texts |= place_text(axes, "x", "RTF: seconds of work a second of audio (left is faster)", 0.5, 6 / height, tone="soft")
    texts |= place_text(axes, "y", f"{name} (low is better)", 4 / WIDTH, (height - 10) / height, ha="left", tone="soft")
    says = "; ".join(
        f"{each.label}: {name} {figures.percent(each.rate / 100)}"
        + (f" ({figures.percent(each.low / 100)} to {figures.percent(each.high / 100)})" if each.interval else "")
        + f" at RTF {figures.rtf(rtf)}"
        + (f" {figures.NETWORK}" if each.rtf_includes_network else "")
        for each, rtf in points
    )
    return _picture("speed", f"{name} against speed", figure, texts, says)


def _kinds(rated: Sequence[_Rated]) -> Picture | None:
    """Substituted, inserted, deleted, each in percent of the reference, a bar a system."""
    if not rated:
        return None
    height = 34.0 * len(rated) + 40
    figure, axes = canvas(height, left=16, right=16, top=4, bottom=36)
    widest = max(*(each.rate for each in rated), 1.0) * 1.04
    axes.set_xlim(0, widest)
    axes.set_ylim(len(rated), 0)
    texts = scale(axes, "x", _steps(widest), lambda value: f"{value:g} %")
    said = []
    for row, each in enumerate(rated):
        score = each.score
        kinds = {"S": score.substitutions, "I": score.insertions, "D": score.deletions}
        begin = 0.0
        for kind, count in kinds.items():
            width = 100 * count / score.reference_length
            axes.barh(row + 0.7, width, 0.36, left=begin, color=colour(kind), edgecolor=colour("card"), linewidth=0.8)
            if width > 0.04 * widest:  # enough for its letter
                place = begin + width / 2, row + 0.71
                texts |= place_text(axes, f"{kind}{row}", kind, *place, va="center", on="data", tone="card")
            begin += width
        counts = " · ".join(f"{kind} {count}" for kind, count in kinds.items())
        texts |= place_text(axes, f"label{row}", each.label, 0.0, row + 0.28, ha="left", va="center", on="row")
        texts |= place_text(axes, f"counts{row}", counts, 1.0, row + 0.28, ha="right", va="center", on="row", tone="soft")
        said.append(
            f"{each.label}: {figures.counted(score.substitutions, score.unit)} substituted, "
            f"{score.insertions} added, {score.deletions} missing, of {score.reference_length}"
        )
    name, unit = rated[0].score.headline[0], rated[0].score.unit
    caption = f"{name}, made of S substituted, I added, D missing; % of the reference's {unit}s"
    texts |= place_text(axes, "x", caption, 0.5, 5 / height, tone="soft")
    return _picture("kinds", "Kinds of errors", figure, texts, "; ".join(said))


def times_picture(comparison: Comparison, view: SideBySide | None = None) -> Picture | None:
    """Where in the clip each system is wrong, and how many errors it makes in all; None without a rate.

    A wrong place is a mark of the transcript. It may hold several errors, so these are not the bars' sum but the score's.

    Args:
        view: as for ``pictures``.
    """
    scored = {
        column.contender.name: column.score.errors
        for column in comparison.columns
        if column.score and column.score.headline[1] is not None
    }
    if not scored or comparison.seconds <= 0:
        return None
    view = view or side_by_side(replace(comparison, columns=ordered(comparison)), REFERENCE)
    rows: list[tuple[str, int, list[int]]] = []
    for number, side in enumerate(view.sides):
        if side.name in scored:
            bins = [0] * BINS
            for at in _error_times(view, number):
                bins[min(BINS - 1, max(0, int(BINS * at / comparison.seconds)))] += 1
            rows.append((_short(side.label), scored[side.name], bins))
    height = 42.0 * len(rows) + 34
    figure, axes = canvas(height, left=16, right=16, top=4, bottom=32)
    axes.set_xlim(0, comparison.seconds)
    axes.set_ylim(len(rows), 0)
    most = max(1, *(max(bins) for _, _, bins in rows))
    texts = scale(axes, "x", _clock_steps(comparison.seconds), figures.clock, grid=False)
    step = comparison.seconds / BINS
    edges = [step * number for number in range(BINS + 1)]
    said = []
    for row, (label, total, bins) in enumerate(rows):
        floor = row + 0.96
        axes.stairs([floor - 0.58 * count / most for count in bins], edges, baseline=floor, fill=True, color=colour("accent"))
        axes.plot([0, comparison.seconds], [floor, floor], color=colour("line"), linewidth=0.8)
        texts |= place_text(axes, f"label{row}", label, 0.0, row + 0.2, ha="left", va="center", on="row")
        worst = max(range(BINS), key=bins.__getitem__)
        most_at = f", most around {figures.clock(step * worst)}" if bins[worst] > 1 else ""
        texts |= place_text(
            axes, f"counts{row}", f"{total}{most_at}", 1.0, row + 0.2, ha="right", va="center", on="row", tone="soft"
        )
        said.append(f"{label}: {figures.counted(total, 'error')}{most_at}")
    texts |= place_text(axes, "x", f"wrong places in each {figures.seconds(step)} of the clip", 0.5, 4 / height, tone="soft")
    return _picture("times", "Where the errors are", figure, texts, "; ".join(said))


def _error_times(view: SideBySide, side: int) -> Iterator[float]:
    """When each wrong mark of a side begins, or what stands before it; those of which nothing is known are left out."""
    at: float | None = None
    for passage in view.passages:
        at = at if passage.start is None else passage.start
        for mark in passage.cells[side]:
            at = mark.start if mark.start is not None else at
            if at is not None and mark.kind in ("substitution", "deletion", "insertion"):
                yield at
            at = mark.end if mark.end is not None else at


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """The same heights, moved as little as it takes so that no two are closer than ``gap``: from the top down."""
    order = sorted(range(len(heights)), key=lambda number: -heights[number])
    moved = list(heights)
    for above, here in itertools.pairwise(order):
        moved[here] = min(heights[here], moved[above] - gap)
    low = min(moved, default=0.0)
    if low < _LOWEST:  # pushed out at the bottom: from the bottom up
        floor = _LOWEST
        for here in reversed(order):
            moved[here] = max(moved[here], floor)
            floor = moved[here] + gap
    return moved


_LOWEST = 46.0
"""How far down labels go, in units from the bottom of a picture: above the axis."""


def _steps(top: float) -> list[float]:
    """Round numbers from 0 up to ``top``, four to eight of them."""
    size = next(factor * 10.0**power for power in range(-2, 12) for factor in (1, 2, 5) if top / (factor * 10.0**power) <= 5)
    return [size * number for number in range(int(top / size) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Round numbers on a log scale: 1, 2 and 5 of each power of ten, or powers alone where those are many."""
    found = [factor * 10.0**power for power in range(-6, 7) for factor in (1, 2, 5)]
    within = [value for value in found if low <= value <= high]
    powers = [value for value in within if f"{value:e}".startswith("1.")]
    return powers if len(within) > 6 and len(powers) > 1 else within or [low]


def _clock_steps(seconds: float) -> list[float]:
    sizes = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000)
    size = next((size for size in sizes if seconds / size <= 6), seconds)
    return [size * number for number in range(int(seconds / size) + 1)]


def _picture(name: str, title: str, figure: Figure, texts: Mapping[str, str], says: str) -> Picture:
    return Picture(name, title, inline_svg(figure, title, texts, says), says)
