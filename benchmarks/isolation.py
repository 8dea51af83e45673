"""What a child process costs: the same Whisper folder through Earshot and through its library called directly.

Rows for each system and clip, run turn by turn: the library called plainly in this process, Earshot's runner inside this
process, Earshot's runner in a child. The last against the one before is what isolation costs; that one against the
first is what our code around the library costs.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.tables import seconds, show
from runners.audio import decode
from runners.base import Clip, Contender, TranscribeOptions
from runners.catalogue.names import spec_for
from runners.here.machine import look
from runners.pool import Pool
from runners.settings import read_settings

TARGET = 0.05
LANGUAGE = "en"
PLAIN = "the library, called plainly"
INSIDE = "Earshot, inside this process"
CHILD = "Earshot, in a child process"


def transformers_pipeline(folder: Path, clip: Clip, *, falls_back: bool) -> Callable[[], Any]:
    """A pipeline call that gives word times; ``falls_back`` sets what our runner always does: a window whose text loops
    or is improbable is decoded again at higher temperatures."""
    from transformers import pipeline

    from runners.networks.temperatures import MAX_COMPRESSION, MAX_NO_SPEECH, MIN_LOG_PROBABILITY, TEMPERATURES

    recogniser = pipeline("automatic-speech-recognition", model=str(folder), device="cpu")
    options: dict[str, Any] = {"language": LANGUAGE, "task": "transcribe"}
    if falls_back:
        options |= {
            "temperature": TEMPERATURES,
            "compression_ratio_threshold": MAX_COMPRESSION,
            "logprob_threshold": MIN_LOG_PROBABILITY,
            "no_speech_threshold": MAX_NO_SPEECH,
        }
    sound = {"raw": clip.samples, "sampling_rate": clip.sample_rate}
    return lambda: recogniser(dict(sound), return_timestamps="word", generate_kwargs=dict(options))


def plain_faster_whisper(folder: Path, clip: Clip) -> Callable[[], Any]:
    """A plain faster-whisper call on the folder that our runner has converted, with the same options as our runner."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    from runners.faster_whisper import BATCH_SIZE, LONG_SECONDS

    model = WhisperModel(str(folder), device="cpu", compute_type="int8", local_files_only=True)
    batched = BatchedInferencePipeline(model)

    def call() -> Any:
        wanted = {"language": LANGUAGE, "word_timestamps": True, "vad_filter": True}
        if clip.seconds > LONG_SECONDS:
            return list(batched.transcribe(clip.samples, batch_size=BATCH_SIZE["cpu"], **wanted)[0])
        return list(model.transcribe(clip.samples, without_timestamps=True, **wanted)[0])

    return call


def earshot_call(pool: Pool, name: str, clip: Clip) -> Callable[[], Any]:
    """A run of the named contender in ``pool``; ends the benchmark with the reason if it is skipped."""
    contender = Contender(spec_for(name), TranscribeOptions(language=LANGUAGE))

    def call() -> Any:
        result = pool.run(contender, clip, report=lambda event: None, cancel=threading.Event())
        if result.status != "ok":
            raise SystemExit(f"{name}: {result.error}")
        return result

    return call


def main(folder: Path | None = None, clip_path: Path | None = None, rounds: int = 5) -> bool | None:
    """Print a table for each of ``whisper`` and ``faster-whisper``, and for each clip; whether the child keeps its bound.

    Args:
        folder: a transformers Whisper folder; ``EARSHOT_TEST_WEIGHTS/whisper-digits`` if None.
        clip_path: what to hear; a short and a long clip of digits beside it if None.
        rounds: timed turns after one that warms everything up.
    """
    weights = os.environ.get("EARSHOT_TEST_WEIGHTS")
    if not weights and (folder is None or clip_path is None):
        print("\nIsolation: skipped; name a Whisper folder with --whisper and a clip with --clip, or set EARSHOT_TEST_WEIGHTS")
        return None
    folder = folder or Path(str(weights)) / "whisper-digits"
    digits = Path(str(weights)) / "digits-test"
    paths = [clip_path] if clip_path else [digits / "fsdd-george-7digits.wav", digits / "fsdd-all-60digits-long.wav"]
    kept = True
    with tempfile.TemporaryDirectory() as cache, contextlib.ExitStack() as stack:
        settings = read_settings(device="cpu", dtype="float32", downloads=False, cache_folder=cache)
        os.environ["EARSHOT_CACHE_FOLDER"] = cache
        child = stack.enter_context(contextlib.closing(Pool(settings, look)))
        inline = stack.enter_context(contextlib.closing(Pool(settings.model_copy(update={"isolation": "inline"}), look)))
        for path in paths:
            clip = decode(path, max_seconds=settings.max_clip_seconds, max_bytes=int(settings.max_file_mb * 1e6))
            for family in ("whisper", "faster-whisper"):
                ours = earshot_call(child, f"{family}:{folder}", clip)
                ours()  # loads it, and converts the folder for faster-whisper
                calls: dict[str, Callable[[], Any]] = {}
                if family == "whisper":
                    calls[PLAIN] = transformers_pipeline(folder, clip, falls_back=False)
                    calls["the library, falling back as we do"] = transformers_pipeline(folder, clip, falls_back=True)
                else:
                    calls[PLAIN] = plain_faster_whisper(next(Path(cache).glob("ctranslate2/*")), clip)
                calls[INSIDE] = earshot_call(inline, f"{family}:{folder}", clip)
                calls[CHILD] = ours
                title = f"{family}, {clip.seconds:.0f} s of digits, warm, wall-clock around the call"
                kept = _compare(title, calls, rounds) and kept
    return kept


def _compare(title: str, calls: dict[str, Callable[[], Any]], rounds: int) -> bool:
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if turn:
                times[name].append(time.perf_counter() - started)
    medians = {name: median(values) for name, values in times.items()}
    rows = [
        (name, seconds(values), f"{middle / medians[PLAIN]:.2f}", f"{middle / medians[INSIDE]:.2f}")
        for (name, values), middle in zip(times.items(), medians.values(), strict=True)
    ]
    show(
        title,
        ("way", "median (range)", "/ plain", "/ inside"),
        rows,
        note=f"target: / inside at most {1 + TARGET:.2f} for the child",
    )
    return medians[CHILD] / medians[INSIDE] <= 1 + TARGET
