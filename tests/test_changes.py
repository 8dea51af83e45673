"""What a normaliser did to a text, as people see it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from comparisons.normalise import NORMALISERS, normaliser
from comparisons.texts.changes import explained


def test_each_word_says_what_became_of_it() -> None:
    found = explained("Um, twenty one of Dr. Lee's friends (all) paid $5 ...", normaliser("whisper-english"))
    assert [(change.text, change.kind, change.became) for change in found] == [
        ("Um,", "dropped", ""),
        ("twenty one", "changed", "21"),
        ("of", "same", "of"),
        ("Dr.", "changed", "doctor"),
        ("Lee's", "changed", "lee is"),
        ("friends", "same", "friends"),
        ("(all)", "dropped", ""),
        ("paid", "same", "paid"),
        ("$5", "same", "$5"),
        ("...", "dropped", ""),
    ]


def test_where_words_are_not_separated_it_is_told_by_characters() -> None:
    found = explained("今天，Ａ 好。", normaliser("basic"), "character")
    assert [(change.text, change.became, change.after) for change in found] == [
        ("今", "今", ""),
        ("天", "天", ""),
        ("，", "", ""),
        ("Ａ", "a", " "),
        ("好", "好", ""),
        ("。", "", ""),
    ]


@given(st.text() | st.lists(st.sampled_from(["It's", "twenty", "two", "um", "...", "नमस्ते।", "🙂", "(so)"])).map(" ".join))
def test_nothing_of_the_text_is_lost_and_all_that_is_counted_is_there(text: str) -> None:
    for name in sorted(NORMALISERS):
        found = explained(text, normaliser(name))
        assert "".join(change.text + change.after for change in found).split() == text.split()
        assert " ".join(change.became for change in found).split() == list(normaliser(name).words(text))
