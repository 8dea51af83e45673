"""Language models that write down what they hear, through transformers' own classes and their own ``generate``.

How each family is asked and how its answer is read is its dialect (``runners.dialects``); loading, long clips,
progress and a person's stop are the same for all. Nothing is kept between two clips.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.base import (
    SAMPLE_RATE,
    Clip,
    Ended,
    Placement,
    Progress,
    TranscribeOptions,
    Transcript,
    UnsupportedOption,
    check_options,
)
from runners.dialects.dialect import Dialect
from runners.dialects.fun_asr import FunAsr
from runners.dialects.glm_asr import GlmAsr
from runners.dialects.granite_speech import GraniteSpeech
from runners.dialects.qwen3_asr import Qwen3Asr
from runners.dialects.vibevoice_asr import VibeVoiceAsr
from runners.dialects.voxtral_realtime import VoxtralRealtime
from runners.networks import adapters, checkpoint, generation, piecewise, tokens
from runners.networks.holding import Holding
from runners.networks.own_generate import generated

_DIALECTS: Mapping[str, type[Dialect]] = MappingProxyType(
    {
        "granite-speech": GraniteSpeech,
        "qwen3-asr": Qwen3Asr,
        "voxtral-realtime": VoxtralRealtime,
        "glm-asr": GlmAsr,
        "vibevoice-asr": VibeVoiceAsr,
        "fun-asr": FunAsr,
    }
)


@dataclass(frozen=True)
class _Loaded:
    """A model with its dialect."""

    model: Any
    dialect: Dialect
    notes: tuple[str, ...] = ()
    """What is true of everything that it says."""


class SpeechLlm(Holding[_Loaded]):
    """Runs a checkpoint of one of these families with PyTorch."""

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Load a transformers folder of the family.

        Raises:
            ModelLoadError: the folder is of another family, damaged or incomplete.
            OutOfMemory: the model does not fit.
        """
        folder = checkpoint.read_of(weights, self._spec.family).folder
        progress.check()
        dialect = _DIALECTS[self._spec.family](folder)
        progress.check()
        import transformers

        if (folder / adapters.ADAPTER_FILES[0]).is_file():
            with checkpoint.loading(folder):  # without it, transformers says nothing and leaves the adapter out
                import peft  # noqa: F401

        model = checkpoint.load_model(
            getattr(transformers, dialect.model_class), folder, placement, adapter_name=adapters.ADAPTER_NAME
        )
        dialect.fit(model)
        notes = []
        if getattr(model.config, "has_lora_adapter", False) or getattr(model, "_hf_peft_config_loaded", False):
            # transformers loads it with the model where it is there, and runs without it where it is not.
            notes.append(adapters.settle(model, folder, ".", placement, progress))
        self._loaded = _Loaded(model.eval(), dialect, tuple(notes))

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Write down what is said, or do what ``options`` say where the family is told what to do.

        A clip longer than the family hears well at once is cut at pauses, and each piece is heard by itself, unless the
        prompt asks for something that needs all of it, such as a summary.

        Raises:
            UnsupportedOption: the family cannot be told the language, or does not translate to the one asked for.
            OutOfMemory: a piece does not fit.
            Cancelled: between two tokens, or between two layers before the first.
        """
        loaded = self._need()
        check_options(self._spec, options)
        if options.language is not None and self._spec.can_choose_language:
            known: Mapping[str, str] = getattr(loaded.dialect, "names", {})
            if options.language not in known:  # of a checkpoint that somebody added, the languages are not known before
                raise UnsupportedOption(
                    f"{self._spec.label} cannot be told the language {options.language!r}.",
                    f"It can be told: {', '.join(known)}.",
                )
        follows = options.prompt is None or options.prompt.is_word_for_word
        longest = self._spec.longest_transcribed_seconds if follows else self._spec.longest_prompt_seconds

        def hear(piece: NDArray[np.float32], tell: piecewise.Tell) -> piecewise.Piece:
            return self._hear(loaded, piece, options, tell, progress)

        told = piecewise.hear_in_pieces(clip, longest, hear, progress)
        notes = (*told.notes, *loaded.notes) if told.text else told.notes
        return replace(told, language=options.language or told.language, notes=notes)

    def _hear(
        self,
        loaded: _Loaded,
        samples: NDArray[np.float32],
        options: TranscribeOptions,
        tell: piecewise.Tell,
        progress: Progress,
    ) -> piecewise.Piece:
        dialect, seconds = loaded.dialect, len(samples) / SAMPLE_RATE
        inputs = dialect.inputs(samples, options)
        limits = dialect.limits(seconds, options)
        prompt = inputs["input_ids"].shape[1]
        circles = None if dialect.may_repeat else tokens.Circles()

        def said(ids: Callable[[], list[int]]) -> None:
            tell(lambda: dialect.read(ids()[prompt:], seconds, is_whole=False).text)

        written = generated(loaded.model, inputs, progress, said=said, circles=circles, **limits)
        ids = written[0, prompt:].tolist()
        piece = dialect.read(ids, seconds)
        ended: Ended = "complete"
        if circles is not None and circles.found:
            ended = "loop"
        elif len(ids) == limits.get("max_new_tokens") and ids[-1] not in _ends(loaded.model):
            ended = "limit"
        note = generation.endings(ended)
        return piece if note is None else replace(piece, notes=(*piece.notes, note))


def _ends(model: Any) -> tuple[int, ...]:
    """Ids of the tokens that end an answer."""
    ends = model.generation_config.eos_token_id
    return tuple(ends) if isinstance(ends, list | tuple) else () if ends is None else (ends,)
