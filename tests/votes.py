"""Reviews and ballots for tests: systems that are called by one letter each, and judges who vote as told."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from comparisons.reviews.ballots import Ballot, Cast, Duel, Says, WordMark
from comparisons.reviews.review import Hearing, Judge, Method, Review, ReviewClip, Word
from comparisons.score import Score

LABELS = {"a": "Ada", "b": "Bob", "c": "Cy", "d": "Di"}


def scored(errors: int, of: int = 100) -> Score:
    return Score(of - errors, errors, 0, 0, errors, 5 * of, "whisper-english", "1")


def clip(number: int, texts: Mapping[str, str], errors: Mapping[str, int] | None = None) -> ReviewClip:
    """A clip with the text of each system, and of 100 words so many wrong; None: no reference."""
    return ReviewClip(
        number,
        f"clip {number}.wav",
        3.0,
        tuple(
            Hearing(
                name,
                LABELS[name],
                tuple(Word(word, " ", None, None) for word in text.split()),
                scored(errors[name]) if errors is not None else None,
            )
            for name, text in texts.items()
        ),
    )


def review(method: Method, clips: int = 4, systems: str = "abc", errors: Mapping[str, int] | None = None) -> Review:
    """Every system has a text of its own of each clip."""
    made = [clip(number, {name: f"text {name} of it" for name in systems}, errors) for number in range(1, clips + 1)]
    return Review("r1", "By ear", "Which?", method, tuple(made), b"a secret")


def judge(number: int) -> Judge:
    return Judge(f"secret id {number}", number, f"Judge {number}" if number == 1 else None)


def cast(number: int, ballot: Ballot) -> Cast:
    return Cast(judge(number), ballot, "2026-05-01T10:00:00+00:00")


def best(number: int, clip: int, name: str | None, *marks: WordMark) -> Cast:
    return cast(number, Ballot("best", clip, best=name, marks=marks))


def duels(number: int, clip: int, *told: tuple[str, str, Says]) -> Cast:
    return cast(number, Ballot("pairwise", clip, duels=tuple(Duel(*each) for each in told)))


def rated(number: int, clip: int, **ratings: int) -> Cast:
    return cast(number, Ballot("rating", clip, ratings=tuple(ratings.items())))


def voted(choices: Sequence[str]) -> list[Cast]:
    """One string a judge, one letter a clip: which is best; "-" for none."""
    return [
        best(number, clip, None if name == "-" else name)
        for number, row in enumerate(choices, 1)
        for clip, name in enumerate(row, 1)
    ]


def leaning(judges: int, clips: int, weights: Mapping[str, int], seed: int = 1) -> list[Cast]:
    """Judges who choose the best at random, each system as often as its weight says."""
    chance = random.Random(seed)  # noqa: S311
    return voted(["".join(chance.choices(list(weights), list(weights.values()), k=clips)) for _ in range(judges)])
