"""What a child process costs: the same Whisper folder through Earshot and through its library called directly.

Three rows for each system, run turn by turn on one clip: the library called plainly in this process, Earshot's runner
inside this process, Earshot's runner in a child. The last against the second is what isolation costs; the second
against the first is what our code around the library costs.
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
from runners.catalogue import spec_for
from runners.machine import look
from runners.pool import Pool
from runners.settings import read_settings

TARGET = 0.05
LANGUAGE = "en"


def transformers_pipeline(folder: Path, clip: Clip) -> Callable[[], Any]:
    """A plain pipeline call, as its documentation shows it, with the same options as our runner."""
    from transformers import pipeline

    recogniser = pipeline("automatic-speech-recognition", model=str(folder), device="cpu")
    return lambda: recogniser(
        {"raw": clip.samples, "sampling_rate": clip.sample_rate},
        return_timestamps="word",
        generate_kwargs={"language": LANGUAGE, "task": "transcribe"},
    )


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
        return list(model.transcribe(clip.samples, **wanted)[0])

    return call


def earshot_call(pool: Pool, name: str, clip: Clip) -> Callable[[], Any]:
    contender = Contender(spec_for(name), TranscribeOptions(language=LANGUAGE))

    def call() -> Any:
        result = pool.run(contender, clip, report=lambda event: None, cancel=threading.Event())
        if result.status != "ok":
            raise SystemExit(f"{name}: {result.error}")
        return result

    return call


def main(folder: Path | None = None, clip_path: Path | None = None, rounds: int = 7) -> None:
    """Print the three rows for ``whisper`` and for ``faster-whisper``.

    Args:
        folder: a transformers Whisper folder; ``EARSHOT_TEST_WEIGHTS/whisper-digits`` if None.
        clip_path: what to hear; the long digits clip beside it if None.
        rounds: timed turns after one that warms everything up.
    """
    if folder is None or clip_path is None:
        weights = os.environ.get("EARSHOT_TEST_WEIGHTS")
        if not weights:
            print(
                "\nIsolation: skipped; name a Whisper folder with --whisper and a clip with --clip, or set EARSHOT_TEST_WEIGHTS"
            )
            return
        folder = folder or Path(weights) / "whisper-digits"
        clip_path = clip_path or Path(weights) / "digits-test" / "fsdd-all-60digits-long.wav"
    with tempfile.TemporaryDirectory() as cache, contextlib.ExitStack() as stack:
        settings = read_settings(device="cpu", dtype="float32", downloads=False, cache_folder=cache)
        os.environ["EARSHOT_CACHE_FOLDER"] = cache
        clip = decode(clip_path, max_seconds=settings.max_clip_seconds, max_bytes=int(settings.max_file_mb * 1e6))
        child = stack.enter_context(contextlib.closing(Pool(settings, look)))
        inline = stack.enter_context(contextlib.closing(Pool(settings.model_copy(update={"isolation": "inline"}), look)))
        for family, plain in (("whisper", transformers_pipeline), ("faster-whisper", plain_faster_whisper)):
            ours = earshot_call(child, f"{family}:{folder}", clip)
            ours()  # loads it, and converts the folder for faster-whisper
            converted = next(Path(cache).glob("ctranslate2/*"), folder)
            calls = {
                "the library, called plainly": plain(converted if family == "faster-whisper" else folder, clip),
                "Earshot, inside this process": earshot_call(inline, f"{family}:{folder}", clip),
                "Earshot, in a child process": ours,
            }
            _compare(f"{family} on {clip_path.name} ({clip.seconds:.0f} s), warm, wall-clock around the call", calls, rounds)


def _compare(title: str, calls: dict[str, Callable[[], Any]], rounds: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if turn:
                times[name].append(time.perf_counter() - started)
    medians = [median(values) for values in times.values()]
    rows = [
        (name, seconds(values), f"{middle / medians[0]:.3f}", f"{middle / medians[1]:.3f}")
        for (name, values), middle in zip(times.items(), medians, strict=True)
    ]
    show(
        title,
        ("way", "median (range)", "/ plain", "/ inside"),
        rows,
        note=f"target: / inside at most {1 + TARGET:.2f} for the child",
    )
