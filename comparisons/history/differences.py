"""Two comparisons over the same clip, before and after a change of model, prompt or yardstick: what changed.

Both are scored by the later one's yardstick (reference, normaliser, metric, key terms): two rates by two yardsticks would
say nothing about the systems.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from comparisons.align import align
from comparisons.compare import Column, Comparison, rescored
from comparisons.made_with import MadeWith

Side = Literal["before", "after"]
SIDES: tuple[Side, Side] = ("before", "after")


@dataclass(frozen=True)
class Changed:
    """Something that is otherwise."""

    what: str
    """ "model", "revision", "prompt" …"""
    before: str | None
    """None: there was none. Untrusted."""
    after: str | None
    """Untrusted."""


@dataclass(frozen=True)
class SystemChange:
    """One system before and after."""

    label: str
    """Untrusted."""
    before: Column | None
    """Scored by the later yardstick; None if it was not there."""
    after: Column | None
    """None if it is not there any more."""
    changes: tuple[Changed, ...] = ()
    """What is otherwise about the system and how it ran."""
    words: int | None = None
    """Words (characters, where the rate is of those) that differ between the transcripts; None where there are not two."""

    @property
    def rates(self) -> tuple[tuple[str, float, float], ...]:
        """(name, before, after) of each rate that both have."""
        if self.before is None or self.after is None or self.before.score is None or self.after.score is None:
            return ()
        pairs = zip(self.before.score.rates, self.after.score.rates, strict=False)
        return tuple((name, was, now) for (name, was), (_, now) in pairs if was is not None and now is not None)


@dataclass(frozen=True)
class Differences:
    """What changed between two comparisons."""

    changes: tuple[Changed, ...]
    """About the whole: yardstick, machine, versions."""
    systems: tuple[SystemChange, ...]
    """Those of the later one in its order, then those that are gone."""


def differences(before: Comparison, after: Comparison) -> Differences:
    """What changed from one comparison to a later one over the same clip.

    A system is the same as before by its name; of what is left, by its model, else by its family where that is clear: so
    another prompt or another revision is a change, not one system gone and another come.
    """
    measured = as_measured_by(after, before)
    pairs = list(_paired(measured.columns, after.columns))
    return Differences(tuple(_changes(before, after)), tuple(_system(after, old, new) for old, new in pairs))


def as_measured_by(after: Comparison, before: Comparison) -> Comparison:
    """A comparison scored by the yardstick of another."""
    return rescored(
        replace(before, reference=after.reference, language=after.language),
        after.normaliser,
        metric=after.metric,
        key_terms=after.key_terms,
    )


def beside(before: Comparison, after: Comparison, systems: Sequence[SystemChange] | None = None) -> Comparison:
    """Both as one comparison, to be drawn and heard side by side: each system's column from before stands in front of its
    column from after.

    Args:
        systems: of ``differences``; None: all of them.
    """
    if systems is None:
        systems = differences(before, after).systems
    columns = [
        _named(column, side)
        for system in systems
        for side, column in zip(SIDES, (system.before, system.after), strict=True)
        if column is not None
    ]
    return rescored(replace(after, columns=tuple(columns), kept_as=None))


def _named(column: Column, side: Side) -> Column:
    """A column that says which side it is of, so that both can stand in one comparison."""
    spec = column.contender.spec
    contender = replace(column.contender, spec=replace(spec, family=f"{side} {spec.family}", label=f"{spec.label}, {side}"))
    result = replace(column.result, contender=contender) if column.result is not None else None
    return replace(column, contender=contender, result=result)


def _paired(before: Sequence[Column], after: Sequence[Column]) -> Iterator[tuple[Column | None, Column | None]]:
    left = list(before)
    found: dict[str, Column] = {}
    for key in (_name, _model, _family):
        old = [key(column) for column in left]
        new = [key(column) for column in after if column.contender.name not in found]
        for column in after:
            name = column.contender.name
            if name not in found and old.count(key(column)) == new.count(key(column)) == 1:
                found[name] = next(each for each in left if key(each) == key(column))
        left = [column for column in left if column not in found.values()]
    for column in after:
        yield found.get(column.contender.name), column
    for column in left:
        yield column, None


def _name(column: Column) -> tuple[str | None, ...]:
    return (column.contender.name,)


def _model(column: Column) -> tuple[str | None, ...]:
    return column.contender.spec.family, column.contender.spec.model


def _family(column: Column) -> tuple[str | None, ...]:
    return (column.contender.spec.family,)


def _system(after: Comparison, old: Column | None, new: Column | None) -> SystemChange:
    column = new or old
    assert column is not None  # noqa: S101  # for mypy: a pair has at least one
    if old is None or new is None:
        return SystemChange(column.contender.label, old, new)
    return SystemChange(column.contender.label, old, new, tuple(_of_system(old, new)), _words(after, old, new))


def _words(after: Comparison, old: Column, new: Column) -> int | None:
    heard = [column.result.transcript if column.result is not None else None for column in (old, new)]
    if heard[0] is None or heard[1] is None:
        return None
    cut = after.normaliser.characters if after.unit == "character" else after.normaliser.words
    return align(cut(heard[0].text), cut(heard[1].text)).errors


def _of_system(old: Column, new: Column) -> Iterator[Changed]:
    return _otherwise(_facts(old), _facts(new))


def _facts(column: Column) -> dict[str, str | None]:
    """What is to be known of a system and how it ran."""
    spec, options, result = column.contender.spec, column.contender.options, column.result
    return {
        "model": spec.model,
        "revision": spec.revision,
        "server": spec.server.name if spec.server is not None else None,
        "prompt template": options.prompt.template if options.prompt is not None else None,
        "prompt": options.prompt.text if options.prompt is not None else None,
        "language": options.language,
        "translation": options.translate_to,
        "device": result.device if result is not None else None,
        "precision": result.dtype if result is not None else None,
        "state": column.state,
    }


def _changes(before: Comparison, after: Comparison) -> Iterator[Changed]:
    yield from _otherwise(_yardstick(before), _yardstick(after))
    if before.made_with and after.made_with:
        yield from _otherwise(_means(before.made_with[-1]), _means(after.made_with[-1]))


def _yardstick(comparison: Comparison) -> dict[str, str | None]:
    return {
        "reference": comparison.reference.text if comparison.reference is not None else None,
        "normaliser": comparison.normaliser.label,
        "metric": comparison.metric,
        "key terms": ", ".join(comparison.key_terms) or None,
        "language": comparison.language,
    }


def _means(made: MadeWith) -> dict[str, str | None]:
    return {
        "machine": made.machine,
        "system": made.system,
        "Earshot": made.earshot,
        "Python": made.python,
        **dict(made.packages),
    }


def _otherwise(was: Mapping[str, str | None], now: Mapping[str, str | None]) -> Iterator[Changed]:
    for what in dict.fromkeys([*was, *now]):
        if was.get(what) != now.get(what):
            yield Changed(what, was.get(what), now.get(what))
