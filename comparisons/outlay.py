"""What a comparison takes before it begins: downloads and memory, in a line. The page's own line beside its button says the
same of the same figures, in the browser, at each tick (``ui/assets/selection.js``)."""

from __future__ import annotations

from comparisons import figures
from runners.catalogue.presets import Estimate


def line(takes: Estimate) -> str | None:
    """ "Downloads 972 MB; needs 1.8 GB of memory (whisper).", None where nothing has to be downloaded."""
    unknown = ", ".join(takes.unknown_downloads)
    if takes.download_bytes:
        size = f"at least {figures.bytes_(takes.download_bytes)}" if unknown else figures.bytes_(takes.download_bytes)
        said = f"Downloads {size}" + (f" (how much {unknown} is, is not known)" if unknown else "")
    elif unknown:
        said = f"Downloads {unknown}, of unknown size"
    else:
        return None
    if takes.disk_free_bytes is not None and not takes.fits_disk:
        said += f", more than the {figures.bytes_(takes.disk_free_bytes)} free on the disk: free some, or choose fewer"
    if takes.memory_bytes is not None:
        least = "at least " if takes.unknown_needs else ""
        said += f"; needs {least}{figures.bytes_(takes.memory_bytes)} of memory ({takes.memory_name})"
    elif takes.unknown_needs:
        said += "; needs an unknown amount of memory"
    return f"{said}."
