"""What leaves Earshot: a comparison as plain data, CSV, a table of text, a pandas frame or one HTML file.

Transcripts, references, file names and error messages are untrusted in all of them: HTML is escaped, a spreadsheet gets
no formulas, a terminal no control characters. Unknown is None (JSON null, an empty cell), never a number that could be
mistaken for one.
"""

from __future__ import annotations

import csv
import io
import logging
import math
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from comparisons import align, figures, records
from comparisons.beyond import measures
from comparisons.compare import Column, Comparison, Order, ordered
from comparisons.pictures import Picture, pictures, pooled_pictures, times_picture
from comparisons.records import agreements
from comparisons.records import to_dict as to_dict
from comparisons.score import Score
from comparisons.sides.side_by_side import SideBySide, side_by_side
from comparisons.statistics.pooling import Pooled, counted_alike, pooled_pairs, shared_clips
from comparisons.statistics.pooling import pooled_rows as pooled_rows
from comparisons.statistics.significance import summary
from comparisons.statistics.uncertainty import Interval

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
            "Clip": _cell(comparison.source),
            "System": _cell(column.contender.label),
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
            "Reference": _cell(_whence(comparison)),
            "Reason": _cell(result.error) if result else None,
            "Notes": _cell("; ".join(_remarks(column))) or None,
        }
        for comparison in _several(comparisons)
        for agreed in [agreements(comparison)]
        for column in ordered(comparison, by)
        for score, result in [(column.score, column.result)]
    ]
    frame = pandas.DataFrame(rows, columns=list(rows[0]) if rows else ["Clip", "System", "State"])
    counts = [name for name in ("S", "I", "D", "N") if name in frame]
    return frame.astype(dict.fromkeys(counts, "Int64"))


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
            writer.writerow({name: _cell(value) for name, value in row.items()})
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")):
        return "'" + value
    return value


def to_table(comparisons: Comparison | Iterable[Comparison], by: Order = "wer") -> str:
    """Plain text for a terminal: a table and the transcripts of each clip, and a table over all where there are several."""
    several = _several(comparisons)
    parts = [_clip_text(comparison, by) for comparison in several]
    if len(several) > 1:
        pooled = pooled_rows(several)
        rows = [["", "WER", "S I D of N", "CER", "RTF", "RTFx", "clips"]]
        rows += [
            [_clean(row.label), *_rates(row.score, row.interval, row.rtf), f"{row.clips} of {len(several)}"] for row in pooled
        ]
        said = _said_of_all(several, pooled)
        intervals = [row.interval for row in pooled if row.score is not None and row.score.headline[1] is not None]
        parts.append(f"All {len(several)} clips, counts pooled\n" + _aligned(rows) + _below(intervals, said))
    return "\n".join(parts)


def _said(comparison: Comparison) -> tuple[str, ...]:
    """The few sentences that say which contenders differ by more than chance. Holds untrusted labels."""
    return summary(comparison.pairs, {column.contender.name: column.contender.label for column in comparison.columns})


def _said_of_all(comparisons: Sequence[Comparison], pooled: Sequence[Pooled]) -> tuple[str, ...]:
    """The same over several clips, with why counts could not be pooled, and on how many clips everybody was scored."""
    if not counted_alike(comparisons):
        return (
            "These clips were not all counted with the same normaliser, or some in words and some in characters,"
            " so there is no rate over all of them: choose one normaliser and one metric",
        )
    shared = len(shared_clips(comparisons))
    said = summary(pooled_pairs(comparisons), {row.name: row.label for row in pooled}, clips=shared)
    if said and shared < len(comparisons):
        told = figures.counted(shared, "clip")
        said = (*said, f"Told from {told} of {len(comparisons)}: all others were not scored for every system")
    return said


def _whence(comparison: Comparison) -> str | None:
    """What must be known of a reference wherever its rates are: "reference seeded by Moonshine, edited". Untrusted.

    None if a person or a file gave it as it is, or if there is none.
    """
    reference = comparison.reference
    seeded = reference is not None and (reference.seed is not None or reference.original is not None)
    return reference.label if reference is not None and seeded else None


def _clip_text(comparison: Comparison, by: Order) -> str:
    aligned = align.METHOD if comparison.reference is not None else None
    facts = [figures.clock(comparison.seconds), comparison.language, comparison.normaliser.label, aligned]
    lines = [" · ".join([_clean(comparison.source), *(fact for fact in facts if fact)])]
    lines += [f"  note: {_clean(warning)}" for warning in comparison.warnings]
    if said := _whence(comparison):
        lines.append(f"  {_clean(said)}")
    if comparison.key_terms and comparison.reference is None:
        lines.append("  key terms are looked for in a reference, and there is none")
    if comparison.unsaid_key_terms:
        lines.append(f"  key terms that the reference does not have: {_clean(', '.join(comparison.unsaid_key_terms))}")
    columns, agreed = ordered(comparison, by), agreements(comparison)
    first = ["agreement"] if agreed else ["WER", "S I D of N", "CER"]
    rows = [["", *first, "RTF", "RTFx", "time", "load", "ran on", "memory"]]
    texts = []
    for column in columns:
        label, result = _clean(column.contender.label), column.result
        if column.state == "ok" and result is not None and result.transcript is not None:
            place = " ".join(part for part in (result.device and figures.device(result.device), result.dtype) if part)
            rates = _rates(column.score, column.interval, result.rtf)
            if agreed:
                share = agreed.get(column.contender.name)
                rates[:3] = [figures.percent(share) if share is not None else "–"]
            rows.append(
                [
                    label,
                    *rates,
                    figures.seconds(result.seconds) if result.seconds is not None else "",
                    figures.seconds(result.load_seconds) if result.load_seconds is not None else "warm",
                    place,
                    figures.bytes_(result.peak_memory) if result.peak_memory is not None else "",
                ]
            )
            lines_heard = [_clean(line) for line in result.transcript.text.splitlines() if line.strip()]
            texts.append(f"{label}: " + "\n    ".join(lines_heard or ["(heard nothing)"]))
            texts += [f"  note: {_clean(remark)}" for remark in (*result.transcript.notes, *_remarks(column))]
            texts += [f"  {_clean(measured)}" for measured in _measured(column)]
        else:
            why = " ".join(_clean(part) for part in (result and result.error, result and result.fix) if part)
            rows.append([label, column.state + (f": {why}" if why else "")])
    below = _below(
        [column.interval for column in columns if column.score is not None and column.score.headline[1] is not None],
        _said(comparison),
    )
    if agreed:
        below = "  Agreement with what most of the others say, not accuracy.\n"
    return "\n".join([*lines, _aligned(rows) + below + "".join(f"\n{text}" for text in texts), ""])


def _below(intervals: Sequence[Interval | None], said: Sequence[str]) -> str:
    """What stands under a table: what the figures in brackets are, and who differs by more than chance."""
    lines = []
    if any(each is not None for each in intervals):
        lines.append("In brackets: between which figures the rate on speech like this lies, right about 95 times of 100.")
    elif intervals:
        lines.append("Too little speech for intervals.")
    return "".join(f"  {_clean(line)}\n" for line in [*lines, *said])


def _remarks(column: Column) -> list[str]:
    """What a reader of its text should know, besides what its runner says."""
    cuts = [f"cut at {', '.join(figures.clock(cut) for cut in column.cuts)}"] if column.cuts else []
    flags = column.measures.flags if column.measures is not None else ()
    flagged = [flag.text + (f" at {figures.clock(flag.start)}" if flag.start is not None else "") for flag in flags]
    return [*([column.not_scored] if column.not_scored else []), *column.oddities, *cuts, *flagged]


def _measured(column: Column) -> list[str]:
    """What its rate does not say, in a line or none. Holds untrusted text."""
    measured = column.measures
    if measured is None or not column.contender.is_scored:
        return []
    parts = []
    for name in records.KEPT:
        kept: measures.Kept | None = getattr(measured, name)
        if kept is not None:
            lacks = f" (without {', '.join(kept.missing)})" if kept.missing and name == "key_terms" else ""
            balance = f" (F1 {figures.percent(kept.f1)})" if kept.f1 is not None else ""
            parts.append(f"{name.replace('_', ' ')} {kept.kept} of {kept.of}{lacks}{balance}")
    if column.alignment is not None and column.alignment.compounds:
        parts.append(figures.counted(len(column.alignment.compounds), "split or joined word"))
    if measured.longest_wrong is not None:
        wrong = measured.longest_wrong
        parts.append(f"longest wrong stretch {figures.counted(wrong.words, wrong.unit)}")
    parts.append(f"{figures.counted(round(measured.words_per_minute), measured.unit)} a minute")
    return [" · ".join(parts)]


def _rates(score: Score | None, interval: Interval | None, rtf: float | None) -> list[str]:
    """Cells WER, S I D of N, CER, RTF, RTFx; the interval stands behind the rate that it is of."""
    counts = ""
    if score is not None:
        length = str(score.reference_length) + (" characters" if score.unit == "character" else "")
        counts = f"{score.substitutions} {score.insertions} {score.deletions} of {length}"
    reach = f" ({100 * interval.low:.1f} to {100 * interval.high:.1f})" if interval is not None else ""

    def rate(name: str, value: float | None) -> str:
        of_this = reach if score is not None and score.headline[0] == name else ""
        if value is None:
            return "n/a" if score is not None and not score.reference_length and score.headline[0] == name else "–"
        return figures.percent(value) + of_this

    return [
        rate("WER", score.wer if score else None),
        counts,
        rate("CER", score.cer if score else None),
        figures.rtf(rtf) if rtf is not None else "–",
        figures.rtfx(rtf) if rtf is not None else "–",
    ]


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows as wide as their cells; a row of two cells has a remark, which runs on to the right."""
    full = [row for row in rows if len(row) > 2]
    widths = [max(_width(row[column]) for row in full) for column in range(len(rows[0]))]
    widths[0] = max(_width(row[0]) for row in rows)
    lines = []
    for row in rows:
        cells = [
            cell if len(row) == 2 and column else cell + " " * (widths[column] - _width(cell))
            for column, cell in enumerate(row)
        ]
        lines.append(("  " + "  ".join(cells)).rstrip())
    return "\n".join(lines) + "\n"


def _width(text: str) -> int:
    """Cells of a terminal: two for wide East Asian characters, none for combining marks."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def _clean(text: str) -> str:
    """Untrusted text on one line, without what a terminal would obey (escapes, direction overrides)."""
    return "".join(
        "\ufffd" if unicodedata.category(character) in ("Cc", "Cf", "Cs") and character not in "\u200c\u200d" else character
        for character in " ".join(text.split())
    )


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
    made.globals.update(explained=measures.EXPLAINED, suspicions=measures.SUSPICIONS, method=align.METHOD)
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
            pooled_said=_said_of_all(several, pooled) if pooled else (),
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
        _said(comparison),
        agreements(comparison),
        _whence(comparison),
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
