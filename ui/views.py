"""Plain data -> HTML. Every text is escaped by the templates (jinja2, autoescape); nothing here knows Gradio.

Names, transcripts, references, logs and file names come from visitors, models and files: untrusted, all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from comparisons import figures, sheets
from comparisons.compare import Comparison, Order, ordered
from comparisons.pictures import Picture
from comparisons.records import agreements
from comparisons.reference import Reference
from comparisons.statistics.significance import summary as summary_of_pairs
from comparisons.texts.changes import Change, explained
from runners.base import Availability, Clip, RunnerError, RunnerSpec
from runners.conversations.conversation import Conversation, Exchange
from runners.here.machine import Machine
from runners.here.reasons import by_reason
from runners.prompts import PromptTemplate
from ui.prose import blocks
from ui.templates import html_of, macros_of

FEW = 4
"""More cards of a kind than these leave the place before the button."""

SHOWN_WHOLE = 150
"""Words of a text of which all is shown, changed or not."""
MOST_CHANGES = 200
"""Of one text; a page of them says what a normaliser does."""
AROUND = 3
"""Words before and after a change."""


def parameters(count: int) -> str:
    """27_000_000 -> "27 M", 1_550_000_000 -> "1.6 B"."""
    return f"{count / 1e6:.0f} M" if count < 1e9 else f"{count / 1e9:.1f} B"


def languages(codes: Sequence[str]) -> str:
    """Up to three by name: "de, en, fr", "99 languages"."""
    return ", ".join(codes) if len(codes) <= 3 else f"{len(codes)} languages"


def licence(identifier: str) -> str:
    """An SPDX identifier for people: "MIT"; "LicenseRef-NVIDIA-Open-Model" -> "NVIDIA Open Model licence"."""
    own = identifier.removeprefix("LicenseRef-")
    return identifier if own == identifier else f"{own.replace('-', ' ')} licence"


def facts(spec: RunnerSpec) -> str:
    """Size, languages and licence of a system, as far as they are known."""
    known = (
        parameters(spec.parameters) if spec.parameters else None,
        languages(spec.languages) + (" and others" if spec.understands_others else "") if spec.languages else None,
        licence(spec.license) if spec.license else None,
    )
    return " · ".join(fact for fact in known if fact)


def where(spec: RunnerSpec, found: Availability) -> str:
    """ "here now", "download 0.5 GB", "served by lab": what stands last on the card of a system that can run."""
    if spec.server is not None:
        return f"served by {spec.server.name}"
    if found.state != "download":
        return "here now"
    return f"download {figures.bytes_(found.download_bytes)}" if found.download_bytes else "download"


def absent(offers: Iterable[tuple[RunnerSpec, Availability]]) -> str:
    """Cards of the systems that cannot run, where they are too many to stand among the others; else ""."""
    skipped = [row for row in offers if not row[1].ok]
    if len(skipped) <= FEW:
        return ""
    return html_of("absent.html", count=len(skipped), groups=_by_reason(skipped), apart=True)


def _by_reason(offers: Iterable[tuple[RunnerSpec, Availability]]) -> list[dict[str, Any]]:
    """Systems that are skipped for the same reason share a card."""
    return [
        {"reason": each.reason, "fix": each.fix, "cards": [{"spec": spec, "facts": facts(spec)} for spec in each.specs]}
        for each in by_reason(offers)
    ]


def systems(offers: Iterable[tuple[RunnerSpec, Availability]]) -> str:
    """The systems that can talk about a clip, as radio buttons; those that cannot run here with reason and fix."""
    rows = list(offers)
    skipped = [row for row in rows if not row[1].ok]
    return html_of(
        "systems.html",
        able_cards=[
            {"spec": spec, "availability": found, "facts": facts(spec), "where": where(spec, found)}
            for spec, found in rows
            if found.ok
        ],
        groups=_by_reason(skipped),
        off=len(skipped),
    )


def talk(
    conversation: Conversation | None,
    templates: Mapping[str, PromptTemplate],
    *,
    now: float,
    since: float | None = None,
    quiet: str = "",
) -> dict[str, Any]:
    """The value of the conversation's component.

    Args:
        templates: by name, for what their exchanges are called.
        now: on the clock of ``since``, when the last exchange's present state began.
        quiet: HTML of ``hush``, shown while nothing was asked.
    """
    drawn = []
    if conversation is not None:
        for i, each in enumerate(conversation.exchanges):
            html = exchange_html(each, templates, each is conversation.last, since)
            drawn.append({"id": f"{conversation.id}/{i}", "html": html, "text": each.text if each.finished else ""})
    return {"now": now, "quiet": quiet, "exchanges": drawn}


def exchange_html(
    exchange: Exchange, templates: Mapping[str, PromptTemplate], last: bool = True, since: float | None = None
) -> str:
    """A question and its answer, or how far that is."""
    parts = [
        {
            "number": part.number,
            "place": f"{figures.clock(part.start)} – {figures.clock(part.end)}",
            "blocks": blocks(part.result.text),
        }
        for part in exchange.parts
        if part.result.text
    ]
    segments = [
        {"place": figures.clock(segment.start) if segment.start is not None else "", "text": segment.text}
        for segment in exchange.segments
    ]
    return html_of(
        "exchange.html",
        exchange=exchange,
        template=templates.get(exchange.prompt.template or ""),
        blocks=blocks(exchange.text),
        parts=parts,
        segments=segments if len(segments) > 1 else [],
        notes=(*exchange.notes, *exchange.oddities),
        figures=exchange_figures(exchange),
        doing=_doing(exchange),
        since=since if last else None,
        last=last,
    )


def exchange_figures(exchange: Exchange) -> list[str]:
    """0.41 s to the first token · 14 tokens/s · 1,240 of 131,072 tokens of context; as far as they are known."""
    usage, speed = exchange.usage, exchange.tokens_per_second
    found = []
    if exchange.first_token_seconds is not None:
        found.append(f"{figures.seconds(exchange.first_token_seconds)} to the first token")
    elif exchange.seconds is not None:
        found.append(figures.seconds(exchange.seconds))
    if speed is not None:
        found.append(f"{speed:.1f} tokens/s" if speed < 9.95 else f"{speed:,.0f} tokens/s")
    if usage is not None:
        used = usage.prompt_tokens + usage.new_tokens
        found.append(f"{used:,} of {usage.context_tokens:,} tokens of context" if usage.context_tokens else f"{used:,} tokens")
    if exchange.load_seconds is not None:
        found.append(f"loaded in {figures.seconds(exchange.load_seconds)}")
    return found


def hush(has_systems: bool, has_clip: bool, may_add: bool) -> str:
    """Stands where the conversation will be. ``may_add``: visitors may name a system of their own."""
    return html_of("quiet.html", systems=has_systems, clip=has_clip, may_add=may_add)


def _doing(exchange: Exchange) -> str:
    if exchange.state == "loading" and exchange.done_bytes is not None:
        total = f" of {figures.bytes_(exchange.total_bytes)}" if exchange.total_bytes else ""
        return f"downloading {figures.bytes_(exchange.done_bytes)}{total}"
    if exchange.state == "running" and exchange.text:
        return "answering"
    return {"queued": "waits for its turn", "loading": "loading the model"}.get(exchange.state, "listening")


def machine_line(machine: Machine, downloads: bool) -> str:
    """CPU · 2 cores · 18 GB free · offline"""
    devices = [f"{device.name}, {figures.bytes_(device.total_bytes or 0)}" for device in machine.accelerators]
    parts = [*devices, "CPU"] if devices else ["CPU"]
    parts += [figures.counted(machine.cores, "core"), f"{figures.bytes_(machine.memory_free_bytes)} free"]
    return " · ".join(parts if downloads else [*parts, "offline"])


def clip_line(clip: Clip | None = None, fault: RunnerError | None = None) -> str:
    """What is known of the clip, or what is wrong with it and what to do; without either, how to begin."""
    return html_of("clip.html", clip=clip, facts=_sound(clip) if clip else "", fault=fault)


def board(comparison: Comparison, by: Order, now: float, transcripts: bool = True) -> dict[str, Any]:
    """The value of the column board. ``now`` is on the clock of ``Column.since``; running seconds tick in the browser.

    Args:
        transcripts: False leaves those out that can be scored, which stand side by side below.
    """
    module: Any = macros_of("column.html")
    agreed = agreements(comparison)
    drawn = [
        (
            each.contender.name,
            str(module.es_column(each, 2, None, True, comparison.reference, agreed.get(each.contender.name), transcripts)),
        )
        for each in ordered(comparison, by)
    ]
    return {"now": now, "columns": [{"id": name, "html": html} for name, html in drawn]}


def verdicts(comparison: Comparison) -> str:
    """What the contenders' rates mean beside each other, in sentences; "" where there is nothing to say."""
    labels = {column.contender.name: column.contender.label for column in comparison.columns}
    agreed = [name for name, share in agreements(comparison).items() if share is not None]
    sentences = summary_of_pairs(comparison.pairs, labels) if comparison.pairs else ()
    agree = not sentences and comparison.finished and len(agreed) > 1
    if not (sentences or agree or comparison.unsaid_key_terms):
        return ""
    method = next((pair.method for pair in comparison.pairs if pair.method), None)
    return html_of(
        "verdicts.html",
        sentences=sentences,
        agree=agree,
        unsaid=comparison.unsaid_key_terms,
        method=method,
        many=len(comparison.pairs) > 1,
        reference=comparison.reference,
    )


def pictures(drawn: Sequence[Picture]) -> str:
    """The pictures of a comparison, each a figure that says what it shows."""
    return html_of("pictures.html", pictures=drawn)


def changes(comparison: Comparison) -> str:
    """What the comparison's normaliser did to the reference and to each transcript that can be scored."""
    texts = [("Reference", comparison.reference.text)] if comparison.reference is not None else []
    texts += [
        (column.contender.label, column.result.transcript.text)
        for column in comparison.columns
        if column.contender.is_scored and column.result is not None and column.result.transcript is not None
    ]
    unit = comparison.unit
    rows = []
    for label, text in texts:
        pieces = [(piece, _how(piece)) for piece in explained(text, comparison.normaliser, unit)]
        counts = Counter(how for _, how in pieces)
        rows.append((label, counts["changed"] + counts["dropped"], counts["lightly"], len(pieces), shortened(pieces)))
    return html_of("changes.html", rows=rows, normaliser=comparison.normaliser, unit=unit)


def _how(piece: Change) -> str:
    """ "same", "dropped", "changed", or "lightly": in letter case or punctuation alone."""
    if piece.kind == "changed" and bare(piece.text) == bare(piece.became):
        return "lightly"
    return piece.kind


def bare(text: str) -> str:
    """The letters and digits of a text, in small letters."""
    return "".join(filter(str.isalnum, text)).casefold()


def shortened(pieces: Sequence[tuple[Change, str]]) -> list[tuple[Change | int, str]]:
    """What is shown of a text: all of a short one; of a long one the changes, each with a few words around it.

    A number with "left out" stands for so many words.
    """
    if len(pieces) <= SHOWN_WHOLE:
        return list(pieces)
    kept: list[tuple[Change | int, str]] = []
    shown = 0
    changed = [place for place, (_, how) in enumerate(pieces) if how in ("changed", "dropped")]
    for place in changed[:MOST_CHANGES]:
        first, last = max(shown, place - AROUND), min(len(pieces), place + AROUND + 1)
        if first > shown:
            kept.append((first - shown, "left out"))
        kept += pieces[first:last]
        shown = max(shown, last)
    if shown < len(pieces):
        kept.append((len(pieces) - shown, "left out"))
    return kept


def apology() -> str:
    """Stands where something could not be drawn."""
    return '<p class="es-soft es-small">This could not be drawn; the log of the server says why.</p>'


def reference_mark(reference: Reference, can_go_back: bool = False) -> str:
    """What stands under the reference field; "" where there is nothing to say of the reference."""
    if reference.text and reference.seed is None and not reference.is_edited and not can_go_back:
        return ""
    return html_of("reference.html", reference=reference, can_go_back=can_go_back)


def nothing_yet() -> str:
    """Stands where the columns will be."""
    return html_of("empty.html")


def summary(comparison: Comparison, by: Order) -> str:
    """The table above the columns. All rows are there from the start, so that no column moves when another is done."""
    table = sheets.summary(comparison, by)
    return html_of("summary.html", names=table.names, rows=table.rows, normaliser=comparison.normaliser.label)


def progress(comparison: Comparison) -> str:
    """2 of 4 done · 1 running · 1 skipped · clip.wav"""
    states = [column.state for column in comparison.columns]
    others = [state for state in ("running", "loading", "queued", "skipped", "cancelled") if state in states]
    counts = [f"{states.count('ok')} of {len(states)} done", *(f"{states.count(state)} {state}" for state in others)]
    return " · ".join([*counts, short(comparison.source)])


def short(name: str) -> str:
    """A file's name, at most 40 characters of it: its beginning and its end."""
    return name if len(name) <= 40 else f"{name[:24]}…{name[-15:]}"


def _sound(clip: Clip) -> str:
    """0:11 · 44.1 kHz · stereo"""
    parts = [figures.clock(clip.seconds)]
    if clip.original_rate is not None:
        parts.append(f"{clip.original_rate / 1000:g} kHz")
    if clip.original_channels is not None:
        count = clip.original_channels
        parts.append({1: "mono", 2: "stereo"}.get(count, f"{count} channels"))
    return " · ".join(parts)
