"""Who asks: an owner, who sees all that is kept here, or a visitor, who sees their own.

    login set ([login] in earshot.toml)   whoever signed in; an owner unless ``owners`` names others
    on a Space with hf_oauth              whoever signed in with Hugging Face and is named in ``owners`` is an owner
    this machine alone is served          everybody who reaches the page from here, directly, is the owner
    anybody else                          a visitor, known by a cookie; a client without cookies by its session

A page of another site acts without cookies here, whatever its reader is signed in to: the server that Gradio brings would let
any site read what it answers. A judge is nobody here: a review's link is all that one needs.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import os
import re
import secrets
import time
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal
from urllib.parse import urlsplit

import gradio as gr
from gradio import oauth
from gradio.utils import get_space
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from comparisons.history.kept import EVERYBODY, LOCAL, Whose
from runners.settings import Settings, SettingsError, on_space, where_set

log = logging.getLogger(__name__)

Role = Literal["owner", "visitor"]

VISITOR = "earshot"
"""Name of a visitor's cookie."""
COOKIE_DAYS = 400
"""The longest that browsers keep a cookie; each visit begins it anew."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 bits as ``secrets.token_urlsafe`` writes them
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers by which a proxy tells that somebody else asks through it."""


@dataclass(frozen=True)
class Person:
    """Whoever made a request."""

    key: str
    """What they keep lies under it: "local", "user:NAME" or "visitor:" and 32 hexadecimal digits."""
    role: Role
    name: str | None = None
    """What they signed in with; None if they did not. Untrusted."""

    @property
    def whose(self) -> Whose:
        """Whose comparisons they may see and change."""
        return EVERYBODY if self.role == "owner" else self.key


def person(request: gr.Request | Request, settings: Settings) -> Person:
    """Who made a request, of one of the page's events or of a route beside it."""
    asked = _asked(request)
    if settings.login:
        name = request.username if isinstance(request, gr.Request) else _signed_in(asked)
        if name is not None:
            return _named(name, settings)
    elif is_local(settings):
        if _is_from_here(asked):
            return Person(LOCAL, "owner")
    elif (name := _hugging_face_name(asked)) is not None:
        return _named(name, settings)
    return Person(_visitor_key(asked, request.session_hash if isinstance(request, gr.Request) else None), "visitor")


def is_local(settings: Settings) -> bool:
    """Whether the page is for this machine alone, and nobody signs in: then whoever sits at it owns all."""
    return not settings.login and not settings.share and not on_space() and _is_loopback(settings.host)


def accounts(settings: Settings) -> list[tuple[str, str]] | None:
    """Users and their passwords, as Gradio's ``auth`` takes them, which compares in constant time; None: nobody signs in.

    Raises:
        SettingsError: a variable that is to hold a password is not set, or an owner cannot sign in.
    """
    if not settings.login:
        if settings.owners and not on_space():
            where = where_set(("owners",), list(settings.owners))
            raise SettingsError(f"owners ({where}): nobody signs in here; say who may in a table [login]")
        return None
    for name, variable in settings.login.items():
        if not os.environ.get(variable):  # its name is not said: somebody may have written the password there
            where = where_set(("login", name), variable)
            raise SettingsError(f"login.{name} ({where}): the environment variable that it names is not set, or is empty")
    if unknown := [name for name in settings.owners or () if name not in settings.login]:
        where = where_set(("owners",), list(settings.owners or ()))
        raise SettingsError(f"owners ({where}): {unknown[0]!r} cannot sign in; there are: {', '.join(settings.login)}")
    return [(name, os.environ[variable]) for name, variable in settings.login.items()]


def signs_in_with_hugging_face(settings: Settings) -> bool:
    """Whether the page has a button for that: on a Space that has ``hf_oauth``, unless it has users of its own.

    Elsewhere Gradio only plays signing in, and anybody would be whom they like.
    """
    if settings.login or get_space() is None or not (oauth.OAUTH_CLIENT_ID and oauth.OAUTH_CLIENT_SECRET):
        return False
    if missing := [name for name in ("authlib", "itsdangerous") if find_spec(name) is None]:
        log.warning("nobody can sign in with Hugging Face: %s is not installed; pip install 'gradio[oauth]'", missing[0])
        return False
    return True


class Visits:
    """Around every route: gives each visitor a cookie, and takes the cookies from what the page of another site asks."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if is_of_another_site(Headers(scope=scope)):
            scope = _without_cookies(scope)
        elif self._is_page(scope) and not self._is_known(scope):
            request = Request(scope)
            secret = _secret(request) or secrets.token_urlsafe(32)
            scope = _with_cookie(request, f"{cookie_name(VISITOR, request)}={secret}")
            send = _setting(send, cookie(VISITOR, secret, request))
        await self._app(scope, receive, send)

    def _is_page(self, scope: Scope) -> bool:
        return scope["method"] == "GET" and scope["path"].removeprefix(scope.get("root_path", "")) in ("", "/")

    def _is_known(self, scope: Scope) -> bool:
        """Whether whoever asks needs no cookie of ours."""
        return bool(self._settings.login) or person(Request(scope), self._settings).role == "owner"


def is_of_another_site(headers: Headers) -> bool:
    """Whether a script or a form of another site's page makes the request, as the browser tells."""
    origin = headers.get("origin")
    if origin is None:
        return False
    if (site := headers.get("sec-fetch-site")) is not None:
        return site not in ("same-origin", "none")
    ours = [
        headers.get("host", ""),
        *headers.get("x-forwarded-host", "").split(","),
        *os.environ.get("SPACE_HOST", "").split(","),
    ]
    return urlsplit(origin).netloc not in {each.strip() for each in ours} - {""}


def cookie_name(name: str, request: Request) -> str:
    """How a cookie of Earshot's is called; by https so that no other host of the same domain can set it, and nobody is given
    a cookie that somebody else knows."""
    return f"__Host-{name}" if _is_secure(request) else name


def cookie(name: str, secret: str, request: Request) -> str:
    """The header ``Set-Cookie`` for a secret that no script may read, kept for ``COOKIE_DAYS``.

    Args:
        name: without what ``cookie_name`` puts before it.
        secret: letters, digits, "-" and "_".
    """
    kept = f"{cookie_name(name, request)}={secret}; Max-Age={COOKIE_DAYS * 86_400}; Path=/; HttpOnly"
    if on_space():  # shown inside a page of another site
        return f"{kept}; Secure; SameSite=None; Partitioned"
    return f"{kept}; Secure; SameSite=Lax" if _is_secure(request) else f"{kept}; SameSite=Lax"


def _asked(request: gr.Request | Request) -> Request:
    if not isinstance(request, gr.Request):
        return request
    if request.request is None:
        raise TypeError("this request was sent to another process, which cannot know who made it")
    return request.request


def _named(name: str, settings: Settings) -> Person:
    is_owner = name in settings.owners if settings.owners is not None else bool(settings.login)
    return Person(f"user:{name}", "owner" if is_owner else "visitor", name)


def _signed_in(request: Request) -> str | None:
    """The user of a route beside Gradio's: as its own routes look for one."""
    app: Any = request.app
    for name in (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}"):
        if (user := app.tokens.get(request.cookies.get(name))) is not None:
            return str(user)
    return None


def _hugging_face_name(request: Request) -> str | None:
    """Whom Hugging Face says it is; None if they did not sign in, or the page does not ask it."""
    known = (request.scope.get("session") or {}).get("oauth_info")
    if not known or get_space() is None or not oauth.OAUTH_CLIENT_SECRET or is_of_another_site(request.headers):
        return None
    expires_at = known.get("expires_at")
    if expires_at is not None and expires_at < time.time():
        return None
    name = known["userinfo"].get("preferred_username")
    return str(name) if name else None


def _is_from_here(request: Request) -> bool:
    """Whether it was made on this machine, through no proxy, and by a page of it alone: neither by another site's, nor by one
    that has bent its own name to this machine (DNS rebinding)."""
    return (
        request.client is not None
        and _is_loopback(request.client.host)
        and _is_loopback(_host_name(request.headers.get("host", "")))
        and not any(name in request.headers for name in _FORWARDED)
        and not is_of_another_site(request.headers)
    )


def _is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own, which nobody else can have."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _host_name(host: str) -> str:
    """A ``Host`` header without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _visitor_key(request: Request, session: str | None) -> str:
    """By the cookie; without one by the session of Gradio's client; one that has neither is nobody's."""
    kind, secret = "cookie", _secret(request)
    if secret is None:
        kind, secret = ("session", session) if session else ("nobody", secrets.token_urlsafe(32))
    return f"visitor:{hashlib.sha256(f'{kind}:{secret}'.encode()).hexdigest()[:32]}"


def _secret(request: Request) -> str | None:
    value = request.cookies.get(cookie_name(VISITOR, request), "")
    return value if _SECRET.fullmatch(value) else None


def _is_secure(request: Request) -> bool:
    """Whether the browser came by https, perhaps to a proxy."""
    told = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip()
    return request.scope["scheme"] == "https" or told == "https" or on_space()


def _without_cookies(scope: Scope) -> Scope:
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"cookie"]}


def _with_cookie(request: Request, crumb: str) -> Scope:
    """The request as if the browser had sent the cookie with it."""
    headers = list(request.scope["headers"])
    return {**request.scope, "headers": [*headers, (b"cookie", crumb.encode())]}


def _setting(send: Send, cookie: str) -> Send:
    """``send``, with a cookie in what it begins; nothing between here and the browser may give that to another."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.append("Set-Cookie", cookie)
            headers["Cache-Control"] = "private, no-store"
        await send(message)

    return sent
