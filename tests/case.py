"""A runner for the tests of what all runners keep to, and how its weights are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runners.base import Dtype


@dataclass(frozen=True)
class Case:
    """A runner, and how its weights are made; None for a runner that brings its own."""

    family: str
    build: Callable[[Path], Path] | None
    dtype: Dtype = "float32"
    package: str | None = None
    repeats: bool = True
    """False where the library's own voice detection decides by chance whether a sound is speech that hardly is."""
    needs_sound: bool = False
    """True where nothing to hear is an error: a prompt about no sound at all cannot be followed."""
