"""References: what was really said, where the words come from, and files that hold them."""

from __future__ import annotations

from dataclasses import dataclass

from runners.base import Segment


@dataclass(frozen=True)
class Reference:
    """What was really said, as far as somebody knows."""

    text: str
    """The true text; "" says that nothing was said. Untrusted."""
    segments: tuple[Segment, ...] = ()
    """The same in timed stretches, where the file it came from has them."""
    seed: str | None = None
    """Name of the contender whose text it was made from, or "majority"; None if a person or a file gave it. A seeded
    reference flatters its seed."""
    seed_label: str | None = None
    """What people call the seed. Untrusted."""
    original: str | None = None
    """What it was before a person edited it here; None if nobody has."""


def text_of(content: bytes) -> str:
    """The text of a file's content, without white space around it: UTF-8, UTF-16 with its mark, else Latin-1.

    Raises:
        ValueError: it is not text.
    """
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if "\0" in text:
        raise ValueError("This is not a text file.")
    return text.strip()
