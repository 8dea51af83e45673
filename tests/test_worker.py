"""Loading and timing mean the same wherever a runner lives, and any failure becomes a sentence with a fix."""

from __future__ import annotations

import json
import sys
import types

import numpy as np
import pytest

from runners import base
from runners.base import Cancelled, ChatOptions, Clip, Placement, RunnerSpec, TranscribeOptions, Transcript, Turn
from runners.here import memory
from runners.isolation.failures import failure_from, failure_message, plain
from runners.isolation.host import RunnerHost

ASKED = (Turn("user", "What is said?"),)
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


def test_a_model_that_is_spread_is_waited_for_and_counted_on_every_device(monkeypatch):
    waited: list[int] = []
    device = types.SimpleNamespace(
        is_initialized=lambda: True,
        device_count=lambda: 3,
        synchronize=waited.append,
        max_memory_allocated=lambda number: 100 + number,
        memory_reserved=lambda number: 200 + number,
    )
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=device))
    placement = Placement("cuda", spread=True)
    memory.synchronise(placement)
    assert waited == [0, 1, 2]
    assert memory.peak_bytes(placement) == 303
    assert memory.held_bytes(placement) == 603


def test_an_idle_gpu_is_not_woken_by_asking_for_its_memory(monkeypatch):
    device = types.SimpleNamespace(is_initialized=lambda: False)
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=device))
    memory.synchronise(Placement("cuda"))
    assert memory.peak_bytes(Placement("cuda")) is None


def test_what_is_no_transcript_and_no_usage_is_not_taken_for_one():
    class Empty:
        def __init__(self, spec): ...
        def load(self, weights, placement, progress): ...
        def transcribe(self, clip, options, progress):
            return None

        def chat(self, clip, turns, options, progress):
            yield "a"

    module = types.ModuleType("an_empty_runner")
    module.Empty = Empty  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    try:
        it = RunnerHost(RunnerSpec(family="empty", label="Empty", target="an_empty_runner:Empty"))
        it.load(Placement(), Told())
        with pytest.raises(TypeError, match="NoneType"):
            it.transcribe(CLIP, TranscribeOptions(), 1, Told())
        with pytest.raises(TypeError, match="NoneType"):
            it.chat(CLIP, ASKED, ChatOptions("c"), Told())
    finally:
        del sys.modules[module.__name__]


def test_an_answer_is_timed_from_the_question_and_to_its_first_piece(host):
    told = Told()
    it = host({"answers": [[{"wait": 0.05}, {"say": "one "}, {"wait": 0.1}, {"say": "two"}]]})
    it.load(Placement(), told)
    replied = it.chat(CLIP, ASKED, ChatOptions("c"), told)
    assert (replied.text, replied.usage.new_tokens) == ("one two", 2)
    assert replied.first_token_seconds >= 0.05
    assert replied.first_token_seconds + 0.1 <= replied.seconds
    assert replied.peak_memory > 0
    assert told.steps == ["loading", "running", "one ", "one two"]


def test_a_flood_of_pieces_is_told_now_and_then_and_at_last_whole(host):
    told = Told()
    it = host({"answers": [[{"say": f"{number} "} for number in range(3000)]]})
    it.load(Placement(), told)
    replied = it.chat(None, ASKED, ChatOptions("c", most_tokens=5000), told)
    texts = told.steps[2:]
    assert texts[0] == "0 "
    assert texts[-1] == replied.text
    assert replied.text.split()[-1] == "2999"
    assert len(texts) < 300


def test_a_piece_that_came_too_soon_is_told_while_the_next_is_waited_for(host):
    class Watching(Told):
        def check(self):
            if "one two" in self.steps:
                raise Cancelled

    told = Watching()
    it = host({"answers": [[{"say": "one "}, {"say": "two"}, {"wait": 3600}]]})
    it.load(Placement(), told)
    with pytest.raises(Cancelled):
        it.chat(CLIP, ASKED, ChatOptions("c"), told)


def test_a_cancel_between_two_pieces_loses_nothing_and_the_next_turn_works(host):
    told = Told()
    it = host({"answers": [[{"say": "one "}, {"say": "two "}, {"say": "three"}], [{"say": "again"}]]})
    it.load(Placement(), told)
    told.stop_at = "one "
    with pytest.raises(Cancelled):
        it.chat(CLIP, ASKED, ChatOptions("c"), told)
    assert told.steps[-1] == "one "
    told.stop_at = None
    replied = it.chat(CLIP, (*ASKED, Turn("assistant", "one "), Turn("user", "Go on.")), ChatOptions("c"), told)
    assert (replied.text, replied.usage.reused_tokens) == ("again", 5)


def test_a_failure_in_mid_answer_tells_all_that_was_said_before_it(host):
    told = Told()
    it = host({"answers": [[{"say": "one "}, {"say": "two"}, {"raise": "no", "fix": "yes"}]]})
    it.load(Placement(), told)
    with pytest.raises(base.RunnerError, match="no"):
        it.chat(CLIP, ASKED, ChatOptions("c"), told)
    assert told.steps[-1] == "one two"


def test_an_answer_of_nothing_has_no_first_piece(host):
    it = host({"answers": [[]]})
    it.load(Placement(), Told())
    replied = it.chat(CLIP, ASKED, ChatOptions("c"), Told())
    assert (replied.text, replied.first_token_seconds) == ("", None)


def test_forgetting_before_anything_was_loaded_is_no_fault(host):
    host({}).forget("c")


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
