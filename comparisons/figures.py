"""How figures are written, the same in page, report and table: with units, and no more digits than they are worth."""

from __future__ import annotations

from runners.decode import clock as clock

NETWORK = "incl. network"
"""Stands beside the RTF of what is served elsewhere: the way there and back is in it."""


def percent(rate: float) -> str:
    """0.1176 -> "11.8 %". Not clamped: 1.5 -> "150.0 %"."""
    return f"{100 * rate:.1f} %"


def seconds(value: float) -> str:
    """0.0003 -> "<1 ms", 0.0123 -> "12 ms", 0.412 -> "0.41 s", 12.34 -> "12.3 s", 83 -> "1:23 min"."""
    if value < 0.0005:
        return "<1 ms"
    if value < 0.0995:
        return f"{1000 * value:.0f} ms"
    if value < 9.995:
        return f"{value:.2f} s"
    return f"{value:.1f} s" if value < 59.95 else f"{clock(value)} min"


def elapsed(value: float) -> str:
    """Whole seconds, for a figure that moves: 4.7 -> "4 s"."""
    return f"{max(0, int(value))} s" if value < 60 else f"{clock(int(value))} min"


def rtf(value: float) -> str:
    """Two digits that count: 0.0412 -> "0.041", 0.15 -> "0.15", 1.26 -> "1.3", 12.6 -> "13"."""
    if value <= 0:
        return "0"
    if value >= 9.95:
        return f"{value:.0f}"
    if value >= 0.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.0995 else f"{value:.2g}" if value >= 0.0001 else "<0.0001"


def rtfx(value: float) -> str:
    """The inverse of an RTF, two digits that count: 0.0412 -> "24", 0.15 -> "6.7"."""
    return rtf(1 / value) if value > 0 else "∞"


def bytes_(value: float) -> str:
    """Decimal units, as disks and hubs count them: 4_100_000_000 -> "4.1 GB", 312_500_000 -> "312 MB"."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if value >= size:
            amount = value / size
            return f"{amount:.1f} {unit}" if amount < 9.95 else f"{amount:.0f} {unit}"
    return f"{value / 1e3:.0f} kB"


def counted(number: int, unit: str) -> str:
    """(1, "word") -> "1 word", (17, "word") -> "17 words"."""
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def device(kind: str) -> str:
    """ "cpu" -> "CPU", "rocm" -> "ROCm"."""
    return {"rocm": "ROCm"}.get(kind, kind.upper())


def state_word(state: str) -> str:
    """What a column's chip says."""
    return "done" if state == "ok" else state
