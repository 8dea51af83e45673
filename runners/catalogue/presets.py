"""Selections with a name, "Best small", and what a selection takes: downloads and memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from runners.base import Availability, RunnerError, RunnerSpec
from runners.catalogue.contenders import split_name
from runners.catalogue.licenses import is_open
from runners.catalogue.names import UnknownRunner, choices, offered, offered_spec, spec_for, split_asked
from runners.catalogue.rows import SCRIPTED
from runners.prompts import Templates
from runners.settings import Settings, where_set

MOST = 5
"""Systems of a built-in preset: as many columns as can be read side by side."""
SMALL_PARAMETERS = 1_000_000_000

_BEST_SMALL = (
    "nvidia/parakeet-tdt-0.6b-v3",
    "Qwen/Qwen3-ASR-0.6B-hf",
    "ibm-granite/granite-speech-5.0-470m-turboctc",
    "deepdml/faster-whisper-large-v3-turbo-ct2",
    "UsefulSensors/moonshine-streaming-medium",
    "Systran/faster-whisper-small",
)
_BEST_OPEN = (
    "CohereLabs/cohere-transcribe-03-2026",
    "ibm-granite/granite-speech-4.1-2b",
    "Qwen/Qwen3-ASR-1.7B-hf",
    "microsoft/Phi-4-multimodal-instruct",
    "nvidia/parakeet-tdt-0.6b-v3",
    "nvidia/canary-1b-v2",
    "Systran/faster-whisper-large-v3",
)
_CHAT = (
    "microsoft/Phi-4-multimodal-instruct",
    "mistralai/Voxtral-Mini-3B-2507",
    "Qwen/Qwen2.5-Omni-3B",
    "Qwen/Qwen2-Audio-7B-Instruct",
    "Qwen/Qwen2.5-Omni-7B",
)
"""Models in the order in which they are taken. The first two by the error rates of the open ASR leaderboard's English short
clips (May to August 2026), a family once; a model whose rate differs by tenths may as well stand before or after."""

Offer = tuple[RunnerSpec, Availability]


@dataclass(frozen=True)
class Preset:
    """A selection with a name."""

    name: str
    says: str
    """What it is for, in a sentence; empty for one of the settings."""
    names: tuple[str, ...]
    """Contenders, ``family[:model[@revision]][+precision][+device][#template]``; empty if none can run here now."""


@dataclass(frozen=True)
class Estimate:
    """What a selection takes before and while it runs."""

    download_bytes: int
    """Of the systems whose weights are not here, each model once, as far as sizes are known."""
    unknown_downloads: tuple[str, ...]
    """Systems to be downloaded whose size is not known."""
    memory_bytes: int | None
    """Of the one that needs most, for one has a device at a time; None if that is known of none."""
    memory_name: str | None
    """Which one that is."""
    unknown_needs: tuple[str, ...] = ()
    """Systems of this machine of which it is not known how much memory they need."""
    disk_free_bytes: int | None = None
    """Room on the disk that takes the downloads; None if unknown."""

    @property
    def fits_disk(self) -> bool:
        """False if the disk has no room for the downloads together, as far as sizes are known."""
        return self.disk_free_bytes is None or self.download_bytes <= self.disk_free_bytes


def presets(offers: Sequence[Offer], settings: Settings) -> tuple[Preset, ...]:
    """The settings' presets, then the built-in ones that they do not replace by name.

    Args:
        offers: the systems that are offered, with their availability now.
    """
    own = tuple(Preset(name, "", names) for name, names in settings.presets.items())
    taken = {preset.name for preset in own}
    return own + tuple(preset for preset in _built_in(offers) if preset.name not in taken)


def estimate(chosen: Sequence[Offer], disk_free_bytes: int | None = None) -> Estimate:
    """What a selection takes. A model that is chosen twice, in two precisions, is downloaded once.

    Args:
        disk_free_bytes: room on the disk that takes the downloads.
    """
    downloads: dict[tuple[str | None, str | None], tuple[str, int | None]] = {}
    needs: list[tuple[int, str]] = []
    unknown_needs: list[str] = []
    for spec, found in chosen:
        if found.state == "download":
            downloads.setdefault((spec.model, spec.revision), (spec.name, found.download_bytes))
        if not found.ok or spec.server is not None:
            continue
        if found.placement.need_bytes is None:
            unknown_needs.append(spec.name)
        else:
            needs.append((found.placement.need_bytes, spec.name))
    largest = max(needs, default=None)
    return Estimate(
        download_bytes=sum(size or 0 for _, size in downloads.values()),
        unknown_downloads=tuple(name for name, size in downloads.values() if size is None),
        memory_bytes=largest[0] if largest else None,
        memory_name=largest[1] if largest else None,
        unknown_needs=tuple(unknown_needs),
        disk_free_bytes=disk_free_bytes,
    )


def check_names(settings: Settings) -> None:
    """Check every name that the settings give, ``chosen`` and ``presets`` too, before anything starts.

    Raises:
        UnknownRunner: a name is not known or not offered, with the place where it stands.
        PromptError: the prompt templates cannot be used, or lack one that is named.
    """
    known = offered(settings)
    templates = Templates.of(settings)
    for path, name in _named(settings):
        try:
            system, template = split_name(name)
            spec_for(system, settings)
            if offered_spec(system, settings) is None:
                raise UnknownRunner(
                    f"{name!r} is not offered.",
                    f"Add it with [[models]] or extra_runners, or choose from: {choices(system, known)}.",
                )
            if template is not None:
                templates.get(template)
        except RunnerError as wrong:
            raise type(wrong)(f"{where_set(path, name)}: {wrong}", wrong.fix) from wrong


def _named(settings: Settings) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The names of contenders in the settings, each with its place there."""
    for place, name in enumerate(settings.chosen or ()):
        yield ("chosen", place), name
    for preset, names in settings.presets.items():
        for place, name in enumerate(names):
            yield ("presets", preset, place), name


def _built_in(offers: Sequence[Offer]) -> tuple[Preset, ...]:
    here = [(spec, found) for spec, found in offers if found.ok and spec.family != SCRIPTED]
    offline = [spec for spec, found in here if found.state == "available" and spec.server is None]
    small = [spec for spec, _ in here if (spec.parameters or SMALL_PARAMETERS) < SMALL_PARAMETERS]
    free = [spec for spec, _ in here if is_open(spec.license)]
    chat = [spec for spec, _ in here if spec.can_chat]
    return (
        Preset("Offline now", "Run here now without a network, the largest of each family.", _largest_of_each(offline)),
        Preset("Best small", "Under a billion parameters, with low error rates for their size.", _ranked(small, _BEST_SMALL)),
        Preset("Best open", "The lowest error rates under licences that allow every use.", _ranked(free, _BEST_OPEN)),
        Preset("Chat about audio", "Answer questions about a clip, and take prompts.", _ranked(chat, _CHAT, and_others=True)),
    )


def _largest_of_each(specs: Sequence[RunnerSpec]) -> tuple[str, ...]:
    best: dict[str, RunnerSpec] = {}
    for spec in specs:
        if spec.family not in best or (spec.parameters or 0) > (best[spec.family].parameters or 0):
            best[spec.family] = spec
    return tuple(spec.name for spec in best.values())[:MOST]


def _ranked(specs: Sequence[RunnerSpec], order: Sequence[str], *, and_others: bool = False) -> tuple[str, ...]:
    """The systems whose models are ranked, best first; a model that two families run counts once."""
    place: Mapping[str, int] = MappingProxyType({model: number for number, model in enumerate(order)})
    ranked = [spec for spec in specs if spec.model in place or and_others]
    ranked.sort(key=lambda spec: place.get(spec.model or "", len(order)))
    return tuple(dict.fromkeys(spec.name for spec in ranked if split_asked(spec.name)[0] == spec.name))[:MOST]
