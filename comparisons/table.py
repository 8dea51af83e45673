"""A comparison as plain text for a terminal. Untrusted text gets no control characters there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from comparisons import align, figures, records, remarks
from comparisons.beyond import measures
from comparisons.compare import Column, Comparison, Order, ordered
from comparisons.records import agreements
from comparisons.score import Score
from comparisons.statistics.pooling import pooled_rows
from comparisons.statistics.uncertainty import Interval
from runners.terminal import plain, width


def to_table(comparisons: Comparison | Iterable[Comparison], by: Order = "wer") -> str:
    """Plain text for a terminal: a table and the transcripts of each clip, and a table over all where there are several."""
    several = [comparisons] if isinstance(comparisons, Comparison) else list(comparisons)
    parts = [_clip_text(comparison, by) for comparison in several]
    if len(several) > 1:
        pooled = pooled_rows(several)
        rows = [["", "WER", "S I D of N", "CER", "RTF", "RTFx", "clips"]]
        rows += [
            [
                _clean(row.label),
                *_rates(row.score, row.interval, row.rtf, row.rtf_includes_network),
                f"{row.clips} of {len(several)}",
            ]
            for row in pooled
        ]
        said = remarks.said_of_all(several, pooled)
        intervals = [row.interval for row in pooled if row.score is not None and row.score.headline[1] is not None]
        parts.append(f"All {len(several)} clips, counts pooled\n" + _aligned(rows) + _below(intervals, said))
    return "\n".join(parts)


def _clip_text(comparison: Comparison, by: Order) -> str:
    aligned = align.METHOD if comparison.reference is not None else None
    facts = [figures.clock(comparison.seconds), comparison.language, comparison.normaliser.label, aligned]
    lines = [" · ".join([_clean(comparison.source), *(fact for fact in facts if fact)])]
    lines += [f"  note: {_clean(warning)}" for warning in comparison.warnings]
    if said := remarks.whence(comparison):
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
            served = column.contender.spec.server
            if served is not None:
                place = served.name
            rates = _rates(column.score, column.interval, result.rtf, served is not None)
            if agreed:
                share = agreed.get(column.contender.name)
                rates[:3] = [figures.percent(share) if share is not None else "–"]
            rows.append(
                [
                    label,
                    *rates,
                    figures.seconds(result.seconds) if result.seconds is not None else "",
                    figures.seconds(result.load_seconds)
                    if result.load_seconds is not None
                    else "warm"
                    if served is None
                    else "–",
                    place,
                    figures.bytes_(result.peak_memory) if result.peak_memory is not None else "",
                ]
            )
            lines_heard = [_clean(line) for line in result.transcript.text.splitlines() if line.strip()]
            texts.append(f"{label}: " + "\n    ".join(lines_heard or ["(heard nothing)"]))
            texts += [f"  note: {_clean(remark)}" for remark in (*result.transcript.notes, *remarks.remarks(column))]
            texts += [f"  {_clean(measured)}" for measured in _measured(column)]
        else:
            why = " ".join(_clean(part) for part in (result and result.error, result and result.fix) if part)
            rows.append([label, column.state + (f": {why}" if why else "")])
    below = _below(
        [column.interval for column in columns if column.score is not None and column.score.headline[1] is not None],
        remarks.said(comparison),
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


def _rates(score: Score | None, interval: Interval | None, rtf: float | None, includes_network: bool = False) -> list[str]:
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
        figures.rtf(rtf) + (f" {figures.NETWORK}" if includes_network else "") if rtf is not None else "–",
        figures.rtfx(rtf) if rtf is not None else "–",
    ]


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows as wide as their cells; a row of two cells has a remark, which runs on to the right."""
    full = [row for row in rows if len(row) > 2]
    widths = [max(width(row[column]) for row in full) for column in range(len(rows[0]))]
    widths[0] = max(width(row[0]) for row in rows)
    lines = []
    for row in rows:
        cells = [
            cell if len(row) == 2 and column else cell + " " * (widths[column] - width(cell)) for column, cell in enumerate(row)
        ]
        lines.append(("  " + "  ".join(cells)).rstrip())
    return "\n".join(lines) + "\n"


def _clean(text: str) -> str:
    """Untrusted text on one line, without what a terminal would obey (escapes, direction overrides)."""
    return plain(" ".join(text.split()))
