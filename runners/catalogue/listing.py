"""The catalogue as a table for readers, in Markdown: what each model is, what it gives, and how its code was tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from runners.base import Beyond, RunnerSpec
from runners.here.weights import is_folder

HEADER = ("runner", "model", "parameters", "languages", "can", "times", "long clips", "tested how", "licence")
_BEYOND: Mapping[Beyond, str] = MappingProxyType({"pauses": "cut at pauses", "windows": "in windows", "chunks": "in chunks"})
_MOST_CODES = 4
"""Languages that are named one by one; more are counted."""


def markdown(specs: Sequence[RunnerSpec]) -> str:
    """A row a model, families together in the order of ``specs``, ended by a line break."""
    families = list(dict.fromkeys(spec.family for spec in specs))
    rows = [_row(spec) for spec in sorted(specs, key=lambda spec: families.index(spec.family))]
    lines = [HEADER, ("---",) * len(HEADER), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def at_once(spec: RunnerSpec) -> str | None:
    """How much a system hears at once, and what it makes of longer clips: "20 s at once, then cut at pauses".

    None: no limit.
    """
    seconds = spec.longest_transcribed_seconds
    if seconds is None or spec.beyond is None:
        return None
    length = f"{seconds / 60:g} min" if seconds > 60 and seconds % 60 == 0 else f"{seconds:g} s"
    return f"{length} at once, then {_BEYOND[spec.beyond]}"


def _abilities(spec: RunnerSpec) -> Iterator[str]:
    """What it can be asked, each in a word; one language needs no choice."""
    if spec.can_choose_language and spec.only_language is None:
        yield "language"
    if spec.takes_prompt:
        yield "prompt"
    if spec.translates_to:
        yield "translates"
    if spec.can_chat:
        yield "chat"
    if spec.is_streaming:
        yield "streaming"


def _row(spec: RunnerSpec) -> tuple[str, ...]:
    from_hub = spec.model is not None and spec.server is None and "/" in spec.model and not is_folder(spec.model)
    label = _cell(spec.label)
    return (
        f"`{_code(spec.name)}`",
        f"[{label}](https://huggingface.co/{spec.model})" if from_hub else label,
        _parameters(spec.parameters),
        _languages(spec.languages) + (" and others" if spec.understands_others else ""),
        " · ".join(_abilities(spec)),
        "words" if spec.has_word_times else "segments" if spec.has_segment_times else "none",
        at_once(spec) or "any",
        spec.tested or "not tested",
        _cell(spec.license) if spec.license is not None else "not known",
    )


def _parameters(count: int | None) -> str:
    if count is None:
        return ""
    return f"{count / 1e9:.1f} B" if count >= 1_000_000_000 else f"{count / 1e6:.0f} M"


def _languages(codes: tuple[str, ...] | None) -> str:
    if codes is None:
        return "not known"
    return _cell(", ".join(codes)) if len(codes) <= _MOST_CODES else str(len(codes))


def _cell(text: str) -> str:
    """Text that nothing in a table's cell can come out of."""
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return "".join(f"\\{sign}" if sign in r"\`*_[]<>|&#!" else sign for sign in printable)


def _code(text: str) -> str:
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return printable.replace("`", "'").replace("|", "\\|")
