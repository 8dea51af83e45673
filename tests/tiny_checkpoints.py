"""Tiny random checkpoints, built from each family's own config and saved as the hub's are, so that tests load them through
the real ``from_pretrained``. Nothing is downloaded; the same folder comes out every time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from runners.base import SAMPLE_RATE, Clip
from runners.catalogue.names import spec_for

LETTERS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"EATONIHSRDLUMWCFGYPBVKJXQZ'")
"""The vocabulary of wav2vec2-base-960h: blank first, "|" between words."""
LANGUAGES = ("en", "zh", "de", "es")
"""What the tiny multilingual Whisper says it knows; its tokenizer has the tokens of all 99."""


class Watcher:
    """A progress that remembers what it was told, and says stop once ``cancelled`` is true or from the given check on."""

    def __init__(self, cancel_at: int | None = None) -> None:
        self.partials: list[str] = []
        self.checks = 0
        self.cancel_at = cancel_at

    def downloading(self, done_bytes: int, total_bytes: int | None) -> None:
        raise AssertionError("a runner downloads nothing itself")

    def partial(self, text: str) -> None:
        self.partials.append(text)

    def check(self) -> None:
        from runners.base import Cancelled

        self.checks += 1
        if self.cancel_at is not None and self.checks >= self.cancel_at:
            raise Cancelled


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


def whisper(folder: Path, *, multilingual: bool = True, positions: int = 448, eagerness: float = 24) -> Path:
    """A Whisper with the vocabulary's true size and order, and four of the languages; ``eagerness`` to end shortens its texts.

    The size matters too: CTranslate2 takes a vocabulary of under 51865 tokens for an English-only one.
    """
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    end = 50_257 if multilingual else 50_256
    codes = spec_for("whisper").languages
    assert codes is not None
    assert codes[: len(LANGUAGES)] == LANGUAGES
    special = [
        "<|endoftext|>",
        "<|startoftranscript|>",
        *(f"<|{code}|>" for code in codes),
        *(f"<|{name}|>" for name in ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")),
    ]
    ids = {text: end + number for number, text in enumerate(special)}
    _whisper_tokenizer(folder, end, special)
    config = WhisperConfig(
        vocab_size=ids["<|notimestamps|>"] + 1 + 1501,
        d_model=16,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_target_positions=positions,
        decoder_start_token_id=ids["<|startoftranscript|>"],
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        begin_suppress_tokens=None,
        suppress_tokens=None,
        init_std=0.4,
    )
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(config)
    with torch.no_grad():
        # Sure of itself, and of ending after a few words: else each window is decoded at six temperatures to its limit.
        decoder = model.model.decoder
        decoder.layer_norm.weight.mul_(4)
        decoder.layer_norm.weight[0] = 0
        decoder.layer_norm.bias[0] = 1
        decoder.embed_tokens.weight[:, 0] = 0
        decoder.embed_tokens.weight[end, 0] = eagerness
    generation = model.generation_config
    facts: dict[str, Any] = {
        "is_multilingual": multilingual,
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "alignment_heads": [[1, 0], [1, 1]],
        "max_initial_timestamp_index": 50,
        "prev_sot_token_id": ids["<|startofprev|>"],
        "suppress_tokens": [ids["<|startoftranscript|>"], *range(ids["<|notimestamps|>"] - 104, ids["<|notimestamps|>"] + 1)],
        "begin_suppress_tokens": [220],
        "return_timestamps": False,
        "max_length": positions,
        "_from_model_config": False,  # else it counts as derived, and is thrown away when the folder is loaded
    }
    for name, fact in facts.items():
        setattr(generation, name, fact)
    if multilingual:
        generation.lang_to_id = {f"<|{code}|>": ids[f"<|{code}|>"] for code in LANGUAGES}
        generation.task_to_id = {"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]}
    model.save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    return folder


def _whisper_tokenizer(folder: Path, end: int, special: list[str]) -> None:
    """A byte-level BPE whose words are made up; ids of the special tokens as in the original."""
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import WhisperTokenizer

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    syllables = [first + second for first in "bdfgklmnprstvz" for second in "aeiou"]
    number = 0
    while len(vocabulary) < end - 1:
        name, rest = "", number
        while not name or rest:
            rest, syllable = divmod(rest, len(syllables))
            name += syllables[syllable]
        vocabulary[f"Ġ{name}"] = len(vocabulary)  # Ġ is how byte-level vocabularies write a space
        number += 1
    vocabulary[""] = end - 1  # as in the original; CTranslate2 takes a vocabulary without it for English-only
    backend = Tokenizer(BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
    folder.mkdir(parents=True, exist_ok=True)
    backend.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": WhisperTokenizer.__name__,
        "model_max_length": 448,
        "bos_token": "<|endoftext|>",
        "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "extra_special_tokens": special[1:],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def wav2vec2(folder: Path) -> Path:
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    return _ctc(folder, Wav2Vec2Config(**_CTC_SIZE, feat_extract_norm="group", num_conv_pos_embeddings=16), Wav2Vec2ForCTC)


def hubert(folder: Path) -> Path:
    from transformers import HubertConfig, HubertForCTC

    return _ctc(
        folder,
        HubertConfig(**_CTC_SIZE, feat_extract_norm="layer", do_stable_layer_norm=True, num_conv_pos_embeddings=16),
        HubertForCTC,
    )


def data2vec(folder: Path) -> Path:
    from transformers import Data2VecAudioConfig, Data2VecAudioForCTC

    return _ctc(
        folder, Data2VecAudioConfig(**_CTC_SIZE, conv_pos_kernel_size=19, num_conv_pos_embeddings=5), Data2VecAudioForCTC
    )


def wavlm(folder: Path) -> Path:
    from transformers import WavLMConfig, WavLMForCTC

    return _ctc(folder, WavLMConfig(**_CTC_SIZE, num_conv_pos_embeddings=16), WavLMForCTC)


_CTC_SIZE: dict[str, Any] = {
    "vocab_size": len(LETTERS),
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embedding_groups": 4,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.5,
}


def wav2vec2_bert(folder: Path) -> Path:
    """Takes a spectrogram (``input_features``) where the others take samples."""
    import torch
    from transformers import SeamlessM4TFeatureExtractor, Wav2Vec2BertConfig, Wav2Vec2BertForCTC

    torch.manual_seed(0)
    config = Wav2Vec2BertConfig(
        vocab_size=len(LETTERS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        initializer_range=0.5,
    )
    _loud(Wav2Vec2BertForCTC(config)).save_pretrained(folder)
    SeamlessM4TFeatureExtractor(feature_size=80, num_mel_bins=80, sampling_rate=SAMPLE_RATE).save_pretrained(folder)
    _letters(folder, dict(zip(LETTERS, range(len(LETTERS)), strict=True)))
    return folder


def mms(folder: Path) -> Path:
    """A wav2vec2 with adapters for English and German, whose alphabets differ in size; English is put in."""
    import torch
    from safetensors.torch import save_file
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    alphabets = {"eng": LETTERS, "deu": (*LETTERS, *"ÄÖÜ")}
    config = Wav2Vec2Config(**_CTC_SIZE, do_stable_layer_norm=True, feat_extract_norm="layer", adapter_attn_dim=4)
    torch.manual_seed(0)
    model = _loud(Wav2Vec2ForCTC(config))
    model.save_pretrained(folder)
    for name, alphabet in alphabets.items():
        weights = {
            key: value.clone()
            for key, value in model.state_dict().items()
            if "adapter_layer" in key or key.startswith("lm_head")
        }
        if name != "eng":
            weights["lm_head.weight"] = torch.randn(len(alphabet), 16)
            weights["lm_head.bias"] = torch.zeros(len(alphabet))
        save_file(weights, folder / f"adapter.{name}.safetensors", metadata={"format": "pt"})
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    nested = {name: {letter: number for number, letter in enumerate(alphabet)} for name, alphabet in alphabets.items()}
    _letters(folder, nested, target_lang="eng")
    return folder


def _ctc(folder: Path, config: Any, model_class: Callable[[Any], Any]) -> Path:
    import torch
    from transformers import Wav2Vec2FeatureExtractor

    torch.manual_seed(0)
    _loud(model_class(config)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    _letters(folder, dict(zip(LETTERS, range(len(LETTERS)), strict=True)))
    return folder


def _loud(model: Any) -> Any:
    """Scale the head up, or a random model says the blank and nothing else."""
    import torch

    with torch.no_grad():
        model.lm_head.weight.normal_(0, 1)
        model.lm_head.bias[0] = -1.0
    return model.eval()


def _letters(folder: Path, vocabulary: dict[str, Any], **settings: Any) -> None:
    from transformers import Wav2Vec2CTCTokenizer

    path = folder / "vocab.json"
    path.write_text(json.dumps(vocabulary), encoding="utf-8")
    Wav2Vec2CTCTokenizer(str(path), **settings).save_pretrained(folder)


PHI4_WORDS = ("<|endoftext|>", "<|image|>", "<|audio|>", "<|assistant|>", "<|end|>", "<|user|>", "<|system|>")
"""Control tokens of the tiny Phi-4-multimodal, in the order of the real one's ids."""
PHI4_TOOL = "<|tool_call|>"
"""A token that is added but not special, as the real vocabulary has some: not taking special tokens apart finds it too."""


def phi4_multimodal(folder: Path, *, switch: int = 4096, adapter: bool = True, zeroed: bool = False, width: int = 32) -> Path:
    """A Phi-4-multimodal with all of its parts, and its speech adapter in ``speech-lora``; rotary factors switch at ``switch``.

    The adapter is made by peft from a model that is thrown away, as training would save it. ``zeroed`` leaves its B
    matrices as they are before training.
    """
    import torch
    from transformers import Phi4MultimodalConfig, Phi4MultimodalFeatureExtractor, Phi4MultimodalForCausalLM

    ids = _phi4_tokenizer(folder)
    config = Phi4MultimodalConfig(
        vocab_size=len(ids),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=32 * switch,
        original_max_position_embeddings=switch,
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": 10_000.0,
            "partial_rotary_factor": 1.0,
            "original_max_position_embeddings": switch,
            "short_factor": [1 + 0.1 * number for number in range(width // 8)],
            "long_factor": [1.5 * (1 + number) ** 1.5 for number in range(width // 8)],
        },
        tie_word_embeddings=True,
        sliding_window=64 * switch,
        bos_token_id=ids["<|endoftext|>"],
        pad_token_id=ids["<|endoftext|>"],
        eos_token_id=[ids["<|endoftext|>"], ids["<|end|>"]],
        audio_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_blocks": 2,
            "num_attention_heads": 2,
            "ext_pw_out_channel": 16,
            "depthwise_separable_out_channel": 16,
            "nemo_conv_channels": 8,
            "bias_max_distance": 100,
            "audio_token_id": ids["<|audio|>"],
        },
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
            "crop_size": 28,
            "image_token_id": ids["<|image|>"],
        },
    )
    torch.manual_seed(0)
    model = Phi4MultimodalForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            # Larger than an untrained one's: what is said must depend on all of what was heard, and not repeat itself.
            if weight.dim() > 1 and "norm" not in name:
                weight.mul_(16 if "layers" in name else 8 if "audio_embed" in name else 20)
    model.save_pretrained(folder)
    Phi4MultimodalFeatureExtractor().save_pretrained(folder)
    if adapter:
        _phi4_adapter(model, folder / "speech-lora", zeroed)
    return folder


def _phi4_adapter(model: Any, folder: Path, zeroed: bool) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    targets = r"model\.layers\.\d+\.(self_attn\.(qkv|o)_proj|mlp\.(gate_up|down)_proj)"
    adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=targets))
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name and not zeroed:
                weight.normal_(0, 0.5)
    adapted.save_pretrained(str(folder))


def _phi4_tokenizer(folder: Path) -> dict[str, int]:
    """A byte-level BPE of single bytes and some made-up words; control tokens come after them. Returns all ids."""
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    for first in "bdfgklmnprstvz":
        for second in "aeiou":
            vocabulary[f"\u0120{first}{second}"] = len(
                vocabulary
            )  # a space and a syllable, as byte-level vocabularies write it
    backend = Tokenizer(BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in PHI4_WORDS])
    backend.add_tokens([AddedToken(PHI4_TOOL, special=False, normalized=False)])
    folder.mkdir(parents=True, exist_ok=True)
    backend.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "GPT2Tokenizer",
        "model_max_length": 131_072,
        "bos_token": "<|endoftext|>",
        "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "extra_special_tokens": {"image_token": "<|image|>", "audio_token": "<|audio|>"},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return backend.get_vocab()
