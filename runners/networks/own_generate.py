"""The ``generate`` of a family's own, stoppable and told about while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from runners.base import Progress
from runners.networks import checkpoint
from runners.networks.generation import checked
from runners.networks.tokens import Circles


def generated(
    model: Any,
    inputs: Mapping[str, Any],
    progress: Progress,
    *,
    said: Callable[[Callable[[], list[int]]], None] | None = None,
    circles: Circles | None = None,
    **options: Any,
) -> Any:
    """What ``model.generate(**inputs, **options)`` returns, without gradients.

    Args:
        inputs: go to the model's device; those of real numbers take its precision.
        said: gets, after each token, what gives the ids that the first sequence has so far. A decoder that was given the
            prompt as ids has it at their beginning; one that was given embeddings, or an encoder's output, has not.
        circles: gets each token; where they go in circles the answer ends.

    Raises:
        OutOfMemory: it does not fit.
        Cancelled: between two layers before the first token, or between two tokens.
    """
    import torch
    from transformers import StoppingCriteriaList

    verdicts: dict[bool, Any] = {}  # made once: a token is soon written

    def goes_on(ids: Any, scores: Any, **rest: Any) -> Any:
        if not verdicts:
            before_the_first.close()  # asking within each token would only cost
            verdicts.update({ends: torch.full((len(ids),), ends, device=ids.device) for ends in (False, True)})
        progress.check()
        if said is not None:
            said(lambda: list(ids[0].tolist()))
        return verdicts[circles is not None and circles.add(int(ids[0, -1]))]

    progress.check()
    with torch.inference_mode(), checkpoint.memory_limits(), ExitStack() as before_the_first:
        before_the_first.enter_context(checked(model, progress))
        return model.generate(
            **{name: _near(model, value) for name, value in inputs.items()},
            **options,
            stopping_criteria=StoppingCriteriaList([goes_on]),
        )


def _near(model: Any, value: Any) -> Any:
    if not hasattr(value, "is_floating_point"):
        return value
    return value.to(model.device, model.dtype) if value.is_floating_point() else value.to(model.device)
