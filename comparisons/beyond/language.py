"""Whether a transcript is in another language than was spoken: told by its script, and English by its small words.

Systems that guess the language guess wrong, and some translate where they should transcribe: every word is an error then,
for one reason. It is no detector of languages: of two languages in the same letters it only knows English from others.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from comparisons.texts.english import looks_english

LEAST_LETTERS = 8
"""Fewer letters than this say nothing of a script: a name may be written in any."""
LEAST_WORDS = 8
"""As many different words both texts need before their small words say anything."""
MOST_SHARED = 0.3
"""Of the shorter text's words: two texts that share more are in the same language, however odd it looks."""
SAMPLE = 4000
"""Characters that are looked at."""

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "CJK": "Chinese characters",
        "HIRAGANA": "Kana",
        "KATAKANA": "Kana",
        "HANGUL": "Hangul",
    }
)
"""What the scripts are called whose Unicode names nobody uses; the others are "Cyrillic letters" and so on."""


def otherness(text: str, reference: str) -> str | None:
    """How a transcript is in another language than the reference: "It is written in Latin letters, the reference in Kana".

    None where it looks like the same one, or there is too little to say.
    """
    ours, theirs = _script(text[:SAMPLE]), _script(reference[:SAMPLE])
    if ours is None or theirs is None:
        return None
    if ours != theirs:
        return f"It is written in {ours}, the reference in {theirs}"
    if ours != "Latin letters":
        return None
    said, heard = Counter(reference[:SAMPLE].casefold().split()), Counter(text[:SAMPLE].casefold().split())
    if min(len(said), len(heard)) < LEAST_WORDS:
        return None
    if (said & heard).total() > MOST_SHARED * min(said.total(), heard.total()):
        return None
    is_english, was_english = looks_english(text[:SAMPLE]), looks_english(reference[:SAMPLE])
    if is_english == was_english:
        return None
    return (
        "It looks like English, the reference does not" if is_english else "It does not look like English, the reference does"
    )


def _script(text: str) -> str | None:
    """The script of most letters; None where there are few, or half of them are in others.

    Japanese is known by its Kana: about half of its letters, while Chinese has none.
    """
    found: Counter[str] = Counter()
    for letter, times in Counter(filter(str.isalpha, text)).items():
        found[_script_of(letter)] += times
    total = found.total()
    if total < LEAST_LETTERS:
        return None
    kana, han = found["Kana"], found["Chinese characters"]
    if kana + han > total / 2:
        return "Kana" if kana > (kana + han) / 10 else "Chinese characters"
    script, count = found.most_common(1)[0]
    return script if count > total / 2 else None


@lru_cache(maxsize=1 << 12)
def _script_of(letter: str) -> str:
    """By the first word of the letter's Unicode name, which is its script: "CYRILLIC SMALL LETTER A"."""
    name = unicodedata.name(letter, "unknown").split()[0].removesuffix("-COMPATIBILITY")
    return _NAMES.get(name, f"{name.capitalize()} letters")
