"""The reference field: what was really said, typed, read from a file or taken from a system, and what it was before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gradio as gr

from comparisons.agreement.consensus import consensus
from comparisons.compare import Comparison
from comparisons.reference import Reference, read_reference
from comparisons.sides.side_by_side import MAJORITY
from ui import views
from ui.components import reference_mark

FILE_TYPES = [".txt", ".srt", ".vtt", ".json", ".jsonl"]
LARGEST_FILE = 20_000_000
"""Bytes; a manifest of ten thousand clips has a few million."""

Update = dict[Any, Any]
Of = Literal["sample", "system", "silence", "kept"]


@dataclass(frozen=True)
class Filled:
    """What the field was filled with; the text in it may have been edited since."""

    reference: Reference
    before: str
    """What stood in the field until then."""
    of: Of | None = None
    """Whose words they are, where another clip cannot have them; "silence" are none, because nothing was said."""


@dataclass(frozen=True)
class ReferenceField:
    """The field, the button that reads a file into it, and the line under it that says where its text is from."""

    text: gr.Textbox
    file: gr.UploadButton
    silence: gr.Button
    mark: gr.HTML
    filled: gr.State
    """``Filled``, or None while a person alone has written there."""
    known: gr.State
    """The text since somebody last left the field, or something filled it. A browser that is asked for the text in the moment
    after it was filled may still say what stood there before."""

    @property
    def outputs(self) -> list[Any]:
        """What ``fill`` and ``emptied`` change."""
        return [self.text, self.mark, self.filled, self.known]

    @property
    def left(self) -> list[Any]:
        """What ``marked`` changes."""
        return [self.mark, self.filled, self.known]

    def fill(self, reference: Reference, before: str = "", of: Of | None = None) -> Update:
        of = of if reference.text else "silence"
        return {
            self.text: reference.text,
            self.known: reference.text,
            self.filled: Filled(reference, before, of),
            self.mark: views.reference_mark(reference, can_go_back=bool(before.strip())),
        }

    def emptied(self) -> Update:
        return {self.text: "", self.known: "", self.filled: None, self.mark: ""}

    def marked(self, text: str, filled: Filled | None) -> Update:
        """The line under the field, for what stands there by now."""
        now = current(text, filled)
        if filled is None or now is None:
            return {self.mark: "", self.filled: None, self.known: text}
        return {
            self.known: text,
            self.mark: views.reference_mark(now, can_go_back=bool(filled.before.strip())),
            self.filled: filled,
        }

    def pressed(self, quiet: Mapping[str, Any]) -> list[Any]:
        """What the buttons under the field do, each an event that others can follow."""

        def restored(filled: Filled | None) -> Update:
            return self.fill(filled.reference, filled.before, filled.of) if filled is not None else self.emptied()

        def back(filled: Filled | None) -> Update:
            before = filled.before if filled is not None else ""
            return {**self.emptied(), self.text: before, self.known: before}

        def silent(text: str) -> Update:
            return self.fill(Reference(""), before=text)

        return [
            self.silence.click(silent, self.text, self.outputs, **quiet),
            self.mark.restore(restored, self.filled, self.outputs, **quiet),
            self.mark.back(back, self.filled, self.outputs, **quiet),
            self.mark.empty(self.emptied, None, self.outputs, **quiet),
        ]


def reference_field() -> ReferenceField:
    """Build the field; it stands on a line of its own."""
    filled = gr.State(None)
    with gr.Row(elem_id="es-truth"):
        text = gr.Textbox(
            label="Reference",
            placeholder="What was really said (optional)",
            lines=1,
            max_lines=6,
            scale=6,
            min_width=240,
            elem_id="es-reference",
        )
        file = gr.UploadButton(
            "From a file", file_types=FILE_TYPES, type="filepath", size="sm", scale=0, min_width=100, elem_id="es-text-file"
        )
        silence = gr.Button("Nothing was said", size="sm", scale=0, min_width=130, elem_id="es-silence")
    return ReferenceField(text, file, silence, reference_mark(), filled, gr.State(""))


def current(text: str, filled: Filled | None) -> Reference | None:
    """The reference that the field holds; None where it is empty, but for somebody who said that nothing was said.

    What a field was filled with stays known while a person edits it, so that the edited text is still seeded.
    """
    text = text.strip()
    if filled is not None and filled.of == "silence":
        return Reference(text) if text else filled.reference
    if not text:
        return None
    return Reference(text) if filled is None else filled.reference.edited(text)


def read(path: str, clip: str | None) -> Reference:
    """The reference in an uploaded file.

    Args:
        clip: the clip's file, which finds its entry in a manifest by its name.

    Raises:
        ValueError: it holds none, or none of this clip; says what to do.
    """
    file = Path(path)
    if file.stat().st_size > LARGEST_FILE:
        raise ValueError(f"The file is larger than {LARGEST_FILE // 1_000_000} MB. Choose one with this clip's words alone.")
    return read_reference(file.read_bytes(), file.name, Path(clip).name if clip else None)


def seed(comparison: Comparison, name: str) -> Reference:
    """A contender's text as a reference, or the text of the majority.

    Raises:
        ValueError: there is no such text.
    """
    said = {
        column.contender.name: column
        for column in comparison.columns
        if column.state == "ok" and column.contender.is_scored and column.result is not None
    }
    texts = {name: column.result.transcript.text for name, column in said.items() if column.result and column.result.transcript}
    if name == MAJORITY and len(texts) > 1:
        unit = comparison.unit
        text = consensus(list(texts.values()), comparison.normaliser, unit).text
        label = f"the majority of {len(texts)}"
    elif name in texts:
        text, label = texts[name], said[name].contender.label
    else:
        raise ValueError("That text is not there any more.")
    if not text.strip():
        raise ValueError(f"There is no word in the text of {label}.")
    return Reference.seeded(text.strip(), name, label)
