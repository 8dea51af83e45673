"""A comparison as pictures: error rate against speed, kinds of errors, where in time they are.

matplotlib lays them out. What it wrote is then made fit for a page that is light or dark and may hold several pictures:
colours become the page's variables, nothing is left that another element could refer to, and the texts, which nobody has
checked, are put in last, as text, so that matplotlib never reads them.
"""

from __future__ import annotations

import io
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from comparisons import figures
from comparisons.compare import Column, Comparison, ordered
from comparisons.side_by_side import REFERENCE, SideBySide, side_by_side

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 96
"""Into how many stretches a clip is cut to show where its errors are: about as many as can be told apart."""

_WIDTH = 400.0
"""Of a picture in its own units, which are about 1.4 pixels on a wide screen and just under one on a phone."""
_TEXT = 10.0
_LONGEST_LABEL = 44

_COLOURS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "ink": ("#010101", "var(--es-ink, #1d1d1b)"),
        "soft": ("#020202", "var(--es-soft, #6b6b66)"),
        "line": ("#030303", "var(--es-line, #e3e2dd)"),
        "accent": ("#040404", "var(--es-accent, #2457d6)"),
        "S": ("#050505", "var(--es-sub, #9c5200)"),
        "I": ("#060606", "var(--es-ins, #0b6b8f)"),
        "D": ("#070707", "var(--es-del, #b3261e)"),
        "card": ("#080808", "var(--es-card, #fff)"),
    }
)
"""What matplotlib is told a colour is, and what the page's name for it is."""


@dataclass(frozen=True)
class Picture:
    """One picture. It takes its colours from the ``--es-*`` variables of whatever page it stands in."""

    name: str
    title: str
    svg: str
    """A whole ``<svg>`` element; every text in it is escaped."""
    says: str
    """What it shows, for who cannot see it. Untrusted."""


def pictures(comparison: Comparison, view: SideBySide | None = None) -> tuple[Picture, ...]:
    """Those that there is something to show in; none without a score.

    Args:
        view: the transcripts held against the reference, where the caller has them already.
    """
    scored = [column for column in ordered(comparison) if column.score is not None and column.score.headline[1] is not None]
    if not scored:
        return ()
    drawn = (_speed(scored), _kinds(scored), _times(comparison, view))
    return tuple(picture for picture in drawn if picture is not None)


def _speed(columns: Sequence[Column]) -> Picture | None:
    """Error rate against RTF, with the rate's interval; None where nobody's RTF is known."""
    points: list[tuple[Column, float, float]] = []
    for column in columns:
        rtf, rate = column.result.rtf if column.result else None, _rate(column)
        if rtf is not None and 0 < rtf < float("inf"):
            points.append((column, rtf, 100 * rate))
    if not points:
        return None
    name = _rate_name(columns)
    height = 250.0
    figure, axes = _canvas(height, left=46, right=14, top=16, bottom=40)
    lows = [100 * column.interval.low if column.interval else rate for column, _, rate in points]
    highs = [100 * column.interval.high if column.interval else rate for column, _, rate in points]
    xs = [rtf for _, rtf, _ in points]
    axes.set_xscale("log")
    axes.set_xlim(min(xs) / 1.8, max(xs) * 1.8)
    top = max(*highs, *(rate for *_, rate in points), 1.0) * 1.12
    axes.set_ylim(-0.03 * top, top)
    texts = _scale(axes, "y", _steps(top), lambda value: f"{value:g} %")
    texts |= _scale(axes, "x", _decades(min(xs) / 1.8, max(xs) * 1.8), figures.rtf)
    for (column, rtf, rate), low, high in zip(points, lows, highs, strict=True):
        if column.interval is not None:
            axes.plot([rtf, rtf], [low, high], color=_colour("accent"), linewidth=1.5, alpha=0.6)
        axes.plot([rtf], [rate], marker="o", markersize=7, color=_colour("accent"), markeredgecolor=_colour("card"))
    places = axes.transData.transform([(rtf, rate) for _, rtf, rate in points])
    for number, (y, (x, beside)) in enumerate(zip(_apart([place[1] for place in places], 12.0), places, strict=True)):
        to_left = x > 46 + (_WIDTH - 60) / 2
        if abs(y - beside) > 4:
            axes.annotate(
                "",
                (x, beside),
                (x + (-8 if to_left else 8), y),
                xycoords="figure pixels",
                arrowprops={"arrowstyle": "-", "color": _colour("soft"), "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0},
            )
        texts |= _text(
            axes,
            f"label{number}",
            _label(points[number][0]),
            (x + (-8 if to_left else 8)) / _WIDTH,
            y / height,
            ha="right" if to_left else "left",
            va="center",
        )
    texts |= _text(axes, "x", "RTF: seconds of work a second of audio (left is faster)", 0.5, 6 / height, tone="soft")
    texts |= _text(axes, "y", f"{name} (low is better)", 4 / _WIDTH, (height - 10) / height, ha="left", tone="soft")
    says = "; ".join(
        f"{column.contender.label}: {name} {figures.percent(rate / 100)}"
        + (f" ({figures.percent(low / 100)} to {figures.percent(high / 100)})" if column.interval else "")
        + f" at RTF {figures.rtf(rtf)}"
        for (column, rtf, rate), low, high in zip(points, lows, highs, strict=True)
    )
    return _picture("speed", f"{name} against speed", figure, texts, says)


def _kinds(columns: Sequence[Column]) -> Picture:
    """Substituted, inserted, deleted, each in percent of the reference, a bar a system."""
    name = _rate_name(columns)
    height = 34.0 * len(columns) + 40
    figure, axes = _canvas(height, left=16, right=16, top=4, bottom=36)
    rates = [100 * _rate(column) for column in columns]
    axes.set_xlim(0, max(*rates, 1.0) * 1.04)
    axes.set_ylim(len(columns), 0)
    texts = _scale(axes, "x", _steps(max(*rates, 1.0) * 1.04), lambda value: f"{value:g} %")
    said = []
    for row, column in enumerate(columns):
        score = column.score
        assert score is not None  # noqa: S101  # for mypy: only scored columns come here
        kinds = {"S": score.substitutions, "I": score.insertions, "D": score.deletions}
        begin = 0.0
        for kind, count in kinds.items():
            width = 100 * count / score.reference_length
            axes.barh(row + 0.7, width, 0.36, left=begin, color=_colour(kind), edgecolor=_colour("card"), linewidth=0.8)
            if width > 0.04 * axes.get_xlim()[1]:  # wide enough for its letter
                place = begin + width / 2, row + 0.71
                texts |= _text(axes, f"{kind}{row}", kind, *place, va="center", on="data", tone="card")
            begin += width
        counts = " · ".join(f"{kind} {count}" for kind, count in kinds.items())
        texts |= _text(axes, f"label{row}", _label(column), 0.0, row + 0.28, ha="left", va="center", on="row")
        texts |= _text(axes, f"counts{row}", counts, 1.0, row + 0.28, ha="right", va="center", on="row", tone="soft")
        said.append(
            f"{column.contender.label}: {figures.counted(score.substitutions, score.unit)} substituted, "
            f"{score.insertions} added, {score.deletions} missing, of {score.reference_length}"
        )
    words = "characters" if columns[0].score and columns[0].score.unit == "character" else "words"
    caption = f"{name}, made of S substituted, I added, D missing; % of the reference's {words}"
    texts |= _text(axes, "x", caption, 0.5, 5 / height, tone="soft")
    return _picture("kinds", "Kinds of errors", figure, texts, "; ".join(said))


def _times(comparison: Comparison, view: SideBySide | None) -> Picture | None:
    """How many errors each system makes in each part of the clip; None where no times are known."""
    view = view or side_by_side(comparison, REFERENCE)
    if comparison.seconds <= 0:
        return None
    rows: list[tuple[str, list[int]]] = []
    timed = False
    for number, side in enumerate(view.sides):
        bins = [0] * BINS
        for at in _error_times(view, number):
            timed = True
            bins[min(BINS - 1, max(0, int(BINS * at / comparison.seconds)))] += 1
        rows.append((side.label, bins))
    if not timed:
        return None
    height = 42.0 * len(rows) + 34
    figure, axes = _canvas(height, left=16, right=16, top=4, bottom=32)
    axes.set_xlim(0, comparison.seconds)
    axes.set_ylim(len(rows), 0)
    most = max(max(bins) for _, bins in rows)
    texts = _scale(axes, "x", _clock_steps(comparison.seconds), figures.clock, grid=False)
    step = comparison.seconds / BINS
    edges = [step * number for number in range(BINS + 1)]
    said = []
    for row, (label, bins) in enumerate(rows):
        floor = row + 0.96
        axes.stairs([floor - 0.58 * count / most for count in bins], edges, baseline=floor, fill=True, color=_colour("accent"))
        axes.plot([0, comparison.seconds], [floor, floor], color=_colour("line"), linewidth=0.8)
        texts |= _text(axes, f"label{row}", _short(label), 0.0, row + 0.2, ha="left", va="center", on="row")
        total = sum(bins)
        worst = max(range(BINS), key=bins.__getitem__)
        most_at = f", most around {figures.clock(step * worst)}" if bins[worst] > 1 else ""
        texts |= _text(
            axes, f"counts{row}", f"{total}{most_at}", 1.0, row + 0.2, ha="right", va="center", on="row", tone="soft"
        )
        said.append(f"{label}: {figures.counted(total, 'error')}{most_at}")
    texts |= _text(axes, "x", f"errors in each {figures.seconds(step)} of the clip", 0.5, 4 / height, tone="soft")
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


def _rate(column: Column) -> float:
    rate = column.score.headline[1] if column.score else None
    assert rate is not None  # noqa: S101  # for mypy: only columns with a rate come here
    return rate


def _rate_name(columns: Sequence[Column]) -> str:
    return columns[0].score.headline[0] if columns[0].score else ""


def _label(column: Column) -> str:
    return _short(column.contender.label)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


def _colour(name: str) -> str:
    return _COLOURS[name][0]


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


def _canvas(height: float, *, left: float, right: float, top: float, bottom: float) -> tuple[Figure, Axes]:
    """A figure of one pixel a unit, and its axes without a frame."""
    import matplotlib
    from matplotlib.figure import Figure

    # Settings that only rendering reads, always the same ones, so that it does not matter who sets them when.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "earshot", "path.simplify": False})
    figure = Figure(figsize=(_WIDTH / 72, height / 72), dpi=72, facecolor="none")
    place = (left / _WIDTH, bottom / height, (_WIDTH - left - right) / _WIDTH, (height - top - bottom) / height)
    axes = figure.add_axes(place, facecolor="none")
    axes.set_frame_on(False)
    axes.set_axis_off()
    return figure, axes


def _scale(
    axes: Axes, which: str, values: Iterable[float], write: Callable[[float], str], *, grid: bool = True
) -> dict[str, str]:
    """Lines across the picture at round values, with their figures."""
    texts: dict[str, str] = {}
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    for number, value in enumerate(value for value in values if min(low, high) <= value <= max(low, high)):
        lines: dict[str, Any] = {"color": _colour("line"), "linewidth": 0.8, "zorder": 0}
        if which == "x":
            if grid:
                axes.axvline(value, **lines)
            place = axes.transAxes.inverted().transform(axes.transData.transform((value, 1)))[0]
            texts |= _text(axes, f"x{number}", write(value), place, 0.0, ha="center", va="top", on="axes", tone="soft")
        else:
            axes.axhline(value, **lines)
            place = axes.transAxes.inverted().transform(axes.transData.transform((1, value)))[1]
            texts |= _text(axes, f"y{number}", write(value), 0.0, place, ha="right", va="center", on="axes", tone="soft")
    return texts


def _text(
    axes: Axes,
    name: str,
    text: str,
    x: float,
    y: float,
    *,
    ha: str = "center",
    va: str = "baseline",
    on: str = "figure",
    tone: str = "ink",
) -> dict[str, str]:
    """Keep a place for a text, and give the text under the name of the place."""
    transform = {
        "figure": axes.figure.transFigure,
        "axes": axes.transAxes,
        "row": axes.get_yaxis_transform(),
        "data": axes.transData,
    }[on]
    made = axes.text(x, y, "x", transform=transform, ha=ha, va=va, color=_colour(tone), fontsize=_TEXT, zorder=5)
    made.set_gid(f"text-{name}")
    return {f"text-{name}": text}


def _picture(name: str, title: str, figure: Figure, texts: Mapping[str, str], says: str) -> Picture:
    return Picture(name, title, _svg(figure, title, texts, says), says)


def _svg(figure: Figure, title: str, texts: Mapping[str, str], says: str) -> str:
    """What matplotlib draws, without its style sheet, its metadata and its references, with our colours and texts."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    out = io.StringIO()
    FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    drawn = ElementTree.fromstring(out.getvalue())  # noqa: S314  # matplotlib's own words: it was given no text of ours
    shapes = {element.get("id"): element for element in drawn.iter() if _tag(element) == "path" and element.get("id")}
    root = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": drawn.get("viewBox", ""),
            "role": "img",
            "class": "es-picture",
            "style": f"display: block; width: 100%; max-width: {1.4 * _WIDTH:.0f}px; height: auto",
        },
    )
    for tag, text in (("title", title), ("desc", says)):
        ElementTree.SubElement(root, tag).text = _plain(text)
    root.extend(_copied(drawn, shapes, texts))
    return ElementTree.tostring(root, encoding="unicode")


def _copied(
    parent: ElementTree.Element, shapes: Mapping[str | None, ElementTree.Element], texts: Mapping[str, str]
) -> Iterator[ElementTree.Element]:
    for element in parent:
        tag = _tag(element)
        if tag in ("metadata", "defs", "style"):
            continue
        if tag == "g":
            label = texts.get(element.get("id", ""))
            inner = list(_copied(element, shapes, texts))
            if label is not None:
                for each in inner:
                    each.text = _plain(label)
                    if element.get("id", "").startswith("text-label"):  # may lie across a line
                        each.set("style", f"{each.get('style')}; {_HALO}")
            yield from inner
            continue
        kept = {key: value for key, value in element.attrib.items() if key in ("x", "y", "transform", "d", "style")}
        if tag == "use":
            target = shapes[element.get("{http://www.w3.org/1999/xlink}href", "#")[1:]]
            move = f"translate({kept.pop('x', '0')} {kept.pop('y', '0')})"
            kept = {**kept, "d": target.get("d", ""), "transform": move}
            tag = "path"
        if "d" in kept:
            kept["d"] = " ".join(_ROUNDED.sub(_two_digits, kept["d"]).split())
        kept["style"] = _styled(kept.get("style", ""))
        if tag == "path" and not kept.get("d"):
            continue
        yield ElementTree.Element(tag, kept)


_HALO = "paint-order: stroke; stroke: var(--es-card, #fff); stroke-width: 3px; stroke-linejoin: round"
_ROUNDED = re.compile(r"-?\d+\.\d+")


def _two_digits(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")


def _styled(style: str) -> str:
    for ours, theirs in _COLOURS.values():
        style = style.replace(ours, theirs)
    style = re.sub(r"font-family: [^;]*;?\s*", "", style)  # it is the page's own
    return re.sub(r"font: ([\d.]+px)[^;]*", r"font-size: \1", style)  # as older versions write it


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _plain(text: str) -> str:
    """A text without the characters that XML does not allow, and without what would turn a line of text around."""
    return "".join(
        "\ufffd"
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn") and character not in "\u200c\u200d"
        else character
        for character in " ".join(text.split())
    )
