"""The reviews of a history: made from kept comparisons, opened by judges with a link, voted on once.

In the history's own file, so that a vote is on the disk before its judge is thanked. What a judge may know of a review comes
from ``review.Review.task`` alone; this module never gives a name to whoever has only a link.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sqlite3
import threading
import uuid
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from comparisons.history import rows
from comparisons.history.database import HistoryError
from comparisons.history.kept import EVERYBODY, Whose
from comparisons.history.store import History
from comparisons.reviews.ballots import Ballot, Cast, WordMark
from comparisons.reviews.review import METHODS, Judge, Method, Review, ReviewClip, ReviewError, checked, new_seed, review_clip

MOST_CLIPS = 100
"""Of one review; a judge has an hour's patience at the most."""
MOST_JUDGES = 1000
LONGEST_NAME = 60
"""Characters of a judge's name."""
MOST_READ = 8
"""Reviews that stay read for their next judge; an hour in eight columns takes a while to read."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")  # 192 bits
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 bits


class NoReview(HistoryError):
    """There is no such review, or it is somebody else's: nobody learns which."""

    def __init__(self) -> None:
        super().__init__("There is no such review.", "It may have been deleted.")


class VoteRefused(HistoryError):
    """A vote, or a judge, is not taken; says why in plain words."""


@dataclass(frozen=True)
class Held:
    """A review as its owner's list shows it."""

    id: str
    title: str
    """Untrusted."""
    method: Method
    made_at: datetime
    """In UTC."""
    closed_at: datetime | None
    """When the last vote could be cast; None while the review is open."""
    token: str | None
    """The secret part of the judges' link; None once it was withdrawn."""
    clips: int
    judges: int
    """Who have voted at least once."""
    ballots: int


@dataclass(frozen=True)
class Opened:
    """A review as its link opens it."""

    review: Review
    is_closed: bool
    """No more votes are taken, and it may be told whose texts they were."""


class Reviews:
    """The reviews of one history; any thread may use it."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._read: OrderedDict[str, Review] = OrderedDict()
        """Reviews by id, the one that was asked for last at the end: what is in a review never changes."""
        self._read_lock = threading.Lock()

    def make(
        self,
        comparisons: Sequence[str],
        whose: Whose,
        *,
        owner: str,
        title: str,
        method: Method,
        question: str = "",
        systems: Sequence[str] | None = None,
    ) -> str:
        """A new review of kept comparisons, in this order; gives its id. Its texts are copied: what becomes of the
        comparisons afterwards does not change it.

        Args:
            owner: key of whoever makes it.
            question: what judges are asked; empty asks what suits the method.
            systems: names of the contenders whose texts are judged; None takes all.

        Raises:
            NotKept: one of the comparisons is not there.
            ReviewError: it cannot be held; says why.
            HistoryError: it cannot be written.
        """
        if len(comparisons) > MOST_CLIPS:
            raise ReviewError(f"At most {MOST_CLIPS} clips can be reviewed at once: choose fewer.")
        ids = list(dict.fromkeys(comparisons))
        made = Review(
            id=uuid.uuid4().hex,
            title=rows.clean(" ".join(title.split())),
            question=rows.clean(" ".join(question.split())) or METHODS.get(method, ""),
            method=method,
            clips=tuple(self._clip(number, id, whose, systems) for number, id in enumerate(ids, 1)),
            seed=new_seed(),
        )
        checked(made)
        with self._history.database.write() as connection:
            connection.execute(
                "INSERT INTO reviews (id, owner, token, title, question, method, seed, made_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (made.id, owner, secrets.token_urlsafe(24), made.title, made.question, method, made.seed, rows.now()),
            )
            for clip, id in zip(made.clips, ids, strict=True):
                row = rows.found(connection, "sound", id, whose)
                connection.execute(
                    "INSERT INTO review_clips (review, number, comparison, sound, document) VALUES (?, ?, ?, ?, ?)",
                    (made.id, clip.number, id, row["sound"], rows.compressed(clip.to_dict())),
                )
        return made.id

    def list(self, whose: Whose) -> tuple[Held, ...]:
        """The reviews somebody made, the newest first."""
        mine, owner = _mine(whose)
        with self._history.database.read() as connection:
            found = connection.execute(f"{_HELD} WHERE {mine} ORDER BY made_at DESC, id", owner).fetchall()
        return tuple(_held(row) for row in found)

    def get(self, id: str, whose: Whose) -> Held:
        """A review as the list shows it.

        Raises:
            NoReview: there is none.
        """
        mine, owner = _mine(whose)
        with self._history.database.read() as connection:
            row = connection.execute(f"{_HELD} WHERE {mine} AND id = ?", (*owner, rows.clean(id))).fetchone()
        if row is None:
            raise NoReview
        return _held(row)

    def review(self, id: str, whose: Whose) -> Review:
        """A review whole, names and all: for its owner.

        Raises:
            NoReview: there is none.
            HistoryError: it cannot be read.
        """
        with self._history.database.read() as connection:
            return self._whole(connection, self._mine(connection, id, whose, "*"))

    def casts(self, id: str, whose: Whose) -> tuple[Cast, ...]:
        """Everything that judges have said, the first vote first.

        Raises:
            NoReview: there is none.
        """
        with self._history.database.read() as connection:
            method = self._mine(connection, id, whose, "method")["method"]
            marks: dict[tuple[str, int], list[WordMark]] = {}
            for row in connection.execute(
                "SELECT judge, clip, contender, place, word, comment FROM word_marks JOIN judges ON judge = judges.id"
                " WHERE review = ? ORDER BY contender, place",
                (id,),
            ):
                marks.setdefault((row["judge"], row["clip"]), []).append(
                    WordMark(row["contender"], row["place"], row["word"], row["comment"])
                )
            found = connection.execute(
                "SELECT judge, number, name, clip, choice, at FROM ballots JOIN judges ON judge = judges.id"
                " WHERE review = ? ORDER BY at, number, clip",
                (id,),
            ).fetchall()
        return tuple(
            Cast(
                Judge(row["judge"], row["number"], row["name"]),
                Ballot.from_choice(
                    method, row["clip"], json.loads(row["choice"]), tuple(marks.get((row["judge"], row["clip"]), ()))
                ),
                row["at"],
            )
            for row in found
        )

    def close(self, id: str, whose: Whose) -> None:
        """Take no more votes; from now on whoever has the link may learn whose the texts were. A review is closed for good.

        Raises:
            NoReview: there is none.
        """
        with self._history.database.write() as connection:
            self._mine(connection, id, whose)
            connection.execute("UPDATE reviews SET closed_at = coalesce(closed_at, ?) WHERE id = ?", (rows.now(), id))

    def withdraw(self, id: str, whose: Whose) -> None:
        """End the link at once. Votes stay.

        Raises:
            NoReview: there is none.
        """
        self._set_token(id, whose, None)

    def renew(self, id: str, whose: Whose) -> None:
        """A new link in place of the one there was, or was withdrawn. Who judged before can go on by it.

        Raises:
            NoReview: there is none.
        """
        self._set_token(id, whose, secrets.token_urlsafe(24))

    def delete(self, id: str, whose: Whose) -> None:
        """Delete a review for good, votes and all.

        Raises:
            NoReview: there is none.
        """
        with self._history.database.write() as connection:
            self._mine(connection, id, whose)
            connection.execute("DELETE FROM reviews WHERE id = ?", (id,))
        with self._read_lock:
            self._read.pop(id, None)
        self._history.bin.purge()  # audio that only this needed
        self._history.database.forget_deleted()

    # What somebody may do who has the link

    def open(self, token: str) -> Opened | None:
        """The review behind a link; None if there is none (any more).

        Raises:
            HistoryError: it cannot be read.
        """
        if not _TOKEN.fullmatch(token):
            return None
        with self._history.database.read() as connection:
            row = connection.execute("SELECT * FROM reviews WHERE token = ?", (token,)).fetchone()
            if row is None:
                return None
            return Opened(self._whole(connection, row), row["closed_at"] is not None)

    def join(self, review: Review, name: str | None = None) -> tuple[Judge, str]:
        """Somebody begins to judge; gives who they are from now on, and the secret that proves it.

        Raises:
            VoteRefused: the review is closed, its link withdrawn, or too many have joined.
        """
        judge, secret = uuid.uuid4().hex, secrets.token_urlsafe(32)
        said = rows.clean(" ".join((name or "").split()))[:LONGEST_NAME] or None
        with self._history.database.write() as connection:
            self._still_open(connection, review)
            last = connection.execute("SELECT coalesce(max(number), 0) FROM judges WHERE review = ?", (review.id,)).fetchone()[
                0
            ]
            if last >= MOST_JUDGES:
                raise VoteRefused(f"{MOST_JUDGES} have opened this review; it takes no more.", "Ask whoever made it.")
            connection.execute(
                "INSERT INTO judges (id, review, number, secret, name, made_at) VALUES (?, ?, ?, ?, ?, ?)",
                (judge, review.id, last + 1, _digest(secret), said, rows.now()),
            )
        return Judge(judge, last + 1, said), secret

    def judge(self, review: Review, secret: str) -> Judge | None:
        """Whoever has that secret, if they judge this review."""
        if not _SECRET.fullmatch(secret):
            return None
        with self._history.database.read() as connection:
            row = connection.execute(
                "SELECT id, number, name FROM judges WHERE review = ? AND secret = ?", (review.id, _digest(secret))
            ).fetchone()
        return Judge(row["id"], row["number"], row["name"]) if row is not None else None

    def voted(self, judge: Judge) -> frozenset[int]:
        """Numbers of the clips on which a judge has voted."""
        with self._history.database.read() as connection:
            return frozenset(row["clip"] for row in connection.execute("SELECT clip FROM ballots WHERE judge = ?", (judge.id,)))

    def cast(self, review: Review, judge: Judge, ballot: Ballot) -> None:
        """Take a judge's vote on a clip: once, and on the disk when this returns.

        Raises:
            VoteRefused: they have voted on it, judge another review, this one is closed, or its link was withdrawn.
        """
        at = rows.now()
        try:
            with self._history.database.write() as connection:
                self._still_open(connection, review)
                ours = connection.execute("SELECT 1 FROM judges WHERE id = ? AND review = ?", (judge.id, review.id))
                if ours.fetchone() is None:
                    raise VoteRefused("You do not judge this review.", "Load the page again.")
                connection.execute(
                    "INSERT INTO ballots (judge, clip, choice, at) VALUES (?, ?, ?, ?)",
                    (judge.id, ballot.clip, json.dumps(ballot.choice()), at),
                )
                connection.executemany(
                    "INSERT INTO word_marks (judge, clip, contender, place, word, comment, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [
                        (judge.id, ballot.clip, mark.contender, mark.at, rows.clean(mark.word), rows.clean(mark.comment), at)
                        for mark in ballot.marks
                    ],
                )
        except sqlite3.IntegrityError as error:
            raise VoteRefused("You have voted on this clip already.", "Go on with the next one.") from error

    def audio(self, review: Review, number: int) -> Path | None:
        """The audio of a clip, FLAC; None if there is no such clip."""
        if number not in {clip.number for clip in review.clips}:  # an address may bear a number that SQLite has no room for
            return None
        with self._history.database.read() as connection:
            row = connection.execute(
                "SELECT sound FROM review_clips WHERE review = ? AND number = ?", (review.id, number)
            ).fetchone()
        path = self._history.sounds.path(row["sound"]) if row is not None else None
        return path if path is not None and path.is_file() else None

    def _clip(self, number: int, id: str, whose: Whose, systems: Sequence[str] | None) -> ReviewClip:
        """A clip of a review, from a kept comparison.

        Raises:
            NotKept: it is not there.
            ReviewError: it cannot be heard.
        """
        comparison = self._history.comparison(id, whose).comparison
        if self._history.audio(id, whose) is None:
            raise ReviewError(f"The audio of {comparison.source} is not kept: nobody could judge it by ear.")
        if systems is not None:
            kept = tuple(column for column in comparison.columns if column.contender.name in systems)
            comparison = replace(comparison, columns=kept)
        return review_clip(number, comparison)

    def _whole(self, connection: sqlite3.Connection, row: sqlite3.Row) -> Review:
        """The review of a row, which was just found: one that is gone is not remembered."""
        with self._read_lock:
            review = self._read.pop(row["id"], None)
            if review is None:
                review = _review(connection, row)
            self._read[row["id"]] = review
            while len(self._read) > MOST_READ:
                self._read.popitem(last=False)
        return review

    def _set_token(self, id: str, whose: Whose, token: str | None) -> None:
        with self._history.database.write() as connection:
            self._mine(connection, id, whose)
            connection.execute("UPDATE reviews SET token = ? WHERE id = ?", (token, id))

    def _mine(self, connection: sqlite3.Connection, id: str, whose: Whose, columns: str = "id") -> sqlite3.Row:
        mine, owner = _mine(whose)
        row = connection.execute(f"SELECT {columns} FROM reviews WHERE {mine} AND id = ?", (*owner, rows.clean(id))).fetchone()  # noqa: S608
        if not isinstance(row, sqlite3.Row):
            raise NoReview
        return row

    @staticmethod
    def _still_open(connection: sqlite3.Connection, review: Review) -> None:
        row = connection.execute("SELECT token, closed_at FROM reviews WHERE id = ?", (review.id,)).fetchone()
        if row is None or row["token"] is None:
            raise VoteRefused("This review was withdrawn.", "Ask whoever sent you the link.")
        if row["closed_at"] is not None:
            raise VoteRefused("This review is closed: it takes no more votes.", "Load the page again to see what came of it.")


_HELD = (
    "SELECT id, title, method, made_at, closed_at, token,"
    " (SELECT count(*) FROM review_clips WHERE review = reviews.id) AS clips,"
    " (SELECT count(DISTINCT judge) FROM ballots JOIN judges ON judge = judges.id WHERE review = reviews.id) AS judges,"
    " (SELECT count(*) FROM ballots JOIN judges ON judge = judges.id WHERE review = reviews.id) AS ballots FROM reviews"
)


def _mine(whose: Whose) -> tuple[str, tuple[str, ...]]:
    """A condition on reviews, and its values."""
    return ("TRUE", ()) if whose is EVERYBODY or not isinstance(whose, str) else ("owner = ?", (whose,))


def _held(row: sqlite3.Row) -> Held:
    return Held(
        row["id"],
        row["title"],
        row["method"],
        rows.time(row["made_at"]),
        rows.time(row["closed_at"]) if row["closed_at"] is not None else None,
        row["token"],
        row["clips"],
        row["judges"],
        row["ballots"],
    )


def _review(connection: sqlite3.Connection, row: sqlite3.Row) -> Review:
    found = connection.execute("SELECT document FROM review_clips WHERE review = ? ORDER BY number", (row["id"],)).fetchall()
    try:
        clips = tuple(ReviewClip.from_dict(json.loads(zlib.decompress(each["document"]))) for each in found)
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise HistoryError("This review cannot be read.", "Its file in the history is damaged.") from error
    return Review(row["id"], row["title"], row["question"], row["method"], clips, row["seed"])


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
