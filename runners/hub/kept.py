"""What lies on this machine's disk: models in the hub's cache, whole or in part, and models that were converted.

Reads names, sizes and times; opens no weights. ``remove`` deletes one of them, and nothing that is not inside the
two caches: links are unlinked, never followed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from runners.base import RunnerError
from runners.catalogue.names import offered
from runners.here.weights import UnreadableWeights, read_model_type, read_weights
from runners.hub import cache
from runners.hub.downloadable import comes_from_hub
from runners.settings import Settings

KindKept = Literal["hub", "converted"]

CONVERTED = "ctranslate2"
"""Folder of ``Settings.cache_folder`` in which ``faster-whisper`` keeps what it converted."""
MADE_OF = "made_of.json"
"""Beside a conversion: the folder that it was made of, and its precision."""

_REMOVED = ".earshot-removed-"
_LARGEST_NOTE_BYTES = 100_000
_MOST_FILES = 20_000
"""Of one model; a cache with more in it is not one."""


class NotRemoved(RunnerError):
    """A model stays: it is in use, is not there, or its files cannot be deleted."""


@dataclass(frozen=True)
class Kept:
    """One model on the disk."""

    kind: KindKept
    name: str
    """Hub id; or, of a conversion, the name of its folder. Untrusted, as all names of files are."""
    folder: Path
    size_bytes: int
    """On the disk: a file that two revisions share counts once."""
    unfinished_bytes: int = 0
    """Of those, in files of which only the beginning is here."""
    revisions: tuple[str, ...] = ()
    """Branches and tags as they were asked for, or else the commit; several where several are here."""
    used_at: float | None = None
    """Seconds since 1970, when a file was last read or written; disks note reading roughly, some not at all."""
    model_type: str | None = None
    """As its ``config.json`` says; None if none does."""
    is_whole: bool = True
    """False if no revision has all files of a model."""
    made_of: str | None = None
    """Hub id or folder name that a conversion was made of; None if unknown."""
    precision: str | None = None
    """Of a conversion."""


def kept(cache_folder: Path) -> tuple[Kept, ...]:
    """All that is there, the largest first.

    Args:
        cache_folder: of the settings, where converted models are.
    """
    found = [*_in_hub_cache(), *_converted(cache_folder / CONVERTED)]
    return tuple(sorted(found, key=lambda each: (-each.size_bytes, each.name)))


def remove(each: Kept, cache_folder: Path) -> int:
    """Delete a model from the disk; returns how many bytes it took. There is no way back but fetching it again.

    It is moved aside first, so that nobody finds half of it.

    Raises:
        NotRemoved: another process reads it, it is not in a cache, or it cannot be deleted.
    """
    root = cache.cache_folder() if each.kind == "hub" else cache_folder / CONVERTED
    folder = root / each.folder.name
    if each.folder.parent != root or folder.is_symlink() or not folder.is_dir():
        raise NotRemoved(f"{each.name} is not in the cache any more.", "Look again at what is there.")
    readers = readers_of(folder)
    if readers:
        named = ", ".join(str(pid) for pid in readers[:5])
        raise NotRemoved(f"{each.name} is open in another program (process {named}).", "End that program first.")
    aside = root / f"{_REMOVED}{uuid.uuid4().hex}"
    try:
        if _shares_blobs(folder):
            _remove_shared(each.name)
        if folder.is_dir():
            folder.rename(aside)
            shutil.rmtree(aside)
        if each.kind == "hub":
            shutil.rmtree(root / ".locks" / folder.name, ignore_errors=True)
    except OSError as error:
        raise NotRemoved(
            f"{each.name} could not be deleted ({error.strerror or 'input/output error'}).",
            f"Close what uses it, or delete {aside if aside.exists() else folder} by hand.",
        ) from error
    return each.size_bytes


def clear_leftovers(cache_folder: Path) -> None:
    """Delete what a removal that was killed had moved aside."""
    for root in (cache.cache_folder(), cache_folder / CONVERTED):
        with suppress(OSError):
            for path in root.glob(f"{_REMOVED}*"):
                if not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)


def as_plain(each: Kept, show_folder: bool = True) -> dict[str, Any]:
    """A model on the disk as plain data, for JSON; unknown is None.

    Args:
        show_folder: False leaves out where it lies, which is not for everybody.
    """
    told = {**asdict(each), "folder": str(each.folder), "revisions": list(each.revisions)}
    return told if show_folder else {name: value for name, value in told.items() if name != "folder"}


def systems_of(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Labels of the systems that are offered, by the hub id of their model."""
    found: dict[str, tuple[str, ...]] = {}
    for spec in offered(settings):
        if comes_from_hub(spec) and spec.model is not None and spec.label not in found.get(spec.model, ()):
            found[spec.model] = (*found.get(spec.model, ()), spec.label)
    return found


def readers_of(folder: Path) -> tuple[int, ...]:
    """Other processes of this user that have files of a folder open or mapped, as far as the system says (Linux)."""
    if not sys.platform.startswith("linux"):
        return ()
    inside = os.fsencode(folder.resolve()) + b"/"
    return tuple(
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdigit() and int(process.name) != os.getpid() and _has_open(process, inside)
    )


def _has_open(process: Path, inside: bytes) -> bool:
    with suppress(OSError):
        if inside in (process / "maps").read_bytes():
            return True
    with suppress(OSError):
        for link in (process / "fd").iterdir():
            with suppress(OSError):
                if os.fsencode(link.readlink()).startswith(inside):
                    return True
    return False


def _in_hub_cache() -> Iterator[Kept]:
    root = cache.cache_folder()
    for folder in _folders(root, "models--*"):
        organisation, _, model = folder.name.removeprefix("models--").partition("--")
        name = f"{organisation}/{model}" if model else organisation  # a few old models belong to nobody
        with suppress(OSError):
            yield _hub_model(name.replace("--", "/"), folder)


def _hub_model(name: str, folder: Path) -> Kept:
    blobs = list(_files(folder / "blobs"))
    snapshots = list(_folders(folder / "snapshots"))
    loose = [file for snapshot in snapshots for file in _files(snapshot) if not file.is_symlink()]  # Windows has no links
    unfinished = [blob for blob in blobs if blob.name.endswith(".incomplete")]
    model_types = [_model_type(snapshot) for snapshot in snapshots]
    return Kept(
        kind="hub",
        name=name,
        folder=folder,
        size_bytes=_size(blobs) + _size(loose),
        unfinished_bytes=_size(unfinished),
        revisions=_revisions(folder, [snapshot.name for snapshot in snapshots]),
        used_at=_used_at([*blobs, *loose]),
        model_type=next((each for each in model_types if each), None),
        is_whole=any(_is_whole(snapshot) for snapshot in snapshots),
    )


def _converted(root: Path) -> Iterator[Kept]:
    for folder in _folders(root):
        if folder.name.startswith((".", "unfinished-")):
            continue
        with suppress(OSError):
            files = list(_files(folder))
            made_of, precision = _made_of(folder / MADE_OF)
            yield Kept(
                kind="converted",
                name=folder.name,
                folder=folder,
                size_bytes=_size(files),
                used_at=_used_at(files),
                model_type="whisper",
                is_whole=(folder / "model.bin").is_file(),
                made_of=made_of,
                precision=precision,
            )


def _folders(root: Path, pattern: str = "*") -> list[Path]:
    try:
        return sorted(path for path in root.glob(pattern) if path.is_dir() and not path.is_symlink())
    except OSError:
        return []


def _files(folder: Path) -> Iterator[Path]:
    """Files below a folder, links to files included, folders that are links left out."""
    count = 0
    for place, _, names in os.walk(folder):
        for name in names:
            count += 1
            if count > _MOST_FILES:
                return
            yield Path(place) / name


def _size(files: Iterable[Path]) -> int:
    total = 0
    for file in files:
        with suppress(OSError):
            total += file.stat().st_size  # behind a link: a store that several models share
    return total


def _used_at(files: Iterable[Path]) -> float | None:
    times = []
    for file in files:
        with suppress(OSError):
            state = file.stat()
            times.append(max(state.st_atime, state.st_mtime))
    return max(times, default=None)


def _revisions(folder: Path, commits: list[str]) -> tuple[str, ...]:
    names: dict[str, list[str]] = {}
    for reference in _files(folder / "refs"):
        with suppress(OSError, ValueError):
            commit = reference.read_text("ascii")[:100].strip()
            names.setdefault(commit, []).append(reference.relative_to(folder / "refs").as_posix())
    return tuple(name for commit in commits for name in sorted(names.get(commit, [])) or [commit[:12]])


def _model_type(snapshot: Path) -> str | None:
    try:
        return read_model_type(snapshot / "config.json")[0]
    except (UnreadableWeights, OSError):
        return None


def _is_whole(snapshot: Path) -> bool:
    try:
        read_weights(snapshot)
    except UnreadableWeights:
        return False
    return True


def _made_of(note: Path) -> tuple[str | None, str | None]:
    try:
        if note.stat().st_size > _LARGEST_NOTE_BYTES:
            return None, None
        plain = json.loads(note.read_bytes())
        folder, precision = plain["folder"], plain["dtype"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None, None
    if not isinstance(folder, str) or not isinstance(precision, str):
        return None, None
    hub_name = re.search(r"models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\]", folder)
    return "/".join(hub_name.groups()) if hub_name else Path(folder).name, precision


def _shares_blobs(folder: Path) -> bool:
    """True if contents lie in a store for all models, which the hub's client alone can tidy."""
    try:
        return any(blob.is_symlink() for blob in (folder / "blobs").iterdir())
    except OSError:
        return False


def _remove_shared(name: str) -> None:
    from huggingface_hub import scan_cache_dir

    found = scan_cache_dir(cache.cache_folder())
    commits = [
        revision.commit_hash
        for repository in found.repos
        if repository.repo_type == "model" and repository.repo_id == name
        for revision in repository.revisions
    ]
    found.delete_revisions(*commits).execute()
