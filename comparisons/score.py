"""Scores: error rates with the counts they are made of.

    WER = (S + D + I) / N        N: words of the reference
    CER = the same in characters

(Word error rate as NIST's sclite and jiwer define it; aligned by ``align.METHOD``.) Rates go over 100 % when a system
says much more than was said, and stay there. A reference that is empty has no rate; the words that were inserted are
still counted. Several clips are pooled: errors are added up and divided by all words; rates are never averaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, cast

from comparisons.align import METHOD, Alignment, align, distance
from comparisons.normalise import LONG_CHARACTERS, Normaliser, is_korean, is_spaced

Unit = Literal["word", "character"]
Metric = Literal["wer", "cer", "both"]
METRICS: Mapping[str, str] = MappingProxyType(
    {
        "wer": "words: for scripts that put spaces between them",
        "cer": "characters: for Chinese, Japanese, Thai and others without spaces",
        "both": "words and characters, both shown: for Korean",
    }
)
"""Name of each metric and what it is for."""
LONGEST_STRETCH = 1_000
"""Characters of a wrong stretch up to which its errors are counted first: those of the whole text are found sooner then."""


def choose_metric(name: str | None, language: str | None, text: str) -> Metric:
    """The metric that somebody named, else the one that suits the reference's language, or its script.

    Raises:
        ValueError: there is none of that name; the message lists those there are.
    """
    if name is not None:
        if name not in METRICS:
            raise ValueError(f"There is no metric {name!r}. Choose one of: {', '.join(METRICS)}.")
        return cast(Metric, name)
    if not is_spaced(language, text):
        return "cer"
    return "both" if is_korean(language, text) else "wer"


@dataclass(frozen=True)
class Score:
    """How far a hypothesis is from its reference."""

    hits: int
    substitutions: int
    deletions: int
    insertions: int
    character_errors: int
    """Levenshtein distance in characters of the normalised texts."""
    reference_characters: int
    normaliser: str
    """Name."""
    normaliser_version: str
    unit: Unit = "word"
    """What hits, substitutions, deletions and insertions count: characters for scripts without spaces."""
    metric: Metric = "wer"
    """Which rates are shown large."""
    method: str = METHOD
    """How words and characters were aligned."""

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def reference_length(self) -> int:
        """N: words of the normalised reference, or its characters, as ``unit`` says."""
        return self.hits + self.substitutions + self.deletions

    @property
    def wer(self) -> float | None:
        """Fraction: 0.118 is 11.8 %. None for an empty reference, and for scripts without spaces."""
        return self.errors / self.reference_length if self.reference_length and self.unit == "word" else None

    @property
    def cer(self) -> float | None:
        """Fraction. None for an empty reference."""
        return self.character_errors / self.reference_characters if self.reference_characters else None

    @property
    def rates(self) -> tuple[tuple[str, float | None], ...]:
        """The rates that stand large: ("WER", …) or ("CER", …), or both, as the metric says."""
        if self.unit == "character":
            return (("CER", self.cer),)
        return (("WER", self.wer), ("CER", self.cer)) if self.metric == "both" else (("WER", self.wer),)

    @property
    def headline(self) -> tuple[str, float | None]:
        """The first of ``rates``, which contenders are sorted by."""
        return self.rates[0]


def score(
    reference: str, hypothesis: str, normaliser: Normaliser, language: str | None = None, metric: Metric | None = None
) -> tuple[Score, Alignment]:
    """Score a hypothesis, and give the alignment that the score was counted from.

    Characters are those of the normalised text, with one space between words, which counts (as in jiwer's ``cer``).
    For scripts without spaces, spaces are left out: there they are a matter of taste.

    Args:
        reference: the true text; "" says that nothing was said.
        language: ISO 639-1 code of the reference, None to go by its script.
        metric: None takes the one that suits the language; "cer" aligns characters, the others words.
    """
    unit: Unit
    metric = metric or choose_metric(None, language, reference)
    if metric != "cer":
        said, heard = normaliser.words(reference), normaliser.words(hypothesis)
        alignment, unit = align(said, heard), "word"
        text = " ".join(said)
        characters = len(text)
        expected = None
        if characters > LONG_CHARACTERS:  # in a short text the search for it costs more than it saves
            most = _most_character_errors(alignment)
            expected = most if 4 * most < characters else None
        character_errors = distance(text, " ".join(heard), expected)
    else:
        alignment, unit = align(normaliser.characters(reference), normaliser.characters(hypothesis)), "character"
        characters, character_errors = alignment.reference_length, alignment.errors
    hits, substitutions, deletions, insertions = alignment.counts
    counted = Score(
        hits=hits,
        substitutions=substitutions,
        deletions=deletions,
        insertions=insertions,
        character_errors=character_errors,
        reference_characters=characters,
        normaliser=normaliser.name,
        normaliser_version=normaliser.version,
        unit=unit,
        metric=metric,
    )
    return counted, alignment


def _most_character_errors(alignment: Alignment) -> int:
    """No more characters can be wrong than those wrong in each stretch between right words; most often, just as many."""
    most = said_end = heard_end = 0
    words = len(alignment.reference), len(alignment.hypothesis)
    right = (chunk[1:] for chunk in alignment.chunks if chunk.kind == "hit")
    for i1, i2, j1, j2 in (*right, (words[0], words[0], words[1], words[1])):
        if i1 > said_end or j1 > heard_end:
            said, heard = " ".join(alignment.reference[said_end:i1]), " ".join(alignment.hypothesis[heard_end:j1])
            longest = max(len(said), len(heard))
            most += distance(said, heard) if longest <= LONGEST_STRETCH else longest
            most += i1 == said_end or j1 == heard_end  # a space comes or goes with the words
        said_end, heard_end = i2, j2
    return most


def pooled(scores: Iterable[Score]) -> Score | None:
    """One score over several clips: Σ errors / Σ reference words. None if there are none.

    Raises:
        ValueError: the scores were made with different normalisers, or count words here and characters there.
    """
    several = list(scores)
    if not several:
        return None
    if len({(each.normaliser, each.normaliser_version, each.unit) for each in several}) > 1:
        raise ValueError("Scores of different normalisers or units cannot be pooled.")
    return replace(
        several[0],
        hits=sum(each.hits for each in several),
        substitutions=sum(each.substitutions for each in several),
        deletions=sum(each.deletions for each in several),
        insertions=sum(each.insertions for each in several),
        character_errors=sum(each.character_errors for each in several),
        reference_characters=sum(each.reference_characters for each in several),
    )
