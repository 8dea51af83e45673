"""How long it takes to align all hypotheses at once, and how much nearer to the truth their majority is."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Sequence

from benchmarks.tables import seconds, show
from comparisons.agreement.consensus import consensus
from comparisons.align import align
from comparisons.normalise import normaliser

SYSTEMS, WORDS, VOCABULARY = 8, 10_000, 3_000
BOUND_SECONDS = 5.0


def main(rounds: int) -> bool:
    """Print the table; whether 8 texts of 10 000 words stay under five seconds."""
    basic = normaliser("basic")
    rows: list[Sequence[str]] = []
    slowest = 0.0
    for wrong in (0.1, 0.4):
        truth, texts = _heard(wrong)
        taken: list[float] = []
        for turn in range(rounds):
            again = [f"{text} {turn}" for text in texts]  # the last majorities are kept: ask for another one
            gc.collect()
            began = time.perf_counter()
            found = consensus(again, basic)
            taken.append(time.perf_counter() - began)
        best = min(align(truth, text.split()).errors for text in texts)
        rows.append([f"{wrong:.0%} of the words wrong", seconds(taken), str(best), str(align(truth, found.tokens).errors - 1)])
        slowest = max(slowest, *taken)
    show(
        f"Majority of {SYSTEMS} texts of {WORDS:,} words, reading them included (bound: {BOUND_SECONDS:.0f} s)",
        ["texts", "time", "errors of the best", "of the majority"],
        rows,
    )
    return slowest < BOUND_SECONDS


def _heard(wrong: float) -> tuple[list[str], list[str]]:
    """What was said, and what systems that err independently heard."""
    draw = random.Random(4)  # noqa: S311
    vocabulary = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(VOCABULARY)]
    truth = draw.choices(vocabulary, k=WORDS)
    texts = []
    for _ in range(SYSTEMS):
        heard: list[str] = []
        for word in truth:
            luck = draw.random()
            if luck < wrong / 4:
                continue
            heard.append(draw.choice(vocabulary) if luck < 3 * wrong / 4 else word)
            if luck > 1 - wrong / 4:
                heard.append(draw.choice(vocabulary))
        texts.append(" ".join(heard))
    return truth, texts
