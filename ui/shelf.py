"""What the Models tab shows: downloads, what lies on the disk, and what can be fetched; plain data -> HTML.

Names of models, labels and reasons are untrusted: the template escapes them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runners.base import Availability, RunnerError, RunnerSpec
from runners.here.need import gigabytes
from runners.hub import cache
from runners.hub.downloadable import comes_from_hub, left_to_download, refuse_download
from runners.hub.kept import Kept
from runners.hub.pace import ago, progress
from runners.hub.queue import Download, name_of
from runners.settings import Settings, hub_offline
from ui import views
from ui.templates import html_of


@dataclass(frozen=True)
class Wanted:
    """A model that is not on this machine, or not whole."""

    spec: RunnerSpec
    also: tuple[str, ...] = ()
    """Labels of other systems that run the same weights."""
    left_bytes: int | None = None
    begun_bytes: int = 0
    """What an earlier attempt left."""
    refused: RunnerError | None = None
    """Why it cannot be fetched now."""
    idle: str | None = None
    """Why the system could not run here all the same."""

    @property
    def name(self) -> str:
        return name_of(self.spec)


@dataclass(frozen=True)
class May:
    """What a visitor may do."""

    download: bool = True
    remove: bool = True
    see_folders: bool = True


def wanted(offers: Iterable[tuple[RunnerSpec, Availability]], settings: Settings) -> list[Wanted]:
    """The systems whose weights would have to be fetched, each model once, in the order of the offers."""
    found: dict[str, Wanted] = {}
    for spec, here in offers:
        if not comes_from_hub(spec) or _is_here(spec):
            continue
        name = name_of(spec)
        if name in found:
            others = (*found[name].also, spec.label)
            found[name] = Wanted(**{**vars(found[name]), "also": others})
            continue
        left_bytes = left_to_download(spec)
        refused: RunnerError | None = None
        try:
            refuse_download(spec, settings, left_bytes)
        except RunnerError as error:
            refused = error
        idle = here.reason if here.state == "skipped" and refused is None else None
        begun_bytes = cache.present_bytes(spec.model or "", spec.revision)
        found[name] = Wanted(spec, (), left_bytes, begun_bytes, refused, idle)
    return list(found.values())


def drawn(
    downloads: Sequence[Download],
    there: Sequence[Kept],
    missing: Sequence[Wanted],
    *,
    systems: Mapping[str, Sequence[str]],
    loaded: Mapping[str, str],
    free_bytes: int | None,
    settings: Settings,
    may: May,
    now: float | None = None,
) -> str:
    """The whole tab below its search field.

    Args:
        systems: labels of the systems by their hub id.
        loaded: why a model cannot be removed now, by its hub id.
        now: seconds since 1970.
    """
    now = time.time() if now is None else now
    offline = not settings.downloads or hub_offline()
    fetching = {each.name for each in downloads if not each.is_over}
    models = {each.spec.model for each in downloads if not each.is_over}
    asked = [_asked(each) for each in missing if each.name not in fetching]
    return html_of(
        "models.html",
        downloads=[_download(each) for each in downloads],
        there=[_kept(each, systems, loaded, now) for each in there if each.kind != "hub" or each.name not in models],
        ready=[each for each in asked if not each["idle"]],
        idle=[each for each in asked if each["idle"]],
        total=gigabytes(sum(each.size_bytes for each in there)),
        free=gigabytes(free_bytes) if free_bytes is not None else None,
        folder=str(cache.cache_folder()) if may.see_folders else None,
        offline=_offline(settings) if offline else None,
        may=may,
    )


def _is_here(spec: RunnerSpec) -> bool:
    try:
        return cache.cached_weights(spec.model or "", spec.revision, spec.folders) is not None
    except RunnerError:  # in a form that fetching again would not mend
        return True


def _offline(settings: Settings) -> str:
    if hub_offline():
        return "Downloads are off: HF_HUB_OFFLINE is set. Unset it to fetch models."
    return "Downloads are off. Turn them on (EARSHOT_DOWNLOADS=1) to fetch models."


def _download(each: Download) -> dict[str, Any]:
    share = None
    if each.total_bytes and each.done_bytes is not None:
        share = min(100, 100 * each.done_bytes // each.total_bytes)
    far = progress(each.done_bytes, each.total_bytes, each.bytes_per_second) if each.done_bytes is not None else None
    said = {
        "queued": "next" if each.place == 1 else f"{each.place} in the queue",
        "running": far or "asks the hub what there is",
        "done": f"{gigabytes(each.total_bytes)} fetched" if each.total_bytes else "fetched",
        "failed": each.error or "failed",
        "cancelled": f"cancelled · {gigabytes(each.done_bytes)} are kept" if each.done_bytes else "cancelled",
    }[each.state]
    return {"download": each, "share": share, "said": said, "page": page_of(each.spec)}


def _asked(each: Wanted) -> dict[str, Any]:
    spec = each.spec
    size = gigabytes(spec.size_bytes) if spec.size_bytes is not None else None
    if each.begun_bytes and size is not None:
        size = f"{gigabytes(each.begun_bytes)} of {size} are here"
    words = " ".join((spec.label, *each.also, spec.family, spec.model or "", *(spec.languages or ()), spec.license or ""))
    return {
        "wanted": each,
        "spec": spec,
        "facts": views.facts(spec),
        "size": size,
        "begun": each.begun_bytes > 0,
        "page": page_of(spec),
        "refused": each.refused,
        "idle": each.idle,
        "words": words.casefold(),
    }


def _kept(each: Kept, systems: Mapping[str, Sequence[str]], loaded: Mapping[str, str], now: float) -> dict[str, Any]:
    model = each.name if each.kind == "hub" else each.made_of or ""
    labels = list(systems.get(model, ()))
    title = ", ".join(labels) or (model if model else "A converted model")
    facts = [
        *([model] if labels else []),
        *(
            [f"converted for faster-whisper{f' ({each.precision})' if each.precision else ''}"]
            if each.kind == "converted"
            else []
        ),
        *each.revisions,
        *([each.model_type] if each.model_type and not labels and each.kind == "hub" else []),
        *([f"last used {ago(now - each.used_at)}"] if each.used_at is not None else []),
    ]
    return {
        "kept": each,
        "title": title,
        "facts": " · ".join(facts),
        "size": gigabytes(each.size_bytes),
        "part": None if each.is_whole else _part(each),
        "busy": loaded.get(each.name),
        "words": " ".join((title, model, each.name, *each.revisions, each.model_type or "")).casefold(),
    }


def _part(each: Kept) -> str:
    return "in part" if not each.unfinished_bytes else "in part: a download of it was stopped"


def page_of(spec: RunnerSpec) -> str | None:
    """Address of a model's page on the hub; None for what is not a hub id."""
    return f"https://huggingface.co/{spec.model}" if spec.model and cache.repository_of(spec.model) is not None else None
