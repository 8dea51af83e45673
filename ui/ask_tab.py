"""The Ask tab: a clip, a system that answers, and a conversation about what was said."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from runners.base import Prompt, PromptError, RunnerError, Task
from runners.conversations import record
from runners.conversations.conversation import Conversation
from runners.prompts import VARIABLES, PromptTemplate, Templates, gaps, render, typed
from ui import views
from ui.compare_tab import Given
from ui.components import CONVERSATION_KINDS, clip_facts, composer, export_buttons, status_line, system_cards, talk
from ui.conversations import Asked
from ui.desk import Desk, Refused, said
from ui.people import person
from ui.prompts_panel import TITLES, own_in, preview, values_in
from ui.samples import samples

Update = dict[Any, Any]

QUICK: tuple[Task, ...] = ("transcription", "summarization")
"""Tasks with a button of their own: it takes the first template of the task."""
NO_CLIP = "Give it a clip first."
NO_SYSTEM = "No system that can talk about a clip runs here now."
BEGINS_ANEW = "Your next question begins a new conversation; export this one if you want to keep it."


def ask_tab(desk: Desk, store: gr.HTML, given: Given) -> None:
    """Build the tab inside a ``gr.Tabs``.

    Args:
        store: ``ui.prompts_panel.own_prompts``, the visitor's own prompt templates and values.
        given: what the Compare tab has.
    """
    shipped = {sample.title: sample for sample in samples()}
    first = desk.chat_offers()
    may_add = desk.settings.visitors_add_models
    no_clip = views.hush(_any_can(first), has_clip=False, may_add=may_add)

    # What is on the page

    with gr.Tab("Ask") as tab, gr.Row(elem_id="es-ask"):
        followed = gr.State(None)  # the path that was taken over from Compare
        heard = gr.State(None)  # seconds of the clip
        with gr.Column(elem_id="es-ask-side", min_width=260):
            with gr.Column(elem_classes="es-card"):
                clip_line = clip_facts(views.clip_line(), elem_id="es-ask-clip", field="es-ask-audio", opener="es-ask-open")
                clip = gr.Audio(
                    sources=["upload", "microphone"],
                    type="filepath",
                    label="Clip to ask about",
                    show_label=False,
                    container=False,
                    buttons=[],
                    elem_id="es-ask-audio",
                )
                with gr.Row(elem_id="es-ask-fields"):
                    take = gr.Button("Use the clip from Compare", size="sm", visible=False, min_width=90, elem_id="es-ask-take")
                    sample = gr.Dropdown(
                        [("Samples", ""), *((title, title) for title in shipped)],
                        value="",
                        label="Sample",
                        show_label=False,
                        container=False,
                        visible=bool(shipped),
                        min_width=90,
                        elem_classes="es-choice",
                        elem_id="es-ask-sample",
                    )
                    any_file = gr.UploadButton("Open any file", size="sm", scale=0, min_width=110, elem_id="es-ask-open")
            systems = system_cards({"html": views.systems(first), "chosen": _first_choice(first, None)})
        with gr.Column(elem_id="es-ask-main", min_width=320):
            with gr.Row(elem_id="es-ask-head"):
                status = status_line("", "es-ask-status")
                exports = export_buttons(CONVERSATION_KINDS, "es-ask-export")
                clear = gr.Button("Clear", size="sm", scale=0, min_width=70, visible=False, elem_id="es-ask-clear")
            board = talk({"now": None, "quiet": no_clip, "exchanges": []})
            asking = composer(_composed(desk.templates(), {}, busy=False, why=NO_CLIP), rendered)

    # What happens

    def arranged(path: str | None, picked: Any, kept: Any, busy: bool = False, words: str | None = None) -> dict[str, Any]:
        """The value of the composer. It says of when it is: of two the browser takes the later, however they arrive."""
        why = NO_SYSTEM if chosen_in(picked) is None else NO_CLIP if path is None else None
        return _composed(_templates(desk, kept), values_in(kept), busy=busy, why=why) | {"words": words, "at": time.time()}

    def shown(conversation: Conversation | None, path: str | None, picked: Any, kept: Any, since: float | None = None) -> Any:
        """The value of the conversation's component."""
        names = {template.name: template for template in _templates(desk, kept)}
        hush = views.hush(chosen_in(picked) is not None, path is not None, may_add)
        return views.talk(conversation, names, now=time.monotonic(), since=since, quiet=hush)

    def remark(conversation: Conversation | None, session: str | None, path: str | None, picked: Any) -> str:
        """What the next question does to a conversation that is there."""
        if conversation is None or not conversation.exchanges or path is None:
            return ""
        goes_on = desk.conversations.is_about(session, conversation.id, path, chosen_in(picked) or "")
        return "" if goes_on else BEGINS_ANEW

    def refreshed(
        session: str | None, path: str | None, picked: Any, kept: Any, added: tuple[str, ...], seconds: float | None
    ) -> Update:
        """Systems, composer and conversation, as things are now."""
        offers = desk.chat_offers(added, seconds)
        picked = {"html": views.systems(offers), "chosen": _first_choice(offers, chosen_in(picked))}
        conversation = desk.conversations.latest(session)
        busy = conversation is not None and not conversation.finished
        told: Update = {systems: picked, asking: arranged(path, picked, kept, busy)}
        if not busy:
            told |= {board: shown(conversation, path, picked, kept), status: remark(conversation, session, path, picked)}
        return told

    async def settled() -> None:
        """Return once the machine's GPUs are known: cards may say something else then."""
        await desk.lookout.settled()

    def look_again(
        path: str | None, picked: Any, kept: Any, added: tuple[str, ...], seconds: float | None, request: gr.Request
    ) -> Update:
        """What another clip says of the next question stays: it may have come while this was on its way."""
        told = refreshed(request.session_hash, path, picked, kept, added, seconds)
        return {part: value for part, value in told.items() if part is not status}

    def look(path: str | None, picked: Any, kept: Any, added: tuple[str, ...], request: gr.Request) -> Update:
        """Another clip, or none."""
        taken, fault = None, None
        try:
            taken = desk.clip(path) if path is not None else None
        except RunnerError as error:
            path, fault = None, error
        seconds = taken.seconds if taken is not None else None
        told: Update = {clip_line: views.clip_line(taken, fault), heard: seconds}
        return told | refreshed(request.session_hash, path, picked, kept, added, seconds)

    def open_tab(
        theirs: str | None,
        last: str | None,
        path: str | None,
        picked: Any,
        kept: Any,
        added: tuple[str, ...],
        seconds: float | None,
        request: gr.Request,
    ) -> Update:
        """The clip of Compare comes along, unless another one is here, or a conversation."""
        told = refreshed(request.session_hash, path, picked, kept, added, seconds)
        conversation = desk.conversations.latest(request.session_hash)
        is_new = theirs is not None and theirs not in (path, last)
        if is_new and path in (None, last) and (conversation is None or not conversation.exchanges):
            return told | {clip: theirs, followed: theirs, take: gr.update(visible=False)}
        return told | {take: gr.update(visible=is_new)}

    def take_theirs(theirs: str | None) -> Update:
        return {clip: theirs, followed: theirs, take: gr.update(visible=False)}

    def take_sample(title: str) -> Update:
        return {clip: str(shipped[title].path)} if title in shipped else {clip: gr.skip()}

    def pick(path: str | None, picked: Any, kept: Any, request: gr.Request) -> Update:
        conversation = desk.conversations.latest(request.session_hash)
        busy = conversation is not None and not conversation.finished
        remarked = remark(conversation, request.session_hash, path, picked)
        return {asking: arranged(path, picked, kept, busy), status: remarked}

    def drawn(stream: Iterator[Asked], path: str | None, picked: Any, kept: Any) -> Iterator[Update]:
        """A question that is being answered, from its first to its last drawing."""
        told: Update = {status: "", exports: {}, clear: gr.update(visible=True, interactive=False)}
        told |= {asking: arranged(path, picked, kept, busy=True)}
        conversation: Conversation | None = None
        for now in stream:
            conversation = now.conversation
            if not conversation.finished:
                yield told | {board: shown(conversation, path, picked, kept, now.since)}
                told = {}
        # The end is shown once it is over for the desk too: who sees it may ask again.
        told = {board: shown(conversation, path, picked, kept), asking: arranged(path, picked, kept), status: ""}
        yield told | {exports: export(conversation), clear: gr.update(visible=True, interactive=True)}

    def put(event: gr.EventData, path: str | None, picked: Any, kept: Any, request: gr.Request) -> Iterator[Update]:
        words = getattr(event, "text", None)
        try:
            prompt = asked_for(desk, kept, getattr(event, "template", None), getattr(event, "values", None), words)
            name = _conversation_for(desk, request, path, chosen_in(picked))
            yield from drawn(desk.conversations.ask(request.session_hash, name, prompt), path, picked, kept)
        except RunnerError as fault:
            lost = words if isinstance(words, str) else None
            yield {status: said(fault), asking: arranged(path, picked, kept, words=lost)}

    def once_more(
        stream: Callable[[str], Iterator[Asked]], session: str | None, path: str | None, picked: Any, kept: Any
    ) -> Iterator[Update]:
        """The last question, in other words or in the same."""
        conversation = desk.conversations.latest(session)
        try:
            yield from drawn(stream(conversation.id if conversation is not None else ""), path, picked, kept)
        except RunnerError as fault:
            yield {status: said(fault), asking: arranged(path, picked, kept)}

    def edit(event: gr.EventData, path: str | None, picked: Any, kept: Any, request: gr.Request) -> Iterator[Update]:
        session, text = request.session_hash, str(getattr(event, "text", ""))
        yield from once_more(
            lambda name: desk.conversations.edit(session, name, lambda old: edited(old, text)), session, path, picked, kept
        )

    def again(path: str | None, picked: Any, kept: Any, request: gr.Request) -> Iterator[Update]:
        session = request.session_hash
        yield from once_more(lambda name: desk.conversations.again(session, name), session, path, picked, kept)

    def stop(request: gr.Request) -> None:
        desk.conversations.stop(request.session_hash)

    def warn(path: str | None, picked: Any, request: gr.Request) -> Update:
        """Another clip or system may have been chosen while a question was answered."""
        remarked = remark(desk.conversations.latest(request.session_hash), request.session_hash, path, picked)
        return {status: remarked or gr.skip()}

    def wipe(path: str | None, picked: Any, kept: Any, request: gr.Request) -> Update:
        conversation = desk.conversations.latest(request.session_hash)
        desk.conversations.clear(request.session_hash, conversation.id if conversation is not None else None)
        conversation = desk.conversations.latest(request.session_hash)
        return {
            board: shown(conversation, path, picked, kept),
            exports: None,
            clear: gr.update(visible=False),
            status: "",
        }

    # What leads to what

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    held = [clip, systems, store]
    changed = [systems, asking, board, status]
    running = [board, status, exports, clear, asking]

    opened = tab.select(open_tab, [given.clip, followed, *held, given.added, heard], [*changed, clip, followed, take], **quiet)
    # What is on the page is read again after the wait: a person may have done much in the meantime.
    opened.then(settled, **quiet).then(look_again, [*held, given.added, heard], [systems, asking, board], **quiet)
    clip.change(look, [*held, given.added], [clip_line, heard, *changed], trigger_mode="always_last", **quiet)
    take.click(take_theirs, given.clip, [clip, followed, take], **quiet)
    sample.input(take_sample, sample, clip, trigger_mode="always_last", **quiet)
    any_file.upload(lambda path: path, any_file, clip, **quiet)
    gr.on([clip.upload, clip.clear, clip.stop_recording], lambda: "", outputs=sample, **quiet)
    systems.pick(pick, held, [asking, status], trigger_mode="always_last", **quiet)
    store.change(pick, held, [asking, status], **quiet)
    asking.ask(put, held, running, **quiet).then(warn, [clip, systems], status, **quiet)
    board.edit(edit, held, running, **quiet).then(warn, [clip, systems], status, **quiet)
    board.again(again, held, running, **quiet).then(warn, [clip, systems], status, **quiet)
    asking.stop(stop, queue=False, **quiet)
    clear.click(wipe, held, [board, exports, clear, status], **quiet)


def chosen_in(value: Any) -> str | None:
    """The system that is chosen; a browser may send anything."""
    name = value.get("chosen") if isinstance(value, Mapping) else None
    return name if isinstance(name, str) else None


def asked_for(desk: Desk, kept: Any, template: Any, values: Any, words: Any) -> Prompt:
    """The prompt that an event asks for; a browser may send anything.

    Args:
        kept: what ``own_prompts`` holds.
        template: name of a template, or None.
        values: of its variables, besides those that are kept.
        words: what was typed instead.

    Raises:
        PromptError: there is no such template, it lacks a value, or nothing was typed.
    """
    if isinstance(template, str):
        return render(_templates(desk, kept).get(template), {**values_in(kept), **values_in({"values": values})})
    return typed(words if isinstance(words, str) else "")


def edited(old: Prompt, text: str) -> Prompt:
    """A question with other words: no template's any more, but of the same task.

    Raises:
        PromptError: there are no words.
    """
    new = typed(text, old.task)
    return old if new.text == old.text else replace(new, template=None)


def export(conversation: Conversation | None) -> dict[str, str] | None:
    """What the export buttons hold."""
    if conversation is None or not conversation.exchanges:
        return None
    return {
        "stem": f"earshot-{Path(conversation.source).stem}-conversation",
        "md": record.to_markdown(conversation),
        "json": json.dumps(record.to_dict(conversation), ensure_ascii=False, indent=2),
    }


def rendered(asked: Any) -> dict[str, Any]:
    """What will be sent for ``{"template": a plain record, "values": …}`` or ``{"text": …}``, from a browser.

    Returns:
        ``pieces``: pairs of "text" or "gap" and a text; ``fault``: why it cannot be sent yet, or None; ``changed``: whether
        typed words will be sent otherwise than they were typed.
    """
    text = asked.get("text") if isinstance(asked, Mapping) else None
    if not isinstance(text, str):
        told = preview(asked)
        return {"pieces": told["pieces"], "fault": told["verdict"] if told["gaps"] or told["fault"] else None, "changed": False}
    try:
        safe = typed(text).text
    except PromptError:
        return {"pieces": [], "fault": None, "changed": False}
    return {"pieces": [["text", safe]], "fault": None, "changed": safe != text.strip()}


def _conversation_for(desk: Desk, request: gr.Request, path: str | None, system: str | None) -> str:
    """The visitor's conversation, or a new one if it is about another clip or with another system."""
    session = request.session_hash
    if system is None:
        raise Refused(NO_SYSTEM, "Each says beside this what to do about it.")
    if path is None:
        raise Refused("There is no clip yet.", "Drop one in, record one, or take a sample.")
    old = desk.conversations.latest(session)
    if old is not None and desk.conversations.is_about(session, old.id, path, system):
        return old.id
    name = desk.conversations.begin(session, path, desk.contenders([system], None)[0], person(request, desk.settings).key)
    if old is not None:
        desk.conversations.drop(session, old.id)
    return name


def _composed(templates: Templates, values: Mapping[str, str], *, busy: bool, why: str | None) -> dict[str, Any]:
    """The value of the composer: what can be asked, and why nothing can, if so."""
    listed = [
        {
            "name": each.name,
            "label": each.label,
            "title": TITLES[each.task],
            "plain": each.to_plain(),
            "told": _told(each, values),
            "variables": [
                {"name": name, "about": VARIABLES[name], "value": values.get(name) or each.defaults.get(name, "")}
                for name in each.variables
            ],
        }
        for each in templates
    ]
    quick = {task: of_task[0].name for task in QUICK if (of_task := templates.of_task(task))}
    return {"templates": listed, "quick": quick, "busy": busy, "why": why}


def _told(template: PromptTemplate, values: Mapping[str, str]) -> str:
    """What a button's template will be sent as."""
    return template.text if gaps(template, values) else render(template, values).text


def _templates(desk: Desk, kept: Any) -> Templates:
    """Everybody's templates and the visitor's own; without those where one has a name that is taken here."""
    try:
        return desk.templates(own_in(kept))
    except PromptError:
        return desk.templates()


def _first_choice(offers: Any, chosen: str | None) -> str | None:
    """The chosen system if it can run, else the first that can."""
    able = [spec.name for spec, here in offers if here.ok]
    return chosen if chosen in able else next(iter(able), None)


def _any_can(offers: Any) -> bool:
    return _first_choice(offers, None) is not None
