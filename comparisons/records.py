"""A comparison as plain data, as JSON, the API and the history have it; ``reading`` makes a comparison of it again.

Unknown is None, never a number that could be mistaken for one, and no number is NaN or infinite. Nothing in it leads to a
server: of those there is the name alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from comparisons.agreement.consensus import agreement_of
from comparisons.align import METHOD
from comparisons.beyond.measures import Flag, Measures
from comparisons.compare import Column, Comparison
from comparisons.made_with import MadeWith
from comparisons.reference import Reference
from comparisons.statistics.significance import Pair, in_words
from runners.base import Contender, Segment, TranscriptionResult, Word

SCHEMA = "earshot-comparison"
"""What the document says it is."""
VERSION = 1
"""Of the document; counted up when a reader of the last one would misunderstand the next."""
KEPT = ("key_terms", "names", "numbers", "capitals", "punctuation")
"""The measures that say how many of something were kept."""
BOTH_WAYS = ("capitals", "punctuation")
"""Those of them of which a transcript can have too many."""
NOT_FLAT = ("system", "options", "heard_language", "words", "segments", "log")
"""Of a result, what no table has a column for."""


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """A comparison as JSON has it; the results in the order in which the contenders were chosen.

    Rates are fractions, times seconds, memory MB of a million bytes. The four counts are words, or characters where
    ``unit`` says so. ``scored`` is false for what was told to do something else than transcribe; ``cuts`` are the times at
    which the clip was cut for a system that hears only so much at once. ``interval`` is that of the rate that ``metric``
    puts first; ``agreement`` is there without a reference, and is no accuracy. ``key_terms_unsaid`` are those that the
    reference does not have. ``pairs`` are of two contenders each; ``mishap`` names the one whose one long mistake is most of
    what differs, where that is why they can't be told apart. ``rtf_includes_network`` is true for what is served elsewhere:
    its seconds are those of the requests. ``system``, ``options``, ``words``, ``segments`` and what follows ``pairs`` are
    what it takes to draw the comparison again.
    """
    agreed = agreements(comparison)
    labels = {column.contender.name: column.contender.label for column in comparison.columns}
    return {
        "clip": {"source": comparison.source, "seconds": _number(comparison.seconds)},
        "normaliser": {"name": comparison.normaliser.name, "version": comparison.normaliser.version},
        "results": [_result(column, agreed.get(column.contender.name)) for column in comparison.columns],
        "metric": comparison.metric,
        "alignment": METHOD,
        "reference": _reference(comparison.reference),
        "key_terms": list(comparison.key_terms),
        "key_terms_unsaid": list(comparison.unsaid_key_terms),
        "pairs": [_pair(pair, labels) for pair in comparison.pairs],
        "language": comparison.language,
        "warnings": list(comparison.warnings),
        "silences": [{"start": _number(start), "end": _number(end)} for start, end in comparison.silences],
        "made_with": [_made_with(each) for each in comparison.made_with],
        "schema": SCHEMA,
        "version": VERSION,
    }


def agreements(comparison: Comparison) -> Mapping[str, float]:
    """By contender, how much of what most of the others say it says too, a fraction. Agreement, not accuracy.

    Empty with a reference, before all have finished, and with fewer than two transcripts.
    """
    if comparison.reference is not None or not comparison.finished:
        return {}
    texts = {
        column.contender.name: column.result.transcript.text
        for column in comparison.columns
        if column.contender.is_scored and column.result is not None and column.result.transcript is not None
    }
    shared = agreement_of(list(texts.values()), comparison.normaliser, comparison.unit)
    return {name: fraction for name, fraction in zip(texts, shared, strict=True) if fraction is not None}


def _reference(reference: Reference | None) -> dict[str, Any] | None:
    if reference is None:
        return None
    return {
        "text": reference.text,
        "seeded_by": reference.seed,
        "seed_label": reference.seed_label,
        "original": reference.original,
        "segments": [_segment(segment) for segment in reference.segments],
    }


def _made_with(made_with: MadeWith) -> dict[str, Any]:
    return {
        "at": made_with.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "earshot": made_with.earshot,
        "python": made_with.python,
        "system": made_with.system,
        "machine": made_with.machine,
        "packages": dict(made_with.packages),
        "contenders": list(made_with.contenders),
    }


def _pair(pair: Pair, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "first": pair.first,
        "second": pair.second,
        "difference": _number(pair.difference),
        "verdict": pair.verdict,
        "p": _number(pair.p),
        "corrected_p": _number(pair.corrected_p),
        "segments": pair.segments,
        "method": pair.method,
        "mishap": pair.mishap,
        "says": in_words(pair, labels),
    }


def _result(column: Column, agreement: float | None) -> dict[str, Any]:
    spec, result, score, interval = column.contender.spec, column.result, column.score, column.interval
    prompt = column.contender.options.prompt
    transcript = result.transcript if result else None
    rtf = _number(result.rtf) if result else None
    return {
        "contender": column.contender.name,
        "runner": spec.family,
        "model": spec.model,
        "status": column.state,
        "transcript": transcript.text if transcript else None,
        "error": result.error if result else None,
        "stage": result.stage if result else None,
        "wer": score.wer if score else None,
        "cer": score.cer if score else None,
        "hits": score.hits if score else None,
        "substitutions": score.substitutions if score else None,
        "deletions": score.deletions if score else None,
        "insertions": score.insertions if score else None,
        "seconds": _number(result.seconds) if result else None,
        "runs": [_number(run) for run in result.runs] if result else [],
        "load_seconds": _number(result.load_seconds) if result else None,
        "rtf": rtf,
        "rtfx": 1 / rtf if rtf else None,
        "device": result.device if result else None,
        "dtype": result.dtype if result else None,
        "peak_memory_mb": round(result.peak_memory / 1e6, 1) if result and result.peak_memory is not None else None,
        "fix": result.fix if result else None,
        "unit": score.unit if score else None,
        "revision": spec.revision,
        "template": prompt.template if prompt else None,
        "task": prompt.task if prompt else "transcription",
        "prompt": prompt.text if prompt else None,
        "scored": column.contender.is_scored,
        "notes": list(transcript.notes) if transcript else [],
        "oddities": list(column.oddities),
        "cuts": [_number(cut) for cut in column.cuts],
        "interval": {"low": interval.low, "high": interval.high, "method": interval.method} if interval else None,
        "compounds": len(column.alignment.compounds) if column.alignment is not None else None,
        "agreement": agreement,
        "measures": _measures(column.measures) if column.measures is not None else None,
        "flags": [_flag(flag) for flag in column.measures.flags] if column.measures is not None else [],
        "rtf_includes_network": spec.server is not None,
        "system": _system(column.contender),
        "options": {
            "language": column.contender.options.language,
            "translate_to": column.contender.options.translate_to,
            "word_times": column.contender.options.word_times,
        },
        **_heard(result),
    }


def _system(contender: Contender) -> dict[str, Any]:
    """What its column says of it, and what its name is made of."""
    spec = contender.spec
    return {
        "label": spec.label,
        "is_default": spec.is_default,
        "parameters": spec.parameters,
        "languages": list(spec.languages) if spec.languages is not None else None,
        "license": spec.license,
        "takes_prompt": spec.takes_prompt,
        "can_chat": spec.can_chat,
        "longest_transcribed_seconds": _number(spec.longest_transcribed_seconds),
        "asked_dtype": spec.asked_dtype,
        "asked_device": spec.asked_device,
        "server": spec.server.name if spec.server is not None else None,
    }


def _heard(result: TranscriptionResult | None) -> dict[str, Any]:
    transcript = result.transcript if result is not None else None
    return {
        "heard_language": transcript.language if transcript is not None else None,
        "words": [_word(word) for word in transcript.words] if transcript is not None else [],
        "segments": [_segment(segment) for segment in transcript.segments] if transcript is not None else [],
        "log": list(result.log) if result is not None else [],
    }


def _word(word: Word) -> dict[str, Any]:
    return {**_segment(word), "confidence": _number(word.confidence)}


def _segment(segment: Segment | Word) -> dict[str, Any]:
    return {"text": segment.text, "start": _number(segment.start), "end": _number(segment.end)}


def _measures(measures: Measures) -> dict[str, Any]:
    """Each under a flat name, the same as in a table."""
    whole: dict[str, Any] = {
        "words": measures.words,
        "words_unit": measures.unit,
        "words_per_minute": _number(measures.words_per_minute),
    }
    for name in KEPT:
        kept = getattr(measures, name)
        whole[f"{name}_kept"] = kept.kept if kept is not None else None
        whole[f"{name}_of"] = kept.of if kept is not None else None
        if name in BOTH_WAYS:
            whole[f"{name}_added"] = kept.added if kept is not None else None
            whole[f"{name}_f1"] = kept.f1 if kept is not None else None
        whole[f"{name}_missing"] = list(kept.missing) if kept is not None else []
    wrong = measures.longest_wrong
    return {
        **whole,
        "longest_wrong_errors": wrong.words if wrong is not None else None,
        "longest_wrong_unit": wrong.unit if wrong is not None else None,
        "longest_wrong_reference": wrong.reference if wrong is not None else None,
        "longest_wrong_hypothesis": wrong.hypothesis if wrong is not None else None,
    }


def _flag(flag: Flag) -> dict[str, Any]:
    return {"suspicion": flag.suspicion, "text": flag.text, "start": _number(flag.start), "end": _number(flag.end)}


def flat(comparison: Comparison) -> list[dict[str, Any]]:
    """A row for each column, in which every value is a number, a text or None, and every row has the same names.

    Lists are one text: runs and cuts separated by spaces, the others by "; ".
    """
    whole = to_dict(comparison)
    empty = _measures(Measures(0, 0.0))
    reference = whole["reference"] or {}
    rows = []
    for result in whole["results"]:
        interval = result.pop("interval") or {}
        flags = [f"{flag['suspicion']}: {flag['text']}" for flag in result.pop("flags")]
        measured = result.pop("measures")
        includes_network = result.pop("rtf_includes_network")
        for each in NOT_FLAT:
            del result[each]
        name = result["contender"]
        row = {
            "source": whole["clip"]["source"],
            "clip_seconds": whole["clip"]["seconds"],
            "normaliser": whole["normaliser"]["name"],
            "normaliser_version": whole["normaliser"]["version"],
            **result,
            "metric": whole["metric"],
            "alignment": whole["alignment"],
            **{f"interval_{each}": interval.get(each) for each in ("low", "high", "method")},
            **{each: measured[each] if measured is not None else None for each in empty},
            "flags": flags,
            "reference_seeded_by": reference.get("seeded_by"),
            "reference_edited": reference.get("original") is not None if reference else None,
            "better_than": [_other(pair, name) for pair in whole["pairs"] if _verdict(pair, name) == "better"],
            "alike": [_other(pair, name) for pair in whole["pairs"] if _verdict(pair, name) == "alike"],
            "rtf_includes_network": includes_network,
        }
        rows.append({key: _joined(key, value) for key, value in row.items()})
    return rows


def _other(pair: Mapping[str, Any], name: str) -> str:
    return str(pair["second"] if pair["first"] == name else pair["first"])


def _verdict(pair: Mapping[str, Any], name: str) -> str | None:
    """What a pair says of one of its two; None if it is of others."""
    if name not in (pair["first"], pair["second"]):
        return None
    if pair["verdict"] in ("alike", "too short"):
        return str(pair["verdict"])
    return "better" if pair[pair["verdict"]] == name else "worse"


def _joined(name: str, value: Any) -> Any:
    return (" " if name in ("runs", "cuts") else "; ").join(str(each) for each in value) if isinstance(value, list) else value


def _number(value: float | None) -> float | None:
    """JSON has neither NaN nor infinity."""
    return value if value is not None and math.isfinite(value) else None
