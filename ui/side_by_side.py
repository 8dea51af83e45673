"""The transcripts side by side, in the browser: read, walked through and heard.

The component's value is one text, JSON, so that Gradio carries it without looking into it; ``assets/view.js`` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import gradio as gr

from comparisons import figures
from comparisons.compare import Column, Comparison
from comparisons.marks import Mark, MarkKind
from comparisons.side_by_side import SideBySide, anchors
from ui.components import script

_CODES: Mapping[MarkKind, int] = MappingProxyType({"hit": 0, "substitution": 1, "deletion": 2, "insertion": 3, "plain": 4})
_INTERPOLATED, _COMPOUND, _UNSPACED = 8, 16, 32  # bits beside the code of the kind
_SCRIPTS = ("view.words.js", "view.map.js", "view.places.js", "view.hearing.js", "view.keys.js", "view.js")


def side_by_side_view() -> gr.HTML:
    """The view. Value: text of ``plain``, or "" while there is nothing to see.

    Events: ``against`` carries ``{"against": …}``, what the transcripts are to be held against; ``use`` carries
    ``{"name": …}``, whose text is to be the reference: a contender's name, or "majority"; ``unplayable`` says that this
    browser cannot play the clip. Its answer is the prop ``copy``: ``{"of": the audio of the value, "audio": address of a
    copy that plays or None, "fault": what to say if there is none}``.
    """
    return gr.HTML(
        "",
        html_template=script("view.html"),
        js_on_load=script(*_SCRIPTS),
        apply_default_css=False,
        elem_id="es-view",
        copy=None,
    )


def plain(view: SideBySide, comparison: Comparison, audio: str | None) -> str:
    """What the browser draws, as JSON; "" if no transcript is finished.

    Args:
        comparison: that ``view`` was made of, for its rates, flags and seeds.
        audio: address of the clip, relative to the page's root; None if it cannot be heard any more.
    """
    if not view.sides:
        return ""
    columns = {column.contender.name: column for column in comparison.columns}
    seed = comparison.reference.seed if comparison.reference is not None else None
    drawn = {
        "kind": view.kind,
        "label": view.label,
        "against": view.against,
        "anchors": anchors(comparison),
        "seconds": comparison.seconds,
        "source": comparison.source,
        "audio": audio,
        "sides": [
            {
                "name": side.name,
                "label": side.label,
                "timed": side.is_timed,
                "rate": _rate(columns[side.name]),
                "seed": side.name == seed,
                "flags": _flags(columns[side.name]),
            }
            for side in view.sides
        ],
        "passages": [
            [_hundredths(each.start), _hundredths(each.end), _words(each.anchor), [_words(cell) for cell in each.cells]]
            for each in view.passages
        ],
    }
    # A script element in a transcript would make Gradio warn of it, although nobody takes this for HTML.
    return json.dumps(drawn, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _rate(column: Column) -> str | None:
    """ "WER 11.8 %", as it stands large in the column."""
    if column.score is None:
        return None
    name, rate = column.score.headline
    return f"{name} {figures.percent(rate)}" if rate is not None else None


def _flags(column: Column) -> list[list[Any]]:
    """Start in hundredths of a second, and what is odd there."""
    found = column.measures.flags if column.measures is not None else ()
    return [[_hundredths(flag.start), flag.text] for flag in found if flag.start is not None]


def _words(marks: Iterable[Mark]) -> list[list[Any]]:
    """Each as [text, code, start, end, at, reference, after, support], without what is unknown at its end.

    Times are hundredths of a second; ``after`` only where it is neither a space nor nothing.
    """
    made: list[list[Any]] = []
    for mark in marks:
        after, start, end = mark.after, mark.start, mark.end
        code = _CODES[mark.kind]
        if mark.is_interpolated:
            code |= _INTERPOLATED
        if mark.is_compound:
            code |= _COMPOUND
        if not after:
            code |= _UNSPACED
        word: list[Any] = [
            mark.text,
            code,
            None if start is None else round(100 * start),
            None if end is None else round(100 * end),
        ]
        if mark.kind != "hit" or mark.support is not None or after not in (" ", ""):
            word += [mark.at, mark.reference if mark.kind == "substitution" else None]
            if mark.support is not None or after not in (" ", ""):
                word += [None if after in (" ", "") else after, mark.support]
        made.append(word)
    return made


def _hundredths(seconds: float | None) -> int | None:
    return None if seconds is None else round(100 * seconds)
