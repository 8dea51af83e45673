"""The audio of what is kept, with its rows: no row of a sound is ever without its file, no file stays that no row is about."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from comparisons.history.database import Database, HistoryError
from comparisons.history.sounds import Sounds, name_of, pcm
from runners.base import Clip


class Audio:
    """One for a history; any thread may use it."""

    def __init__(self, database: Database, sounds: Sounds, *, is_kept: bool) -> None:
        """
        Args:
            is_kept: False where nobody's voice is to stay: rows know their sound by name all the same.
        """
        self._database = database
        self._sounds = sounds
        self._is_kept = is_kept

    @contextmanager
    def placing(self, clip: Clip) -> Iterator[tuple[sqlite3.Connection, str]]:
        """A connection that may write, and the name of the clip's sound, whose row and audio are in place.

        Long audio is written before anybody waits for it; what is swept away meanwhile is written again.

        Raises:
            HistoryError: it cannot be written.
        """
        samples = pcm(clip)
        sound = name_of(samples)
        half: Path | None = None
        try:
            while True:
                there = self._sounds.path(sound).is_file()
                if self._is_kept and not there and half is None:
                    half = self._sounds.written(samples)
                with self._database.write() as connection:
                    there = self._sounds.path(sound).is_file()
                    if self._is_kept and not there and half is None:
                        continue
                    if half is not None and not there:
                        self._sounds.place(half, sound)
                    size = self._sounds.path(sound).stat().st_size if self._is_kept else None
                    connection.execute(
                        "INSERT INTO sounds (sha256, seconds, bytes) VALUES (?, ?, ?)"
                        " ON CONFLICT (sha256) DO UPDATE SET bytes = coalesce(excluded.bytes, bytes)",
                        (sound, clip.seconds, size),
                    )
                    yield connection, sound
                return
        except OSError as error:
            raise disk_fault(error) from error
        finally:
            if half is not None:
                with suppress(OSError):
                    half.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Delete audio that no row is about: what was placed when somebody pulled the plug.

        Raises:
            HistoryError: it cannot be deleted.
        """
        try:
            self._sounds.drop_halves()
            with self._database.read() as connection:
                known = {row["sha256"] for row in connection.execute("SELECT sha256 FROM sounds WHERE bytes IS NOT NULL")}
            self.drop([name for name in self._sounds.names() if name not in known])
        except OSError as error:
            raise disk_fault(error) from error

    @staticmethod
    def forget_unneeded(connection: sqlite3.Connection) -> list[str]:
        """Delete the rows of sounds that nothing is about any more; their names, for ``drop`` once that is written."""
        unneeded = connection.execute(
            "DELETE FROM sounds WHERE NOT EXISTS (SELECT 1 FROM comparisons WHERE sound = sha256)"
            " AND NOT EXISTS (SELECT 1 FROM conversations WHERE sound = sha256)"
            " AND NOT EXISTS (SELECT 1 FROM review_clips WHERE sound = sha256) RETURNING sha256"
        )
        return [row["sha256"] for row in unneeded]

    def drop(self, names: Sequence[str]) -> None:
        """Delete the audio of sounds that no row is about any more, unless one has come meanwhile.

        Raises:
            HistoryError: it cannot be deleted.
        """
        if not names:
            return
        try:
            with self._database.write() as connection:
                for name in names:
                    if connection.execute("SELECT 1 FROM sounds WHERE sha256 = ?", (name,)).fetchone() is None:
                        self._sounds.drop(name)
        except OSError as error:
            raise disk_fault(error) from error


def disk_fault(error: OSError) -> HistoryError:
    """What the disk says of the audio, in plain words."""
    return HistoryError(
        f"The history cannot be kept: {error.strerror or error} ({error.filename}).",
        "See how much room the disk has, and who may write there.",
    )
