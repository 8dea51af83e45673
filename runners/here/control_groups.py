"""What a container may use of its machine: the limits of Linux's control groups, versions 2 and 1.

Nothing is limited where the kernel has no control groups, or does not say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MemoryLimit:
    """One group's memory."""

    limit_bytes: int
    used_bytes: int


def memory_limits(root: Path) -> Iterator[MemoryLimit]:
    """Limits of the control groups (versions 2 and 1) that this process is in, from its own up to the root."""
    for folder in _group_folders(root, "memory"):
        limit_bytes = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
        used_bytes = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes") or 0
        if limit_bytes is not None:
            # Cached files count as used but are given up when memory is wanted.
            cached_bytes = _statistic(folder / "memory.stat", ("total_inactive_file", "inactive_file"))
            yield MemoryLimit(limit_bytes, max(0, used_bytes - cached_bytes))


def processor_quotas(root: Path) -> Iterator[float]:
    """Processors that the control groups grant, as a number that need not be whole."""
    for folder in _group_folders(root, "cpu"):
        parts = text_at(folder / "cpu.max").split()
        if len(parts) == 2 and all(part.isdigit() for part in parts) and int(parts[1]):
            yield int(parts[0]) / int(parts[1])
        quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        if quota and period:
            yield quota / period


def _group_folders(root: Path, controller: str) -> Iterator[Path]:
    mount = root / "sys/fs/cgroup"
    for line in text_at(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            top = mount
        elif controller in controllers.split(","):
            top = mount / controller if (mount / controller).is_dir() else mount / controllers
        else:
            continue
        parts = [part for part in path.split("/") if part not in {"", ".", ".."}]
        for depth in range(len(parts), -1, -1):
            folder = top.joinpath(*parts[:depth])
            if folder.is_dir():  # inside a container the path may be the host's
                yield folder


def text_at(path: Path) -> str:
    """What the kernel says in one of its files; "" if it does not."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = text_at(path).strip()
    return int(text) if text.isdigit() else None  # "max" and "-1" mean no limit


def _statistic(path: Path, names: tuple[str, ...]) -> int:
    values = dict(line.split(maxsplit=1) for line in text_at(path).splitlines() if " " in line)
    return next((int(values[name]) for name in names if values.get(name, "").strip().isdigit()), 0)
