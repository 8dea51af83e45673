"""The Compare tab: a clip, the systems, and what each of them makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import gradio as gr

from comparisons.beyond.measures import key_terms_in
from comparisons.compare import Comparison, Order, rescored
from comparisons.normalise import NORMALISERS
from comparisons.reference import Reference
from runners.base import Contender, RunnerError
from runners.catalogue.contenders import split_name
from ui import picker, references, views
from ui.asked import asked, chosen_in, first_choice, ways
from ui.components import absent_cards, clip_facts, contender_cards, options_field, selection_line, status_line
from ui.desk import LONGEST_REFERENCE, Desk, Refused, said
from ui.options import Wishes
from ui.people import person
from ui.prompts_panel import own_in, values_in
from ui.references import Filled, current, reference_field
from ui.results import Results, Seen, beside, takes_more
from ui.samples import samples

Update = dict[Any, Any]

METRIC_CHOICES = [
    ("Rate: automatic", ""),
    ("Rate: WER, words", "wer"),
    ("Rate: CER, characters", "cer"),
    ("Rate: both", "both"),
]
ORDERS = [("Sort: as chosen", "chosen"), ("Sort: error rate", "wer"), ("Sort: RTF", "rtf"), ("Sort: name", "name")]
TRIMMED = "The sample was trimmed: take what was cut out of the reference too, or its words count as missing."


@dataclass(frozen=True)
class Given:
    """What another tab may take over from this one."""

    clip: gr.Audio
    added: gr.State
    """Names of the systems that this visitor added."""
    look_again: Callable[[Any], None]
    """Takes an event; each time, the cards are drawn as things are then."""
    reopen: Callable[[Comparison, str | None, Sequence[str], str, tuple[str, ...], str], Update]
    """Sets the tab to a comparison as it was: (comparison, path of its clip or None, what is to be said about it, its notes,
    ``added``, the order in which columns stand)."""
    reopened: list[Any]
    """What that changes."""
    order: gr.Dropdown


def compare_tab(page: gr.Blocks, desk: Desk, store: gr.HTML) -> Given:
    """Build the tab inside a ``gr.Blocks``. ``store`` is ``ui.prompts_panel.own_prompts``."""
    settings = desk.settings
    shipped = {sample.title: sample for sample in samples()}
    names_of_samples = {sample.path.name for sample in shipped.values()}

    # What is on the page

    added = gr.State(())  # names of systems this visitor added

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
                list(shipped), value=None, label="Sample", scale=3, min_width=150, visible=bool(shipped), elem_id="es-sample"
            )
            any_file = gr.UploadButton("Open any file", size="sm", scale=0, min_width=110, elem_id="es-open")
            terms = gr.Textbox(
                label="Key terms",
                placeholder="Names, products, drugs that must not be missed (optional)",
                lines=1,
                max_lines=3,
                scale=5,
                min_width=200,
                elem_id="es-terms",
            )
        truth = reference_field()
    offers = desk.offers()
    cards = contender_cards(picker.now(desk, offers, first_choice(desk), first=True))
    with (
        gr.Accordion("Add a model", open=False, visible=settings.visitors_add_models, elem_id="es-more"),
        gr.Row(elem_id="es-add"),
    ):
        model = gr.Textbox(
            label="Model", show_label=False, placeholder="whisper:openai/whisper-base, or ctc:/a/folder", scale=4, min_width=200
        )
        add = gr.Button("Add", size="sm", scale=0, min_width=70)
    wishes = options_field()
    with gr.Row(elem_id="es-run"):
        with gr.Row(elem_id="es-start"):
            go = gr.Button("Compare", variant="primary", elem_id="es-go")
            into = gr.Button("Add to this comparison", visible=False, elem_id="es-into")
            stop = gr.Button("Cancel", elem_id="es-stop")
            with gr.Column(elem_id="es-said", min_width=0):
                selection_line()
                status = status_line("")
        with gr.Row(elem_id="es-rules"):
            named = [("Normaliser: automatic", ""), *((f"Normaliser: {name}", name) for name in NORMALISERS)]
            normaliser = _rule("Normaliser", named, "")
            metric = _rule("Error rate", METRIC_CHOICES, "", "es-metric")
            order = _rule("Sort", ORDERS, "chosen", "es-sort")
    results = Results.build(status, into)
    absent = absent_cards(views.absent(offers))

    # What happens

    async def settled() -> None:
        """Return once the machine's GPUs are known: cards may say something else then."""
        await desk.lookout.settled()

    def refresh_cards(names: tuple[str, ...]) -> Update:
        """What the cards say now; what is ticked stays ticked."""
        offers = desk.offers(names)
        return {cards: picker.now(desk, offers, None), absent: views.absent(offers)}

    def look(path: str | None, text: str, filled: Filled | None, last: Seen | None, request: gr.Request) -> Update:
        done = last if last is not None and last.comparison.finished else None
        told: Update = {into: gr.update(visible=takes_more(last, path))}
        if path is None:
            return {**told, clip_line: views.clip_line(), sample: None}
        try:
            heard = desk.clip(path)
            asker = person(request, settings)
            if done is not None and done.path is None and desk.is_clip_of(done.comparison, heard, asker.whose):
                now = replace(done, path=path)  # the clip of a comparison without sound has come
                told = results.drawn(now, beside(now.comparison, now.order, now.against, path))
            is_sample = filled is not None and filled.of == "sample" and text == filled.reference.text
            if is_sample and heard.source not in names_of_samples:
                heard = replace(heard, warnings=(*heard.warnings, TRIMMED))
            return {**told, clip_line: views.clip_line(heard)}
        except RunnerError as fault:
            return {**told, clip_line: views.clip_line(fault=fault)}

    def take_sample(title: str | None) -> Update:
        if title not in shipped:
            return {clip: gr.skip()}
        taken = shipped[title]
        return {
            clip: str(taken.path),
            wishes: {"language": taken.language or ""},
            **truth.fill(Reference(taken.text), of="sample"),
        }

    def forget(text: str, filled: Filled | None) -> Update:
        """Another clip: the words of the sample, or what a system heard in the old one, are not what is said in it."""
        stale = filled is not None and filled.of is not None and text == filled.reference.text
        return {sample: None, wishes: {"language": ""}, **(truth.emptied() if stale else {})}

    def take_file(path: str, text: str, filled: Filled | None) -> Update:
        """A file that Gradio's own field would turn away, such as a video."""
        return {clip: path, **forget(text, filled)}

    def read_reference(file: str, path: str | None, text: str) -> Update:
        try:
            return truth.fill(references.read(file, path), before=text)
        except (ValueError, OSError) as fault:
            return {status: f"{views.short(Path(file).name)}: {fault}"}

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
            cards: picker.now(desk, offers, chosen),
            absent: views.absent(offers),
            status: f"{names[-1]}: " + ("added" if found.ok else f"{found.reason} {found.fix or ''}"),
        }

    def run(
        path: str | None,
        text: str,
        filled: Filled | None,
        wished: Any,
        rule: str,
        rate: str,
        named: str,
        by: str,
        value: Mapping[str, Any],
        kept: Mapping[str, Any],
        request: gr.Request,
    ) -> Iterator[Update]:
        reference = current(text, filled)
        try:
            wanted = key_terms_in(named)
            heard, contenders = asked(desk, path, text, Wishes.of(wished), chosen_in(value), own_in(kept), values_in(kept))
        except RunnerError as fault:
            yield {status: said(fault)}
            return
        except ValueError as fault:
            yield {status: str(fault)}
            return
        chosen, shown_large = ways(rule, rate, heard.language, reference)
        running = desk.compare(
            request.session_hash,
            heard,
            contenders,
            chosen,
            metric=shown_large,
            reference=reference,
            key_terms=wanted,
            owner=person(request, settings).key,
        )
        fresh = {results.notes: gr.update(value="", visible=False), results.noted: "", truth.known: text}
        for told in results.as_it_runs(running, str(path), cast(Order, by), None):
            yield {**told, results.against: None, **fresh}
            fresh = {}

    def again(event: gr.EventData, last: Seen | None, by: str, request: gr.Request) -> Iterator[Update]:
        if last is None:
            return
        # Whoever presses the moment that the last one is done finds it done.
        if desk.is_busy(request.session_hash, patience_seconds=5.0 if last.comparison.finished else 0.0):
            yield {status: "The others are still running: try again when they are done"}
            return
        contenders = [column.contender for column in last.comparison.columns if column.contender.name == event.name]
        yield from run_into(last, contenders, by, request)

    def run_more(
        last: Seen | None, wished: Any, by: str, value: Mapping[str, Any], kept: Mapping[str, Any], request: gr.Request
    ) -> Iterator[Update]:
        """What is ticked and does not stand there yet, into what does."""
        if last is None or desk.is_busy(request.session_hash):
            yield {status: "The others are still running: try again when they are done"}
            return
        there = {column.contender.name for column in last.comparison.columns}
        try:
            names = [name for name in chosen_in(value) if name not in there]
            contenders = desk.contenders(names, None, own_in(kept), values_in(kept))
        except RunnerError as fault:
            yield {status: said(fault)}
            return
        new = [each for each in Wishes.of(wished).told(contenders) if each.name not in there]
        if not new:
            yield {status: "All that is ticked is in it already: tick another system"}
            return
        yield from run_into(last, new, by, request)

    def run_into(last: Seen, contenders: Sequence[Contender], by: str, request: gr.Request) -> Iterator[Update]:
        """Contenders, into what stands there."""
        old = last.comparison
        if last.path is None:
            yield {status: "The clip is not here: give the same clip, and try again"}
            return
        try:
            contenders = [desk.runnable(contender) for contender in contenders]
            heard = desk.clip(last.path, old.reference.text if old.reference is not None else None, old.language)
        except RunnerError as fault:
            yield {status: said(fault)}
            return
        asker = person(request, settings)
        running = desk.compare(request.session_hash, heard, contenders, into=old, owner=asker.key, whose=asker.whose)
        yield from results.as_it_runs(running, last.path, cast(Order, by), last.against)

    def redraw(
        last: Seen | None,
        path: str | None,
        text: str,
        filled: Filled | None,
        rule: str,
        rate: str,
        named: str,
        by: str,
        held: str | None,
        request: gr.Request,
    ) -> Update:
        """What stands there, by another order, normaliser, rate, reference or list of terms; no system is run for it.

        While some run, everything waits for their end.
        """
        if last is None or desk.is_busy(request.session_hash):
            return {results.seen: gr.skip()}
        comparison = last.comparison
        reference = current(text, filled) if path == last.path else comparison.reference
        if reference is not None and len(reference.text) > LONGEST_REFERENCE:
            return {status: f"The reference is too long: {LONGEST_REFERENCE:,} characters are taken at most."}
        try:
            wanted = key_terms_in(named)
        except ValueError as fault:
            return {status: str(fault)}
        chosen, shown_large = ways(rule, rate, comparison.language, reference)
        before = (comparison.reference, comparison.normaliser, comparison.metric, comparison.key_terms)
        if (reference, chosen, shown_large, wanted) != before:
            comparison = rescored(replace(comparison, reference=reference), chosen, metric=shown_large, key_terms=wanted)
            desk.keep_changed(comparison, person(request, settings).whose)
        if comparison is last.comparison and (by, held) == (last.order, last.against):
            return {results.seen: gr.skip()}
        now = Seen(comparison, last.path, cast(Order, by), held)
        return results.drawn(now, beside(comparison, now.order, held, last.path))

    def use(event: gr.EventData, last: Seen | None, path: str | None, text: str) -> Update:
        """What a system heard becomes the reference, for a person to correct."""
        if last is None or not last.comparison.finished:
            return {status: "Some are still running: take a text when they are done"}
        if path != last.path:
            return {status: "These results are of another clip: compare this one first."}
        try:
            taken = references.seed(last.comparison, str(event.name))
            return {results.against: None, **truth.fill(taken, before=text, of="system")}
        except ValueError as fault:
            return {status: str(fault)}

    def note(text: str, noted: str, last: Seen | None, request: gr.Request) -> Update:
        """What somebody wrote down beside a kept comparison; only what they changed is written over what is kept."""
        id = last.comparison.kept_as if last is not None else None
        if desk.history is None or id is None or text == noted:
            return {results.noted: noted}
        try:
            desk.history.set_notes(id, text, person(request, settings).whose)
            return {results.noted: text, status: "The notes are kept"}
        except RunnerError as fault:
            return {results.noted: noted, status: said(fault)}

    def hold(event: gr.EventData) -> str:
        return str(event.against)

    def cancel_all(request: gr.Request) -> None:
        desk.stop(request.session_hash)

    def cancel_one(event: gr.EventData, request: gr.Request) -> None:
        desk.stop(request.session_hash, event.name)

    def reopen(
        comparison: Comparison, path: str | None, remarks: Sequence[str], notes: str, names: tuple[str, ...], by: str
    ) -> Update:
        """The tab as it was when this was compared; what is not offered here any more is not ticked."""
        reference, asked_of = comparison.reference, [column.contender.options for column in comparison.columns]
        systems = [split_name(column.contender.name)[0] for column in comparison.columns]
        offered = {spec.name for spec, _ in desk.offers(names)}
        for system in dict.fromkeys(systems):
            if system not in offered:
                with suppress(RunnerError):
                    names = (*names, desk.spec(system).name)
        offers = desk.offers(names)
        able = {spec.name for spec, here in offers if here.ok}
        ticked = [column.contender.name for column, system in zip(comparison.columns, systems, strict=True) if system in able]
        now = Seen(comparison, path, cast(Order, by), None)
        chosen, shown_large = ways("", "", comparison.language, reference)
        filled = truth.emptied() if reference is None else truth.fill(reference, of="kept" if path is not None else None)
        return {
            **results.drawn(now, beside(comparison, now.order, None, path)),
            results.against: None,
            results.notes: gr.update(value=notes, visible=comparison.kept_as is not None),
            results.noted: notes,
            clip: path,
            sample: None,
            **filled,
            wishes: {
                "language": comparison.language or "",
                "translate_to": next((each.translate_to for each in asked_of if each.translate_to), ""),
                "word_times": all(each.word_times for each in asked_of),
            },
            normaliser: "" if chosen == comparison.normaliser else comparison.normaliser.name,
            metric: "" if shown_large == comparison.metric else comparison.metric,
            terms: ", ".join(comparison.key_terms),
            added: names,
            cards: picker.now(desk, offers, ticked),
            absent: views.absent(offers),
            status: " ".join([f"Opened: {views.progress(comparison)}.", *remarks]),
        }

    # What leads to what

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    last_too: dict[str, Any] = {"trigger_mode": "always_last"}  # else what comes while an event is on its way is dropped
    one_by_one = {**quiet, "concurrency_id": "es-reference", "concurrency_limit": 1}  # leaving the field comes before the press
    shown = results.outputs
    reference = [truth.text, truth.filled]
    ruled = [normaliser, metric, terms, order]
    held = [results.seen, clip, truth.known, truth.filled, *ruled, results.against]
    cleared = [sample, wishes, *truth.outputs]

    # What was added is read again after the wait, and never while something is being added: a card that a person has made
    # in the meantime stays.
    of_cards = {**quiet, "concurrency_id": "es-cards", "concurrency_limit": 1}
    page.load(settled, **quiet).then(refresh_cards, [added], [cards, absent], **of_cards)
    clip.change(look, [clip, *reference, results.seen], [clip_line, sample, *shown], trigger_mode="always_last", **quiet)
    gr.on([clip.upload, clip.stop_recording, clip.clear], forget, reference, cleared, **one_by_one)
    any_file.upload(take_file, [any_file, *reference], [clip, *cleared], **one_by_one)
    sample.input(take_sample, sample, [clip, wishes, *truth.outputs], **one_by_one, **last_too)
    gr.on([add.click, model.submit], add_model, [model, added, cards], [added, model, cards, absent, status], **of_cards)

    # One after another, because a dropdown of Gradio's tells of a choice twice: the second finds that nothing has changed.
    in_turn = {**quiet, "concurrency_id": "es-redraw", "concurrency_limit": 1}
    redrawn: dict[str, Any] = {"fn": redraw, "inputs": held, "outputs": shown, **in_turn, **last_too}

    def then_redrawn(event: Any) -> None:
        results.then_folds(event.then(**redrawn), quiet)

    then_redrawn(
        go.click(
            run,
            [clip, *reference, wishes, *ruled, cards, store],
            [*shown, results.against, results.noted, truth.known],
            **quiet,
        )
    )
    then_redrawn(into.click(run_more, [results.seen, wishes, order, cards, store], shown, **quiet))
    then_redrawn(results.board.again(again, [results.seen, order], shown, **quiet))
    rules = [order.input, normaliser.input, metric.input, terms.blur, terms.submit]
    results.then_folds(gr.on(rules, **redrawn), quiet)
    then_redrawn(truth.text.blur(truth.marked, reference, truth.left, **one_by_one, **last_too))
    then_redrawn(truth.file.upload(read_reference, [truth.file, clip, truth.text], [*truth.outputs, status], **one_by_one))
    for pressed in truth.pressed(one_by_one):
        then_redrawn(pressed)
    then_redrawn(
        results.view.use(use, [results.seen, clip, truth.text], [results.against, status, *truth.outputs], **one_by_one)
    )
    then_redrawn(results.view.against(hold, None, results.against, **quiet))
    results.notes.blur(note, [results.notes, results.noted, results.seen], [results.noted, status], **quiet, **last_too)
    results.wire(desk, clip, quiet)
    stop.click(cancel_all, queue=False, **quiet)
    results.board.stop(cancel_one, queue=False, **quiet)

    def look_again(event: Any) -> None:
        event(refresh_cards, [added], [cards, absent], **of_cards)

    return Given(
        clip,
        added,
        look_again,
        reopen,
        [*shown, results.against, results.noted, clip, *cleared, normaliser, metric, terms, added, cards, absent],
        order,
    )


def _rule(label: str, choices: Sequence[tuple[str, str]], value: str, elem_id: str | None = None) -> gr.Dropdown:
    """How what is shown is scored and sorted; each choice says of what it is one."""
    return gr.Dropdown(
        choices, value=value, label=label, show_label=False, container=False, elem_classes="es-choice", elem_id=elem_id
    )
