"""What an error rate does not say, read off the same alignment."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.beyond.measures import (
    EXPLAINED,
    LONGEST_QUOTE,
    MOST_KEY_TERMS,
    SUSPICIONS,
    Flag,
    Kept,
    Measures,
    Stretch,
    key_terms_in,
    measures,
    unsaid,
)
from comparisons.normalise import normaliser
from comparisons.score import Metric, score
from runners.base import Transcript


def measured(
    reference: str, hypothesis: str, *key_terms: str, by: str = "basic", metric: Metric = "wer", seconds: float = 60
) -> Measures:
    _, alignment = score(reference, hypothesis, normaliser(by), None, metric)
    return measures(
        Transcript(hypothesis),
        seconds,
        (),
        reference=reference,
        alignment=alignment,
        normaliser=normaliser(by),
        key_terms=key_terms,
    )


def test_every_measure_is_explained_in_one_line() -> None:
    assert set(EXPLAINED) == {field.name for field in fields(Measures)}
    assert all(line.endswith(".") and len(line) < 140 for line in EXPLAINED.values())
    assert all(line and len(line) < 100 for line in SUSPICIONS.values())


# Without a reference


def test_pace_and_flags_need_no_reference() -> None:
    found = measures(Transcript("four words a clip"), 30, ())
    assert (found.words, found.words_per_minute, found.unit) == (4, 8.0, "word")
    assert (found.key_terms, found.names, found.punctuation, found.longest_wrong) == (None, None, None, None)
    assert [flag.suspicion for flag in measures(Transcript(""), 30, ()).flags] == ["empty"]
    assert isinstance(measures(Transcript("hm"), 3, [(0, 3)]).flags[0], Flag)


def test_scripts_without_spaces_have_characters() -> None:
    found = measures(Transcript("今天，我们去北京。"), 30, ())
    assert (found.words, found.words_per_minute, found.unit) == (7, 14.0, "character")


def test_a_clip_without_a_length_has_no_pace() -> None:
    assert measures(Transcript("hello"), 0.0, ()).words_per_minute == 0


# Key terms


def test_each_time_a_term_is_said_counts() -> None:
    found = measured(
        "Give ibuprofen, not Aspirin. Ibuprofen twice a day.",
        "give ibuprofen not aspirin i be profane twice a day",
        "Ibuprofen",
        "aspirin",
        "paracetamol",
    )
    assert found.key_terms == Kept(2, 3, ("Ibuprofen",), added=0)
    assert found.key_terms.recall == pytest.approx(2 / 3)


def test_a_term_of_several_words_is_kept_whole_or_not() -> None:
    assert measured("we flew to New York", "we flew to new york", "New York").key_terms == Kept(1, 1, (), 0)
    assert measured("we flew to New York", "we flew to york", "New York").key_terms == Kept(0, 1, ("New York",), 0)
    assert measured("we flew to New York", "we flew to new old york", "New York").key_terms == Kept(0, 1, ("New York",), 0)


def test_a_longer_term_takes_its_place_from_a_shorter_one() -> None:
    assert measured("york is not new york", "york is not new york", "York", "New York").key_terms == Kept(2, 2, (), 0)


def test_other_forms_of_a_word_are_other_words() -> None:
    assert measured("two tablets", "two tablet", "tablets").key_terms == Kept(0, 1, ("tablets",), 0)
    assert measured("two tablets", "two tablets", "tablet").key_terms is None


def test_terms_go_through_the_same_normaliser() -> None:
    found = measured("the colour of Dr. Who", "the color of doctor who", "COLOR", "Dr Who", by="whisper-english")
    assert found.key_terms == Kept(2, 2, (), 0)
    assert measured("the Colour", "the colour", "Colour", by="none").key_terms == Kept(0, 1, ("Colour",), 0)


def test_terms_that_were_not_said_are_counted_as_added() -> None:
    found = measured("give aspirin now", "give aspirin aspirin now", "aspirin").key_terms
    assert found == Kept(1, 1, (), added=1)
    assert found.precision == 0.5


def test_terms_that_nobody_says_say_nothing() -> None:
    assert measured("hello", "hello", "aspirin", "…", "").key_terms is None
    assert measured("hello", "hello").key_terms is None


def test_terms_that_the_reference_does_not_have_are_named() -> None:
    terms = ("colour", "New York", "york", "aspirin", "…")
    assert unsaid(terms, "The color of New York.", normaliser("whisper-english")) == ("aspirin", "…")
    assert unsaid(terms, "", normaliser("basic")) == terms
    assert unsaid(("北京", "京今"), "今天北京", normaliser("basic"), "character") == ("京今",)


def test_terms_in_scripts_without_spaces() -> None:
    found = measured("今天我们去北京，明天去上海。", "今天我们去北京明天去山海", "北京", "上海", metric="cer")
    assert found.key_terms == Kept(1, 2, ("上海",), 0)


def test_a_list_of_terms_is_read_as_people_write_one() -> None:
    assert key_terms_in("Ibuprofen,  New\tYork;\nEarshot\n\n,earshot, Ibuprofen、北京") == (
        "Ibuprofen",
        "New York",
        "Earshot",
        "earshot",
        "北京",
    )
    assert key_terms_in(" ,;\n") == ()
    with pytest.raises(ValueError, match=f"501 key terms; give at most {MOST_KEY_TERMS}"):
        key_terms_in(",".join(map(str, range(501))))
    with pytest.raises(ValueError, match="201 characters"):
        key_terms_in("a" * 201)


# Names, numbers


def test_names_are_kept_whatever_their_case() -> None:
    found = measured("Yesterday John Smith met Mary in Paris.", "yesterday john smith met marie in paris", by="basic")
    assert found.names == Kept(2, 3, ("Mary",))
    assert measured("nobody is named here", "nobody is").names is None


def test_numbers_are_kept_in_whatever_form_the_normaliser_makes_alike() -> None:
    reference = "It was twenty one degrees, 3.5 million people, and flight one hundred and five."
    heard = "it was 21 degrees 3.4 million people and flight 105"
    assert measured(reference, heard, by="whisper-english").numbers == Kept(2, 3, ("3.5 million",))
    assert measured("no one came", "no one came").numbers is None


def test_numbers_that_stand_close_are_told_apart() -> None:
    found = measured("twenty one dollars or one hundred and five pounds.", "21 dollars or 106 pounds", by="whisper-english")
    assert found.numbers == Kept(1, 2, ("one hundred and five",))


# Capitals, punctuation


def test_capitals_are_counted_where_the_word_was_heard_right() -> None:
    found = measured("We saw Anna in Rome and Bob in Oslo.", "we saw Anna in rome and Rob In Oslo").capitals
    assert found == Kept(2, 4, ("We", "Rome"), added=1)
    assert found.precision == pytest.approx(2 / 3)
    assert found.f1 == pytest.approx(2 * 2 / (4 + 3))


def test_a_text_all_in_capitals_gains_nothing() -> None:
    found = measured("We saw Anna in Rome.", "WE SAW ANNA IN ROME.").capitals
    assert found is not None
    assert (found.recall, found.precision) == (1.0, 0.6)
    assert measured("WE SAW ANNA", "We saw Anna").capitals is None


def test_words_that_became_one_have_no_capital_of_their_own() -> None:
    found = measured("Twenty one Men left Rome.", "21 men left Rome.", by="whisper-english").capitals
    assert found == Kept(1, 2, ("Men",), added=0)


def test_punctuation_stands_after_the_right_word() -> None:
    found = measured("Well, I think so. Do you?", "Well I think, so. Do you.").punctuation
    assert found == Kept(1, 3, ("Well,", "you?"), added=2)
    assert (found.recall, found.precision, found.f1) == (pytest.approx(1 / 3), pytest.approx(1 / 3), pytest.approx(1 / 3))


def test_punctuation_of_words_that_were_misheard_counts_and_of_left_out_ones_is_missing() -> None:
    assert measured("go to Rome, now.", "go to roam, now.").punctuation == Kept(2, 2, (), 0)
    assert measured("go to Rome, now.", "go to now.").punctuation == Kept(1, 2, ("Rome,",), 0)


def test_punctuation_of_scripts_without_spaces() -> None:
    found = measured("今天，我们去北京。你呢？", "今天我们去北京。你呢。", metric="cer").punctuation
    assert found == Kept(1, 3, ("天,", "呢?"), added=1)


def test_alternative_marks_count_as_the_same() -> None:
    assert measured("你好，世界。", "你好,世界.", metric="cer").punctuation == Kept(2, 2, (), 0)


def test_a_fillers_comma_is_nobodys() -> None:
    assert measured("So um, I left.", "So I left.", by="whisper-english").punctuation == Kept(1, 1, (), 0)


def test_a_reference_without_punctuation_says_nothing_of_it() -> None:
    assert measured("no marks here", "No, marks. Here!").punctuation is None


# The longest wrong stretch


def test_the_longest_wrong_stretch_is_told_as_it_was_written() -> None:
    found = measured("He said: the Old Man, alas, fell.", "he said the bold men alias fell")
    assert found.longest_wrong == Stretch(3, "Old Man, alas,", "bold men alias")


def test_words_added_or_left_out_are_wrong_stretches_too() -> None:
    assert measured("a b", "a x y b").longest_wrong == Stretch(2, "", "x y")
    assert measured("a x y b", "a b").longest_wrong == Stretch(2, "x y", "")
    assert measured("a b", "a b").longest_wrong is None


def test_a_wrong_stretch_of_characters_says_so() -> None:
    assert measured("今天我们去北京", "今天我门在北京", metric="cer").longest_wrong == Stretch(2, "们去", "门在", "character")


def test_a_loop_is_quoted_in_part() -> None:
    stretch = measured("hello", "hello " + "thank you " * 900).longest_wrong
    assert stretch is not None
    assert stretch.words == 1800
    assert len(stretch.hypothesis) <= LONGEST_QUOTE
    assert stretch.hypothesis.endswith("…")


# Everything


def test_an_alignment_of_other_texts_is_refused() -> None:
    _, alignment = score("a b c", "a b", normaliser("basic"))
    with pytest.raises(ValueError, match="not one of these"):
        measures(Transcript("x y"), 5, (), reference="a b c", alignment=alignment, normaliser=normaliser("basic"))


PERFECT = "We met Mr. Smith, Anna and twenty one others in Rome: 3.5 million people? Yes! 你好。"


@pytest.mark.parametrize("by", ["basic", "none", "whisper-english", "whisper-basic"])
@pytest.mark.parametrize("metric", ["wer", "cer"])
def test_a_perfect_transcript_keeps_everything(by: str, metric: Metric) -> None:
    found = measured(PERFECT, PERFECT, "Anna", "Rome", by=by, metric=metric)
    for kept in (found.key_terms, found.names, found.numbers, found.capitals, found.punctuation):
        assert kept is not None
        assert kept.of > 0
        assert (kept.kept, kept.missing) == (kept.of, ())
        assert not kept.added
    assert found.longest_wrong is None
    assert found.flags == ()


PIECES = "Anna, anna went. to Rome rome! twenty one 21 don't um, — … $5 the [x] 你好。 मैं مرحبا، 👩‍🚀 <b>Bob</b> Dr. e\u0301"
TEXT = st.lists(st.sampled_from(PIECES.split(" ")), max_size=25).map(" ".join)


@settings(max_examples=120)
@given(TEXT, TEXT, st.sampled_from(["basic", "none", "whisper-english", "whisper-basic"]), st.sampled_from(["wer", "cer"]))
def test_any_two_texts_can_be_measured(reference: str, hypothesis: str, by: str, metric: Metric) -> None:
    found = measured(reference, hypothesis, "Rome", "twenty one", "你好", by=by, metric=metric)
    for kept in (found.key_terms, found.names, found.numbers, found.capitals, found.punctuation):
        if kept is not None:
            assert 0 <= kept.kept <= kept.of
            assert kept.of > 0
            assert len(kept.missing) == kept.of - kept.kept
            assert all(kept.missing)
            for rate in (kept.recall, kept.precision, kept.f1):
                assert rate is None or 0 <= rate <= 1
    scored, _ = score(reference, hypothesis, normaliser(by), None, metric)
    assert (found.longest_wrong is None) == (scored.errors == 0)
    if found.longest_wrong is not None:
        assert 0 < found.longest_wrong.words <= scored.errors
