"""A conversation about a clip: what was asked and what came of it, as plain data that events are folded into.

Pure: it knows nothing of threads, pools or pages; ``asking`` gets a question answered, ``record`` writes a conversation
down.

What stays: every exchange, whatever became of it. What the system is told of earlier exchanges is less (``turns_of``):
a question and its answer, also an answer that somebody stopped, because they read it; never a question without an
answer, nor what came before a fault.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from runners.base import ChatResult, Clip, Contender, Prompt, Segment, TranscriptionResult, Turn, Usage
from runners.control_tokens import neutralised
from runners.events import Event, Loading, Partial, Queued, Running
from runners.oddities import oddities

State = Literal["queued", "loading", "running", "ok", "skipped", "cancelled"]

REGENERATED_TEMPERATURE = 0.7
"""Of an answer that somebody wants differently. Lower hardly changes it; at 1 a model strays from what was said."""


@dataclass(frozen=True)
class Part:
    """One stretch of a clip that is too long to be asked about at once, and what came of asking about it."""

    number: int
    """From 1."""
    start: float
    """Seconds from the start of the clip."""
    end: float
    """Seconds from the start of the clip."""
    result: ChatResult


@dataclass(frozen=True)
class Exchange:
    """One question and what is known of its answer by now."""

    prompt: Prompt
    """As it was sent: rendered, its gaps filled."""
    temperature: float = 0.0
    """Above 0 chance has a say in the answer."""
    seed: int | None = None
    """Of that chance."""
    state: State = "queued"
    step: str | None = None
    """What is being done, where that takes several steps: "part 2 of 3, 28:12 to 55:40"."""
    done_bytes: int | None = None
    """How much has been downloaded; None if nothing is."""
    total_bytes: int | None = None
    text: str = ""
    """The answer, or as much of it as there is. Untrusted."""
    result: ChatResult | TranscriptionResult | None = None
    """Set once the state is ok, skipped or cancelled. A long clip is transcribed outside of the conversation's prompt."""
    parts: tuple[Part, ...] = ()
    """Answers about the parts of a clip too long for one prompt, in order; the last may have failed or been stopped."""
    notes: tuple[str, ...] = ()
    """What a reader should know about how the answer came about."""

    @property
    def finished(self) -> bool:
        return self.result is not None

    @property
    def error(self) -> str | None:
        """Why there is no answer."""
        return self.result.error if self.result is not None else None

    @property
    def fix(self) -> str | None:
        """What to do about it."""
        return self.result.fix if self.result is not None else None

    @property
    def log(self) -> tuple[str, ...]:
        """Last lines of the child's log, for a skipped one."""
        return self.result.log if self.result is not None else ()

    @property
    def answers(self) -> tuple[ChatResult, ...]:
        """Everything that the system answered for this question: about each part, then about the whole."""
        of_parts = tuple(part.result for part in self.parts)
        last = (self.result,) if isinstance(self.result, ChatResult) and self.result not in of_parts else ()
        return of_parts + last

    @property
    def usage(self) -> Usage | None:
        """Of the last answer; None if there is none, or for a clip that was transcribed in pieces."""
        return self.result.usage if isinstance(self.result, ChatResult) else None

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The pieces of a clip that was cut to be transcribed."""
        if isinstance(self.result, TranscriptionResult) and self.result.transcript is not None:
            return self.result.transcript.segments
        return ()

    @property
    def oddities(self) -> tuple[str, ...]:
        """What in a transcript, translation or summary looks like the system's own words; in a talk they are in place."""
        is_talk = self.prompt.task in ("question", "chat")
        return () if is_talk or self.state != "ok" else oddities(self.text)

    @property
    def load_seconds(self) -> float | None:
        """Loading the model; None if it was warm already."""
        loads = [answer.load_seconds for answer in self.answers if answer.load_seconds is not None]
        if isinstance(self.result, TranscriptionResult):
            return self.result.load_seconds
        return sum(loads) if loads else None

    @property
    def first_token_seconds(self) -> float | None:
        """From the question to the first piece of text, of the first part where there are several."""
        answers = self.answers
        return answers[0].first_token_seconds if answers else None

    @property
    def seconds(self) -> float | None:
        """Work on the answer, all parts together; neither the wait for the device nor loading."""
        if isinstance(self.result, TranscriptionResult):
            return self.result.seconds
        known = [answer.seconds for answer in self.answers if answer.seconds is not None]
        return sum(known) if known else None

    @property
    def tokens_per_second(self) -> float | None:
        """Speed of the last answer's decoding."""
        return self.result.tokens_per_second if isinstance(self.result, ChatResult) else None


@dataclass(frozen=True)
class Context:
    """How much of what a system can hold at once the last answer took."""

    used_tokens: int
    most_tokens: int | None
    """None if the system does not say."""


@dataclass(frozen=True)
class Totals:
    """All answers of a conversation together."""

    prompt_tokens: int
    reused_tokens: int
    """Of those, how many came from what an earlier turn had computed."""
    new_tokens: int
    seconds: float


@dataclass(frozen=True)
class Conversation:
    """One clip, one system, and what was said about it. The samples are not in it."""

    id: str
    """Names it for the pool; a secret, since whoever knows it could go on with the conversation."""
    source: str
    """File name of the clip without its folder. Untrusted."""
    clip_seconds: float
    contender: Contender
    """The system, without a prompt of its own."""
    exchanges: tuple[Exchange, ...] = field(default=())

    @property
    def last(self) -> Exchange | None:
        return self.exchanges[-1] if self.exchanges else None

    @property
    def finished(self) -> bool:
        """True if no question waits for its answer."""
        return self.last is None or self.last.finished

    def asked(self, prompt: Prompt) -> Conversation:
        """With another question, still to be answered.

        Raises:
            ValueError: the last question has no answer yet.
        """
        if not self.finished:
            raise ValueError("the last question is not answered yet")
        return replace(self, exchanges=(*self.exchanges, Exchange(prompt)))

    def edited(self, prompt: Prompt) -> Conversation:
        """With other words for the last question, still to be answered; its answer is gone.

        Raises:
            ValueError: nothing was asked.
        """
        self._asked_last()
        return replace(self, exchanges=(*self.exchanges[:-1], Exchange(prompt)))

    def again(self) -> Conversation:
        """With the last question still to be answered.

        An answer that was there makes way for one that chance has a say in, so that it is another. Where none came, because
        of a fault or a stop, the question is asked as it was; parts of the clip that were answered are not asked about again.

        Raises:
            ValueError: nothing was asked.
        """
        last = self._asked_last()
        if last.state == "ok" or (last.state == "cancelled" and last.text and not last.parts):
            anew = Exchange(last.prompt, REGENERATED_TEMPERATURE, secrets.randbelow(2**31))
        else:
            answered = tuple(part for part in last.parts if part.result.status == "ok")
            anew = Exchange(last.prompt, last.temperature, last.seed, parts=answered)
        return replace(self, exchanges=(*self.exchanges[:-1], anew))

    def cleared(self) -> Conversation:
        """With nothing asked yet. What a system keeps of the clip itself stays, under the same name."""
        return replace(self, exchanges=())

    @property
    def context(self) -> Context | None:
        """What the last answered question took of the system's context, its longest part where it has several."""
        for exchange in reversed(self.exchanges):
            taken = [
                Context(answer.usage.prompt_tokens + answer.usage.new_tokens, answer.usage.context_tokens)
                for answer in exchange.answers
                if answer.usage is not None
            ]
            if taken:
                return max(taken, key=lambda each: each.used_tokens)
        return None

    @property
    def totals(self) -> Totals:
        """Σ over all answers; transcriptions of clips that had to be cut count their seconds alone."""
        usages = [answer.usage for each in self.exchanges for answer in each.answers if answer.usage is not None]
        return Totals(
            prompt_tokens=sum(usage.prompt_tokens for usage in usages),
            reused_tokens=sum(usage.reused_tokens for usage in usages),
            new_tokens=sum(usage.new_tokens for usage in usages),
            seconds=sum(each.seconds or 0.0 for each in self.exchanges),
        )

    def _asked_last(self) -> Exchange:
        if self.last is None:
            raise ValueError("nothing was asked yet")
        return self.last


def new(contender: Contender, clip: Clip) -> Conversation:
    """A conversation in which nothing was asked yet.

    Args:
        contender: a system that can chat; a prompt of its own is left out.
    """
    bare = replace(contender, options=replace(contender.options, prompt=None))
    return Conversation(secrets.token_urlsafe(), clip.source, clip.seconds, bare)


def turns_of(conversation: Conversation) -> tuple[Turn, ...]:
    """What the system is told for the last question: earlier questions with their answers, then the question."""
    return (*(turn for pair in _said(conversation) for turn in pair), _question(conversation))


def turns_of_part(conversation: Conversation, number: int) -> tuple[Turn, ...]:
    """As ``turns_of``, for one part of a clip that is asked about in parts: with the answers about that part."""
    history: list[Turn] = []
    for exchange in conversation.exchanges[:-1]:
        for part in exchange.parts:
            if part.number == number and part.result.status == "ok" and part.result.text:
                history += _pair(exchange.prompt, part.result.text)
    return (*history, _question(conversation))


def turns_of_whole(conversation: Conversation, request: str, *, most_characters: int) -> tuple[Turn, ...]:
    """As ``turns_of``, for the turn that puts the parts' answers together: ``request`` has them all.

    Of what was said before, transcripts of the whole clip are left out, for their length, and the oldest exchanges beyond
    ``most_characters``.
    """
    history: list[Turn] = []
    for question, answer in reversed(list(_said(conversation, in_parts=True))):
        most_characters -= len(question.text) + len(answer.text)
        if most_characters < 0:
            break
        history[:0] = (question, answer)
    return (*history, Turn("user", request))


def fold(conversation: Conversation, event: Event | Step | Answered) -> Conversation:
    """The conversation after something happened to its last question."""
    last = conversation.last
    if last is None or last.finished:
        return conversation
    match event:
        case Queued():
            last = replace(last, state="queued")
        case Loading(done_bytes=done, total_bytes=total):
            last = replace(last, state="loading", done_bytes=done, total_bytes=total)
        case Running():
            last = replace(last, state="running", done_bytes=None, total_bytes=None)
        case Partial(text=text):
            last = replace(last, state="running", text=text)
        case Step(says=says, parts=parts):
            last = replace(last, step=says, parts=parts, text="")
        case Answered(exchange=exchange):
            last = exchange
    return replace(conversation, exchanges=(*conversation.exchanges[:-1], last))


@dataclass(frozen=True)
class Step:
    """The next of several steps towards an answer begins; the text so far belongs to the last one."""

    contender: Contender
    says: str
    """What it is: "part 2 of 3, 28:12 to 55:40"."""
    parts: tuple[Part, ...]
    """Those that have been answered."""
    is_whole: bool
    """True if what comes now is the answer itself, about the whole clip."""


@dataclass(frozen=True)
class Answered:
    """The question has its answer, failed or was stopped; its last event."""

    contender: Contender
    exchange: Exchange


def _said(conversation: Conversation, *, in_parts: bool = False) -> Iterator[tuple[Turn, Turn]]:
    for exchange in conversation.exchanges[:-1]:
        if exchange.state in ("ok", "cancelled") and exchange.text and (exchange.parts or not in_parts):
            yield _pair(exchange.prompt, exchange.text)


def _pair(prompt: Prompt, answer: str) -> tuple[Turn, Turn]:
    # A prompt's text is harmless already (``runners.prompts``); what a system said may spell out a control token.
    return Turn("user", prompt.text), Turn("assistant", neutralised(answer))


def _question(conversation: Conversation) -> Turn:
    if conversation.last is None:
        raise ValueError("nothing was asked yet")
    return Turn("user", conversation.last.prompt.text)
