"""A loaded network that hears and talks, with its family's wire format: what is the same in every family of audio chat."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.audio import cut_at_pauses
from runners.base import SAMPLE_RATE, ModelLoadError, Placement, Progress, Turn
from runners.networks import checkpoint
from runners.networks.generation import Network, Sound, Wire
from runners.networks.languages import language_name

Samples = NDArray[np.float32]
WINDOWS_AT_ONCE = 4
"""An encoder of Whisper's size takes half a gigabyte for so many windows of 30 s in float32; for half an hour, eight."""
SHORTEST_SAMPLES = 1600
"""0.1 s: a shorter piece is filled up with silence, since encoders that halve their frames some times have none left."""


@dataclass(frozen=True)
class Hearing:
    """A network with what has to be known to have it transcribe, follow a prompt and talk."""

    network: Network
    wire: Callable[[Samples | None, Sequence[Turn]], Wire]
    """A conversation in the model's own format, the audio in its first turn."""
    request: Callable[[Samples, str | None], Wire]
    """What asks for a plain transcript, the family's own way, of speech in a language (ISO 639-1) or of any."""
    longest_transcribed_seconds: float
    """Of a piece that is transcribed by itself."""
    longest_prompt_seconds: float
    """Of the audio in one prompt."""
    cleaned: Callable[[str], str] = str
    """Takes out of a plain transcript what the family frames it with."""


@dataclass(frozen=True)
class Parts:
    """What a checkpoint is loaded into."""

    model: Any
    tokenizer: Any
    extractor: Any


def load(
    weights: Path,
    placement: Placement,
    progress: Progress,
    *,
    model: Any,
    extractor: Any,
    tokenizer: Callable[[Path], Any] | None = None,
) -> Parts:
    """Load a checkpoint with transformers' classes ``model`` and ``extractor``; ``tokenizer`` where it is no usual one.

    Raises:
        ModelLoadError: it is damaged or incomplete.
        OutOfMemory: the model does not fit.
    """
    checkpoint.require_extractor(weights)
    progress.check()
    from transformers import AutoTokenizer

    with checkpoint.loading(weights):
        words = (
            tokenizer(weights)
            if tokenizer is not None
            else AutoTokenizer.from_pretrained(weights, local_files_only=True, trust_remote_code=False)
        )
    ears = checkpoint.load_extractor(weights, extractor)
    progress.check()
    network = checkpoint.load_model(model, weights, placement)
    if not _keeps_last(network):
        network.lm_head.register_forward_pre_hook(lambda _, hidden: (hidden[0][:, -1:],))
    return Parts(network, words, ears)


def _keeps_last(model: Any) -> bool:
    """Whether it can be told that logits of the last place are all that an answer needs: vocabularies are large.

    Layers that share others' keys, as half of Gemma 4's do, then leave out all places of a prompt but that one.
    """
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def network(parts: Parts, weights: Path, audio_token: int, *, ends: Sequence[str], silent: Sequence[str]) -> Network:
    """Describe a loaded model.

    Args:
        audio_token: id of what stands for audio, which the tokenizer has to know.
        ends: tokens that end an answer, besides those that the checkpoint names.
        silent: tokens that may never be answered, such as other placeholders; those it does not have are no error.

    Raises:
        ModelLoadError: the tokenizer is not the model's.
    """
    known = parts.tokenizer.get_vocab()
    if parts.tokenizer.convert_ids_to_tokens(audio_token) is None or audio_token not in known.values():
        raise ModelLoadError(
            f"{weights} does not fit together: its tokenizer does not know the token that stands for audio ({audio_token}).",
            "Fetch the checkpoint's own tokenizer files beside its weights.",
        )
    model = parts.model
    text = model.config.get_text_config()
    named = [model.generation_config.eos_token_id, text.eos_token_id, parts.tokenizer.eos_token_id]
    stops = {each for entry in named for each in (entry if isinstance(entry, list) else [entry]) if each is not None}
    stops |= {known[name] for name in ends if name in known}
    return Network(
        model=model,
        tokenizer=parts.tokenizer,
        audio_token=audio_token,
        stop_ids=frozenset(stops),
        silent_ids=frozenset(known[name] for name in silent if name in known),
        context_tokens=int(text.max_position_embeddings),
        forward_options={"logits_to_keep": 1} if _keeps_last(model) else {},
    )


def require_shape(weights: Path, extractor: Any, bins: int, frames: int | None = None) -> None:
    """Refuse a feature extractor that makes something else than the model's encoder hears.

    Raises:
        ModelLoadError: its mel bins, or the frames of its window, are not the encoder's.
    """
    made = extractor.feature_size, getattr(extractor, "nb_max_frames", None) if frames is not None else None
    if made != (bins, frames):
        raise ModelLoadError(
            f"{weights} does not fit together: its feature extractor makes {_shape(*made)} numbers a window, "
            f"its model hears {_shape(bins, frames)}.",
            "Fetch the checkpoint's own preprocessor_config.json.",
        )


def windows(samples: Samples, longest_seconds: float) -> list[Samples]:
    """Cut shape (T,) at pauses into windows that an encoder hears at once, none too short for it."""
    pieces = [samples[begin:end] for begin, end in cut_at_pauses(samples, longest_seconds)]
    return [np.pad(piece, (0, max(0, SHORTEST_SAMPLES - len(piece)))) for piece in pieces]


def sound(model: Any, pieces: Sequence[Samples], tokens: int, inputs: Callable[[Progress], Mapping[str, Any]]) -> Sound:
    """Audio of a prompt: ``pieces`` name it, ``tokens`` stand for it, ``inputs`` makes its features when they are needed."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(len(piece).to_bytes(8, "little"))
        digest.update(np.ascontiguousarray(piece).data)
    return Sound(digest.hexdigest(), tokens, lambda progress: beside(model, inputs(progress)))


def by_groups(forward: Callable[..., Any], features: Any, **rest: Any) -> Any:
    """An encoder over ``features`` (windows, …), some windows at a time: they know nothing of each other.

    ``forward`` is the encoder's own; what in ``rest`` has a row a window is cut with them.
    """
    import torch

    made = []
    for first in range(0, len(features), WINDOWS_AT_ONCE):
        some = slice(first, first + WINDOWS_AT_ONCE)
        cut = {name: value[some] if isinstance(value, torch.Tensor) else value for name, value in rest.items()}
        made.append(forward(features[some], **cut))
    whole = made[0]
    if len(made) > 1:
        whole.last_hidden_state = torch.cat([each.last_hidden_state for each in made])
    return whole


def beside(model: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Features where the audio encoder is, numbers as precise as its own: not every encoder moves them itself."""
    weight = next(part for part in model.model.audio_tower.parameters() if part.dim() > 1)
    device = "cpu" if weight.device.type == "meta" else weight.device  # accelerate keeps it elsewhere, and moves what comes in
    return {
        name: part.to(device, weight.dtype) if part.is_floating_point() else part.to(device) for name, part in inputs.items()
    }


def asked(wording: str, worded: str, language: str | None) -> str:
    """How a plain transcript is asked for; ``worded`` has a place for the language's name."""
    return wording if language is None else worded.format(language_name(language))


def extracted(extractor: Any, piece: Samples, **options: Any) -> Any:
    """What a feature extractor makes of one window, as tensors with a batch of one."""
    return extractor(piece, sampling_rate=SAMPLE_RATE, return_tensors="pt", **options)


def stacked(tensors: Sequence[Any]) -> Any:
    """Tensors of shape (1, …, frames) as one of (windows, …, most frames), filled up with zeros."""
    import torch

    most = max(each.shape[-1] for each in tensors)
    return torch.cat([torch.nn.functional.pad(each, (0, most - each.shape[-1])) for each in tensors])


def _shape(bins: int, frames: int | None) -> str:
    return f"{bins} x {frames}" if frames is not None else str(bins)
