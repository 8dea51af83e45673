"""How much memory a model needs, from its files and the clip; an estimate, made to err on the side of trying::

    need = 1.2 x parameters x bytes of the precision + what its libraries take in a process

Where a language model hears, the cache of this clip is counted apart, and no longer in the fifth::

    need = parameters x bytes + 8 % of it in half precision + tokens x bytes a token + the libraries
"""

from __future__ import annotations

from runners.base import Dtype, RunnerSpec
from runners.catalogue.rows import CHECKPOINTS
from runners.here.weights import Weights

_BYTES: dict[Dtype, float] = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1, "int8_float16": 1, "int4": 0.5625}
"""Bytes a parameter takes in memory; in 4 bits bitsandbytes keeps a float32 besides for each 64 of them."""

WORKING_SHARE = 1.2
"""Activations, the key-value cache and the allocator's slack, as a share of the weights. Whisper large-v3's cross-attention
cache for one window is 8 % of its weights (32 layers x 2 x 1500 frames x 1280 numbers against 1.54 billion)."""
CHAT_WORKING_SHARE = 0.08
"""The same where the cache is counted apart. Phi-4-multimodal's encoder takes 0.4 GB for 40 s of audio, in half precision."""
TEXT_TOKENS = 1024
"""Tokens of text counted with a clip: its prompt, and an answer as long as ``ChatOptions.most_tokens``."""
TORCH_PROCESS_BYTES = 600_000_000
"""A process with torch 2.13 and transformers 5.23 holds 0.49 GB before its weights; a CUDA context takes about as much."""
OTHER_PROCESS_BYTES = 300_000_000
"""A process with CTranslate2, PocketSphinx or Moonshine's own runtime."""


def needed_bytes(spec: RunnerSpec, dtype: Dtype, weights: Weights | None = None, tokens: int = 0) -> int | None:
    """Memory that a model is expected to take in a precision, with ``tokens`` in its cache; None if its size is not known.

    From the heads of safetensors files where there are any; else from the files' size and how they are stored; else from
    what the catalogue knows.
    """
    parameters = _parameters(spec, weights)
    if parameters is None:
        return None
    weights_bytes = parameters * _BYTES[dtype]
    if dtype in {"int8", "int4"} and is_quantised_on_request(spec):
        layers = _layers_parameters(spec, weights, parameters)
        weights_bytes = layers * _BYTES[dtype] + (parameters - layers) * _BYTES["bfloat16"]
    file_bytes = spec.size_bytes if weights is None else weights.size_bytes
    if file_bytes is not None and (weights.format == "ctranslate2" if weights else "torch" not in spec.requires):
        weights_bytes = max(weights_bytes, file_bytes)  # CTranslate2 reads the file as it is stored, then converts it
    fixed_bytes = TORCH_PROCESS_BYTES if "torch" in spec.requires else OTHER_PROCESS_BYTES
    if spec.audio_tokens_per_second is None:
        return round(WORKING_SHARE * weights_bytes) + fixed_bytes
    # Where the layers are in 8 or 4 bits, everything else is in 16.
    working_bytes = CHAT_WORKING_SHARE * parameters * (4 if dtype == "float32" else 2)
    return round(weights_bytes + working_bytes) + tokens * cache_bytes_per_token(spec, weights, dtype) + fixed_bytes


def cached_tokens(spec: RunnerSpec, weights: Weights | None, clip_seconds: float | None, *, chat: bool) -> int:
    """Places in the key-value cache that one turn about a clip takes; 0 for a system that has no such cache.

    A clip that is longer than the system takes at once is cut, and only a piece of it is in the cache. Without a clip
    it is a short one: as long as is transcribed at once.
    """
    if spec.audio_tokens_per_second is None:
        return 0
    longest_seconds = spec.longest_prompt_seconds if chat else spec.longest_transcribed_seconds
    seconds = clip_seconds if clip_seconds is not None else (spec.longest_transcribed_seconds or 30.0)
    if longest_seconds is not None:
        seconds = min(seconds, longest_seconds)
    tokens = round(seconds * spec.audio_tokens_per_second) + TEXT_TOKENS
    return min(tokens, weights.context_tokens) if weights is not None and weights.context_tokens is not None else tokens


def gigabytes(count_bytes: int) -> str:
    """A size for people, in decimal units: "7.1 GB", "378 MB"."""
    if count_bytes < 1_000_000_000:
        return f"{count_bytes / 1_000_000:.0f} MB"
    return f"{count_bytes / 1_000_000_000:.1f} GB"


def cache_bytes_per_token(spec: RunnerSpec, weights: Weights | None, dtype: Dtype) -> int:
    """What a token takes in the key-value cache, as far as the files or the catalogue say."""
    if weights is not None:
        return weights.cache_bytes_per_token(dtype) or 0
    heard = CHECKPOINTS.get(spec.family)
    numbers = heard.cached_numbers if heard is not None else None
    return (numbers or 0) * (4 if dtype == "float32" else 2)


def is_quantised_on_request(spec: RunnerSpec) -> bool:
    """True where 8 and 4 bits are bitsandbytes' work; other libraries have precisions of their own of these names."""
    return "torch" in spec.requires


def _parameters(spec: RunnerSpec, weights: Weights | None) -> float | None:
    if weights is not None and weights.parameters is not None:
        return weights.parameters
    if spec.parameters is not None:
        # A row may count parts that are not fetched; what is fetched holds two bytes a parameter at the least.
        fetched = spec.size_bytes / 2 if spec.size_bytes is not None and "torch" in spec.requires else spec.parameters
        return min(spec.parameters, fetched)
    if weights is not None:
        usual_bits = 16 if weights.format == "ctranslate2" else 32
        return weights.size_bytes * 8 / (weights.stored_bits or usual_bits)
    return spec.size_bytes / 4 if spec.size_bytes is not None else None


def _layers_parameters(spec: RunnerSpec, weights: Weights | None, parameters: float) -> float:
    """How many of the parameters 8 and 4 bits concern: those in the decoder's layers."""
    if weights is not None:
        return weights.layers_parameters or 0
    heard = CHECKPOINTS.get(spec.family)
    return parameters * (heard.layers_share or 0 if heard is not None else 0)
