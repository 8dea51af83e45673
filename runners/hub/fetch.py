"""Fetching a model from the Hugging Face hub into its cache. Nothing else here reaches the network.

Runs in a child: a runner's own, or ``python -m runners.hub.fetch``, which reads what to fetch as JSON and prints
a line of JSON a step. This module never reads a token; the hub's client does.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from runners.base import Cancelled, MissingPackage, Progress, RunnerError, RunnerSpec, WeightsUnavailable
from runners.catalogue.names import check_family
from runners.here.weights import (
    ADAPTER_FILES,
    Format,
    UnreadableWeights,
    check_form,
    is_folder,
    read_model_type,
    read_weights,
)
from runners.hub import cache
from runners.hub.blob import SILENT_SECONDS, LargeFile, fetch
from runners.hub.downloadable import refuse_full_disk
from runners.hub.faults import explained
from runners.isolation.death import die_with
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

LARGE_BYTES = 8_000_000
"""A file from this size on is taken up again where it was left; a smaller one is begun anew."""

_SECONDS_BETWEEN_REPORTS = 0.2
_CONNECTIONS = 4
_LEFTOVER_SECONDS = 3600.0  # nothing came for an hour: whoever wrote it is gone
_LARGEST_BY_HTTP_BYTES = 50_000_000_000  # the hub serves larger files by its own client alone


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
    """Fetch a hub model into the hub's cache; what an earlier attempt fetched is kept. Reports bytes as they come.

    Raises:
        WeightsUnavailable: no network, no such model, no permission, no room, or the repository holds no weights.
        MissingPackage: the hub's client is not installed.
        Cancelled: ``progress.check`` said so. What has come stays, and the next attempt goes on from there.
    """
    if spec.model is None:
        raise WeightsUnavailable(f"{spec.label} carries its model inside its package.", "Install the package again.")
    if is_folder(spec.model):
        return cache.read_folder(spec.model, spec.folders).folder
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
    """The client at work beside us: it notices a cancel only when data come, and on a bad line none do for a while."""

    def __init__(self, spec: RunnerSpec) -> None:
        super().__init__(name="download", daemon=True)
        self.total_bytes: int | None = None
        self._spec = spec
        self._folder: Path | None = None
        self._error: Exception | None = None
        self._stopped = threading.Event()
        self._present_bytes = 0
        self._begun_bytes = 0
        """What was here at the start, files that are here in part included."""
        self._large_bytes: dict[str, int] = {}
        """Of each large file, how much is here."""
        self._counters: dict[int, int] = {}
        """Bytes of the small ones, as the client counts them."""
        self._lock = threading.Lock()

    @property
    def done_bytes(self) -> int:
        """What is here by now.

        The client counts the same bytes more than once (received, written), and its versions differ in which; the counter
        that is furthest tells.
        """
        with self._lock:
            come_bytes = self._present_bytes + sum(self._large_bytes.values()) + max(self._counters.values(), default=0)
            return max(self._begun_bytes, come_bytes)

    def run(self) -> None:
        try:
            self._folder = self._fetched()
        except Exception as error:  # raised again by ``folder``, in the thread that asked
            self._error = error

    def stop(self) -> None:
        self._stopped.set()

    def count(self, counter: int, fetched_bytes: int) -> None:
        """Add bytes to one counter, in whichever of the client's threads has them.

        Raises Cancelled in that thread, which ends them all.
        """
        if self._stopped.is_set():
            raise Cancelled
        with self._lock:
            self._counters[counter] = self._counters.get(counter, 0) + fetched_bytes

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
        raise explained(self._error or RuntimeError(), self._spec) from self._error

    def _fetched(self) -> Path:
        from huggingface_hub import HfApi, hf_hub_download, snapshot_download

        spec, model = self._spec, self._spec.model or ""
        about = HfApi().model_info(model, revision=spec.revision, files_metadata=True, timeout=SILENT_SECONDS)
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
        self._present_bytes = cache.finished_bytes(model, spec.revision, {name: sizes[name] for name in wanted})
        self._begun_bytes = self._present_bytes + cache.begun_bytes(model)
        self.total_bytes = sum(sizes[name] for name in wanted)
        refuse_full_disk(self.total_bytes - self._begun_bytes)
        self._fetch_large([name for name in wanted if sizes[name] >= LARGE_BYTES], sizes, about.sha)
        return Path(
            snapshot_download(
                model,
                revision=spec.revision,
                allow_patterns=[_literally(name) for name in wanted],
                tqdm_class=_silent_bar(self),
                max_workers=_CONNECTIONS,
            )
        )

    def _fetch_large(self, names: list[str], sizes: Mapping[str, int], commit: str | None) -> None:
        """Fetch the content of large files to where the client finds it, so that it has only to name it."""
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        model, revision = self._spec.model or "", commit or self._spec.revision
        repository = cache.repository_of(model)
        if repository is None:
            return

        def fetched(name: str) -> None:
            url = hf_hub_url(model, name, revision=revision)
            content = get_hf_file_metadata(url).etag or ""
            if re.fullmatch(r"[\w-]+", content, re.ASCII) is None:  # the client says better what is wrong with it
                return
            file = LargeFile(
                url,
                repository / "blobs" / content,
                cache.cache_folder() / ".locks" / repository.name / f"{content}.lock",
                sizes[name],
            )
            fetch(file, self._stopped, lambda here_bytes: self._tell(name, here_bytes))

        missing = {name: sizes[name] for name in names if sizes[name] <= _LARGEST_BY_HTTP_BYTES}
        missing = {
            name: size for name, size in missing.items() if not cache.finished_bytes(model, self._spec.revision, {name: size})
        }
        with ThreadPoolExecutor(_CONNECTIONS, "download") as threads:
            for done in [threads.submit(fetched, name) for name in missing]:
                try:
                    done.result()
                except BaseException:
                    self._stopped.set()  # the others need not go on
                    raise

    def _tell(self, name: str, here_bytes: int) -> None:
        with self._lock:
            self._large_bytes[name] = here_bytes

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


def _remove_leftovers(model: str) -> None:
    """Delete what downloads of the client's own left behind when they were killed: it never takes such a file up again."""
    repository = cache.repository_of(model)
    if repository is None:
        return
    for path in repository.glob("blobs/*.incomplete"):
        if path.name.endswith(cache.PART_ENDING):  # ours, which is taken up again
            continue
        with suppress(OSError):  # another process may be quicker
            if time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS:
                path.unlink()


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _literally(name: str) -> str:
    """A pattern that matches this file name alone."""
    return re.sub(r"([*?[])", r"[\1]", name)


class _Lines:
    """Progress as lines of JSON; whoever started this stops it by ending it."""

    def downloading(self, done_bytes: int, total_bytes: int | None) -> None:
        _print({"done_bytes": done_bytes, "total_bytes": total_bytes})

    def partial(self, text: str) -> None:
        return

    def check(self) -> None:
        return


def _print(step: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(step) + "\n")
    sys.stdout.flush()


def main() -> int:
    """The child's side of ``runners.downloads``: the spec's fields as JSON on standard input, steps on standard output.

    A step is ``{"done_bytes", "total_bytes"}``; the last is ``{"ended": "done"}``, or ``{"ended": "failed", "error", "fix"}``.
    """
    asked = json.loads(sys.stdin.readline())
    die_with(int(asked.pop("parent")))
    asked |= {name: tuple(asked[name]) for name in ("files", "folders")}
    try:
        download(RunnerSpec(target="", **asked), _Lines())
        _print({"ended": "done"})
    except RunnerError as error:
        _print({"ended": "failed", "error": str(error), "fix": error.fix})
    except BrokenPipeError:
        pass
    sys.stdout.flush()
    os._exit(0)  # the client's threads may still wait for data


if __name__ == "__main__":
    main()
