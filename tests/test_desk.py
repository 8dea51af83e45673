"""What the page and the API share: what visitors may see and ask for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from comparisons.compare import Comparison
from comparisons.reference import Reference
from runners.base import Clip, Contender, RunnerError, TranscriptionResult
from runners.catalogue.names import spec_for
from runners.events import Event
from runners.here.machine import Machine, look
from runners.settings import Settings
from tests.test_app import tone
from ui.desk import Desk, Refused
from ui.lookout import Lookout
from ui.page import build_page

CLIP = Clip(np.zeros(16_000, np.float32), 1.0, "clip.wav")
LOG = ("Fatal Python error: Segmentation fault", 'File "/srv/models/secret.py", line 3')


class CrashingPool:
    """Every contender crashes, and leaves a log behind."""

    def room(self) -> Machine:
        return look()

    def run(
        self, contender: Contender, clip: Clip, *, repeat: int = 1, report: Callable[[Event], None], cancel: threading.Event
    ) -> TranscriptionResult:
        return TranscriptionResult(contender, "skipped", error="It crashed.", log=LOG, stage="transcribe")


def compared(desk: Desk) -> Comparison:
    *_, last = desk.compare("a visit", CLIP, [Contender(spec_for("moonshine"))])
    return last


def test_a_skipped_systems_log_is_shown_unless_the_deployer_hides_it() -> None:
    for show_logs, log in ((True, LOG), (False, ())):
        (column,) = compared(Desk(Settings(show_logs=show_logs), CrashingPool(), Lookout())).columns
        assert column.result is not None
        assert column.result.log == log
        assert column.result.error == "It crashed."


def test_on_a_space_logs_are_hidden_and_names_beyond_the_offer_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "someone/earshot")
    desk = Desk(Settings(), CrashingPool(), Lookout())
    assert not desk.settings.show_logs
    with pytest.raises(Refused, match="not offered here"):
        desk.spec("whisper:someone/else")
    assert desk.spec("moonshine").name == "moonshine"


def test_a_clip_no_browser_plays_is_copied_once_into_one_that_all_do(tmp_path: Path) -> None:
    desk = Desk(Settings(), CrashingPool(), Lookout())
    clip = tone(tmp_path / "clip.wav")
    copy = desk.playable(str(clip), tmp_path / "uploads")
    assert copy.read_bytes()[:4] == b"fLaC"
    assert copy.is_relative_to(tmp_path / "uploads")
    clip.unlink()
    assert desk.playable(str(clip), tmp_path / "uploads") == copy
    with pytest.raises(RunnerError):
        desk.playable(str(tmp_path / "other.wav"), tmp_path / "uploads")
    assert [each.name for each in copy.parent.iterdir()] == [copy.name]


def test_a_comparison_is_held_to_the_reference_metric_and_terms_it_was_given() -> None:
    desk = Desk(Settings(), CrashingPool(), Lookout())
    seeded = Reference.seeded("so it was", "moonshine", "Moonshine")
    first, *_ = desk.compare(
        "a visit", CLIP, [Contender(spec_for("moonshine"))], metric="both", reference=seeded, key_terms=["so"]
    )
    assert (first.reference, first.metric, first.key_terms) == (seeded, "both", ("so",))


def test_what_is_shown_is_drawn_anew_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dropdown of Gradio's tells of a choice twice at once: only the second in turn can see that nothing is left to do."""
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    page = build_page(Desk(Settings(), CrashingPool(), Lookout()))
    redraws = [event for event in page.fns.values() if getattr(event.fn, "__name__", "") == "redraw"]
    assert len(redraws) > 1
    assert {(event.concurrency_id, event.concurrency_limit) for event in redraws} == {("es-redraw", 1)}
