"""The history: what is kept is whole, found, somebody's, and gone when it is deleted."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from comparisons.compare import again, rescored
from comparisons.history.kept import EVERYBODY
from comparisons.history.rows import NotKept
from comparisons.history.sounds import name_of, pcm
from comparisons.history.store import LONGEST_TAG, LONGEST_TITLE, MOST_REVISIONS, History, Refused
from comparisons.normalise import normaliser
from comparisons.records import to_dict
from runners.audio import decode
from runners.base import Contender, Prompt, RunnerSpec
from runners.conversations.conversation import Conversation
from tests.keeping import ALPHA, BETA, clip, compared, edited, heard

ME, YOU = "user:me", "visitor:you"
HOSTILE = "'; DROP TABLE comparisons; -- <script>alert(1)</script> \" OR 1=1 NEAR(a b) * ^ {x} : a-b AND\x00"


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "kept")


def files(history: History) -> list[str]:
    return sorted(path.name for path in (history.database.folder / "sounds").iterdir())


def test_a_comparison_is_opened_as_it_was(history: History) -> None:
    comparison = compared(clip())
    id = history.keep(comparison, clip(), ME)
    opened = history.comparison(id, ME)
    assert to_dict(opened.comparison) == to_dict(comparison)
    assert opened.comparison.columns[0].marks == comparison.columns[0].marks
    assert opened.comparison.kept_as == id
    assert opened.remarks == ()


def test_the_list_says_what_came_of_it(history: History) -> None:
    id = history.keep(compared(clip()), clip(), ME)
    (row,) = history.list(ME).rows
    assert row == history.get(id, ME)
    assert (row.name, row.title, row.source, row.seconds, row.owner) == ("clip.wav", None, "clip.wav", 0.5, ME)
    assert [(each.name, each.label, each.state, each.rates, each.rtf) for each in row.systems] == [
        ("alpha", "Alpha", "ok", (("WER", 0.0),), 0.2),
        ("beta:org/beta@main#short", "Beta #short", "skipped", (), None),
    ]
    assert (row.has_reference, row.language, row.has_audio, row.tags, row.notes) == (True, "en", True, (), "")
    assert row.normaliser.startswith("whisper-english ")
    assert row.made_at == row.changed_at
    assert row.made_at.tzinfo is not None


def test_it_is_there_after_the_page_has_started_again(history: History) -> None:
    id = history.keep(compared(clip()), clip(), ME)
    history.close()
    assert History(history.database.folder).get(id, ME).source == "clip.wav"


def test_the_newest_comes_first_and_pages_hold_all(history: History) -> None:
    ids = [history.keep(compared(clip(f"{number}.wav")), clip(f"{number}.wav"), ME) for number in range(5)]
    first, second = history.list(ME, limit=3), history.list(ME, limit=3, offset=3)
    assert [row.id for row in (*first.rows, *second.rows)] == ids[::-1]
    assert (first.total, second.total) == (5, 5)
    assert history.list(ME, limit=3, offset=9).rows == ()


def test_what_is_anothers_does_not_exist(history: History) -> None:
    id = history.keep(compared(clip()), clip(), YOU)
    assert history.list(ME) == history.list(ME, search="hello")
    assert history.list(ME).total == 0
    assert history.tags(ME) == history.systems(ME) == ()
    for ask in (
        lambda: history.get(id, ME),
        lambda: history.comparison(id, ME),
        lambda: history.comparison("no such", ME),
        lambda: history.change(id, compared(clip()), ME),
        lambda: history.rename(id, "mine", ME),
        lambda: history.set_notes(id, "mine", ME),
        lambda: history.set_tags(id, ["mine"], ME),
        lambda: history.bin.put(id, ME),
        lambda: history.bin.restore(id, ME),
        lambda: history.audio(id, ME),
        lambda: history.clip(id, ME),
        lambda: history.same_clip(id, ME),
        lambda: history.revisions(id, ME),
        lambda: history.conversations.about(id, ME),
    ):
        with pytest.raises(NotKept, match="no such comparison in your history"):
            ask()
    assert history.list(EVERYBODY).total == 1
    assert history.get(id, EVERYBODY).owner == YOU


def test_a_change_keeps_what_was_before(history: History) -> None:
    first = compared(clip())
    id = history.keep(first, clip(), ME)
    second = rescored(edited(first, "Hello, whole world!"), normaliser("basic"))
    history.change(id, second, ME)
    history.change(id, second, ME)  # nothing has changed
    assert to_dict(history.comparison(id, ME).comparison) == to_dict(second)
    (revision,) = history.revisions(id, ME)
    assert to_dict(history.comparison(id, ME, revision.number).comparison) == to_dict(first)
    (row,) = history.list(ME, search="whole").rows
    assert row.systems[0].rates == (("WER", pytest.approx(1 / 3)),)
    assert row.changed_at >= row.made_at == revision.made_at
    with pytest.raises(NotKept):
        history.comparison(id, ME, revision.number + 1)


def test_another_contender_joins_what_is_kept(history: History) -> None:
    first = compared(clip())
    id = history.keep(first, clip(), ME)
    gamma = Contender(RunnerSpec("gamma", "Gamma", "runners.scripted:Scripted", is_default=True))
    from comparisons.compare import fold

    more = fold(again(history.comparison(id, ME).comparison, [gamma]), heard(gamma, "yellow word"))
    history.change(id, more, ME)
    assert [each.name for each in history.get(id, ME).systems] == ["alpha", "beta:org/beta@main#short", "gamma"]
    assert history.list(ME, system="gamma").total == history.list(ME, search="yellow").total == 1


def test_old_revisions_give_way_but_not_the_first(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comparisons.history.store.MOST_REVISIONS", 3)
    assert MOST_REVISIONS > 3
    comparison = compared(clip())
    id = history.keep(comparison, clip(), ME)
    for number in range(6):
        comparison = rescored(edited(comparison, f"take {number}"))
        history.change(id, comparison, ME)
    references = [history.comparison(id, ME, revision.number).comparison.reference for revision in history.revisions(id, ME)]
    assert [each.text for each in references if each] == ["take 4", "take 3", "Hello, world!"]


def test_titles_tags_and_notes_are_kept_and_found(history: History) -> None:
    id = history.keep(compared(clip()), clip(), ME)
    history.rename(id, "  Ward   round ", ME)
    history.set_tags(id, ["night", " night ", "late  shift", ""], ME)
    history.set_notes(id, "Bisoprolol was missed.\n", ME)
    row = history.get(id, ME)
    assert (row.name, row.tags, row.notes) == ("Ward round", ("late shift", "night"), "Bisoprolol was missed.")
    for search in ("ward", "night", "bisop", "round missed"):
        assert history.list(ME, search=search).total == 1, search
    assert history.list(ME, tag="late shift").total == 1
    assert history.list(ME, tag="late").total == 0
    assert history.tags(ME) == ("late shift", "night")
    history.rename(id, None, ME)
    history.set_tags(id, [], ME)
    assert history.get(id, ME).name == "clip.wav"
    assert history.list(ME, search="ward").total == history.list(ME, search="night").total == 0
    with pytest.raises(Refused, match="longer than 200"):
        history.rename(id, "a" * (LONGEST_TITLE + 1), ME)
    with pytest.raises(Refused, match="At most 20 tags"):
        history.set_tags(id, ["a" * (LONGEST_TAG + 1)], ME)
    with pytest.raises(Refused, match="longer than 20,000"):
        history.set_notes(id, "a" * 20_001, ME)


def test_systems_are_listed_by_their_labels(history: History) -> None:
    history.keep(compared(clip()), clip(), ME)
    history.keep(compared(clip(), heard(ALPHA, "hello")), clip(), ME)
    assert history.systems(ME) == (("alpha", "Alpha"), ("beta:org/beta@main#short", "Beta #short"))
    assert history.list(ME, system="alpha").total == 2
    assert history.list(ME, system="beta:org/beta@main#short").total == 1


def test_what_is_deleted_can_be_had_back_and_then_is_gone(history: History) -> None:
    id = history.keep(compared(clip("rhododendron.wav")), clip("rhododendron.wav"), ME)
    history.set_notes(id, "an unmistakable remark", ME)
    history.bin.put(id, ME)
    assert history.list(ME).total == 0
    assert [row.id for row in history.list(ME, deleted=True).rows] == [id]
    assert history.get(id, ME).deleted_at is not None
    for ask in (lambda: history.comparison(id, ME), lambda: history.audio(id, ME), lambda: history.bin.put(id, ME)):
        with pytest.raises(NotKept):
            ask()
    history.bin.restore(id, ME)
    assert history.list(ME, search="rhodo").total == 1
    history.bin.put(id, ME)
    assert history.bin.purge(ME) == 0  # it was deleted a moment ago
    assert history.bin.purge(YOU, older_than_seconds=0) == 0
    assert history.bin.purge(ME, older_than_seconds=0) == 1
    assert history.list(ME, deleted=True).total == 0
    assert files(history) == []
    left = b"".join(path.read_bytes() for path in history.database.folder.rglob("*") if path.is_file())
    assert b"unmistakable" not in left
    assert b"rhodo" not in left


def test_audio_goes_with_the_last_that_needs_it(history: History) -> None:
    one, two = (history.keep(compared(clip(name)), clip(name), ME) for name in ("one.wav", "two.wav"))
    other = history.keep(compared(clip(seed=1)), clip(seed=1), ME)
    assert len(files(history)) == 2
    assert [row.id for row in history.same_clip(one, ME)] == [two]
    history.bin.put(one, ME)
    history.bin.purge(older_than_seconds=0)
    assert len(files(history)) == 2
    assert history.same_clip(two, ME) == ()
    history.bin.put(two, ME)
    history.bin.purge(older_than_seconds=0)
    assert files(history) == [f"{history.get(other, ME).sound}.flac"]


def test_the_audio_is_what_the_systems_heard(history: History) -> None:
    sound = clip()
    id = history.keep(compared(sound), sound, ME)
    path = history.audio(id, ME)
    assert path is not None
    back = history.clip(id, ME)
    assert back is not None
    assert (back.source, back.seconds, back.reference, back.language) == ("clip.wav", 0.5, "Hello, world!", "en")
    assert np.abs(back.samples - sound.samples).max() <= 1 / 32768
    assert name_of(pcm(back)) == path.stem  # so that what is run again is over the same sound
    assert name_of(pcm(decode(path, max_seconds=10, max_bytes=10**6))) == path.stem
    rerun = history.keep(compared(back), back, ME)
    assert [row.id for row in history.same_clip(rerun, ME)] == [id]


def test_audio_is_left_out_by_choice(tmp_path: Path) -> None:
    history = History(tmp_path, keeps_audio=False)
    id = history.keep(compared(clip()), clip(), ME)
    assert history.audio(id, ME) is None
    assert history.clip(id, ME) is None
    assert files(history) == []
    assert not history.get(id, ME).has_audio
    assert "audio is not kept" in history.comparison(id, ME).remarks[0]
    loud = History(tmp_path)
    loud.keep(compared(clip()), clip(), ME)
    assert loud.audio(id, ME) is not None  # the same sound
    assert loud.get(id, ME).has_audio


def test_what_nobody_needs_is_swept_away_at_the_start(history: History) -> None:
    id = history.keep(compared(clip()), clip(), ME)
    sounds = history.database.folder / "sounds"
    (sounds / f"{'0' * 64}.flac").write_bytes(b"placed, and then the plug was pulled")
    for name, age in (("old.part", 7200), ("new.part", 0)):
        (sounds / name).write_bytes(b"half")
        os.utime(sounds / name, (time.time() - age, time.time() - age))
    started = History(history.database.folder)
    assert files(started) == sorted([f"{started.get(id, ME).sound}.flac", "new.part"])


@pytest.mark.parametrize(
    ("said", "search", "is_found"),
    [
        ("the quick brown fox", "quick", True),
        ("the quick brown fox", "QUI fox", True),
        ("the quick brown fox", "quick red", False),
        ("the quick brown fox", "uick", False),
        ("Grüße aus Zürich", "grusse zur", False),
        ("Grüße aus Zürich", "zurich", True),
        ("los años", "AÑOS", True),
        ("los años", "anos", True),
        ("昨日は東京都に行きました", "京都", True),
        ("昨日は東京都に行きました", "京", True),
        ("昨日は東京都に行きました", "東都", False),
        ("昨日は東京都に行きました", "東京 行き", True),
        ("สวัสดีครับผม", "ครับ", True),
        ("नमस्ते दुनिया", "नमस्", True),
        ("ＦＵＬＬ width", "full", True),
        ("ward_round-7.wav", "round", True),
        ("it's 12.5 mg", "12.5", True),
        ("it's 12.5 mg", "it's", True),
        ("plain", '"', False),
        ("plain", "* AND OR NOT", False),
        ("plain", "plain NOT", False),
        ("plain", "pla*", True),
        ("plain", "transcripts : plain", False),
        ("plain", "%", False),
        ("plain", "\x00plain", True),
        ("plain", "\U0003134f", False),
        ("plain", "plain " * 3000, True),
    ],
)
def test_search_finds_words_and_how_they_begin(history: History, said: str, search: str, is_found: bool) -> None:
    history.keep(compared(clip(reference=None), heard(ALPHA, said)), clip(), ME)
    assert history.list(ME, search=search).total == int(is_found)


def test_search_looks_into_every_text(history: History) -> None:
    history.keep(compared(clip("harbour.wav", "reference text")), clip(), ME)
    for search in ("harbour", "reference", "hello", "alpha", "org/beta", "beta short"):
        assert history.list(ME, search=search).total == 1, search


def test_sql_html_and_the_index_own_words_stay_text(history: History) -> None:
    told = replace(BETA, options=replace(BETA.options, prompt=Prompt(HOSTILE, "transcription", HOSTILE)))
    hostile = compared(clip(HOSTILE, HOSTILE), heard(told, HOSTILE), heard(ALPHA, "hello"))
    id = history.keep(hostile, clip(HOSTILE), HOSTILE)
    plain = history.keep(compared(clip()), clip(), ME)
    history.rename(id, HOSTILE, HOSTILE)
    history.set_notes(id, HOSTILE, HOSTILE)
    history.set_tags(id, [HOSTILE[:LONGEST_TAG]], HOSTILE)
    for search in ("", HOSTILE):
        page = history.list(HOSTILE, search=search, tag=HOSTILE[:LONGEST_TAG], system=told.name)
        assert [row.id for row in page.rows] == [id], search
    row = page.rows[0]
    assert (row.title, row.source, row.notes) == (HOSTILE, HOSTILE, HOSTILE.strip())
    assert row.systems[0].label == f"Beta #{HOSTILE}"
    assert to_dict(history.comparison(id, HOSTILE).comparison) == to_dict(hostile)
    assert history.get(plain, ME).source == "clip.wav"
    for field in ("tag", "system"):
        assert history.list(ME, **{field: HOSTILE}).total == 0  # type: ignore[arg-type]
    with pytest.raises(NotKept):
        history.get(HOSTILE, HOSTILE)


def test_names_that_no_text_can_be_are_kept_as_near_as_can_be(history: History) -> None:
    odd = clip("caf\udce9.wav")
    id = history.keep(compared(odd, heard(ALPHA, "half \ud83d")), odd, ME)
    assert history.get(id, ME).source == "caf?.wav"
    (column,) = history.comparison(id, ME).comparison.columns
    assert column.result is not None
    assert column.result.transcript is not None
    assert column.result.transcript.text == "half ?"
    with pytest.raises(NotKept):
        history.get("\udce9", ME)


def test_many_keep_at_once(history: History) -> None:
    kept: list[str] = []

    def keep(number: int) -> None:
        sound = clip(f"{number}.wav", seed=number % 3)
        kept.extend(history.keep(compared(sound), sound, ME) for _ in range(4))
        history.list(ME, search="hello")

    threads = [threading.Thread(target=keep, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row.id for row in history.list(ME, limit=100).rows) == sorted(kept)
    assert len(kept) == 32
    assert len(files(history)) == 3


def test_conversations_are_kept_with_the_clip(history: History) -> None:
    sound = clip()
    talk = Conversation("a secret id", "clip.wav", 0.5, ALPHA)
    history.conversations.keep(talk, sound, ME)
    history.conversations.keep(talk.asked(Prompt(None, "question", "What is said?")), sound, ME)
    history.conversations.keep(replace(talk, id="another"), sound, YOU)
    id = history.keep(compared(sound), sound, ME)
    (kept,) = history.conversations.about(id, ME)
    assert [each["prompt"]["text"] for each in kept.document["exchanges"]] == ["What is said?"]
    assert "a secret id" not in json.dumps(kept.document)
    history.bin.put(id, ME)
    history.bin.purge(older_than_seconds=0)
    again = history.keep(compared(sound), sound, ME)
    assert history.conversations.about(again, ME) == ()
