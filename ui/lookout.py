"""What the machine offers, as far as it is known by now. Asking for accelerators takes seconds, so it is done aside."""

from __future__ import annotations

import asyncio
import threading

from runners.here import machine

LONGEST_WAIT_SECONDS = machine.PROBE_TIMEOUT_SECONDS + 30
"""How long a page that was opened early waits to be told of GPUs."""

_LOOK_SECONDS = 0.1


class Lookout:
    """Processors and memory at once; accelerators once ``probe`` is done. Call it for the machine as it is now."""

    def __init__(self) -> None:
        self._known = machine.look()
        self._done = threading.Event()

    def __call__(self) -> machine.Machine:
        return machine.refresh(self._known)

    def probe(self) -> None:
        """Ask for accelerators, in a child. Takes up to a minute; call it on a thread once the page is up."""
        try:
            self._known = machine.probe()
        finally:
            self._done.set()

    async def settled(self) -> None:
        """Return once ``probe`` is done, or after a while without it. Holds no thread: many may wait at the start."""
        for _ in range(round(LONGEST_WAIT_SECONDS / _LOOK_SECONDS)):
            if self._done.is_set():
                return
            await asyncio.sleep(_LOOK_SECONDS)
