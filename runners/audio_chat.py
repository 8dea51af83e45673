"""Networks that talk about what they hear, through transformers: Voxtral, Qwen-Omni, Gemma and Audio Flamingo.

Each transcribes a clip the way its family asks for it, follows a prompt about it, translates where it can, and answers
questions, keeping what it computed from one turn for the next. What is a family's own, its classes, its wire format and how
its encoder is fed, is in ``dialects/``: ``voxtral``, ``qwen_omni``, ``gemma``, ``audio_flamingo``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from runners.audio import cut_at_pauses, mono
from runners.base import (
    ChatOptions,
    Clip,
    Placement,
    Progress,
    TranscribeOptions,
    Transcript,
    Turn,
    Usage,
    check_turns,
)
from runners.dialects import audio_flamingo, gemma, qwen_omni, voxtral
from runners.networks import checkpoint, generation, pieces
from runners.networks.generation import Wire
from runners.networks.hearing import Hearing, Samples
from runners.networks.holding import Talking
from runners.networks.languages import language_name

TRANSLATE = "Translate the speech into {}. Write down the translation and nothing else."
SPOKEN = "\n\nThe speech is in {}."
"""Added to a prompt where the language is known: the families have no other place for it."""


Load = Callable[[Path, Placement, Progress], Hearing]


_LOADS: Mapping[str, Load] = MappingProxyType(
    {
        "voxtral": voxtral.load,
        "qwen2_5_omni": partial(qwen_omni.load, is_third=False),
        "qwen3_omni_moe": partial(qwen_omni.load, is_third=True),
        "gemma3n": partial(gemma.load, is_fourth=False),
        "gemma4": partial(gemma.load, is_fourth=True),
        "audioflamingo3": audio_flamingo.load,
    }
)
"""By the model type that ``config.json`` names."""


class AudioChat(Talking[Hearing]):
    """Runs a checkpoint of one of these families with PyTorch."""

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Load a transformers folder of the spec's family.

        Raises:
            ModelLoadError: the folder is of another family, damaged or incomplete.
            OutOfMemory: the model does not fit.
        """
        found = checkpoint.read_of(weights, self._spec.family)
        load = _LOADS.get(found.model_type or "")
        if load is None:
            raise checkpoint.foreign(found, f"a checkpoint that {self._spec.family} takes")
        progress.check()
        self._loaded = load(found.folder, placement, progress)

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Write down what is said, in its language or in ``options.translate_to``, or do what ``options.prompt`` says.

        A clip longer than the family transcribes at once is cut at pauses and each piece is heard by itself, unless the
        prompt asks for something that needs all of it, such as a summary: then a piece is as long as a prompt may be.

        Raises:
            AudioError: the clip holds nothing.
            PromptError: the prompt does not fit the context beside the audio.
            OutOfMemory: a piece does not fit.
            Cancelled: between two tokens, or between two layers of a prefill.
        """
        hearing = self._need()
        is_plain = options.prompt is None and options.translate_to is None
        follows_speech = options.prompt is None or options.prompt.is_word_for_word
        samples = mono(clip)
        longest = hearing.longest_transcribed_seconds if follows_speech else hearing.longest_prompt_seconds
        told = pieces.tell(
            hearing.network,
            samples,
            cut_at_pauses(samples, longest),
            follows_speech=follows_speech,
            wire=partial(_asked, hearing, options),
            progress=progress,
            cleaned=hearing.cleaned if is_plain else str,
        )
        return replace(told, language=options.language)

    def chat(
        self, clip: Clip | None, turns: tuple[Turn, ...], options: ChatOptions, progress: Progress
    ) -> Generator[str, None, Usage]:
        """Answer the last turn; the whole clip stands in the first question.

        Raises:
            PromptError: the last turn is not the user's, or clip and conversation do not fit the context.
            AudioError: the clip holds nothing.
            OutOfMemory: they do not fit the device.
            Cancelled: between two tokens, or between two layers of a prefill.
        """
        hearing = self._need()
        check_turns(turns)
        wire = hearing.wire(None if clip is None else mono(clip), turns)
        usage = yield from generation.answer(hearing.network, wire, options, progress, self._memory)
        if clip is None or clip.seconds <= hearing.longest_prompt_seconds:
            return usage
        minutes = hearing.longest_prompt_seconds / 60
        return replace(
            usage, notes=(*usage.notes, f"the clip is longer than the {minutes:.0f} min that one prompt should hold")
        )


def _asked(hearing: Hearing, options: TranscribeOptions, samples: Samples) -> Wire:
    """The prompt for a piece of a clip."""
    if options.prompt is not None:
        wording = options.prompt.text
    elif options.translate_to is not None:
        wording = TRANSLATE.format(language_name(options.translate_to))
    else:
        return hearing.request(samples, options.language)
    if options.language is not None:
        wording += SPOKEN.format(language_name(options.language))
    turns: Sequence[Turn] = (Turn("user", wording),)
    return hearing.wire(samples, turns)
