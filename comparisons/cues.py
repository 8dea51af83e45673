"""Captions of a transcript: SubRip and WebVTT, in cues that can be read.

At most two lines of 42 characters and seven seconds, cut where somebody pauses or a sentence ends: what the style guides of
broadcasters agree on within a little (BBC Subtitle Guidelines; Netflix Timed Text Style Guide).

    1
    00:00:01,000 --> 00:00:04,200
    Then we meet on Tuesday,
    and everybody brings their notes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from comparisons.compare import Column
from comparisons.score import Unit, choose_metric
from comparisons.texts.pieces import raw, timed
from runners.terminal import plain, width

LINE_CELLS = 42
"""Width of a line: characters, wide East Asian ones twice."""
LONGEST_SECONDS = 7.0
SHORTEST_SECONDS = 1.0
"""A cue that is over sooner stays so long, where the next one lets it."""
PAUSE_SECONDS = 0.6
CHARACTER_SECONDS = 0.07
"""About what a character takes in speech, where nobody knows when a word was over."""
_SENTENCE_ENDS = ".!?…。！？．؟।"
_CLAUSE_ENDS = ",;:—–、，；：،"
_CLAUSE_CELLS = 12
"""How much more uneven two lines may be for the first to end after a clause."""
_CLOSING = "\"'”’»)]}」』）】》"


class NoTimes(ValueError):
    """A transcript of which nobody knows when it was said; the message says whose."""


@dataclass(frozen=True)
class Cue:
    """One caption."""

    start: float
    """Seconds from the start of the clip."""
    end: float
    lines: tuple[str, ...]
    """Untrusted."""


@dataclass(frozen=True)
class Captions:
    """All of a transcript's."""

    cues: tuple[Cue, ...]
    is_estimated: bool
    """True where the system times phrases alone, so that some cues begin or end at a guess within one."""


class _Word(NamedTuple):
    text: str
    after: str
    start: float
    end: float


def captions(column: Column, seconds: float) -> Captions:
    """What a contender wrote down, as cues in order that do not overlap.

    Args:
        seconds: length of the clip.

    Raises:
        NoTimes: there is no transcript, or none whose words or phrases have times.
    """
    transcript = column.result.transcript if column.result is not None else None
    label, prompt = column.contender.label, column.contender.options.prompt
    if transcript is None:
        raise NoTimes(f"{label} has no transcript.")
    if prompt is not None and not prompt.is_word_for_word:
        raise NoTimes(f"{label} does not write down what is said from beginning to end.")
    unit: Unit = "character" if choose_metric(None, transcript.language, transcript.text) == "cer" else "word"
    texts, afters = raw(transcript.text, unit)
    starts, ends = timed(texts, transcript.words or transcript.segments, unit)
    if texts and all(start is None for start in starts):
        raise NoTimes(f"{label} does not say when its words were said.")
    words = list(_spread(texts, afters, starts, ends, seconds))
    return Captions(tuple(_timed(list(_cut(words)), seconds)), is_estimated=not transcript.words)


def to_srt(found: Captions) -> str:
    """SubRip. It has no way to write "<" as text, so what would be read as a tag or a time is written with look-alikes."""
    parts = []
    for number, cue in enumerate(found.cues, 1):
        lines = "".join(f"{_untagged(line)}\n" for line in cue.lines)
        parts.append(f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{lines}")
    return "\n".join(parts)


def to_vtt(found: Captions) -> str:
    """WebVTT, in which text is escaped as in HTML (W3C, WebVTT, 4.2.2)."""
    note = "\nNOTE Times within a phrase are estimated.\n" if found.is_estimated else ""
    cues = (
        f"\n{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n" + "".join(f"{_escaped(line)}\n" for line in cue.lines)
        for cue in found.cues
    )
    return f"WEBVTT\n{note}" + "".join(cues)


def _clock(seconds: float, point: str) -> str:
    whole, thousandths = divmod(round(1000 * seconds), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{thousandths:03}"


def _untagged(line: str) -> str:
    return re.sub(r"<(?=[\w/.:!?>])", "‹", plain(line).replace("-->", "–>")).replace("{\\", "{ \\")


def _escaped(line: str) -> str:
    return html.escape(plain(line), quote=False)


def _spread(
    texts: Sequence[str], afters: Sequence[str], starts: Sequence[float | None], ends: Sequence[float | None], seconds: float
) -> Iterator[_Word]:
    """Words that all have times: those between two known ones share the time between them by their lengths."""
    first, now = 0, 0.0
    while first < len(texts):
        last = next((at for at in range(first + 1, len(texts)) if starts[at] is not None), len(texts))
        lengths = [len(text) for text in texts[first:last]]
        said = CHARACTER_SECONDS * (sum(lengths) + len(lengths))
        known, following = starts[first], starts[last] if last < len(texts) else seconds
        limit = max(now, seconds if following is None else following)
        begin = max(now, limit - said if known is None else known)
        end = next((end for end in reversed(ends[first:last]) if end is not None), min(limit, begin + said))
        finish = max(begin, min(end, seconds))
        step = (finish - begin) / max(1, sum(lengths))
        at = begin
        for text, after, length in zip(texts[first:last], afters[first:last], lengths, strict=True):
            yield from _short_enough(_Word(text, after, at, at + step * length))
            at += step * length
        first, now = last, finish


def _short_enough(word: _Word) -> Iterator[_Word]:
    """A word, or the lines of one that is longer than a line."""
    parts = []
    part = ""
    for character in word.text:
        if part and width(part + character) > LINE_CELLS:
            parts.append(part)
            part = ""
        part += character
    parts.append(part)
    step = (word.end - word.start) / len(parts)
    for number, text in enumerate(parts):
        after = word.after if number == len(parts) - 1 else ""
        yield _Word(text, after, word.start + number * step, word.start + (number + 1) * step)


def _cut(words: Sequence[_Word]) -> Iterator[Sequence[_Word]]:
    """Words in cues: at a pause, at the end of a sentence, and else where one grows too long, after a clause if it has one."""
    first = 0
    while first < len(words):
        last = first + 1
        while last < len(words) and not _parts(words[last - 1], words[last]) and _fits(words[first : last + 1]):
            last += 1
        if last < len(words) and not _parts(words[last - 1], words[last]):
            half = first + (last - first + 1) // 2
            last = next((at for at in range(last, half, -1) if _ends(words[at - 1].text, _CLAUSE_ENDS)), last)
        yield words[first:last]
        first = last


def _parts(word: _Word, following: _Word) -> bool:
    """Whether a cue ends between two words."""
    return following.start - word.end >= PAUSE_SECONDS or _ends(word.text, _SENTENCE_ENDS)


def _ends(text: str, signs: str) -> bool:
    last = text.rstrip(_CLOSING)[-1:]
    return bool(last) and last in signs


def _fits(words: Sequence[_Word]) -> bool:
    """Whether they are short enough, as two lines of which the first is as full as it can be."""
    if words[-1].end - words[0].start > LONGEST_SECONDS:
        return False
    rows, room = 1, LINE_CELLS
    for word in words:
        needed = width(word.text)
        if needed > room:
            rows, room = rows + 1, LINE_CELLS
        room -= needed + len(word.after)
    return rows <= 2


def _lines(words: Sequence[_Word]) -> tuple[str, ...]:
    """The words of a cue in one line, or in two about equally long, the first of which ends after a clause if it can."""
    if width(_joined(words)) <= LINE_CELLS:
        return (_joined(words),)
    both = [(_joined(words[:at]), _joined(words[at:]), at) for at in range(1, len(words))]
    fit = [each for each in both if max(width(each[0]), width(each[1])) <= LINE_CELLS]

    def unevenness(each: tuple[str, str, int]) -> int:
        upper, lower, at = each
        return abs(width(upper) - width(lower)) - (_CLAUSE_CELLS if _ends(words[at - 1].text, _CLAUSE_ENDS) else 0)

    upper, lower, _ = min(fit, key=unevenness)
    return upper, lower


def _joined(words: Sequence[_Word]) -> str:
    return "".join(word.text + word.after for word in words).strip()


def _timed(cues: Sequence[Sequence[_Word]], seconds: float) -> Iterator[Cue]:
    """Cues with times, in thousandths: each stays long enough to be seen, and goes before the next one comes."""
    before = 0
    for words, following in pairwise([*cues, ()]):
        start = max(before, round(1000 * words[0].start))
        limit = round(1000 * (following[0].start if following else max(seconds, words[-1].end)))
        end = min(round(1000 * max(words[-1].end, words[0].start + SHORTEST_SECONDS)), limit)
        before = max(start + 1, end)
        yield Cue(start / 1000, before / 1000, _lines(words))
