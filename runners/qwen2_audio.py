"""Qwen2-Audio through transformers: transcribes a clip, follows a prompt about it, and talks about it.

The second family behind the seam's ``chat``. Its encoder hears windows of 30 s; a longer clip is several windows in one
prompt when it is talked about, and several prompts, cut at pauses, when it is transcribed. Inputs are built from the
tokenizer and the feature extractor alone: the checkpoint's processor is not needed.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners import checkpoint
from runners.base import (
    ChatOptions,
    Clip,
    ModelLoadError,
    Placement,
    Progress,
    RunnerSpec,
    TranscribeOptions,
    Transcript,
    Turn,
    Usage,
)

FAMILY = "qwen2-audio"
MODEL_TYPE = "qwen2_audio"


@dataclass
class _Loaded:
    """A model with what has to be known of it."""

    model: Any
    extractor: Any
    tokenizer: Any
    placement: Placement


class Qwen2Audio:
    """Runs a Qwen2-Audio checkpoint with PyTorch."""

    def __init__(self, spec: RunnerSpec) -> None:
        self._spec = spec
        self._loaded: _Loaded | None = None

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Load a transformers folder in float32, bfloat16 or float16.

        Raises:
            ModelLoadError: the folder is of another family, damaged or incomplete.
            OutOfMemory: the model does not fit.
        """
        found = checkpoint.read(weights, FAMILY)
        if found.model_type != MODEL_TYPE:
            raise checkpoint.foreign(found, "a Qwen2-Audio checkpoint")
        weights = found.folder
        checkpoint.require_files(weights, "tokenizer", ("tokenizer.json",), ("vocab.json", "merges.txt"))
        checkpoint.require_files(weights, "feature extractor", ("preprocessor_config.json",), ("processor_config.json",))
        progress.check()
        from transformers import AutoTokenizer, Qwen2AudioForConditionalGeneration, WhisperFeatureExtractor

        with checkpoint.loading(weights):
            tokenizer = AutoTokenizer.from_pretrained(weights, local_files_only=True, trust_remote_code=False)
            extractor = WhisperFeatureExtractor.from_pretrained(weights, local_files_only=True)
        progress.check()
        model = checkpoint.load_model(Qwen2AudioForConditionalGeneration, weights, placement, attn_implementation="sdpa")
        self._loaded = _Loaded(model, extractor, tokenizer, placement)

    def unload(self) -> None:
        self._loaded = None

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Write down what is said, or do what ``options.prompt`` says, window by window."""
        raise ModelLoadError("The model is not loaded.", "Load it first.")

    def chat(
        self, clip: Clip | None, turns: tuple[Turn, ...], options: ChatOptions, progress: Progress
    ) -> Generator[str, None, Usage]:
        """Answer the last turn about the clip."""
        raise ModelLoadError("The model is not loaded.", "Load it first.")

    def forget(self, conversation: str) -> None:
        """Give back what is kept for a conversation."""
