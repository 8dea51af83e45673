"""How far a download is and how long it will take, in few words."""

from __future__ import annotations

from runners.here.need import gigabytes


def progress(done_bytes: int, total_bytes: int | None, bytes_per_second: float | None) -> str:
    """378 MB of 967 MB · 12 MB/s · 49 s left; what is not known is left out."""
    parts = [gigabytes(done_bytes) + (f" of {gigabytes(total_bytes)}" if total_bytes is not None else "")]
    if bytes_per_second is not None and done_bytes != total_bytes:
        parts.append("nothing comes now" if bytes_per_second <= 0 else speed(bytes_per_second))
        if bytes_per_second > 0 and total_bytes is not None:
            parts.append(f"{duration((total_bytes - done_bytes) / bytes_per_second)} left")
    return " · ".join(parts)


def speed(bytes_per_second: float) -> str:
    """12 MB/s, 0.4 MB/s, 35 kB/s"""
    if bytes_per_second < 100_000:
        return f"{bytes_per_second / 1e3:.0f} kB/s"
    return f"{bytes_per_second / 1e6:.{0 if bytes_per_second >= 9.95e6 else 1}f} MB/s"


def duration(seconds: float) -> str:
    """49 s, 12 min, 3 h 20 min"""
    if seconds < 59.5:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def ago(seconds: float) -> str:
    """today, yesterday, 12 days ago, 5 months ago; half a day is still today"""
    days = round(seconds / 86_400)
    if days < 2:
        return ("today", "yesterday")[max(0, days)]
    return f"{days} days ago" if days < 60 else f"{round(days / 30.4)} months ago"
