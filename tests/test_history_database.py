"""The history's file: brought up to date, or refused and left alone; a kill at any moment loses nothing that was kept."""

from __future__ import annotations

import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from comparisons.history.database import FILE, Database, HistoryError
from comparisons.history.migrations import MIGRATIONS
from comparisons.history.sounds import name_of
from comparisons.history.store import History
from comparisons.records import to_dict
from tests.commands import LIMIT_SECONDS, ROOT
from tests.keeping import clip, compared, edited

ME = "user:me"


def made_by_hand(folder: Path, *statements: str) -> Path:
    path = folder / FILE
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def test_an_empty_file_becomes_a_history(tmp_path: Path) -> None:
    made_by_hand(tmp_path)
    history = History(tmp_path)
    assert version(tmp_path / FILE) == len(MIGRATIONS)
    id = history.keep(compared(clip()), clip(), ME)
    history.close()
    assert History(tmp_path).get(id, ME).source == "clip.wav"  # it is not migrated twice


def test_an_older_file_is_brought_up_to_date_with_all_that_is_in_it(tmp_path: Path) -> None:
    history = History(tmp_path)
    comparison = compared(clip())
    id = history.keep(comparison, clip(), ME)
    history.close()
    newer = (*MIGRATIONS, ("ALTER TABLE comparisons ADD COLUMN stars INTEGER", "UPDATE comparisons SET stars = 3"), ("VACUUM",))
    with pytest.raises(HistoryError):
        Database(tmp_path, newer)  # VACUUM cannot be a part of a step: nothing of the steps before it is left either
    assert version(tmp_path / FILE) == len(MIGRATIONS)
    database = Database(tmp_path, newer[:-1])
    with database.read() as connection:
        assert [tuple(row) for row in connection.execute("SELECT id, stars FROM comparisons")] == [(id, 3)]
    database.close()
    assert version(tmp_path / FILE) == len(MIGRATIONS) + 1


def test_a_newer_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    History(tmp_path).close()
    path = made_by_hand(tmp_path, "CREATE TABLE of_the_future (x)", f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir() if each.is_file()}
    with pytest.raises(HistoryError, match=r"earshot\.db was written by a newer Earshot") as refusal:
        History(tmp_path)
    assert str(path) in str(refusal.value)
    assert "Update Earshot." in (refusal.value.fix or "")
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir() if each.is_file()} == before


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE recipes (x)",),
        ("PRAGMA user_version = 1",),
        ("PRAGMA application_id = 7", "CREATE TABLE recipes (x)", "PRAGMA user_version = 1"),
    ],
)
def test_another_programs_file_is_refused_and_left_as_it_is(tmp_path: Path, statements: tuple[str, ...]) -> None:
    path = made_by_hand(tmp_path, *statements)
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="another program's file"):
        History(tmp_path)
    assert path.read_bytes() == before


def test_what_is_no_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"a letter to my aunt\n" * 100)
    with pytest.raises(HistoryError, match=r"earshot\.db is damaged, or no database") as refusal:
        History(tmp_path)
    assert "EARSHOT_HISTORY=0" in (refusal.value.fix or "")
    assert (tmp_path / FILE).read_bytes() == b"a letter to my aunt\n" * 100


def test_a_damaged_file_is_told_where_it_is_met(tmp_path: Path) -> None:
    history = History(tmp_path)
    for _ in range(40):
        history.keep(compared(clip()), clip(), ME)
    history.close()
    path = tmp_path / FILE
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\x55" * (len(whole) - 8192))
    with pytest.raises(HistoryError, match="is damaged"):
        History(tmp_path).list(ME)


def test_a_folder_that_cannot_be_had_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(HistoryError, match=f"History cannot be kept in {folder}") as refusal:
            History(folder)
        assert "EARSHOT_HISTORY_FOLDER" in (refusal.value.fix or "")
    (tmp_path / FILE).mkdir()
    with pytest.raises(HistoryError, match="History cannot be kept"):
        History(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_nobody_else_reads_what_was_said(tmp_path: Path) -> None:
    history = History(tmp_path / "kept")
    history.keep(compared(clip()), clip(), ME)
    for path in (tmp_path / "kept", *(tmp_path / "kept").iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_full_disk_is_told_and_leaves_what_there_was(tmp_path: Path) -> None:
    history = History(tmp_path)
    first = history.keep(compared(clip()), clip(), ME)
    with history.database.read() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    kept = [first]

    def keep_many() -> None:
        for _ in range(200):
            kept.append(history.keep(compared(clip()), clip(), ME))

    with pytest.raises(HistoryError, match="is full"):
        keep_many()
    with history.database.read() as connection:
        connection.execute("PRAGMA max_page_count = 100000")
    assert [row.id for row in history.list(ME, limit=300).rows] == kept[::-1]
    history.keep(compared(clip()), clip(), ME)


def test_audio_that_cannot_be_written_is_told_and_nothing_is_kept(tmp_path: Path) -> None:
    history = History(tmp_path)
    (tmp_path / "sounds").rmdir()
    with pytest.raises(HistoryError, match="cannot be kept"):
        history.keep(compared(clip()), clip(), ME)
    assert history.list(ME).total == 0


def test_a_change_that_fails_is_no_change_at_all(tmp_path: Path) -> None:
    history = History(tmp_path)
    comparison = compared(clip())
    id = history.keep(comparison, clip(), ME)
    with history.database.write() as connection:
        connection.execute("CREATE TRIGGER no BEFORE INSERT ON systems BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(sqlite3.IntegrityError):
        history.change(id, edited(comparison, "something else"), ME)
    assert history.revisions(id, ME) == ()
    assert to_dict(history.comparison(id, ME).comparison) == to_dict(comparison)
    assert history.list(ME, search="something").total == 0


KEEPS = """
import itertools, os, sys
from pathlib import Path
import soundfile
from comparisons.history.store import History
from tests.keeping import clip, compared

def say(what):
    os.write(1, f"{what}\\n".encode())  # at once: a kill leaves no half line

say("ready")
for number, _ in enumerate(sys.stdin):
    if os.fork() == 0:  # importing all of it takes longer than being killed
        say(os.getpid())
        history = History(Path(sys.argv[1]))
        for turn in itertools.count():
            sound = clip(f"{number}-{turn}.wav", seed=number * 1000 + turn)
            say(history.keep(compared(sound), sound, "user:me"))
    os.wait()
    say("dead")
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_kill_at_any_moment_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    draw = random.Random(6)  # noqa: S311
    kept: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", KEEPS, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as nursery:
        try:
            assert nursery.stdin is not None
            assert nursery.stdout is not None
            assert said(nursery) == "ready"
            for number in range(12):
                nursery.stdin.write(b"again\n")
                child = int(said(nursery))
                told = [said(nursery) for _ in range(number % 3)]
                assert "dead" not in told
                select.select([nursery.stdout], [], [], draw.uniform(0, 0.03))  # some way into keeping the next one
                os.kill(child, signal.SIGKILL)
                told += iter(partial(said, nursery), "dead")
                history = History(tmp_path)
                whole(history, told)
                history.close()
                kept += told
            nursery.stdin.close()
            assert nursery.wait(LIMIT_SECONDS) == 0
        finally:
            nursery.kill()
    history = History(tmp_path)
    there = {row.id for row in history.list(ME, limit=10_000).rows}
    assert set(kept) <= there
    assert len(there) <= len(kept) + 12  # at most the one that was being kept, each time
    whole(history, sorted(there))
    with history.database.read() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        connection.execute("INSERT INTO texts (texts, rank) VALUES ('integrity-check', 1)")


def said(nursery: subprocess.Popen[bytes]) -> str:
    """The next line that it prints."""
    assert nursery.stdout is not None
    line = nursery.stdout.readline().decode()
    assert line.endswith("\n"), "it has ended by itself"
    return line.strip()


def whole(history: History, ids: list[str]) -> None:
    """Each of these comparisons is there, is found, and can be heard."""
    for id in ids:
        row = history.get(id, ME)
        assert [column.state for column in history.comparison(id, ME).comparison.columns] == ["ok", "skipped"]
        assert id in [found.id for found in history.list(ME, search=f'"{row.source}"').rows]
        path = history.audio(id, ME)
        assert path is not None
        samples, _ = soundfile.read(path, dtype="int16")
        assert name_of(np.asarray(samples)) == row.sound
