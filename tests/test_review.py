"""Blind reviews: who sees what in which order, and that nothing a judge gets says whose it is."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.compare import Comparison, begin, fold
from comparisons.reviews.review import (
    LETTERS,
    METHODS,
    MOST_PAIRS,
    SEED_BYTES,
    Hearing,
    Judge,
    Method,
    Review,
    ReviewClip,
    ReviewError,
    Word,
    checked,
    new_seed,
    review_clip,
)
from runners.base import Clip, Contender, Prompt, RunnerSpec, TranscribeOptions, Transcript, TranscriptionResult
from runners.base import Word as HeardWord
from runners.events import Finished

SECRET = bytes(range(SEED_BYTES))
NAMES = ("moonshine", "sphinx", "whisper", "phi", "parakeet", "canary", "voxtral", "granite", "qwen")


def hearing(name: str, text: str) -> Hearing:
    return Hearing(name, f"{name.title()} (the label)", tuple(Word(word, " ", None, None) for word in text.split()), None)


def clip(number: int, texts: dict[str, str]) -> ReviewClip:
    return ReviewClip(number, f"clip {number}.wav", 3.0, tuple(hearing(name, text) for name, text in texts.items()))


def different(number: int, systems: int) -> ReviewClip:
    return clip(number, {name: f"this is text {at}" for at, name in enumerate(NAMES[:systems])})


def review(*clips: ReviewClip, method: Method = "best", title: str = "By ear", question: str = "Which?") -> Review:
    return Review("r1", title, question, method, clips, SECRET)


def judges(count: int) -> list[Judge]:
    return [Judge(f"judge-{number}", number) for number in range(1, count + 1)]


def contender(name: str, label: str, options: TranscribeOptions | None = None) -> Contender:
    spec = RunnerSpec(
        name, label, "runners.scripted:Scripted", model=f"org/{name}-model", revision="c0ffee", takes_prompt=options is not None
    )
    return Contender(spec, options or TranscribeOptions())


def compared(heard: dict[Contender, Transcript | None], reference: str | None, language: str | None = "en") -> Comparison:
    """A finished comparison over four seconds; None was skipped."""
    tone = np.sin(np.arange(64000, dtype=np.float32) / 5)
    comparison = begin(Clip(tone, 4.0, "whisper-wins.wav", reference=reference, language=language), heard)
    for who, transcript in heard.items():
        result = (
            TranscriptionResult(who, "ok", transcript, load_seconds=1.0, runs=(1.0,), rtf=0.123, device="cpu")
            if transcript is not None
            else TranscriptionResult(who, "skipped", error="Secret reason", stage="load")
        )
        comparison = fold(comparison, Finished(who, result))
    return comparison


SUMMARY = TranscribeOptions(prompt=Prompt("minutes", "summarization", "Sum it up."))
TIMED = tuple(HeardWord(word, 0.123 + at, 0.723 + at, 0.9) for at, word in enumerate(["send", "the", "notes"]))
CHOSEN = {
    contender("moonshine", "Moonshine tiny"): Transcript("send the notes", words=TIMED, notes=("cut at 1 pause",)),
    contender("sphinx", "PocketSphinx"): Transcript("send a\nnote"),
    contender("phi", "Phi-4", SUMMARY): Transcript("Somebody wants notes."),
    contender("whisper", "Whisper small"): None,
}


@pytest.mark.parametrize("reference", ["send the notes", None])
def test_a_clip_has_what_was_transcribed_and_no_more(reference: str | None) -> None:
    made = review_clip(1, compared(CHOSEN, reference))
    assert [(each.contender, each.label, each.text) for each in made.hearings] == [
        ("moonshine:org/moonshine-model@c0ffee", "Moonshine tiny", "send the notes"),
        ("sphinx:org/sphinx-model@c0ffee", "PocketSphinx", "send a note"),
    ]
    rates = [each.rate for each in made.hearings]
    assert rates == ([0.0, pytest.approx(2 / 3)] if reference else [None, None])


@pytest.mark.parametrize("reference", ["send the notes", None])
def test_times_do_not_tell_who_gives_times(reference: str | None) -> None:
    for each in review_clip(1, compared(CHOSEN, reference)).hearings:
        for word in each.words:
            assert word.start is not None
            assert word.end is not None
            assert 0 <= word.start <= word.end <= 4
            assert (word.start, word.end) == (round(word.start, 1), round(word.end, 1))


def test_words_are_cut_where_they_are_written_not_where_they_are_wrong() -> None:
    one, other = contender("one", "One"), contender("two", "Two")
    said = "there are twenty one days"
    made = review_clip(1, compared({one: Transcript(said), other: Transcript("there are 21 days")}, "there are 21 days"))
    assert [word.text for word in made.hearings[0].words] == said.split()


def test_a_script_without_spaces_is_cut_into_characters() -> None:
    one, other = contender("one", "One"), contender("two", "Two")
    made = review_clip(1, compared({one: Transcript("今天 好"), other: Transcript("今天好")}, "今天好", "zh"))
    assert [each.text for each in made.hearings] == ["今天 好", "今天好"]
    assert [word.text for word in made.hearings[1].words] == ["今", "天", "好"]


def test_a_clip_is_written_and_read_again() -> None:
    made = review_clip(3, compared(CHOSEN, "send the notes"))
    assert ReviewClip.from_dict(json.loads(json.dumps(made.to_dict()))) == made


@pytest.mark.parametrize("method", list(METHODS))
def test_nothing_a_browser_gets_says_whose_it_is(method: Method) -> None:
    """Every byte: no name, label, model, revision, reason, rate, file name or seed; and no field but the known ones."""
    made = checked(review(review_clip(1, compared(CHOSEN, "send the notes")), method=method))
    told = made.task(Judge("j", 1), 1).to_browser()
    sent = json.dumps(told).casefold()
    for secret in (
        "moonshine",
        "sphinx",
        "whisper",
        "phi",
        "org/",
        "c0ffee",
        "secret",
        ".wav",
        "0.123",
        "0.9",
        "cut at",
        "wer",
    ):
        assert secret not in sent
    assert SECRET.hex() not in sent
    fields = {"title", "question", "method", "clip", "place", "of", "seconds", "columns", "pairs"}
    assert told.keys() == fields
    for column in told["columns"]:
        assert column.keys() == {"letter", "words"}
        for word in column["words"]:
            assert word.keys() == {"text", "after", "start", "end"}
    assert repr(SECRET) not in repr(made)


def test_which_system_is_which_cannot_be_told_from_two_renamed_ones() -> None:
    """The very same bytes, had the systems other names."""
    ours = review(clip(1, {"a": "one text", "b": "another"}), clip(2, {"a": "x", "b": "y"}), method="pairwise")
    theirs = review(clip(1, {"q": "one text", "r": "another"}), clip(2, {"q": "x", "r": "y"}), method="pairwise")
    for judge in judges(5):
        for number in (1, 2):
            assert ours.task(judge, number).to_browser() == theirs.task(judge, number).to_browser()


def test_a_judge_sees_the_same_after_a_restart() -> None:
    def all_of(made: Review) -> list[Any]:
        return [made.task(judge, number) for judge in judges(4) for number in made.order(judge)]

    clips = [different(number, 5) for number in (1, 2, 3)]
    assert all_of(review(*clips, method="pairwise")) == all_of(review(*clips, method="pairwise"))


def test_another_seed_another_order() -> None:
    clips = [different(number, 4) for number in range(1, 9)]
    judge = Judge("j", 1)
    made = [Review("r", "t", "q", "best", tuple(clips), new_seed()) for _ in range(4)]
    assert len({tuple(tuple(each.contenders(judge, n).values()) for n in range(1, 9)) for each in made}) == 4
    assert len({each.order(judge) for each in made}) > 1


def test_letters_stand_for_what_the_task_shows() -> None:
    made = review(different(1, 6))
    for judge in judges(6):
        whose = made.contenders(judge, 1)
        task = made.task(judge, 1)
        assert [column.letter for column in task.columns] == list("ABCDEF")
        for column in task.columns:
            (heard,) = [each for each in made.clip(1).hearings if each.contender == whose[column.letter]]
            assert column.words == heard.words


def test_every_order_of_the_columns_is_as_likely_as_any() -> None:
    """The six orders of three over 6000 judges; the chance that one is off by 150 is under 1 in a million."""
    made = review(different(1, 3))
    seen = Counter(tuple(made.contenders(Judge(f"j{number}", number), 1).values()) for number in range(6000))
    assert seen.keys() == set(permutations(NAMES[:3]))
    assert all(abs(count - 1000) < 150 for count in seen.values())


def test_every_judge_hears_every_clip_in_an_order_of_their_own() -> None:
    made = review(*[different(number, 2) for number in range(1, 7)])
    orders = [made.order(judge) for judge in judges(20)]
    assert all(sorted(order) == [1, 2, 3, 4, 5, 6] for order in orders)
    assert len(set(orders)) > 10
    places = [made.task(judges(1)[0], number).place for number in orders[0]]
    assert places == [1, 2, 3, 4, 5, 6]


def asked(made: Review, judge: Judge, number: int) -> list[tuple[str, str]]:
    """The pairs of a judge, by name: (left, right)."""
    whose = made.contenders(judge, number)
    return [(whose[left], whose[right]) for left, right in made.task(judge, number).pairs]


@pytest.mark.parametrize("systems", [2, 3, 4])
def test_few_columns_are_all_held_against_each_other(systems: int) -> None:
    made = review(different(1, systems), method="pairwise")
    for judge in judges(8):
        pairs = asked(made, judge, 1)
        assert sorted(map(sorted, pairs)) == sorted(map(sorted, combinations(NAMES[:systems], 2)))


@settings(max_examples=25)
@given(st.integers(2, 9), st.integers(1, 40), st.binary(min_size=8, max_size=8))
def test_pairs_and_sides_are_balanced(systems: int, count: int, seed: bytes) -> None:
    made = Review("r", "t", "q", "pairwise", (different(1, systems),), seed)
    pairs = [pair for judge in judges(count) for pair in asked(made, judge, 1)]
    together = Counter(frozenset(pair) for pair in pairs)
    every = [together[frozenset(pair)] for pair in combinations(NAMES[:systems], 2)]
    assert max(every) - min(every) <= 1
    sides = Counter(pairs)
    for one, other in combinations(NAMES[:systems], 2):
        assert abs(sides[one, other] - sides[other, one]) <= 1
    for judge in judges(count):
        mine = asked(made, judge, 1)
        assert len({frozenset(pair) for pair in mine}) == len(mine) == min(MOST_PAIRS, len(every))


def test_the_same_text_twice_has_two_columns_and_is_never_a_pair() -> None:
    made = review(clip(1, {"a": "same", "b": "same", "c": "other"}), method="pairwise")
    for judge in judges(10):
        task = made.task(judge, 1)
        assert len(task.columns) == 3
        assert {frozenset(pair) for pair in asked(made, judge, 1)} == {frozenset("ac"), frozenset("bc")}


@pytest.mark.parametrize("method", ["best", "pairwise"])
def test_a_clip_on_which_all_wrote_the_same_is_not_asked_about(method: Method) -> None:
    made = checked(review(clip(1, {"a": "same", "b": "same"}), different(2, 2), method=method))
    assert made.order(Judge("j", 1)) == (2,)
    assert made.task(Judge("j", 1), 2).of == 1
    with pytest.raises(ReviewError, match="nothing to judge"):
        made.task(Judge("j", 1), 1)
    with pytest.raises(ReviewError, match="wrote the same"):
        checked(review(clip(1, {"a": "same", "b": "same"}), method=method))


def test_the_same_texts_can_be_rated() -> None:
    assert checked(review(clip(1, {"a": "same", "b": "same"}), method="rating")).order(Judge("j", 1)) == (1,)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (review(), "at least one clip"),
        (review(clip(1, {"a": "alone"})), "fewer than two"),
        (review(clip(1, {f"s{at}": f"t{at}" for at in range(10)})), "more than 9"),
        (review(different(1, 2), title="  "), "needs a title"),
        (review(different(1, 2), question=""), "needs a question"),
        (review(different(1, 2), title="t" * 201), "longer than 200"),
        (review(different(1, 2), title="sphinx against all"), "title names sphinx"),
        (review(different(1, 2), question="Is it MOONSHINE?"), "question names moonshine"),
        (review(different(1, 2), method="worst"), "one of these ways"),  # type: ignore[arg-type]
    ],
)
def test_a_review_that_cannot_be_held_says_why(made: Review, why: str) -> None:
    with pytest.raises(ReviewError, match=why):
        checked(made)


def test_as_many_columns_as_there_are_letters() -> None:
    made = checked(review(different(1, len(LETTERS))))
    assert list(made.contenders(Judge("j", 1), 1)) == list(LETTERS)


def test_a_clip_that_is_not_there() -> None:
    with pytest.raises(ReviewError, match="no such clip"):
        review(different(1, 2)).task(Judge("j", 1), 7)
