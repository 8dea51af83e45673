"""Text that was hardly said: loops, text over silence, more words than anybody can speak, nothing at all.

By form and time alone: what is flagged may have been said after all (a chorus, a stutter, a whisper), and a plausible
sentence that nobody said is not found. A flag is a reason to listen, never an error that is counted.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from comparisons.normalise import is_spaced
from runners.base import Segment, Transcript, Word

Suspicion = Literal["loop", "over silence", "too fast", "empty"]
SUSPICIONS: Mapping[Suspicion, str] = MappingProxyType(
    {
        "loop": "the same words again and again: systems get caught in loops where they hear little",
        "over silence": "words where the clip is silent: systems fill silence with what they have read often",
        "too fast": "more words than anybody can speak in that time",
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
"""More words a second than this is more than the syllables that speakers of the fastest of seven languages say (5.2 to
7.8 on average: Pellegrino, Coupé and Marsico 2011, "A cross-language perspective on speech information rate", Language
87), and a word is a syllable or more."""
SYLLABIC_PER_SECOND = 12.0
"""The same for Han and Kana: nearly a syllable or mora each, one and a half times the fastest average."""
LETTERS_PER_SECOND = 25.0
"""The same for Thai, Lao, Khmer and Burmese letters, of which a syllable takes three or so."""
LEAST_SPOKEN_SECONDS = 2.0
"""A rate is judged over no less speech than this: 14 words."""

_SYLLABIC = re.compile(r"[\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_LETTERS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
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


@dataclass(frozen=True, slots=True)
class _Piece:
    """A raw word, or in scripts without spaces a letter, with its times where the system gave them."""

    text: str
    bare: str
    """Without letter case and punctuation."""
    start: float | None = None
    end: float | None = None


def flags(
    transcript: Transcript, seconds: float, silences: Sequence[tuple[float, float]], reference: str | None = None
) -> tuple[Flag, ...]:
    """What in a transcript was hardly said, in the order of ``SUSPICIONS``.

    Args:
        seconds: length of the clip.
        silences: (start, end) of every silence in it, as ``runners.audio.silences`` finds them.
        reference: what was said; what it repeats as often is no loop.
    """
    silent = sum(end - start for start, end in silences)
    pieces = _pieces(transcript)
    if not pieces:
        nothing = silent >= seconds - 0.01 or (reference is not None and not _bare(reference))
        return () if nothing else (Flag("empty", "It heard nothing, although the clip is not silent."),)
    return (
        *_loops(transcript.text, pieces, reference),
        *_over_silence(transcript, seconds, silences),
        *_too_fast(transcript, seconds, silent),
    )


def spoken_seconds(text: str) -> float:
    """The shortest time in which anybody could say a text: 7 words a second, 12 Han or Kana, 25 Thai letters."""
    syllabic, letters = len(_SYLLABIC.findall(text)), len(_LETTERS.findall(text))
    words = text
    if syllabic or letters:
        words = _LETTERS.sub(" ", _SYLLABIC.sub(" ", text))
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


def _loops(text: str, pieces: Sequence[_Piece], reference: str | None) -> Iterator[Flag]:
    spaced = is_spaced(None, text)
    said = _bare(reference) if reference is not None else ""
    found = False
    for first, last, period in _repetitions([piece.bare for piece in pieces], spaced):
        times = (last - first) // period
        phrase = [piece.bare for piece in pieces[first : first + period]]
        between = " " if spaced else ""
        # What the reference repeats as often was said.
        if said and between.join(phrase * times) in (said if spaced else said.replace(" ", "")):
            continue
        found = True
        quoted = _quoted(between.join(piece.text for piece in pieces[first : first + period]))
        known = [time for piece in pieces[first:last] for time in (piece.start, piece.end) if time is not None]
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


def _over_silence(transcript: Transcript, seconds: float, silences: Sequence[tuple[float, float]]) -> Iterator[Flag]:
    if sum(end - start for start, end in silences) >= seconds - 0.01:
        yield Flag("over silence", f"“{_quoted(transcript.text)}”: the whole clip is silent", 0.0, seconds)
        return
    long = [(start, end) for start, end in silences if end - start > LEAST_SILENCE_SECONDS]
    if not long:
        return
    timed = [
        stretch
        for stretch in (transcript.words if _is_timed(transcript.words) else transcript.segments)
        if stretch.start is not None and stretch.end is not None and _bare(stretch.text)
    ]
    for start, end in long:
        # At the ends of the clip there is no neighbour whose word might reach into the silence.
        first = start + SLACK_SECONDS if start > 0 else start
        last = end - SLACK_SECONDS if end < seconds else end
        inside = [one for one in timed if first <= (one.start or 0.0) and (one.end or 0.0) <= last]
        if inside:
            heard = " ".join(one.text.strip() for one in inside)
            yield Flag("over silence", f"“{_quoted(heard)}”: nobody speaks there", inside[0].start, inside[-1].end)


def _too_fast(transcript: Transcript, seconds: float, silent: float) -> Iterator[Flag]:
    needed = spoken_seconds(transcript.text)
    if needed < LEAST_SPOKEN_SECONDS:
        return
    stretches: Sequence[Word] | Sequence[Segment] = transcript.words if _is_timed(transcript.words) else transcript.segments
    timed = [one for one in stretches if one.start is not None and one.end is not None]
    found: tuple[float, float] | None = None
    if timed:
        needs = np.concatenate(([0.0], np.cumsum([spoken_seconds(one.text) for one in timed])))
        starts = np.array([one.start for one in timed], dtype=np.float64)
        ends = np.maximum.accumulate(np.array([one.end for one in timed], dtype=np.float64))
        # For each stretch the first one with which there is enough to judge by.
        lasts = np.searchsorted(needs, needs[:-1] + LEAST_SPOKEN_SECONDS - 1e-9)
        for first in np.flatnonzero(lasts < len(needs)).tolist():
            last = int(lasts[first])
            if needs[last] - needs[first] <= ends[last - 1] - starts[first]:
                continue
            if found is not None and starts[first] <= found[1]:
                found = found[0], max(found[1], float(ends[last - 1]))
                continue
            if found is not None:
                yield _fast(timed, *found)
            found = float(starts[first]), float(ends[last - 1])
        if found is not None:
            yield _fast(timed, *found)
            return
    if needed > seconds - silent:
        count = len(transcript.text.split())
        what = f"{count} words" if is_spaced(None, transcript.text) else f"{len(''.join(transcript.text.split()))} characters"
        yield Flag("too fast", f"{what} in a clip with {max(0.0, seconds - silent):.1f} s of sound")


def _fast(timed: Sequence[Word | Segment], start: float, end: float) -> Flag:
    inside = " ".join(
        one.text.strip()
        for one in timed
        if one.start is not None and one.end is not None and start <= one.start and one.end <= end
    )
    what = f"{len(inside.split())} words" if is_spaced(None, inside) else f"{len(''.join(inside.split()))} characters"
    return Flag("too fast", f"{what} in {end - start:.1f} s", start, end)


def _is_timed(words: Sequence[Word]) -> bool:
    return any(word.start is not None and word.end is not None for word in words)


def _pieces(transcript: Transcript) -> list[_Piece]:
    """The words of a transcript, timed if the system's words are the same; letters in scripts without spaces."""
    text = transcript.text
    if not is_spaced(None, text):
        return [_Piece(letter, letter.casefold()) for letter in text if letter.isalnum()]
    raw = text.split()
    same = len(raw) == len(transcript.words)
    made = []
    for number, word in enumerate(raw):
        bare = _bare(word)
        if bare:
            timed = transcript.words[number] if same else None
            made.append(_Piece(word, bare, timed.start if timed else None, timed.end if timed else None))
    return made


def _bare(text: str) -> str:
    """A text's letters, marks and digits, folded, one space where something else was."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in folded).split())


def _quoted(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MOST_QUOTED else text[: _MOST_QUOTED - 1].rstrip() + "…"
