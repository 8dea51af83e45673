"""References: what a file says was said, and where a reference comes from."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.reference import MOST_BYTES, MOST_CHARACTERS, Reference, read_reference, read_references, text_of
from runners.base import Segment

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Good</i> morning,
{\\an8}Vietnam.

2
00:00:03,000 --> 00:00:04,250 X1:40 X2:600
R&amp;D &lt;is&gt; 2 < 3.
"""

VTT = """WEBVTT - for the first show
Kind: captions

STYLE
::cue { color: lime }

NOTE
nobody says this

intro
00:01.000 --> 00:02.500 align:start position:10%
<v Fred Smith>Good <b>morning</b>, Vietnam.

NOTE neither this

00:00:03.000 --> 00:00:04.250
<v.loud Mary>R&amp;D <lang en>&lt;is&gt;</lang> 2 &lt; 3.
"""


def read(text: str, name: str, source: str | None = None) -> Reference:
    return read_reference(text.encode(), name, source)


def lines(*entries: dict[str, Any]) -> str:
    return "".join(json.dumps(entry) + "\n" for entry in entries)


# Plain text


def test_plain_text_is_the_reference() -> None:
    assert read(" Hello there,\r\nyou.\n", "said.txt") == Reference("Hello there,\r\nyou.")
    assert read("\ufeffHello", "said") == Reference("Hello")
    assert read("", "said.txt") == Reference("")
    assert read('{"text": "not a manifest"}', "said.txt").text == '{"text": "not a manifest"}'


def test_text_is_read_in_the_encodings_that_editors_write() -> None:
    assert text_of("Grüße, 世界".encode("utf-16")) == "Grüße, 世界"
    assert text_of("“Grüße” – ja".encode("cp1252")) == "“Grüße” – ja"
    assert text_of(b"a\x81b") == "a\ufffdb"
    assert text_of("Grüße".encode("utf-16")[:-1]) == "Grüß\ufffd"
    with pytest.raises(ValueError, match="not a text file"):
        text_of(b"RIFF\0\0\0\0WAVE")


def test_what_is_no_plain_text_is_refused() -> None:
    with pytest.raises(ValueError, match="not a text file"):
        read("\x01\x02", "said.txt")
    for document in ("%PDF-1.7\n", "{\\rtf1 Hello}"):
        with pytest.raises(ValueError, match="save its words as plain text"):
            read(document, "said.txt")


def test_text_that_looks_like_a_page_stays_text() -> None:
    assert read("<script>alert(1)</script>", "said.txt").text == "<script>alert(1)</script>"


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="larger than 32 MB"):
        read_reference(bytes(MOST_BYTES + 1), "said.txt")
    with pytest.raises(ValueError, match="longer than 1,000,000 characters"):
        read("a " * (MOST_CHARACTERS // 2 + 1), "said.txt")


# Captions


@pytest.mark.parametrize(("text", "name"), [(SRT, "a.srt"), (VTT, "a.vtt"), (SRT, "a.txt"), (VTT, "a"), (SRT, "A.SRT")])
def test_captions_are_read_without_what_only_a_screen_needs(text: str, name: str) -> None:
    found = read(text, name)
    assert found.segments == (
        Segment("Good morning, Vietnam.", 1.0, 2.5),
        Segment("R&D <is> 2 < 3.", 3.0, 4.25),
    )
    assert found.text == "Good morning, Vietnam.\nR&D <is> 2 < 3."


def test_line_ends_of_every_system_are_read() -> None:
    for end in ("\r\n", "\r", "\n"):
        assert len(read(SRT.replace("\n", end), "a.srt").segments) == 2


def test_captions_are_in_the_order_of_their_times() -> None:
    text = "2\n00:00:05,000 --> 00:00:06,000\nlater\n\n1\n00:00:01,000 --> 00:00:02,000\nfirst\n"
    assert read(text, "a.srt").text == "first\nlater"


def test_slightly_wrong_captions_lose_no_text() -> None:
    text = (
        "00:00:01.5 --> 00:00:02,000\nno number\n\nan empty line before\n\n7\n\n8\n01:00:03,000 --> 01:00:04,000\nlast"
        "\n9\n01:00:05,000 --> 01:00:06,000\n\n10\n01:00:07,000 --> 01:00:08,000\nno empty line before\n\n11\n"
    )
    assert read(text, "a.srt").segments == (
        Segment("no number an empty line before", 1.5, 2.0),
        Segment("last", 3603.0, 3604.0),
        Segment("no empty line before", 3607.0, 3608.0),
    )


def test_readings_beside_characters_are_not_said_twice() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n<ruby>漢<rt>かん</rt>字<rt>じ</rt></ruby>です\n"
    assert read(text, "a.vtt").text == "漢字です"


def test_captions_that_roll_are_told_once() -> None:
    text = (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n \nhello<00:00:00.500><c> there</c>\n\n"
        "00:00:02.000 --> 00:00:02.010\nhello there\n \n\n"
        "00:00:02.010 --> 00:00:04.000\nhello there\nhow<00:00:02.500><c> are you</c>\n\n"
        "00:00:04.000 --> 00:00:04.010\nhow are you\n \n"
    )
    assert read(text, "a.vtt").text == "hello there\nhow are you"


def test_what_somebody_says_twice_is_told_twice() -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nNo.\n\n2\n00:00:02,000 --> 00:00:03,000\nNo.\n"
    assert read(text, "a.srt").text == "No.\nNo."


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("1\n00:00:01,000 -> 00:00:02,000\nhi\n", "a.srt", "Line 2: a time such as"),
        ("WEBVTT\n\n00:xx.000 --> 00:02.000\nhi\n", "a.vtt", "Line 3: a time such as"),
        ("1\n00:00:01,000 --> 00:00:02,000\nhi\n\n2\n-00:00:03,000 --> 00:00:04,000\nyou\n", "a.srt", "Line 6: a time"),
        ("1\n00:00:05,000 --> 00:00:02,000\nhi\n", "a.srt", "Line 2: this caption ends before it starts"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nhi\n\nlost\nwords\n", "a.vtt", "Line 6: there is no time before this text"),
        ("Just some words.", "a.srt", "Line 1: there is no time before this text: “Just some words.”"),
        ("", "a.srt", "no caption in it"),
        ("WEBVTT\n", "a.vtt", "no caption in it"),
    ],
)
def test_broken_captions_say_where(text: str, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(text, name)


@given(st.text(max_size=60), st.sampled_from(["a.srt", "a.vtt", "a.json", "a.jsonl", "a.txt", "a"]), st.booleans())
@settings(max_examples=150)
def test_whatever_a_file_holds_it_is_read_or_refused_with_a_reason(text: str, name: str, captioned: bool) -> None:
    content = ("WEBVTT\n\n00:01.000 --> 00:02.000\n" + text if captioned else text).encode(errors="replace")
    with contextlib.suppress(ValueError):
        read_reference(content, name, "a.wav").text.encode()


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    with pytest.raises(ValueError, match="Line 5: a time such as"):
        read("\n\n\n1\n00:00:01 --> 00:00:02\nhi\n", "a.srt")
    with pytest.raises(ValueError, match="Line 4: this is not JSON"):
        read('\n\n{"text": "a"}\n{"text": a}\n', "a.jsonl")


# Manifests


def test_a_manifest_gives_the_entry_of_the_clip() -> None:
    text = lines(
        {"audio_filepath": "/data/wavs/a.wav", "duration": 2.0, "text": "one"},
        {"audio_filepath": "C:\\data\\b.wav", "duration": 2.0, "text": "two"},
    )
    for name in ("m.jsonl", "m.json", "m"):
        assert read(text, name, "a.wav") == Reference("one")
        assert read(text, name, "b.wav") == Reference("two")
    assert read(json.dumps([json.loads(line) for line in text.splitlines()]), "m.json", "b.wav") == Reference("two")


def test_several_clips_find_their_entries_in_one_manifest() -> None:
    text = lines({"file": "a.wav", "text": "one"}, {"file": "b.wav", "text": "two"}).encode()
    assert read_references(text, "m.jsonl", ["b.wav", "a.wav"]) == [Reference("two"), Reference("one")]
    with pytest.raises(ValueError, match=r"nothing of c\.wav"):
        read_references(text, "m.jsonl", ["a.wav", "c.wav"])
    assert read_references(b"said", "m.txt", ["a.wav", None]) == [Reference("said")] * 2


@pytest.mark.parametrize(
    ("named", "source"),
    [
        ("clips/Straße 1.wav", "STRASSE 1.WAV"),
        ("a.flac", "a.mp3"),
        ("My clip (2).wav", "Myclip2.wav"),
        ("e\u0301.wav", "é.wav"),
    ],
)
def test_a_clip_is_found_under_a_name_that_is_nearly_its_own(named: str, source: str) -> None:
    other = {"audio_filepath": "other.wav", "text": "no"}
    assert read(lines(other, {"audio_filepath": named, "text": "yes"}), "m.jsonl", source).text == "yes"


def test_the_very_name_comes_before_one_that_is_nearly_it() -> None:
    text = lines({"file": "a.mp3", "text": "no"}, {"file": "A.wav", "text": "no"}, {"file": "a.wav", "text": "yes"})
    assert read(text, "m.jsonl", "a.wav").text == "yes"


@pytest.mark.parametrize("key", ["text", "transcript", "transcription", "sentence", "reference"])
@pytest.mark.parametrize("file", [{"path": "x/a.wav"}, {"file_name": "a.wav"}, {"audio": {"path": "a.wav", "array": [0]}}])
def test_data_sets_name_their_columns_in_many_ways(key: str, file: dict[str, Any]) -> None:
    assert read(lines({**file, key: "yes"}, {"file": "b.wav", "text": "no"}), "m.jsonl", "a.wav").text == "yes"


def test_stretches_of_one_clip_become_segments_in_their_order() -> None:
    text = lines(
        {"audio_filepath": "a.wav", "offset": 2.5, "duration": 1.0, "text": "then this"},
        {"audio_filepath": "a.wav", "offset": 0, "duration": 2, "text": "first this"},
        {"audio_filepath": "b.wav", "offset": 0, "duration": 2, "text": "not this"},
    )
    assert read(text, "m.json", "a.wav") == Reference(
        "first this\nthen this", (Segment("first this", 0.0, 2.0), Segment("then this", 2.5, 3.5))
    )


def test_lists_of_segments_and_saved_transcripts_keep_their_times() -> None:
    segments = (Segment("Hello there.", 0.0, 1.5), Segment("Bye.", 2.0, 3.0))
    told = [{"id": 0, "start": 0.0, "end": 1.5, "text": " Hello there."}, {"id": 1, "start": 2, "end": 3, "text": " Bye."}]
    assert read(json.dumps(told), "segments.json", "a.wav") == Reference("Hello there.\nBye.", segments)
    whisper = {"text": " Hello there. Bye.", "segments": told, "language": "en"}
    assert read(json.dumps(whisper), "a.json", "a.wav") == Reference("Hello there. Bye.", segments)
    chunks = {"text": "Hello there. Bye.", "chunks": [{"timestamp": [0.0, 1.5], "text": "Hello there."}]}
    assert read(json.dumps(chunks), "a.json").segments == segments[:1]
    assert read(json.dumps({"segments": told}), "a.json").text == "Hello there.\nBye."


def test_a_saved_comparison_gives_its_reference_and_what_it_was_made_from() -> None:
    block = {"text": "now", "seeded_by": "moonshine", "seed_label": "Moonshine", "original": "know"}
    saved = {"clip": {"source": "a.wav"}, "reference": block, "results": [{"transcript": "no"}]}
    found = read(json.dumps(saved), "a.json", "a.wav")
    assert found == Reference("now", (), "moonshine", "Moonshine", "know")
    assert found.label == "reference seeded by Moonshine, edited"
    assert read(json.dumps({**saved, "reference": "now"}), "a.json", "a.wav") == Reference("now")
    with pytest.raises(ValueError, match="comparison without a reference"):
        read(json.dumps({**saved, "reference": None}), "a.json", "a.wav")
    with pytest.raises(ValueError, match=r"nothing of b\.wav"):
        read(json.dumps(saved), "a.json", "b.wav")


def test_times_that_are_no_times_are_unknown() -> None:
    told = [{"start": "0.5", "end": True, "text": "a"}, {"start": 2, "end": 1, "text": "b"}]
    assert read(json.dumps(told), "a.json").segments == (Segment("a", 0.5, None), Segment("b", 2.0, None))
    with pytest.raises(ValueError, match="does not say which file"):
        read('[{"start": NaN, "text": "a"}, {"start": 1e999, "text": "b"}]', "a.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "This file is empty"),
        ("{", "Line 1: this is not JSON"),
        ('{"text": "a"}\n{"text":\n', "Line 2: this is not JSON"),
        ('{\n "text": "a",\n}', "Line 3: this is not JSON"),
        ("[" * 100_000, "Line 1: this is not JSON"),
        ("[]", "no entry in it"),
        ("[1]", "Entry 1 is not an object"),
        ("3\n4", "Line 1 is not an object"),
        ('{"audio": "a.wav", "words": 3}', r"The file has no text: none of its keys \(audio, words\)"),
        ('{"text": 3}', "The file has no text: what its key text holds is not in quotes."),
        ('{"audio": "a.wav", "text": null}', "what its key text holds is not in quotes"),
        (lines({"text": "a"}, {"text": "b"}), "2 texts and does not say which file each belongs to"),
        (lines({"file": "a.wav", "text": "a"}, {"file": "a.wav", "text": "b"}), r"2 texts of a\.wav and does not say when"),
        (lines({"file": "x/a.wav", "text": "a"}, {"file": "y/a.wav", "text": "b"}), r"Several .* could be a\.wav: x/a"),
        (lines(*({"file": f"{n}.wav", "text": "a"} for n in range(9))), r"nothing of a\.wav.* 0\.wav, 1\.wav.* and 4 more"),
        (lines({"file": "---.wav", "text": "a"}), r"nothing of a\.wav"),
    ],
)
def test_what_no_reference_can_be_taken_from_says_why(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(text, "m.json", "a.wav")


def test_entries_without_a_text_matter_only_to_their_clips() -> None:
    text = lines({"file": "a.wav", "text": "yes"}, {"file": "b.wav"})
    assert read(text, "m.jsonl", "a.wav").text == "yes"
    with pytest.raises(ValueError, match="Line 2 has no text"):
        read(text, "m.jsonl", "b.wav")


def test_without_the_clip_s_name_a_manifest_has_to_be_about_one_file() -> None:
    assert read(lines({"file": "a.wav", "text": "yes"}), "m.jsonl").text == "yes"
    with pytest.raises(ValueError, match="about several files"):
        read(lines({"file": "a.wav", "text": "a"}, {"file": "b.wav", "text": "b"}), "m.jsonl")


def test_names_with_braces_and_controls_are_only_names() -> None:
    text = lines({"file": "{0}\x1b[31m.wav", "text": "a"}, {"file": "{0}\x1b[31m.wav", "text": "b"})
    with pytest.raises(ValueError, match=r"of \{0\} \[31m\.wav and does not say when") as caught:
        read(text, "m.jsonl", "{0}\x1b[31m.wav")
    assert str(caught.value).isprintable()


def test_strings_that_no_file_can_hold_are_mended() -> None:
    assert read('{"text": "a\\ud800b\\u0000c"}', "m.json").text == "a\ufffdbc"


def test_the_real_manifests_are_read(speech_clips: Path) -> None:
    manifest = (speech_clips / "manifest.jsonl").read_bytes()
    for line in manifest.decode().splitlines():
        entry = json.loads(line)
        assert read_reference(manifest, "manifest.jsonl", entry["file"].split("/")[-1]).text == entry["text"].strip()
    timed = read_reference((speech_clips / "librispeech-5-readers-6m50.segments.json").read_bytes(), "a.segments.json")
    assert len(timed.segments) == 50
    assert timed.text == "\n".join(segment.text for segment in timed.segments)


# Where it comes from


def test_a_reference_says_what_it_was_made_from() -> None:
    assert Reference("a").label == "reference"
    assert Reference("a").edited("b").label == "reference, edited"
    seeded = Reference.seeded(" a \n", "moonshine", "Moonshine")
    assert (seeded.text, seeded.label) == ("a", "reference seeded by Moonshine")
    assert seeded.edited("b").label == "reference seeded by Moonshine, edited"
    assert Reference("a", seed="majority").label == "reference seeded by majority"


def test_what_it_was_before_it_was_edited_is_kept_once() -> None:
    first = Reference.seeded("one two", "x", "X")
    twice = first.edited("one 2").edited("1 2")
    assert (twice.text, twice.original, twice.is_edited) == ("1 2", "one two", True)
    assert twice.restored() == first
    assert twice.edited("one two") == first
    assert first.edited(" one two\n") is first
    assert first.restored() is first
    assert first.edited("").original == "one two"


def test_times_stay_with_their_words_when_a_reference_is_edited() -> None:
    told = (Segment("Good morning.", 0.0, 1.0), Segment("How are you?", 2.0, 3.0), Segment("Fine.", 4.0, 5.0))
    reference = Reference("Good morning.\nHow are you?\nFine.", told)
    edited = reference.edited("A good mourning.\nHow is it?\nFine, thanks.")
    assert [segment.text for segment in edited.segments] == ["A good mourning.", "How is it?", "Fine, thanks."]
    assert [segment.start for segment in edited.segments] == [0.0, 2.0, 4.0]
    assert [segment.text for segment in reference.edited("How are you? Fine.").segments] == ["How are you?", "Fine."]
    assert edited.restored() == reference


words = st.lists(st.sampled_from(["a", "b", "c", "d,", "好", "שלום", "👍🏽"]), max_size=6)


@given(st.lists(words.map(" ".join), max_size=5), words.map(" ".join))
@settings(max_examples=150)
def test_edited_segments_hold_exactly_the_edited_text(told: list[str], text: str) -> None:
    segments = tuple(Segment(each, float(number), number + 1.0) for number, each in enumerate(told))
    edited = Reference("\n".join(told), segments).edited(text)
    if edited.segments:
        assert "".join("".join(segment.text.split()) for segment in edited.segments) == "".join(edited.text.split())
        assert [segment.start for segment in edited.segments] == sorted(segment.start or 0.0 for segment in edited.segments)
