"""Starts the real app in a process of its own, for tests that talk to it as a visitor does."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gradio_client import Client

from runners.settings_file import SETTINGS_FILE

ROOT = Path(__file__).parent.parent
_START_SECONDS = 600.0  # a busy machine starts it late


@dataclass
class Served:
    """A running app."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


def free_port() -> int:
    """A port that is free, from below those that systems hand out by themselves: it stays free until the app listens."""
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311  # no secret
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


@contextmanager
def visiting(served: Served) -> Iterator[Client]:
    """The real client of a running app."""
    client = Client(served.url, verbose=False)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def serving(folder: Path, *flags: str, settings: str | None = None, **environment: str) -> Iterator[Served]:
    """Run ``app.py`` until the block ends. ``folder`` takes its log, its uploads and its caches.

    Args:
        settings: what a deployer writes into ``earshot.toml``: then the app is started in ``folder``, where that file is put.
    """
    if settings is not None:
        (folder / SETTINGS_FILE).write_text(settings, encoding="utf-8")
    port = free_port()
    log = folder / "app.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "app.py"), "--port", str(port), "--host", "127.0.0.1", *flags],
            cwd=ROOT if settings is None else folder,
            env={
                **os.environ,
                "GRADIO_TEMP_DIR": str(folder / "uploads"),
                "EARSHOT_CACHE_FOLDER": str(folder / "cache"),
                **environment,
            },
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    served = Served(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait_until_up(served)
        yield served
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _wait_until_up(served: Served) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        if served.process.poll() is not None:
            raise RuntimeError(f"the app ended with {served.process.returncode}:\n{served.said()}")
        try:
            with urllib.request.urlopen(served.url, timeout=5) as answer:  # noqa: S310
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the app did not answer:\n{served.said()}")
