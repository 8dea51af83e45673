"""Loading and timing mean the same wherever a runner lives, and any failure becomes a sentence with a fix."""

from __future__ import annotations

import json
import sys
import types

import numpy as np
import pytest

from runners import base, memory
from runners.base import Cancelled, Clip, Placement, RunnerSpec, TranscribeOptions, Transcript
from runners.isolation.failures import failure_from, failure_message, plain
from runners.isolation.host import RunnerHost

CLIP = Clip(np.zeros(1600, np.float32), 0.1, "silence.wav")


class Told:
    """Keeps what a host tells, in order."""

    def __init__(self) -> None:
        self.steps: list[object] = []
        self.stop_at: str | None = None

    def downloading(self, done_bytes, total_bytes):
        self.steps.append(("downloading", done_bytes, total_bytes))

    def loading(self):
        self.steps.append("loading")

    def running(self):
        self.steps.append("running")

    def partial(self, text):
        self.steps.append(text)

    def check(self):
        if self.stop_at in self.steps:
            raise Cancelled


@pytest.fixture
def host(tmp_path):
    """A host of a script."""

    def of(script: dict) -> RunnerHost:
        path = tmp_path / "script.json"
        path.write_text(json.dumps(script), encoding="utf-8")
        return RunnerHost(RunnerSpec(family="scripted", label="Scripted", target="runners.scripted:Scripted", model=str(path)))

    return of


def test_each_run_is_timed_by_itself_and_loading_apart(host):
    told = Told()
    it = host({"load": [{"wait": 0.05}], "takes": [[{"wait": 0.1}], [{"wait": 0.2}, {"say": "b"}]], "repeat": True})
    loaded = it.load(Placement(), told)
    heard = it.transcribe(CLIP, TranscribeOptions(), 2, told)
    assert loaded.load_seconds >= 0.05
    assert loaded.held_bytes > 0
    assert len(heard.runs) == 2
    assert heard.runs[0] >= 0.1
    assert heard.runs[1] >= 0.2
    assert heard.transcript == Transcript("b")
    assert told.steps == ["loading", "running", "running", "b"]


def test_the_peak_counts_what_a_run_takes(host):
    it = host({"takes": [[{"allocate": 80_000_000}, {"say": "a"}]], "repeat": True})
    loaded = it.load(Placement(), Told())
    heard = it.transcribe(CLIP, TranscribeOptions(), 1, Told())
    assert heard.peak_memory >= loaded.held_bytes + 70_000_000


def test_a_cancel_is_noticed_before_a_run_begins(host):
    told = Told()
    it = host({"takes": [[{"say": "a"}]], "repeat": True})
    it.load(Placement(), told)
    told.stop_at = "a"
    with pytest.raises(Cancelled):
        it.transcribe(CLIP, TranscribeOptions(), 2, told)
    assert told.steps.count("running") == 1


def test_it_can_be_loaded_again_after_it_was_unloaded(host):
    it = host({"takes": [[{"say": "a"}]]})
    for _ in range(2):
        it.load(Placement(), Told())
        assert it.transcribe(CLIP, TranscribeOptions(), 1, Told()).transcript.text == "a"
        it.unload()


def test_the_device_is_waited_for_before_and_after_the_clock(monkeypatch, host):
    waited: list[int] = []
    device = types.SimpleNamespace(
        is_initialized=lambda: True,
        synchronize=lambda: waited.append(1),
        reset_peak_memory_stats=lambda: None,
        max_memory_allocated=lambda: 700,
        memory_reserved=lambda: 600,
    )
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=device))
    it = host({"takes": [[{"say": "a"}]], "repeat": True})
    assert it.load(Placement("rocm"), Told()).held_bytes == 600
    assert len(waited) == 1
    heard = it.transcribe(CLIP, TranscribeOptions(), 2, Told())
    assert len(waited) == 5
    assert heard.peak_memory == 700


def test_an_idle_gpu_is_not_woken_by_asking_for_its_memory(monkeypatch):
    device = types.SimpleNamespace(is_initialized=lambda: False)
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=device))
    memory.synchronise(Placement("cuda"))
    assert memory.peak_bytes(Placement("cuda")) is None


def test_what_is_no_transcript_is_not_taken_for_one():
    class Empty:
        def __init__(self, spec): ...
        def load(self, weights, placement, progress): ...
        def transcribe(self, clip, options, progress):
            return None

    module = types.ModuleType("an_empty_runner")
    module.Empty = Empty  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    try:
        it = RunnerHost(RunnerSpec(family="empty", label="Empty", target="an_empty_runner:Empty"))
        it.load(Placement(), Told())
        with pytest.raises(TypeError, match="NoneType"):
            it.transcribe(CLIP, TranscribeOptions(), 1, Told())
    finally:
        del sys.modules[module.__name__]


class OutOfMemoryError(RuntimeError):
    """Named as PyTorch names it."""


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (ValueError("odd"), base.RunnerError, "ValueError: odd"),
        (MemoryError(), base.OutOfMemory, "Not enough memory (MemoryError)."),
        (ValueError(), base.RunnerError, "ValueError"),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), base.OutOfMemory, "CUDA out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), base.OutOfMemory, "allocate"),
        (ModuleNotFoundError("No module named 'nothing'", name="nothing"), base.MissingPackage, "'nothing' is not installed"),
        (base.AudioError("silent", "speak"), base.AudioError, "silent"),
    ],
)
def test_any_failure_says_what_happened_and_what_to_do(error, kind, says):
    failure = failure_from(json.loads(json.dumps(failure_message(plain(error)))))
    assert type(failure) is kind
    assert says in str(failure)
    assert failure.fix


def test_an_error_of_a_runners_own_travels_as_the_nearest_that_all_know():
    class Odd(base.ModelLoadError):
        pass

    assert type(plain(Odd("x"))) is base.ModelLoadError


def test_a_type_that_is_no_error_is_not_called():
    failure = failure_from({"type": "Clip", "what": "x", "fix": None})
    assert type(failure) is base.RunnerError


def test_a_huge_error_is_cut():
    assert len(str(plain(ValueError("x" * 1_000_000)))) < 1000
    assert len(plain(base.RunnerError("a", "y" * 1_000_000)).fix or "") < 1000
