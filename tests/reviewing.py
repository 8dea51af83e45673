"""Pages with a review on them, for the tests that judge it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from comparisons.history.kept import EVERYBODY, LOCAL
from comparisons.history.store import History
from comparisons.reviews.review import Method
from comparisons.reviews.store import Reviews
from runners.base import Clip, Contender, RunnerSpec
from runners.pool import Pool
from runners.settings import Settings
from tests.keeping import compared, heard
from tests.serving import free_port
from ui.desk import Desk
from ui.lookout import Lookout
from ui.page import launch

SYSTEMS = tuple(
    Contender(RunnerSpec(name, label, "runners.scripted:Scripted", model=model, revision="f00dbabe"))
    for name, label, model in (
        ("zebrafamily", "Quagga Large", "savannah/quagga-v3"),
        ("okapifamily", "Okapi Tiny", "forest/okapi-tiny"),
        ("gnufamily", "Gnu Two", "steppe/gnu-2"),
    )
)
TEXTS = ("the meeting is on monday", "the meat ink is on monday", "a meeting on sunday")
SECRETS = (
    *(each.name for each in SYSTEMS),
    *(each.label for each in SYSTEMS),
    *("savannah/quagga-v3", "forest/okapi-tiny", "steppe/gnu-2", "quagga-v3", "okapi-tiny", "gnu-2", "f00dbabe", "scripted"),
    *("secretfilename", "secrettag", "secretnotes", "secrettitle"),
)
"""Nothing of this may reach a judge before the verdict."""


def tone(seconds: float, hertz: float, source: str) -> Clip:
    samples = 0.2 * np.sin(2 * np.pi * hertz * np.arange(int(16_000 * seconds)) / 16_000)
    return Clip(samples.astype(np.float32), seconds, source, reference="the meeting is on monday", language="en")


def keep(history: History, number: int = 1, owner: str = LOCAL, seconds: float = 1.0) -> str:
    """A kept comparison of three systems that wrote different things."""
    clip = tone(seconds, 200.0 + 50 * number, f"secretfilename {number}.wav")
    texts = (f"{text} {number}" for text in TEXTS)
    events = [heard(who, text, timed=at == 0) for at, (who, text) in enumerate(zip(SYSTEMS, texts, strict=True))]
    id = history.keep(compared(clip, *events), clip, owner)
    history.rename(id, "secrettitle", owner)
    history.set_tags(id, ["secrettag"], owner)
    history.set_notes(id, "secretnotes", owner)
    return id


@dataclass
class Held:
    """A page on which reviews are held."""

    url: str
    desk: Desk
    history: History
    reviews: Reviews

    def make(self, method: Method = "best", clips: int = 2, title: str = "By ear", **asked: Any) -> tuple[str, str]:
        """Id of a new review, and its link."""
        kept = [keep(self.history, number) for number in range(1, clips + 1)]
        id = self.reviews.make(kept, EVERYBODY, owner=LOCAL, title=title, method=method, **asked)
        return id, self.link(id)

    def link(self, id: str) -> str:
        return f"{self.url}/review/{self.reviews.get(id, EVERYBODY).token}"


@contextmanager
def held(folder: Path, **settings: Any) -> Iterator[Held]:
    """The real page with all its doors, on a free port."""
    chosen = Settings(
        host="127.0.0.1",
        port=free_port(),
        history_folder=folder / "kept",
        cache_folder=folder / "cache",
        **settings,
    )
    lookout = Lookout()
    pool = Pool(chosen, lookout)
    desk = Desk(chosen, pool, lookout)
    assert desk.history is not None
    assert desk.reviews is not None
    page = launch(desk)
    try:
        yield Held(page.local_url.rstrip("/"), desk, desk.history, desk.reviews)
    finally:
        page.close(verbose=False)
        pool.close()
        desk.history.close()


class Judging:
    """Somebody with the link, as their browser asks."""

    def __init__(self, link: str, **options: Any) -> None:
        self.link = link
        self.http = httpx.Client(timeout=60, **options)
        self.got: list[httpx.Response] = []

    def get(self, path: str = "", **headers: str) -> httpx.Response:
        self.got.append(self.http.get(self.link + path, headers=headers))
        return self.got[-1]

    def post(self, path: str, sent: Any, **headers: str) -> httpx.Response:
        self.got.append(self.http.post(self.link + path, json=sent, headers=headers))
        return self.got[-1]

    def join(self, name: str | None = None) -> httpx.Response:
        return self.post("/join", {"name": name})

    def task(self) -> dict[str, Any] | None:
        answer = self.get("/task")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] | None = answer.json()["task"]
        return told

    def vote(self, task: dict[str, Any], **fields: Any) -> httpx.Response:
        return self.post("/vote", {"clip": task["clip"], "vote": {**whole(task), **fields}})

    def close(self) -> None:
        self.http.close()


def whole(task: dict[str, Any], text: str = TEXTS[0], marks: Sequence[Any] = ()) -> dict[str, Any]:
    """A vote on a task, for whoever wrote the text."""
    letters = {column["letter"]: " ".join(word["text"] for word in column["words"]) for column in task["columns"]}
    liked = [letter for letter, words in letters.items() if words.startswith(text)]
    choice: Any = liked[0] if liked else "A"
    if task["method"] == "pairwise":
        choice = [
            {"left": left, "right": right, "says": "left" if left in liked else "right" if right in liked else "tie"}
            for left, right in task["pairs"]
        ]
    elif task["method"] == "rating":
        choice = {letter: 5 if letter in liked else 2 for letter in letters}
    return {"heard": True, "choice": choice, "marks": list(marks)}
