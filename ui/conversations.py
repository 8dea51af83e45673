"""The conversations that visitors have with systems: one at a time is answered, no visitor reaches another's.

What can be gone on with is in memory alone, and bounded: the one that was asked in longest ago makes way.
``runners.conversations`` answers; this knows whose a conversation is, which file it is about, and when its caches can go.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

from comparisons.history.kept import LOCAL
from runners.base import Clip, Contender, Prompt, RunnerError, UnsupportedOption
from runners.conversations import asking, conversation
from runners.conversations.asking import Asking, RunsTurns
from runners.conversations.conversation import Conversation, Exchange

MOST_OF_A_SESSION = 8
"""Conversations that one visitor can go on with; an API client has a few, the page one."""
MOST_IN_ALL = 512
MOST_HELD_BYTES = 512_000_000
"""Decoded clips that are held for follow-ups; the files of the others are decoded again."""

_PACE_SECONDS = 0.1  # between two drawings of a page


class NoConversation(RunnerError):
    """It is not there (any more), or it is another visitor's: the two are not told apart."""

    def __init__(self) -> None:
        super().__init__("There is no such conversation any more.", "Begin a new one.")


@dataclass(frozen=True)
class Asked:
    """A conversation as it stands, while a question is answered and at the end."""

    conversation: Conversation
    since: float | None
    """When the last exchange's present state began, on the clock of ``time.monotonic``; None once it is finished."""


@dataclass(eq=False)
class _Kept:
    """A conversation, and what is needed to go on with it."""

    conversation: Conversation
    path: str
    clip: Clip | None
    owner: str
    asking: Asking | None = None
    cleared: int = 0
    """How often: what is asked after that is another conversation to the history."""


class Conversations:
    """One for a page; every call names the session whose conversation it means."""

    def __init__(
        self,
        pool: RunsTurns,
        decode: Callable[[str], Clip],
        *,
        show_logs: bool,
        keep: Callable[[Conversation, Clip, str], None] | None = None,
    ) -> None:
        """
        Args:
            decode: gives the clip in an uploaded file; raises a RunnerError.
            show_logs: whether visitors may read a child's log.
            keep: takes a conversation, its clip and whose it is in the history, each time that an answer has ended.
        """
        self._keep = keep
        self._pool = pool
        self._decode = decode
        self._show_logs = show_logs
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    def get(self, session: str | None, name: str | None) -> Conversation | None:
        """The session's conversation of that id, if it is there."""
        with self._lock:
            kept = self._kept.get((session or "", name or ""))
            return kept.conversation if kept is not None else None

    def latest(self, session: str | None) -> Conversation | None:
        """The one that the session asked in last, or began after that: the page has no other."""
        with self._lock:
            mine = (kept for (whose, _), kept in reversed(self._kept.items()) if whose == (session or ""))
            kept = next(mine, None)
            return kept.conversation if kept is not None else None

    def is_about(self, session: str | None, name: str | None, path: str | None, system: str) -> bool:
        """Whether it is one about that file, with that system."""
        with self._lock:
            kept = self._kept.get((session or "", name or ""))
            return kept is not None and kept.path == path and kept.conversation.contender.spec.name == system

    def begin(self, session: str | None, path: str, contender: Contender, owner: str = LOCAL) -> str:
        """A conversation about an uploaded file; gives its id.

        Args:
            owner: whose it is in the history.

        Raises:
            UnsupportedOption: the system only transcribes.
            RunnerError: the file cannot be decoded or is not usable.
        """
        if not contender.spec.can_chat:
            raise UnsupportedOption(f"{contender.spec.label} cannot talk about a clip.", "Choose another system.")
        clip = self._decode(path)
        begun = conversation.new(contender, clip)
        with self._lock:
            self._kept[session or "", begun.id] = _Kept(begun, path, clip, owner)
            dropped = self._over(session or "")
            self._hold()
        for each in dropped:
            self._end(each)
        return begun.id

    def ask(self, session: str | None, name: str, prompt: Prompt) -> Generator[Asked, None, None]:
        """Ask another question; gives the conversation as it stands, ten times a second at most.

        Closing the generator stops the answer.

        Raises:
            NoConversation: it is not there.
            RunnerError: its last question is still being answered, or its clip cannot be read any more.
        """
        yield from self._answered(session, name, lambda now: now.asked(prompt))

    def edit(self, session: str | None, name: str, text: Callable[[Prompt], Prompt]) -> Generator[Asked, None, None]:
        """As ``ask``, with other words for the last question; ``text`` makes the new prompt from the old."""
        yield from self._answered(session, name, lambda now: now.edited(text(_last(now).prompt)))

    def again(self, session: str | None, name: str) -> Generator[Asked, None, None]:
        """As ``ask``, with the last question once more."""
        yield from self._answered(session, name, _once_more)

    def clear(self, session: str | None, name: str | None) -> None:
        """Nothing was asked in it any more; what is kept of the clip stays, for the next question."""
        with self._lock:
            kept = self._kept.get((session or "", name or ""))
            if kept is not None and kept.asking is None:
                kept.conversation, kept.cleared = kept.conversation.cleared(), kept.cleared + 1

    def stop(self, session: str | None, name: str | None = None) -> None:
        """End the answer of one conversation of a session, or of all of them; what there is of it stays."""
        with self._lock:
            running = [
                kept.asking
                for (whose, which), kept in self._kept.items()
                if whose == (session or "") and name in (None, which) and kept.asking is not None
            ]
        for each in running:
            each.stop()

    def drop(self, session: str | None, name: str | None) -> None:
        """Forget one conversation, and everything that was computed for it."""
        with self._lock:
            kept = self._kept.pop((session or "", name or ""), None)
        if kept is not None:
            self._end(kept)

    def leave(self, session: str | None) -> None:
        """Forget all of a session's: its tab was closed."""
        with self._lock:
            dropped = [self._kept.pop(key) for key in list(self._kept) if key[0] == (session or "")]
        for kept in dropped:
            self._end(kept)

    def _answered(
        self, session: str | None, name: str, change: Callable[[Conversation], Conversation]
    ) -> Generator[Asked, None, None]:
        key = (session or "", name)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                raise NoConversation
            clip, path = kept.clip, kept.path
        clip = clip or self._decode(path)
        with self._lock:
            if kept.asking is not None:
                raise RunnerError("The last question is still being answered.", "Wait for it, or stop it.")
            if self._kept.get(key) is not kept:
                raise NoConversation
            before = kept.conversation
            running = kept.asking = Asking(self._pool, clip, change(before))
            kept.conversation, kept.clip = running.conversation, clip
            self._kept.move_to_end(key)
            self._hold()
        try:
            yield from self._told(running)
        finally:
            running.stop()
            while not running.finished:  # ends within ``asking.STOP_SECONDS``
                running.events(timeout=1.0)
            ended = self._for_visitors(running.conversation)
            if self._keep is not None:
                self._keep(replace(ended, id=f"{ended.id} {kept.cleared}"), clip, kept.owner)
            with self._lock:
                kept.conversation, kept.asking = ended, None

    def _told(self, running: Asking) -> Generator[Asked, None, None]:
        state, since = None, time.monotonic()
        while not running.finished:
            if not running.events(timeout=1.0, pace_seconds=_PACE_SECONDS):
                continue
            now = running.conversation
            doing = (_last(now).state, _last(now).step, bool(_last(now).text))
            if doing != state:
                state, since = doing, time.monotonic()
            yield Asked(self._for_visitors(now), None if now.finished else since)

    def _for_visitors(self, now: Conversation) -> Conversation:
        """The conversation without what only whoever runs this may read."""
        last = now.last
        if self._show_logs or last is None or last.result is None:
            return now
        bare = replace(
            last,
            result=replace(last.result, log=()),
            parts=tuple(replace(part, result=replace(part.result, log=())) for part in last.parts),
        )
        return replace(now, exchanges=(*now.exchanges[:-1], bare))

    def _over(self, session: str) -> list[_Kept]:
        """Takes out those that are too many, asked in longest ago first, but for the newest."""
        mine = [key for key in self._kept if key[0] == session]
        over = mine[: max(0, len(mine) - MOST_OF_A_SESSION)]
        rest = [key for key in list(self._kept)[:-1] if key not in over]
        over += rest[: max(0, len(self._kept) - len(over) - MOST_IN_ALL)]
        return [self._kept.pop(key) for key in over]

    def _hold(self) -> None:
        """Lets go of decoded clips beyond the bound, those asked about longest ago first."""
        held_bytes = 0
        for kept in reversed(self._kept.values()):
            held_bytes += kept.clip.samples.nbytes if kept.clip is not None else 0
            if held_bytes > MOST_HELD_BYTES:
                kept.clip = None

    def _end(self, kept: _Kept) -> None:
        if kept.asking is not None:
            kept.asking.stop()
        asking.forget(self._pool, kept.conversation)


def _once_more(now: Conversation) -> Conversation:
    _last(now)
    return now.again()


def _last(now: Conversation) -> Exchange:
    if now.last is None:
        raise RunnerError("Nothing was asked yet.", "Ask something first.")
    return now.last
