"""How language models that hear are asked to write down speech, and how their answers are read: a class a family.

Each builds what its family's processor in transformers builds, from the checkpoint's own template, tokenizer and feature
extractor. Nothing of a person's goes through a template: control tokens in a prompt stay the text they are.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from runners.base import SAMPLE_RATE, ModelLoadError, TranscribeOptions
from runners.networks import chat_template, checkpoint, spectrograms, timed_answers, tokens
from runners.networks.piecewise import Piece

MOST_TOKENS_PER_SECOND = 20
"""Fast speech has some 7 syllables a second, of one or two tokens."""
MOST_TOKENS_BESIDES = 64
MOST_TOKENS_TOLD = 1024
"""Of a text whose length does not follow from the clip's, such as a summary."""

_WORDS = "\ue000words\ue001"
"""Stands in a template for somebody's words until they are put in; it is no text that a template would write."""


class Dialect(Protocol):
    """A family's way to ask and to answer. Built with the checkpoint's folder; raises ``ModelLoadError``."""

    model_class: ClassVar[str]
    """Name of its class in transformers."""
    may_repeat: ClassVar[bool]
    """True where the same token over and over is no loop but silence."""

    def __init__(self, weights: Path) -> None: ...

    def fit(self, model: Any) -> None:
        """Refuse a model that does not go with the other files."""

    def inputs(self, samples: NDArray[np.float32], options: TranscribeOptions) -> dict[str, Any]:
        """What ``generate`` gets for samples (T,): ``input_ids`` (1, prompt), and the family's features."""

    def limits(self, seconds: float, options: TranscribeOptions) -> dict[str, Any]:
        """Further arguments of ``generate``."""

    def read(self, ids: Sequence[int], seconds: float, is_whole: bool = True) -> Piece:
        """What token ids say about so many seconds; without ``is_whole`` the text that they have so far."""


class Templated:
    """What the families with a chat template share."""

    model_class: ClassVar[str]
    may_repeat: ClassVar[bool] = False
    audio_text: ClassVar[str]
    """The token of a piece of audio, as the template writes it."""

    def __init__(self, weights: Path) -> None:
        checkpoint.require_files(weights, "tokenizer", ("tokenizer.json",), ("vocab.json", "merges.txt"))
        from transformers import AutoTokenizer

        self._weights = weights
        with checkpoint.loading(weights):
            self.tokenizer = AutoTokenizer.from_pretrained(weights, local_files_only=True, trust_remote_code=False)
        self._template = chat_template.read(weights)
        known = self.tokenizer.get_added_vocab()
        if self.audio_text not in known:
            raise ModelLoadError(
                f"The tokenizer in {weights} lacks {self.audio_text}, which stands for audio.",
                "Fetch the checkpoint's own tokenizer files.",
            )
        self.audio_token = int(known[self.audio_text])

    def fit(self, model: Any) -> None:
        if model.config.audio_token_id != self.audio_token:
            raise ModelLoadError(
                f"{self._weights} does not fit together: its tokenizer gives {self.audio_text} another number than its model.",
                "Fetch the checkpoint's own tokenizer files beside its weights.",
            )

    def limits(self, seconds: float, options: TranscribeOptions) -> dict[str, Any]:
        follows = options.prompt is None or options.prompt.is_word_for_word
        most = MOST_TOKENS_BESIDES + round(MOST_TOKENS_PER_SECOND * seconds) if follows else MOST_TOKENS_TOLD
        return {"max_new_tokens": most, "do_sample": False, "num_beams": 1}

    def read(self, ids: Sequence[int], seconds: float, is_whole: bool = True) -> Piece:
        return Piece(self.text(ids))

    def text(self, ids: Sequence[int]) -> str:
        """The text of token ids without control tokens; of a character that is not complete, nothing."""
        said = str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
        return said.rstrip("\ufffd").strip()

    def asked(
        self, messages: Sequence[Mapping[str, Any]], places: int, words: str = "", change: Callable[[str], str] = str
    ) -> dict[str, Any]:
        """``input_ids`` and their mask: the template's text for ``messages``, with ``places`` tokens for its audio.

        Args:
            words: somebody's, put in where the template wrote ``_WORDS``.
            change: what is done to the template's text before it is taken apart.
        """
        import torch

        rendered = change(self._rendered(messages))
        if rendered.count(self.audio_text) != 1 or rendered.count(_WORDS) > 1:
            raise self._unusable("it has no place for audio")
        ids: list[int] = []
        for part in re.split(f"({re.escape(self.audio_text)}|{_WORDS})", rendered):
            if part == self.audio_text:
                ids += [self.audio_token] * places
            elif part == _WORDS:
                ids += tokens.plain_ids(self.tokenizer, words)
            elif part:
                ids += self.tokenizer(part, add_special_tokens=False).input_ids
        return {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}

    def _rendered(self, messages: Sequence[Mapping[str, Any]]) -> str:
        from jinja2 import TemplateError

        try:
            return str(
                self.tokenizer.apply_chat_template(
                    list(messages), chat_template=self._template, tokenize=False, add_generation_prompt=True
                )
            )
        except (TemplateError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise self._unusable(str(error)[:200]) from error

    def _unusable(self, why: str) -> ModelLoadError:
        return ModelLoadError(
            f"The chat template in {self._weights} cannot be used: {why}.",
            "Fetch the checkpoint's own chat_template.jinja or chat_template.json.",
        )

    def _settings(self, *names: str) -> dict[str, Any]:
        """What the feature extractor's file says, for those that transformers can only load with torchaudio.

        ``names`` are what ``processor_config.json`` may call it.
        """
        found: dict[str, Any] = {}
        for name in ("processor_config.json", "preprocessor_config.json"):
            try:
                held = json.loads((self._weights / name).read_text("utf-8"))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, RecursionError) as error:
                raise ModelLoadError(f"{self._weights / name} is damaged.", "Fetch the checkpoint again.") from error
            if not isinstance(held, dict):
                continue
            if name == "processor_config.json":
                held = next((held[each] for each in names if isinstance(held.get(each), dict)), {})
            found |= held
        return found

    def _extractor(self) -> Any:
        checkpoint.require_files(self._weights, "feature extractor", ("preprocessor_config.json",), ("processor_config.json",))
        from transformers import AutoFeatureExtractor

        with checkpoint.loading(self._weights):
            return AutoFeatureExtractor.from_pretrained(self._weights, local_files_only=True, trust_remote_code=False)


_AUDIO = {"type": "audio", "audio": "clip"}


class GraniteSpeech(Templated):
    """Granite Speech (Saon et al. 2025, arXiv 2505.08699): told what to do in words, in its template or another's."""

    model_class = "GraniteSpeechForConditionalGeneration"
    audio_text = "<|audio|>"
    transcribe = "can you transcribe the speech into a written format?"
    """The model cards' wording."""
    translate = "can you translate the speech to {}?"
    names: ClassVar[Mapping[str, str]] = {
        "en": "English",
        "fr": "French",
        "de": "German",
        "es": "Spanish",
        "it": "Italian",
        "pt": "Portuguese",
        "ja": "Japanese",
        "zh": "Mandarin",
    }
    system = (
        "Knowledge Cutoff Date: April 2024.\nToday's Date: April 9, 2025.\n"
        "You are Granite, developed by IBM. You are a helpful AI assistant"
    )
    """The model card's, for templates that would tell the day of the year: the same clip shall give the same text."""

    def __init__(self, weights: Path) -> None:
        super().__init__(weights)
        settings = self._settings("audio_processor", "feature_extractor")
        mel = settings.get("melspec_kwargs")
        bins = (mel if isinstance(mel, dict) else settings).get("n_mels", settings.get("feature_size", 80))
        self._bins, self._window = int(bins), int(settings.get("projector_window_size", 15))
        self._step = int(settings.get("projector_downsample_rate", 5))

    def fit(self, model: Any) -> None:
        super().fit(model)
        heard = int(model.config.encoder_config.input_dim)
        if heard != 2 * self._bins or (model.config.window_size, model.config.downsample_rate) != (self._window, self._step):
            raise ModelLoadError(
                f"{self._weights} does not fit together: its feature extractor is another model's.",
                "Fetch the checkpoint's own preprocessor_config.json.",
            )

    def inputs(self, samples: NDArray[np.float32], options: TranscribeOptions) -> dict[str, Any]:
        import torch

        features = spectrograms.log_mel(_at_least(samples, spectrograms.WINDOW_SAMPLES), self._bins)
        places = math.ceil(features.shape[1] / self._window) * (self._window // self._step)
        words = self.transcribe
        if options.prompt is not None:
            words = options.prompt.text.strip()
        elif options.translate_to is not None:
            words = self.translate.format(self.names[options.translate_to])
        messages = [{"role": "user", "content": self.audio_text + _WORDS}]
        if "strftime_now" in self._template:
            messages.insert(0, {"role": "system", "content": self.system})
        mask = torch.ones(1, places, dtype=torch.bool)
        return {**self.asked(messages, places, words), "input_features": features, "input_features_mask": mask}


class Qwen3Asr(Templated):
    """Qwen3-ASR (arXiv 2601.21337): says the language, then the text; the language is told by saying it first."""

    model_class = "Qwen3ASRForConditionalGeneration"
    audio_text = "<|audio_pad|>"
    marker = "<asr_text>"
    names: ClassVar[Mapping[str, str]] = {
        **{"ar": "Arabic", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish"},
        **{"fa": "Persian", "fi": "Finnish", "fr": "French", "hi": "Hindi", "hu": "Hungarian", "id": "Indonesian"},
        **{"it": "Italian", "ja": "Japanese", "ko": "Korean", "mk": "Macedonian", "ms": "Malay", "nl": "Dutch"},
        **{"pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sv": "Swedish", "th": "Thai"},
        **{"tl": "Filipino", "tr": "Turkish", "vi": "Vietnamese", "yue": "Cantonese", "zh": "Chinese"},
    }

    def __init__(self, weights: Path) -> None:
        super().__init__(weights)
        self._features = self._extractor()

    def inputs(self, samples: NDArray[np.float32], options: TranscribeOptions) -> dict[str, Any]:
        made = self._features(
            [samples], sampling_rate=SAMPLE_RATE, padding=True, return_attention_mask=True, return_tensors="pt"
        )
        mask = made["attention_mask"]
        told = f"language {self.names[options.language]}{self.marker}" if options.language is not None else ""
        asked = self.asked(
            [{"role": "user", "content": [_AUDIO]}], _qwen3_places(int(mask.sum())), change=lambda text: text + told
        )
        return {**asked, "input_features": made["input_features"], "input_features_mask": mask}

    def read(self, ids: Sequence[int], seconds: float, is_whole: bool = True) -> Piece:
        before, marker, said = self.text(ids).partition(self.marker)
        if not marker:
            # Without its marker all of it is text, unless it has only begun to say the language.
            return Piece("" if not is_whole and before.startswith("language") else before)
        name = before.strip().removeprefix("language").strip().lower()
        return Piece(said.strip(), language=next((code for code, known in self.names.items() if known.lower() == name), None))


class GlmAsr(Templated):
    """GLM-ASR-Nano: one window of 30 s a question."""

    model_class = "GlmAsrForConditionalGeneration"
    audio_text = "<|pad|>"
    transcribe = "Please transcribe this audio into text"
    """What its processor asks."""
    shortest_samples = 1600
    """Of less than seven frames no audio token is left; 0.1 s is filled up to."""

    def __init__(self, weights: Path) -> None:
        super().__init__(weights)
        self._features = self._extractor()

    def inputs(self, samples: NDArray[np.float32], options: TranscribeOptions) -> dict[str, Any]:
        made = self._features(
            [_at_least(samples, self.shortest_samples)],
            sampling_rate=SAMPLE_RATE,
            return_attention_mask=True,
            return_tensors="pt",
        )
        frames = int(made["attention_mask"].sum())
        places = ((frames - 1) // 2 + 1) // 4  # a convolution of stride 2, then four frames in one
        asked = self.asked([{"role": "user", "content": [_AUDIO, {"type": "text", "text": self.transcribe}]}], places)
        return {**asked, "input_features": made["input_features"], "input_features_mask": made["attention_mask"]}


class FunAsr(Templated):
    """Fun-ASR-Nano: the language is told in the question."""

    model_class = "FunAsrNanoForConditionalGeneration"
    audio_text = "<|object_ref_start|>"
    names: ClassVar[Mapping[str, str]] = {"zh": "中文", "en": "英文", "ja": "日文"}
    """As the question calls them."""

    def __init__(self, weights: Path) -> None:
        super().__init__(weights)
        settings = self._settings("feature_extractor")
        self._bins = int(settings.get("feature_size", 80))
        self._width, self._step = int(settings.get("num_frames_lfr", 7)), int(settings.get("stride_lfr", 6))

    def fit(self, model: Any) -> None:
        super().fit(model)
        if model.config.audio_config.input_size != self._bins * self._width:
            raise ModelLoadError(
                f"{self._weights} does not fit together: its feature extractor is another model's.",
                "Fetch the checkpoint's own processor_config.json.",
            )

    def inputs(self, samples: NDArray[np.float32], options: TranscribeOptions) -> dict[str, Any]:
        import torch

        bank = spectrograms.kaldi_filter_bank(_at_least(samples, spectrograms.WINDOW_SAMPLES), self._bins)
        features = spectrograms.stacked(bank, self._width, self._step)[None]
        content: list[dict[str, str]] = [_AUDIO]
        if options.language is not None:
            content.append({"type": "language", "language": self.names[options.language]})
        asked = self.asked([{"role": "user", "content": content}], features.shape[1])
        mask = torch.ones(features.shape[:2], dtype=torch.long)
        return {**asked, "input_features": features, "input_features_mask": mask}


class VibeVoiceAsr(Templated):
    """VibeVoice-ASR (arXiv 2601.18184): up to an hour at once, answered as JSON with times and speakers."""

    model_class = "VibeVoiceAsrForConditionalGeneration"
    audio_text = "<|box_start|>"
    duration_text = "<|AUDIO_DURATION|>"
    tokens_a_segment = 40
    """For the keys, times and speaker of a segment, one a second at the most."""

    def __init__(self, weights: Path) -> None:
        super().__init__(weights)
        self._features = self._extractor()

    def inputs(self, samples: NDArray[np.float32], options: TranscribeOptions) -> dict[str, Any]:
        import soxr

        rate = int(self._features.sampling_rate)
        sound = np.asarray(soxr.resample(samples, SAMPLE_RATE, rate, quality="HQ"), np.float32)
        made = self._features(sound, sampling_rate=rate)
        places = math.ceil(int(made["padding_mask"].sum()) / self._features.pad_to_multiple_of)
        seconds = f"{len(sound) / rate:.2f}"
        asked = self.asked(
            [{"role": "user", "content": [_AUDIO]}], places, change=lambda text: text.replace(self.duration_text, seconds)
        )
        # The original adds noise to what it heard; without, the same clip gives the same text.
        return {**asked, "input_values": made["input_values"], "padding_mask": made["padding_mask"], "sample": False}

    def limits(self, seconds: float, options: TranscribeOptions) -> dict[str, Any]:
        more = round(self.tokens_a_segment * seconds)
        return {**super().limits(seconds, options), "max_new_tokens": MOST_TOKENS_BESIDES + more}

    def read(self, ids: Sequence[int], seconds: float, is_whole: bool = True) -> Piece:
        said = self.text(ids).removeprefix("assistant").strip()
        found = timed_answers.objects(said) if said.startswith("[") else []
        segments = [segment for each in found if (segment := timed_answers.segment(each, seconds)) is not None]
        if not segments and is_whole and said.strip("[] "):
            return Piece(said, notes=("its answer is not of the form that it was asked for: shown as it is",))
        speakers = {each["Speaker"] for each in found if isinstance(each.get("Speaker"), int | str)}
        notes = (f"it heard {len(speakers)} speakers",) if len(speakers) > 1 else ()
        return Piece(" ".join(segment.text for segment in segments), segments=tuple(segments), notes=notes)


def _at_least(samples: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Shape (T,), filled up with silence to ``count``."""
    return np.pad(samples, (0, max(0, count - len(samples))))


def _qwen3_places(frames: int) -> int:
    """Audio tokens of so many frames of 10 ms: 13 a second, three convolutions of stride 2 over each second by itself."""
    whole, rest = divmod(frames, 100)
    for _ in range(3):
        rest = (rest - 1) // 2 + 1
    return 13 * whole + rest
