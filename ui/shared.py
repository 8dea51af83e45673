"""The door behind a link: a kept comparison as the report that needs nothing else, read-only."""

from __future__ import annotations

import threading
from collections import OrderedDict

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from comparisons.links import Links, Shared
from comparisons.report import to_html
from ui.doors import door, gone

PATH = "/shared/"
"""What stands before a link's token."""
MOST_HELD = 8
"""Pages that are kept for whoever opens the same link next: an hour's takes seconds to draw."""
MOST_HELD_BYTES = 200_000_000

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; media-src data: blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts allow-downloads allow-modals"
)
"""The report itself says which one script may run, wherever it is opened. Here it also has no origin, so that not even that
script could reach the page of whoever opens it."""


def shared(links: Links) -> list[BaseRoute]:
    """The routes of all links."""
    pages = _Pages(links)

    def answers(request: Request, body: bytes) -> Response:
        page = pages.get(request.path_params["token"])
        return HTMLResponse(page) if page is not None else gone("comparison")

    return [door(PATH + "{token:path}", answers, policy=POLICY)]


class _Pages:
    """Pages as they were drawn last, the one that was asked for longest ago given up first."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._lock = threading.Lock()
        """One is drawn at a time: who opens a link is not to take the machine from who compares."""
        self._held: OrderedDict[str, tuple[str, bytes]] = OrderedDict()

    def get(self, token: str) -> bytes | None:
        """A link's page; None if there is none."""
        if self._links.version(token) is None:
            return None
        with self._lock:
            version = self._links.version(token)
            held = self._held.get(token)
            if version is not None and held is not None and held[0] == version:
                self._held.move_to_end(token)
                return held[1]
            self._held.pop(token, None)
            shown = self._links.open(token) if version is not None else None
            if version is None or shown is None:
                return None
            page = _drawn(shown)
            self._held[token] = (version, page)
            while len(self._held) > MOST_HELD or sum(len(each) for _, each in self._held.values()) > MOST_HELD_BYTES:
                self._held.popitem(last=False)
            return page


def _drawn(shown: Shared) -> bytes:
    page = to_html(shown.comparison, title=shown.title, notes=shown.notes, sound=shown.clip)
    return page.encode("utf-8", "replace")
