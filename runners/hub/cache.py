"""Weights from the Hugging Face hub: finding them in its cache without asking anybody.

Reads folders and nothing else; ``runners.hub.fetch`` fetches. This module never reads a token: it asks whether there
is one, and the hub's own client uses it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from runners.base import RunnerSpec, WeightsUnavailable
from runners.catalogue.rows import SCRIPTED
from runners.here.weights import ForeignForm, UnreadableWeights, Weights, is_folder, local_folder, read_weights

PART_ENDING = ".earshot.incomplete"
"""Ends the name of a large file of which only the beginning is here; the hub's own tools take it for an unfinished one."""


def cache_folder() -> Path:
    """Where the hub's client keeps what it fetched, by the variables that it reads."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(name):
            return Path(os.path.expandvars(os.environ[name])).expanduser()
    return _home() / "hub"


def has_token() -> bool:
    """True if somebody has logged in to the hub on this machine; the token itself is not kept."""
    if any(os.environ.get(name) for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")):
        return True
    path = Path(os.environ.get("HF_TOKEN_PATH") or _home() / "token").expanduser()
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def cached_folder(model: str, revision: str | None = None, folders: tuple[str, ...] = ()) -> Path | None:
    """The folder of a hub model that is on this machine, whole; None if it is not, or only in part.

    Raises:
        WeightsUnavailable: as ``cached_weights``.
    """
    cached = cached_weights(model, revision, folders)
    return cached.folder if cached else None


def cached_weights(model: str, revision: str | None = None, folders: tuple[str, ...] = ()) -> Weights | None:
    """What ``cached_folder`` holds, adapters in ``folders`` included; None if the model is not here, or only in part.

    Raises:
        WeightsUnavailable: it is here, in a form that Earshot does not load; fetching it again would not help.
    """
    snapshot = _snapshot(model, revision)
    if snapshot is None:
        return None
    try:
        weights = read_weights(snapshot, folders)
    except ForeignForm as error:
        raise WeightsUnavailable(f"{model}{f'@{revision}' if revision else ''} {error}.", error.fix) from error
    except UnreadableWeights:
        return None
    return weights if _has_what_was_listed(snapshot) else None


def missing_part(model: str, revision: str | None = None, folders: tuple[str, ...] = ()) -> str | None:
    """What a hub model lacks that is on this machine in part, "lacks 1 of the 2 weight files …"; None if nothing is here."""
    snapshot = _snapshot(model, revision)
    if snapshot is None:
        return None
    try:
        read_weights(snapshot, folders)
    except UnreadableWeights as error:
        return str(error)
    return None if _has_what_was_listed(snapshot) else "lacks a configuration that goes with the weights"


def present_bytes(model: str, revision: str | None = None) -> int:
    """Bytes of a hub model that are on this machine already, from an attempt that did not end; 0 if none are."""
    snapshot = _snapshot(model, revision)
    if snapshot is None:
        return 0
    try:
        return sum(path.stat().st_size for path in snapshot.rglob("*") if path.is_file()) + begun_bytes(model)
    except OSError:
        return 0


def begun_bytes(model: str) -> int:
    """Bytes of large files of which only the beginning is here."""
    repository = repository_of(model)
    if repository is None:
        return 0
    try:
        return sum(path.stat().st_size for path in repository.glob(f"blobs/*{PART_ENDING}"))
    except OSError:
        return 0


def finished_bytes(model: str, revision: str | None, sizes: Mapping[str, int]) -> int:
    """Bytes that need not be fetched again, out of files with these sizes, because an earlier attempt finished them."""
    snapshot = _snapshot(model, revision)
    return sum(size for name, size in sizes.items() if snapshot is not None and (snapshot / name).is_file())


def folder_of(spec: RunnerSpec) -> Path | None:
    """Where a runner's weights are on this machine; None if they come inside its package.

    Raises:
        WeightsUnavailable: they are not here, or not whole.
    """
    if spec.model is None or spec.family == SCRIPTED:
        return None
    if is_folder(spec.model):
        return read_folder(spec.model, spec.folders).folder
    found = cached_folder(spec.model, spec.revision, spec.folders)
    if found is None:
        raise WeightsUnavailable(f"The weights of {spec.model} are not on this machine.", "Download them, or name a folder.")
    return found


def read_folder(model: str, folders: tuple[str, ...] = ()) -> Weights:
    """What a local folder holds, adapters in the ``folders`` inside it included.

    Raises:
        WeightsUnavailable: it is not there, or not a whole checkpoint.
    """
    folder = local_folder(model)
    try:
        return read_weights(folder, folders)
    except UnreadableWeights as error:
        raise WeightsUnavailable(
            f"The folder {folder} {error}.", error.fix or "Name a folder that holds a whole checkpoint."
        ) from error


def _home() -> Path:
    home = os.environ.get("HF_HOME")
    if home:
        return Path(os.path.expandvars(home)).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface"


def repository_of(model: str) -> Path | None:
    """The cache's folder of one model, there or not; None for a name that is no hub id: no name leads out of the cache."""
    if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", model, re.ASCII) is None or ".." in model:
        return None
    return cache_folder() / ("models--" + model.replace("/", "--"))


def _snapshot(model: str, revision: str | None) -> Path | None:
    repository = repository_of(model)
    name = revision or "main"
    if repository is None or ".." in name or name.startswith(("/", "\\")):
        return None
    commit = name
    with suppress(OSError, ValueError):  # no such branch or tag here: it may be a commit
        commit = (repository / "refs" / name).read_text("ascii").strip()[:100]
    folder = repository / "snapshots" / commit
    return folder if re.fullmatch(r"[0-9A-Za-z]+", commit) and folder.is_dir() else None


def _has_what_was_listed(snapshot: Path) -> bool:
    """False if the client noted more files for this commit, of those that a checkpoint needs, than are here.

    The note is not always there (older clients, copied caches); then the weights and a vocabulary have to do.
    """
    note = snapshot.parent.parent / "trees" / f"{snapshot.name}.json"
    try:
        if note.stat().st_size > 10_000_000:
            return True
        listed = set(json.loads(note.read_bytes())["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return True
    here = {entry.name for entry in snapshot.iterdir() if entry.is_file()}
    needed = {"config.json", "preprocessor_config.json", "tokenizer.json"}
    if "model.bin" not in here:  # CTranslate2 has its own vocabulary
        needed.add("vocab.json")
    return all(name in here for name in needed if name in listed)
