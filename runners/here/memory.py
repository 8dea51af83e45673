"""How much memory this process and its device hold, and when the device is done: read where it is used, in the child.

PyTorch is asked only if the runner has imported it already. What a library allocates on a GPU without PyTorch
(CTranslate2) is not seen here: unknown, None.
"""

from __future__ import annotations

import gc
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from runners.base import Placement

OWN_MEMORY = ("cuda", "rocm", "xpu")
"""Devices whose memory is counted apart from the main memory."""

_SHORTAGE = ("out of memory", "can't allocate memory", "cannot allocate memory", "failed to allocate", "not enough memory")


def synchronise(placement: Placement) -> None:
    """Wait until the device has done what it was given; a clock that does not wait measures the queueing."""
    device = _torch_device(placement)
    if device is not None:
        _of_each(device, "synchronize", placement)


def held_bytes(placement: Placement) -> int | None:
    """Bytes held now: on the device where it has memory of its own, else resident in this process."""
    if placement.device in OWN_MEMORY:
        device = _torch_device(placement)
        return sum(_of_each(device, "memory_reserved", placement)) if device is not None else None
    return resident_bytes()


def peak_bytes(placement: Placement) -> int | None:
    """The most bytes held since ``forget_peak``: on the device where it has memory of its own, else of this process."""
    if placement.device in OWN_MEMORY:
        device = _torch_device(placement)
        return sum(_of_each(device, "max_memory_allocated", placement)) if device is not None else None
    # Not ru_maxrss on Linux: it starts at what the *parent* held when it started this process.
    kilobytes = _status("VmHWM")
    if kilobytes is not None:
        return kilobytes * 1024
    with suppress(ImportError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    with suppress(ImportError, OSError, AttributeError):
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    return None


def forget_peak(placement: Placement) -> None:
    """Let ``peak_bytes`` start again from what is held now, where that can be done."""
    if placement.device in OWN_MEMORY:
        device = _torch_device(placement)
        if device is not None:
            _of_each(device, "reset_peak_memory_stats", placement)
        return
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets the "high water mark"


def resident_bytes() -> int | None:
    """Bytes of main memory that this process holds."""
    kilobytes = _status("VmRSS")
    if kilobytes is not None:
        return kilobytes * 1024
    with suppress(ImportError, OSError):
        import psutil

        return int(psutil.Process().memory_info().rss)
    return None


def give_back(placement: Placement) -> None:
    """Return what the device's allocator keeps in reserve, after a model was dropped."""
    gc.collect()
    device = _torch_device(placement)
    if device is not None:
        with suppress(RuntimeError):
            device.empty_cache()


def is_shortage(error: BaseException) -> bool:
    """True if the error says that memory ran out; libraries have no common type for it."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError | OSError) and any(words in str(error).lower() for words in _SHORTAGE)


def _torch_device(placement: Placement) -> Any:
    """``torch.cuda``, ``torch.mps`` or ``torch.xpu`` if it is in use; None otherwise, and on the CPU."""
    torch = sys.modules.get("torch")
    if torch is None or placement.device == "cpu":
        return None
    device = getattr(torch, placement.torch_device, None)
    # Asking an idle CUDA for anything would make a context of some hundred megabytes.
    if device is None or not getattr(device, "is_initialized", lambda: True)():
        return None
    return device


def _of_each(device: Any, call: str, placement: Placement) -> list[Any]:
    """What a call gives for the device, or for each of its kind where a model is spread over them."""
    if placement.spread:
        return [getattr(device, call)(number) for number in range(device.device_count())]
    return [getattr(device, call)()]


def _status(name: str) -> int | None:
    """Kilobytes of a line in /proc/self/status; None where there is none."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    return None
