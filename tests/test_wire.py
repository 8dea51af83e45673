"""Frames survive the trip, and a wild one is refused before it costs memory."""

from __future__ import annotations

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.base import (
    ChatOptions,
    Clip,
    Placement,
    Prompt,
    RunnerSpec,
    Segment,
    TranscribeOptions,
    Transcript,
    Turn,
    Usage,
    Word,
)
from runners.isolation import wire

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
SAMPLES = st.lists(st.floats(width=32, allow_nan=True), max_size=64).map(lambda values: np.array(values, dtype=np.float32))
TEXT = st.text(st.characters(codec="utf-8"))
SECONDS = st.none() | st.floats(0, 1e5)


def trip(message: dict, samples: np.ndarray | None = None) -> tuple[dict, np.ndarray]:
    stream = io.BytesIO()
    wire.write(stream, message, samples)
    stream.seek(0)
    frame = wire.read(stream)
    assert frame is not None
    assert wire.read(stream) is None
    return frame


def read_all(raw: bytes) -> int:
    """How many frames arrive before the end, or before a fault that is named as one."""
    stream = io.BytesIO(raw)
    arrived = 0
    try:
        while wire.read(stream) is not None:
            arrived += 1
    except wire.FrameError:
        pass
    return arrived


@settings(max_examples=60)
@given(st.dictionaries(st.text(), JSON, max_size=5), SAMPLES)
def test_a_frame_arrives_as_it_was_sent(message, samples):
    arrived, heard = trip(message, samples)
    assert arrived == message
    assert heard.dtype == np.float32
    assert heard.tobytes() == samples.tobytes()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.dictionaries(st.text(), JSON, max_size=3), SAMPLES), max_size=4), st.integers(0, 200))
def test_a_stream_that_is_cut_ends_or_says_so(frames, cut):
    stream = io.BytesIO()
    for message, samples in frames:
        wire.write(stream, message, samples)
    assert read_all(stream.getvalue()[:cut]) <= len(frames)


@settings(max_examples=100)
@given(st.binary(max_size=300))
def test_noise_in_place_of_frames_is_refused(noise):
    read_all(noise)


@settings(max_examples=60)
@given(
    st.builds(
        Transcript,
        text=TEXT,
        words=st.lists(st.builds(Word, TEXT, SECONDS, SECONDS, st.none() | st.floats(0, 1)), max_size=4).map(tuple),
        segments=st.lists(st.builds(Segment, TEXT, SECONDS, SECONDS), max_size=4).map(tuple),
        language=st.none() | st.just("en"),
        notes=st.lists(TEXT, max_size=2).map(tuple),
    )
)
def test_a_transcript_arrives_as_it_was_heard(transcript):
    message, _ = trip(wire.transcript_message(transcript))
    assert wire.transcript_from(message) == transcript


def test_a_spec_a_placement_and_options_arrive_whole():
    spec = RunnerSpec(
        family="whisper",
        label="Whisper",
        target="a:B",
        model="x/y",
        revision="main",
        languages=("en", "de"),
        dtypes=("float32",),
    )
    chat = ChatOptions("a conversation", most_tokens=7, temperature=0.7, seed=3, cache_bytes=10**10)
    usage = Usage(100, 90, 7, 131_072, cache_bytes=10**9, ended="loop", notes=("a note",))
    for value in (spec, Placement("cuda", "float16", 12), chat, usage):
        message, _ = trip(wire.as_message(value))
        assert wire.from_message(type(value), message) == value


@settings(max_examples=40)
@given(
    st.builds(
        TranscribeOptions,
        language=st.none() | st.just("de"),
        word_times=st.booleans(),
        prompt=st.none() | st.builds(Prompt, st.none() | TEXT, st.just("question"), TEXT),
    )
)
def test_options_arrive_with_their_prompt(options):
    message, _ = trip(wire.options_message(options))
    assert wire.options_from(message) == options


@settings(max_examples=40)
@given(st.lists(st.builds(Turn, st.sampled_from(["user", "assistant"]), TEXT), max_size=4).map(tuple))
def test_the_turns_of_a_conversation_arrive_in_order(turns):
    message, _ = trip({"turns": wire.turns_message(turns)})
    assert wire.turns_from(message["turns"]) == turns


def test_half_a_character_in_a_prompt_or_a_turn_is_mended():
    prompt = Prompt(None, "question", "bad \ud800 half")
    assert wire.options_from(wire.options_message(TranscribeOptions(prompt=prompt))).prompt.text == "bad ? half"
    assert wire.turns_from(wire.turns_message((Turn("user", "bad \ud800 half"),)))[0].text == "bad ? half"


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (wire.usage_from, {"prompt_tokens": 1}),
        (wire.usage_from, {"prompt_tokens": "1", "reused_tokens": 0, "new_tokens": 1, "context_tokens": None}),
        (wire.usage_from, {"prompt_tokens": 1, "reused_tokens": 0, "new_tokens": 1, "context_tokens": 1, "ended": "bored"}),
        (wire.usage_from, None),
        (wire.turns_from, [["user"]]),
        (wire.turns_from, 3),
        (wire.options_from, {"prompt": {"words": "a"}}),
    ],
)
def test_what_is_no_part_of_a_conversation_is_refused(read, message):
    with pytest.raises(wire.FrameError):
        read(message)


def test_a_runner_never_sees_the_reference():
    clip = Clip(np.zeros(3, np.float32), 1.5, "speech.wav", reference="the truth", language="en")
    message, samples = trip(wire.clip_message(clip), clip.samples)
    assert "truth" not in json.dumps(message)
    arrived = wire.clip_from(message, samples)
    assert (arrived.seconds, arrived.source, arrived.language) == (1.5, "speech.wav", "en")
    assert arrived.reference is None


def test_unknown_numbers_become_null_and_numpy_numbers_are_plain():
    nan = float("nan")
    message = wire.transcript_message(Transcript("a", words=(Word("a", np.float32(0.5), nan, float("inf")),)))  # type: ignore[arg-type]
    assert wire.transcript_from(trip(message)[0]).words == (Word("a", 0.5, None, None),)


def test_text_that_no_file_could_hold_is_mended():
    message, _ = trip(wire.transcript_message(Transcript("bad \ud800 half")))
    wire.transcript_from(message).text.encode("utf-8")


@pytest.mark.parametrize(
    ("text_bytes", "sample_bytes"),
    [(wire.LONGEST_MESSAGE + 1, 0), (2, wire.MOST_SAMPLE_BYTES + 4), (2, 3), (2**32 - 1, 2**32 - 1)],
)
def test_an_oversize_frame_is_refused_by_its_head(text_bytes, sample_bytes):
    stream = io.BytesIO(struct.pack("!II", text_bytes, sample_bytes) + b"{}")
    with pytest.raises(wire.FrameError, match="claims"):
        wire.read(stream)


def test_samples_are_refused_where_none_are_expected():
    stream = io.BytesIO()
    wire.write(stream, {}, np.zeros(4, np.float32))
    stream.seek(0)
    with pytest.raises(wire.FrameError):
        wire.read(stream, most_sample_bytes=0)


@pytest.mark.parametrize("message", [{"a": float("nan")}, {"a": {1, 2}}, {"a": "x" * (wire.LONGEST_MESSAGE + 1)}])
def test_what_could_not_be_read_is_not_written(message):
    stream = io.BytesIO()
    with pytest.raises(wire.FrameError):
        wire.write(stream, message)
    assert stream.getvalue() == b""


@pytest.mark.parametrize("text", [b"[]", b"nonsense", b"\xff\xfe", b"[" * 100_000])
def test_a_frame_that_is_no_object_is_refused(text):
    with pytest.raises(wire.FrameError):
        wire.read(io.BytesIO(struct.pack("!II", len(text), 0) + text))


@pytest.mark.parametrize("message", [None, [], {}, {"text": 3}, {"text": "a", "words": [[]], "segments": [], "notes": []}])
def test_what_is_no_transcript_is_refused(message):
    with pytest.raises(wire.FrameError):
        wire.transcript_from(message)
