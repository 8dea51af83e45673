"""What leaves Earshot: a comparison as plain data, CSV, a table of text, a pandas frame or one HTML file.

Transcripts, references, file names and error messages are untrusted in all of them: HTML is escaped, a spreadsheet gets
no formulas, a terminal no control characters. Unknown is None (JSON null, an empty cell), never a number that could be
mistaken for one.
"""

from __future__ import annotations

import csv
import io
import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comparisons import align, figures, measures
from comparisons.compare import Column, Comparison, Order, ordered
from comparisons.score import Score, pooled

if TYPE_CHECKING:
    import jinja2
    import pandas

TEMPLATES = Path(__file__).parent / "templates"


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


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """A comparison as JSON has it; the results in the order in which the contenders were chosen.

    Rates are fractions, times seconds, memory MB of a million bytes. The four counts are words, or characters where
    ``unit`` says so. ``scored`` is false for what was told to do something else than transcribe; ``cuts`` are the times at
    which the clip was cut for a system that hears only so much at once.
    """
    return {
        "clip": {"source": comparison.source, "seconds": _number(comparison.seconds)},
        "normaliser": {"name": comparison.normaliser.name, "version": comparison.normaliser.version},
        "results": [_result(column) for column in comparison.columns],
    }


def _result(column: Column) -> dict[str, Any]:
    spec, result, score = column.contender.spec, column.result, column.score
    prompt = column.contender.options.prompt
    transcript = result.transcript if result else None
    rtf = _number(result.rtf) if result else None
    return {
        "contender": column.contender.name,
        "runner": spec.family,
        "model": spec.model,
        "status": column.state,
        "transcript": transcript.text if transcript else None,
        "error": result.error if result else None,
        "stage": result.stage if result else None,
        "wer": score.wer if score else None,
        "cer": score.cer if score else None,
        "hits": score.hits if score else None,
        "substitutions": score.substitutions if score else None,
        "deletions": score.deletions if score else None,
        "insertions": score.insertions if score else None,
        "seconds": _number(result.seconds) if result else None,
        "runs": [_number(run) for run in result.runs] if result else [],
        "load_seconds": _number(result.load_seconds) if result else None,
        "rtf": rtf,
        "rtfx": 1 / rtf if rtf else None,
        "device": result.device if result else None,
        "dtype": result.dtype if result else None,
        "peak_memory_mb": round(result.peak_memory / 1e6, 1) if result and result.peak_memory is not None else None,
        "fix": result.fix if result else None,
        "unit": score.unit if score else None,
        "revision": spec.revision,
        "template": prompt.template if prompt else None,
        "task": prompt.task if prompt else "transcription",
        "prompt": prompt.text if prompt else None,
        "scored": column.contender.is_scored,
        "notes": list(transcript.notes) if transcript else [],
        "oddities": list(column.oddities),
        "cuts": [_number(cut) for cut in column.cuts],
    }


def _number(value: float | None) -> float | None:
    """JSON has neither NaN nor infinity."""
    return value if value is not None and math.isfinite(value) else None


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
            "Reason": _cell(result.error) if result else None,
            "Notes": _cell("; ".join(_remarks(column))) or None,
        }
        for comparison in _several(comparisons)
        for column in ordered(comparison, by)
        for score, result in [(column.score, column.result)]
    ]
    frame = pandas.DataFrame(rows, columns=list(rows[0]) if rows else ["Clip", "System", "State"])
    counts = [name for name in ("S", "I", "D", "N") if name in frame]
    return frame.astype(dict.fromkeys(counts, "Int64"))


def _rounded(value: float | None, factor: float, digits: int) -> float | None:
    return round(value * factor, digits) if value is not None and math.isfinite(value) else None


def to_csv(comparisons: Comparison | Iterable[Comparison]) -> str:
    """A row for each column, with the names and units of ``to_dict``; what is a list there is one cell, runs and cuts
    separated by spaces, notes and oddities by "; ".

    Text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    out = io.StringIO()
    writer: Any = None
    for comparison in _several(comparisons):
        whole = to_dict(comparison)
        for result in whole["results"]:
            row = {
                "source": whole["clip"]["source"],
                "clip_seconds": whole["clip"]["seconds"],
                "normaliser": whole["normaliser"]["name"],
                "normaliser_version": whole["normaliser"]["version"],
                **result,
                **{name: " ".join(str(each) for each in result[name]) for name in ("runs", "cuts")},
                **{name: "; ".join(result[name]) for name in ("notes", "oddities")},
            }
            if writer is None:
                writer = csv.DictWriter(out, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow({name: _cell(value) for name, value in row.items()})
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")):
        return "'" + value
    return value


def pooled_rows(comparisons: Iterable[Comparison]) -> list[Pooled]:
    """Each contender over all clips: counts are added up, rates never averaged. Best first, those that ran nowhere last."""
    columns: dict[str, list[tuple[Comparison, Column]]] = {}
    for comparison in comparisons:
        for column in comparison.columns:
            columns.setdefault(column.contender.name, []).append((comparison, column))
    rows = []
    for name, pairs in columns.items():
        ran = [(comparison, column) for comparison, column in pairs if column.state == "ok"]
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
        rows.append(Pooled(name, pairs[0][1].contender.label, len(ran), whole, rtf))

    def place(row: Pooled) -> tuple[bool, float]:
        rate = row.score.headline[1] if row.score else None
        return not row.clips, float("inf") if rate is None else rate

    return sorted(rows, key=place)


def to_table(comparisons: Comparison | Iterable[Comparison], by: Order = "wer") -> str:
    """Plain text for a terminal: a table and the transcripts of each clip, and a table over all where there are several."""
    several = _several(comparisons)
    parts = [_clip_text(comparison, by) for comparison in several]
    if len(several) > 1:
        rows = [["", "WER", "S I D of N", "CER", "RTF", "RTFx", "clips"]]
        rows += [
            [_clean(row.label), *_rates(row.score, row.rtf), f"{row.clips} of {len(several)}"] for row in pooled_rows(several)
        ]
        parts.append(f"All {len(several)} clips, counts pooled\n" + _aligned(rows))
    return "\n".join(parts)


def _clip_text(comparison: Comparison, by: Order) -> str:
    facts = [figures.clock(comparison.seconds), comparison.language, comparison.normaliser.label]
    lines = [" · ".join([_clean(comparison.source), *(fact for fact in facts if fact)])]
    lines += [f"  note: {_clean(warning)}" for warning in comparison.warnings]
    rows = [["", "WER", "S I D of N", "CER", "RTF", "RTFx", "time", "load", "ran on", "memory"]]
    texts = []
    for column in ordered(comparison, by):
        label, result = _clean(column.contender.label), column.result
        if column.state == "ok" and result is not None and result.transcript is not None:
            place = " ".join(part for part in (result.device and figures.device(result.device), result.dtype) if part)
            rows.append(
                [
                    label,
                    *_rates(column.score, result.rtf),
                    figures.seconds(result.seconds) if result.seconds is not None else "",
                    figures.seconds(result.load_seconds) if result.load_seconds is not None else "warm",
                    place,
                    figures.bytes_(result.peak_memory) if result.peak_memory is not None else "",
                ]
            )
            lines_heard = [_clean(line) for line in result.transcript.text.splitlines() if line.strip()]
            texts.append(f"{label}: " + "\n    ".join(lines_heard or ["(heard nothing)"]))
            texts += [f"  note: {_clean(remark)}" for remark in (*result.transcript.notes, *_remarks(column))]
        else:
            why = " ".join(_clean(part) for part in (result and result.error, result and result.fix) if part)
            rows.append([label, column.state + (f": {why}" if why else "")])
    return "\n".join([*lines, _aligned(rows) + "".join(f"\n{text}" for text in texts), ""])


def _remarks(column: Column) -> list[str]:
    """What a reader of its text should know, besides what its runner says."""
    cuts = [f"cut at {', '.join(figures.clock(cut) for cut in column.cuts)}"] if column.cuts else []
    return [*([column.not_scored] if column.not_scored else []), *column.oddities, *cuts]


def _rates(score: Score | None, rtf: float | None) -> list[str]:
    """Cells WER, S I D of N, CER, RTF, RTFx."""
    counts = ""
    if score is not None:
        length = str(score.reference_length) + (" characters" if score.unit == "character" else "")
        counts = f"{score.substitutions} {score.insertions} {score.deletions} of {length}"
    return [
        figures.percent(score.wer) if score and score.wer is not None else "–",
        counts,
        figures.percent(score.cer) if score and score.cer is not None else "–",
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
    """Where the templates live; escapes everything. ``column.html`` has the macros ``es_column`` and ``es_legend``."""
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
        explained=measures.EXPLAINED, suspicions=getattr(measures, "SUSPICIONS", {}), method=getattr(align, "METHOD", "")
    )
    return made


def columns_css() -> str:
    """Style of the columns; its colours are ``--es-*`` variables with fallbacks."""
    return (TEMPLATES / "columns.css").read_text(encoding="utf-8")


def legend_html() -> str:
    """What the marks look like, in one ``p.es-legend``."""
    module: Any = environment().get_template("column.html").module
    return str(module.es_legend())


def to_html(comparisons: Comparison | Iterable[Comparison], by: Order = "wer") -> str:
    """One HTML file that needs nothing else: light and dark, for screens of any width and for paper."""
    several = _several(comparisons)
    return (
        environment()
        .get_template("report.html")
        .render(
            comparisons=[(comparison, ordered(comparison, by)) for comparison in several],
            pooled=pooled_rows(several) if len(several) > 1 else [],
            styles=[(TEMPLATES / name).read_text(encoding="utf-8") for name in ("tokens.css", "report.css", "columns.css")],
        )
    )


def _several(comparisons: Comparison | Iterable[Comparison]) -> list[Comparison]:
    return [comparisons] if isinstance(comparisons, Comparison) else list(comparisons)
