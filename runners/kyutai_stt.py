"""Kyutai's speech-to-text through transformers: a decoder that reads sound and writes text in one stream.

Zeghidour et al. 2025, arXiv 2509.08753 ("delayed streams"). Its codec (Mimi) turns 80 ms of sound into a frame of tokens, and
for each frame the decoder writes one text token: mostly padding, and each word some 2.5 s after it began to be said. So
the place of a token is a time. Sound gets silence before it and behind it, for the delay; both are in the feature extractor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.base import (
    SAMPLE_RATE,
    Clip,
    ModelLoadError,
    Placement,
    Progress,
    TranscribeOptions,
    Transcript,
    UnsupportedOption,
    Word,
)
from runners.networks import checkpoint, word_times
from runners.networks.holding import Holding
from runners.networks.own_generate import generated
from runners.networks.piecewise import Piece, Tell, hear_in_pieces

FAMILY = "kyutai-stt"
MODEL_TYPE = "kyutai_speech_to_text"
PIECE_SECONDS = 60.0
"""Its codec encodes a piece at once, in some 20 MB a second; the decoder itself goes on for ever."""
BOUNDARY = 0
"""Text token that stands before a word (Kyutai's ``streaming_stt_timestamps.py``, ``end_of_padding_id``)."""
LONGEST_TAIL_SECONDS = 1.0
"""A word ends where the next one begins, or so long after its last token: when it ended nobody says."""

_SPACES = ("▁", "Ġ", " ")


@dataclass
class _Loaded:
    model: Any
    extractor: Any
    tokenizer: Any

    @property
    def frame_seconds(self) -> float:
        return float(self.model.config.codec_config.frame_size) / float(self.extractor.sampling_rate)

    @property
    def delay_seconds(self) -> float:
        """How much later than its word a token comes."""
        return float(self.extractor.audio_silence_prefix_seconds or 0) + float(self.extractor.audio_delay_seconds or 0)


class KyutaiStt(Holding[_Loaded]):
    """Runs a Kyutai speech-to-text checkpoint with PyTorch."""

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Load a transformers folder; its codec stays in float32 whatever the placement's precision.

        Raises:
            ModelLoadError: the folder is of another family, damaged or incomplete.
            OutOfMemory: the model does not fit.
        """
        found = checkpoint.read(weights, FAMILY)
        if found.model_type != MODEL_TYPE:
            raise checkpoint.foreign(found, "a Kyutai speech-to-text checkpoint for transformers")
        weights = found.folder
        progress.check()
        from transformers import (
            KyutaiSpeechToTextFeatureExtractor,
            KyutaiSpeechToTextForConditionalGeneration,
        )

        tokenizer = checkpoint.load_tokenizer(weights, ("tokenizer.json",), ("tokenizer.model",))
        extractor = checkpoint.load_extractor(weights, KyutaiSpeechToTextFeatureExtractor)
        progress.check()
        model = checkpoint.load_model(KyutaiSpeechToTextForConditionalGeneration, weights, placement)
        if extractor.sampling_rate != model.config.codec_config.sampling_rate:
            raise ModelLoadError(
                f"{weights} does not fit together: its feature extractor gives {extractor.sampling_rate} samples a second, "
                f"its codec hears {model.config.codec_config.sampling_rate}.",
                "Fetch the checkpoint's own preprocessor_config.json.",
            )
        self._loaded = _Loaded(model, extractor, tokenizer)

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Hear a clip of any length, a minute at a time.

        Raises:
            AudioError: the clip has more than one channel.
            UnsupportedOption: a language that it cannot be told.
            OutOfMemory: a piece does not fit.
            Cancelled: between two frames of 80 ms, except inside the codec.
        """
        loaded = self._need()
        only = self._spec.only_language
        if options.language not in (None, only):
            raise UnsupportedOption(
                f"{self._spec.label} cannot be told the language {options.language!r}.",
                "Leave the language open, or choose another system.",
            )

        def hear(piece: NDArray[np.float32], tell: Tell) -> Piece:
            return _hear(loaded, piece, progress, tell)

        heard = hear_in_pieces(clip, PIECE_SECONDS, hear, progress, word_times=options.word_times)
        return Transcript(heard.text, heard.words, heard.segments, language=only, notes=heard.notes)


def _hear(loaded: _Loaded, samples: NDArray[np.float32], progress: Progress, tell: Tell) -> Piece:
    """Hear one piece of shape (T,), 16 kHz."""
    import soxr

    model, rate = loaded.model, loaded.extractor.sampling_rate
    made = loaded.extractor(soxr.resample(samples, SAMPLE_RATE, rate), sampling_rate=rate, return_tensors="pt")
    # In float32 whatever the decoder's precision: it is the codec that hears it.
    sound = {name: made[name].to(model.device) for name in ("input_values", "padding_mask") if name in made}
    output = generated(model, {}, progress, said=lambda ids: tell(lambda: _text(loaded, ids()[1:])), **sound)
    ids = (output.sequences if hasattr(output, "sequences") else output)[0, 1:].tolist()  # a text token a frame
    return Piece(_text(loaded, ids), _words(loaded, ids, len(samples) / SAMPLE_RATE))


def _silent(loaded: _Loaded) -> frozenset[int]:
    return frozenset({BOUNDARY, loaded.model.config.pad_token_id, *loaded.tokenizer.all_special_ids})


def _text(loaded: _Loaded, ids: Sequence[int]) -> str:
    silent = _silent(loaded)
    spoken = [token for token in ids if token not in silent]
    return str(loaded.tokenizer.decode(spoken)).strip() if spoken else ""


def _words(loaded: _Loaded, ids: Sequence[int], end: float) -> tuple[Word, ...]:
    """Words with their times, ``end`` being that of the piece in seconds, from a text token a frame."""
    silent = _silent(loaded)
    frames = [frame for frame, token in enumerate(ids) if token not in silent]
    pieces = loaded.tokenizer.convert_ids_to_tokens([ids[frame] for frame in frames])
    # A word begins at a piece that begins with a space, however the vocabulary writes it (SentencePiece, or byte-level).
    begins = [at for at, piece in enumerate(pieces) if at == 0 or piece[:1] in _SPACES]
    groups = list(zip(begins, [*begins[1:], len(frames)], strict=True))

    def seconds(frame: int) -> float:
        return min(max(0.0, frame * loaded.frame_seconds - loaded.delay_seconds), end)

    starts = []
    for first, _ in groups:
        is_marked = frames[first] > 0 and ids[frames[first] - 1] == BOUNDARY
        starts.append(seconds(frames[first] - is_marked))
    words = []
    for number, (first, last) in enumerate(groups):
        text = _text(loaded, [ids[frame] for frame in frames[first:last]])
        latest = seconds(frames[last - 1] + 1) + LONGEST_TAIL_SECONDS
        following = starts[number + 1] if number + 1 < len(groups) else end
        if text:
            words.append(Word(text, starts[number], max(starts[number], min(latest, following, end))))
    return word_times.in_order(words, end)
