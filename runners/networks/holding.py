"""A runner that holds a loaded network, or none yet: its spec, its unloading, and what it says where it is not loaded."""

from __future__ import annotations

from typing import Generic, TypeVar

from runners.base import ModelLoadError, RunnerSpec
from runners.networks.chat_cache import ChatCache

Loaded = TypeVar("Loaded")


class Holding(Generic[Loaded]):
    """What all runners of local networks begin with; ``load`` sets ``_loaded``."""

    def __init__(self, spec: RunnerSpec) -> None:
        self._spec = spec
        self._loaded: Loaded | None = None

    def unload(self) -> None:
        """Give back memory; ``load`` may be called again."""
        self._loaded = None

    def _need(self) -> Loaded:
        """What is loaded.

        Raises:
            ModelLoadError: nothing is.
        """
        if self._loaded is None:
            raise ModelLoadError("The model is not loaded.", "Load it first.")
        return self._loaded


class Talking(Holding[Loaded]):
    """The same for those that can chat, with what they keep of conversations in ``_memory``."""

    def __init__(self, spec: RunnerSpec) -> None:
        super().__init__(spec)
        self._memory = ChatCache()

    def unload(self) -> None:
        """Give back memory, that of conversations too; ``load`` may be called again."""
        self._memory.clear()
        super().unload()

    def forget(self, conversation: str) -> None:
        """Give back what is kept for a conversation; one that is not known is no error."""
        self._memory.forget(conversation)
