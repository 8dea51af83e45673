"""The JSON of ``records``, read again: a comparison that can be drawn, scored under another normaliser, and laid beside others.

A file may come from anybody: it is checked whole before anything is made of it, and nothing in it can start a system or
name a server's address. Rates are not believed but counted again from the texts; where they come out otherwise, because a
normaliser has changed since, that is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from comparisons import figures
from comparisons.compare import Column, Comparison, rescored
from comparisons.made_with import MadeWith
from comparisons.normalise import NORMALISERS, choose, normaliser
from comparisons.records import SCHEMA, VERSION
from comparisons.reference import MOST_CHARACTERS, Reference
from comparisons.score import Metric
from runners.base import (
    Contender,
    DeviceKind,
    Dtype,
    Prompt,
    RunnerSpec,
    Segment,
    Server,
    Stage,
    Task,
    TranscribeOptions,
    Transcript,
    TranscriptionResult,
    Word,
)

MOST_BYTES = 64 * 1024 * 1024
"""Of a file: an hour of speech with word times takes 1 MB a system."""
MOST_RESULTS = 250
MOST_ALIGNED = 100_000_000_000
"""Characters of the reference times those of all transcripts: two hours of speech in eight columns. Texts that have nothing
in common take minutes then."""
NOT_RUNNABLE = "kept comparisons:nothing that runs"
"""Target of a system that was read: to run it again, look its name up in the catalogue."""
NO_ADDRESS = "not known here"
"""Address of a server of which there is only the name."""

_Seconds = Annotated[float, Field(ge=0, le=1e7)]
_Count = Annotated[int, Field(ge=0)]


class NotAComparison(ValueError):
    """A document cannot be read as a comparison; says why, and what to do."""


@dataclass(frozen=True)
class Opened:
    """A comparison that was read, and what is not as it was written."""

    comparison: Comparison
    remarks: tuple[str, ...] = ()
    """Whole sentences. They hold untrusted labels."""


def read(content: bytes) -> Opened:
    """The comparison in a file that somebody gives.

    Raises:
        NotAComparison: it is none, or larger than what is opened.
    """
    if len(content) > MOST_BYTES:
        raise NotAComparison(f"This file is larger than {MOST_BYTES // 1024**2} MB, so it is not opened.")
    document = _document(content)
    said = len(document.reference.text) if document.reference is not None else 0
    heard = sum(len(result.transcript or "") for result in document.results)
    if said * heard > MOST_ALIGNED:
        raise NotAComparison("The texts in this file are longer than what is opened: take fewer systems, or less of the clip.")
    return _opened(document)


def from_json(content: bytes | str) -> Opened:
    """The comparison that Earshot itself wrote down, of any length.

    Raises:
        NotAComparison: it is none.
    """
    return _opened(_document(content))


def from_dict(document: object) -> Opened:
    """The comparison that ``records.to_dict`` made this of.

    Raises:
        NotAComparison: it is none.
    """
    try:
        text = json.dumps(document)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotAComparison(NO_JSON) from error
    return from_json(text)


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what is read: every field that it takes to open a comparison again. A document has
    others besides, which are counted anew: ``records.to_dict`` says what they are."""
    said = _Document.model_json_schema()
    head = {"schema": {"const": SCHEMA}, "version": {"const": VERSION}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **said,
        "title": SCHEMA,
        "properties": {**head, **said["properties"]},
        "required": [*head, *said["required"]],
    }


NO_JSON = "This is not a comparison that Earshot wrote: choose the file that the button JSON, or --format json, gave."


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, allow_inf_nan=False)


class _Clip(_Part):
    source: str
    seconds: _Seconds


class _Named(_Part):
    name: str
    version: str


class _Reference(_Part):
    text: Annotated[str, Field(max_length=MOST_CHARACTERS)]
    seeded_by: str | None
    seed_label: str | None
    original: Annotated[str, Field(max_length=MOST_CHARACTERS)] | None
    segments: tuple[Segment, ...]


class _System(_Part):
    label: str
    is_default: bool
    parameters: _Count | None
    languages: tuple[str, ...] | None
    license: str | None
    takes_prompt: bool
    can_chat: bool
    longest_transcribed_seconds: _Seconds | None
    asked_dtype: Dtype | None
    asked_device: DeviceKind | None
    server: str | None


class _Options(_Part):
    language: str | None
    translate_to: str | None
    word_times: bool


class _Result(_Part):
    contender: str
    runner: str
    model: str | None
    status: Literal["queued", "loading", "running", "ok", "skipped", "cancelled"]
    transcript: str | None
    error: str | None
    stage: Stage | None
    wer: float | None
    cer: float | None
    runs: tuple[_Seconds, ...]
    load_seconds: _Seconds | None
    rtf: Annotated[float, Field(ge=0)] | None
    device: DeviceKind | None
    dtype: Dtype | None
    peak_memory_mb: Annotated[float, Field(ge=0)] | None
    fix: str | None
    revision: str | None
    template: str | None
    task: Task
    prompt: str | None
    notes: tuple[str, ...]
    system: _System
    options: _Options
    heard_language: str | None
    words: tuple[Word, ...]
    segments: tuple[Segment, ...]
    log: tuple[str, ...]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.status == "ok") != (self.transcript is not None):
            raise ValueError("it is ok exactly if it has a transcript")
        if self.status == "skipped" and not self.error:
            raise ValueError("a skipped one says why")
        return self


class _Silence(_Part):
    start: _Seconds
    end: _Seconds


class _MadeWith(_Part):
    at: datetime
    earshot: str
    python: str
    system: str
    machine: str
    packages: dict[str, str]
    contenders: tuple[str, ...]


class _Document(_Part):
    clip: _Clip
    normaliser: _Named
    results: Annotated[tuple[_Result, ...], Field(max_length=MOST_RESULTS)]
    metric: Metric
    reference: _Reference | None
    key_terms: tuple[str, ...]
    language: str | None
    warnings: tuple[str, ...]
    silences: tuple[_Silence, ...]
    made_with: tuple[_MadeWith, ...]


class _Head(_Part):
    """What says how the rest is to be read."""

    document: Annotated[str | None, Field(alias="schema")] = None
    version: int | None = None


def _document(content: bytes | str) -> _Document:
    """
    Raises:
        NotAComparison: it is no comparison, of another version, or damaged.
    """
    content = content.removeprefix(b"\xef\xbb\xbf") if isinstance(content, bytes) else content
    try:
        head = _Head.model_validate_json(content)
    except ValidationError as error:
        raise NotAComparison(NO_JSON) from error
    if head.document != SCHEMA or head.version is None or head.version < 1:
        raise NotAComparison(NO_JSON)
    if head.version > VERSION:
        raise NotAComparison(
            f"A newer Earshot wrote this comparison (version {head.version} of the form, this one reads up to {VERSION}):"
            " update Earshot to open it."
        )
    try:
        return _Document.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ", ".join(str(part + 1) if isinstance(part, int) else part for part in fault["loc"])
        what = fault["msg"].removeprefix("Value error, ")
        raise NotAComparison(
            f"This comparison is damaged or was changed by hand, at {where[:200]!r}: {what[:1].lower()}{what[1:]}."
            " Take the file as Earshot wrote it."
        ) from error


def _opened(document: _Document) -> Opened:
    results = [_result(result) for result in document.results]
    if len({result.contender.name for result in results}) < len(results):
        raise NotAComparison("This comparison has two results of one name: take the file as Earshot wrote it.")
    language, reference = document.language, document.reference
    named = document.normaliser
    known = named.name in NORMALISERS
    comparison = rescored(
        Comparison(
            source=document.clip.source,
            seconds=document.clip.seconds,
            reference=_reference(reference) if reference is not None else None,
            language=language,
            normaliser=normaliser(named.name) if known else choose(None, language, reference.text if reference else ""),
            metric=document.metric,
            key_terms=document.key_terms,
            silences=tuple((silence.start, silence.end) for silence in document.silences),
            warnings=document.warnings,
            columns=tuple(Column(result.contender, result.status, result=result) for result in results),
            made_with=tuple(_made_with(each) for each in document.made_with),
        )
    )
    return Opened(comparison, tuple(_remarks(document, comparison)))


def _remarks(document: _Document, comparison: Comparison) -> Iterator[str]:
    written, now = document.normaliser, comparison.normaliser
    if written.name != now.name:
        yield f"It was scored with a normaliser {written.name!r}, which is not known here: it is scored with {now.label} now."
    elif written.version != now.version:
        yield f"It was scored with {written.name} {written.version}; here it is scored with {now.label}."
    for result, column in zip(document.results, comparison.columns, strict=True):
        if result.status not in ("ok", "skipped", "cancelled"):
            yield f"{column.contender.label} had not finished when this was written, so it counts as cancelled."
        score = column.score
        rates = (("WER", result.wer, score.wer if score else None), ("CER", result.cer, score.cer if score else None))
        changed = [f"its {name} was {_rate(was)} and is {_rate(is_)}" for name, was, is_ in rates if was != is_]
        if changed:
            yield f"{column.contender.label}: {', '.join(changed)}."


def _rate(value: float | None) -> str:
    return figures.percent(value) if value is not None else "not known"


def _result(written: _Result) -> TranscriptionResult:
    """
    Raises:
        NotAComparison: it is called otherwise than what it consists of.
    """
    contender = _contender(written)
    if contender.name != written.contender:
        raise NotAComparison(
            f"This comparison has a result of {written.contender[:100]!r} that is {contender.name[:100]!r}:"
            " take the file as Earshot wrote it."
        )
    transcript = None
    if written.transcript is not None:
        transcript = Transcript(written.transcript, written.words, written.segments, written.heard_language, written.notes)
        timed: tuple[Word | Segment, ...] = (*written.words, *written.segments)
        if not all(_is_time(each.start) and _is_time(each.end) for each in timed):
            raise NotAComparison("This comparison has words at impossible times: take the file as Earshot wrote it.")
    finished = written.status in ("ok", "skipped", "cancelled")
    return TranscriptionResult(
        contender=contender,
        status="ok" if written.status == "ok" else "skipped" if written.status == "skipped" else "cancelled",
        transcript=transcript,
        error=written.error,
        fix=written.fix,
        log=written.log,
        stage=written.stage,
        load_seconds=written.load_seconds,
        runs=written.runs if finished else (),
        rtf=written.rtf,
        peak_memory=round(written.peak_memory_mb * 1e6) if written.peak_memory_mb is not None else None,
        device=written.device,
        dtype=written.dtype,
    )


def _is_time(value: float | None) -> bool:
    return value is None or 0 <= value <= 1e7


def _contender(written: _Result) -> Contender:
    system, options = written.system, written.options
    prompt = Prompt(written.template, written.task, written.prompt) if written.prompt is not None else None
    spec = RunnerSpec(
        family=written.runner,
        label=system.label,
        target=NOT_RUNNABLE,
        model=written.model,
        revision=written.revision,
        is_default=system.is_default,
        parameters=system.parameters,
        languages=system.languages,
        license=system.license,
        takes_prompt=system.takes_prompt,
        can_chat=system.can_chat,
        longest_transcribed_seconds=system.longest_transcribed_seconds,
        asked_dtype=system.asked_dtype,
        asked_device=system.asked_device,
        server=Server(system.server, NO_ADDRESS) if system.server is not None else None,
    )
    return Contender(spec, TranscribeOptions(options.language, options.word_times, prompt, options.translate_to))


def _reference(written: _Reference) -> Reference:
    return Reference(written.text, written.segments, written.seeded_by, written.seed_label, written.original)


def _made_with(written: _MadeWith) -> MadeWith:
    at = written.at if written.at.tzinfo is not None else written.at.replace(tzinfo=UTC)
    return MadeWith(
        at=at.astimezone(UTC).replace(microsecond=0),
        earshot=written.earshot,
        python=written.python,
        system=written.system,
        machine=written.machine,
        packages=tuple(written.packages.items()),
        contenders=written.contenders,
    )
