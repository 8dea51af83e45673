"""Comparisons for the tests of the history, and of what reads them again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from comparisons.compare import Comparison, begin, fold
from comparisons.reference import Reference
from runners.base import Clip, Contender, Prompt, RunnerSpec, Segment, TranscribeOptions, Transcript, TranscriptionResult, Word
from runners.events import Finished

ALPHA = Contender(RunnerSpec("alpha", "Alpha", "runners.scripted:Scripted", is_default=True))
BETA = Contender(
    RunnerSpec("beta", "Beta", "runners.scripted:Scripted", model="org/beta", revision="main", takes_prompt=True),
    TranscribeOptions(prompt=Prompt("short", "transcription", "Write it down.")),
)


def clip(source: str = "clip.wav", reference: str | None = "Hello, world!", seed: int = 0, seconds: float = 0.5) -> Clip:
    """Noise; another seed is another sound."""
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, int(16_000 * seconds)).astype(np.float32)
    return Clip(samples, seconds, source, reference=reference, language="en")


def heard(who: Contender, text: str, *, timed: bool = False) -> Finished:
    """A result with that text, word by word if it is timed."""
    words = tuple(Word(word, number / 10, number / 10 + 0.05, 0.5) for number, word in enumerate(text.split())) if timed else ()
    return Finished(
        who, TranscriptionResult(who, "ok", Transcript(text, words, language="en"), runs=(0.1,), rtf=0.2, device="cpu")
    )


def compared(sound: Clip, *events: Finished) -> Comparison:
    """A finished comparison of these results; of Alpha and Beta, if there are none."""
    events = events or (
        heard(ALPHA, "hello world", timed=True),
        Finished(BETA, TranscriptionResult(BETA, "skipped", error="It needs more.", fix="Give more.", stage="load")),
    )
    comparison = begin(sound, [event.contender for event in events])
    for event in events:
        comparison = fold(comparison, event)
    return comparison


def edited(comparison: Comparison, text: str) -> Comparison:
    """The same with another reference, still to be scored."""
    reference = comparison.reference or Reference("", (Segment("a", 0.0, 0.2),))
    return replace(comparison, reference=reference.edited(text))
