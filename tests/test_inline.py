"""Inline mode behaves like a child where it can, and refuses or says so where it cannot."""

from __future__ import annotations

import inspect
import os
import pickle
import sys
import threading
import types

import numpy as np
import pytest

from runners.base import (
    Cancelled,
    ChatOptions,
    Clip,
    Contender,
    MissingPackage,
    Placement,
    RunnerError,
    TranscribeOptions,
    Turn,
)
from runners.catalogue.names import spec_for
from runners.events import Loading, Partial, Running
from runners.here.machine import look
from runners.inline import InlineWorker
from runners.isolation import lent_gpu
from runners.pool import Pool
from runners.settings import Settings, on_zero_gpu
from tests.pools import CLIP, Told, ask, fresh_pools, run


@pytest.fixture
def pool():
    with fresh_pools() as of:
        yield lambda **settings: of(isolation="inline", **settings)


def test_the_same_events_and_result_come_as_from_a_child(pool, script):
    told = Told()
    result = run(pool(), script("a", [{"say": "one "}, {"say": "two"}]), told, repeat=2)
    assert result.transcript.text == "one two"
    assert result.load_seconds is not None
    assert len(result.runs) == 2
    kinds = [type(event) for event in told.events]
    assert kinds.index(Loading) < kinds.index(Running) < kinds.index(Partial)


def test_a_model_stays_warm(pool, script):
    made = pool()
    contender = script("a", [{"say": "a"}])
    assert run(made, contender).load_seconds is not None
    assert run(made, contender).load_seconds is None
    assert [child.pid for child in made.children()] == [os.getpid()]


@pytest.mark.parametrize("name", ["crashes", "hangs", "exits", "killed"])
def test_what_would_end_this_process_is_refused(pool, name):
    result = run(pool(), Contender(spec_for(f"scripted:{name}")))
    assert (result.status, result.stage) == ("skipped", "load")
    assert "not its own" in result.error
    assert result.fix


def test_a_run_that_passes_its_deadline_is_reported_and_its_neighbour_runs_on(pool, script):
    made = pool(transcribe_timeout_seconds=1, transcribe_timeout_per_second=0)
    result = run(made, script("a", [{"wait": 3600}]))
    assert (result.status, result.stage) == ("skipped", "transcribe")
    assert "longer than 1 s" in result.error
    assert run(made, script("b", [{"say": "fine"}])).transcript.text == "fine"


def test_a_cancel_that_is_heard_keeps_the_model_warm(pool, script):
    made, told = pool(), Told()
    contender = script("a", [{"say": "listening"}, {"wait": 3600}], [{"say": "again"}])
    result = run(made, contender, told, told.spoke)
    assert (result.status, result.stage) == ("cancelled", "transcribe")
    after = run(made, contender)
    assert after.transcript.text == "again"
    assert after.load_seconds is None


def test_an_orderly_failure_keeps_the_model_and_an_unforeseen_one_does_not(pool, script):
    made = pool()
    assert run(made, script("a", [{"raise": "no", "fix": "yes"}])).error == "no"
    assert len(made.children()) == 1
    result = run(made, script("b", [{"allocate": 2**62}]))
    assert "MemoryError" in result.error
    assert len(made.children()) == 1


def test_an_answer_comes_as_from_a_child_and_its_conversation_is_kept_until_it_is_forgotten(pool, script):
    made, told = pool(), Told()
    contender = script("a", answers=[[{"say": "one "}, {"wait": 0.1}, {"say": "two"}]])
    first = ask(made, contender, told=told)
    assert (first.text, first.usage.reused_tokens) == ("one two", 0)
    assert first.first_token_seconds < first.seconds
    assert [event.text for event in told.events if isinstance(event, Partial)] == ["one ", "one two"]
    assert ask(made, contender).usage.reused_tokens == 25
    made.forget("one")
    assert ask(made, contender).usage.reused_tokens == 0


def test_a_stopped_answer_is_kept_and_what_was_forgotten_meanwhile_is_gone(pool, script):
    made, told = pool(), Told()
    contender = script("a", answers=[[{"say": "one "}, {"wait": 3600}], [{"say": "again"}]])
    results: list = []
    thread = threading.Thread(target=lambda: results.append(ask(made, contender, told=told, cancel=stop)))
    stop = threading.Event()
    thread.start()
    assert told.spoke.wait(20)
    made.forget("one")  # while it is at work
    stop.set()
    thread.join(20)
    assert (results[0].status, results[0].text) == ("cancelled", "one ")
    after = ask(made, contender, "What?", "one ", "Go on.")
    assert (after.text, after.load_seconds, after.usage.reused_tokens) == ("again", None, 0)


def test_a_silent_answer_is_given_up_and_a_long_one_is_not(pool, script):
    made = pool(transcribe_timeout_seconds=2, transcribe_timeout_per_second=0)
    contender = script("a", answers=[[{"wait": 0.6}, {"say": "a "}] * 4, [{"say": "b "}, {"wait": 3600}]])
    assert ask(made, contender).status == "ok"
    result = ask(made, contender, "What?", "a", "And?")
    assert (result.status, result.text) == ("skipped", "b ")
    assert "said nothing for 2 s" in result.error


@pytest.fixture
def lent(monkeypatch):
    """``spaces`` as ZeroGPU has it, as far as it is used here: the call's arguments and result cross to another process."""
    asked: list[int] = []
    decorated: list[object] = []

    def gpu(duration):
        def wrap(function):
            def call(*arguments):
                arguments = pickle.loads(pickle.dumps(arguments))  # noqa: S301  # our own, a line ago
                asked.append(duration(*arguments))
                if inspect.isgeneratorfunction(function):
                    return (pickle.loads(pickle.dumps(piece)) for piece in function(*arguments))  # noqa: S301
                return pickle.loads(pickle.dumps(function(*arguments)))  # noqa: S301

            return call

        decorated.append(duration)
        return wrap

    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setitem(sys.modules, "spaces", types.SimpleNamespace(GPU=gpu))
    return types.SimpleNamespace(asked_seconds=asked, decorated=decorated)


def test_on_zero_gpu_a_function_is_decorated_before_the_first_run(pool, lent):
    assert on_zero_gpu()
    made = pool()
    assert made is not None
    assert lent.decorated
    assert not lent.asked_seconds


def test_elsewhere_the_package_is_not_needed(pool, script, monkeypatch):
    monkeypatch.setitem(sys.modules, "spaces", None)  # an import of it would raise
    assert run(pool(), script("a", [{"say": "a"}])).status == "ok"


def worker_on_lent_gpu(contender: Contender) -> InlineWorker:
    worker = InlineWorker(contender.spec, lent_gpu.lent_gpu())
    worker.load(Placement("cuda", "float16"), lent_gpu._Silent(), 10)
    return worker


def hear(worker: InlineWorker, clip: Clip = CLIP, repeat: int = 1):
    return worker.transcribe(clip, TranscribeOptions(), lent_gpu._Silent(), 10, repeat)


def test_on_a_lent_gpu_all_happens_in_one_call(script, lent):
    heard = hear(worker_on_lent_gpu(script("a", [{"say": "lent"}], load=[{"wait": 0.05}])), repeat=2)
    assert heard.transcript.text == "lent"
    assert heard.load_seconds >= 0.05
    assert len(heard.runs) == 2
    assert len(lent.asked_seconds) == 1


def answer(worker: InlineWorker, progress=None, clip: Clip | None = CLIP, **options):
    chat = ChatOptions("one", **options)
    return worker.chat(clip, (Turn("user", "What?"),), chat, progress or lent_gpu._Silent(), 10)


class Listening(lent_gpu._Silent):
    """Keeps what it is told, and asks to stop at a text."""

    def __init__(self, stop_at: str | None = None) -> None:
        self.texts: list[str] = []
        self._stop_at = stop_at

    def partial(self, text):
        self.texts.append(text)

    def check(self):
        if self._stop_at in self.texts:
            raise Cancelled


def test_on_a_lent_gpu_an_answer_streams_out_of_one_call_and_keeps_nothing(script, lent):
    told = Listening()
    worker = worker_on_lent_gpu(script("a", load=[{"wait": 0.05}], answers=[[{"say": "one "}, {"say": "two"}]]))
    replied = answer(worker, told)
    assert (replied.text, replied.usage.cache_bytes, told.texts) == ("one two", 0, ["one ", "one two"])
    assert replied.load_seconds >= 0.05
    assert len(lent.asked_seconds) == 1
    assert answer(worker).usage.reused_tokens == 0
    worker.forget("one")


def test_an_answer_on_a_lent_gpu_can_be_stopped(script, lent):
    told = Listening("one ")
    worker = worker_on_lent_gpu(script("a", answers=[[{"say": "one "}, {"wait": 0.2}, {"say": "two"}, {"wait": 3600}]]))
    with pytest.raises(Cancelled):
        answer(worker, told)
    assert told.texts[0] == "one "
    assert worker.alive


def test_a_failure_in_mid_answer_on_a_lent_gpu_is_the_same_failure(script, lent):
    told = Listening()
    with pytest.raises(RunnerError, match="no") as caught:
        answer(worker_on_lent_gpu(script("a", answers=[[{"say": "one "}, {"raise": "no", "fix": "yes"}]])), told)
    assert caught.value.fix == "yes"
    assert told.texts == ["one "]


def test_a_gpu_that_is_taken_back_in_mid_answer_is_told_plainly(script, lent, monkeypatch):
    worker = worker_on_lent_gpu(script("a", answers=[[{"say": "one "}]]))
    monkeypatch.setattr(worker._lent, "_answer", lambda *arguments: iter([{"text": "one "}]))
    with pytest.raises(RunnerError, match="taken back"):
        answer(worker)


def test_a_longer_answer_asks_for_more_time(script, lent):
    worker = worker_on_lent_gpu(script("a", answers=[[{"say": "a"}]]))
    for most_tokens in (10, 1000, 100_000):
        answer(worker, most_tokens=most_tokens)
    answer(worker, most_tokens=10, clip=None)
    *longer, alone = lent.asked_seconds
    assert longer == sorted(set(longer))
    assert longer[-1] == lent_gpu.MOST_GPU_SECONDS
    assert alone <= longer[0]


def test_a_failure_on_a_lent_gpu_is_the_same_failure(script, lent):
    with pytest.raises(RunnerError, match="no") as caught:
        hear(worker_on_lent_gpu(script("a", [{"raise": "no", "fix": "yes"}])))
    assert caught.value.fix == "yes"


def test_a_longer_clip_asks_for_more_time_up_to_what_is_granted(script, lent):
    worker = worker_on_lent_gpu(script("a", [{"say": "a"}]))
    for seconds in (1, 40, 600):
        hear(worker, Clip(np.zeros(16_000 * seconds, np.float32), float(seconds), "a.wav"))
    durations = lent.asked_seconds
    assert durations == sorted(durations)
    assert durations[0] < durations[1] < durations[2] == lent_gpu.MOST_GPU_SECONDS


def test_on_zero_gpu_what_needs_no_gpu_does_not_ask_for_one(pool, script, lent):
    made = pool()
    contender = script("a", [{"say": "a"}])
    assert run(made, contender).status == "ok"
    assert run(made, contender).load_seconds is None
    assert not lent.asked_seconds


def test_zero_gpu_without_its_package_is_told_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setitem(sys.modules, "spaces", None)
    with pytest.raises(MissingPackage, match="spaces is not installed"):
        Pool(Settings(), look)
