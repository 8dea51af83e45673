"""The plain routes beside Gradio's: what is reached by an address alone, without the page.

Gradio's login does not stand before them, so each checks for itself. An address is the secret: none of it is kept by a browser,
told to another site, or found by a search.
"""

from __future__ import annotations

import html
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
from anyio import CapacityLimiter, to_thread
from gradio.route_utils import API_PREFIX, get_root_url
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ui.people import is_of_another_site

log = logging.getLogger(__name__)

LONGEST_BODY_BYTES = 64_000
AT_ONCE = 8
"""Answers of one door that are made at once, on threads of its own: the page keeps those it has."""

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
"""Of everything that comes through a door."""
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The policy of a page that needs no script, style or sound: a door that does adds what its page needs."""

Answers = Callable[[Request, bytes], Response]
"""What a door does: given the request and its body, which only a POST has. It runs on a thread of its own."""


class Door:
    """Answers at one address, and lets nothing through that an answer should not have to think of."""

    def __init__(self, answers: Answers, *, takes: bool = False, policy: str = NOTHING) -> None:
        """
        Args:
            takes: whether it takes JSON by POST, of this site's own pages alone; else it is only read.
            policy: the ``Content-Security-Policy`` of what it answers.
        """
        self._answers = answers
        self._methods = ("POST",) if takes else ("GET", "HEAD")
        self._policy = policy
        self._threads = CapacityLimiter(AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._answer(request)
        response.headers.update({"Content-Security-Policy": self._policy, **HEADERS})
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method not in self._methods:
            return refused(405, "This address does not take that.", Allow=", ".join(self._methods))
        body = b""
        if request.method == "POST":
            if is_of_another_site(request.headers):
                return refused(403, "The page of another site may not send anything here.")
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                return refused(415, "This address takes JSON.")
            async for chunk in request.stream():
                body += chunk
                if len(body) > LONGEST_BODY_BYTES:
                    return refused(413, "That is more than this address takes.")
        try:
            return await to_thread.run_sync(self._answers, request, body, limiter=self._threads)
        except Exception:
            log.exception("a door could not answer")  # without the address, which is the secret
            return refused(500, "Something went wrong here; whoever runs this finds it in the log.")


def door(path: str, answers: Answers, *, takes: bool = False, policy: str = NOTHING) -> Route:
    """A route with a ``Door`` in it."""
    return Route(path, Door(answers, takes=takes, policy=policy))


def refused(status: int, why: str, **headers: str) -> Response:
    """An answer in one plain sentence."""
    return PlainTextResponse(f"{why}\n", status, headers)


def as_json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value, ensure_ascii=False, allow_nan=False), status, media_type="application/json")


def gone(what: str) -> Response:
    """404 for an address that was withdrawn or never was: the two are not told apart.

    Args:
        what: stands behind the address: "comparison".
    """
    return HTMLResponse(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>Earshot: nothing here</title>\n</head>\n'
        f"<body>\n<h1>There is no {html.escape(what)} here</h1>\n"
        "<p>This link was withdrawn, or it never was one. Ask whoever sent it to you.</p>\n</body>\n</html>\n",
        404,
    )


def address(request: gr.Request | Request, path: str) -> str:
    """The whole address of a door, as whoever made an event of the page can hand it on.

    Args:
        path: "/shared/…".
    """
    asked = request.request if isinstance(request, gr.Request) else request
    if asked is None:
        raise TypeError("this request was sent to another process, which cannot know where the page is")
    route = asked.url.path[asked.url.path.find(API_PREFIX) :]
    return get_root_url(asked, route, asked.app.root_path) + path
