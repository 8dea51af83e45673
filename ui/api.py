"""The named endpoints of the API; the page's own events are private."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr

from comparisons import report
from comparisons.normalise import choose
from runners.base import Prompt, RunnerError
from runners.conversations import record
from runners.here.availability import as_plain
from runners.prompts import VARIABLES, render, typed
from ui.compare_tab import asked, said
from ui.desk import MOST_REPEATS, Desk, Refused


def api(desk: Desk) -> None:
    """Build the endpoints ``/compare``, ``/runners``, ``/ask`` and ``/templates`` inside a ``gr.Blocks``."""

    def compare(
        request: gr.Request,
        clip: str | None,
        runners: str = "moonshine,pocketsphinx",
        reference: str = "",
        language: str = "",
        normaliser: str = "",
        repeat: float = 1,
    ) -> Iterator[dict[str, Any]]:
        """Run a comparison; gives the whole of it again whenever something happens, and ends with the full result."""
        names = [name.strip() for name in runners.split(",") if name.strip()]
        try:
            if repeat != int(repeat) or not 1 <= repeat <= MOST_REPEATS:
                raise Refused(f"A clip is not heard {repeat:g} times.", f"Choose 1 to {MOST_REPEATS}.")
            heard, contenders = asked(desk, clip, reference, language, names)
            chosen = choose(normaliser or None, heard.language, heard.reference or "")
        except RunnerError as fault:
            raise gr.Error(said(fault), print_exception=False) from fault
        except ValueError as fault:
            raise gr.Error(str(fault), print_exception=False) from fault
        for comparison in desk.compare(request.session_hash, heard, contenders, chosen, repeat=int(repeat)):
            yield report.to_dict(comparison)

    def runners() -> list[dict[str, Any]]:
        """Every system that is offered here, with its availability."""
        return [as_plain(spec, here) for spec, here in desk.offers()]

    def ask(
        request: gr.Request,
        clip: str | None,
        runner: str = "",
        question: str = "",
        template: str = "",
        values: str = "",
        conversation: str = "",
    ) -> Iterator[dict[str, Any]]:
        """Ask about a clip; gives the whole conversation whenever something happens, and its id for the next question."""
        session = request.session_hash
        try:
            prompt = prompt_for(desk, question, template, values)
            if conversation:
                if clip or runner:
                    raise Refused("A conversation keeps to its clip and its system.", "Leave both out, or the conversation.")
                name = conversation
            else:
                if not clip:
                    raise Refused("There is no clip.", "Give one, or the conversation of an earlier call.")
                (contender,) = desk.contenders([runner or able(desk)], None)
                name = desk.conversations.begin(session, clip, contender)
            for now in desk.conversations.ask(session, name, prompt):
                yield {"conversation": name, **record.to_dict(now.conversation)}
        except RunnerError as fault:
            raise gr.Error(said(fault), print_exception=False) from fault

    def templates() -> list[dict[str, Any]]:
        """Every prompt template that is offered here."""
        return [
            {**each.to_plain(), "origin": each.origin, "variables": {name: VARIABLES[name] for name in each.variables}}
            for each in desk.templates()
        ]

    # Real components rather than gr.api: they check that a path was uploaded by the caller.
    with gr.Row(visible=False):
        gr.Button().click(
            compare,
            [
                gr.Audio(type="filepath", label="clip"),
                gr.Textbox("moonshine,pocketsphinx", label="runners: names, separated by commas"),
                gr.Textbox("", label="reference: what was really said; empty if unknown"),
                gr.Textbox("", label="language: ISO 639-1 code; empty to detect it"),
                gr.Textbox("", label="normaliser: its name; empty to suit the language"),
                gr.Number(1, label="repeat: how often each system hears the clip"),
            ],
            gr.JSON(label="comparison"),
            api_name="compare",
            api_description="Run systems on a clip; streams the comparison as it stands and ends with the full result.",
        )
        gr.Button().click(
            ask,
            [
                gr.Audio(type="filepath", label="clip: leave it out to go on with a conversation"),
                gr.Textbox("", label="runner: name of the system; empty for the first that can run here"),
                gr.Textbox("", label="question: your own words"),
                gr.Textbox("", label="template: name of a prompt template, instead of a question or around it"),
                gr.Textbox("", label='values: of the template\'s variables, as JSON: {"sentences": "3"}'),
                gr.Textbox("", label="conversation: what an earlier call gave, to ask a follow-up question"),
            ],
            gr.JSON(label="conversation"),
            api_name="ask",
            api_description="Ask a system about a clip; streams the conversation as it stands and ends with the full answer.",
        )
    gr.api(templates, api_name="templates", api_description="Every prompt template that is offered here.")
    gr.api(runners, api_name="runners", api_description="Every system that is offered here, with its availability.")


def prompt_for(desk: Desk, question: str, template: str, values: str) -> Prompt:
    """What a call asks.

    Args:
        values: a JSON object, or empty.

    Raises:
        RunnerError: nothing or too much is asked, the template is not there, or lacks a value.
    """
    if not template:
        if values.strip():
            raise Refused("There are values, but no template that they are for.", "Name one, or leave the values out.")
        return typed(question)
    chosen = desk.templates().get(template)
    given = _object(values)
    if question.strip():
        if "question" not in chosen.variables:
            raise Refused(f"The template {template} leaves no room for a question.", "Leave the question or the template out.")
        given = {**given, "question": question}
    return render(chosen, given)


def able(desk: Desk) -> str:
    """The first system that can talk about a clip here.

    Raises:
        Refused: there is none.
    """
    offers = desk.chat_offers()
    for spec, here in offers:
        if here.ok:
            return spec.name
    why = " ".join(f"{spec.label}: {here.reason} {here.fix or ''}".strip() for spec, here in offers)
    raise Refused("No system that can talk about a clip runs here now.", why or "Offer one that can.")


def _object(text: str) -> dict[str, str]:
    try:
        given = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not all(isinstance(value, str | int) for value in given.values()):
        raise Refused("The values are no JSON object of texts.", 'Write them like this: {"sentences": "3"}.')
    return {name: str(value) for name, value in given.items()}
