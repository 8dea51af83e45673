"""The page's own components: ``gr.HTML`` with a script beside it.

Values are plain data; the HTML in them is made, and escaped, by ``ui.views``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from ui.views import ASSETS, nothing_yet


def script(*names: str) -> str:
    """Files of ``assets`` as one script; each may use what those before it define."""
    return "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in names)


def clip_facts(html: str) -> gr.HTML:
    """What is known of the clip, or wrong with it; read aloud when it changes. Value: HTML of ``ui.views.clip_line``."""
    return gr.HTML(
        html,
        html_template='<div role="status" aria-live="polite">${value}</div>',
        js_on_load=script("drop.js"),
        apply_default_css=False,
        elem_id="es-clip",
    )


def contender_cards(value: Mapping[str, Any]) -> gr.HTML:
    """Check boxes as cards. Value: ``{"html": the cards, "chosen": names}``; the browser changes ``chosen``.

    An update with ``chosen`` None leaves the ticks as they are.
    """
    return gr.HTML(
        dict(value),
        html_template='<fieldset class="es-set"><legend class="sr">Systems to compare</legend>'
        '<div class="es-pick"></div></fieldset>',
        js_on_load=script("prompts.store.js", "cards.js"),
        apply_default_css=False,
        elem_id="es-cards",
    )


def absent_cards(html: str) -> gr.HTML:
    """Systems that cannot run, apart from the cards. Value: HTML of ``ui.views.absent``."""
    return gr.HTML(html, html_template="${value}", apply_default_css=False, elem_id="es-absent")


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


COMPARISON_KINDS = (
    ("copy", "tsv", "Copy", "Copy the table, for a spreadsheet"),
    ("kind", "csv", "CSV", "Download the table as CSV"),
    ("kind", "json", "JSON", "Download everything as JSON"),
    ("kind", "html", "Report", "Download a report that opens in any browser"),
)
"""What is done, with which text of the value; what the button is called, and what it does."""
CONVERSATION_KINDS = (
    ("copy", "md", "Copy all", "Copy the whole conversation"),
    ("kind", "md", "Markdown", "Download the conversation as Markdown"),
    ("kind", "json", "JSON", "Download everything as JSON, prompts and figures too"),
)


def export_buttons(kinds: Sequence[tuple[str, str, str, str]] = COMPARISON_KINDS, elem_id: str = "es-export") -> gr.HTML:
    """Copy and download. Value: ``{"stem": name of the files, and a text for each kind}``.

    ``{}`` while something runs: the buttons are there, and wait. None before there is anything: they are not.
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
