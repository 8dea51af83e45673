"""Visitors' conversations: whose they are, what becomes of them, and what is left when a tab is closed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runners.base import AudioError, Clip, Contender, Prompt, RunnerError, UnsupportedOption
from runners.catalogue.names import spec_for
from runners.here.machine import look
from runners.pool import Pool
from runners.settings import Settings
from ui import conversations as module
from ui.conversations import Asked, Conversations, NoConversation

WHO, WHAT = Prompt(None, "question", "Who?"), Prompt(None, "question", "What?")
System = Callable[..., Contender]


class Files:
    """Decodes any name to a second of silence, and counts."""

    def __init__(self) -> None:
        self.decoded: list[str] = []
        self.gone: set[str] = set()

    def __call__(self, path: str) -> Clip:
        if path in self.gone:
            raise AudioError("The file is not there any more.", "Give it again.")
        self.decoded.append(path)
        return Clip(np.zeros(16_000, np.float32), 1.0, Path(path).name)


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    made = Pool(Settings(isolation="inline", cache_folder=tmp_path), look)
    yield made
    made.close()


@pytest.fixture
def conversations(pool: Pool, files: Files) -> Conversations:
    return Conversations(pool, files, show_logs=True)


@pytest.fixture
def system(tmp_path: Path) -> System:
    """A system that plays a script; by default it says the question back."""

    def of(name: str = "plays", **script: Any) -> Contender:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"repeat": True, "answers": [[{"echo": True}]], **script}), encoding="utf-8")
        return Contender(spec_for(f"scripted:{path}"))

    return of


def end(stream: Iterator[Asked]) -> Asked:
    *_, last = stream
    return last


def answers(asked: Asked) -> list[str]:
    return [exchange.text for exchange in asked.conversation.exchanges]


def test_a_conversation_goes_on_with_what_was_said(conversations: Conversations, system: System) -> None:
    name = conversations.begin("mine", "a.wav", system())
    assert answers(end(conversations.ask("mine", name, WHO))) == ["Who?"]
    last = end(conversations.ask("mine", name, WHAT))
    assert answers(last) == ["Who?", "What?"]
    assert last.since is None
    usage = last.conversation.exchanges[1].usage
    assert usage is not None
    assert usage.reused_tokens > 0


def test_nobody_reaches_anothers_conversation(conversations: Conversations, system: System) -> None:
    name = conversations.begin("mine", "a.wav", system())
    end(conversations.ask("mine", name, WHO))
    assert conversations.get("another", name) is None
    assert conversations.latest("another") is None
    for call in (
        lambda: conversations.ask("another", name, WHAT),
        lambda: conversations.again("another", name),
        lambda: conversations.edit("another", name, lambda old: old),
        lambda: conversations.ask(None, name, WHAT),
    ):
        with pytest.raises(NoConversation):
            end(call())
    conversations.clear("another", name)
    conversations.drop("another", name)
    conversations.leave("another")
    mine = conversations.get("mine", name)
    assert mine is not None
    assert len(mine.exchanges) == 1


def test_a_stop_ends_only_ones_own_answer_and_keeps_what_was_said(conversations: Conversations, system: System) -> None:
    name = conversations.begin("mine", "a.wav", system(answers=[[{"say": "it begins "}, {"wait": 600}]]))
    states = []
    for asked in conversations.ask("mine", name, WHO):
        last = asked.conversation.exchanges[-1]
        states.append(last.state)
        if last.text and last.state == "running":
            conversations.stop("another")
            conversations.stop("mine")
    assert states[-1] == "cancelled"
    kept = conversations.get("mine", name)
    assert kept is not None
    assert kept.exchanges[-1].text == "it begins "
    assert kept.finished


def test_who_leaves_in_mid_answer_stops_it_and_leaves_nothing_behind(
    conversations: Conversations, pool: Pool, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[str] = []
    monkeypatch.setattr(pool, "forget", forgotten.append)
    name = conversations.begin("mine", "a.wav", system(answers=[[{"say": "it begins "}, {"wait": 600}]]))
    other = conversations.begin("other", "a.wav", system("other"))
    seen: list[Asked] = []
    began = threading.Event()

    def ask() -> None:
        for asked in conversations.ask("mine", name, WHO):
            seen.append(asked)
            if asked.conversation.exchanges[-1].text:
                began.set()

    asking = threading.Thread(target=ask)
    asking.start()
    assert began.wait(30)
    conversations.leave("mine")
    asking.join(30)
    assert seen[-1].conversation.exchanges[-1].state == "cancelled"
    assert forgotten == [name]
    assert conversations.latest("mine") is None
    assert conversations.get("other", other) is not None


def test_a_page_that_stops_listening_stops_the_answer(conversations: Conversations, system: System) -> None:
    name = conversations.begin("mine", "a.wav", system(answers=[[{"say": "it begins "}, {"wait": 600}]]))
    stream = conversations.ask("mine", name, WHO)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    kept = conversations.get("mine", name)
    assert kept is not None
    assert kept.exchanges[-1].state == "cancelled"


def test_the_last_question_is_edited_and_asked_again(conversations: Conversations, system: System) -> None:
    name = conversations.begin("mine", "a.wav", system())
    end(conversations.ask("mine", name, WHO))
    end(conversations.ask("mine", name, WHO))
    assert answers(end(conversations.edit("mine", name, lambda old: WHAT))) == ["Who?", "What?"]
    again = end(conversations.again("mine", name)).conversation.exchanges
    assert [exchange.prompt.text for exchange in again] == ["Who?", "What?"]
    assert again[-1].seed is not None
    conversations.clear("mine", name)
    cleared = conversations.get("mine", name)
    assert cleared is not None
    assert cleared.exchanges == ()
    with pytest.raises(RunnerError, match="Nothing was asked"):
        end(conversations.again("mine", name))


def test_a_second_question_waits_for_the_first(conversations: Conversations, system: System) -> None:
    name = conversations.begin("mine", "a.wav", system(answers=[[{"wait": 600}]]))
    first = conversations.ask("mine", name, WHO)
    next(first)
    with pytest.raises(RunnerError, match="still being answered"):
        end(conversations.ask("mine", name, WHAT))
    conversations.clear("mine", name)  # does nothing while it runs
    conversations.stop("mine")
    assert len(end(first).conversation.exchanges) == 1


def test_a_fault_keeps_the_conversation_which_goes_on(conversations: Conversations, system: System) -> None:
    steps = [[{"say": "yes"}], [{"say": "it beg"}, {"raise": "It broke.", "fix": "Mend it."}]]
    name = conversations.begin("mine", "a.wav", system(answers=steps))
    end(conversations.ask("mine", name, WHO))
    first, failed = end(conversations.ask("mine", name, WHAT)).conversation.exchanges
    assert (failed.error, failed.fix, failed.text) == ("It broke.", "Mend it.", "it beg")
    assert first.text == "yes"
    conversations.clear("mine", name)
    assert answers(end(conversations.ask("mine", name, WHAT))) == ["yes"]


def test_a_log_is_shown_only_where_the_deployer_allows_it(tmp_path: Path, files: Files, system: System) -> None:
    pool = Pool(Settings(cache_folder=tmp_path), look)
    try:
        for show_logs in (True, False):
            conversations = Conversations(pool, files, show_logs=show_logs)
            name = conversations.begin("mine", "a.wav", system(answers=[[{"flood": 1000}, {"raise": "It broke."}]]))
            asked = end(conversations.ask("mine", name, WHO))
            kept = conversations.get("mine", name)
            assert kept is not None
            assert [bool(each.exchanges[-1].log) for each in (asked.conversation, kept)] == [show_logs, show_logs]
    finally:
        pool.close()


def test_what_only_transcribes_is_refused(conversations: Conversations) -> None:
    with pytest.raises(UnsupportedOption, match="cannot talk"):
        conversations.begin("mine", "a.wav", Contender(spec_for("pocketsphinx")))


def test_too_many_conversations_make_way_oldest_first(
    conversations: Conversations, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_IN_ALL", 10)
    plays = system()
    first, *others = [conversations.begin("mine", "a.wav", plays) for _ in range(module.MOST_OF_A_SESSION + 1)]
    assert conversations.get("mine", first) is None
    assert all(conversations.get("mine", name) for name in others)
    theirs = [conversations.begin(f"visitor {number}", "a.wav", plays) for number in range(5)]
    assert all(conversations.get(f"visitor {number}", name) for number, name in enumerate(theirs))
    assert [bool(conversations.get("mine", name)) for name in others] == [False] * 3 + [True] * 5


def test_a_clip_is_decoded_once_as_long_as_there_is_room(
    conversations: Conversations, files: Files, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = conversations.begin("mine", "a.wav", system())
    end(conversations.ask("mine", name, WHO))
    end(conversations.ask("mine", name, WHAT))
    assert files.decoded == ["a.wav"]
    monkeypatch.setattr(module, "MOST_HELD_BYTES", 70_000)  # a second of silence has 64 000
    conversations.begin("mine", "b.wav", system())
    end(conversations.ask("mine", name, WHO))
    assert files.decoded == ["a.wav", "b.wav", "a.wav"]
    conversations.begin("mine", "b.wav", system())
    files.gone.add("a.wav")
    with pytest.raises(AudioError, match="not there any more"):
        end(conversations.ask("mine", name, WHAT))
    kept = conversations.get("mine", name)
    assert kept is not None
    assert len(kept.exchanges) == 3  # as it was
    assert kept.finished
