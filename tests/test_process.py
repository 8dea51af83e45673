"""Whatever happens in a child, its parent hears of it in plain words, in bounded time, and keeps nothing of it."""

from __future__ import annotations

import json
import os
import threading
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from runners.base import (
    AudioError,
    Cancelled,
    ChatOptions,
    Clip,
    ModelLoadError,
    OutOfMemory,
    Placement,
    Prompt,
    RunnerCrashed,
    RunnerError,
    RunnerSpec,
    RunnerTimeout,
    TranscribeOptions,
    Turn,
)
from runners.isolation import death, limits
from runners.isolation.spawner import Spawner, child_environment
from runners.process import ProcessWorker
from runners.settings import Settings
from tests.pools import is_gone, wait_until

CLIP = Clip(np.zeros(1600, np.float32), 11.0, "speech.wav", reference="the truth")
LONG_SECONDS = 60.0


class Told:
    """Keeps what a worker tells, and can be waited for."""

    def __init__(self) -> None:
        self.steps: list[object] = []
        self.texts: list[str] = []
        self.heard = threading.Event()
        self.stop = threading.Event()

    def downloading(self, done_bytes, total_bytes):
        self.steps.append(("downloading", done_bytes, total_bytes))

    def loading(self):
        self.steps.append("loading")

    def running(self):
        self.steps.append("running")

    def partial(self, text):
        self.texts.append(text)
        self.heard.set()

    def check(self):
        if self.stop.is_set():
            raise Cancelled


class Stopping(Told):
    """Asks to stop as soon as it has heard something."""

    def __init__(self) -> None:
        super().__init__()
        self.stop = self.heard


@pytest.fixture(scope="module")
def spawner():
    spawner = Spawner()
    yield spawner
    spawner.close()


@pytest.fixture
def start(tmp_path, spawner):
    """Start a child with a script."""
    workers: list[ProcessWorker] = []

    def with_script(script: dict | None = None, **settings) -> ProcessWorker:
        path = tmp_path / f"script-{len(workers)}.json"
        path.write_text(json.dumps(script or {"takes": [[{"say": "fine"}]], "repeat": True}), encoding="utf-8")
        spec = RunnerSpec(
            family="scripted", label="Scripted", target="runners.scripted:Scripted", model=str(path), can_chat=True
        )
        workers.append(ProcessWorker(spec, Settings(**settings), spawner))
        return workers[-1]

    yield with_script
    for worker in workers:
        worker.kill()


def load(worker: ProcessWorker, seconds: float = LONG_SECONDS, told: Told | None = None):
    return worker.load(Placement(), told or Told(), seconds)


def hear(worker: ProcessWorker, seconds: float = LONG_SECONDS, told: Told | None = None, repeat: int = 1, clip: Clip = CLIP):
    return worker.transcribe(clip, TranscribeOptions(), told or Told(), seconds, repeat)


def ask(worker: ProcessWorker, *said: str, seconds: float = LONG_SECONDS, told: Told | None = None, clip: Clip | None = CLIP):
    turns = tuple(Turn("assistant" if number % 2 else "user", text) for number, text in enumerate(said))
    return worker.chat(clip, turns, ChatOptions("a conversation"), told or Told(), seconds)


def test_the_peak_counts_what_a_run_takes(start):
    worker = start({"takes": [[{"allocate": 80_000_000}, {"say": "a"}]]})
    held_bytes = load(worker).held_bytes
    assert hear(worker).peak_memory >= held_bytes + 70_000_000


def test_a_child_loads_hears_reports_and_answers(start):
    told = Told()
    worker = start({"load": [{"wait": 0.05}], "takes": [[{"say": "one "}, {"wait": 0.15}, {"say": "two"}]], "repeat": True})
    loaded = load(worker, told=told)
    heard = hear(worker, told=told, repeat=2)
    assert loaded.load_seconds >= 0.05
    assert heard.transcript.text == "one two"
    assert len(heard.runs) == 2
    assert min(heard.runs) >= 0.15
    assert heard.peak_memory >= 10_000_000
    assert told.steps == ["loading", "running", "running"]
    assert told.texts[:2] == ["one ", "one two"]
    assert worker.alive
    assert worker.memory_bytes() >= 10_000_000


def test_a_child_answers_piece_by_piece_and_keeps_the_conversation(start):
    told = Told()
    worker = start({"answers": [[{"say": "one "}, {"wait": 0.1}, {"say": "two"}], [{"say": "three"}]]})
    load(worker)
    replied = ask(worker, "What?", told=told)
    assert (replied.text, replied.usage.prompt_tokens, replied.usage.reused_tokens) == ("one two", 139, 0)
    assert replied.first_token_seconds + 0.1 <= replied.seconds
    assert told.steps == ["running"]
    assert told.texts == ["one ", "one two"]
    assert ask(worker, "What?", "one two", "And?").usage.reused_tokens == 141
    worker.forget("a conversation")
    assert ask(worker, "What?", "one two", "And?").usage.reused_tokens == 0
    assert ask(worker, "What?", clip=None).usage.prompt_tokens == 1


def test_a_prompt_reaches_the_runner_in_the_child(start):
    worker = start({"takes": [[{"echo": True}]]})
    load(worker)
    options = TranscribeOptions(prompt=Prompt("verbatim", "transcription", "Écris <|tout|>."))
    assert worker.transcribe(CLIP, options, Told(), LONG_SECONDS).transcript.text == "Écris <|tout|>."


def test_a_long_answer_may_take_longer_than_its_deadline_but_silence_may_not(start):
    worker = start({"answers": [[{"wait": 0.5}, {"say": "a "}] * 4, [{"say": "a "}, {"wait": 3600}], [{"hang": True}]]})
    load(worker)
    replied = ask(worker, "a", seconds=1.5)
    assert replied.seconds >= 2
    told = Told()
    with pytest.raises(RunnerTimeout, match=r"said nothing for 1.5 s") as caught:
        ask(worker, "a", "b", "c", seconds=1.5, told=told)
    assert caught.value.fix
    assert told.texts == ["a "]
    assert is_gone(worker.pid)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_death_in_mid_answer_has_told_what_was_said(start):
    told = Told()
    worker = start({"answers": [[{"say": "one "}, {"say": "two"}, {"wait": 0.2}, {"crash": True}]]})
    load(worker)
    with pytest.raises(RunnerCrashed, match="segmentation fault"):
        ask(worker, "What?", told=told)
    assert told.texts[-1] == "one two"


def test_an_answer_that_is_cancelled_ends_between_two_pieces_and_the_model_stays(start):
    worker = start({"answers": [[{"say": "one "}, {"wait": 3600}], [{"say": "again"}]]})
    load(worker)
    told = Stopping()
    with pytest.raises(Cancelled):
        ask(worker, "What?", told=told)
    assert told.texts == ["one "]
    assert ask(worker, "What?", "one ", "Go on.").usage.reused_tokens == 140


def test_what_was_said_before_a_fault_is_told_even_if_it_came_too_fast(start):
    worker = start({"answers": [[{"say": "one "}, {"say": "two"}, {"raise": "no", "fix": "yes"}]], "repeat": True})
    load(worker)
    told = Told()
    with pytest.raises(RunnerError, match="no"):
        ask(worker, "What?", told=told)
    assert told.texts[-1] == "one two"
    assert worker.alive


def test_forgetting_waits_for_nothing(start):
    worker = start({"answers": [[{"say": "a"}]], "repeat": True})
    worker.forget("before it was loaded")
    load(worker)
    psutil.Process(worker.pid).suspend()
    for _ in range(100):
        worker.forget("a conversation")
    psutil.Process(worker.pid).resume()
    assert ask(worker, "What?").text == "a"
    worker.kill()
    worker.forget("after its end")


def test_closing_ends_the_child_and_can_be_done_twice(start):
    worker = start()
    load(worker)
    worker.close()
    worker.close()
    assert not worker.alive
    assert is_gone(worker.pid)
    assert worker.memory_bytes() is None


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ({"crash": True}, "crashed (segmentation fault)"),
        ({"exit": 3}, "ended by itself with exit code 3"),
        ({"exit": 0}, "ended by itself with exit code 0"),
        ({"kill": True}, "was killed (signal 9)"),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_death_is_explained_and_comes_with_the_log(start, step, says):
    worker = start({"takes": [[{"flood": 3000}, step]]})
    load(worker)
    with pytest.raises(RunnerCrashed) as caught:
        hear(worker)
    assert says in str(caught.value)
    assert caught.value.fix
    assert "the flood is over" in "\n".join(worker.log())
    assert not worker.alive
    assert is_gone(worker.pid)


def test_a_death_while_loading_is_explained_too(start):
    worker = start({"load": [{"exit": 7}]})
    with pytest.raises(RunnerCrashed, match="exit code 7"):
        load(worker)


def test_a_job_for_a_dead_child_says_so(start):
    worker = start()
    load(worker)
    psutil.Process(worker.pid).kill()
    with pytest.raises(RunnerCrashed):
        hear(worker)


def test_a_hang_while_loading_is_ended_at_its_deadline(start):
    worker = start({"load": [{"hang": True}]})
    with pytest.raises(RunnerTimeout, match=r"longer than 0.6 s to load") as caught:
        load(worker, seconds=0.6)
    assert caught.value.fix
    assert is_gone(worker.pid)


def test_a_hang_while_transcribing_is_ended_at_its_deadline(start):
    worker = start({"takes": [[{"hang": True}]]})
    load(worker)
    with pytest.raises(RunnerTimeout, match=r"longer than 0.3 s to transcribe an 11 s clip") as caught:
        hear(worker, seconds=0.3)
    assert caught.value.fix
    assert is_gone(worker.pid)


def test_the_deadline_is_for_each_run_not_for_all(start):
    worker = start({"takes": [[{"wait": 0.5}]], "repeat": True})
    load(worker)
    assert len(hear(worker, seconds=1.8, repeat=4).runs) == 4


def test_an_orderly_failure_keeps_its_type_and_the_child(start):
    worker = start({"takes": [[{"raise": "silent", "fix": "speak up", "kind": "audio"}], [{"say": "fine"}]]})
    load(worker)
    with pytest.raises(AudioError, match="silent") as caught:
        hear(worker)
    assert caught.value.fix == "speak up"
    assert worker.alive
    assert hear(worker).transcript.text == "fine"


def test_a_failure_that_nobody_foresaw_has_its_trace_in_the_log_and_ends_the_trust(start):
    worker = start({"takes": [[{"allocate": 2**62}]]})
    load(worker)
    with pytest.raises(OutOfMemory):
        hear(worker)
    assert any("Traceback" in line for line in worker.log())
    assert not worker.alive


def test_a_class_that_is_not_there_is_a_failure_like_any_other(spawner):
    worker = ProcessWorker(RunnerSpec(family="x", label="X", target="runners.nowhere:X"), Settings(), spawner)
    try:
        with pytest.raises(RunnerError, match=r"runners\.nowhere"):
            load(worker)
    finally:
        worker.kill()


def test_a_wrong_script_says_so_through_the_wall(start):
    with pytest.raises(ModelLoadError, match="step 1 of load"):
        load(start({"load": [{"shout": 1}]}))


def test_a_flood_neither_blocks_nor_fills_the_memory(start):
    worker = start({"takes": [[{"flood": 20_000_000}, {"say": "dry"}]]})
    load(worker)
    before = psutil.Process().memory_info().rss
    assert hear(worker).transcript.text == "dry"
    assert psutil.Process().memory_info().rss - before < 10_000_000
    assert len(worker.log()) <= 40
    assert all(len(line) <= 300 for line in worker.log())


def test_a_cancel_that_is_heard_leaves_the_model_loaded(start):
    worker = start({"takes": [[{"say": "listening"}, {"wait": 3600}], [{"say": "again"}]]})
    load(worker)
    with pytest.raises(Cancelled):
        hear(worker, told=Stopping())
    assert worker.alive
    assert hear(worker).transcript.text == "again"


def test_a_cancel_that_is_not_heard_ends_the_child(start, monkeypatch):
    monkeypatch.setattr(limits, "CANCEL_GRACE_SECONDS", 0.2)
    worker = start({"takes": [[{"say": "listening"}, {"hang": True}]]})
    load(worker)
    with pytest.raises(Cancelled):
        hear(worker, told=Stopping())
    assert is_gone(worker.pid)


def test_a_fault_in_who_listens_ends_the_child(start):
    class Faulty(Told):
        def partial(self, text):
            raise KeyError(text)

    worker = start({"takes": [[{"say": "a"}, {"wait": 3600}]]})
    load(worker)
    with pytest.raises(KeyError):
        hear(worker, told=Faulty())
    assert is_gone(worker.pid)


def test_a_long_clip_to_a_child_that_reads_nothing_does_not_block_its_parent(start):
    worker = start()
    load(worker)
    psutil.Process(worker.pid).suspend()
    long = Clip(np.zeros(4_000_000, np.float32), 250.0, "long.wav")
    with pytest.raises(RunnerTimeout):
        hear(worker, seconds=0.3, clip=long)
    assert is_gone(worker.pid)


def test_a_child_ends_when_nobody_can_talk_to_it_any_more(start):
    worker = start()
    load(worker)
    worker._outbox.put(None)  # what the end of this process would do, too
    wait_until(lambda: is_gone(worker.pid))


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_what_a_runner_has_started_ends_with_it(tmp_path, spawner, monkeypatch):
    (tmp_path / "a_parent.py").write_text(
        "import subprocess, sys\n"
        "from runners.base import Transcript\n"
        "class Parent:\n"
        "    def __init__(self, spec): ...\n"
        "    def load(self, weights, placement, progress):\n"
        "        self.child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)'])\n"
        "    def transcribe(self, clip, options, progress):\n"
        "        return Transcript(str(self.child.pid))\n"
        "    def unload(self): ...\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    worker = ProcessWorker(RunnerSpec(family="x", label="X", target="a_parent:Parent"), Settings(), spawner)
    load(worker)
    pid = int(hear(worker).transcript.text)
    assert psutil.pid_exists(pid)
    worker.close()
    wait_until(lambda: is_gone(pid))


@pytest.mark.skipif(not os.path.exists("/proc/self/oom_score_adj"), reason="Linux")  # noqa: PTH110
def test_the_kernel_would_take_the_child_before_the_page(start):
    worker = start()
    load(worker)
    with open(f"/proc/{worker.pid}/oom_score_adj") as child, open("/proc/self/oom_score_adj") as own:  # noqa: PTH123
        assert int(child.read()) > int(own.read())


def test_an_idle_child_is_light(start):
    worker = start()
    load(worker)
    assert worker.memory_bytes() < 60_000_000


def test_a_child_gets_what_it_needs_and_no_keys_of_others(monkeypatch, tmp_path):
    for name in ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "EARSHOT_PASSWORD"):
        monkeypatch.setenv(name, "something secret")
    monkeypatch.setenv("HF_TOKEN", "hf_for_gated_models")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    environment = child_environment(Settings(cache_folder=tmp_path, downloads=True))
    assert not {"OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "EARSHOT_PASSWORD"} & set(environment)
    assert environment["HF_TOKEN"] == "hf_for_gated_models"
    assert environment["EARSHOT_CACHE_FOLDER"] == str(tmp_path)
    assert "HF_HUB_OFFLINE" not in environment
    assert child_environment(Settings(downloads=False))["HF_HUB_OFFLINE"] == "1"


@pytest.mark.parametrize(("granted", "threads"), [(2, "2"), (16, None)])
def test_a_child_starts_no_more_threads_than_its_container_has_cores_for(monkeypatch, granted, threads):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("runners.isolation.spawner.look", lambda: SimpleNamespace(cores=granted))
    monkeypatch.setattr("runners.isolation.spawner.visible_cores", lambda: 16)
    assert child_environment(Settings()).get("OMP_NUM_THREADS") == threads
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert child_environment(Settings())["OMP_NUM_THREADS"] == "5"


def test_secrets_are_masked_in_what_is_kept(start, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "not-a-usual-token")
    printed = "with not-a-usual-token and hf_AbCdEfGhIjKlMnOpQrStUvWx"
    worker = start({"takes": [[{"raise": printed, "fix": printed}]]})
    load(worker)
    with pytest.raises(RunnerError) as caught:
        hear(worker)
    for text in (str(caught.value), caught.value.fix):
        assert "•••" in text
        assert "not-a-usual-token" not in text
        assert "hf_AbC" not in text


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ({"a": 1}, {"a": 2}, "killed by the kernel: out of memory"),
        ({"a": 1}, {"a": 1}, "usual cause is the kernel's out-of-memory killer"),
        ({}, {}, "usual cause"),
    ],
)
def test_the_kernels_own_count_tells_a_shortage_of_memory(before, after, says):
    assert says in str(death.crashed(-9, before, after))


@pytest.mark.parametrize(
    ("returncode", "says"),
    [
        (-6, "aborted"),
        (-4, "illegal instruction"),
        (-15, "SIGTERM"),
        (-64, "SIG"),
        (1, "exit code 1"),
        (0xC0000005, "segm"),
        (None, "not end"),
    ],
)
def test_every_end_has_words(returncode, says):
    assert says in str(death.crashed(returncode, {}, {}))
