"""The history's file: SQLite, made for being killed at any moment.

What is written is there once ``write`` has ended, also after a power cut: the log is synced to the disk at each commit. Many
threads and several processes (a page, a command line) may use it at once; one writes at a time, nobody waits to read.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from comparisons.history.migrations import MIGRATIONS
from runners.base import RunnerError

FILE = "earshot.db"
WAIT_SECONDS = 30.0
"""How long a writer waits for another process."""
OURS = 0x45415253
"""SQLite's ``application_id`` of the file: "EARS"."""
MOST_IDLE = 8
"""Connections that stay open; opening one costs more than most questions do."""

_ELSEWHERE = "Name another folder with EARSHOT_HISTORY_FOLDER, or keep nothing with EARSHOT_HISTORY=0."


class HistoryError(RunnerError):
    """The history cannot be opened, read or written to; says what to do."""


class Database:
    """One for a folder and process."""

    def __init__(self, folder: Path, steps: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
        """Open the file, which is made if there is none, and bring it to the newest version.

        Args:
            steps: statements that make each version from the one before.

        Raises:
            HistoryError: the folder cannot be written to, the file is damaged, another program's, or a newer Earshot's.
        """
        self.folder = folder
        self.path = folder / FILE
        self._writing = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._idle_lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # what people said is for nobody else's eyes
        except OSError as error:
            raise HistoryError(f"History cannot be kept in {folder}: {error.strerror}.", _ELSEWHERE) from error
        try:
            connection = self._connected()
            try:
                self._migrate(connection, steps)
            except BaseException:
                connection.close()
                raise
            self._idle.append(connection)
        except sqlite3.Error as error:
            raise self._fault(error) from error

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees the file as it is now, whatever is written meanwhile.

        Raises:
            HistoryError: the file cannot be read.
        """
        with self._lent() as connection, self._told():
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A connection that alone may write; all of it is kept when this ends, or nothing if it ends with an error.

        Raises:
            HistoryError: the file cannot be written to.
            sqlite3.IntegrityError: what is written contradicts what there is, such as a second row of the same key.
        """
        with self._writing, self._lent() as connection, self._told():
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite ends it by itself where the disk is full
                    connection.execute("ROLLBACK")
                raise

    def forget_deleted(self) -> None:
        """Leave nothing on the disk of what was deleted: neither in the index nor in the log.

        Raises:
            HistoryError: the file cannot be written to.
        """
        with self.write() as connection:
            connection.execute("INSERT INTO texts (texts) VALUES ('optimize')")  # deleted words stay until parts are merged
        with self._writing, self._lent() as connection, self._told():
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close what is open; the database can be used again all the same."""
        with self._idle_lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        """A connection that nobody else uses meanwhile."""
        with self._idle_lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            with self._told():
                connection = self._connected()
        try:
            yield connection
        finally:
            with self._idle_lock:
                stays = not connection.in_transaction and len(self._idle) < MOST_IDLE
                if stays:
                    self._idle.append(connection)
            if not stays:
                connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's faults in plain words."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        for pragma in ("foreign_keys = ON", "synchronous = FULL", "secure_delete = ON", "cache_size = -16000"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _migrate(self, connection: sqlite3.Connection, steps: tuple[tuple[str, ...], ...]) -> None:
        version = self._version(connection, len(steps))  # before anything is changed
        connection.execute("PRAGMA journal_mode = WAL")
        if version == len(steps):
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            for number in range(self._version(connection, len(steps)), len(steps)):  # another process may have been first
                for statement in steps[number]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number + 1:d}")
            connection.execute(f"PRAGMA application_id = {OURS:d}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _version(self, connection: sqlite3.Connection, newest: int) -> int:
        """
        Raises:
            HistoryError: the file is another program's, or a newer Earshot's.
        """
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        whose = int(connection.execute("PRAGMA application_id").fetchone()[0])
        has_tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0
        if whose != OURS and (has_tables or version or whose):
            raise HistoryError(f"{self.path} is another program's file.", _ELSEWHERE)
        if version > newest:
            raise HistoryError(
                f"{self.path} was written by a newer Earshot (version {version}; this one knows up to {newest}). It was left"
                " as it is.",
                f"Update Earshot. {_ELSEWHERE}",
            )
        return version

    def _fault(self, error: sqlite3.Error) -> HistoryError:
        said = str(error)
        if "not a database" in said or "malformed" in said:
            return HistoryError(
                f"{self.path} is damaged, or no database.", f"Move it away, or put a copy in its place. {_ELSEWHERE}"
            )
        if "full" in said:
            return HistoryError(f"The disk of {self.path} is full.", f"Free some room. {_ELSEWHERE}")
        if "locked" in said:
            return HistoryError(f"{self.path} is held by another process.", "Try again.")
        return HistoryError(f"{self.path} cannot be used: {said}.", f"See who may write there. {_ELSEWHERE}")
