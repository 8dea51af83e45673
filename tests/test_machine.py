"""What a machine offers, from canned answers of drivers that are not here."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runners.catalogue.names import spec_for
from runners.here.machine import Device, Machine, describe, look, probe, refresh, with_answer
from runners.here.places import place
from runners.settings import Settings

GB = 1_000_000_000
PLAIN = Machine(
    devices=(Device("cpu", "a processor", 16 * GB, 9 * GB, shares_main_memory=True),),
    cores=8,
    memory_total_bytes=16 * GB,
    memory_free_bytes=9 * GB,
)


class Array:
    """Stands in for a tensor: only that computing with it works."""

    def __mul__(self, factor: int) -> Array:
        return self

    def sum(self) -> Array:
        return self

    def item(self) -> float:
        return 32.0


def fake_torch(*, hip: str | None = None, cuda: Any = None, xpu: Any = None, mps: Any = None, ones: Any = None) -> Any:
    """A module shaped like torch, for hardware that is not here."""
    absent = SimpleNamespace(is_available=lambda: False)
    return SimpleNamespace(
        __version__="2.13.0",
        version=SimpleNamespace(hip=hip),
        cuda=cuda or absent,
        xpu=xpu or absent,
        mps=mps,
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps is not None)),
        bfloat16="bfloat16",
        ones=ones or (lambda *shape, **options: Array()),
    )


def fake_cuda(properties: Any, free_bytes: int, total_bytes: int, capability: tuple[int, int] = (8, 0)) -> Any:
    return SimpleNamespace(
        is_available=lambda: True,
        device_count=lambda: 1,
        get_device_properties=lambda index: properties,
        mem_get_info=lambda index: (free_bytes, total_bytes),
        get_device_capability=lambda index: capability,
        is_bf16_supported=lambda: True,
    )


def seen(torch: Any) -> Machine:
    """What the parent makes of the child's answer."""
    return with_answer(PLAIN, "a library's banner\n" + json.dumps(describe(torch)) + "\n")


def test_an_nvidia_gpu() -> None:
    machine = seen(fake_torch(cuda=fake_cuda(SimpleNamespace(name="H200"), 140 * GB, 150 * GB)))
    assert machine.devices[0] == Device("cuda", "H200", 150 * GB, 140 * GB, has_bfloat16=True)
    assert machine.devices[-1].kind == "cpu"
    assert machine.torch_version == "2.13.0"


def test_an_old_nvidia_gpu_has_no_bfloat16_of_its_own() -> None:
    machine = seen(fake_torch(cuda=fake_cuda(SimpleNamespace(name="T4"), 14 * GB, 15 * GB, capability=(7, 5))))
    assert not machine.devices[0].has_bfloat16


def test_rocm_is_told_apart_from_cuda() -> None:
    properties = SimpleNamespace(name="Radeon PRO", gcnArchName="gfx1100:sramecc-")
    machine = seen(fake_torch(hip="7.1", cuda=fake_cuda(properties, 40 * GB, 48 * GB)))
    assert machine.device("cuda") is None
    assert machine.devices[0] == Device("rocm", "Radeon PRO (gfx1100)", 48 * GB, 40 * GB, has_bfloat16=True)


@pytest.mark.parametrize(
    "properties",
    [
        SimpleNamespace(name="Radeon 8060S", gcnArchName="gfx1151"),
        SimpleNamespace(name="Radeon 8060S", gcnArchName="gfx9999", is_integrated=1),
    ],
    ids=["known by its name", "known by what torch says"],
)
def test_a_gpu_in_the_processor_has_the_memory_its_driver_offers(properties: Any) -> None:
    machine = seen(fake_torch(hip="7.1", cuda=fake_cuda(properties, 90 * GB, 96 * GB)))
    device = machine.devices[0]
    assert device.shares_main_memory
    assert (device.total_bytes, device.free_bytes) == (96 * GB, 90 * GB)  # not the 9 GB of main memory


def test_more_free_than_in_total_is_not_believed() -> None:
    properties = SimpleNamespace(name="Radeon 8060S", gcnArchName="gfx1151")
    machine = seen(fake_torch(hip="7.1", cuda=fake_cuda(properties, 120 * GB, 62 * GB)))
    assert machine.devices[0].free_bytes == 62 * GB


def test_an_apple_gpu() -> None:
    mps = SimpleNamespace(recommended_max_memory=lambda: 12 * GB, driver_allocated_memory=lambda: 1 * GB)
    machine = seen(fake_torch(mps=mps))
    assert machine.devices[0] == Device("mps", "Apple GPU", 12 * GB, 11 * GB, has_bfloat16=True, shares_main_memory=True)


def test_an_apple_gpu_that_refuses_bfloat16() -> None:
    def ones(*shape: int, dtype: str | None = None, **options: Any) -> Array:
        if dtype == "bfloat16":
            raise TypeError("BFloat16 is not supported on MPS")
        return Array()

    mps = SimpleNamespace(recommended_max_memory=lambda: 12 * GB, driver_allocated_memory=lambda: 0)
    assert not seen(fake_torch(mps=mps, ones=ones)).devices[0].has_bfloat16


@pytest.mark.parametrize("tells_free", [True, False])
def test_an_intel_gpu_whose_driver_may_not_tell_what_is_free(tells_free: bool) -> None:
    def mem_get_info(index: int) -> tuple[int, int]:
        if not tells_free:
            raise RuntimeError("The device does not support querying the available free memory")
        return 7 * GB, 8 * GB

    xpu = SimpleNamespace(
        is_available=lambda: True,
        device_count=lambda: 1,
        get_device_properties=lambda index: SimpleNamespace(name="Arc", total_memory=8 * GB),
        mem_get_info=mem_get_info,
        is_bf16_supported=lambda: True,
    )
    device = seen(fake_torch(xpu=xpu)).devices[0]
    assert (device.kind, device.total_bytes, device.free_bytes) == ("xpu", 8 * GB, 7 * GB if tells_free else 8 * GB)


def test_a_gpu_that_cannot_compute_is_left_out_with_a_note() -> None:
    def ones(*shape: int, **options: Any) -> Array:
        raise RuntimeError("no kernel image is available for execution on the device\nmore lines")

    machine = seen(fake_torch(cuda=fake_cuda(SimpleNamespace(name="old"), GB, GB), ones=ones))
    assert [device.kind for device in machine.devices] == ["cpu"]
    assert machine.notes == ("cuda: RuntimeError: no kernel image is available for execution on the device",)


@pytest.mark.parametrize(
    "answer",
    ["", "not json", "[1, 2]", '{"devices": 3}', '{"devices": [1, null, {"kind": "tpu"}, {"kind": "cpu"}]}', "[" * 100_000],
)
def test_a_strange_answer_leaves_the_cpu(answer: str) -> None:
    assert with_answer(PLAIN, answer).devices == PLAIN.devices


def test_strange_numbers_are_unknown_not_believed() -> None:
    answer = {"devices": [{"kind": "cuda", "total_bytes": "lots", "free_bytes": 1.5, "has_bfloat16": "yes"}], "notes": 3}
    assert with_answer(PLAIN, json.dumps(answer)).devices[0] == Device("cuda", "cuda")


def test_this_machine_is_looked_at_without_torch() -> None:
    machine = look()
    assert machine.cores >= 1
    assert 0 < machine.memory_free_bytes <= machine.memory_total_bytes
    assert [device.kind for device in machine.devices] == ["cpu"]
    assert not machine.probed


def test_the_real_child_answers() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    machine = probe()
    assert machine.probed
    assert machine.torch_version
    assert machine.devices[-1].kind == "cpu"


@pytest.mark.parametrize(
    ("script", "note"),
    [
        ("import os; os.abort()", "SIGABRT"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("raise SystemExit('the driver is broken')", "the driver is broken"),
        ("print('hello')", "no answer"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_driver_that_crashes_leaves_the_cpu_and_a_note(script: str, note: str) -> None:
    machine = probe(command=(sys.executable, "-c", script))
    assert machine.probed
    assert [device.kind for device in machine.devices] == ["cpu"]
    assert note in machine.notes[0]


def test_a_driver_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    # A child that cannot even be told to stop, with a child of its own that holds its output open.
    script = (
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.run([sys.executable, '-c', 'import signal; signal.pause()'])\n"
    )
    machine = probe(timeout_seconds=0.5, command=(sys.executable, "-c", script))
    assert [device.kind for device in machine.devices] == ["cpu"]
    assert "did not answer" in machine.notes[0]


def test_no_program_to_ask_with_leaves_the_cpu() -> None:
    machine = probe(command=("/no/such/program",))
    assert [device.kind for device in machine.devices] == ["cpu"]
    assert machine.notes


def test_the_child_is_told_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    script = "import json, os; print(json.dumps({'devices': [], 'notes': [str('HF_TOKEN' in os.environ)]}))"
    assert probe(command=(sys.executable, "-c", script)).notes == ("False",)


def _tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


MB = 1 << 20
TREES: dict[str, Callable[[Path], Path]] = {
    "version 2 in a container": lambda root: _tree(
        root,
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": f"{200 * MB}\n",
            "sys/fs/cgroup/memory.current": f"{150 * MB}\n",
            "sys/fs/cgroup/memory.stat": f"anon 1\ninactive_file {50 * MB}\n",
            "sys/fs/cgroup/cpu.max": "50000 100000\n",
        },
    ),
    "version 2, limit at the parent": lambda root: _tree(
        root,
        {
            "proc/self/cgroup": "0::/user/app\n",
            "sys/fs/cgroup/user/app/memory.max": "max\n",
            "sys/fs/cgroup/user/app/cpu.max": "max 100000\n",
            "sys/fs/cgroup/user/memory.max": f"{200 * MB}\n",
            "sys/fs/cgroup/user/memory.current": f"{100 * MB}\n",
            "sys/fs/cgroup/user/cpu.max": "100000 100000\n",
        },
    ),
    "version 1, the host's path": lambda root: _tree(
        root,
        {
            "proc/self/cgroup": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{200 * MB}\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{100 * MB}\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
    ),
}


@pytest.mark.parametrize("kind", TREES)
def test_a_containers_limits_count(kind: str, tmp_path: Path) -> None:
    machine = look(TREES[kind](tmp_path))
    assert machine.memory_total_bytes == 200 * MB
    assert machine.memory_free_bytes == 100 * MB
    assert machine.devices[0].free_bytes == 100 * MB
    assert machine.cores == 1


@pytest.mark.parametrize("text", ["max", "-1", "", "lots", str(1 << 63)])
def test_no_limit_is_no_limit(text: str, tmp_path: Path) -> None:
    root = _tree(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": text, "sys/fs/cgroup/cpu.max": text})
    assert look(root).memory_total_bytes == look().memory_total_bytes
    assert look(root).cores == look().cores


def test_refreshing_keeps_the_gpu_and_renews_the_memory() -> None:
    old = replace(PLAIN, devices=(Device("cuda", "H200", 150 * GB, 140 * GB), *PLAIN.devices), memory_free_bytes=1, probed=True)
    new = refresh(old)
    assert new.probed
    assert new.devices[0] == old.devices[0]
    assert new.memory_free_bytes > 1
    assert new.devices[-1].free_bytes == new.memory_free_bytes


def test_an_apple_gpu_has_no_more_free_than_the_main_memory() -> None:
    machine = refresh(replace(PLAIN, devices=(Device("mps", "Apple GPU", 1 << 60, 1 << 60), *PLAIN.devices)))
    assert machine.devices[0].free_bytes == machine.memory_free_bytes


def test_what_a_warm_model_would_give_back_counts_on_its_device_alone() -> None:
    machine = replace(PLAIN, devices=(Device("cuda", "small", 8 * GB, 1 * GB), *PLAIN.devices))
    freed = machine.giving_back("cuda", 5 * GB)
    assert freed.devices[0].free_bytes == 6 * GB
    assert freed.memory_free_bytes == machine.memory_free_bytes
    assert machine.giving_back("cpu", GB).memory_free_bytes == 10 * GB


def test_on_zero_gpu_models_are_placed_on_the_gpu_that_each_call_is_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    found = probe(command=("no", "child", "is", "asked"))
    assert [device.kind for device in found.devices] == ["cuda", "cpu"]
    settings = Settings()
    assert settings.isolation == "inline"
    placement = place(spec_for("whisper"), found, settings)
    assert (placement.device, placement.dtype) == ("cuda", "bfloat16")


@pytest.mark.parametrize(
    ("line", "computes"),
    [
        ("flags\t\t: fpu sse2 avx512f avx512_bf16", True),
        ("flags\t\t: fpu amx_bf16 amx_tile", True),
        ("Features\t: fp asimd i8mm bf16", True),
        ("flags\t\t: fpu sse2 avx512f avx2", False),
        ("bugs\t\t: avx512_bf16", False),
        ("", False),
    ],
)
def test_a_processor_that_computes_in_bfloat16_is_known_by_its_flags(line: str, computes: bool, tmp_path: Path) -> None:
    text = f"processor\t: 0\nmodel name\t: A Processor\n{line}\n\nprocessor\t: 1\nmodel name\t: A Processor\n{line}\n"
    device = look(_tree(tmp_path, {"proc/cpuinfo": text})).devices[0]
    assert (device.name, device.has_bfloat16) == ("A Processor", computes)
