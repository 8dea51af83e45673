"""Alignments: the fewest errors, every word once, the counts those of jiwer."""

from __future__ import annotations

from collections import Counter

import jiwer
import kaldialign
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.align import Alignment, align, distance, with_compounds

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


@settings(max_examples=60)
@given(SENTENCES, SENTENCES)
def test_both_texts_can_be_read_off_the_alignment(said: list[str], heard: list[str]) -> None:
    alignment = align(said, heard)
    assert [op.reference for op in alignment.ops if op.reference is not None] == said
    assert [op.hypothesis for op in alignment.ops if op.hypothesis is not None] == heard
    for op in alignment.ops:
        assert (op.kind == "hit") == (op.reference == op.hypothesis)
        assert (op.kind == "deletion") == (op.hypothesis is None)
        assert (op.kind == "insertion") == (op.reference is None)


@settings(max_examples=60)
@given(SENTENCES, SENTENCES)
def test_the_total_is_within_its_bounds_and_symmetric(said: list[str], heard: list[str]) -> None:
    errors = align(said, heard).errors
    assert abs(len(said) - len(heard)) <= errors <= max(len(said), len(heard))
    assert errors == align(heard, said).errors
    assert (errors == 0) == (said == heard)


@settings(max_examples=60)
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


@settings(max_examples=60)
@given(SENTENCES.filter(bool), SENTENCES)
def test_the_total_is_that_of_kaldialign(said: list[str], heard: list[str]) -> None:
    theirs = kaldialign.edit_distance(said, heard)
    assert align(said, heard).errors == theirs["total"]


@settings(max_examples=60)
@given(SENTENCES, SENTENCES)
def test_counts_are_those_of_the_steps(said: list[str], heard: list[str]) -> None:
    alignment = align(said, heard)
    kinds = Counter(op.kind for op in alignment.ops)
    assert alignment.hits == kinds["hit"]
    assert alignment.substitutions == kinds["substitution"]
    assert alignment.deletions == kinds["deletion"]
    assert alignment.insertions == kinds["insertion"]
    assert alignment.reference_length == len(said)
    assert alignment.errors == len(alignment.ops) - alignment.hits


@settings(max_examples=60)
@given(SENTENCES, SENTENCES, SENTENCES)
def test_a_way_over_a_third_text_is_never_shorter(one: list[str], other: list[str], third: list[str]) -> None:
    assert align(one, other).errors <= align(one, third).errors + align(third, other).errors


@settings(max_examples=60)
@given(SENTENCES, SENTENCES)
def test_chunks_follow_each_other_without_a_gap(said: list[str], heard: list[str]) -> None:
    i = j = 0
    for kind, i1, i2, j1, j2 in align(said, heard).chunks:
        assert (i1, j1) == (i, j)
        assert (i2 > i1, j2 > j1) == (kind != "insertion", kind != "deletion")
        i, j = i2, j2
    assert (i, j) == (len(said), len(heard))


@settings(max_examples=60)
@given(SENTENCES, SENTENCES)
def test_a_known_alignment_comes_back_whole(said: list[str], heard: list[str]) -> None:
    alignment = align(said, heard)
    again = Alignment.of((op.reference, op.hypothesis) for op in alignment.ops)
    assert again.ops == alignment.ops
    assert (again.reference, again.hypothesis) == (tuple(said), tuple(heard))


def test_a_pair_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="one side"):
        Alignment.of([("a", "a"), (None, None)])


@pytest.mark.parametrize(
    ("said", "heard", "compounds"),
    [
        ("this week end it rained", "this weekend it rained", ["week end=weekend"]),
        ("this weekend it rained", "this week end it rained", ["weekend=week end"]),
        ("never the less", "nevertheless", ["never the less=nevertheless"]),
        ("into a bottle", "in to a bottle", ["into=in to"]),
        ("an ice cream", "a nice cream", ["an ice=a nice"]),
        ("Donau dampf schiff", "Donaudampf schiff", ["Donau dampf=Donaudampf"]),
        ("red ice cream x and news papers", "read icecream y and newspapers", ["ice cream=icecream", "news papers=newspapers"]),
        ("ice cream news papers", "icecream newspapers", ["ice cream=icecream", "news papers=newspapers"]),
        ("ice cream newspaper", "icecream news paper", []),  # a hair cheaper: three wrong words for three
        ("the weekend", "the week", []),
        ("a b", "b a", []),
        ("एक साथ", "एकसाथ", ["एक साथ=एकसाथ"]),
        ("אל תוך", "אלתוך", ["אל תוך=אלתוך"]),
    ],
)
def test_words_split_or_joined_are_told_apart_from_other_errors(said: str, heard: str, compounds: list[str]) -> None:
    alignment = align(said.split(), heard.split())
    found = [
        f"{' '.join(alignment.reference[i1:i2])}={' '.join(alignment.hypothesis[j1:j2])}"
        for i1, i2, j1, j2 in alignment.compounds
    ]
    assert found == compounds


SPLIT = st.lists(st.sampled_from(["ice", "cream", "icecream", "icecreams", "s", "a", "b", "ab", "week"]), max_size=12)


@settings(max_examples=60)
@given(SPLIT, SPLIT)
def test_a_compound_costs_what_its_words_cost_and_has_steps_of_its_own(said: list[str], heard: list[str]) -> None:
    alignment = align(said, heard)
    assert alignment.errors == kaldialign.edit_distance(said, heard)["total"]
    theirs = jiwer.process_words(" ".join(said), " ".join(heard)) if said else None
    if theirs is not None:
        assert (alignment.substitutions, alignment.deletions) == (theirs.substitutions, theirs.deletions)
    starts = {(i1, j1) for _, i1, _, j1, _ in alignment.chunks}
    ends = {(i2, j2) for _, _, i2, _, j2 in alignment.chunks}
    for i1, i2, j1, j2 in alignment.compounds:
        assert "".join(said[i1:i2]) == "".join(heard[j1:j2])
        assert said[i1:i2] != heard[j1:j2]
        assert (i1, j1) in starts
        assert (i2, j2) in ends


def test_compounds_of_a_known_alignment_are_found_if_asked_for() -> None:
    known = Alignment.of([("this", "this"), ("week", "weekend"), ("end", None), ("it", "it")])
    assert known.compounds == ()
    assert with_compounds(known) == align(["this", "week", "end", "it"], ["this", "weekend", "it"])
    dear = Alignment.of([("week", None), ("end", None), (None, "weekend")])  # three errors, where two would do
    assert with_compounds(dear) == dear


@settings(max_examples=60)
@given(SPLIT, SPLIT)
def test_looking_for_compounds_again_changes_nothing(said: list[str], heard: list[str]) -> None:
    alignment = align(said, heard)
    assert with_compounds(alignment) == alignment


def test_a_long_text_of_other_words_is_aligned_without_a_search_for_compounds() -> None:
    alignment = align(["a", "b"] * 3000, ["ab"] * 3000)
    assert alignment.errors == 6000
    assert alignment.compounds == ()


@settings(max_examples=60)
@given(SENTENCES, SENTENCES, st.integers(0, 200))
def test_an_expected_distance_changes_nothing_but_speed(said: list[str], heard: list[str], expected: int) -> None:
    assert distance(" ".join(said), " ".join(heard), expected) == distance(" ".join(said), " ".join(heard))


@settings(max_examples=60)
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
