"""What networks hear instead of samples, for families whose own feature extractors need torchaudio.

The numbers are those of the torchaudio functions that they call. PyPI's torchaudio loads only beside the build of PyTorch that
it was made for, and the CPU builds have none.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.base import SAMPLE_RATE

WINDOW_SAMPLES, HOP_SAMPLES, FOURIER_POINTS = 400, 160, 512
"""25 ms every 10 ms, and the next power of two: what all of these use."""
FLOOR_DECADES = 8.0
"""What is quieter than the loudest by more is raised to that: Granite Speech's own setting."""
PREEMPHASIS = 0.97
LOWEST_HERTZ = 20.0
"""Kaldi's defaults for filter banks."""


def mel_power(
    samples: Any, bins: int, *, points: int = FOURIER_POINTS, window: int = WINDOW_SAMPLES, hop: int = HOP_SAMPLES
) -> Any:
    """The power in each mel band, as ``torchaudio.transforms.MelSpectrogram`` gives it with its other settings left alone.

    Args:
        samples: a tensor of shape (T,), float32, 16 kHz, longer than half of ``points``.

    Returns:
        A tensor of shape (bins, 1 + T // hop). Bands are triangles in hertz on the HTK mel scale, not normalised;
        windows are Hann's, centred, over a signal that is mirrored at its ends.
    """
    import torch
    from transformers.audio_utils import mel_filter_bank

    weighed = torch.hann_window(window, device=samples.device)
    spectrum = torch.stft(
        samples, points, hop, window, weighed, center=True, pad_mode="reflect", return_complex=True
    )  # (points // 2 + 1, frames)
    bands = mel_filter_bank(points // 2 + 1, bins, 0.0, SAMPLE_RATE / 2, SAMPLE_RATE, norm=None, mel_scale="htk")
    weights = torch.from_numpy(bands).to(device=samples.device, dtype=torch.float32)  # (points // 2 + 1, bins)
    return (spectrum.abs().square().transpose(0, 1) @ weights).transpose(0, 1)


def levels(power: Any, floor_decades: float = FLOOR_DECADES) -> Any:
    """Decades of power, within some of the loudest and at most 1 or so; any shape."""
    import torch

    found = power.clamp(min=1e-10).log10()
    return torch.maximum(found, found.amax() - floor_decades) / 4 + 1


def log_mel(samples: NDArray[np.float32], bins: int) -> Any:
    """What Granite Speech hears, as its ``GraniteSpeechFeatureExtractor`` makes it: two frames in one.

    Args:
        samples: shape (T,), T at least ``WINDOW_SAMPLES``.

    Returns:
        A float32 tensor of shape (1, frames // 2, 2 * bins), 20 ms a frame.
    """
    import torch

    found = levels(mel_power(torch.from_numpy(np.ascontiguousarray(samples, np.float32)), bins)).transpose(0, 1)
    even = len(found) // 2 * 2
    return found[:even].reshape(1, even // 2, 2 * bins)


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


class GraniteSpectrogram:
    """What Granite Speech 5 hears: log-mel frames with their slopes, two frames stacked; computed on the CPU.

    Follows transformers' ``GraniteSpeech5FeatureExtractor``, for one clip at a time.
    """

    model_input_names = ("input_features", "attention_mask")
    frame_stacking = 2

    def __init__(self, settings: dict[str, Any]) -> None:
        """Take what ``preprocessor_config.json`` says; what it leaves out is as in the family's own class.

        Raises:
            ValueError: a setting is no number, or slopes over other than three frames are asked for.
        """
        self.sampling_rate = int(settings.get("sampling_rate", SAMPLE_RATE))
        self.hop_length = int(settings.get("hop_length", HOP_SAMPLES))
        self._points = int(settings.get("n_fft", FOURIER_POINTS))
        self._window = int(settings.get("win_length", WINDOW_SAMPLES))
        self._bins = int(settings.get("num_mel_bins", 80))
        self._floor = float(settings.get("logmel_floor_db", FLOOR_DECADES))
        if int(settings.get("delta_win_length", 3)) != 3:
            raise ValueError("slopes over other than three frames are not known here")

    @classmethod
    def read(cls, folder: Path) -> GraniteSpectrogram:
        """Build from the folder of a checkpoint.

        Raises:
            OSError: a file cannot be read.
            ValueError: it is no JSON, or its settings are odd.
        """
        path = folder / "preprocessor_config.json"
        if path.is_file():
            settings = json.loads(path.read_text(encoding="utf-8"))
        else:
            settings = json.loads((folder / "processor_config.json").read_text(encoding="utf-8")).get("feature_extractor", {})
        if not isinstance(settings, dict):
            raise ValueError("the settings of its feature extractor are not a table")
        return cls(settings)

    def __call__(self, samples: NDArray[np.float32], **_: Any) -> dict[str, Any]:
        """Return ``input_features`` of shape (1, F, 4 * mel bands) and ``attention_mask`` of shape (1, F); samples (T,)."""
        import torch

        frames = len(samples) // self.hop_length
        rows = -(-frames // self.frame_stacking)
        wanted = (rows * self.frame_stacking - 1) * self.hop_length + 1
        heard = torch.from_numpy(np.pad(samples.astype(np.float32), (0, max(0, wanted - len(samples)))))
        power = mel_power(heard, self._bins, points=self._points, window=self._window, hop=self.hop_length)
        found = levels(power[:, : rows * self.frame_stacking], self._floor)
        wide = torch.nn.functional.pad(found[None], (1, 1), mode="replicate")[0]
        slopes = (wide[:, 2:] - wide[:, :-2]) / 2  # the line through three frames that fits best
        features = torch.cat((found, slopes)).transpose(0, 1).reshape(1, rows, -1)
        return {"input_features": features, "attention_mask": torch.ones(1, rows, dtype=torch.long)}
