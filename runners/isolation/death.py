"""When a runner's process dies: with its parent; and why it died, in plain words.

A kill by the kernel's out-of-memory killer looks like any other SIGKILL from outside; the kernel counts its own, so the
counts before and after are held against each other.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from runners.base import RunnerCrashed

_CRASHES = {
    "SIGSEGV": "segmentation fault",
    "SIGABRT": "aborted",
    "SIGBUS": "bus error",
    "SIGFPE": "arithmetic fault",
    "SIGILL": "illegal instruction: its library was built for another kind of processor",
}
# What GetExitCodeProcess gives for the same faults on Windows (ntstatus.h), as Python shows it.
_WINDOWS_CRASHES = {0xC0000005: "SIGSEGV", 0xC000001D: "SIGILL", 0xC0000409: "SIGABRT", 0xC00000FD: "SIGSEGV"}

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LESS_MEMORY = "Choose a smaller model or a smaller precision, or close other programs."
_ANOTHER = "The next run starts it afresh. If it happens again, the last lines of its log say more."


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends, where the kernel can (Linux)."""
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it was gone before the kernel was asked
        os._exit(0)


def oom_kills() -> dict[str, int]:
    """How often the kernel has killed for lack of memory: of this process's control group, and of the machine.

    Empty where the kernel does not say (other systems than Linux, some containers).
    """
    counts: dict[str, int] = {}
    for source in (_own_group() / "memory.events", Path("/sys/fs/cgroup/memory/memory.oom_control"), Path("/proc/vmstat")):
        with suppress(OSError, ValueError):
            for line in source.read_text(encoding="ascii", errors="replace").splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    counts[str(source)] = int(count)
    return counts


def crashed(returncode: int | None, before: dict[str, int], after: dict[str, int]) -> RunnerCrashed:
    """What an unexpected end was.

    Args:
        returncode: as ``subprocess`` gives it, negative for a signal; None if the process did not even end.
        before: ``oom_kills()`` when the job began.
        after: ``oom_kills()`` now.
    """
    if returncode is None:
        return RunnerCrashed("Its process closed its pipe but did not end; it was killed.", _ANOTHER)
    if returncode >= 0 and returncode not in _WINDOWS_CRASHES:
        return RunnerCrashed(f"Its process ended by itself with exit code {returncode}.", _ANOTHER)
    name = _WINDOWS_CRASHES.get(returncode) or _signal_name(-returncode)
    if name == "SIGKILL":
        if any(count > before.get(source, count) for source, count in after.items()):
            return RunnerCrashed("Its process was killed by the kernel: out of memory.", _LESS_MEMORY)
        return RunnerCrashed(
            "Its process was killed (signal 9); the usual cause is the kernel's out-of-memory killer.", _LESS_MEMORY
        )
    if name in _CRASHES:
        return RunnerCrashed(f"Its process crashed ({_CRASHES[name]}).", _ANOTHER)
    return RunnerCrashed(f"Its process was ended by {name}.", _ANOTHER)


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _own_group() -> Path:
    """The folder of this process's control group (version 2), where its children are too."""
    root = Path("/sys/fs/cgroup")
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            if line.startswith("0::"):
                own = root / line[3:].lstrip("/")
                return own if own.is_dir() else root
    return root
