"""What the Compare tab shows of a comparison: columns, verdicts, texts side by side, folds, and what can be taken away."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from gradio.utils import get_upload_folder

from comparisons.compare import Comparison, Order, ordered
from comparisons.exports import stem
from comparisons.history.differences import SIDES
from comparisons.history.store import LONGEST_NOTES
from comparisons.sides.drawn import plain
from comparisons.sides.side_by_side import anchors, side_by_side
from runners.base import Clip, RunnerError
from ui import views
from ui.components import column_board, export_buttons
from ui.desk import Desk, Refused, said
from ui.folds import Fold, changes_html, fold, pictures_html
from ui.people import person
from ui.side_by_side import side_by_side_view
from ui.take_away import KINDS, taken_away

log = logging.getLogger(__name__)

Update = dict[Any, Any]


@dataclass(frozen=True)
class Seen:
    """What stands there, the file that it was made from, and how it is drawn."""

    comparison: Comparison
    path: str | None
    """None where the clip is not there, as of a comparison whose audio was not kept."""
    order: Order
    against: str | None
    """What the transcripts are held against; None for the usual."""


@dataclass(frozen=True)
class Results:
    """The parts, in their order on the page."""

    seen: gr.State
    """``Seen``, or None before there is anything."""
    into: gr.Button
    """Runs what else is ticked, into what stands there."""
    notes: gr.Textbox
    """Beside a kept comparison."""
    noted: gr.State
    """What is kept of them."""
    against: gr.State
    """What the visitor chose to hold the transcripts against; None for the usual."""
    exports: gr.HTML
    table: gr.HTML
    board: gr.HTML
    verdicts: gr.HTML
    view: gr.HTML
    folds: tuple[Fold, ...]
    status: gr.HTML
    """The line in the run bar, above all of them."""

    @classmethod
    def build(cls, status: gr.HTML, into: gr.Button) -> Results:
        """Build them inside a ``gr.Blocks``, all but ``status`` and ``into``."""
        seen, against, noted = gr.State(None), gr.State(None), gr.State("")
        with gr.Column(elem_id="es-results"):
            exports = export_buttons()
            table = gr.HTML("", apply_default_css=False, elem_id="es-summary")
            board = column_board()
            verdicts = gr.HTML("", apply_default_css=False, elem_id="es-verdicts")
            view = side_by_side_view()
            folds = (
                fold("Pictures", "es-pictures", pictures_html),
                fold("What normalisation did", "es-normalised", changes_html),
            )
            notes = gr.Textbox(
                label="Notes, kept in History",
                lines=2,
                max_lines=12,
                visible=False,
                max_length=LONGEST_NOTES,
                elem_id="es-notes",
            )
        return cls(seen, into, notes, noted, against, exports, table, board, verdicts, view, folds, status)

    @property
    def outputs(self) -> list[Any]:
        """What ``drawn`` changes."""
        parts = [self.seen, self.board, self.table, self.verdicts, self.view, self.exports, self.status, self.into, self.notes]
        return [*parts, *(each.html for each in self.folds)]

    def drawn(self, now: Seen, side: str, *, anew: bool = True) -> Update:
        """Everything that shows a comparison.

        Args:
            side: of ``beside``.
            anew: False where ``side`` is what it was.
        """
        comparison, by = now.comparison, now.order
        told: Update = {
            self.seen: now,
            self.board: views.board(comparison, by, time.monotonic(), transcripts=not side),
            self.table: views.summary(comparison, by),
            self.verdicts: views.verdicts(comparison),
            self.exports: {"stem": stem(comparison)} if comparison.finished else {},
            self.status: views.progress(comparison),
            self.into: gr.update(visible=takes_more(now, now.path)),
            self.notes: gr.update(visible=comparison.kept_as is not None and comparison.finished),
        }
        if not comparison.finished:  # they are drawn once all is there
            told |= {each.html: "" for each in self.folds}
        return told | ({self.view: side} if anew else {})

    def as_it_runs(self, comparisons: Iterable[Comparison], path: str, by: Order, against: str | None) -> Iterator[Update]:
        """What to show, step by step; the texts are set side by side again whenever another has come."""
        side, done = "", None
        for comparison in comparisons:
            finished = [column.contender for column in comparison.columns if column.finished]
            anew, done = finished != done, finished
            if anew:
                side = beside(comparison, by, against, path)
            yield self.drawn(Seen(comparison, path, by, against), side, anew=anew)

    def then_folds(self, event: Any, quiet: Mapping[str, Any]) -> None:
        """Draw the folds that are open, after what the columns show."""
        for each in self.folds:
            event = each.after(event, self.seen, quiet)

    def wire(self, desk: Desk, clip: gr.Audio, quiet: Mapping[str, Any]) -> None:
        """What happens without another comparison being made."""

        def copied(last: Seen | None) -> Any:
            """A copy of the clip for a browser that cannot play it."""
            if last is None or last.path is None:
                return gr.skip()
            answer: dict[str, Any] = {"of": address(last.path), "audio": None, "fault": None}
            try:
                copy = desk.playable(last.path, Path(get_upload_folder()))
                clip.temp_files.add(str(copy))  # so that it goes when uploads go
                answer["audio"] = address(str(copy))
            except RunnerError as fault:
                answer["fault"] = said(fault)
            return gr.HTML(copy=answer)

        def sound(last: Seen) -> Clip:
            if last.path is None:
                raise Refused("The clip is not here.", "Give the same clip, and make the report again.")
            return desk.clip(last.path)

        def made(event: gr.EventData, last: Seen | None, request: gr.Request) -> Any:
            if last is None or not last.comparison.finished or event.kind not in KINDS:
                return gr.skip()
            folder = Path(get_upload_folder())
            title, notes = desk.said_of(last.comparison, person(request, desk.settings).whose)
            taken = taken_away(last.comparison, last.order, event.kind, lambda: sound(last), folder, title=title, notes=notes)
            if taken.path is not None:
                clip.temp_files.add(str(taken.path))
            place = address(str(taken.path)) if taken.path is not None else None
            answer = {"asked": event.asked, "name": taken.name, "text": taken.text, "address": place, "said": taken.said}
            return {"stem": stem(last.comparison), "made": answer}

        for each in self.folds:
            each.wire(self.seen, quiet)
        self.view.unplayable(copied, self.seen, self.view, **quiet)
        self.exports.export(made, self.seen, self.exports, **quiet)


def takes_more(now: Seen | None, path: str | None) -> bool:
    """Whether more systems can be run into what stands there: it is done, and of the clip that is in the field. Two
    comparisons side by side take none."""
    if now is None or path is None or path != now.path or not now.comparison.finished:
        return False
    return not any(
        column.contender.spec.family.startswith(tuple(f"{side} " for side in SIDES)) for column in now.comparison.columns
    )


def beside(comparison: Comparison, order: Order, against: str | None, path: str | None) -> str:
    """The transcripts side by side, as ``comparisons.sides.drawn`` has them; "" where none can be. Never costs the columns."""
    try:
        if against not in {each for each, _ in anchors(comparison)}:
            against = None
        view = side_by_side(replace(comparison, columns=ordered(comparison, order)), against)
        return plain(view, comparison, address(path) if path is not None else None) if view.passages else ""
    except Exception:
        log.exception("the transcripts could not be set side by side")
        return ""


def address(path: str) -> str:
    """Where the page serves a file from, relative to its own address."""
    return f"gradio_api/file={quote(path)}"
