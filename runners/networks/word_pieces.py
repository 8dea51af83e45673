"""Words out of SentencePiece tokens that each have their time.

A token that begins a word starts with "▁". Scripts that are written without spaces have no such words: there each character
counts as one, as it does where they are scored.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from runners.base import Word

WORD_START = "▁"


@dataclass(frozen=True)
class Emission:
    """A token, and the frames that it was heard in."""

    token: int
    start: int
    end: int
    """Frames from the start of what was heard, the end excluded."""
    probability: float


def words(tokenizer: Any, emissions: Sequence[Emission], frame_seconds: float, end_seconds: float) -> tuple[Word, ...]:
    """Join tokens to words; ``emissions`` in order, none of them a blank or another control token.

    Returns:
        Words with times within ``end_seconds``. A word ends with its last token that is more than punctuation.
    """
    names = [str(name) for name in tokenizer.convert_ids_to_tokens([emission.token for emission in emissions])]
    groups: list[list[tuple[str, Emission]]] = []
    for name, emission in zip(names, emissions, strict=True):
        if not groups or name.startswith(WORD_START):
            groups.append([])
        groups[-1].append((name.removeprefix(WORD_START), emission))
    found = []
    for group in groups:
        for text, held in by_character(group) if _is_plain(group) else [(_decoded(tokenizer, group), _emissions(group))]:
            if text:
                found.append(_word(text, held, frame_seconds, end_seconds))
    return tuple(found)


def by_character(group: Sequence[tuple[str, Emission]]) -> Iterator[tuple[str, list[Emission]]]:
    """Take a word apart into its characters where its script is written without spaces; otherwise yield it whole.

    ``group`` has each token's text; a token of several characters stays whole.
    """
    whole = "".join(text for text, _ in group)
    if not any(is_unspaced(character) for character in whole):
        yield whole, _emissions(group)
        return
    part = ""
    held: list[Emission] = []
    for text, emission in group:
        # A vowel sign and punctuation belong to the letter before them.
        if part and text and not unicodedata.category(text[0]).startswith(("M", "P")):
            yield part, held
            part, held = "", []
        part, held = part + text, [*held, emission]
    yield part, held


def is_unspaced(character: str) -> bool:
    """True for Thai, Lao, Myanmar, Khmer, Japanese and Chinese characters (Unicode 16, Blocks.txt)."""
    point = ord(character)
    return (
        0x0E00 <= point <= 0x0EFF
        or 0x1000 <= point <= 0x109F
        or 0x1780 <= point <= 0x17FF
        or 0x3040 <= point <= 0x30FF
        or (0x3400 <= point <= 0x9FFF or 0x20000 <= point <= 0x3FFFF)
    )


def _is_plain(group: Sequence[tuple[str, Emission]]) -> bool:
    """False where a token is a single byte of a character ("<0xE4>"), whose text only the tokenizer can put together."""
    return not any(name.startswith("<0x") for name, _ in group)


def _decoded(tokenizer: Any, group: Sequence[tuple[str, Emission]]) -> str:
    ids = [emission.token for _, emission in group]
    return str(tokenizer.decode(ids, skip_special_tokens=True, group_tokens=False)).strip()


def _emissions(group: Sequence[tuple[str, Emission]]) -> list[Emission]:
    return [emission for _, emission in group]


def _word(text: str, held: Sequence[Emission], frame_seconds: float, end_seconds: float) -> Word:
    return Word(
        text,
        start=min(held[0].start * frame_seconds, end_seconds),
        end=min(max(emission.end for emission in held) * frame_seconds, end_seconds),
        confidence=min(1.0, fmean(emission.probability for emission in held)),
    )
