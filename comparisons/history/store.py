"""The history: finished comparisons kept, changed, found and opened again.

Everything is somebody's: each question says whose, and what is another's does not exist for it.
"""

from __future__ import annotations

import sqlite3
import uuid
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from comparisons.compare import Comparison
from comparisons.history import rows
from comparisons.history.audio import Audio, disk_fault
from comparisons.history.bin import Bin
from comparisons.history.conversations import Conversations
from comparisons.history.database import Database, HistoryError
from comparisons.history.kept import Kept, Page, Revision, Whose
from comparisons.history.rows import NotKept
from comparisons.history.searching import question
from comparisons.history.sounds import Sounds
from comparisons.reading import NotAComparison, Opened, from_json
from runners.base import Clip

MOST_REVISIONS = 100
"""Of a comparison; older ones give way, but the first stays."""
LONGEST_TITLE, LONGEST_NOTES, LONGEST_TAG, MOST_TAGS = 200, 20_000, 40, 20


class Refused(HistoryError):
    """A title, note or tag is not taken."""


class History:
    """One for a folder and process; any thread may use it."""

    def __init__(self, folder: Path, *, keeps_audio: bool = True) -> None:
        """Open the history of a folder, or begin one there.

        Raises:
            HistoryError: the folder cannot be written to, or the file is damaged, another program's, or a newer Earshot's.
        """
        self.database = Database(folder)
        try:
            self.sounds = Sounds(folder)
            self._audio = Audio(self.database, self.sounds, is_kept=keeps_audio)
            self.bin = Bin(self.database, self._audio)
            self.conversations = Conversations(self.database, self._audio)
            self.bin.purge()
            self._audio.sweep()
        except BaseException as error:
            self.database.close()
            if isinstance(error, OSError):
                raise disk_fault(error) from error
            raise

    def close(self) -> None:
        """Close the file; what was asked for is on the disk already."""
        self.database.close()

    def keep(self, comparison: Comparison, clip: Clip, owner: str) -> str:
        """Keep a finished comparison, whole or not at all, and give the id that it has from now on.

        Raises:
            HistoryError: it cannot be written.
        """
        id, now, document = uuid.uuid4().hex, rows.now(), rows.packed(comparison)
        with self._audio.placing(clip) as (connection, sound):
            cursor = connection.execute(
                "INSERT INTO comparisons (id, owner, made_at, changed_at, source, seconds, sound, summary, document)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    id,
                    owner,
                    now,
                    now,
                    rows.clean(comparison.source),
                    comparison.seconds,
                    sound,
                    rows.summary(comparison),
                    document,
                ),
            )
            number = cursor.lastrowid
            connection.execute(
                "INSERT INTO texts (rowid, title, source, systems, tags, notes, reference, transcripts)"
                " VALUES (?, '', ?, ?, '', '', ?, ?)",
                (number, rows.searched(comparison.source), *rows.texts(comparison)),
            )
            rows.keep_systems(connection, number, comparison)
        return id

    def change(self, id: str, comparison: Comparison, whose: Whose) -> None:
        """Keep what a comparison has become: scored otherwise, its reference edited, with one more contender. What it was
        becomes a revision; where nothing has changed nothing happens.

        Raises:
            NotKept: there is none, or it is in the bin.
            HistoryError: it cannot be written.
        """
        document = rows.packed(comparison)
        with self.database.write() as connection:
            row = rows.found(connection, "number, changed_at, document", id, whose)
            if row["document"] == document:
                return
            number = row["number"]
            connection.execute(
                "INSERT INTO revisions (comparison, made_at, document) VALUES (?, ?, ?)",
                (number, row["changed_at"], row["document"]),
            )
            connection.execute(
                "DELETE FROM revisions WHERE comparison = :one AND number NOT IN (SELECT number FROM revisions WHERE"
                " comparison = :one ORDER BY number DESC LIMIT :most) AND number > (SELECT min(number) FROM revisions WHERE"
                " comparison = :one)",
                {"one": number, "most": MOST_REVISIONS - 1},
            )
            connection.execute(
                "UPDATE comparisons SET changed_at = ?, summary = ?, document = ? WHERE number = ?",
                (rows.now(), rows.summary(comparison), document, number),
            )
            connection.execute(
                "UPDATE texts SET systems = ?, reference = ?, transcripts = ? WHERE rowid = ?",
                (*rows.texts(comparison), number),
            )
            connection.execute("DELETE FROM systems WHERE comparison = ?", (number,))
            rows.keep_systems(connection, number, comparison)

    def get(self, id: str, whose: Whose) -> Kept:
        """A kept comparison as the list shows it, also one in the bin.

        Raises:
            NotKept: there is none.
        """
        with self.database.read() as connection:
            return rows.kept(connection, rows.found(connection, rows.ROW, id, whose, in_bin=None))

    def comparison(self, id: str, whose: Whose, revision: int | None = None) -> Opened:
        """A kept comparison as it was, scored anew, and what could not be as it was. It knows its id (``kept_as``).

        Args:
            revision: number of one of its ``revisions``; None: as it is now.

        Raises:
            NotKept: there is none, or it is in the bin.
            HistoryError: it cannot be read.
        """
        with self.database.read() as connection:
            row = rows.found(connection, "number, document, sound", id, whose)
            document = row["document"]
            if revision is not None:
                earlier = connection.execute(
                    "SELECT document FROM revisions WHERE comparison = ? AND number = ?", (row["number"], revision)
                ).fetchone()
                if earlier is None:
                    raise NotKept
                document = earlier["document"]
        try:
            opened = from_json(zlib.decompress(document))
        except (NotAComparison, zlib.error) as error:
            raise HistoryError(f"This comparison cannot be read: {error}", "Its file in the history is damaged.") from error
        remarks = opened.remarks
        if not self.sounds.path(row["sound"]).is_file():
            remarks += ("Its audio is not kept: no word can be heard, and no system can run on it.",)
        return replace(opened, comparison=replace(opened.comparison, kept_as=id), remarks=remarks)

    def revisions(self, id: str, whose: Whose) -> tuple[Revision, ...]:
        """What a comparison was before, the newest first.

        Raises:
            NotKept: there is none, or it is in the bin.
        """
        with self.database.read() as connection:
            number = rows.found(connection, "number", id, whose)["number"]
            found = connection.execute(
                "SELECT number, made_at FROM revisions WHERE comparison = ? ORDER BY number DESC", (number,)
            ).fetchall()
        return tuple(Revision(row["number"], rows.time(row["made_at"])) for row in found)

    def list(
        self,
        whose: Whose,
        *,
        search: str = "",
        tag: str | None = None,
        system: str | None = None,
        deleted: bool = False,
        limit: int = 50,
        offset: int = 0,
    ) -> Page:
        """Kept comparisons, the newest first.

        Args:
            search: words, or how words begin, that must all be in its texts: title, file name, systems, tags, notes,
                reference, transcripts. None of it is syntax.
            tag: one that it must have.
            system: name of a contender that it must have.
            deleted: those in the bin instead.
        """
        wanted, values = rows.where(whose, in_bin=deleted)
        if search.strip():
            looked_for = question(search)
            if looked_for is None:  # nothing in it is a word
                return Page((), 0)
            wanted.append("number IN (SELECT rowid FROM texts WHERE texts MATCH ?)")
            values.append(looked_for)
        for table, column, value in (("tags", "tag", tag), ("systems", "name", system)):
            if value is not None:
                wanted.append(f"EXISTS (SELECT 1 FROM {table} WHERE comparison = comparisons.number AND {column} = ?)")  # noqa: S608
                values.append(rows.clean(value))
        which = " AND ".join(wanted)
        with self.database.read() as connection:
            total = connection.execute(f"SELECT count(*) FROM comparisons WHERE {which}", values).fetchone()[0]  # noqa: S608  # our own words
            found = connection.execute(
                f"SELECT {rows.ROW} FROM comparisons WHERE {which} ORDER BY number DESC LIMIT ? OFFSET ?",  # noqa: S608
                (*values, limit, offset),
            ).fetchall()
            return Page(tuple(rows.kept(connection, row) for row in found), total)

    def tags(self, whose: Whose) -> tuple[str, ...]:
        """The tags of all that is not in the bin, in order."""
        return tuple(row["tag"] for row in self._distinct("tag", "tags", whose))

    def systems(self, whose: Whose) -> tuple[tuple[str, str], ...]:
        """(name, label) of every system in what is not in the bin, in the order of their labels."""
        found = {row["name"]: row["label"] for row in self._distinct("name, label", "systems", whose)}
        return tuple(sorted(found.items(), key=lambda pair: (pair[1].casefold(), pair[0])))

    def same_clip(self, id: str, whose: Whose) -> tuple[Kept, ...]:
        """The other comparisons over the same sound, the newest first.

        Raises:
            NotKept: there is none of that id, or it is in the bin.
        """
        with self.database.read() as connection:
            row = rows.found(connection, "number, sound", id, whose)
            wanted, values = rows.where(whose)
            found = connection.execute(
                f"SELECT {rows.ROW} FROM comparisons WHERE {' AND '.join(wanted)} AND sound = ? AND number <> ?"  # noqa: S608
                " ORDER BY number DESC",
                (*values, row["sound"], row["number"]),
            ).fetchall()
            return tuple(rows.kept(connection, each) for each in found)

    def rename(self, id: str, title: str | None, whose: Whose) -> None:
        """Call a comparison otherwise; None, or nothing but white space, calls it by its clip again.

        Raises:
            NotKept: there is none, or it is in the bin.
            Refused: the title is too long.
        """
        said = rows.clean(" ".join((title or "").split()))
        if len(said) > LONGEST_TITLE:
            raise Refused(
                f"This title is longer than {LONGEST_TITLE} characters.", "Put what else there is to say into the notes."
            )
        with self.database.write() as connection:
            number = rows.found(connection, "number", id, whose)["number"]
            connection.execute("UPDATE comparisons SET title = ? WHERE number = ?", (said or None, number))
            connection.execute("UPDATE texts SET title = ? WHERE rowid = ?", (rows.searched(said), number))

    def set_notes(self, id: str, notes: str, whose: Whose) -> None:
        """Write something down beside a comparison, in place of what stood there.

        Raises:
            NotKept: there is none, or it is in the bin.
            Refused: they are too long.
        """
        said = rows.clean(notes.strip())
        if len(said) > LONGEST_NOTES:
            raise Refused(f"These notes are longer than {LONGEST_NOTES:,} characters.", "Shorten them.")
        with self.database.write() as connection:
            number = rows.found(connection, "number", id, whose)["number"]
            connection.execute("UPDATE comparisons SET notes = ? WHERE number = ?", (said, number))
            connection.execute("UPDATE texts SET notes = ? WHERE rowid = ?", (rows.searched(said), number))

    def set_tags(self, id: str, tags: Iterable[str], whose: Whose) -> None:
        """Give a comparison these tags, each once, and no others.

        Raises:
            NotKept: there is none, or it is in the bin.
            Refused: there are too many, or one is too long.
        """
        said = tuple(dict.fromkeys(filter(None, (rows.clean(" ".join(tag.split())) for tag in tags))))
        if len(said) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in said):
            raise Refused(
                f"At most {MOST_TAGS} tags are taken, of {LONGEST_TAG} characters each.", "Take fewer, or shorter ones."
            )
        with self.database.write() as connection:
            number = rows.found(connection, "number", id, whose)["number"]
            connection.execute("DELETE FROM tags WHERE comparison = ?", (number,))
            connection.executemany("INSERT INTO tags VALUES (?, ?)", [(number, tag) for tag in said])
            connection.execute("UPDATE texts SET tags = ? WHERE rowid = ?", (rows.searched(" \n".join(said)), number))

    def audio(self, id: str, whose: Whose) -> Path | None:
        """The audio of a comparison's clip, FLAC; None if it is not kept.

        Raises:
            NotKept: there is no such comparison, or it is in the bin.
        """
        with self.database.read() as connection:
            path = self.sounds.path(rows.found(connection, "sound", id, whose)["sound"])
        return path if path.is_file() else None

    def clip(self, id: str, whose: Whose) -> Clip | None:
        """The clip of a comparison as systems hear it, for one more to hear; None if its audio is not kept.

        Raises:
            NotKept: there is no such comparison, or it is in the bin.
            HistoryError: it cannot be read.
        """
        comparison = self.comparison(id, whose).comparison
        path = self.audio(id, whose)
        if path is None:
            return None
        try:
            samples = self.sounds.read(path.stem)
        except OSError as error:
            raise disk_fault(error) from error
        reference = comparison.reference.text if comparison.reference is not None else None
        return Clip(
            samples,
            comparison.seconds,
            comparison.source,
            reference=reference,
            language=comparison.language,
            warnings=comparison.warnings,
        )

    def _distinct(self, columns: str, table: str, whose: Whose) -> Sequence[sqlite3.Row]:
        wanted, values = rows.where(whose)
        with self.database.read() as connection:
            return connection.execute(
                f"SELECT DISTINCT {columns} FROM {table} JOIN comparisons ON comparison = comparisons.number"  # noqa: S608
                f" WHERE {' AND '.join(wanted)} ORDER BY 1",
                values,
            ).fetchall()
