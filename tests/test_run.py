"""Running a comparison: order, cancelling, and what a fault of Earshot's own does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from comparisons.run import Cancels, Comparing, compare
from runners.base import Clip, Contender, Prompt, RunnerSpec, TranscribeOptions, Transcript, TranscriptionResult
from runners.events import Event, Finished, Loading, Partial, Queued, Running

WAIT_SECONDS = 20.0
CLIP = Clip(np.zeros(160, np.float32), 0.01, "clip.wav")


def contender(name: str) -> Contender:
    return Contender(RunnerSpec(name, name.title(), "runners.scripted:Scripted", is_default=True))


A, B, C = (contender(name) for name in ("alpha", "beta", "gamma"))


class StandInPool:
    """Runs nothing: each contender waits for its gate, if it has one, or for its cancel."""

    def __init__(self, *held: str, faults: tuple[str, ...] = (), partials: int = 0) -> None:
        self.held = held
        self.faults = faults
        self.partials = partials
        self.gates = {name: threading.Event() for name in held}
        self.began = {name: threading.Event() for name in held}
        self.ran: list[tuple[str, int]] = []

    def run(
        self, contender: Contender, clip: Clip, *, repeat: int = 1, report: Callable[[Event], None], cancel: threading.Event
    ) -> TranscriptionResult:
        name = contender.name
        self.ran.append((name, repeat))
        report(Loading(contender))
        report(Running(contender))
        for number in range(self.partials):
            report(Partial(contender, f"word {number}"))
        if name in self.faults:
            raise ZeroDivisionError("a fault of Earshot's own")
        if name in self.held:
            self.began[name].set()
            while not self.gates[name].is_set():
                if cancel.wait(0.01):
                    return TranscriptionResult(contender, "cancelled", stage="transcribe")
        return TranscriptionResult(contender, "ok", Transcript(name))


def rest(comparing: Comparing) -> list[Event]:
    """All events to the end."""
    found: list[Event] = []
    while not comparing.finished:
        batch = comparing.events(timeout=WAIT_SECONDS)
        assert batch, "nothing happened for a long time"
        found += batch
    return found


def statuses(events: list[Event]) -> dict[str, str]:
    return {event.contender.name: event.result.status for event in events if isinstance(event, Finished)}


def told(events: list[Event]) -> list[tuple[str, str]]:
    return [(type(event).__name__, event.contender.name) for event in events]


def test_all_are_queued_first_and_then_run_in_the_order_chosen() -> None:
    events = list(compare(CLIP, [B, A], StandInPool()))
    assert told(events) == [
        ("Queued", "beta"),
        ("Queued", "alpha"),
        *((kind, name) for name in ("beta", "alpha") for kind in ("Loading", "Running", "Finished")),
    ]


def test_a_contender_chosen_twice_runs_once_with_the_repeats_asked_for() -> None:
    pool = StandInPool()
    list(compare(CLIP, [A, A], pool, repeat=3))
    assert pool.ran == [("alpha", 3)]


def test_nothing_chosen_is_over_at_once() -> None:
    assert list(compare(CLIP, [], StandInPool())) == []


def test_less_than_one_run_is_refused() -> None:
    with pytest.raises(ValueError, match="at least once"):
        Comparing(CLIP, [A], StandInPool(), repeat=0)


def test_a_queued_contender_that_is_cancelled_is_finished_before_its_turn() -> None:
    pool, cancels = StandInPool("alpha"), Cancels()
    with Comparing(CLIP, [A, B, C], pool, cancel=cancels) as comparing:
        assert pool.began["alpha"].wait(WAIT_SECONDS)
        cancels.cancel("beta")
        events: list[Event] = []
        while "beta" not in statuses(events):  # alpha still runs
            events += comparing.events(timeout=WAIT_SECONDS)
        pool.gates["alpha"].set()
        events += rest(comparing)
    assert statuses(events) == {"alpha": "ok", "beta": "cancelled", "gamma": "ok"}
    assert [name for name, _ in pool.ran] == ["alpha", "gamma"]


def test_the_running_contender_can_be_cancelled_alone() -> None:
    pool, cancels = StandInPool("alpha"), Cancels()
    with Comparing(CLIP, [A, B], pool, cancel=cancels) as comparing:
        assert pool.began["alpha"].wait(WAIT_SECONDS)
        cancels.cancel("alpha")
        assert statuses(rest(comparing)) == {"alpha": "cancelled", "beta": "ok"}


def test_everything_can_be_cancelled() -> None:
    pool, cancels = StandInPool("alpha"), Cancels()
    with Comparing(CLIP, [A, B, C], pool, cancel=cancels) as comparing:
        assert pool.began["alpha"].wait(WAIT_SECONDS)
        cancels.cancel_all()
        assert set(statuses(rest(comparing)).values()) == {"cancelled"}
    assert [name for name, _ in pool.ran] == ["alpha"]


def test_a_cancel_before_the_start_holds() -> None:
    cancels, pool = Cancels(), StandInPool()
    cancels.cancel("alpha")
    assert statuses(list(compare(CLIP, [A, B], pool, cancel=cancels))) == {"alpha": "cancelled", "beta": "ok"}
    cancels.cancel_all()
    assert statuses(list(compare(CLIP, [A, B], pool, cancel=cancels))) == {"alpha": "cancelled", "beta": "cancelled"}


def test_a_fault_of_our_own_skips_one_contender_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    events = list(compare(CLIP, [A, B], StandInPool(faults=("alpha",))))
    assert statuses(events) == {"alpha": "skipped", "beta": "ok"}
    result = next(event.result for event in events if isinstance(event, Finished))
    assert "ZeroDivisionError" in (result.error or "")
    assert result.fix
    assert "'alpha' could not be run" in caplog.text


def test_closing_the_generator_cancels_the_rest_and_leaves_no_thread() -> None:
    pool = StandInPool("alpha")
    events: Iterator[Event] = compare(CLIP, [A, B], pool)
    assert isinstance(next(events), Queued)
    assert pool.began["alpha"].wait(WAIT_SECONDS)
    thread = next(thread for thread in threading.enumerate() if thread.name == "comparing" and thread.is_alive())
    events.close()  # type: ignore[attr-defined]
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
    assert [name for name, _ in pool.ran] == ["alpha"]


def test_waiting_for_events_ends_when_its_time_is_over() -> None:
    pool = StandInPool("alpha")
    with Comparing(CLIP, [A], pool) as comparing:
        assert pool.began["alpha"].wait(WAIT_SECONDS)
        before = comparing.events(timeout=0)
        assert told(before) == [("Queued", "alpha"), ("Loading", "alpha"), ("Running", "alpha")]
        assert comparing.events(timeout=0) == []
        assert comparing.events(timeout=0.01) == []


def test_a_flood_of_partial_texts_comes_in_batches_and_complete() -> None:
    with Comparing(CLIP, [A, B], StandInPool(partials=3000)) as comparing:
        sizes, found = [], 0
        while not comparing.finished:
            batch = comparing.events(timeout=WAIT_SECONDS, pace_seconds=0.05)
            sizes.append(len(batch))
            found += sum(isinstance(event, Partial) for event in batch)
    assert found == 6000
    assert max(sizes) <= 1000


def test_events_are_handed_out_once_the_last_contender_is_done_whatever_the_pace() -> None:
    with Comparing(CLIP, [A], StandInPool()) as comparing:
        events: list[Event] = []
        while not comparing.finished:
            events += comparing.events(timeout=WAIT_SECONDS, pace_seconds=WAIT_SECONDS)
    assert statuses(events) == {"alpha": "ok"}


def test_a_skipped_contender_is_logged_with_its_reason_and_no_words_of_the_clip(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="comparisons.run"):
        list(compare(CLIP, [A, B], StandInPool(faults=("alpha",))))
    skipped = next(record for record in caplog.records if "SKIPPED" in record.message)
    assert skipped.levelno == logging.WARNING
    assert "'alpha'" in skipped.message
    assert "ZeroDivisionError" in skipped.message
    done = next(record.message for record in caplog.records if "'beta': ok" in record.message)
    assert done == "'beta': ok in 0.000 s on None"


def test_two_templates_of_one_system_run_apart_and_are_cancelled_apart() -> None:
    first, second = (
        Contender(A.spec, TranscribeOptions(prompt=Prompt(name, "transcription", "Listen."))) for name in ("one", "two")
    )
    cancels = Cancels()
    cancels.cancel("alpha#one")
    pool = StandInPool()
    with Comparing(CLIP, [A, first, second], pool, cancel=cancels) as comparing:
        ended = {event.contender: event.result.status for event in rest(comparing) if isinstance(event, Finished)}
    assert ended == {A: "ok", first: "cancelled", second: "ok"}
    assert [name for name, _ in pool.ran] == ["alpha", "alpha#two"]
