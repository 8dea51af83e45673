"""Whether a system's weights may be fetched from the hub, and how much that is; asks nobody, so it never waits."""

from __future__ import annotations

import shutil
from pathlib import Path

from runners.base import RunnerSpec, WeightsUnavailable
from runners.catalogue.rows import SCRIPTED
from runners.here.need import gigabytes
from runners.here.weights import is_folder
from runners.hub import cache
from runners.settings import Settings, hub_offline


def comes_from_hub(spec: RunnerSpec) -> bool:
    """True if its weights are the hub's: not a package's, not a server's, not in a folder of this machine."""
    return spec.model is not None and spec.server is None and spec.family != SCRIPTED and not is_folder(spec.model)


def left_to_download(spec: RunnerSpec) -> int | None:
    """Bytes that a download would still fetch; None if its size is not known before the hub is asked."""
    if spec.size_bytes is None:
        return None
    return max(0, spec.size_bytes - cache.present_bytes(spec.model or "", spec.revision))


def refuse_download(spec: RunnerSpec, settings: Settings, left_bytes: int | None) -> None:
    """Refuse a download that cannot come to an end.

    Raises:
        WeightsUnavailable: downloads are off, a licence is not accepted, or the disk has no room.
    """
    elsewhere = f"or name a folder that holds them: {spec.family}:FOLDER"
    part = cache.missing_part(spec.model or "", spec.revision, spec.folders)
    here = "Its weights are not on this machine" if part is None else f"What is on this machine of its weights {part}"
    if not settings.downloads:
        allow = "unset HF_HUB_OFFLINE" if hub_offline() else "turn downloads on (EARSHOT_DOWNLOADS=1)"
        raise WeightsUnavailable(f"{here}, and downloads are off.", f"{allow[0].upper()}{allow[1:]}, {elsewhere}.")
    if hub_offline():
        raise WeightsUnavailable(f"{here}, and HF_HUB_OFFLINE is set.", f"Unset HF_HUB_OFFLINE, {elsewhere}.")
    if spec.gated and not cache.has_token():
        raise WeightsUnavailable(
            "Its licence must be accepted on the hub, and nobody is logged in there.",
            f"Accept it at https://huggingface.co/{spec.model}, then log in: hf auth login, or set HF_TOKEN.",
        )
    refuse_full_disk(left_bytes)


def refuse_full_disk(left_bytes: int | None) -> None:
    """Refuse a download for which the disk of the hub's cache has no room.

    Raises:
        WeightsUnavailable: it has not.
    """
    free_bytes = disk_free_bytes(cache.cache_folder())
    if left_bytes is not None and free_bytes is not None and left_bytes > free_bytes:
        raise WeightsUnavailable(
            f"The download takes {gigabytes(left_bytes)} on the disk, {gigabytes(free_bytes)} are free.",
            f"Free some on the disk of {cache.cache_folder()}, or set HF_HOME to another.",
        )


def disk_free_bytes(folder: Path) -> int | None:
    """Room on the disk where a folder is or would be made."""
    for place in (folder, *folder.absolute().parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return None
