"""What every local runner keeps to, whatever it is inside."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runners.base import (
    SAMPLE_RATE,
    AudioError,
    Beyond,
    Cancelled,
    Clip,
    Prompt,
    RunnerError,
    RunnerSpec,
    TranscribeOptions,
    UnsupportedOption,
)
from runners.catalogue.rows import RUNNERS
from tests.given import Call, Enough, noted
from tests.kinds import KINDS
from tests.sounds import babble, silence
from tests.subjects import CASES, CLIPS, LANGUAGE_OPEN, Subject, loaded, voiced_at_both_ends
from tests.watcher import Watcher

SECOND = babble(1)
VERBATIM = Prompt("verbatim", "transcription", "Write down word for word what is said.")


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
            any(word.start is not None for word in transcript.words)
            or any("no word times" in note for note in transcript.notes)
            for transcript in heard
            if transcript.text
        )
    else:
        assert not any(word.start is not None for transcript in heard for word in transcript.words)
    for transcript in heard:
        are_timed = [segment.start is not None and segment.end is not None for segment in transcript.segments]
        if subject.spec.has_segment_times:
            assert all(are_timed)
            assert are_timed or not transcript.text
        else:
            assert not any(are_timed)


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
    is_lowered = longest > LONGEST_TRIED_SECONDS
    if is_lowered:
        longest = CLIPS["long"].seconds - 6
        monkeypatch.setattr(subject.runner, "_spec", replace(subject.spec, longest_transcribed_seconds=longest))
    is_longer = longest < CLIPS["long"].seconds
    heard_before = is_longer and not is_lowered
    clip = CLIPS["long"] if is_longer else voiced_at_both_ends(longest + 6)
    transcript = subject.heard("long") if heard_before else subject.hear(clip)
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


ONE_LANGUAGE = {
    "whisper-english": "a vocabulary for English",
    "nemotron-streaming": "a model for English",
    "parakeet-ctc": "a model for English",
    "medasr": "a model for English",
    "granite-turboctc": "it finds the language out",
    **dict.fromkeys(("wav2vec2", "hubert", "data2vec", "wavlm", "wav2vec2-bert"), "without adapters it has one alphabet"),
}
"""Cases of families of which other checkpoints can be told a language, and why theirs cannot. They say so."""
LANGUAGES = {"fun-asr": ("en", "zh")}
"""Two that a case can be told, where these are not English and German."""


def begun(subject: Subject, **options: Any) -> list[Call]:
    """What its network was asked at first about a second of sound."""
    with noted() as calls, suppress(Cancelled):
        subject.runner.transcribe(SECOND, TranscribeOptions(**options), Enough(calls))
    assert calls
    return calls


def test_a_prompt_reaches_the_network_where_the_card_says_so(subject: Subject) -> None:
    if not subject.spec.takes_prompt:
        pytest.skip("it is not told what to do")
    told = subject.runner.transcribe(SECOND, TranscribeOptions(prompt=VERBATIM), Watcher())
    assert isinstance(told.text, str)
    if subject.spec.family == "scripted":
        return  # what it says to a prompt stands in its script
    about, who = (Prompt("own", "summarization", text) for text in ("Say what it is about.", "Name whoever speaks."))
    assert begun(subject, prompt=about) == begun(subject, prompt=about), "a difference must come from the prompt"
    assert len({str(begun(subject, prompt=each)) for each in (None, VERBATIM, about, who)}) == 4


def test_a_language_reaches_the_network_or_is_refused_by_a_checkpoint_that_knows_one(subject: Subject) -> None:
    if not subject.spec.can_choose_language:
        pytest.skip("it cannot be told the language")
    one, other = LANGUAGES.get(subject.case, ("en", "de"))
    if subject.case in ONE_LANGUAGE:
        with pytest.raises(UnsupportedOption) as refused:
            begun(subject, language=other)
        assert refused.value.fix
        return
    heard = subject.runner.transcribe(SECOND, TranscribeOptions(language=other), Watcher())
    assert heard.language == other or subject.spec.family == "scripted"
    if subject.spec.family == "scripted":
        return  # no network hears it
    asked = begun(subject, language=one)
    assert begun(subject, language=one) == asked, "a difference must come from the language"
    assert begun(subject, language=other) != asked


def test_a_translation_reaches_the_network_or_is_refused_by_a_checkpoint_that_cannot(subject: Subject) -> None:
    targets = subject.spec.translates_to
    if not targets:
        pytest.skip("it does not translate")
    if subject.case in ONE_LANGUAGE:
        with pytest.raises(UnsupportedOption) as refused:
            begun(subject, translate_to="en")
        assert refused.value.fix
        return
    spoken = "de" if subject.spec.can_choose_language else None
    heard = subject.runner.transcribe(SECOND, TranscribeOptions(language=spoken, translate_to="en"), Watcher())
    assert isinstance(heard.text, str)
    plain = begun(subject, language=spoken)
    assert begun(subject, language=spoken) == plain, "a difference must come from the translation"
    translated = begun(subject, language=spoken, translate_to="en")
    assert translated != plain
    if len(targets) > 1 and subject.spec.family != "canary":  # which goes from and to English alone
        assert begun(subject, language=spoken, translate_to="fr" if "fr" in targets else "zh") not in (translated, plain)


def rows_of(subject: Subject) -> list[RunnerSpec]:
    """The rows whose networks are of this very kind."""
    rows = [row for row in RUNNERS if row.model in KINDS and KINDS[row.model].case == subject.case]
    assert rows
    return rows


PADDED_TO_SECONDS = {"voxtral": 30, "gemma3n": 30}
"""Cases whose encoder hears a whole window however short the clip is, and its seconds."""
A_TOKEN_A_FRAME = ("kyutai-stt", "voxtral-realtime")
"""Cases that write as they hear: sound takes places while it comes, not in a prompt."""
OWN_RATES = {"voxtral-realtime": 3.125}
"""Of tiny checkpoints that hear more in a token than the rows' do, so as to take less time; what their files say."""


def test_a_second_of_audio_takes_as_many_tokens_as_the_card_says(subject: Subject) -> None:
    if subject.spec.audio_tokens_per_second is None:
        pytest.skip("its audio takes no places beside text")
    shorter, longer = (seconds_of_context(subject, seconds) for seconds in (3, 12))
    if subject.case in PADDED_TO_SECONDS:
        assert longer == shorter
        per_second = longer / PADDED_TO_SECONDS[subject.case]
    else:
        per_second = (longer - shorter) / 9
    for row in rows_of(subject):
        assert row.audio_tokens_per_second is not None
        claimed = OWN_RATES.get(subject.case, row.audio_tokens_per_second)
        assert per_second == pytest.approx(claimed, abs=0.1), "a token in nine seconds may be a matter of rounding"


def seconds_of_context(subject: Subject, seconds: float) -> int:
    """Places in its context that so much sound takes, and other things that take no more with more sound."""
    with noted() as calls, suppress(Cancelled):
        is_gradual = subject.case in A_TOKEN_A_FRAME
        subject.runner.transcribe(babble(seconds), LANGUAGE_OPEN, Watcher() if is_gradual else Enough(calls))
    if is_gradual:
        return sum(call.places for call in calls)
    prompt = next(call.ids for call in calls if call.places > 1)
    return Counter(prompt).most_common(1)[0][1]  # the token that stands for audio


WITH_STREAMING_KIN = ("runners.transducers", "runners.encoder_decoders", "runners.kyutai_stt")
"""Where some are made for streaming and others are not, or all are."""


def test_it_hears_the_beginning_before_the_end_is_there_exactly_where_its_rows_say_streaming(subject: Subject) -> None:
    if subject.spec.target.partition(":")[0] not in WITH_STREAMING_KIN and subject.case != "voxtral-realtime":
        pytest.skip("none of its kin is made for streaming")
    sound = babble(12)
    ends_otherwise = sound.samples.copy()
    ends_otherwise[9 * SAMPLE_RATE :] = babble(3, 1).samples
    first, second = (heard_at_first(subject, samples) for samples in (sound.samples, ends_otherwise))
    is_streaming = bool(np.allclose(first, second, atol=1e-4))
    assert {row.is_streaming for row in rows_of(subject)} == {is_streaming}


def heard_at_first(subject: Subject, samples: np.ndarray) -> np.ndarray:
    """What its network makes of the first two of twelve seconds, shape (frames, width)."""
    with noted() as calls, suppress(Cancelled):
        subject.runner.transcribe(Clip(samples, 12.0, "sound.wav"), LANGUAGE_OPEN, Enough(calls))
    if subject.case in A_TOKEN_A_FRAME:
        return np.concatenate([call.answer[0, -1:] for call in calls if call.places][:6])
    encoded = calls[0].answer[0].numpy()
    return np.asarray(encoded[: len(encoded) // 6])


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
