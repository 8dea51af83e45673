"""Text that was hardly said: loops, text over silence, more words than anybody can speak, another language, nothing at all.

By form and time alone: what is flagged may have been said after all (a chorus, a stutter, a whisper), and a plausible
sentence that nobody said is not found. A flag is a reason to listen, never an error that is counted.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from comparisons.beyond.language import otherness
from comparisons.normalise import is_spaced
from runners.base import Transcript

Suspicion = Literal["loop", "over silence", "too fast", "other language", "empty"]
SUSPICIONS: Mapping[Suspicion, str] = MappingProxyType(
    {
        "loop": "the same words again and again: systems get caught in loops where they hear little",
        "over silence": "words where the clip is silent: systems fill silence with what they have read often",
        "too fast": "more words than anybody can speak in that time",
        "other language": "another language than was spoken: guessed wrong, or translated",
        "empty": "nothing at all, although somebody speaks",
    }
)
"""A line of explanation for each kind of flag."""

COMPRESSION_LIMIT = 2.4
"""Above this ratio of length to gzipped length Whisper takes its own text for a failure (``compression_ratio_threshold``
of openai/whisper's ``transcribe``)."""
COMPRESSION_WINDOW = 600
"""Characters that are compressed at once, about half a minute of fast speech, which is what Whisper compresses: a whole
book goes beyond 2.4 without any loop."""
COMPRESSION_LEAST = 200
"""Fewer characters than this say nothing."""
LONGEST_PERIOD = 60
"""Words, or characters, of the longest phrase whose repetition is looked for."""
LEAST_SILENCE_SECONDS = 1.0
"""Shorter silences are pauses between words, whose times are not that exact."""
SLACK_SECONDS = 0.4
"""How far the times that systems give for words may be off at the ends of a silence."""
WORDS_PER_SECOND = 7.0
"""More words a second than this are hardly spoken: speakers of seven languages say 5.2 to 7.8 syllables a second on average
(Pellegrino, Coupé and Marsico 2011, "A cross-language perspective on speech information rate", Language 87), the English
ones 6.2, and a word is a syllable or more."""
SYLLABIC_PER_SECOND = 12.0
"""The same for Han and Kana: nearly a syllable or mora each, one and a half times the fastest average."""
LETTERS_PER_SECOND = 25.0
"""The same for Thai, Lao, Khmer and Burmese letters, of which a syllable takes three or so."""
LEAST_SPOKEN_SECONDS = 2.0
"""A rate is judged over no less speech than this: 14 words."""

_SYLLABIC = re.compile(r"[\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_LETTERS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
MOST_FLAGS = 20
"""Flags of one kind that are told one by one."""
SAMPLE = 4000
"""Characters of a transcript by which its script is known."""
_MOST_QUOTED = 60
"""Characters of a repeated phrase that are quoted in a flag."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A stretch of a transcript that was hardly said."""

    suspicion: Suspicion
    text: str
    """What it is, for people: "“thank you” 14 times in a row". Holds untrusted text."""
    start: float | None = None
    """Seconds from the start of the clip, where known."""
    end: float | None = None


@lru_cache(maxsize=16)
def flags(
    transcript: Transcript, seconds: float, silences: tuple[tuple[float, float], ...], reference: str | None = None
) -> tuple[Flag, ...]:
    """What in a transcript was hardly said, in the order of ``SUSPICIONS``. Kept for a while: no normaliser changes it.

    Args:
        seconds: length of the clip.
        silences: (start, end) of every silence in it, as ``runners.audio.silences`` finds them.
        reference: what was said; what it repeats as often is no loop, and its language is the right one.
    """
    silent = sum(end - start for start, end in silences)
    text = transcript.text
    spaced = is_spaced(None, text[:SAMPLE])
    raw = text.split() if spaced else [letter for letter in text if letter.isalnum()]
    bare = list(map(_folded, raw))
    if not any(bare):
        nothing = silent >= seconds - 0.01 or (reference is not None and not _bare(reference))
        return () if nothing else (Flag("empty", "It heard nothing, although the clip is not silent."),)
    timed = _timed(transcript)
    return (
        *_few(_loops(transcript, raw, bare, spaced, reference)),
        *_few(_over_silence(text, timed, seconds, silences)),
        *_few(_too_fast(text, timed, seconds, silent)),
        *_other_language(text, reference),
    )


def _few(found: Iterator[Flag]) -> Iterator[Flag]:
    """At most ``MOST_FLAGS`` of a kind, and how many more there were."""
    yield from islice(found, MOST_FLAGS)
    more = list(found)
    if more:
        yield Flag(more[0].suspicion, f"and {len(more)} more such places" if len(more) > 1 else more[0].text, more[0].start)


@lru_cache(maxsize=1 << 15)
def _spoken_seconds(word: str) -> float:
    """Kept: most words of a long text have been met before."""
    return spoken_seconds(word)


def spoken_seconds(text: str) -> float:
    """The shortest time in which anybody could say a text: 7 words a second, 12 Han or Kana, 25 Thai letters."""
    words, syllabic = (text, 0) if text.isascii() else _SYLLABIC.subn(" ", text)
    words, letters = (words, 0) if text.isascii() else _LETTERS.subn(" ", words)
    count = sum(1 for word in words.split() if any(map(str.isalnum, word)))
    return count / WORDS_PER_SECOND + syllabic / SYLLABIC_PER_SECOND + letters / LETTERS_PER_SECOND


def compression(text: str) -> float:
    """Length of a text over its length when gzipped: 1.5 to 2 for speech, more the more it repeats itself.

    Each character counts as one byte as long as there are no more than 256 different ones, so that scripts which take
    three bytes a letter in UTF-8 are no more suspicious than English.
    """
    kinds = sorted(set(text))
    if len(kinds) <= 256:
        raw = text.translate({ord(kind): number for number, kind in enumerate(kinds)}).encode("latin-1")
    else:
        raw = text.encode("utf-16-le", "surrogatepass")
    return len(raw) / len(zlib.compress(raw)) if raw else 0.0


def _loops(
    transcript: Transcript, raw: Sequence[str], bare: Sequence[str], spaced: bool, reference: str | None
) -> Iterator[Flag]:
    text, between = transcript.text, " " if spaced else ""
    # Lone dashes and the like are neither repeated nor repetitions.
    heard = [number for number, word in enumerate(bare) if word]
    said: str | None = None
    found = False
    for first, last, period in _repetitions([bare[number] for number in heard], spaced):
        times = (last - first) // period
        phrase = [bare[number] for number in heard[first : first + period]]
        if said is None:
            said = between.join(_bare(reference or "").split())
        if f"{between}{between.join(phrase * times)}{between}" in f"{between}{said}{between}":
            continue  # the reference repeats it as often
        found = True
        quoted = _quoted(between.join(raw[number] for number in heard[first : first + period]))
        words = transcript.words[heard[first] : heard[last - 1] + 1] if len(transcript.words) == len(raw) and spaced else ()
        known = [time for word in words for time in (word.start, word.end) if time is not None]
        yield Flag("loop", f"“{quoted}” {times} times in a row", *((min(known), max(known)) if known else (None, None)))
    if found:
        return  # what a window would find is what was found, more often than not
    windows = range(0, max(1, len(text) - COMPRESSION_LEAST + 1), COMPRESSION_WINDOW // 2)
    ratio, start = max((compression(text[at : at + COMPRESSION_WINDOW]), -at) for at in windows)
    if len(text) >= COMPRESSION_LEAST and ratio > COMPRESSION_LIMIT:
        window = text[-start : -start + COMPRESSION_WINDOW]
        if reference is None or compression(reference[:5000]) < ratio:
            yield Flag("loop", f"it says nearly the same over and over: “{_quoted(window)}” (compresses {ratio:.1f} times)")


def _repetitions(words: Sequence[str], spaced: bool) -> list[tuple[int, int, int]]:
    """(first, last + 1, period) of the stretches in which a phrase is repeated more often than people do.

    In words: four times, and eight words at least; or three times if it has five words or more. In characters: five
    times and fifteen characters; or three times if it has ten or more. Stretches do not overlap; the shorter period wins.
    """
    often, least, long = (4, 8, 5) if spaced else (5, 15, 10)
    numbers: dict[str, int] = {}
    row: NDArray[np.int64] = np.array([numbers.setdefault(word, len(numbers)) for word in words], dtype=np.int64)
    taken = np.zeros(len(row), dtype=bool)
    found = []
    for period in range(1, min(LONGEST_PERIOD, len(row) // 3) + 1):
        same = np.concatenate(([False], row[:-period] == row[period:], [False]))
        edges = np.flatnonzero(same[1:] != same[:-1]).reshape(-1, 2)
        lengths = edges[:, 1] - edges[:, 0] + period  # words from the first of the phrase to its last repetition's end
        many = (lengths >= max(often * period, least)) | ((lengths >= 3 * period) & (period >= long))
        for first, length in zip(edges[many, 0].tolist(), lengths[many].tolist(), strict=True):
            last = first + length
            if not taken[first:last].any():
                taken[first:last] = True
                found.append((first, last, period))
    return sorted(found)


def _over_silence(text: str, timed: _Timed, seconds: float, silences: Sequence[tuple[float, float]]) -> Iterator[Flag]:
    if sum(end - start for start, end in silences) >= seconds - 0.01:
        yield Flag("over silence", f"“{_quoted(text)}”: the whole clip is silent", 0.0, seconds)
        return
    order = np.argsort(timed.starts, kind="stable")
    starts = timed.starts[order]
    for start, end in silences:
        if end - start <= LEAST_SILENCE_SECONDS:
            continue
        # At the ends of the clip there is no neighbour whose word might reach into the silence.
        first = start + SLACK_SECONDS if start > 0 else start
        last = end - SLACK_SECONDS if end < seconds else end
        near = order[np.searchsorted(starts, first) : np.searchsorted(starts, last, side="right")].tolist()
        inside = [number for number in near if timed.ends[number] <= last and _folded(timed.texts[number])]
        if inside:
            heard = " ".join(timed.texts[number].strip() for number in inside)
            when = float(timed.starts[inside[0]]), float(timed.ends[inside].max())
            yield Flag("over silence", f"“{_quoted(heard)}”: nobody speaks there", *when)


def _too_fast(text: str, timed: _Timed, seconds: float, silent: float) -> Iterator[Flag]:
    needed = spoken_seconds(text)
    if needed < LEAST_SPOKEN_SECONDS:
        return
    needs = np.concatenate(([0.0], np.cumsum([_spoken_seconds(text) for text in timed.texts])))
    ends = np.maximum.accumulate(timed.ends)
    # For each stretch the first one with which there is enough to judge by.
    lasts = np.searchsorted(needs, needs[:-1] + LEAST_SPOKEN_SECONDS - 1e-9)
    firsts = np.flatnonzero(lasts < len(needs))
    lasts = lasts[firsts]
    fast = needs[lasts] - needs[firsts] > ends[lasts - 1] - timed.starts[firsts]
    merged: list[list[int]] = []
    for first, last in zip(firsts[fast].tolist(), lasts[fast].tolist(), strict=True):
        if merged and first <= merged[-1][1]:
            merged[-1][1] = last
        else:
            merged.append([first, last])
    for first, last in merged:
        part = " ".join(word.strip() for word in timed.texts[first:last])
        start, end = float(timed.starts[first:last].min()), float(ends[last - 1])
        yield Flag("too fast", f"{_length(part)} in {end - start:.1f} s", start, end)
    if needed > seconds - silent and not merged:
        yield Flag("too fast", f"{_length(text)} in a clip with {max(0.0, seconds - silent):.1f} s of sound")


def _other_language(text: str, reference: str | None) -> Iterator[Flag]:
    other = otherness(text, reference) if reference is not None else None
    if other is not None:
        yield Flag("other language", other)


class _Timed(NamedTuple):
    """What the system timed, words or segments, in parallel."""

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    texts: list[str]


def _timed(transcript: Transcript) -> _Timed:
    """Its words, or its segments where it timed no word."""
    for stretches in (transcript.words, transcript.segments):
        timed = [one for one in stretches if one.start is not None and one.end is not None]
        if timed:
            break
    starts = np.array([one.start for one in timed], dtype=np.float64)
    return _Timed(starts, np.array([one.end for one in timed], dtype=np.float64), [one.text for one in timed])


def _length(text: str) -> str:
    return f"{len(text.split())} words" if is_spaced(None, text) else f"{sum(map(str.isalnum, text))} characters"


@lru_cache(maxsize=1 << 15)
def _folded(word: str) -> str:
    return _bare(word)


def _bare(text: str) -> str:
    """A text's letters, marks and digits, folded, one space where something else was."""
    if text.isalnum() and text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in folded).split())


def _quoted(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MOST_QUOTED else text[: _MOST_QUOTED - 1].rstrip() + "…"
