"""Runs contenders, one at a time on this machine's devices, and keeps their models warm within a budget of memory. What is
served elsewhere runs beside them, as many requests at once as its server takes.

Whatever a runner does, ``Pool.run`` and ``Pool.chat`` return a result: ok, skipped with the reason and the fix, or
cancelled.

A download does not hold the device: it has a queue of its own, so that the others go on meanwhile.
This module does not know how a child works (``runners.process``) or how results are compared (``comparisons``).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from runners.base import (
    Availability,
    Cancelled,
    ChatOptions,
    ChatResult,
    Clip,
    Contender,
    DeviceKind,
    DeviceUnfit,
    OutOfMemory,
    Placement,
    RunnerCrashed,
    RunnerError,
    RunnerTimeout,
    Server,
    TranscriptionResult,
    Turn,
)
from runners.events import Event
from runners.here import machine as machines
from runners.here.availability import availability
from runners.here.machine import Machine
from runners.inline import InlineWorker
from runners.isolation.attempts import Answering, Attempt, Hearing, R
from runners.isolation.budget import Budget
from runners.isolation.failures import plain
from runners.isolation.lent_gpu import LentGpu, lent_gpu
from runners.isolation.spawner import Spawner
from runners.isolation.turns import Turns
from runners.isolation.warm import WarmModel, WarmModels
from runners.process import ProcessWorker, Worker
from runners.settings import Settings

_DEATHS_SECONDS = 5.0
"""How often it is looked whether an idle child has died."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Child:
    """A loaded runner, for whoever wants to see what is going on."""

    name: str
    pid: int
    """This process's own in inline mode."""
    memory_bytes: int | None
    busy: bool


class Pool:
    """All local runners of one process of Earshot. Close it when the app ends; that ends every child."""

    def __init__(self, settings: Settings, machine: Callable[[], Machine]) -> None:
        """
        Args:
            settings: isolation, deadlines, memory budget, …
            machine: what the machine offers now; called often, so it must be cheap.
        """
        self._settings = settings
        self._machine = machine
        self._device = Turns()
        self._network = Turns()
        self._servers: dict[Server, Turns] = {}
        """By server and the way that it is asked, without the model."""
        self._warm = WarmModels()
        self._budget = Budget(settings, machine, self._warm)
        self._starting: set[Worker] = set()
        self._spawner = Spawner()
        self._lent: LentGpu | None = None
        if settings.isolation == "inline":
            self._lent = lent_gpu()
            # A child finds it in its environment; so does a runner here.
            os.environ.setdefault("EARSHOT_CACHE_FOLDER", str(settings.cache_folder))
        self._unfit: dict[tuple[str, DeviceKind], str] = {}
        """Why a system, by its name, does not run on a device that should have done."""
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._changed = threading.Event()
        self._housekeeper: threading.Thread | None = None

    @classmethod
    def here(cls, settings: Settings) -> Pool:
        """A pool on this machine, for a command line: its GPUs are looked for first, unless none is wanted."""
        found = machines.look() if settings.device == "cpu" else machines.probe()
        return cls(settings, lambda: machines.refresh(found))

    def run(
        self,
        contender: Contender,
        clip: Clip,
        *,
        repeat: int = 1,
        report: Callable[[Event], None],
        cancel: threading.Event,
    ) -> TranscriptionResult:
        """Run one contender on one clip, ``repeat`` times; waits for its turn. Never raises for what a runner does.

        Args:
            repeat: timed runs, at least one; the first transcript is not kept apart from the last.
            report: gets ``Loading``, ``Running`` and ``Partial`` as they happen, on another thread in inline mode.
            cancel: set it from any thread to stop.
        """
        return self._outcome(Hearing(contender, clip, repeat, report, self._stopped(cancel)))

    def chat(
        self,
        contender: Contender,
        clip: Clip | None,
        turns: tuple[Turn, ...],
        options: ChatOptions,
        *,
        report: Callable[[Event], None],
        cancel: threading.Event,
    ) -> ChatResult:
        """Answer the last turn of a conversation; waits for its turn on the device. Never raises for what a runner does.

        What was said before it was cancelled, or failed, is in the result. A runner that died is loaded anew for the
        next turn.

        Args:
            clip: what the conversation is about, whole, in every turn; None for a turn about text alone.
            turns: the conversation so far; the last one is the user's.
            options: where ``cache_bytes`` is None it is what the settings say.
            report: as in ``run``.
            cancel: set it from any thread to stop.
        """
        return self._outcome(Answering(contender, clip, turns, options, report, self._stopped(cancel)))

    def forget(self, conversation: str) -> None:
        """Have every warm model drop what it keeps for a conversation, once its present job is done; does not wait."""
        for model in self._warm.all():
            if model.spec.can_chat and model.worker.alive:
                model.worker.forget(conversation)

    def children(self) -> tuple[Child, ...]:
        """The loaded runners that are alive."""
        return tuple(
            Child(model.spec.name, model.worker.pid, model.worker.memory_bytes(), model.busy)
            for model in self._warm.all()
            if model.worker.alive
        )

    def room(self) -> Machine:
        """The machine now, with the memory that the models here, warm or still loading, will give back for the next one."""
        with self._lock:
            loading_bytes = sum(worker.memory_bytes() or 0 for worker in self._starting)
        return self._budget.room(loading_bytes)

    def close(self) -> None:
        """End every child: the idle ones in good order, the busy ones at once. Runs end as cancelled. Idempotent."""
        self._closing.set()
        self._changed.set()
        with self._lock:
            starting = tuple(self._starting)
        models = self._warm.all()
        for model in models:
            if not model.busy:
                model.worker.ask_to_end()
        for worker in (*starting, *(model.worker for model in models if model.busy)):
            worker.kill()
        for model in models:
            model.worker.close()
            self._warm.remove(model)
        self._spawner.close()

    def _stopped(self, cancel: threading.Event) -> Callable[[], bool]:
        return lambda: cancel.is_set() or self._closing.is_set()

    def _outcome(self, attempt: Attempt[R]) -> R:
        try:
            return self._run(attempt)
        except Cancelled:
            return attempt.ended("cancelled")
        except RunnerError as error:
            return attempt.ended("skipped", error)
        except Exception as error:
            log.exception("running %s failed", attempt.contender.name)
            return attempt.ended("skipped", plain(error))

    def _run(self, attempt: Attempt[R]) -> R:
        attempt.stage = "availability"
        attempt.check()
        attempt.check_wanted()
        server = attempt.contender.spec.server
        if server is not None:
            self._judge(attempt)
            with self._seats(server).place() as place:
                attempt.stage = None
                place.wait(attempt.stopped)
                return self._work(attempt, Placement())
        with self._device.place() as place:  # taken first, so that the order is that of the calls
            found = self._judge(attempt)
            if found.state != "download":
                attempt.stage = None
                if place.wait(attempt.stopped):  # what ran meanwhile has left other room
                    found = self._judge(attempt)
                return self._work(attempt, found.placement)
        fetched: Worker | None = None
        with self._network.place() as place:
            attempt.stage = None
            place.wait(attempt.stopped)
            if self._judge(attempt).state == "download":  # another run may have fetched it meanwhile
                fetched = self._fetched(attempt)
        try:
            with self._device.place() as place:
                place.wait(attempt.stopped)
                return self._work(attempt, self._judge(attempt).placement, fetched)
        finally:
            if fetched is not None and fetched in self._starting:
                self._end(fetched)

    def _seats(self, server: Server) -> Turns:
        """The queue of all requests to one server, whatever the model."""
        key = replace(server, route="transcriptions")
        with self._lock:
            return self._servers.setdefault(key, Turns(server.requests_at_once))

    def _judge(self, attempt: Attempt[R]) -> Availability:
        """Whether it can run, and where, in the ``room`` there is.

        Raises:
            RunnerError: it cannot.
        """
        attempt.stage = "availability"
        spec = attempt.contender.spec
        found = self._available(attempt, self._settings)
        fault = self._unfit.get((spec.name, found.placement.device)) if found.ok else None
        if fault is not None:
            found = self._available(attempt, self._settings.model_copy(update={"device": "cpu"}))
            attempt.notes = (f"ran on the CPU: {fault}",)
        if not found.ok:
            reason = found.reason or "It is not available."
            raise RunnerError(reason if fault is None else f"{fault} On the CPU: {reason}", found.fix)
        attempt.placement = found.placement
        return found

    def _available(self, attempt: Attempt[R], settings: Settings) -> Availability:
        return availability(
            attempt.contender.spec,
            self.room(),
            settings,
            clip_seconds=attempt.audio_seconds,
            chat=attempt.hears_whole,
        )

    def _fetched(self, attempt: Attempt[R]) -> Worker:
        """A worker that has its weights on this machine."""
        attempt.stage = "load"
        attempt.downloading(0, attempt.contender.spec.size_bytes)
        worker = attempt.worker = self._start(attempt)
        try:
            worker.fetch(attempt)
        except BaseException:
            self._end(worker)
            raise
        return worker

    def _work(self, attempt: Attempt[R], placement: Placement, fetched: Worker | None = None) -> R:
        """Load, unless it is warm, and do what is to be done. It is this attempt's turn on the device."""
        model = self._warm.take(attempt.contender.spec, placement)
        if model is None:
            try:
                model = self._loaded(attempt, placement, fetched)
            except RunnerError as error:
                if not self._is_unfit(placement, error):
                    raise
                # Remembered: the trial costs a load, and a driver does not mend itself.
                fault = str(error) if isinstance(error, DeviceUnfit) else f"While it was loaded on the GPU: {error}"
                self._unfit[attempt.contender.spec.name, placement.device] = fault
                log.warning("%s does not run on %s: %s", attempt.contender.name, placement.device, fault)
                return self._work(attempt, self._judge(attempt).placement)
        attempt.stage, attempt.worker, attempt.placement = attempt.stage_of_work, model.worker, model.placement
        try:
            result = attempt.work(model, self._settings)
        except BaseException as error:
            # After a shortage of memory the rest is in no good state either.
            self._give_back(model, keep=not isinstance(error, OutOfMemory))
            raise
        self._give_back(model, keep=True)
        return result

    def _is_unfit(self, placement: Placement, error: RunnerError) -> bool:
        """Whether another device is worth a try; not where the deployer has named the one to use."""
        if placement.device == "cpu" or self._settings.device != "auto":
            return False
        # On ROCm the trial itself can take the process with it, or never end.
        is_fatal = placement.device == "rocm" and isinstance(error, RunnerCrashed | RunnerTimeout)
        return is_fatal or isinstance(error, DeviceUnfit)

    def _loaded(self, attempt: Attempt[R], placement: Placement, fetched: Worker | None) -> WarmModel:
        attempt.stage = "load"
        attempt.loading()
        is_served = attempt.contender.spec.server is not None
        if not is_served:  # it takes no memory here to speak of
            self._unload_expired()
            self._budget.make_room(placement)
        worker = fetched or self._start(attempt)
        attempt.worker = worker
        try:
            loaded = worker.load(placement, attempt, self._settings.load_timeout_seconds)
        except BaseException:
            # A runner that stopped when asked has loaded half of something; nothing of that is worth keeping.
            self._end(worker)
            raise
        attempt.load_seconds = loaded.load_seconds
        model = WarmModel(attempt.contender.spec, placement, worker, held_bytes=loaded.held_bytes or 0)
        self._warm.add(model)
        model.cache_bytes = self._budget.cache_bytes(placement)
        with self._lock:
            self._starting.discard(worker)
        self._keep_house()
        if not is_served:
            self._budget.settle_loaded(model)
        return model

    def _start(self, attempt: Attempt[R]) -> Worker:
        spec = attempt.contender.spec
        worker: Worker
        if self._settings.isolation == "inline":
            worker = InlineWorker(spec, self._lent)
        else:
            try:
                worker = ProcessWorker(spec, self._settings, self._spawner)
            except RuntimeError:  # closed meanwhile
                raise Cancelled from None
        with self._lock:
            self._starting.add(worker)
        if self._closing.is_set():  # close() may have looked before it was there
            self._end(worker)
            raise Cancelled
        return worker

    def _end(self, worker: Worker) -> None:
        with self._lock:
            self._starting.discard(worker)
        worker.kill() if self._closing.is_set() else worker.close()

    def _give_back(self, model: WarmModel, keep: bool) -> None:
        if not (keep and model.worker.alive):
            self._warm.remove(model)
            model.worker.close()
            return
        self._warm.give_back(model)
        if model.spec.server is None:
            self._budget.settle_idle(model)
        self._changed.set()

    def _keep_house(self) -> None:
        with self._lock:
            if self._housekeeper is None:
                self._housekeeper = threading.Thread(target=self._clear_up, name="housekeeper", daemon=True)
                self._housekeeper.start()
        self._changed.set()

    def _clear_up(self) -> None:
        """Unload models that were idle for long, and notice those that died."""
        idle_seconds = self._settings.idle_unload_seconds
        while not self._closing.is_set():
            left_seconds = self._warm.next_expiry_seconds(idle_seconds)
            self._changed.wait(None if left_seconds is None else min(left_seconds, _DEATHS_SECONDS))
            self._changed.clear()
            self._unload_expired()

    def _unload_expired(self) -> None:
        for model in self._warm.take_out_expired(self._settings.idle_unload_seconds):
            with suppress(Exception):
                model.worker.close()
