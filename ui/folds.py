"""What is drawn beneath the columns when somebody opens it: pictures, and what normalisation did to each text."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import gradio as gr

from comparisons.compare import Comparison
from comparisons.pictures import pictures
from ui import views

log = logging.getLogger(__name__)

ONE_BY_ONE: Mapping[str, Any] = MappingProxyType({"concurrency_id": "es-folds", "concurrency_limit": 1})
"""Who opens a fold the moment that the last system is done: whichever comes second, opening or result, sees the first."""


@dataclass(frozen=True)
class Fold:
    """One of them; it takes its time when it is open, and none before."""

    html: gr.HTML
    accordion: gr.Accordion
    is_open: gr.State
    draw: Callable[[Comparison], str]

    def drawn(self, last: Any, is_open: bool = True) -> Any:
        """
        Args:
            last: ``ui.results.Seen`` or None.
        """
        if not is_open:
            return gr.skip()  # whoever opens it gets it drawn
        if last is None or not last.comparison.finished:
            return ""
        try:
            return self.draw(last.comparison)
        except Exception:
            log.exception("a fold could not be drawn")
            return views.apology()

    def wire(self, seen: gr.State, quiet: Mapping[str, Any]) -> None:
        """Draw it when it is opened."""
        quiet = {**quiet, **ONE_BY_ONE}
        self.accordion.expand(lambda last: (self.drawn(last), True), seen, [self.html, self.is_open], **quiet)
        self.accordion.collapse(lambda: False, None, self.is_open, **quiet)

    def after(self, event: Any, seen: gr.State, quiet: Mapping[str, Any]) -> Any:
        """Draw it anew if it is open, after an event; returns the event after that."""
        return event.then(self.drawn, [seen, self.is_open], self.html, **{**quiet, **ONE_BY_ONE, "trigger_mode": "always_last"})


def fold(label: str, elem_id: str, draw: Callable[[Comparison], str]) -> Fold:
    """Build one, closed."""
    is_open = gr.State(False)
    with gr.Accordion(label, open=False, elem_id=elem_id, elem_classes="es-later") as accordion:
        html = gr.HTML("", apply_default_css=False)
    return Fold(html, accordion, is_open, draw)


def pictures_html(comparison: Comparison) -> str:
    return views.pictures(pictures(comparison))


def changes_html(comparison: Comparison) -> str:
    return views.changes(comparison)
