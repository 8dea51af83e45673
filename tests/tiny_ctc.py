"""Tiny random checkpoints of networks with a CTC head beyond the classics, built from each family's own config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.case import Case

SYLLABLES = tuple(f"{start}{first}{second}" for start in ("▁", "") for first in "bdfgklmnprst" for second in "aeiou")

_ENCODER: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "initializer_range": 0.3,
}


def parakeet_ctc(folder: Path) -> Path:
    from transformers import ParakeetCTCConfig, ParakeetFeatureExtractor, ParakeetForCTC, ParakeetProcessor

    tokenizer = _tokenizer(("<unk>", *SYLLABLES, ".", "<pad>"))
    size = len(tokenizer)
    config = ParakeetCTCConfig(
        vocab_size=size, pad_token_id=size - 1, encoder_config={**_ENCODER, "subsampling_conv_channels": 4}
    )
    _saved(folder, ParakeetForCTC(config), "ctc_head")
    ParakeetProcessor(ParakeetFeatureExtractor(), tokenizer, decoder_type="ctc").save_pretrained(folder)
    return folder


def medasr(folder: Path) -> Path:
    from transformers import LasrCTCConfig, LasrFeatureExtractor, LasrForCTC, LasrProcessor, LasrTokenizer

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((piece, -2.0) for piece in ("▁", *SYLLABLES))]
    tokenizer = LasrTokenizer(vocab=pieces, extra_ids=0)
    config = LasrCTCConfig(vocab_size=len(pieces), encoder_config={**_ENCODER, "subsampling_conv_channels": 4})
    _saved(folder, LasrForCTC(config), "ctc_head")
    LasrProcessor(LasrFeatureExtractor(), tokenizer).save_pretrained(folder)
    return folder


def granite_ctc(folder: Path) -> Path:
    """Its feature extractor's settings are written by hand: the class itself is there only beside torchaudio."""
    from transformers import GraniteSpeech5CTCConfig, GraniteSpeech5ForCTC

    tokenizer = _tokenizer(("<pad>", "<unk>", *SYLLABLES, "."))
    size = len(tokenizer)
    config = GraniteSpeech5CTCConfig(
        vocab_size=size,
        encoder_config={
            **_ENCODER,
            "num_hidden_layers": 2,
            "vocab_size": size,
            "context_size": 8,
            "max_position_embeddings": 16,
        },
    )
    _saved(folder, GraniteSpeech5ForCTC(config), "encoder.out")
    tokenizer.save_pretrained(folder)
    extractor = {"feature_extractor_type": "GraniteSpeech5FeatureExtractor", "sampling_rate": 16_000, "num_mel_bins": 80}
    settings = {"processor_class": "GraniteSpeech5Processor", "feature_extractor": extractor}
    (folder / "processor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def _tokenizer(pieces: tuple[str, ...]) -> Any:
    """A tokenizer like Parakeet's, with these pieces in this order."""
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import ParakeetTokenizer

    backend = Tokenizer(BPE({piece: number for number, piece in enumerate(pieces)}, [], unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in ("<unk>", "<pad>")])
    return ParakeetTokenizer(tokenizer_object=backend, unk_token="<unk>", pad_token="<pad>")


def _saved(folder: Path, model: Any, head: str) -> None:
    """Save a model, louder than an untrained one, or it says the same everywhere."""
    import torch

    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and not name.startswith(head):
                weight.normal_(0, 0.5)
        last = model.get_submodule(head)
        last.weight.normal_(0, 1)
        last.bias.zero_()
        last.bias[model.config.pad_token_id] = 3.0
    model.save_pretrained(folder)


CASES: dict[str, Case] = {
    "parakeet-ctc": Case("ctc", parakeet_ctc),
    "medasr": Case("ctc", medasr),
    "granite-turboctc": Case("ctc", granite_ctc),
}
