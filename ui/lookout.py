"""What the machine offers, as far as it is known by now. Asking for accelerators takes seconds, so it is done aside."""

from __future__ import annotations

import threading

from runners import machine


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

    def wait(self, timeout: float) -> bool:
        """True once ``probe`` is done, False after that many seconds."""
        return self._done.wait(timeout)
