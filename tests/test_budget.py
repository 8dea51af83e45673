"""Warm models stay within the memory that is theirs: who makes room for whom, and what conversations may keep of it."""

from __future__ import annotations

import threading
from dataclasses import replace

from runners.base import Placement, RunnerSpec
from runners.here.machine import Device, Machine, look
from runners.isolation.budget import Budget
from runners.isolation.warm import WarmModel, WarmModels
from runners.settings import Settings
from tests.pools import Told, ask, in_background, run

GB = 1_000_000_000


class Lent:
    """A worker that holds nothing, and says when it is closed."""

    alive = True
    closed = False

    def close(self) -> None:
        self.closed = True

    def memory_bytes(self) -> None:
        return None


def gpu_machine() -> Machine:
    gpu = Device("cuda", "a stand-in", total_bytes=10 * GB, free_bytes=8 * GB)
    cpu = Device("cpu", "a stand-in", total_bytes=16 * GB, free_bytes=12 * GB)
    return Machine((gpu, cpu), cores=4, memory_total_bytes=16 * GB, memory_free_bytes=12 * GB, probed=True)


def held(warm: WarmModels, name: str, device: str, held_bytes: int) -> WarmModel:
    """An idle model in the table, used after all that are there."""
    model = WarmModel(RunnerSpec(family=name, label=name, target="nowhere:Odd"), Placement(device), Lent(), held_bytes)
    warm.add(model)
    warm.give_back(model)
    return model


def test_what_was_used_least_recently_makes_room(pool, script):
    made = pool(memory_budget_gb=0.2)  # two of these fit
    one, two, three = (script(name, [{"say": name}], load=[{"allocate": 50_000_000}]) for name in ("one", "two", "three"))
    for contender in (one, two, one, three):
        assert run(made, contender).status == "ok"
    assert {child.name for child in made.children()} == {one.name, three.name}
    assert run(made, one).load_seconds is None
    assert run(made, two).load_seconds is not None


def test_what_another_run_is_loading_counts_as_room_to_come(pool, script):
    free_bytes, asked = [400_000_000], threading.Event()

    def machine():
        now = look()
        devices = tuple(replace(device, free_bytes=free_bytes[0]) for device in now.devices)
        seen = replace(now, devices=devices, memory_free_bytes=free_bytes[0])
        asked.set()
        return seen

    made = pool(machine)
    first, cancel = Told(), threading.Event()
    large = script("large", [{"say": "a"}], load=[{"allocate": 300_000_000}, {"say": "held"}, {"wait": 60}])
    loading, _ = in_background(made, large, told=first, cancel=cancel)
    assert first.spoke.wait(20)
    second = script("second", [{"say": "b"}])
    second = replace(second, spec=replace(second.spec, parameters=40_000_000))  # needs about 500 MB
    asked.clear()
    waiting, results = in_background(made, second)
    assert asked.wait(20)
    free_bytes[0] = 700_000_000  # as it is once the first has given way
    cancel.set()
    loading.join()
    waiting.join()
    assert [(result.status, result.error) for result in results] == [("ok", None)]


def test_a_model_larger_than_the_budget_runs_but_does_not_stay(pool, script):
    made = pool(memory_budget_gb=0.02)
    assert run(made, script("a", [{"say": "a"}])).status == "ok"
    assert made.children() == ()


def test_conversations_are_kept_within_the_memory_that_the_settings_give_them(pool, script):
    contender = script("a", answers=[[{"say": "yes"}]])
    small, large = pool(chat_memory_gb=30e-6), pool()  # a token takes 1000 bytes, a turn 27 tokens
    for made, reused in ((small, [0, 0, 25, 0, 0]), (large, [0, 0, 25, 25, 25])):
        names = ("one", "two", "two", "one", "two")
        assert [ask(made, contender, conversation=name).usage.reused_tokens for name in names] == reused


def test_each_devices_models_make_room_on_that_device_alone():
    warm = WarmModels()
    budget = Budget(Settings(), gpu_machine, warm)
    old, new, other = held(warm, "old", "cuda", 2 * GB), held(warm, "new", "cuda", GB), held(warm, "other", "cpu", 5 * GB)
    budget.make_room(Placement("cuda", need_bytes=2 * GB))  # half of what was free is 4 GB
    assert [model.worker.closed for model in (old, new, other)] == [True, False, False]


def test_a_model_that_is_spread_over_all_devices_is_left_alone_with_them():
    warm = WarmModels()
    models = [held(warm, "one", "cuda", GB), held(warm, "two", "cpu", GB)]
    Budget(Settings(), gpu_machine, warm).make_room(Placement("cuda", spread=True))
    assert all(model.worker.closed for model in models)


def test_the_model_used_last_stays_unless_somebody_set_a_budget_that_it_does_not_fit():
    for budget_gb, stays in ((None, True), (1, False)):
        warm = WarmModels()
        large = held(warm, "large", "cuda", 7 * GB)
        budget = Budget(Settings(memory_budget_gb=budget_gb), gpu_machine, warm)
        budget.settle_loaded(large)
        assert not large.worker.closed
        budget.settle_idle(large)
        assert large.worker.closed is not stays


def test_conversations_may_keep_a_quarter_of_what_is_free():
    warm = WarmModels()
    held(warm, "a", "cuda", 2 * GB)
    budget = Budget(Settings(), gpu_machine, warm)
    assert budget.cache_bytes(Placement("cpu")) == 3 * GB
    assert budget.cache_bytes(Placement("cuda")) == 1.5 * GB  # 8 GB were free before the model was there
    assert budget.cache_bytes(Placement("xpu")) is None
