"""Clips: made from files, cut at pauses. What is inside a file is ``runners.decode``'s to know."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from runners.base import SAMPLE_RATE, AudioError, Clip
from runners.decode import Unreadable, length_words, read_sound

FORMATS = "Give a WAV, FLAC, MP3, Ogg, Opus, M4A or WebM file, or a video with a sound track."
SHORTEST_SECONDS = 0.04
"""Four 10 ms frames: the shortest vowel or stop is about that long, and some models fail on less."""
SILENT_RANGE = 2e-4
"""Largest less smallest sample of a silent clip: three steps of 16 bits, so dither counts as silence."""
PAUSE_SECONDS = 0.3
"""Span over which loudness is averaged: longer than the closure of a stop (some 0.1 s), about a short pause."""
STEADY_DECIBELS = 1.5
"""Largest range of loudness of a steady sound: white noise, averaged as here, stays within 1 dB."""
STEADY_SECONDS = 2.0
"""Shortest clip that can be told to be a steady sound: a single vowel is steady too."""
ROOM_DECIBELS = -35.0
"""Loudest an empty room gets, relative to full scale: a steady sound over that is heard as one."""


def decode(
    path: Path,
    *,
    max_seconds: float,
    max_bytes: int,
    reference: str | None = None,
    language: str | None = None,
    source: str | None = None,
) -> Clip:
    """Read any sound or video file as a clip.

    Damage that leaves sound to hear becomes a warning in the clip: a file that ends early, packets that cannot be
    decoded, samples that are not numbers, silence. ``source`` is the file's own name unless given.

    Raises:
        AudioError: there is nothing to hear, or more than the limits allow.
    """
    stream, size = _open_sound(path, max_bytes)
    with stream:
        _refuse_if_protected(stream)
        try:
            sound = read_sound(stream, size, max_seconds)
        except Unreadable as error:
            raise _refusal(stream) from error
    _refuse_if_short(sound.seconds)
    warnings = sound.warnings
    if is_silent(sound.samples):
        warnings = (*warnings, "The clip is silent.")
    return Clip(
        samples=sound.samples,
        seconds=sound.seconds,
        source=path.name if source is None else source,
        reference=reference,
        language=language,
        warnings=warnings,
        original_rate=sound.rate,
        original_channels=sound.channels,
    )


def is_silent(samples: NDArray[np.float32]) -> bool:
    """Whether shape (T,) holds digital silence: nothing but a constant and dither."""
    return float(samples.max(initial=-np.inf)) - float(samples.min(initial=np.inf)) < SILENT_RANGE


def mono(clip: Clip) -> NDArray[np.float32]:
    """The clip's samples, shape (T,), for systems that would silently hear (2, T) as two clips, and nothing as something.

    Raises:
        AudioError: they have another shape, or there are none.
    """
    if clip.samples.ndim != 1:
        raise AudioError(f"The clip has the shape {clip.samples.shape}, not one channel.", "Mix it down to one channel.")
    if not len(clip.samples):
        raise AudioError("The clip is empty.", "Record or export it again.")
    return clip.samples


def cut_at_pauses(
    samples: NDArray[np.float32], longest_seconds: float, *, sample_rate: int = SAMPLE_RATE
) -> list[tuple[int, int]]:
    """Cut shape (T,) into pieces of at most ``longest_seconds``, each at the quietest place of its last two fifths.

    Returns (first, last + 1) sample numbers that cover everything in order, without overlap; one piece, possibly empty,
    for a clip that is short enough. Quiet is the mean log energy of 10 ms frames over ``PAUSE_SECONDS``; of several
    equally quiet places the middle one is taken, so digital silence is halved.

    Raises:
        ValueError: ``longest_seconds`` is under 0.1.
    """
    if longest_seconds < 0.1:
        raise ValueError("a piece must be at least 0.1 s long")
    total, longest, hop = len(samples), int(longest_seconds * sample_rate), sample_rate // 100
    pieces: list[tuple[int, int]] = []
    start = 0
    while total - start > longest:
        # No crumb at the end: it would be too short for a model to hear anything in it.
        first = (start + longest * 3 // 5) // hop
        last = min(start + longest, total - longest // 10) // hop
        # Loudness is worked out where it is needed only, so a long clip costs no more memory than a piece.
        quiet = _loudness(samples, first, last, hop, sample_rate)
        places = np.flatnonzero(quiet == quiet.min())
        cut = (first + int(places[len(places) // 2])) * hop
        pieces.append((start, cut))
        start = cut
    pieces.append((start, total))
    return pieces


def silences(samples: NDArray[np.float32], sample_rate: int = SAMPLE_RATE) -> tuple[tuple[float, float], ...]:
    """(start, end) in seconds of every stretch of at least ``PAUSE_SECONDS`` in which nobody speaks, in order.

    Silence is what lies far below the clip's own speech, so neither a quiet recording nor a noisy room hides it: at a
    quarter of the way (in decibels) from its quietest twentieth to the speech, but at least 12 and at most 30 dB below
    speech. A clip with nothing but digital silence, or quiet and steady as an empty room, is one silence. What it does
    not know: music and babble are not silence; words under the noise are, and so is somebody 20 dB softer than the others
    in a noisy room.

    Args:
        samples: shape (T,); any other shape, and a clip shorter than a pause, has no silences.
    """
    hop = max(1, sample_rate // 100)
    total = len(samples) // hop if samples.ndim == 1 else 0
    if total * hop < PAUSE_SECONDS * sample_rate:
        return ()
    seconds = len(samples) / sample_rate
    block = 6000  # frames, a minute: an hour at once would be half a gigabyte
    levels = 10 * np.concatenate(
        [_loudness(samples, first, min(first + block, total), hop, sample_rate) for first in range(0, total, block)]
    )
    is_room = levels.max() < ROOM_DECIBELS and np.ptp(levels) < STEADY_DECIBELS and seconds >= STEADY_SECONDS
    if is_room or is_silent(samples):
        return ((0.0, seconds),)
    speech, floor = _speech_level(levels), float(np.percentile(levels, 5))
    threshold = min(max(floor + 0.25 * (speech - floor), speech - 30), speech - 12)
    quiet = np.concatenate(([False], levels < threshold, [False]))
    edges = np.flatnonzero(quiet[1:] != quiet[:-1]).reshape(-1, 2)  # first frame, last + 1
    found = [(first * hop / sample_rate, seconds if last == total else last * hop / sample_rate) for first, last in edges]
    return tuple((float(start), float(end)) for start, end in found if end - start >= PAUSE_SECONDS)


def pcm16(samples: NDArray[np.float32]) -> bytes:
    """Shape (T,) as little-endian 16-bit integers, full scale 1 as 32767."""
    return np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def _loudness(samples: NDArray[np.float32], first: int, last: int, hop: int, sample_rate: int) -> NDArray[np.float64]:
    """Mean log energy around each of the frames ``first`` to ``last`` (excluded), shape (last - first,)."""
    reach = int(PAUSE_SECONDS * sample_rate / hop) // 2  # frames on either side
    around = samples[max(0, first - reach) * hop : (last + reach) * hop].astype(np.float64)
    frames = np.square(around[: len(around) // hop * hop]).reshape(-1, hop).mean(axis=1)
    levels = np.log10(frames + 1e-10)
    padded = np.pad(levels, (reach - min(first, reach), last + reach - max(0, first - reach) - len(levels)), mode="edge")
    window = 2 * reach + 1
    sums = np.convolve(padded, np.ones(window) / window, mode="full")[window - 1 : window - 1 + last - first]
    return np.asarray(np.round(sums, 9), dtype=np.float64)  # so that rounding does not choose among equals


def _speech_level(levels: NDArray[np.float64]) -> float:
    """Loudness of speech, in decibels, given that of each frame: the upper quartile of all frames, weighted by amplitude.

    The weight lets a minute of speech in an hour of silence be heard, and keeps a slammed door from passing for speech.
    """
    order = np.sort(levels)
    weights = np.cumsum(10 ** (order / 20))
    return float(order[np.searchsorted(weights, 0.75 * weights[-1])])


def _refuse_if_short(seconds: float) -> None:
    if seconds < SHORTEST_SECONDS:
        raise AudioError(
            f"{length_words(seconds)} of audio is too short to hold a word.",
            f"Give at least {length_words(SHORTEST_SECONDS)}; a word takes about 300 ms.",
        )


def _open_sound(path: Path, max_bytes: int) -> tuple[BinaryIO, int]:
    """Open a regular file; never waits on a pipe or device. Returns the stream and its size in bytes.

    Raises:
        AudioError: there is no such file, it is something else, empty, too large or not ours to read.
    """
    if path.is_dir():  # opening one is refused on Windows with another error
        raise AudioError("This is a folder, not a file.", FORMATS)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        # Unbuffered: libsndfile reads through the descriptor, everything else through the stream, from one place.
        stream = cast(BinaryIO, os.fdopen(os.open(path, flags), "rb", buffering=0))
    except FileNotFoundError as error:
        raise AudioError("There is no such file.", "Check the path.") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise AudioError(f"The file cannot be opened: {reason}.", "Check the path and its permissions.") from error
    status = os.fstat(stream.fileno())
    try:
        if not stat.S_ISREG(status.st_mode):
            raise AudioError("This is a pipe or a device, not a file.", FORMATS)
        if status.st_size == 0:
            raise AudioError("The file is empty.", "Record or export it again.")
        if status.st_size > max_bytes:
            raise AudioError(
                f"The file has {status.st_size / 1e6:.0f} MB; the limit is {max_bytes / 1e6:.0f} MB.",
                "Compress it (Opus, M4A or MP3), trim it, or raise max_file_mb in the settings.",
            )
    except AudioError:
        stream.close()
        raise
    return stream, status.st_size


def _refuse_if_protected(stream: BinaryIO) -> None:
    """Refuse an MP4 file with a protection scheme box ("sinf" holding "schm", ISO 14496-12) near its start or end.

    Before anything is decoded: a decoder takes a few of the encrypted packets for sound. Leaves the stream at its start.
    """
    if stream.read(8)[4:] == b"ftyp":
        for offset, whence in ((0, os.SEEK_SET), (-min(1 << 20, stream.seek(0, os.SEEK_END)), os.SEEK_END)):
            stream.seek(offset, whence)
            part = stream.read(1 << 20)
            if b"sinf" in part and b"schm" in part:
                raise AudioError("The file is copy-protected (encrypted).", "Choose a file without protection.")
    stream.seek(0)


def _refusal(stream: BinaryIO) -> AudioError:
    """The error for a file that nothing could read, by what it looks like."""
    stream.seek(0)
    head = stream.read(4096)
    if (
        head[:4] in {b"RIFF", b"RF64", b"FORM", b"fLaC", b"OggS", b"\x1aE\xdf\xa3"}
        or head[4:8] == b"ftyp"
        or head[:3] == b"ID3"
    ):
        return AudioError(
            "The file begins like sound but is damaged, or cut before the sound begins.", "Record, export or upload it again."
        )
    for magic, kind in ((b"PK\x03\x04", "a ZIP archive or office document"), (b"%PDF", "a PDF"), (b"\x89PNG", "a picture")):
        if head.startswith(magic):
            return AudioError(f"The file is not audio: it is {kind}.", FORMATS)
    if b"\0" not in head and _is_text(head):
        return AudioError("The file is not audio: it is plain text.", FORMATS)
    return AudioError("The file is not audio that can be read.", FORMATS)


def _is_text(head: bytes) -> bool:
    try:
        head[:-4].decode("utf-8")  # the last character may be cut
    except UnicodeDecodeError:
        return False
    return True
