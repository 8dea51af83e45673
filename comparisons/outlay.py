"""What a comparison takes before it begins: downloads and memory, in a line. The page's own line beside its button adds the
same figures, in the browser, at each tick."""

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
    if takes.memory_bytes is not None:
        said += f"; needs {figures.bytes_(takes.memory_bytes)} of memory ({takes.memory_name})"
    return f"{said}."
