"""Alignments: the fewest errors, every word once, the counts those of jiwer."""

from __future__ import annotations

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparisons.align import align, distance

WORDS = st.sampled_from(
    [
        "a",
        "b",
        "the",
        "cat",
        "Straße",
        "नमस्ते",
        "สวัสดี",
        "今天",
        "天",
        "שלום",
        "مرحبا",
        "e\u0301",
        "é",
        "👩‍👩‍👧",
        "❤️",
        "🙂",
        "1",
        "ʼn",
    ]
)
SENTENCES = st.lists(WORDS | st.text(st.characters(exclude_categories=("Z", "C")), min_size=1, max_size=3), max_size=25).map(
    lambda words: [word for word in words if word.split() == [word]]
)


@given(SENTENCES, SENTENCES)
def test_both_texts_can_be_read_off_the_alignment(said: list[str], heard: list[str]) -> None:
    alignment = align(said, heard)
    assert [op.reference for op in alignment.ops if op.reference is not None] == said
    assert [op.hypothesis for op in alignment.ops if op.hypothesis is not None] == heard
    for op in alignment.ops:
        assert (op.kind == "hit") == (op.reference == op.hypothesis)
        assert (op.kind == "deletion") == (op.hypothesis is None)
        assert (op.kind == "insertion") == (op.reference is None)


@given(SENTENCES, SENTENCES)
def test_the_total_is_within_its_bounds_and_symmetric(said: list[str], heard: list[str]) -> None:
    errors = align(said, heard).errors
    assert abs(len(said) - len(heard)) <= errors <= max(len(said), len(heard))
    assert errors == align(heard, said).errors
    assert (errors == 0) == (said == heard)


@given(SENTENCES.filter(bool), SENTENCES)
def test_the_counts_are_those_of_jiwer(said: list[str], heard: list[str]) -> None:
    theirs = jiwer.process_words(" ".join(said), " ".join(heard))
    ours = align(said, heard)
    assert (ours.hits, ours.substitutions, ours.deletions, ours.insertions) == (
        theirs.hits,
        theirs.substitutions,
        theirs.deletions,
        theirs.insertions,
    )


@given(SENTENCES, SENTENCES)
def test_characters_are_counted_as_words_are(said: list[str], heard: list[str]) -> None:
    one, other = " ".join(said), " ".join(heard)
    assert distance(one, other) == align(list(one), list(other)).errors


@pytest.mark.parametrize(
    ("said", "heard", "kinds"),
    [
        ("", "", ""),
        ("a b", "", "DD"),
        ("", "a b", "II"),
        ("send the notes to everyone", "send notes two everyone now", "HDHSHI"),
        ("it is 21", "21 now", "SSD"),  # as dear as D D H I, and substitutions are preferred
    ],
)
def test_small_alignments(said: str, heard: str, kinds: str) -> None:
    ops = align(said.split(), heard.split()).ops
    found = "".join(op.kind[0].upper() for op in ops)
    assert sorted(found) == sorted(kinds)
    if "SSD" not in kinds:
        assert found == kinds


def test_ten_thousand_words_are_aligned() -> None:
    said = [f"word{number * number % 3001}" for number in range(10_000)]
    heard = [word for number, word in enumerate(said) if number % 10]
    alignment = align(said, heard)
    assert alignment.reference_length == 10_000
    assert alignment.errors == 1000
