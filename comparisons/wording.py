"""The form of a text as it was written: its names, numbers, capitals and punctuation, found by form alone.

Places are counted in characters without the white space, so that they hold for words and for single letters alike.
What it does not know: which capital is a name's and which a noun's, numbers spelled in other languages than English,
and whether the "one" of "no one" is a number (it is taken for none on its own).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple


class Span(NamedTuple):
    """Some characters of a text, counted without its white space; the end is excluded."""

    start: int
    end: int


MARKS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(".。．｡…।॥۔።։", "."),
        **dict.fromkeys(",，、､،", ","),
        **dict.fromkeys("?？؟\u037e", "?"),
        **dict.fromkeys("!！", "!"),
        **dict.fromkeys(";；؛", ";"),
        **dict.fromkeys(":：", ":"),
    }
)
"""Punctuation that a reader hears, and the mark that it counts as. Quotes, brackets and dashes are a matter of taste."""

_ENDS = frozenset(".?!:")
"""Marks after which a capital says nothing."""
_OPENING = "\"'“‘«»„‚¿¡([{*_-–—"
# fmt: off
_ABBREVIATIONS = frozenset({
    "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "etc", "vol", "fig", "inc", "ltd", "co", "corp",
    "gen", "col", "capt", "lt", "sgt", "rev", "hon", "gov", "sen", "rep", "mt", "ft", "ave", "approx", "dept", "est",
    "hr", "hrs", "min", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "bzw",
    "usw", "nr", "str", "ca", "mme", "mlle", "sra",
})
_UNITS = frozenset({
    "zero", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty", "forty", "fifty",
    "sixty", "seventy", "eighty", "ninety",
})
_MAGNITUDES = frozenset({
    "hundred", "thousand", "million", "billion", "trillion", "hundreds", "thousands", "millions", "billions",
    "trillions",
})
# fmt: on
_WITHIN = frozenset({"and", "point", "oh", "one", "a"})
"""Words that belong to a number only between or beside others: "one hundred and five"."""
_WORD = re.compile(r"\S+")
_HAN_NUMERALS = "〇零一二三四五六七八九十百千万萬億亿兆两"
_HAN_NUMBER = re.compile(rf"[{_HAN_NUMERALS}]{{2,}}|\d[\d.,]*[{_HAN_NUMERALS}]*")


class Mark(NamedTuple):
    """A punctuation mark."""

    after: int
    """Characters before it, white space not counted."""
    kind: str
    """One of the values of ``MARKS``."""


class _Written(NamedTuple):
    """A raw word."""

    text: str
    start: int
    """Characters before it, white space not counted."""
    is_first: bool
    """Whether a sentence, a line or a quotation begins with it."""
    ends: bool
    """Whether a mark follows it, of whatever kind."""

    @property
    def core(self) -> str:
        return core(self.text)


_EDGES = "".join(c for c in map(chr, range(0x10000)) if unicodedata.category(c)[0] == "P" and c not in "%&@#")
"""What may stand around a word."""


def punctuation(text: str) -> list[Mark]:
    """The marks of a text, in order; of several in a row, "?!" or "...", the first.

    A mark inside a word or number ("3.5", "example.com") and the full stop of an abbreviation are none.
    """
    found: list[Mark] = []
    offset = 0
    for match in _WORD.finditer(text):
        word = match[0]
        before = False
        for place, character in enumerate(word):
            kind = MARKS.get(character)
            if kind is not None and not before and not _is_inside(word, place):
                found.append(Mark(offset + place, kind))
            before = kind is not None
        offset += len(word)
    return found


def core(word: str) -> str:
    """A raw word without the punctuation around it."""
    return word.strip(_EDGES)


def words(text: str) -> Iterator[tuple[Span, str]]:
    """Each raw word with a letter in it: its place, punctuation included, and the word without punctuation around it."""
    for word in _written(text):
        if any(map(str.isalpha, word.core)):
            yield Span(word.start, word.start + len(word.text)), word.core


def is_capital(word: str) -> bool:
    """Whether the first letter that has a case is a capital."""
    cased = next((letter for letter in word if letter.lower() != letter.upper()), "")
    return cased != "" and cased != cased.lower()


def has_case(text: str) -> bool:
    """Whether a text's capitals mean something: it has some, and is neither all capitals nor a capital on every word."""
    small = sum(map(str.islower, text))
    large = sum(map(str.isupper, text))
    return 0 < large < small and any(not is_capital(word) for word in text.split() if any(map(str.islower, word)))


def names(text: str) -> list[Span]:
    """Words in a row that begin with a capital although no sentence begins there: names, most of them.

    None where the text makes nothing of capitals. English "I" is no name. A name that begins a sentence is not found.
    """
    if not has_case(text):
        return []
    found: list[Span] = []
    previous: _Written | None = None
    for word in _written(text):
        bare = word.core
        if word.is_first or not is_capital(bare) or not bare[0].isalpha() or re.fullmatch(r"I(['’]\w+)?", bare):
            previous = None
            continue
        end = word.start + len(word.text)
        if previous is not None and not previous.ends:
            found[-1] = Span(found[-1].start, end)
        else:
            found.append(Span(word.start, end))
        previous = word
    return found


def numbers(text: str) -> list[Span]:
    """Numbers: words with a digit in them, English number words in a row, and Han numerals from two on.

    A number goes on over a magnitude ("3.5 million") but not over a comma between words.
    """
    found: list[Span] = []
    run: list[_Written] = []

    def close() -> None:
        while run and run[-1].core.lower() in ("and", "point", "oh", "a"):
            run.pop()
        while run and run[0].core.lower() in ("and", "point", "oh", "a") and not _begins(run):
            run.pop(0)
        if any(_is_number(word.core) for word in run):
            found.append(Span(run[0].start, run[-1].start + len(run[-1].text)))
        run.clear()

    for word in _written(text):
        bare = word.core
        if any("\u3000" < letter <= "\U0003ffff" and letter.isalpha() for letter in bare):  # Han and Kana, not cut into words
            close()
            found += [Span(word.start + match.start(), word.start + match.end()) for match in _HAN_NUMBER.finditer(word.text)]
            continue
        has_digit = any(map(str.isdigit, bare))
        if has_digit or not (_is_number(bare) or bare.lower() in _WITHIN):
            close()
        if has_digit or _is_number(bare) or bare.lower() in _WITHIN:
            run.append(word)
        if word.ends:
            close()
    close()
    return found


def _begins(run: list[_Written]) -> bool:
    """ "a hundred" is a number, "a" before anything else is not."""
    return run[0].core.lower() == "a" and len(run) > 1 and run[1].core.lower() in _MAGNITUDES


def _is_number(word: str) -> bool:
    parts = word.lower().split("-")
    return any(map(str.isdigit, word)) or (
        all(part in _UNITS or part in _MAGNITUDES or part in ("one", "and") for part in parts)
        and parts not in (["one"], ["and"])
    )


def _is_inside(word: str, place: int) -> bool:
    """Whether a mark is part of its word."""
    if word[place] not in ".,:;'…":
        return False
    after = word[place + 1 : place + 2]
    before = word[place - 1 : place] if place else ""
    if after.isalnum() and before.isalnum() and after.isascii():
        return True
    if word[place] != ".":
        return False
    stem = word[:place].lstrip(_OPENING).lower()
    return stem in _ABBREVIATIONS or (len(stem) == 1 and stem.isalpha()) or re.fullmatch(r"(\w\.)+\w", stem) is not None


def _written(text: str) -> Iterator[_Written]:
    offset, end, is_first = 0, 0, True
    for match in _WORD.finditer(text):
        word = match[0]
        is_first = is_first or "\n" in text[end : match.start()] or word[0] in _OPENING
        trailing = word[len(word.rstrip(_EDGES)) :]
        kinds = [
            MARKS[c] for c in trailing if c in MARKS and not _is_inside(word, len(word) - len(trailing) + trailing.index(c))
        ]
        yield _Written(word, offset, is_first, bool(kinds))
        is_first = any(kind in _ENDS for kind in kinds) or not any(map(str.isalnum, word))
        offset += len(word)
        end = match.end()
