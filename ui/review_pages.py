"""The doors behind a review's link: what a judge's browser gets, and what it may send.

    GET  /review/TOKEN          welcome; where the judge paused; thanks; once the review is closed, the verdict
    POST /review/TOKEN/join     {"name": …}: somebody begins to judge, and gets a cookie that only this server can read
    GET  /review/TOKEN/task     the next clip: ``Task.to_browser`` and no more
    POST /review/TOKEN/vote     {"clip": …, "vote": …}: once, checked against the task as this server sees it
    GET  /review/TOKEN/clip/N   what is heard in it

Until the review is closed nothing here says whose a text is: neither a name nor a file's name leaves the server. All addresses
in the pages are relative, so that they work behind a proxy's prefix too.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute

from comparisons.colours import by_setting
from comparisons.history.kept import EVERYBODY
from comparisons.reviews.ballots import BallotError, Cast, checked
from comparisons.reviews.outcome import outcome
from comparisons.reviews.review import Judge, Review, ReviewError, Task
from comparisons.reviews.store import LONGEST_NAME, Reviews, VoteRefused
from ui import outcomes
from ui.doors import as_json, door, gone, refused
from ui.people import cookie, cookie_name
from ui.templates import ASSETS, html_of

PATH = "/review/"
"""What stands before a review's token."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FILES = {
    "review.js": "text/javascript",
    "review.draft.js": "text/javascript",
    "review.join.js": "text/javascript",
    "review.player.js": "text/javascript",
    "review.words.js": "text/javascript",
    "review.ways.js": "text/javascript",
    "review.css": "text/css",
    "earshot.svg": "image/svg+xml",
}
"""What the pages need besides themselves, of ``assets``."""
MOST_VERDICTS = 8
"""Verdicts that are kept for whoever opens the same link next: nothing in them changes any more."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


def review_pages(reviews: Reviews) -> list[BaseRoute]:
    """The routes of all reviews."""
    pages = _Pages(reviews)
    asked = PATH + "{token}"
    return [
        door(PATH + "assets/{name}", _file),
        door(f"{asked}/join", pages.join, takes=True),
        door(f"{asked}/task", pages.task),
        door(f"{asked}/vote", pages.vote, takes=True),
        door(f"{asked}/clip/{{number:int}}", pages.clip),
        door(PATH + "{token:path}", pages.page, policy=POLICY),
    ]


class _Refusal(Exception):
    """An answer other than the one that was hoped for."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.response = refused(status, why)


class _Pages:
    """What the doors answer."""

    def __init__(self, reviews: Reviews) -> None:
        self._reviews = reviews
        self._lock = threading.Lock()
        """One verdict is worked out at a time."""
        self._verdicts: OrderedDict[str, tuple[tuple[Cast, ...], str]] = OrderedDict()
        """By the review's id: all votes, and the part of the page that is the same for everybody."""

    def page(self, request: Request, body: bytes) -> Response:
        token = request.path_params["token"]
        opened = self._reviews.open(token)
        if opened is None:
            return gone("review")
        review = opened.review
        judge = self._judge(request, review)
        if opened.is_closed:
            return self._verdict(review, judge)
        if judge is None:
            return _drawn("review.welcome.html", review, token, longest_name=LONGEST_NAME, **_size(review))
        if self._next(review, judge) is None:
            return _drawn("review.thanks.html", review, token, **_size(review))
        return _drawn("review.html", review, token)

    def join(self, request: Request, body: bytes) -> Response:
        try:
            review = self._open(request)
            sent = _json(body)
            name = sent.get("name") if isinstance(sent, dict) else 0
            if name is not None and not isinstance(name, str):
                raise _Refusal(400, "A name must be text.")
            if self._judge(request, review) is not None:
                return as_json({})
            _, secret = self._reviews.join(review, name)
        except _Refusal as refusal:
            return refusal.response
        except VoteRefused as fault:
            return refused(409, f"{fault} {fault.fix}")
        response = as_json({})
        response.headers["set-cookie"] = cookie(_cookie(review), secret, request)
        return response

    def task(self, request: Request, body: bytes) -> Response:
        try:
            review = self._open(request)
            return _told(self._next(review, self._known(request, review)))
        except _Refusal as refusal:
            return refusal.response

    def vote(self, request: Request, body: bytes) -> Response:
        try:
            review = self._open(request)
            judge = self._known(request, review)
            sent = _json(body)
            if not isinstance(sent, dict) or sent.keys() != {"clip", "vote"} or type(sent["clip"]) is not int:
                raise _Refusal(400, "The vote is not in the form that this page sends.")
            task = review.task(judge, sent["clip"])
            self._reviews.cast(review, judge, checked(task, sent["vote"], review.contenders(judge, task.clip)))
            return _told(self._next(review, judge))
        except _Refusal as refusal:
            return refusal.response
        except (ReviewError, BallotError) as fault:
            return refused(400, str(fault))
        except VoteRefused as fault:
            return refused(409, f"{fault} {fault.fix}")

    def clip(self, request: Request, body: bytes) -> Response:
        try:
            review = self._open(request)
            self._known(request, review)
        except _Refusal as refusal:
            return refusal.response
        path = self._reviews.audio(review, request.path_params["number"])
        if path is None:
            return refused(404, "There is no such clip.")
        return FileResponse(path, media_type="audio/flac")

    def _open(self, request: Request) -> Review:
        """
        Raises:
            _Refusal: there is no such review, or it is closed.
        """
        opened = self._reviews.open(request.path_params["token"])
        if opened is None:
            raise _Refusal(404, "This review was withdrawn, or there never was one. Ask whoever sent you the link.")
        if opened.is_closed:
            raise _Refusal(410, "This review is closed: it takes no more votes. Load the page again to see what came of it.")
        return opened.review

    def _judge(self, request: Request, review: Review) -> Judge | None:
        secret = request.cookies.get(cookie_name(_cookie(review), request), "")
        return self._reviews.judge(review, secret) if _SECRET.fullmatch(secret) else None

    def _known(self, request: Request, review: Review) -> Judge:
        """
        Raises:
            _Refusal: whoever asks has not begun to judge.
        """
        judge = self._judge(request, review)
        if judge is None:
            raise _Refusal(401, "This browser does not know who you are any more: load the page again, and begin.")
        return judge

    def _next(self, review: Review, judge: Judge) -> Task | None:
        """The first clip on which a judge has not voted; None if there is none left."""
        voted = self._reviews.voted(judge)
        left = [number for number in review.order(judge) if number not in voted]
        return review.task(judge, left[0]) if left else None

    def _verdict(self, review: Review, judge: Judge | None) -> Response:
        with self._lock:
            held = self._verdicts.pop(review.id, None)
            if held is None:
                casts = self._reviews.casts(review.id, EVERYBODY)
                held = casts, outcomes.verdict(review, outcome(review, casts))
            self._verdicts[review.id] = held
            while len(self._verdicts) > MOST_VERDICTS:
                self._verdicts.popitem(last=False)
        casts, verdict = held
        mine = [each for each in casts if judge is not None and each.judge.id == judge.id]
        return _drawn("review.verdict.html", review, "", verdict=verdict, said=outcomes.said(review, mine))


def _drawn(template: str, review: Review, token: str, **values: Any) -> Response:
    page = html_of(template, title=review.title, question=review.question, token=token, **values)
    return HTMLResponse(page.encode("utf-8", "replace"))


def _told(task: Task | None) -> Response:
    return as_json({"task": task.to_browser() if task is not None else None})


def _size(review: Review) -> dict[str, Any]:
    """How much there is to judge."""
    clips = [review.clip(number) for number in review.judged]
    return {"clips": len(clips), "minutes": max(1, round(sum(clip.seconds for clip in clips) / 60))}


def _json(body: bytes) -> Any:
    """
    Raises:
        _Refusal: it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Refusal(400, "That is not JSON.") from error


def _cookie(review: Review) -> str:
    """Name of the cookie that proves who judges a review: one a review, whatever its link is now."""
    return f"earshot-judge-{review.id}"


def _file(request: Request, body: bytes) -> Response:
    name = request.path_params["name"]
    if name not in FILES:
        return refused(404, "There is no such file.")
    text = (ASSETS / name).read_text(encoding="utf-8")
    if name == "review.css":
        text = by_setting() + text + (ASSETS / "outcome.css").read_text(encoding="utf-8")
    return Response(text, media_type=FILES[name])
