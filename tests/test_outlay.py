"""What a comparison takes, in words."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from comparisons import __main__ as command
from comparisons import outlay
from runners.base import Contender
from runners.catalogue.names import spec_for
from runners.catalogue.presets import Estimate
from tests.stand_ins import ONLINE, everything_is_installed, machine


@pytest.mark.parametrize(
    ("takes", "said"),
    [
        (Estimate(0, (), 2_000_000_000, "whisper"), None),  # it is all here
        (Estimate(972_000_000, (), None, None), "Downloads 972 MB."),
        (
            Estimate(972_000_000, (), 1_800_000_000, "whisper"),
            "Downloads 972 MB; needs 1.8 GB of memory (whisper).",
        ),
        (
            Estimate(0, ("ctc:a/b", "ctc:c/d"), 1_800_000_000, "whisper"),
            "Downloads ctc:a/b, ctc:c/d, of unknown size; needs 1.8 GB of memory (whisper).",
        ),
        (
            Estimate(972_000_000, (), 1_800_000_000, "whisper", unknown_needs=("pocketsphinx",)),
            "Downloads 972 MB; needs at least 1.8 GB of memory (whisper).",
        ),
        (
            Estimate(972_000_000, (), None, None, unknown_needs=("ctc:a/b",)),
            "Downloads 972 MB; needs an unknown amount of memory.",
        ),
        (Estimate(972_000_000, (), None, None, disk_free_bytes=972_000_000), "Downloads 972 MB."),
        (
            Estimate(972_000_000, (), 1_800_000_000, "whisper", disk_free_bytes=500_000_000),
            "Downloads 972 MB, more than the 500 MB free on the disk: free some, or choose fewer; "
            "needs 1.8 GB of memory (whisper).",
        ),
        (
            Estimate(972_000_000, ("ctc:a/b",), None, None),
            "Downloads at least 972 MB (how much ctc:a/b is, is not known).",
        ),
    ],
)
def test_downloads_and_memory_are_said_where_something_is_downloaded(takes: Estimate, said: str | None) -> None:
    assert outlay.line(takes) == said


def test_downloads_that_fit_one_by_one_are_held_against_the_disk_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    everything_is_installed(monkeypatch, tmp_path)
    usage = namedtuple("usage", ("total", "used", "free"))  # shaped like shutil's
    monkeypatch.setattr("runners.hub.downloadable.shutil.disk_usage", lambda folder: usage(10**9, 5 * 10**8, 5 * 10**8))
    room: Any = SimpleNamespace(room=machine)
    said: list[str] = []
    for names in (["ctc"], ["ctc", "whisper:openai/whisper-base"]):
        command._say_outlay(room, ONLINE, [Contender(spec_for(name)) for name in names], said.append)
    alone, together = said
    assert alone.startswith("Downloads 378 MB; needs")
    assert together.startswith("Downloads 673 MB, more than the 500 MB free on the disk: free some, or choose fewer; needs")
