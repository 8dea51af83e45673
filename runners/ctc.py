"""Models that name a letter for each frame of audio (CTC): wav2vec2, HuBERT, MMS, Parakeet, MedASR, Granite and their like.

Any folder that transformers' ``AutoModelForCTC`` loads, decoded greedily. A clip of up to 30 s is heard whole. A longer one
is heard in overlapping chunks: of each chunk only the frames of its middle are kept, so that every kept frame was heard with
its neighbourhood, and the frames are joined *before* repeated letters are collapsed, so that no word at a join is doubled
or lost. Chunks of the very same length can be heard together, for nothing has to be filled up and no mask decides anything.

Greedy decoding is the model alone: an n-gram language model that a checkpoint brings along is not used.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.base import (
    SAMPLE_RATE,
    Clip,
    ModelLoadError,
    OutOfMemory,
    Placement,
    Progress,
    TranscribeOptions,
    Transcript,
    UnsupportedOption,
    Word,
)
from runners.dialects.mms import MMS_CODES, adapter_file
from runners.networks import checkpoint, word_pieces
from runners.networks.holding import Holding
from runners.networks.spectrogram import GraniteSpectrogram
from runners.networks.word_pieces import Emission

QUANTUM = 5_120
"""Samples. Chunks begin and end at its multiples; it is a multiple of the step of all these models (320, 640 or 1280)."""
WHOLE = 30 * SAMPLE_RATE
"""Samples that are heard in one go; attention takes memory with the square of the length."""
CORE = 64 * QUANTUM
"""Most samples of a chunk whose frames are kept: 20.5 s."""
CONTEXT = 14 * QUANTUM
"""Samples heard besides on either side: 4.5 s."""
AT_ONCE = 4
"""Most chunks heard together on an accelerator: enough to fill a small network's kernels, and wav2vec2's first convolution
still takes under 1 GB for them in float32. Not measured on one; where they do not fit together, they are heard one by one."""
AT_ONCE_ON_CPU = 1
"""The same on a CPU, where it does not pay: a random wav2vec2 of base size on one thread took 1.02 to 1.04 times the CPU time
for 3 minutes with 2 at once, 1.01 to 1.08 times with 4, and at its peak 1.9 and 2.9 GB instead of 1.5 GB."""
SHORTEST = SAMPLE_RATE // 2
"""Samples below which silence is added, because convolutions fail on an input shorter than their reach."""

_Chunk = tuple[int, int, int, int]
"""Samples: start, end, start of what is kept, end of what is kept."""


@dataclass
class _Loaded:
    model: Any
    extractor: Any
    tokenizer: Any
    weights: Path
    placement: Placement
    adapter: str | None
    """MMS's language adapter in use; None if the model has none."""


@dataclass(frozen=True)
class _Frames:
    """What the model said, frame by frame; all of shape (F,)."""

    tokens: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    """Of the frame's likeliest token."""
    numbers: NDArray[np.int64]
    """The frame's number from the start of the clip."""


class Ctc(Holding[_Loaded]):
    """Runs a CTC checkpoint with PyTorch."""

    _first_adapter: str | None = None

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Load a transformers folder with a CTC head in float32, bfloat16 or float16.

        Raises:
            ModelLoadError: the folder is of another family, damaged, incomplete, or has no trained CTC head.
            OutOfMemory: the model does not fit.
        """
        found = checkpoint.read(weights, "ctc")
        if checkpoint.family_of(found) in {"whisper", "faster-whisper"}:
            raise checkpoint.foreign(found, "a CTC checkpoint")
        weights = found.folder
        checkpoint.require_files(weights, "tokenizer", ("vocab.json",), ("tokenizer.json",), ("spiece.model",))
        checkpoint.require_extractor(weights)
        progress.check()
        from transformers import AutoConfig, AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer

        with checkpoint.loading(weights):
            # Not AutoProcessor: some processors insist on packages for an n-gram language model.
            settings = AutoConfig.from_pretrained(weights, local_files_only=True, trust_remote_code=False)
            if type(settings) not in AutoModelForCTC._model_mapping:
                raise checkpoint.foreign(found, "a CTC checkpoint")
            extractor: Any
            if found.model_type == "granite_speech5_ctc":  # transformers' own needs torchaudio
                extractor = GraniteSpectrogram.read(weights)
            else:
                extractor = AutoFeatureExtractor.from_pretrained(weights, local_files_only=True, trust_remote_code=False)
            tokenizer = AutoTokenizer.from_pretrained(weights, local_files_only=True, trust_remote_code=False)
        checkpoint.require_sample_rate(weights, extractor)
        progress.check()
        model = checkpoint.load_model(AutoModelForCTC, weights, placement)
        if model.config.pad_token_id is None:
            raise ModelLoadError(f"{weights} does not say which token is CTC's blank.", "Set pad_token_id in its config.json.")
        adapter = tokenizer.target_lang if getattr(model.config, "adapter_attn_dim", None) else None
        self._first_adapter = adapter
        self._loaded = _Loaded(model, extractor, tokenizer, weights, placement, adapter)

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Hear a clip of any length.

        Raises:
            UnsupportedOption: a language that the checkpoint has no adapter for.
            OutOfMemory: a chunk by itself does not fit.
            Cancelled: between two chunks, or batches of them.
        """
        loaded = self._need()
        progress.check()
        loaded = self._with_language(loaded, options.language, progress)
        chunks = list(_chunks(len(clip.samples)))
        parts: list[_Frames] = []
        seconds = 0.0  # of a frame
        prepared = _prepare(loaded, clip.samples) if chunks else clip.samples
        left, at_once = chunks, AT_ONCE_ON_CPU if loaded.placement.device == "cpu" else AT_ONCE
        while left:
            progress.check()
            batch = _alike(left, at_once)
            try:
                with checkpoint.memory_limits():
                    heard = _hear(loaded, [prepared[start : max(end, SHORTEST)] for start, end, _, _ in batch])
            except OutOfMemory:
                if len(batch) == 1:
                    raise
                at_once = 1
                continue
            left = left[len(batch) :]
            for (start, end, keep_start, keep_end), (tokens, probabilities) in zip(batch, heard, strict=True):
                if not parts:
                    seconds = _frame_seconds(loaded, max(end - start, SHORTEST), len(tokens))
                first = round((keep_start - start) / SAMPLE_RATE / seconds)
                last = (
                    len(tokens)
                    if keep_end == len(clip.samples)
                    else first + round((keep_end - keep_start) / SAMPLE_RATE / seconds)
                )
                numbers = np.arange(len(tokens)) + round(start / SAMPLE_RATE / seconds)
                parts.append(_Frames(tokens[first:last], probabilities[first:last], numbers[first:last]))
                if len(chunks) > 1:
                    progress.partial(_read(loaded, _join(parts), seconds, clip.seconds, word_times=False)[0])
        progress.check()
        text, words = "", tuple[Word, ...]()
        if parts:
            text, words = _read(loaded, _join(parts), seconds, len(clip.samples) / SAMPLE_RATE, options.word_times)
        notes = [f"heard in {len(chunks)} overlapping chunks"] if len(chunks) > 1 else []
        if (loaded.weights / "language_model").is_dir():
            notes.append("the checkpoint's n-gram language model is not used")
        return Transcript(
            text=text,
            words=words,
            language=self._heard_language(loaded, options.language),
            notes=tuple(notes),
        )

    def _with_language(self, loaded: _Loaded, language: str | None, progress: Progress) -> _Loaded:
        """Put MMS's adapter for the language in; without one, the one it was loaded with."""
        if loaded.adapter is None:
            if language is not None and language not in (self._spec.languages or ()):
                raise UnsupportedOption(
                    f"{self._spec.label} cannot be told the language {language!r}.",
                    "Leave the language open, or choose another system.",
                )
            return loaded
        wanted = self._first_adapter if language is None else _adapter_name(loaded, language)
        if wanted is None:
            raise UnsupportedOption(
                f"{loaded.weights} has no language adapter for {language!r}.",
                "Fetch its adapter file (adapter.CODE.safetensors), or choose another system.",
            )
        if wanted == loaded.adapter:
            return loaded
        if not _adapter_file(loaded.weights, wanted):  # the language it came with, whose adapter is in the model itself
            self.load(loaded.weights, loaded.placement, progress)
            return self._loaded or loaded
        with checkpoint.loading(loaded.weights):
            loaded.model.load_adapter(wanted, local_files_only=True)
        loaded.tokenizer.set_target_lang(wanted)
        loaded.adapter = wanted
        return loaded

    def _heard_language(self, loaded: _Loaded, wanted: str | None) -> str | None:
        if wanted is None and loaded.adapter is not None:
            return next((code for code, name in MMS_CODES.items() if name == loaded.adapter), None)
        only = self._spec.only_language
        return wanted or only


def _adapter_file(weights: Path, name: str) -> Path | None:
    return next((path for kind in ("safetensors", "bin") if (path := weights / adapter_file(name, kind)).is_file()), None)


def _adapter_name(loaded: _Loaded, language: str) -> str | None:
    """Find the adapter of an ISO 639-1 code among the vocabularies and adapter files of the folder."""
    name = MMS_CODES.get(language, language)
    for known in (name, *sorted(other for other in loaded.tokenizer.vocab if other.split("-")[0] == name.split("-")[0])):
        if known in loaded.tokenizer.vocab and (known == loaded.adapter or _adapter_file(loaded.weights, known)):
            return known
    return None


def _chunks(samples: int) -> Iterator[_Chunk]:
    """Yield chunks; what is kept of them covers the clip once."""
    if samples <= WHOLE:
        if samples:
            yield 0, samples, 0, samples
        return
    core = math.ceil(samples / math.ceil(samples / CORE) / QUANTUM) * QUANTUM
    for start in range(0, samples, core):
        end = min(start + core, samples)
        yield max(0, start - CONTEXT), min(samples, end + CONTEXT), start, end


def _alike(chunks: list[_Chunk], most: int) -> list[_Chunk]:
    """Return the first of these chunks and those after it that are as long, ``most`` at most."""
    start, end, _, _ = chunks[0]
    return list(itertools.takewhile(lambda chunk: chunk[1] - chunk[0] == end - start, chunks[:most]))


def _prepare(loaded: _Loaded, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return samples as the model wants them, shape (T,), or unchanged where it wants a spectrogram.

    Loudness is evened out over the whole clip, as it was over whole utterances in training, not chunk by chunk.
    """
    if len(samples) < SHORTEST:
        samples = np.pad(samples, (0, SHORTEST - len(samples)))
    if loaded.extractor.model_input_names[0] != "input_values":
        return samples
    values: NDArray[np.float32] = loaded.extractor(samples, sampling_rate=SAMPLE_RATE, return_tensors="np")["input_values"][0]
    return values


def _hear(loaded: _Loaded, chunks: Sequence[NDArray[np.float32]]) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Return of each chunk every frame's likeliest token and its probability, both of shape (F,); chunks are equally long."""
    import torch

    model = loaded.model
    [main, *_] = loaded.extractor.model_input_names
    if main == "input_values":
        made = [{main: torch.from_numpy(np.ascontiguousarray(chunk))[None]} for chunk in chunks]  # (1, T) each
    else:  # one by one, since some extractors even loudness out over all that they are given
        made = [loaded.extractor(chunk, sampling_rate=SAMPLE_RATE, return_tensors="pt") for chunk in chunks]
    inputs = {name: torch.cat([one[name] for one in made]) for name in (main, "attention_mask") if name in made[0]}
    inputs = {
        name: value.to(device=model.device, dtype=model.dtype if value.is_floating_point() else None)
        for name, value in inputs.items()
    }
    with torch.inference_mode():
        if hasattr(model, "generate"):  # greedy too, and knows which frames at the end are padding
            heard = model.generate(**inputs, return_dict_in_generate=True)
            tokens, probabilities = heard.sequences, heard.logits.float().softmax(-1).amax(-1)  # (chunks, F) each
        else:
            probabilities, tokens = model(**inputs).logits.float().softmax(-1).max(-1)
    return list(zip(tokens.cpu().numpy(), probabilities.cpu().numpy(), strict=True))


def _frame_seconds(loaded: _Loaded, samples: int, frames: int) -> float:
    """Return the length of a frame.

    Most configurations say it. Else, since models give a frame or so less than samples / step, the step is over many frames
    the nearest multiple of 5 ms; a short clip has too few for that.
    """
    step = _step(loaded)
    if step is not None:
        return step / SAMPLE_RATE
    if frames < 100:
        return samples / SAMPLE_RATE / max(frames, 1)
    return max(1, round(samples / frames / 80)) * 80 / SAMPLE_RATE


def _step(loaded: _Loaded) -> int | None:
    """Samples between two frames, as the configuration says; None where it does not."""
    settings = loaded.model.config
    ratio = getattr(settings, "inputs_to_logits_ratio", None)
    if loaded.extractor.model_input_names[0] == "input_values":
        return int(ratio) if ratio else None
    encoder = getattr(settings, "encoder_config", None)
    halvings = getattr(encoder, "subsample_layers", None)
    if halvings is not None:  # Granite Speech 5: each of these layers takes two frames together
        ratio = loaded.extractor.frame_stacking * 2 ** len(halvings)
    ratio = ratio or getattr(encoder, "subsampling_factor", None)
    hop = getattr(loaded.extractor, "hop_length", None)
    return int(ratio) * int(hop) if ratio and hop else None


def _join(parts: list[_Frames]) -> _Frames:
    return _Frames(
        np.concatenate([part.tokens for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.numbers for part in parts]),
    )


def _read(loaded: _Loaded, frames: _Frames, seconds: float, end: float, word_times: bool) -> tuple[str, tuple[Word, ...]]:
    """Collapse frames to text and, if wanted, timed words; ``seconds`` is the length of a frame, ``end`` of the clip."""
    tokenizer = loaded.tokenizer
    silent = {loaded.model.config.pad_token_id, *tokenizer.all_special_ids}
    delimiter = getattr(tokenizer, "word_delimiter_token", None)
    if delimiter is not None:
        silent.discard(tokenizer.word_delimiter_token_id)
    letters = [letter for letter in _collapse(frames) if letter.token not in silent]
    if delimiter is None:
        plain = {"group_tokens": False} if hasattr(tokenizer, "_tokenizer") else {}
        said = tokenizer.decode([letter.token for letter in letters], skip_special_tokens=True, **plain)
        return str(said).strip(), word_pieces.words(tokenizer, letters, seconds, end) if word_times else ()
    names = [str(name) for name in tokenizer.convert_ids_to_tokens([letter.token for letter in letters])]
    lower = getattr(tokenizer, "do_lower_case", False)
    groups: list[word_pieces.Group] = [[]]
    for letter, name in zip(letters, names, strict=True):
        if name == delimiter:
            groups.append([])
        else:
            groups[-1].append((name.lower() if lower else name, letter))
    text = " ".join(word for group in groups if (word := word_pieces.written(group)))
    if not word_times:
        return text, ()
    parts = [part for group in groups if group for part in word_pieces.by_character(group)]
    return text, tuple(word_pieces.timed(word_pieces.written(part), part, seconds, end) for part in parts)


def _collapse(frames: _Frames) -> Iterator[Emission]:
    """Yield runs of equal tokens, blanks included."""
    if not len(frames.tokens):
        return
    firsts = np.concatenate([[0], np.flatnonzero(np.diff(frames.tokens)) + 1])
    lengths = np.diff(firsts, append=len(frames.tokens))
    # All at once: numpy takes longer to be asked for a mean than to compute one, and a minute has hundreds of runs.
    means = np.add.reduceat(frames.probabilities, firsts, dtype=np.float64) / lengths
    tokens, starts, ends = frames.tokens[firsts], frames.numbers[firsts], frames.numbers[firsts + lengths - 1] + 1
    yield from map(Emission, tokens.tolist(), starts.tolist(), ends.tolist(), means.tolist())
