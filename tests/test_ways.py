"""The ways in which a system can run on machines that are not here."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners.base import Availability, RunnerSpec, Server
from runners.catalogue.names import spec_for
from runners.here.availability import availability
from runners.here.machine import Machine
from runners.here.ways import Way, ways
from runners.settings import Settings
from tests.stand_ins import ONLINE, everything_is_installed, gpu, machine


@pytest.fixture(autouse=True)
def _packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    everything_is_installed(monkeypatch, tmp_path)


def there(name: str, here: Machine, settings: Settings = ONLINE) -> dict[str, Way]:
    spec = spec_for(name)
    return {way.asked: way for way in ways(spec, availability(spec, here, settings), here, settings)}


def test_a_machine_with_a_cpu_alone_has_precisions_and_no_devices() -> None:
    assert list(there("whisper", machine())) == ["", "float32", "bfloat16"]
    assert list(there("faster-whisper", machine())) == ["", "int8", "float32"]


def test_beside_a_gpu_the_cpu_is_another_way_in_each_precision_that_it_computes_in() -> None:
    found = there("whisper", machine(gpu()))
    assert list(found) == ["", "float32", "bfloat16", "float16", "cpu", "float32+cpu", "bfloat16+cpu"]
    assert [(way.placement.device, way.placement.dtype) for way in (found[""], found["cpu"])] == [
        ("cuda", "bfloat16"),
        ("cpu", "float32"),
    ]
    assert (found["cpu"].placement.need_bytes or 0) > (found[""].placement.need_bytes or 0)


@pytest.mark.parametrize("asked", ["cpu", "float32+cpu", "float16"])
def test_what_a_way_asks_for_follows_the_systems_name(asked: str) -> None:
    way = there("whisper", machine(gpu()))[asked]
    spec = spec_for(f"whisper+{asked}")
    assert spec.name == f"whisper+{asked}"
    assert (spec.asked_dtype, spec.asked_device) == (way.dtype, way.device)
    assert availability(spec, machine(gpu()), ONLINE).placement == way.placement


def test_a_device_on_which_a_system_does_not_run_or_has_no_room_is_not_offered() -> None:
    assert there("moonshine", machine(gpu())) == {}  # it knows the CPU and one precision
    assert not any(way.device for way in there("faster-whisper", machine(gpu("mps"))).values())
    assert not any(way.device for way in there("phi4-multimodal", machine(gpu(), free_gb=6)).values())
    assert any(way.device == "cpu" for way in there("phi4-multimodal", machine(gpu(), free_gb=15)).values())
    assert not any(way.device for way in there("whisper", machine(gpu(free_gb=0.5))).values())  # it is on the CPU already


def test_each_kind_of_device_is_offered_once() -> None:
    found = there("whisper", machine(gpu(), gpu(), gpu("xpu")))
    assert [way.asked for way in found.values() if way.dtype is None] == ["", "xpu", "cpu"]


def test_where_the_settings_name_a_device_no_other_is_offered() -> None:
    for device in ("cpu", "cuda"):
        found = there("whisper", machine(gpu()), ONLINE.model_copy(update={"device": device}))
        assert {way.placement.device for way in found.values()} == {device}


def test_there_is_nothing_to_choose_where_the_name_or_a_server_has_chosen_or_it_cannot_run() -> None:
    here = machine(gpu())
    assert there("whisper+float16", here) == there("whisper+cpu", here) == {}
    assert there("whisper", here, Settings(downloads=False)) == {}
    served = RunnerSpec("a", "a", "x:Y", model="m", server=Server("lab", "http://x/v1"))
    assert ways(served, Availability("available"), here, ONLINE) == ()
