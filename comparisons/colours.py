"""The colours of page and report, light and dark: the ``--es-*`` tokens, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LIGHT: Mapping[str, str] = MappingProxyType({
    "page": "#f7f7f5", "card": "#ffffff", "ink": "#1d1d1b", "soft": "#62625d", "line": "#e3e2dd", "edge": "#8d8c86",
    "accent": "#2457d6", "on-accent": "#ffffff", "sub": "#8f4b00", "sub-bg": "#fdf0dc", "del": "#a8221b",
    "del-bg": "#fbe4e2", "ins": "#075f80", "ins-bg": "#dff1f7", "ok": "#1a7340", "bad": "#a8221b", "hear": "#fff3a8",
})  # fmt: skip
"""Every text colour reaches 4.5:1 on every ground it is used on (WCAG 2.2, AA); ``tests/test_views.py`` checks it."""

DARK: Mapping[str, str] = MappingProxyType({
    "page": "#161615", "card": "#1f1f1e", "ink": "#ecebe6", "soft": "#a5a49e", "line": "#33332f", "edge": "#77766f",
    "accent": "#8fb0ff", "on-accent": "#10131c", "sub": "#f2b25c", "sub-bg": "#3a2a12", "del": "#ff9a90",
    "del-bg": "#3d1d1a", "ins": "#7fd0ee", "ins-bg": "#12313c", "ok": "#6fd6a0", "bad": "#ff9a90", "hear": "#574a0c",
})  # fmt: skip


def tokens(values: Mapping[str, str]) -> str:
    """Declarations of a style sheet: ``--es-page:#f7f7f5;…``."""
    return "".join(f"--es-{name}:{value};" for name, value in values.items())


def by_setting() -> str:
    """A style sheet for a page that stands alone: light or dark as its reader's machine is set, and light on paper."""
    return (
        f":root{{{tokens(LIGHT)}color-scheme:light dark}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{tokens(DARK)}}}}}\n"
    )
