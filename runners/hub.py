"""Weights from the Hugging Face hub: finding them in its cache without asking anybody, and fetching them.

The looking half reads folders and nothing else. ``download`` alone reaches the network; it runs in a runner's child.
This module never reads a token: it asks whether there is one, and the hub's own client uses it.
"""

from __future__ import annotations

import errno
import json
import os
import re
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from runners.base import Cancelled, MissingPackage, Progress, RunnerSpec, WeightsUnavailable
from runners.catalogue import SCRIPTED
from runners.settings import hub_offline
from runners.weights import UnreadableWeights, Weights, is_folder, local_folder, read_weights

SMALL_FILES = ("*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken", "vocabulary.*")
"""What goes with weights: configuration, tokenizer, feature extractor. Code (``*.py``) is never fetched."""

WEIGHT_CHOICES: tuple[tuple[str, ...], ...] = (
    ("model.safetensors",),
    ("model.safetensors.index.json", "model-*-of-*.safetensors"),
    ("pytorch_model.bin",),
    ("pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin"),
    ("model.bin",),
)
"""The first that a repository has is fetched, so that no model comes twice (nor for Flax, TensorFlow or ONNX)."""

_SECONDS_BETWEEN_REPORTS = 0.2
_CONNECTIONS = 4


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


def cached_folder(model: str, revision: str | None = None) -> Path | None:
    """The folder of a hub model that is on this machine, whole; None if it is not, or only in part."""
    cached = cached_weights(model, revision)
    return cached.folder if cached else None


def cached_weights(model: str, revision: str | None = None) -> Weights | None:
    """What ``cached_folder`` holds; None if the model is not here, or only in part."""
    snapshot = _snapshot(model, revision)
    if snapshot is None:
        return None
    try:
        weights = read_weights(snapshot)
    except UnreadableWeights:
        return None
    return weights if _has_what_was_listed(snapshot) else None


def folder_of(spec: RunnerSpec) -> Path | None:
    """Where a runner's weights are on this machine; None if they come inside its package.

    Raises:
        WeightsUnavailable: they are not here, or not whole.
    """
    if spec.model is None or spec.family == SCRIPTED:
        return None
    if is_folder(spec.model):
        return read_folder(spec.model).folder
    found = cached_folder(spec.model, spec.revision)
    if found is None:
        raise WeightsUnavailable(f"The weights of {spec.model} are not on this machine.", "Download them, or name a folder.")
    return found


def read_folder(model: str) -> Weights:
    """What a local folder holds.

    Raises:
        WeightsUnavailable: it is not there, or not a whole checkpoint.
    """
    folder = local_folder(model)
    try:
        return read_weights(folder)
    except UnreadableWeights as error:
        raise WeightsUnavailable(f"The folder {folder} {error}.", "Name a folder that holds a whole checkpoint.") from error


def wanted_files(names: Iterable[str], patterns: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Which files of a repository to fetch: those of ``patterns``, or one set of weights and the small files beside it.

    Files in folders are left out: other formats, checkpoints from training, per-language adapters.
    """
    top = sorted(name for name in names if "/" not in name and "\\" not in name and not name.startswith("."))
    if patterns:
        return tuple(name for name in top if _matches(name, patterns))
    weights: tuple[str, ...] = ()
    for choice in WEIGHT_CHOICES:
        if choice[0] in top:
            weights = choice
            break
    wanted = [name for name in top if _matches(name, (*SMALL_FILES, *weights))]
    return tuple(name for name in wanted if not name.endswith(".index.json") or name in weights)


def download(spec: RunnerSpec, progress: Progress) -> Path:
    """Fetch a hub model into the hub's cache; what an earlier attempt fetched is kept. Reports bytes as they come.

    Raises:
        WeightsUnavailable: no network, no such model, no permission, no room, or the repository holds no weights.
        MissingPackage: the hub's client is not installed.
        Cancelled: ``progress.check`` said so.
    """
    model = spec.model
    if model is None:
        raise WeightsUnavailable(f"{spec.label} carries its model inside its package.", "Install the package again.")
    if is_folder(model):
        return read_folder(model).folder
    if hub_offline():
        raise WeightsUnavailable("Downloads are off: HF_HUB_OFFLINE is set.", "Unset HF_HUB_OFFLINE, or name a folder.")
    try:
        from huggingface_hub import HfApi, snapshot_download
        from huggingface_hub.hf_api import RepoFile
    except ImportError as error:
        raise MissingPackage("The package huggingface_hub is not installed.", "pip install huggingface_hub") from error
    progress.check()
    try:
        tree = HfApi().list_repo_tree(model, revision=spec.revision, recursive=False)
        sizes = {entry.path: int(entry.size) for entry in tree if isinstance(entry, RepoFile)}
        wanted = wanted_files(sizes, spec.files)
        if not wanted:
            raise WeightsUnavailable(f"{model} on the hub holds no weights that Earshot can load.", "Choose another model.")
        progress.check()
        tally = _Tally(progress, sum(sizes[name] for name in wanted), _present_bytes(spec, sizes, wanted))
        folder = Path(
            snapshot_download(
                model,
                revision=spec.revision,
                allow_patterns=[_literally(name) for name in wanted],
                tqdm_class=_silent_bar(tally),
                max_workers=_CONNECTIONS,
            )
        )
    except (Cancelled, WeightsUnavailable):
        raise
    except Exception as error:  # the client's errors come from four libraries; all of them mean "not fetched"
        raise _explained(error, spec) from error
    tally.finish()
    try:
        return read_weights(folder).folder
    except UnreadableWeights as error:
        raise WeightsUnavailable(f"What was downloaded of {model} {error}.", "Choose another model or revision.") from error


class _Tally:
    """Adds up what several connections fetch and passes it on a few times a second."""

    def __init__(self, progress: Progress, total_bytes: int, present_bytes: int) -> None:
        self._progress = progress
        self._total_bytes = total_bytes
        self._done_bytes = min(present_bytes, total_bytes)
        self._reported = 0.0
        self._lock = threading.Lock()
        progress.downloading(self._done_bytes, total_bytes)

    def add(self, fetched_bytes: int) -> None:
        """Count some bytes, from any thread. Raises Cancelled in whichever fetches, which ends them all."""
        with self._lock:
            self._progress.check()
            self._done_bytes = max(0, min(self._done_bytes + fetched_bytes, self._total_bytes))
            now = time.monotonic()
            if now - self._reported >= _SECONDS_BETWEEN_REPORTS:
                self._reported = now
                self._progress.downloading(self._done_bytes, self._total_bytes)

    def finish(self) -> None:
        self._progress.downloading(self._total_bytes, self._total_bytes)


def _silent_bar(tally: _Tally) -> Any:
    """A progress bar class for the hub's client that draws nothing and counts bytes into ``tally``.

    The client makes three bars: bytes received, bytes written (which include those of a resumed file) and files.
    """
    from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

    class Nowhere:
        def write(self, text: str) -> int:
            return len(text)

        def flush(self) -> None:
            return

    class Bar(tqdm):  # type: ignore[misc,type-arg,unused-ignore]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self._counts = options.get("unit") == "B" and not str(options.get("desc") or "").startswith("Downloading")
            options.pop("name", None)
            super().__init__(*arguments, **{**options, "file": Nowhere(), "disable": False})

        def update(self, n: float | None = 1) -> bool | None:
            if self._counts and n:
                tally.add(int(n))
            return super().update(n)

    return Bar


def _home() -> Path:
    home = os.environ.get("HF_HOME")
    if home:
        return Path(os.path.expandvars(home)).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface"


def _repository(model: str) -> Path | None:
    """The cache's folder of one model; None for a name that is not a hub id, so that no name leads out of the cache."""
    if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", model, re.ASCII) is None or ".." in model:
        return None
    return cache_folder() / ("models--" + model.replace("/", "--"))


def _snapshot(model: str, revision: str | None) -> Path | None:
    repository = _repository(model)
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


def _present_bytes(spec: RunnerSpec, sizes: Mapping[str, int], wanted: tuple[str, ...]) -> int:
    """Bytes that need not be fetched again, because an earlier attempt finished those files."""
    snapshot = _snapshot(spec.model or "", spec.revision)
    return sum(sizes[name] for name in wanted if snapshot is not None and (snapshot / name).is_file())


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _literally(name: str) -> str:
    """A pattern that matches this file name alone."""
    return re.sub(r"([*?[])", r"[\1]", name)


def _explained(error: Exception, spec: RunnerSpec) -> WeightsUnavailable:
    """Say what went wrong without the client's own words: they can hold addresses with signatures."""
    model, chain = spec.model, list(_causes(error))
    names = {cls.__name__ for each in chain for cls in type(each).__mro__}
    page = f"https://huggingface.co/{model}"
    if "GatedRepoError" in names:
        return WeightsUnavailable(
            f"{model} asks for its licence to be accepted.",
            f"Accept it at {page}, then log in here: hf auth login, or set HF_TOKEN.",
        )
    if "RevisionNotFoundError" in names:
        return WeightsUnavailable(f"{model} has no revision {spec.revision!r}.", f"Choose one from {page}.")
    if "RepositoryNotFoundError" in names:
        return WeightsUnavailable(
            f"There is no model {model} on the hub, or it is private.",
            "Check the spelling; for a private one log in here: hf auth login, or set HF_TOKEN.",
        )
    if any(isinstance(each, OSError) and each.errno in {errno.ENOSPC, errno.EDQUOT} for each in chain):
        return WeightsUnavailable(
            f"There is no room on the disk for {model}.", f"Free some on the disk of {cache_folder()}, or set HF_HOME."
        )
    if any(isinstance(each, OSError) and each.errno in {errno.EACCES, errno.EROFS, errno.EPERM} for each in chain):
        return WeightsUnavailable(f"The folder {cache_folder()} cannot be written.", "Set HF_HOME to a folder that can.")
    status = next((code for each in chain if (code := _status(each)) is not None), None)
    if status in {401, 403}:
        return WeightsUnavailable(f"The hub refused {model} ({status}).", "Log in here: hf auth login, or set HF_TOKEN.")
    if status is not None:
        return WeightsUnavailable(f"The hub answered {model} with an error ({status}).", "Try again later.")
    if names & {"ConnectError", "TimeoutException", "ConnectionError", "OfflineModeIsEnabled", "NetworkError", "ProxyError"}:
        return WeightsUnavailable("The hub cannot be reached.", "Check the network, or name a folder with the weights.")
    return WeightsUnavailable(f"{model} could not be downloaded ({type(error).__name__}).", "Try again, or name a folder.")


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _status(error: BaseException) -> int | None:
    code = getattr(getattr(error, "response", None), "status_code", None)
    return code if isinstance(code, int) else None
