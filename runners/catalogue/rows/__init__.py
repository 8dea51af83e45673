"""Every system: a row a model, in a file for each kind of system.

To add a system, write its file in ``runners/`` and its row in one of these. Sizes are those of the files that
``runners.hub.cache`` would fetch, as the model's page on the hub shows them, rounded; languages are the codes that the model
itself uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from runners.base import RunnerSpec
from runners.catalogue.rows import audio_chat, bundled, ctc, encoder_decoders, scripted, speech_llms, transducers, whisper
from runners.catalogue.rows.kinds import Bundle, Heard

SCRIPTED = scripted.SCRIPTED
_KINDS = (bundled, whisper, ctc, transducers, encoder_decoders, speech_llms, audio_chat, scripted)

RUNNERS: tuple[RunnerSpec, ...] = tuple(row for kind in _KINDS for row in kind.ROWS)
FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(spec.family for spec in RUNNERS))
CHECKPOINTS: Mapping[str, Heard] = MappingProxyType(
    {
        family: heard
        for kind in (whisper, ctc, transducers, encoder_decoders, speech_llms, audio_chat)
        for family, heard in kind.HEARD.items()
    }
)
"""By family; a family without an entry takes any folder and finds out when it loads."""
BUNDLES: Mapping[str, Bundle] = bundled.BUNDLES
"""By package name as pip has it."""
