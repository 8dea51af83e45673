"""Weights from the Hugging Face hub: finding them in its cache without asking anybody, and fetching them.

The looking half reads folders and nothing else. ``download`` alone reaches the network; it runs in a runner's child.
This module never reads a token: it asks whether there is one, and the hub's own client uses it.
"""

from __future__ import annotations

import errno
import importlib.util
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
from runners.catalogue.names import check_family
from runners.catalogue.rows import SCRIPTED
from runners.here.weights import (
    ADAPTER_FILES,
    ForeignForm,
    Format,
    UnreadableWeights,
    Weights,
    check_form,
    is_folder,
    local_folder,
    read_model_type,
    read_weights,
)
from runners.settings import hub_offline

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
_LEFTOVER_SECONDS = 3600.0  # nothing came for an hour: whoever wrote it is gone


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
        return sum(path.stat().st_size for path in snapshot.rglob("*") if path.is_file())
    except OSError:
        return 0


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


def wanted_files(names: Iterable[str], patterns: tuple[str, ...] = (), folders: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Which files of a repository to fetch: those of ``patterns``, or one set of weights and the small files beside it.

    Of the repository's folders only the adapters in ``folders`` are fetched: the others hold other formats, checkpoints
    from training, adapters for other things.
    """
    names = tuple(names)
    adapters = tuple(sorted(name for name in names for folder in folders if name in _adapter_files(folder)))
    top = sorted(name for name in names if "/" not in name and "\\" not in name and not name.startswith("."))
    if patterns:
        return (*(name for name in top if _matches(name, patterns)), *adapters)
    weights: tuple[str, ...] = ()
    for choice in WEIGHT_CHOICES:
        if choice[0] in top:
            weights = choice
            break
    wanted = [name for name in top if _matches(name, (*SMALL_FILES, *weights))]
    return (*(name for name in wanted if not name.endswith(".index.json") or name in weights), *adapters)


def download(spec: RunnerSpec, progress: Progress) -> Path:
    """Fetch a hub model into the hub's cache; files that an earlier attempt finished are kept. Reports bytes as they come.

    Raises:
        WeightsUnavailable: no network, no such model, no permission, no room, or the repository holds no weights.
        MissingPackage: the hub's client is not installed.
        Cancelled: ``progress.check`` said so; the client ends when it next hears from the network.
    """
    if spec.model is None:
        raise WeightsUnavailable(f"{spec.label} carries its model inside its package.", "Install the package again.")
    if is_folder(spec.model):
        return read_folder(spec.model, spec.folders).folder
    if hub_offline():
        raise WeightsUnavailable("Downloads are off: HF_HUB_OFFLINE is set.", "Unset HF_HUB_OFFLINE, or name a folder.")
    if importlib.util.find_spec("huggingface_hub") is None:
        raise MissingPackage("The package huggingface_hub is not installed.", "pip install huggingface_hub")
    progress.check()
    _remove_leftovers(spec.model)
    fetch = _Fetch(spec)
    fetch.start()
    try:
        while fetch.is_alive():
            fetch.join(_SECONDS_BETWEEN_REPORTS)
            progress.check()
            if fetch.total_bytes is not None:
                progress.downloading(min(fetch.done_bytes, fetch.total_bytes), fetch.total_bytes)
    except BaseException:
        fetch.stop()
        raise
    folder = fetch.folder()
    if fetch.total_bytes is not None:  # files of the same content are fetched once, and counted so
        progress.downloading(fetch.total_bytes, fetch.total_bytes)
    try:
        return read_weights(folder, spec.folders).folder
    except UnreadableWeights as error:
        raise WeightsUnavailable(
            f"What was downloaded of {_name(spec)} {error}.", error.fix or "Choose another model or revision."
        ) from error


class _Fetch(threading.Thread):
    """The client at work beside us: it notices a cancel only when data come, and on a bad line none do for minutes."""

    def __init__(self, spec: RunnerSpec) -> None:
        super().__init__(name="download", daemon=True)
        self.done_bytes = 0
        self.total_bytes: int | None = None
        self._spec = spec
        self._folder: Path | None = None
        self._error: Exception | None = None
        self._stopped = False
        self._present_bytes = 0
        self._counters: dict[int, int] = {}
        self._lock = threading.Lock()

    def run(self) -> None:
        try:
            self._folder = self._fetched()
        except Exception as error:  # raised again by ``folder``, in the thread that asked
            self._error = error

    def stop(self) -> None:
        self._stopped = True

    def count(self, counter: int, fetched_bytes: int) -> None:
        """Add bytes to one counter, in whichever of the client's threads has them.

        The client counts the same bytes more than once (received, written), and its versions differ in which; the counter
        that is furthest tells. Raises Cancelled in that thread, which ends them all.
        """
        if self._stopped:
            raise Cancelled
        with self._lock:
            self._counters[counter] = self._counters.get(counter, 0) + fetched_bytes
            self.done_bytes = max(self.done_bytes, self._present_bytes + max(self._counters.values()))

    def folder(self) -> Path:
        """Where the files are.

        Raises:
            WeightsUnavailable: in our words, whatever the client raised.
        """
        self.join()
        if self._folder is not None:
            return self._folder
        if isinstance(self._error, WeightsUnavailable):
            raise self._error
        # The client's errors come from four libraries; all of them mean "not fetched".
        raise _explained(self._error or RuntimeError(), self._spec) from self._error

    def _fetched(self) -> Path:
        from huggingface_hub import HfApi, hf_hub_download, snapshot_download

        spec, model = self._spec, self._spec.model or ""
        about = HfApi().model_info(model, revision=spec.revision, files_metadata=True)
        sizes = {entry.rfilename: int(entry.size or 0) for entry in about.siblings or ()}
        wanted = wanted_files(sizes, spec.files, spec.folders)
        if not any(name.endswith((".safetensors", ".bin")) for name in wanted):
            raise WeightsUnavailable(f"{model} on the hub holds no weights that Earshot can load.", "Choose another model.")
        if "config.json" in wanted:  # a few kilobytes can spare gigabytes that would be of no use
            self._check(Path(hf_hub_download(model, "config.json", revision=spec.revision)), wanted)
        lacking = [name for folder in spec.folders for name in _adapter_files(folder) if name not in wanted]
        if lacking:
            raise WeightsUnavailable(
                f"{_name(spec)} on the hub has no {lacking[0]}, a part of the model without which it does not work.",
                "Choose another model or revision.",
            )
        self.done_bytes = self._present_bytes = _present_bytes(spec, sizes, wanted)
        self.total_bytes = sum(sizes[name] for name in wanted)
        return Path(
            snapshot_download(
                model,
                revision=spec.revision,
                allow_patterns=[_literally(name) for name in wanted],
                tqdm_class=_silent_bar(self),
                max_workers=_CONNECTIONS,
            )
        )

    def _check(self, config: Path, wanted: tuple[str, ...]) -> None:
        """Refuse what is of another family, or in a form that is not loaded here, before its weights are fetched."""
        try:
            model_type, architectures = read_model_type(config)
            check_form(model_type)
        except UnreadableWeights as error:
            raise WeightsUnavailable(
                f"{_name(self._spec)} on the hub {error}.", error.fix or "Choose another model."
            ) from error
        kind: Format = "ctranslate2" if "model.bin" in wanted else "pytorch"
        if any(name.endswith(".safetensors") for name in wanted):
            kind = "safetensors"
        check_family(self._spec, model_type, architectures, kind)


def _name(spec: RunnerSpec) -> str:
    """A hub model with its revision, as people write it."""
    return f"{spec.model}@{spec.revision}" if spec.revision else f"{spec.model}"


def _adapter_files(folder: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for name in ADAPTER_FILES)


def _silent_bar(fetch: _Fetch) -> Any:
    """A progress bar class for the hub's client that draws nothing and counts bytes for ``fetch``."""
    from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

    class Nowhere:
        def write(self, text: str) -> int:
            return len(text)

        def flush(self) -> None:
            return

    class Bar(tqdm):  # type: ignore[misc,type-arg,unused-ignore]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self._counts_bytes = options.get("unit") == "B"  # the other bars count files
            options.pop("name", None)
            super().__init__(*arguments, **{**options, "file": Nowhere(), "disable": False})

        def update(self, n: float | None = 1) -> bool | None:
            if self._counts_bytes and n:
                fetch.count(id(self), int(n))
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


def _remove_leftovers(model: str) -> None:
    """Delete what downloads that were killed left behind: the client never takes such a file up again."""
    repository = _repository(model)
    if repository is None:
        return
    for path in repository.glob("blobs/*.incomplete"):
        with suppress(OSError):  # another process may be quicker
            if time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS:
                path.unlink()


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
