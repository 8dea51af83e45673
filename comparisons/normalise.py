"""Normalisers: what two texts are turned into before their words are held against each other.

A rate is worth nothing without the name and version of its normaliser, because normalisers change it: Whisper's English
one turns "oh no" into "0 no", drops bracketed text and fillers, and is not idempotent; Whisper's basic one drops
combining marks, which shreds Hindi and Thai. Raw texts are kept everywhere, so that they can be scored again.

What the Open ASR Leaderboard does to English is Whisper's normaliser with changes of its own, in a folder of its
repository; no package holds it, so it is not offered, and its rates are not those of ``whisper-english``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from types import MappingProxyType

from comparisons.texts import whisper_normalisers
from comparisons.texts.english import looks_english

UNSPACED_LANGUAGES = frozenset(
    {"zh", "ja", "th", "lo", "km", "my", "zho", "chi", "cmn", "yue", "wuu", "nan", "jpn", "tha", "lao", "khm", "mya", "bur"}
)
"""ISO 639 codes of languages that are written without a space between words, and so have no word rate."""

LONG_CHARACTERS = 1000
"""How long a text is whose words are kept for a while, so that a reference is not normalised once for every contender."""

LONG_WORD = 40
"""How long a word is, in characters, that is not worth keeping: in scripts without spaces a whole text can be one."""

UNSPACED_BLOCKS = (
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

_LATIN_BLOCKS = ((0x41, 0x24F), (0x1E00, 0x1EFF))

_HANGUL_BLOCKS = (
    (0x1100, 0x11FF),  # Jamo
    (0x3130, 0x318F),  # Jamo, compatibility
    (0xA960, 0xA97F),  # Jamo, extended A
    (0xAC00, 0xD7FF),  # syllables; Jamo, extended B
    (0xFFA0, 0xFFDC),  # half width
)

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

    def words(self, text: str) -> tuple[str, ...]:
        """The words that are counted: the normalised text, cut at white space."""
        return _kept_words(self, text) if len(text) > LONG_CHARACTERS else tuple(self(text).split())

    def characters(self, text: str) -> tuple[str, ...]:
        """The code points that are counted where words are not separated: the normalised text without white space."""
        return tuple("".join(self.words(text)))

    @property
    def label(self) -> str:
        """Name and version as they stand beside every rate: "whisper-english 0.1.15+1"."""
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
    if name.startswith("whisper-"):
        ours = "+1" if name == "whisper-english" else ""  # lone symbols dropped, white space made alike first
        return Normaliser(name, metadata.version("whisper-normalizer") + ours)
    return Normaliser(name, "1")


def choose(name: str | None, language: str | None, text: str) -> Normaliser:
    """The normaliser that somebody named, else the one that suits the reference.

    Without a name: ``whisper-english`` for English, and where no language is given for a text that looks English;
    ``basic`` for everything else.

    Raises:
        ValueError: there is none of that name.
    """
    if name is not None:
        return normaliser(name)
    english = (
        _primary(language) in ("en", "eng") if language is not None else looks_english(text) and _are_most(text, _LATIN_BLOCKS)
    )
    return normaliser("whisper-english" if english else "basic")


def is_spaced(language: str | None, text: str) -> bool:
    """Whether words are separated by spaces; if not, only the character rate means anything.

    Known by the language (Chinese, Japanese, Thai, Lao, Khmer, Burmese are not), without one by the script of most of
    the letters. Korean is spaced.
    """
    if language is not None:
        return _primary(language) not in UNSPACED_LANGUAGES
    return not _are_most(text, UNSPACED_BLOCKS)


def is_korean(language: str | None, text: str) -> bool:
    """Whether the text is Korean, whose spaces are put in more than one right way: by the language, without one by Hangul."""
    return _primary(language) in ("ko", "kor") if language is not None else _are_most(text, _HANGUL_BLOCKS)


def _are_most(text: str, blocks: Sequence[tuple[int, int]]) -> bool:
    """Whether more than half of the letters are of these blocks."""
    if text.isascii() and blocks[0][0] > 0x7F:
        return False
    letters = Counter(text)
    total = found = 0
    for letter, times in letters.items():
        if letter.isalpha():
            total += times
            found += times * any(first <= ord(letter) <= last for first, last in blocks)
    return 2 * found > total


def _primary(language: str) -> str:
    """ "zh-CN" -> "zh"."""
    return language.strip().lower().replace("_", "-").partition("-")[0]


@lru_cache(maxsize=32)
def _kept_words(normalise: Normaliser, text: str) -> tuple[str, ...]:
    return tuple(normalise(text).split())


def _none(text: str) -> str:
    return " ".join(text.split())


def _basic(text: str) -> str:
    """Fold case and width; drop what is not said aloud; keep letters, marks and digits.

    Apostrophes inside a word vanish ("don't", "don’t" -> "dont"); all other punctuation and symbols become a space.
    """
    return " ".join(filter(None, (_basic_word(word) if len(word) <= LONG_WORD else _spoken_of(word) for word in text.split())))


@lru_cache(maxsize=1 << 16)
def _basic_word(word: str) -> str:
    return _spoken_of(word)


def _spoken_of(word: str) -> str:
    word = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())
    word = _INNER_APOSTROPHE.sub("", word)
    word = "".join(_spoken(character) for character in word)
    return " ".join(unicodedata.normalize("NFKC", word).split())


def _spoken(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] in "PSZ" or category == "Cc":
        return " "
    if category in ("Cf", "Me", "Cs") or 0xFE00 <= ord(character) <= 0xFE0F or 0xE0100 <= ord(character) <= 0xE01EF:
        return ""  # joiners, direction marks, soft hyphens, key caps, emoji selectors: seen, never heard
    return character


_FUNCTIONS: Mapping[str, Callable[[], Callable[[str], str]]] = MappingProxyType(
    {
        "none": lambda: _none,
        "basic": lambda: _basic,
        "whisper-english": whisper_normalisers.english,
        "whisper-basic": whisper_normalisers.basic,
    }
)
