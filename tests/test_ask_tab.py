"""What the Ask tab shows of a conversation, and what it makes of what a browser sends; without a browser."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.base import (
    Availability,
    ChatResult,
    Contender,
    Prompt,
    PromptError,
    RunnerSpec,
    Segment,
    Server,
    Transcript,
    TranscriptionResult,
    Usage,
)
from runners.conversations.conversation import Conversation, Exchange, Part
from runners.prompts import Templates
from tests.markup import Tags
from ui import ask_tab, views
from ui.prose import blocks

HOSTILE = "<img src=x onerror=\"alert('1')\"><script>alert(1)</script>![x](http://elsewhere/x.png) [y](javascript:alert(1))"
SPEC = RunnerSpec("one", "One <b>", "x:Y", is_default=True, can_chat=True)
CONTENDER = Contender(SPEC)
NAMES = {template.name: template for template in Templates()}


def answered(text: str, **fields: Any) -> Exchange:
    usage = Usage(prompt_tokens=1200, reused_tokens=1100, new_tokens=40, context_tokens=131_072)
    result = ChatResult(CONTENDER, "ok", text, usage, first_token_seconds=0.41, seconds=4.41)
    return Exchange(**{"prompt": Prompt(None, "question", "Why?"), "state": "ok", "text": text, "result": result, **fields})


def failed(text: str, error: str, fix: str | None = None, log: tuple[str, ...] = ()) -> Exchange:
    result = ChatResult(CONTENDER, "skipped", text, error=error, fix=fix, log=log, stage="chat")
    return Exchange(Prompt(None, "question", "Why?"), state="skipped", text=text, result=result)


def shown(exchange: Exchange, last: bool = True) -> str:
    return views.exchange_html(exchange, NAMES, last)


def test_an_answer_is_paragraphs_and_lists() -> None:
    tags = Tags(
        shown(answered("Two things **matter**:\n\n- one\n- two\n  goes on\n\n1. first\n2) second\n\n## Actions\nlast\nline"))
    )
    assert [tag for tag in tags.names if tag in ("ul", "ol", "li", "br")] == ["ul", "li", "li", "ol", "li", "li", "br"]
    assert "b" in tags.names
    assert "two goes on" in tags.text
    assert "**" not in tags.text
    assert "##" not in tags.text


@pytest.mark.parametrize("where", ["answer", "question", "template", "note", "error", "log", "part", "segment"])
def test_nothing_that_a_model_or_a_person_wrote_becomes_markup(where: str) -> None:
    result = ChatResult(CONTENDER, "ok", HOSTILE, Usage(1, 0, 2, None))
    exchange = {
        "answer": lambda: answered(HOSTILE),
        "question": lambda: answered("x", prompt=Prompt(None, "question", HOSTILE)),
        "template": lambda: answered("x", prompt=Prompt(HOSTILE, "question", "x")),
        "note": lambda: answered("x", notes=(HOSTILE,)),
        "error": lambda: failed("x", HOSTILE, HOSTILE),
        "log": lambda: failed("x", "e", None, (HOSTILE,)),
        "part": lambda: answered("x", parts=(Part(1, 0.0, 3.0, result),)),
        "segment": lambda: Exchange(
            Prompt(None, "transcription", "x"),
            state="ok",
            text="x",
            result=TranscriptionResult(
                CONTENDER, "ok", Transcript("x", segments=(Segment(HOSTILE, 0.0, 1.0), Segment("y", 1.0, 2.0)))
            ),
        ),
    }[where]()
    html = shown(exchange)
    tags = Tags(html)
    assert not {"img", "script", "a", "iframe", "style", "svg", "link"} & set(tags.names)
    assert not {name for name in tags.attributes if name.startswith("on") or name in ("src", "href", "style")}
    assert "onerror" in tags.text


@given(st.text())
def test_every_word_of_an_answer_is_shown(text: str) -> None:
    pieces = "".join(piece.text for block in blocks(text) for line in block.lines for piece in line.pieces)
    assert set("".join(pieces.split())) <= set("".join(text.split()))
    letters = [character for character in text if character.isalpha()]
    assert [character for character in pieces if character.isalpha()] == letters


def test_an_answer_of_any_kind_is_drawn_in_linear_time() -> None:
    for text in ("** " * 30_000, "- " * 30_000, "#" * 60_000, " " * 60_000 + "x", "1." * 30_000, "\n- x" * 20_000):
        assert len(blocks(text)) <= len(text)  # it would take minutes otherwise, not a second


def test_the_figures_stand_quietly_under_an_answer() -> None:
    found = views.exchange_figures(answered("Because."))
    assert found == ["0.41 s to the first token", "9.8 tokens/s", "1,240 of 131,072 tokens of context"]


def test_only_the_last_question_can_be_edited_and_asked_again() -> None:
    last, earlier = shown(answered("x")), shown(answered("x"), last=False)
    assert "es-edit" in last
    assert "es-anew" in last
    assert "es-edit" not in earlier
    assert "es-anew" not in earlier
    assert "es-copy" in earlier


@pytest.mark.parametrize(
    ("exchange", "says"),
    [
        (Exchange(Prompt(None, "question", "x")), "waits for its turn"),
        (Exchange(Prompt(None, "question", "x"), state="loading"), "loading the model"),
        (
            Exchange(Prompt(None, "question", "x"), state="loading", done_bytes=5_000_000, total_bytes=10_000_000),
            "downloading 5.0 MB of 10 MB",
        ),
        (Exchange(Prompt(None, "question", "x"), state="running"), "listening"),
        (Exchange(Prompt(None, "question", "x"), state="running", text="Be"), "answering"),
        (Exchange(Prompt(None, "question", "x"), state="running", step="part 2 of 3"), "part 2 of 3"),
    ],
)
def test_it_says_what_it_waits_for(exchange: Exchange, says: str) -> None:
    assert says in Tags(shown(exchange)).text
    assert 'aria-busy="true"' in shown(exchange)


def test_a_fault_in_mid_answer_keeps_what_was_said() -> None:
    text = Tags(shown(failed("It begins", "The runner died.", "Try again."))).text
    assert "It begins" in text
    assert "The runner died. Try again." in text


def test_what_was_stopped_says_so() -> None:
    result = ChatResult(CONTENDER, "cancelled", "It be")
    text = Tags(shown(Exchange(Prompt(None, "question", "x"), state="cancelled", text="It be", result=result))).text
    assert "It be" in text
    assert "stopped" in text


def test_systems_that_cannot_run_say_why_and_what_to_do() -> None:
    able, off = SPEC, RunnerSpec("two", "Two", "x:Y", is_default=True, can_chat=True)
    cannot = Availability("skipped", "needs 12 GB, 7 GB free", "choose a smaller precision")
    some = Tags(views.systems([(able, Availability("available")), (off, cannot)]))
    assert some.names.count("input") == 1
    assert "1 cannot run here now" in some.text
    none = Tags(views.systems([(off, cannot)]))
    assert "input" not in none.names
    assert "details" not in none.names  # nothing to unfold
    for text in (some.text, none.text):
        assert "needs 12 GB, 7 GB free" in text
        assert "choose a smaller precision" in text
    assert "One <b>" in some.text


def test_a_system_on_a_server_is_not_said_to_be_here() -> None:
    there = replace(SPEC, server=Server("lab", "http://inside:8000/v1"))
    html = views.systems([(there, Availability("available"))])
    assert "served by lab" in Tags(html).text
    assert "here now" not in Tags(html).text
    assert "inside" not in html


def test_the_rendered_prompt_is_seen_before_it_is_sent() -> None:
    plain = NAMES["in-language"].to_plain()
    told = ask_tab.rendered({"template": plain, "values": {"sentences": "2", "language": "Welsh"}})
    assert told["pieces"] == [["text", "Summarize the audio clip in 2 sentences. Write the summary in Welsh."]]
    assert told["fault"] is None
    gap = ask_tab.rendered({"template": NAMES["terms"].to_plain(), "values": {}})
    assert ["gap", "{terms}"] in gap["pieces"]
    assert "{terms}" in gap["fault"]
    assert ask_tab.rendered({"text": "Why <|end|> so?"})["changed"]
    assert not ask_tab.rendered({"text": "Why so?"})["changed"]


@pytest.mark.parametrize("sent", [None, 7, [], {}, {"text": 3}, {"template": 3}, {"template": {"name": []}, "values": 1}])
def test_a_browser_may_send_anything(sent: Any) -> None:
    assert set(ask_tab.rendered(sent)) == {"pieces", "fault", "changed"}
    assert ask_tab.chosen_in(sent) is None


def test_an_edited_question_is_nobodys_template_any_more_but_of_the_same_task() -> None:
    old = Prompt("plain", "transcription", "Transcribe.")
    assert ask_tab.edited(old, "Transcribe it all.") == Prompt(None, "transcription", "Transcribe it all.")
    assert ask_tab.edited(old, " Transcribe. ") == old
    with pytest.raises(PromptError, match="Nothing is asked"):
        ask_tab.edited(old, " ")


def test_an_export_has_prompts_answers_and_figures_but_not_the_conversations_id() -> None:
    conversation = Conversation("secret-id", "a clip.wav", 3.0, CONTENDER, (answered("Because."),))
    exported = ask_tab.export(conversation)
    assert exported is not None
    assert exported["stem"] == "earshot-a clip-conversation"
    assert "Because" in exported["md"]
    (exchange,) = json.loads(exported["json"])["exchanges"]
    assert (exchange["prompt"]["text"], exchange["answer"]) == ("Why?", "Because.")
    assert exchange["first_token_seconds"] == 0.41
    assert "secret-id" not in json.dumps(exported)
    assert ask_tab.export(Conversation("id", "a.wav", 3.0, CONTENDER)) is None
