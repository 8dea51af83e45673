"""Served models to try: their rows, loaded runners, and whoever watches them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from runners.base import ChatOptions, Clip, Placement, RunnerSpec, TranscribeOptions, Transcript, Turn, Usage
from runners.catalogue.servers import ServedModel, ServerSetting, rows_of
from runners.served import Served
from tests import answers
from tests.sounds import babble
from tests.watcher import Watcher

CLIP = babble(3)
SERVER = "lab"


def row(base_url: str, route: str = "transcriptions", model: str = "a-model", **rest: Any) -> RunnerSpec:
    """The row of one model of one server; what ``rest`` names of a server is the server's, the others the model's."""
    own = {name: rest.pop(name) for name in list(rest) if name in ServedModel.model_fields}
    models = (ServedModel.model_validate({"model": model, "route": route, **own}),)
    return rows_of({SERVER: ServerSetting(base_url=base_url, models=models, **rest)})[0]


@contextmanager
def loaded(spec: RunnerSpec) -> Iterator[Served]:
    runner = Served(spec)
    runner.load(None, Placement(), Watcher())
    try:
        yield runner
    finally:
        runner.unload()


def hear(spec: RunnerSpec, clip: Clip = CLIP, watcher: Watcher | None = None, **options: Any) -> Transcript:
    with loaded(spec) as runner:
        return runner.transcribe(clip, TranscribeOptions(**options), watcher or Watcher())


def ask(runner: Served, *texts: str, clip: Clip | None = CLIP, **options: Any) -> tuple[list[str], Usage]:
    """The pieces of the answer to the last text, and what it took."""
    turns = tuple(Turn("assistant" if number % 2 else "user", text) for number, text in enumerate(texts or ("What?",)))
    answering = runner.chat(clip, turns, ChatOptions("one", **options), Watcher())
    return answers.pieces(answering)
