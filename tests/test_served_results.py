"""What leaves Earshot of a served system: its RTF says that the network is in it, and no address is in anything."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from comparisons import report
from comparisons.compare import Comparison, begin, fold
from comparisons.normalise import normaliser
from runners.base import Clip, Contender, RunnerSpec, Transcript, TranscriptionResult
from runners.events import Finished
from tests.served_models import row

LOCAL = Contender(RunnerSpec("moonshine", "Moonshine tiny", "runners.scripted:Scripted", is_default=True))
SERVED = Contender(row("http://inside.example.org:8000/v1", key="LAB_KEY", label="Lab Whisper"))
MARK = "incl. network"


@pytest.fixture
def comparison() -> Comparison:
    clip = Clip(np.zeros(16, np.float32), 5.0, "budget.flac", reference="all clear", language="en")
    compared = begin(clip, [LOCAL, SERVED], normaliser("basic"))
    local = TranscriptionResult(
        LOCAL, "ok", Transcript("all clear"), load_seconds=1.0, runs=(1.0,), rtf=0.2, device="cpu", dtype="int8"
    )
    there = TranscriptionResult(SERVED, "ok", Transcript("all clean"), runs=(0.5,), rtf=0.1)
    return fold(fold(compared, Finished(LOCAL, local)), Finished(SERVED, there))


def test_json_and_csv_have_a_key_for_it(comparison: Comparison) -> None:
    assert [result["rtf_includes_network"] for result in report.to_dict(comparison)["results"]] == [False, True]
    rows = list(csv.DictReader(io.StringIO(report.to_csv(comparison))))
    assert [each["rtf_includes_network"] for each in rows] == ["False", "True"]
    assert list(rows[0])[-1] == "rtf_includes_network"


def test_the_table_the_report_and_the_frame_mark_it_and_nothing_else(comparison: Comparison) -> None:
    table = report.to_table(comparison)
    (line,) = (line for line in table.splitlines() if MARK in line)
    assert line.strip().startswith("Lab Whisper")
    assert "0.10 incl. network" in line
    assert line.endswith(" lab")
    assert "warm" not in line
    page = report.to_html(comparison)
    assert "0.10" in page
    assert MARK in page
    notes = dict(zip(*(report.to_frame(comparison)[name] for name in ("System", "Notes")), strict=True))
    assert MARK in notes["Lab Whisper"]
    assert MARK not in str(notes["Moonshine tiny"])  # NaN where there is nothing to note


def test_it_is_marked_over_several_clips_too(comparison: Comparison) -> None:
    pooled = report.to_table([comparison, comparison]).partition("counts pooled")[2]
    assert [line.strip().split("  ")[0] for line in pooled.splitlines() if MARK in line] == ["Lab Whisper"]
    assert MARK in report.to_html([comparison, comparison])


def test_no_address_and_no_key_is_in_what_leaves(comparison: Comparison) -> None:
    for text in (
        json.dumps(report.to_dict(comparison)),
        report.to_csv(comparison),
        report.to_table(comparison),
        report.to_html(comparison),
        report.to_frame(comparison).to_string(),
        repr(SERVED),
        repr(comparison),
    ):
        assert "inside.example.org" not in text
    assert "LAB_KEY" not in report.to_html(comparison) + report.to_csv(comparison)
