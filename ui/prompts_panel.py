"""The Prompts tab: prompt templates to read, write, keep and fill in; and what a visitor's browser keeps of them.

A visitor's own templates and the values of variables lie in the browser alone. They come here as part of an event, are
used for it, and are forgotten; so nobody else can see them. What makes a good template, and what becomes of it, is known to
``runners.prompts``; the scripts ask here while somebody types.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from runners.base import PromptError
from runners.prompts import MOST_TEMPLATES, TASKS, VARIABLES, from_plain, gaps, neutralised, render, template_from, to_plain
from ui.components import script
from ui.desk import Desk

TITLES = {
    "transcription": "Transcription",
    "translation": "Translation",
    "summarization": "Summary",
    "question": "Question",
    "chat": "Conversation",
}
"""What the tasks are called on the page."""

LARGEST_IMPORT = 1_000_000
"""Characters."""

_GAP = ("\ue000", "\ue001")  # private use: no template needs them, and nothing makes them harmless


def own_prompts(desk: Desk) -> gr.HTML:
    """What this visitor's browser keeps, unseen. Value: ``{"own": templates as plain records, "values": {variable: text}}``.

    Place it outside of the tabs, which are not there until somebody opens them. Event ``change``: the browser's own
    templates were read, or they or the values are other ones now. ``own_in`` and ``values_in`` take a value apart.
    """
    shelf = [{**template.to_plain(), "origin": template.origin} for template in desk.templates()]
    return gr.HTML(
        {"own": [], "values": {}},
        html_template="",
        js_on_load=script("prompts.store.js", "prompts.kept.js"),
        apply_default_css=False,
        visible="hidden",
        elem_id="es-own-prompts",
        shelf=shelf,
        variables=dict(VARIABLES),
        tasks=[{"task": task, "title": TITLES[task], "scored": task == "transcription"} for task in TASKS],
    )


def prompts_panel() -> gr.HTML:
    """The panel itself; ``own_prompts`` has to be on the page too."""
    return gr.HTML(
        None,
        html_template='<div class="es-prompts"></div>',
        js_on_load=script("prompts.store.js", "prompts.editor.js", "prompts.js"),
        apply_default_css=False,
        elem_id="es-prompts",
        server_functions=[preview, imported, exported],
    )


def own_in(value: Any) -> list[dict[str, Any]]:
    """The visitor's own templates in a value of ``own_prompts``; a browser may send anything, so the bad are left out.

    The panel says what is wrong with them.
    """
    sent = value.get("own") if isinstance(value, Mapping) else None
    found: dict[str, dict[str, Any]] = {}
    for plain in sent[:MOST_TEMPLATES] if isinstance(sent, list) else ():
        try:
            template = template_from(plain)
        except PromptError:
            continue
        found.setdefault(template.name, template.to_plain())
    return list(found.values())


def values_in(value: Any) -> dict[str, str]:
    """The values of known variables in a value of ``own_prompts``; blank ones are left out."""
    sent = value.get("values") if isinstance(value, Mapping) else None
    given = sent if isinstance(sent, Mapping) else {}
    return {name: given[name] for name in VARIABLES if isinstance(given.get(name), str) and given[name].strip()}


def preview(asked: Any) -> dict[str, Any]:
    """What a system would be told by a template.

    Args:
        asked: ``{"template": a plain record, "values": {variable: text}}``, from a browser.

    Returns:
        ``pieces``: pairs of "text" or "gap" and a text, in order; ``gaps``: variables without a value; ``fault``: what is
        wrong with the template and what to do, or None; ``verdict``: all that in a sentence; ``state``: all that in a word,
        "empty", "faulty", "gaps" or "complete".
    """
    plain = asked.get("template") if isinstance(asked, Mapping) else None
    written = {name: plain.get(name) for name in ("name", "label", "text")} if isinstance(plain, Mapping) else {}
    text = written.get("text")
    try:
        template = template_from(plain)
        values = values_in(asked)
        missing = gaps(template, values)
        stand_ins = {name: f"{_GAP[0]}{name}{_GAP[1]}" for name in missing}
        told = render(template, {**values, **stand_ins}).text
    except PromptError as fault:
        begun = any(isinstance(each, str) and each.strip() for each in written.values())
        verdict = _said(fault) if begun else "Give it a title, and write what a system should do with the clip."
        shown = neutralised(text) if isinstance(text, str) else ""
        state = "faulty" if begun else "empty"
        return {"pieces": [["text", shown]], "gaps": [], "fault": verdict, "verdict": verdict, "state": state}
    used = [template.text, *(value for name, value in {**template.defaults, **values}.items() if name in template.variables)]
    if missing:
        verdict = f"No value yet: {', '.join(f'{{{name}}}' for name in missing)}."
    elif any(neutralised(each) != each for each in used):
        verdict = "Complete. What a model would take for a control token is written in another way."
    else:
        verdict = "Complete."
    return {
        "pieces": _pieces(told),
        "gaps": list(missing),
        "fault": None,
        "verdict": verdict,
        "state": "gaps" if missing else "complete",
    }


def imported(asked: Any) -> dict[str, Any]:
    """The good templates of a file that the page exported, and what is wrong with the others.

    Args:
        asked: ``{"text": what the file holds}``, from a browser.

    Returns:
        ``templates``: plain records; ``faults``: a sentence for each that was left out, or one for the whole file.
    """
    text = asked.get("text") if isinstance(asked, Mapping) else None
    if not isinstance(text, str) or len(text) > LARGEST_IMPORT:
        return {"templates": [], "faults": ["The file is too large for one with prompt templates."]}
    try:
        plain = json.loads(text.removeprefix("\ufeff"))
        from_plain(
            {**plain, "templates": []} if isinstance(plain, dict) and isinstance(plain.get("templates"), list) else plain
        )
    except PromptError as fault:
        return {"templates": [], "faults": [_said(fault)]}
    except (ValueError, RecursionError):
        return {"templates": [], "faults": ["The file is no JSON. Choose one that Export made."]}
    good: list[dict[str, Any]] = []
    faults: list[str] = []
    for each in plain["templates"][:MOST_TEMPLATES]:
        try:
            good.append(template_from(each).to_plain())
        except PromptError as fault:
            faults.append(_said(fault))
    if len(plain["templates"]) > MOST_TEMPLATES:
        faults.append(f"It has {len(plain['templates']):,} templates: {MOST_TEMPLATES} are taken at most.")
    return {"templates": good, "faults": faults}


def exported(asked: Any) -> dict[str, str]:
    """A file of the visitor's own templates, as ``{"text": JSON}``. ``asked`` is ``{"own": plain records}``, from a browser."""
    return {"text": json.dumps(to_plain(map(template_from, own_in(asked))), ensure_ascii=False, indent=2) + "\n"}


def _pieces(told: str) -> list[list[str]]:
    """``told`` cut at the stand-ins of its gaps."""
    pieces: list[list[str]] = []
    for part in told.split(_GAP[0]):
        name, sign, rest = part.partition(_GAP[1])
        pieces += [["gap", f"{{{name}}}"], ["text", rest]] if sign else [["text", part]]
    return [piece for piece in pieces if piece[1]]


def _said(fault: PromptError) -> str:
    return f"{fault} {fault.fix}" if fault.fix else str(fault)
