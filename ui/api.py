"""The named endpoints of the API; the page's own events are private."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import aclosing
from typing import Any, TypeVar, cast

import gradio as gr
from anyio import to_thread

from comparisons import report
from comparisons.beyond.measures import key_terms_in
from comparisons.compare import Comparison
from comparisons.normalise import choose
from comparisons.run import Cancels
from comparisons.score import choose_metric
from runners.base import Prompt, RunnerError
from runners.catalogue.contenders import split_name, unused
from runners.conversations import record
from runners.here.availability import as_plain
from runners.here.reasons import by_reason
from runners.prompts import VARIABLES, render, typed
from ui.ask_tab import export
from ui.asked import asked
from ui.conversations import NoConversation
from ui.desk import MOST_REPEATS, Desk, Refused, said
from ui.options import Wishes
from ui.people import person

FORMS = ("md", "json")
"""What a conversation can be had as."""

_Step = TypeVar("_Step")


def api(desk: Desk) -> None:
    """Build the endpoints ``/compare``, ``/runners``, ``/ask``, ``/export`` and ``/templates`` inside a ``gr.Blocks``."""

    async def compare(
        request: gr.Request,
        clip: str | None,
        runners: str = "moonshine,pocketsphinx",
        reference: str = "",
        language: str = "",
        normaliser: str = "",
        repeat: float = 1,
        values: str = "",
        metric: str = "",
        key_terms: str = "",
        translate_to: str = "",
    ) -> AsyncIterator[dict[str, Any]]:
        """Run a comparison; gives the whole of it again whenever something happens, and ends with the full result."""
        names = [name.strip() for name in runners.split(",") if name.strip()]
        cancels = Cancels()

        def compared() -> Generator[Comparison, None, None]:
            if repeat != int(repeat) or not 1 <= repeat <= MOST_REPEATS:
                raise Refused(f"A clip is not heard {repeat:g} times.", f"Choose 1 to {MOST_REPEATS}.")
            given = _object(values)
            wished = Wishes(language or None, language or None, translate_to or None, is_binding=True)
            idle = unused(given, names, desk.templates())
            heard, contenders = asked(desk, clip, reference, wished, names, values=given)
            if idle:
                raise Refused(f"No runner has a prompt template with {{{idle[0]}}}.", "Leave it out, or name one after a #.")
            text = heard.reference or ""
            yield from desk.compare(
                request.session_hash,
                heard,
                contenders,
                choose(normaliser or None, heard.language, text),
                metric=choose_metric(metric or None, heard.language, text),
                key_terms=key_terms_in(key_terms),
                repeat=int(repeat),
                cancel=cancels,
                owner=person(request, desk.settings).key,
            )

        try:
            async with aclosing(stepwise(compared(), cancels.cancel_all)) as steps:
                async for comparison in steps:
                    yield report.to_dict(comparison)
        except RunnerError as fault:
            raise gr.Error(said(fault), print_exception=False) from fault
        except ValueError as fault:
            raise gr.Error(str(fault), print_exception=False) from fault

    def runners() -> list[dict[str, Any]]:
        """Every system that is offered here, with its availability."""
        return [as_plain(spec, here) for spec, here in desk.offers()]

    async def ask(
        request: gr.Request,
        clip: str | None,
        runner: str = "",
        question: str = "",
        template: str = "",
        values: str = "",
        conversation: str = "",
    ) -> AsyncIterator[dict[str, Any]]:
        """Ask about a clip; gives the whole conversation whenever something happens, and its id for the next question."""
        session = request.session_hash

        def opened() -> tuple[str, Prompt]:
            system, named = split_name(runner)
            if named is not None and template:
                raise Refused("The prompt template is named twice.", "Name it as the template or after the #, not both.")
            prompt = prompt_for(desk, question, template or named or "", values)
            if conversation:
                if clip or runner:
                    raise Refused("A conversation keeps to its clip and its system.", "Leave both out, or the conversation.")
                return conversation, prompt
            if not clip:
                raise Refused("There is no clip.", "Give one, or the conversation of an earlier call.")
            (contender,) = desk.contenders([system or able(desk)], None)
            return desk.conversations.begin(session, clip, contender, person(request, desk.settings).key), prompt

        try:
            name, prompt = await to_thread.run_sync(opened)
            answering = desk.conversations.ask(session, name, prompt)
            async with aclosing(stepwise(answering, lambda: desk.conversations.stop(session, name))) as steps:
                async for now in steps:
                    yield {"conversation": name, **record.to_dict(now.conversation)}
        except RunnerError as fault:
            raise gr.Error(said(fault), print_exception=False) from fault

    def saved(request: gr.Request, conversation: str, form: str = "md") -> str:
        """A conversation as it stands, as the page exports it; an answer that was stopped is in it too."""
        try:
            held = desk.conversations.get(request.session_hash, conversation)
            if held is None:
                raise NoConversation
            files = export(held)
            if files is None:
                raise Refused("Nothing was asked in this conversation yet.", "Ask something first.")
            if form not in FORMS:
                raise Refused(f"A conversation has no form {form!r}.", f"Choose from: {', '.join(FORMS)}.")
            return files[form]
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
                gr.Textbox("", label='values: of the prompt templates\' variables, as JSON: {"terms": "bisoprolol"}'),
                gr.Textbox("", label="metric: wer, cer or both; empty to suit the language"),
                gr.Textbox("", label="key_terms: what must not be missed, separated by commas"),
                gr.Textbox("", label="translate_to: ISO 639-1 code of the language to write down in; empty for what is said"),
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
    gr.api(saved, api_name="export", api_description="A conversation as it stands: a text in the form md or json.")
    gr.api(templates, api_name="templates", api_description="Every prompt template that is offered here.")
    gr.api(runners, api_name="runners", api_description="Every system that is offered here, with its availability.")


async def stepwise(steps: Generator[_Step, None, None], stop: Callable[[], None]) -> AsyncGenerator[_Step, None]:
    """What a generator gives, for a call that may be cancelled while the next step is long in coming.

    Gradio itself closes a plain generator between two steps only, and keeps whoever cancels waiting for that.

    Args:
        steps: waits, so it is run on threads.
        stop: has its next step come soon; called when the caller does not want to know any more.
    """
    ended = object()
    coming: asyncio.Future[object] | None = None
    try:
        while True:
            coming = asyncio.ensure_future(to_thread.run_sync(next, steps, ended))
            step = await asyncio.shield(coming)
            if step is ended:
                return
            yield cast(_Step, step)
    except (asyncio.CancelledError, GeneratorExit):
        stop()
        if coming is not None:
            await asyncio.wait([coming])
        raise
    finally:
        await to_thread.run_sync(steps.close)


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
    why = " ".join(
        f"{', '.join(spec.label for spec in each.specs)}: {each.reason} {each.fix or ''}".strip() for each in by_reason(offers)
    )
    raise Refused("No system that can talk about a clip runs here now.", why or "Offer one that can.")


def _object(text: str) -> dict[str, str]:
    try:
        given = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not all(isinstance(value, str | int) for value in given.values()):
        raise Refused("The values are no JSON object of texts.", 'Write them like this: {"sentences": "3"}.')
    return {name: str(value) for name, value in given.items()}
