"""How often a text that grows is shown: making text of all its tokens after each of them would take quadratic time."""

from __future__ import annotations

import time

PARTIAL_EVERY_SECONDS = 0.2


class Pace:
    """Says when the text so far is to be shown again."""

    def __init__(self) -> None:
        self._due = time.monotonic() + PARTIAL_EVERY_SECONDS

    def is_due(self) -> bool:
        """Whether it is time; after a yes it is not for a while."""
        now = time.monotonic()
        if now < self._due:
            return False
        self._due = now + PARTIAL_EVERY_SECONDS
        return True
