"""The text of a PDF that Chromium has printed, as far as a test needs it."""

from __future__ import annotations

import re
import zlib


def pages(pdf: bytes) -> int:
    """How many there are."""
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def letters(pdf: bytes) -> str:
    """All letters in the order in which they were drawn, without what stands between them."""
    objects = {int(number): body for number, body in re.findall(rb"(\d+) 0 obj\s(.*?)\bendobj", pdf, re.DOTALL)}
    fonts = {
        number: _letters_of(_stream(objects[int(found.group(1))]))
        for number, body in objects.items()
        if (found := re.search(rb"/ToUnicode (\d+) 0 R", body))
    }
    text = []
    for body in objects.values():
        if not re.search(rb"/Type\s*/Page\b", body):
            continue
        resources = body
        if found := re.search(rb"/Resources (\d+) 0 R", body):
            resources = objects[int(found.group(1))]
        named = {name: fonts.get(int(number), {}) for name, number in re.findall(rb"/(F\d+) (\d+) 0 R", resources)}
        content = re.search(rb"/Contents (\d+) 0 R", body)
        assert content is not None
        font: dict[bytes, str] = {}
        for name, codes in re.findall(rb"/(F\d+) [\d.]+ Tf|<([0-9A-Fa-f]+)>", _stream(objects[int(content.group(1))])):
            if name:
                font = named.get(name, {})
            text += [font.get(codes[at : at + 4].upper(), "") for at in range(0, len(codes), 4)]
    return "".join("".join(text).split())


def _stream(body: bytes) -> bytes:
    packed = body.split(b"stream", 1)[1].removeprefix(b"\r").removeprefix(b"\n").rsplit(b"endstream", 1)[0]
    return zlib.decompressobj().decompress(packed) if b"FlateDecode" in body.split(b"stream", 1)[0] else packed


def _letters_of(table: bytes) -> dict[bytes, str]:
    """What a font's codes stand for."""
    found: dict[bytes, str] = {}
    for block in re.findall(rb"beginbfchar(.*?)endbfchar", table, re.DOTALL):
        for code, letter in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            found[code.upper()] = bytes.fromhex(letter.decode()).decode("utf-16-be")
    for block in re.findall(rb"beginbfrange(.*?)endbfrange", table, re.DOTALL):
        for first, last, letter in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            for step in range(int(last, 16) - int(first, 16) + 1):
                found[b"%04X" % (int(first, 16) + step)] = chr(int(letter, 16) + step)
    return found
