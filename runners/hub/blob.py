"""One large file from the hub, taken up again where an earlier attempt left it.

The hub's own client begins a file anew each time. Here what has come stays beside the cache's finished files, under
a name that ends in ``hub.PART_ENDING``; the rest is asked for by its place, and what was put together is checked by its hash.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners.base import Cancelled
from runners.hub.cache import PART_ENDING

_PIECE_BYTES = 1 << 20
_ATTEMPTS = 6
"""In a row that bring nothing; then it is given up. The waits between them double from half a second: 15 s in all."""
_FIRST_WAIT_SECONDS = 0.5
SILENT_SECONDS = 15.0
"""Nothing came for so long: the connection is made anew. The client itself would wait for ever."""
_LOOK_SECONDS = 0.2
_AGAIN = frozenset({"TransportError", "ConnectionError", "_CutShort"})
"""Kinds of errors, by name, after which the same request may succeed; the client's own library has changed its names once."""
_BUSY = frozenset({408, 429, 500, 502, 503, 504})


class _CutShort(Exception):
    """The answer ended before the file did."""


class DamagedFile(OSError):
    """What came is not what the hub says it is: longer, or twice of another content."""


@dataclass(frozen=True)
class LargeFile:
    """A file of a repository, and where it goes."""

    url: str
    blob: Path
    """In the cache's folder of finished files, under the name the hub has for its content."""
    lock: Path
    """Where the hub's client has its lock for the same file."""
    size_bytes: int

    @property
    def part(self) -> Path:
        return self.blob.with_name(self.blob.name + PART_ENDING)

    @property
    def sha256(self) -> str | None:
        """Of the content, where the name says so; small files are named by other hashes."""
        return self.blob.name if re.fullmatch(r"[0-9a-f]{64}", self.blob.name) else None


def fetch(file: LargeFile, stopped: threading.Event, tell: Callable[[int], None]) -> None:
    """Fetch what is not here of one file; returns when it is here, whole.

    Args:
        stopped: set it to stop; noticed with the next megabyte, or when the network has been silent for a while.
        tell: gets the bytes that are here, again and again.

    Raises:
        Cancelled: ``stopped`` was set. What has come stays for the next attempt.
        OSError: no room, no permission; ``DamagedFile``.
        Exception: whatever the hub's client raises.
    """
    file.part.parent.mkdir(parents=True, exist_ok=True)
    file.lock.parent.mkdir(parents=True, exist_ok=True)
    with _alone(file, stopped, tell):
        if file.blob.is_file():
            tell(file.size_bytes)
            return
        for is_last in (False, True):
            was_begun = _size(file.part) > 0
            _receive(file, stopped, tell)
            if not was_begun or _is_sound(file, stopped):
                break
            file.part.unlink(missing_ok=True)
            if is_last:
                raise DamagedFile(f"{file.blob.name} is damaged")
        os.replace(file.part, file.blob)  # noqa: PTH105  # whoever looks meanwhile sees a whole file or none


@contextmanager
def _alone(file: LargeFile, stopped: threading.Event, tell: Callable[[int], None]) -> Iterator[None]:
    """Hold the file's lock; while another process has it, say how far that one is."""
    from filelock import FileLock, Timeout

    lock = FileLock(file.lock, mode=0o664)
    while True:
        try:
            lock.acquire(timeout=_LOOK_SECONDS)
            break
        except Timeout:
            _check(stopped)
            tell(_size(file.part))
    try:
        yield
    finally:
        lock.release()


def _receive(file: LargeFile, stopped: threading.Event, tell: Callable[[int], None]) -> None:
    """Append to the part until it is as long as the file. A connection that breaks is made again, while data come."""
    failures = 0
    while (here := min(_size(file.part), file.size_bytes)) < file.size_bytes:
        _check(stopped)
        tell(here)
        try:
            _stream(file, here, stopped, tell)
        except Exception as error:  # the client's libraries have no error in common
            if not _may_try_again(error):
                raise
            failures = failures + 1 if _size(file.part) <= here else 1
            if failures >= _ATTEMPTS:
                raise
            if stopped.wait(_FIRST_WAIT_SECONDS * 2 ** (failures - 1)):
                raise Cancelled from error
    if _size(file.part) > file.size_bytes:  # an earlier attempt at another file of the same name
        file.part.unlink()
        _receive(file, stopped, tell)
    tell(file.size_bytes)


def _stream(file: LargeFile, start: int, stopped: threading.Event, tell: Callable[[int], None]) -> None:
    """One request for what is left."""
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    session = get_session()
    with session.stream("GET", file.url, headers=headers, follow_redirects=True, timeout=SILENT_SECONDS) as response:
        hf_raise_for_status(response)
        here = start if response.status_code == 206 and _starts_at(response, start) else 0  # a server may send all of it
        with file.part.open("r+b" if here else "wb") as out:
            out.seek(here)
            for piece in response.iter_bytes(chunk_size=_PIECE_BYTES):
                if here + len(piece) > file.size_bytes:  # the room on the disk was looked at for so many
                    raise DamagedFile(f"{file.blob.name} is longer than it should be")
                out.write(piece)
                here += len(piece)
                tell(min(here, file.size_bytes))
                _check(stopped)
    if here < file.size_bytes:
        raise _CutShort


def _starts_at(response: Any, start: int) -> bool:
    named = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return named is not None and int(named.group(1)) == start


def _may_try_again(error: Exception) -> bool:
    if {cls.__name__ for cls in type(error).__mro__} & _AGAIN:
        return True
    return getattr(getattr(error, "response", None), "status_code", None) in _BUSY


def _is_sound(file: LargeFile, stopped: threading.Event) -> bool:
    """True if the content has the hash that it is named by, or is named by none."""
    if file.sha256 is None:
        return True
    found = hashlib.sha256()
    with file.part.open("rb") as part:
        while piece := part.read(_PIECE_BYTES):
            _check(stopped)
            found.update(piece)
    return found.hexdigest() == file.sha256


def _check(stopped: threading.Event) -> None:
    if stopped.is_set():
        raise Cancelled


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
