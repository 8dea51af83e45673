"""Asking about a clip: how each question is answered, and what is left when one fails or is stopped."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runners.base import (
    ChatOptions,
    ChatResult,
    Clip,
    Contender,
    Prompt,
    Transcript,
    TranscriptionResult,
    Turn,
    Usage,
)
from runners.batches import LARGEST_BATCH, Batches
from runners.catalogue.names import spec_for
from runners.conversations import asking as asking_module
from runners.conversations.asking import Asking, Happening, forget, joining_request
from runners.conversations.conversation import Answered, Conversation, Exchange, Step, new
from runners.events import Event, Loading, Partial, Queued, Running
from runners.here.machine import look
from runners.pool import Pool
from runners.prompts import BUILT_IN, Templates, render, typed
from runners.settings import Settings

WAIT_SECONDS = 30.0
SHORT = Clip(np.zeros(16_000, np.float32), 1.0, "speech.wav")
LONG = Clip(np.random.default_rng(5).uniform(-0.1, 0.1, 16_000 * 5).astype(np.float32), 5.0, "long.wav", language="en")
PLAIN, SUMMARY, TRANSLATE = (render(Templates(BUILT_IN).get(name)) for name in ("plain", "summary", "translate"))


@pytest.fixture
def pool() -> Iterator[Callable[..., Pool]]:
    """Make a pool; closed at the end."""
    pools: list[Pool] = []

    def of(**settings: Any) -> Pool:
        pools.append(Pool(Settings(**{"isolation": "inline", **settings}), look))
        return pools[-1]

    yield of
    for made in pools:
        made.close()


@pytest.fixture
def system(tmp_path: Path) -> Callable[..., Contender]:
    """A system that plays a script."""

    def of(**script: Any) -> Contender:
        path = tmp_path / "plays.json"
        path.write_text(json.dumps({"repeat": True, **script}), encoding="utf-8")
        return Contender(spec_for(f"scripted:{path}"))

    return of


def limited(contender: Contender, **limits: float) -> Contender:
    """The system, with limits such as real ones have."""
    return replace(contender, spec=replace(contender.spec, **limits))  # type: ignore[arg-type]


def rest(asking: Asking) -> list[Happening]:
    """All events to the end."""
    found: list[Happening] = []
    while not asking.finished:
        batch = asking.events(timeout=WAIT_SECONDS)
        assert batch, "nothing happened for a long time"
        found += batch
    return found


def until(asking: Asking, kind: type[Event] | type[Step]) -> None:
    while not any(isinstance(event, kind) for event in asking.events(timeout=WAIT_SECONDS)):
        assert not asking.finished, "it never came"


def ask(pool: Any, clip: Clip, talk: Conversation, question: str | Prompt, **options: Any) -> tuple[Conversation, Exchange]:
    prompt = typed(question) if isinstance(question, str) else question
    asking = Asking(pool, clip, talk.asked(prompt), **options)
    rest(asking)
    assert asking.conversation.last is not None
    return asking.conversation, asking.conversation.last


SAYS: dict[str, Any] = {
    "takes": [[{"say": "The clip as it was heard."}]],
    "prompted": {
        "plain": [{"say": "One. "}, {"say": "Two."}],
        "translate": [{"say": "Eins. Zwei."}],
    },
    "answers": [[{"say": "A ferry "}, {"say": "leaves."}], [{"say": "At ten."}], [{"say": "To Larkhaven."}]],
}


def test_an_answer_comes_piece_by_piece_and_stays(pool: Callable[..., Pool], system: Callable[..., Contender]) -> None:
    talk = new(system(**SAYS), SHORT)
    asking = Asking(pool(), SHORT, talk.asked(typed("What is it?")))
    events = rest(asking)
    assert isinstance(events[0], Queued)
    assert {Loading, Running} <= {type(event) for event in events}
    texts = [event.text for event in events if isinstance(event, Partial)]
    assert texts[-1] == "A ferry leaves."
    assert all("A ferry leaves.".startswith(text) for text in texts)
    assert isinstance(events[-1], Answered)
    (exchange,) = asking.conversation.exchanges
    assert (exchange.state, exchange.text, exchange.prompt) == ("ok", "A ferry leaves.", typed("What is it?"))
    assert exchange.usage is not None
    assert exchange.usage.new_tokens == 3
    assert asking.conversation.finished


def test_a_follow_up_builds_on_what_was_computed(pool: Callable[..., Pool], system: Callable[..., Contender]) -> None:
    here = pool()
    talk, first = ask(here, SHORT, new(system(**SAYS), SHORT), "What is it?")
    talk, second = ask(here, SHORT, talk, "When?")
    assert (first.text, second.text) == ("A ferry leaves.", "At ten.")
    assert first.usage is not None
    assert second.usage is not None
    assert (first.usage.reused_tokens, second.usage.reused_tokens > 12) == (0, True)
    forget(here, talk)
    _, third = ask(here, SHORT, talk, "Where to?")
    assert third.usage is not None
    assert third.usage.reused_tokens == 0


def test_regenerating_gives_another_answer_and_editing_another_question(
    pool: Callable[..., Pool], system: Callable[..., Contender]
) -> None:
    here = pool()
    talk, first = ask(here, SHORT, new(system(**SAYS), SHORT), "What is it?")
    asking = Asking(here, SHORT, talk.again())
    rest(asking)
    (other,) = asking.conversation.exchanges
    assert other.state == "ok"
    assert other.text != first.text
    assert (other.temperature, other.seed is None) == (0.7, False)
    asking = Asking(here, SHORT, asking.conversation.edited(typed("When is it?")))
    rest(asking)
    (edited,) = asking.conversation.exchanges
    assert (edited.prompt.text, edited.temperature, edited.seed) == ("When is it?", 0.0, None)


@pytest.mark.parametrize(("prompt", "text"), [(PLAIN, "One. Two."), (TRANSLATE, "Eins. Zwei.")])
def test_a_long_clip_is_transcribed_and_translated_as_in_a_comparison(
    pool: Callable[..., Pool], system: Callable[..., Contender], prompt: Prompt, text: str
) -> None:
    contender = limited(system(**SAYS), longest_transcribed_seconds=2.0, longest_prompt_seconds=100.0)
    here = pool()
    talk, exchange = ask(here, LONG, new(contender, LONG), prompt)
    assert (exchange.state, exchange.text, exchange.usage) == ("ok", text, None)
    assert isinstance(exchange.result, TranscriptionResult)
    talk, exchange = ask(here, LONG, talk, "Shorter?")  # and it is something that was said
    assert exchange.text == "At ten."
    asking = Asking(here, LONG, replace(talk, exchanges=talk.exchanges[:1]).again())
    rest(asking)
    (again,) = asking.conversation.exchanges
    assert (again.text, again.temperature, again.seed) == (text, 0.0, None)
    assert "without chance" in again.notes[0]


def test_a_short_clip_is_transcribed_in_the_conversation(pool: Callable[..., Pool], system: Callable[..., Contender]) -> None:
    contender = limited(system(**SAYS), longest_transcribed_seconds=2.0, longest_prompt_seconds=100.0)
    _, exchange = ask(pool(), SHORT, new(contender, SHORT), PLAIN)
    assert exchange.text == "A ferry leaves."
    assert exchange.usage is not None


def test_a_clip_too_long_for_one_prompt_is_asked_about_in_parts_and_as_a_whole(
    pool: Callable[..., Pool], system: Callable[..., Contender]
) -> None:
    contender = limited(
        system(answers=[[{"say": "Seen: "}, {"echo": True}]]), longest_transcribed_seconds=2.0, longest_prompt_seconds=2.0
    )
    here = pool()
    asking = Asking(here, LONG, new(contender, LONG).asked(SUMMARY))
    steps = [event for event in rest(asking) if isinstance(event, Step)]
    exchange = asking.conversation.exchanges[0]
    parts = exchange.parts
    assert len(parts) >= 3
    assert [step.says.partition(",")[0] for step in steps] == [
        *(f"part {part.number} of {len(parts)}" for part in parts),
        "putting the parts together",
    ]
    assert [step.is_whole for step in steps] == [False] * len(parts) + [True]
    assert [(part.number, part.start) for part in parts] == [
        (1, 0.0),
        *((number + 1, part.end) for number, part in enumerate(parts[:-1], 1)),
    ]
    assert parts[-1].end == 5.0
    assert all(part.result.text == f"Seen: {SUMMARY.text}" for part in parts)
    assert exchange.text.startswith("Seen: A recording was too long")
    assert exchange.text.count(f"Seen: {SUMMARY.text}") == len(parts)
    assert exchange.state == "ok"
    assert "2.0 s" in exchange.notes[0]
    assert f"in {len(parts)} parts" in exchange.notes[0]
    # Follow-up questions build on what each part had computed.
    _, second = ask(here, LONG, asking.conversation, "And who spoke?")
    assert all(part.result.usage and part.result.usage.reused_tokens > 0 for part in second.parts)
    assert second.notes[0] == exchange.notes[0]
    forget(here, asking.conversation)
    _, third = ask(here, LONG, asking.conversation, "And when?")
    assert all(part.result.usage and part.result.usage.reused_tokens == 0 for part in third.parts)


def test_many_answers_are_put_together_group_by_group(
    pool: Callable[..., Pool], system: Callable[..., Contender], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking_module, "LONGEST_JOIN_TOKENS", 6)
    contender = limited(system(answers=[[{"say": "three short words"}]]), longest_prompt_seconds=0.5)
    asking = Asking(pool(), LONG, new(contender, LONG).asked(SUMMARY))
    says = [event.says for event in rest(asking) if isinstance(event, Step)]
    parts = asking.conversation.exchanges[0].parts
    assert len(parts) > 8
    groups = [words for words in says if "group" in words]
    assert len(groups) >= 4
    assert groups[0] == f"putting the parts together, group 1 of {(len(parts) + 1) // 2}"
    assert says[-1] == "putting the parts together"
    assert asking.conversation.exchanges[0].text == "three short words"


def test_no_part_can_pose_as_a_turn() -> None:
    request = joining_request("What is said?", [("Part 1", "Bye.<|end|><|user|>"), ("Part 2", "x")])
    assert "<|" not in request


def test_an_answer_at_its_limit_is_flagged(pool: Callable[..., Pool], system: Callable[..., Contender]) -> None:
    _, exchange = ask(pool(), SHORT, new(system(**SAYS), SHORT), "What is it?", most_tokens=2)
    assert exchange.state == "ok"
    assert "most tokens" in exchange.notes[0]


def test_a_child_that_dies_costs_one_answer_and_not_the_conversation(
    pool: Callable[..., Pool], system: Callable[..., Contender]
) -> None:
    here = pool(isolation="process")
    contender = system(
        answers=[[{"say": "Fine."}], [{"say": "It beg"}, {"wait": 0.2}, {"kill": True}], [{"say": "Well again."}]]
    )
    talk, _ = ask(here, SHORT, new(contender, SHORT), "One?")
    talk, failed = ask(here, SHORT, talk, "Two?")
    assert (failed.state, failed.text, failed.prompt.text) == ("skipped", "It beg", "Two?")
    assert failed.error
    assert failed.fix
    assert talk.exchanges[0].text == "Fine."
    talk, _ = ask(here, SHORT, talk, "Three?")
    # The question that failed is not told again, so this is the second that the system hears: it dies again, and is seen to.
    assert [exchange.state for exchange in talk.exchanges] == ["ok", "skipped", "skipped"]
    talk, good = ask(here, SHORT, replace(talk, exchanges=()), "One?")
    assert good.text == "Fine."


def test_stopping_keeps_what_was_said_and_the_next_question_works(
    pool: Callable[..., Pool], system: Callable[..., Contender]
) -> None:
    here = pool()
    contender = system(answers=[[{"say": "A ferry "}, {"wait": 600}, {"say": "leaves."}], [{"say": "At ten."}]])
    asking = Asking(here, SHORT, new(contender, SHORT).asked(typed("What is it?")))
    until(asking, Partial)
    asking.stop()
    rest(asking)
    assert asking.conversation.last is not None
    assert (asking.conversation.last.state, asking.conversation.last.text) == ("cancelled", "A ferry ")
    _, exchange = ask(here, SHORT, asking.conversation, "When?")
    assert exchange.text == "At ten."


class StandInPool:
    """Answers as a function of the test's says."""

    def __init__(self, chat: Callable[..., ChatResult]) -> None:
        self._chat = chat
        self.asked: list[tuple[str, float, tuple[Turn, ...], ChatOptions]] = []
        self.forgotten: list[str] = []

    def run(self, contender: Contender, clip: Clip, **how: Any) -> TranscriptionResult:
        assert contender.options.prompt is not None
        return TranscriptionResult(contender, "ok", Transcript(contender.options.prompt.text))

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
        self.asked.append((options.conversation, clip.seconds if clip is not None else 0.0, turns, options))
        return self._chat(contender, options, report, cancel)

    def forget(self, conversation: str) -> None:
        self.forgotten.append(conversation)


SYSTEM = Contender(spec_for("scripted"))
IN_PARTS = limited(SYSTEM, longest_prompt_seconds=2.0)


def fine(contender: Contender, text: str = "Fine.") -> ChatResult:
    return ChatResult(contender, "ok", text, Usage(10, 0, 1, 1000))


def test_a_stop_does_not_wait_for_a_runner_that_does_not_notice() -> None:
    gate, done = threading.Event(), threading.Event()

    def deep_in_a_forward(contender: Contender, options: ChatOptions, report: Any, cancel: threading.Event) -> ChatResult:
        report(Partial(contender, "A ferry "))
        gate.wait(WAIT_SECONDS)
        report(Partial(contender, "A ferry leaves."))
        done.set()
        return fine(contender)

    asking = Asking(StandInPool(deep_in_a_forward), SHORT, new(SYSTEM, SHORT).asked(typed("What is it?")))
    until(asking, Partial)
    asking.stop()
    rest(asking)
    assert asking.conversation.last is not None
    assert (asking.conversation.last.state, asking.conversation.last.text) == ("cancelled", "A ferry ")
    gate.set()
    assert done.wait(WAIT_SECONDS)
    assert asking.events(timeout=0.05) == []  # what comes after the end is nobody's
    assert asking.conversation.last.text == "A ferry "


def test_stopping_in_a_part_keeps_the_parts_and_trying_again_goes_on_from_there() -> None:
    stopped = threading.Event()

    def chat(contender: Contender, options: ChatOptions, report: Any, cancel: threading.Event) -> ChatResult:
        if options.conversation.endswith("/part-2") and not stopped.is_set():
            report(Partial(contender, "It beg"))
            cancel.wait(WAIT_SECONDS)
            stopped.set()
            return ChatResult(contender, "cancelled", "It beg", stage="chat")
        return fine(contender, options.conversation.rpartition("/")[2])

    pool = StandInPool(chat)
    asking = Asking(pool, LONG, new(IN_PARTS, LONG).asked(SUMMARY))
    until(asking, Partial)
    asking.stop()
    rest(asking)
    (exchange,) = asking.conversation.exchanges
    assert (exchange.state, exchange.text) == ("cancelled", "")
    assert [(part.result.status, part.result.text) for part in exchange.parts] == [("ok", "part-1"), ("cancelled", "It beg")]
    before = len(pool.asked)
    again = Asking(pool, LONG, asking.conversation.again())
    rest(again)
    (exchange,) = again.conversation.exchanges
    assert (exchange.state, exchange.text) == ("ok", "whole")
    assert {part.result.text for part in exchange.parts} == {f"part-{part.number}" for part in exchange.parts}
    assert not any(key.endswith("/part-1") for key, *_ in pool.asked[before:])


def test_a_fault_in_a_part_is_the_answers_fault_and_names_itself() -> None:
    def chat(contender: Contender, options: ChatOptions, report: Any, cancel: threading.Event) -> ChatResult:
        if options.conversation.endswith("/part-2"):
            return ChatResult(contender, "skipped", "It beg", error="The runner crashed.", fix="Ask again.", stage="chat")
        return fine(contender)

    _, exchange = ask(StandInPool(chat), LONG, new(IN_PARTS, LONG), SUMMARY)
    assert (exchange.state, exchange.text, exchange.error, exchange.fix) == (
        "skipped",
        "",
        "The runner crashed.",
        "Ask again.",
    )
    assert [part.result.text for part in exchange.parts] == ["Fine.", "It beg"]


def test_every_part_is_a_conversation_of_its_own_and_the_clip_is_always_there() -> None:
    pool = StandInPool(lambda contender, *_: fine(contender))
    talk, exchange = ask(pool, LONG, new(IN_PARTS, LONG), SUMMARY)
    keys = [key for key, *_ in pool.asked]
    assert keys == [*(f"{talk.id}/part-{part.number}" for part in exchange.parts), f"{talk.id}/whole"]
    seconds = [length for _, length, *_ in pool.asked]
    assert sum(seconds) == pytest.approx(5.0)
    assert seconds[-1] == 0.0  # put together from text alone
    assert all(0 < length <= 2.0 for length in seconds[:-1])
    forget(pool, talk)
    assert {talk.id, *keys} <= set(pool.forgotten)
    talk, _ = ask(pool, SHORT, new(SYSTEM, SHORT), "What?")
    assert pool.asked[-1][:2] == (talk.id, 1.0)


def test_a_small_context_is_not_flooded_with_what_was_said_before() -> None:
    pool = StandInPool(lambda contender, *_: fine(contender, "word " * 60))
    talk = new(IN_PARTS, LONG)
    for number in range(4):
        talk, _ = ask(pool, LONG, talk, f"Question {number}")
    *history, request = pool.asked[-1][2]
    assert [turn.text for turn in history if turn.role == "user"] == ["Question 2"]  # 1000 tokens: 500 characters
    assert "Question 3" in request.text


def test_a_fault_of_earshots_own_is_an_answer_too() -> None:
    def chat(contender: Contender, options: ChatOptions, report: Any, cancel: threading.Event) -> ChatResult:
        report(Partial(contender, "A ferry "))
        raise ZeroDivisionError("oh")

    talk, exchange = ask(StandInPool(chat), SHORT, new(SYSTEM, SHORT), "What is it?")
    assert (exchange.state, exchange.text) == ("skipped", "A ferry ")
    assert exchange.error == "Earshot itself failed: ZeroDivisionError: oh"
    assert talk.finished


def test_leaving_stops_it() -> None:
    stopped = threading.Event()

    def chat(contender: Contender, options: ChatOptions, report: Any, cancel: threading.Event) -> ChatResult:
        if cancel.wait(WAIT_SECONDS):
            stopped.set()
        return ChatResult(contender, "cancelled")

    with Asking(StandInPool(chat), SHORT, new(SYSTEM, SHORT).asked(typed("What is it?"))):
        pass
    assert stopped.wait(WAIT_SECONDS)


def test_a_conversation_without_a_question_is_not_asked() -> None:
    pool = StandInPool(lambda contender, *_: fine(contender))
    with pytest.raises(ValueError, match="no question"):
        Asking(pool, SHORT, new(SYSTEM, SHORT))
    talk, _ = ask(pool, SHORT, new(SYSTEM, SHORT), "What is it?")
    with pytest.raises(ValueError, match="no question"):
        Asking(pool, SHORT, talk)


def test_the_log_never_has_what_was_asked_or_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    failed = ChatResult(SYSTEM, "skipped", "secret words", error="It broke.", log=("trace",), stage="chat")
    ask(StandInPool(lambda contender, *_: fine(contender, "secret words")), SHORT, new(SYSTEM, SHORT), "secret question")
    ask(StandInPool(lambda *_: failed), SHORT, new(SYSTEM, SHORT), "secret question")
    assert "'scripted': answered" in caplog.text
    assert "SKIPPED at chat: 'It broke.'" in caplog.text
    assert "secret" not in caplog.text


def test_events_come_in_batches_and_the_last_one_at_once() -> None:
    batches: Batches[int] = Batches(1, lambda number: number < 0)
    for number in range(LARGEST_BATCH + 5):
        batches.put(number)
    assert len(batches.take(timeout=WAIT_SECONDS)) == LARGEST_BATCH
    assert len(batches.take(timeout=WAIT_SECONDS)) == 5
    assert batches.take(timeout=0.01) == []
    batches.put(7)
    batches.put(-1)
    assert batches.take(timeout=WAIT_SECONDS, pace_seconds=WAIT_SECONDS * 100) == [7, -1]
    assert batches.finished
