"""A clip's sound, small enough to travel inside a report.

MP3, because every browser plays it, and finds a time in it, without asking what else is installed: Opus in Ogg came to
Safari with version 18.4 alone, and AAC is left to the operating system by Firefox and by builds of Chromium without licensed
codecs. At a constant 32 kbit/s of one channel at 16 kHz, which is all that the systems heard, an hour is 14 MB.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field

import numpy as np

from runners.audio import mono
from runners.base import AudioError, Clip

BITS_PER_SECOND = 32_000
_BLOCK_SECONDS = 30


@dataclass(frozen=True)
class Sound:
    """A whole sound file."""

    media_type: str
    content: bytes = field(repr=False)

    @property
    def address(self) -> str:
        """As a ``data:`` address."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode('ascii')}"


def small(clip: Clip) -> Sound:
    """What the systems heard, as MP3; the same bytes each time.

    Raises:
        AudioError: there is nothing to hear, or MP3 cannot be written here.
    """
    try:
        import av
    except ImportError as error:
        raise AudioError("PyAV, which writes MP3, is not installed.", "pip install av") from error

    samples = (np.clip(mono(clip), -1, 1) * 32767).astype(np.int16)  # (T,)
    block = _BLOCK_SECONDS * clip.sample_rate
    out = io.BytesIO()
    try:
        # No version of the library inside, so that a file depends on nothing but the sound.
        with av.open(out, "w", format="mp3", options={"id3v2_version": "0", "fflags": "+bitexact"}) as file:
            quick = {"compression_level": "7"}  # half the time of the usual 5; of speech, nobody hears the difference
            stream = file.add_stream(
                "libmp3lame", rate=clip.sample_rate, layout="mono", bit_rate=BITS_PER_SECOND, options=quick
            )
            for first in range(0, len(samples), block):
                frame = av.AudioFrame.from_ndarray(samples[None, first : first + block], format="s16p", layout="mono")
                frame.sample_rate = clip.sample_rate
                frame.pts = first
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
    except (av.FFmpegError, ValueError) as error:
        raise AudioError(f"The sound could not be written as MP3: {error}.", "Leave the sound out of the report.") from error
    return Sound("audio/mpeg", out.getvalue())
