"""Every form in which a comparison leaves Earshot: one table of them, captions, Markdown, and how heavy a report is."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons import report
from comparisons.compare import Comparison, begin, fold
from comparisons.cues import LINE_CELLS, LONGEST_SECONDS, Captions, NoTimes, captions, to_srt, to_vtt
from comparisons.exports import FORMS, Extras, NothingToExport, exported, stem
from comparisons.normalise import normaliser
from comparisons.references.captions import captions as read_captions
from comparisons.sheets import to_markdown
from comparisons.sound import BITS_PER_SECOND, small
from runners.audio import decode
from runners.base import AudioError, Clip, Contender, RunnerSpec, Segment, Transcript, TranscriptionResult, Word
from runners.events import Finished
from runners.terminal import width
from tests.reported import HOSTILE, LONG, MOONSHINE, PHI, SPHINX, WHISPER, compared, contender, ran, skipped, told, wrong
from ui.take_away import KINDS, taken_away

SPEECH = (
    "Good morning, and thank you all for coming so early. Today we look at the plan for the new bridge, which is late; the "
    "steel will not be here before March. Dr. Smith has asked whether we can begin with the north side, because the ground "
    "there is dry and nobody will mind if we make some noise in the morning before the offices are open to the public"
)


def timed(text: str, step: float = 0.35, start: float = 1.0) -> tuple[Word, ...]:
    return tuple(Word(word, start + at * step, start + at * step + 0.8 * step) for at, word in enumerate(text.split()))


def heard(transcript: Transcript, who: Contender = MOONSHINE, seconds: float = 60.0) -> Comparison:
    done = Finished(who, TranscriptionResult(who, "ok", transcript, runs=(1.0,), rtf=0.1))
    return replace(compared(None, done), seconds=seconds)


def caption(transcript: Transcript, seconds: float = 60.0) -> Captions:
    return captions(heard(transcript, seconds=seconds).columns[0], seconds)


def holds(found: Captions) -> None:
    """What every caption must be: short, shown long enough, and never over the one before."""
    before = 0.0
    for cue in found.cues:
        assert 1 <= len(cue.lines) <= 2
        assert all(0 < width(line) <= LINE_CELLS for line in cue.lines)
        assert before <= cue.start < cue.end
        before = cue.end


def test_captions_have_short_lines_and_end_with_sentences_and_pauses() -> None:
    found = caption(Transcript(SPEECH, timed(SPEECH)))
    holds(found)
    assert all(cue.end - cue.start <= LONGEST_SECONDS + 0.001 for cue in found.cues)
    assert found.cues[0].lines == ("Good morning, and thank you", "all for coming so early.")
    assert found.cues[1].lines[-1].endswith(";")  # cut after a clause rather than where the seven seconds are over
    assert " ".join(line for cue in found.cues for line in cue.lines) == SPEECH
    paused = caption(Transcript("one two three", (Word("one", 0.0, 0.3), Word("two", 0.4, 0.6), Word("three", 9.0, 9.4))))
    assert [cue.lines for cue in paused.cues] == [("one two",), ("three",)]
    assert [(cue.start, cue.end) for cue in paused.cues] == [(0.0, 1.0), (9.0, 10.0)]  # long enough to be read


def test_what_is_written_is_read_again() -> None:
    found = caption(Transcript(SPEECH, timed(SPEECH)))
    for text in (to_srt(found), to_vtt(found)):
        again = read_captions(text)
        assert " ".join(segment.text for segment in again) == SPEECH
        assert [(segment.start, segment.end) for segment in again] == [(cue.start, cue.end) for cue in found.cues]
    assert to_srt(found).startswith("1\n00:00:01,000 --> 00:00:04,430\nGood morning, and thank you\nall for coming")
    assert to_vtt(found).startswith("WEBVTT\n\n00:00:01.000 --> 00:00:04.430\n")


def test_phrases_with_times_are_cut_and_said_to_be_estimated() -> None:
    found = caption(Transcript(SPEECH, segments=(Segment(SPEECH, 2.0, 30.0),)))
    holds(found)
    assert found.is_estimated
    assert (found.cues[0].start, found.cues[-1].end) == (2.0, 30.0)
    assert "NOTE Times within a phrase are estimated." in to_vtt(found)
    assert " ".join(segment.text for segment in read_captions(to_vtt(found))) == SPEECH


def test_what_looks_like_a_tag_or_a_time_is_text() -> None:
    text = "<i>no</i> 00:00:01,000 --> 00:00:09,000 {\\an8}up &amp; <00:00:01.000> x"
    found = caption(Transcript(text, timed(text)))
    vtt, srt = to_vtt(found), to_srt(found)
    assert len(re.findall("-->", vtt)) == len(re.findall("-->", srt)) == len(found.cues)
    assert not re.search(r"<[\w/]|\{\\", srt)
    assert "<" not in vtt
    assert " ".join(segment.text for segment in read_captions(vtt)) == text.replace("{\\an8}", "")


def test_a_word_as_long_as_a_line_and_chinese_are_cut_too() -> None:
    long = "a" * 200
    holds(caption(Transcript(long, (Word(long, 0.0, 20.0),))))
    chinese = "今天天气很好。" * 30
    found = caption(Transcript(chinese, segments=(Segment(chinese, 0.0, 50.0),), language="zh"))
    holds(found)
    assert "".join(line for cue in found.cues for line in cue.lines) == chinese


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.text(st.sampled_from("abc.,!?<>&-今天é\u0301नम"), min_size=1, max_size=50),
            st.floats(0, 30),
            st.none() | st.floats(0, 30),
        ),
        max_size=30,
    )
)
def test_captions_hold_whatever_times_a_system_gives(given_words: list[tuple[str, float, float | None]]) -> None:
    text = " ".join(word for word, _, _ in given_words)
    words = tuple(Word(word, start, end) for word, start, end in given_words)
    found = caption(Transcript(text, words), 30.0)
    holds(found)
    shown = "".join(line for cue in found.cues for line in cue.lines)
    assert "".join(shown.split()) == "".join(text.split())
    assert len(to_srt(found).split("\n\n")) == max(1, len(found.cues))


def test_who_has_no_times_has_no_captions_and_it_is_said_who() -> None:
    with pytest.raises(NoTimes, match="PocketSphinx does not say when its words were said"):
        captions(compared("a", ran(SPHINX, "a b")).columns[0], 5.0)
    with pytest.raises(NoTimes, match="Phi-4-multimodal has no transcript"):
        captions(compared("a", skipped(PHI)).columns[0], 5.0)
    summary = told("summary", "summarization", "Summarize it.")
    with pytest.raises(NoTimes, match="does not write down what is said"):
        captions(compared(None, ran(summary, "a")).columns[0], 5.0)


@pytest.fixture
def several() -> Comparison:
    twin = contender("twin", "Moonshine tiny")
    return compared(
        SPEECH,
        ran(MOONSHINE, SPEECH, words=timed(SPEECH, 0.05)),
        ran(twin, SPEECH, words=timed(SPEECH, 0.05)),
        ran(SPHINX, SPEECH),
        skipped(PHI),
        name="../a <b>/c.wav",
    )


def test_captions_are_a_file_a_contender_under_names_that_any_system_takes(several: Comparison) -> None:
    made = exported("srt", [several])
    assert [file.name for file in made.files] == ["earshot-c.Moonshine tiny.srt", "earshot-c.Moonshine tiny (2).srt"]
    assert any("PocketSphinx does not say" in why for why in made.left_out)
    with pytest.raises(NothingToExport, match=r"no captions to write\. PocketSphinx"):
        exported("vtt", [compared("a", ran(SPHINX, "a b"))])
    assert stem(compared(None, ran(SPHINX, "a"), name=HOSTILE)).isprintable()


@pytest.mark.parametrize("form", [name for name, form in FORMS.items() if form.write is not None])
def test_every_form_takes_one_clip_and_several(form: str, several: Comparison) -> None:
    for comparisons in ([several], [several, several]):
        (file,), left_out = exported(form, comparisons)
        assert file.name.endswith(f".{FORMS[form].ending}")
        assert "Moonshine tiny" in file.text or (form in ("json", "csv") and "moonshine" in file.text)
        assert not left_out


def test_markdown_is_a_table_in_which_nothing_is_markup() -> None:
    evil = contender("evil", "a|b [x](http://evil.example) <img src=x> `c` *d* www.evil.example")
    comparison = compared("one two", ran(evil, "one"), skipped(PHI, HOSTILE + "\n| a | b |"), name="|new\nline.wav")
    text = to_markdown(comparison)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {len(re.findall(r"(?<!\\)\|", rows[0]))}
    assert not re.search(r"(?<!\\)[<\[`*]", text.replace("**", ""))
    assert not re.search(r"(?<!\\)://", text)
    assert "www." not in text
    assert "50.0" in text
    assert "was skipped" in text


def test_page_and_command_line_make_the_same_report(several: Comparison, tmp_path: Path) -> None:
    clip = Clip(np.zeros(16_000, np.float32), 1.0, "c.wav")
    (file,), _ = exported("html", [several], "chosen", Extras([small(clip)]))
    page = taken_away(several, "chosen", "html", lambda: clip, tmp_path)
    assert page.path is not None
    assert page.path.read_text(encoding="utf-8") == file.text
    assert page.path.name == page.name == file.name
    silent = taken_away(several, "chosen", "silent", lambda: clip, tmp_path)
    assert silent.path is not None
    assert "<audio class" not in silent.path.read_text(encoding="utf-8")


def test_a_clip_that_is_gone_costs_the_sound_alone(several: Comparison, tmp_path: Path) -> None:
    def gone() -> Clip:
        raise AudioError("There is no such file.", "Check the path.")

    taken = taken_away(several, "wer", "html", gone, tmp_path)
    assert "without its sound: There is no such file." in taken.said
    assert taken.path is not None


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"html", "silent", "srt", "vtt"}))
def test_what_is_small_goes_through_the_page(kind: str, several: Comparison, tmp_path: Path) -> None:
    taken = taken_away(several, "wer", kind, lambda: pytest.fail("no sound is needed"), tmp_path)
    assert taken.text
    assert taken.path is None
    assert not list(tmp_path.iterdir())


def test_captions_of_several_are_one_file_of_files(several: Comparison, tmp_path: Path) -> None:
    import zipfile

    taken = taken_away(several, "wer", "vtt", lambda: pytest.fail("no sound is needed"), tmp_path)
    assert taken.path is not None
    with zipfile.ZipFile(taken.path) as packed:
        assert len(packed.namelist()) == 2
        assert packed.read(packed.namelist()[0]).startswith(b"WEBVTT")
    alone = taken_away(compared("a", ran(SPHINX, "a")), "wer", "srt", lambda: pytest.fail("no sound"), tmp_path)
    assert (alone.text, alone.path) == (None, None)
    assert "PocketSphinx does not say when its words were said" in alone.said


def test_the_sound_is_small_and_nothing_moves_in_it(tmp_path: Path) -> None:
    steps = np.arange(3 * 16_000)
    samples = (0.3 * np.sin(steps * 2 * np.pi * 300 / 16_000) * (steps // 8000 % 2)).astype(np.float32)
    clip = Clip(samples, 3.0, "beeps.wav")
    sound = small(clip)
    assert small(clip).content == sound.content
    assert len(sound.content) < 1.2 * 3 * BITS_PER_SECOND / 8 + 500
    path = tmp_path / "small.mp3"
    path.write_bytes(sound.content)
    again = decode(path, max_seconds=10, max_bytes=10**6)
    assert len(again.samples) == len(samples)
    onset = np.flatnonzero(np.abs(again.samples) > 0.1)[0] / 16_000
    assert abs(onset - 0.5) < 0.02
    with pytest.raises(AudioError):
        small(Clip(np.zeros(0, np.float32), 0.0, "empty.wav"))


def test_title_and_notes_stand_above_a_report() -> None:
    comparison = compared(LONG, ran(WHISPER, wrong(9)))
    html = report.to_html(comparison, title="Which <one>?", notes="First\nsecond </script>")
    assert "<title>Which &lt;one&gt;? · Earshot</title>" in html
    assert '<p class="notes" dir="auto">First\nsecond &lt;/script&gt;</p>' in html
    assert '<h1 dir="auto">budget.flac</h1>' in report.to_html(comparison)
    assert ">Notes<" not in report.to_html(comparison)


def test_nothing_said_can_end_the_script_it_stands_in() -> None:
    text = "</script><script>x</script> <!-- <script> --> ]]> \u2028 & " * 3
    html = report.to_html(compared(text, ran(SPHINX, text + "oops"), ran(MOONSHINE, text)))
    assert html.count("<script") == html.count("</script") == 2
    assert html.count("<!--") == 0


@pytest.fixture(scope="module")
def hour() -> Comparison:
    """An hour of speech in eight columns, a tenth of it wrong."""
    chance = random.Random(7)  # noqa: S311
    vocabulary = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(3000)]
    said = [word if at % 14 else f"{word.capitalize()}" for at, word in enumerate(chance.choices(vocabulary, k=9000))]
    said = [f"{word}." if at % 14 == 13 else word for at, word in enumerate(said)]
    clip = Clip(np.zeros(1600, np.float32), 3600.0, "hour.flac", reference=" ".join(said), language="en")
    eight = [Contender(RunnerSpec(f"system-{number}", f"System {number}", "runners.scripted:Scripted")) for number in range(8)]
    comparison = begin(clip, eight, normaliser("basic"))
    for number, who in enumerate(eight):
        words = [chance.choice(vocabulary) if chance.random() < 0.1 else word for word in said]
        text = " ".join(words)
        transcript = Transcript(text, timed(text, 0.39, 0.0) if number % 2 == 0 else ())
        comparison = fold(comparison, Finished(who, TranscriptionResult(who, "ok", transcript, runs=(60.0,), rtf=60 / 3600)))
    return comparison


def test_an_hour_in_eight_columns_weighs_less_than_three_megabytes(hour: Comparison) -> None:
    html = report.to_html(hour, notes="All of it.")
    assert len(html.encode()) < 3_000_000
    assert html.count("System 7") >= 3


Write = Callable[[Captions], str]


@pytest.mark.parametrize("write", [to_srt, to_vtt])
def test_an_hour_of_captions_holds(hour: Comparison, write: Write) -> None:
    found = captions(hour.columns[0], hour.seconds)
    holds(found)
    assert write(found).count(" --> ") == len(found.cues) > 500
