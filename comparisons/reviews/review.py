"""A blind review as plain data: its clips, what each judge sees of them, in which order, and under which letters.

    the review    clip 1   Moonshine, PocketSphinx, Whisper         clip 2   …
    judge 1       clip 2, then clip 1                               A Whisper, B Moonshine, C PocketSphinx
    judge 2       clip 1, then clip 2                               A PocketSphinx, B Whisper, C Moonshine

All chance comes from the review's secret seed, the judge and the clip, and nothing is remembered: after a restart a judge
sees what they saw before. Without the seed nobody can work out which letter is whose (HMAC, RFC 2104, with SHA-256).

A ``Task`` is what a judge's browser may know, and there is no name, label, model or rate in it. Neither do times tell a
system by what it can do: each word has one, its own or interpolated, and all are rounded alike.

Two systems that wrote the same of a clip have a column each, and are never held against each other there: there is nothing
to prefer. Where all wrote the same, nobody is asked which is best.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import accumulate
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from comparisons.compare import Comparison
from comparisons.reviews.chance import Chance, round_robin
from comparisons.score import Score, Unit
from comparisons.sides.marks import Mark
from comparisons.sides.side_by_side import side_by_side
from comparisons.texts.pieces import raw

Method = Literal["best", "pairwise", "rating"]
"""How judges say what they think: which is best, which of two is better, or 1 to 5 for each."""
METHODS: Mapping[Method, str] = MappingProxyType(
    {
        "best": "Which text comes closest to what was said?",
        "pairwise": "Which of the two texts comes closer to what was said?",
        "rating": "How well does each text say what was said?",
    }
)
"""Each method, and what is asked where the owner asks nothing of their own."""
LETTERS = "ABCDEFGHI"
"""As many columns as there are number keys on a keyboard."""
FEWEST_COLUMNS = 2
MOST_PAIRS = 6
"""Pairs that a judge is asked about on one clip: all there are of four columns."""
LONGEST_TITLE = 200
"""Characters of a review's title."""
LONGEST_QUESTION = 500
"""Characters of a review's question."""
SEED_BYTES = 32


class ReviewError(ValueError):
    """A review that cannot be made, or something that is not in it; says why in plain words."""


class Word(NamedTuple):
    """One word of a text, or one character in scripts without spaces. Untrusted."""

    text: str
    after: str
    """What stands between it and the next: a space, or nothing."""
    start: float | None
    """Seconds from the start of the clip, to a tenth; None only where nothing at all is known."""
    end: float | None


@dataclass(frozen=True)
class Hearing:
    """What one system heard in a clip. Never leaves the server before the verdict."""

    contender: str
    """Its name."""
    label: str
    """What people call it. Untrusted."""
    words: tuple[Word, ...]
    score: Score | None
    """None without a reference."""

    @cached_property
    def text(self) -> str:
        """As judges see it."""
        return "".join(word.text + word.after for word in self.words).strip()

    @property
    def rate(self) -> float | None:
        """The rate that stands first, a fraction; None if it is not known."""
        return self.score.headline[1] if self.score is not None else None


@dataclass(frozen=True, slots=True)
class ReviewClip:
    """One clip of a review: a copy, that does not change under its judges."""

    number: int
    """1 for the first."""
    source: str
    """File name of the clip. Untrusted, and not for judges: names give systems away."""
    seconds: float
    hearings: tuple[Hearing, ...]
    """Of the systems that transcribed it, in the order in which they were chosen."""

    @property
    def distinct_pairs(self) -> tuple[tuple[int, int], ...]:
        """Every two hearings, as places in ``hearings``, whose texts differ."""
        texts = [hearing.text for hearing in self.hearings]
        return tuple(pair for pair in _all_pairs(len(texts)) if texts[pair[0]] != texts[pair[1]])

    def to_dict(self) -> dict[str, Any]:
        """The clip as JSON has it; ``from_dict`` reads it again."""
        return {
            "number": self.number,
            "source": self.source,
            "seconds": self.seconds,
            "hearings": [
                {
                    "contender": hearing.contender,
                    "label": hearing.label,
                    "words": [list(word) for word in hearing.words],
                    "score": asdict(hearing.score) if hearing.score is not None else None,
                }
                for hearing in self.hearings
            ],
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> ReviewClip:
        """What ``to_dict`` wrote.

        Raises:
            KeyError, TypeError: it is something else.
        """
        return cls(
            written["number"],
            written["source"],
            written["seconds"],
            tuple(
                Hearing(
                    hearing["contender"],
                    hearing["label"],
                    tuple(Word(*word) for word in hearing["words"]),
                    Score(**hearing["score"]) if hearing["score"] is not None else None,
                )
                for hearing in written["hearings"]
            ),
        )


@dataclass(frozen=True, slots=True)
class Judge:
    """Somebody who has opened a review's link."""

    id: str
    """Unguessable."""
    number: int
    """1 for the first who came; what they are called in results."""
    name: str | None = None
    """As they gave it; None if they gave none. Untrusted."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One column as a judge sees it."""

    letter: str
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One clip of a review for one judge. Whose the texts are is not in it."""

    title: str
    """The owner's. Untrusted."""
    question: str
    """The owner's. Untrusted."""
    method: Method
    clip: int
    """Number of the clip."""
    place: int
    """Which of the judge's tasks it is, from 1."""
    of: int
    """How many tasks the judge has."""
    seconds: float
    """Length of the clip."""
    columns: tuple[Shown, ...]
    """In the order of their letters."""
    pairs: tuple[tuple[str, str], ...]
    """The letters (left, right) that are held against each other, for pairwise; else empty."""

    def to_browser(self) -> dict[str, Any]:
        """All that a judge's browser is told before the verdict, as JSON has it."""
        return {
            "title": self.title,
            "question": self.question,
            "method": self.method,
            "clip": self.clip,
            "place": self.place,
            "of": self.of,
            "seconds": round(self.seconds, 1),
            "columns": [
                {
                    "letter": column.letter,
                    "words": [
                        {"text": text, "after": after, "start": start, "end": end} for text, after, start, end in column.words
                    ],
                }
                for column in self.columns
            ],
            "pairs": [list(pair) for pair in self.pairs],
        }


@dataclass(frozen=True)
class Review:
    """A blind review of one clip or many. ``checked`` says whether it can be held."""

    id: str
    title: str
    """Untrusted."""
    question: str
    """What the judges are asked. Untrusted."""
    method: Method
    clips: tuple[ReviewClip, ...]
    """Numbered from 1, in the owner's order."""
    seed: bytes = field(repr=False)
    """Secret; whoever has it knows which letter is whose."""

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """What people call each system, by name, in the order of the clips. Untrusted."""
        return {hearing.contender: hearing.label for clip in self.clips for hearing in clip.hearings}

    @cached_property
    def judged(self) -> tuple[int, ...]:
        """Numbers of the clips on which there is something to judge."""
        return tuple(clip.number for clip in self.clips if self.method == "rating" or clip.distinct_pairs)

    def clip(self, number: int) -> ReviewClip:
        """The clip of that number.

        Raises:
            ReviewError: there is none.
        """
        for clip in self.clips:
            if clip.number == number:
                return clip
        raise ReviewError("There is no such clip in this review.")

    def order(self, judge: Judge) -> tuple[int, ...]:
        """The numbers of the clips in the order in which a judge hears them."""
        return tuple(Chance(self.seed, "clips", judge.id).shuffled(self.judged))

    def contenders(self, judge: Judge, number: int) -> dict[str, str]:
        """Whose text stands under which letter: letter -> name of the contender. Not for the judge.

        Raises:
            ReviewError: there is no such clip.
        """
        return {letter: hearing.contender for letter, hearing in zip(LETTERS, self._columns(judge, number), strict=False)}

    def task(self, judge: Judge, number: int) -> Task:
        """What a judge sees of a clip.

        Raises:
            ReviewError: there is no such clip, or nothing to judge in it.
        """
        order = self.order(judge)
        clip = self.clip(number)
        if number not in order:
            raise ReviewError("All texts of this clip are the same: there is nothing to judge.")
        columns = self._columns(judge, number)
        return Task(
            title=self.title,
            question=self.question,
            method=self.method,
            clip=number,
            place=order.index(number) + 1,
            of=len(order),
            seconds=clip.seconds,
            columns=tuple(Shown(letter, hearing.words) for letter, hearing in zip(LETTERS, columns, strict=False)),
            pairs=self._pairs(judge, clip, columns) if self.method == "pairwise" else (),
        )

    def _columns(self, judge: Judge, number: int) -> list[Hearing]:
        return Chance(self.seed, "columns", judge.id, number).shuffled(self.clip(number).hearings)

    def _pairs(self, judge: Judge, clip: ReviewClip, columns: Sequence[Hearing]) -> tuple[tuple[str, str], ...]:
        """Which pairs a judge is asked about, and on which side each stands.

        The pairs of a clip stand in one long row that goes round, and each judge in turn takes the next few: over the
        judges no pair is asked about more than once oftener than another. Each time round, a pair changes sides.
        """
        chance = Chance(self.seed, "pairs", clip.number)
        row = round_robin(chance.shuffled(range(len(clip.hearings))))
        wanted = {frozenset(pair) for pair in clip.distinct_pairs}
        row = [pair for pair in row if frozenset(pair) in wanted]
        turned = [bool(chance.below(2)) for _ in row]
        start = chance.below(len(row)) + (judge.number - 1) * min(MOST_PAIRS, len(row))
        letter = {hearing.contender: letter for letter, hearing in zip(LETTERS, columns, strict=False)}
        asked = []
        for at in range(start, start + min(MOST_PAIRS, len(row))):
            rounds, place = divmod(at, len(row))
            sides = row[place] if turned[place] == bool(rounds % 2) else row[place][::-1]
            left, right = (letter[clip.hearings[side].contender] for side in sides)
            asked.append((left, right))
        return tuple(Chance(self.seed, "asked", judge.id, clip.number).shuffled(asked))


def new_seed() -> bytes:
    """A secret seed for a new review."""
    return secrets.token_bytes(SEED_BYTES)


def checked(review: Review) -> Review:
    """The review, if it can be held.

    Raises:
        ReviewError: it has no title, no clips, too few or too many columns, nothing to judge, or its title or question
            says whose the texts are.
    """
    if review.method not in METHODS:
        raise ReviewError(f"Judges can be asked in one of these ways: {', '.join(METHODS)}.")
    for what, text, longest in (("title", review.title, LONGEST_TITLE), ("question", review.question, LONGEST_QUESTION)):
        if not text.strip():
            raise ReviewError(f"A review needs a {what}.")
        if len(text) > longest:
            raise ReviewError(f"The {what} is longer than {longest} characters: shorten it.")
        for called in {*review.labels, *review.labels.values()}:
            if called and re.search(rf"(?<!\w){re.escape(called)}(?!\w)", text, re.IGNORECASE):
                raise ReviewError(f"The {what} names {called}: judges would know whose texts they read. Leave the name out.")
    if not review.clips:
        raise ReviewError("A review needs at least one clip.")
    for clip in review.clips:
        if len(clip.hearings) < FEWEST_COLUMNS:
            raise ReviewError(f"{clip.source} has fewer than two transcripts: there is nothing to compare.")
        if len(clip.hearings) > len(LETTERS):
            raise ReviewError(f"{clip.source} has more than {len(LETTERS)} transcripts: choose fewer systems.")
    if not review.judged:
        raise ReviewError("All systems wrote the same of every clip: there is nothing to judge.")
    return review


def review_clip(number: int, comparison: Comparison) -> ReviewClip:
    """A clip of a review, from a comparison: the columns that have a transcript of what was said.

    Those that were told to do something else, such as a summary, are left out, and so are those that were skipped.

    Args:
        number: 1 for the first of the review.
    """
    view = side_by_side(comparison)
    heard = {side.name: [mark for passage in view.passages for mark in passage.cells[at]] for at, side in enumerate(view.sides)}
    if view.kind == "contender" and view.against is not None:  # the anchor is a system too
        heard[view.against] = [mark for passage in view.passages for mark in passage.anchor]
    hearings = tuple(
        Hearing(
            column.contender.name, column.contender.label, _words(heard[column.contender.name], comparison.unit), column.score
        )
        for column in comparison.columns
        if column.contender.name in heard
    )
    return ReviewClip(number, comparison.source, comparison.seconds, hearings)


def _words(marks: Sequence[Mark], unit: Unit) -> tuple[Word, ...]:
    """Words one by one. Where a mark is of several, its cut is the aligner's, and would show what is held for wrong."""
    words = []
    for mark in marks:
        if mark.kind == "deletion":  # the reference's word
            continue
        texts, afters = raw(mark.text, unit)
        after = "" if unit == "character" and not mark.after else " "  # no line breaks: only some systems make them
        shares = list(accumulate(map(len, texts), initial=0))
        for at, text in enumerate(texts):
            start, end = (_between(mark, shares[side] / shares[-1]) for side in (at, at + 1))
            words.append(Word(text, afters[at] if at + 1 < len(texts) else after, start, end))
    return tuple(words)


def _between(mark: Mark, share: float) -> float | None:
    if mark.start is None or mark.end is None:
        return None
    return round(mark.start + share * (mark.end - mark.start), 1)


def _all_pairs(count: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(count) for j in range(i + 1, count)]
