"""Pieces: raw words, and the normalised tokens that each of them stands for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.normalise import NORMALISERS, normaliser
from comparisons.texts.pieces import known_pieces, pieces, timed
from runners.base import Segment, Word

ODD_WORDS = "Dr. didn't it's um twenty one 21 and hundred $5 dollars % [loud noise] (so) … Now. मैं สวัสดี 今天 👍"
TEXTS = st.lists(st.sampled_from(ODD_WORDS.split()) | st.text(max_size=4), max_size=60).map(" ".join)


def grouped(text: str, name: str = "whisper-english") -> list[tuple[str, str]]:
    """Each group as (raw, normalised)."""
    read = pieces(text, normaliser(name))
    return [(read.text(begin, end), " ".join(read.tokens[first:last])) for (begin, end), (first, last) in read.groups]


def test_a_raw_word_may_stand_for_none_or_several() -> None:
    assert grouped("Um, he didn't pay twenty one") == [
        ("Um,", ""),
        ("he", "he"),
        ("didn't", "did not"),
        ("pay", "pay"),
        ("twenty one", "21"),
    ]


def test_one_number_does_not_tie_up_a_sentence() -> None:
    found = grouped("I have twenty one dollars, 3.5 million euros or one hundred and five pounds. And you?")
    assert ("or", "or") in found
    assert ("one hundred and five pounds.", "£105") in found
    assert found[-1] == ("you?", "you")


def test_a_long_remark_that_is_dropped_leaves_the_rest_in_place() -> None:
    remark = "[" + " ".join(["a very long remark that nobody hears"] * 10) + "]"
    found = grouped(f"we begin here {remark} and then it goes on for some more words")
    assert found[:3] == [("we", "we"), ("begin", "begin"), ("here", "here")]
    rest = "and then it goes on for some more words"
    assert found[-9:] == [(word, word) for word in rest.split()]


def test_dropped_pieces_are_known() -> None:
    read = pieces("um so … yes", normaliser("whisper-english"))
    assert [read.texts[piece] for piece in sorted(read.silent)] == ["um", "…"]


def test_pieces_may_be_told_what_they_stand_for() -> None:
    read = known_pieces([("It's", " ", 2), ("over.", "", 1)], ("it", "is", "over"))
    assert list(read.groups) == [((0, 1), (0, 2)), ((1, 2), (2, 3))]
    assert read.text(0, 2) == "It's over."


def test_letters_carry_the_marks_that_sit_on_them() -> None:
    read = pieces("ที่ นี่", normaliser("basic"), "character")
    assert (read.texts, read.afters) == (("ที่", "นี่"), (" ", ""))


@pytest.mark.parametrize(
    ("stretches", "starts", "ends"),
    [
        ((), [None] * 3, [None] * 3),
        ((Word("one", 0, 1), Word("two", 1, 2), Word("three", 2, 3)), [0, 1, 2], [1, 2, 3]),
        ((Word(" ONE", 0, 1), Word("zwei", 1, 2), Word("Three!", 2, 3)), [0, None, 2], [1, None, 3]),
        ((Segment("one two", 0, 2), Segment("three", 2.5, 3)), [0, None, 2.5], [None, 2, 3]),
        ((Segment("one two three"),), [None] * 3, [None] * 3),
    ],
)
def test_times_are_those_of_the_words_with_the_same_text(
    stretches: tuple[Word | Segment, ...], starts: list[float | None], ends: list[float | None]
) -> None:
    assert timed(["one,", "two", "three"], stretches) == (starts, ends)


@settings(max_examples=150)
@given(TEXTS, st.sampled_from(sorted(NORMALISERS)), st.sampled_from(["word", "character"]))
def test_groups_hold_every_piece_and_every_token_once(text: str, name: str, unit: str) -> None:
    read = pieces(text, normaliser(name), "word" if unit == "word" else "character")
    place = (0, 0)
    for (begin, end), (first, last) in read.groups:
        assert (begin, first) == place
        assert begin < end
        assert first <= last
        place = (end, last)
    assert place == (len(read.texts), len(read.tokens))
    assert "".join(read.texts) == "".join(text.split())
