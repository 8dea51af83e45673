"""The audio of kept clips: FLAC with 16 bits as the systems heard it, one file for each sound.

A sound is named by the SHA-256 of its samples as 16-bit numbers: a clip that was kept, and is heard from the history again,
is the same sound as before. A file gets its name only when it is whole and on the disk.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runners.base import SAMPLE_RATE, Clip

FOLDER = "sounds"
HALF = ".part"
"""Ending of files that are being written."""
STALE_SECONDS = 3600.0
"""A half file so old is nobody's any more."""


def pcm(clip: Clip) -> NDArray[np.int16]:
    """The samples of a clip, shape (T,), as a file of 16 bits has them; what is louder than it can be is cut off."""
    return np.clip(np.rint(clip.samples * np.float32(32768)), -32768, 32767).astype("<i2")


def name_of(samples: NDArray[np.int16]) -> str:
    """What a sound is called: SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(samples.tobytes()).hexdigest()


class Sounds:
    """The folder of the audio files. Whether a file is still needed is for whoever keeps the rows to say."""

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            OSError: the folder cannot be made.
        """
        self._folder = folder / FOLDER
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def path(self, name: str) -> Path:
        """Where the audio of a sound is, if it is kept."""
        return self._folder / f"{name}.flac"

    def written(self, samples: NDArray[np.int16]) -> Path:
        """A whole file that has no name yet, on the disk; ``place`` gives it one, or it is left and swept away later.

        Raises:
            OSError: it cannot be written.
        """
        import soundfile

        encoded = io.BytesIO()  # not into the file: its library may leave out what a full disk does not take, and say nothing
        soundfile.write(encoded, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        number, half = tempfile.mkstemp(suffix=HALF, dir=self._folder)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(encoded.getbuffer())
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            Path(half).unlink(missing_ok=True)
            raise
        return Path(half)

    def place(self, half: Path, name: str) -> int:
        """Give a written file its name for good; how many bytes it has.

        Raises:
            OSError: it cannot be done.
        """
        target = self.path(name)
        half.replace(target)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name too
        finally:
            os.close(folder)
        return target.stat().st_size

    def read(self, name: str) -> NDArray[np.float32]:
        """The samples of a kept sound, shape (T,), as systems hear them.

        Raises:
            OSError: it is not there, or cannot be read.
        """
        import soundfile

        try:
            samples, _ = soundfile.read(self.path(name), dtype="float32")
        except soundfile.SoundFileError as error:
            raise OSError(None, "the audio is not there, or cannot be read", str(self.path(name))) from error
        return np.asarray(samples, np.float32)

    def names(self) -> Iterator[str]:
        """The sounds of which there is audio."""
        return (path.stem for path in self._folder.glob("*.flac"))

    def drop(self, name: str) -> None:
        """Delete the audio of a sound, if there is some.

        Raises:
            OSError: it cannot be deleted.
        """
        self.path(name).unlink(missing_ok=True)

    def drop_halves(self) -> None:
        """Delete what was being written when somebody pulled the plug.

        Raises:
            OSError: the folder cannot be looked through.
        """
        for half in self._folder.glob(f"*{HALF}"):
            try:
                if half.stat().st_mtime < time.time() - STALE_SECONDS:
                    half.unlink()
            except FileNotFoundError:  # whoever wrote it is done
                continue
