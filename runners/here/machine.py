"""What this machine offers: processors, memory, and the accelerators that PyTorch can really use.

``look`` is cheap and imports nothing heavy. ``probe`` asks a child, ``python -m runners.here.machine``, which imports torch
and prints JSON: a driver that crashes or hangs takes the child with it and nothing else.

This module does not know how much any model needs (``runners.here.need``).
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import psutil

from runners.base import DeviceKind
from runners.here.control_groups import memory_limits, processor_quotas, text_at
from runners.isolation.death import die_with
from runners.settings import on_zero_gpu

PROBE_TIMEOUT_SECONDS = 60.0
"""Importing torch takes 2 to 10 s, waking a GPU's driver for the first time as long again."""

_SHARING_GPUS = (
    "gfx902", "gfx909", "gfx90c", "gfx1013", "gfx1033", "gfx1035", "gfx1036", "gfx1037",
    "gfx1103", "gfx1150", "gfx1151", "gfx1152", "gfx1153",
)  # fmt: skip
"""AMD's names for graphics inside a processor (Strix Halo is gfx1151), for versions of torch that do not say it."""

_HALF_ON_CPUS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
"""What Linux calls instructions that compute in bfloat16: Intel's matrix tiles, x86's vectors, Arm's (``FEAT_BF16``)."""


@dataclass(frozen=True)
class Device:
    """Something a model can run on."""

    kind: DeviceKind
    name: str
    total_bytes: int | None = None
    """Memory that the driver offers; on a GPU that shares the main memory this can be less, or more, than half of it."""
    free_bytes: int | None = None
    """What was free when the device was asked."""
    has_bfloat16: bool = False
    """It has instructions for it; a CPU without them computes in it all the same, slowly."""
    shares_main_memory: bool = False


ZERO_GPU = Device("cuda", "ZeroGPU", 70_000_000_000, 70_000_000_000, has_bfloat16=True)
"""What a Space with ZeroGPU is lent by default: a part of an H200 with 70 GB, says the hub's documentation."""


@dataclass(frozen=True)
class Machine:
    """One look at a machine. The first device of a kind is the one that PyTorch uses by default."""

    devices: tuple[Device, ...]
    """Accelerators first, the CPU last."""
    cores: int
    """Processors that this process may use, fractions of one rounded up."""
    memory_total_bytes: int
    """Main memory, or a container's limit where that is lower."""
    memory_free_bytes: int
    """Main memory that can still be had without swapping."""
    probed: bool = False
    """True if accelerators were asked for; False means that they are unknown, not that there are none."""
    torch_version: str | None = None
    """As installed, "2.13.0+cpu"; None if not asked or not installed."""
    notes: tuple[str, ...] = ()
    """What went wrong while asking."""

    def device(self, kind: DeviceKind) -> Device | None:
        """The first device of a kind, if there is one."""
        return next((device for device in self.devices if device.kind == kind), None)

    @property
    def accelerators(self) -> tuple[Device, ...]:
        return tuple(device for device in self.devices if device.kind != "cpu")

    def giving_back(self, kind: DeviceKind, freed_bytes: int) -> Machine:
        """The machine as it would be if so much were freed on a device, e.g. by unloading a warm model."""
        devices = tuple(
            replace(device, free_bytes=device.free_bytes + freed_bytes)
            if device.kind == kind and device.free_bytes is not None
            else device
            for device in self.devices
        )
        freed_main_bytes = freed_bytes if kind == "cpu" else 0
        return replace(self, devices=devices, memory_free_bytes=self.memory_free_bytes + freed_main_bytes)


def look(root: Path = Path("/")) -> Machine:
    """Processors and main memory alone, within a container's limits. ``root`` is where ``proc`` and ``sys`` are."""
    memory = psutil.virtual_memory()
    total_bytes, free_bytes = int(memory.total), int(memory.available)
    for limit in memory_limits(root):
        total_bytes = min(total_bytes, limit.limit_bytes)
        free_bytes = min(free_bytes, max(0, limit.limit_bytes - limit.used_bytes))
    cores = float(visible_cores())
    for quota in processor_quotas(root):
        cores = min(cores, quota)
    return Machine(
        devices=(_cpu(total_bytes, free_bytes, root),),
        cores=max(1, math.ceil(cores)),
        memory_total_bytes=total_bytes,
        memory_free_bytes=free_bytes,
    )


def visible_cores() -> int:
    """Processors that libraries count when they choose how many threads to start; a container may grant less of them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def refresh(machine: Machine) -> Machine:
    """The same machine with its main memory as it is now; what GPUs have free is as old as the last ``probe``."""
    now = look()
    devices = []
    for device in machine.accelerators:
        if device.kind == "mps" and device.total_bytes is not None:  # its memory is the main memory, up to a share of it
            devices.append(replace(device, free_bytes=min(device.total_bytes, now.memory_free_bytes)))
        else:
            devices.append(device)
    return replace(
        machine,
        devices=(*devices, *now.devices),
        memory_total_bytes=now.memory_total_bytes,
        memory_free_bytes=now.memory_free_bytes,
    )


def probe(timeout_seconds: float = PROBE_TIMEOUT_SECONDS, command: tuple[str, ...] | None = None) -> Machine:
    """Ask a child for accelerators. Never raises: what goes wrong leaves the CPU, with a note that says why.

    ``command`` is what the child runs; by default ``python -m runners.here.machine``.
    """
    machine = replace(look(), probed=True)
    if on_zero_gpu():  # it is there only while a call holds it, so it cannot be asked
        return replace(machine, devices=(ZERO_GPU, *machine.devices))
    if command is None:
        if importlib.util.find_spec("torch") is None:
            return replace(machine, notes=("PyTorch is not installed, so no GPU was looked for.",))
        command = (sys.executable, "-m", "runners.here.machine", str(os.getpid()))
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as log:  # files: a grandchild cannot hold them up
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                cwd=Path(__file__).resolve().parents[2],
                env={name: value for name, value in os.environ.items() if "TOKEN" not in name and "SECRET" not in name},
                start_new_session=os.name == "posix",
            )
        except OSError as error:
            return replace(machine, notes=(f"GPUs could not be looked for: {error.strerror}. Only the CPU is used.",))
        try:
            exit_code = child.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return replace(
                machine,
                notes=(f"The GPU driver did not answer within {timeout_seconds:.0f} s. Only the CPU is used.",),
            )
        finally:
            _end(child)
        if exit_code != 0:
            return replace(machine, notes=(f"Looking for GPUs failed: {_why(exit_code, log)}. Only the CPU is used.",))
        output.seek(0)
        return with_answer(machine, output.read(1_000_000).decode("utf-8", "replace"))


def with_answer(machine: Machine, text: str) -> Machine:
    """Add what the child printed: its last line that is a JSON object, since libraries print as they please."""
    answer: dict[str, Any] | None = None
    for line in text.splitlines():
        with suppress(ValueError, RecursionError):
            value = json.loads(line)
            if isinstance(value, dict) and isinstance(value.get("devices"), list):
                answer = value
    if answer is None:
        return replace(machine, notes=("Looking for GPUs gave no answer. Only the CPU is used.",))
    devices = [device for row in answer["devices"] if (device := _device(row)) is not None]
    version, notes = answer.get("torch_version"), answer.get("notes")
    return replace(
        machine,
        devices=(*devices, *(device for device in machine.devices if device.kind == "cpu")),
        torch_version=version if isinstance(version, str) else None,
        notes=tuple(str(note) for note in notes) if isinstance(notes, list) else (),
    )


def describe(torch: Any) -> dict[str, Any]:
    """What PyTorch sees, as plain data. ``torch`` is the imported module; called only in the child."""
    notes: list[str] = []
    devices: list[dict[str, Any]] = []
    for kind, ask in (("cuda", _cuda_devices), ("xpu", _xpu_devices), ("mps", _mps_devices)):
        try:
            devices += ask(torch)
        except Exception as error:  # a driver may fail in any way; the next kind may still work
            first_line = (str(error).splitlines() or [""])[0][:200]
            notes.append(f"{kind}: {type(error).__name__}: {first_line}")
    return {"torch_version": str(torch.__version__), "devices": devices, "notes": notes}


def main() -> int:
    """The child's side of ``probe``: print one line of JSON. A parent's process id ends it with that parent."""
    if len(sys.argv) > 1:
        die_with(int(sys.argv[1]))
    import torch

    answer = json.dumps(describe(torch))
    sys.stdout.write(f"\n{answer}\n")
    sys.stdout.flush()
    return 0


def _cpu(total_bytes: int, free_bytes: int, root: Path) -> Device:
    fields = [line.partition(":") for line in text_at(root / "proc" / "cpuinfo").splitlines()]
    says = {name.strip(): value.strip() for name, _, value in fields}
    name = says.get("model name") or platform.processor() or platform.machine() or "CPU"
    abilities = {*says.get("flags", "").split(), *says.get("Features", "").split()}
    return Device("cpu", name, total_bytes, free_bytes, has_bfloat16=bool(_HALF_ON_CPUS & abilities), shares_main_memory=True)


def _device(row: Any) -> Device | None:
    if not isinstance(row, dict) or row.get("kind") not in get_args(DeviceKind) or row["kind"] == "cpu":
        return None
    total_bytes = row.get("total_bytes") if type(row.get("total_bytes")) is int else None
    free_bytes = row.get("free_bytes") if type(row.get("free_bytes")) is int else None
    if free_bytes is not None and total_bytes is not None:
        # Seen on AMD APUs: more reported free (all shared memory) than in total (what one process can have).
        free_bytes = min(free_bytes, total_bytes)
    return Device(
        kind=row["kind"],
        name=str(row.get("name") or row["kind"]),
        total_bytes=total_bytes,
        free_bytes=free_bytes,
        has_bfloat16=row.get("has_bfloat16") is True,
        shares_main_memory=row.get("shares_main_memory") is True,
    )


def _try_out(torch: Any, device: str) -> None:
    """Compute something: a device that is listed but has no code for it (an old or unknown GPU) fails here, not later."""
    (torch.ones(16, device=device) * 2).sum().item()


def _cuda_devices(torch: Any) -> list[dict[str, Any]]:
    if not torch.cuda.is_available():
        return []
    rocm = getattr(torch.version, "hip", None) is not None
    found = []
    for index in range(torch.cuda.device_count()):
        _try_out(torch, f"cuda:{index}")
        properties = torch.cuda.get_device_properties(index)
        free_bytes, total_bytes = torch.cuda.mem_get_info(index)
        name = getattr(properties, "name", "GPU")
        architecture = str(getattr(properties, "gcnArchName", "")).partition(":")[0]
        found.append(
            {
                "kind": "rocm" if rocm else "cuda",
                "name": f"{name} ({architecture})" if rocm and architecture else name,
                "total_bytes": int(total_bytes),
                "free_bytes": int(free_bytes),
                "has_bfloat16": _has_bfloat16(torch, index, rocm),
                "shares_main_memory": bool(getattr(properties, "is_integrated", False)) or architecture in _SHARING_GPUS,
            }
        )
    return found


def _has_bfloat16(torch: Any, index: int, rocm: bool) -> bool:
    """True if the hardware computes in bfloat16: newer versions of torch also say yes where it is only imitated."""
    if rocm:
        return bool(torch.cuda.is_bf16_supported())
    major, _ = torch.cuda.get_device_capability(index)
    return bool(major >= 8)  # Ampere, compute capability 8.0, is the first that has it


def _xpu_devices(torch: Any) -> list[dict[str, Any]]:
    xpu = getattr(torch, "xpu", None)
    if xpu is None or not xpu.is_available():
        return []
    found = []
    for index in range(xpu.device_count()):
        _try_out(torch, f"xpu:{index}")
        properties = xpu.get_device_properties(index)
        total_bytes = free_bytes = getattr(properties, "total_memory", None)
        with suppress(Exception):  # drivers of integrated graphics do not tell what is free
            free_bytes, total_bytes = xpu.mem_get_info(index)
        supports = getattr(xpu, "is_bf16_supported", None)
        found.append(
            {
                "kind": "xpu",
                "name": getattr(properties, "name", "Intel GPU"),
                "total_bytes": total_bytes,
                "free_bytes": free_bytes,
                "has_bfloat16": bool(supports()) if supports else False,
                "shares_main_memory": bool(getattr(properties, "is_integrated", False)),
            }
        )
    return found


def _mps_devices(torch: Any) -> list[dict[str, Any]]:
    backends = getattr(torch, "backends", None)
    mps = getattr(backends, "mps", None)
    if mps is None or not mps.is_available():
        return []
    _try_out(torch, "mps")
    total_bytes = int(torch.mps.recommended_max_memory())
    has_bfloat16 = False
    with suppress(Exception):  # macOS 13 refuses the type
        torch.ones(2, device="mps", dtype=torch.bfloat16).sum().item()
        has_bfloat16 = True
    return [
        {
            "kind": "mps",
            "name": "Apple GPU",
            "total_bytes": total_bytes,
            "free_bytes": max(0, total_bytes - int(torch.mps.driver_allocated_memory())),
            "has_bfloat16": has_bfloat16,
            "shares_main_memory": True,
        }
    ]


def _end(child: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)  # whatever it started as well
    else:
        with suppress(OSError):
            child.kill()
    with suppress(subprocess.TimeoutExpired):
        child.wait(5)  # a process stuck in a driver cannot be killed; it is not waited for


def _why(exit_code: int, log: Any) -> str:
    if exit_code < 0:
        with suppress(ValueError):
            return f"it was ended by {signal.Signals(-exit_code).name}"
    log.seek(0, os.SEEK_END)
    log.seek(max(0, log.tell() - 2000))
    lines = [line.strip() for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1][:200] if lines else f"it exited with {exit_code}"


if __name__ == "__main__":
    sys.exit(main())
