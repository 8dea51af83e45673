"""VibeVoice-ASR: answers in JSON, with times and speakers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.base import SAMPLE_RATE, Segment, TranscribeOptions
from runners.dialects.dialect import AUDIO_HERE, Templated
from runners.networks import checkpoint
from runners.networks.answer_length import MOST_TOKENS_BESIDES
from runners.networks.piecewise import Piece


class VibeVoiceAsr(Templated):
    """VibeVoice-ASR (arXiv 2601.18184): up to an hour at once, answered as JSON with times and speakers."""

    model_class = "VibeVoiceAsrForConditionalGeneration"
    audio_text = "<|box_start|>"
    duration_text = "<|AUDIO_DURATION|>"
    tokens_a_segment = 40
    """For the keys, times and speaker of a segment, one a second at the most."""

    def __init__(self, weights: Path) -> None:
        super().__init__(weights)
        self._features = checkpoint.load_extractor(weights)

    def inputs(self, samples: NDArray[np.float32], options: TranscribeOptions) -> dict[str, Any]:
        import soxr

        rate = int(self._features.sampling_rate)
        sound = np.asarray(soxr.resample(samples, SAMPLE_RATE, rate, quality="HQ"), np.float32)
        made = self._features(sound, sampling_rate=rate)
        places = math.ceil(int(made["padding_mask"].sum()) / self._features.pad_to_multiple_of)
        seconds = f"{len(sound) / rate:.2f}"
        asked = self.asked(
            [{"role": "user", "content": [dict(AUDIO_HERE)]}],
            places,
            change=lambda text: text.replace(self.duration_text, seconds),
        )
        # The original adds noise to what it heard; without, the same clip gives the same text.
        return {**asked, "input_values": made["input_values"], "padding_mask": made["padding_mask"], "sample": False}

    def limits(self, seconds: float, options: TranscribeOptions) -> dict[str, Any]:
        more = round(self.tokens_a_segment * seconds)
        return {**super().limits(seconds, options), "max_new_tokens": MOST_TOKENS_BESIDES + more}

    def read(self, ids: Sequence[int], seconds: float, is_whole: bool = True) -> Piece:
        said = self.text(ids).removeprefix("assistant").strip()
        found = _objects(said) if said.startswith("[") else []
        segments = [segment for each in found if (segment := _segment(each, seconds)) is not None]
        if not segments and is_whole and said.strip("[] "):
            return Piece(said, notes=("its answer is not of the form that it was asked for: shown as it is",))
        speakers = {each["Speaker"] for each in found if isinstance(each.get("Speaker"), int | str)}
        notes = (f"it heard {len(speakers)} speakers",) if len(speakers) > 1 else ()
        return Piece(" ".join(segment.text for segment in segments), segments=tuple(segments), notes=notes)


def _objects(text: str) -> list[dict[str, Any]]:
    """The complete objects at the head of a JSON array, whose end may be missing."""
    decoder, found, at = json.JSONDecoder(), [], 1
    while at < len(text):
        if text[at] in ", \t\r\n":
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        if not isinstance(value, dict):
            break
        found.append(value)
    return found


def _segment(held: Mapping[str, Any], seconds: float) -> Segment | None:
    """What was said, with times inside a clip of so many seconds; None if nothing was."""
    said = held.get("Content")
    if not isinstance(said, str) or not said.strip():
        return None
    start, end = (_second(held.get(key), seconds) for key in ("Start", "End"))
    return Segment(said.strip(), start, end if start is None or end is None or end >= start else start)


def _second(value: Any, seconds: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        return None
    return float(min(value, seconds))
