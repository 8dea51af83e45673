"""Passages: where words are cut so that they can be read across."""

from __future__ import annotations

import pytest

from comparisons.sides.marks import Mark
from comparisons.sides.passages import cuts, divided, split


def said(text: str, **pauses: float) -> tuple[Mark, ...]:
    """Words of half a second each, with a pause in seconds after some of them."""
    made: list[Mark] = []
    now = 0.0
    for at, word in enumerate(text.split()):
        made.append(Mark(word, "plain", None, now, now + 0.5, at=at))
        now += 0.5 + pauses.get(word, 0.0)
    return tuple(made)


def held(*words: tuple[str, str, int]) -> tuple[Mark, ...]:
    """Marks as (text, kind, at)."""
    return tuple(Mark(text, kind, at=at) for text, kind, at in words)  # type: ignore[arg-type]


NINE = "a b c d e f g h i"


@pytest.mark.parametrize("end", [".", "!", "?", "…", "。", "؟", "।", '."', ".)"])
def test_a_sentence_ends_a_passage(end: str) -> None:
    assert cuts(said(f"{NINE}{end} {NINE}")) == [0, 9, 18]


@pytest.mark.parametrize("word", ["Dr.", "Mrs.", "e.g.", "x"])
def test_an_abbreviation_ends_none(word: str) -> None:
    assert cuts(said(f"{NINE} {word} {NINE}")) == [0, 19]


def test_where_no_sentence_ends_the_longest_pause_is_taken() -> None:
    words = " ".join(f"w{i}" for i in range(40))
    assert cuts(said(words, w12=0.35, w17=0.5))[:2] == [0, 18]
    assert cuts(said(words, w12=0.35, w17=0.5, w14=0.7))[:2] == [0, 15]


def test_a_line_s_end_is_as_good_as_a_sentence_s() -> None:
    assert cuts(said(f"{NINE} {NINE}"), last=frozenset({9})) == [0, 10, 18]


def test_few_words_are_left_together() -> None:
    assert cuts(said("Yes. No. Maybe.")) == [0, 3]
    assert cuts(()) == [0, 0]
    assert cuts(said(f"{NINE}. Good bye.")) == [0, 11]


def test_a_mark_is_not_cut_through() -> None:
    words = said(f"{NINE}. {NINE}.")
    apart = held(*((word.text, "hit", at) for at, word in enumerate(words)))
    over_the_end = tuple(mark for mark in apart if mark.at != 9)  # the mark at 8 stands for two words
    assert cuts(words, [apart]) == [0, 9, 18]
    assert 9 not in cuts(words, [apart, over_the_end])
    assert cuts(words, [apart, over_the_end], silent=frozenset({9})) == [0, 9, 18]  # unless the second one is a filler


def test_what_is_added_at_a_cut_stays_with_its_sentence() -> None:
    side = held(
        ("over.", "hit", 0), ("Thank", "insertion", 1), ("you.", "insertion", 1), ("Um,", "plain", 1), ("now", "hit", 1)
    )
    assert divided(side, [1]) == [3]
    assert divided(side[:1] + side[3:], [1]) == [1]
    assert divided((), [1, 2]) == [0, 0]


def test_far_more_than_was_said_is_split_by_time() -> None:
    loop = said("thank you. " * 100)
    rows = list(split(said("it is over"), (loop, said("it is over"))))
    assert len(rows) > 5
    assert sum((cells[0] for _, cells in rows), ()) == loop
    assert sum((cells[1] for _, cells in rows), ()) == said("it is over")
    assert sum((anchor for anchor, _ in rows), ()) == said("it is over")


def test_an_ordinary_passage_is_not_split() -> None:
    words = said("it is over")
    assert list(split(words, (words, ()))) == [(words, (words, ()))]
    assert list(split((), ((), ()))) == []
