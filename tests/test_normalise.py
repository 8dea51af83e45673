"""What normalisers keep and drop, and which one is chosen."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
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


@given(st.text())
def test_basic_does_nothing_the_second_time(text: str) -> None:
    once = normaliser("basic")(text)
    assert normaliser("basic")(once) == once


@given(st.text(), st.sampled_from(sorted(NORMALISERS)))
def test_every_normaliser_takes_any_text(text: str, name: str) -> None:
    normalise = normaliser(name)
    assert normalise.words(text) == normalise(text).split()
    assert not any(character.isspace() for character in normalise.characters(text))


def test_none_touches_only_white_space() -> None:
    assert normaliser("none")("  Hello,\tWorld!\n") == "Hello, World!"


def test_whispers_own_normalisers_carry_their_version() -> None:
    english = normaliser("whisper-english")
    assert english("Um, it's Dr. Smith's colour [laughs] at twenty-one") == "it is doctor smith is color at 21"
    assert english.version.count(".") >= 1
    assert english.label == f"whisper-english {english.version}"
    assert normaliser("whisper-basic")("नमस्ते") != "नमस्ते"  # it drops combining marks: why there is "basic"


THEIR_ENGLISH = EnglishTextNormalizer()
BRACKETS = st.text(st.sampled_from("a1 '<[]>()."), max_size=40)


@given(st.text() | BRACKETS)
def test_whispers_normaliser_gives_what_its_package_gives(text: str) -> None:
    assert normaliser("whisper-english").words(text) == THEIR_ENGLISH(text).split()
    assert normaliser("whisper-basic").words(text) == BasicTextNormalizer()(text).split()


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
        (None, "", "whisper-english"),
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
