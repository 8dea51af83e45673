"""A fair queue for something that only so many at a time may use: first come, first served."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

from runners.base import Cancelled

_LOOK_SECONDS = 0.05


class Turns:
    """A lock that is given in the order in which it was asked for, and whose wait can be cancelled."""

    def __init__(self, at_once: int = 1) -> None:
        """``at_once`` is how many may have it together."""
        self._at_once = at_once
        self._places: deque[Place] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Take a place in the queue now; leaving the block leaves the queue and passes the turn on."""
        place = Place(self._places, self._changed, self._at_once)
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

    def __init__(self, places: deque[Place], changed: threading.Condition, at_once: int) -> None:
        self._places = places
        self._changed = changed
        self._at_once = at_once

    def wait(self, stopped: Callable[[], bool]) -> bool:
        """Wait for the turn.

        Returns:
            Whether it was others' first.

        Raises:
            Cancelled: ``stopped`` said so first.
        """
        waited = False
        with self._changed:
            while not stopped():
                if self in islice(self._places, self._at_once):
                    return waited
                waited = True
                self._changed.wait(_LOOK_SECONDS)
        raise Cancelled
