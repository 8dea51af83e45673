"""The transcripts side by side as a browser draws them: the data, and the scripts and style that draw it.

The data is one text: JSON, which ``templates/view/view.js`` reads. An hour of eight systems is 2 MB of it, so what is long is
deflated. Whoever shows it, the page or a report, puts a script of its own before ``view_script``.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from comparisons import figures
from comparisons.compare import Column, Comparison
from comparisons.sides.marks import Mark, MarkKind
from comparisons.sides.side_by_side import SideBySide, anchors

_CODES: Mapping[MarkKind, int] = MappingProxyType({"hit": 0, "substitution": 1, "deletion": 2, "insertion": 3, "plain": 4})
_INTERPOLATED, _COMPOUND, _UNSPACED = 8, 16, 32  # bits beside the code of the kind
_LONG = 50_000  # characters of JSON from which on it is deflated
_VIEW = Path(__file__).parent.parent / "templates" / "view"
_SCRIPTS = ("words.js", "map.js", "places.js", "hearing.js", "keys.js", "view.js")


def view_html() -> str:
    """What the scripts draw into, a ``section.es-view``."""
    return (_VIEW / "view.html").read_text(encoding="utf-8")


def view_css() -> str:
    """Its style; the marks look as ``report.columns_css`` says."""
    return (_VIEW / "view.css").read_text(encoding="utf-8")


def view_script() -> str:
    """What draws it, to stand in a function or a block of its own behind the script of its host."""
    return "\n".join((_VIEW / name).read_text(encoding="utf-8") for name in _SCRIPTS)


def alone_script() -> str:
    """A whole script for a file that stands alone and may hold several; see ``templates/view/alone.js``."""
    host, paper = ((_VIEW / name).read_text(encoding="utf-8") for name in ("alone.js", "paper.js"))
    return f'"use strict";\nfor (const element of document.querySelectorAll(".es-host")) {{\n{host}{view_script()}}}\n{paper}'


def plain(view: SideBySide, comparison: Comparison, audio: str | None) -> str:
    """What the browser draws: JSON, or what zlib makes of it in base64 where it is long; "" if no transcript is finished.

    Args:
        comparison: that ``view`` was made of, for its rates, flags and seeds.
        audio: where the clip is, in whatever form the host's ``addressOf`` takes; None if it cannot be heard.
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
    # Nothing that would end a script element it stands in, or make Gradio warn of one.
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
