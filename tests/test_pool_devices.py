"""A device that fails its trial leaves the work to the CPU, with the reason; one that was chosen does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runners.base import Contender
from runners.here.machine import Device, Machine, look
from runners.pool import Pool
from tests.pools import ask, run


@pytest.fixture
def pool_with(pool):
    """Make a pool on a machine that says it has this accelerator."""

    def of(kind: str, free_bytes: int = 8_000_000_000, **settings) -> Pool:
        gpu = Device(kind, "a stand-in", total_bytes=free_bytes, free_bytes=free_bytes, has_bfloat16=True)

        def machine() -> Machine:
            now = look()
            return replace(now, devices=(gpu, *now.devices), probed=True)

        return pool(machine, **settings)

    return of


def on_gpu(contender: Contender) -> Contender:
    return replace(contender, spec=replace(contender.spec, devices=("cpu", "cuda", "rocm")))


UNFIT = {"raise": "The trial gave nonsense.", "fix": "Update the driver.", "kind": "device", "on": "gpu"}


@pytest.mark.parametrize(
    ("kind", "step", "reason"),
    [
        ("rocm", UNFIT, "The trial gave nonsense."),
        ("cuda", UNFIT, "The trial gave nonsense."),
        ("rocm", {"exit": 3, "on": "gpu"}, "While it was loaded on the GPU: Its process ended by itself with exit code 3."),
        ("rocm", {"hang": True, "on": "gpu"}, "While it was loaded on the GPU: It took longer than 3 s to load."),
    ],
)
def test_a_device_that_turns_out_unfit_leaves_the_work_to_the_cpu_and_says_why(pool_with, script, kind, step, reason):
    made = pool_with(kind, load_timeout_seconds=3)
    contender = on_gpu(script("a", [{"say": "heard"}], load=[step], answers=[[{"say": "said"}]]))
    result = run(made, contender)
    assert (result.status, result.device, result.transcript.text) == ("ok", "cpu", "heard")
    assert result.transcript.notes == (f"ran on the CPU: {reason}",)
    answer = ask(made, contender)
    assert (answer.status, answer.device, answer.load_seconds) == ("ok", "cpu", None)  # it is not tried again
    assert answer.usage.notes == result.transcript.notes
    assert len(made.children()) == 1


@pytest.mark.parametrize(
    ("step", "error"),
    [({"exit": 3, "on": "gpu"}, "exit code 3"), ({"raise": "damaged", "kind": "load", "on": "gpu"}, "damaged")],
)
def test_a_fault_that_is_not_the_devices_is_told_as_it_is(pool_with, script, step, error):
    result = run(pool_with("cuda"), on_gpu(script("a", [{"say": "a"}], load=[step])))
    assert (result.status, result.stage, result.device) == ("skipped", "load", "cuda")
    assert error in result.error


def test_a_device_that_the_deployer_chose_is_not_replaced(pool_with, script):
    result = run(pool_with("rocm", device="rocm"), on_gpu(script("a", [{"say": "a"}], load=[UNFIT])))
    assert (result.status, result.error, result.fix) == ("skipped", "The trial gave nonsense.", "Update the driver.")


def test_an_unfit_device_and_no_room_on_the_cpu_is_skipped_with_both_reasons(pool_with, script):
    contender = on_gpu(script("a", [{"say": "a"}], load=[UNFIT]))
    contender = replace(contender, spec=replace(contender.spec, parameters=10**15))
    made = pool_with("rocm", free_bytes=10**17)
    for _ in range(2):
        result = run(made, contender)
        assert (result.status, result.stage) == ("skipped", "availability")
        assert result.error.startswith("The trial gave nonsense. On the CPU: Needs")
        assert result.fix
