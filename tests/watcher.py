"""A progress that can be looked at afterwards."""

from __future__ import annotations

from runners.base import Cancelled


class Watcher:
    """A progress that remembers what it was told, and says stop once ``cancelled`` is true or from the given check on."""

    def __init__(self, cancel_at: int | None = None) -> None:
        self.partials: list[str] = []
        self.checks = 0
        self.cancel_at = cancel_at

    def downloading(self, done_bytes: int, total_bytes: int | None) -> None:
        raise AssertionError("a runner downloads nothing itself")

    def partial(self, text: str) -> None:
        self.partials.append(text)

    def check(self) -> None:
        self.checks += 1
        if self.cancel_at is not None and self.checks >= self.cancel_at:
            raise Cancelled
