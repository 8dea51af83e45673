"""Read-only links to kept comparisons: whoever has the address sees the comparison as it is now, and nothing else.

Made, listed and withdrawn by whoever owns the comparison. A link has the systems' names in it, or letters in place of them. It
is gone with its comparison, and while that is in the bin.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from comparisons.anonymous import anonymous
from comparisons.compare import Comparison
from comparisons.history import rows
from comparisons.history.database import HistoryError
from comparisons.history.kept import EVERYBODY, Whose
from comparisons.history.rows import NotKept
from comparisons.history.store import History
from runners.base import Clip

MOST_OF_ONE = 50
"""Links to one comparison."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")  # 192 bits


@dataclass(frozen=True)
class Link:
    """A link, as its owner sees it."""

    token: str
    """The secret part of its address."""
    comparison: str
    """Id of the comparison."""
    names: bool
    """Whether the systems' names are in it."""
    made_at: datetime
    """In UTC."""


@dataclass(frozen=True)
class Shared:
    """What a link shows."""

    comparison: Comparison
    title: str | None
    """What its owner calls it; None, so that nothing names a system, where there are letters. Untrusted."""
    notes: str
    """What its owner wrote about it; empty where there are letters. Untrusted."""
    clip: Clip | None
    """What is heard; None if the audio is not kept."""


class Links:
    """The links of one history; any thread may use it."""

    def __init__(self, history: History) -> None:
        self._history = history

    def make(self, id: str, whose: Whose, *, names: bool) -> Link:
        """A new link to a comparison.

        Raises:
            NotKept: there is no such comparison, or it is in the bin.
            HistoryError: it has too many, or cannot be written.
        """
        token, made_at = secrets.token_urlsafe(24), rows.now()
        with self._history.database.write() as connection:
            owner = rows.found(connection, "owner", id, whose)["owner"]
            count = connection.execute("SELECT count(*) FROM links WHERE comparison = ?", (id,)).fetchone()[0]
            if count >= MOST_OF_ONE:
                raise HistoryError(f"There are {count} links to this comparison.", "Withdraw one.")
            connection.execute(
                "INSERT INTO links (token, comparison, owner, names, made_at) VALUES (?, ?, ?, ?, ?)",
                (token, id, owner, int(names), made_at),
            )
        return Link(token, id, names, rows.time(made_at))

    def of(self, id: str, whose: Whose) -> tuple[Link, ...]:
        """The links to a comparison, the newest first.

        Raises:
            NotKept: there is no such comparison, or it is in the bin.
        """
        with self._history.database.read() as connection:
            rows.found(connection, "owner", id, whose)
            found = connection.execute(
                "SELECT token, names, made_at FROM links WHERE comparison = ? ORDER BY made_at DESC, token", (id,)
            ).fetchall()
        return tuple(Link(row["token"], id, bool(row["names"]), rows.time(row["made_at"])) for row in found)

    def withdraw(self, token: str, whose: Whose) -> None:
        """End a link at once; whoever opens it is told what somebody is told who made one up.

        Raises:
            NotKept: there is none, or it is another's.
        """
        mine, owner = ("", ()) if whose is EVERYBODY else (" AND owner = ?", (whose,))
        with self._history.database.write() as connection:
            if not connection.execute(f"DELETE FROM links WHERE token = ?{mine}", (rows.clean(token), *owner)).rowcount:  # noqa: S608
                raise NotKept

    def version(self, token: str) -> str | None:
        """Changes whenever what a link shows does; None if there is no such link (any more)."""
        if not _TOKEN.fullmatch(token):
            return None
        with self._history.database.read() as connection:
            row = connection.execute(
                "SELECT changed_at, title, notes FROM links JOIN comparisons ON comparison = id"
                " WHERE token = ? AND deleted_at IS NULL",
                (token,),
            ).fetchone()
        return repr(tuple(row)) if row is not None else None

    def open(self, token: str) -> Shared | None:
        """What a link shows; None if there is no such link (any more).

        Raises:
            HistoryError: the comparison cannot be read.
        """
        if not _TOKEN.fullmatch(token):
            return None
        with self._history.database.read() as connection:
            row = connection.execute("SELECT comparison, names FROM links WHERE token = ?", (token,)).fetchone()
        if row is None:
            return None
        id = row["comparison"]
        try:
            kept = self._history.get(id, EVERYBODY)
            comparison = self._history.comparison(id, EVERYBODY).comparison
            clip = self._history.clip(id, EVERYBODY)
        except NotKept:  # deleted
            return None
        if row["names"]:
            return Shared(comparison, kept.title, kept.notes, clip)
        return Shared(anonymous(comparison, f"{id}/{token}"), None, "", clip)  # the id is in no link
