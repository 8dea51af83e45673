"""A small stand-in for the Hugging Face hub on this machine: the few addresses that fetching a model asks for."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from runners.base import Cancelled

COMMIT = "c0ffee" * 6 + "0000"
CHUNK_BYTES = 1 << 20


@dataclass
class Hub:
    """What the server holds and what it saw."""

    files: dict[str, bytes]
    """By path inside the one repository, "somebody/model"."""
    errors: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By other models' ids: answer everything about them with this status and the hub's name for the fault."""
    stall_after: int | None = None
    """Stop in the middle of a large file after so many bytes, until ``release`` is set."""
    release: threading.Event = field(default_factory=threading.Event)
    cuts: list[int] = field(default_factory=list)
    """End the next answers with a large file after so many bytes each, in the middle of it."""
    takes_ranges: bool = True
    """False sends all of a file whatever part of it was asked for."""
    listed: dict[str, int] = field(default_factory=dict)
    """Sizes that the list of files tells, where they are not the true ones."""
    revision: str | None = None
    """The only branch, tag or reference there is; None answers to any."""
    asked: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    """Of the requests for a part of a file."""
    url: str = ""


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Answer for ``hub`` at ``hub.url`` until the block ends."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: Any) -> None:
            return

        def _send(self, status: int, body: bytes, headers: dict[str, str], *, with_body: bool = True, at: int = 0) -> None:
            """``at``: where the body begins in its file."""
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if not with_body:
                return
            cut = hub.cuts.pop(0) if hub.cuts and len(body) > CHUNK_BYTES else None
            for start in range(0, len(body), CHUNK_BYTES):
                if cut is not None and start >= cut:
                    self.close_connection = True
                    return
                if hub.stall_after is not None and at + start >= hub.stall_after:
                    hub.release.wait(120)
                try:
                    self.wfile.write(body[start : start + CHUNK_BYTES])
                except OSError:  # the client went away
                    return

        def do_HEAD(self) -> None:  # named by http.server
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            hub.asked.append(f"{self.command} {self.path}")
            refused = next((model for model in hub.errors if f"/{model}" in self.path), None)
            if refused is not None:
                status, name = hub.errors[refused]
                self._send(status, b"{}", {"X-Error-Code": name, "X-Error-Message": "refused"}, with_body=with_body)
                return
            path = self.path.partition("?")[0]
            named = re.search(r"/(?:revision|resolve|tree)/([^/]+)", path)
            if hub.revision is not None and (named is None or unquote(named.group(1)) not in {hub.revision, COMMIT}):
                self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"}, with_body=with_body)
                return
            if path.startswith("/api/models/somebody/model/tree/"):
                rows = [
                    {"type": "file", "path": name, "size": len(raw), "oid": hashlib.sha1(raw).hexdigest()}  # noqa: S324
                    for name, raw in hub.files.items()
                ]
                self._send(200, json.dumps(rows).encode(), {"Content-Type": "application/json"}, with_body=with_body)
            elif path.startswith("/api/models/somebody/model"):
                about: dict[str, Any] = {"id": "somebody/model", "modelId": "somebody/model", "sha": COMMIT, "tags": []}
                about["siblings"] = [
                    {"rfilename": name, "size": hub.listed.get(name, len(raw))} for name, raw in hub.files.items()
                ]
                self._send(200, json.dumps(about).encode(), {"Content-Type": "application/json"}, with_body=with_body)
            elif found := re.fullmatch(r"/somebody/model/resolve/[^/]+/(.+)", path):
                self._file(found.group(1), with_body=with_body)
            else:
                self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, with_body=with_body)

        def _file(self, name: str, *, with_body: bool) -> None:
            raw = hub.files.get(name)
            if raw is None:
                self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"}, with_body=with_body)
                return
            headers = {"ETag": f'"{_etag(raw)}"', "X-Repo-Commit": COMMIT}
            part = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
            if part is None or not with_body:
                self._send(200, raw, headers, with_body=with_body)
                return
            hub.ranges.append(part.group(1))
            if not hub.takes_ranges:
                self._send(200, raw, headers)
                return
            start = int(part.group(1))
            headers["Content-Range"] = f"bytes {start}-{len(raw) - 1}/{len(raw)}"
            self._send(206, raw[start:], headers, at=start)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.release.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


@lru_cache(maxsize=16)
def _etag(raw: bytes) -> str:
    """As the hub names small and large files."""
    digest = hashlib.sha1 if len(raw) < CHUNK_BYTES else hashlib.sha256
    return digest(raw).hexdigest()


class Reports:
    """Progress that remembers, and asks to stop after so many bytes."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.reports: list[tuple[int, int | None]] = []
        self._stop_after = stop_after

    def downloading(self, done_bytes: int, total_bytes: int | None) -> None:
        self.reports.append((done_bytes, total_bytes))

    def partial(self, text: str) -> None:
        raise AssertionError("a download says no text")

    def check(self) -> None:
        if self._stop_after is not None and self.reports and self.reports[-1][0] >= self._stop_after:
            raise Cancelled
