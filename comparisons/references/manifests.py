"""Manifests and saved transcripts (JSON, or one JSON object a line), and what of them is a clip's reference.

Known by their keys: NeMo's manifests (``audio_filepath``, ``text``, ``offset``, ``duration``), lists of data sets
(``file_name`` or ``path`` with ``sentence``, ``transcript`` …), transcripts with ``segments`` or ``chunks``, and
Earshot's own comparisons. A file about several clips is asked for one of them by its file name.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runners.base import Segment

TEXT_KEYS = ("text", "reference", "transcript", "transcription", "sentence")
"""Where entries keep their words, the first that is there counts."""
FILE_KEYS = ("audio_filepath", "audio_file", "audio_path", "audio", "file_name", "filename", "file", "path", "wav")
"""Where entries keep the file they are about."""
START_KEYS = ("start", "offset", "start_time", "begin")
END_KEYS = ("end", "end_time")
DURATION_KEYS = ("duration", "dur")


@dataclass(frozen=True)
class Entry:
    """What one entry of a manifest says."""

    text: str
    """Untrusted."""
    source: str | None = None
    """The file it is about, as it is named there. Untrusted."""
    start: float | None = None
    """Seconds from the start of that file."""
    end: float | None = None
    segments: tuple[Segment, ...] = ()
    seed: str | None = None
    """Contender whose text it was made from, as a comparison of ours says."""
    seed_label: str | None = None
    original: str | None = None
    fault: str | None = None
    """Why it is no reference, if it isn't."""


def entries(text: str) -> tuple[Entry, ...]:
    """The entries of a file's text, in order.

    Raises:
        ValueError: it is not JSON, or there is nothing in it that could be a reference; the message says where.
    """
    found: list[Entry] = []
    for where, value in _values(text):
        several = value if isinstance(value, list) else [value]
        for number, each in enumerate(several, start=1):
            place = where or (f"entry {number}" if isinstance(value, list) else "the file")
            if not isinstance(each, dict):
                raise ValueError(f"{_upper(place)} is not an object with a text: {_shown(json.dumps(each)[:60])}")
            found.append(_entry(each, place))
    if not found:
        raise ValueError("There is no entry in it.")
    return tuple(found)


def of_clips(found: Sequence[Entry], sources: Sequence[str | None]) -> list[Entry]:
    """What the entries say of some clips; several stretches of a clip become segments.

    Args:
        sources: file name of each clip; None takes the only one they are about.

    Raises:
        ValueError: they say nothing of a clip, or it is not clear what; the message says what to do.
    """
    named = [entry for entry in found if entry.source is not None]
    if not named:
        return [_whole(found, "and does not say which file each belongs to: give each a key audio_filepath")] * len(sources)
    told: dict[str, list[Entry]] = {}  # by path
    for entry in named:
        told.setdefault(entry.source or "", []).append(entry)
    if None in sources and len(told) > 1:
        raise ValueError(f"It is about several files: {_names(list(told))}. Choose the clip first.")
    alike: list[dict[str, list[str]]] = []  # for each likeness, paths by what they share
    for likeness in _LIKENESSES:
        alike.append({})
        for path in told:
            alike[-1].setdefault(likeness(_name(path)), []).append(path)
    return [_of_clip(told, alike, source) for source in sources]


def _of_clip(told: Mapping[str, Sequence[Entry]], alike: Sequence[Mapping[str, Sequence[str]]], source: str | None) -> Entry:
    if source is None:
        (its_only,) = told.values()
        return _whole(its_only, "of one file and does not say when each starts: give each a key offset")
    wanted = _name(source)
    for likeness, paths in zip(_LIKENESSES, alike, strict=True):
        shared = likeness(wanted)
        its = paths.get(shared, ()) if shared else ()
        if len(its) > 1:
            several = ", ".join(map(_shown, its[:5]))
            raise ValueError(f"Several of its files could be {_shown(wanted)}: {several}. Leave in it the one that is.")
        if its:
            return _whole(told[its[0]], f"of {_shown(wanted)} and does not say when each starts: give each a key offset")
    raise ValueError(f"It says nothing of {_shown(wanted)}. It is about: {_names(list(told))}.")


def _values(text: str) -> list[tuple[str, Any]]:
    """JSON values with where they stand: "" for a file that is one value, "line 3" for one value a line."""
    try:
        return [("", json.loads(text))]
    except (ValueError, RecursionError) as fault:
        whole = fault
    if not text.strip():
        raise ValueError("This file is empty.")
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    values: list[tuple[str, Any]] = []
    for number, line in lines:
        try:
            values.append((f"line {number}", json.loads(line)))
        except (ValueError, RecursionError) as fault:
            # A file that is no list of lines is told where it breaks as a whole.
            if not values and isinstance(whole, json.JSONDecodeError):
                raise ValueError(f"Line {whole.lineno}: this is not JSON: {whole.msg}.") from None
            raise ValueError(f"Line {number}: this is not JSON: {getattr(fault, 'msg', 'it is nested too deep')}.") from None
    return values


def _entry(value: Mapping[str, Any], place: str) -> Entry:
    if isinstance(value.get("results"), list) and isinstance(value.get("clip"), dict):
        return _compared(value, place)
    stretches: list[Any] = next((value[key] for key in ("segments", "chunks") if isinstance(value.get(key), list)), [])
    segments = tuple(_segment(stretch) for stretch in stretches if isinstance(stretch, dict))
    segments = tuple(segment for segment in segments if segment.text)
    text = next((value[key] for key in TEXT_KEYS if isinstance(value.get(key), str)), None)
    if text is None and not stretches:
        if key := next((key for key in TEXT_KEYS if key in value), None):
            return Entry("", _file(value), fault=f"{_upper(place)} has no text: what its key {key} holds is not in quotes.")
        keys = ", ".join(_shown(key) for key in list(value)[:8])
        fault = f"{_upper(place)} has no text: none of its keys ({keys}) is one of {', '.join(TEXT_KEYS)}."
        return Entry("", _file(value), fault=fault)
    start, end = _times(value)
    return Entry(
        _clean(text) if text is not None else "\n".join(segment.text for segment in segments),
        _file(value),
        start,
        end,
        segments,
    )


def _compared(value: Mapping[str, Any], place: str) -> Entry:
    """The reference of a comparison that Earshot saved."""
    reference, named = value.get("reference"), value["clip"].get("source")
    source = named if isinstance(named, str) else None
    block = reference if isinstance(reference, dict) else {"text": reference}
    text = block.get("text")
    if not isinstance(text, str):
        return Entry("", source, fault=f"{_upper(place)} is a comparison without a reference.")

    def also(key: str) -> str | None:
        kept = block.get(key)
        return _clean(kept) if isinstance(kept, str) else None

    return Entry(
        _clean(text),
        source,
        seed=also("seeded_by"),
        seed_label=also("seed_label"),
        original=also("original"),
    )


def _segment(value: Mapping[str, Any]) -> Segment:
    text = next((value[key] for key in TEXT_KEYS if isinstance(value.get(key), str)), "")
    return Segment(_clean(text), *_times(value))


def _times(value: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Start and end in seconds, where they are told."""
    both = value.get("timestamp")
    if isinstance(both, list) and len(both) == 2:
        return _seconds(both[0]), _seconds(both[1])
    start = next((_seconds(value[key]) for key in START_KEYS if key in value), None)
    end = next((_seconds(value[key]) for key in END_KEYS if key in value), None)
    if end is None and start is not None:
        duration = next((_seconds(value[key]) for key in DURATION_KEYS if key in value), None)
        end = start + duration if duration is not None else None
    return start, end if end is None or start is None or end >= start else None


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _file(value: Mapping[str, Any]) -> str | None:
    for key in FILE_KEYS:
        file = value.get(key)
        if isinstance(file, dict):  # an audio column of a data set
            file = file.get("path")
        if isinstance(file, str) and file.strip():
            return file
    return None


def _whole(found: Sequence[Entry], unclear: str) -> Entry:
    """Several entries of the same clip as one."""
    for entry in found:
        if entry.fault is not None:
            raise ValueError(entry.fault)
    if len(set(found)) == 1:
        return found[0]
    if any(entry.start is None for entry in found):
        raise ValueError(f"It holds {len(found)} texts {unclear}.")
    by_start = sorted((entry for entry in found if entry.text), key=lambda entry: entry.start or 0.0)
    segments = tuple(Segment(entry.text, entry.start, entry.end) for entry in by_start)
    return Entry("\n".join(segment.text for segment in segments), found[0].source, segments=segments)


def _name(path: str) -> str:
    """The file name at the end of a path of any system."""
    return unicodedata.normalize("NFC", path.replace("\\", "/").rstrip("/").rpartition("/")[2])


def _stem(name: str) -> str:
    """A file name without its suffix, in small letters."""
    return (name.rpartition(".")[0] or name).casefold()


_LIKENESSES: tuple[Callable[[str], str], ...] = (
    str,
    str.casefold,
    _stem,  # the same clip in another format
    lambda name: "".join(filter(str.isalnum, _stem(name))),  # or after its name was cleaned on the way here
)
"""What two file names have to share, the strictest first."""


def _clean(text: str) -> str:
    """A string of a JSON file as text that can be written anywhere: without NULs and halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\0", "").strip()


def _names(paths: Sequence[str]) -> str:
    """Files as they may stand in a message."""
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return ", ".join(_shown(_name(path)) for path in paths[:5]) + more


def _shown(text: str) -> str:
    """A text as it may stand in a message."""
    plain = "".join(character if character.isprintable() else " " for character in _clean(text))
    return f"{plain[:60]}…" if len(plain) > 60 else plain


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
