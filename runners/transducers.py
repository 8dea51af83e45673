"""Transducers: Parakeet (TDT and RNN-T) and Nemotron's streaming recognisers.

An encoder makes a frame of every 80 ms; a small network that remembers the words so far decides at each frame whether to
write a token or to move on. That gives every token its time. A TDT model also says how many frames to move on by.

Transformers' own ``generate`` asks that network about one frame at a time. Here it is asked about several frames at once,
for as long as it writes nothing its memory stays the same, and the tokens are those that ``generate`` writes.

Clips of more than a minute are cut at pauses: the encoder's attention, and the wait for a cancel, grow with the piece. Pieces
are heard whole, also by models that are made to be fed sound as it comes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.base import (
    SAMPLE_RATE,
    Clip,
    Placement,
    Progress,
    TranscribeOptions,
    Transcript,
    UnsupportedOption,
)
from runners.networks import checkpoint
from runners.networks.holding import Holding
from runners.networks.piecewise import Piece, Tell, hear_in_pieces
from runners.networks.word_pieces import Emission, words

LONGEST_SECONDS = 60.0
"""Of a piece."""
SHORTEST = SAMPLE_RATE // 2
"""Samples below which silence is added: loudness is evened out over the piece, for which a few frames are too few."""
AHEAD = 8
"""Frames that the joint network is asked about at once; about as many as lie between two tokens."""

_LANGUAGE_TAG = re.compile(r"<([a-z]{2,3})(?:-[A-Z]{2})?>")
"""How Nemotron 3.5 says which language it heard."""


@dataclass
class _Loaded:
    model: Any
    processor: Any
    blank: int
    silent: frozenset[int]
    """Tokens that are no text."""
    durations: tuple[int, ...]
    """Frames that a TDT model can move on by; empty for RNN-T."""
    frame_seconds: float
    prompts: dict[str, int]
    """By language as the processor names it, "de-DE" or "de"; empty for a model that is not told one."""


class Transducer(Holding[_Loaded]):
    """Runs a Parakeet or Nemotron transducer with PyTorch."""

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Load a transformers folder with a transducer in float32, bfloat16 or float16.

        Raises:
            ModelLoadError: the folder is of another family, damaged or incomplete.
            OutOfMemory: the model does not fit.
        """
        found = checkpoint.read_of(weights, self._spec.family)
        weights = found.folder
        checkpoint.require_files(weights, "tokenizer", ("tokenizer.json",))
        checkpoint.require_extractor(weights)
        progress.check()
        from transformers import AutoModelForRNNT, AutoModelForTDT, AutoProcessor

        with checkpoint.loading(weights):
            processor = AutoProcessor.from_pretrained(weights, local_files_only=True, trust_remote_code=False)
            extractor, tokenizer = processor.feature_extractor, processor.tokenizer
        checkpoint.require_sample_rate(weights, extractor)
        progress.check()
        kind = AutoModelForTDT if found.model_type == "parakeet_tdt" else AutoModelForRNNT
        model = checkpoint.load_model(kind, weights, placement)
        settings = model.config
        self._loaded = _Loaded(
            model=model,
            processor=processor,
            blank=settings.blank_token_id,
            silent=frozenset(
                {settings.blank_token_id, settings.pad_token_id}
                | {token for token in tokenizer.all_special_ids if not _is_tag(tokenizer, token)}
            ),
            durations=tuple(getattr(settings, "durations", ())),
            frame_seconds=settings.encoder_config.subsampling_factor * extractor.hop_length / SAMPLE_RATE,
            prompts=dict(getattr(processor, "prompt_dictionary", {})),
        )

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Hear a clip of any length.

        Raises:
            UnsupportedOption: a language that the model cannot be told.
            OutOfMemory: a piece does not fit.
            Cancelled: between two tokens.
        """
        loaded = self._need()
        progress.check()
        told = self._told(loaded, options.language)

        def hear(piece: NDArray[np.float32], tell: Tell) -> Piece:
            with checkpoint.memory_limits():
                return _hear(loaded, piece, told, progress, tell)

        heard = hear_in_pieces(clip, LONGEST_SECONDS, hear, progress, word_times=options.word_times)
        only = self._spec.only_language
        return replace(heard, language=options.language or heard.language or only)

    def _told(self, loaded: _Loaded, language: str | None) -> str | None:
        """Name a language as the processor does; None for a model that is not told one.

        Raises:
            UnsupportedOption: the model cannot be told this one.
        """
        if not loaded.prompts:
            if language is None or self._spec.languages == (language,):
                return None
            raise UnsupportedOption(
                f"{self._spec.label} cannot be told the language {language!r}.",
                "Leave the language open: it hears for itself which one is spoken.",
            )
        if language is None:
            return "auto" if "auto" in loaded.prompts else None
        names = [name for name in loaded.prompts if name == language or name.startswith(f"{language}-")]
        if not names:
            raise UnsupportedOption(
                f"{self._spec.label} cannot be told the language {language!r}.",
                "Leave the language open, or choose another system.",
            )
        return language if language in names else names[0]


def _hear(loaded: _Loaded, samples: NDArray[np.float32], told: str | None, progress: Progress, tell: Tell) -> Piece:
    """Hear one piece, of shape (T,)."""
    import torch

    end_seconds = len(samples) / SAMPLE_RATE
    samples = np.pad(samples, (0, max(0, SHORTEST - len(samples))))
    with torch.inference_mode():
        frames, most_steps = _encode(loaded, samples, told)
        progress.check()
        emissions: list[Emission] = []
        for emission in _walk(loaded, frames, most_steps, progress):
            emissions.append(emission)
            tell(lambda: _read(loaded, emissions)[0])
    text, language = _read(loaded, emissions)
    plain = [emission for emission in emissions if not _is_tag(loaded.processor.tokenizer, emission.token)]
    timed = words(loaded.processor.tokenizer, plain, loaded.frame_seconds, end_seconds)
    # A tag that is made of several tokens stands in the words as text.
    kept = (replace(word, text=_LANGUAGE_TAG.sub("", word.text)) for word in timed)
    return Piece(text, tuple(word for word in kept if word.text), language=language)


def _encode(loaded: _Loaded, samples: NDArray[np.float32], told: str | None) -> tuple[Any, int]:
    """Return the encoder's frames, projected for the joint network, shape (F, width), and how many steps may be taken."""
    model = loaded.model
    named = {"language": told} if told is not None else {}
    inputs = dict(loaded.processor(samples, sampling_rate=SAMPLE_RATE, **named))
    placed = {
        name: value.to(device=model.device, dtype=model.dtype if value.is_floating_point() else None)
        if hasattr(value, "is_floating_point")
        else value
        for name, value in inputs.items()
    }
    encoded = model.get_audio_features(**placed, output_attention_mask=True)
    frames = encoded.pooler_output[0]
    count = len(frames) if encoded.attention_mask is None else int(encoded.attention_mask[0].sum())
    return frames[:count], model.max_symbols_per_step * len(frames) - 1


def _walk(loaded: _Loaded, frames: Any, steps_left: int, progress: Progress) -> Iterator[Emission]:
    """Yield what is written, in order; ``frames`` of shape (F, width). Greedy, as the family's ``generate`` is.

    Like there, a model writes ``max_symbols_per_step`` tokens a frame at most: RNN-T at any frame, TDT on the whole.
    """
    import torch

    model, blank = loaded.model, loaded.blank
    vocabulary = model.config.vocab_size
    count = len(frames)
    token, memory = blank, None
    at = 0
    at_this_frame = 0
    while at < count and steps_left > 0:
        progress.check()
        ids = torch.tensor([[token]], device=frames.device)
        lived, memory = model.decoder.lstm(model.decoder.embedding(ids), memory)
        state = model.decoder.decoder_projector(lived)  # (1, 1, width)
        token = blank
        while at < count and steps_left > 0 and token == blank:
            logits = model.joint(encoder_hidden_states=frames[None, at : at + AHEAD], decoder_hidden_states=state)[0].float()
            best = logits[:, :vocabulary].softmax(-1).max(-1)
            tokens, probabilities = best.indices.tolist(), best.values.tolist()
            moves = logits[:, vocabulary:].argmax(-1).tolist() if loaded.durations else None
            first = at
            while at < min(first + AHEAD, count) and steps_left > 0:
                token, probability = tokens[at - first], probabilities[at - first]
                steps_left -= 1
                move = moves[at - first] if moves is not None else int(token == blank)
                if token == blank:
                    at += max(move, 1)
                    at_this_frame = 0
                    continue
                if token not in loaded.silent:
                    yield Emission(token, at, min(at + max(move, 1), count), probability)
                at_this_frame += 1
                if moves is None and at_this_frame >= model.max_symbols_per_step:
                    move, at_this_frame = 1, 0
                at += move
                break


def _read(loaded: _Loaded, emissions: Sequence[Emission]) -> tuple[str, str | None]:
    """The text of the tokens, and the language that they name."""
    kept = [emission.token for emission in emissions]
    said = loaded.processor.tokenizer.decode(kept, skip_special_tokens=False, group_tokens=False)
    tags = _LANGUAGE_TAG.findall(said)
    return " ".join(_LANGUAGE_TAG.sub(" ", said).split()), tags[0] if tags else None


def _is_tag(tokenizer: Any, token: int) -> bool:
    return _LANGUAGE_TAG.fullmatch(str(tokenizer.convert_ids_to_tokens(token))) is not None
