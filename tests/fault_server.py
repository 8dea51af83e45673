"""A stand-in for an OpenAI-style server on this machine, which answers each request with the next step of a script."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    """What was asked."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str | bytes]:
        """The fields of a multipart form; files as bytes, a field that comes twice as its last."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        parts = BytesParser().parsebytes(head + self.body).get_payload()
        fields: dict[str, str | bytes] = {}
        for part in parts:
            name = part.get_param("name", header="content-disposition")
            value = part.get_payload(decode=True)
            fields[name] = value if part.get_filename() else value.decode()
        return fields


@dataclass(frozen=True)
class Answer:
    """One step of a script."""

    body: bytes = b""
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Sequence[bytes] = ()
    """Sent one after the other in chunks, after ``body``."""
    pause_seconds: float = 0.0
    """Before each piece."""
    hangs: bool = False
    """Nothing more comes after the pieces, until the client goes or the server ends."""
    breaks: bool = False
    """The connection is closed after the pieces, without an end."""
    endless: bytes = b""
    """Sent over and over after the pieces."""
    starts: threading.Event | None = None
    """Waited for before anything is said."""


def said(content: object, **rest: Any) -> Answer:
    """JSON."""
    return Answer(json.dumps(content).encode(), **rest)


def refused(status: int, message: str = "no", code: str | None = None, **headers: str) -> Answer:
    """A status that is no success, as OpenAI's service words it."""
    return said({"error": {"message": message, "code": code}}, status=status, headers=headers)


def streamed(*contents: object, done: bool = True, **rest: Any) -> Answer:
    """Events of JSON, or of bare text, and the last word."""
    events = [f"data: {each if isinstance(each, str) else json.dumps(each)}\n\n".encode() for each in contents]
    if done:
        events.append(b"data: [DONE]\n\n")
    return Answer(kind="text/event-stream", pieces=events, **rest)


def delta(text: str | None = None, reason: str | None = None, **rest: Any) -> dict[str, Any]:
    """A chunk of a chat completion."""
    return {"choices": [{"index": 0, "delta": {} if text is None else {"content": text}, "finish_reason": reason}], **rest}


class FaultServer:
    """Answers with what ``answers`` holds, the last of them for ever, or with what ``answer`` makes of a request."""

    def __init__(self, address: str) -> None:
        self.base_url = f"{address}/v1"
        self.answers: list[Answer] = []
        self.answer: Callable[[Request], Answer] | None = None
        self.requests: list[Request] = []
        self.at_once = 0
        self.most_at_once = 0
        self.left = threading.Event()
        """A client went away in the middle of an answer."""
        self.asked = threading.Event()
        self.ending = threading.Event()
        self.lock = threading.Lock()

    def next(self, request: Request) -> Answer:
        with self.lock:
            self.requests.append(request)
            self.asked.set()
            if self.answer is not None:
                return self.answer(request)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Asked(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faults: FaultServer

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        faults = self.faults
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        with faults.lock:
            faults.at_once += 1
            faults.most_at_once = max(faults.most_at_once, faults.at_once)
        answer = faults.next(Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        if answer.starts is not None:
            answer.starts.wait(120)
        with faults.lock:  # before the client can know that it has been answered, and ask again
            faults.at_once -= 1
        try:
            self._send(answer)
        except OSError:
            faults.left.set()
            self.close_connection = True

    def _send(self, answer: Answer) -> None:
        is_chunked = bool(answer.pieces or answer.endless or answer.hangs or answer.breaks)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        for name, value in answer.headers.items():
            self.send_header(name.replace("_", "-"), value)
        if not is_chunked:
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._chunk(answer.body)
        for piece in answer.pieces:
            if self.faults.ending.wait(answer.pause_seconds):
                return
            self._chunk(piece)
        while answer.endless and not self.faults.ending.is_set():
            self._chunk(answer.endless)
        if answer.hangs:
            self._wait_until_left()
        if answer.hangs or answer.breaks:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, piece: bytes) -> None:
        if piece:
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.flush()

    def _wait_until_left(self) -> None:
        self.connection.settimeout(0.05)
        while not self.faults.ending.is_set():
            with suppress(TimeoutError):
                if not self.connection.recv(1):
                    self.faults.left.set()
                    return

    def log_message(self, *arguments: object) -> None: ...


@contextmanager
def fault_server() -> Iterator[FaultServer]:
    """A server on a free port of this machine, until the block is left."""

    class Asked(_Asked):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    server.daemon_threads = True
    Asked.faults = faults = FaultServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield faults
    finally:
        faults.ending.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
