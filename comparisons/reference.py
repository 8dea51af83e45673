"""References: what was really said, where the words come from, and files that hold them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from comparisons.align import steps
from comparisons.normalise import is_spaced
from comparisons.references.captions import captions, look_like_captions
from comparisons.references.manifests import entries, of_clips
from runners.base import Segment

SUFFIXES = (".txt", ".srt", ".vtt", ".json", ".jsonl")
"""Of the files that are read; others are read by what is in them."""
MOST_BYTES = 32 * 1024 * 1024
"""Of a file: a manifest of some 100 000 utterances."""
MOST_CAPTION_CHARACTERS = 8_000_000
"""Of a file of captions, which repeats itself where it rolls."""
MOST_CHARACTERS = 1_000_000
"""Of a reference: some fifteen hours of speech."""

_NO_TEXT = re.compile("[\0-\x08\x0e-\x19]")
"""Control characters that no text has."""


@dataclass(frozen=True)
class Reference:
    """What was really said, as far as somebody knows."""

    text: str
    """The true text; "" says that nothing was said. Untrusted."""
    segments: tuple[Segment, ...] = ()
    """The same in timed stretches, where the file it came from has them."""
    seed: str | None = None
    """Name of the contender whose text it was made from, or "majority"; None if a person or a file gave it. A seeded
    reference flatters its seed."""
    seed_label: str | None = None
    """What people call the seed. Untrusted."""
    original: str | None = None
    """What it was before a person edited it here; None if nobody has."""

    @classmethod
    def seeded(cls, text: str, seed: str, label: str, segments: tuple[Segment, ...] = ()) -> Reference:
        """A reference that starts as a system's text, or the majority's.

        Args:
            seed: name of the contender, or "majority".
            label: what people call it. Untrusted.
            segments: the text in timed stretches, if the system gave such.
        """
        return cls(text.strip(), segments, seed, label)

    @property
    def is_edited(self) -> bool:
        """Whether a person has changed it here."""
        return self.original is not None

    @property
    def label(self) -> str:
        """What it is called wherever it is shown: "reference seeded by Moonshine, edited". Untrusted."""
        seed = self.seed_label or self.seed
        return "reference" + (f" seeded by {seed}" if seed is not None else "") + (", edited" if self.is_edited else "")

    def edited(self, text: str) -> Reference:
        """The same with another text; what it was at first is kept, and its times wherever words were left alone."""
        text = text.strip()
        if text == self.text:
            return self
        first = self.text if self.original is None else self.original
        return replace(self, text=text, segments=_moved(self.segments, text), original=None if text == first else first)

    def restored(self) -> Reference:
        """What it was before it was edited."""
        return self if self.original is None else self.edited(self.original)


def read_reference(content: bytes, name: str, source: str | None = None) -> Reference:
    """The reference that a file holds: plain text, captions (SubRip, WebVTT), or JSON (``references.manifests`` knows which).

    Args:
        name: of the file, which says what is in it; where it doesn't, the content is asked.
        source: file name of the clip, by which its entry of a manifest is found; None if that is not known.

    Raises:
        ValueError: it cannot be read, or holds no reference for this clip; the message says where and what to do.
    """
    (reference,) = read_references(content, name, [source])
    return reference


def read_references(content: bytes, name: str, sources: Sequence[str | None]) -> list[Reference]:
    """``read_reference`` for several clips, in their order; a file that names no clips gives each the same.

    Raises:
        ValueError: it cannot be read, or holds no reference for one of the clips.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"This file is larger than {MOST_BYTES // 1024**2} MB: take the part of it that is this clip's.")
    text = _decoded(content)
    suffix = PurePath(name.replace("\\", "/")).suffix.lower()
    if suffix in (".srt", ".vtt") or (suffix not in (".json", ".jsonl") and look_like_captions(text)):
        if len(text) > MOST_CAPTION_CHARACTERS:
            raise ValueError("These captions are longer than a day of speech: take the part that is this clip's.")
        segments = captions(text)
        found = [Reference("\n".join(segment.text for segment in segments), segments)] * len(sources)
    elif suffix in (".json", ".jsonl") or (suffix != ".txt" and text.lstrip().startswith(("{", "["))):
        its = of_clips(entries(text), sources)
        found = [Reference(entry.text, entry.segments, entry.seed, entry.seed_label, entry.original) for entry in its]
    else:
        found = [Reference(text.strip())] * len(sources)
    if any(len(reference.text) > MOST_CHARACTERS for reference in found):
        raise ValueError(f"This reference is longer than {MOST_CHARACTERS:,} characters: take the part that is this clip's.")
    return found


def text_of(content: bytes) -> str:
    """The text of a file's content, without white space around it: UTF-8, UTF-16 with its mark, else Windows-1252.

    Raises:
        ValueError: it is not text.
    """
    return _decoded(content).strip()


def _decoded(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = content.decode("utf-16", "replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("cp1252", "replace")
    if _NO_TEXT.search(text):
        raise ValueError("This is not a text file.")
    if text.startswith(("%PDF-", "{\\rtf")):
        raise ValueError("This is a document with its layout: save its words as plain text (.txt).")
    return text


def _bare(word: str) -> str:
    """A word without its punctuation and case, for finding it again; the word itself if nothing is left."""
    return "".join(filter(str.isalnum, word)).casefold() or word


def _moved(segments: tuple[Segment, ...], text: str) -> tuple[Segment, ...]:
    """Segments of a text that was edited: new words go to the segment in which they stand."""
    if not segments or not text:
        return ()
    spaced = is_spaced(None, text)
    part = re.compile(r"\n|[^\s]+" if spaced else r"\n|[^\s]")
    before: list[str] = []
    ends: list[int] = []
    for segment in segments:
        before += part.findall(" ".join(segment.text.split()))
        ends.append(len(before))
        before.append("\n")  # where one segment ends and the next starts, a person leaves a line's end alone
    after = part.findall(text)
    stretches = steps([*map(_bare, before)], [*map(_bare, after)])
    made: list[Segment] = []
    begin = 0
    for segment, end in zip(segments, ends, strict=True):
        # The step in which the segment's last word was kept or replaced says where the segment ends now.
        number = bisect_left(stretches, end, key=lambda step: step[2])
        place = len(after)
        if number < len(stretches):
            _, i1, i2, j1, j2 = stretches[number]
            place = min(j1 + end - i1, j2) if i2 > i1 else j2
        if end == ends[-1]:
            place = len(after)
        kept = (" " if spaced else "").join(word for word in after[begin:place] if word != "\n")
        if kept:
            made.append(replace(segment, text=kept))
        begin = max(begin, place)
    return tuple(made)
