"""Installed packages: whether they are there, and in which version; without importing any."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from runners.base import MissingPackage, RunnerSpec, WeightsUnavailable
from runners.catalogue.rows import BUNDLES, RUNNERS, SCRIPTED


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


def refuse_missing(spec: RunnerSpec, requires: tuple[str, ...], purpose: str = "") -> None:
    """Refuse packages that are not installed, too old or too new, or without the model that they should carry.

    ``requires`` are as in a row; ``purpose`` says what for, if that is not the system itself: " for int4".

    Raises:
        MissingPackage: with the install line.
        WeightsUnavailable: the package lacks its model.
    """
    missing = []
    for text in requires:
        requirement = Requirement.read(text)
        origin = folder_of_package(requirement.module)
        if origin is None:
            _refuse_platform(spec, requirement.package)
            missing.append((requirement.package, text))
            continue
        version = version_of(requirement.package) if requirement.bounds else None  # reading it takes a millisecond
        if version is not None and not requirement.allows(version):
            raise MissingPackage(
                f"{requirement.package} {version} is installed; {spec.label} needs {text}.", f'pip install "{text}"'
            )
        bundle = BUNDLES.get(requirement.package)
        if bundle is not None and not (origin / bundle.inside).is_dir():
            raise WeightsUnavailable(
                f"The installed {requirement.package} lacks the model that its package should carry.",
                f'pip install --force-reinstall "{text}"',
            )
    if missing:
        names = " and ".join(package for package, _ in missing)
        lines = " ".join(text if text == package else f'"{text}"' for package, text in missing)
        needed_for = f", and needed{purpose}" if purpose else ""
        raise MissingPackage(
            f"{names} {'is' if len(missing) == 1 else 'are'} not installed{needed_for}.", f"pip install {lines}"
        )


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


def _refuse_platform(spec: RunnerSpec, package: str) -> None:
    bundle = BUNDLES.get(package)
    if bundle is None or not bundle.platforms or (sys.platform, platform.machine()) in bundle.platforms:
        return
    others = [row.label for row in RUNNERS if row.model is None and row.family not in {spec.family, SCRIPTED}]
    raise MissingPackage(
        f"{package} has no wheel for this machine ({platform.system()} {platform.machine()}); it has some for "
        f"{bundle.platforms_say}.",
        f"Use {' or '.join(others)}, which needs no download either." if others else "Choose another system.",
    )
