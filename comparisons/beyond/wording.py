"""The form of a text as it was written: its names, numbers, capitals and punctuation, found by form alone.

Places are counted in characters without the white space, so that they hold for words and for single letters alike.
What it does not know: which capital is a name's and which a noun's, numbers spelled in other languages than English,
and whether the "one" of "no one" is a number (it is taken for none on its own).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from itertools import accumulate
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
_BETWEEN = frozenset({"and", "point", "oh", "a"})
"""Words that belong to a number only between others, or before a magnitude: "a hundred and five"."""
_ENGLISH_I = re.compile(r"I(['’]\w+)?")
_INITIALS = re.compile(r"(\w\.)+\w")
_UNSPACED = re.compile(r"[\u3005-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
LONGEST_KEPT = 40
"""Characters of the longest word whose form is kept."""
_HAN_NUMERALS = "〇零一二三四五六七八九十百千万萬億亿兆两"
_HAN_NUMBER = re.compile(rf"[{_HAN_NUMERALS}]{{2,}}|\d[\d.,]*[{_HAN_NUMERALS}]*")


class Marks(NamedTuple):
    """Punctuation, in parallel lists: thousands of small objects would keep the garbage collector busy."""

    after: list[int]
    """For each mark the characters before it, white space not counted."""
    kinds: list[str]
    """One of the values of ``MARKS`` each."""


class Words(NamedTuple):
    """The raw words with a letter in them, in parallel lists."""

    starts: list[int]
    """Characters before each, white space not counted."""
    ends: list[int]
    cores: list[str]
    """Without the punctuation around them."""
    are_capital: list[bool]


class _Form(NamedTuple):
    """What is seen of a raw word by itself."""

    core: str
    has_letter: bool
    is_capital: bool
    opens: bool
    """Whether it begins with a quote, a bracket or a dash."""
    is_said: bool
    """Whether anything in it is more than punctuation."""
    marks: tuple[tuple[int, str], ...]
    """Characters of the word before each mark, and the mark's kind."""
    ends: bool
    """Whether a mark stands at its end."""
    ends_sentence: bool


_EDGES = "".join(c for c in map(chr, range(0x10000)) if unicodedata.category(c)[0] == "P" and c not in "%&@#")
"""What may stand around a word."""


class Wording:
    """The raw words of a text, and what is seen of them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._raw = text.split()
        # Longer words are sentences without spaces, and seldom met again.
        seen = _kept_form if len(max(self._raw, key=len, default="")) <= LONGEST_KEPT else _form
        self._forms = list(map(seen, self._raw))
        self._ends = list(accumulate(map(len, self._raw)))

    @cached_property
    def punctuation(self) -> Marks:
        """Its marks, in order; of several in a row, "?!" or "...", the first.

        A mark inside a word or number ("3.5", "example.com") and the full stop of an abbreviation are none.
        """
        found = Marks([], [])
        for word, end, form in zip(self._raw, self._ends, self._forms, strict=True):
            for place, kind in form.marks:
                found.after.append(end - len(word) + place)
                found.kinds.append(kind)
        return found

    @cached_property
    def words(self) -> Words:
        """Each raw word with a letter in it; in scripts without spaces, whatever stands between two spaces."""
        with_letter = [number for number, form in enumerate(self._forms) if form.has_letter]
        ends = [self._ends[number] for number in with_letter]
        starts = [end - len(self._raw[number]) for end, number in zip(ends, with_letter, strict=True)]
        forms = [self._forms[number] for number in with_letter]
        return Words(starts, ends, [form.core for form in forms], [form.is_capital for form in forms])

    @cached_property
    def has_case(self) -> bool:
        """Whether capitals mean something: there are some, and it is neither all capitals nor a capital on every word."""
        small, large = sum(map(str.islower, self.text)), sum(map(str.isupper, self.text))
        return 0 < large < small and any(form.core.islower() and not form.is_capital for form in self._forms)

    @cached_property
    def names(self) -> list[Span]:
        """Words in a row that begin with a capital although no sentence begins there: names, most of them.

        None where the text makes nothing of capitals. English "I" is no name. A name that begins a sentence is not found.
        """
        if not self.has_case:
            return []
        found: list[Span] = []
        is_going_on = False
        for word, end, form, is_first in self._in_sentences():
            if is_first or not form.is_capital or not form.core[0].isalpha() or _ENGLISH_I.fullmatch(form.core):
                is_going_on = False
                continue
            if is_going_on:
                found[-1] = Span(found[-1].start, end)
            else:
                found.append(Span(end - len(word), end))
            is_going_on = not form.ends
        return found

    @cached_property
    def numbers(self) -> list[Span]:
        """Numbers: words with a digit in them, English number words in a row, and Han numerals from two on.

        Digits go on over a magnitude ("3.5 million"); no number goes on over a comma between words.
        """
        found: list[Span] = []
        run: list[tuple[Span, str]] = []

        def close() -> None:
            while run and run[-1][1] in _BETWEEN:
                run.pop()
            while run and run[0][1] in _BETWEEN and (run[0][1] != "a" or len(run) == 1 or run[1][1] not in _MAGNITUDES):
                run.pop(0)
            if any(_is_number(core) for _, core in run):
                found.append(Span(run[0][0].start, run[-1][0].end))
            run.clear()

        for word, end, form in zip(self._raw, self._ends, self._forms, strict=True):
            start, bare = end - len(word), form.core.lower()
            if _UNSPACED.search(bare):
                close()
                found += [Span(start + match.start(), start + match.end()) for match in _HAN_NUMBER.finditer(word)]
                continue
            has_digit = any(map(str.isdigit, bare))
            belongs = has_digit or bare in _BETWEEN or bare == "one" or _is_number(bare)
            if has_digit or not belongs:
                close()
            if belongs:
                run.append((Span(start, end), bare))
            if form.ends:
                close()
        close()
        return found

    def _in_sentences(self) -> Iterator[tuple[str, int, _Form, bool]]:
        """Each raw word, its end, its form, and whether a sentence, a line or a quotation begins with it."""
        first_of_line = {0, *accumulate(len(line.split()) for line in self.text.split("\n"))}
        is_first = True
        for number, (word, end, form) in enumerate(zip(self._raw, self._ends, self._forms, strict=True)):
            yield word, end, form, is_first or form.opens or number in first_of_line
            is_first = form.ends_sentence or not form.is_said


def core(word: str) -> str:
    """A raw word without the punctuation around it."""
    return word.strip(_EDGES)


def is_capital(word: str) -> bool:
    """Whether the first letter that has a case is a capital."""
    cased = next((letter for letter in word if letter.lower() != letter.upper()), "")
    return cased != "" and cased != cased.lower()


@lru_cache(maxsize=1 << 15)
def _kept_form(word: str) -> _Form:
    """Kept: most words of a long text have been met before."""
    return _form(word)


def _form(word: str) -> _Form:
    bare = core(word)
    marks: list[tuple[int, str]] = []
    before = False
    for place, character in enumerate(word):
        kind = MARKS.get(character)
        if kind is not None and not before and not _is_inside(word, place):
            marks.append((place, kind))
        before = kind is not None
    trailing = [kind for place, kind in marks if place >= len(word.rstrip(_EDGES))]
    return _Form(
        core=bare,
        has_letter=any(map(str.isalpha, bare)),
        is_capital=is_capital(bare),
        opens=word[0] in _OPENING,
        is_said=any(map(str.isalnum, word)),
        marks=tuple(marks),
        ends=bool(trailing),
        ends_sentence=any(kind in _ENDS for kind in trailing),
    )


def _is_number(word: str) -> bool:
    parts = word.split("-")
    return any(map(str.isdigit, word)) or (
        all(part in _UNITS or part in _MAGNITUDES or part in ("one", "and") for part in parts)
        and parts not in (["one"], ["and"])
    )


def _is_inside(word: str, place: int) -> bool:
    """Whether a mark is part of its word."""
    if word[place] not in ".,:;…":
        return False
    before, after = word[:place], word[place + 1 : place + 2]
    if after.isalnum() and after.isascii() and before[-1:].isalnum():
        return True
    if word[place] != ".":
        return False
    stem = before.lstrip(_OPENING).lower()
    return stem in _ABBREVIATIONS or (len(stem) == 1 and stem.isalpha()) or _INITIALS.fullmatch(stem) is not None
