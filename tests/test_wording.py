"""Names, numbers, capitals and punctuation are found by their form."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.beyond.wording import Span, Wording, core, is_capital


def written(text: str, spans: list[Span]) -> list[str]:
    """What stands at the places, without the white space that they do not count."""
    letters = "".join(text.split())
    return [core(letters[start:end]) for start, end in spans]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("We met John Smith and Mary in Paris.", ["JohnSmith", "Mary", "Paris"]),
        ("Yes. Then he left. Mary stayed.", []),
        ("I think I'm fine, said Anna, and I’ll go.", ["Anna"]),
        ("he saw Mr. Jones and Dr. Who", ["Mr.Jones", "Dr.Who"]),
        ("it was John F. Kennedy who spoke", ["JohnF.Kennedy"]),
        ("he asked “Will they come to Rome?” twice", ["Rome"]),
        ("on it went\nThen to Oslo", ["Oslo"]),
        ("he met Ann, Bob and Cy", ["Ann", "Bob", "Cy"]),
        ("ALL OF IT IS LOUD", []),
        ("no capitals at all", []),
        ("Every Word Has One", []),
        ("wir fuhren nach Köln und Ürdingen", ["Köln", "Ürdingen"]),
        ("она видела Ивана вчера", ["Ивана"]),
        ("我们去北京。", []),
        ("the iPhone and the B-2", ["B-2"]),
        ("", []),
    ],
)
def test_names(text: str, names: list[str]) -> None:
    assert written(text, Wording(text).names) == names


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("it cost $3.50 in 1984, or 7%", ["$3.50", "1984", "7%"]),
        ("twenty one pilots and a hundred and five dogs", ["twentyone", "ahundredandfive"]),
        ("twenty-one guns, thirty", ["twenty-one", "thirty"]),
        ("two, three and four", ["two", "threeandfour"]),
        ("3.5 million people", ["3.5million"]),
        ("flights 12 14 and 16", ["12", "14", "16"]),
        ("no one knows which one", []),
        ("one hundred and then a dog and a point", ["onehundred"]),
        ("oh point five", ["five"]),
        ("zero point five", ["zeropointfive"]),
        ("我有三十个苹果和2只猫，一个人", ["三十", "2"]),
        ("٣ أيام", ["٣"]),
        ("", []),
    ],
)
def test_numbers(text: str, numbers: list[str]) -> None:
    assert written(text, Wording(text).numbers) == numbers


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Well, yes. No? Yes! So; this: that", ", . ? ! ; :"),
        ("wait... what?! no…", ". ? ."),
        ("3.5 at 12:30, see example.com.", ", ."),
        ("Dr. Smith of the U.S. army, J. Doe", ","),
        ("“Quite,” he said (quietly.)", ", ."),
        ("你好，世界。好吗？真、的！", ", . ? , !"),
        ("مرحبا، كيف الحال؟", ", ?"),
        ("नमस्ते। कैसे हो", "."),
        ("well - yes — no", ""),
        ("", ""),
    ],
)
def test_punctuation(text: str, kinds: str) -> None:
    assert " ".join(Wording(text).punctuation.kinds) == kinds


def test_a_mark_knows_how_many_characters_are_before_it() -> None:
    assert Wording("Oh no, never !").punctuation.after == [4, 10]


@pytest.mark.parametrize(
    ("word", "capital"),
    [("Élan", True), ("élan", False), ("’Tis", True), ("2B", True), ("2", False), ("你", False), ("", False)],
)
def test_capitals(word: str, capital: bool) -> None:
    assert is_capital(word) == capital


@settings(max_examples=150)
@given(st.text(st.sampled_from(list("aZÉß .,?!:;…'\"“-–12०三十二你، ؟\u0301\u200d👩\n\t")) | st.characters(), max_size=60))
def test_every_place_is_in_the_text_and_in_order(text: str) -> None:
    wording, length = Wording(text), len("".join(text.split()))
    for spans in (wording.names, wording.numbers):
        edges = [edge for span in spans for edge in span]
        assert edges == sorted(edges)
        assert all(0 <= start < end <= length for start, end in spans)
    assert wording.punctuation.after == sorted(set(wording.punctuation.after))
    assert all(0 <= place < length for place in wording.punctuation.after)
    letters = "".join(text.split())
    assert all(core(letters[start:end]) == word for start, end, word, _ in zip(*wording.words, strict=True))
