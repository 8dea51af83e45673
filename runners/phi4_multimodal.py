"""Phi-4-multimodal through transformers' own classes: transcribes a clip, follows a prompt about it, and talks about it.

No code of the checkpoint's runs, and no torchvision is needed: the inputs are built from the tokenizer and the feature
extractor, never from the checkpoint's processor. The network hears only through its speech adapter (LoRA, Abouelenin et
al. 2025, arXiv 2503.01743), which is loaded from the checkpoint's folder ``speech-lora``.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from runners import checkpoint, generation
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
from runners.chat_cache import ChatCache


class Phi4Multimodal:
    """Runs a Phi-4-multimodal checkpoint with PyTorch."""

    def __init__(self, spec: RunnerSpec) -> None:
        self._spec = spec
        self._network: generation.Network | None = None
        self._memory = ChatCache()

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Load a transformers folder with its speech adapter."""
        found = checkpoint.read(weights, "phi4-multimodal")
        raise ModelLoadError(f"{found.folder} cannot be loaded yet.", "Choose another system.")

    def unload(self) -> None:
        self._memory.clear()
        self._network = None

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Hear a clip of any length."""
        raise ModelLoadError("The model is not loaded.", "Load it first.")

    def chat(
        self, clip: Clip | None, turns: tuple[Turn, ...], options: ChatOptions, progress: Progress
    ) -> Generator[str, None, Usage]:
        """Answer the last turn."""
        if self._network is None:
            raise ModelLoadError("The model is not loaded.", "Load it first.")
        return (yield from generation.answer(self._network, generation.Wire(()), options, progress, self._memory))

    def forget(self, conversation: str) -> None:
        """Give back what is kept for a conversation."""
        self._memory.forget(conversation)
