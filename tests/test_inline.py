"""Inline mode behaves like a child where it can, and refuses or says so where it cannot."""

from __future__ import annotations

import inspect
import json
import os
import pickle
import sys
import threading
import types

import numpy as np
import pytest

from runners.base import Clip, Contender, MissingPackage, Placement, RunnerError, TranscribeOptions
from runners.catalogue import spec_for
from runners.events import Loading, Partial, Running
from runners.inline import InlineWorker
from runners.isolation import lent_gpu
from runners.machine import look
from runners.pool import Pool
from runners.settings import Settings, on_zero_gpu

CLIP = Clip(np.zeros(1600, np.float32), 2.0, "speech.wav")


@pytest.fixture
def pool():
    pools: list[Pool] = []

    def of(**settings) -> Pool:
        pools.append(Pool(Settings(**{"isolation": "inline", **settings}), look))
        return pools[-1]

    yield of
    for made in pools:
        made.close()


@pytest.fixture
def script(tmp_path):
    def of(name: str, *takes: list[dict], load: list[dict] | None = None) -> Contender:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"load": load or [], "takes": takes, "repeat": True}), encoding="utf-8")
        return Contender(spec_for(f"scripted:{path}"))

    return of


def run(pool: Pool, contender: Contender, report=lambda event: None, cancel: threading.Event | None = None, **options):
    return pool.run(contender, CLIP, report=report, cancel=cancel or threading.Event(), **options)


def test_the_same_events_and_result_come_as_from_a_child(pool, script):
    events: list[object] = []
    result = run(pool(), script("a", [{"say": "one "}, {"say": "two"}]), events.append, repeat=2)
    assert result.transcript.text == "one two"
    assert result.load_seconds is not None
    assert len(result.runs) == 2
    kinds = [type(event) for event in events]
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
    made = pool(transcribe_timeout_seconds=0.2, transcribe_timeout_per_second=0)
    result = run(made, script("a", [{"wait": 3600}]))
    assert (result.status, result.stage) == ("skipped", "transcribe")
    assert "longer than 0.2 s" in result.error
    assert run(made, script("b", [{"say": "fine"}])).transcript.text == "fine"


def test_a_cancel_that_is_heard_keeps_the_model_warm(pool, script):
    made = pool()
    spoke = threading.Event()
    contender = script("a", [{"say": "listening"}, {"wait": 3600}], [{"say": "again"}])
    result = run(made, contender, lambda event: isinstance(event, Partial) and spoke.set(), spoke)
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
