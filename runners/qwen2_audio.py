"""Qwen2-Audio through transformers: transcribes a clip, follows a prompt about it, and talks about it.

Chu et al. 2024, arXiv 2407.10759. Its encoder hears windows of 30 s, each 750 tokens of the context. A longer clip is
several windows in one prompt where it is talked about, and several prompts where it is transcribed or translated; both are
cut at pauses. Inputs are built from the tokenizer and the feature extractor: the checkpoint's processor is not needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.audio import cut_at_pauses, mono
from runners.base import (
    SAMPLE_RATE,
    ChatOptions,
    Clip,
    ModelLoadError,
    Placement,
    Progress,
    TranscribeOptions,
    Transcript,
    Turn,
    Usage,
    check_turns,
)
from runners.networks import checkpoint, generation, pieces, tokens
from runners.networks.generation import Network, Sound, Wire
from runners.networks.holding import Talking

FAMILY = "qwen2-audio"
MODEL_TYPE = "qwen2_audio"
TRANSCRIBE = "Transcribe the speech into text. Write down the spoken words and nothing else."
"""What it is told where nobody says anything: the family has no official wording for its chat model."""
SYSTEM = "You are a helpful assistant."
"""The system turn of the family's own chat template."""
SHORTEST_WINDOW_SECONDS = 0.1
"""Less than four audio tokens would be one token or none; a shorter window is filled up with silence."""
LONGEST_PROMPT_SECONDS = 240.0
"""6,000 tokens of the published context of 8,192: the rest is for what is said about it."""

_START, _END, _END_OF_TEXT = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
_AUDIO, _AUDIO_START, _AUDIO_END = "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"
_CONTROL = (_START, _END, _END_OF_TEXT, _AUDIO, _AUDIO_START, _AUDIO_END)


@dataclass(frozen=True)
class _Loaded:
    """A model with what has to be known of it."""

    network: Network
    extractor: Any
    control: Mapping[str, int]
    """Ids of the control tokens of the wire format."""

    @property
    def window_seconds(self) -> float:
        """Audio that the encoder hears at once."""
        return float(self.extractor.n_samples) / SAMPLE_RATE


class Qwen2Audio(Talking[_Loaded]):
    """Runs a Qwen2-Audio checkpoint with PyTorch."""

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Load a transformers folder of the family.

        Raises:
            ModelLoadError: the folder is of another family, damaged or incomplete.
            OutOfMemory: the model does not fit.
        """
        found = checkpoint.read(weights, FAMILY)
        if found.model_type != MODEL_TYPE:
            raise checkpoint.foreign(found, "a Qwen2-Audio checkpoint")
        weights = found.folder
        progress.check()
        from transformers import Qwen2AudioForConditionalGeneration, WhisperFeatureExtractor

        tokenizer = checkpoint.load_tokenizer(weights)
        extractor = checkpoint.load_extractor(weights, WhisperFeatureExtractor)
        progress.check()
        model = checkpoint.load_model(Qwen2AudioForConditionalGeneration, weights, placement, attn_implementation="sdpa")
        self._loaded = _describe(weights, model, extractor, tokenizer)

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Write down what is said, or do what ``options.prompt`` says.

        A clip longer than a window is cut at pauses and each piece is heard by itself, unless the prompt asks for
        something that needs all of it, such as a summary: then a piece is as long as the context allows.

        Raises:
            AudioError: the clip holds nothing.
            PromptError: the prompt does not fit the context beside the audio.
            OutOfMemory: a piece does not fit.
            Cancelled: between two tokens, or between two layers of a prefill.
        """
        loaded = self._need()
        prompt = options.prompt
        wording = prompt.text if prompt is not None else TRANSCRIBE
        follows_speech = prompt is None or prompt.is_word_for_word
        whole_clip = mono(clip)
        longest = loaded.window_seconds if follows_speech else LONGEST_PROMPT_SECONDS
        return pieces.tell(
            loaded.network,
            whole_clip,
            cut_at_pauses(whole_clip, longest),
            follows_speech=follows_speech,
            wire=lambda piece: _wire(loaded, piece, (Turn("user", wording),)),
            progress=progress,
        )

    def chat(
        self, clip: Clip | None, turns: tuple[Turn, ...], options: ChatOptions, progress: Progress
    ) -> Generator[str, None, Usage]:
        """Answer the last turn; all windows of the clip stand before the first question.

        Raises:
            PromptError: the last turn is not the user's, or clip and conversation do not fit the context.
            AudioError: the clip holds nothing.
            OutOfMemory: they do not fit the device.
            Cancelled: between two tokens, or between two layers of a prefill.
        """
        loaded = self._need()
        check_turns(turns)
        wire = _wire(loaded, None if clip is None else mono(clip), turns)
        return (yield from generation.answer(loaded.network, wire, options, progress, self._memory))


def _describe(weights: Path, model: Any, extractor: Any, tokenizer: Any) -> _Loaded:
    vocabulary = tokenizer.get_vocab()
    missing = [text for text in _CONTROL if text not in vocabulary]
    control = {text: int(vocabulary[text]) for text in _CONTROL if text in vocabulary}
    if missing or control[_AUDIO] != model.config.audio_token_id:
        wrong = f"its tokenizer lacks {', '.join(missing)}" if missing else f"its tokenizer gives {_AUDIO} another number"
        raise ModelLoadError(
            f"{weights} does not fit together: {wrong}.", "Fetch the checkpoint's own tokenizer files beside its weights."
        )
    audio = model.config.audio_config
    frames = 2 * int(audio.max_source_positions)  # the second convolution halves them
    if extractor.feature_size != audio.num_mel_bins or extractor.nb_max_frames != frames:
        raise ModelLoadError(
            f"{weights} does not fit together: its feature extractor makes {extractor.feature_size} x "
            f"{extractor.nb_max_frames} numbers a window, its model hears {audio.num_mel_bins} x {frames}.",
            "Fetch the checkpoint's own preprocessor_config.json.",
        )
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [] if ends is None else [ends]
    # The vocabulary is large: logits of the last place are all that an answer needs, not those of the whole prompt.
    model.lm_head.register_forward_pre_hook(lambda _, hidden: (hidden[0][:, -1:],))
    network = Network(
        model=model,
        tokenizer=tokenizer,
        audio_token=control[_AUDIO],
        stop_ids=frozenset({control[_START], control[_END], control[_END_OF_TEXT], *ends}),
        silent_ids=frozenset({control[_AUDIO_START], control[_AUDIO_END]}),
        context_tokens=int(model.config.text_config.max_position_embeddings),
    )
    return _Loaded(network, extractor, control)


def _wire(loaded: _Loaded, samples: NDArray[np.float32] | None, turns: Sequence[Turn]) -> Wire:
    """The family's chat template (ChatML), token by token; the audio stands at the head of the first question.

    Built by hand, because the template is text, and in text a question could hold control tokens of its own.
    """
    control = loaded.control
    windows = _windows(loaded, samples) if samples is not None else []
    ids: list[int] = []

    def say(role: str, text: str, heard: Sequence[NDArray[np.float32]] = ()) -> None:
        ids.extend((control[_START], *plain(f"{role}\n")))
        for number, window in enumerate(heard, 1):
            places = [control[_AUDIO]] * audio_tokens(len(window))
            ids.extend((*plain(f"Audio {number}: "), control[_AUDIO_START], *places, control[_AUDIO_END], *plain("\n")))
        ids.extend((*plain(text), control[_END], *plain("\n")))

    plain = partial(tokens.plain_ids, loaded.network.tokenizer)
    say("system", SYSTEM)
    for number, turn in enumerate(turns):
        say(turn.role, turn.text, windows if number == 0 else ())
    ids.extend((control[_START], *plain("assistant\n")))
    return Wire(tuple(ids), _sound(loaded, windows) if windows else None)


def _windows(loaded: _Loaded, samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Cut shape (T,) at pauses into windows that the encoder hears at once."""
    shortest = round(SHORTEST_WINDOW_SECONDS * SAMPLE_RATE)
    windows = [samples[begin:end] for begin, end in cut_at_pauses(samples, loaded.window_seconds)]
    return [np.pad(window, (0, max(0, shortest - len(window)))) for window in windows]


def audio_tokens(samples: int) -> int:
    """Tokens of a window of so many samples: 25 a second.

    A spectrogram frame takes 160 samples; a convolution and a pooling halve the frames, each with an edge of its own
    (``Qwen2AudioEncoder`` of transformers).
    """
    frames = -(-samples // 160)
    return (((frames - 1) // 2 + 1) - 2) // 2 + 1


def _sound(loaded: _Loaded, windows: list[NDArray[np.float32]]) -> Sound:
    digest = hashlib.sha256()
    for window in windows:
        digest.update(len(window).to_bytes(8, "little"))
        digest.update(window.tobytes())

    def inputs(progress: Progress) -> dict[str, Any]:
        """``input_features`` (windows, mel bins, frames), and a mask (windows, frames) that is 1 where there is audio."""
        import torch

        features, masks = [], []
        for window in windows:
            progress.check()
            made = loaded.extractor(
                window, sampling_rate=SAMPLE_RATE, padding="max_length", return_attention_mask=True, return_tensors="pt"
            )
            features.append(made["input_features"])
            masks.append(made["attention_mask"])
        return {"input_features": torch.cat(features), "feature_attention_mask": torch.cat(masks)}

    return Sound(digest.hexdigest(), sum(audio_tokens(len(window)) for window in windows), inputs)
