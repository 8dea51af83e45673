"""A report that travels: one HTML file that needs no network, no server and nothing else beside it.

It has the sound inside, the transcripts side by side as on the page, the figures, the pictures, and how all was measured.
Its scripts are named by their hash in its Content-Security-Policy, so that nothing else can run in it; transcripts,
references, file names, notes and error messages are untrusted, and escaped.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from comparisons import align, colours, figures, remarks
from comparisons.beyond import measures
from comparisons.compare import Column, Comparison, Order, ordered
from comparisons.pictures import Picture, pictures, pooled_pictures, times_picture
from comparisons.records import agreements
from comparisons.records import to_dict as to_dict
from comparisons.sheets import Summary, summary
from comparisons.sheets import to_csv as to_csv
from comparisons.sheets import to_frame as to_frame
from comparisons.sides.drawn import alone_script, plain, view_css, view_html
from comparisons.sides.side_by_side import side_by_side
from comparisons.sound import Sound, small
from comparisons.statistics.pooling import pooled_rows as pooled_rows
from comparisons.table import to_table as to_table
from runners.base import Clip

if TYPE_CHECKING:
    import jinja2

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> jinja2.Environment:
    """Where the templates live; escapes everything. ``column.html`` has the macro ``es_column``."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    made.filters.update(
        percent=figures.percent,
        seconds=figures.seconds,
        elapsed=figures.elapsed,
        clock=figures.clock,
        rtf=figures.rtf,
        rtfx=figures.rtfx,
        bytes=figures.bytes_,
        counted=figures.counted,
        device=figures.device,
        state_word=figures.state_word,
    )
    made.globals.update(
        network=figures.NETWORK, explained=measures.EXPLAINED, suspicions=measures.SUSPICIONS, method=align.METHOD
    )
    return made


def columns_css() -> str:
    """Style of the columns; its colours are ``--es-*`` variables with fallbacks."""
    return (TEMPLATES / "columns.css").read_text(encoding="utf-8")


@dataclass(frozen=True)
class _Clip:
    """What the report shows of one comparison."""

    comparison: Comparison
    columns: tuple[Column, ...]
    table: Summary
    texts: tuple[tuple[str, str], ...]
    """Label and transcript of all that can be scored, for who has no scripts."""
    drawn: str
    """Of ``sides.drawn.plain``; "" if the transcripts could not be put side by side: then each stands in its column."""
    sound: Sound | None
    pictures: tuple[Picture, ...]
    said: tuple[str, ...]
    agreements: Mapping[str, float]
    whence: str | None
    made_with: Sequence[Mapping[str, Any]]


def to_html(
    comparisons: Comparison | Iterable[Comparison],
    by: Order = "wer",
    *,
    title: str | None = None,
    notes: str = "",
    sound: Clip | Sound | Sequence[Sound | None] | None = None,
) -> str:
    """One HTML file that needs nothing else: light and dark, for screens of any width and for paper.

    The transcripts are held against what is usual for the comparison (``sides.side_by_side.anchors``). To hold them against
    something else takes what only Earshot has: that choice is not in the file.

    Args:
        title: None takes the clip's name.
        notes: what its owner wrote about it.
        sound: what is heard in it, one for each clip where there are several; None leaves it out.

    Raises:
        AudioError: the clip cannot be made small; ``comparisons.sound.small`` says why.
    """
    several = [comparisons] if isinstance(comparisons, Comparison) else list(comparisons)
    pooled = pooled_rows(several) if len(several) > 1 else []
    heard = small(sound) if isinstance(sound, Clip) else sound
    sounds = [heard] if heard is None or isinstance(heard, Sound) else list(heard)
    sounds += [None] * (len(several) - len(sounds))
    script = alone_script()
    return (
        environment()
        .get_template("report.html")
        .render(
            clips=[_clip(each, by, file, is_alone=len(several) == 1) for each, file in zip(several, sounds, strict=True)],
            title=title or (several[0].source if len(several) == 1 else f"{len(several)} clips"),
            notes=notes,
            pooled=pooled,
            pooled_said=remarks.said_of_all(several, pooled) if pooled else (),
            pooled_pictures=_unless_faulty(pooled_pictures, pooled) or (),
            styles=[colours.by_setting(), columns_css(), view_css(), (TEMPLATES / "report.css").read_text(encoding="utf-8")],
            view=view_html(),
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        )
    )


def _clip(comparison: Comparison, by: Order, sound: Sound | None, *, is_alone: bool) -> _Clip:
    """What is shown of a clip; beside others it has the one picture that cannot be pooled."""
    columns = ordered(comparison, by)
    view = _unless_faulty(side_by_side, replace(comparison, columns=columns))
    held = view if view is not None and view.kind == "reference" else None
    pictured: tuple[Picture | None, ...] = ()
    if is_alone:
        pictured = _unless_faulty(pictures, comparison, held) or ()
    elif held is not None:
        pictured = (_unless_faulty(times_picture, comparison, held),)
    is_drawn = view is not None and view.passages
    return _Clip(
        comparison,
        columns,
        summary(comparison, by),
        tuple(_texts(columns)) if is_drawn else (),
        (_unless_faulty(plain, view, comparison, "inside" if sound is not None else None) or "") if is_drawn and view else "",
        sound,
        tuple(picture for picture in pictured if picture is not None),
        remarks.said(comparison),
        agreements(comparison),
        remarks.whence(comparison),
        to_dict(comparison).get("made_with", ()),
    )


def _texts(columns: Iterable[Column]) -> Iterable[tuple[str, str]]:
    for column in columns:
        transcript = column.result.transcript if column.result is not None else None
        if transcript is not None and column.contender.is_scored:
            yield column.contender.label, transcript.text


def _unless_faulty(make: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T | None:
    """What is made, or None: text that nobody has checked, against times that systems gave, must not cost the report."""
    try:
        return make(*arguments, **named)
    except Exception:
        log.exception("a part of the report could not be made")
        return None
