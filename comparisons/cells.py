"""What may stand in a spreadsheet's cell."""

from __future__ import annotations

from typing import Any


def guarded(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula with an apostrophe in front; anything else as it is."""
    if isinstance(value, str) and value.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")):
        return "'" + value
    return value
