"""The end of what a child prints is kept: in bounded memory, readable, without secrets."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from runners.isolation.child_log import ChildLog, masker, secrets_in


def kept(*pieces: bytes, secrets: tuple[str, ...] = ()) -> tuple[str, ...]:
    reading, writing = os.pipe()
    log = ChildLog(os.fdopen(reading, "rb"), masker(secrets), "\x1eend ")
    with os.fdopen(writing, "wb", buffering=0) as stream:
        for piece in pieces:
            stream.write(piece)
    log.wait_for_end(10.0)
    return log.lines()


def test_the_last_lines_are_kept():
    assert kept(*(b"line %d\n" % number for number in range(100))) == tuple(f"line {number}" for number in range(60, 100))


def test_progress_bars_colours_and_blank_lines_are_made_readable():
    assert kept(b"10 %\r\x1b[32m20 %\x1b[0m\r\n\n\n  \nbell\x07 \xff\n") == ("10 %", "20 %", "bell \ufffd")


def test_a_line_without_an_end_is_kept_up_to_a_length():
    (line,) = kept(b"x" * 50_000)
    assert len(line) == 300


def test_a_secret_is_masked_wherever_a_line_is_cut():
    for before in range(260, 310):
        assert "secret" not in "".join(kept(b"x" * before + b" my-secret-word\n", secrets=("my-secret-word",)))


def test_marks_are_heard_and_not_kept():
    reading, writing = os.pipe()
    log = ChildLog(os.fdopen(reading, "rb"), masker(()), "\x1eend ")
    with os.fdopen(writing, "wb", buffering=0) as stream:
        stream.write(b"printed\n\x1eend 7\n")
        log.wait_for_mark("7", 10.0)
        assert log.lines() == ("printed",)
        log.clear()
        assert log.lines() == ()


def test_secrets_are_found_by_the_names_of_their_variables():
    environment = {"HF_TOKEN": "abcdefgh", "MY_API_KEY": "ijklmnopqr", "DB_PASSWORD": "short", "HOME": "/home/somebody"}
    assert secrets_in(environment) == ("ijklmnopqr", "abcdefgh")


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=200), max_size=20))
def test_no_output_is_too_odd(pieces):
    lines = kept(*pieces)
    assert len(lines) <= 40
    assert all(line.isprintable() or "\t" in line or not line.isascii() for line in lines)
