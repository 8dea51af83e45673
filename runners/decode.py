"""From a file somebody gave us to mono float32 at 16 kHz: block by block, within limits of length, memory and time.

libsndfile reads what it can (WAV, AIFF, FLAC, Ogg ...), libav the rest and whatever is damaged. The file is hostile
until proven otherwise: neither its name nor its header is believed, it may refer to no other file, and it is refused
when it unpacks to far more than its size or too slowly.

This module does not know what a clip is (``runners.audio``).
"""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from runners.base import SAMPLE_RATE, AudioError

LOWEST_RATE, HIGHEST_RATE = 2_000, 768_000
"""Hertz. Below, speech is gone (a voice needs some 300 Hz to 1 kHz at least); above, no recorder exists."""
MOST_CHANNELS = 64
BLOCK_SAMPLES = 1 << 18
"""Frames times channels that are held at once."""
GRACE_SECONDS, SLOWEST_SPEED = 4.0, 4.0
"""After the grace, decoding must keep up this many times real time; formats in use run at 50 or more."""
BOMB_SAMPLES, BOMB_RATIO = 50_000_000, 250
"""A file is a bomb once it has unpacked to more samples than the first, and to more than the second from each byte read.
The thinnest codecs in use stay under 130 (Opus at 6 kbit/s, counted as 48 kHz stereo); FLAC of plain silence reaches
300 to 35 000, but nobody needs ten minutes of that."""
PLAUSIBLE_BYTES_PER_SECOND = 200
"""Sound in use takes more (the thinnest speech codec, Codec 2, some 90 to 400; Opus and MP3 1000 and up), so a header that
announces a length beyond this is not believed."""
LOUDEST = 4.0
"""Full scale is 1. Lossy codecs overshoot a little; beyond this the samples were written on another scale."""
NONSENSE = 1e9
"""Float samples beyond this are damage, like NaN."""
_MOST_READ_ERRORS = 100
_CONTAINERS = (
    "wav,w64,aiff,au,caf,flac,mp3,ogg,mov,matroska,aac,ac3,eac3,adts,amr,amrnb,amrwb,asf,avi,flv,mpegts,mpeg,dts,truehd,"
    "tta,wv,ape,tak,mpc,mpc8,voc,gsm,nut,rm,webm,3gp,dsf,iff,spx,opus"
)
"""The demuxers libav may use. Playlists (HLS, concat, DASH, SDP) are left out: they make it open other files or addresses."""


@dataclass(frozen=True)
class Sound:
    """What was in a file."""

    samples: NDArray[np.float32]
    """Shape (T,), mono, ``SAMPLE_RATE``."""
    seconds: float
    """Length at the file's own rate."""
    rate: int | None
    """Hertz, of the file; the first where it changes midway."""
    channels: int | None
    """Of the file; the first where they change midway."""
    warnings: tuple[str, ...]


def length_words(seconds: float) -> str:
    """A length as people say it: "30 ms", "3.0 s", "12 min", "1 h 30 min", "24 h"."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def clock(seconds: float) -> str:
    """A length, or a place in a clip, as players show it: 7.2 -> "0:07", 83.2 -> "1:23", 3723 -> "1:02:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def too_long(seconds: float | None, max_seconds: float) -> AudioError:
    length = "longer than that" if seconds is None else length_words(seconds)
    return AudioError(
        f"The limit is {length_words(max_seconds)} of audio; this is {length}.",
        "Trim the clip, or raise max_clip_seconds in the settings.",
    )


def read_sound(stream: BinaryIO, size: int, max_seconds: float) -> Sound:
    """Decode an open file of ``size`` bytes.

    Raises:
        Unreadable: nothing in it can be decoded.
        AudioError: it holds no usable sound, or more than ``max_seconds`` of it.
    """
    clock = _Clock()
    first = _Mixdown(stream, max_seconds, clock)
    fault, announced = _read_with_soundfile(stream, size, first)
    if fault is None:
        return first.sound()
    stream.seek(0)
    second = _Mixdown(stream, max_seconds, clock)
    try:
        _read_with_libav(stream, size, second, announced)
    except Unreadable:
        if not first.frames:
            raise
    # Both may have stumbled over the same damage: keep the one that came further.
    if first.seconds > second.seconds:
        first.warnings.append(f"The file is damaged after {length_words(first.seconds)}; the rest was left out.")
        return first.sound()
    if first.frames and not second.warnings:
        second.warnings.append(f"The file is damaged after {length_words(first.seconds)}, so words may be missing there.")
    return second.sound()


class Unreadable(Exception):
    """No library finds sound in the file."""


class _Clock:
    """Notices a file that takes too long for what comes out of it."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def check(self, decoded_seconds: float) -> None:
        """Raise AudioError if decoding has fallen behind."""
        spent = time.monotonic() - self._start
        if spent > GRACE_SECONDS + decoded_seconds / SLOWEST_SPEED:
            raise AudioError(
                f"The file takes too long to decode: {length_words(decoded_seconds)} of sound in {length_words(spent)}.",
                "It may be damaged. Convert it to WAV or FLAC first.",
            )


class _Mixdown:
    """Takes blocks of any rate and number of channels; keeps them as mono at ``SAMPLE_RATE``."""

    def __init__(self, stream: BinaryIO, max_seconds: float, clock: _Clock) -> None:
        self.warnings: list[str] = []
        self.rate: int | None = None
        self.channels: int | None = None
        self.seconds = 0.0
        self.frames = 0
        self.clock = clock
        self.max_seconds = max_seconds
        self._descriptor = stream.fileno()
        self._samples = array("f")  # grows in place, so the peak stays near the clip's own size
        self._unpacked = 0
        self._nonsense = 0
        self._rate: int | None = None
        self._frames_at_rate = 0
        self._seconds_before = 0.0
        self._resampler: Any = None

    def begin(self, rate: int, channels: int) -> None:
        """Look at what the header says before anything is decoded."""
        if not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise AudioError(
                f"The file announces {rate} samples a second; speech has {LOWEST_RATE} to {HIGHEST_RATE}.",
                "The header is damaged, or this is not sound. Record or export it again.",
            )
        if not 1 <= channels <= MOST_CHANNELS:
            raise AudioError(
                f"The file announces {channels} channels; 1 to {MOST_CHANNELS} are understood.",
                "Mix it down to one or two channels first.",
            )

    def add(self, block: NDArray[np.float32], rate: int) -> None:
        """Take one block, shape (frames, channels), at ``rate`` hertz."""
        frames, channels = block.shape
        if rate != self._rate:  # once, but damage and joined streams can change it midway
            self.begin(rate, channels)
            self._flush()
            if self.rate is None:
                self.rate, self.channels = rate, channels
            self._rate, self._frames_at_rate, self._seconds_before = rate, 0, self.seconds
            if rate != SAMPLE_RATE:
                import soxr

                self._resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
        self.frames += frames
        self._frames_at_rate += frames
        self.seconds = self._seconds_before + self._frames_at_rate / rate  # no sum of rounded parts
        self._unpacked += frames * channels
        if self.seconds > self.max_seconds:
            raise too_long(None, self.max_seconds)
        if self._unpacked > BOMB_SAMPLES and self._unpacked > BOMB_RATIO * self._position():
            raise AudioError(
                f"The file unpacks to more than {2 * BOMB_RATIO} times its size: it holds nothing but silence, or is a trap.",
                "Trim it, or convert it to WAV and look whether there is anything in it.",
            )
        self.clock.check(self.seconds)
        if not float(np.abs(block).max(initial=0)) <= NONSENSE:  # NaN compares false
            nonsense = ~(np.abs(block) <= NONSENSE)
            self._nonsense += int(nonsense.sum())
            block = np.where(nonsense, np.float32(0), block)
        # A product with equal weights is the mean, several times faster than numpy's.
        self._keep(block[:, 0] if channels == 1 else block @ np.full(channels, 1 / channels, np.float32), last=False)

    def sound(self) -> Sound:
        """Everything taken so far.

        Raises:
            AudioError: most of it is not numbers.
        """
        self._flush()
        warnings = list(self.warnings)
        if 2 * self._nonsense > self._unpacked:
            raise AudioError("Most samples are not numbers (NaN or infinite).", "Export it again, as 16-bit WAV.")
        if self._nonsense:
            count = "1 sample is not a number" if self._nonsense == 1 else f"{self._nonsense} samples are not numbers"
            warnings.append(f"{count} (NaN or infinite) and became silence.")
        samples = np.frombuffer(self._samples, dtype=np.float32) if self._samples else np.zeros(0, np.float32)
        peak = max(float(samples.max(initial=0)), -float(samples.min(initial=0)))
        if peak > LOUDEST:
            samples *= 1 / peak
            warnings.append(f"The samples reach {peak:.0f} times full scale; the clip was scaled down to fit.")
        return Sound(samples, self.seconds, self.rate, self.channels, tuple(warnings))

    def _position(self) -> int:
        """Bytes of the file read so far, whoever reads it."""
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def _keep(self, mono: NDArray[np.float32], *, last: bool) -> None:
        if self._resampler is not None:
            mono = self._resampler.resample_chunk(np.ascontiguousarray(mono), last=last)
        self._samples.frombytes(np.ascontiguousarray(mono, dtype=np.float32).tobytes())

    def _flush(self) -> None:
        if self._resampler is not None:
            self._keep(np.zeros(0, np.float32), last=True)
            self._resampler = None


def _warn_if_short(mix: _Mixdown, announced_seconds: float | None, slack_seconds: float) -> None:
    if announced_seconds is not None and mix.seconds < announced_seconds - slack_seconds:
        mix.warnings.append(
            f"The file gives {length_words(mix.seconds)} of sound; its header announces {length_words(announced_seconds)}."
        )


def _refuse_if_long(mix: _Mixdown, announced_seconds: float | None, size: int) -> None:
    """Refuse what is really too long at once; an unbelievable header only counts once that much was decoded."""
    if announced_seconds and announced_seconds > mix.max_seconds and size / announced_seconds > PLAUSIBLE_BYTES_PER_SECOND:
        raise too_long(announced_seconds, mix.max_seconds)


def _read_with_soundfile(stream: BinaryIO, size: int, mix: _Mixdown) -> tuple[str | None, float | None]:
    """Read all that libsndfile can. Returns what it stumbled over, None if nothing, and the announced seconds if known."""
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the package is there, its library is not
        return str(error), None
    try:
        # By descriptor, so that a name such as "clip.raw" cannot make it skip looking at the header.
        with soundfile.SoundFile(stream.fileno(), closefd=False) as file:
            rate, channels = int(file.samplerate), int(file.channels)
            mix.begin(rate, channels)
            has_length = file.seekable() and 0 < file.frames < 1 << 60
            announced = file.frames / rate if has_length else None
            _refuse_if_long(mix, announced, size)
            if file.format == "MP3":  # its decoder writes to standard error at every flaw, and gives up at a bad one
                return "MP3 is left to libav", announced
            block_frames = max(1024, BLOCK_SAMPLES // channels)
            while len(block := file.read(block_frames, dtype="float32", always_2d=True)):
                mix.add(block, rate)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError) as error:
        return str(error), None
    if not mix.frames:
        raise AudioError("The file has a header but no sound.", "Record or export it again.")
    if file.format in {"WAV", "WAVEX", "RF64", "AIFF"}:  # libsndfile cuts their announced length to the file's
        announced = _announced_seconds(stream, size)
    _warn_if_short(mix, announced, 0.05)
    return None, announced


def _announced_seconds(stream: BinaryIO, size: int) -> float | None:
    """Length that the header of a WAV or AIFF file claims, however much is there; None if it claims none.

    Chunks as in the RIFF and IFF specifications: name, 32-bit size, content, padded to even.
    """
    stream.seek(0)
    magic = stream.read(12)
    order: Any = "little" if magic[:4] in {b"RIFF", b"RF64"} else "big"
    rate_bytes = 0
    for _ in range(64):
        header = stream.read(8)
        if len(header) < 8:
            return None
        length = int.from_bytes(header[4:], order)
        if header[:4] == b"fmt ":
            content = stream.read(16)
            rate_bytes = int.from_bytes(content[8:12], "little")
            stream.seek(length - len(content) + length % 2, os.SEEK_CUR)
        elif header[:4] == b"COMM":
            content = stream.read(18)
            # The rate is an 80-bit float: exponent biased by 16383, then a 64-bit mantissa with its leading 1.
            exponent, mantissa = int.from_bytes(content[8:10], "big"), int.from_bytes(content[10:18], "big")
            rate = mantissa * 2.0 ** (exponent - 16383 - 63)
            return int.from_bytes(content[2:6], "big") / rate if rate else None
        elif header[:4] == b"data":
            # All ones, or nothing, is what a recorder writes that does not know the length yet.
            unknown = length in {0, 0xFFFFFFFF, 0x7FFFFFFF} or magic[:4] == b"RF64"
            return None if unknown or not rate_bytes else length / rate_bytes
        else:
            stream.seek(length + length % 2, os.SEEK_CUR)
        if stream.tell() >= size:
            return None
    return None


class _WatchedStream:
    """The file as libav reads it; ends a search through garbage that finds nothing."""

    def __init__(self, stream: BinaryIO, mix: _Mixdown) -> None:
        self._stream = stream
        self._mix = mix

    def read(self, size: int) -> bytes:
        self._mix.clock.check(self._mix.seconds)
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _read_with_libav(stream: BinaryIO, size: int, mix: _Mixdown, announced_seconds: float | None) -> None:
    """Read all that libav can, going on after damaged packets.

    Raises:
        Unreadable: it finds no sound.
    """
    try:
        import av
    except ImportError as error:
        raise AudioError("PyAV, which reads this kind of file, is not installed.", "pip install av") from error

    watched = _WatchedStream(stream, mix)
    try:
        container = av.open(
            watched, mode="r", metadata_errors="ignore", buffer_size=1 << 18, options={"format_whitelist": _CONTAINERS}
        )
    except AudioError:
        raise
    except (av.FFmpegError, ValueError, OSError, RuntimeError) as error:
        raise Unreadable(str(error)) from error
    with container:
        if not container.streams.audio:
            if container.streams.video:
                raise AudioError("The video has no sound track.", "Choose a file with sound.")
            raise Unreadable("no audio stream")
        track = container.streams.best("audio") or container.streams.audio[0]
        codec = track.codec_context
        if codec is None:
            raise AudioError("Its sound is in a codec that nothing here can decode.", "Convert it to WAV or FLAC first.")
        seconds = announced_seconds or _track_seconds(container, track)
        _refuse_if_long(mix, seconds, size)
        damaged = at_end = 0
        for frame in _frames(container, track):
            block = None if frame is None else _block(frame)
            if block is None:
                at_end += 1
                mix.clock.check(mix.seconds)
            else:
                damaged, at_end = damaged + at_end, 0
                mix.add(block, frame.sample_rate)
        if not mix.frames:
            raise Unreadable("nothing could be decoded")
        if damaged:  # what is broken at the very end is a file cut short
            pieces = "A damaged piece was" if damaged == 1 else f"{damaged} damaged pieces were"
            mix.warnings.append(f"{pieces} left out, so words may be missing.")
        if seconds is not None:  # containers round their length, and codecs drop a little at both ends
            _warn_if_short(mix, seconds, max(0.5, 0.02 * seconds))


def _track_seconds(container: Any, track: Any) -> float | None:
    """Announced length of the sound track, None if the format only estimates it from the bit rate."""
    if container.format.name in {"mp3", "aac", "ac3", "eac3", "dts", "amr", "flv", "mpegts", "mpeg"}:
        return None
    if track.duration:
        return float(track.duration * track.time_base)
    # The container's length may be the picture's.
    return container.duration / 1e6 if container.duration and not container.streams.video else None


def _frames(container: Any, track: Any) -> Iterator[Any]:
    """Decoded frames in order; None in place of each packet that could not be read or decoded."""
    import av

    for _ in range(_MOST_READ_ERRORS):
        packets = container.demux(track)
        try:
            for packet in packets:
                try:
                    frames = packet.decode()
                except EOFError:
                    return
                except AudioError:
                    raise
                except (av.FFmpegError, ValueError):
                    yield None
                    continue
                yield from frames
            return
        except AudioError:
            raise
        except EOFError:
            return
        except av.FFmpegError:  # the container itself; read on behind it
            yield None


def _block(frame: Any) -> NDArray[np.float32] | None:
    """Samples of a decoded frame, shape (frames, channels), full scale 1; None for a depth that numpy lacks."""
    try:
        raw = frame.to_ndarray()  # (channels, frames) if planar, else (1, frames * channels)
    except ValueError:
        return None
    block = raw.T if frame.format.is_planar else raw.reshape(-1, frame.layout.nb_channels)
    if block.dtype == np.uint8:
        return (block.astype(np.float32) - 128) / 128
    if np.issubdtype(block.dtype, np.integer):
        return block.astype(np.float32) / np.float32(-float(np.iinfo(block.dtype).min))
    return block.astype(np.float32)
