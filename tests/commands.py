"""Commands of Earshot, run as people run them: each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

LIMIT_SECONDS = 90
ROOT = Path(__file__).resolve().parent.parent


def started(module: str, folder: Path, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    """``python -m module`` on its way, in a folder; its outputs are pipes of UTF-8.

    Args:
        settings: environment variables besides those there are.
    """
    environment = {**os.environ, "EARSHOT_DEVICE": "cpu", "PYTHONPATH": str(ROOT), **settings}
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


def finished(module: str, folder: Path, *arguments: str, **settings: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    child = started(module, folder, *arguments, **settings)
    try:
        out, err = child.communicate(timeout=LIMIT_SECONDS)
    finally:
        child.kill()
    return child.returncode, out, err


def refused(main: Callable[[Sequence[str]], int], arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says on standard error as it refuses its arguments, with exit code 2 and nothing else said."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err
