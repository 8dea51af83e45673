"""Segments with times and speakers out of an answer that should be JSON, and may be anything: nothing in it is believed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from runners.base import Segment


def objects(text: str) -> list[dict[str, Any]]:
    """The complete objects at the head of a JSON array, whose end may be missing."""
    decoder, found, at = json.JSONDecoder(), [], 1
    while at < len(text):
        if text[at] in ", \t\r\n":
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        if not isinstance(value, dict):
            break
        found.append(value)
    return found


def segment(held: Mapping[str, Any], seconds: float) -> Segment | None:
    """What was said, with times inside a clip of so many seconds; None if nothing was."""
    said = held.get("Content")
    if not isinstance(said, str) or not said.strip():
        return None
    start, end = (_second(held.get(key), seconds) for key in ("Start", "End"))
    return Segment(said.strip(), start, end if start is None or end is None or end >= start else start)


def _second(value: Any, seconds: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        return None
    return float(min(value, seconds))
