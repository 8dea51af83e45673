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


Group = list[tuple[str, Emission]]
"""The tokens of a word: what each is written as, and where it was heard."""


def words(tokenizer: Any, emissions: Sequence[Emission], frame_seconds: float, end_seconds: float) -> tuple[Word, ...]:
    """Join tokens to words; ``emissions`` in order, none of them a blank or another control token.

    Returns:
        Words with times within ``end_seconds``.
    """
    names = [str(name) for name in tokenizer.convert_ids_to_tokens([emission.token for emission in emissions])]
    groups: list[Group] = []
    for name, emission in zip(names, emissions, strict=True):
        if not groups or name.startswith(WORD_START):
            groups.append([])
        groups[-1].append((name.removeprefix(WORD_START), emission))
    found = []
    for group in groups:
        if any(name.startswith("<0x") for name, _ in group):  # a byte of a character, which only the tokenizer can complete
            ids = [emission.token for _, emission in group]
            text = str(tokenizer.decode(ids, skip_special_tokens=True, group_tokens=False)).strip()
            found.append(timed(text, group, frame_seconds, end_seconds))
        else:
            found += [timed(written(part), part, frame_seconds, end_seconds) for part in by_character(group)]
    return tuple(word for word in found if word.text)


def by_character(group: Group) -> Iterator[Group]:
    """Take a word apart into its characters where its script is written without spaces; otherwise yield it whole.

    A token of several characters stays whole.
    """
    if not any(is_unspaced(character) for character in written(group)):
        yield group
        return
    part: Group = []
    for text, emission in group:
        # A vowel sign and punctuation belong to the letter before them.
        if part and text and not unicodedata.category(text[0]).startswith(("M", "P")):
            yield part
            part = []
        part.append((text, emission))
    if part:
        yield part


def written(group: Group) -> str:
    """The text of a word."""
    return "".join(text for text, _ in group)


def timed(text: str, group: Group, frame_seconds: float, end_seconds: float) -> Word:
    """Say when a word was spoken: from its first token to its last that is more than punctuation."""
    spoken = [emission for name, emission in group if any(character.isalnum() for character in name)]
    held = [emission for _, emission in group]
    return Word(
        text,
        start=min(held[0].start * frame_seconds, end_seconds),
        end=min(max(emission.end for emission in spoken or held) * frame_seconds, end_seconds),
        confidence=min(1.0, fmean(emission.probability for emission in held)),
    )


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
