"""``python -m runners.downloads NAME…``: fetch models from the Hugging Face hub; ``--list`` and ``--remove`` what is here.

Ctrl-C stops a download; the same command goes on from there. Exit status: 0; 1 if something could not be done; 2 for
wrong usage or wrong settings; 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence

from runners.base import RunnerError, RunnerSpec
from runners.catalogue.names import spec_for
from runners.here.need import gigabytes
from runners.hub import cache, fetch
from runners.hub.downloadable import comes_from_hub, disk_free_bytes, left_to_download, refuse_download
from runners.hub.kept import Kept, NotRemoved, as_plain, clear_leftovers, kept, remove, systems_of
from runners.hub.pace import progress
from runners.hub.queue import SPEED_SECONDS, name_of
from runners.settings import Settings, SettingsError, read_settings
from runners.terminal import StatusLine, plain


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch, list or remove. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m runners.downloads",
        description="Fetch models from the Hugging Face hub, see what is on this machine, and remove it.",
        epilog="A download that was stopped goes on where it was left.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="systems, as python -m runners calls them")
    parser.add_argument("--list", action="store_true", help="what lies on this machine")
    parser.add_argument("--json", action="store_true", help="with --list: as JSON")
    parser.add_argument(
        "--remove", metavar="NAME", nargs="+", help="delete models: a hub id, a system's name, or what --list says"
    )
    parser.add_argument("--yes", action="store_true", help="with --remove: do not ask")
    chosen = parser.parse_args(arguments)
    if sum(bool(each) for each in (chosen.names, chosen.list, chosen.remove)) != 1:
        parser.print_usage(sys.stderr)
        sys.stderr.write("Name systems to fetch, or --list, or --remove.\n")
        return 2
    try:
        settings = read_settings()
    except SettingsError as error:
        sys.stderr.write(f"Wrong settings: {plain(str(error))}\n")
        return 2
    if chosen.list:
        return _list(settings, as_json=chosen.json)
    if chosen.remove:
        return _remove(chosen.remove, settings, asks=not chosen.yes)
    try:
        specs = [spec_for(name, settings) for name in chosen.names]
    except RunnerError as error:
        return _say(error, 2)
    return max(_fetch(spec, settings) for spec in specs)


def _fetch(spec: RunnerSpec, settings: Settings) -> int:
    line = _Line(spec)
    try:
        if not comes_from_hub(spec):
            line.say(f"{spec.label} needs no download.")
            return 0
        if cache.cached_folder(spec.model or "", spec.revision, spec.folders) is not None:
            line.say(f"{name_of(spec)} is here already.")
            return 0
        refuse_download(spec, settings, left_to_download(spec))
        folder = fetch.download(spec, line)
        line.say(f"{name_of(spec)} is in {folder}")
        return 0
    except RunnerError as error:
        line.clear()
        return _say(error, 1)
    except KeyboardInterrupt:
        line.say("Stopped. The same command goes on from here.")
        sys.stdout.flush()
        os._exit(128 + signal.SIGINT)  # the client's threads may still wait for data


class _Line:
    """Progress in one line of a terminal: 378 of 967 MB · 12 MB/s · 49 s left."""

    def __init__(self, spec: RunnerSpec) -> None:
        self._name = name_of(spec)
        self._line = StatusLine()
        self._samples: list[tuple[float, int]] = []
        self._line.show(f"{self._name}: asks the hub")

    def downloading(self, done_bytes: int, total_bytes: int | None) -> None:
        now = time.monotonic()
        self._samples = [each for each in self._samples if now - each[0] <= SPEED_SECONDS] + [(now, done_bytes)]
        (began, first_bytes), passed = self._samples[0], now - self._samples[0][0]
        speed = (done_bytes - first_bytes) / passed if passed >= 0.5 and began < now else None
        self._line.show(f"{self._name}: {progress(done_bytes, total_bytes, speed)}")

    def partial(self, text: str) -> None:
        return

    def check(self) -> None:
        return

    def say(self, text: str) -> None:
        self._line.clear()
        sys.stdout.write(plain(text) + "\n")
        sys.stdout.flush()

    def clear(self) -> None:
        self._line.clear()


def _list(settings: Settings, *, as_json: bool) -> int:
    there = kept(settings.cache_folder)
    if as_json:
        sys.stdout.write(json.dumps([as_plain(each) for each in there], indent=2, ensure_ascii=False) + "\n")
        return 0
    systems = systems_of(settings)
    cells = [("MODEL", "SIZE", "REVISION", "LAST USED", "SYSTEMS")]
    for each in there:
        title = each.name if each.kind == "hub" else f"{each.made_of or 'unknown'} converted ({each.name})"
        state = gigabytes(each.size_bytes) + ("" if each.is_whole else ", in part")
        used = time.strftime("%Y-%m-%d", time.localtime(each.used_at)) if each.used_at is not None else "unknown"
        cells.append((plain(title), state, plain(", ".join(each.revisions)), used, ", ".join(systems.get(each.name, ()))))
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    if there:
        rows = ("  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in cells)
        sys.stdout.write("\n".join(rows) + "\n\n")
    free_bytes = disk_free_bytes(cache.cache_folder())
    free = f", {gigabytes(free_bytes)} are free on the disk" if free_bytes is not None else ""
    taken = f"{gigabytes(sum(each.size_bytes for each in there))} of models" if there else "There are no models"
    sys.stdout.write(f"{taken} in {plain(str(cache.cache_folder()))}{free}.\n")
    return 0


def _remove(names: Sequence[str], settings: Settings, *, asks: bool) -> int:
    clear_leftovers(settings.cache_folder)
    status = 0
    for name in names:
        there = _find(name, settings)
        try:
            if there is None:
                raise NotRemoved(f"{plain(name)} is not on this machine.", "python -m runners.downloads --list says what is.")
            if asks and not _agreed(there):
                sys.stdout.write(f"{plain(there.name)} stays.\n")
                continue
            sys.stdout.write(f"{plain(there.name)}: {gigabytes(remove(there, settings.cache_folder))} freed.\n")
        except RunnerError as error:
            status = _say(error, 1)
    return status


def _find(name: str, settings: Settings) -> Kept | None:
    there = kept(settings.cache_folder)
    model = name
    if ":" in name or "/" not in name:
        try:
            model = spec_for(name, settings).model or name
        except RunnerError:
            model = name
    return next((each for each in there if each.name in (name, model)), None)


def _agreed(each: Kept) -> bool:
    if not sys.stdin.isatty():
        raise NotRemoved(f"Nobody can be asked whether {plain(each.name)} may go.", "Say so with --yes.")
    sys.stdout.write(
        f"Delete {plain(each.name)} ({gigabytes(each.size_bytes)})? There is no way back but fetching it again. [y/N] "
    )
    sys.stdout.flush()
    return sys.stdin.readline().strip().casefold() in {"y", "yes"}


def _say(error: RunnerError, status: int) -> int:
    sys.stderr.write(plain(f"{error} {error.fix or ''}".strip()) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
