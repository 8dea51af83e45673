"""What a normaliser did to a text, so that people can see it.

Um,      twenty one   Dr.      said  it's
dropped  21           doctor   said  it is
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from comparisons.normalise import Normaliser
from comparisons.score import Unit
from comparisons.texts.pieces import pieces

ChangeKind = Literal["same", "changed", "dropped"]


@dataclass(frozen=True, slots=True)
class Change:
    """Raw words that were normalised together, and what they became; raw characters in scripts without spaces."""

    text: str
    """As it was written. Untrusted: escape it."""
    became: str
    """What is counted instead, with one space between words; "" if it was dropped."""
    after: str
    """What stands between this and the next: a space, or nothing."""

    @property
    def kind(self) -> ChangeKind:
        """A change of letter case is a change."""
        if not self.became:
            return "dropped"
        return "same" if self.became == self.text else "changed"


def explained(text: str, normaliser: Normaliser, unit: Unit = "word") -> tuple[Change, ...]:
    """Every raw word of a text, in order, and what became of it.

    Args:
        unit: of the score; "character" tells raw characters instead.
    """
    raw = pieces(text, normaliser, unit)
    between = " " if unit == "word" else ""
    return tuple(
        Change(raw.text(*range_of_pieces), between.join(raw.tokens[begin:end]), raw.afters[range_of_pieces[1] - 1])
        for range_of_pieces, (begin, end) in raw.groups
    )
