"""Moonshine tiny-en, whose weights are inside the ``moonshine-voice`` wheel: the offline default.

The library's own voice detection cuts speech into phrases of two seconds or so, too short to make sense of what was said.
So it is only asked *whether* somebody speaks, and pieces of up to 20 s between pauses are recognised whole. Pooled WER
over the English test clips: 16.1 % as the library cuts, 10.6 % so (6m50 of five readers: 22.2 % and 13.6 %).

It hears English only and times pieces, not words.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.audio import cut_at_pauses, is_silent
from runners.base import (
    Clip,
    MissingPackage,
    ModelLoadError,
    Placement,
    Progress,
    RunnerError,
    RunnerSpec,
    Segment,
    TranscribeOptions,
    Transcript,
    WeightsUnavailable,
)

PIECE_SECONDS = 20.0
"""Measured on the English test clips: 13.0 % at 8 s, 11.9 at 15, 10.7 at 20, 11.1 at 25, 12.7 at 30."""
SHORTEST_PIECE_SECONDS = 1.0
"""Shorter pieces get silence behind them: the network's convolutions fail on some 40 ms."""
VOICE_THRESHOLD = 0.3
"""Of the library's voice detector (its default is 0.5): finds all speech of the test clips, and none in noise or tones."""
INSTALL = 'pip install "moonshine-voice>=0.0.60,<0.1"'
_FILES = ("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin")


class Moonshine:
    """Holds the library's recogniser and its voice detector."""

    def __init__(self, spec: RunnerSpec) -> None:
        self.spec = spec
        self._recogniser: Any = None
        self._detector: Any = None

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Load the network from the package.

        Raises:
            MissingPackage: moonshine-voice is not installed.
            WeightsUnavailable: this version of it comes without weights.
            ModelLoadError: its library does not run here, or ``weights`` names others.
        """
        if weights is not None:
            raise ModelLoadError(
                f"{self.spec.label} comes with its own weights and takes no others.", "Choose it by its bare name: moonshine."
            )
        try:
            from moonshine_voice import ModelArch
            from moonshine_voice.transcriber import Transcriber
            from moonshine_voice.utils import get_model_path
        except ModuleNotFoundError as error:
            raise MissingPackage(f"The package {error.name or 'moonshine-voice'} is not installed.", INSTALL) from error
        except (ImportError, OSError) as error:
            raise _unfit(error) from error
        folder = Path(get_model_path("tiny-en"))
        if not all((folder / name).is_file() for name in _FILES):
            raise WeightsUnavailable("The installed moonshine-voice comes without the weights of tiny-en.", INSTALL)
        progress.check()
        try:
            # Each option is text; a copy of the audio is not wanted back, and threshold 0 turns the cutting off.
            self._recogniser = Transcriber(
                folder, ModelArch.TINY, options={"vad_threshold": "0.0", "return_audio_data": "false"}
            )
            self._detector = Transcriber(
                folder,
                ModelArch.TINY,
                options={"vad_threshold": str(VOICE_THRESHOLD), "skip_transcription": "true", "return_audio_data": "false"},
            )
        except Exception as error:  # the library raises its own class, and ctypes others
            self.unload()
            raise _unfit(error) from error

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Hear one clip, piece by piece; between them it can be cancelled.

        Raises:
            RunnerError: the library failed on the clip.
        """
        if self._recogniser is None:
            raise RunnerError("Moonshine is not loaded.", "Load it first.")
        pieces = cut_at_pauses(clip.samples, PIECE_SECONDS, sample_rate=clip.sample_rate)
        segments: list[Segment] = []
        for first, last in pieces:
            progress.check()
            segment = self._hear(clip.samples[first:last], first / clip.sample_rate, clip.sample_rate)
            if segment is not None:
                segments.append(segment)
                progress.partial(" ".join(heard.text for heard in segments))
        cuts = len(pieces) - 1
        notes = (f"cut at {cuts} pause{'s' if cuts > 1 else ''}",) if cuts else ()
        return Transcript(" ".join(heard.text for heard in segments), segments=tuple(segments), language="en", notes=notes)

    def unload(self) -> None:
        """Free the network."""
        for transcriber in (self._recogniser, self._detector):
            if transcriber is not None:
                with suppress(Exception):
                    transcriber.close()
        self._recogniser = self._detector = None

    def _hear(self, samples: NDArray[np.float32], start: float, sample_rate: int) -> Segment | None:
        """What is said in one piece that starts at ``start`` seconds, None if nothing is."""
        if is_silent(samples):
            return None
        shortfall = int(SHORTEST_PIECE_SECONDS * sample_rate) - len(samples)
        heard = np.pad(samples, (0, max(0, shortfall))).tolist()  # the library copies a list fastest
        try:
            voices = self._detector.transcribe_without_streaming(heard, sample_rate).lines
            if not voices:
                return None
            lines = self._recogniser.transcribe_without_streaming(heard, sample_rate).lines
        except Exception as error:
            raise RunnerError(f"Moonshine failed on this clip: {error}.", "Try another system, or trim the clip.") from error
        text = " ".join(line.text.strip() for line in lines if line.text.strip())
        if not text:
            return None
        length = len(samples) / sample_rate
        end = min(length, voices[-1].start_time + voices[-1].duration)
        return Segment(text, start=start + min(voices[0].start_time, end), end=start + end)


def _unfit(error: Exception) -> ModelLoadError:
    reason = str(error) or type(error).__name__
    if "GLIBC" in reason:
        return ModelLoadError(
            "The C library of this system is too old for moonshine-voice (it needs glibc 2.34).",
            "Use a newer system, such as Debian 12 or Ubuntu 22.04; or choose another system to compare.",
        )
    return ModelLoadError(
        f"moonshine-voice cannot be started here: {reason.rstrip('.')}.",
        f"It runs on 64-bit Linux, macOS 15 on Apple silicon, and Windows. Install it again: {INSTALL}",
    )
