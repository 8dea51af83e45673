"""A comparison: one clip, its contenders' results, scores and marks, as plain data that events are folded into.

Pure: it knows nothing of threads, processes, clocks or pages. Who draws a comparison draws ``ordered(comparison)``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from comparisons.align import Alignment
from comparisons.beyond.measures import Measures, measures, unsaid
from comparisons.made_with import MadeWith
from comparisons.normalise import Normaliser, choose
from comparisons.reference import Reference
from comparisons.score import Metric, Score, Unit, choose_metric, score
from comparisons.sides.marks import Mark, marks, plain
from comparisons.statistics.significance import Pair, pairs
from comparisons.statistics.uncertainty import Interval, interval
from runners.audio import silences
from runners.base import Clip, Contender, Task, TranscriptionResult
from runners.events import Event, Finished, Loading, Partial, Queued, Running
from runners.oddities import oddities

log = logging.getLogger(__name__)

State = Literal["queued", "loading", "running", "ok", "skipped", "cancelled"]
Order = Literal["chosen", "wer", "rtf", "name"]
ORDERS: tuple[Order, ...] = ("chosen", "wer", "rtf", "name")

_WHAT_IT_IS: Mapping[Task, str] = MappingProxyType(
    {
        "transcription": "a transcript",
        "translation": "a translation",
        "summarization": "a summary",
        "question": "an answer",
        "chat": "an answer",
    }
)


@dataclass(frozen=True)
class Column:
    """One contender of a comparison and what is known of it by now."""

    contender: Contender
    state: State = "queued"
    since: float | None = None
    """When the state began, on the clock of whoever folds; None if they keep none."""
    done_bytes: int | None = None
    """How much has been downloaded; None if nothing is."""
    total_bytes: int | None = None
    partial: str | None = None
    """Text heard so far, while it runs. Untrusted."""
    result: TranscriptionResult | None = None
    """Set once the state is ok, skipped or cancelled."""
    score: Score | None = None
    """None without a reference, for anything but ok, and for what was told to do something else than transcribe."""
    alignment: Alignment | None = None
    """That the score was counted from."""
    interval: Interval | None = None
    """Of ``score.headline``, the word rate where both stand large; None without a score, and where the clip is too short."""
    measures: Measures | None = None
    """What the rate does not say; for every transcript of ok."""
    marks: tuple[Mark, ...] = ()
    """The transcript, word by word, for ok: held against the reference, plain without one."""
    score_error: str | None = None
    """Why there is no score although there should be one."""

    @property
    def finished(self) -> bool:
        return self.result is not None

    @property
    def not_scored(self) -> str | None:
        """Why it can have no score, whatever the reference: "not scored: a summary". None if it can."""
        if self.contender.is_scored:
            return None
        prompt = self.contender.options.prompt
        return f"not scored: {_WHAT_IT_IS['translation' if prompt is None else prompt.task]}"

    @property
    def oddities(self) -> tuple[str, ...]:
        """What in a prompted system's text looks like its own words: "begins with a preamble". The text keeps them."""
        transcript = self.result.transcript if self.result else None
        return oddities(transcript.text) if transcript is not None and self.contender.spec.takes_prompt else ()

    @property
    def cuts(self) -> tuple[float, ...]:
        """Where a system that hears only so much at once had the clip cut at pauses, in seconds from its start."""
        transcript = self.result.transcript if self.result else None
        if transcript is None or not any(note.startswith("cut at ") for note in transcript.notes):
            return ()  # its segments, if there are any, are phrases
        return tuple(segment.start for segment in transcript.segments[1:] if segment.start is not None)


@dataclass(frozen=True)
class Comparison:
    """One clip and what became of it. The samples are not in it."""

    source: str
    """File name of the clip without its folder. Untrusted."""
    seconds: float
    """Length of the clip."""
    reference: Reference | None
    """None if nobody knows what was said."""
    language: str | None
    """ISO 639-1 code that the person gave."""
    normaliser: Normaliser
    metric: Metric
    key_terms: tuple[str, ...]
    """What must not be missed, as the person wrote it. Untrusted."""
    silences: tuple[tuple[float, float], ...]
    """(start, end) of every silence of the clip, in seconds."""
    warnings: tuple[str, ...]
    """What was odd about the clip."""
    columns: tuple[Column, ...]
    """In the order in which the contenders were chosen."""
    pairs: tuple[Pair, ...] = ()
    """Every two scored contenders held against each other, once all have finished."""
    made_with: tuple[MadeWith, ...] = ()
    """Machine and versions, each time that contenders ran; empty if nobody recorded them."""
    kept_as: str | None = None
    """Its id in the history; None if it is not kept."""

    @property
    def finished(self) -> bool:
        return all(column.finished for column in self.columns)

    @property
    def unit(self) -> Unit:
        """What transcripts are held against each other in: as ``metric`` says, but where nobody gave a reference or a
        language, which it was chosen by, characters if that is what the transcripts' script asks for."""
        metric = self.metric
        if metric == "wer" and self.reference is None and self.language is None:
            heard = [column.result.transcript.text for column in self.columns if column.result and column.result.transcript]
            metric = choose_metric(None, None, " ".join(text[:2000] for text in heard))
        return "character" if metric == "cer" else "word"

    @property
    def unsaid_key_terms(self) -> tuple[str, ...]:
        """The key terms that the reference does not have, so that no transcript is measured by them; none without one."""
        if self.reference is None or not self.key_terms:
            return ()
        try:
            return unsaid(self.key_terms, self.reference.text, self.normaliser, self.unit)
        except Exception:  # as in scoring
            log.exception("the key terms could not be looked for")
            return ()


def begin(
    clip: Clip,
    contenders: Iterable[Contender],
    normaliser: Normaliser | None = None,
    *,
    metric: Metric | None = None,
    reference: Reference | None = None,
    key_terms: Iterable[str] = (),
    made_with: MadeWith | None = None,
) -> Comparison:
    """A comparison in which all contenders are queued. A contender that is chosen twice has one column.

    Args:
        normaliser: None chooses the one that suits the clip's language and reference.
        metric: None chooses likewise.
        reference: None takes the clip's own text, if it has one.
    """
    if reference is None and clip.reference is not None:
        reference = Reference(clip.reference)
    text = reference.text if reference is not None else ""
    return Comparison(
        source=clip.source,
        seconds=clip.seconds,
        reference=reference,
        language=clip.language,
        normaliser=normaliser or choose(None, clip.language, text),
        metric=metric or choose_metric(None, clip.language, text),
        key_terms=tuple(key_terms),
        silences=silences(clip.samples, clip.sample_rate),
        warnings=clip.warnings,
        columns=tuple(Column(contender) for contender in dict.fromkeys(contenders)),
        made_with=(made_with,) if made_with is not None else (),
    )


def again(comparison: Comparison, contenders: Iterable[Contender], made_with: MadeWith | None = None) -> Comparison:
    """The same comparison in which these contenders are queued: those it has, by their names, anew, others besides.

    Args:
        made_with: machine and versions of this run.
    """
    queued = {contender.name: Column(contender) for contender in contenders}
    names = frozenset(queued)
    stay = tuple(queued.pop(column.contender.name, column) for column in comparison.columns)
    earlier = [each.without(names) for each in comparison.made_with]
    return replace(
        comparison,
        columns=(*stay, *queued.values()),
        pairs=(),
        made_with=(*(each for each in earlier if each.contenders), *([made_with] if made_with is not None else [])),
    )


def fold(comparison: Comparison, event: Event, at: float | None = None) -> Comparison:
    """The comparison after an event.

    Events of a contender that has finished, or that is not in this comparison, change nothing.

    Args:
        at: when it happened, in seconds on any clock; becomes ``Column.since`` where the state changes.
    """

    def after(column: Column) -> Column:
        if column.contender != event.contender or column.finished:
            return column
        return _changed(comparison, column, event, at)

    return _paired(replace(comparison, columns=tuple(after(column) for column in comparison.columns)))


def rescored(
    comparison: Comparison,
    normaliser: Normaliser | None = None,
    *,
    metric: Metric | None = None,
    key_terms: Iterable[str] | None = None,
) -> Comparison:
    """The same comparison under another normaliser or metric, or with other key terms; None leaves what there is.

    One whose reference was replaced is scored against that.
    """
    return _all_scored(
        replace(
            comparison,
            normaliser=normaliser or comparison.normaliser,
            metric=metric or comparison.metric,
            key_terms=comparison.key_terms if key_terms is None else tuple(key_terms),
        )
    )


def ordered(comparison: Comparison, by: Order = "wer") -> tuple[Column, ...]:
    """The columns as they are to be shown.

    While contenders run, the order is the one they were chosen in, so that nothing jumps. Then: the ones that ran,
    smallest rate or name first, those without the rate after them; then the cancelled, then the skipped.
    """
    if not comparison.finished:
        return comparison.columns

    def place(column: Column) -> tuple[int, bool, float, str]:
        group = {"ok": 0, "cancelled": 1, "skipped": 2}.get(column.state, 0)
        value: float | None = None
        if by == "wer" and column.score is not None:
            value = column.score.headline[1]
        elif by == "rtf" and column.state == "ok" and column.result is not None:
            value = column.result.rtf
        name = column.contender.label.casefold() if by == "name" else ""
        return group, value is None, value or 0.0, name

    return tuple(sorted(comparison.columns, key=place))


def _changed(comparison: Comparison, column: Column, event: Event, at: float | None) -> Column:
    state: State
    if isinstance(event, Finished):
        result = event.result
        finished = Column(column.contender, result.status, since=at, result=result)
        return _scored(comparison, finished)
    if isinstance(event, Loading):
        column = replace(column, done_bytes=event.done_bytes, total_bytes=event.total_bytes)
        state = "loading"
    elif isinstance(event, Partial):
        column = replace(column, partial=event.text)
        state = "running"
    elif isinstance(event, Running):
        state = "running"
    else:
        assert isinstance(event, Queued)  # noqa: S101  # for mypy: no other event is left
        state = "queued"
    return replace(column, state=state, since=column.since if column.state == state and column.since is not None else at)


def _all_scored(comparison: Comparison) -> Comparison:
    return _paired(replace(comparison, columns=tuple(_scored(comparison, column) for column in comparison.columns)))


def _paired(comparison: Comparison) -> Comparison:
    """The comparison with its pairs, once all is known; a fault there never costs the scores."""
    if not comparison.finished:
        return replace(comparison, pairs=())
    scored = {column.contender.name: [column.alignment] for column in comparison.columns if column.alignment is not None}
    try:
        return replace(comparison, pairs=pairs(scored))
    except Exception:
        log.exception("the contenders could not be held against each other")
        return replace(comparison, pairs=())


def _scored(comparison: Comparison, column: Column) -> Column:
    """The column with score and marks made anew; a fault in scoring never costs the transcript."""
    transcript = column.result.transcript if column.result else None
    if transcript is None:
        return column
    made = replace(column, score=None, score_error=None, alignment=None, interval=None, measures=None)
    if not column.contender.is_scored:
        return replace(made, marks=plain(transcript))
    reference, normaliser = comparison.reference, comparison.normaliser
    if reference is None:
        return _measured(comparison, replace(made, marks=plain(transcript)))
    try:
        counted, alignment = score(reference.text, transcript.text, normaliser, comparison.language, comparison.metric)
        marked = marks(reference.text, transcript, alignment, normaliser, counted.unit)
        made = replace(made, score=counted, alignment=alignment, interval=interval([alignment]), marks=marked)
    except Exception as error:  # a normaliser is somebody else's code, on text nobody has checked
        log.exception("%r could not be scored", column.contender.name)
        why = f"It could not be scored: {type(error).__name__}: {error}"
        made = replace(made, score_error=why, marks=plain(transcript))
    return _measured(comparison, made)


def _measured(comparison: Comparison, column: Column) -> Column:
    """The column with what its rate does not say; a fault there costs neither rate nor transcript."""
    transcript = column.result.transcript if column.result else None
    if transcript is None:
        return column
    try:
        return replace(
            column,
            measures=measures(
                transcript,
                comparison.seconds,
                comparison.silences,
                reference=comparison.reference.text if comparison.reference is not None else None,
                alignment=column.alignment,
                normaliser=comparison.normaliser,
                key_terms=comparison.key_terms,
            ),
        )
    except Exception:
        log.exception("%r could not be measured", column.contender.name)
        return column
