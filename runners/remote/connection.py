"""A request to a server and the pieces of its answer, through the ``openai`` client.

Asked again where a server says "not now", and the time that this takes is told apart (``paused_seconds``): it is no work of
the system's. A cancel ends a request at once, in the middle of a stream too. Answers are bounded in size; no redirect is
followed; nothing is decompressed.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from concurrent.futures import wait
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from runners.base import (
    Cancelled,
    MissingPackage,
    ModelLoadError,
    Progress,
    RunnerError,
    RunnerSpec,
    Server,
    WeightsUnavailable,
)
from runners.remote import streams
from runners.remote.faults import Refusal, Wording

CONNECT_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 30.0
"""A server that wants a longer wait before it is asked again is not waited for."""
FIRST_PAUSE_SECONDS = 0.5
"""Before the second attempt where the server does not say; each later one waits twice as long."""
MOST_REFUSAL_BYTES = 64 * 1024
_REFUSAL_SECONDS = 5.0
_LOOK_SECONDS = 0.05
_CLOSE_SECONDS = 5.0
_HEADERS = frozenset(
    (
        "host",
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "transfer-encoding",
        "user-agent",
        "x-stainless-raw-response",
    )
)
"""What a request says besides its key. The client would add what variables of the environment say for another service
(OPENAI_ORG_ID, OPENAI_CUSTOM_HEADERS), and what machine this is. The last is the client's note to itself: it looks there
for how it was asked."""

Send = Callable[[Any], AbstractAsyncContextManager[Any]]
"""Given the client, makes a request with its ``with_streaming_response``."""
T = TypeVar("T")


class Connection:
    """To one server, for one model of it. One request at a time, from any thread."""

    def __init__(self, spec: RunnerSpec, server: Server) -> None:
        """Make the client; nothing is asked yet.

        Raises:
            MissingPackage: openai is not installed.
            WeightsUnavailable: the variable that should hold the key is not set, or holds what is no key.
            ModelLoadError: the environment names a proxy that cannot be used.
        """
        key = None if server.key_variable is None else os.environ.get(server.key_variable, "").strip()
        if key == "":
            raise WeightsUnavailable(
                f"The key of the server {server.name} is not set.",
                f"Whoever runs this Earshot should set {server.key_variable} in its environment.",
            )
        if key is not None and not (key.isascii() and key.isprintable()):
            raise WeightsUnavailable(
                f"What is set as the key of the server {server.name} is no key: it has letters or breaks that none has.",
                f"Whoever runs this Earshot should set {server.key_variable} to the key alone, on one line.",
            )
        try:
            import openai
        except ModuleNotFoundError as error:
            raise MissingPackage("The package 'openai' is not installed.", "pip install openai") from error
        self.wording = Wording(spec.label, spec.model or "", server, key)
        self.paused_seconds = 0.0
        """Seconds of the present job that were spent on being refused and waiting."""
        self.pauses = 0
        """How often the present job was refused for the moment, and asked again."""
        self._server = server
        # On a thread of its own: the thread that asks may be running a loop already, and a loop runs no second one.
        self._loop = asyncio.new_event_loop()
        patience = openai.Timeout(server.timeout_seconds, connect=CONNECT_SECONDS)
        hooks: dict[str, list[Callable[..., Any]]] = {"request": [_bare(key)], "response": [_refuse]}
        try:
            http = openai.DefaultAsyncHttpxClient(follow_redirects=False, timeout=patience, event_hooks=hooks)
        except (ImportError, ValueError):  # the cause names the proxy, at times with a password
            self._loop.close()
            raise ModelLoadError(
                f"The proxy on the way to the server {server.name} cannot be used.",
                "Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY; a SOCKS proxy needs: pip install socksio",
            ) from None
        self._client = openai.AsyncOpenAI(
            api_key=key or "none",  # the client insists on one; a server that wants none ignores it
            base_url=server.base_url,
            timeout=patience,
            max_retries=0,
            http_client=http,
            default_headers={"Accept-Encoding": "identity"},
        )
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"requests to {server.name}", daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """A job begins: its seconds are counted anew."""
        self.paused_seconds, self.pauses = 0.0, 0

    def warm_up(self) -> None:
        """Have the client import what its requests need."""
        for requests in (self._client.audio.transcriptions, self._client.chat.completions):
            _ = requests.with_streaming_response
        self._client.platform_headers()

    def ask(self, send: Send, progress: Progress) -> Generator[streams.Event, None, None]:
        """Make a request and yield the events of its answer as they come.

        Raises:
            Refusal: the server refused, and not for the moment only.
            RunnerError: it cannot be reached, fails, or answers with something else; in plain words.
            Cancelled: somebody asked to stop.
        """
        attempt = 0
        while True:
            began, answered = time.perf_counter(), False
            try:
                for event in self._events(send, progress):
                    answered = True
                    yield event
                return
            except Refusal as refusal:
                if answered or not refusal.is_for_now:
                    raise
                pause_seconds = _pause_seconds(refusal.retry_after, attempt)
                if attempt >= self._server.retries or pause_seconds > LONGEST_PAUSE_SECONDS:
                    raise self.wording.refused(refusal) from None
            self._wait(asyncio.sleep(pause_seconds), progress)
            self.uncount(began)
            self.pauses += 1
            attempt += 1

    def uncount(self, began: float) -> None:
        """Count what was done since ``began`` (``time.perf_counter()``) as no work of the system's."""
        self.paused_seconds += time.perf_counter() - began

    def close(self) -> None:
        """End the connections. Idempotent."""
        if not self._loop.is_closed():
            with suppress(Exception):
                asyncio.run_coroutine_threadsafe(self._client.close(), self._loop).result(_CLOSE_SECONDS)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _events(self, send: Send, progress: Progress) -> Generator[streams.Event, None, None]:
        answer = _answered(self._client, send)
        try:
            while (event := self._wait(anext(answer, None), progress)) is not None:
                yield event
        except (Refusal, RunnerError, Cancelled, GeneratorExit):
            raise
        except streams.Garbled as error:
            raise self.wording.garbled(error) from None
        except Exception as error:
            if (refusal := _refusal_in(error)) is not None:
                raise refusal from None
            raise self.wording.lost(error) from None  # the cause names addresses
        finally:
            if not self._loop.is_closed():
                with suppress(Exception):
                    asyncio.run_coroutine_threadsafe(answer.aclose(), self._loop).result(_CLOSE_SECONDS)

    def _wait(self, coming: Awaitable[T], progress: Progress) -> T:
        """What is waited for, unless somebody asks to stop meanwhile; then it has ended before this raises."""
        stop = asyncio.Event()
        waiting = asyncio.run_coroutine_threadsafe(_watched(coming, stop), self._loop)
        try:
            progress.check()
            while not wait({waiting}, timeout=_LOOK_SECONDS).done:
                progress.check()
        except BaseException:
            self._loop.call_soon_threadsafe(stop.set)
            wait({waiting}, timeout=_CLOSE_SECONDS)
            raise
        return waiting.result()


async def _answered(client: Any, send: Send) -> Any:
    async with send(client) as response:
        kind = response.headers.get("content-type", "")
        if response.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
            raise streams.Garbled("is compressed, which was not asked for")  # a small one may unpack to gigabytes
        async for event in streams.events(kind, response.iter_bytes()):
            yield event


async def _watched(coming: Awaitable[T], stop: asyncio.Event) -> T:
    """What is waited for; cancelled, and over, once ``stop`` is set."""
    task, stopping = asyncio.ensure_future(coming), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise asyncio.CancelledError
        return task.result()
    finally:
        task.cancel()
        stopping.cancel()
        await asyncio.gather(task, stopping, return_exceptions=True)


def _bare(key: str | None) -> Callable[[Any], Awaitable[None]]:
    """A hook that leaves of a request's head what the request needs."""

    async def strip(request: Any) -> None:
        for name in [each for each in request.headers if each.lower() not in _HEADERS]:
            del request.headers[name]
        if key is not None:
            request.headers["Authorization"] = f"Bearer {key}"

    return strip


async def _refuse(response: Any) -> None:
    """Called with every answer's head: one that is no success is read here, no more of it than a sentence needs."""
    if 200 <= response.status_code < 300:
        return
    body = b""
    with suppress(Exception):  # half a reason is better than none
        async with asyncio.timeout(_REFUSAL_SECONDS):
            pieces: AsyncIterator[bytes] = response.aiter_raw()
            async for piece in pieces:
                body += piece
                if len(body) > MOST_REFUSAL_BYTES:
                    break
    raise Refusal(response.status_code, response.headers, body[:MOST_REFUSAL_BYTES])


def _refusal_in(error: BaseException | None) -> Refusal | None:
    while error is not None and not isinstance(error, Refusal):
        error = error.__cause__
    return error


def _pause_seconds(retry_after: str | None, attempt: int) -> float:
    """How long to wait: what the server says (seconds or a date, RFC 9110), else twice as long each time."""
    if retry_after is not None:
        with suppress(ValueError):
            return max(0.0, float(retry_after))
        with suppress(ValueError, TypeError):
            until = parsedate_to_datetime(retry_after)
            return max(0.0, (until - datetime.now(until.tzinfo or UTC)).total_seconds())
    return float(FIRST_PAUSE_SECONDS * 2**attempt)
