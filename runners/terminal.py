"""What a command owes the terminal or the pipe that it writes to, and an argument that two of them take."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import unicodedata
from collections.abc import Iterator
from typing import TextIO


class PipeClosed(Exception):
    """Nobody reads the results any more."""


@contextlib.contextmanager
def results() -> Iterator[TextIO]:
    """Standard output for the results alone, in UTF-8 unless a terminal wants something else.

    What libraries print meanwhile goes to standard error.

    Raises:
        PipeClosed: the reader went away.
    """
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper):  # on some systems a pipe gets an encoding that lacks most of the world's letters
        out.reconfigure(encoding=None if out.isatty() else "utf-8", errors="backslashreplace")
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield out
            out.flush()
    except BrokenPipeError as error:
        # What is still buffered must not raise again while the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        raise PipeClosed from error


def plain(text: str) -> str:
    """Untrusted text without what a terminal or an editor would obey: escapes, direction overrides; lines and tabs stay."""
    return "".join(
        character if character in "\n\t\u200c\u200d" else "\N{REPLACEMENT CHARACTER}"  # joiners spell Persian and Hindi
        if unicodedata.category(character) in ("Cc", "Cf", "Cs") else character
        for character in text
    )  # fmt: skip


class StatusLine:
    """One line on standard error that says what is going on, on a terminal; none where nobody watches."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._length = 0

    def show(self, words: str) -> None:
        """Replace what stands there."""
        if not self._shown:
            return
        try:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        except OSError:
            columns = 80
        line = plain(words).replace("\n", " ")[: columns - 1]
        sys.stderr.write("\r" + line.ljust(self._length))
        sys.stderr.flush()
        self._length = len(line)

    def clear(self) -> None:
        """Leave the line empty, for something else."""
        if self._length:
            sys.stderr.write("\r" + " " * self._length + "\r")
            sys.stderr.flush()
            self._length = 0

    def say(self, text: str) -> None:
        """Write what must be said, terminal or not."""
        self.clear()
        sys.stderr.write(plain(text) + "\n")
        sys.stderr.flush()


def width(text: str) -> int:
    """Cells of a terminal: two for wide East Asian characters, none for combining marks."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def variable(text: str) -> tuple[str, str]:
    """An argument NAME=VALUE, for ``argparse``: a variable of a prompt template with what it is.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not a variable with its value; write NAME=VALUE")
    return name.strip(), value
