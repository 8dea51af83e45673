"""Pages to measure: Earshot itself, and the barest Gradio page that takes a clip and shows a text."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tests.serving import free_port

ROOT = Path(__file__).resolve().parent.parent

BARE_PAGE = """
import sys
import gradio as gr

with gr.Blocks() as demo:
    audio = gr.Audio(type="filepath")
    button = gr.Button("Transcribe")
    text = gr.Textbox()
    button.click(lambda path: path or "", audio, text)
demo.launch(server_port=int(sys.argv[1]), quiet=True)
"""


def _environment(**extra: str) -> dict[str, str]:
    return {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", **extra}


@contextlib.contextmanager
def page(
    command: list[str], port: int, *, log: IO[bytes] | None = None, limit_seconds: float = 120
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Start a page, yield it with the seconds to its first HTTP 200, and end it.

    Raises:
        RuntimeError: it ended, or did not answer in time.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=_environment(), stdout=subprocess.DEVNULL, stderr=log or subprocess.DEVNULL
    )
    try:
        while True:
            if process.poll() is not None or time.perf_counter() - started > limit_seconds:
                raise RuntimeError(f"{command[0]} did not come up (exit code {process.poll()})")
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                if answer.status == 200:
                    break
            time.sleep(0.01)
        yield process, time.perf_counter() - started
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def earshot(
    *flags: str, log: IO[bytes] | None = None
) -> tuple[contextlib.AbstractContextManager[tuple[subprocess.Popen[bytes], float]], str]:
    """Earshot's page on a free port, and its address."""
    port = free_port()
    return page(["app.py", "--port", str(port), *flags], port, log=log), f"http://127.0.0.1:{port}"


def bare_page() -> contextlib.AbstractContextManager[tuple[subprocess.Popen[bytes], float]]:
    """A Gradio page with one Audio, one Button and one Textbox."""
    port = free_port()
    return page(["-c", BARE_PAGE, str(port)], port)


WAITING_PAGE = """
import sys, time
import gradio as gr

def wait(clip: str, seconds: float) -> str:
    time.sleep(seconds)
    return "a few words"

with gr.Blocks() as demo:
    audio = gr.Audio(type="filepath")
    number = gr.Number()
    text = gr.Textbox()
    gr.Button().click(wait, [audio, number], text, api_name="wait")
demo.launch(server_port=int(sys.argv[1]), quiet=True)
"""


@contextlib.contextmanager
def waiting_page() -> Iterator[str]:
    """A bare Gradio page whose endpoint ``/wait`` takes a clip and so many seconds; yields its address."""
    port = free_port()
    with page(["-c", WAITING_PAGE, str(port)], port):
        yield f"http://127.0.0.1:{port}"
