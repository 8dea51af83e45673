"""Frames between the page's process and a runner's process.

A frame is two unsigned 32-bit lengths in network order, that many bytes of JSON (an object, ASCII), and that many bytes of
raw float32 samples. No pickle: what a child says is read as plain data and can run nothing here. Both lengths are checked
before a byte of the rest is read, so that a child gone wild cannot make its parent take memory.

This module does not know what the messages mean (``runners.worker`` and ``runners.process`` do).
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any, BinaryIO, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from runners.base import (
    ChatOptions,
    Clip,
    Ended,
    Placement,
    Prompt,
    RunnerSpec,
    Segment,
    Server,
    TranscribeOptions,
    Transcript,
    Turn,
    Usage,
    Word,
)

LONGEST_MESSAGE = 16 * 1024 * 1024
"""Bytes of JSON: a transcript of some 200 000 words with their times."""
MOST_SAMPLE_BYTES = 2 * 1024 * 1024 * 1024
"""Bytes of samples: 9 h at 16 kHz."""

_HEAD = struct.Struct("!II")
_PIECE = 1 << 20

Message = dict[str, Any]
Samples = NDArray[np.float32]
T = TypeVar("T")


class FrameError(Exception):
    """A frame is too large, cut short, or not what a frame looks like."""


def write(stream: BinaryIO, message: Mapping[str, Any], samples: Samples | None = None) -> None:
    """Write one frame and flush it.

    Args:
        message: what JSON can hold; NaN and infinities are refused, they are not JSON.
        samples: shape (T,), float32.

    Raises:
        FrameError: the frame is larger than ``read`` would take, or not JSON; nothing was written.
        OSError: the other side is gone.
    """
    try:
        text = json.dumps(message, allow_nan=False).encode("ascii")
    except (TypeError, ValueError) as error:
        raise FrameError(f"the message is not JSON: {error}") from error
    if len(text) > LONGEST_MESSAGE:
        raise FrameError(f"the message has {len(text)} bytes, {LONGEST_MESSAGE} are allowed")
    raw = np.zeros(0, np.uint8) if samples is None else np.ascontiguousarray(samples, dtype="<f4").view(np.uint8)
    if raw.nbytes > MOST_SAMPLE_BYTES:
        raise FrameError(f"the clip has {raw.nbytes} bytes of samples, {MOST_SAMPLE_BYTES} are allowed")
    stream.write(_HEAD.pack(len(text), raw.nbytes))
    stream.write(text)
    for start in range(0, raw.nbytes, _PIECE):
        stream.write(raw[start : start + _PIECE].data)
    stream.flush()


def read(stream: BinaryIO, *, most_sample_bytes: int = MOST_SAMPLE_BYTES) -> tuple[Message, Samples] | None:
    """Read one frame: its message, and its samples of shape (T,), empty if it has none. None at the end of the stream.

    Raises:
        FrameError: the frame is larger than allowed, cut short, or not an object in JSON.
    """
    head = _take(stream, _HEAD.size)
    if not head:
        return None
    if len(head) < _HEAD.size:
        raise FrameError("a frame was cut short")
    text_bytes, sample_bytes = _HEAD.unpack(head)
    if text_bytes > LONGEST_MESSAGE or sample_bytes > most_sample_bytes or sample_bytes % 4:
        raise FrameError(f"a frame claims {text_bytes} bytes of text and {sample_bytes} of samples")
    text = _take(stream, text_bytes)
    raw = _take(stream, sample_bytes)
    if len(text) < text_bytes or len(raw) < sample_bytes:
        raise FrameError("a frame was cut short")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FrameError("a frame is not JSON") from error
    if not isinstance(message, dict):
        raise FrameError("a frame is not an object")
    return message, np.frombuffer(raw, dtype="<f4").astype(np.float32, copy=False)


def _take(stream: BinaryIO, count: int) -> bytearray:
    """Up to ``count`` bytes; fewer only at the end of the stream. Memory grows with what arrives, not with what is claimed."""
    taken = bytearray()
    while len(taken) < count:
        piece = stream.read(min(_PIECE, count - len(taken)))
        if not piece:
            break
        taken += piece
    return taken


def as_message(value: RunnerSpec | Placement | TranscribeOptions | ChatOptions | Usage) -> Message:
    """A spec, placement, set of options or usage as plain data."""
    return asdict(value)


def from_message(kind: type[T], message: Any) -> T:
    """The spec, placement, options or usage that ``as_message`` made plain.

    Raises:
        FrameError: it is not one.
    """
    try:
        return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in message.items()})
    except (TypeError, AttributeError) as error:
        raise FrameError(f"not a {kind.__name__}: {error}") from error


def spec_from(message: Any) -> RunnerSpec:
    """The spec that ``as_message`` made plain, with its server.

    Raises:
        FrameError: it is not one.
    """
    spec = from_message(RunnerSpec, message)
    return spec if spec.server is None else replace(spec, server=from_message(Server, spec.server))


def options_message(options: TranscribeOptions) -> Message:
    """What is asked of a runner as plain data, its prompt included."""
    prompt = options.prompt
    return as_message(replace(options, prompt=prompt and replace(prompt, text=printable(prompt.text))))


def options_from(message: Any) -> TranscribeOptions:
    """The options that ``options_message`` made plain.

    Raises:
        FrameError: they are not.
    """
    options = from_message(TranscribeOptions, message)
    return options if options.prompt is None else replace(options, prompt=from_message(Prompt, options.prompt))


def turns_message(turns: tuple[Turn, ...]) -> list[list[str]]:
    """A conversation's turns as plain data."""
    return [[turn.role, printable(turn.text)] for turn in turns]


def turns_from(message: Any) -> tuple[Turn, ...]:
    """The turns that ``turns_message`` made plain.

    Raises:
        FrameError: they are not.
    """
    try:
        return tuple(Turn(role, text) for role, text in message)
    except (TypeError, ValueError) as error:
        raise FrameError(f"not the turns of a conversation: {error}") from error


def usage_from(message: Any) -> Usage:
    """The usage that ``as_message`` made plain.

    Raises:
        FrameError: it is not one, or counts in anything but whole numbers.
    """
    usage = from_message(Usage, message)
    counts = (usage.prompt_tokens, usage.reused_tokens, usage.new_tokens, usage.context_tokens or 0, usage.cache_bytes or 0)
    if not all(isinstance(count, int) for count in counts) or usage.ended not in get_args(Ended):
        raise FrameError("not what an answer took")
    return replace(usage, notes=tuple(printable(note) for note in usage.notes))


def clip_message(clip: Clip) -> Message:
    """A clip without its samples, which travel raw, and without its reference, which no runner may see."""
    return {"seconds": clip.seconds, "source": printable(clip.source), "language": clip.language}


def clip_from(message: Any, samples: Samples) -> Clip:
    """The clip that ``clip_message`` and its samples, shape (T,), made.

    Raises:
        FrameError: it is not one.
    """
    try:
        return Clip(samples=samples, seconds=message["seconds"], source=message["source"], language=message["language"])
    except (TypeError, KeyError) as error:
        raise FrameError(f"not a clip: {error}") from error


def transcript_message(transcript: Transcript) -> Message:
    """A transcript as plain data. A time or confidence that is not a finite number is unknown: null."""
    return {
        "text": printable(transcript.text),
        "words": [[printable(w.text), _finite(w.start), _finite(w.end), _finite(w.confidence)] for w in transcript.words],
        "segments": [[printable(s.text), _finite(s.start), _finite(s.end)] for s in transcript.segments],
        "language": transcript.language,
        "notes": [printable(note) for note in transcript.notes],
    }


def transcript_from(message: Any) -> Transcript:
    """The transcript that ``transcript_message`` made plain.

    Raises:
        FrameError: it is not one.
    """
    try:
        unknown = set(message) - {field.name for field in fields(Transcript)}
        if unknown or not isinstance(message["text"], str):
            raise FrameError("not a transcript")
        return Transcript(
            text=message["text"],
            words=tuple(Word(*word) for word in message["words"]),
            segments=tuple(Segment(*segment) for segment in message["segments"]),
            language=message["language"],
            notes=tuple(message["notes"]),
        )
    except (TypeError, KeyError) as error:
        raise FrameError(f"not a transcript: {error}") from error


def printable(text: object) -> str:
    """``text`` without lone surrogates, which no file, terminal or page could take."""
    return str(text).encode("utf-8", "replace").decode("utf-8")


def _finite(number: float | None) -> float | None:
    """The number as a plain float (numpy's become one), None where it is unknown, NaN or infinite."""
    if number is None:
        return None
    number = float(number)
    return number if math.isfinite(number) else None
