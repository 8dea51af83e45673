"""What scoring costs: short pairs beside jiwer, one long pair, an hour of speech in eight columns, agreement, and drawing.

Processor time, drawing apart: the rest is computing in one thread, and what else the machine does should not count.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from statistics import median

import jiwer
import numpy as np

from benchmarks import agreement, drawing
from benchmarks.tables import seconds, show
from comparisons.agreement.consensus import consensus
from comparisons.align import align
from comparisons.beyond.measures import measures
from comparisons.compare import Comparison, begin, fold, rescored
from comparisons.normalise import normaliser
from comparisons.score import score
from comparisons.sides.marks import marks
from comparisons.sides.side_by_side import side_by_side
from comparisons.statistics.significance import pairs
from comparisons.statistics.uncertainty import interval
from runners.base import Clip, Contender, RunnerSpec, Transcript, TranscriptionResult, Word
from runners.events import Finished

PAIRS, PAIR_WORDS = 10_000, 18
LONG_WORDS = 10_000
HOUR_WORDS, COLUMNS = 9_000, 8
VOCABULARY, WRONG = 3_000, 0.1
MOST_OF_JIWER, LONG_SECONDS = 1.3, 0.3


def main(rounds: int) -> bool:
    """Print the tables; whether all that has a bound stays within it."""
    draw = random.Random(4)  # noqa: S311
    vocabulary = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(VOCABULARY)]
    kept = [_short_pairs(draw, vocabulary, rounds), _long_pair(draw, vocabulary, rounds)]
    _an_hour(draw, vocabulary, rounds)
    kept += [agreement.main(rounds), drawing.main(rounds)]
    return all(kept)


def _short_pairs(draw: random.Random, vocabulary: Sequence[str], rounds: int) -> bool:
    said = [" ".join(draw.choices(vocabulary, k=PAIR_WORDS)) for _ in range(PAIRS)]
    heard = [_heard(draw, vocabulary, text) for text in said]
    as_written = normaliser("none")
    ways: dict[str, Callable[[], object]] = {
        "jiwer.process_words": lambda: jiwer.process_words(said, heard),
        "ours, alignment and counts": lambda: [align(a.split(), b.split()).counts for a, b in zip(said, heard, strict=True)],
        "ours, the whole score with CER": lambda: [score(a, b, as_written, "en") for a, b in zip(said, heard, strict=True)],
    }
    taken = _in_turn(ways, rounds)
    ratios = {name: median(a / b for a, b in zip(taken[name], taken["jiwer.process_words"], strict=True)) for name in ways}
    show(
        f"{PAIRS:,} pairs of {PAIR_WORDS} words, {WRONG:.0%} wrong (bound: {MOST_OF_JIWER} of jiwer)",
        ["", "time", "of jiwer"],
        [[name, seconds(taken[name]), f"{ratios[name]:.2f}"] for name in ways],
    )
    return max(ratios.values()) <= MOST_OF_JIWER


def _long_pair(draw: random.Random, vocabulary: Sequence[str], rounds: int) -> bool:
    said = " ".join(draw.choices(vocabulary, k=LONG_WORDS))
    heard = _heard(draw, vocabulary, said)
    other = " ".join(draw.choices(vocabulary, k=LONG_WORDS))
    as_written = normaliser("none")
    taken = _in_turn(
        {
            "jiwer.process_words": lambda: jiwer.process_words(said, heard),
            f"ours, the whole score, {WRONG:.0%} wrong": lambda: score(said, heard, as_written, "en"),
            "ours, the whole score, all wrong": lambda: score(said, other, as_written, "en"),
        },
        rounds,
    )
    show(
        f"One pair of {LONG_WORDS:,} words (bound: {LONG_SECONDS} s)",
        ["", "time"],
        [[name, seconds(values)] for name, values in taken.items()],
    )
    return all(median(values) < LONG_SECONDS for values in taken.values())


def _an_hour(draw: random.Random, vocabulary: Sequence[str], rounds: int) -> None:
    """From eight results to all that a page draws of them, each turn on texts that nobody has normalised before."""
    parts: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], object]) -> None:
        began = time.process_time()
        work()
        parts.setdefault(name, []).append(time.process_time() - began)

    for _ in range(rounds):
        said = _written(draw, draw.choices(vocabulary, k=HOUR_WORDS))
        transcripts = [_transcript(_heard(draw, vocabulary, said), number % 2 == 0) for number in range(COLUMNS)]
        clip = Clip(np.zeros(16_000, np.float32), 3600.0, "hour.wav", reference=said, language="en")
        begun = begin(clip, [_contender(number) for number in range(COLUMNS)])
        finished = [
            Finished(column.contender, TranscriptionResult(column.contender, "ok", transcript, runs=(60.0,), rtf=60 / 3600))
            for column, transcript in zip(begun.columns, transcripts, strict=True)
        ]
        whole = begun
        began = time.process_time()
        for event in finished:
            whole = fold(whole, event)
        parts.setdefault("all columns folded, nothing normalised before", []).append(time.process_time() - began)
        timed("side by side", lambda whole=whole: side_by_side(whole))  # type: ignore[misc]
        timed("scored under another normaliser", lambda whole=whole: rescored(whole, normaliser("basic")))  # type: ignore[misc]
        _parts(timed, whole)
    show(
        f"An hour of speech, {HOUR_WORDS:,} words, in {COLUMNS} columns",
        ["", "time"],
        [[name, seconds(values)] for name, values in parts.items()],
        note="Indented: what the first line is made of, with the words normalised already.",
    )


def _parts(timed: Callable[[str, Callable[[], object]], None], whole: Comparison) -> None:
    reference = whole.reference.text if whole.reference is not None else ""
    columns = [(column, column.result.transcript) for column in whole.columns if column.result is not None]
    several = [(column, transcript, column.alignment) for column, transcript in columns if transcript and column.alignment]
    timed(
        "  scores",
        lambda: [score(reference, transcript.text, whole.normaliser, "en") for _, transcript, _ in several],
    )
    timed(
        "  marks",
        lambda: [marks(reference, transcript, alignment, whole.normaliser) for _, transcript, alignment in several],
    )
    timed("  intervals", lambda: [interval([alignment]) for _, _, alignment in several])
    timed(
        "  measures",
        lambda: [
            measures(transcript, 3600.0, (), reference=reference, alignment=alignment, normaliser=whole.normaliser)
            for _, transcript, alignment in several
        ],
    )
    timed("  pairs", lambda: pairs({column.contender.name: [alignment] for column, _, alignment in several}))
    timed("majority, once for all who show it", lambda: consensus([each.text for _, each, _ in several], whole.normaliser))


def _in_turn(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            began = time.process_time()
            work()
            taken[name].append(time.process_time() - began)
    return taken


def _heard(draw: random.Random, vocabulary: Sequence[str], text: str) -> str:
    """The text with a tenth of its words wrong: half of them replaced, a quarter lost, and a quarter as many added."""
    heard: list[str] = []
    for word in text.split():
        luck = draw.random()
        if luck < WRONG / 4:
            continue
        heard.append(draw.choice(vocabulary) if luck < 3 * WRONG / 4 else word)
        if luck > 1 - WRONG / 4:
            heard.append(draw.choice(vocabulary))
    return " ".join(heard)


def _written(draw: random.Random, words: Sequence[str]) -> str:
    """Words as a text with sentences, of 8 to 20 words, and with a few that English normalising changes."""
    written: list[str] = []
    left = 0
    for word in words:
        if not left:
            left = draw.randint(8, 20)
            word = word.capitalize()
        elif draw.random() < 0.06:
            word = draw.choice(["it's", "don't", "twenty", "five", "um", "Dr.", "colour"])
        left -= 1
        written.append(word if left else word + ".")
    return " ".join(written)


def _contender(number: int) -> Contender:
    return Contender(RunnerSpec(f"system-{number}", f"System {number}", "runners.scripted:Scripted"))


def _transcript(text: str, has_times: bool) -> Transcript:
    """A transcript whose words take turns through the hour, if its system tells their times."""
    if not has_times:
        return Transcript(text)
    words = text.split()
    step = 3600.0 / len(words)
    return Transcript(text, tuple(Word(word, i * step, (i + 0.9) * step) for i, word in enumerate(words)))
