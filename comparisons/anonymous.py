"""A comparison without the names of its systems: "System A", "System B", … in all that is drawn or written from it.

It is built anew, part by part, rather than by taking away what betrays a system: a part that is added to comparisons one day
stays out until somebody lets it in. What was heard stays word for word, so a system that says its own name is still heard
saying it; rates, times, device and precision stay too, and may be telling to somebody who knows the systems well.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from string import ascii_uppercase

from comparisons.compare import Column, Comparison
from comparisons.reference import Reference
from comparisons.statistics.significance import Pair
from runners.base import Contender, Prompt, RunnerSpec, Server, TranscribeOptions, Transcript, TranscriptionResult

COULD_NOT_RUN = "It could not run."
"""For whatever a skipped system said: reasons and logs are full of names, folders and packages."""
COULD_NOT_BE_SCORED = "It could not be scored."

_MAJORITY = "majority"  # a reference's seed that is no system


def anonymous(comparison: Comparison, secret: str) -> Comparison:
    """The comparison with a letter for each system, in the letters' order.

    Args:
        secret: deals the letters, the same each time. Whoever knows it can try out who is who, so it must be none that those
            have who are to see the letters alone.
    """

    def place(column: Column) -> bytes:
        return hmac.digest(secret.encode(), column.contender.name.encode("utf-8", "replace"), hashlib.sha256)

    dealt = sorted(comparison.columns, key=place)
    masks = {column.contender.name: _mask(column.contender, _letters(at)) for at, column in enumerate(dealt)}
    return Comparison(
        source=comparison.source,
        seconds=comparison.seconds,
        reference=_reference(comparison.reference, masks),
        language=comparison.language,
        normaliser=comparison.normaliser,
        metric=comparison.metric,
        key_terms=comparison.key_terms,
        silences=comparison.silences,
        warnings=comparison.warnings,
        columns=tuple(_column(column, masks[column.contender.name]) for column in dealt),
        pairs=tuple(_pair(pair, masks) for pair in comparison.pairs),
    )


def _letters(at: int) -> str:
    """A to Z, then AA, AB, …"""
    rounds, letter = divmod(at, len(ascii_uppercase))
    return (_letters(rounds - 1) if rounds else "") + ascii_uppercase[letter]


def _mask(contender: Contender, letters: str) -> Contender:
    """A system that nothing is known of but what it was asked for, and that it is served, since that is in its RTF."""
    spec, options = contender.spec, contender.options
    return Contender(
        RunnerSpec(
            family=f"system-{letters.lower()}",
            label=f"System {letters}",
            target="",
            is_default=True,
            takes_prompt=spec.takes_prompt,
            server=Server("a server", "") if spec.server is not None else None,
        ),
        TranscribeOptions(
            language=options.language,
            word_times=options.word_times,
            prompt=Prompt(None, options.prompt.task, "") if options.prompt is not None else None,
            translate_to=options.translate_to,
        ),
    )


def _column(column: Column, mask: Contender) -> Column:
    return Column(
        contender=mask,
        state=column.state,
        result=_result(column.result, mask) if column.result is not None else None,
        score=column.score,
        alignment=column.alignment,
        interval=column.interval,
        measures=column.measures,
        marks=column.marks,
        score_error=COULD_NOT_BE_SCORED if column.score_error is not None else None,
    )


def _result(result: TranscriptionResult, mask: Contender) -> TranscriptionResult:
    heard = result.transcript
    return TranscriptionResult(
        contender=mask,
        status=result.status,
        transcript=Transcript(heard.text, heard.words, heard.segments, heard.language) if heard is not None else None,
        error=COULD_NOT_RUN if result.error is not None else None,
        stage=result.stage,
        load_seconds=result.load_seconds,
        runs=result.runs,
        rtf=result.rtf,
        peak_memory=result.peak_memory,
        device=result.device,
        dtype=result.dtype,
    )


def _reference(reference: Reference | None, masks: Mapping[str, Contender]) -> Reference | None:
    if reference is None or reference.seed is None or reference.seed == _MAJORITY:
        return reference
    mask = masks.get(reference.seed)
    if mask is None:  # it was made elsewhere
        return replace(reference, seed="system", seed_label="a system")
    return replace(reference, seed=mask.name, seed_label=mask.label)


def _pair(pair: Pair, masks: Mapping[str, Contender]) -> Pair:
    return replace(
        pair,
        first=masks[pair.first].name,
        second=masks[pair.second].name,
        mishap=masks[pair.mishap].name if pair.mishap is not None else None,
    )
