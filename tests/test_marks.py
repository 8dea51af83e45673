"""Marks: every raw word once, in order, with the colour that the alignment gives it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.align import Alignment
from comparisons.normalise import NORMALISERS, normaliser
from comparisons.score import score
from comparisons.sides.marks import Mark, marks, plain
from comparisons.texts.pieces import known_pieces
from runners.base import Segment, Transcript, Word

RAW_TEXT = """Dr. Smith didn't did not say it's it is Um, uh twenty twenty-one 21 one hundred and $5 5 dollars %
[loud noise] (inaudible) — … now! Now over won't 3.5 half mister 'cause cannot can not e\u0301 नमस्ते مرحبا 👍 cafe café"""
RAW = st.sampled_from(RAW_TEXT.split())
TEXTS = st.lists(RAW, max_size=14).map(" ".join)


def marked(reference: str, text: str, name: str = "whisper-english", language: str | None = "en") -> tuple[Mark, ...]:
    normalise = normaliser(name)
    pair = score(reference, text, normalise, language)
    assert pair is not None
    return marks(reference, Transcript(text), pair[1], normalise, pair[0].unit)


def drawn(found: tuple[Mark, ...]) -> str:
    forms = {"hit": "{}", "plain": "~{}", "substitution": "<{}|{}>", "deletion": "[{}]", "insertion": "+{}"}
    return " ".join(forms[mark.kind].format(mark.text, mark.reference) for mark in found)


@settings(max_examples=150)
@given(TEXTS, TEXTS, st.sampled_from(sorted(NORMALISERS)))
def test_every_raw_word_appears_once_and_in_order(reference: str, text: str, name: str) -> None:
    found = marked(reference, text, name)
    assert " ".join(mark.text for mark in found if mark.kind != "deletion").split() == text.split()


@settings(max_examples=150)
@given(TEXTS, TEXTS, st.sampled_from(sorted(NORMALISERS)))
def test_lost_words_of_the_reference_appear_in_order(reference: str, text: str, name: str) -> None:
    found = marked(reference, text, name)
    lost = " ".join(mark.reference for mark in found if mark.reference is not None).split()
    rest = iter(reference.split())
    assert all(word in rest for word in lost)


@settings(max_examples=100)
@given(TEXTS, TEXTS, st.sampled_from(sorted(NORMALISERS)))
def test_something_is_marked_exactly_if_something_is_wrong(reference: str, text: str, name: str) -> None:
    pair = score(reference, text, normaliser(name), "en")
    assert pair is not None
    wrong = any(mark.kind in ("substitution", "deletion", "insertion") for mark in marked(reference, text, name))
    assert wrong == (pair[0].errors > 0)


@settings(max_examples=100)
@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(sorted(NORMALISERS)), st.sampled_from(["en", "zh"]))
def test_any_text_can_be_marked(reference: str, text: str, name: str, language: str) -> None:
    found = marked(reference, text, name, language)
    shown = " ".join(mark.text for mark in found if mark.kind != "deletion")
    assert "".join(shown.split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("reference", "text", "picture"),
    [
        ("the notes", "The notes.", "The notes."),
        ("send the notes", "send notes", "send [the] notes"),
        ("send notes", "send, um, the notes", "send, ~um, +the notes"),
        ("Thursday morning", "thirsty morning", "<thirsty|Thursday> morning"),
        ("he didn't go", "he did not go", "he did not go"),
        ("I paid twenty one", "I paid 21.", "I paid 21."),
        ("I paid 21", "I paid twenty one", "I paid twenty one"),
        ("I paid 22", "I paid twenty one", "I paid <twenty one|22>"),
        ("it's over", "it was over", "<it was|it's> over"),
        ("over", "[loud noise] over", "~[loud ~noise] over"),
        ("", "stray words", "+stray +words"),
        ("all is lost", "", "[all] [is] [lost]"),
        (
            "Dr. Smith didn't say it's over.",
            "Um, doctor Smith did not say is over now!",
            "~Um, doctor Smith did not say <is|it's> over +now!",
        ),
    ],
)
def test_pictures(reference: str, text: str, picture: str) -> None:
    assert drawn(marked(reference, text)) == picture


def test_letter_case_and_punctuation_count_where_nothing_is_normalised() -> None:
    assert drawn(marked("Hello, world", "hello, world", "none")) == "<hello,|Hello,> world"


def test_unspaced_scripts_are_marked_by_character_and_keep_their_look() -> None:
    found = marked("今天天气很好", "今天 天汽好。", "basic", "zh")
    assert [(mark.text, mark.kind) for mark in found] == [
        ("今", "hit"),
        ("天", "hit"),
        ("天", "hit"),
        ("汽", "substitution"),
        ("很", "deletion"),
        ("好", "hit"),
        ("。", "plain"),
    ]
    assert "".join(mark.text + mark.after for mark in found if mark.kind != "deletion") == "今天 天汽好。"


def test_thai_vowel_signs_stay_on_their_letters() -> None:
    found = marked("ที่นี่", "ที่นี้", "basic", "th")
    assert [(mark.text, mark.kind) for mark in found] == [("ที่", "hit"), ("นี้", "substitution")]


def test_words_carry_the_times_of_the_system() -> None:
    words = (Word("hello", 0.1, 0.4), Word("there", 0.5, 0.9))
    found = plain(Transcript("Hello, there.", words=words))
    assert [(mark.text, mark.start, mark.end) for mark in found] == [("Hello,", 0.1, 0.4), ("there.", 0.5, 0.9)]


def test_a_substituted_stretch_has_the_times_of_its_ends() -> None:
    transcript = Transcript("paid twenty one", words=(Word("paid", 0, 1), Word("twenty", 1, 2), Word("one", 2, 3)))
    normalise = normaliser("whisper-english")
    pair = score("paid 22", transcript.text, normalise)
    assert pair is not None
    assert marks("paid 22", transcript, pair[1], normalise)[1] == Mark("twenty one", "substitution", "22", 1, 3, at=1)


def test_segments_time_their_first_and_last_words() -> None:
    found = plain(Transcript("a b c d", segments=(Segment("a b", 0.0, 1.0), Segment("c d", 1.5, 2.0))))
    assert [(mark.start, mark.end) for mark in found] == [(0.0, None), (None, 1.0), (1.5, None), (None, 2.0)]


def test_words_that_do_not_fit_the_text_are_left_untimed() -> None:
    found = plain(Transcript("one two three", words=(Word("one", 0, 1), Word("zwei", 1, 2), Word("three", 2, 3))))
    assert [mark.start for mark in found] == [0, None, 2]


def test_without_a_reference_nothing_is_marked() -> None:
    assert [mark.kind for mark in plain(Transcript("um hello"))] == ["plain", "plain"]
    assert plain(Transcript("")) == ()


def test_an_alignment_of_other_texts_is_refused() -> None:
    normalise = normaliser("basic")
    pair = score("a b", "a c", normalise)
    assert pair is not None
    with pytest.raises(ValueError, match="not one of these"):
        marks("a b", Transcript("a d"), pair[1], normalise)


def test_marks_say_where_they_stand_in_the_reference() -> None:
    found = marked("Dr. Smith didn't say it's over.", "Um, doctor Smith did not say is over now!")
    assert [(mark.text, mark.at) for mark in found] == [
        ("Um,", 0),
        ("doctor", 0),
        ("Smith", 1),
        ("did", 2),
        ("not", 2),
        ("say", 3),
        ("is", 4),
        ("over", 5),
        ("now!", 6),
    ]


@settings(max_examples=100)
@given(TEXTS, TEXTS, st.sampled_from(sorted(NORMALISERS)))
def test_marks_go_forward_through_the_reference(reference: str, text: str, name: str) -> None:
    places = [mark.at for mark in marked(reference, text, name)]
    assert all(at is not None and 0 <= at <= len(reference.split()) for at in places)
    assert places == sorted(places, key=lambda at: at or 0)


@pytest.mark.parametrize(
    ("reference", "text", "picture", "compounds"),
    [
        ("this week end", "this weekend", "this <weekend|week end>", ["weekend"]),
        ("this weekend we go", "this week end we go", "this <week end|weekend> we go", ["week end"]),
        ("a data base now", "a the database", "a <the database|data base> [now]", []),
        ("this weekday", "this weekend", "this <weekend|weekday>", []),
    ],
)
def test_a_word_that_was_split_or_joined_is_one_mark(reference: str, text: str, picture: str, compounds: list[str]) -> None:
    found = marked(reference, text, "basic")
    assert [mark.text for mark in found if mark.is_compound] == compounds
    if compounds:
        assert drawn(found) == picture


def test_characters_carry_the_times_of_the_words_they_begin_and_end() -> None:
    normalise = normaliser("basic")
    transcript = Transcript("今天好", words=(Word("今天", 0.5, 1.0), Word("好", 1.2, 1.4)))
    pair = score("今天好", transcript.text, normalise, "zh")
    assert pair is not None
    found = marks("今天好", transcript, pair[1], normalise, "character")
    assert [(mark.text, mark.start, mark.end) for mark in found] == [("今", 0.5, None), ("天", None, 1.0), ("好", 1.2, 1.4)]


def test_words_of_a_majority_stand_for_the_tokens_they_are_said_to() -> None:
    normalise = normaliser("whisper-english")
    majority = known_pieces([("It's", " ", 2), ("done.", " ", 1)], ("it", "is", "done"))
    alignment = Alignment.of([("it", "it"), ("is", "was"), ("done", "done")])
    found = marks(majority, Transcript("it was done"), alignment, normalise)
    assert drawn(found) == "<it was|It's> done"
