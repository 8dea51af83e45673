"""The progress of a command line, on a terminal."""

from __future__ import annotations

import os
import sys

from runners.events import Event, Finished
from runners.terminal import plain


class Bar:
    """A progress bar on a terminal; without one, only what must be said."""

    def __init__(self, total: int, shown: bool) -> None:
        from tqdm import tqdm  # type: ignore[import-untyped]

        width = {} if not shown or os.get_terminal_size(sys.stderr.fileno()).columns else {"ncols": 80}
        # A terminal that does not tell its width has 0 columns, and tqdm draws nothing into 0 columns.
        self._bar = tqdm(total=total, unit="run", file=sys.stderr, disable=not shown, leave=False, **width)

    def show(self, source: str, event: Event) -> None:
        self._bar.set_description_str(plain(f"{source}: {event.contender.label}"), refresh=False)
        self._bar.set_postfix_str(type(event).__name__.lower(), refresh=True)
        if isinstance(event, Finished):
            self._bar.update()

    def skip(self, number: int) -> None:
        self._bar.update(number)

    def say(self, text: str) -> None:
        self._bar.clear()
        sys.stderr.write(plain(text) + "\n")

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()
