"""All hypotheses at once: what most say, how it is written, who dissents."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.agreement.consensus import Consensus, agreement_of, consensus
from comparisons.agreement.network import MOST_CELLS, Network
from comparisons.align import align
from comparisons.normalise import Normaliser, normaliser

BASIC, NONE, ENGLISH = normaliser("basic"), normaliser("none"), normaliser("whisper-english")

WORDS = (
    "so",
    "Let's",
    "us",
    "meet,",
    "it's",
    "on",
    "—",
    "<b>x</b>",
    "twenty",
    "one",
    "नमस्ते",
    "שלום",
    "é",
    "👍🏽",
    "今日は。",
    "ไทย",
)
few_words = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
any_text = st.one_of(few_words, st.text(max_size=20))
several = st.lists(any_text, min_size=2, max_size=5)
rules = st.sampled_from([BASIC, NONE, ENGLISH])


def tokens(text: str, rule: Normaliser, unit: str) -> list[str]:
    return list(rule.words(text) if unit == "word" else rule.characters(text))


def shown(found: Consensus) -> list[tuple[str | None, str | None, int]]:
    return [(slot.token, slot.text, slot.support) for slot in found.slots]


def test_most_of_them_decide_each_word() -> None:
    found = consensus(
        ["So let us meet on Tuesday.", "Let us meet at Tuesday.", "so let us meat on Tuesday"],
        BASIC,
    )
    assert [(slot.token, slot.support) for slot in found.slots] == [
        ("so", 2),
        ("let", 3),
        ("us", 3),
        ("meet", 2),
        ("on", 2),
        ("tuesday", 3),
    ]
    assert [slot.tokens for slot in found.slots][3] == ("meet", "meet", "meat")
    assert found.slots[0].tokens == ("so", None, "so")
    assert found.text == "So let us meet on Tuesday."


def test_a_word_is_written_as_most_of_those_write_it_who_have_it() -> None:
    found = consensus(["in Paris, yes", "in Paris, yes!", "in paris yes", "in, Rome yes"], BASIC)
    assert found.text == "in Paris, yes"


def test_words_that_most_write_as_one_stay_one() -> None:
    texts = ["Well, it's over now.", "well it's over now", "Well, it is over now."]
    found = consensus(texts, ENGLISH)
    assert found.text == "Well, it's over now."
    assert [(piece.text, piece.tokens) for piece in found.pieces] == [("Well,", 1), ("it's", 2), ("over", 1), ("now.", 1)]
    assert [slot.text for slot in found.slots] == ["Well,", "it's", "", "over", "now."]


def test_words_that_are_written_as_one_are_taken_apart_where_the_majority_says_otherwise() -> None:
    found = consensus(["it's over", "it was over", "he was over"], ENGLISH)
    assert found.tokens == ("it", "was", "over")
    assert found.text == "it was over"


def test_numbers_that_a_normaliser_joins_keep_their_words() -> None:
    assert consensus(["twenty one people", "twenty one people", "20 people"], ENGLISH).text == "twenty one people"


def test_punctuation_alone_goes_with_its_word_and_dropped_words_are_dropped() -> None:
    found = consensus(["« yes – um no »", "« yes – um no »", "yes no"], ENGLISH)
    assert found.text == "« yes – no »"
    assert found.tokens == ("yes", "no")


def test_where_as_many_say_one_thing_as_another_the_system_that_agrees_most_decides() -> None:
    # The second is nearest to all others: it shares "two" with the third and "four five" with the first.
    texts = ["one x three four five", "one two three four five", "one two three y z"]
    assert consensus([*texts, "one q three four z"], BASIC).text == "one two three four five"


def test_what_only_one_system_says_is_not_in_the_majority() -> None:
    found = consensus(["thank you " * 30 + "good morning", "good morning", "good morning"], BASIC)
    assert found.text == "good morning"
    assert {slot.support for slot in found.slots if slot.token is None} == {2}
    assert found.agreement[1:] == (1.0, 1.0)
    assert found.agreement[0] == pytest.approx(2 / 62)


def test_words_that_two_systems_add_at_one_place_stand_in_one_slot() -> None:
    found = consensus(["a b c d", "a b now c d", "a b know c d", "a b c d"], BASIC)
    assert [slot.tokens for slot in found.slots if slot.token is None] == [(None, "now", "know", None)]


def test_agreement_is_with_the_others_and_counts_what_either_has() -> None:
    assert agreement_of(["a b c d", "a b c d", "a b x"], BASIC) == (1.0, 1.0, 0.5)
    assert agreement_of(["a b", "a c"], BASIC) == (0.5, 0.5)


def test_nobody_said_anything() -> None:
    found = consensus(["", " … ", ""], BASIC)
    assert found.slots == ()
    assert found.text == ""
    assert found.agreement == (None, None, None)


def test_an_empty_text_agrees_with_nobody_and_changes_no_majority() -> None:
    found = consensus(["", "good morning all", "good morning all"], BASIC)
    assert found.text == "good morning all"
    assert found.agreement == (0.0, 1.0, 1.0)


def test_a_majority_needs_two() -> None:
    with pytest.raises(ValueError, match="at least two"):
        consensus(["alone"], BASIC)
    assert agreement_of(["alone"], BASIC) == (None,)
    assert agreement_of([], BASIC) == ()


def test_scripts_without_spaces_are_aligned_by_character() -> None:
    found = consensus(["今日は、良い天気ですね。", "今日は、良い天気ですね。", "今日わ良い 天気ですね"], BASIC, "character")
    assert found.text == "今日は、良い天気ですね。"
    assert found.slots[2].tokens == ("は", "は", "わ")
    thai = consensus(["สวัสดี ครับ", "สวัสดี ครับ", "สวัสดีครบ"], BASIC, "character")
    assert thai.text == "สวัสดี ครับ"


def test_the_majority_is_nearer_to_the_truth_than_any_system() -> None:
    draw = random.Random(7)  # noqa: S311
    vocabulary = [f"w{number}" for number in range(300)]
    truth = draw.choices(vocabulary, k=400)

    def heard() -> list[str]:
        words: list[str] = []
        for word in truth:
            luck = draw.random()
            if luck > 0.05:
                words.append(word if luck > 0.15 else draw.choice(vocabulary))
            if luck > 0.95:
                words.append(draw.choice(vocabulary))
        return words

    texts = [heard() for _ in range(6)]
    majority = consensus([" ".join(words) for words in texts], NONE).tokens
    assert align(truth, majority).errors * 10 < min(align(truth, words).errors for words in texts)


def test_long_texts_with_nothing_in_common_are_aligned_too() -> None:
    texts = [" ".join(f"{name}{number}" for number in range(MOST_CELLS // 40)) for name in "abc"]
    texts.append(texts[0].replace("a5", "b5"))
    found = consensus(texts, NONE)
    check(found, texts, NONE, "word")
    assert found.tokens[0] == "a0"


def check(found: Consensus, texts: Sequence[str], rule: Normaliser, unit: str) -> None:
    """Whatever the texts are: nothing is lost or moved, and all that is told of a slot is true."""
    for system, text in enumerate(texts):
        own = tokens(text, rule, unit)
        assert [slot.tokens[system] for slot in found.slots if slot.tokens[system] is not None] == own
        assert found.alignments[system].reference == found.tokens
        assert list(found.alignments[system].hypothesis) == own
        assert found.alignments[system].hits == sum(
            slot.token is not None and slot.token == slot.tokens[system] for slot in found.slots
        )
    for slot in found.slots:
        assert any(token is not None for token in slot.tokens)
        assert slot.support == slot.tokens.count(slot.token) == max(map(slot.tokens.count, slot.tokens))
        assert (slot.token is None) == (slot.text is None)
    assert sum(piece.tokens for piece in found.pieces) == len(found.tokens)
    assert all(piece.text for piece in found.pieces)
    assert found.text == "".join(piece.text + piece.after for piece in found.pieces).strip()
    for share in found.agreement:
        assert share is None or 0 <= share <= 1


@given(several, rules, st.sampled_from(["word", "character"]))
@settings(max_examples=150)
def test_nothing_is_lost_or_moved(texts: list[str], rule: Normaliser, unit: str) -> None:
    check(consensus(texts, rule, unit), texts, rule, unit)  # type: ignore[arg-type]


@given(several, rules, st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_the_order_of_the_systems_changes_nothing(texts: list[str], rule: Normaliser, shuffle: random.Random) -> None:
    order = list(range(len(texts)))
    shuffle.shuffle(order)
    one, other = consensus(texts, rule), consensus([texts[system] for system in order], rule)
    assert shown(other) == shown(one)
    assert [other.agreement[order.index(system)] for system in range(len(texts))] == list(one.agreement)


@given(any_text, st.integers(2, 4))
@settings(max_examples=60)
def test_what_all_say_is_the_majority(text: str, systems: int) -> None:
    found = consensus([text] * systems, NONE)
    assert found.text == " ".join(text.split())
    assert {slot.support for slot in found.slots} <= {systems}
    assert set(found.agreement) == ({1.0} if text.split() else {None})


@given(st.lists(few_words, min_size=2, max_size=5))
@settings(max_examples=60)
def test_the_majority_can_be_read_back_as_its_words(texts: list[str]) -> None:
    found = consensus(texts, NONE)
    assert list(NONE.words(found.text)) == list(found.tokens)


@given(st.lists(st.lists(st.integers(0, 4), max_size=7), min_size=2, max_size=2))
@settings(max_examples=150)
def test_two_sequences_are_aligned_with_the_fewest_errors(sequences: list[list[int]]) -> None:
    network = Network(2)
    network.put(0, sequences[0])
    network.put(1, sequences[1])
    differing = sum(row[0] != row[1] for row in network.rows)
    assert differing == align([str(word) for word in sequences[0]], [str(word) for word in sequences[1]]).errors


def test_a_sequence_that_is_put_again_finds_a_better_place_and_leaves_nothing_behind() -> None:
    network = Network(3)
    for system, sequence in enumerate([[1, 2, 3], [1, 9, 3, 4], [2, 3]]):
        network.put(system, sequence)
    network.put_again(1, [5, 2, 3])
    assert network.rows == [[1, 5, None], [2, 2, 2], [3, 3, 3]]
    assert network.tallies == [{1: 1, 5: 1, None: 1}, {2: 3}, {3: 3}]
