"""Scores: rates, counts, and when there is no rate."""

from __future__ import annotations

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.normalise import normaliser
from comparisons.score import Score, choose_metric, pooled, score

BASIC = normaliser("basic")
WORDS = ["please", "schedule", "the", "budget", "review", "for", "thursday", "नमस्ते"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


def scored(reference: str, hypothesis: str, normaliser_name: str = "basic", language: str | None = None) -> Score:
    return score(reference, hypothesis, normaliser(normaliser_name), language)[0]


def test_a_score_has_counts_rates_and_its_normaliser() -> None:
    ours = scored("Send the notes to everyone.", "send notes two everyone now")
    assert (ours.hits, ours.substitutions, ours.deletions, ours.insertions) == (3, 1, 1, 1)
    assert ours.reference_length == 5
    assert ours.wer == pytest.approx(0.6)
    assert ours.headline == ("WER", ours.wer)
    assert (ours.normaliser, ours.normaliser_version) == ("basic", "1")


@settings(max_examples=60)
@given(TEXTS.filter(bool), TEXTS)
def test_rates_are_those_of_jiwer(reference: str, hypothesis: str) -> None:
    ours = scored(reference, hypothesis)
    assert ours.wer == pytest.approx(jiwer.wer(reference, hypothesis))
    assert ours.cer == pytest.approx(jiwer.cer(reference, hypothesis))


@settings(max_examples=60)
@given(TEXTS)
def test_what_was_said_has_no_errors(text: str) -> None:
    ours = scored(text, text)
    assert ours.errors == ours.character_errors == 0


def test_a_rate_over_one_is_not_clamped() -> None:
    assert scored("yes", "yes yes yes yes").wer == 3.0


def test_counts_and_alignment_agree() -> None:
    pair = score("it's over", "It is over now", normaliser("whisper-english"))
    ours, alignment = pair
    assert (ours.hits, ours.insertions) == (alignment.hits, alignment.insertions) == (3, 1)


@pytest.mark.parametrize("reference", ["", "  ", "—!", "[music]", "..."])
def test_an_empty_reference_has_no_rate_but_counts_insertions(reference: str) -> None:
    ours = scored(reference, "three stray words", "whisper-english")
    assert ours.wer is None
    assert ours.cer is None
    assert ours.headline == ("WER", None)
    assert ours.insertions == 3


@pytest.mark.parametrize("language", ["zh", None])
def test_chinese_has_a_character_rate_and_no_word_rate(language: str | None) -> None:
    ours = scored("今天天气很好。", "今天 天汽好", language=language)
    assert ours.wer is None
    assert ours.unit == "character"
    assert (ours.substitutions, ours.deletions, ours.insertions, ours.reference_length) == (1, 1, 0, 6)
    assert ours.rates == (("CER", pytest.approx(2 / 6)),)
    assert ours.headline == ours.rates[0]


def test_korean_has_both_rates() -> None:
    ours = scored("안녕하세요 여러분", "안녕하세요 여러븐", language="ko")
    assert ours.wer == 0.5
    assert ours.cer == pytest.approx(1 / 9)
    assert ours.rates == (("WER", ours.wer), ("CER", ours.cer))
    assert ours.headline == ("WER", 0.5)


@pytest.mark.parametrize(
    ("language", "text", "metric"),
    [
        ("en", "", "wer"),
        ("de-AT", "", "wer"),
        ("zh", "", "cer"),
        ("yue", "", "cer"),
        ("ja", "", "cer"),
        ("th", "", "cer"),
        ("ko", "", "both"),
        ("ko-KR", "", "both"),
        (None, "안녕하세요 여러분, hello", "both"),
        (None, "今天 hello", "wer"),
        (None, "今天天气 hi", "cer"),
        (None, "", "wer"),
    ],
)
def test_the_metric_follows_the_language(language: str | None, text: str, metric: str) -> None:
    assert choose_metric(None, language, text) == metric


def test_a_named_metric_wins_over_the_language() -> None:
    assert choose_metric("cer", "en", "hello") == "cer"
    with pytest.raises(ValueError, match="wer, cer, both"):
        choose_metric("bleu", "en", "hello")


def test_characters_can_be_asked_for_where_words_are_usual() -> None:
    pair = score("a bit of it", "a bat of it", BASIC, "en", "cer")
    assert (pair[0].unit, pair[0].reference_length, pair[0].substitutions) == ("character", 8, 1)
    assert pair[0].rates == (("CER", 1 / 8),)


def test_words_can_be_asked_for_where_characters_are_usual() -> None:
    pair = score("今天 很好", "今天 不好", BASIC, "zh", "wer")
    assert pair[0].rates == (("WER", 0.5),)


def test_the_method_of_alignment_is_told_with_the_rate() -> None:
    assert scored("a", "b").method == "Levenshtein, unit costs"


def test_pooling_adds_counts_and_never_averages_rates() -> None:
    short, long = scored("yes", "no"), scored("a b c d e f g h i", "a b c d e f g h i")
    both = pooled([short, long])
    assert both is not None
    assert both.wer == pytest.approx(0.1)  # the mean of the rates would be 0.5
    assert both.reference_length == 10


def test_pooling_counts_what_was_inserted_where_nothing_was_said() -> None:
    both = pooled([scored("", "oh no"), scored("a b c d", "a b c d")])
    assert both is not None
    assert both.wer == 0.5


def test_pooling_nothing_gives_nothing() -> None:
    assert pooled([]) is None


@pytest.mark.parametrize("other", [("a", "a", "none", None), ("今", "今", "basic", "zh")])
def test_scores_of_different_kinds_are_not_pooled(other: tuple[str, str, str, str | None]) -> None:
    with pytest.raises(ValueError, match="cannot be pooled"):
        pooled([scored("a", "a"), scored(*other)])
