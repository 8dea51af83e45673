"""Text that was hardly said is flagged, and what people do say is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.beyond.hallucinations import MOST_FLAGS, SUSPICIONS, Flag, compression, flags, spoken_seconds
from runners.audio import decode, silences
from runners.base import Segment, Transcript, Word

MINUTE = 60.0
PROSE = (
    "The committee met on Tuesday to look at the plans for the new bridge. Several neighbours had written letters, most of "
    "them worried about the noise, and one about the swans. An engineer explained how the piles would be driven, and why it "
    "could not wait until autumn. After a short break the chair asked for a vote, which ended seven to two."
)


def timed(*words: tuple[str, float, float]) -> Transcript:
    return Transcript(" ".join(text for text, _, _ in words), tuple(Word(text, start, end) for text, start, end in words))


def steady(text: str, each: float, start: float = 0.0) -> Transcript:
    """Each word as long as the others, one after the other."""
    return timed(*((word, start + i * each, start + (i + 1) * each) for i, word in enumerate(text.split())))


def suspicions(found: tuple[Flag, ...]) -> list[str]:
    return [flag.suspicion for flag in found]


# Loops


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("So we went home. " + "Thank you. " * 14, "“Thank you.” 14 times in a row"),
        ("and then " + "the the the the the the the the the end", "“the” 9 times in a row"),
        ("What I mean is " * 4, "“What I mean is” 4 times in a row"),
        ("I'm going to the store now. " * 3, "“I'm going to the store now.” 3 times in a row"),
        ("我们" * 20, "“我们” 20 times in a row"),
        ("ขอบคุณครับ " * 6, "6 times in a row"),
        ("धन्यवाद दोस्तों " * 5, "“धन्यवाद दोस्तों” 5 times in a row"),
    ],
)
def test_a_loop_is_flagged_once_and_says_what_is_repeated(text: str, told: str) -> None:
    found = flags(Transcript(text), MINUTE, ())
    assert suspicions(found) == ["loop"]
    assert told in found[0].text


@pytest.mark.parametrize(
    "text",
    [
        "No, no, no, no, no, no.",
        "It was very, very, very, very good.",
        "one two three one two three",
        "Row, row, row your boat, gently down the stream.",
        "tra la la la la la la",
        "哈哈哈哈哈哈",
        "ha ha ha ha",
        "We shall fight on the beaches, we shall fight on the landing grounds, we shall fight in the fields",
        PROSE,
    ],
)
def test_what_people_repeat_is_no_loop(text: str) -> None:
    assert flags(Transcript(text), MINUTE, ()) == ()


def test_what_the_reference_repeats_as_often_is_no_loop() -> None:
    chorus = "Let it be, let it be, let it be, let it be, let it be."
    assert suspicions(flags(Transcript(chorus), MINUTE, ())) == ["loop"]
    assert flags(Transcript(chorus.lower()), MINUTE, (), chorus) == ()
    assert suspicions(flags(Transcript(f"{chorus} {chorus}"), MINUTE, (), chorus)) == ["loop"]


def test_a_loop_has_its_time_where_the_words_have() -> None:
    (flag,) = flags(steady("well then " + "thank you " * 6, 0.5), MINUTE, ())
    assert (flag.start, flag.end) == (1.0, 7.0)


def test_a_text_that_says_nearly_the_same_again_and_again_is_a_loop_by_compression() -> None:
    kinds = ["big", "old", "red"]
    text = " ".join(f"and so the {kinds[i % 3]} house of the {kinds[i % 7 % 3]} man" for i in range(20))
    (flag,) = flags(Transcript(text), MINUTE, ())
    assert flag.suspicion == "loop"
    assert "nearly the same" in flag.text
    assert "and so the" in flag.text


def test_compression_is_as_low_for_other_scripts_as_for_english_and_high_for_loops() -> None:
    hindi = (
        "समिति की बैठक मंगलवार को हुई और उसमें नए पुल की योजना पर चर्चा की गई। कई पड़ोसियों ने पत्र लिखे थे, अधिकतर शोर से परेशान थे। "
        "एक अभियंता ने समझाया कि काम शरद ऋतु तक क्यों नहीं रुक सकता, फिर थोड़ी देर बाद मतदान हुआ।"
    )
    assert compression("") == 0
    for text in (PROSE, hindi):
        assert 1 < compression(text) < 2.1
        assert compression(text * 5) > 2.4


def test_an_hour_without_loops_is_not_one() -> None:
    some = np.random.default_rng(2).choice(PROSE.split(), 9000)
    text = " ".join(some.tolist())
    assert flags(Transcript(text), 3600, ()) == ()


# Over silence


def test_words_inside_a_silence_are_flagged_with_their_time() -> None:
    transcript = timed(("Good", 0.2, 0.5), ("morning.", 0.5, 1.0), ("Thank", 4.0, 4.3), ("you.", 4.3, 4.6), ("So", 8.1, 8.4))
    (flag,) = flags(transcript, 10, ((1.1, 8.0),))
    assert flag.suspicion == "over silence"
    assert "“Thank you.”" in flag.text
    assert (flag.start, flag.end) == (4.0, 4.6)


def test_segments_count_where_no_word_is_timed() -> None:
    segments = (Segment("Good morning.", 0, 1.2), Segment("Subtitles by a fan.", 3, 6))
    found = flags(Transcript("Good morning. Subtitles by a fan.", (), segments), 10, ((1.3, 10.0),))
    assert suspicions(found) == ["over silence"]
    assert "Subtitles" in found[0].text


@pytest.mark.parametrize(
    "silence",
    [(0.9, 1.8), (1.0, 2.4), (0.5, 1.9), (3.0, 4.0)],
    ids=["short", "word reaches out", "word at its start", "elsewhere"],
)
def test_times_of_words_need_not_be_exact(silence: tuple[float, float]) -> None:
    assert flags(timed(("Good", 0.4, 0.8), ("morning", 0.8, 1.3), ("then", 2.1, 2.6)), 10, (silence,)) == ()


def test_at_the_ends_of_a_clip_silence_begins_at_once() -> None:
    found = flags(timed(("You", 0.0, 0.2), ("Hello", 2.0, 2.5), ("bye", 9.5, 10.0)), 10, ((0.0, 1.5), (8.0, 10.0)))
    assert [flag.text.split(":")[0] for flag in found] == ["“You”", "“bye”"]


def test_any_text_of_a_silent_clip_is_over_silence() -> None:
    (flag,) = flags(Transcript("Thanks for watching!"), 3, ((0.0, 3.0),))
    assert flag.suspicion == "over silence"
    assert "Thanks for watching!" in flag.text


# Too fast


def test_more_words_than_anybody_can_speak_are_flagged_where_they_are() -> None:
    calm, rush = steady(PROSE, 0.4), steady("alpha beta gamma delta " * 8, 0.05, start=30)
    transcript = Transcript(calm.text + " " + rush.text, calm.words + rush.words)
    found = [flag for flag in flags(transcript, MINUTE, ()) if flag.suspicion == "too fast"]
    assert [(flag.start, round(flag.end or 0, 1)) for flag in found] == [(30.0, 31.6)]
    assert "32 words in 1.6 s" in found[0].text


def test_a_whole_clip_is_too_fast_for_its_words() -> None:
    (flag,) = flags(Transcript(PROSE), 8, ((0.0, 2.0),))
    assert flag.suspicion == "too fast"
    assert flag.text == f"{len(PROSE.split())} words in a clip with 6.0 s of sound"


def test_segments_are_too_fast() -> None:
    found = flags(Transcript(PROSE, (), (Segment(PROSE, 3.0, 7.0),)), MINUTE, ())
    assert [(flag.suspicion, flag.start, flag.end) for flag in found] == [("too fast", 3.0, 7.0)]


@pytest.mark.parametrize("each", [0.2, 0.25, 0.5])
def test_fast_speakers_are_believed(each: float) -> None:
    assert flags(steady(PROSE, each), MINUTE, ()) == ()


def test_a_few_words_without_a_length_are_no_rush() -> None:
    assert flags(timed(*((word, 1.0, 1.0) for word in ("it", "was", "not", "me", "who", "did", "it"))), 10, ()) == ()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0),
        ("— …", 0),
        ("seven words are said in a second", 1),
        ("我们今天去北京看长城吧", 11 / 12),
        ("สวัสดี", 6 / 25),
        ("iPhone很好", 1 / 7 + 2 / 12),
    ],
)
def test_the_shortest_time_of_a_text(text: str, seconds: float) -> None:
    assert spoken_seconds(text) == pytest.approx(seconds)


# Empty


def test_an_empty_transcript_is_flagged_only_where_somebody_speaks() -> None:
    for text in ("", "  ", "…", "- ."):
        assert suspicions(flags(Transcript(text), 10, ((0.0, 3.0),))) == ["empty"]
        assert flags(Transcript(text), 10, ((0.0, 10.0),)) == ()
        assert flags(Transcript(text), 10, (), "") == ()
        assert suspicions(flags(Transcript(text), 10, (), "hello")) == ["empty"]


# All of them


def test_thousands_of_places_are_told_in_few_flags() -> None:
    gaps = tuple((10.0 * i, 10.0 * i + 5) for i in range(300))
    transcript = timed(*((word, 10.0 * i + 2, 10.0 * i + 3) for i, word in enumerate((PROSE.split() * 5)[:300])))
    found = [flag for flag in flags(transcript, 3600, gaps) if flag.suspicion == "over silence"]
    assert len(found) == MOST_FLAGS + 1
    assert found[-1].text == f"and {300 - MOST_FLAGS} more such places"


def test_references_of_real_clips_are_not_flagged(speech_clips: Path) -> None:
    for line in (speech_clips / "manifest.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        clip = decode(speech_clips / row["file"], max_seconds=900, max_bytes=10**8)
        segments: tuple[Segment, ...] = ()
        beside = (speech_clips / row["file"]).with_suffix(".segments.json")
        if beside.exists():
            segments = tuple(Segment(one["text"], one["start"], one["end"]) for one in json.loads(beside.read_text("utf-8")))
        assert flags(Transcript(row["text"], (), segments), clip.seconds, silences(clip.samples)) == (), row["file"]


WORDS = st.sampled_from(["hello", "world", "the", "don't", "—", "…", "مرحبا", "你好", "नमस्ते", "👩‍🚀", "<b>", "\u0301", "2"])


@settings(max_examples=60)
@given(
    st.lists(st.tuples(WORDS, st.floats(0, 30) | st.none(), st.floats(0, 3)), max_size=60),
    st.lists(st.floats(0, 30), max_size=6, unique=True).map(sorted),
)
def test_any_transcript_can_be_looked_at(words: list[tuple[str, float | None, float]], edges: list[float]) -> None:
    transcript = Transcript(
        " ".join(text for text, _, _ in words),
        tuple(Word(text, start, None if start is None else start + length) for text, start, length in words),
    )
    found = flags(transcript, 30.0, tuple(zip(edges[::2], edges[1::2], strict=False)))
    assert {flag.suspicion for flag in found} <= set(SUSPICIONS)
    assert all(flag.text for flag in found)
    assert suspicions(found) == sorted(suspicions(found), key=list(SUSPICIONS).index)
