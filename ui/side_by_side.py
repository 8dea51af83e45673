"""The transcripts side by side, in the browser: read, walked through and heard.

The component's value is one text, so that Gradio carries it without looking into it: JSON, which ``assets/view.js`` reads.
An hour of eight systems is 2 MB of it, and Gradio's page copies what it shows a dozen times; so what is long is deflated.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import gradio as gr

from comparisons import figures
from comparisons.compare import Column, Comparison
from comparisons.sides.marks import Mark, MarkKind
from comparisons.sides.side_by_side import SideBySide, anchors
from ui.components import script

_CODES: Mapping[MarkKind, int] = MappingProxyType({"hit": 0, "substitution": 1, "deletion": 2, "insertion": 3, "plain": 4})
_INTERPOLATED, _COMPOUND, _UNSPACED = 8, 16, 32  # bits beside the code of the kind
_LONG = 50_000  # characters of JSON from which on it is deflated
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
    """What the browser draws: JSON, or what zlib makes of it in base64 where it is long; "" if no transcript is finished.

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
    text = json.dumps(drawn, ensure_ascii=False, separators=(",", ":"))
    if len(text) > _LONG:
        return base64.b64encode(zlib.compress(text.encode(), 1)).decode("ascii")
    # A script element in a transcript would make Gradio warn of it, although nobody takes this for HTML.
    return text.replace("<", "\\u003c")


def _rate(column: Column) -> str | None:
    """ "WER 11.8 %", as it stands large in the column."""
    rates = column.score.rates if column.score is not None else ()
    return " · ".join(f"{name} {figures.percent(rate)}" for name, rate in rates if rate is not None) or None


def _flags(column: Column) -> list[list[Any]]:
    """Start in hundredths of a second, and what is odd there."""
    found = column.measures.flags if column.measures is not None else ()
    return [[_hundredths(flag.start), flag.text] for flag in found if flag.start is not None]


def _words(marks: Sequence[Mark]) -> list[Any]:
    """[texts, codes, starts, ends, the rest]: times in hundredths of a second, null where unknown.

    The rest is, for the marks that are no simple hits, [number, at, reference, after, support]; ``after`` where it is
    neither a space nor nothing. A list for each field, and not one for each word, takes half the time and a third less room.
    """
    return [
        [mark.text for mark in marks],
        [
            _CODES[mark.kind]
            + (mark.is_interpolated and _INTERPOLATED)
            + (mark.is_compound and _COMPOUND)
            + (not mark.after and _UNSPACED)
            for mark in marks
        ],
        [None if mark.start is None else int(100 * mark.start + 0.5) for mark in marks],
        [None if mark.end is None else int(100 * mark.end + 0.5) for mark in marks],
        [
            [
                number,
                mark.at,
                mark.reference if mark.kind == "substitution" else None,
                None if mark.after in (" ", "") else mark.after,
                mark.support,
            ]
            for number, mark in enumerate(marks)
            if mark.kind != "hit" or mark.support is not None or mark.after not in (" ", "")
        ],
    ]


def _hundredths(seconds: float | None) -> int | None:
    return None if seconds is None else int(100 * seconds + 0.5)
