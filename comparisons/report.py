"""What leaves Earshot: a comparison as plain data, CSV, a pandas frame or one HTML file (``table`` has the text).

Transcripts, references, file names and error messages are untrusted in all of them: HTML is escaped, a spreadsheet gets
no formulas, a terminal no control characters. Unknown is None (JSON null, an empty cell), never a number that could be
mistaken for one.
"""

from __future__ import annotations

import csv
import io
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from comparisons import align, figures, records, remarks
from comparisons.beyond import measures
from comparisons.cells import guarded
from comparisons.compare import Column, Comparison, Order, ordered
from comparisons.pictures import Picture, pictures, pooled_pictures, times_picture
from comparisons.records import agreements
from comparisons.records import to_dict as to_dict
from comparisons.sides.side_by_side import SideBySide, side_by_side
from comparisons.statistics.pooling import pooled_rows as pooled_rows
from comparisons.table import to_table as to_table

if TYPE_CHECKING:
    import jinja2
    import pandas

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

TEMPLATES = Path(__file__).parent / "templates"


def to_frame(comparisons: Comparison | Iterable[Comparison], by: Order = "wer") -> pandas.DataFrame:
    """A row for each column, for a summary table: rates in percent, rounded as they are shown; NaN for unknown.

    Text is guarded as in ``to_csv``, because a frame is copied into spreadsheets too.
    """
    import pandas

    rows = [
        {
            "Clip": guarded(comparison.source),
            "System": guarded(column.contender.label),
            "State": figures.state_word(column.state),
            "WER %": _rounded(score.wer, 100, 1) if score else None,
            "CER %": _rounded(score.cer, 100, 1) if score else None,
            "95 % from": _rounded(column.interval.low, 100, 1) if column.interval else None,
            "95 % to": _rounded(column.interval.high, 100, 1) if column.interval else None,
            "S": score.substitutions if score else None,
            "I": score.insertions if score else None,
            "D": score.deletions if score else None,
            "N": score.reference_length if score else None,
            "RTF": _rounded(result.rtf, 1, 3) if result else None,
            "RTFx": _rounded(1 / result.rtf, 1, 1) if result and result.rtf else None,
            "Seconds": _rounded(result.seconds, 1, 3) if result else None,
            "Load seconds": _rounded(result.load_seconds, 1, 2) if result else None,
            "Device": figures.device(result.device) if result and result.device else None,
            "Precision": result.dtype if result else None,
            "Memory MB": _rounded(result.peak_memory, 1e-6, 0) if result else None,
            "Agreement %": _rounded(agreed.get(column.contender.name), 100, 1),
            "Key terms": _kept(column) if comparison.key_terms else None,
            "Words a minute": _rounded(column.measures.words_per_minute, 1, 0) if column.measures else None,
            "Reference": guarded(remarks.whence(comparison)),
            "Reason": guarded(result.error) if result else None,
            "Notes": guarded("; ".join([*remarks.remarks(column), *_network_remark(column)])) or None,
        }
        for comparison in _several(comparisons)
        for agreed in [agreements(comparison)]
        for column in ordered(comparison, by)
        for score, result in [(column.score, column.result)]
    ]
    frame = pandas.DataFrame(rows, columns=list(rows[0]) if rows else ["Clip", "System", "State"])
    counts = [name for name in ("S", "I", "D", "N") if name in frame]
    return frame.astype(dict.fromkeys(counts, "Int64"))


def _network_remark(column: Column) -> list[str]:
    is_served = column.contender.spec.server is not None and column.result is not None and column.result.rtf is not None
    return [f"RTF {figures.NETWORK}"] if is_served else []


def _kept(column: Column) -> str | None:
    kept = column.measures.key_terms if column.measures else None
    return f"{kept.kept} of {kept.of}" if kept is not None else None


def _rounded(value: float | None, factor: float, digits: int) -> float | None:
    return round(value * factor, digits) if value is not None and math.isfinite(value) else None


def to_csv(comparisons: Comparison | Iterable[Comparison]) -> str:
    """A row for each column, with the names and units of ``to_dict``; what is a list there is one cell, runs and cuts
    separated by spaces, the others by "; ". Names that were once there stay, in their order; new ones follow.

    Text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    out = io.StringIO()
    writer: Any = None
    for comparison in _several(comparisons):
        for row in records.flat(comparison):
            if writer is None:
                writer = csv.DictWriter(out, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow({name: guarded(value) for name, value in row.items()})
    return out.getvalue()


@cache
def environment() -> jinja2.Environment:
    """Where the templates live; escapes everything. ``column.html`` has the macro ``es_column``."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    made.filters.update(
        percent=figures.percent,
        seconds=figures.seconds,
        elapsed=figures.elapsed,
        clock=figures.clock,
        rtf=figures.rtf,
        rtfx=figures.rtfx,
        bytes=figures.bytes_,
        counted=figures.counted,
        device=figures.device,
        state_word=figures.state_word,
    )
    made.globals.update(
        network=figures.NETWORK, explained=measures.EXPLAINED, suspicions=measures.SUSPICIONS, method=align.METHOD
    )
    return made


def columns_css() -> str:
    """Style of the columns; its colours are ``--es-*`` variables with fallbacks."""
    return (TEMPLATES / "columns.css").read_text(encoding="utf-8")


@dataclass(frozen=True)
class _Clip:
    """What the report shows of one comparison."""

    comparison: Comparison
    columns: tuple[Column, ...]
    view: SideBySide | None
    """None if the transcripts could not be put side by side; then each stands in its column."""
    pictures: tuple[Picture, ...]
    said: tuple[str, ...]
    agreements: Mapping[str, float]
    whence: str | None


def to_html(comparisons: Comparison | Iterable[Comparison], by: Order = "wer") -> str:
    """One HTML file that needs nothing else: light and dark, for screens of any width and for paper."""
    several = _several(comparisons)
    pooled = pooled_rows(several) if len(several) > 1 else []
    return (
        environment()
        .get_template("report.html")
        .render(
            clips=[_clip(comparison, by, is_alone=len(several) == 1) for comparison in several],
            pooled=pooled,
            pooled_said=remarks.said_of_all(several, pooled) if pooled else (),
            pooled_pictures=_unless_faulty(pooled_pictures, pooled) or (),
            styles=[(TEMPLATES / name).read_text(encoding="utf-8") for name in ("tokens.css", "report.css", "columns.css")],
        )
    )


def _clip(comparison: Comparison, by: Order, *, is_alone: bool) -> _Clip:
    """What is shown of a clip; beside others it has the one picture that cannot be pooled."""
    columns = ordered(comparison, by)
    view = _unless_faulty(side_by_side, replace(comparison, columns=columns))
    held = view if view is not None and view.kind == "reference" else None
    drawn: tuple[Picture | None, ...] = ()
    if is_alone:
        drawn = _unless_faulty(pictures, comparison, held) or ()
    elif held is not None:
        drawn = (_unless_faulty(times_picture, comparison, held),)
    return _Clip(
        comparison,
        columns,
        view,
        tuple(picture for picture in drawn if picture is not None),
        remarks.said(comparison),
        agreements(comparison),
        remarks.whence(comparison),
    )


def _unless_faulty(make: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T | None:
    """What is made, or None: text that nobody has checked, against times that systems gave, must not cost the report."""
    try:
        return make(*arguments, **named)
    except Exception:
        log.exception("a part of the report could not be made")
        return None


def _several(comparisons: Comparison | Iterable[Comparison]) -> list[Comparison]:
    return [comparisons] if isinstance(comparisons, Comparison) else list(comparisons)
