"""The command line: ``python -m comparisons CLIP [CLIP ...] --runners a,b``.

Results go to standard output, everything else to standard error.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from comparisons import made_with, outlay
from comparisons.arguments import Asked, asked
from comparisons.bar import Bar
from comparisons.compare import Comparison, begin, fold
from comparisons.exports import Extras, File, NothingToExport, exported, json_line
from comparisons.history.database import HistoryError
from comparisons.history.kept import LOCAL
from comparisons.history.store import History
from comparisons.reference import Reference
from comparisons.run import Cancels, Comparing
from comparisons.sound import Sound, small
from runners.base import Clip, Contender, RunnerError
from runners.catalogue.presets import estimate
from runners.events import Event
from runners.here.availability import availability
from runners.hub.cache import cache_folder
from runners.hub.downloadable import disk_free_bytes
from runners.pool import Pool
from runners.settings import Settings
from runners.terminal import PipeClosed, plain, results

RAN, WRONG_USAGE, ALL_SKIPPED, INTERRUPTED, PIPE_CLOSED = 0, 2, 3, 130, 141
"""Exit codes; the last two are what shells give for SIGINT and SIGPIPE."""

GRACE_SECONDS = 15.0
"""How long an interrupted comparison waits for its runners to stop."""


def main(argv: Sequence[str] | None = None) -> int:
    """Compare contenders on clips; returns the exit code."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    wanted = asked(argv)
    try:
        with results() as out:
            return _run(wanted, out)
    except PipeClosed:
        return PIPE_CLOSED


def _run(wanted: Asked, out: TextIO) -> int:
    finished: list[Comparison] = []
    sounds: list[Sound | None] = []
    interrupted = False
    contenders, settings, references = wanted.contenders, wanted.settings, wanted.references
    stream = wanted.format == "json" and wanted.output is None
    shown = sys.stderr.isatty() and (out.isatty() or wanted.output is not None)
    with contextlib.ExitStack() as stack:
        pool = None
        history: History | None = None
        progress = stack.enter_context(Bar(len(wanted.clips) * len(contenders), shown))
        for path in wanted.clips:
            try:
                clip = _decoded(path, settings, references.get(path), wanted.language)
                if pool is None:
                    pool = stack.enter_context(contextlib.closing(Pool.here(settings)))
                    _say_outlay(pool, settings, contenders, progress.say)
                    history = _history(settings, progress.say)
            except (RunnerError, OSError) as error:
                progress.say(f"{path}: {error} {getattr(error, 'fix', None) or ''}".rstrip())
                progress.skip(len(contenders))
                continue
            except KeyboardInterrupt:
                interrupted = True
                break
            comparison = begin(
                clip,
                contenders,
                wanted.normaliser,
                metric=wanted.metric,
                reference=references.get(path),
                key_terms=wanted.key_terms,
                made_with=made_with.here(pool.room(), tuple(contender.name for contender in contenders)),
            )
            cancels = Cancels()
            with Comparing(clip, contenders, pool, repeat=wanted.repeat, cancel=cancels) as comparing:
                try:
                    for event in _events(comparing):
                        comparison = fold(comparison, event)
                        progress.show(clip.source, event)
                except KeyboardInterrupt:
                    interrupted = True
                    cancels.cancel_all()
                    for event in _events(comparing, GRACE_SECONDS):
                        comparison = fold(comparison, event)
            finished.append(comparison)
            sounds.append(_sound(clip, progress.say) if wanted.format == "html" and wanted.has_sound else None)
            if comparison.finished and history is not None:
                _keep(comparison, clip, history, progress.say)
            if stream:
                print(json_line(comparison), file=out, flush=True)
            if interrupted:
                break
    if finished and not stream:
        try:
            made = exported(wanted.format, finished, extras=Extras(sounds, wanted.title, wanted.notes))
        except NothingToExport as why:
            sys.stderr.write(plain(str(why)) + "\n")
            return INTERRUPTED if interrupted else WRONG_USAGE
        for why_not in made.left_out:
            sys.stderr.write(plain(why_not) + "\n")
        if not _written(made.files, wanted.makes_files, wanted.output, out):
            return WRONG_USAGE
    if interrupted:
        return INTERRUPTED
    if not finished:
        return WRONG_USAGE
    ran = any(column.state == "ok" for comparison in finished for column in comparison.columns)
    return RAN if ran else ALL_SKIPPED


def _say_outlay(pool: Pool, settings: Settings, contenders: Sequence[Contender], say: Callable[[str], None]) -> None:
    room = pool.room()
    offers = [(each.spec, availability(each.spec, room, settings)) for each in contenders]
    said = outlay.line(estimate(offers, disk_free_bytes(cache_folder())))
    if said is not None:
        say(said)


def _sound(clip: Clip, say: Callable[[str], None]) -> Sound | None:
    try:
        return small(clip)
    except RunnerError as error:
        say(f"{clip.source}: the report is without its sound: {error} {error.fix or ''}".rstrip())
        return None


def _written(files: Sequence[File], many: bool, output: Path | None, out: TextIO) -> bool:
    """Write the results into a file or a folder, or out where neither is named; whether they are where they should be.

    Args:
        many: there may be several files, so that a folder is meant.
    """
    if output is not None:
        try:
            if many:
                output.mkdir(exist_ok=True)
            for file in files:
                place = output / file.name if output.is_dir() else output
                place.write_text(file.text, encoding="utf-8", errors="backslashreplace")
            return True
        except OSError as error:
            sys.stderr.write(f"{output} could not be written, so here are the results: {error.strerror}\n")
    for file in files:
        out.write(file.text)  # they may have taken hours
    out.flush()
    return output is None


def _decoded(path: Path, settings: Settings, reference: Reference | None, language: str | None) -> Clip:
    from runners.audio import decode

    return decode(
        path,
        max_seconds=settings.max_clip_seconds,
        max_bytes=int(settings.max_file_mb * 1e6),
        reference=reference.text if reference is not None else None,
        language=language,
    )


def _events(comparing: Comparing, most_seconds: float = float("inf")) -> Iterator[Event]:
    until = time.monotonic() + most_seconds
    while not comparing.finished and time.monotonic() < until:
        yield from comparing.events(timeout=0.5)


def _history(settings: Settings, say: Callable[[str], None]) -> History | None:
    """Where comparisons are kept; None if they are not to be, or cannot be, which costs nobody the results."""
    if not settings.history:
        return None
    try:
        return History(settings.history_folder, keeps_audio=settings.keep_audio)
    except HistoryError as error:
        say(f"Nothing will be kept: {error}")
        return None


def _keep(comparison: Comparison, clip: Clip, history: History, say: Callable[[str], None]) -> None:
    try:
        history.keep(comparison, clip, LOCAL)
    except HistoryError as error:
        say(f"The comparison could not be kept: {error}")


if __name__ == "__main__":
    sys.exit(main())
