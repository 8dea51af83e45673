"""Scripts for systems that do as they are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def script(path: Path, *steps: dict[str, Any], **more: Any) -> str:
    """The name of a system that does these steps for each clip, and whatever else a script can say."""
    takes = {"takes": [list(steps)]} if steps else {}
    path.write_text(json.dumps({**takes, "repeat": True, **more}), encoding="utf-8")
    return f"scripted:{path}"
