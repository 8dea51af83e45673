"""Whisper through transformers: any ``WhisperForConditionalGeneration`` folder, audio of any length.

A clip of up to one window (30 s) is decoded in one go, greedily and without timestamps, as such checkpoints are
evaluated. A longer one goes through Whisper's sequential long-form decoding (Radford et al. 2022, section 3.8): a window
at a time with timestamp tokens, the next window starting where the last complete segment ended. In both, a window whose
text loops or is improbable is decoded again at higher temperatures, and a window without speech is left out.

The loop over windows is here, and not in transformers' ``generate``, for three reasons: what ``generate`` keeps of each
window (scores, attention) grows with the clip; text can be shown while it comes; and the encoder, by far the largest
part on a CPU, runs once a window instead of up to four times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from runners.base import (
    SAMPLE_RATE,
    Clip,
    ModelLoadError,
    Placement,
    Progress,
    Segment,
    TranscribeOptions,
    Transcript,
    UnsupportedOption,
    Word,
)
from runners.networks import checkpoint, cross_attention, temperatures, word_times
from runners.networks.holding import Holding
from runners.networks.pace import Pace

_Code = TypeVar("_Code", str, str | None)

WHISPER_CODES = {"jv": "jw"}
"""ISO codes that have another name among Whisper's language tokens: Javanese is there under its old one."""


@dataclass
class _Loaded:
    """A model with what has to be known of it."""

    model: Any
    extractor: Any
    tokenizer: Any
    placement: Placement
    start: int
    end: int
    """Token ids of start of transcript and end of text; every id below ``end`` is text."""
    no_timestamps: int
    """Token id; the one before it is the no-speech token, those after it are timestamps."""
    languages: dict[str, int]
    """ISO code to token id; empty for an English-only checkpoint."""
    transcribe: int | None
    translate: int | None
    """Token ids of the two tasks; None for translation in a checkpoint that was not trained to translate."""
    alignment_heads: tuple[tuple[int, int], ...]
    """(layer, head) of the cross-attention that follows the audio; empty if the checkpoint names none."""

    @property
    def window(self) -> int:
        """Samples that the encoder hears at once."""
        return int(self.extractor.n_samples)

    @property
    def samples_per_frame(self) -> int:
        """Samples of one encoder frame, which is also the step of the timestamps."""
        return self.window // int(self.model.config.max_source_positions)


@dataclass
class _Heard:
    """What has been heard of a clip so far."""

    tokens: list[int] = field(default_factory=list)
    """Text tokens, all of them."""
    words: list[Word] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    windows: int = 0
    retried: int = 0
    silent: int = 0


class Whisper(Holding[_Loaded]):
    """Runs a Whisper checkpoint with PyTorch."""

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Load a transformers Whisper folder in float32, bfloat16 or float16.

        Raises:
            ModelLoadError: the folder is of another family, damaged or incomplete.
            OutOfMemory: the model does not fit.
        """
        found = checkpoint.read(weights, "whisper")
        if checkpoint.family_of(found) != "whisper":
            raise checkpoint.foreign(found, "a Whisper checkpoint for transformers")
        weights = found.folder
        progress.check()
        from transformers import WhisperForConditionalGeneration

        tokenizer = checkpoint.load_tokenizer(weights)
        extractor = checkpoint.load_extractor(weights)
        progress.check()
        model = checkpoint.load_model(WhisperForConditionalGeneration, weights, placement, attn_implementation="sdpa")
        self._loaded = _describe(weights, model, extractor, tokenizer, placement)

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Hear a clip; the language is detected in its first window unless it is given.

        A translation has no word times: its words stand in another order than what is said.

        Raises:
            UnsupportedOption: the checkpoint does not know the language, or does not translate.
            OutOfMemory: a window does not fit.
            Cancelled: between two tokens at the latest, except inside the encoder.
        """
        loaded = self._need()
        language = self._language(loaded, _iso(options.language))
        task = self._task(loaded, options.translate_to)
        progress.check()
        import torch

        heard = _Heard()
        word_times_wanted = options.word_times and bool(loaded.alignment_heads) and task != "translate"
        is_long = len(clip.samples) > loaded.window
        at = 0
        with torch.inference_mode(), checkpoint.memory_limits():
            while at < len(clip.samples):
                progress.check()
                samples = clip.samples[at : at + loaded.window]
                encoded = _encode(loaded, samples)
                no_speech, detected = _first_look(loaded, encoded)
                language = language or detected
                progress.check()
                tokens = _decode(loaded, encoded, language, task, is_long, no_speech, heard, progress)
                pieces, used = _split(tokens, loaded, len(samples), is_long)
                text_tokens = [token for piece in pieces for token in piece.tokens]
                words: list[Word] = []
                if word_times_wanted and text_tokens:
                    words = _time_words(loaded, encoded, language, text_tokens, at, len(samples))
                heard.windows += 1
                heard.tokens += text_tokens
                heard.words += words
                heard.segments += _segments(loaded, pieces, words, at, is_long)
                at += used
                if heard.tokens and at < len(clip.samples):
                    progress.partial(_text(loaded, heard.tokens))
        end = len(clip.samples) / SAMPLE_RATE
        return Transcript(
            text=_text(loaded, heard.tokens),
            words=word_times.in_order(heard.words, end),
            segments=word_times.in_order(heard.segments, end),
            language=language,
            notes=_notes(loaded, heard, options),
        )

    def _language(self, loaded: _Loaded, wanted: str | None) -> str | None:
        if not loaded.languages:
            if wanted not in (None, "en"):
                raise UnsupportedOption(
                    f"{self._spec.label} hears English only, not {wanted!r}.", "Choose a multilingual checkpoint."
                )
            return "en"
        if wanted is not None and wanted not in loaded.languages:
            raise UnsupportedOption(
                f"{self._spec.label} does not know the language {wanted!r}.",
                "Leave the language open, or choose another system.",
            )
        return wanted

    def _task(self, loaded: _Loaded, translate_to: str | None) -> str:
        if translate_to is None:
            return "transcribe"
        if translate_to != "en" or loaded.translate is None:
            raise UnsupportedOption(
                f"{self._spec.label} does not translate" + (f" to {translate_to!r}." if loaded.translate is not None else "."),
                "Leave the translation out, or choose a multilingual Whisper whose decoder was not cut down, such as small."
                if loaded.translate is None
                else "It translates to English alone: ask for 'en'.",
            )
        return "translate"


@dataclass(frozen=True)
class _Piece:
    """A segment inside a window; times in encoder frames from the window's start, None if the model gave none."""

    tokens: list[int]
    start: int | None
    end: int | None


def _iso(code: _Code) -> _Code:
    """Turn Whisper's code of a language into the ISO one."""
    return next((iso for iso, theirs in WHISPER_CODES.items() if theirs == code), code)


def _describe(weights: Path, model: Any, extractor: Any, tokenizer: Any, placement: Placement) -> _Loaded:
    """Read off what the decoding needs, from the vocabulary where an old checkpoint's generation config lacks it."""
    config, generation = model.config, model.generation_config
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    special = {text: token for text, token in vocabulary.items() if text.startswith("<|") and token < config.vocab_size}
    start, end, no_timestamps = (special.get(f"<|{name}|>") for name in ("startoftranscript", "endoftext", "notimestamps"))
    if start is None or end is None or no_timestamps is None:
        raise ModelLoadError(
            f"{weights} has a tokenizer without Whisper's special tokens.",
            "Take the tokenizer files from the original checkpoint.",
        )
    if getattr(extractor, "sampling_rate", None) != SAMPLE_RATE or not hasattr(extractor, "n_samples"):
        raise ModelLoadError(
            f"{weights} has a feature extractor that is not Whisper's.", "Fetch the checkpoint's other files too."
        )
    if extractor.feature_size != config.num_mel_bins:
        raise ModelLoadError(
            f"{weights} has a feature extractor with {extractor.feature_size} bands, its model needs {config.num_mel_bins}.",
            "Take preprocessor_config.json from the original checkpoint.",
        )
    if len(vocabulary) > config.vocab_size:
        raise ModelLoadError(
            f"{weights} has a tokenizer with {len(vocabulary)} tokens, its model knows {config.vocab_size}.",
            "Take the tokenizer files from the original checkpoint.",
        )
    codes = {token: code[1] for text, token in special.items() if (code := re.fullmatch(r"<\|([a-z]{2,3})\|>", text))}
    transcribe = special.get("<|transcribe|>")
    is_multilingual = getattr(generation, "is_multilingual", None)
    if is_multilingual is None:
        is_multilingual = transcribe is not None and config.vocab_size >= 51_865  # the English vocabulary is smaller by one
    known = getattr(generation, "lang_to_id", None) or {f"<|{code}|>": token for token, code in codes.items()}
    generation.is_multilingual = bool(is_multilingual)
    generation.no_timestamps_token_id = no_timestamps
    generation.forced_decoder_ids = None  # of old checkpoints; it would win over the language
    if is_multilingual:
        generation.lang_to_id = known
        generation.task_to_id = {"transcribe": transcribe, "translate": special.get("<|translate|>")}
    # Decoders that were cut down (turbo, distilled ones) were trained on transcripts alone; their configuration does not say.
    translates = is_multilingual and config.decoder_layers >= config.encoder_layers
    languages = {_iso(name[2:-2]): token for name, token in known.items()}
    heads = getattr(generation, "alignment_heads", None) or ()
    fit = all(layer < config.decoder_layers and head < config.decoder_attention_heads for layer, head in heads)
    return _Loaded(
        model=model,
        extractor=extractor,
        tokenizer=tokenizer,
        placement=placement,
        start=start,
        end=end,
        no_timestamps=no_timestamps,
        languages=languages if is_multilingual else {},
        transcribe=transcribe,
        translate=special.get("<|translate|>") if translates else None,
        alignment_heads=tuple((int(layer), int(head)) for layer, head in heads) if fit else (),
    )


def _encode(loaded: _Loaded, samples: Any) -> Any:
    """Run the encoder over one window of samples (T,), padded with silence as in training."""
    features = loaded.extractor(samples, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features  # (1, bands, frames)
    model = loaded.model
    return model.get_encoder()(features.to(device=model.device, dtype=model.dtype))


def _first_look(loaded: _Loaded, encoded: Any) -> tuple[float, str | None]:
    """Return the probability that nobody speaks, and the likeliest language (None if the checkpoint knows one only)."""
    import torch

    start = torch.tensor([[loaded.start]], device=loaded.model.device)
    logits = loaded.model(encoder_outputs=encoded, decoder_input_ids=start, use_cache=False).logits[0, -1].float()
    no_speech = float(logits.softmax(-1)[loaded.no_timestamps - 1])
    if not loaded.languages:
        return no_speech, None
    codes = list(loaded.languages)
    scores = logits[torch.tensor([loaded.languages[code] for code in codes], device=logits.device)]
    return no_speech, codes[int(scores.argmax())]


def _decode(
    loaded: _Loaded,
    encoded: Any,
    language: str | None,
    task: str,
    timestamps: bool,
    no_speech: float,
    heard: _Heard,
    progress: Progress,
) -> list[int]:
    """Return the window's tokens, text and timestamps; empty if nobody speaks in it."""
    import torch

    prompt: dict[str, Any] = {}
    if loaded.languages and language is not None:
        prompt = {"language": f"<|{WHISPER_CODES.get(language, language)}|>", "task": task}

    def write(temperature: float) -> temperatures.Attempt:
        if temperature > 0:
            torch.manual_seed(0)  # a comparison that is run again must not change
        output = loaded.model.generate(
            encoder_outputs=encoded,
            return_timestamps=timestamps,
            temperature=temperature,
            top_k=0,  # when sampling, from the whole vocabulary
            num_beams=1,
            force_unique_generate_call=True,
            return_dict_in_generate=True,
            output_scores=True,
            stopping_criteria=[_Watch(loaded, heard.tokens, progress)],
            **prompt,
        )
        tokens: list[int] = output.sequences[0, -len(output.scores) :].tolist()
        log_probability = temperatures.log_probability(output.scores, tokens, temperature)
        text = _text(loaded, [token for token in tokens if token < loaded.end])
        return temperatures.Attempt([token for token in tokens if token != loaded.end], text, log_probability)

    settled, tries = temperatures.settle(write, no_speech)
    if settled is None:
        heard.silent += 1
        return []
    heard.retried += tries > 1
    return settled.tokens


class _Watch:
    """A stopping criterion that never stops: it shows the text so far, and lets a cancel through between two tokens."""

    def __init__(self, loaded: _Loaded, before: list[int], progress: Progress) -> None:
        self._loaded = loaded
        self._before = before
        self._progress = progress
        self._pace = Pace()

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        import torch

        self._progress.check()
        if self._pace.is_due():
            tokens = [token for token in input_ids[0].tolist() if token < self._loaded.end]
            self._progress.partial(_text(self._loaded, self._before + tokens))
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


def _split(tokens: list[int], loaded: _Loaded, samples: int, timestamps: bool) -> tuple[list[_Piece], int]:
    """Cut a window's tokens at its timestamps.

    Returns:
        The segments, and how many of the window's ``samples`` they settle: all of them, unless speech goes on after the
        last complete segment; then the next window starts there.
    """
    if not timestamps:
        text = [token for token in tokens if token < loaded.end]
        return ([_Piece(text, None, None)] if text else []), samples
    first = loaded.no_timestamps + 1
    pieces: list[_Piece] = []
    text = []
    start = last = 0
    closed = 0  # timestamps in a row just before here
    for token in tokens:
        if token < loaded.end:
            if not text:
                start = last
            text.append(token)
            closed = 0
        elif token >= first:
            last = token - first
            closed += 1
            if text:
                pieces.append(_Piece(text, start, last))
                text = []
    goes_on = bool(text) or closed >= 2
    settled = min(last * loaded.samples_per_frame, samples)
    if pieces and goes_on and settled > 0:
        return pieces, settled
    if text:
        pieces.append(_Piece(text, start, samples // loaded.samples_per_frame))
    return pieces, samples


def _segments(loaded: _Loaded, pieces: list[_Piece], words: list[Word], at: int, is_long: bool) -> list[Segment]:
    """Turn pieces into segments with seconds of the clip; ``at`` is the window's first sample."""
    if not is_long:
        start, end = (words[0].start, words[-1].end) if words else (None, None)
        return [Segment(_text(loaded, piece.tokens), start, end) for piece in pieces]

    def seconds(frame: int | None) -> float | None:
        return None if frame is None else (at + frame * loaded.samples_per_frame) / SAMPLE_RATE

    return [Segment(_text(loaded, piece.tokens), seconds(piece.start), seconds(piece.end)) for piece in pieces]


def _time_words(loaded: _Loaded, encoded: Any, language: str | None, tokens: list[int], at: int, samples: int) -> list[Word]:
    """Time a window's words: one pass of the decoder over its finished text, and the attention of the alignment heads."""
    prompt = [loaded.start]
    if loaded.languages and language is not None and loaded.transcribe is not None:
        prompt += [loaded.languages[language], loaded.transcribe]
    room = int(loaded.model.config.max_target_positions) - len(prompt) - 2
    groups = word_times.words_of(tokens, lambda part: _raw_text(loaded, part), language)
    begins, chosen = cross_attention.follow(
        loaded.model,
        loaded.alignment_heads,
        encoded,
        before=[*prompt, loaded.no_timestamps],
        text=tokens[:room],
        end=loaded.end,
        frames=max(1, -(-samples // loaded.samples_per_frame)),
    )
    seconds = (at + np.minimum(begins * loaded.samples_per_frame, samples)) / SAMPLE_RATE
    return [
        Word(text, float(seconds[first]), float(seconds[last]), float(chosen[first:last].mean()))
        if last < len(seconds)
        else Word(text)
        for text, first, last in groups
    ]


def _raw_text(loaded: _Loaded, tokens: list[int]) -> str:
    return str(loaded.tokenizer.decode(tokens, clean_up_tokenization_spaces=False))


def _text(loaded: _Loaded, tokens: list[int]) -> str:
    return _raw_text(loaded, tokens).strip() if tokens else ""


def _notes(loaded: _Loaded, heard: _Heard, options: TranscribeOptions) -> tuple[str, ...]:
    notes = []
    if heard.windows > 1:
        notes.append(f"heard in {heard.windows} windows")
    if heard.silent:
        notes.append(f"{_windows(heard.silent)} without speech left out")
    if heard.retried:
        notes.append(f"{_windows(heard.retried)} decoded more than once, because the text looped or was improbable")
    if options.word_times and not loaded.alignment_heads:
        notes.append("no word times: the checkpoint does not name its alignment heads")
    elif options.word_times and options.translate_to is not None:
        notes.append("no word times: words of a translation stand in another order than what is said")
    return tuple(notes)


def _windows(count: int) -> str:
    return f"{count} window" + ("" if count == 1 else "s")
