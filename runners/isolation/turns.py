"""A fair queue for something that only one at a time may use: first come, first served."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runners.base import Cancelled

_LOOK_SECONDS = 0.05


class Turns:
    """A lock that is given in the order in which it was asked for, and whose wait can be cancelled."""

    def __init__(self) -> None:
        self._places: deque[Place] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Take a place in the queue now; leaving the block leaves the queue and passes the turn on."""
        place = Place(self._places, self._changed)
        with self._changed:
            self._places.append(place)
        try:
            yield place
        finally:
            with self._changed:
                self._places.remove(place)
                self._changed.notify_all()


class Place:
    """One place in the queue."""

    def __init__(self, places: deque[Place], changed: threading.Condition) -> None:
        self._places = places
        self._changed = changed

    def wait(self, stopped: Callable[[], bool]) -> bool:
        """Wait for the turn.

        Returns:
            Whether it was somebody else's first.

        Raises:
            Cancelled: ``stopped`` said so first.
        """
        waited = False
        with self._changed:
            while not stopped():
                if self._places[0] is self:
                    return waited
                waited = True
                self._changed.wait(_LOOK_SECONDS)
        raise Cancelled
