"""Clips that are heard in pieces."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from runners.base import SAMPLE_RATE, AudioError, Cancelled, Clip, Segment, Word
from runners.networks.piecewise import Piece, Tell, hear_in_pieces
from tests.sounds import silence
from tests.watcher import Watcher

Samples = NDArray[np.float32]


def spoken(*bursts: float, total: float) -> Clip:
    """Half a second of noise at each of these seconds, silence between."""
    samples = np.zeros(round(total * SAMPLE_RATE), np.float32)
    for number, start in enumerate(bursts):
        at = round(start * SAMPLE_RATE)
        samples[at : at + SAMPLE_RATE // 2] = np.random.default_rng(number).normal(0, 0.1, SAMPLE_RATE // 2)
    return Clip(samples, total, "bursts.wav")


class Counting:
    """Says "burst" with its time for each burst that it hears."""

    def __init__(self) -> None:
        self.lengths: list[float] = []

    def __call__(self, samples: Samples, tell: Tell) -> Piece:
        self.lengths.append(len(samples) / SAMPLE_RATE)
        loud = np.abs(samples) > 1e-9
        starts = np.flatnonzero(loud & ~np.concatenate(([False], loud[:-1]))) / SAMPLE_RATE
        words = tuple(Word("burst", float(start), float(start) + 0.5) for start in starts)
        return Piece(" ".join(["burst"] * len(words)), words, language="en")


def test_a_clip_that_is_short_enough_is_heard_whole() -> None:
    hear = Counting()
    found = hear_in_pieces(spoken(1, 3, total=5), 10, hear, Watcher())
    assert found.text == "burst burst"
    assert [word.start for word in found.words] == [1.0, 3.0]
    assert found.segments == (Segment("burst burst", 0.0, 5.0),)
    assert found.notes == ()
    assert found.language == "en"


def test_a_clip_without_a_limit_is_heard_whole_and_has_no_segments() -> None:
    hear = Counting()
    found = hear_in_pieces(spoken(1, 70, total=100), None, hear, Watcher())
    assert hear.lengths == [100.0]
    assert found.segments == ()
    assert found.text == "burst burst"


def test_a_long_clip_is_cut_where_nobody_speaks_and_times_go_on() -> None:
    bursts = (1, 4, 8, 12.5, 17, 21)
    hear = Counting()
    found = hear_in_pieces(spoken(*bursts, total=25), 6, hear, Watcher())
    assert found.text == " ".join(["burst"] * len(bursts))
    assert [word.start for word in found.words] == pytest.approx(bursts)
    assert max(hear.lengths) <= 6
    assert sum(hear.lengths) == 25
    assert f"cut at pauses into {len(hear.lengths)} pieces" in found.notes
    assert all(segment.text for segment in found.segments)
    spans = [(segment.start, segment.end) for segment in found.segments]
    assert spans == sorted(spans)


def test_word_times_can_be_left_out() -> None:
    assert hear_in_pieces(spoken(1, total=5), 10, Counting(), Watcher(), word_times=False).words == ()


def test_digital_silence_is_not_heard_and_a_note_says_so() -> None:
    hear = Counting()
    found = hear_in_pieces(spoken(1, total=30), 8, hear, Watcher())
    assert len(hear.lengths) == 1
    assert found.text == "burst"
    assert sum("digital silence" in note for note in found.notes) >= 2
    assert hear_in_pieces(silence(3), 8, hear, Watcher()).text == ""


def test_nothing_to_hear_is_no_failure_but_two_channels_are() -> None:
    assert hear_in_pieces(silence(0), 8, Counting(), Watcher()).text == ""
    with pytest.raises(AudioError, match="channel"):
        hear_in_pieces(Clip(np.zeros((2, 100), np.float32), 1.0, "two.wav"), 8, Counting(), Watcher())


def test_a_run_can_be_cancelled_between_two_pieces() -> None:
    hear = Counting()
    with pytest.raises(Cancelled):
        hear_in_pieces(spoken(1, 4, 8, 12, total=15), 5, hear, Watcher(cancel_at=3))
    assert len(hear.lengths) == 2


def test_texts_of_scripts_without_spaces_are_joined_without_one() -> None:
    found = hear_in_pieces(spoken(1, 8, total=10), 6, lambda *_: Piece("你好"), Watcher())
    assert found.text == "你好你好"


def test_segments_of_the_network_itself_win() -> None:
    found = hear_in_pieces(
        spoken(1, 8, total=10),
        6,
        lambda *_: Piece("a", segments=(Segment("a", 0.5, 1.5),)),
        Watcher(),
    )
    assert len(found.segments) == 2
    assert found.segments[0] == Segment("a", 0.5, 1.5)
    assert found.segments[1].start is not None
    assert found.segments[1].start > 3


def test_what_a_network_notes_of_a_piece_says_where() -> None:
    found = hear_in_pieces(spoken(1, 8, total=10), 6, lambda *_: Piece("a", notes=("it looped",)), Watcher())
    assert sum(note.startswith("from 0:00") and note.endswith("it looped") for note in found.notes) == 1
