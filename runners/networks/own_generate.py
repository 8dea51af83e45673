"""The ``generate`` of a family's own, stoppable and told about while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runners.base import Progress


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
        said: gets the ids written so far of the first sequence, after each token.

    Raises:
        OutOfMemory: it does not fit.
        Cancelled: between two tokens.
    """
    raise NotImplementedError
