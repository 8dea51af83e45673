"""What the History tab shows of kept comparisons: plain data -> HTML, every text escaped by the templates.

Titles, notes, tags, file names, labels, transcripts, questions and answers are untrusted, all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from comparisons import figures
from comparisons.align import align
from comparisons.compare import Column, Comparison
from comparisons.history.differences import Differences, SystemChange
from comparisons.history.kept import LOCAL, Kept, KeptConversation, Page
from comparisons.sides.marks import Mark, marks
from ui.people import Person
from ui.prose import blocks
from ui.templates import html_of

log = logging.getLogger(__name__)

SHOWN_WHOLE = 120
"""Words of two texts of which all is shown, alike or not."""
AROUND = 4
"""Words before and after a difference, where only those are shown."""
MOST_PIECES = 400
"""Of one text."""


@dataclass(frozen=True)
class SharedAt:
    """A link to a comparison, as whoever made it sees it."""

    token: str
    address: str
    names: bool


@dataclass(frozen=True)
class Unfolded:
    """What is shown of a comparison besides its row."""

    others: Sequence[Kept] = ()
    """Over the same clip."""
    conversations: Sequence[KeptConversation] = ()
    links: Sequence[SharedAt] = ()


def listed(page: Page, asker: Person, unfolded: Mapping[str, Unfolded], *, is_bin: bool, is_narrowed: bool) -> str:
    """The rows of the list.

    Args:
        unfolded: by id, what is shown of a row besides.
        is_narrowed: whether something was searched for, or filtered.
    """
    return html_of(
        "history.html",
        rows=[_row(each, asker, unfolded.get(each.id)) for each in page.rows],
        is_bin=is_bin,
        is_narrowed=is_narrowed,
    )


def laid_beside(before: Kept, after: Kept, found: Differences, later: Comparison) -> str:
    """Two comparisons over the same clip, and what changed from one to the other."""
    return html_of(
        "beside.html",
        before=before,
        after=after,
        changes=found.changes,
        systems=[_system(each, later) for each in found.systems],
        normaliser=later.normaliser.label,
    )


def off(space: bool) -> str:
    """Stands in the tab where nothing is kept."""
    return html_of("history.off.html", space=space)


def _row(kept: Kept, asker: Person, unfolded: Unfolded | None) -> dict[str, Any]:
    return {
        "kept": kept,
        "length": figures.clock(kept.seconds),
        "owner": _owner(kept.owner) if asker.role == "owner" and kept.owner != asker.key else None,
        "systems": [
            {
                "label": each.label,
                "state": each.state,
                "rates": [f"{name} {figures.percent(rate)}" for name, rate in each.rates if rate is not None],
                "rtf": figures.rtf(each.rtf) if each.rtf is not None else None,
            }
            for each in kept.systems
        ],
        "unfolded": unfolded,
        "talks": [_talk(each) for each in unfolded.conversations] if unfolded is not None else [],
    }


def _owner(key: str) -> str:
    """Whose it is, for people. Untrusted."""
    kind, _, name = key.partition(":")
    return "this machine" if key == LOCAL else f"visitor {name[:6]}" if kind == "visitor" else name


def _talk(each: KeptConversation) -> dict[str, Any]:
    document = each.document
    return {
        "at": each.changed_at,
        "label": document["system"]["label"],
        "exchanges": [
            {
                "prompt": one["prompt"],
                "blocks": blocks(one["answer"] or ""),
                "fault": " ".join(filter(None, (one["error"], one["fix"]))),
                "is_stopped": one["status"] == "cancelled",
            }
            for one in document["exchanges"]
        ],
    }


def _system(change: SystemChange, later: Comparison) -> dict[str, Any]:
    return {
        "change": change,
        "state": "came" if change.before is None else "went" if change.after is None else "both",
        "rates": [
            {
                "name": name,
                "was": figures.percent(was),
                "now": figures.percent(now),
                "by": _points(now - was),
                "better": now < was,
            }
            for name, was, now in change.rates
        ],
        "texts": [
            (word, text)
            for word, text in (("before", _text(change.before)), ("after", _text(change.after)))
            if text is not None and change.words is None
        ],
        "marks": shortened(_marks(change, later)) if change.words else [],
        "unit": later.unit,
    }


def _points(by: float) -> str:
    """ "−5.9 points", "+2.0 points", "no change"."""
    points = round(100 * by, 1)
    return f"{'−' if points < 0 else '+'}{abs(points):.1f} points" if points else "no change"


def _text(column: Column | None) -> str | None:
    transcript = column.result.transcript if column is not None and column.result is not None else None
    return transcript.text if transcript is not None else None


def _marks(change: SystemChange, later: Comparison) -> Sequence[Mark]:
    """The text after, held against the text before."""
    old, new = change.before, change.after
    heard = [each.result.transcript if each is not None and each.result is not None else None for each in (old, new)]
    was, now = heard
    if was is None or now is None:
        return ()
    cut = later.normaliser.characters if later.unit == "character" else later.normaliser.words
    try:
        return marks(was.text, now, align(cut(was.text), cut(now.text)), later.normaliser, later.unit)
    except Exception:  # somebody else's code, on text nobody has checked
        log.exception("two texts could not be held against each other")
        return ()


def shortened(marked: Iterable[Mark]) -> list[Mark | int]:
    """All of a short text; of a long one the differences, each with a few words around it. A number stands for so many words
    that are left out.
    """
    whole = list(marked)
    if len(whole) <= SHOWN_WHOLE:
        return list(whole)
    kept: list[Mark | int] = []
    shown = 0
    for place, mark in enumerate(whole):
        if mark.kind in ("hit", "plain"):
            continue
        if len(kept) > MOST_PIECES:
            break
        first, last = max(shown, place - AROUND), min(len(whole), place + AROUND + 1)
        if first > shown:
            kept.append(first - shown)
        kept += whole[first:last]
        shown = max(shown, last)
    return [*kept, len(whole) - shown] if shown < len(whole) else kept
