"""The text of a reference out of a file that somebody has written somewhere."""

from __future__ import annotations


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
