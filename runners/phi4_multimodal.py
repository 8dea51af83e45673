"""Phi-4-multimodal through transformers' own classes: transcribes a clip, follows a prompt about it, and talks about it.

No code of the checkpoint's runs, and no torchvision is needed: the inputs are built from the tokenizer and the feature
extractor, never from the checkpoint's processor. The network hears only through its speech adapter (Abouelenin et al.
2025, arXiv 2503.01743), which lies in the checkpoint's folder ``speech-lora``.

One clip at a time: in a batch of unequal lengths transformers adds the padding mask as 0 and 1 instead of minus infinity,
and what the shorter clip sounds like changes by more than half.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners import audio
from runners.base import (
    SAMPLE_RATE,
    ChatOptions,
    Clip,
    DeviceUnfit,
    ModelLoadError,
    Placement,
    Progress,
    TranscribeOptions,
    Transcript,
    Turn,
    Usage,
    check_turns,
)
from runners.networks import adapters, checkpoint, generation, pieces, tokens
from runners.networks.holding import Talking

FAMILY, MODEL_TYPE, ADAPTER_FOLDER = "phi4-multimodal", "phi4_multimodal", "speech-lora"
PLAIN_PROMPT = "Transcribe the audio clip into text."
"""The model card's wording, and the one that its published error rates were measured with."""
SYSTEM = "You are a helpful assistant."
"""The model card's chat format begins with it."""
LONGEST_TRANSCRIBED_SECONDS = 40.0
LONGEST_PROMPT_SECONDS = 1800.0
"""The model card suggests at most so much audio for transcription, and for a summary."""
FEATURE_FRAMES = 3000
"""Frames (10 ms) whose features are computed at once: 30 s. All at once, half an hour would take gigabytes."""
MOST_DEVIATION = 0.2
"""Relative to the values' spread; bfloat16 keeps 8 bits, and sums of some thousand products differ by a few hundredths."""

_CONTROL = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass
class _Loaded:
    """A model with what has to be known of it."""

    network: generation.Network
    extractor: Any
    control: Mapping[str, int]
    """Ids of the control tokens of the wire format."""
    notes: tuple[str, ...]
    """What is true of everything that it says."""


class Phi4Multimodal(Talking[_Loaded]):
    """Runs a Phi-4-multimodal checkpoint with PyTorch."""

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Load a transformers folder with its speech adapter.

        Raises:
            ModelLoadError: the folder is of another family or form, damaged, or its adapter is missing, damaged or empty.
            OutOfMemory: the model does not fit.
            DeviceUnfit: the audio encoder fails on this device, or computes something else than the CPU does.
        """
        found = checkpoint.read(weights, FAMILY)
        if found.model_type != MODEL_TYPE:
            raise checkpoint.foreign(found, "a Phi-4-multimodal checkpoint with native weights")
        weights = checkpoint.read(weights, FAMILY, (ADAPTER_FOLDER,)).folder
        progress.check()
        from transformers import AutoModelForCausalLM

        tokenizer = checkpoint.load_tokenizer(weights)
        extractor = checkpoint.load_extractor(weights)
        progress.check()
        # Not flash attention: it would get the encoder's four-dimensional position bias, which it does not take.
        model = checkpoint.load_model(AutoModelForCausalLM, weights, placement, attn_implementation="sdpa")
        progress.check()
        note = adapters.attach(model, weights, ADAPTER_FOLDER, placement, progress)
        model.eval()
        encoder = model.model.embed_tokens_extend.audio_embed.encoder
        if placement.device == "rocm":
            try_encoder(encoder, extractor)
        encoder.forward = partial(_encode, encoder, encoder.forward)
        control = _control_ids(tokenizer, weights)
        self._loaded = _Loaded(_network(model, tokenizer, control), extractor, control, (note, *_origin(weights)))

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Hear a clip of any length: what is longer than the model transcribes well is cut at pauses, and joined again.

        Raises:
            AudioError: the clip holds nothing.
            OutOfMemory: a piece does not fit.
            Cancelled: between two tokens, or inside the reading of a prompt.
        """
        loaded = self._need()
        samples = audio.mono(clip)
        prompt = options.prompt
        follows_speech = prompt is None or prompt.is_word_for_word
        longest = LONGEST_TRANSCRIBED_SECONDS if follows_speech else LONGEST_PROMPT_SECONDS
        turns = (Turn("user", PLAIN_PROMPT if prompt is None else prompt.text),)
        told = pieces.tell(
            loaded.network,
            samples,
            audio.cut_at_pauses(samples, longest),
            follows_speech=follows_speech,
            wire=lambda piece: self._wire(loaded, piece, turns),
            progress=progress,
        )
        return replace(told, language=options.language, notes=(*told.notes, *loaded.notes))

    def chat(
        self, clip: Clip | None, turns: tuple[Turn, ...], options: ChatOptions, progress: Progress
    ) -> Generator[str, None, Usage]:
        """Answer the last turn, hearing the clip, from what an earlier turn computed or anew.

        Raises:
            PromptError: the last turn is not the user's, or the conversation does not fit the context.
            AudioError: the clip holds nothing.
            OutOfMemory: it does not fit.
            Cancelled: between two tokens, or inside the reading of the prompt.
        """
        loaded = self._need()
        check_turns(turns)
        wire = self._wire(loaded, None if clip is None else audio.mono(clip), turns)
        usage = yield from generation.answer(loaded.network, wire, options, progress, self._memory)
        notes = [*usage.notes, *loaded.notes]
        if clip is not None and clip.seconds > LONGEST_PROMPT_SECONDS:
            notes.append(f"the clip is longer than the {LONGEST_PROMPT_SECONDS / 60:.0f} min that the model is known to follow")
        return replace(usage, notes=tuple(notes))

    def _wire(self, loaded: _Loaded, samples: NDArray[np.float32] | None, turns: tuple[Turn, ...]) -> generation.Wire:
        """``<|system|>…<|end|><|user|><|audio|>…QUESTION<|end|><|assistant|>``, with as many audio tokens as the audio takes.

        Texts are people's: whatever looks like a control token in them stays text.
        """
        sound = None if samples is None else _sound(loaded.extractor, samples)
        audio_tokens = [loaded.network.audio_token] * (sound.tokens if sound is not None else 0)
        ids: list[int] = []

        def say(role: str, text: str, before: list[int]) -> None:
            plain = tokens.plain_ids(loaded.network.tokenizer, text)
            ids.extend((loaded.control[f"<|{role}|>"], *before, *plain, loaded.control["<|end|>"]))

        say("system", SYSTEM, [])
        for turn in turns:
            # The audio stands in the first question, before its words: in any other order the model refuses or rewrites.
            is_first = turn.role == "user" and loaded.control["<|user|>"] not in ids
            say(turn.role, turn.text, audio_tokens if is_first else [])
        return generation.Wire((*ids, loaded.control["<|assistant|>"]), sound)


def _network(model: Any, tokenizer: Any, control: Mapping[str, int]) -> generation.Network:
    config = model.config
    ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    # None where the rotary factors are the same at every length.
    switch = config.rope_parameters.get("original_max_position_embeddings", config.original_max_position_embeddings)
    return generation.Network(
        model=model,
        tokenizer=tokenizer,
        audio_token=config.audio_config.audio_token_id,
        # A model that goes on with somebody else's turn has ended its own.
        stop_ids=frozenset([*(end for end in ends if end is not None), *control.values()]),
        silent_ids=frozenset([config.vision_config.image_token_id]),
        context_tokens=config.max_position_embeddings,
        switch_tokens=switch if config.rope_parameters.get("rope_type") == "longrope" else None,
        forward_options={"logits_to_keep": 1},  # of 22,500 places of half an hour, logits would take 18 GB
    )


def _control_ids(tokenizer: Any, weights: Path) -> dict[str, int]:
    known = tokenizer.get_added_vocab()
    missing = [token for token in _CONTROL if token not in known]
    if missing:
        raise ModelLoadError(
            f"The tokenizer in {weights} lacks {', '.join(missing)}, which separate the turns of a conversation.",
            "Fetch the checkpoint's tokenizer files again.",
        )
    return {token: int(known[token]) for token in _CONTROL}


def _origin(weights: Path) -> Iterator[str]:
    """The commit of a snapshot in the hub's cache; a folder of somebody's own has none."""
    if weights.parent.name == "snapshots" and _COMMIT.fullmatch(weights.name):
        yield f"weights of commit {weights.name[:12]}"


def _sound(extractor: Any, samples: NDArray[np.float32]) -> generation.Sound:
    """What stands for samples (T,) in a prompt: 12.5 tokens a second."""
    if len(samples) < extractor.win_length:  # 25 ms, one frame; with less the extractor fails
        samples = np.pad(samples, (0, extractor.win_length - len(samples)))
    frames = (len(samples) - extractor.win_length) // extractor.hop_length + 1
    tokens = math.ceil(math.ceil(frames / extractor.audio_compression_rate) / extractor.audio_downsample_rate)
    digest = hashlib.blake2b(np.ascontiguousarray(samples).data, digest_size=16).hexdigest()
    return generation.Sound(digest, tokens, partial(_features, extractor, samples, frames, tokens))


def _features(extractor: Any, samples: NDArray[np.float32], frames: int, tokens: int, progress: Progress) -> Mapping[str, Any]:
    """The log mel spectrogram (1, frames, 80) of samples (T,), a stretch at a time: each frame stands for itself."""
    import torch

    hop, window = extractor.hop_length, extractor.win_length
    stretches = []
    for first in range(0, frames, FEATURE_FRAMES):
        progress.check()
        last = min(first + FEATURE_FRAMES, frames)
        part = np.ascontiguousarray(samples[first * hop : (last - 1) * hop + window])
        stretches.append(extractor(part, sampling_rate=SAMPLE_RATE, return_tensors="pt").audio_input_features)
    return {"audio_input_features": torch.cat(stretches, dim=1), "audio_embed_sizes": torch.tensor([tokens])}


def _encode(encoder: Any, forward: Any, features: Any, mask: Any = None, **rest: Any) -> Any:
    """The audio encoder over features (1, frames, 80) of any length, a window at a time: (1, tokens, width).

    The network hears windows of 500 tokens (40 s) that know nothing of each other, yet transformers computes all of them
    at once, and its first convolution turns half an hour into 15 GB. The same numbers come out here.
    """
    import torch

    reduction, window = encoder.config.time_reduction, 500
    if mask is not None or features.shape[1] <= window * reduction:
        return forward(features, mask, **rest)
    features = encoder.encoder_embedding(features)
    heard = []
    for first in range(0, features.shape[1], window * reduction):
        # Convolutions of stride 2 see less than one token's frames before its own, and none after them.
        before = reduction if first else 0
        embedded, _ = encoder.embed(features[:, first - before : first + window * reduction], None)
        embedded = embedded[:, before // reduction :]
        tokens = embedded.shape[1]
        embedded = torch.nn.functional.pad(embedded, (0, 0, 0, window - tokens))  # as transformers fills up the last one
        bias = encoder.calculate_hs_mask(embedded, embedded.device, None).unsqueeze(1)
        bias = bias + encoder.relative_attention_bias_layer(embedded)
        for layer in encoder.encoders:
            embedded = layer(embedded, bias)
        heard.append(embedded[:, :tokens])
    return torch.cat(heard, dim=1)


def try_encoder(encoder: Any, extractor: Any) -> None:
    """Let the audio encoder hear a second, where its convolutions are known to fail on some devices (ROCm, gfx1151).

    Raises:
        DeviceUnfit: it fails, gives what is no number, or its convolutions differ from the CPU's.
    """
    import copy

    import torch

    noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE).astype(np.float32)
    sound = _sound(extractor, noise)
    features = extractor(noise, sampling_rate=SAMPLE_RATE, return_tensors="pt").audio_input_features
    weight = next(encoder.parameters())
    fix = "Use another device (--device cpu), or another version of the driver or of PyTorch."
    try:
        with torch.inference_mode(), checkpoint.memory_limits():
            here = features.to(weight.device, weight.dtype)
            heard = encoder(here, None).float().cpu()
            embedded = encoder.embed(here, None)[0].float().cpu()
            # A copy of the convolutions alone: they are small, and what fails.
            wanted = copy.deepcopy(encoder.embed).to("cpu", torch.float32)(features.to(weight.dtype).float(), None)[0]
    except RuntimeError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise DeviceUnfit(f"The audio encoder fails on this device: {reason}", fix) from error
    if heard.shape[:2] != (1, sound.tokens):
        raise DeviceUnfit(f"The audio encoder gives the shape {tuple(heard.shape)} on this device.", fix)
    if not bool(heard.isfinite().all()):
        raise DeviceUnfit("The audio encoder gives what is no number on this device.", fix)
    deviation = float((embedded - wanted).abs().max() / wanted.std().clamp_min(1e-6))
    if not deviation <= MOST_DEVIATION:
        raise DeviceUnfit("The audio encoder's convolutions give other numbers on this device than on the CPU.", fix)
