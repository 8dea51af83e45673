"""Finished comparisons, kept as one JSON file each. Off unless a folder is set.

A file holds what ``records.to_dict`` gives, and besides it the language, the clip's warnings and when it was kept: enough
to score it again under another normaliser.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

from comparisons.compare import Comparison
from comparisons.records import to_dict


def keep(comparison: Comparison, folder: Path, at: datetime | None = None) -> Path:
    """Write a comparison into a folder, which is made if need be, and give the path of the file.

    The file appears whole or not at all, and never in place of another one.

    Args:
        at: when it was made; None: now.

    Raises:
        OSError: the folder cannot be written to.
    """
    at = (at or datetime.now(UTC)).astimezone(UTC)
    whole = {
        "kept_at": at.isoformat(timespec="seconds"),
        **to_dict(comparison),
        "language": comparison.language,
        "warnings": list(comparison.warnings),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", errors="backslashreplace", dir=folder, prefix=".", suffix=".part", delete=False
    ) as file:
        try:
            json.dump(whole, file, ensure_ascii=False, indent=1, allow_nan=False)
            file.write("\n")
            file.close()
            return _placed(Path(file.name), folder, f"{at:%Y-%m-%dT%H-%M-%SZ} {_safe(comparison.source)}")
        finally:
            Path(file.name).unlink(missing_ok=True)


def _placed(written: Path, folder: Path, name: str) -> Path:
    """Give a written file the first free name."""
    number = 1
    while True:
        target = folder / (f"{name}.json" if number == 1 else f"{name} ({number}).json")
        try:
            os.link(written, target)  # unlike a rename, this fails where there is a file already
            return target
        except FileExistsError:
            number += 1
        except OSError:  # a file system without hard links: reserve the name, then replace it
            try:
                target.open("x").close()
            except FileExistsError:
                number += 1
                continue
            return written.replace(target)


def _safe(source: str) -> str:
    """A file name that every system takes, made from an untrusted one."""
    stem = unicodedata.normalize("NFC", Path(source.replace("\\", "/")).stem)
    return re.sub(r"[^\w.-]+", "-", stem)[:40].strip("-. ") or "clip"
