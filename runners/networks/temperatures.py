"""A text that loops or is improbable is written again, hotter: the choice among what a network wrote at each temperature.

This and the limits: Radford et al. 2022, section 4.5, and openai/whisper ``transcribe.py``.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Tried in turn until a text is neither looping nor improbable, or chance makes it only less probable."""
MAX_COMPRESSION = 2.4
"""Bytes of text per byte of its zlib compression; above it the text repeats itself."""
MIN_LOG_PROBABILITY = -1.0
"""Mean natural logarithm of the probability of the tokens; below it the text is a guess."""
MAX_NO_SPEECH = 0.6
"""Probability that nobody speaks, above which an improbable text is left out."""


@dataclass(frozen=True)
class Attempt:
    """What was written at one temperature."""

    tokens: list[int]
    text: str
    log_probability: float
    """Mean of the tokens' natural logarithms."""

    @property
    def loops(self) -> bool:
        text = self.text.encode()
        return len(text) / len(zlib.compress(text)) > MAX_COMPRESSION if text else False

    @property
    def will_do(self) -> bool:
        return not self.loops and self.log_probability >= MIN_LOG_PROBABILITY


def settle(write: Callable[[float], Attempt], no_speech: float) -> tuple[Attempt | None, int]:
    """Have a text written at rising temperatures until one of them will do.

    Args:
        write: writes it at a temperature; 0 is greedy.
        no_speech: the probability that there is nothing to write.

    Returns:
        The text that will do, else the one that does not loop and is most probable; None if nobody speaks. And how many
        were written.
    """
    tries: list[Attempt] = []
    for temperature in TEMPERATURES:
        attempt = write(temperature)
        tries.append(attempt)
        if no_speech > MAX_NO_SPEECH and attempt.log_probability < MIN_LOG_PROBABILITY:
            return None, len(tries)
        if attempt.will_do:
            return attempt, len(tries)
        if len(tries) > 1 and not tries[-2].loops and attempt.log_probability <= tries[-2].log_probability:
            break  # chance led away from a text that did not loop: more of it would lead further
    return max(tries, key=lambda each: (not each.loops, each.log_probability)), len(tries)


def log_probability(scores: Sequence[Any], tokens: Sequence[int], temperature: float) -> float:
    """Return the tokens' mean log probability; ``scores`` are (1, vocabulary) each, already divided by the temperature."""
    import torch

    heat = temperature if temperature > 0 else 1.0
    chosen = [(score[0].float() * heat).log_softmax(-1)[token] for score, token in zip(scores, tokens, strict=True)]
    return float(torch.stack(chosen).mean())
