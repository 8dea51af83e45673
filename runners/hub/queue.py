"""Downloads that a person started, one after another, each in a child that can be ended at once.

The queue belongs to the page, not to a visitor: whoever opens it sees the same one. What has come of a download that
was stopped, or failed, stays on the disk, and the next attempt goes on from there (``runners.hub.blob``).
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from runners.base import RunnerSpec, UnsupportedOption
from runners.hub import cache
from runners.hub.downloadable import comes_from_hub, left_to_download, refuse_download
from runners.isolation.spawner import child_environment
from runners.settings import Settings

State = Literal["queued", "running", "done", "failed", "cancelled"]

SPEED_SECONDS = 5.0
"""The speed is what came in the last so many."""
MOST_WAITING = 20
MOST_ENDED = 10
"""Downloads that ended and are still shown; the oldest make room."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Download:
    """One download as it stands."""

    name: str
    """``model[@revision]``: systems that run the same weights share a download."""
    spec: RunnerSpec
    state: State = "queued"
    place: int = 0
    """In the queue: 1 is the next; 0 for all that do not wait."""
    done_bytes: int | None = None
    """What is here, an earlier attempt's included; None before the hub has said what there is."""
    total_bytes: int | None = None
    bytes_per_second: float | None = None
    """Over the last seconds; None while there is too little to tell."""
    error: str | None = None
    fix: str | None = None

    @property
    def seconds_left(self) -> float | None:
        """At the present speed."""
        if not self.bytes_per_second or self.total_bytes is None or self.done_bytes is None:
            return None
        return (self.total_bytes - self.done_bytes) / self.bytes_per_second

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")


@dataclass
class _Entry:
    download: Download
    child: subprocess.Popen[str] | None = None
    samples: deque[tuple[float, int]] = field(default_factory=deque)
    """When how much was here."""
    is_cancelled: bool = False


def name_of(spec: RunnerSpec) -> str:
    """What a system's download is called."""
    return f"{spec.model}@{spec.revision}" if spec.revision else str(spec.model)


class DownloadQueue:
    """All downloads of one page. Its methods may be called on any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._entries: dict[str, _Entry] = {}
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None
        self._closed = False
        self._fetched = 0

    @property
    def fetched(self) -> int:
        """How many models have been fetched so far."""
        return self._fetched

    def add(self, spec: RunnerSpec) -> Download:
        """Put a download at the end of the queue; one that is there already stays where it is.

        Raises:
            RunnerError: it needs none, may not be fetched, has no room on the disk, or the queue is full.
        """
        if not comes_from_hub(spec):
            raise UnsupportedOption(f"{spec.label} needs no download.", "Just run it.")
        name = name_of(spec)
        there = self.get(name)
        if there is not None and not there.is_over:
            return there
        refuse_download(spec, self._settings, left_to_download(spec))
        with self._changed:
            if self._closed:
                raise UnsupportedOption("Earshot is being ended.", "Start it again.")
            waiting = sum(not entry.download.is_over for entry in self._entries.values())
            if waiting >= MOST_WAITING:
                raise UnsupportedOption(f"{MOST_WAITING} downloads wait already.", "Wait for one to end, or cancel one.")
            entry = self._entries.get(name)
            if entry is None or entry.download.is_over:  # else somebody else was quicker
                self._entries.pop(name, None)  # so that it comes last
                self._entries[name] = _Entry(Download(name, spec))
                if self._worker is None:
                    self._worker = threading.Thread(target=self._work, name="downloads", daemon=True)
                    self._worker.start()
                self._changed.notify_all()
            return next(each for each in self.downloads() if each.name == name)

    def get(self, name: str) -> Download | None:
        return next((each for each in self.downloads() if each.name == name), None)

    def downloads(self) -> tuple[Download, ...]:
        """As they stand: what runs, what waits in its order, then what ended, the latest first."""
        with self._changed:
            entries = [replace(entry.download, bytes_per_second=_speed(entry)) for entry in self._entries.values()]
        running = [each for each in entries if each.state == "running"]
        waiting = [replace(each, place=1 + i) for i, each in enumerate(e for e in entries if e.state == "queued")]
        return (*running, *waiting, *(each for each in reversed(entries) if each.is_over))

    def is_busy(self) -> bool:
        return any(not each.is_over for each in self.downloads())

    def cancel(self, name: str) -> None:
        """Stop a download, or take it out of the queue. What has come of it stays for the next attempt."""
        with self._changed:
            entry = self._entries.get(name)
            if entry is None or entry.download.is_over:
                return
            entry.is_cancelled = True
            if entry.child is None:
                self._end(entry, "cancelled")
            else:
                entry.child.kill()

    def dismiss(self, name: str) -> None:
        """Show a download that ended no more."""
        with self._changed:
            entry = self._entries.get(name)
            if entry is not None and entry.download.is_over:
                del self._entries[name]
                self._changed.notify_all()

    def wait(
        self, name: str, seconds: float, until: Callable[[Download], bool] = lambda download: download.is_over
    ) -> Download | None:
        """A download as it stands once it is over, or ``until`` says so, or after so many seconds; None if there is none."""
        with self._changed:
            self._changed.wait_for(lambda: name not in self._entries or until(self._entries[name].download), seconds)
        return self.get(name)

    def close(self) -> None:
        """Stop them all."""
        with self._changed:
            self._closed = True
            names = list(self._entries)
        for name in names:
            self.cancel(name)

    # On the worker's thread: the kernel ends a child with the thread that started it.

    def _work(self) -> None:
        while True:
            with self._changed:
                entry = next((each for each in self._entries.values() if each.download.state == "queued"), None)
                if entry is None:
                    self._worker = None
                    return
                entry.download = replace(entry.download, state="running")
                try:
                    entry.child = child = _started(entry.download.spec, self._settings)
                except OSError as error:
                    self._end(entry, "failed", f"The download could not be started ({error.strerror}).", "Try again.")
                    continue
                self._changed.notify_all()
            log.info("download of %s: started", entry.download.name)
            with child:  # waits for its end
                ended = self._follow(entry, child)
            with self._changed:
                entry.child = None
                if entry.is_cancelled and ended is None:
                    self._end(entry, "cancelled")
                elif ended is None:
                    self._end(entry, "failed", f"The process that fetched {entry.download.name} ended early.", "Try again.")
                elif ended.get("ended") == "done":
                    self._fetched += 1
                    self._end(entry, "done")
                else:
                    self._end(entry, "failed", str(ended.get("error")), ended.get("fix"))
            log.info("download of %s: %s", entry.download.name, entry.download.state)

    def _follow(self, entry: _Entry, child: subprocess.Popen[str]) -> dict[str, Any] | None:
        """Note what the child says until it ends; returns its last word, if it had one."""
        assert child.stdout is not None  # noqa: S101  # it was asked for
        for line in child.stdout:
            try:
                step = json.loads(line)
            except ValueError:  # a library's own words
                continue
            if not isinstance(step, dict):
                continue
            if "ended" in step:
                return step
            if isinstance(step.get("done_bytes"), int) and isinstance(step.get("total_bytes"), int):
                with self._changed:
                    done_bytes, total_bytes = step["done_bytes"], step["total_bytes"]
                    entry.download = replace(entry.download, done_bytes=done_bytes, total_bytes=total_bytes)
                    entry.samples.append((time.monotonic(), done_bytes))
                    while len(entry.samples) > 2 and entry.samples[-1][0] - entry.samples[0][0] > SPEED_SECONDS:
                        entry.samples.popleft()
                    self._changed.notify_all()
        return None

    def _end(self, entry: _Entry, state: State, error: str | None = None, fix: str | None = None) -> None:
        entry.download = replace(entry.download, state=state, error=error, fix=fix)
        entry.samples.clear()
        self._entries[entry.download.name] = self._entries.pop(entry.download.name)  # the latest is the last
        over = [name for name, each in self._entries.items() if each.download.is_over]
        for name in over[:-MOST_ENDED]:
            del self._entries[name]
        self._changed.notify_all()


def _speed(entry: _Entry) -> float | None:
    if len(entry.samples) < 2:
        return None
    (began, first_bytes), (ended, last_bytes) = entry.samples[0], entry.samples[-1]
    return (last_bytes - first_bytes) / (ended - began) if ended - began >= 0.5 else None


def _started(spec: RunnerSpec, settings: Settings) -> subprocess.Popen[str]:
    asked = {name: getattr(spec, name) for name in ("family", "label", "model", "revision", "files", "folders")}
    child = subprocess.Popen(
        (sys.executable, "-m", "runners.hub.fetch"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # the client's words can hold addresses with signatures
        cwd=Path(__file__).resolve().parents[2],
        env={**child_environment(settings), "HF_HUB_CACHE": str(cache.cache_folder().absolute())},  # no server's key
        text=True,
        encoding="utf-8",
        start_new_session=os.name == "posix",  # a Ctrl-C is for the page, which ends it
    )
    assert child.stdin is not None  # noqa: S101  # it was asked for
    try:
        child.stdin.write(json.dumps({**asked, "parent": os.getpid()}) + "\n")
        child.stdin.close()
    except OSError:  # it died at once, and says so by its end
        pass
    return child
