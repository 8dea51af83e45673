"""Texts as the index of the history takes them, and what somebody types as a question to it.

The index knows words. Scripts without spaces between words get one around each character, in what is kept and in what is
looked for: then any stretch of a text is found, as characters that follow each other.
"""

from __future__ import annotations

import re
import unicodedata

from comparisons.normalise import UNSPACED_BLOCKS

MOST_TERMS = 20
"""Of a question; the others are left out."""

_LETTER = re.compile(r"[^\W_]")
_UNSPACED = re.compile("([" + "".join(f"{chr(first)}-{chr(last)}" for first, last in UNSPACED_BLOCKS) + "])")


def indexed(text: str) -> str:
    """A text as the index takes it: compatibility forms made alike, a space around each character that is a word's worth."""
    return _UNSPACED.sub(r" \1 ", unicodedata.normalize("NFKC", text).replace("\0", " "))


def question(typed: str) -> str | None:
    """What somebody typed as FTS5 takes it: each term quoted, so that none of it is syntax; all of them must be found, as
    words or as how words begin. None if there is nothing to look for.
    """
    terms = [indexed(term).strip() for term in typed.split()[:MOST_TERMS]]
    quoted = ['"' + term.replace('"', '""') + '"' for term in terms if _LETTER.search(term)]
    return " ".join(f"{term}*" for term in quoted) or None
