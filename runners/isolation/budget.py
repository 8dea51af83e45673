"""How much memory warm models may hold, which of them make room for the next, and what their conversations may keep."""

from __future__ import annotations

from collections.abc import Callable

from runners.base import DeviceKind, Placement
from runners.here.machine import Machine
from runners.here.memory import OWN_MEMORY
from runners.isolation.warm import WarmModel, WarmModels
from runners.settings import Settings

_MAIN_MEMORY: tuple[DeviceKind, ...] = ("cpu", "mps")


class Budget:
    """What the settings give to warm models; where they say nothing, half of what was free before there were any."""

    def __init__(self, settings: Settings, machine: Callable[[], Machine], warm: WarmModels) -> None:
        """
        Args:
            machine: what the machine offers now; asked here for the first time, before any model is loaded.
            warm: the table whose idle models are closed where there is no room.
        """
        self._settings = settings
        self._machine = machine
        self._warm = warm
        self._at_start = machine()

    def room(self, loading_bytes: int) -> Machine:
        """The machine now, with the memory that the warm models, and ``loading_bytes`` besides, will give back."""
        for model in self._warm.all():  # a conversation may have been forgotten since it was used
            self._warm.measure(model)
        machine = self._machine()
        # GPUs are asked before anything is loaded: their free memory has all of it already.
        for kind in _MAIN_MEMORY:
            machine = machine.giving_back(kind, self._warm.held_bytes(_MAIN_MEMORY) + loading_bytes)
        return machine

    def make_room(self, placement: Placement) -> None:
        """Unload what was used least recently until the need fits the budget, and what is free now."""
        need_bytes = placement.need_bytes or 0
        budget_bytes, devices = self._given(placement)
        free_bytes = None if placement.device in OWN_MEMORY else self._machine().memory_free_bytes
        while self._warm.held_bytes(devices) + need_bytes > budget_bytes or (
            free_bytes is not None and free_bytes < need_bytes
        ):
            oldest = self._warm.take_out_oldest(devices)
            if oldest is None:
                return
            if free_bytes is not None:
                free_bytes += oldest.held_bytes
            oldest.worker.close()

    def settle_loaded(self, model: WarmModel) -> None:
        """Unload others, least recently used first, now that it is known what this one takes."""
        self._trim(model.placement, spared=model)

    def settle_idle(self, model: WarmModel) -> None:
        """Unload what is too much now that this one is idle, itself too if somebody set a budget that it does not fit.

        Without a budget of somebody's own the model that was used last stays, however large it is.
        """
        self._trim(model.placement, spared=model if self._settings.memory_budget_gb is None else None)

    def cache_bytes(self, placement: Placement) -> int | None:
        """Memory that the conversations of a model may keep, now that it is loaded; None if nothing is known."""
        if self._settings.chat_memory_gb is not None:
            return int(self._settings.chat_memory_gb * 1e9)
        machine = self._machine()
        if placement.device not in OWN_MEMORY:
            return machine.memory_free_bytes // 4
        device = machine.device(placement.device)
        if device is None or device.free_bytes is None:
            return None
        # Asked before anything was loaded there.
        return max(0, device.free_bytes - self._warm.held_bytes((placement.device,))) // 4

    def _trim(self, placement: Placement, spared: WarmModel | None) -> None:
        """Unload what was used least recently until all that is held fits the budget."""
        budget_bytes, devices = self._given(placement)
        while self._warm.held_bytes(devices) > budget_bytes:
            oldest = self._warm.take_out_oldest(devices, spared)
            if oldest is None:
                return
            oldest.worker.close()

    def _given(self, placement: Placement) -> tuple[float, tuple[str, ...] | None]:
        """Bytes that models may hold, and on which devices together; None for all devices."""
        if self._settings.memory_budget_gb is not None:
            return self._settings.memory_budget_gb * 1e9, None
        if placement.spread:  # it takes what every device has
            return 0.0, None
        if placement.device not in OWN_MEMORY:
            return self._at_start.memory_free_bytes / 2, _MAIN_MEMORY
        # A probe may have been under way when the pool was made; what it found is as old as that.
        device = self._machine().device(placement.device)
        free_bytes = device.free_bytes if device is not None else None
        return (float("inf") if free_bytes is None else free_bytes / 2), (placement.device,)
