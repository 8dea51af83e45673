"""What a kept comparison is in the tables, and how its rows are found."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from comparisons.compare import Comparison
from comparisons.history.database import HistoryError
from comparisons.history.kept import EVERYBODY, Kept, KeptSystem, Whose
from comparisons.history.searching import indexed
from comparisons.records import to_dict

ROW = (
    "number, id, owner, made_at, changed_at, deleted_at, title, source, comparisons.seconds, sound, notes, summary, "
    "(SELECT bytes FROM sounds WHERE sha256 = sound) AS bytes"
)


class NotKept(HistoryError):
    """There is no such comparison, or it is somebody else's: nobody learns which."""

    def __init__(self) -> None:
        super().__init__("There is no such comparison in your history.", "It may have been deleted.")


def packed(comparison: Comparison) -> bytes:
    """A comparison as a row holds it."""
    return compressed(to_dict(comparison))


def summary(comparison: Comparison) -> str:
    """What a list shows of a comparison, as JSON."""
    systems = [
        {
            "name": column.contender.name,
            "label": column.contender.label,
            "state": column.state,
            "rates": list(column.score.rates) if column.score is not None else [],
            "rtf": column.result.rtf if column.result is not None else None,
        }
        for column in comparison.columns
    ]
    return clean(
        json.dumps(
            {
                "systems": systems,
                "has_reference": comparison.reference is not None,
                "normaliser": comparison.normaliser.label,
                "language": comparison.language,
            },
            ensure_ascii=False,
        )
    )


def searched(text: str) -> str:
    """A text as it is put into the index."""
    return clean(indexed(text))


def clean(text: str) -> str:
    """A text that UTF-8 can hold: a file's name, or what a server says, may be none."""
    return text.encode("utf-8", "replace").decode()


def compressed(document: Mapping[str, Any]) -> bytes:
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return zlib.compress(text.encode("utf-8", "replace"), 6)


def texts(comparison: Comparison) -> tuple[str, str, str]:
    """Systems, reference and transcripts as the index takes them."""
    systems = [f"{column.contender.name} \n{column.contender.label}" for column in comparison.columns]
    heard = [column.result.transcript.text for column in comparison.columns if column.result and column.result.transcript]
    reference = comparison.reference.text if comparison.reference is not None else ""
    return searched(" \n".join(systems)), searched(reference), searched(" \n".join(heard))


def keep_systems(connection: sqlite3.Connection, number: int | None, comparison: Comparison) -> None:
    connection.executemany(
        "INSERT INTO systems (comparison, name, label) VALUES (?, ?, ?)",
        [(number, clean(column.contender.name), clean(column.contender.label)) for column in comparison.columns],
    )


def where(whose: Whose, *, in_bin: bool | None = False) -> tuple[list[str], list[Any]]:
    """Conditions, and the values that are bound to them."""
    wanted, values = [], []
    if whose is not EVERYBODY:
        wanted.append("owner = ?")
        values.append(whose)
    if in_bin is not None:
        wanted.append("deleted_at IS NOT NULL" if in_bin else "deleted_at IS NULL")
    return wanted or ["true"], values


def found(connection: sqlite3.Connection, columns: str, id: str, whose: Whose, *, in_bin: bool | None = False) -> sqlite3.Row:
    """
    Raises:
        NotKept: there is none of that id, or it is another's.
    """
    wanted, values = where(whose, in_bin=in_bin)
    row: sqlite3.Row | None = connection.execute(
        f"SELECT {columns} FROM comparisons WHERE id = ? AND {' AND '.join(wanted)}",  # noqa: S608  # our own words
        (clean(id), *values),
    ).fetchone()
    if row is None:
        raise NotKept
    return row


def kept(connection: sqlite3.Connection, row: sqlite3.Row) -> Kept:
    tags = connection.execute("SELECT tag FROM tags WHERE comparison = ? ORDER BY tag", (row["number"],)).fetchall()
    shown = json.loads(row["summary"])
    return Kept(
        id=row["id"],
        owner=row["owner"],
        made_at=time(row["made_at"]),
        changed_at=time(row["changed_at"]),
        deleted_at=time(row["deleted_at"]) if row["deleted_at"] is not None else None,
        title=row["title"],
        source=row["source"],
        seconds=row["seconds"],
        sound=row["sound"],
        has_audio=row["bytes"] is not None,
        systems=tuple(
            KeptSystem(
                each["name"], each["label"], each["state"], tuple((name, rate) for name, rate in each["rates"]), each["rtf"]
            )
            for each in shown["systems"]
        ),
        has_reference=shown["has_reference"],
        normaliser=shown["normaliser"],
        language=shown["language"],
        tags=tuple(each["tag"] for each in tags),
        notes=row["notes"],
    )


def now(later_seconds: float = 0.0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=later_seconds)).isoformat(timespec="milliseconds")


def time(written: str) -> datetime:
    return datetime.fromisoformat(written)
