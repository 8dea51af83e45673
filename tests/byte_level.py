"""Byte-level vocabularies of made-up words, saved as the hub's are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SPACE = "Ġ"
"""How byte-level vocabularies write a space."""
SYLLABLES = tuple(first + second for first in "bdfgklmnprstvz" for second in "aeiou")
"""What words are made up from."""


def save(
    folder: Path, pieces: Iterable[str], control: Iterable[str], added: Iterable[str] = (), **settings: Any
) -> dict[str, int]:
    """Save a tokenizer; returns the ids of all its tokens.

    Args:
        pieces: what can be said besides the 256 single bytes, which come first.
        control: special tokens, which come after the pieces.
        added: tokens that are added last, but not special.
        settings: what stands in ``tokenizer_config.json``.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE

    known = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *pieces]
    backend = Tokenizer(BPE({piece: number for number, piece in enumerate(known)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in control])
    backend.add_tokens([AddedToken(text, special=False, normalized=False) for text in added])
    folder.mkdir(parents=True, exist_ok=True)
    backend.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return dict(backend.get_vocab())
