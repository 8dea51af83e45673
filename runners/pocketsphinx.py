"""PocketSphinx: hidden Markov models and a trigram language model inside its wheel; the offline baseline, as of about 2010.

It hears US English only. Its word "confidence" is a posterior within its own lattice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.audio import cut_at_pauses, is_silent, pcm16
from runners.base import (
    Clip,
    MissingPackage,
    ModelLoadError,
    Placement,
    Progress,
    RunnerError,
    RunnerSpec,
    TranscribeOptions,
    Transcript,
    Word,
)

PIECE_SECONDS = 60.0
"""Memory grows with the utterance; the mean of its cepstra, taken over a piece, settles well before that."""
INSTALL = 'pip install "pocketsphinx>=5.0.4"'
_FRAMES_PER_SECOND = 100
"""The decoder's default, which its acoustic model was trained with."""
_VARIANT = re.compile(r"\(\d+\)$")  # "the(2)" is the second pronunciation of "the"


class PocketSphinx:
    """Holds one decoder."""

    def __init__(self, spec: RunnerSpec) -> None:
        self.spec = spec
        self._decoder: Any = None

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Load the models from the package.

        Raises:
            MissingPackage: pocketsphinx is not installed.
            ModelLoadError: it comes without its models, or ``weights`` names others.
        """
        if weights is not None:
            raise ModelLoadError(
                f"{self.spec.label} comes with its own model and takes no others.", "Choose it by its bare name: pocketsphinx."
            )
        try:
            import pocketsphinx
        except ModuleNotFoundError as error:
            raise MissingPackage("The package pocketsphinx is not installed.", INSTALL) from error
        except (ImportError, OSError) as error:
            raise ModelLoadError(f"pocketsphinx cannot be started here: {error}.", f"Install it again: {INSTALL}") from error
        progress.check()
        try:
            self._decoder = pocketsphinx.Decoder(loglevel="FATAL", frate=_FRAMES_PER_SECOND)
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelLoadError(f"pocketsphinx cannot load its model: {error}.", f"Install it again: {INSTALL}") from error

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Hear one clip, piece by piece; between them it can be cancelled.

        Raises:
            RunnerError: the decoder failed on the clip.
        """
        if self._decoder is None:
            raise RunnerError("PocketSphinx is not loaded.", "Load it first.")
        # Forget the last clip's levels of noise, or the same clip would get another transcript the second time.
        self._decoder.reinit_feat()
        pieces = cut_at_pauses(clip.samples, PIECE_SECONDS, sample_rate=clip.sample_rate)
        words: list[Word] = []
        for first, last in pieces:
            progress.check()
            words += self._hear(clip.samples[first:last], first / clip.sample_rate)
            progress.partial(" ".join(word.text for word in words))
        cuts = len(pieces) - 1
        notes = (f"cut at {cuts} pause{'s' if cuts > 1 else ''}",) if cuts else ()
        return Transcript(" ".join(word.text for word in words), words=tuple(words), language="en", notes=notes)

    def unload(self) -> None:
        """Free the decoder."""
        self._decoder = None

    def _hear(self, samples: NDArray[np.float32], start: float) -> Iterator[Word]:
        """Words of one piece that starts at ``start`` seconds."""
        if is_silent(samples):  # it would hear "you'd"
            return
        decoder = self._decoder
        try:
            decoder.start_utt()
            try:
                # As a whole, so that the cepstral mean is the piece's own: block by block it starts from a guess,
                # which costs a quarter more errors on short clips.
                decoder.process_raw(pcm16(samples), full_utt=True)
            finally:
                decoder.end_utt()
            heard = list(decoder.seg() or ())  # None where not even a silence was found
        except RuntimeError as error:
            raise RunnerError(f"PocketSphinx failed on this clip: {error}.", "Try another system, or trim the clip.") from error
        for part in heard:
            text = _VARIANT.sub("", part.word)
            if text[:1] in {"<", "[", "+"}:  # <s>, <sil>, [NOISE], ++BREATH++
                continue
            yield Word(
                text,
                start=start + part.start_frame / _FRAMES_PER_SECOND,
                end=start + (part.end_frame + 1) / _FRAMES_PER_SECOND,  # the end frame belongs to the word
                confidence=min(1.0, max(0.0, float(part.prob))),
            )
