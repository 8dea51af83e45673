"""Normalisers: what two texts are turned into before their words are held against each other.

A rate is worth nothing without the name and version of its normaliser, because normalisers change it: Whisper's English
one turns "oh no" into "0 no", drops bracketed text and fillers, and is not idempotent; Whisper's basic one drops
combining marks, which shreds Hindi and Thai. Raw texts are kept everywhere, so that they can be scored again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from types import MappingProxyType

UNSPACED_LANGUAGES = frozenset({"zh", "yue", "cmn", "ja", "th", "lo", "km", "my"})
"""ISO 639 codes of languages that are written without a space between words, and so have no word rate."""

_UNSPACED_BLOCKS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # Han: iteration mark, zero
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),  # Katakana extensions
    (0x3400, 0x4DBF),  # Han, extension A
    (0x4E00, 0x9FFF),  # Han
    (0xF900, 0xFAFF),  # Han, compatibility
    (0xFF66, 0xFF9F),  # Katakana, half width
    (0x20000, 0x3FFFF),  # Han, extensions B and later
)
"""Code points, both ends included, after the Unicode block charts."""

MOST_UNCLOSED = 50
"""Brackets left open in a text before it counts as hostile rather than odd."""

_APOSTROPHES = "'\u2019\u02bc"
_INNER_APOSTROPHE = re.compile(rf"(?<=\w)[{_APOSTROPHES}]+(?=\w)")


@dataclass(frozen=True)
class Normaliser:
    """A named, versioned way to make texts comparable: call it with a text, get a text."""

    name: str
    """One of ``NORMALISERS``."""
    version: str
    """Changes whenever the same text could come out otherwise."""

    def __call__(self, text: str) -> str:
        return _FUNCTIONS[self.name]()(text)

    def words(self, text: str) -> list[str]:
        """The words that are counted: the normalised text, cut at white space."""
        return self(text).split()

    def characters(self, text: str) -> list[str]:
        """The code points that are counted where words are not separated: the normalised text without white space."""
        return list("".join(self.words(text)))

    @property
    def label(self) -> str:
        """Name and version as they stand beside every rate: "whisper-english 0.1.15"."""
        return f"{self.name} {self.version}"


NORMALISERS: Mapping[str, str] = MappingProxyType(
    {
        "whisper-english": "Whisper's for English: numbers, spelling and contractions made alike, fillers dropped",
        "basic": "any language: letter case, punctuation and symbols dropped, combining marks kept",
        "whisper-basic": "Whisper's for other languages: like basic, but it also drops brackets and combining marks",
        "none": "nothing is changed: letter case and punctuation count",
    }
)
"""Name of each normaliser and what it does, the usual one first."""


def normaliser(name: str) -> Normaliser:
    """The normaliser of that name.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    if name not in NORMALISERS:
        raise ValueError(f"There is no normaliser {name!r}. Choose one of: {', '.join(NORMALISERS)}.")
    return Normaliser(name, metadata.version("whisper-normalizer") if name.startswith("whisper-") else "1")


def choose(name: str | None, language: str | None, text: str) -> Normaliser:
    """The normaliser that somebody named, else the one that suits the reference.

    Without a name: ``whisper-english`` for English, and where no language is given for text in Latin letters;
    ``basic`` for everything else.

    Raises:
        ValueError: there is none of that name.
    """
    if name is not None:
        return normaliser(name)
    if language is not None:
        return normaliser("whisper-english" if _primary(language) == "en" else "basic")
    letters = [letter for letter in text if letter.isalpha()]
    latin = sum(unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    return normaliser("whisper-english" if 2 * latin >= len(letters) else "basic")


def is_spaced(language: str | None, text: str) -> bool:
    """Whether words are separated by spaces; if not, only the character rate means anything.

    Known by the language (Chinese, Japanese, Thai, Lao, Khmer, Burmese are not), without one by the script of most of
    the letters. Korean is spaced.
    """
    if language is not None:
        return _primary(language) not in UNSPACED_LANGUAGES
    letters = [ord(letter) for letter in text if letter.isalpha()]
    unspaced = sum(any(first <= letter <= last for first, last in _UNSPACED_BLOCKS) for letter in letters)
    return 2 * unspaced <= len(letters)


def _primary(language: str) -> str:
    """ "zh-CN" -> "zh"."""
    return re.split(r"[-_]", language.strip().lower(), maxsplit=1)[0]


def _none(text: str) -> str:
    return " ".join(text.split())


def _basic(text: str) -> str:
    """Fold case and width; drop what is not said aloud; keep letters, marks and digits.

    Apostrophes inside a word vanish ("don't", "don’t" -> "dont"); all other punctuation and symbols become a space.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = _INNER_APOSTROPHE.sub("", text)
    text = "".join(_spoken(character) for character in text)
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _spoken(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] in "PSZ" or category == "Cc":
        return " "
    if category in ("Cf", "Me", "Cs") or 0xFE00 <= ord(character) <= 0xFE0F or 0xE0100 <= ord(character) <= 0xE01EF:
        return ""  # joiners, direction marks, soft hyphens, key caps, emoji selectors: seen, never heard
    return character


def _tamed(text: str) -> str:
    """The text without what Whisper's patterns need time for that grows with its square.

    White space is collapsed (they do it themselves, at the end), and where dozens of brackets are opened and never
    closed, which no pattern matches but each is tried from, the brackets become the spaces that they end as anyway.
    """
    for opening, closing in (("<[", ">]"), ("(", ")")):
        closed = max(text.rfind(bracket) for bracket in closing) + 1
        if sum(text.count(bracket, closed) for bracket in opening) > MOST_UNCLOSED:
            text = text[:closed] + text[closed:].translate(dict.fromkeys(map(ord, opening), " "))
    return " ".join(text.split())


@cache
def _whisper_english() -> Callable[[str], str]:
    from whisper_normalizer.english import EnglishTextNormalizer

    normalise: Callable[[str], str] = EnglishTextNormalizer()
    return lambda text: normalise(_tamed(text))


@cache
def _whisper_basic() -> Callable[[str], str]:
    from whisper_normalizer.basic import BasicTextNormalizer

    normalise: Callable[[str], str] = BasicTextNormalizer()
    return lambda text: normalise(_tamed(text))


_FUNCTIONS: Mapping[str, Callable[[], Callable[[str], str]]] = MappingProxyType(
    {
        "none": lambda: _none,
        "basic": lambda: _basic,
        "whisper-english": _whisper_english,
        "whisper-basic": _whisper_basic,
    }
)
