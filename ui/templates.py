"""The page's own templates, beside those that it shares with the report. All of them escape every text."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader
from markupsafe import Markup, escape

from comparisons import report

ASSETS = Path(__file__).parent / "assets"

_HUB_PAGE = re.compile(r"(https://huggingface\.co/[\w./-]*[\w/-])", re.ASCII)


def html_of(name: str, **values: Any) -> str:
    """The HTML of a template of ``assets/``, or of one that the report has too."""
    return str(_environment().get_template(name).render(**values))


def macros_of(name: str) -> Any:
    """What a template defines, to be called one by one."""
    return _environment().get_template(name).module


def linked(text: str) -> Markup:
    """A text in which the hub's addresses are links: where a licence is accepted is one press away."""
    parts = [
        Markup('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>').format(part, part.removeprefix("https://"))
        if place % 2
        else escape(part)
        for place, part in enumerate(_HUB_PAGE.split(text))
    ]
    return Markup("").join(parts)


@cache
def _environment() -> Environment:
    shared = report.environment()
    loaders = [FileSystemLoader(ASSETS), *([shared.loader] if shared.loader else [])]
    made = shared.overlay(loader=ChoiceLoader(loaders))
    made.filters = {**shared.filters, "linked": linked}
    return made
