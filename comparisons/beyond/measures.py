"""What an error rate does not say: key terms, names, numbers, letter case, punctuation, the longest wrong stretch.

All of it is read off the alignment that the rate was counted from, so a word is kept here exactly if it is no error there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from comparisons.align import Alignment
from comparisons.beyond.hallucinations import SAMPLE, flags
from comparisons.beyond.hallucinations import SUSPICIONS as SUSPICIONS
from comparisons.beyond.hallucinations import Flag as Flag
from comparisons.beyond.hallucinations import Suspicion as Suspicion
from comparisons.beyond.wording import core
from comparisons.beyond.written import Numbers, Run, Written, written
from comparisons.normalise import Normaliser, is_spaced
from comparisons.score import Unit
from runners.base import Transcript

MOST_KEY_TERMS = 500
LONGEST_KEY_TERM = 200
"""Characters."""
LONGEST_QUOTE = 400
"""Characters of a wrong stretch that are kept: a system in a loop adds thousands of words."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How much of what the reference has is in the transcript too."""

    kept: int
    of: int
    missing: tuple[str, ...] = ()
    """What is not, each as the reference writes it, in order. Untrusted."""
    added: int | None = None
    """How many the transcript has that the reference does not have there; None if nobody counted."""

    @property
    def recall(self) -> float | None:
        """Fraction of the reference's that were kept; None if it has none."""
        return self.kept / self.of if self.of else None

    @property
    def precision(self) -> float | None:
        """Fraction of the transcript's that the reference has too; None if it has none, or nobody counted."""
        has = self.kept + self.added if self.added is not None else 0
        return self.kept / has if has else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of recall and precision: 2 kept / (of + kept + added). None if nobody counted, or with none at all."""
        if self.added is None or not self.of + self.kept + self.added:
            return None
        return 2 * self.kept / (self.of + self.kept + self.added)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of errors without a right word in it."""

    words: int
    """How many errors it holds: words substituted, left out or added; characters if ``unit`` says so."""
    reference: str
    """What was said there; "" if the system only added words. Untrusted."""
    hypothesis: str
    """What the system has there; "" if it only left words out. Untrusted."""
    unit: Unit = "word"


@dataclass(frozen=True, slots=True)
class Measures:
    """Of one transcript; what needs a reference is None without one, and where the reference has none of it."""

    words: int
    """Raw ones, characters if ``unit`` says so."""
    words_per_minute: float
    flags: tuple[Flag, ...] = ()
    key_terms: Kept | None = None
    names: Kept | None = None
    numbers: Kept | None = None
    capitals: Kept | None = None
    punctuation: Kept | None = None
    longest_wrong: Stretch | None = None
    """None also where nothing is wrong."""
    unit: Unit = "word"
    """What ``words`` counts: characters in scripts without spaces."""


EXPLAINED: Mapping[str, str] = MappingProxyType(
    {
        "words": "How many words the system wrote; characters in scripts without spaces.",
        "words_per_minute": "Words the system wrote for each minute of the clip; calm English speech has 120 to 180.",
        "flags": "Places where the text was hardly said: loops, text over silence, another language, nothing.",
        "key_terms": "How many of your terms came out, each time they were said; other forms of a word count as missed.",
        "names": "How many words with a capital inside a sentence (names, mostly; in German all nouns) were heard right.",
        "numbers": "How many numbers, in digits or English words, were heard right; each number counts as one.",
        "capitals": "Of the words heard right that have a capital, how many got one; writing more than there are lowers F1.",
        "punctuation": "How many commas, full stops, question marks and so on stand after the right word; extra ones lower F1.",
        "longest_wrong": "The longest run of errors without one right word in between: where listening pays most.",
        "unit": "What is counted as a word.",
    }
)
"""A line of explanation for each field of ``Measures``. The pace of English is about that of lectures and of the radio in
Tauroza and Allison 1990, "Speech rates in British English", Applied Linguistics 11."""


def measures(
    transcript: Transcript,
    seconds: float,
    silences: Sequence[tuple[float, float]],
    *,
    reference: str | None = None,
    alignment: Alignment | None = None,
    normaliser: Normaliser | None = None,
    key_terms: Sequence[str] = (),
) -> Measures:
    """Measure a transcript.

    Args:
        seconds: length of the clip.
        silences: (start, end) of every silence in it.
        alignment: of reference and transcript, by ``normaliser``.
        key_terms: what must not be missed: names, products, drugs.

    Raises:
        ValueError: the alignment is of other texts, or was made with another normaliser.
    """
    unit: Unit = "word" if is_spaced(None, transcript.text[:SAMPLE]) else "character"
    words = len(transcript.text.split()) if unit == "word" else sum(map(str.isalnum, transcript.text))
    per_minute = 60 * words / seconds if seconds else 0.0
    flagged = flags(transcript, seconds, tuple(silences), reference)
    if reference is None or alignment is None or normaliser is None:
        return Measures(words, per_minute, flagged, unit=unit)
    held = _Held(reference, transcript.text, alignment, normaliser)
    return Measures(
        words,
        per_minute,
        flagged,
        key_terms=_key_terms(held, key_terms),
        names=_runs(held, held.said.names),
        numbers=_runs(held, held.said.numbers),
        capitals=_capitals(held),
        punctuation=_punctuation(held),
        longest_wrong=_longest_wrong(held),
        unit=unit,
    )


def key_terms_in(text: str) -> tuple[str, ...]:
    """The key terms of a list that somebody wrote, cut at commas, semicolons and line breaks; each once, in order.

    Raises:
        ValueError: there are more than 500, or one is longer than 200 characters.
    """
    terms = tuple(dict.fromkeys(filter(None, (" ".join(term.split()) for term in re.split(r"[,;\n\r，；、]", text)))))
    if len(terms) > MOST_KEY_TERMS:
        raise ValueError(f"There are {len(terms)} key terms; give at most {MOST_KEY_TERMS}.")
    for term in terms:
        if len(term) > LONGEST_KEY_TERM:
            raise ValueError(
                f"The key term “{term[:40]}…” has {len(term)} characters; give at most {LONGEST_KEY_TERM},"
                " and put a comma or a new line between terms."
            )
    return terms


def unsaid(key_terms: Iterable[str], reference: str, normaliser: Normaliser, unit: Unit = "word") -> tuple[str, ...]:
    """The key terms that stand nowhere in a reference, so that nobody can have missed them; as they were given, in order.

    A term of which the normaliser leaves nothing stands nowhere. So does one that the reference has in another form.
    """
    said = written(reference, normaliser, unit)
    tokenise = normaliser.words if unit == "word" else normaliser.characters

    def stands(term: tuple[str, ...]) -> bool:
        return bool(term) and any(said.tokens[at : at + len(term)] == term for at in said.index.get(term[0], ()))

    return tuple(term for term in key_terms if not stands(tuple(tokenise(term))))


class _Held:
    """Reference and transcript as they were written, and what became of each token."""

    def __init__(self, reference: str, hypothesis: str, alignment: Alignment, normaliser: Normaliser) -> None:
        self.unit: Unit = "word"
        if all(len(token) == 1 for side in (alignment.reference, alignment.hypothesis) for token in side):  # or "1 2 3"
            words = normaliser.words(reference), normaliser.words(hypothesis)
            self.unit = "word" if words == (alignment.reference, alignment.hypothesis) else "character"
        self.said = written(reference, normaliser, self.unit)
        self.heard = written(hypothesis, normaliser, self.unit)
        if self.said.tokens != alignment.reference or self.heard.tokens != alignment.hypothesis:
            raise ValueError("The alignment is not one of these two texts.")
        self.alignment = alignment
        self.normaliser = normaliser
        self.partner: Numbers = np.full(len(self.said.tokens), -1, dtype=np.int64)
        """For each token of the reference the one it was aligned with, right or wrong; -1 if it was left out."""
        said_wrong = np.ones(len(self.said.tokens) + 1, dtype=np.int64)
        heard_wrong = np.ones(len(self.heard.tokens) + 1, dtype=np.int64)
        said_wrong[0] = heard_wrong[0] = 0
        for kind, i1, i2, j1, j2 in alignment.chunks:
            if kind in ("hit", "substitution"):
                self.partner[i1:i2] = np.arange(j1, j2)
            if kind == "hit":
                said_wrong[i1 + 1 : i2 + 1] = 0
                heard_wrong[j1 + 1 : j2 + 1] = 0
        self.wrong_before: Numbers = np.cumsum(said_wrong)
        """How many of the reference's tokens before each, and before the end, are no hits."""
        self._heard_wrong_before: Numbers = np.cumsum(heard_wrong)

    def is_right(self, first: int, last: int) -> bool:
        """Whether all tokens of a stretch of the reference are hits."""
        return bool(self.wrong_before[first] == self.wrong_before[last])

    def is_heard_right(self, first: int, last: int) -> bool:
        """Whether all tokens of a stretch of the transcript are hits."""
        return bool(self._heard_wrong_before[first] == self._heard_wrong_before[last])


@lru_cache(maxsize=8)
def _terms(key_terms: tuple[str, ...], normaliser: Normaliser, unit: Unit) -> frozenset[tuple[str, ...]]:
    """Each term's tokens; terms of which nothing is left are none."""
    tokenise = normaliser.words if unit == "word" else normaliser.characters
    return frozenset(tuple(tokenise(term)) for term in key_terms) - {()}


def _key_terms(held: _Held, key_terms: Sequence[str]) -> Kept | None:
    terms = sorted(_terms(tuple(key_terms), held.normaliser, held.unit), key=lambda term: (-len(term), term))
    if not terms:
        return None
    said = sorted(_places(held.said, terms))
    missing = []
    for first, last in said:
        # All there, and nothing added in between.
        if not held.is_right(first, last) or held.partner[last - 1] - held.partner[first] != last - 1 - first:
            missing.append(held.said.text(first, last))
    added = sum(not held.is_heard_right(first, last) for first, last in _places(held.heard, terms))
    return Kept(len(said) - len(missing), len(said), tuple(missing), added) if said else None


def _places(side: Written, terms: Iterable[tuple[str, ...]]) -> Iterator[tuple[int, int]]:
    """Where the terms stand, longer ones first; what one term has taken is not counted for another."""
    taken: set[int] = set()
    for term in terms:
        for first in side.index.get(term[0], ()):
            last = first + len(term)
            if side.tokens[first:last] == term and taken.isdisjoint(range(first, last)):
                taken.update(range(first, last))
                yield first, last


def _runs(held: _Held, runs: Sequence[Run]) -> Kept | None:
    missing = tuple(core(text) for text, first, last in runs if not held.is_right(first, last))
    return Kept(len(runs) - len(missing), len(runs), missing) if runs else None


def _capitals(held: _Held) -> Kept | None:
    if not held.said.wording.has_case:
        return None
    said, heard = held.said.words, held.heard.words
    begin = held.partner[said.first]
    both = (held.wrong_before[said.first] == held.wrong_before[said.last]) & (begin >= 0)
    both[both] = heard.lengths[begin[both]] == (said.last - said.first)[both]  # and both are one raw word
    was = said.capitals[said.first][both]
    became = heard.capitals[begin[both]]
    places = np.flatnonzero(both)[was & ~became].tolist()
    kept, added = int((was & became).sum()), int((became & ~was).sum())
    return Kept(kept, kept + len(places), tuple(said.cores[place] for place in places), added) if kept or places else None


def _punctuation(held: _Held) -> Kept | None:
    said, heard = held.said.marks, held.heard.marks
    if not said:
        return None
    partner = held.partner.tolist()
    missing = [
        core(held.said.text(token, token + 1)) + kind for token, kind in said.items() if heard.get(partner[token]) != kind
    ]
    kept = len(said) - len(missing)
    return Kept(kept, len(said), tuple(missing), len(heard) - kept)


def _longest_wrong(held: _Held) -> Stretch | None:
    best = run = (0, 0, 0, 0, 0)  # errors, then first and last + 1 token of the reference and of the transcript
    is_open = False
    for kind, i1, i2, j1, j2 in held.alignment.chunks:
        if kind == "hit":
            is_open = False
            continue
        errors = max(i2 - i1, j2 - j1)
        run = (run[0] + errors, run[1], i2, run[3], j2) if is_open else (errors, i1, i2, j1, j2)
        is_open = True
        if run[0] > best[0]:
            best = run
    errors, i1, i2, j1, j2 = best
    if not errors:
        return None
    return Stretch(errors, _shortened(held.said.text(i1, i2)), _shortened(held.heard.text(j1, j2)), held.unit)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1].rstrip() + "…"
