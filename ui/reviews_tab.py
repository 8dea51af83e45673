"""The Reviews tab: blind reviews are made of kept comparisons there, followed, and closed; what came of them is seen."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from markupsafe import Markup

from comparisons.figures import clock, counted
from comparisons.history.kept import Kept, Whose
from comparisons.history.store import History
from comparisons.reviews import export
from comparisons.reviews.ballots import Cast
from comparisons.reviews.outcome import Outcome, outcome
from comparisons.reviews.review import LONGEST_QUESTION, LONGEST_TITLE, METHODS, Method, Review, ReviewError
from comparisons.reviews.store import Held, Reviews
from runners.base import RunnerError
from runners.settings import Settings
from ui import outcomes
from ui.components import script
from ui.desk import Desk, Refused, said
from ui.doors import address
from ui.people import Person, person
from ui.review_pages import PATH
from ui.templates import html_of

MOST_OFFERED = 100
"""Kept comparisons that are offered at once; who has more of them searches."""
MOST_UNFOLDED = 5
MOST_OUTCOMES = 16
"""Outcomes that are remembered: intervals take a moment, and whoever follows a review asks every few seconds."""
WAYS: Mapping[Method, str] = {
    "best": "Which of all is the best",
    "pairwise": "Two at a time: left, right, tie or both bad",
    "rating": "1 to 5 for each text",
}
"""How judges vote, in words."""
KINDS = ("json", "votes.csv", "outcome.csv")
"""What a review can be had as."""


@dataclass(frozen=True)
class Asked:
    """What the tab asks for; a browser may send anything."""

    do: str = ""
    id: str = ""
    """Of the review with which something is to be done."""
    unfolded: tuple[str, ...] = ()
    """Ids of the reviews of which the outcome is shown."""
    search: str | None = None
    """In kept comparisons, for a new review; None: they are not asked for."""
    kind: str = ""
    names: bool = False
    """Whether an export has the names that judges gave."""
    title: str = ""
    question: str = ""
    method: str = ""
    comparisons: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()

    @classmethod
    def of(cls, value: Any) -> Asked:
        told = value if isinstance(value, Mapping) else {}
        search = told.get("search")
        return cls(
            do=_text(told.get("do")),
            id=_text(told.get("id")),
            unfolded=_texts(told.get("unfolded"))[:MOST_UNFOLDED],
            search=search[:1000] if isinstance(search, str) else None,
            kind=_text(told.get("kind")),
            names=told.get("names") is True,
            title=_text(told.get("title")),
            question=_text(told.get("question")),
            method=_text(told.get("method")),
            comparisons=_texts(told.get("comparisons")),
            systems=_texts(told.get("systems")),
        )


def reviews_tab(desk: Desk) -> None:
    """Build the tab inside a ``gr.Tab``."""
    if desk.history is None or desk.reviews is None:
        gr.HTML(html_of("reviews.off.html"), apply_default_css=False, elem_id="es-reviews-off")
        return
    shelf = Shelf(desk.history, desk.reviews, desk.settings)

    def told(asked: Any, request: gr.Request) -> dict[str, Any]:
        """Gradio marks the function, which a method does not take; and it hands on the server's own request."""
        return shelf.answer(Asked.of(asked), request)

    gr.HTML(
        None,
        html_template=html_of(
            "reviews.frame.html", ways=WAYS, questions=METHODS, longest_title=LONGEST_TITLE, longest_question=LONGEST_QUESTION
        ),
        js_on_load=script("morph.js", "clipboard.js", "reviews.js", "reviews.new.js"),
        apply_default_css=False,
        elem_id="es-reviews",
        server_functions=[told],
    )


class Shelf:
    """What the tab does; one for a page, shared by its visitors, each of whom sees their own."""

    def __init__(self, history: History, reviews: Reviews, settings: Settings) -> None:
        self._history = history
        self._reviews = reviews
        self._settings = settings
        self._lock = threading.Lock()
        self._outcomes: OrderedDict[str, tuple[tuple[Cast, ...], Outcome]] = OrderedDict()

    def answer(self, asked: Asked, request: gr.Request) -> dict[str, Any]:
        """Do what is asked, and tell how things are then.

        Returns:
            ``html``, the list; ``said``, what came of it; ``made``, the id of a new review; ``kept``, comparisons to choose
            from; ``file``, the name and text of an export. What was not asked for is None.
        """
        asker = person(request, self._settings)
        told: dict[str, Any] = {"said": "", "fault": "", "made": None, "kept": None, "file": None}
        try:
            told |= self._do(asked, asker)
        except (RunnerError, ReviewError) as fault:
            told["fault"] = said(fault) if isinstance(fault, RunnerError) else str(fault)
        if asked.search is not None:
            told["kept"] = self._offered(asked.search, asker.whose)
        unfolded = {*asked.unfolded, told["made"]}
        rows = [self._row(each, each.id in unfolded, asker.whose, request) for each in self._reviews.list(asker.whose)]
        return {**told, "html": html_of("reviews.html", rows=rows)}

    def _do(self, asked: Asked, asker: Person) -> dict[str, Any]:
        id, whose = asked.id, asker.whose
        if asked.do == "make":
            return self._make(asked, asker)
        if asked.do == "export":
            return {"file": self._export(asked, whose)}
        acts = {
            "close": (self._reviews.close, "The review is closed: the link shows what came of it."),
            "withdraw": (self._reviews.withdraw, "The link is withdrawn. All votes are kept."),
            "renew": (self._reviews.renew, "There is a new link. The one before leads nowhere any more."),
            "delete": (self._reviews.delete, "The review is deleted, with all its votes."),
        }
        if asked.do not in acts:
            return {}
        act, told = acts[asked.do]
        act(id, whose)
        return {"said": told}

    def _make(self, asked: Asked, asker: Person) -> dict[str, Any]:
        method = next((each for each in METHODS if each == asked.method), None)
        if method is None:
            raise Refused("It is not said how judges vote.", "Choose one of the ways.")
        made = self._reviews.make(
            asked.comparisons,
            asker.whose,
            owner=asker.key,
            title=asked.title,
            question=asked.question,
            method=method,
            systems=asked.systems,
        )
        return {"made": made, "said": "The review is made: send its link to the judges."}

    def _export(self, asked: Asked, whose: Whose) -> dict[str, str]:
        if asked.kind not in KINDS:
            raise Refused("A review cannot be had as that.", f"Choose from: {', '.join(KINDS)}.")
        review, casts, found = self._outcome(asked.id, whose)
        if asked.kind == "votes.csv":
            text = export.votes_to_csv(review, casts, has_names=asked.names)
        elif asked.kind == "outcome.csv":
            text = export.outcome_to_csv(found)
        else:
            whole = export.to_dict(review, casts, found, has_names=asked.names)
            text = json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=2)
        return {"name": f"review.{asked.kind}", "text": text}

    def _outcome(self, id: str, whose: Whose) -> tuple[Review, tuple[Cast, ...], Outcome]:
        review, casts = self._reviews.review(id, whose), self._reviews.casts(id, whose)
        with self._lock:
            held = self._outcomes.pop(id, None)
            if held is None or held[0] != casts:
                held = casts, outcome(review, casts)
            self._outcomes[id] = held
            while len(self._outcomes) > MOST_OUTCOMES:
                self._outcomes.popitem(last=False)
        return review, casts, held[1]

    def _row(self, each: Held, is_unfolded: bool, whose: Whose, request: gr.Request) -> dict[str, Any]:
        state = "closed" if each.closed_at is not None else "open" if each.token is not None else "withdrawn"
        drawn: Markup | None = None
        if is_unfolded:
            drawn = outcomes.whole(*self._in_order(each.id, whose))
        return {
            "review": each,
            "state": state,
            "address": address(request, PATH + each.token) if each.token is not None else None,
            "facts": " · ".join(
                (
                    WAYS[each.method],
                    counted(each.clips, "clip"),
                    counted(each.judges, "judge"),
                    counted(each.ballots, "vote"),
                    f"{each.made_at:%Y-%m-%d %H:%M} UTC",
                )
            ),
            "outcome": drawn,
        }

    def _in_order(self, id: str, whose: Whose) -> tuple[Review, Outcome, tuple[Cast, ...]]:
        review, casts, found = self._outcome(id, whose)
        return review, found, casts

    def _offered(self, search: str, whose: Whose) -> dict[str, Any]:
        page = self._history.list(whose, search=search, limit=MOST_OFFERED)
        return {"rows": [_kept(each) for each in page.rows], "total": page.total}


def _kept(each: Kept) -> dict[str, Any]:
    """A kept comparison that may be reviewed, for the browser to draw as text."""
    systems = [{"name": system.name, "label": system.label} for system in each.systems if system.state == "ok"]
    lack = None
    if not each.has_audio:
        lack = "its audio is not kept"
    elif len(systems) < 2:
        lack = "fewer than two transcripts"
    return {
        "id": each.id,
        "name": each.name,
        "facts": f"{clock(int(each.seconds))} · {each.made_at:%Y-%m-%d}",
        "systems": systems,
        "lack": lack,
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()
