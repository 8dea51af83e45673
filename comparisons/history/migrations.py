"""The tables of the history's file: a step for each version, which takes the file from the one before.

A step is never changed once it was released: files that took it are on people's disks. What is refined later is the next
step. Every text in these tables is untrusted and stays text: it is only ever bound to a statement, never made a part of one.
"""

from __future__ import annotations

_FIRST = (
    # bytes: of the audio file; NULL: the audio is not kept
    """CREATE TABLE sounds (
        sha256 TEXT PRIMARY KEY,
        seconds REAL NOT NULL,
        bytes INTEGER
    ) WITHOUT ROWID""",
    # number: grows with each comparison that is kept, and is the row of `texts`; id: a random UUID, which people see
    # title: NULL is the clip's file name; summary: JSON, what a list shows; document: zlib of the JSON of `records`
    # deleted_at: when it was put into the bin; NULL: it was not
    """CREATE TABLE comparisons (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        made_at TEXT NOT NULL,
        changed_at TEXT NOT NULL,
        deleted_at TEXT,
        title TEXT,
        source TEXT NOT NULL,
        seconds REAL NOT NULL,
        sound TEXT NOT NULL REFERENCES sounds,
        notes TEXT NOT NULL DEFAULT '',
        summary TEXT NOT NULL,
        document BLOB NOT NULL
    )""",
    "CREATE INDEX comparisons_of ON comparisons (owner, deleted_at)",
    "CREATE INDEX comparisons_deleted ON comparisons (deleted_at)",
    "CREATE INDEX comparisons_over ON comparisons (sound)",
    """CREATE TABLE tags (
        comparison INTEGER NOT NULL REFERENCES comparisons (number) ON DELETE CASCADE,
        tag TEXT NOT NULL,
        PRIMARY KEY (comparison, tag)
    ) WITHOUT ROWID""",
    "CREATE INDEX tags_named ON tags (tag)",
    """CREATE TABLE systems (
        comparison INTEGER NOT NULL REFERENCES comparisons (number) ON DELETE CASCADE,
        name TEXT NOT NULL,
        label TEXT NOT NULL,
        PRIMARY KEY (comparison, name)
    ) WITHOUT ROWID""",
    "CREATE INDEX systems_named ON systems (name, label)",
    # What a comparison was before it was changed, the oldest first
    """CREATE TABLE revisions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        comparison INTEGER NOT NULL REFERENCES comparisons (number) ON DELETE CASCADE,
        made_at TEXT NOT NULL,
        document BLOB NOT NULL
    )""",
    "CREATE INDEX revisions_of ON revisions (comparison)",
    # id: a digest of the conversation's own, which is a secret
    """CREATE TABLE conversations (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        sound TEXT NOT NULL REFERENCES sounds,
        made_at TEXT NOT NULL,
        changed_at TEXT NOT NULL,
        document BLOB NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX conversations_over ON conversations (sound, owner)",
    # What is searched, as `searching.indexed` makes it; without diacritics, whole words and how they begin
    """CREATE VIRTUAL TABLE texts USING fts5 (
        title, source, systems, tags, notes, reference, transcripts,
        tokenize = "unicode61 remove_diacritics 2 categories 'L* M* N* Co'",
        prefix = '1 2 3'
    )""",
    # names: whether those who have the link see the systems' names
    """CREATE TABLE links (
        token TEXT PRIMARY KEY,
        comparison TEXT NOT NULL REFERENCES comparisons (id) ON DELETE CASCADE,
        owner TEXT NOT NULL,
        names INTEGER NOT NULL,
        made_at TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX links_to ON links (comparison)",
    # token: in the link for judges; NULL: it was withdrawn
    """CREATE TABLE reviews (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        token TEXT UNIQUE,
        title TEXT NOT NULL,
        question TEXT NOT NULL,
        method TEXT NOT NULL,
        seed BLOB NOT NULL,
        made_at TEXT NOT NULL,
        closed_at TEXT
    ) WITHOUT ROWID""",
    # document: a copy, so that a review does not change under its judges; comparison: NULL once that is gone
    """CREATE TABLE review_clips (
        review TEXT NOT NULL REFERENCES reviews ON DELETE CASCADE,
        number INTEGER NOT NULL,
        comparison TEXT REFERENCES comparisons (id) ON DELETE SET NULL,
        sound TEXT NOT NULL REFERENCES sounds,
        document BLOB NOT NULL,
        PRIMARY KEY (review, number)
    ) WITHOUT ROWID""",
    "CREATE INDEX review_clips_from ON review_clips (comparison)",
    "CREATE INDEX review_clips_over ON review_clips (sound)",
    # number: 1 for the first who came; secret: what the judge's cookie proves, as a digest
    """CREATE TABLE judges (
        id TEXT PRIMARY KEY,
        review TEXT NOT NULL REFERENCES reviews ON DELETE CASCADE,
        number INTEGER NOT NULL,
        secret TEXT NOT NULL UNIQUE,
        name TEXT,
        made_at TEXT NOT NULL,
        UNIQUE (review, number)
    ) WITHOUT ROWID""",
    # choice: JSON; one a judge and clip, whatever is sent
    """CREATE TABLE ballots (
        judge TEXT NOT NULL REFERENCES judges ON DELETE CASCADE,
        clip INTEGER NOT NULL,
        choice TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (judge, clip)
    ) WITHOUT ROWID""",
    # place: of the word in the contender's transcript, from 0
    """CREATE TABLE word_marks (
        judge TEXT NOT NULL REFERENCES judges ON DELETE CASCADE,
        clip INTEGER NOT NULL,
        contender TEXT NOT NULL,
        place INTEGER NOT NULL,
        word TEXT NOT NULL,
        comment TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (judge, clip, contender, place)
    ) WITHOUT ROWID""",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST,)
"""Statements of each step; the first makes version 1 of an empty file."""
