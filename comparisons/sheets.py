"""What goes into spreadsheets and text: CSV, a pandas frame, the summary of a comparison, a Markdown table.

Text is untrusted: a spreadsheet gets no formulas, Markdown no markup. Unknown is None or an empty cell.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comparisons import align, figures, records, remarks
from comparisons.cells import guarded
from comparisons.compare import Column, Comparison, Order, ordered
from comparisons.records import agreements
from runners.terminal import plain

if TYPE_CHECKING:
    import pandas

SUMMARY = (
    *("State", "WER %", "CER %", "95 % from", "95 % to", "Agreement %", "Key terms"),
    *("S", "I", "D", "N", "RTF", "RTFx", "Seconds", "Load seconds", "Device"),
)
"""Columns of the summary, out of those of ``to_frame``; each row is headed by its system."""
SOMETIMES = frozenset({"95 % from", "95 % to", "Agreement %", "Key terms"})
"""Those that are left out while they are empty."""


@dataclass(frozen=True)
class Summary:
    """The table of a comparison."""

    names: tuple[str, ...]
    """Of its columns, out of ``SUMMARY``."""
    rows: tuple[tuple[str, tuple[Any, ...]], ...]
    """The system and its cells: texts, numbers, None for unknown. Untrusted."""


def summary(comparison: Comparison, by: Order = "wer") -> Summary:
    """The table that stands above the columns. All rows are there from the start."""
    frame = to_frame(comparison, by)
    names = tuple(name for name in SUMMARY if name not in SOMETIMES or frame[name].notna().any())
    values = frame.astype(object).where(frame.notna(), None).to_dict("records")
    rows = tuple(
        (
            str(row["System"]),
            tuple(_shown(row[name], name == "RTF" and column.contender.spec.server is not None) for name in names),
        )
        for row, column in zip(values, ordered(comparison, by), strict=True)
    )
    return Summary(names, rows)


def _shown(value: Any, with_network: bool) -> Any:
    """A value of the table, None for none; an RTF that the way to a server is part of says so."""
    if value is None or value != value:
        return None
    return f"{value} {figures.NETWORK}" if with_network else value


def to_tsv(comparisons: Comparison | Iterable[Comparison], by: Order = "wer") -> str:
    """The frame with tabs between cells, as it is pasted into a spreadsheet."""
    return str(to_frame(comparisons, by).to_csv(sep="\t", index=False))


def to_markdown(comparisons: Comparison | Iterable[Comparison], by: Order = "wer") -> str:
    """A table for each clip, with what is said below it: who differs by more than chance, and why others were skipped."""
    return "\n".join(_markdown(comparison, by) for comparison in _several(comparisons))


def _markdown(comparison: Comparison, by: Order) -> str:
    table = summary(comparison, by)
    aligned = align.METHOD if comparison.reference is not None else None
    known = (figures.clock(comparison.seconds), comparison.language, comparison.normaliser.label, aligned)
    facts = [fact for fact in (*known, remarks.whence(comparison)) if fact]
    lines = [f"**{_bare(comparison.source)}** · " + " · ".join(map(_bare, facts)), ""]
    lines.append("| " + " | ".join(["System", *map(_bare, table.names)]) + " |")
    lines.append("| --- |" + "".join(" --- |" if name == "State" else " ---: |" for name in table.names))
    for system, cells in table.rows:
        lines.append("| " + " | ".join([_bare(system), *("" if cell is None else _bare(str(cell)) for cell in cells)]) + " |")
    below = [*remarks.said(comparison)]
    for column in ordered(comparison, by):
        if column.state == "skipped" and column.result is not None:
            why = " ".join(part for part in (column.result.error, column.result.fix) if part)
            below.append(f"{column.contender.label} was skipped: {why}")
    lines += ["", *(f"- {_bare(line)}" for line in below)] if below else []
    return "\n".join(lines) + "\n"


def _bare(text: str) -> str:
    """Untrusted text on one line of Markdown, in which nothing is markup, a link or the end of a cell."""
    escaped = re.sub(r"([\\`*_\[\]<>|#~$&@])", r"\\\1", plain(" ".join(text.split())))
    return re.sub(r"(?i)\b(https?|ftp|www)([:.])", r"\1\\\2", escaped)  # GitHub makes links of bare addresses


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


def _several(comparisons: Comparison | Iterable[Comparison]) -> list[Comparison]:
    return [comparisons] if isinstance(comparisons, Comparison) else list(comparisons)
