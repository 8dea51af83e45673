"""What judges say: ballots, checked against the task they answer, as whatever a browser sends is checked.

    best        {"heard": true, "choice": "B"}                                  or "none good"
    pairwise    {"heard": true, "choice": [{"left": "A", "right": "C", "says": "left"}, …]}    or right, tie, both bad
    rating      {"heard": true, "choice": {"A": 4, "B": 2}}                     1 (bad) to 5 (all there) for each column
    any         "marks": [{"letter": "B", "at": 3, "word": "meat", "comment": "should be meet"}]   words that are wrong

A ballot comes in with letters and is kept with names: what was a letter is translated in the same step, on the server.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from comparisons.reviews.review import Judge, Method, Task

Says = Literal["left", "right", "tie", "both bad"]
SAYS: tuple[Says, ...] = ("left", "right", "tie", "both bad")
NONE_GOOD = "none good"
LOWEST, HIGHEST = 1, 5
"""Of a rating."""
LONGEST_COMMENT = 500
"""Characters."""
MOST_MARKS = 200
"""In one ballot."""


class BallotError(ValueError):
    """A ballot that does not answer its task; says what is wrong with it in plain words."""


@dataclass(frozen=True, slots=True)
class Duel:
    """What a judge said of two texts side by side."""

    left: str
    """Name of a contender."""
    right: str
    says: Says


@dataclass(frozen=True, slots=True)
class WordMark:
    """A word that a judge holds for wrong."""

    contender: str
    """Name."""
    at: int
    """Which word of its text, from 0."""
    word: str
    """Untrusted."""
    comment: str
    """ "" if they only marked it. Untrusted."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """What one judge said of one clip; columns are named by their contenders."""

    method: Method
    clip: int
    """Number of the clip."""
    best: str | None = None
    """For best: name of the contender; None if none was good."""
    duels: tuple[Duel, ...] = ()
    """For pairwise."""
    ratings: tuple[tuple[str, int], ...] = ()
    """For rating: (contender, 1 to 5)."""
    marks: tuple[WordMark, ...] = ()

    def choice(self) -> Any:
        """What was chosen, without the marks, as JSON has it; ``from_choice`` reads it again."""
        if self.method == "best":
            return self.best
        if self.method == "pairwise":
            return [asdict(duel) for duel in self.duels]
        return dict(self.ratings)

    @classmethod
    def from_choice(cls, method: Method, clip: int, choice: Any, marks: tuple[WordMark, ...] = ()) -> Ballot:
        """A ballot that was kept: what ``choice`` gave, and its marks."""
        if method == "best":
            return cls(method, clip, best=choice, marks=marks)
        if method == "pairwise":
            return cls(method, clip, duels=tuple(Duel(**duel) for duel in choice), marks=marks)
        return cls(method, clip, ratings=tuple(choice.items()), marks=marks)


@dataclass(frozen=True, slots=True)
class Cast:
    """A ballot with who cast it and when."""

    judge: Judge
    ballot: Ballot
    at: str
    """ISO 8601, UTC."""


def checked(task: Task, raw: object, contenders: Mapping[str, str]) -> Ballot:
    """The ballot that a browser sent for a task.

    Args:
        raw: parsed JSON. Untrusted: it may be anything.
        contenders: ``Review.contenders`` of the same judge and clip.

    Raises:
        BallotError: it is no answer to this task.
    """
    fields = _fields(raw, {"heard", "choice"}, {"marks"}, "The vote")
    if fields["heard"] is not True:
        raise BallotError("Play the clip first, then vote.")
    marks = _marks(task, fields.get("marks", []), contenders)
    choice = fields["choice"]
    if task.method == "best":
        best = None if choice == NONE_GOOD else contenders[_letter(task, choice)]
        return Ballot("best", task.clip, best=best, marks=marks)
    if task.method == "pairwise":
        return Ballot("pairwise", task.clip, duels=_duels(task, choice, contenders), marks=marks)
    return Ballot("rating", task.clip, ratings=_ratings(task, choice, contenders), marks=marks)


def _duels(task: Task, choice: object, contenders: Mapping[str, str]) -> tuple[Duel, ...]:
    if not isinstance(choice, list) or len(choice) != len(task.pairs):
        raise BallotError("Choose left, right, tie or both bad for each pair.")
    said: dict[tuple[str, str], Says] = {}
    for each in choice:
        pair = _fields(each, {"left", "right", "says"}, set(), "Each pair")
        left, right, says = _letter(task, pair["left"]), _letter(task, pair["right"]), pair["says"]
        if (left, right) not in task.pairs or (left, right) in said:
            raise BallotError("Vote once on each of the pairs that are shown, and on no other.")
        if not isinstance(says, str) or says not in SAYS:
            raise BallotError("Choose left, right, tie or both bad for each pair.")
        said[left, right] = says
    return tuple(Duel(contenders[left], contenders[right], said[left, right]) for left, right in task.pairs)


def _ratings(task: Task, choice: object, contenders: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    letters = {column.letter for column in task.columns}
    rated = _fields(choice, letters, set(), "The rating")
    for rating in rated.values():
        if type(rating) is not int or not LOWEST <= rating <= HIGHEST:  # True is an int, and no rating
            raise BallotError(f"Give each text a whole number from {LOWEST} to {HIGHEST}.")
    return tuple((contenders[column.letter], rated[column.letter]) for column in task.columns)


def _marks(task: Task, raw: object, contenders: Mapping[str, str]) -> tuple[WordMark, ...]:
    if not isinstance(raw, list):
        raise BallotError("The marked words must be a list.")
    if len(raw) > MOST_MARKS:
        raise BallotError(f"At most {MOST_MARKS} words can be marked: mark those that matter most.")
    words = {column.letter: column.words for column in task.columns}
    marks: dict[tuple[str, int], WordMark] = {}
    for each in raw:
        fields = _fields(each, {"letter", "at", "word"}, {"comment"}, "Each marked word")
        letter, at = _letter(task, fields["letter"]), fields["at"]
        if type(at) is not int or not 0 <= at < len(words[letter]) or fields["word"] != words[letter][at].text:
            raise BallotError("A marked word is not in its text: load the page again.")
        if (letter, at) in marks:
            raise BallotError("A word can be marked once.")
        marks[letter, at] = WordMark(contenders[letter], at, words[letter][at].text, _comment(fields.get("comment", "")))
    return tuple(marks.values())


def _comment(raw: object) -> str:
    if not isinstance(raw, str):
        raise BallotError("A comment must be text.")
    if len(raw) > LONGEST_COMMENT:
        raise BallotError(f"A comment can have {LONGEST_COMMENT} characters: shorten it.")
    if any(unicodedata.category(character) == "Cs" for character in raw):  # half a character: can't be kept as UTF-8
        raise BallotError("A comment has characters that are no text.")
    spaced = "".join(" " if unicodedata.category(character) == "Cc" else character for character in raw)
    return " ".join(spaced.split())


def _letter(task: Task, raw: object) -> str:
    if not isinstance(raw, str) or raw not in [column.letter for column in task.columns]:
        raise BallotError(f"Choose one of the texts {task.columns[0].letter} to {task.columns[-1].letter}.")
    return raw


def _fields(raw: object, needed: set[str], optional: set[str], what: str) -> dict[str, Any]:
    """A JSON object that has what it must, and nothing else."""
    if not isinstance(raw, dict):
        raise BallotError(f"{what} is not in the form that this page sends.")
    missing, extra = needed - raw.keys(), raw.keys() - needed - optional
    if missing == {"heard"}:
        raise BallotError("Play the clip first, then vote.")
    if missing:
        raise BallotError(f"{what} lacks: {', '.join(sorted(missing))}.")
    if extra:
        raise BallotError(f"{what} has something that nobody asked for.")
    return raw
