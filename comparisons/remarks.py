"""What is said beside figures, the same in the table and in the report. Labels in it are untrusted: escape them."""

from __future__ import annotations

from collections.abc import Sequence

from comparisons import figures
from comparisons.compare import Column, Comparison
from comparisons.statistics.pooling import Pooled, counted_alike, pooled_pairs, shared_clips
from comparisons.statistics.significance import summary


def said(comparison: Comparison) -> tuple[str, ...]:
    """The few sentences that say which contenders differ by more than chance. Holds untrusted labels."""
    return summary(comparison.pairs, {column.contender.name: column.contender.label for column in comparison.columns})


def said_of_all(comparisons: Sequence[Comparison], pooled: Sequence[Pooled]) -> tuple[str, ...]:
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


def whence(comparison: Comparison) -> str | None:
    """What must be known of a reference wherever its rates are: "reference seeded by Moonshine, edited". Untrusted.

    None if a person or a file gave it as it is, or if there is none.
    """
    reference = comparison.reference
    seeded = reference is not None and (reference.seed is not None or reference.original is not None)
    return reference.label if reference is not None and seeded else None


def remarks(column: Column) -> list[str]:
    """What a reader of its text should know, besides what its runner says."""
    cuts = [f"cut at {', '.join(figures.clock(cut) for cut in column.cuts)}"] if column.cuts else []
    flags = column.measures.flags if column.measures is not None else ()
    flagged = [flag.text + (f" at {figures.clock(flag.start)}" if flag.start is not None else "") for flag in flags]
    return [*([column.not_scored] if column.not_scored else []), *column.oddities, *cuts, *flagged]
