"""Everything that leaves Earshot as a file: one table of forms for the page, the API and the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from comparisons.compare import Comparison, Order, ordered
from comparisons.cues import Captions, NoTimes, captions, to_srt, to_vtt
from comparisons.records import to_dict
from comparisons.report import to_html
from comparisons.sheets import to_csv, to_markdown, to_tsv
from comparisons.sound import Sound
from comparisons.table import to_table


class NothingToExport(ValueError):
    """There is no file of that form in a comparison; the message says why."""


@dataclass(frozen=True)
class Extras:
    """What only a report takes."""

    sounds: Sequence[Sound | None] = ()
    """What is heard in each clip; none leaves them out."""
    title: str | None = None
    notes: str = ""


NO_EXTRAS = Extras()


@dataclass(frozen=True)
class Form:
    """One way to write comparisons down: a text of all of them, or captions, a file for each clip and contender."""

    ending: str
    media_type: str
    says: str
    """What it is, in a few words."""
    write: Callable[[Sequence[Comparison], Order, Extras], str] | None = None
    caption: Callable[[Captions], str] | None = None


class File(NamedTuple):
    """One that is to be written."""

    name: str
    text: str


class Exported(NamedTuple):
    """What came of it."""

    files: tuple[File, ...]
    left_out: tuple[str, ...]
    """Why some contenders have no file, a sentence each. Untrusted."""


def json_line(comparison: Comparison) -> str:
    """A comparison as one line of JSON."""
    return json.dumps(to_dict(comparison), ensure_ascii=False, allow_nan=False)


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "table": Form(
            "txt",
            "text/plain",
            "for people; several clips are followed by counts pooled over all, with who differs by more than chance",
            lambda several, by, _: to_table(several, by),
        ),
        "json": Form(
            "json",
            "application/json",
            "one JSON object a clip, one a line, each printed as soon as its clip is done",
            lambda several, _, __: "".join(json_line(each) + "\n" for each in several),
        ),
        "csv": Form("csv", "text/csv", "a row for each clip and contender", lambda several, _, __: to_csv(several)),
        "markdown": Form(
            "md", "text/markdown", "a table that can be pasted into an issue", lambda several, by, _: to_markdown(several, by)
        ),
        "html": Form(
            "html",
            "text/html",
            "one file that needs nothing else, with the sound inside",
            lambda several, by, extras: to_html(
                several, by, title=extras.title, notes=extras.notes, sound=extras.sounds or None
            ),
        ),
        "srt": Form("srt", "application/x-subrip", "captions, a file for each clip and contender", caption=to_srt),
        "vtt": Form("vtt", "text/vtt", "the same as WebVTT", caption=to_vtt),
        "tsv": Form(
            "tsv", "text/tab-separated-values", "the summary, for a spreadsheet", lambda several, by, _: to_tsv(several, by)
        ),
    }
)


def exported(
    form: str,
    comparisons: Sequence[Comparison],
    by: Order = "wer",
    extras: Extras = NO_EXTRAS,
) -> Exported:
    """The files of some comparisons in one of ``FORMS``.

    Raises:
        NothingToExport: nobody's transcript has times that captions could be made of.
    """
    chosen = FORMS[form]
    if chosen.write is not None:
        name = stem(comparisons[0]) if len(comparisons) == 1 else "earshot"
        return Exported((File(f"{name}.{chosen.ending}", chosen.write(comparisons, by, extras)),), ())
    assert chosen.caption is not None  # noqa: S101  # for mypy: a form has one of the two
    files: dict[str, str] = {}
    left_out = []
    for comparison in comparisons:
        for column in ordered(comparison, by):
            try:
                text = chosen.caption(captions(column, comparison.seconds))
            except NoTimes as fault:
                left_out.append(str(fault))
                continue
            files[_free(f"{stem(comparison)}.{_safe(column.contender.label)}", chosen.ending, files)] = text
    if not files:
        why = " ".join(dict.fromkeys(left_out)) or "No system ran."
        raise NothingToExport(f"There are no captions to write. {why}")
    return Exported(tuple(File(name, text) for name, text in files.items()), tuple(dict.fromkeys(left_out)))


def stem(comparison: Comparison) -> str:
    """What files of a comparison are called, without their ending."""
    return f"earshot-{_safe(Path(comparison.source.replace(chr(92), '/')).stem)}"


def _safe(name: str) -> str:
    """A part of a file name that every system takes, made of an untrusted text."""
    return re.sub(r"[^\w.()+#@-]+", " ", name).strip(" .")[:80].strip(" .") or "clip"


def _free(name: str, ending: str, taken: Mapping[str, str]) -> str:
    """The first of "a.srt", "a (2).srt", … that is not taken."""
    found, number = f"{name}.{ending}", 1
    while found in taken:
        number += 1
        found = f"{name} ({number}).{ending}"
    return found
