"""The system that says what a script tells it."""

from __future__ import annotations

from runners.base import RunnerSpec

SCRIPTED = "scripted"
"""The family that says what a script tells it: for tests and for trying the page, offered only where it is named."""

ROWS: tuple[RunnerSpec, ...] = (
    RunnerSpec(
        family=SCRIPTED,
        label="Scripted",
        target="runners.scripted:Scripted",
        is_default=True,
        dtypes=("float32",),
        devices=("cpu",),
        can_choose_language=True,
        has_word_times=True,
        takes_prompt=True,
        can_chat=True,
    ),
)
