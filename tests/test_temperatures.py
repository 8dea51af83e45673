"""A text is written again only where that may help, and the best of what was written is taken."""

from __future__ import annotations

import pytest

from runners.networks.temperatures import TEMPERATURES, Attempt, log_probability, settle

LOOP = "and so on " * 40


def settled(*written: tuple[str, float], no_speech: float = 0.0) -> tuple[str | None, list[float]]:
    """The text that is taken of these texts with their log probabilities, and the temperatures that were tried."""
    tried: list[float] = []

    def write(temperature: float) -> Attempt:
        tried.append(temperature)
        text, probability = written[len(tried) - 1]
        return Attempt([], text, probability)

    attempt, tries = settle(write, no_speech)
    assert tries == len(tried)
    return (attempt.text if attempt is not None else None), tried


@pytest.mark.parametrize(
    ("written", "taken", "tries"),
    [
        ([("fine", -0.5)], "fine", 1),
        ([("", -0.5)], "", 1),
        ([(LOOP, -0.1), ("fine", -0.9)], "fine", 2),
        ([("a guess", -2.0), ("fine", -0.9)], "fine", 2),
        ([("a guess", -2.0), ("a worse one", -3.0)], "a guess", 2),  # chance leads away from it
        ([(LOOP, -0.1), ("a guess", -2.0), ("a worse one", -3.0)], "a guess", 3),
        ([(LOOP, -0.1), (LOOP, -0.2), ("a guess", -4.0), (LOOP, -3.0), (LOOP, -0.3), (LOOP, -0.3)], "a guess", 6),
    ],
)
def test_the_best_text_is_taken(written: list[tuple[str, float]], taken: str, tries: int) -> None:
    assert settled(*written) == (taken, list(TEMPERATURES[:tries]))


def test_where_nobody_speaks_an_improbable_text_is_none() -> None:
    assert settled(("a guess", -2.0), no_speech=0.9) == (None, [0.0])
    assert settled((LOOP, -0.5), ("a guess", -2.0), no_speech=0.9) == (None, [0.0, 0.2])
    assert settled(("fine", -0.5), no_speech=0.9) == ("fine", [0.0])


def test_a_text_is_as_probable_at_any_temperature() -> None:
    import torch

    logits = torch.tensor([[0.0, 1.0, 2.0]])
    expected = float(logits[0].log_softmax(-1)[2])
    assert log_probability([logits, logits], [2, 2], 0.0) == pytest.approx(expected)
    assert log_probability([logits / 0.4], [2], 0.4) == pytest.approx(expected)
