"""Encoder-decoder networks besides Whisper, through transformers: Canary, Cohere Transcribe, Moonshine, SeamlessM4T v2.

Each hears a piece of some 20 to 40 s and writes its text greedily (or as its ``generation_config.json`` says). They differ
in how they are told the language and the task, in how long a piece may be and in how many tokens it may become; that is a
``Dialect``. None of them times its words; a longer clip is cut at pauses, and its pieces are timed.

Inputs are built from the feature extractor and the tokenizer's own control tokens, as each family's processor builds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
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
    check_options,
)
from runners.dialects.seamless_m4t import SEAMLESS_CODES
from runners.networks import checkpoint
from runners.networks.generation import endings
from runners.networks.holding import Holding
from runners.networks.own_generate import generated
from runners.networks.piecewise import Piece, Tell, hear_in_pieces

SHORTEST_SECONDS = 0.5
"""A shorter piece gets silence behind it: convolutions fail, and statistics over frames mislead, on a few of them."""
_NAMES = ("input_features", "input_values", "attention_mask")


@dataclass(frozen=True)
class Dialect:
    """What a family of encoder-decoders wants to be given."""

    family: str
    says: str
    """For people: "a Canary model"."""
    model_class: str
    """In transformers."""
    longest_seconds: float
    """Of a piece."""
    tokens_per_second: float
    """The most that a second of speech may become; a text that goes in circles ends there."""
    tokens_besides: int
    """The same, whatever the length."""
    prompt: Callable[[_Loaded, str | None, str | None], Mapping[str, Any]]
    """From a model and the languages of speech and text, the arguments of ``generate``."""
    is_told_language: bool = True
    """False if it knows one language, or none can be named."""
    extracting: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of its feature extractor."""


@dataclass
class _Loaded:
    dialect: Dialect
    model: Any
    extractor: Any
    tokenizer: Any
    most_positions: int | None
    """Tokens that the decoder has places for; None if it has no limit."""


class EncoderDecoder(Holding[_Loaded]):
    """Runs a checkpoint of one of the ``DIALECTS`` with PyTorch."""

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Load a transformers folder of the spec's family.

        Raises:
            ModelLoadError: the folder is of another family, damaged or incomplete.
            OutOfMemory: the model does not fit.
        """
        found = checkpoint.read(weights, self._spec.family)
        dialect = DIALECTS.get(found.model_type or "")
        if dialect is None or dialect.family != self._spec.family:
            raise checkpoint.foreign(found, _says(self._spec.family))
        weights = found.folder
        progress.check()
        import transformers

        tokenizer = checkpoint.load_tokenizer(weights, ("tokenizer.json",), ("tokenizer.model",), ("sentencepiece.bpe.model",))
        extractor = checkpoint.load_extractor(weights)
        checkpoint.require_sample_rate(weights, extractor)
        progress.check()
        model = checkpoint.load_model(getattr(transformers, dialect.model_class), weights, placement)
        decoder = getattr(model.config, "decoder_config", model.config)
        if len(tokenizer) > decoder.vocab_size:
            raise ModelLoadError(
                f"{weights} has a tokenizer with {len(tokenizer)} tokens, its model knows {decoder.vocab_size}.",
                "Take the tokenizer files from the original checkpoint.",
            )
        loaded = _Loaded(dialect, model, extractor, tokenizer, getattr(decoder, "max_position_embeddings", None))
        if dialect.is_told_language and self._spec.assumes_language is not None:
            try:
                dialect.prompt(loaded, self._spec.assumes_language, self._spec.assumes_language)
            except UnsupportedOption as error:
                raise ModelLoadError(
                    f"{weights} has a tokenizer without its model's control tokens: {error}",
                    "Take the tokenizer files from the original checkpoint.",
                ) from error
        self._loaded = loaded

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Hear a clip of any length, piece by piece.

        Raises:
            AudioError: the clip has more than one channel.
            UnsupportedOption: the checkpoint does not know the language, or does not translate from it to the other, or
                would have to guess which language it translates.
            OutOfMemory: a piece does not fit.
            Cancelled: between two tokens.
        """
        loaded = self._need()
        dialect = loaded.dialect
        check_options(self._spec, options)
        source = options.language or self._spec.assumes_language
        only = self._spec.only_language
        if not dialect.is_told_language and options.language not in (None, only):
            raise UnsupportedOption(
                f"{self._spec.label} cannot be told the language {options.language!r}.",
                "Leave the language open, or choose another system.",
            )
        told = dict(dialect.prompt(loaded, source, options.translate_to or source))

        def hear(piece: NDArray[np.float32], tell: Tell) -> Piece:
            return _hear(loaded, piece, told, progress, tell)

        heard = hear_in_pieces(clip, _longest(loaded), hear, progress, word_times=options.word_times)
        matters = options.translate_to is None or self._spec.translates_from_told
        assumed = dialect.is_told_language and options.language is None and matters
        notes = (f"nobody said which language it is: taken for {source!r}",) if assumed and heard.text else ()
        return Transcript(
            text=heard.text,
            words=heard.words,
            segments=heard.segments,
            language=source if dialect.is_told_language else only,
            notes=(*notes, *heard.notes),
        )


def _hear(
    loaded: _Loaded,
    samples: NDArray[np.float32],
    told: Mapping[str, Any],
    progress: Progress,
    tell: Tell,
) -> Piece:
    """Hear one piece of shape (T,)."""
    dialect, seconds = loaded.dialect, len(samples) / SAMPLE_RATE
    shortfall = round(SHORTEST_SECONDS * SAMPLE_RATE) - len(samples)
    made = loaded.extractor(
        np.pad(samples, (0, max(0, shortfall))), sampling_rate=SAMPLE_RATE, return_tensors="pt", **dialect.extracting
    )
    told_ids = told.get("decoder_input_ids")
    before = 1 if told_ids is None else told_ids.shape[1]  # the token that starts every text, or those that say what to do
    most = dialect.tokens_besides + round(dialect.tokens_per_second * seconds)
    if loaded.most_positions is not None:
        most = min(most, loaded.most_positions - before)
    inputs = {name: made[name] for name in _NAMES if name in made} | dict(told)
    output = generated(
        loaded.model,
        inputs,
        progress,
        said=lambda ids: tell(lambda: _text(loaded, ids()[before:])),
        max_new_tokens=most,
    )
    ids = (output.sequences if hasattr(output, "sequences") else output)[0].tolist()
    limit = endings("limit")
    is_cut = len(ids) >= before + most and ids[-1] not in _ends(loaded.model)
    return Piece(_text(loaded, ids[before:]), notes=(limit,) if is_cut and limit else ())


def _text(loaded: _Loaded, ids: Sequence[int]) -> str:
    return str(loaded.tokenizer.decode(ids, skip_special_tokens=True)).strip() if ids else ""


def _ends(model: Any) -> Sequence[int]:
    ends = model.generation_config.eos_token_id
    return ends if isinstance(ends, list) else [ends]


def _longest(loaded: _Loaded) -> float:
    """Seconds of a piece; some feature extractors cut longer ones by themselves, where it need not be quiet."""
    longest = loaded.dialect.longest_seconds
    cuts_at = getattr(loaded.extractor, "max_audio_clip_s", None)
    if cuts_at is None:
        return longest
    return min(longest, max(1.0, cuts_at - loaded.extractor.overlap_chunk_second))


def _says(family: str) -> str:
    return next((dialect.says for dialect in DIALECTS.values() if dialect.family == family), "a checkpoint of its family")


def _nothing(loaded: _Loaded, source: str | None, target: str | None) -> Mapping[str, Any]:
    return {}


def _canary(loaded: _Loaded, source: str | None, target: str | None) -> Mapping[str, Any]:
    """Canary's prompt of its second version (NeMo, ``prompts/canary2.py``): context, emotion, languages and what to write."""
    if source != target and "en" not in (source, target):
        raise UnsupportedOption(
            f"{_label(loaded)} translates from English and to English, not from {source!r} to {target!r}.",
            "Translate to 'en', or leave the translation out.",
        )
    return _prompt(
        loaded,
        ("<|startofcontext|>", "<|startoftranscript|>", "<|emo:undefined|>"),
        (source, target),
        ("<|pnc|>", "<|noitn|>", "<|notimestamp|>", "<|nodiarize|>"),
    )


def _cohere(loaded: _Loaded, source: str | None, target: str | None) -> Mapping[str, Any]:
    """Cohere's prompt is Canary's with a word boundary before it; it does not translate."""
    return _prompt(
        loaded,
        ("▁", "<|startofcontext|>", "<|startoftranscript|>", "<|emo:undefined|>"),
        (source, source),
        ("<|pnc|>", "<|noitn|>", "<|notimestamp|>", "<|nodiarize|>"),
    )


def _prompt(loaded: _Loaded, head: Sequence[str], languages: Sequence[str | None], tail: Sequence[str]) -> Mapping[str, Any]:
    import torch

    vocabulary = loaded.tokenizer.get_vocab()
    for language in languages:
        if f"<|{language}|>" not in vocabulary:
            raise _unknown_language(loaded, language)
    wanted = (*head, *(f"<|{language}|>" for language in languages), *tail)
    missing = [token for token in wanted if token not in vocabulary]
    if missing:
        raise UnsupportedOption(
            f"{_label(loaded)} has no token {missing[0]}.", "Take the tokenizer files from the original checkpoint."
        )
    return {"decoder_input_ids": torch.tensor([[vocabulary[token] for token in wanted]])}


def _seamless(loaded: _Loaded, source: str | None, target: str | None) -> Mapping[str, Any]:
    """SeamlessM4T is told the language of the text alone; it hears what is spoken."""
    codes = getattr(loaded.model.generation_config, "text_decoder_lang_to_code_id", None) or {}
    code = SEAMLESS_CODES.get(target or "")
    if code not in codes:
        raise _unknown_language(loaded, target)
    return {"tgt_lang": code}


def _unknown_language(loaded: _Loaded, language: str | None) -> UnsupportedOption:
    return UnsupportedOption(
        f"{_label(loaded)} does not know the language {language!r}.", "Name another language, or choose another system."
    )


def _label(loaded: _Loaded) -> str:
    return f"This {loaded.dialect.says.split(' ', 1)[1]}"


_PARAKEET_PADDING = MappingProxyType({"padding": "longest"})
DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "canary": Dialect(
            family="canary",
            says="a Canary model",
            model_class="CanaryForConditionalGeneration",
            longest_seconds=40,  # the longest of its training, and where NeMo begins to cut
            # An encoder frame of 80 ms may become a token, and 50 more: NeMo's "max_generation_delta".
            tokens_per_second=12.5,
            tokens_besides=50,
            prompt=_canary,
            extracting=_PARAKEET_PADDING,
        ),
        "cohere_asr": Dialect(
            family="cohere-transcribe",
            says="a Cohere Transcribe model",
            model_class="CohereAsrForConditionalGeneration",
            longest_seconds=30,  # its feature extractor cuts at 35 less 5
            tokens_per_second=12.5,
            tokens_besides=50,
            prompt=_cohere,
            extracting=_PARAKEET_PADDING,
        ),
        "moonshine": Dialect(
            family="moonshine-transformers",
            says="a Moonshine model for transformers",
            model_class="MoonshineForConditionalGeneration",
            # As the runtime in the wheel, measured by its runner; with it 11.3 % wrong on the English test clips, and 14.6 % on
            # 6m50 of five readers (benchmarks/moonshine.py).
            longest_seconds=20,
            # More is a loop (transformers' documentation of the model); a few besides for quick short answers.
            tokens_per_second=6.5,
            tokens_besides=4,
            prompt=_nothing,
            is_told_language=False,
        ),
        "moonshine_streaming": Dialect(
            family="moonshine-transformers",
            says="a Moonshine model for transformers",
            model_class="MoonshineStreamingForConditionalGeneration",
            longest_seconds=20,
            tokens_per_second=6.5,
            tokens_besides=4,
            prompt=_nothing,
            is_told_language=False,
            # A frame of its encoder is 80 samples, and half a one is none.
            extracting=MappingProxyType({"padding": True, "pad_to_multiple_of": 80}),
        ),
        "seamless_m4t_v2": Dialect(
            family="seamless-m4t",
            says="a SeamlessM4T v2 model",
            model_class="SeamlessM4Tv2ForSpeechToText",
            longest_seconds=30,
            tokens_per_second=10,
            tokens_besides=30,
            prompt=_seamless,
        ),
    }
)
"""By the model type that ``config.json`` names."""
