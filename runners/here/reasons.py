"""Systems that cannot run, by why: twenty like sentences bury a page, and a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runners.base import Availability, RunnerSpec


@dataclass(frozen=True)
class Skipped:
    """Systems that are skipped for the same reason and with the same fix."""

    reason: str | None
    fix: str | None
    """If it names the family and they are of several, it has FAMILY for that."""
    specs: tuple[RunnerSpec, ...]


def by_reason(offers: Iterable[tuple[RunnerSpec, Availability]]) -> list[Skipped]:
    """Those of ``offers`` that are skipped, in their order."""
    groups: dict[tuple[str | None, str | None], list[tuple[RunnerSpec, str | None]]] = {}
    for spec, found in offers:
        if not found.ok:
            of_any = found.fix and found.fix.replace(f"{spec.family}:FOLDER", "FAMILY:FOLDER")
            groups.setdefault((found.reason, of_any), []).append((spec, found.fix))
    return [
        Skipped(reason, rows[0][1] if len({fix for _, fix in rows}) == 1 else of_any, tuple(spec for spec, _ in rows))
        for (reason, of_any), rows in groups.items()
    ]
