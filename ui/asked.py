"""What is asked for on the Compare tab, and by the API: the clip, the contenders, and how they are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from comparisons.normalise import Normaliser, choose
from comparisons.reference import Reference
from comparisons.score import Metric, choose_metric
from runners.base import Clip, Contender
from ui.desk import Desk, Refused
from ui.options import Wishes

FIRST_CHOICE = ("moonshine", "pocketsphinx")
"""Ticked on a first visit where they can run at once: both come with Earshot."""


def first_choice(desk: Desk) -> list[str]:
    """The systems that are ticked on a first visit."""
    if desk.settings.chosen is not None:
        return list(desk.settings.chosen)
    here = [spec.name for spec, availability in desk.offers() if availability.state == "available"]
    return [name for name in here if name in FIRST_CHOICE] or here[:2]


def ways(rule: str, rate: str, language: str | None, reference: Reference | None) -> tuple[Normaliser, Metric]:
    """The normaliser and the metric that are chosen on the page, "" for what suits the reference."""
    text = reference.text if reference is not None else ""
    return choose(rule or None, language, text), choose_metric(rate or None, language, text)


def chosen_in(value: Mapping[str, Any] | None) -> list[str]:
    """The names that are ticked; a browser may send anything."""
    names = value.get("chosen") if isinstance(value, Mapping) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def asked(
    desk: Desk,
    path: str | None,
    text: str,
    wished: Wishes,
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
    contenders = wished.told(desk.contenders(names, None, own, values))
    return desk.clip(path, text.strip() or None, wished.spoken), contenders
