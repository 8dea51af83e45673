"""What ten thousand kept comparisons cost: listing, searching, opening one again, and keeping one more.

Beside the alternatives: a folder with a JSON file for each (what a list reads of it, and what a search looks through), and
looking through every text of the same database.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.tables import seconds, show
from comparisons.compare import Comparison, begin, fold
from comparisons.history import rows
from comparisons.history.store import History
from comparisons.reading import from_json
from comparisons.records import to_dict
from comparisons.sides.side_by_side import side_by_side
from runners.base import Clip, Contender, RunnerSpec, Transcript, TranscriptionResult, Word
from runners.events import Finished

KEPT, VARIED, SYSTEMS, WORDS = 10_000, 100, 4, 300
"""Comparisons; how many different ones they are made of; systems in each; words of a clip of two minutes."""
FILES = 1_000
"""Of the JSON folder, whose times are then multiplied: ten thousand would take as long as all the rest."""
LIST_SECONDS, OPEN_SECONDS = 0.2, 0.5
COMMON, RARE, ABSENT = "everywhere", "heliotrope", "nonesuch"
OWNER = "local"


def main(rounds: int) -> bool:
    """Print the table; whether all that has a bound stays within it."""
    draw = random.Random(6)  # noqa: S311
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        history = History(folder / "kept")
        comparisons = [_comparison(draw, number) for number in range(VARIED)]
        one = history.keep(comparisons[0], _clip(0), OWNER)
        filled = _fill(history, comparisons)
        (folder / "files").mkdir()
        for number in range(FILES):
            text = json.dumps(to_dict(comparisons[number % VARIED]), ensure_ascii=False)
            (folder / "files" / f"{number}.json").write_text(text, encoding="utf-8")
        size = sum(path.stat().st_size for path in (folder / "kept").iterdir() if path.is_file())
        print(f"\n{KEPT:,} comparisons of {SYSTEMS} systems and {WORDS} words: {size / 1e6:.0f} MB, filled in {filled:.0f} s")
        kept = _asked(history, folder / "files", rounds)
        kept &= _opened(history, one, comparisons[0], rounds)
        history.close()
    return kept


def _asked(history: History, files: Path, rounds: int) -> bool:
    ways: dict[str, Callable[[], object]] = {
        "list, first page": lambda: history.list(OWNER),
        "list, page 100": lambda: history.list(OWNER, offset=4_950),
        "list of one system": lambda: history.list(OWNER, system="system-3"),
        f"search {COMMON!r}, in all of them": lambda: history.list(OWNER, search=COMMON),
        f"search {RARE!r}, in one of {VARIED}": lambda: history.list(OWNER, search=RARE),
        "search 'helio', how it begins": lambda: history.list(OWNER, search="helio"),
        "search 'e', how half of all words begin": lambda: history.list(OWNER, search="e"),
        f"search {ABSENT!r}, in none": lambda: history.list(OWNER, search=ABSENT),
        "tags and systems, for the filters": lambda: (history.tags(OWNER), history.systems(OWNER)),
    }
    times = KEPT / FILES
    others: dict[str, Callable[[], object]] = {
        "JSON files: list": lambda: [json.loads(path.read_bytes())["clip"] for path in files.iterdir()],
        "JSON files: search": lambda: [path for path in files.iterdir() if RARE in path.read_text("utf-8")],
        "the same tables: LIKE": lambda: _like(history),
    }
    taken = _in_turn({**ways, **others}, rounds)
    for name in others:
        if name.startswith("JSON"):
            taken[name] = [value * times for value in taken[name]]
    show(
        f"Asking {KEPT:,} kept comparisons (bound: {LIST_SECONDS} s)",
        ["", "time", "of JSON files", "of LIKE"],
        [
            [
                name,
                seconds(taken[name]),
                f"{median(taken[name]) / median(taken['JSON files: ' + ('search' if 'search' in name else 'list')]):.4f}",
                f"{median(taken[name]) / median(taken['the same tables: LIKE']):.3f}",
            ]
            for name in taken
        ],
        note=f"JSON files: measured with {FILES:,}, times {times:.0f}.",
    )
    return all(median(taken[name]) < LIST_SECONDS for name in ways)


def _opened(history: History, id: str, comparison: Comparison, rounds: int) -> bool:
    clips = iter([_clip(number) for number in range(1000, 1000 + rounds)])
    hour = _hour()
    document = json.dumps(to_dict(hour))
    ways: dict[str, Callable[[], object]] = {
        "open one": lambda: history.comparison(id, OWNER),
        "open one, side by side": lambda: side_by_side(history.comparison(id, OWNER).comparison),
        "keep one, two minutes of audio": lambda: history.keep(comparison, next(clips), OWNER),
        "change one": lambda: history.change(id, replace(comparison, key_terms=(str(time.time()),)), OWNER),
        "read an hour, 8 systems": lambda: from_json(document),
    }
    taken = _in_turn(ways, rounds)
    show(
        f"One of them (bound: {OPEN_SECONDS} s to open)",
        ["", "time"],
        [[name, seconds(values)] for name, values in taken.items()],
    )
    return all(median(taken[name]) < OPEN_SECONDS for name in list(ways)[:2])


def _like(history: History) -> int:
    with history.database.read() as connection:
        found = connection.execute("SELECT count(*) FROM texts WHERE transcripts LIKE ?", (f"%{RARE}%",)).fetchone()[0]
    return int(found)


def _fill(history: History, comparisons: list[Comparison]) -> float:
    """Keep the others in one go: ten thousand commits would measure the disk."""
    began = time.perf_counter()
    packed = [(rows.summary(each), rows.packed(each), rows.texts(each)) for each in comparisons]
    with history.database.write() as connection:
        sound = connection.execute("SELECT sha256 FROM sounds").fetchone()["sha256"]
        for number in range(2, KEPT + 1):
            comparison, (summary, document, texts) = comparisons[number % VARIED], packed[number % VARIED]
            connection.execute(
                "INSERT INTO comparisons (number, id, owner, made_at, changed_at, source, seconds, sound, summary, document)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (number, f"{number:032x}", OWNER, rows.now(), rows.now(), "clip.wav", 120.0, sound, summary, document),
            )
            connection.execute(
                "INSERT INTO texts (rowid, title, source, systems, tags, notes, reference, transcripts)"
                " VALUES (?, '', 'clip.wav', ?, '', '', ?, ?)",
                (number, *texts),
            )
            rows.keep_systems(connection, number, comparison)
    return time.perf_counter() - began


def _comparison(draw: random.Random, number: int) -> Comparison:
    vocabulary = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(500)]
    said = [COMMON, *([RARE] if number == 0 else []), *draw.choices(vocabulary, k=WORDS)]
    return _compared(draw, said, vocabulary, _clip(number), SYSTEMS)


def _hour() -> Comparison:
    draw = random.Random(7)  # noqa: S311
    vocabulary = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(3_000)]
    clip = Clip(np.zeros(16_000, np.float32), 3600.0, "hour.wav", language="en")
    return _compared(draw, draw.choices(vocabulary, k=9_000), vocabulary, clip, 8)


def _compared(draw: random.Random, said: list[str], vocabulary: list[str], clip: Clip, systems: int) -> Comparison:
    who = [Contender(RunnerSpec(f"system-{each}", f"System {each}", "runners.scripted:Scripted")) for each in range(systems)]
    comparison = begin(replace(clip, reference=" ".join(said)), who)
    step = clip.seconds / len(said)
    for each in who:
        heard = [word if draw.random() > 0.1 else draw.choice(vocabulary) for word in said]
        words = tuple(Word(word, place * step, (place + 0.9) * step, 0.9) for place, word in enumerate(heard))
        result = TranscriptionResult(each, "ok", Transcript(" ".join(heard), words), runs=(1.0,), rtf=0.1)
        comparison = fold(comparison, Finished(each, result))
    return comparison


def _clip(number: int) -> Clip:
    samples = np.random.default_rng(number).normal(0, 0.05, 16_000 * 120).astype(np.float32)
    return Clip(samples, 120.0, "clip.wav", language="en")


def _in_turn(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            began = time.perf_counter()
            work()
            taken[name].append(time.perf_counter() - began)
    return taken
