"""The History tab: what was compared before is found, opened again as it was, named, laid side by side, shared and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from comparisons.history.differences import beside, differences
from comparisons.history.kept import Kept, Whose
from comparisons.history.store import History
from comparisons.links import Links
from comparisons.reading import MOST_BYTES, NotAComparison, Opened, read
from runners.base import RunnerError
from runners.conversations import record
from runners.settings import on_space
from ui import kept as views
from ui.compare_tab import Given
from ui.components import script
from ui.desk import Desk, Refused, said
from ui.doors import address
from ui.people import Person, person
from ui.shared import PATH

Update = dict[Any, Any]

MOST_SHOWN = 500
"""Rows that are drawn at once; who has more of them searches."""
MOST_UNFOLDED = 5
BUSY = Refused("A comparison is still running.", "Wait for its end, or cancel it.")


@dataclass(frozen=True)
class Asked:
    """What the tab asks for; a browser may send anything."""

    number: int | None
    """Of the question, which the answer bears."""
    search: str = ""
    tag: str | None = None
    system: str | None = None
    deleted: bool = False
    limit: int = 50
    unfolded: tuple[str, ...] = ()
    """Ids of the rows of which all is shown."""
    do: str | None = None
    id: str = ""
    """Of the comparison with which something is to be done."""
    given: Mapping[str, str] | None = None
    """What it takes besides: "title", "tags", "notes", "token", "other", "number"."""

    @classmethod
    def of(cls, value: Any) -> Asked:
        told = value if isinstance(value, Mapping) else {}
        ids = told.get("unfolded")
        limit = told.get("limit")
        given = told.get("given")
        return cls(
            number=told["number"] if isinstance(told.get("number"), int) else None,
            search=_text(told.get("search"))[:1000],
            tag=_text(told.get("tag")) or None,
            system=_text(told.get("system")) or None,
            deleted=told.get("deleted") is True,
            limit=min(max(limit, 1), MOST_SHOWN) if isinstance(limit, int) else 50,
            unfolded=tuple(each for each in ids if isinstance(each, str))[:MOST_UNFOLDED] if isinstance(ids, list) else (),
            do=_text(told.get("do")) or None,
            id=_text(told.get("id")),
            given={name: _text(each) for name, each in given.items()} if isinstance(given, Mapping) else {},
        )

    def gave(self, name: str) -> str:
        return (self.given or {}).get(name, "")


def history_tab(desk: Desk, given: Given, tabs: gr.Tabs, compare: str) -> None:
    """Build the tab inside a ``gr.Tab``.

    Args:
        given: what the Compare tab has.
        tabs: that this one stands in.
        compare: id of the Compare tab, which what is opened is shown on.
    """
    # What is on the page

    with gr.Column(elem_id="es-history-tab"):
        if desk.history is None:
            gr.HTML(views.off(on_space()), apply_default_css=False, elem_id="es-history-off")
            tab = gr.HTML("", html_template='<p role="status">{{value}}</p>', apply_default_css=False, elem_classes="es-status")
        else:
            tab = gr.HTML(
                None,
                html_template=script("history.frame.html"),
                js_on_load=script("morph.js", "clipboard.js", "history.js"),
                apply_default_css=False,
                elem_id="es-history",
            )
        file = gr.UploadButton("Open a file", file_types=[".json"], type="filepath", size="sm", elem_id="es-history-file")

    # What happens

    def told(event: gr.EventData, request: gr.Request) -> Any:
        """Do what is asked, and tell how things are then."""
        return answer(desk, Asked.of(getattr(event, "asked", None)), person(request, desk.settings), request)

    def shown(opened: Opened, path: Path | None, notes: str, names: tuple[str, ...], by: str, request: gr.Request) -> Update:
        if desk.is_busy(request.session_hash):
            raise BUSY
        clip = str(path) if path is not None else None
        told = given.reopen(opened.comparison, clip, opened.remarks, notes, names, by)
        return {**told, tabs: gr.Tabs(selected=compare)}

    def open_kept(event: gr.EventData, names: tuple[str, ...], by: str, request: gr.Request) -> Update:
        asked = Asked.of(getattr(event, "asked", None))
        try:
            history, whose = _history(desk), person(request, desk.settings).whose
            opened = history.comparison(asked.id, whose)
            path = desk.kept_clip(asked.id, whose, Path(get_upload_folder()))
            notes = history.get(asked.id, whose).notes
            return {**shown(opened, path, notes, names, by, request), tab: {"number": asked.number, "said": "", "opened": True}}
        except RunnerError as fault:
            return {tab: {"number": asked.number, "said": said(fault)}}

    def open_both(event: gr.EventData, names: tuple[str, ...], by: str, request: gr.Request) -> Update:
        """Two as one, in which each system stands twice; it is not kept."""
        asked = Asked.of(getattr(event, "asked", None))
        try:
            history, whose = _history(desk), person(request, desk.settings).whose
            before, after = _pair(history, asked, whose)
            old, new = (history.comparison(each.id, whose) for each in (before, after))
            path = desk.kept_clip(after.id, whose, Path(get_upload_folder()))
            opened = Opened(beside(old.comparison, new.comparison), new.remarks)
            return {**shown(opened, path, "", names, by, request), tab: {"number": asked.number, "said": "", "opened": True}}
        except RunnerError as fault:
            return {tab: {"number": asked.number, "said": said(fault)}}

    def open_file(path: str, names: tuple[str, ...], by: str, request: gr.Request) -> Update:
        """A comparison that somebody took away, as JSON; the clip is not in it."""
        remark = "The clip is not in the file: give it here to hear it."
        try:
            with Path(path).open("rb") as content:
                opened = read(content.read(MOST_BYTES + 1))
            return shown(replace(opened, remarks=(remark, *opened.remarks)), None, "", names, by, request)
        except RunnerError as why:
            return refused(said(why))
        except (NotAComparison, OSError) as why:
            return refused(str(why))

    def refused(why: str) -> Update:
        return {tab: why if desk.history is None else {"number": None, "said": why}}

    # What leads to what

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    has = [given.added, given.order]
    file.upload(open_file, [file, *has], [*given.reopened, tabs, tab], **quiet)
    if desk.history is not None:
        tab.ask(told, None, tab, trigger_mode="multiple", queue=False, **quiet)
        tab.open(open_kept, has, [*given.reopened, tabs, tab], **quiet)
        tab.both(open_both, has, [*given.reopened, tabs, tab], **quiet)


def answer(desk: Desk, asked: Asked, asker: Person, request: gr.Request) -> dict[str, Any]:
    """The value of the tab's component once what is asked is done: ``number`` of the question; ``html`` of the list, how many
    are ``shown`` of a ``total``; the ``tags`` and ``systems`` that there are; ``said``, what came of it; ``undo``, the id of
    what was deleted; ``beside``, HTML of two that were laid side by side; ``file``, what is to be downloaded.
    """
    told: dict[str, Any] = {"number": asked.number, "said": ""}
    try:
        history = _history(desk)
        if asked.do is not None:
            try:
                told |= _done(history, asked, asker)
            except RunnerError as fault:
                told |= {"said": said(fault), "failed": True}
        whose = asker.whose
        page = history.list(
            whose,
            search=asked.search,
            tag=asked.tag,
            system=asked.system,
            deleted=asked.deleted,
            limit=asked.limit,
        )
        here = {each.id for each in page.rows} if not asked.deleted else set()
        unfolded = {id: _unfolded(history, id, asker, request) for id in asked.unfolded if id in here}
        is_narrowed = bool(asked.search.strip() or asked.tag or asked.system)
        html = views.listed(page, asker, unfolded, is_bin=asked.deleted, is_narrowed=is_narrowed)
        return told | {
            "html": html,
            "shown": len(page.rows),
            "total": page.total,
            "most": MOST_SHOWN,
            "tags": list(history.tags(whose)),
            "systems": [list(each) for each in history.systems(whose)],
        }
    except RunnerError as fault:
        return told | {"said": said(fault), "failed": True}


def _history(desk: Desk) -> History:
    if desk.history is None:
        raise Refused("Nothing is kept here.", "Whoever runs this can start it with --history.")
    return desk.history


def _done(history: History, asked: Asked, asker: Person) -> dict[str, Any]:
    """What came of what was asked.

    Raises:
        RunnerError: it was not done.
    """
    whose, id = asker.whose, asked.id
    if asked.do == "save":
        history.rename(id, asked.gave("title"), whose)
        history.set_tags(id, asked.gave("tags").split(","), whose)
        history.set_notes(id, asked.gave("notes"), whose)
        return {"said": "Saved."}
    if asked.do == "delete":
        name = history.get(id, whose).name
        history.bin.put(id, whose)
        return {"said": f"{name} is in the bin for a day.", "undo": id}
    if asked.do == "restore":
        history.bin.restore(id, whose)
        return {"said": f"{history.get(id, whose).name} is back."}
    if asked.do == "purge":
        return {
            "said": "Deleted for good."
            if history.bin.purge(whose, older_than_seconds=0, id=id)
            else "It is not there any more."
        }
    if asked.do in ("link", "link-without"):
        Links(history).make(id, whose, names=asked.do == "link")
        return {"said": "The link is made: whoever has it sees this comparison."}
    if asked.do == "withdraw":
        Links(history).withdraw(asked.gave("token"), whose)
        return {"said": "The link is withdrawn: it leads nowhere now."}
    if asked.do == "beside":
        return {"beside": _beside(history, asked, whose)}
    if asked.do == "talk":
        return {"file": _conversation(history, asked, asker)}
    raise Refused("That cannot be done here.")


def _beside(history: History, asked: Asked, whose: Whose) -> str:
    before, after = _pair(history, asked, whose)
    old, new = (history.comparison(each.id, whose).comparison for each in (before, after))
    return views.laid_beside(before, after, differences(old, new), new)


def _pair(history: History, asked: Asked, whose: Whose) -> tuple[Kept, Kept]:
    """The two that are to be laid side by side, the earlier first.

    Raises:
        RunnerError: one of them is not there, or they are of different clips.
    """
    first, second = sorted(
        (history.get(each, whose) for each in (asked.id, asked.gave("other"))), key=lambda each: each.made_at
    )
    if first.sound != second.sound:
        raise Refused("These two are of different clips.", "Choose two over the same clip.")
    return first, second


def _conversation(history: History, asked: Asked, asker: Person) -> dict[str, str]:
    found = history.conversations.about(asked.id, asker.whose)
    number = asked.gave("number")
    if not number.isdecimal() or int(number) >= len(found):
        raise Refused("That conversation is not there any more.")
    name = f"earshot-{Path(history.get(asked.id, asker.whose).source).stem}-conversation.md"
    return {"name": name, "text": record.markdown(found[int(number)].document)}


def _unfolded(history: History, id: str, asker: Person, request: gr.Request) -> views.Unfolded:
    whose = asker.whose
    return views.Unfolded(
        others=_others(history, id, asker),
        conversations=history.conversations.about(id, whose),
        links=[
            views.SharedAt(each.token, address(request, PATH + each.token), each.names) for each in Links(history).of(id, whose)
        ],
    )


def _others(history: History, id: str, asker: Person) -> tuple[Kept, ...]:
    return history.same_clip(id, asker.whose)[:50]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
