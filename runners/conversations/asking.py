"""Asking about a clip: one question of a conversation answered on a thread, its events handed to whoever shows them.

What is asked decides how:

- Most questions are one turn of a chat: the clip and what was said before go along (``Pool.chat``).
- A clip longer than a system transcribes in one piece is transcribed or translated as in a comparison (``Pool.run``): cut
  at pauses and joined. Its text then is a turn like any other.
- A clip longer than one prompt should hold is cut at pauses into parts. Each part is a chat of its own, so that
  follow-up questions are fast there too; then the parts' answers, without the clip, are put together into one.

The thread is this module's; processes, warm models, deadlines and what is kept for the next turn are the pool's.
"""

from __future__ import annotations

import contextvars
import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self

from runners.audio import cut_at_pauses
from runners.base import ChatOptions, ChatResult, Clip, Contender, RunnerSpec, TranscriptionResult, Turn
from runners.batches import Batches
from runners.control_tokens import neutralised
from runners.conversations.conversation import (
    Answered,
    Conversation,
    Exchange,
    Part,
    Step,
    fold,
    turns_of,
    turns_of_part,
    turns_of_whole,
)
from runners.decode import clock, length_words
from runners.events import Event, Partial, Queued
from runners.networks.generation import endings

log = logging.getLogger(__name__)

STOP_SECONDS = 0.4
"""A question that was stopped ends for whoever asked after so long at most, even if its runner takes longer to notice."""
LONGEST_JOIN_TOKENS = 6000
"""Of parts' answers that are put together at once, or half of the system's context if that is less; more are put together
group by group."""
LONGEST_HISTORY = 24_000
"""Characters of earlier questions and answers that go along then; half as many as the context has tokens if that is less."""

Happening = Event | Step | Answered
_Titled = tuple[str, ChatResult]
"""An answer and what it is about: "Part 2 of 3 (28:12 to 55:40)"."""


class RunsTurns(Protocol):
    """What a conversation needs of ``runners.pool.Pool``."""

    def run(
        self, contender: Contender, clip: Clip, *, repeat: int = 1, report: Callable[[Event], None], cancel: threading.Event
    ) -> TranscriptionResult:
        """Transcribe a clip of any length."""

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
        """Answer the last turn; never raises for what a runner does."""

    def forget(self, conversation: str) -> None:
        """Have whatever is kept for a conversation dropped; returns at once."""


class Asking:
    """A question that is being answered. Take its events until ``finished``; ``close`` (or leave ``with``) to stop early.

        asking = Asking(pool, clip, conversation.asked(prompt))
        while not asking.finished:
            asking.events(timeout=1.0, pace_seconds=0.1)
            show(asking.conversation)

    Events are those of a comparison, and ``Step`` and ``Answered`` of ``conversation``: Queued first, Answered last, once.
    ``Partial`` has the whole text of the answer, or of the step, so far.
    """

    def __init__(self, pool: RunsTurns, clip: Clip, conversation: Conversation, *, most_tokens: int = 1024) -> None:
        """Start.

        Args:
            clip: the conversation's; it is not kept there.
            conversation: its last question has no answer yet.
            most_tokens: of each answer; one that reaches them ends there, flagged.

        Raises:
            ValueError: nothing waits for an answer.
        """
        exchange = conversation.last
        if exchange is None or exchange.finished:
            raise ValueError("no question waits for its answer")
        self._pool = pool
        self._clip = clip
        self._asked = conversation
        self._exchange = exchange
        self._contender = conversation.contender
        self._most_tokens = most_tokens
        self._cancel = threading.Event()
        self._lock = threading.Lock()
        self._ended = False  # the last event is on its way: whatever still happens is too late
        self._text = ""  # of the running step
        self._parts: tuple[Part, ...] = ()
        self._hearing: tuple[int, float, float] | None = None  # the part that is being asked about
        self._is_whole = True  # what comes now is the answer itself
        self._notes: tuple[str, ...] = ()
        self._batches: Batches[Happening] = Batches(1, lambda event: isinstance(event, Answered))
        self._conversation = conversation
        self._batches.put(Queued(self._contender))
        # With the caller's context: ZeroGPU finds in it whose visit the GPU time is counted to.
        self._thread = threading.Thread(target=contextvars.copy_context().run, args=(self._work,), name="asking", daemon=True)
        self._thread.start()

    @property
    def finished(self) -> bool:
        """True once the Answered event was handed out."""
        return self._batches.finished

    @property
    def conversation(self) -> Conversation:
        """The conversation as it stands after the events that were handed out."""
        return self._conversation

    def events(self, timeout: float, pace_seconds: float = 0.0) -> list[Happening]:
        """Wait for something to happen and give all that has, oldest first; empty after ``timeout`` seconds.

        For one consumer. Events that come sooner than ``pace_seconds`` after the last batch are collected for that long;
        the last batch does not wait.
        """
        batch = self._batches.take(timeout, pace_seconds)
        for event in batch:
            self._conversation = fold(self._conversation, event)
        return batch

    def stop(self) -> None:
        """End the answer, from any thread: what there is of it stays, as cancelled. Does nothing once it is there."""
        self._cancel.set()
        with self._lock:
            if self._ended:
                return
        waiting = threading.Timer(STOP_SECONDS, self._give_up)
        waiting.daemon = True
        waiting.start()

    def close(self) -> None:
        """``stop``, for who does not want to know what became of it."""
        self.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def _work(self) -> None:
        try:
            self._answer()
        except Exception as error:  # the pool answers for runners' faults, so this one is Earshot's own
            log.exception("%r could not be asked", self._contender.name)
            self._end(
                ChatResult(
                    self._contender,
                    "skipped",
                    text=self._text,
                    error=f"Earshot itself failed: {type(error).__name__}: {error}",
                    fix="Try again; if it happens again, please report it with the log.",
                )
            )

    def _answer(self) -> None:
        spec = self._contender.spec
        seconds = len(self._clip.samples) / self._clip.sample_rate
        if self._exchange.prompt.is_word_for_word and seconds > _longest_word_for_word(spec):
            self._transcribe()
        elif spec.longest_prompt_seconds is not None and seconds > spec.longest_prompt_seconds:
            self._ask_in_parts(spec.longest_prompt_seconds)
        else:
            self._end(self._chat(self._clip, turns_of(self._asked), self._asked.id))

    def _transcribe(self) -> None:
        if self._exchange.seed is not None:
            self._note("heard again in the same way as before: a long clip is transcribed without chance")
        self._exchange = replace(self._exchange, temperature=0.0, seed=None)
        options = replace(self._contender.options, prompt=self._exchange.prompt)
        contender = replace(self._contender, options=options)
        self._end(self._pool.run(contender, self._clip, report=self._report, cancel=self._cancel))

    def _ask_in_parts(self, longest_seconds: float) -> None:
        rate = self._clip.sample_rate
        cuts = cut_at_pauses(self._clip.samples, longest_seconds, sample_rate=rate)
        self._note(
            f"longer than {length_words(longest_seconds)}, the most that one prompt holds: asked about in {len(cuts)} parts, "
            "cut at pauses, whose answers are put together without hearing the clip again"
        )
        kept = {part.number: part for part in self._exchange.parts}
        for number, (first, last) in enumerate(cuts, 1):
            if number in kept:
                self._parts += (kept[number],)
                continue
            start, end = first / rate, last / rate
            self._step(f"part {number} of {len(cuts)}, {clock(start)} to {clock(end)}")
            piece = Clip(self._clip.samples[first:last], end - start, self._clip.source, rate, language=self._clip.language)
            self._hearing = (number, start, end)
            result = self._chat(piece, turns_of_part(self._asked, number), _part_id(self._asked.id, number))
            if result.status != "ok":
                self._end(result)
                return
            with self._lock:
                self._hearing = None
                self._parts += (Part(number, start, end, result),)
        self._end(self._joined([(_heading(part, len(cuts)), part.result) for part in self._parts]))

    def _joined(self, answers: list[_Titled]) -> ChatResult:
        """One answer from several; in more than one round if they are too long for one."""
        context = min((_context(result) for _, result in answers), default=math.inf)
        groups = _grouped(answers, min(LONGEST_JOIN_TOKENS, context / 2))
        while len(groups) > 1:
            answers = []
            for number, group in enumerate(groups, 1):
                title, result = group[0]
                if len(group) > 1:
                    self._step(f"putting the parts together, group {number} of {len(groups)}")
                    title, result = f"{title} – {group[-1][0]}", self._join(group, context)
                    if result.status != "ok":
                        return result
                answers.append((title, result))
            groups = _grouped(answers, min(LONGEST_JOIN_TOKENS, context / 2))
        self._step("putting the parts together", is_whole=True)
        return self._join(groups[0], context)

    def _join(self, answers: list[_Titled], context: float) -> ChatResult:
        request = joining_request(self._exchange.prompt.text, [(title, result.text) for title, result in answers])
        turns = turns_of_whole(self._asked, request, most_characters=int(min(LONGEST_HISTORY, context / 2)))
        return self._chat(None, turns, _whole_id(self._asked.id))

    def _chat(self, clip: Clip | None, turns: tuple[Turn, ...], key: str) -> ChatResult:
        options = ChatOptions(
            key, most_tokens=self._most_tokens, temperature=self._exchange.temperature, seed=self._exchange.seed
        )
        return self._pool.chat(self._contender, clip, turns, options, report=self._report, cancel=self._cancel)

    def _report(self, event: Event) -> None:
        with self._lock:
            if self._ended:
                return
            if isinstance(event, Partial):
                self._text = event.text
            self._batches.put(event)

    def _step(self, says: str, is_whole: bool = False) -> None:
        with self._lock:
            if self._ended:
                return
            self._text, self._is_whole = "", is_whole
            self._batches.put(Step(self._contender, says, self._parts, is_whole))

    def _note(self, note: str) -> None:
        self._notes += (note,)

    def _give_up(self) -> None:
        """End it for whoever asked, although the runner has not noticed yet."""
        self._end(ChatResult(self._contender, "cancelled", text=self._text, stage="chat"))

    def _end(self, result: ChatResult | TranscriptionResult) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = True
            exchange = self._finished(result)
            _log(result)  # before anybody can know of it: who reads the log afterwards finds it there
            self._batches.put(Answered(self._contender, exchange))

    def _finished(self, result: ChatResult | TranscriptionResult) -> Exchange:
        if isinstance(result, TranscriptionResult):
            heard = result.transcript
            text, notes = (heard.text, heard.notes) if heard is not None else (self._text, ())
        else:
            text, notes = result.text or self._text, _remarks(result)
        parts = self._parts
        if self._hearing is not None and isinstance(result, ChatResult):
            parts = (*parts, Part(*self._hearing, replace(result, text=text)))
        return replace(
            self._exchange,
            state=result.status,
            step=None,
            done_bytes=None,
            total_bytes=None,
            text=text if self._is_whole else "",
            result=result,
            parts=parts,
            notes=tuple(dict.fromkeys((*self._notes, *notes))),
        )


def forget(pool: RunsTurns, conversation: Conversation) -> None:
    """Have everything dropped that systems keep for a conversation; returns at once."""
    longest_seconds = conversation.contender.spec.longest_prompt_seconds
    pool.forget(conversation.id)
    if longest_seconds is not None and conversation.clip_seconds > longest_seconds:
        # No part is shorter than three fifths of the longest (``cut_at_pauses``), but for the last.
        for number in range(1, math.ceil(conversation.clip_seconds / (0.6 * longest_seconds)) + 1):
            pool.forget(_part_id(conversation.id, number))
        pool.forget(_whole_id(conversation.id))


def joining_request(question: str, answers: Sequence[tuple[str, str]]) -> str:
    """What a system is told so that it makes one answer of several; each has a heading. Our own wording."""
    listed = "\n\n".join(f"{heading}:\n{answer}" for heading, answer in answers)
    return neutralised(
        f"A recording was too long to be heard at once. It was heard in {len(answers)} parts, one after another, and the same "
        f"request was made about each of them.\n\nThe request:\n{question}\n\n{listed}\n\n"
        "Make one answer to the request, for the recording as a whole, from these answers alone. Say nothing twice, and do not "
        "mention the parts."
    )


def _longest_word_for_word(spec: RunnerSpec) -> float:
    limits = (spec.longest_transcribed_seconds, spec.longest_prompt_seconds)
    return min((limit for limit in limits if limit is not None), default=math.inf)


def _part_id(conversation: str, number: int) -> str:
    return f"{conversation}/part-{number}"


def _whole_id(conversation: str) -> str:
    return f"{conversation}/whole"


def _heading(part: Part, of: int) -> str:
    return f"Part {part.number} of {of} ({clock(part.start)} to {clock(part.end)})"


def _context(result: ChatResult) -> float:
    tokens = result.usage.context_tokens if result.usage is not None else None
    return math.inf if tokens is None else tokens


def _grouped(answers: Sequence[_Titled], most_tokens: float) -> list[list[_Titled]]:
    """Neighbours together, up to so many tokens but at least two, so that each round leaves fewer."""
    groups: list[list[_Titled]] = [[]]
    tokens = 0
    for title, result in answers:
        new_tokens = result.usage.new_tokens if result.usage is not None else 0
        if len(groups[-1]) >= 2 and tokens + new_tokens > most_tokens:
            groups.append([])
            tokens = 0
        groups[-1].append((title, result))
        tokens += new_tokens
    return groups


def _remarks(result: ChatResult) -> tuple[str, ...]:
    if result.usage is None:
        return ()
    ending = endings(result.usage.ended)
    return (*result.usage.notes, *((ending,) if ending is not None else ()))


def _log(result: ChatResult | TranscriptionResult) -> None:
    """What became of a question, for whoever runs this; never what was asked or answered. Names are untrusted: %r."""
    name = result.contender.spec.name
    if result.status == "ok":
        log.info("%r: answered in %.3f s on %s", name, result.seconds or 0.0, result.device)
    elif result.status == "cancelled":
        log.info("%r: stopped", name)
    else:
        log.warning("%r: SKIPPED at %s: %r", name, result.stage, result.error)
        for line in result.log:
            log.info("%r: its log: %r", name, line)
