"""What every local runner keeps to, whatever it is inside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runners.base import AudioError, Beyond, Cancelled, Prompt, RunnerError, TranscribeOptions, Transcript, UnsupportedOption
from tests.kinds import KINDS
from tests.sounds import silence
from tests.subjects import CASES, CLIPS, Subject, loaded, voiced_at_both_ends
from tests.watcher import Watcher


@pytest.fixture(scope="module", params=CASES)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    with loaded(request.param, tmp_path_factory) as found:
        yield found


@pytest.mark.parametrize("name", CLIPS)
def test_a_clip_of_any_length_becomes_a_transcript_with_times_inside_it(subject: Subject, name: str) -> None:
    clip = CLIPS[name]
    before = clip.samples.copy()
    transcript = subject.heard(name)
    assert isinstance(transcript.text, str)
    assert transcript.text == transcript.text.strip()
    assert np.array_equal(clip.samples, before)
    for timed in (transcript.words, transcript.segments):
        assert all(part.text for part in timed)
        spans = [(part.start, part.end) for part in timed if part.start is not None and part.end is not None]
        assert all(0 <= start <= end <= clip.seconds + 1e-6 for start, end in spans)
        assert spans == sorted(spans)
    assert all(word.confidence is None or 0 <= word.confidence <= 1 for word in transcript.words)
    json.dumps([(word.start, word.end, word.confidence) for word in transcript.words])  # plain numbers, not numpy's


def test_it_is_of_the_kind_that_its_rows_rely_on(subject: Subject) -> None:
    relied_on = {kind.model_type for kind in KINDS.values() if kind.case == subject.case} - {None}
    if not relied_on:
        pytest.skip("no row relies on it")
    assert subject.weights is not None
    assert {json.loads((subject.weights / "config.json").read_text())["model_type"]} == relied_on


def test_nothing_to_hear_is_no_failure(subject: Subject) -> None:
    if subject.needs_sound:
        with pytest.raises(AudioError, match="empty"):
            subject.hear(silence(0))
        return
    assert subject.hear(silence(0)).text == ("all clear" if subject.spec.family == "scripted" else "")


def test_the_same_clip_gives_the_same_transcript(subject: Subject) -> None:
    if not subject.repeats:
        pytest.skip("its library's voice detection is not repeatable on sounds that are hardly speech")
    assert subject.hear(CLIPS["long"]) == subject.heard("long")


def test_times_come_exactly_where_the_card_says_so(subject: Subject) -> None:
    heard = [subject.heard(name) for name in CLIPS]
    if subject.spec.has_word_times:
        assert all(
            transcript.words or any("no word times" in note for note in transcript.notes)
            for transcript in heard
            if transcript.text
        )
    else:
        assert not any(word.start is not None for transcript in heard for word in transcript.words)
    if not subject.spec.has_segment_times:
        assert not any(segment.start is not None for transcript in heard for segment in transcript.segments)


BEYOND: Mapping[Beyond, str] = {
    "pauses": r"^cut at (pauses into [2-9] pieces|1 pause$)",
    "windows": r"^heard in ([2-9] windows|batches of \d+)$",
    "chunks": r"^heard in [2-9] overlapping chunks$",
}
"""What a transcript notes of a clip that was longer than its system hears at once."""
LONGEST_TRIED_SECONDS = 300.0
"""What takes more at once is given a lower limit, where its class keeps to the card's."""


def test_a_clip_of_more_than_is_heard_at_once_is_heard_as_the_card_says(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest, beyond = subject.spec.longest_transcribed_seconds, subject.spec.beyond
    if longest is None or beyond is None:
        pytest.skip("it takes clips of any length")
    if longest > LONGEST_TRIED_SECONDS:
        longest = CLIPS["long"].seconds - 6
        monkeypatch.setattr(subject.runner, "_spec", replace(subject.spec, longest_transcribed_seconds=longest))
    is_longer = longest < CLIPS["long"].seconds
    transcript = subject.heard("long") if is_longer else subject.hear(voiced_at_both_ends(longest + 6))
    assert any(re.search(BEYOND[beyond], note) for note in transcript.notes)
    within = subject.heard("short") if is_longer else subject.heard("long")
    assert not any(re.search(note, said) for note in BEYOND.values() for said in within.notes)
    for segment in transcript.segments if beyond == "pauses" else ():
        assert segment.start is None or segment.end is None or segment.end - segment.start <= longest + 1e-6


def test_word_times_change_no_word(subject: Subject) -> None:
    if subject.spec.family == "faster-whisper":
        pytest.skip("the library drops segments whose words it times at no length at all")
    if not subject.repeats:
        pytest.skip("it does not give the same text twice on this clip")
    untimed = subject.runner.transcribe(CLIPS["short"], TranscribeOptions(word_times=False), Watcher())
    assert untimed.text == subject.heard("short").text


def test_a_cancelled_run_stops_and_the_model_stays_usable(subject: Subject) -> None:
    expected, watcher = subject.watched("long")
    assert watcher.checks >= 1
    for at in {1, watcher.checks}:
        with pytest.raises(Cancelled):
            subject.hear(CLIPS["long"], Watcher(cancel_at=at))
    again = subject.hear(CLIPS["long"])
    assert again == expected or not subject.repeats


def test_a_prompt_is_taken_where_the_card_says_so(subject: Subject) -> None:
    if not subject.spec.takes_prompt:
        pytest.skip("it is not told what to do")
    options = TranscribeOptions(prompt=Prompt("summary", "summarization", "Say in a sentence what it is about."))
    assert isinstance(subject.runner.transcribe(CLIPS["short"], options, Watcher()).text, str)


def heard_or_refused(subject: Subject, options: TranscribeOptions) -> Transcript | UnsupportedOption:
    """A checkpoint may do less than its family: then it says so, and never leaves an option aside."""
    try:
        return subject.runner.transcribe(CLIPS["short"], options, Watcher())
    except UnsupportedOption as refused:
        return refused


def test_a_language_is_heard_in_or_refused(subject: Subject) -> None:
    if not subject.spec.can_choose_language:
        pytest.skip("it cannot be told the language")
    came = heard_or_refused(subject, TranscribeOptions(language="en"))
    assert came.fix if isinstance(came, UnsupportedOption) else came.language == "en"


def test_a_translation_comes_about_or_is_refused(subject: Subject) -> None:
    if not subject.spec.translates_to:
        pytest.skip("it does not translate")
    came = heard_or_refused(subject, TranscribeOptions(language="de", translate_to=subject.spec.translates_to[0]))
    assert came.fix if isinstance(came, UnsupportedOption) else came.text == came.text.strip()


def test_an_unloaded_runner_says_so_and_can_be_loaded_again(subject: Subject) -> None:
    expected = subject.heard("short").text
    subject.runner.unload()
    with pytest.raises(RunnerError):
        subject.hear(CLIPS["short"])
    subject.load()
    assert subject.hear(CLIPS["short"]).text == expected or not subject.repeats


def test_a_wrong_folder_is_refused_with_a_fix(subject: Subject, tmp_path: Path) -> None:
    if subject.weights is None:
        pytest.skip("it brings its own weights")
    (tmp_path / "notes.txt").write_text("no model here")
    runner = type(subject.runner)(subject.spec)
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(RunnerError) as refused:
            runner.load(folder, subject.placement, Watcher())
        assert str(folder) in str(refused.value)
        assert refused.value.fix
