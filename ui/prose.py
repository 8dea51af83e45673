"""What a model wrote, taken apart for reading: paragraphs, headings, lists and bold words, and nothing else.

Models write a little Markdown. Links, images, tables and HTML stay the text that they are: nothing of an answer is ever
fetched or run. Each line is looked at a bounded number of times, so that an answer of any kind is drawn in linear time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["paragraph", "heading", "bullets", "numbers"]

_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+")
_BULLET = re.compile(r"([ \t]*)[-*•–][ \t]+(?=\S)")
_NUMBER = re.compile(r"([ \t]*)(\d{1,3})[.)][ \t]+(?=\S)")
_DEEPEST = 3


@dataclass(frozen=True)
class Piece:
    """A stretch of a line."""

    text: str
    """Untrusted."""
    bold: bool = False


@dataclass(frozen=True)
class Line:
    """A line of a paragraph, or an item of a list."""

    pieces: tuple[Piece, ...]
    depth: int = 0
    """How far an item is set in: 0 to 3."""
    number: int | None = None
    """Of a numbered item, as the model wrote it."""


@dataclass(frozen=True)
class Block:
    """Lines that belong together."""

    kind: Kind
    lines: tuple[Line, ...]


def blocks(text: str) -> list[Block]:
    """Take a text apart; an unfinished one too, as it streams."""
    found: list[tuple[Kind, list[Line]]] = []
    is_open = False  # whether the next line may belong to the last block
    for raw in text.splitlines():
        if not raw.strip():
            is_open = False
            continue
        kind, line = _read(raw)
        if is_open and kind == "paragraph" and found[-1][0] in ("bullets", "numbers") and raw[:1].isspace():
            last = found[-1][1].pop()  # a list's item that goes on
            found[-1][1].append(Line((*last.pieces, Piece(" "), *line.pieces), last.depth, last.number))
        elif found and found[-1][0] == kind and kind != "heading" and (is_open or kind != "paragraph"):
            found[-1][1].append(line)
        else:
            found.append((kind, [line]))
        is_open = True
    return [Block(kind, tuple(lines)) for kind, lines in found]


def _read(raw: str) -> tuple[Kind, Line]:
    if mark := _HEADING.match(raw):
        return "heading", Line(_pieces(raw[mark.end() :].rstrip("# \t")))
    if mark := _BULLET.match(raw):
        return "bullets", Line(_pieces(raw[mark.end() :]), _depth(mark[1]))
    if mark := _NUMBER.match(raw):
        return "numbers", Line(_pieces(raw[mark.end() :]), _depth(mark[1]), int(mark[2]))
    return "paragraph", Line(_pieces(raw.strip()))


def _depth(indent: str) -> int:
    return min(len(indent.expandtabs(4)) // 2, _DEEPEST)


def _pieces(text: str) -> tuple[Piece, ...]:
    """Split at ``**``; a last one without its partner is text."""
    parts = text.split("**")
    if len(parts) % 2 == 0:
        parts[-2:] = ["**".join(parts[-2:])]
    return tuple(Piece(part, bool(i % 2)) for i, part in enumerate(parts) if part)
