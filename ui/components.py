"""The page's own components: ``gr.HTML`` with a script beside it.

Values are plain data; the HTML in them is made, and escaped, by ``ui.views``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from ui.views import ASSETS, nothing_yet


def _script(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def clip_facts(html: str) -> gr.HTML:
    """What is known of the clip, or wrong with it; read aloud when it changes. Value: HTML of ``ui.views.clip_line``."""
    return gr.HTML(
        html,
        html_template='<div role="status" aria-live="polite">${value}</div>',
        js_on_load=_script("drop.js"),
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
        js_on_load=_script("cards.js"),
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
        js_on_load=_script("board.js"),
        apply_default_css=False,
        elem_id="es-board",
    )


def export_buttons() -> gr.HTML:
    """Copy and download. Value: ``{"stem", "tsv", "csv", "json", "html"}``.

    ``{}`` while a comparison runs: the buttons are there, and wait. None before the first: they are not.
    """
    buttons = "".join(
        f'<button type="button" data-kind="{kind}" title="{title}">{label}</button>'
        for kind, label, title in (
            ("copy", "Copy", "Copy the table, for a spreadsheet"),
            ("csv", "CSV", "Download the table as CSV"),
            ("json", "JSON", "Download everything as JSON"),
            ("html", "Report", "Download a report that opens in any browser"),
        )
    )
    return gr.HTML(
        None,
        html_template=f'<div class="es-export" hidden><span role="status" class="es-soft es-small"></span>{buttons}</div>',
        js_on_load=_script("export.js"),
        apply_default_css=False,
        elem_id="es-export",
    )


def status_line(text: str) -> gr.HTML:
    """One line that is read aloud when it changes. ``{{value}}`` escapes."""
    return gr.HTML(
        text, html_template='<p role="status" aria-live="polite">{{value}}</p>', apply_default_css=False, elem_id="es-status"
    )
