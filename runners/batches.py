"""What happens on one thread, handed in batches to whoever shows it on another."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

LARGEST_BATCH = 1000
"""Events; a runner that floods its page with partial texts cannot keep a batch open for ever."""


class Batches(Generic[T]):
    """A queue of events with a known number of last ones. ``put`` from any thread, ``take`` on one."""

    def __init__(self, missing: int, is_last: Callable[[T], bool]) -> None:
        """
        Args:
            missing: how many last events will come.
            is_last: whether an event is one of them.
        """
        self._events: queue.SimpleQueue[T] = queue.SimpleQueue()
        self._missing = missing
        self._is_last = is_last
        self._given_at = float("-inf")

    @property
    def finished(self) -> bool:
        """True once the last of the last events was handed out."""
        return self._missing == 0

    def put(self, event: T) -> None:
        """Hand in what happened."""
        self._events.put(event)

    def take(self, timeout: float, pace_seconds: float = 0.0) -> list[T]:
        """Wait for something to happen and give all that has, oldest first; empty after ``timeout`` seconds.

        A page that redraws at most ten times a second sets ``pace_seconds=0.1``: events that come sooner after the
        last batch are collected for that long. The last batch does not wait.
        """
        batch: list[T] = []
        until = time.monotonic() + timeout
        while not self.finished and len(batch) < LARGEST_BATCH:
            left = (until if not batch else self._given_at + pace_seconds) - time.monotonic()
            try:
                event = self._events.get(timeout=left) if left > 0 else self._events.get_nowait()
            except queue.Empty:
                break
            batch.append(event)
            self._missing -= self._is_last(event)
        if batch:
            self._given_at = time.monotonic()
        return batch
