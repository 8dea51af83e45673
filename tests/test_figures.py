"""Numbers as people read them."""

from __future__ import annotations

import pytest

from comparisons import figures


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (figures.percent(1.5), "150.0 %"),
        (figures.seconds(0.0003), "<1 ms"),
        (figures.seconds(0.0123), "12 ms"),
        (figures.seconds(0.0999), "0.10 s"),
        (figures.seconds(9.999), "10.0 s"),
        (figures.seconds(83), "1:23 min"),
        (figures.elapsed(4.9), "4 s"),
        (figures.elapsed(-0.1), "0 s"),
        (figures.elapsed(61), "1:01 min"),
        (figures.clock(5.4), "0:05"),
        (figures.clock(3723), "1:02:03"),
        (figures.rtf(0.0412), "0.041"),
        (figures.rtf(0.1), "0.10"),
        (figures.rtf(1.26), "1.3"),
        (figures.rtf(12.6), "13"),
        (figures.rtf(0.00001), "<0.0001"),
        (figures.rtfx(0.15), "6.7"),
        (figures.rtfx(0), "∞"),
        (figures.bytes_(4.1e9), "4.1 GB"),
        (figures.bytes_(25e9), "25 GB"),
        (figures.bytes_(29_000_000), "29 MB"),
        (figures.bytes_(1500), "2 kB"),
        (figures.counted(1, "word"), "1 word"),
        (figures.device("rocm"), "ROCm"),
    ],
)
def test_figures(written: str, expected: str) -> None:
    assert written == expected
