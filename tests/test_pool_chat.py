"""Answers come piece by piece, a conversation survives whatever happens to its runner."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import pytest

from runners.base import Contender, Prompt, RunnerSpec, TranscribeOptions
from runners.events import Loading, Partial, Running
from runners.here.machine import Machine, look
from runners.isolation import limits
from tests.pools import Told, ask, run


def test_a_turn_tells_its_steps_and_ends_with_an_answer(pool, script):
    told, made = Told(), pool()
    contender = script("a", answers=[[{"say": "one "}, {"wait": 0.15}, {"say": "two"}], [{"say": "three"}]])
    result = ask(made, contender, "What is said?", told=told)
    assert (result.status, result.text, result.usage.ended) == ("ok", "one two", "complete")
    assert result.load_seconds is not None
    assert result.first_token_seconds + 0.15 <= result.seconds
    assert result.tokens_per_second < 10
    assert (result.device, result.dtype) == ("cpu", "float32")
    kinds = [type(event) for event in told.events]
    assert (kinds[0], kinds.count(Running)) == (Loading, 1)
    assert [event.text for event in told.events if isinstance(event, Partial)] == ["one ", "one two"]
    after = ask(made, contender, "What is said?", "one two", "And then?")
    assert (after.text, after.load_seconds) == ("three", None)
    assert after.usage.reused_tokens == 25 + 5  # the clip's, and all words but the new question's


def test_a_forgotten_conversation_is_read_again_and_no_other(pool, script):
    made = pool()
    contender = script("a", answers=[[{"say": "yes"}]])
    for name in ("one", "two"):
        ask(made, contender, conversation=name)
    made.forget("one")
    assert [ask(made, contender, conversation=name).usage.reused_tokens for name in ("one", "two")] == [0, 25]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"crash": True}, "segmentation fault"),
        ({"kill": True}, "killed"),
        ({"hang": True}, "said nothing for 2.1 s"),
        ({"raise": "no", "fix": "yes"}, "no"),
        ({"raise": "none left", "fix": "yes", "kind": "out of memory"}, "none left"),
    ],
)
def test_a_fault_in_mid_answer_keeps_what_was_said_and_the_next_turn_works(pool, script, fault, says):
    made = pool(transcribe_timeout_seconds=2, transcribe_timeout_per_second=0.5)
    contender = script("a", answers=[[{"say": "So far "}, {"say": "so good "}, {"wait": 0.1}, fault], [{"say": "again"}]])
    result = ask(made, contender)
    assert (result.status, result.stage, result.text) == ("skipped", "chat", "So far so good ")
    assert says in result.error
    assert result.fix
    after = ask(made, contender, "What?", "So far so good ", "Go on.")
    assert (after.status, after.text) == ("ok", "again")


def test_a_stopped_answer_is_kept_and_the_model_stays_warm(pool, script):
    made, told = pool(), Told()
    contender = script("a", answers=[[{"say": "one "}, {"wait": 3600}], [{"say": "again"}]])
    result = ask(made, contender, told=told, cancel=told.spoke)
    assert (result.status, result.stage, result.text, result.error) == ("cancelled", "chat", "one ", None)
    after = ask(made, contender, "What?", "one ", "Go on.")
    assert (after.text, after.load_seconds, after.usage.reused_tokens) == ("again", None, 27)


def test_an_answer_that_cannot_be_stopped_is_ended_and_the_next_turn_works(pool, script, monkeypatch):
    monkeypatch.setattr(limits, "CANCEL_GRACE_SECONDS", 0.2)
    made, told = pool(), Told()
    contender = script("a", answers=[[{"say": "one "}, {"hang": True}], [{"say": "again"}]])
    result = ask(made, contender, told=told, cancel=told.spoke)
    assert (result.status, result.text) == ("cancelled", "one ")
    assert ask(made, contender, "What?", "one ", "Go on.").text == "again"


def test_a_transcript_and_an_answer_come_from_the_same_model(pool, script):
    made = pool()
    contender = script("a", [{"say": "heard"}], answers=[[{"say": "said"}]], prompted={"readable": [{"say": "Heard."}]})
    prompted = replace(contender, options=TranscribeOptions(prompt=Prompt("readable", "transcription", "Write.")))
    assert run(made, prompted).transcript.text == "Heard."
    assert ask(made, contender).load_seconds is None
    assert run(made, contender).load_seconds is None
    assert len(made.children()) == 1


def test_a_conversation_stays_with_its_model_when_memory_comes_free(pool, script):
    free_bytes = [700_000_000]

    def machine() -> Machine:
        now = look()
        devices = tuple(replace(device, free_bytes=free_bytes[0]) for device in now.devices)
        return replace(now, devices=devices, memory_free_bytes=free_bytes[0])

    made = pool(machine)
    plain = script("a", [{"say": "a"}], answers=[[{"say": "yes"}]])
    large = {"parameters": 100_000_000, "dtypes": ("float32", "bfloat16")}  # needs 780 MB, or 540
    talker = replace(plain, spec=replace(plain.spec, **large))
    assert ask(made, talker).dtype == "bfloat16"
    free_bytes[0] = 4_000_000_000
    after = ask(made, talker)
    assert (after.dtype, after.load_seconds, after.usage.reused_tokens) == ("bfloat16", None, 25)
    writer = replace(plain, spec=replace(plain.spec, **large, can_chat=False))
    assert run(made, writer).dtype == "float32"  # what only writes is as precise as it can be


def test_what_cannot_talk_is_not_asked(pool):
    made = pool()
    deaf = RunnerSpec(family="deaf", label="Only writes", target="nowhere:Deaf")
    result = ask(made, Contender(deaf))
    assert (result.status, result.stage) == ("skipped", "availability")
    assert "Only writes cannot talk" in result.error
    assert result.fix
    odd = RunnerSpec(family="odd", label="Odd", target="nowhere:Odd", requires=("a-package-of-nobody",), can_chat=True)
    assert "a-package-of-nobody" in ask(made, Contender(odd)).error
    assert made.children() == ()


def test_closing_ends_an_answer_as_cancelled(pool, script):
    made, told, results = pool(), Told(), []
    contender = script("a", answers=[[{"say": "one "}, {"wait": 3600}]])
    thread = threading.Thread(target=lambda: results.append(ask(made, contender, told=told)))
    thread.start()
    assert told.spoke.wait(20)
    made.close()
    thread.join(20)
    assert (results[0].status, results[0].text) == ("cancelled", "one ")
    made.forget("one")
