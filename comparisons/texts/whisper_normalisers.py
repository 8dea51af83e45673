"""Whisper's two normalisers, from the package whisper-normalizer, made safe for any text and quick for long ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from whisper_normalizer.english import EnglishTextNormalizer

MOST_UNCLOSED = 50
"""Brackets left open in a text before it counts as hostile rather than odd."""

LONGEST_KEPT = 60
"""Characters of a stretch of words that is remembered; longer ones hardly ever recur."""

_PLAIN_WORD = re.compile(r"([a-z]+)[.,;:?!]?")
_STAND_IN = "qzq"
"""A word that the English normaliser leaves as it is, in place of the neighbours of a stretch."""

_IN_PHRASES = frozenset({"a", "half", "st", "nd", "rd", "th", "s"})
"""Words that mean something to its numbers after others: "three and a half", "10 th"."""


@cache
def english() -> Callable[[str], str]:
    """Whisper's normaliser for English.

    Two things are otherwise than in the package. A line break is taken for a space ("she's", "been"), and what is left of
    "...", and a currency sign by itself, are no words: nobody said them.
    """
    from whisper_normalizer.english import EnglishTextNormalizer

    whole = EnglishTextNormalizer()
    inert = _inert(whole)

    def stretch(text: str, is_first: bool, is_last: bool) -> str:
        """Words in a row that are not inert, with stand-ins where the text goes on."""
        normalised = whole(f"{'' if is_first else _STAND_IN} {text} {'' if is_last else _STAND_IN}".strip()).split()
        return " ".join(word for word in normalised if word != _STAND_IN and any(map(str.isalnum, word)))

    kept_stretch = lru_cache(maxsize=1 << 15)(stretch)

    def normalise(text: str) -> str:
        text = _tamed(text)
        if _STAND_IN in text.lower() or any(mark in text for mark in ("<", "[", "(", " '")):
            return " ".join(word for word in whole(text).split() if any(map(str.isalnum, word)))
        # Most words of a long text are inert: they stay as they are, and part what is before from what is after them. What
        # is between recurs ("and the", "it's"), and so has been normalised before.
        words = text.split()
        known = [inert(word) if len(word) <= LONGEST_KEPT else None for word in words]
        made: list[str] = []
        done = 0
        for is_inert, run in groupby(known, key=bool):
            end = done + len(list(run))
            if is_inert:
                made += filter(None, known[done:end])
            else:
                several = " ".join(words[done:end])
                one = kept_stretch if len(several) <= LONGEST_KEPT else stretch
                made.append(one(several, done == 0, end == len(words)))
            done = end
        return " ".join(filter(None, made))

    return normalise


def _inert(whole: EnglishTextNormalizer) -> Callable[[str], str | None]:
    """A function that gives what a word becomes whatever stands around it, or None if it means something to a rule."""
    meant = {
        *_IN_PHRASES,
        *whole.standardize_numbers.words,
        *whole.standardize_numbers.preceding_prefixers,
        *whole.standardize_numbers.following_prefixers,
        *whole.standardize_spellings.mapping,
        *re.findall(r"\w+", whole.ignore_patterns),
        *(part for pattern in whole.replacers for part in re.findall(r"\w+", pattern.replace(r"\b", " "))),
    }

    @lru_cache(maxsize=1 << 16)
    def inert(word: str) -> str | None:
        found = _PLAIN_WORD.fullmatch(word.lower()) if word.isascii() else None
        return found[1] if found and found[1] not in meant else None

    return inert


@cache
def basic() -> Callable[[str], str]:
    """Whisper's normaliser for all other languages, which drops combining marks."""
    from whisper_normalizer.basic import BasicTextNormalizer

    normalise: Callable[[str], str] = BasicTextNormalizer()
    return lambda text: normalise(_tamed(text))


def _tamed(text: str) -> str:
    """The text without what Whisper's patterns need time for that grows with its square.

    White space is collapsed (they do it themselves, but at the end, so that a line break can hide a phrase from them),
    and where dozens of brackets are opened and never closed, which no pattern matches but each is tried from, the
    brackets become the spaces that they end as anyway.
    """
    for opening, closing in (("<[", ">]"), ("(", ")")):
        closed = max(text.rfind(bracket) for bracket in closing) + 1
        if sum(text.count(bracket, closed) for bracket in opening) > MOST_UNCLOSED:
            text = text[:closed] + text[closed:].translate(dict.fromkeys(map(ord, opening), " "))
    return " ".join(text.split())
