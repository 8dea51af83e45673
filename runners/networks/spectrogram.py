"""Mel spectrograms as torchaudio makes them, for families whose own code wants torchaudio for nothing else.

PyPI's torchaudio loads only beside the build of PyTorch that it was made for, and the CPU builds have none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.base import SAMPLE_RATE


def mel_power(samples: Any, *, n_fft: int, win_length: int, hop_length: int, n_mels: int) -> Any:
    """The power in each mel band, as ``torchaudio.transforms.MelSpectrogram`` gives it with its other settings left alone.

    Args:
        samples: a tensor of shape (T,), float32, 16 kHz, longer than half of ``n_fft``.

    Returns:
        A tensor of shape (n_mels, 1 + T // hop_length). Bands are triangles in hertz on the HTK mel scale, not normalised;
        windows are Hann's, centred, over a signal that is mirrored at its ends.
    """
    import torch
    from transformers.audio_utils import mel_filter_bank

    window = torch.hann_window(win_length, device=samples.device)
    spectrum = torch.stft(
        samples, n_fft, hop_length, win_length, window, center=True, pad_mode="reflect", return_complex=True
    )  # (n_fft // 2 + 1, frames)
    bands = mel_filter_bank(n_fft // 2 + 1, n_mels, 0.0, SAMPLE_RATE / 2, SAMPLE_RATE, norm=None, mel_scale="htk")
    weights = torch.from_numpy(bands).to(device=samples.device, dtype=torch.float32)  # (n_fft // 2 + 1, n_mels)
    return (spectrum.abs().square().transpose(0, 1) @ weights).transpose(0, 1)


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
        self.hop_length = int(settings.get("hop_length", 160))
        self._n_fft = int(settings.get("n_fft", 512))
        self._win_length = int(settings.get("win_length", 400))
        self._n_mels = int(settings.get("num_mel_bins", 80))
        self._floor = float(settings.get("logmel_floor_db", 8.0))
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
        power = mel_power(
            heard, n_fft=self._n_fft, win_length=self._win_length, hop_length=self.hop_length, n_mels=self._n_mels
        )[:, : rows * self.frame_stacking]
        levels = power.clamp(min=1e-10).log10()
        levels = torch.maximum(levels, levels.amax() - self._floor) / 4 + 1
        wide = torch.nn.functional.pad(levels[None], (1, 1), mode="replicate")[0]
        slopes = (wide[:, 2:] - wide[:, :-2]) / 2  # the line through three frames that fits best
        features = torch.cat((levels, slopes)).transpose(0, 1).reshape(1, rows, -1)
        return {"input_features": features, "attention_mask": torch.ones(1, rows, dtype=torch.long)}
