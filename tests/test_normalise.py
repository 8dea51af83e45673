"""What normalisers keep and drop, and which one is chosen."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

from comparisons.normalise import NORMALISERS, choose, is_spaced, normaliser


def test_basic_keeps_the_vowel_signs_of_hindi_and_thai() -> None:
    basic = normaliser("basic")
    assert basic("नमस्ते दुनिया।") == "नमस्ते दुनिया"
    assert basic("สวัสดีครับ") == "สวัสดีครับ"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Don't stop!", "don’t  stop"),
        ("STRASSE", "straße"),
        ("ＡＢＣ１２", "abc12"),
        ("café", "cafe\u0301"),
        ("well-known", "well known"),
        ("“Yes”, he said…", "yes he said"),
        ("great 👩‍👩‍👧 fun ❤️", "great fun"),
        ("press 1️⃣", "press 1"),
        ("co\u00adoperate", "cooperate"),
        ("$5.50 & more", "5 50 more"),
    ],
)
def test_basic_makes_alike_what_sounds_alike(one: str, other: str) -> None:
    assert normaliser("basic")(one) == normaliser("basic")(other)


@settings(max_examples=100)
@given(st.text())
def test_basic_does_nothing_the_second_time(text: str) -> None:
    once = normaliser("basic")(text)
    assert normaliser("basic")(once) == once


@settings(max_examples=100)
@given(st.text(), st.sampled_from(sorted(NORMALISERS)))
def test_every_normaliser_takes_any_text(text: str, name: str) -> None:
    normalise = normaliser(name)
    assert list(normalise.words(text)) == normalise(text).split()
    assert not any(character.isspace() for character in normalise.characters(text))


def test_none_touches_only_white_space() -> None:
    assert normaliser("none")("  Hello,\tWorld!\n") == "Hello, World!"


def test_whispers_own_normalisers_carry_their_version() -> None:
    english = normaliser("whisper-english")
    assert english("Um, it's Dr. Smith's colour [laughs] at twenty-one") == "it is doctor smith is color at 21"
    assert english.version == metadata.version("whisper-normalizer") + "+1"  # ours drops symbols that stand alone
    assert english.label == f"whisper-english {english.version}"
    assert normaliser("whisper-basic")("नमस्ते") != "नमस्ते"  # it drops combining marks: why there is "basic"


THEIR_ENGLISH = EnglishTextNormalizer()
BRACKETS = st.text(st.sampled_from("a1 '<[]>()."), max_size=40)
CONTRACTIONS = st.lists(
    st.sampled_from(["won", "can", "i", "y", "ma", "he", "it", "'t", "'s", "'d", "'ll", "'m", "n't", "'all", "um", "uh", " "])
    | st.sampled_from(["been", "got", "mr", "mrs", "asst", "gov", "gonna", "'ma", "(um)", "[", "]", ".", "...", "21", "one"])
    | st.sampled_from(["’s", "WON'T", "İ", "\u00a0"]),
    max_size=12,
).map("".join)


PHRASES = st.lists(
    st.sampled_from(
        ["word", "Word,", "word...", "foo.", "colour", "Zwei", "O'Neil", "qzq", "done", "gone", "he's", "won't", "'t"]
    )
    | st.sampled_from(["and", "a", "half", "three", "ten", "10", "th", "5th", "millions", "double", "oh", "one", "ones", "5."])
    | st.sampled_from(
        ["$", "$5", "5$", "%", "x%", "50", "per", "cent", "percent", "point", "minus", "dollars", "¢7", "um", "st."]
    ),
    max_size=9,
).map(" ".join)


@settings(max_examples=400)
@given(st.text() | BRACKETS | CONTRACTIONS | PHRASES)
def test_whispers_normaliser_gives_what_its_package_gives(text: str) -> None:
    theirs = THEIR_ENGLISH(" ".join(text.split())).split()  # a line break parts words as a space does: "she's\nbeen"
    assert list(normaliser("whisper-english").words(text)) == [word for word in theirs if any(map(str.isalnum, word))]
    assert list(normaliser("whisper-basic").words(text)) == BasicTextNormalizer()(text).split()


@pytest.mark.parametrize("text", ["...", " … ", "?!", "$", "% .", "—", "[music]", "um, uh", "(laughs) ..."])
def test_a_text_in_which_nothing_is_said_has_no_words(text: str) -> None:
    assert normaliser("whisper-english").words(text) == ()


# What the tests of openai/whisper's own normaliser hold it to (tests/test_normalizer.py), rule by rule, on words of ours.
@pytest.mark.parametrize(
    ("said", "counted"),
    [
        ("three", "3"),
        ("sixty four", "64"),
        ("seven thirty six", "736"),
        ("eighteen eighty eight", "1888"),
        ("twenty sixteen", "2016"),
        ("six point five million", "6500000"),
        ("three point one billions", "3100000000s"),
        ("300 thousand", "300000"),
        ("300 thousand dollars", "$300000"),
        ("$30 million", "$30000000"),
        ("€41.5 million", "€41500000"),
        ("three double o six", "3006"),
        ("four thousand thirty eight", "4038"),
        ("fifty two thousand one hundred and seventy", "52170"),
        ("eighteen sixties", "1860s"),
        ("forty second", "42nd"),
        ("billions", "1000000000s"),
        ("may fourth twenty ten", "may 4th 2010"),
        ("2 71", "2 71"),
        ("2.71", "2.71"),
        ("2 point 7", "2.7"),
        ("three point seven five dollars", "$3.75"),
        ("eighty percent", "80%"),
        ("thirty two per cent", "32%"),
        ("double oh nine", "009"),
        ("one one two", "112"),
        ("three thousandth", "3000th"),
        ("minus 40", "-40"),
        ("positive thirty thousand", "+30000"),
        ("four dollars and sixty cents", "$4.60"),
        ("5 cents", "¢5"),
        ("$0.45", "¢45"),
        ("two and a half million", "2500000"),
        ("a320", "a 320"),
        ("12 th", "12th"),
        ("20km", "20 km"),
        ("organisation", "organization"),
        ("she's here", "she is here"),
        ("he's been there", "he has been there"),
        ("Let's", "let us"),
        ("Mrs. Lee and Dr. Gov. Jr.", "missus lee and doctor governor junior"),
    ],
)
def test_english_is_normalised_as_whisper_does(said: str, counted: str) -> None:
    assert normaliser("whisper-english")(said) == counted


def test_a_long_text_is_normalised_as_a_short_one() -> None:
    assert normaliser("basic").words("It's  HERE! " * 500) == ("its", "here") * 500


@pytest.mark.parametrize("text", ["[" * 200_000, "<a" * 100_000, "(" * 200_000, " " * 200_000, "(a) [b] end " + "[(<" * 60_000])
def test_a_hostile_text_costs_no_more_than_a_long_one(text: str) -> None:
    # Whisper's own patterns need minutes for these.
    assert set(normaliser("whisper-english").words(text)) <= {"a", "end"}


@pytest.mark.parametrize(
    ("language", "text", "name"),
    [
        ("en", "", "whisper-english"),
        ("en-GB", "", "whisper-english"),
        ("de", "guten Tag", "basic"),
        (None, "good morning", "whisper-english"),
        (None, "oh no", "whisper-english"),
        (None, "Ten of clubs.", "whisper-english"),
        (None, "I don’t know what he’s up to", "whisper-english"),
        (None, "", "basic"),
        (None, "123", "basic"),
        (None, "Guten Tag, was ist hier los? Ich habe keine Zeit und will nach Hause.", "basic"),
        (None, "Het is een mooie dag en we gaan naar buiten, want het weer is goed.", "basic"),
        (None, "Jeg ville gerne have den her med hjem, og det er en god ting for alle.", "basic"),
        (None, "To jest bardzo dobre i nie ma problemu.", "basic"),
        (None, "Nem tudom, hogy most mi a helyzet, de itt van a könyv.", "basic"),
        (None, "Hola, me llamo Pedro y tengo un perro muy grande.", "basic"),
        (None, "On va parler de la réunion demain.", "basic"),
        (None, "Saya pergi ke pasar dengan ibu saya.", "basic"),
        (None, "доброе утро the end", "basic"),
        ("eng", "", "whisper-english"),
        (None, "доброе утро", "basic"),
        (None, "नमस्ते", "basic"),
        ("zh", "今天", "basic"),
    ],
)
def test_the_normaliser_follows_the_language(language: str | None, text: str, name: str) -> None:
    assert choose(None, language, text).name == name


def test_a_named_normaliser_wins_over_the_language() -> None:
    assert choose("none", "en", "x").name == "none"


def test_an_unknown_normaliser_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="whisper-english, basic, whisper-basic, none"):
        choose("wisper", None, "")


@pytest.mark.parametrize(
    ("language", "text", "spaced"),
    [
        ("zh", "", False),
        ("zh-CN", "", False),
        ("ja", "", False),
        ("th", "", False),
        ("ko", "", True),
        ("yue", "", False),
        ("lo", "", False),
        ("km", "", False),
        ("my-MM", "", False),
        ("jpn", "", False),
        (None, "ສະບາຍດີ", False),
        (None, "សួស្តី", False),
        (None, "မင်္ဂလာပါ", False),
        ("en", "", True),
        ("en", "今天天气", True),
        (None, "今天天气很好", False),
        (None, "カタカナとひらがな", False),
        (None, "สวัสดีครับ", False),
        (None, "안녕하세요 여러분", True),
        (None, "the word 今天 means today", True),
        (None, "", True),
        (None, "123 !?", True),
    ],
)
def test_words_are_counted_only_where_spaces_part_them(language: str | None, text: str, spaced: bool) -> None:
    assert is_spaced(language, text) is spaced


def test_importing_comparisons_stays_light() -> None:
    heavy = ["torch", "transformers", "whisper_normalizer", "pandas", "jinja2", "gradio", "librosa"]
    code = (
        "import sys, comparisons.__main__, comparisons.run, comparisons.report, comparisons.history;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
