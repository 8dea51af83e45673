"""Whisper through CTranslate2 (faster-whisper): int8 on a CPU, half precision on a CUDA GPU.

Takes a folder that is converted already (``model.bin``), or a transformers Whisper folder, which is converted once and kept
in the cache folder. A clip of up to 30 s goes through faster-whisper's sequential decoding, a longer one through its batched
mode; both skip what its voice activity detection takes for silence.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runners.base import (
    SAMPLE_RATE,
    Clip,
    ModelLoadError,
    Placement,
    Progress,
    RunnerSpec,
    Segment,
    TranscribeOptions,
    Transcript,
    UnsupportedOption,
    Word,
)
from runners.networks import checkpoint, word_times

LONG_SECONDS = 30
"""Above it a clip has more than one window, and they are decoded in batches."""
BATCH_SIZE = {"cpu": 4, "cuda": 8}
"""Windows at once; nothing can be cancelled inside a batch, which lasts long on a CPU."""
WHISPER_CODES = {"jv": "jw"}
"""ISO codes that have another name in Whisper: Javanese is there under its old one."""

_LEFT_OVER_SECONDS = 24 * 3600
_SOURCES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "preprocessor_config.json",
    "processor_config.json",
    "*.safetensors",
    "pytorch_model*.bin",
)


@dataclass
class _Heard:
    """What has been heard of a clip so far."""

    language: str
    voiced_seconds: float
    """What voice activity detection kept."""
    pieces: list[str] = field(default_factory=list)
    """Texts of the segments, with the spaces between them."""
    words: list[Word] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces).strip()


class FasterWhisper:
    """Runs a Whisper model with CTranslate2."""

    def __init__(self, spec: RunnerSpec) -> None:
        self._spec = spec
        self._model: Any = None
        self._device = "cpu"

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Load a model in int8, int8_float16, float16 or float32; convert it first if that has not been done.

        Raises:
            ModelLoadError: the folder is of another family, damaged or incomplete, or the conversion cannot be kept.
            UnsupportedOption: a device or a precision that CTranslate2 does not have here.
            OutOfMemory: the model does not fit.
        """
        found = checkpoint.read(weights, "faster-whisper")
        family, weights = checkpoint.family_of(found), found.folder
        if family not in {"faster-whisper", "whisper"}:
            raise checkpoint.foreign(found, "a Whisper model")
        if placement.device not in BATCH_SIZE:
            raise UnsupportedOption(
                f"CTranslate2 does not run on {placement.device}.", "Choose the CPU or a CUDA GPU, or the runner whisper."
            )
        progress.check()
        import ctranslate2
        from faster_whisper import WhisperModel

        offered = ctranslate2.get_supported_compute_types(placement.device)
        if placement.dtype not in offered:
            raise UnsupportedOption(
                f"CTranslate2 has no {placement.dtype} on this {placement.device}.", f"It offers: {', '.join(sorted(offered))}."
            )
        if family == "whisper":
            weights = _converted(weights, placement, progress)
        if not (weights / "tokenizer.json").is_file():  # faster-whisper would go and download one
            raise ModelLoadError(f"{weights} has no tokenizer.json.", "Copy it from the original Whisper checkpoint.")
        progress.check()
        with checkpoint.loading(weights):
            model = WhisperModel(str(weights), device=placement.device, compute_type=placement.dtype, local_files_only=True)
        bands = model.feature_extractor.mel_filters.shape[0]
        if model.model.n_mels != bands:
            raise ModelLoadError(
                f"{weights} needs {model.model.n_mels} bands of sound, its preprocessor_config.json gives {bands}.",
                "Copy preprocessor_config.json from the original Whisper checkpoint.",
            )
        self._model = model
        self._device = placement.device

    def unload(self) -> None:
        if self._model is not None:
            self._model.model.unload_model()
        self._model = None

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Hear a clip of any length; the language is detected at its start unless it is given.

        A translation has no word times: its words stand in another order than what is said.

        Raises:
            UnsupportedOption: the model does not know the language, or does not translate.
            OutOfMemory: a batch does not fit.
            Cancelled: between two segments.
        """
        model = self._model
        if model is None:
            raise ModelLoadError("The model is not loaded.", "Load it first.")
        language = None if options.language is None else WHISPER_CODES.get(options.language, options.language)
        if language is not None and not _knows(model, language):
            raise UnsupportedOption(
                f"{self._spec.label} does not know the language {options.language!r}.",
                "Leave the language open, or choose another system.",
            )
        is_translated = options.translate_to is not None
        if is_translated and (options.translate_to != "en" or not model.model.is_multilingual):
            raise UnsupportedOption(
                f"{self._spec.label} does not translate to {options.translate_to!r}.",
                "Choose a multilingual Whisper, which translates to English."
                if not model.model.is_multilingual
                else "It translates to English alone: ask for 'en'.",
            )
        progress.check()
        if not len(clip.samples):
            return Transcript("", language=options.language)
        progress.check()
        with checkpoint.memory_limits():
            word_times_wanted = options.word_times and not is_translated
            heard = self._hear(clip, language, word_times_wanted, is_translated, progress)
            if word_times_wanted and not heard.text and heard.voiced_seconds > 0:
                # With word times the library drops a segment whose words all come out with no length; text counts more.
                heard = self._hear(clip, language, False, is_translated, progress)
        seconds = len(clip.samples) / SAMPLE_RATE
        notes = [f"heard in batches of {BATCH_SIZE[self._device]}"] if seconds > LONG_SECONDS else []
        if seconds - heard.voiced_seconds >= 1:
            notes.append(f"voice activity detection left out {seconds - heard.voiced_seconds:.0f} s")
        if options.word_times and is_translated:
            notes.append("no word times: words of a translation stand in another order than what is said")
        elif options.word_times and heard.text and not heard.words:
            notes.append("no word times: the words could not be told apart")
        return Transcript(
            text=heard.text,
            words=word_times.in_order(heard.words, seconds),
            segments=word_times.in_order(heard.segments, seconds),
            language=next((iso for iso, theirs in WHISPER_CODES.items() if theirs == heard.language), heard.language),
            notes=tuple(notes),
        )

    def _hear(self, clip: Clip, language: str | None, times: bool, is_translated: bool, progress: Progress) -> _Heard:
        import ctranslate2
        from faster_whisper import BatchedInferencePipeline

        # A window may be decoded again at a higher temperature. The seed counts for what a model draws from its first use
        # on: the library has no way to begin anew, so a second hearing may have other words in such a window.
        ctranslate2.set_random_seed(0)
        wanted = {"language": language, "word_timestamps": times, "vad_filter": True}
        wanted["task"] = "translate" if is_translated else "transcribe"
        if len(clip.samples) > LONG_SECONDS * SAMPLE_RATE:
            batched = BatchedInferencePipeline(self._model)
            parts, about = batched.transcribe(clip.samples, batch_size=BATCH_SIZE[self._device], **wanted)
        else:
            parts, about = self._model.transcribe(clip.samples, without_timestamps=True, **wanted)
        heard = _Heard(about.language, about.duration_after_vad)
        progress.check()
        for part in parts:  # the work is done here, as the segments are asked for
            if part.text.strip():
                heard.pieces.append(part.text)
                heard.segments.append(Segment(part.text.strip(), float(part.start), float(part.end)))
            for word in part.words or ():
                if word.word.strip():
                    heard.words.append(Word(word.word.strip(), float(word.start), float(word.end), float(word.probability)))
            progress.partial(heard.text)
            progress.check()
        return heard


def _knows(model: Any, language: str) -> bool:
    """True if it can be told the language; the library names Cantonese for older models too, which have no token for it."""
    return language in model.supported_languages and model.hf_tokenizer.token_to_id(f"<|{language}|>") is not None


def _converted(weights: Path, placement: Placement, progress: Progress) -> Path:
    """Return the folder's conversion, made now if it is not in the cache; a kill midway leaves nothing half done there."""
    checkpoint.require_files(weights, "tokenizer", ("tokenizer.json",), ("vocab.json", "merges.txt"))
    checkpoint.require_extractor(weights)
    kept = _cache_folder() / "ctranslate2" / _key(weights, placement.dtype)
    if kept.is_dir():
        return kept
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_overs(kept.parent)
        with tempfile.TemporaryDirectory(
            prefix=f"{_unfinished()}{os.getpid()}-", dir=kept.parent, ignore_cleanup_errors=True
        ) as scratch:
            made = Path(scratch) / "model"
            _convert(weights, made, placement.dtype)
            (made / "made_of.json").write_text(json.dumps({"folder": str(weights), "dtype": placement.dtype}), encoding="utf-8")
            progress.check()
            try:
                made.rename(kept)
            except OSError:
                if not kept.is_dir():  # else another process was first, with the same result
                    raise
    except OSError as error:
        raise ModelLoadError(
            f"The converted model cannot be kept in {kept.parent}: {error}",
            "Free some space, or set EARSHOT_CACHE_FOLDER to a folder that can be written to.",
        ) from error
    return kept


def _cache_folder() -> Path:
    """``EARSHOT_CACHE_FOLDER``, as the parent passes it to its children; else where the settings have it by default."""
    named = os.environ.get("EARSHOT_CACHE_FOLDER")
    return Path(named or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "earshot").expanduser()


def _key(weights: Path, quantisation: str) -> str:
    """Name a conversion by the folder, what its files look like now, the precision and the converter."""
    import ctranslate2

    facts = [str(weights.resolve()), quantisation, ctranslate2.__version__]
    for path in sorted({path for pattern in _SOURCES for path in weights.glob(pattern)}):
        state = path.stat()
        facts.append(f"{path.name} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]


def _convert(weights: Path, target: Path, quantisation: str) -> None:
    """Write the folder as a CTranslate2 model with its tokenizer and feature extractor beside it."""
    import torch
    from ctranslate2.converters import TransformersConverter
    from transformers import AutoFeatureExtractor, AutoTokenizer

    class Strict(TransformersConverter):
        """Refuses a checkpoint with weights missing, which would be converted as random numbers."""

        def load_model(self, model_class: Any, _: str, **options: Any) -> Any:
            dtype = options.pop("dtype", None)
            half = dtype == torch.float16
            return checkpoint.load_model(model_class, weights, Placement("cpu", "float16" if half else "float32"), **options)

    with checkpoint.loading(weights):
        Strict(str(weights)).convert(str(target), quantization=quantisation)
        if (weights / "tokenizer.json").is_file():
            shutil.copyfile(weights / "tokenizer.json", target / "tokenizer.json")
        else:
            tokenizer = AutoTokenizer.from_pretrained(weights, local_files_only=True, trust_remote_code=False)
            tokenizer.backend_tokenizer.save(str(target / "tokenizer.json"))
        AutoFeatureExtractor.from_pretrained(weights, local_files_only=True, trust_remote_code=False).save_pretrained(target)


def _unfinished() -> str:
    """How this machine's conversions under way are named, before the process's number; machines can share a cache."""
    return f"unfinished-{platform.node()}-"


def _remove_left_overs(folder: Path) -> None:
    """Delete unfinished conversions of processes that were killed, elsewhere after a day, which is longer than any takes."""
    import psutil

    for path in folder.glob("unfinished-*"):
        pid = path.name.removeprefix(_unfinished()).partition("-")[0]
        try:
            gone = pid.isdigit() and not psutil.pid_exists(int(pid))
            old = time.time() - path.stat().st_mtime > _LEFT_OVER_SECONDS
        except OSError:
            continue
        if gone or old:
            shutil.rmtree(path, ignore_errors=True)
