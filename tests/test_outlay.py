"""What a comparison takes, in words."""

from __future__ import annotations

import pytest

from comparisons import outlay
from runners.catalogue.presets import Estimate


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
            Estimate(972_000_000, ("ctc:a/b",), None, None),
            "Downloads at least 972 MB (how much ctc:a/b is, is not known).",
        ),
    ],
)
def test_downloads_and_memory_are_said_where_something_is_downloaded(takes: Estimate, said: str | None) -> None:
    assert outlay.line(takes) == said
