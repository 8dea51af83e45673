"""What networks hear instead of samples, for families whose own feature extractors need torchaudio.

Both give the numbers of the torchaudio functions that those call, without the package.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.base import SAMPLE_RATE

WINDOW_SAMPLES, HOP_SAMPLES, FOURIER_POINTS = 400, 160, 512
"""25 ms every 10 ms, and the next power of two: what both kinds use."""
PREEMPHASIS = 0.97
LOWEST_HERTZ = 20.0
"""Kaldi's defaults for filter banks."""


def log_mel(samples: NDArray[np.float32], bins: int) -> Any:
    """Granite Speech's spectrogram: a power mel spectrogram with HTK's scale, its logarithm within 8 decades of the loudest.

    ``torchaudio.transforms.MelSpectrogram`` and what ``GraniteSpeechFeatureExtractor`` makes of it: two frames in one.

    Args:
        samples: shape (T,), T at least ``WINDOW_SAMPLES``.

    Returns:
        A float32 tensor of shape (1, frames // 2, 2 * bins), 20 ms a frame.
    """
    import torch
    from transformers.audio_utils import mel_filter_bank

    window = torch.hann_window(WINDOW_SAMPLES)
    sound = torch.from_numpy(np.ascontiguousarray(samples, np.float32))
    power = torch.stft(sound, FOURIER_POINTS, HOP_SAMPLES, WINDOW_SAMPLES, window, return_complex=True).abs() ** 2
    bank = mel_filter_bank(FOURIER_POINTS // 2 + 1, bins, 0.0, SAMPLE_RATE / 2, SAMPLE_RATE, norm=None, mel_scale="htk")
    mel = (power.T @ torch.from_numpy(bank).float()).clamp(min=1e-10).log10()
    mel = mel.clamp(min=float(mel.max()) - 8.0) / 4 + 1
    even = len(mel) // 2 * 2
    return mel[:even].reshape(1, even // 2, 2 * bins)


def kaldi_filter_bank(samples: NDArray[np.float32], bins: int) -> Any:
    """Kaldi's log mel filter bank, as ``torchaudio.compliance.kaldi.fbank`` with a Hamming window and no dither.

    Args:
        samples: shape (T,), T at least ``WINDOW_SAMPLES``.

    Returns:
        A float32 tensor of shape (frames, bins), 10 ms a frame.
    """
    import torch
    from transformers.audio_utils import mel_filter_bank

    frames = torch.from_numpy(np.ascontiguousarray(samples, np.float32)).unfold(0, WINDOW_SAMPLES, HOP_SAMPLES)
    frames = frames - frames.mean(dim=1, keepdim=True)
    before = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
    frames = (frames - PREEMPHASIS * before) * torch.hamming_window(WINDOW_SAMPLES, periodic=False)
    power = torch.fft.rfft(frames, FOURIER_POINTS).abs() ** 2
    bank = mel_filter_bank(
        FOURIER_POINTS // 2 + 1,
        bins,
        LOWEST_HERTZ,
        SAMPLE_RATE / 2,
        SAMPLE_RATE,
        norm=None,
        mel_scale="kaldi",
        triangularize_in_mel_space=True,
    )
    return (power @ torch.from_numpy(bank).float()).clamp(min=torch.finfo(torch.float32).eps).log()


def stacked(features: Any, width: int, step: int) -> Any:
    """Low frame rate: each ``step`` frames become one that holds ``width`` of them, centred; the ends are repeated.

    Args:
        features: shape (frames, bins).

    Returns:
        Shape (ceil(frames / step), width * bins).
    """
    count = math.ceil(len(features) / step)
    before = (width - 1) // 2
    places = np.arange(count)[:, None] * step + np.arange(width) - before
    return features[np.clip(places, 0, len(features) - 1)].reshape(count, -1)
