"""A conversation written down, to be kept or passed on: as JSON, or as Markdown for people.

File names, questions and answers are untrusted: in Markdown each stays the text it is, never a heading, a link, a picture
or HTML. Left out are the conversation's id, with which somebody could go on with it, and logs, which name folders.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from runners.base import ChatResult
from runners.conversations.conversation import Conversation, Exchange, Part
from runners.decode import clock
from runners.terminal import plain

VERSION = 1
"""Of the JSON; counted up when a reader of the last one would misunderstand the next."""

_INLINE = re.compile(r"[\\`*_\[\]<>|~&$#]")
_AUTOLINK = re.compile(r"(?<=[A-Za-z]):(?=\S)|(?<=\bwww)\.", re.IGNORECASE)
_AT_THE_START = re.compile(r"(?:[+=-]|(?<=\d)[.)])")


def to_dict(conversation: Conversation) -> dict[str, Any]:
    """A conversation as JSON has it. Times are seconds; what is not known is None."""
    spec = conversation.contender.spec
    totals = conversation.totals
    return {
        "earshot_conversation": VERSION,
        "clip": {"source": conversation.source, "seconds": _number(conversation.clip_seconds)},
        "system": {"name": spec.name, "label": spec.label, "model": spec.model, "revision": spec.revision},
        "exchanges": [_exchange(exchange) for exchange in conversation.exchanges],
        "totals": {
            "prompt_tokens": totals.prompt_tokens,
            "reused_tokens": totals.reused_tokens,
            "new_tokens": totals.new_tokens,
            "seconds": _number(totals.seconds),
        },
    }


def _exchange(exchange: Exchange) -> dict[str, Any]:
    result = exchange.result
    return {
        "prompt": {"template": exchange.prompt.template, "task": exchange.prompt.task, "text": exchange.prompt.text},
        "temperature": exchange.temperature,
        "seed": exchange.seed,
        "status": exchange.state,
        "answer": exchange.text,
        "error": exchange.error,
        "fix": exchange.fix,
        "stage": result.stage if result is not None else None,
        "notes": list(exchange.notes),
        "oddities": list(exchange.oddities),
        "seconds": _number(exchange.seconds),
        "first_token_seconds": _number(exchange.first_token_seconds),
        "tokens_per_second": _number(exchange.tokens_per_second),
        "load_seconds": _number(exchange.load_seconds),
        "tokens": _tokens(result) if isinstance(result, ChatResult) else None,
        "device": result.device if result is not None else None,
        "dtype": result.dtype if result is not None else None,
        "segments": [
            {"start": _number(segment.start), "end": _number(segment.end), "text": segment.text}
            for segment in exchange.segments
        ],
        "parts": [_part(part) for part in exchange.parts],
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "number": part.number,
        "start": _number(part.start),
        "end": _number(part.end),
        "status": part.result.status,
        "answer": part.result.text,
        "error": part.result.error,
        "seconds": _number(part.result.seconds),
        "tokens": _tokens(part.result),
    }


def _tokens(result: ChatResult) -> dict[str, Any] | None:
    usage = result.usage
    if usage is None:
        return None
    return {
        "prompt": usage.prompt_tokens,
        "reused": usage.reused_tokens,
        "new": usage.new_tokens,
        "context": usage.context_tokens,
        "ended": usage.ended,
    }


def _number(value: float | None) -> float | None:
    """JSON has neither NaN nor infinity."""
    return value if value is not None and math.isfinite(value) else None


def to_markdown(conversation: Conversation) -> str:
    """A conversation for people, in CommonMark."""
    return markdown(to_dict(conversation))


def markdown(document: Mapping[str, Any]) -> str:
    """As ``to_markdown``, of what ``to_dict`` gave."""
    clip, system = document["clip"], document["system"]
    named = f"{system['name']}, revision {system['revision']}" if system["revision"] else system["name"]
    lines = [
        f"# A conversation about {_line(clip['source'])}",
        f"The clip is {clock(clip['seconds'])} long. Answers are by {_line(system['label'])} ({_line(named)}).",
    ]
    for number, exchange in enumerate(document["exchanges"], 1):
        prompt = exchange["prompt"]
        lines += [f"## {number}. {_title(prompt)}", _quote(prompt["text"]), *_answer(exchange)]
    return "\n\n".join(line for line in lines if line) + "\n"


def _answer(exchange: Mapping[str, Any]) -> Iterator[str]:
    for part in exchange["parts"]:
        yield f"### Part {part['number']}, {clock(part['start'])} to {clock(part['end'])}"
        yield escaped(part["answer"])
    if exchange["parts"] and exchange["answer"]:
        yield "### The whole clip"
    yield escaped(exchange["answer"])
    if exchange["status"] == "skipped":
        yield f"*Not answered: {_line(' '.join(filter(None, (exchange['error'], exchange['fix']))))}*"
    elif exchange["status"] == "cancelled":
        yield "*Stopped here.*"
    elif exchange["status"] != "ok":
        yield "*Not answered yet.*"
    cuts = [segment["start"] for segment in exchange["segments"][1:] if segment["start"] is not None]
    if cuts:
        yield f"*Cut at {', '.join(map(clock, cuts))}.*"
    for note in (*exchange["oddities"], *exchange["notes"]):
        yield f"*Note: {_line(note)}*"


def _title(prompt: Mapping[str, Any]) -> str:
    template: str | None = prompt["template"]
    task: str = prompt["task"]
    return _line(template) if template else task.capitalize()


def _line(text: str) -> str:
    """Untrusted text within a line of Markdown."""
    return escaped(" ".join(text.split()))


def _quote(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in escaped(text).splitlines())


def escaped(text: str) -> str:
    r"""Text as Markdown that shows just that text, its line ends and indents kept.

        # not a heading      ->  \# not a heading\
        <b> & *a*            ->  \<b\> \& \*a\*\
          1. first           ->    1\. first           (the indent in no-break spaces)

    What a terminal or an editor would obey (escapes, direction overrides) becomes a replacement character.
    """
    lines = [_escaped_line(line) for line in text.strip("\n").splitlines() or [""]]
    # A line's end is nothing in Markdown unless a backslash stands there; between paragraphs, and last, it would be shown.
    following = [*lines[1:], ""]
    return "\n".join(line + "\\" if line and after else line for line, after in zip(lines, following, strict=True))


def _escaped_line(line: str) -> str:
    shown = plain(line.rstrip())
    words = shown.lstrip(" \t")
    # No-break spaces keep an indent from making a block of code.
    indent = shown[: len(shown) - len(words)].expandtabs(4).replace(" ", "\N{NO-BREAK SPACE}")
    words = _AUTOLINK.sub(r"\\\g<0>", _INLINE.sub(r"\\\g<0>", words))
    number = re.match(r"\d*", words)
    start = number.end() if number is not None else 0
    if _AT_THE_START.match(words, start):
        words = f"{words[:start]}\\{words[start:]}"
    return indent + words
