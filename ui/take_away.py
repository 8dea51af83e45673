"""What a visitor takes along of a comparison: a text that goes through the page, or a file that is made for them to fetch."""

from __future__ import annotations

import secrets
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from comparisons.compare import Comparison, Order
from comparisons.exports import FORMS, Extras, NothingToExport, exported, stem
from comparisons.sound import small
from runners.base import Clip, RunnerError

KINDS: Mapping[str, str] = MappingProxyType(
    {"tsv": "tsv", "csv": "csv", "json": "json", "md": "markdown", "srt": "srt", "vtt": "vtt", "html": "html", "silent": "html"}
)
"""What the page's buttons ask for, and the form of ``comparisons.exports`` that it is; "silent" is a report without sound."""


@dataclass(frozen=True)
class TakenAway:
    """What came of it: a text, a file, or neither and why."""

    name: str = ""
    """What it is to be called."""
    text: str | None = None
    path: Path | None = None
    """Of the file, which is to go when uploads go."""
    said: str = ""
    """What to tell the visitor. Untrusted."""


def taken_away(
    comparison: Comparison,
    order: Order,
    kind: str,
    clip: Callable[[], Clip],
    folder: Path,
    *,
    title: str | None = None,
    notes: str = "",
) -> TakenAway:
    """
    Args:
        kind: one of ``KINDS``.
        clip: gives the clip, for a report; what it raises costs the sound alone.
        folder: where the page may serve files from.
        title: what its owner calls it, for a report; None calls it by its clip.
        notes: what they wrote about it, for a report.
    """
    form, said = KINDS[kind], ""
    extras = Extras(title=title, notes=notes)
    if kind == "html":
        try:
            extras = replace(extras, sounds=[small(clip())])
        except RunnerError as fault:
            said = f"The report is without its sound: {fault} {fault.fix or ''}".rstrip()
    try:
        files, left_out = exported(form, [comparison], order, extras)
    except NothingToExport as why:
        return TakenAway(said=str(why))
    if len(files) == 1 and form != "html":
        return TakenAway(files[0].name, files[0].text, said=" ".join(left_out))
    name = files[0].name if len(files) == 1 else f"{stem(comparison)}.{FORMS[form].ending}.zip"
    path = folder / "taken" / secrets.token_hex(16) / name
    path.parent.mkdir(parents=True)
    if len(files) == 1:
        path.write_text(files[0].text, encoding="utf-8", errors="backslashreplace")
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in files:
                packed.writestr(file.name, file.text)
    return TakenAway(name, path=path, said=said or " ".join(left_out))
