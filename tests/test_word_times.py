"""Times of words: the warping, the grouping of tokens, and times kept in order."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.base import Word
from runners.networks.word_times import in_order, warp, words_of


def test_each_token_begins_where_the_attention_turns_to_it() -> None:
    attention = np.zeros((3, 10))
    attention[0, :4] = attention[1, 4:7] = attention[2, 7:] = 1
    assert warp(attention).tolist() == [0, 4, 7]


@settings(max_examples=60)
@given(st.integers(1, 12), st.integers(1, 30), st.integers(0, 10**6))
def test_the_path_is_the_best_and_never_goes_back(tokens: int, frames: int, seed: int) -> None:
    attention = np.random.default_rng(seed).normal(size=(tokens, frames))
    begins = warp(attention)
    assert begins.shape == (tokens,)
    assert (np.diff(begins) >= 0).all()
    assert begins[0] == 0
    assert begins[-1] < frames


def test_more_tokens_than_frames_share_them() -> None:
    assert len(warp(np.ones((5, 2)))) == 5
    assert warp(np.ones((0, 4))).tolist() == []


def grouped(pieces: list[str], language: str | None = None) -> list[str]:
    return [text for text, _, _ in words_of(range(len(pieces)), lambda ids: "".join(pieces[i] for i in ids), language)]


def test_tokens_become_words_at_spaces_and_punctuation_stays_with_its_word() -> None:
    assert grouped([" Lark", "haven", ",", " said", " “", "the", " ferry", ".", "”"]) == [
        "Larkhaven,",
        "said",
        "“the",
        "ferry.”",
    ]
    assert grouped([" -", " ten", " –", " past"]) == ["-", "ten –", "past"]


def test_a_language_without_spaces_is_timed_by_the_character() -> None:
    assert grouped(["今", "天", "。", "「", "好", "」"], "zh") == ["今", "天。", "「好」"]


def test_bytes_of_one_character_stay_together() -> None:
    whole = "é".encode()

    def decode(ids: list[int]) -> str:
        return bytes(whole[i] for i in ids).decode(errors="replace")

    assert words_of([0, 1], decode, "fr") == [("é", 0, 2)]


def test_times_stay_inside_the_clip_and_never_run_backwards() -> None:
    words = [Word("a", 1.0, 0.5), Word("b", 0.2, 9.0), Word("c"), Word("d", 3.0, 4.0)]
    assert in_order(words, 5.0) == (Word("a", 1.0, 1.0), Word("b", 1.0, 5.0), Word("c"), Word("d", 3.0, 5.0))
