"""What a runner gives its network, and what comes of it: whether an option has reached it, and how long a prompt is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import pytest

from runners.base import Cancelled
from tests.watcher import Watcher


@dataclass(frozen=True)
class Call:
    """One call of a network, or of a part of it that its runner asks by itself."""

    ids: tuple[int, ...] = ()
    """The tokens that it was given."""
    places: int = 0
    """That they take in its context: several tokens may share one."""
    came: str = ""
    """A digest of what it answered: what it was told by other means than tokens shows here."""
    answer: Any = field(default=None, compare=False, repr=False)
    """The first tensor of it."""


class Enough(Watcher):
    """Stops a run once its network has been asked so often that it has been given all there is to be told."""

    def __init__(self, calls: list[Call]) -> None:
        super().__init__()
        self._calls = calls

    def check(self) -> None:
        super().check()
        if len(self._calls) >= 12:
            raise Cancelled


@contextmanager
def noted() -> Iterator[list[Call]]:
    """Notes what networks of PyTorch are asked in this process, in order, and the first prompt of faster-whisper."""
    calls: list[Call] = []
    with ExitStack() as stack:
        if find_spec("torch"):
            stack.enter_context(_noting_torch(calls))
        if find_spec("faster_whisper"):
            stack.enter_context(_noting_faster_whisper(calls))
        yield calls


@contextmanager
def _noting_torch(calls: list[Call]) -> Iterator[None]:
    from torch.nn.modules import module

    depth = 0  # of calls inside calls: what a network asks of its parts is its own affair

    def enter(asked: Any, args: Any) -> None:
        nonlocal depth
        depth += 1

    def leave(asked: Any, args: Any, kwargs: Any, output: Any) -> None:
        nonlocal depth
        depth -= 1
        if not depth:
            ids = kwargs.get("input_ids", kwargs.get("decoder_input_ids"))
            tokens, places = ((), 0) if ids is None else (tuple(ids.flatten().tolist()), ids.shape[1])
            answer = _tensor(output)
            calls.append(Call(tokens, places, "" if answer is None else _digest(answer), answer))

    hooks = (
        module.register_module_forward_pre_hook(enter),
        module.register_module_forward_hook(leave, with_kwargs=True, always_call=True),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _noting_faster_whisper(calls: list[Call]) -> Iterator[None]:
    from faster_whisper import WhisperModel

    plain = WhisperModel.get_prompt

    def get_prompt(*args: Any, **kwargs: Any) -> list[int]:
        prompt = plain(*args, **kwargs)
        calls.append(Call(tuple(prompt), len(prompt)))
        raise Cancelled  # the first prompt says it all, and its library lets nobody stop before it has written for long

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhisperModel, "get_prompt", get_prompt)
        yield


def _tensor(output: Any) -> Any:
    """The first tensor in an answer, in main memory; None if there is none."""
    import torch

    if isinstance(output, torch.Tensor):
        return output.detach().float().cpu()
    parts = output.values() if hasattr(output, "values") else output if isinstance(output, tuple | list) else ()
    return next((tensor for part in parts if (tensor := _tensor(part)) is not None), None)


def _digest(tensor: Any) -> str:
    return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()[:16]
