"""Contenders take turns, faults stay where they happen, models stay warm, and nothing outlives the app."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest

from runners.base import Clip, Contender, RunnerSpec, TranscribeOptions
from runners.events import Loading, Partial, Running
from runners.isolation import limits
from tests.pools import CLIP, Told, in_background, is_gone, run, wait_until

ROOT = Path(__file__).resolve().parent.parent


def test_a_run_tells_its_steps_and_ends_with_a_result(pool, script):
    told = Told()
    result = run(pool(), script("a", [{"say": "one "}, {"wait": 0.15}, {"say": "two"}]), told, repeat=3)
    assert result.status == "ok"
    assert result.transcript.text == "one two"
    assert result.load_seconds is not None
    assert len(result.runs) == 3
    assert result.rtf == pytest.approx(sorted(result.runs)[1] / 2.0)
    assert (result.device, result.dtype) == ("cpu", "float32")
    assert result.peak_memory > 0
    kinds = [type(event) for event in told.events]
    assert kinds[0] is Loading
    assert kinds.count(Running) == 1
    assert kinds.index(Running) < kinds.index(Partial)
    assert Loading not in kinds[kinds.index(Running) :]


def test_a_clip_of_no_length_has_no_rtf(pool, script):
    result = run(pool(), script("a", [{"say": "a"}]), clip=Clip(np.zeros(0, np.float32), 0.0, "nothing.wav"))
    assert result.status == "ok"
    assert result.rtf is None


FAULTS = {
    "raises": ([{"raise": "no", "fix": "yes"}], [], "transcribe", "no"),
    "crashes": ([{"crash": True}], [], "transcribe", "crashed (segmentation fault)"),
    "crashes at load": ([], [{"crash": True}], "load", "crashed (segmentation fault)"),
    "exits": ([{"exit": 3}], [], "transcribe", "exit code 3"),
    "exits at load": ([], [{"exit": 3}], "load", "exit code 3"),
    "killed": ([{"kill": True}], [], "transcribe", "killed"),
    "runs out of memory": ([{"allocate": 2**62}], [], "transcribe", "MemoryError"),
    "wrong script": ([{"shout": 1}], [], "load", "unknown key"),
}
HANGS = {
    "hangs": ([{"hang": True}], [], "transcribe", "took longer than 2 s to transcribe a 2 s clip"),
    "hangs at load": ([], [{"hang": True}], "load", "took longer than 3 s to load"),
}


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    ("faults", "deadlines"),
    [  # only what hangs has deadlines that a busy machine might miss
        (FAULTS, {}),
        (HANGS, {"transcribe_timeout_seconds": 2, "transcribe_timeout_per_second": 0, "load_timeout_seconds": 3}),
    ],
    ids=["ends", "hangs"],
)
def test_every_fault_is_skipped_with_its_reason_and_its_neighbours_run_on(pool, script, faults, deadlines):
    made = pool(**deadlines)
    neighbour = script("neighbour", [{"say": "fine"}])
    assert run(made, neighbour).status == "ok"
    (pid,) = [child.pid for child in made.children()]
    for name, (take, load, stage, says) in faults.items():
        result = run(made, script(name, take, load=load))
        assert (result.status, result.stage) == ("skipped", stage), name
        assert says in result.error, name
        assert result.fix, name
        assert result.rtf is None
        after = run(made, neighbour)
        assert after.transcript.text == "fine", name
        assert after.load_seconds is None, name
    assert pid in [child.pid for child in made.children()]


def test_a_crashed_runner_is_started_afresh(pool, script):
    made = pool()
    contender = script("a", [{"exit": 1}])
    assert run(made, contender).skipped
    script("a", [{"say": "mended"}])  # the same file
    assert run(made, contender).transcript.text == "mended"


def test_a_model_stays_warm_for_the_next_clip(pool, script):
    made = pool()
    contender = script("a", [{"say": "a"}])
    first = run(made, contender)
    (child,) = made.children()
    assert child.memory_bytes > 0
    assert not child.busy
    second = run(made, contender)
    assert first.load_seconds is not None
    assert second.load_seconds is None
    assert [again.pid for again in made.children()] == [child.pid]


def test_an_idle_model_is_unloaded_after_a_while(pool, script):
    made = pool(idle_unload_seconds=0.3)
    contender = script("a", [{"say": "a"}])
    run(made, contender)
    pids = [child.pid for child in made.children()]
    wait_until(lambda: not made.children() and all(is_gone(pid) for pid in pids))
    assert run(made, contender).load_seconds is not None


def test_an_idle_child_that_dies_is_noticed_and_replaced(pool, script):
    made = pool()
    contender = script("a", [{"say": "a"}])
    run(made, contender)
    (child,) = made.children()
    psutil.Process(child.pid).kill()
    wait_until(lambda: not made.children())
    result = run(made, contender)
    assert result.status == "ok"
    assert result.load_seconds is not None


def test_a_cancel_that_is_heard_keeps_the_model_warm(pool, script):
    made = pool()
    contender = script("a", [{"say": "listening"}, {"wait": 3600}], [{"say": "again"}])
    told = Told()
    result = run(made, contender, told, cancel=told.spoke)
    assert (result.status, result.stage) == ("cancelled", "transcribe")
    assert result.error is None
    after = run(made, contender)
    assert after.transcript.text == "again"
    assert after.load_seconds is None


def test_a_cancel_of_a_hang_ends_it_and_its_neighbour_runs_on(pool, script, monkeypatch):
    monkeypatch.setattr(limits, "CANCEL_GRACE_SECONDS", 0.2)
    made = pool()
    told = Told()
    result = run(made, script("a", [{"say": "listening"}, {"hang": True}]), told, cancel=told.spoke)
    assert (result.status, result.stage) == ("cancelled", "transcribe")
    assert made.children() == ()
    assert run(made, script("b", [{"say": "fine"}])).status == "ok"


def test_a_cancel_while_loading_is_heard(pool, script):
    made = pool()
    cancel = threading.Event()
    thread, results = in_background(made, script("a", [], load=[{"wait": 3600}]), cancel=cancel)
    cancel.set()
    thread.join(20)
    assert results[0].status == "cancelled"


def test_local_runners_run_one_at_a_time_in_the_order_they_came(pool, script):
    made = pool()
    order: list[tuple[str, str]] = []
    at_work: list[int] = []
    first = script("first", [{"say": "go"}, {"wait": 0.5}])
    contenders = [script(f"later {number}", [{"say": "go"}, {"wait": 0.05}]) for number in range(3)]
    started = threading.Event()

    def follow(contender: Contender) -> None:
        def report(event) -> None:
            if isinstance(event, Running):
                order.append(("begins", contender.name))
                at_work.append(sum(child.busy for child in made.children()))
                started.set()

        made.run(contender, CLIP, report=report, cancel=threading.Event())
        order.append(("ends", contender.name))

    threads = []
    for contender in (first, *contenders):
        threads.append(threading.Thread(target=follow, args=(contender,)))
        threads[-1].start()
        started.wait(20)
        # The next one may come as soon as this one stands in the queue.
        wait_until(lambda: len(made._device._places) + sum(1 for kind, _ in order if kind == "ends") >= len(threads))
    for thread in threads:
        thread.join(20)
    begun = [name for kind, name in order if kind == "begins"]
    assert at_work == [1, 1, 1, 1]
    assert begun == [contender.name for contender in (first, *contenders)]


def test_a_contender_in_the_queue_hears_its_cancel_at_once(pool, script):
    made = pool()
    told, stop = Told(), threading.Event()
    busy, busy_results = in_background(made, script("a", [{"say": "mine"}, {"wait": 3600}]), told=told, cancel=stop)
    assert told.spoke.wait(20)
    cancel = threading.Event()
    waiting, results = in_background(made, script("b", [{"say": "b"}]), cancel=cancel)
    cancel.set()
    waiting.join(20)
    assert results[0].status == "cancelled"
    assert busy.is_alive()
    stop.set()
    busy.join(20)
    assert busy_results[0].status == "cancelled"


def test_what_cannot_run_is_skipped_before_anything_starts(pool, script):
    made = pool()
    odd = RunnerSpec(family="odd", label="Odd", target="nowhere:Odd", requires=("a-package-of-nobody",))
    result = run(made, Contender(odd))
    assert (result.status, result.stage) == ("skipped", "availability")
    assert result.fix
    english = RunnerSpec(family="english", label="English", target="nowhere:Odd", languages=("en",))
    result = run(made, Contender(english, TranscribeOptions(language="de")))
    assert (result.status, result.stage) == ("skipped", "availability")
    assert "'de'" in result.error
    assert made.children() == ()


def test_a_download_that_hangs_does_not_hold_the_device_and_hears_its_cancel(pool, script, monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes a connection and never answers
        monkeypatch.delenv("HF_HUB_OFFLINE")
        monkeypatch.setenv("HF_HOME", str(tmp_path))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        made = pool(downloads=True)
        far = RunnerSpec(family="far", label="Far", target="runners.whisper:Whisper", model="somebody/something")
        told, cancel = Told(), threading.Event()
        thread, results = in_background(made, Contender(far), told=told, cancel=cancel)
        wait_until(lambda: any(isinstance(event, Loading) and event.done_bytes is not None for event in told.events))
        assert run(made, script("near", [{"say": "near"}])).status == "ok"
        assert thread.is_alive()
        cancel.set()
        thread.join(20)
    assert (results[0].status, results[0].stage) == ("cancelled", "load")
    assert [child.name for child in made.children()] == [script("near").name]


def test_a_fault_in_who_listens_is_a_result_too(pool, script):
    def report(event) -> None:
        raise KeyError("gone")

    made = pool()
    result = made.run(script("a", [{"say": "a"}]), CLIP, report=report, cancel=threading.Event())
    assert result.skipped
    assert run(made, script("b", [{"say": "b"}])).status == "ok"


def test_closing_ends_all_children_and_every_run_as_cancelled(pool, script):
    made = pool()
    run(made, script("idle", [{"say": "a"}]))
    told = Told()
    thread, results = in_background(made, script("busy", [{"say": "a"}, {"hang": True}]), told=told)
    assert told.spoke.wait(20)
    waiting, waited = in_background(made, script("waiting", [{"say": "a"}]))
    pids = [child.pid for child in made.children()]
    assert len(pids) == 2
    made.close()
    made.close()
    for each in (thread, waiting):
        each.join(20)
    assert results[0].status == "cancelled"
    assert waited[0].status == "cancelled"
    assert all(is_gone(pid) for pid in pids)
    assert run(made, script("after", [{"say": "a"}])).status == "cancelled"


PARENT = """
import atexit, sys, threading
import numpy as np
from runners.base import Clip, Contender
from runners.catalogue.names import spec_for
from runners.events import Partial
from runners.here.machine import Device, look
from runners.pool import Pool
from runners.settings import Settings

pool = Pool(Settings(), look)
if "tidy" in sys.argv:
    atexit.register(pool.close)
clip = Clip(np.zeros(16, np.float32), 1.0, "a.wav")
hung = threading.Event()

def run(name):
    def report(event):
        if isinstance(event, Partial):
            hung.set()
    pool.run(Contender(spec_for(name)), clip, report=report, cancel=threading.Event())

# On a thread that ends: its children must not end with it.
first = threading.Thread(target=run, args=("scripted",))
first.start()
first.join()
hung.clear()
threading.Thread(target=run, args=("scripted:hangs",), daemon=True).start()
hung.wait()
print(*[child.pid for child in pool.children()], flush=True)
if "exit" not in sys.argv:
    threading.Event().wait()
"""


@pytest.mark.parametrize("end", ["kill", "terminate", "interrupt", "exit", "exit tidy"])
@pytest.mark.skipif(sys.platform != "linux", reason="only this kernel ends a child that holds on to its interpreter")
def test_no_child_outlives_the_app_however_it_ends(end):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *end.split()],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    if end == "kill":
        parent.kill()
    elif end == "terminate":
        parent.terminate()
    elif end == "interrupt":
        parent.send_signal(signal.SIGINT)
    assert parent.wait(20) is not None
    parent.stdout.close()
    wait_until(lambda: all(is_gone(pid) for pid in pids))
