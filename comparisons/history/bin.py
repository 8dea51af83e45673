"""The bin: what was deleted can be had back for a day; then it is gone, audio and all."""

from __future__ import annotations

from comparisons.history import rows
from comparisons.history.audio import Audio
from comparisons.history.database import Database
from comparisons.history.kept import EVERYBODY, Whose

KEPT_SECONDS = 24 * 3600.0
"""How long what was deleted can be had back."""


class Bin:
    """The bin of a history."""

    def __init__(self, database: Database, audio: Audio) -> None:
        self._database = database
        self._audio = audio

    def put(self, id: str, whose: Whose) -> None:
        """Put a comparison into the bin, from which ``restore`` takes it for a day; then it is gone, audio and all.

        Raises:
            NotKept: there is none, or it is there already.
        """
        with self._database.write() as connection:
            number = rows.found(connection, "number", id, whose)["number"]
            connection.execute("UPDATE comparisons SET deleted_at = ? WHERE number = ?", (rows.now(), number))
        self.purge()

    def restore(self, id: str, whose: Whose) -> None:
        """Take a comparison out of the bin.

        Raises:
            NotKept: it is not there.
        """
        with self._database.write() as connection:
            number = rows.found(connection, "number", id, whose, in_bin=True)["number"]
            connection.execute("UPDATE comparisons SET deleted_at = NULL WHERE number = ?", (number,))

    def purge(self, whose: Whose = EVERYBODY, *, older_than_seconds: float = KEPT_SECONDS, id: str | None = None) -> int:
        """Delete for good what has been in the bin for so long, with its revisions, the audio that nothing else needs, and
        conversations about clips of which nothing is left; how many comparisons that were.

        Args:
            id: of the only one that goes.

        Raises:
            HistoryError: the file cannot be written to.
        """
        before = rows.now(-older_than_seconds)
        wanted, values = rows.where(whose, in_bin=True)
        if id is not None:
            wanted.append("id = ?")
            values.append(rows.clean(id))
        which = f"{' AND '.join(wanted)} AND deleted_at <= ?"
        with self._database.write() as connection:
            numbers = connection.execute(f"SELECT number FROM comparisons WHERE {which}", (*values, before)).fetchall()  # noqa: S608
            connection.executemany("DELETE FROM texts WHERE rowid = ?", [(row["number"],) for row in numbers])
            connection.executemany("DELETE FROM comparisons WHERE number = ?", [(row["number"],) for row in numbers])
            talks = connection.execute(
                "DELETE FROM conversations WHERE changed_at <= ? AND NOT EXISTS (SELECT 1 FROM comparisons WHERE"
                " comparisons.sound = conversations.sound AND comparisons.owner = conversations.owner)",
                (before,) if not numbers else (rows.now(),),
            ).rowcount
            unneeded = self._audio.forget_unneeded(connection)
        if numbers or talks:
            self._database.forget_deleted()
        self._audio.drop(unneeded)
        return len(numbers)
