"""Pools to try, scripts for them, and what they tell."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from runners.base import ChatOptions, Clip, Contender, Turn
from runners.catalogue.names import spec_for
from runners.events import Partial
from runners.here.machine import Machine, look
from runners.pool import Pool
from runners.settings import Settings

CLIP = Clip(np.zeros(1600, np.float32), 2.0, "speech.wav")


class Told:
    """Keeps the events of a run, and can be waited for."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.spoke = threading.Event()

    def __call__(self, event) -> None:
        self.events.append(event)
        if isinstance(event, Partial):
            self.spoke.set()


@contextmanager
def fresh_pools() -> Iterator[Callable[..., Pool]]:
    """Make a pool with these settings, on this machine or on one that ``machine`` describes; closed at the end."""
    pools: list[Pool] = []

    def of(machine: Callable[[], Machine] = look, **settings) -> Pool:
        pools.append(Pool(Settings(**settings), machine))
        return pools[-1]

    yield of
    for made in pools:
        made.close()
        assert made.children() == ()


def scripts_in(folder: Path) -> Callable[..., Contender]:
    """A contender that plays this script."""

    def of(name: str, *takes: list[dict], repeat: bool = True, **rest) -> Contender:
        path = folder / f"{name}.json"
        path.write_text(json.dumps({"takes": takes, "repeat": repeat, **rest}), encoding="utf-8")
        return Contender(spec_for(f"scripted:{path}"))

    return of


def run(pool: Pool, contender: Contender, told: Told | None = None, cancel: threading.Event | None = None, **options):
    return pool.run(contender, options.pop("clip", CLIP), report=told or Told(), cancel=cancel or threading.Event(), **options)


def ask(
    pool: Pool, contender: Contender, *said: str, told: Told | None = None, cancel: threading.Event | None = None, **options
):
    turns = tuple(Turn("assistant" if number % 2 else "user", text) for number, text in enumerate(said or ("What?",)))
    clip, wanted = options.pop("clip", CLIP), ChatOptions(options.pop("conversation", "one"), **options)
    return pool.chat(contender, clip, turns, wanted, report=told or Told(), cancel=cancel or threading.Event())


def in_background(pool: Pool, contender: Contender, **options) -> tuple[threading.Thread, list]:
    results: list = []
    thread = threading.Thread(target=lambda: results.append(run(pool, contender, **options)))
    thread.start()
    return thread, results


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition, seconds: float = 20.0) -> None:
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at, "it never came"
        time.sleep(0.02)
