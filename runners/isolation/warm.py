"""Models that stay loaded for the next clip: which are there, which must go first, which have been idle for too long."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from runners.base import Dtype, Placement, RunnerSpec
from runners.here.memory import OWN_MEMORY
from runners.process import Worker

_LARGEST_FIRST: tuple[Dtype, ...] = ("float32", "bfloat16", "float16", "int8_float16", "int8", "int4")
"""Precisions by the memory that they take."""


@dataclass
class WarmModel:
    """A loaded runner and what is known of it."""

    spec: RunnerSpec
    placement: Placement
    worker: Worker
    held_bytes: int = 0
    """On its device where that has memory of its own, else main memory; 0 if unknown."""
    cache_bytes: int | None = None
    """Memory that all its conversations may keep together; None leaves it to the runner."""
    busy: bool = True
    used_at: float = 0.0
    """``time.monotonic()`` when it was last given back."""

    @property
    def key(self) -> tuple[str, str, str]:
        return _key(self.spec, self.placement)


class WarmModels:
    """The table of loaded runners. Takes workers in and hands them out; whoever takes one out closes it."""

    def __init__(self) -> None:
        self._models: list[WarmModel] = []
        self._lock = threading.Lock()

    def take(self, spec: RunnerSpec, placement: Placement) -> WarmModel | None:
        """The idle, living model of this spec at this placement, busy from now on; None if there is none.

        One that talks may also be less precise than it would be placed now, so that a conversation stays with the model
        that it began on when memory comes free meanwhile.
        """
        with self._lock:
            fitting = [
                model for model in self._models if not model.busy and model.worker.alive and _fits(model, spec, placement)
            ]
            if not fitting:
                return None
            model = max(fitting, key=lambda model: model.key == _key(spec, placement))
            model.busy = True
            return model

    def add(self, model: WarmModel) -> None:
        with self._lock:
            self._models.append(model)

    def give_back(self, model: WarmModel) -> None:
        """It is idle from now on."""
        self.measure(model)
        with self._lock:
            model.used_at = time.monotonic()
            model.busy = False

    def remove(self, model: WarmModel) -> None:
        with self._lock:
            if model in self._models:
                self._models.remove(model)

    def measure(self, model: WarmModel) -> None:
        """Ask a model in main memory how much it holds now; what a GPU holds was told when it was loaded."""
        if model.placement.device not in OWN_MEMORY:
            model.held_bytes = model.worker.memory_bytes() or model.held_bytes

    def held_bytes(self, devices: tuple[str, ...] | None = None) -> int:
        """What all models hold together, on these devices or on any."""
        with self._lock:
            return sum(m.held_bytes for m in self._models if devices is None or m.placement.device in devices)

    def take_out_oldest(self, devices: tuple[str, ...] | None = None, spared: WarmModel | None = None) -> WarmModel | None:
        """The idle model that was used least recently, no longer in the table; None if all are busy or spared."""
        with self._lock:
            idle = [
                model
                for model in self._models
                if not model.busy and model is not spared and (devices is None or model.placement.device in devices)
            ]
            if not idle:
                return None
            oldest = min(idle, key=lambda model: model.used_at)
            self._models.remove(oldest)
            return oldest

    def take_out_expired(self, idle_seconds: float) -> list[WarmModel]:
        """Models that are dead, or were idle for so long; no longer in the table."""
        now = time.monotonic()
        with self._lock:
            expired = [
                model
                for model in self._models
                if not model.busy and (now - model.used_at >= idle_seconds or not model.worker.alive)
            ]
            self._models = [model for model in self._models if model not in expired]
        return expired

    def next_expiry_seconds(self, idle_seconds: float) -> float | None:
        """Seconds until an idle model will have been so for so long; None if none is idle."""
        now = time.monotonic()
        with self._lock:
            left = [model.used_at + idle_seconds - now for model in self._models if not model.busy]
        return max(0.0, min(left)) if left else None

    def all(self) -> tuple[WarmModel, ...]:
        with self._lock:
            return tuple(self._models)


def _key(spec: RunnerSpec, placement: Placement) -> tuple[str, str, str]:
    """What makes two models the same one; how much it was expected to need does not."""
    return spec.name, placement.device, placement.dtype


def _fits(model: WarmModel, spec: RunnerSpec, placement: Placement) -> bool:
    if model.key == _key(spec, placement):
        return True
    return (
        spec.can_chat
        and model.spec.name == spec.name
        and model.placement.device == placement.device
        and _LARGEST_FIRST.index(model.placement.dtype) >= _LARGEST_FIRST.index(placement.dtype)
    )
