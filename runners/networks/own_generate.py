"""The ``generate`` of a family's own, stoppable and told about while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from runners.base import Progress
from runners.networks import checkpoint
from runners.networks.generation import checked


def generated(
    model: Any,
    inputs: Mapping[str, Any],
    progress: Progress,
    *,
    said: Callable[[list[int]], None] | None = None,
    **options: Any,
) -> Any:
    """What ``model.generate(**inputs, **options)`` returns, without gradients.

    Args:
        inputs: go to the model's device; those of real numbers take its precision.
        said: gets the ids that the first sequence has so far, after each token. A decoder that was given the prompt as ids
            has it at their beginning; one that was given embeddings, or an encoder's output, has not.
        options: ``stopping_criteria`` among them are kept, and asked after ``progress``.

    Raises:
        OutOfMemory: it does not fit.
        Cancelled: between two layers before the first token, or between two tokens.
    """
    import torch
    from transformers import StoppingCriteriaList

    def goes_on(ids: Any, scores: Any, **rest: Any) -> Any:
        before_the_first.close()  # a token is soon written: asking within each would only cost
        progress.check()
        if said is not None:
            said(ids[0].tolist())
        return torch.zeros(len(ids), dtype=torch.bool, device=ids.device)

    asked = options.pop("stopping_criteria", None) or ()
    progress.check()
    with torch.inference_mode(), checkpoint.memory_limits(), ExitStack() as before_the_first:
        before_the_first.enter_context(checked(model, progress))
        return model.generate(
            **{name: _near(model, value) for name, value in inputs.items()},
            **options,
            stopping_criteria=StoppingCriteriaList([goes_on, *asked]),
        )


def _near(model: Any, value: Any) -> Any:
    if not hasattr(value, "is_floating_point"):
        return value
    return value.to(model.device, model.dtype) if value.is_floating_point() else value.to(model.device)
