"""Transcripts side by side: passages that line up, and every word in one of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons import compare as compare_module
from comparisons.compare import Comparison, begin, fold
from comparisons.normalise import NORMALISERS, normaliser
from comparisons.reference import Reference
from comparisons.sides import side_by_side as side_by_side_module
from comparisons.sides.marks import Mark
from comparisons.sides.side_by_side import MAJORITY, REFERENCE, Passage, SideBySide, anchors, side_by_side
from runners.base import Clip, Contender, Prompt, RunnerSpec, Segment, TranscribeOptions, Transcript, TranscriptionResult, Word
from runners.events import Finished

LONG = (
    "Good morning and thank you all for coming so early. Today we look at the plan for the new bridge, which is late. "
    "The steel will not be here before March. Dr. Smith has asked whether we can begin with the north side, "
    "because the ground there is dry. I think we should. What does everybody else say about it?"
)
WORDS_OF_MANY_SCRIPTS = (
    "Dr. didn't it's um twenty one 21 now. So, the the 今天 天气 สวัสดี नमस्ते مرحبا 안녕 👍 — <b> cafe\u0301 [noise]"
)
WORDS = st.lists(st.sampled_from(WORDS_OF_MANY_SCRIPTS.split()), max_size=40).map(" ".join)


def comparison(
    reference: str | Reference | None,
    *heard: str | Transcript,
    seconds: float = 30.0,
    language: str | None = "en",
    name: str | None = None,
) -> Comparison:
    contenders = [Contender(RunnerSpec(f"c{i}", f"Label {i}", "runners.scripted:Scripted", is_default=True)) for i in range(9)]
    chosen = contenders[: len(heard)]
    clip = Clip(np.zeros(16, np.float32), seconds, "clip.wav", language=language)
    made = begin(
        clip,
        chosen,
        None if name is None else normaliser(name),
        reference=Reference(reference) if isinstance(reference, str) else reference,
    )
    for contender, text in zip(chosen, heard, strict=True):
        transcript = Transcript(text) if isinstance(text, str) else text
        made = fold(made, Finished(contender, TranscriptionResult(contender, "ok", transcript, runs=(1.0,), rtf=0.1)))
    return replace(made, silences=())


def timed(text: str, seconds: float = 30.0) -> Transcript:
    """A transcript with evenly spaced words."""
    words = text.split()
    step = seconds / len(words)
    return Transcript(text, words=tuple(Word(word, i * step, (i + 0.8) * step) for i, word in enumerate(words)))


def text_of(marks: tuple[Mark, ...]) -> str:
    return " ".join(mark.text for mark in marks if mark.kind != "deletion")


def whole(view: SideBySide, side: int) -> str:
    return " ".join(text_of(passage.cells[side]) for passage in view.passages)


def texts(passages: tuple[Passage, ...]) -> list[str]:
    return [text_of(passage.anchor) for passage in passages]


@pytest.mark.parametrize(
    ("reference", "heard", "offered"),
    [
        (None, (), []),
        ("a b", (), []),
        (None, ("a",), []),
        ("a b", ("a",), ["Reference"]),
        (None, ("a", "b"), ["Label 0", "Label 1"]),
        (None, ("a", "b", "c"), ["Majority of 3", "Label 0", "Label 1", "Label 2"]),
        ("a b", ("a", "b", "c"), ["Reference", "Majority of 3", "Label 0", "Label 1", "Label 2"]),
    ],
)
def test_what_transcripts_can_be_held_against(reference: str | None, heard: tuple[str, ...], offered: list[str]) -> None:
    made = comparison(reference, *heard)
    assert [label for _, label in anchors(made)] == offered
    assert side_by_side(made).label == (offered[0] if offered else "")


def test_passages_are_the_reference_s_sentences_with_what_each_system_has_there() -> None:
    made = comparison(
        "Send the notes to everyone on the list. Then we meet on Tuesday at the office.",
        "Send notes to everyone on the list then we meat on Tuesday at the office",
        "send the note to everyone on the list. Thank you. Um, then we meet Tuesday at the office",
    )
    view = side_by_side(made)
    assert (view.kind, view.against, [side.name for side in view.sides]) == ("reference", REFERENCE, ["c0", "c1"])
    assert texts(view.passages) == ["Send the notes to everyone on the list.", "Then we meet on Tuesday at the office."]
    first, second = ([text_of(cell) for cell in passage.cells] for passage in view.passages)
    assert first == ["Send notes to everyone on the list", "send the note to everyone on the list. Thank you."]
    assert second == ["then we meat on Tuesday at the office", "Um, then we meet Tuesday at the office"]
    kinds = [mark.kind for mark in view.passages[1].cells[1]]
    assert kinds == ["plain", "hit", "hit", "hit", "deletion", "hit", "hit", "hit", "hit"]


def test_long_texts_are_cut_at_sentences_into_passages_that_can_be_read() -> None:
    view = side_by_side(comparison(LONG, LONG.lower()))
    lengths = [len(text.split()) for text in texts(view.passages)]
    assert all(5 <= length <= 26 for length in lengths)
    assert " ".join(texts(view.passages)) == LONG
    assert all(text.endswith((".", "?", ",")) for text in texts(view.passages))
    assert not any(text.endswith("Dr.") for text in texts(view.passages))


def test_without_punctuation_a_text_is_cut_at_pauses() -> None:
    text = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    spoken = text.split()
    late = [i + (3.0 if i >= 9 else 0.0) for i in range(len(spoken))]
    words = tuple(Word(word, start, start + 0.9) for word, start in zip(spoken, late, strict=True))
    view = side_by_side(comparison(text, Transcript(text, words=words)))
    assert [len(text.split()) for text in texts(view.passages)] == [9, 7]
    assert [(passage.start, passage.end) for passage in view.passages] == [(0, 8.9), (12, 18.9)]


def test_the_lines_of_a_reference_are_passages() -> None:
    lines = ["red green blue white black grey pink brown", "north south east west up down left right there", "cat dog cow"]
    view = side_by_side(comparison("\n".join([*lines, *lines]), " ".join([*lines, *lines])))
    assert texts(view.passages) == [lines[0], lines[1], f"{lines[2]} {lines[0]}", f"{lines[1]} {lines[2]}"]


def test_a_reference_s_own_times_are_used() -> None:
    reference = Reference("a b c d", segments=(Segment("a b", 2.0, 3.0), Segment("c d", 8.0, 9.0)))
    (passage,) = side_by_side(comparison(reference, "a b c d")).passages
    assert [mark.start for mark in passage.anchor][::2] == [2.0, 8.0]
    assert (passage.start, passage.end) == (2.0, 9.0)
    assert [mark.start for mark in passage.cells[0]][::2] == [2.0, 8.0]
    assert all(mark.is_interpolated for mark in passage.cells[0])


def test_no_cut_goes_through_a_mark() -> None:
    view = side_by_side(comparison("we paid twenty one " * 20, "we paid 21 " * 10 + "we paid 22 " * 10))
    assert len(view.passages) > 2
    for text in texts(view.passages):
        assert not text.endswith("twenty")


def test_two_contenders_are_held_against_each_other() -> None:
    made = comparison("not this text", "we meet on Tuesday", "we meat on Tuesday", "Tuesday")
    view = side_by_side(made, "c1")
    assert (view.kind, view.label, view.against) == ("contender", "Label 1", "c1")
    assert [side.name for side in view.sides] == ["c0", "c2"]
    assert texts(view.passages) == ["we meat on Tuesday"]
    assert [(mark.text, mark.reference) for mark in view.passages[0].cells[0] if mark.kind == "substitution"] == [
        ("meet", "meat")
    ]


def test_the_majority_says_how_many_have_each_word() -> None:
    view = side_by_side(comparison(None, "We meet on Tuesday.", "we meat on Tuesday", "we meet Tuesday"))
    assert (view.kind, view.against, view.label) == ("majority", MAJORITY, "Majority of 3")
    (passage,) = view.passages
    assert [(mark.text.strip(".").lower(), mark.support) for mark in passage.anchor] == [
        ("we", 3),
        ("meet", 2),
        ("on", 2),
        ("tuesday", 3),
    ]
    assert [mark.kind for mark in passage.cells[1]] == ["hit", "substitution", "hit", "hit"]
    assert [mark.kind for mark in passage.cells[2]] == ["hit", "hit", "deletion", "hit"]


def test_a_split_word_is_told_from_a_wrong_one() -> None:
    (passage,) = side_by_side(comparison("a quiet weekend", "a quiet week end", "a loud weekend")).passages
    assert [(mark.text, mark.is_compound) for mark in passage.cells[0]][-1] == ("week end", True)
    assert [mark.text for mark in passage.cells[1] if mark.is_compound] == []


def test_a_split_word_is_told_from_a_wrong_one_against_the_majority_too() -> None:
    heard = ("a quiet weekend for all", "a quiet week end for all", "a loud weekend for all")
    (passage,) = side_by_side(comparison(None, *heard)).passages
    assert [[mark.text for mark in cell if mark.is_compound] for cell in passage.cells] == [[], ["week end"], []]


def test_one_transcript_without_reference_is_cut_into_its_own_passages() -> None:
    view = side_by_side(comparison(None, LONG))
    assert (view.kind, view.against) == ("none", None)
    assert whole(view, 0) == LONG
    assert len(view.passages) > 2
    assert all(passage.anchor == () for passage in view.passages)


def test_sides_say_whose_times_are_their_own() -> None:
    view = side_by_side(comparison(LONG, timed(LONG), LONG))
    assert [side.is_timed for side in view.sides] == [True, False]
    for passage in view.passages:
        for own, guessed in zip(*passage.cells, strict=True):
            assert (own.start, own.end) == (guessed.start, guessed.end)
            assert (own.is_interpolated, guessed.is_interpolated) == (False, True)


def test_only_transcripts_of_what_was_said_stand_there() -> None:
    def contender(name: str, options: TranscribeOptions | None = None) -> Contender:
        spec = RunnerSpec(name, name.title(), "runners.scripted:Scripted", is_default=True)
        return Contender(spec, options or TranscribeOptions())

    summary = contender("summary", TranscribeOptions(prompt=Prompt("brief", "summarization", "Sum it up.")))
    good, failed, running = contender("good"), contender("failed"), contender("running")
    made = begin(Clip(np.zeros(16, np.float32), 1.0, "clip.wav"), [summary, failed, good, running])
    made = fold(made, Finished(summary, TranscriptionResult(summary, "ok", Transcript("It is about birds."))))
    made = fold(made, Finished(failed, TranscriptionResult(failed, "skipped", error="no weights")))
    made = fold(made, Finished(good, TranscriptionResult(good, "ok", Transcript("birds sing"))))
    assert [side.name for side in side_by_side(made).sides] == ["good"]


def test_what_cannot_be_held_against_is_refused_with_what_can() -> None:
    with pytest.raises(ValueError, match=r"'c7'.*reference, c0, c1"):
        side_by_side(comparison("a", "a", "b"), "c7")
    with pytest.raises(ValueError, match="nothing"):
        side_by_side(comparison(None), REFERENCE)


def test_a_system_in_a_loop_does_not_make_one_endless_passage() -> None:
    made = comparison("it is over now", "it is over now " + "thank you. " * 300, "it is over now")
    view = side_by_side(made)
    assert max(len(cell) for passage in view.passages for cell in passage.cells) <= 30
    assert whole(view, 0).count("thank") == 300
    assert texts(view.passages)[0] == "it is over now"


def test_where_nothing_was_said_everything_is_added() -> None:
    view = side_by_side(comparison("", "thanks for watching", ""))
    assert view.kind == "reference"
    assert [[mark.kind for mark in cell] for cell in view.passages[0].cells] == [["insertion"] * 3, []]
    assert side_by_side(comparison("", "", "")).passages == ()
    assert side_by_side(comparison(None)).passages == ()


def test_a_silent_system_lacks_every_word() -> None:
    view = side_by_side(comparison(LONG, "", LONG))
    assert {mark.kind for passage in view.passages for mark in passage.cells[0]} == {"deletion"}
    assert len(view.passages) > 2


def test_scripts_without_spaces_line_up_by_character() -> None:
    reference = "今天天气很好，我们去公园散步吧。明天可能会下雨，所以我们应该待在家里看书。"
    made = comparison(reference, "今天天汽很好我们去公园散步明天可能会下雨所以我们应该待在家里看书", language="zh")
    view = side_by_side(made)
    assert [text.replace(" ", "") for text in texts(view.passages)] == [
        "今天天气很好，我们去公园散步吧。",
        "明天可能会下雨，所以我们应该待在家里看书。",
    ]
    assert text_of(view.passages[1].cells[0]).startswith("明 天")


def test_one_transcript_without_spaces_is_cut_too() -> None:
    text = "今天天气很好，我们去公园散步吧。明天可能会下雨，所以我们应该待在家里看书。" * 3
    view = side_by_side(comparison(None, text, language="zh"))
    assert whole(view, 0).replace(" ", "") == text
    assert len(view.passages) == 6


def test_korean_lines_up_by_words() -> None:
    (passage,) = side_by_side(comparison("오늘 날씨가 좋네요", "오늘 날시가 좋네요", language="ko")).passages
    assert [(mark.text, mark.kind) for mark in passage.cells[0]] == [
        ("오늘", "hit"),
        ("날시가", "substitution"),
        ("좋네요", "hit"),
    ]


def test_text_that_looks_like_markup_stays_as_it_was_written() -> None:
    text = "<script>alert(1)</script> & <b>bold</b> ${x} {{y}} مرحبا\u202e 👩‍👩‍👧"
    view = side_by_side(comparison(text, text))
    assert whole(view, 0) == text
    assert texts(view.passages) == [text]


def test_a_transcript_that_could_not_be_scored_still_stands_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_module, "score", lambda *_: 1 / 0)
    view = side_by_side(comparison(LONG, LONG))
    assert whole(view, 0) == LONG
    assert len(view.passages) > 2


def test_transcripts_that_cannot_be_aligned_stand_there_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side_module, "consensus", lambda *_: 1 / 0)
    view = side_by_side(comparison(None, LONG, LONG, timed(LONG)))
    assert (view.kind, view.against) == ("none", None)
    assert [whole(view, side) for side in range(3)] == [LONG] * 3
    assert len(view.passages) > 2


@settings(max_examples=120)
@given(
    reference=st.none() | WORDS,
    heard=st.lists(WORDS, max_size=4),
    name=st.sampled_from(sorted(NORMALISERS)),
    language=st.sampled_from(["en", "zh", "ko", None]),
    has_times=st.booleans(),
)
def test_every_word_stands_in_one_passage_in_order(
    reference: str | None, heard: list[str], name: str, language: str | None, has_times: bool
) -> None:
    transcripts = [timed(text) if has_times and text and i % 2 else Transcript(text) for i, text in enumerate(heard)]
    made = comparison(reference, *transcripts, name=name, language=language)
    for against in [None, *dict(anchors(made))]:
        view = side_by_side(made, against)
        by_name = {f"c{i}": text for i, text in enumerate(heard)}
        for number, side in enumerate(view.sides):
            assert "".join(whole(view, number).split()) == "".join(by_name[side.name].split())
        if view.kind == "reference":
            assert "".join("".join(texts(view.passages)).split()) == "".join((reference or "").split())
        if view.kind == "contender":
            assert "".join("".join(texts(view.passages)).split()) == "".join(by_name[view.against or ""].split())
        times = [passage.start for passage in view.passages]
        assert None not in times
        for passage in view.passages:
            for mark in (*passage.anchor, *(mark for cell in passage.cells for mark in cell)):
                assert mark.start is not None
                assert mark.end is not None
                assert 0 <= mark.start <= mark.end <= 30.000001
            places = [mark.at or 0 for mark in passage.anchor]
            for cell in passage.cells:
                for mark in cell:
                    if mark.kind in ("hit", "deletion", "substitution"):
                        assert mark.at in places
