"""What the page and the API share: what visitors may see and ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparisons.compare import Comparison
from comparisons.history.database import HistoryError
from comparisons.reference import Reference
from runners.base import Contender, RunnerError
from runners.catalogue.names import spec_for
from runners.settings import Settings
from tests.sounds import tone
from tests.stand_in_pools import CLIP, LOG, CrashingPool, HearingPool
from ui.desk import Desk, Refused
from ui.lookout import Lookout
from ui.page import build_page


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


def test_what_is_shown_as_finished_is_kept_already_and_one_more_run_changes_it(tmp_path: Path) -> None:
    desk = Desk(Settings(history_folder=tmp_path), HearingPool(), Lookout())
    assert desk.history is not None
    for shown in desk.compare("a visit", CLIP, [Contender(spec_for("moonshine"))], owner="user:me"):
        assert desk.history.list("user:me").total == int(shown.finished)
    assert shown.kept_as is not None
    assert [each.contenders for each in shown.made_with] == [("moonshine",)]
    *_, more = desk.compare("a visit", CLIP, [Contender(spec_for("pocketsphinx"))], into=shown, owner="user:me")
    assert more.kept_as == shown.kept_as
    assert [each.contenders for each in more.made_with] == [("moonshine",), ("pocketsphinx",)]
    assert [system.name for system in desk.history.get(shown.kept_as, "user:me").systems] == ["moonshine", "pocketsphinx"]
    *_, anothers = desk.compare("a visit", CLIP, [Contender(spec_for("moonshine"))], into=more, owner="user:you")
    assert anothers.kept_as != more.kept_as
    assert desk.history.list("user:me").total == desk.history.list("user:you").total == 1


def test_nothing_is_kept_where_nothing_is_to_be_and_a_full_disk_costs_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = Desk(Settings(history=False, history_folder=tmp_path / "none"), HearingPool(), Lookout())
    assert compared(quiet).kept_as is None
    assert not (tmp_path / "none").exists()
    desk = Desk(Settings(history_folder=tmp_path), HearingPool(), Lookout())

    def full(*_: object) -> None:
        raise HistoryError("The disk is full.")

    monkeypatch.setattr(desk.history, "keep", full)
    last = compared(desk)
    assert last.finished
    assert last.kept_as is None
