"""A progress that nobody follows."""

from __future__ import annotations


class Quiet:
    """Says nothing, and lets everything go on."""

    def downloading(self, done_bytes: int, total_bytes: int | None) -> None: ...

    def partial(self, text: str) -> None: ...

    def check(self) -> None: ...

    def loading(self) -> None: ...

    def running(self) -> None: ...
