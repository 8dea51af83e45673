"""What is known of a family besides its rows: which checkpoints it takes, or which package carries its model."""

from __future__ import annotations

from dataclasses import dataclass

from runners.base import DeviceKind, Dtype
from runners.here.weights import Format

MB = 1_000_000
TORCH_DEVICES: tuple[DeviceKind, ...] = ("cpu", "cuda", "rocm", "mps", "xpu")
TORCH_QUANTISED: tuple[Dtype, ...] = ("float32", "bfloat16", "float16", "int8", "int4")
"""Precisions of a PyTorch model with a large decoder, whose layers bitsandbytes can round."""


@dataclass(frozen=True)
class Heard:
    """What ``config.json`` says in a checkpoint that a family can load."""

    says: str
    """For people: "a Whisper model"."""
    model_types: tuple[str, ...] = ()
    architecture_ending: str | None = None
    """Known by the name of its class, where the types are too many to list."""
    formats: tuple[Format, ...] = ("safetensors", "pytorch")
    converts: tuple[Format, ...] = ()
    """Which of these are converted on first use."""
    converting_requires: tuple[str, ...] = ()
    """Packages that only the conversion needs."""
    layers_share: float | None = None
    """How much of the default model's parameters lies in its decoder's layers, which are what 8 and 4 bits concern."""
    cached_numbers: int | None = None
    """Numbers that a token takes in the default model's key-value cache; both for when its files are not here to say."""
    may_choose_language: bool = False
    """Some models of the family can be told the language, others not; the runner finds out, and refuses, when it loads."""

    def fits(self, model_type: str | None, architectures: tuple[str, ...], kind: Format) -> bool:
        """True if such a checkpoint may be loaded; a configuration that does not say what it is gets the benefit."""
        if kind not in self.formats:
            return False
        if kind == "ctranslate2":  # its config.json names no model type
            return True
        if self.architecture_ending and architectures:
            return any(name.endswith(self.architecture_ending) for name in architectures)
        return model_type is None or not self.model_types or model_type in self.model_types


@dataclass(frozen=True)
class Bundle:
    """A package that carries its model."""

    inside: str
    """Folder of the model, inside the package's own."""
    platforms: tuple[tuple[str, str], ...] = ()
    """Pairs of ``sys.platform`` and ``platform.machine()`` that have a wheel; empty: any, since it can be built."""
    platforms_say: str = ""
    """The same for people."""
