"""The Compare tab: a clip, the systems, and what each of them makes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import gradio as gr

from comparisons import report
from comparisons.compare import Comparison, Order, ordered, rescored, with_reference
from comparisons.normalise import NORMALISERS, choose
from comparisons.reference import Reference, text_of
from runners.base import Clip, Contender, RunnerError
from runners.contenders import split_name
from ui import views
from ui.components import absent_cards, clip_facts, column_board, contender_cards, export_buttons, status_line
from ui.desk import Desk, Refused
from ui.prompts_panel import own_in, values_in
from ui.samples import samples

Update = dict[Any, Any]

FIRST_CHOICE = ("moonshine", "pocketsphinx")
"""Ticked on a first visit where they can run at once: both come with Earshot."""
ORDERS = [("Sort: as chosen", "chosen"), ("Sort: error rate", "wer"), ("Sort: RTF", "rtf"), ("Sort: name", "name")]
TRIMMED = "The sample was trimmed: take what was cut out of the reference too, or its words count as missing."
LANGUAGE_NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "et": "Estonian", "fa": "Persian", "fi": "Finnish", "fr": "French", "he": "Hebrew",
    "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese",
    "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian", "nl": "Dutch", "no": "Norwegian", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sr": "Serbian",
    "sv": "Swedish", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "yue": "Cantonese",
    "zh": "Chinese",
}  # fmt: skip
"""English names of ISO 639 codes; a language without one is shown by its code."""


@dataclass(frozen=True)
class Given:
    """What another tab may take over from this one."""

    clip: gr.Audio
    added: gr.State
    """Names of the systems that this visitor added."""


@dataclass(frozen=True)
class Seen:
    """What stands in the columns, and the file that it was made from."""

    comparison: Comparison
    path: str


def first_choice(desk: Desk) -> list[str]:
    """The systems that are ticked on a first visit."""
    here = [spec.name for spec, availability in desk.offers() if availability.state == "available"]
    return [name for name in here if name in FIRST_CHOICE] or here[:2]


def language_choices(desk: Desk) -> list[tuple[str, str]]:
    """Label and code of every language that an offered system understands, by name."""
    codes = {code for spec, _ in desk.offers() for code in spec.languages or ()}
    named = sorted((LANGUAGE_NAMES.get(code, code), code) for code in codes)
    return [("Any language", ""), *named]


def drawing(comparison: Comparison, order: Order) -> tuple[dict[str, Any], str, dict[str, str], str]:
    """Values of the board, the summary, the export buttons and the status line."""
    columns = ordered(comparison, order)
    table = views.summary(comparison, order)
    exported = export(comparison, order) if comparison.finished else {}
    return views.board(columns, time.monotonic()), table, exported, views.progress(comparison)


def export(comparison: Comparison, order: Order) -> dict[str, str]:
    """The summary as text for a spreadsheet, CSV, JSON and a report of its own."""
    return {
        "stem": f"earshot-{Path(comparison.source).stem}",
        "tsv": report.to_frame(comparison, order).to_csv(sep="\t", index=False),
        "csv": report.to_csv(comparison),
        "json": json.dumps(report.to_dict(comparison), ensure_ascii=False, indent=2),
        "html": report.to_html(comparison, order),
    }


def compare_tab(page: gr.Blocks, desk: Desk, store: gr.HTML) -> Given:
    """Build the tab inside a ``gr.Blocks``. ``store`` is ``ui.prompts_panel.own_prompts``."""
    settings = desk.settings
    shipped = {sample.title: sample for sample in samples()}
    names_of_samples = {sample.path.name for sample in shipped.values()}

    # What is on the page

    seen = gr.State(None)  # Seen or None
    added = gr.State(())  # names of systems this visitor added
    sampled = gr.State(None)  # reference that came with a sample

    with gr.Column(elem_classes="es-card"):
        clip_line = clip_facts(views.clip_line())
        clip = gr.Audio(
            sources=["upload", "microphone"],
            type="filepath",
            label="Clip",
            show_label=False,
            container=False,
            buttons=[],
            elem_id="es-audio",
        )
        with gr.Row(elem_id="es-fields"):
            sample = gr.Dropdown(
                list(shipped), value=None, label="Sample", scale=2, min_width=150, visible=bool(shipped), elem_id="es-sample"
            )
            any_file = gr.UploadButton("Open any file", size="sm", scale=0, min_width=110, elem_id="es-open")
            reference = gr.Textbox(
                label="Reference",
                placeholder="What was really said (optional)",
                lines=1,
                max_lines=6,
                scale=6,
                min_width=240,
                elem_id="es-reference",
            )
            text_file = gr.UploadButton(
                "From .txt", file_types=[".txt"], type="binary", size="sm", scale=0, min_width=90, elem_id="es-text-file"
            )
            language = gr.Dropdown(
                language_choices(desk), value="", label="Language", scale=2, min_width=140, elem_id="es-lang"
            )
    cards = contender_cards({"html": views.cards(desk.offers()), "chosen": first_choice(desk)})
    with (
        gr.Accordion("Add a model", open=False, visible=settings.visitors_add_models, elem_id="es-more"),
        gr.Row(elem_id="es-add"),
    ):
        model = gr.Textbox(
            label="Model", show_label=False, placeholder="whisper:openai/whisper-base, or ctc:/a/folder", scale=4, min_width=200
        )
        add = gr.Button("Add", size="sm", scale=0, min_width=70)
    with gr.Row(elem_id="es-run"):
        go = gr.Button("Compare", variant="primary", elem_id="es-go")
        stop = gr.Button("Cancel", elem_id="es-stop")
        status = status_line("")
        gr.HTML(views.legend(), apply_default_css=False, elem_id="es-legend")
        normaliser = gr.Dropdown(
            [("Normaliser: automatic", ""), *((f"Normaliser: {name}", name) for name in NORMALISERS)],
            value="",
            label="Normaliser",
            show_label=False,
            container=False,
            elem_classes="es-choice",
        )
        order = gr.Dropdown(
            ORDERS, value="chosen", label="Sort", show_label=False, container=False, elem_classes="es-choice", elem_id="es-sort"
        )
    with gr.Column(elem_id="es-results"):
        exports = export_buttons()
        table = gr.HTML("", apply_default_css=False, elem_id="es-summary")
        board = column_board()
    absent = absent_cards(views.absent(desk.offers()))

    # What happens

    def drawn(comparison: Comparison, path: str, by: str) -> Update:
        values = drawing(comparison, cast(Order, by))
        return {seen: Seen(comparison, path), **dict(zip((board, table, exports, status), values, strict=True))}

    async def refresh_cards(names: tuple[str, ...]) -> Update:
        """Once the machine's GPUs are known, cards may say something else; what is ticked by then stays ticked."""
        await desk.lookout.settled()
        offers = desk.offers(names)
        return {cards: {"html": views.cards(offers), "chosen": None}, absent: views.absent(offers)}

    def look(path: str | None, text: str, from_sample: str | None) -> Update:
        if path is None:
            return {clip_line: views.clip_line(), sample: None}
        try:
            heard = desk.clip(path)
            if from_sample and text == from_sample and heard.source not in names_of_samples:
                heard = replace(heard, warnings=(*heard.warnings, TRIMMED))
            return {clip_line: views.clip_line(heard)}
        except RunnerError as fault:
            return {clip_line: views.clip_line(fault=fault)}

    def take_sample(title: str | None) -> Update:
        if title not in shipped:
            return {clip: gr.skip()}
        taken = shipped[title]
        return {clip: str(taken.path), reference: taken.text, sampled: taken.text, language: taken.language}

    def forget_sample(text: str, from_sample: str | None) -> Update:
        """Another clip: the words of the sample are not what is said in it."""
        return {sample: None, sampled: None, language: "", **({reference: ""} if text == from_sample else {})}

    def take_file(path: str, text: str, from_sample: str | None) -> Update:
        """A file that Gradio's own field would turn away, such as a video."""
        return {clip: path, **forget_sample(text, from_sample)}

    def read_text(content: bytes) -> Update:
        try:
            return {reference: text_of(content)}
        except ValueError as fault:
            return {status: f"{fault} Choose a .txt file with the words that were said."}

    def add_model(name: str, names: tuple[str, ...], value: Mapping[str, Any]) -> Update:
        try:
            system, template = split_name(name)
            spec = desk.spec(system)
            if template and not spec.takes_prompt:
                raise Refused(f"{spec.label} takes no prompt.", f"Leave #{template} out.")
            names = (*names, spec.name)
        except RunnerError as fault:
            return {status: said(fault)}
        offers = desk.offers(names)
        found = next(here for spec, here in offers if spec.name == names[-1])
        contender = f"{names[-1]}#{template}" if template else names[-1]
        chosen = [*chosen_in(value), *([contender] if found.ok else [])]
        return {
            added: names,
            model: "",
            cards: {"html": views.cards(offers), "chosen": chosen},
            absent: views.absent(offers),
            status: f"{names[-1]}: " + ("added" if found.ok else f"{found.reason} {found.fix or ''}"),
        }

    def run(
        path: str | None,
        text: str,
        code: str,
        rule: str,
        by: str,
        value: Mapping[str, Any],
        kept: Mapping[str, Any],
        request: gr.Request,
    ) -> Iterator[Update]:
        try:
            heard, contenders = asked(desk, path, text, code, chosen_in(value), own_in(kept), values_in(kept))
        except RunnerError as fault:
            yield {status: said(fault)}
            return
        chosen = choose(rule or None, heard.language, heard.reference or "")
        for comparison in desk.compare(request.session_hash, heard, contenders, chosen):
            yield drawn(comparison, str(path), by)

    def again(event: gr.EventData, last: Seen | None, by: str, request: gr.Request) -> Iterator[Update]:
        if last is None:
            return
        if desk.is_busy(request.session_hash):
            yield {status: "The others are still running: try again when they are done"}
            return
        old = last.comparison
        contenders = [column.contender for column in old.columns if column.contender.name == event.name]
        try:
            heard = desk.clip(last.path, old.reference.text if old.reference is not None else None, old.language)
        except RunnerError as fault:
            yield {status: said(fault)}
            return
        for comparison in desk.compare(request.session_hash, heard, contenders, into=old):
            yield drawn(comparison, last.path, by)

    def redraw(last: Seen | None, path: str | None, text: str, rule: str, by: str, request: gr.Request) -> Update:
        """Another order, normaliser or reference for what stands there; while it runs, everything waits for its end."""
        if last is None or desk.is_busy(request.session_hash):
            return {seen: gr.skip()}
        comparison = last.comparison
        given = Reference(text.strip()) if text.strip() else None
        if path == last.path and given != comparison.reference:
            comparison = with_reference(comparison, given)
        chosen = choose(
            rule or None, comparison.language, comparison.reference.text if comparison.reference is not None else ""
        )
        if chosen != comparison.normaliser:
            comparison = rescored(comparison, chosen)
        return drawn(comparison, last.path, by)

    def cancel_all(request: gr.Request) -> None:
        desk.stop(request.session_hash)

    def cancel_one(event: gr.EventData, request: gr.Request) -> None:
        desk.stop(request.session_hash, event.name)

    # What leads to what

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    shown = [seen, board, table, exports, status]
    held = [seen, clip, reference, normaliser, order]

    page.load(refresh_cards, [added], [cards, absent], **quiet)
    clip.change(look, [clip, reference, sampled], [clip_line, sample], trigger_mode="always_last", **quiet)
    gr.on(
        [clip.upload, clip.stop_recording, clip.clear],
        forget_sample,
        [reference, sampled],
        [sample, sampled, language, reference],
        **quiet,
    )
    any_file.upload(take_file, [any_file, reference, sampled], [clip, sample, sampled, language, reference], **quiet)
    sample.input(take_sample, sample, [clip, reference, sampled, language], **quiet)
    text_file.upload(read_text, text_file, [reference, status], **quiet)
    gr.on([add.click, model.submit], add_model, [model, added, cards], [added, model, cards, absent, status], **quiet)
    redrawn: dict[str, Any] = {"fn": redraw, "inputs": held, "outputs": shown, **quiet}
    go.click(run, [clip, reference, language, normaliser, order, cards, store], shown, **quiet).then(**redrawn)
    board.again(again, [seen, order], shown, **quiet).then(**redrawn)
    gr.on([order.input, normaliser.input, reference.blur], **redrawn)
    stop.click(cancel_all, queue=False, **quiet)
    board.stop(cancel_one, queue=False, **quiet)
    return Given(clip, added)


def chosen_in(value: Mapping[str, Any] | None) -> list[str]:
    """The names that are ticked; a browser may send anything."""
    names = value.get("chosen") if isinstance(value, Mapping) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def asked(
    desk: Desk,
    path: str | None,
    text: str,
    code: str,
    names: Sequence[str],
    own: Sequence[Mapping[str, Any]] = (),
    values: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Clip, list[Contender]]:
    """The clip and the contenders of a comparison.

    Args:
        own: the visitor's own prompt templates, as plain records.
        values: of the templates' variables.

    Raises:
        RunnerError: something is missing, or not taken here.
    """
    if not path:
        raise Refused("There is no clip yet.", "Drop one in, record one, or take a sample.")
    if not names:
        raise Refused("No system is chosen.", "Tick at least one of the cards.")
    contenders = desk.contenders(names, code or None, own, values)
    return desk.clip(path, text.strip() or None, code or None), contenders


def said(fault: RunnerError) -> str:
    """What happened and what to do, in one line."""
    return f"{fault} {fault.fix}" if fault.fix else str(fault)
