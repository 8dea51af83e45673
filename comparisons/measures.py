"""What an error rate does not say: key terms, names, numbers, punctuation, invented text, the longest wrong stretch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from comparisons.align import Alignment
from comparisons.normalise import Normaliser
from runners.base import Transcript

Suspicion = Literal["loop", "over silence", "too fast", "empty"]


@dataclass(frozen=True, slots=True)
class Kept:
    """How much of what the reference has is in the transcript too."""

    kept: int
    of: int
    missing: tuple[str, ...] = ()
    """What is not, each as the reference writes it, in order. Untrusted."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A stretch of a transcript that was hardly said."""

    suspicion: Suspicion
    text: str
    """What it is, for people: "“thank you” 14 times in a row". Holds untrusted text."""
    start: float | None = None
    """Seconds from the start of the clip, where known."""
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of words that are all wrong."""

    words: int
    """Of the reference."""
    reference: str
    """What was said there; "" if the system only added words. Untrusted."""
    hypothesis: str
    """What the system has there. Untrusted."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Of one transcript; what needs a reference is None without one, and where the reference has none of it."""

    words: int
    words_per_minute: float
    flags: tuple[Flag, ...] = ()
    key_terms: Kept | None = None
    names: Kept | None = None
    numbers: Kept | None = None
    capitals: Kept | None = None
    punctuation: Kept | None = None
    longest_wrong: Stretch | None = None


EXPLAINED: Mapping[str, str] = MappingProxyType({})
"""A line of explanation for each field of ``Measures``."""


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
    """
    words = len(transcript.text.split())
    return Measures(words, 60 * words / seconds if seconds else 0.0)
