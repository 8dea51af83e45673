"""A conversation written down: Markdown in which text stays text, JSON without secrets."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.base import ChatResult, Clip, Contender, Prompt, Segment, Transcript, TranscriptionResult, Usage
from runners.catalogue.names import spec_for
from runners.conversations import conversation as conversations
from runners.conversations import record
from runners.conversations.conversation import Answered, Conversation, Part, fold

SYSTEM = Contender(spec_for("scripted"))
USAGE = Usage(20, 5, 11, context_tokens=1000, ended="limit")
HOSTILE = [
    "# Not a heading",
    "Not a heading either\n====",
    "- no list\n+ none\n* none\n1. none\n2) none",
    "> no quotation",
    "[no link](http://evil.example) ![no picture](x.png) <http://evil.example>",
    "[no]: http://evil.example\n\n[no][no]",
    "<script>alert(1)</script> <b>x</b> &copy; &#60;",
    "**not bold** _not italic_ ~~not struck~~ `no code`",
    "    no block of code\n\tnone\n```\nnone\n```\n~~~\nnone\n~~~",
    "| no | table |\n|---|---|\n| x | y |",
    "---\n***\n___",
    "a line\\\nanother\\",
    "two spaces  \nat the end",
    "https://evil.example www.evil.example",
    "$x$ and $$y$$",
    "one\n\n\n\ntwo\n  indented",
    "\x1b[31mred\x1b[0m \u202eback\u202c",
    "*",
    "C #",
    "\\",
    "",
]


def talk(question: str = "What is it?", answer: str = "A ferry.", source: str = "speech.wav") -> Conversation:
    fresh = conversations.new(SYSTEM, Clip(np.zeros(16_000, np.float32), 75.0, source)).asked(
        Prompt(None, "question", question)
    )
    result = ChatResult(
        SYSTEM, "ok", answer, USAGE, seconds=3.0, first_token_seconds=1.0, log=("/home/somebody/models",), device="cpu"
    )
    assert fresh.last is not None
    return fold(fresh, Answered(SYSTEM, replace(fresh.last, state="ok", text=answer, result=result, notes=("cut",))))


def rendered(markdown: str) -> str:
    module = pytest.importorskip("markdown_it")
    made: str = module.MarkdownIt("gfm-like", {"linkify": False}).render(markdown)
    return made


def shown(markup: str) -> str:
    """What a reader sees of it, line by line."""
    text = re.sub(r"<br ?/?>\n?", "\n", markup)
    text = re.sub(r"</p>\n<p>", "\n\n", text)
    return html.unescape(re.sub(r"</?p>|\n$", "", text)).strip("\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_text_stays_text_in_markdown(text: str) -> None:
    made = rendered(record.escaped(text))
    assert set(re.findall(r"<\s*/?([a-z0-9]+)", made)) <= {"p", "br"}


@settings(max_examples=300)
@given(st.text(alphabet=st.sampled_from("ab1 .)#*_-+=`~|<>[]()!&;:/\\\n\t\"'$@wW\u00a0é"), max_size=40))
def test_what_is_read_is_what_was_said(text: str) -> None:
    made = rendered(record.escaped(text))
    assert set(re.findall(r"<\s*/?([a-z0-9]+)", made)) <= {"p", "br"}

    def plain(words: str) -> list[str]:
        lines = (line.replace("\u00a0", " ").expandtabs(4).split() for line in words.splitlines())
        return [" ".join(line) for line in lines if line]

    assert plain(shown(made)) == plain(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_is_untrusted_breaks_out_of_the_page(text: str) -> None:
    plain = rendered(record.to_markdown(talk()))
    hostile = rendered(record.to_markdown(talk(question=text or "x", answer=text, source=text or "x")))
    allowed = {"h1", "h2", "p", "blockquote", "em", "br"}
    assert set(re.findall(r"<\s*/?([a-z0-9]+)", plain)) <= allowed
    assert set(re.findall(r"<\s*/?([a-z0-9]+)", hostile)) <= allowed
    for heading in ("h1", "h2", "blockquote", "em"):
        assert hostile.count(f"<{heading}>") == plain.count(f"<{heading}>")


def test_a_terminal_gets_nothing_to_obey() -> None:
    made = record.to_markdown(talk(answer="\x1b[31mred \u202eback"))
    assert "\x1b" not in made
    assert "\u202e" not in made


def test_markdown_has_question_answer_and_notes() -> None:
    made = record.to_markdown(talk())
    assert made.startswith("# A conversation about speech.wav\n")
    assert "\n> What is it?\n" in made
    assert "\nA ferry.\n" in made
    assert "*Note: cut*" in made
    assert "1:15 long" in made


def test_the_revision_that_answered_is_told() -> None:
    pinned = Contender(spec_for("phi4-multimodal"))
    made = record.to_markdown(conversations.new(pinned, Clip(np.zeros(16_000, np.float32), 1.0, "a.wav")))
    assert "(phi4-multimodal, revision refs/pr/70)" in made


def test_markdown_says_what_did_not_work() -> None:
    asked = talk().asked(Prompt("summary", "summarization", "Summarise it."))
    assert asked.last is not None
    failed = ChatResult(SYSTEM, "skipped", "It beg", error="The runner crashed.", fix="Ask again.")
    made = record.to_markdown(fold(asked, Answered(SYSTEM, replace(asked.last, state="skipped", result=failed, text="It beg"))))
    assert "## 2. summary" in made
    assert "It beg" in made
    assert "*Not answered: The runner crashed. Ask again.*" in made
    stopped = ChatResult(SYSTEM, "cancelled")
    made = record.to_markdown(fold(asked, Answered(SYSTEM, replace(asked.last, state="cancelled", result=stopped))))
    assert "*Stopped here.*" in made
    assert "*Not answered yet.*" in record.to_markdown(asked)


def test_parts_and_cuts_can_be_seen() -> None:
    asked = talk().asked(Prompt(None, "question", "Summarise it."))
    assert asked.last is not None
    one = ChatResult(SYSTEM, "ok", "About boats.", USAGE)
    whole = ChatResult(SYSTEM, "ok", "Boats and bread.", USAGE)
    parts = (Part(1, 0.0, 1692.0, one), Part(2, 1692.0, 3340.0, one))
    done = fold(asked, Answered(SYSTEM, replace(asked.last, state="ok", result=whole, text=whole.text, parts=parts)))
    made = record.to_markdown(done)
    assert "### Part 2, 28:12 to 55:40\n\nAbout boats.\n" in made
    assert "### The whole clip\n\nBoats and bread.\n" in made
    assert [part["answer"] for part in record.to_dict(done)["exchanges"][1]["parts"]] == ["About boats."] * 2
    asked = done.asked(Prompt("plain", "transcription", "Write it down."))
    assert asked.last is not None
    pieces = (Segment("One.", 0.0, 38.0), Segment("Two.", 38.0, 74.5), Segment("Three.", 74.5, 80.0))
    heard = TranscriptionResult(SYSTEM, "ok", Transcript("One. Two. Three.", segments=pieces), runs=(2.0,))
    done = fold(asked, Answered(SYSTEM, replace(asked.last, state="ok", result=heard, text="One. Two. Three.")))
    assert "*Cut at 0:38, 1:14.*" in record.to_markdown(done)
    assert [piece["start"] for piece in record.to_dict(done)["exchanges"][2]["segments"]] == [0.0, 38.0, 74.5]
    assert record.to_dict(done)["exchanges"][2]["seconds"] == 2.0
    assert record.to_dict(done)["exchanges"][2]["tokens"] is None


def test_json_has_everything_but_secrets() -> None:
    conversation = talk()
    whole = json.loads(json.dumps(record.to_dict(conversation), allow_nan=False))
    assert whole["earshot_conversation"] == 1
    assert whole["clip"] == {"source": "speech.wav", "seconds": 75.0}
    assert whole["system"]["name"] == "scripted"
    (exchange,) = whole["exchanges"]
    assert exchange["prompt"] == {"template": None, "task": "question", "text": "What is it?"}
    assert exchange["answer"] == "A ferry."
    assert exchange["tokens"] == {"prompt": 20, "reused": 5, "new": 11, "context": 1000, "ended": "limit"}
    assert (exchange["seconds"], exchange["first_token_seconds"], exchange["tokens_per_second"]) == (3.0, 1.0, 5.0)
    assert exchange["notes"] == ["cut"]
    text = json.dumps(whole) + record.to_markdown(conversation)
    assert conversation.id not in text
    assert "somebody" not in text
