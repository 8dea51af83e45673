"""Drawings of matplotlib's, made fit to stand in a page that is light or dark and may hold several of them.

Colours become the page's variables, nothing is left that another element could refer to, and the texts, which nobody has
checked, are put in last, as text, so that matplotlib never reads them.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 400.0
"""Of a drawing in its own units, which are about 1.4 pixels on a wide screen and just under one on a phone."""
TEXT_SIZE = 10.0

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


def colour(name: str) -> str:
    """What matplotlib is to be told for one of ink, soft, line, accent, card, S, I and D."""
    return _COLOURS[name][0]


def canvas(height: float, *, left: float, right: float, top: float, bottom: float) -> tuple[Figure, Axes]:
    """A figure of one pixel a unit, and its axes without a frame."""
    import matplotlib
    from matplotlib.figure import Figure

    # Settings that only rendering reads, always the same ones, so that it does not matter who sets them when.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "earshot", "path.simplify": False})
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72, facecolor="none")
    place = (left / WIDTH, bottom / height, (WIDTH - left - right) / WIDTH, (height - top - bottom) / height)
    axes = figure.add_axes(place, facecolor="none")
    axes.set_frame_on(False)
    axes.set_axis_off()
    return figure, axes


def scale(
    axes: Axes, which: str, values: Iterable[float], write: Callable[[float], str], *, grid: bool = True
) -> dict[str, str]:
    """Lines across the drawing at some values of "x" or "y", with their figures; gives the texts, as ``place_text`` does."""
    texts: dict[str, str] = {}
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    for number, value in enumerate(value for value in values if min(low, high) <= value <= max(low, high)):
        lines: dict[str, Any] = {"color": colour("line"), "linewidth": 0.8, "zorder": 0}
        if which == "x":
            if grid:
                axes.axvline(value, **lines)
            place = axes.transAxes.inverted().transform(axes.transData.transform((value, 1)))[0]
            texts |= place_text(axes, f"x{number}", write(value), place, 0.0, ha="center", va="top", on="axes", tone="soft")
        else:
            axes.axhline(value, **lines)
            place = axes.transAxes.inverted().transform(axes.transData.transform((1, value)))[1]
            texts |= place_text(axes, f"y{number}", write(value), 0.0, place, ha="right", va="center", on="axes", tone="soft")
    return texts


def place_text(
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
    """Keep a place for a text.

    Args:
        text: untrusted.
        on: what x and y are parts of: the "figure" or the "axes", from 0 to 1; "data"; or of a "row", whose x is a part of
            the axes and whose y is data.

    Returns:
        The text under the name of its place, for ``inline_svg``.
    """
    transform = {
        "figure": axes.figure.transFigure,
        "axes": axes.transAxes,
        "row": axes.get_yaxis_transform(),
        "data": axes.transData,
    }[on]
    made = axes.text(x, y, "x", transform=transform, ha=ha, va=va, color=colour(tone), fontsize=TEXT_SIZE, zorder=5)
    made.set_gid(f"text-{name}")
    return {f"text-{name}": text}


def inline_svg(figure: Figure, title: str, texts: Mapping[str, str], says: str) -> str:
    """A figure as one ``<svg>`` element: matplotlib's, without style sheet, metadata and references, with our colours.

    Args:
        texts: what stands at each place that is kept for a text. Untrusted, like title and ``says``.
    """
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
            "style": f"display: block; width: 100%; max-width: {1.4 * WIDTH:.0f}px; height: auto",
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
