"""Sounds that are computed: a voice, silence, a tone."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from runners.base import SAMPLE_RATE, Clip


def babble(seconds: float, seed: int = 0) -> Clip:
    """A clip that voice activity detection takes for speech: a buzzing voice with vowels, syllables and some breath."""
    from scipy.signal import lfilter

    count = round(seconds * SAMPLE_RATE)
    time = np.arange(count) / SAMPLE_RATE
    random = np.random.default_rng(seed)
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.7 * time)  # Hz
    phase = np.cumsum(pitch) / SAMPLE_RATE
    voice = np.diff(np.floor(phase), prepend=0.0) + random.normal(0, 0.01, count)
    for frequency, width in ((700, 90), (1200, 110), (2600, 160)):  # formants of an "a", Hz
        radius = np.exp(-np.pi * width / SAMPLE_RATE)
        voice = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * frequency / SAMPLE_RATE), radius**2], voice)
    voice *= np.clip(np.sin(2 * np.pi * 2 * time), 0, None)  # two syllables a second, in pairs
    loudest = np.abs(voice).max() if count else 1.0
    return Clip((voice / max(loudest, 1e-9) * 0.5).astype(np.float32), seconds, "babble.wav")


def silence(seconds: float) -> Clip:
    return Clip(np.zeros(round(seconds * SAMPLE_RATE), np.float32), seconds, "silence.wav")


def tone(path: Path, seconds: float = 1.0) -> Path:
    """A WAV file that is not silent."""
    count = round(SAMPLE_RATE * seconds)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((np.arange(count) * 400 % 16_000 - 8_000).astype("<i2").tobytes())
    return path


def pausing(seconds: int, at: tuple[int, ...]) -> Clip:
    """A clip that is silent for half a second around each of the given seconds."""
    clip = babble(seconds)
    for second in at:
        clip.samples[second * SAMPLE_RATE - 4000 : second * SAMPLE_RATE + 4000] = 0
    return clip
