"""Installed packages: whether they are there, and in which version; without importing any."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Requirement:
    """A package as a row's ``requires`` names it: "name>=1.2,<2"."""

    package: str
    bounds: tuple[tuple[str, tuple[int, ...]], ...]

    @classmethod
    def read(cls, text: str) -> Requirement:
        package, *bounds = re.split(r"(?=[<>=!])|,(?=[<>=!])", text, maxsplit=1)
        parts = re.findall(r"(>=|<=|==|<|>)\s*([0-9.]+)", bounds[0] if bounds else "")
        return cls(package.strip(), tuple((sign, _numbers(version)) for sign, version in parts))

    @property
    def module(self) -> str:
        return self.package.replace("-", "_")

    def allows(self, version: str) -> bool:
        """True if a version is within the bounds; only its numbers count."""
        mine = _numbers(version)
        for sign, bound in self.bounds:
            width = max(len(mine), len(bound))
            a, b = (numbers + (0,) * (width - len(numbers)) for numbers in (mine, bound))
            if not {">=": a >= b, "<=": a <= b, "==": a == b, "<": a < b, ">": a > b}[sign]:
                return False
        return True


def folder_of_package(module: str) -> Path | None:
    """Folder of an installed package, without importing it."""
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent


def version_of(package: str) -> str | None:
    """As installed, "0.0.73"; None if it is not."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version in order: "0.0.73" is (0, 0, 73), "2.13.0+cpu" is (2, 13, 0)."""
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(int(part) for part in match.group().split(".")) if match else ()
