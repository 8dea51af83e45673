"""The transcript as the person sees it, with letter case and punctuation, marked by the alignment of normalised words.

    reference   Dr. Smith didn't say it's over.
    transcript  Um, doctor Smith did not say is over now!

    Um,    doctor  Smith  did  not  say  [it's]  is            over  now!
    plain  hit     hit    hit  hit  hit          substitution  hit   insertion

Normalising does not keep words apart: one raw word may become two ("didn't" -> "did not"), several may become one
("twenty one" -> "21"), some become none. So raw words are put into the smallest groups whose normalised words are known
(``comparisons.texts.pieces``), groups of the two sides that the alignment ties together are taken as one, and one error marks
the whole of it. The counts of a score are therefore not the number of marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from comparisons.align import Alignment
from comparisons.normalise import Normaliser
from comparisons.score import Unit
from comparisons.texts.pieces import Pieces, Times, pieces, timed
from runners.base import Transcript

MarkKind = Literal["hit", "substitution", "deletion", "insertion", "plain"]


class Mark(NamedTuple):
    """A stretch of the transcript, or of the reference where the transcript lacks it. Untrusted text: escape it.

    A named tuple, because an hour of speech in eight columns has 80 000 of them.
    """

    text: str
    """As it was written: for a deletion by the reference, otherwise by the system."""
    kind: MarkKind
    """ "plain" is neither right nor wrong: no reference, or a filler that the normaliser drops."""
    reference: str | None = None
    """For a substitution or deletion, the reference's own words."""
    start: float | None = None
    """Seconds from the start of the clip."""
    end: float | None = None
    """Seconds from the start of the clip."""
    after: str = " "
    """What stands between this mark and the next."""
    at: int | None = None
    """Where the mark stands in the text it is held against: how many of its raw words come before. None without one."""
    is_interpolated: bool = False
    """True if its start is not the system's own."""
    support: int | None = None
    """Of a word of the majority: how many systems have it."""
    is_compound: bool = False
    """True for a substitution that only splits or joins: "week end" for "weekend"."""


def plain(transcript: Transcript) -> tuple[Mark, ...]:
    """The transcript with nothing marked, and with its line breaks: a summary's points stand one on each line."""
    breaks = [_break(found[0]) for found in re.finditer(r"\s+", transcript.text.strip())]
    words = transcript.text.split()
    starts, ends = timed(words, transcript.words or transcript.segments)
    return tuple(
        Mark(word, "plain", None, start, end, after)
        for word, start, end, after in zip(words, starts, ends, [*breaks, " "], strict=False)
    )


def _break(space: str) -> str:
    """White space as it is shown: at most one empty line."""
    return "\n" * min(2, space.count("\n")) or " "


def marks(
    reference: str | Pieces, transcript: Transcript, alignment: Alignment, normaliser: Normaliser, unit: Unit = "word"
) -> tuple[Mark, ...]:
    """Mark a transcript. Every raw word of it appears exactly once and in order.

    Args:
        reference: a text; or its raw words where it is known otherwise what they stand for, as of a majority.
        alignment: from ``score(reference, transcript.text, normaliser, …)``, whose ``unit`` is passed on.

    Raises:
        ValueError: the alignment is of other texts, or was made with another normaliser.
    """
    said = pieces(reference, normaliser, unit) if isinstance(reference, str) else reference
    heard = pieces(transcript.text, normaliser, unit)
    if alignment.reference != said.tokens or alignment.hypothesis != heard.tokens:
        raise ValueError("The alignment is not one of these two texts.")
    return _marked(alignment, said, heard, timed(heard.texts, transcript.words or transcript.segments, unit))


def _marked(alignment: Alignment, said: Pieces, heard: Pieces, times: Times) -> tuple[Mark, ...]:
    starts, ends = times
    texts, afters = heard.texts, heard.afters
    made: list[Mark] = []
    add = made.append
    shown = 0  # raw pieces of the transcript that stand in ``made``
    before = 0  # raw pieces of the reference that are over
    for right, is_compound, first, last, begin, end in _ties(alignment, said, heard):
        for i in range(shown, begin):
            add(Mark(texts[i], "plain", None, starts[i], ends[i], afters[i], before))
        if begin < end:
            shown = end
        if right:
            if end - begin == 1:
                add(Mark(texts[begin], "hit", None, starts[begin], ends[begin], afters[begin], first))
            else:
                for i in range(begin, end):  # where several stand for several, each stands at its own
                    at = first + (i - begin) * (last - first) // (end - begin)
                    add(Mark(texts[i], "hit", None, starts[i], ends[i], afters[i], at))
        elif begin < end and first < last:
            ours, theirs, after = heard.text(begin, end), said.text(first, last), afters[end - 1]
            add(Mark(ours, "substitution", theirs, starts[begin], ends[end - 1], after, first, is_compound=is_compound))
        elif begin < end:
            for i in range(begin, end):
                add(Mark(texts[i], "insertion", None, starts[i], ends[i], afters[i], first))
        else:
            for i in range(first, last):
                add(Mark(said.texts[i], "deletion", said.texts[i], None, None, said.afters[i], i))
        before = last
    for i in range(shown, len(texts)):
        add(Mark(texts[i], "plain", None, starts[i], ends[i], afters[i], before))
    return tuple(made)


def _ties(alignment: Alignment, said: Pieces, heard: Pieces) -> Iterator[tuple[bool, bool, int, int, int, int]]:
    """Cut the alignment into the shortest runs that split no group of either side, and no compound.

    Yields whether all of it is right, whether all that is wrong is a compound, and two ranges, ends excluded: raw pieces of
    the reference, raw pieces of the transcript. A side that has nothing there has an empty range at its place.
    """
    said_opens, said_closes, heard_opens, heard_closes = said.opens, said.closes, heard.opens, heard.closes
    goals = {(i, j): (i_end, j_end) for i, i_end, j, j_end in alignment.compounds}
    goal: tuple[int, int] | None = None  # where the compound ends that we are in
    right, is_compound = True, True
    i0 = j0 = 0  # tokens at which the run began
    said_end = heard_end = 0  # pieces that are over
    for kind, i1, i2, j1, j2 in alignment.chunks:
        wrong = kind != "hit"
        if wrong:
            goal = goal or goals.get((i1, j1))
        # Either both sides go on, or one of them stands still.
        both = max(i2 - i1, j2 - j1)
        across = range(i1 + 1, i2 + 1) if i2 > i1 else (i1,) * both
        down = range(j1 + 1, j2 + 1) if j2 > j1 else (j1,) * both
        for i, j in zip(across, down, strict=True):
            if wrong:
                right = False
                if goal is None:
                    is_compound = False
                elif goal != (i, j):
                    continue
                goal = None
            said_close, heard_close = said_closes[i], heard_closes[j]
            if said_close < 0 or heard_close < 0:
                continue
            first, last = (said_opens[i0], said_close) if i > i0 else (said_end, said_end)
            begin, end = (heard_opens[j0], heard_close) if j > j0 else (heard_end, heard_end)
            yield right, is_compound, first, last, begin, end
            i0, j0, said_end, heard_end, right, is_compound = i, j, last, end, True, True
