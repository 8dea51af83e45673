"""Fifty judges who vote at once, over HTTP, on one machine: how long each waits for the thanks, and whether a vote is lost.

Beside the same votes sent one after another, and what the disk alone takes for as many.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks.servers import earshot
from benchmarks.tables import show
from comparisons.compare import begin, fold
from comparisons.history.kept import LOCAL
from comparisons.history.store import History
from comparisons.reviews.store import Reviews
from runners.base import SAMPLE_RATE, Clip, Contender, RunnerSpec, Transcript, TranscriptionResult
from runners.events import Finished

JUDGES, CLIPS, SYSTEMS, WORDS = 50, 4, 4, 150
"""Words of each text: a minute of speech."""
P95_SECONDS = 1.0


def main() -> bool:
    """Print the table; whether no vote was lost and 95 % of them were thanked for within ``P95_SECONDS``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        history = History(folder)
        reviews = Reviews(history)
        kept = [_kept(history, number) for number in range(CLIPS)]
        ids = [reviews.make(kept, LOCAL, owner=LOCAL, title=title, method="best") for title in ("At once", "One after another")]
        tokens = [reviews.get(id, LOCAL).token for id in ids]
        page, url = earshot("--history", "--history-folder", str(folder))
        with page:
            at_once = _judged(f"{url}/review/{tokens[0]}", JUDGES)
            alone = _judged(f"{url}/review/{tokens[1]}", 1)
        counts = [len(reviews.casts(id, LOCAL)) for id in ids]
        disk = _disk(folder, JUDGES * CLIPS)
        history.close()
    wanted = JUDGES * CLIPS
    rows = [
        _row(f"{JUDGES} judges at once", at_once, f"{counts[0]} of {wanted}"),
        _row("one after another", alone, f"{counts[1]} of {wanted}"),
        _row("SQLite alone, a row synced to the disk", disk, f"{len(disk)} of {wanted}"),
    ]
    show(
        f"A vote over HTTP, {CLIPS} clips of {SYSTEMS} systems and {WORDS} words",
        ("", "kept", "median", "p95", "slowest"),
        rows,
        note=f"bound: none lost, p95 under {P95_SECONDS:g} s; judges share the machine, and vote as soon as all are ready",
    )
    return counts == [wanted, wanted] and _p95(at_once) < P95_SECONDS


def _judged(link: str, at_once: int) -> list[float]:
    """All judges vote on all clips; seconds that each vote took."""
    ready = threading.Barrier(at_once)

    def judge(_: int) -> list[float]:
        took = []
        browser = _Browser(link)
        browser.ask("join", {"name": None})
        task = browser.ask("task")["task"]
        while task is not None:
            ready.wait(60)  # so that all votes on a clip come in one moment
            began = time.perf_counter()
            answer = browser.ask("vote", {"clip": task["clip"], "vote": {"heard": True, "choice": "A"}})
            took.append(time.perf_counter() - began)
            task = answer["task"]
        return took

    with ThreadPoolExecutor(at_once) as pool:
        return [each for took in pool.map(judge, range(JUDGES)) for each in took]


class _Browser:
    """The least that a judge needs: fifty whole clients in one process would measure themselves."""

    def __init__(self, link: str) -> None:
        there = urlsplit(link)
        self._connection = HTTPConnection(there.netloc, timeout=60)
        self._path = there.path
        self._headers = {"Content-Type": "application/json"}

    def ask(self, what: str, sent: Any = None) -> Any:
        """
        Raises:
            RuntimeError: it is refused.
        """
        body = json.dumps(sent) if sent is not None else None
        self._connection.request("GET" if body is None else "POST", f"{self._path}/{what}", body, self._headers)
        answer = self._connection.getresponse()
        told = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{what}: {answer.status} {told.decode()}")
        if crumb := answer.getheader("set-cookie"):
            self._headers["Cookie"] = crumb.partition(";")[0]
        return json.loads(told)


def _disk(folder: Path, count: int) -> list[float]:
    """What a row costs in a database that waits for the disk."""
    connection = sqlite3.connect(folder / "alone.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE votes (judge TEXT, choice TEXT)")
    took = []
    for number in range(count):
        began = time.perf_counter()
        connection.execute("INSERT INTO votes VALUES (?, ?)", (str(number), json.dumps("A")))
        took.append(time.perf_counter() - began)
    connection.close()
    return took


def _row(name: str, took: list[float], kept: str) -> tuple[str, ...]:
    return name, kept, f"{median(took):.3f} s", f"{_p95(took):.3f} s", f"{max(took):.3f} s"


def _p95(took: list[float]) -> float:
    return quantiles(took, n=20)[-1]


def _kept(history: History, number: int) -> str:
    """A comparison of systems that wrote different things."""
    draw = np.random.default_rng(number)
    clip = Clip(draw.uniform(-0.1, 0.1, SAMPLE_RATE).astype(np.float32), 1.0, f"clip {number}.wav")
    contenders = [Contender(RunnerSpec(f"system{at}", f"System {at}", "runners.scripted:Scripted")) for at in range(SYSTEMS)]
    comparison = begin(clip, contenders)
    for contender in contenders:
        words = " ".join(f"word{word}" for word in draw.integers(0, 500, WORDS))
        comparison = fold(comparison, Finished(contender, TranscriptionResult(contender, "ok", Transcript(words), runs=(0.1,))))
    return history.keep(comparison, clip, LOCAL)
