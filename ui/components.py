"""The page's own components: ``gr.HTML`` with a script beside it.

Values are plain data; the HTML in them is made, and escaped, by ``ui.views``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr

from ui.templates import ASSETS
from ui.views import nothing_yet


def script(*names: str) -> str:
    """Files of ``assets`` as one script; each may use what those before it define."""
    return "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in names)


def clip_facts(html: str, elem_id: str = "es-clip", field: str = "es-audio", opener: str = "es-open") -> gr.HTML:
    """What is known of the clip, or wrong with it; read aloud when it changes. Value: HTML of ``ui.views.clip_line``.

    Args:
        field: id of the audio field; what is dropped there and is no audio for the browser goes to ``opener``.
        opener: id of the button that takes any file.
    """
    return gr.HTML(
        html,
        html_template=f'<div role="status" aria-live="polite" data-field="{field}" data-opener="{opener}">${{value}}</div>',
        js_on_load=script("drop.js"),
        apply_default_css=False,
        elem_id=elem_id,
    )


CARDS = (
    *("prompts.store.js", "picker.store.js", "models.open.js"),
    *("picker.js", "cards.js", "cards.menu.js", "cards.start.js"),
)


def contender_cards(value: Mapping[str, Any]) -> gr.HTML:
    """Check boxes as cards, with search, filters and presets above them. Value: as ``ui.picker.value`` gives it; what comes
    from the browser is ``{"chosen": names of contenders}`` alone.

    An update with ``chosen`` None leaves the ticks as they are.
    """
    return gr.HTML(
        dict(value),
        html_template='<fieldset class="es-set"><legend class="sr">Systems to compare</legend>'
        '<div class="es-find" hidden></div><div class="es-pick"></div></fieldset>',
        js_on_load=script(*CARDS),
        apply_default_css=False,
        elem_id="es-cards",
    )


def selection_line() -> gr.HTML:
    """How many systems are chosen, what they download and how much memory they take; the browser writes it."""
    return gr.HTML(
        None,
        html_template='<p class="es-selection"><span role="status"></span> '
        '<button type="button" class="es-link">Clear</button></p>',
        js_on_load=script("prompts.store.js", "picker.store.js", "selection.js"),
        apply_default_css=False,
        elem_id="es-selection",
        elem_classes="es-status",
    )


def options_field() -> gr.HTML:
    """What the chosen systems are asked for: language, translation, word times; what none of them can is not there.

    Value: as ``ui.options.Wishes.of`` reads it. An update with some of its fields changes these alone.
    """
    return gr.HTML(
        {},
        html_template='<div class="es-options"><div class="es-options-fields"></div><p role="status"></p></div>',
        js_on_load=script("prompts.store.js", "picker.store.js", "options.js"),
        apply_default_css=False,
        elem_id="es-options",
    )


def absent_cards(html: str) -> gr.HTML:
    """Systems that cannot run, apart from the cards. Value: HTML of ``ui.views.absent``."""
    return gr.HTML(html, html_template="${value}", js_on_load=script("absent.js"), apply_default_css=False, elem_id="es-absent")


def column_board() -> gr.HTML:
    """The columns. Value: ``{"now": seconds, "columns": [{"id", "html"}, …]}``, see ``ui.views.board``.

    Events ``stop`` and ``again`` carry ``{"name": …}``, the column's id.
    """
    return gr.HTML(
        {"now": None, "columns": []},
        html_template=f'<section class="es-board" aria-label="Results"></section>{nothing_yet()}',
        js_on_load=script("morph.js", "ticking.js", "board.js"),
        apply_default_css=False,
        elem_id="es-board",
    )


def reference_mark() -> gr.HTML:
    """Where the words in the reference field are from. Value: HTML of ``ui.views.reference_mark``.

    Events, each without anything: ``restore`` what it was before a person edited it, ``back`` to what stood there before,
    ``empty`` the field.
    """
    return gr.HTML(
        "",
        html_template='<div role="status" aria-live="polite">${value}</div>',
        js_on_load=script("reference.js"),
        apply_default_css=False,
        elem_id="es-mark",
    )


def system_cards(value: Mapping[str, Any]) -> gr.HTML:
    """Radio buttons as cards. Value: ``{"html": of ui.views.systems, "chosen": name or None}``; the browser changes ``chosen``.

    Event ``pick``: a person chose another.
    """
    return gr.HTML(
        dict(value),
        html_template='<div class="es-systems"></div>',
        js_on_load=script("systems.js"),
        apply_default_css=False,
        elem_id="es-systems",
    )


def talk(value: Mapping[str, Any]) -> gr.HTML:
    """A conversation. Value: ``{"now", "quiet", "exchanges"}``, see ``ui.views.talk``.

    Events: ``edit`` carries ``{"text": …}``, other words for the last question; ``again`` asks it once more.
    """
    return gr.HTML(
        dict(value),
        html_template='<section class="es-talk" role="log" aria-label="Conversation" hidden></section>'
        '<div class="es-hush"></div><p class="sr" role="status"></p>',
        js_on_load=script("morph.js", "ticking.js", "clipboard.js", "talk.js"),
        apply_default_css=False,
        elem_id="es-talk",
    )


def composer(value: Mapping[str, Any], rendered: Callable[[Any], Any]) -> gr.HTML:
    """Where a person asks. Value: ``{"templates", "quick", "busy", "why", "at"}``, see ``ui.ask_tab``.

    Events: ``ask`` carries ``{"template", "values"}`` or ``{"text"}``; ``stop`` nothing.

    Args:
        rendered: what a template with values, or a text, will be sent as; the browser calls it while somebody writes.
    """
    return gr.HTML(
        dict(value),
        html_template=script("composer.html"),
        js_on_load=script("composer.js"),
        apply_default_css=False,
        elem_id="es-composer",
        server_functions=[rendered],
    )


COMPARISON_KINDS = (
    ("copy", "tsv", "Copy", "Copy the table, for a spreadsheet"),
    ("kind", "csv", "CSV", "Download the table as CSV"),
    ("kind", "json", "JSON", "Download everything as JSON"),
    ("kind", "md", "Markdown", "Download the table as Markdown"),
    ("kind", "srt", "SRT", "Download captions of each transcript that has times"),
    ("kind", "vtt", "VTT", "Download the same as WebVTT"),
    ("kind", "html", "Report", "Download a report with its sound, which opens in any browser without a network"),
    ("kind", "silent", "Report, no sound", "Download the report without the sound"),
)
"""What is done, with which text of the value; what the button is called, and what it does."""
CONVERSATION_KINDS = (
    ("copy", "md", "Copy all", "Copy the whole conversation"),
    ("kind", "md", "Markdown", "Download the conversation as Markdown"),
    ("kind", "json", "JSON", "Download everything as JSON, prompts and figures too"),
)


def export_buttons(kinds: Sequence[tuple[str, str, str, str]] = COMPARISON_KINDS, elem_id: str = "es-export") -> gr.HTML:
    """Copy and download. Value: ``{"stem": name of the files, and a text for each kind}``; a kind without a text is asked for.

    Event ``export`` asks: it carries ``{"kind": …, "asked": …}``, and a value with ``{"asked", "name", "text", "address",
    "said"}`` as its ``made`` answers: a text, the address of a file, or neither and why. ``{}`` while something runs: the
    buttons are there, and wait. None before there is anything: they are not.
    """
    buttons = "".join(
        f'<button type="button" data-{does}="{kind}" title="{title}">{label}</button>' for does, kind, label, title in kinds
    )
    return gr.HTML(
        None,
        html_template=f'<div class="es-export" hidden><span role="status" class="es-soft es-small"></span>{buttons}</div>',
        js_on_load=script("clipboard.js", "export.js"),
        apply_default_css=False,
        elem_id=elem_id,
    )


def status_line(text: str, elem_id: str = "es-status") -> gr.HTML:
    """One line that is read aloud when it changes. ``{{value}}`` escapes."""
    return gr.HTML(
        text,
        html_template='<p role="status" aria-live="polite">{{value}}</p>',
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes="es-status",
    )
