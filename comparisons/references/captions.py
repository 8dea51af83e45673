"""Captions (SubRip and WebVTT), read as timed text: what was said and when, without how it was to look on a screen.

    12                                       Segment("Hello there.", 1.0, 2.5)
    00:00:01,000 --> 00:00:02,500 X1:40
    <i>Hello</i> {\\an8}there.

Read leniently where the meaning is plain (a missing number or header, an empty line within a caption), and refused with
the line where text would get lost or land at another time.
"""

from __future__ import annotations

import html
import re

from runners.base import Segment

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
_LOOKS_TIMED = re.compile(r"\s*-?\d+:[\d:.,\s]*-+>|.*->\s*-?\d+:\d")
_NOT_SHOWN = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")
"""How WebVTT's blocks begin that are not captions (W3C, WebVTT, 4.1)."""
_RUBY = re.compile(r"<rt\b[^<>]*>[^<]*")
_TAG = re.compile(r"</?[^\W\d_][^<>]*>|<[\d:.]+>|<>|</>|\{\\[^{}]*\}")
_SPOKEN_AT = re.compile(r"<\d+:[\d:.]+>")

_Line = tuple[int, str]
"""A line and its number, from 1."""


def captions(text: str) -> tuple[Segment, ...]:
    """The captions of a file's text, by their start; those without words are left out.

    Tags, positions, names of voices, numbers, notes and styles are dropped. Captions that roll (each repeats the line
    before, as machine-made ones do whose words have times) are told once.

    Raises:
        ValueError: it is neither SubRip nor WebVTT, or broken; the message names the line.
    """
    is_vtt = text.lstrip("\ufeff \t\r\n").startswith("WEBVTT")
    rolls = _SPOKEN_AT.search(text) is not None
    cues: list[tuple[float, float, list[str]]] = []
    for number, block in enumerate(_blocks(text, is_vtt)):
        header = is_vtt and number == 0
        if is_vtt and not header and _NOT_SHOWN.match(block[0][1]):
            continue
        before, timed = _timed(block)
        if before and not header:
            if cues and not is_vtt:
                cues[-1][2].extend(before)  # an empty line within a caption
            elif cues or not timed or len(before) > 1:
                raise ValueError(f"Line {block[0][0]}: there is no time before this text: {_short(block[0][1])}")
        cues += timed
    if not cues:
        raise ValueError("There is no caption in it: a line such as 00:00:01,000 --> 00:00:02,500 and its text below.")
    segments: list[Segment] = []
    shown: list[str] = []
    for start, end, lines in cues:
        spoken = [line for line in map(_spoken, lines) if line]
        new = [line for line in spoken if line not in shown] if rolls else spoken
        shown = spoken or shown
        if new:
            segments.append(Segment(" ".join(new), start, end))
    return tuple(sorted(segments, key=lambda segment: segment.start or 0.0))


def look_like_captions(text: str) -> bool:
    """Whether a text begins as captions do."""
    first = [line for line in text.lstrip("\ufeff \t\r\n")[:500].splitlines()[:2] if line.strip()]
    return bool(first) and (re.match(r"WEBVTT(?:\s|$)", first[0]) is not None or any(map(_TIMING.fullmatch, first)))


def _blocks(text: str, is_vtt: bool) -> list[list[_Line]]:
    """Lines between empty lines; in WebVTT a line of spaces is not empty, and machines write such."""
    blocks: list[list[_Line]] = [[]]
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text.lstrip("\ufeff")), start=1):
        if line if is_vtt else line.strip():
            blocks[-1].append((number, line))
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _timed(block: list[_Line]) -> tuple[list[str], list[tuple[float, float, list[str]]]]:
    """The text that stands before the first time of a block, and the captions of it."""
    before: list[str] = []
    cues: list[tuple[float, float, list[str]]] = []
    for place, (number, line) in enumerate(block):
        found = _TIMING.fullmatch(line) if "-->" in line else None
        if found:
            name = cues[-1][2] if cues else before
            if name and (place == 1 or name[-1].strip().isdecimal()):
                name.pop()  # the number or name of this caption
            times = found.groups()
            start, end = _seconds(*times[:4]), _seconds(*times[4:])
            if end < start:
                raise ValueError(f"Line {number}: this caption ends before it starts: {_short(line)}")
            cues.append((start, end, []))
        elif "->" in line and _LOOKS_TIMED.match(line):
            raise ValueError(f"Line {number}: a time such as 00:00:01,000 --> 00:00:02,500 was expected: {_short(line)}")
        else:
            (cues[-1][2] if cues else before).append(line)
    if not cues and len(before) == 1 and before[0].strip().isdecimal():
        before = []  # the number of a caption that has nothing else
    return before, cues


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(f"{seconds}{fraction:0<3}") / 1000


def _spoken(line: str) -> str:
    """A line without tags and positions."""
    bare = _TAG.sub("", _RUBY.sub("", line).replace("\\N", " ").replace("\\h", " "))
    return " ".join(html.unescape(bare).split())


def _short(line: str) -> str:
    """A line as it may stand in a message."""
    shown = "".join(character if character.isprintable() else " " for character in line.strip())
    return f"“{shown[:60]}…”" if len(shown) > 60 else f"“{shown}”"
