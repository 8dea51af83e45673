"""Running a comparison: its contenders on threads, their events handed to whoever shows them.

Local runners share the device, so they take turns, and an RTF is honest. What is served elsewhere runs beside them and
beside each other. The threads are this module's; processes, warm models, deadlines and how much a server takes at once are
the pool's.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Protocol, Self

from runners.base import Clip, Contender, TranscriptionResult
from runners.batches import Batches
from runners.events import Event, Finished, Queued

log = logging.getLogger(__name__)


class RunsContenders(Protocol):
    """What a comparison needs of ``runners.pool.Pool``."""

    def run(
        self,
        contender: Contender,
        clip: Clip,
        *,
        repeat: int = 1,
        report: Callable[[Event], None],
        cancel: threading.Event,
    ) -> TranscriptionResult:
        """Run one contender to its end; report what happens between Queued and Finished."""


class Cancels:
    """How somebody stops a running comparison, whole or one contender of it, from any thread.

    Cancelling what has finished already, or was never chosen, does nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all = False
        self._events: dict[str, threading.Event] = {}
        self._listeners: list[Callable[[], None]] = []

    def cancel_all(self) -> None:
        """Stop everything that waits or runs, and what is still to be asked for."""
        with self._lock:
            self._all = True
            events, listeners = list(self._events.values()), list(self._listeners)
        self._set(events, listeners)

    def cancel(self, name: str) -> None:
        """Stop the contender of that name."""
        with self._lock:
            events, listeners = [self._events.setdefault(name, threading.Event())], list(self._listeners)
        self._set(events, listeners)

    def event(self, name: str) -> threading.Event:
        """The event that is set once the contender of that name is cancelled."""
        with self._lock:
            event = self._events.setdefault(name, threading.Event())
            if self._all:
                event.set()
            return event

    def listen(self, listener: Callable[[], None]) -> None:
        """Have a function called, on the cancelling thread, after anything was cancelled."""
        with self._lock:
            self._listeners.append(listener)

    def forget(self, listener: Callable[[], None]) -> None:
        """Undo ``listen``."""
        with self._lock:
            self._listeners = [each for each in self._listeners if each != listener]

    @staticmethod
    def _set(events: Iterable[threading.Event], listeners: Iterable[Callable[[], None]]) -> None:
        for event in events:
            event.set()
        for listener in listeners:
            listener()


class Comparing:
    """A comparison that is running. Take its events until ``finished``; ``close`` (or leave ``with``) to stop early.

    Every contender is Queued at once and Finished exactly once, cancelled ones included; a contender that waits for its
    turn is Finished the moment it is cancelled. A contender that is chosen twice runs once.
    """

    def __init__(
        self,
        clip: Clip,
        contenders: Iterable[Contender],
        pool: RunsContenders,
        *,
        repeat: int = 1,
        cancel: Cancels | None = None,
    ) -> None:
        """Start.

        Args:
            repeat: how often each contender hears the clip; the figures are medians.

        Raises:
            ValueError: ``repeat`` is less than 1.
        """
        if repeat < 1:
            raise ValueError(f"A contender runs at least once, not {repeat} times.")
        self._clip = clip
        self._pool = pool
        self._repeat = repeat
        self._cancels = cancel or Cancels()
        chosen = list(dict.fromkeys(contenders))
        self._cancelled = {contender: self._cancels.event(contender.name) for contender in chosen}
        self._lock = threading.Lock()
        self._waiting = list(chosen)
        self._events: Batches[Event] = Batches(len(chosen), lambda event: isinstance(event, Finished))
        for contender in chosen:
            self._events.put(Queued(contender))
        self._cancels.listen(self._drop_cancelled)
        self._drop_cancelled()
        here = [contender for contender in chosen if contender.spec.server is None]
        served = [contender for contender in chosen if contender.spec.server is not None]
        for in_turn in ([here] if here else []) + [[contender] for contender in served]:
            # With the caller's context: ZeroGPU finds in it whose visit the GPU time is counted to.
            threading.Thread(
                target=contextvars.copy_context().run, args=(self._work, in_turn), name="comparing", daemon=True
            ).start()

    @property
    def finished(self) -> bool:
        """True once the last Finished event was handed out."""
        return self._events.finished

    def events(self, timeout: float, pace_seconds: float = 0.0) -> list[Event]:
        """Wait for something to happen and give all that has, oldest first; empty after ``timeout`` seconds.

        For one consumer. A page that redraws at most ten times a second sets ``pace_seconds=0.1``: events that come
        sooner after the last batch are collected for that long. The last batch of a comparison does not wait.
        """
        return self._events.take(timeout, pace_seconds)

    def close(self) -> None:
        """Cancel what has not finished, without waiting for it to end. Closing twice does nothing more."""
        for event in self._cancelled.values():
            event.set()
        self._drop_cancelled()
        self._cancels.forget(self._drop_cancelled)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def _drop_cancelled(self) -> None:
        """Finish those that are cancelled before their turn."""
        with self._lock:
            dropped = [contender for contender in self._waiting if self._cancelled[contender].is_set()]
            self._waiting = [contender for contender in self._waiting if contender not in dropped]
        for contender in dropped:
            self._events.put(Finished(contender, TranscriptionResult(contender, "cancelled")))

    def _work(self, in_turn: Iterable[Contender]) -> None:
        for contender in in_turn:
            with self._lock:
                if contender not in self._waiting:  # cancelled before its turn
                    continue
                self._waiting.remove(contender)
            result = self._run(contender)
            _log(result)
            self._events.put(Finished(contender, result))

    def _run(self, contender: Contender) -> TranscriptionResult:
        if self._cancelled[contender].is_set():
            return TranscriptionResult(contender, "cancelled")
        try:
            return self._pool.run(
                contender, self._clip, repeat=self._repeat, report=self._events.put, cancel=self._cancelled[contender]
            )
        except Exception as error:  # the pool answers for runners' faults, so this one is Earshot's own
            log.exception("%r could not be run", contender.name)
            return TranscriptionResult(
                contender,
                "skipped",
                error=f"Earshot itself failed: {type(error).__name__}: {error}",
                fix="Try again; if it happens again, please report it with the log.",
            )


def _log(result: TranscriptionResult) -> None:
    """What became of a contender, for whoever runs this; never what was said in the clip. Names are untrusted: %r."""
    name = result.contender.name
    if result.status == "ok":
        server = result.contender.spec.server
        place = result.device if server is None else f"the server {server.name}"
        log.info("%r: ok in %.3f s on %s", name, result.seconds or 0.0, place)
    elif result.status == "cancelled":
        log.info("%r: cancelled", name)
    else:
        log.warning("%r: SKIPPED at %s: %r", name, result.stage, result.error)
        for line in result.log:
            log.info("%r: its log: %r", name, line)


def compare(
    clip: Clip, contenders: Iterable[Contender], pool: RunsContenders, *, repeat: int = 1, cancel: Cancels | None = None
) -> Iterator[Event]:
    """Run a comparison and yield its events as they come. Closing the generator cancels what has not finished."""
    with Comparing(clip, contenders, pool, repeat=repeat, cancel=cancel) as comparing:
        while not comparing.finished:
            yield from comparing.events(timeout=0.5)
