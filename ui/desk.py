"""What the tabs and the API share: which systems and prompt templates are offered here, the clips that are taken, the
comparisons that run and the conversations that are held."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from comparisons import made_with
from comparisons.compare import Comparison, again, begin, fold
from comparisons.history.database import HistoryError
from comparisons.history.kept import LOCAL, Whose
from comparisons.history.rows import NotKept
from comparisons.history.sounds import name_of, pcm
from comparisons.history.store import History
from comparisons.normalise import Normaliser
from comparisons.reading import NOT_RUNNABLE
from comparisons.reference import Reference
from comparisons.reviews.store import Reviews
from comparisons.run import Cancels, Comparing, RunsContenders
from comparisons.score import Metric
from runners import audio
from runners.base import Availability, Clip, Contender, PromptError, RunnerError, RunnerSpec
from runners.catalogue.contenders import contender_for, split_name
from runners.catalogue.names import choices, offered, offered_spec, spec_for
from runners.catalogue.presets import Preset, presets
from runners.conversations.asking import RunsTurns
from runners.conversations.conversation import Conversation
from runners.events import Event, Finished
from runners.here import availability
from runners.here.machine import Machine
from runners.here.ways import Way, ways
from runners.hub import cache
from runners.hub.downloadable import disk_free_bytes
from runners.pool import Child
from runners.prompts import Templates
from runners.settings import Settings
from ui.conversations import Conversations
from ui.lookout import Lookout

log = logging.getLogger(__name__)

LONGEST_REFERENCE = 200_000
"""Characters; two hours of fast speech are 120 000."""
MOST_REPEATS = 20
SAME_SECONDS = 0.05
"""Two clips whose lengths differ by less are taken for one, where no more is known of the first."""

_PACE_SECONDS = 0.1  # between two drawings of a page


class Refused(RunnerError):
    """The page or the API does not take what was asked of it."""


class RunsHere(RunsContenders, RunsTurns, Protocol):
    """What the page needs of ``runners.pool.Pool``."""

    def room(self) -> Machine:
        """The machine now, with the memory that warm models would give back for the next one."""

    def children(self) -> tuple[Child, ...]:
        """The runners that are loaded."""


class Desk:
    """One for a page, shared by its visitors; what is a visitor's own lies under their session's name."""

    def __init__(self, settings: Settings, pool: RunsHere, lookout: Lookout) -> None:
        """
        Raises:
            PromptError: the deployer's prompt templates cannot be used.
            HistoryError: finished comparisons are to be kept, and cannot be.
        """
        self.settings = settings
        self.history = History(settings.history_folder, keeps_audio=settings.keep_audio) if settings.history else None
        """Where finished comparisons are kept; None if they are not."""
        self.reviews = Reviews(self.history) if self.history is not None else None
        """The blind reviews of what is kept; None without a history."""
        self.lookout = lookout
        self.conversations = Conversations(
            pool, self.clip, show_logs=settings.show_logs, keep=self._keep_conversation if settings.history else None
        )
        self._templates = Templates.of(settings)
        self._pool = pool
        self._lock = threading.Condition()
        """Tells whoever waits for it that a comparison has ended."""
        self._running: dict[str, list[Cancels]] = {}

    def offers(self, added: Sequence[str] = ()) -> list[tuple[RunnerSpec, Availability]]:
        """Every system of the page, and the ones a visitor added, with its availability now; those that can run first."""
        return self._judged(self._specs(added))

    def presets(self, offers: Sequence[tuple[RunnerSpec, Availability]]) -> tuple[Preset, ...]:
        """Selections by name, for systems as ``offers`` gives them."""
        return presets(offers, self.settings)

    def ways(self, offers: Sequence[tuple[RunnerSpec, Availability]]) -> dict[str, tuple[Way, ...]]:
        """By the name of each system that has a choice, the ways in which it can run here now."""
        here = self._pool.room()
        found = {spec.name: ways(spec, judged, here, self.settings) for spec, judged in offers}
        return {name: each for name, each in found.items() if each}

    def free_bytes(self) -> int | None:
        """Room on the disk that takes downloads; None if unknown."""
        return disk_free_bytes(cache.cache_folder())

    def chat_offers(
        self, added: Sequence[str] = (), clip_seconds: float | None = None
    ) -> list[tuple[RunnerSpec, Availability]]:
        """The systems that can talk about a clip, as ``offers`` gives them.

        Args:
            clip_seconds: length of the clip, which takes memory too; None if there is none yet.
        """
        return self._judged([spec for spec in self._specs(added) if spec.can_chat], clip_seconds=clip_seconds, chat=True)

    def spec(self, name: str) -> RunnerSpec:
        """The system of that name, in the precision and on the device that the name asks for.

        Raises:
            RunnerError: there is none, or it is not offered here and visitors may not add any.
        """
        here = offered_spec(name, self.settings)
        if here is not None:
            return here
        if not self.settings.visitors_add_models:
            raise Refused(f"{name!r} is not offered here.", f"Choose from: {choices(name, offered(self.settings))}.")
        return spec_for(name, self.settings)

    def loaded(self) -> list[RunnerSpec]:
        """The systems whose models are loaded now."""
        found = []
        for child in self._pool.children():
            with suppress(RunnerError):
                found.append(spec_for(child.name, self.settings))
        return found

    def templates(self, own: Sequence[Mapping[str, Any]] = ()) -> Templates:
        """The prompt templates of everybody here, and a visitor's own, each as ``PromptTemplate.to_plain`` gives it.

        Raises:
            PromptError: naming the one of the visitor's that cannot be used, or whose name is taken.
        """
        return self._templates.with_own(own)

    def contenders(
        self,
        names: Sequence[str],
        language: str | None,
        own: Sequence[Mapping[str, Any]] = (),
        values: Mapping[str, str] = MappingProxyType({}),
    ) -> list[Contender]:
        """The contenders of those names, ``family[:model[@revision]][+precision][+device][#template]``, each once.

        Args:
            own: a visitor's own prompt templates, as ``templates`` takes them.
            values: of the templates' variables.

        Raises:
            RunnerError: as ``spec`` and ``templates`` do.
            PromptError: templates are not there, or lack values; says so of all of them.
        """
        templates = self.templates(own)
        made: dict[str, Contender] = {}
        faults: list[PromptError] = []
        for name in names:
            try:
                contender = contender_for(name, templates, values, language, spec_for=self.spec)
                made[contender.name] = contender
            except PromptError as fault:
                faults.append(fault)
        if faults:
            what, fixes = dict.fromkeys(str(fault) for fault in faults), dict.fromkeys(fault.fix or "" for fault in faults)
            raise PromptError(" ".join(what), " ".join(fixes).strip())
        return list(made.values())

    def runnable(self, contender: Contender) -> Contender:
        """A contender of a comparison that was opened again, as it can run here; any other as it is.

        Raises:
            RunnerError: its system is not offered here (any more).
        """
        if contender.spec.target != NOT_RUNNABLE:
            return contender
        return replace(contender, spec=self.spec(split_name(contender.name)[0]))

    def clip(self, path: str, reference: str | None = None, language: str | None = None) -> Clip:
        """Decode a file within the limits of the settings.

        Raises:
            RunnerError: it cannot be decoded or is not usable, or the reference is too long.
        """
        if reference is not None and len(reference) > LONGEST_REFERENCE:
            raise Refused(f"The reference has {len(reference):,} characters.", f"{LONGEST_REFERENCE:,} are taken at most.")
        return audio.decode(
            Path(path),
            max_seconds=self.settings.max_clip_seconds,
            max_bytes=int(self.settings.max_file_mb * 1e6),
            reference=reference,
            language=language,
            source=Path(path).name,
        )

    def playable(self, path: str, folder: Path) -> Path:
        """A copy of a clip that every browser plays: FLAC, as the systems hear it, one channel at 16 kHz.

        Args:
            folder: where the page may serve files from; the copy is made there, once.

        Raises:
            RunnerError: the clip is not there any more, or cannot be decoded.
        """
        copy = folder / "playable" / f"{hashlib.sha256(path.encode()).hexdigest()[:32]}.flac"
        if not copy.exists():
            import soundfile

            clip = self.clip(path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            number, half = tempfile.mkstemp(suffix=".flac", dir=copy.parent)
            os.close(number)
            try:
                soundfile.write(half, clip.samples.clip(-1, 1), clip.sample_rate, subtype="PCM_16")
                os.replace(half, copy)  # noqa: PTH105  # whoever asks at the same time gets a whole file
            except BaseException:
                Path(half).unlink(missing_ok=True)
                raise
        return copy

    def kept_clip(self, id: str, whose: Whose, folder: Path) -> Path | None:
        """A copy of the audio of a kept comparison, called as its clip was; None if its audio is not kept.

        Args:
            folder: where the page may serve files from. The copy lies there where nobody finds it who cannot open the
                comparison.

        Raises:
            HistoryError: nothing is kept here, there is no such comparison, or it cannot be read.
        """
        if self.history is None:
            raise NotKept
        audio_file, kept = self.history.audio(id, whose), self.history.get(id, whose)
        if audio_file is None:
            return None
        stem = Path(kept.source.replace("\0", "")).stem.encode()[:100].decode(errors="ignore") or "clip"
        copy = folder / "kept" / hashlib.sha256(f"kept {id}".encode()).hexdigest()[:32] / f"{stem}.flac"
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not copy.exists():
                number, half = tempfile.mkstemp(suffix=".flac", dir=copy.parent)
                os.close(number)
                shutil.copyfile(audio_file, half)
                os.replace(half, copy)  # noqa: PTH105  # whoever asks at the same time gets a whole file
        except OSError as error:
            raise HistoryError(f"The audio cannot be opened: {error.strerror}.", "See how much room the disk has.") from error
        return copy

    def compare(
        self,
        session: str | None,
        clip: Clip,
        contenders: Sequence[Contender],
        normaliser: Normaliser | None = None,
        *,
        metric: Metric | None = None,
        reference: Reference | None = None,
        key_terms: Sequence[str] = (),
        repeat: int = 1,
        into: Comparison | None = None,
        cancel: Cancels | None = None,
        owner: str = LOCAL,
        whose: Whose | None = None,
    ) -> Generator[Comparison, None, None]:
        """Run a comparison and give it as it stands, ten times a second at most, each time something happens. Before the last
        time, all finished, it is kept, and has its id (``kept_as``).

        Args:
            session: whose it is; ``stop`` and ``is_busy`` find it by that.
            reference: None takes the clip's own text.
            into: a comparison of the same clip in which only these contenders are run, anew or besides; what was kept of it
                is changed.
            cancel: stops this one alone.
            owner: whose it is in the history.
            whose: what they may change there; None: their own.
        """
        names = tuple(dict.fromkeys(contender.name for contender in contenders))
        with_what = made_with.here(self.lookout(), names)
        if into is None:
            comparison = begin(
                clip,
                contenders,
                normaliser,
                metric=metric,
                reference=reference,
                key_terms=key_terms,
                made_with=with_what,
            )
        else:
            comparison = again(into, contenders, with_what)
        cancels = Cancels() if cancel is None else cancel
        key = session or ""
        with self._lock:
            self._running.setdefault(key, []).append(cancels)
        try:
            yield comparison
            with Comparing(clip, contenders, self._pool, repeat=repeat, cancel=cancels) as comparing:
                while not comparing.finished:
                    events = comparing.events(timeout=1.0, pace_seconds=_PACE_SECONDS)
                    for event in events:
                        comparison = fold(comparison, self._for_visitors(event), at=time.monotonic())
                    if comparing.finished:
                        comparison = self._kept(comparison, clip, owner, whose or owner)
                    if events:
                        yield comparison
        finally:
            cancels.cancel_all()
            with self._lock:
                self._running[key].remove(cancels)
                if not self._running[key]:
                    del self._running[key]
                self._lock.notify_all()

    def leave(self, session: str | None) -> None:
        """A visitor has left: what runs for them is stopped, what is kept of their conversations is forgotten."""
        self.stop(session)
        self.conversations.leave(session)

    def _specs(self, added: Sequence[str]) -> list[RunnerSpec]:
        specs = {spec.name: spec for spec in offered(self.settings)}
        return list((specs | {name: self.spec(name) for name in added if name not in specs}).values())

    def _judged(self, specs: Sequence[RunnerSpec], **asked: Any) -> list[tuple[RunnerSpec, Availability]]:
        here = self._pool.room()
        rows = [(spec, availability.availability(spec, here, self.settings, **asked)) for spec in specs]
        return sorted(rows, key=lambda row: ("available", "download", "skipped").index(row[1].state))

    def keep_changed(self, comparison: Comparison, whose: Whose) -> None:
        """Keep what a comparison has become without a run: scored otherwise, or against another reference. One that is not
        kept, or another's, stays what it is."""
        if self.history is None or comparison.kept_as is None or not comparison.finished:
            return
        try:
            self.history.change(comparison.kept_as, comparison, whose)
        except NotKept:
            return
        except HistoryError as error:
            log.warning("what a comparison has become could not be kept: %s", error)

    def is_clip_of(self, comparison: Comparison, clip: Clip, whose: Whose) -> bool:
        """Whether a comparison is of this clip: of its sound where that is known, else of its length."""
        if self.history is not None and comparison.kept_as is not None:
            with suppress(HistoryError):
                return self.history.get(comparison.kept_as, whose).sound == name_of(pcm(clip))
        return abs(clip.seconds - comparison.seconds) < SAME_SECONDS

    def said_of(self, comparison: Comparison, whose: Whose) -> tuple[str | None, str]:
        """Title and notes of a comparison that is kept; none of any other."""
        if self.history is None or comparison.kept_as is None:
            return None, ""
        try:
            kept = self.history.get(comparison.kept_as, whose)
        except HistoryError:
            return None, ""
        return kept.title, kept.notes

    def _kept(self, comparison: Comparison, clip: Clip, owner: str, whose: Whose) -> Comparison:
        """The comparison with its id in the history: changed there if they may, else kept anew."""
        if self.history is None:
            return comparison
        try:
            if comparison.kept_as is not None:
                with suppress(NotKept):  # another's, or deleted while it ran
                    self.history.change(comparison.kept_as, comparison, whose)
                    return comparison
            return replace(comparison, kept_as=self.history.keep(comparison, clip, owner))
        except HistoryError as error:  # a full disk does not cost anybody the result
            log.warning("a comparison could not be kept: %s", error)
            return comparison

    def _keep_conversation(self, conversation: Conversation, clip: Clip, owner: str) -> None:
        if self.history is None or not conversation.exchanges:
            return
        try:
            self.history.conversations.keep(conversation, clip, owner)
        except HistoryError as error:  # a full disk does not cost anybody the answer
            log.warning("a conversation could not be kept: %s", error)

    def _for_visitors(self, event: Event) -> Event:
        """The event without what only whoever runs this may read."""
        if isinstance(event, Finished) and event.result.log and not self.settings.show_logs:
            return replace(event, result=replace(event.result, log=()))
        return event

    def is_busy(self, session: str | None, patience_seconds: float = 0.0) -> bool:
        """Whether comparisons of a session are running.

        Args:
            patience_seconds: how long to wait for their end.
        """
        with self._lock:
            return not self._lock.wait_for(lambda: (session or "") not in self._running, patience_seconds)

    def stop(self, session: str | None, name: str | None = None) -> None:
        """Cancel one contender of a session's comparisons, or all."""
        with self._lock:
            running = list(self._running.get(session or "", ()))
        for cancels in running:
            if name is None:
                cancels.cancel_all()
            else:
                cancels.cancel(name)


def said(fault: RunnerError) -> str:
    """What happened and what to do, in one line."""
    return f"{fault} {fault.fix}" if fault.fix else str(fault)
