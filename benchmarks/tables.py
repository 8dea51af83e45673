"""Printing what was measured: plain tables, each figure beside the alternative's and their ratio."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, note: str | None = None) -> None:
    """Print a table with aligned columns, the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    print(f"\n{title}")
    for row in [header, ["-" * width for width in widths], *rows]:
        print(
            "  "
            + "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        )
    if note:
        print(f"  {note}")


def seconds(values: Sequence[float]) -> str:
    """Median with the range, in seconds."""
    return f"{median(values):.3f} s ({min(values):.3f}-{max(values):.3f})"


def megabytes(value: float) -> str:
    return f"{value / 1e6:.0f} MB"
