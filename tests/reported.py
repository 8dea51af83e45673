"""Comparisons to report on, made of results that nobody measured."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from comparisons.compare import Comparison, begin, fold, rescored
from comparisons.normalise import normaliser
from runners.base import (
    Clip,
    Contender,
    Prompt,
    RunnerSpec,
    Segment,
    Task,
    TranscribeOptions,
    Transcript,
    TranscriptionResult,
    Word,
)
from runners.events import Event, Finished

HOSTILE = "<script>alert('x')</script> \"&\" \x1b[31mred\u202e"
LONG = " ".join(f"word{number}" for number in range(120)) + "."


def contender(family: str, label: str) -> Contender:
    return Contender(RunnerSpec(family, label, "runners.scripted:Scripted", is_default=True))


MOONSHINE, SPHINX = contender("moonshine", "Moonshine tiny"), contender("pocketsphinx", "PocketSphinx")
WHISPER, PHI = contender("whisper", "Whisper small"), contender("phi", "Phi-4-multimodal")


def told(template: str | None, task: Task, text: str) -> Contender:
    """Phi, told what to do."""
    spec = replace(
        PHI.spec, family="phi4", revision="refs/pr/70", takes_prompt=True, longest_transcribed_seconds=40.0, model="org/phi"
    )
    return Contender(spec, TranscribeOptions(prompt=Prompt(template, task, text)))


def ran(who: Contender, text: str, rtf: float | None = 0.25, words: tuple[Word, ...] = (), warm: bool = False) -> Finished:
    result = TranscriptionResult(
        who,
        "ok",
        Transcript(text, words=words, language="en", notes=("cut at 1 pause",) if words else ()),
        load_seconds=None if warm else 0.3125,
        runs=(1.0, 1.5, 1.25),
        rtf=rtf,
        peak_memory=312_400_000,
        device="cpu",
        dtype="float32",
    )
    return Finished(who, result)


def skipped(
    who: Contender, error: str = "Needs 11.2 GB, 4.1 GB free.", fix: str | None = "Free memory, or choose 4-bit."
) -> Finished:
    return Finished(
        who, TranscriptionResult(who, "skipped", error=error, fix=fix, stage="availability", log=("line 1", "line 2"))
    )


def compared(reference: str | None, *events: Event, name: str = "budget.flac", language: str | None = "en") -> Comparison:
    clip = Clip(np.zeros(16, np.float32), 5.0, name, reference=reference, language=language, warnings=("The clip is short.",))
    comparison = begin(clip, [event.contender for event in events], normaliser("basic"))
    for event in events:
        comparison = fold(comparison, event)
    return comparison


def wrong(every: int, first: int = 1) -> str:
    """``LONG`` with a wrong word now and then."""
    return " ".join("oops" if number % every == first else word for number, word in enumerate(LONG.split()))


@cache
def one_clip() -> Comparison:
    """One system each that did well, did badly, was cancelled and was skipped."""
    return compared(
        "Please schedule the budget review for Thursday.",
        skipped(PHI),
        ran(SPHINX, "please now schedule a budget review thursday", warm=True),
        Finished(WHISPER, TranscriptionResult(WHISPER, "cancelled", stage="transcribe")),
        ran(MOONSHINE, "Please schedule the budget review for Thursday.", 0.041, words=(Word("Please", 0.25, 0.5),)),
    )


@cache
def two_clips() -> tuple[Comparison, ...]:
    return (one_clip(), compared("Good morning.", ran(SPHINX, "good mourning"), skipped(MOONSHINE), name="morning.wav"))


@cache
def three_prompts() -> Comparison:
    """Two templates of one system and a summary of it, one heard in two pieces."""
    verbatim = told("verbatim", "transcription", "Transcribe the audio clip into text, word for word.")
    readable = told("readable", "transcription", "Transcribe the audio clip into text. Write whole sentences.")
    summary = told("summary", "summarization", "Summarize the audio clip in 3 sentences.")
    pieces = Transcript(
        "good morning to all",
        segments=(Segment("good morning", 0.0, 38.0), Segment("to all", 38.5, 60.0)),
        notes=("cut at pauses into 2 pieces",),
    )
    return compared(
        "Good morning to all.",
        Finished(verbatim, TranscriptionResult(verbatim, "ok", pieces, load_seconds=2.0, runs=(6.0,), rtf=0.1)),
        ran(readable, "Sure, here is the transcription: Good morning."),
        ran(summary, "I'm sorry, but I can't listen to audio.\n- Good\n- Morning"),
        name="morning.wav",
    )


@cache
def long_clip() -> Comparison:
    """Enough speech for an interval, and for one system to be better than another."""
    comparison = compared(LONG, ran(MOONSHINE, LONG), ran(SPHINX, wrong(4)), ran(WHISPER, wrong(4, 3)), skipped(PHI))
    return rescored(comparison, key_terms=("word7", "Zolpidem", "word5"))
