"""What a comparison was made with: the machine, and the versions that its figures depend on."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from runners.here.machine import Machine
from runners.here.packages import version_of

VERSION = "0.1.0"
"""Earshot's own, as in ``pyproject.toml``: Earshot is started from its folder, so nothing installed could be asked."""
PACKAGES = (
    "torch", "transformers", "accelerate", "bitsandbytes", "ctranslate2", "faster-whisper", "moonshine-voice", "pocketsphinx",
    "numpy", "av", "soxr", "rapidfuzz", "whisper-normalizer",
)  # fmt: skip
"""Those that decide what is heard, how fast, and how it is counted."""


@dataclass(frozen=True)
class MadeWith:
    """Where and with what some contenders of a comparison ran."""

    at: datetime
    """When they were started, in UTC, to the second."""
    earshot: str
    """Version."""
    python: str
    """Version."""
    system: str
    """Operating system and kind of processor: "Linux 6.8 x86_64"."""
    machine: str
    """"8 cores, 16.6 GB; NVIDIA L4, 23.6 GB"."""
    packages: tuple[tuple[str, str], ...]
    """Name and version of each of ``PACKAGES`` that was installed."""
    contenders: tuple[str, ...] = ()
    """Names of those that ran so."""

    def without(self, names: frozenset[str]) -> MadeWith:
        """The same, but for contenders that ran again since."""
        return replace(self, contenders=tuple(name for name in self.contenders if name not in names))


def here(machine: Machine, contenders: tuple[str, ...], at: datetime | None = None) -> MadeWith:
    """What contenders that run now, on this machine, run with; no package is imported.

    Args:
        contenders: their names.
        at: None: now.
    """
    versions = ((package, version_of(package)) for package in PACKAGES)
    kernel = ".".join(platform.release().split(".")[:2])
    return MadeWith(
        at=(at or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0),
        earshot=VERSION,
        python=platform.python_version(),
        system=" ".join(filter(None, (platform.system(), kernel, platform.machine()))),
        machine=_line(machine),
        packages=tuple((package, version) for package, version in versions if version is not None),
        contenders=contenders,
    )


def _line(machine: Machine) -> str:
    cores = f"{machine.cores} core{'' if machine.cores == 1 else 's'}"
    parts = [f"{cores}, {_gigabytes(machine.memory_total_bytes)}"]
    for device in machine.accelerators:
        parts.append(device.name + (f", {_gigabytes(device.total_bytes)}" if device.total_bytes is not None else ""))
    return "; ".join(parts)


def _gigabytes(value: int) -> str:
    return f"{value / 1e9:.1f} GB"
