"""What the History tab answers, to whom, and what it shows; without a browser."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import gradio as gr
import pytest

from comparisons.compare import Comparison, rescored
from comparisons.history.kept import EVERYBODY
from comparisons.normalise import normaliser
from comparisons.reading import NOT_RUNNABLE
from comparisons.sides.marks import Mark
from runners.base import Contender, Prompt, RunnerError
from runners.catalogue.names import spec_for
from runners.conversations.conversation import new
from runners.conversations.record import markdown, to_markdown
from runners.pool import Pool
from runners.settings import Settings
from tests.keeping import ALPHA, BETA, clip, compared, heard
from tests.markup import Tags
from tests.sounds import tone
from tests.stand_in_pools import CLIP, HearingPool
from ui import history_tab, kept
from ui.desk import Desk
from ui.history_tab import Asked, answer
from ui.lookout import Lookout
from ui.page import build_page
from ui.people import Person

HOSTILE = "<img src=x onerror=\"alert('1')\"><script>alert(1)</script>"
ME, YOU, OWNER = Person("visitor:me", "visitor"), Person("visitor:you", "visitor"), Person("local", "owner")
NOWHERE = cast(gr.Request, None)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(history_tab, "address", lambda _request, path: f"http://here{path}")
    return Desk(Settings(history_folder=tmp_path), HearingPool(), Lookout())


def kept_by(desk: Desk, owner: str, source: str = "clip.wav", seed: int = 0, comparison: Comparison | None = None) -> str:
    assert desk.history is not None
    sound = clip(source, seed=seed)
    return desk.history.keep(comparison or compared(sound), sound, owner)


def told(desk: Desk, who: Person = ME, **asked: Any) -> dict[str, Any]:
    return answer(desk, Asked.of({"number": 1, **asked}), who, NOWHERE)


def test_the_list_holds_what_is_ones_own_and_an_owner_sees_whose(desk: Desk) -> None:
    kept_by(desk, ME.key, "mine.wav")
    kept_by(desk, YOU.key, "yours.wav")
    mine, all_of_them = told(desk), told(desk, OWNER)
    assert (mine["total"], all_of_them["total"]) == (1, 2)
    assert "mine.wav" in mine["html"]
    assert "yours.wav" not in mine["html"]
    assert "of visitor" not in mine["html"]
    assert "of visitor me" in all_of_them["html"]
    assert ["alpha", "Alpha"] in mine["systems"]


@pytest.mark.parametrize("do", ["save", "delete", "restore", "purge", "link", "link-without", "beside", "talk"])
def test_what_is_anothers_is_not_there_whatever_is_done_with_it(desk: Desk, do: str) -> None:
    theirs, mine = kept_by(desk, YOU.key), kept_by(desk, ME.key)
    assert desk.history is not None
    if do in ("restore", "purge"):
        desk.history.bin.put(theirs, YOU.key)
    before = desk.history.get(theirs, YOU.key)
    for id, other in ((theirs, mine), (theirs, theirs)):
        said = told(desk, do=do, id=id, given={"title": "taken", "tags": "a", "notes": "b", "other": other, "number": "0"})
        assert "There is no such comparison" in said["said"] or said["said"] == "It is not there any more."
    assert desk.history.get(theirs, YOU.key) == before
    with pytest.raises(RunnerError, match="no such comparison"):
        desk.kept_clip(theirs, ME.whose, desk.settings.history_folder / "uploads")


def test_a_name_tags_and_notes_are_kept_found_and_shown_as_text(desk: Desk) -> None:
    id = kept_by(desk, ME.key, HOSTILE)
    given = {"title": f"Monday {HOSTILE}", "tags": f"good, {HOSTILE[:30]},, good", "notes": f"Nota bene {HOSTILE}"}
    saved = told(desk, do="save", id=id, given=given, unfolded=[id])
    assert saved["said"] == "Saved."
    for html in (saved["html"], told(desk, search="bene")["html"]):
        shown = Tags(html)
        assert not {"img", "script"} & set(shown.names)
        assert not any(name.startswith("on") for name in shown.attributes)
        assert "Monday" in html
    assert told(desk, tag="good")["total"] == 1
    assert told(desk, tag="bad")["total"] == 0
    assert told(desk, system=BETA.name)["total"] == 1
    nothing = told(desk, search="nonesuch")
    assert (nothing["total"], "Nothing found" in nothing["html"]) == (0, True)
    refused = told(desk, do="save", id=id, given={"title": "x" * 300, "tags": "", "notes": ""})
    assert "longer than 200" in refused["said"]
    assert refused["failed"]


def test_what_was_deleted_is_in_the_bin_comes_back_or_goes_for_good(desk: Desk) -> None:
    id, other = kept_by(desk, ME.key), kept_by(desk, ME.key, seed=1)
    gone = told(desk, do="delete", id=id)
    assert (gone["undo"], gone["total"]) == (id, 1)
    assert told(desk, deleted=True)["total"] == 1
    assert told(desk, do="restore", id=id)["total"] == 2
    told(desk, do="delete", id=id)
    told(desk, do="delete", id=other)
    assert told(desk, do="purge", id=id, deleted=True)["total"] == 1  # the other stays where it is
    assert told(desk, do="restore", id=other)["total"] == 1


def test_links_are_made_shown_and_withdrawn(desk: Desk) -> None:
    id = kept_by(desk, ME.key)
    assert "/shared/" in told(desk, do="link", id=id, unfolded=[id])["html"]
    html = told(desk, do="link-without", id=id, unfolded=[id])["html"]
    assert html.count("data-token=") == 2
    token = html.split('data-token="')[1].split('"')[0]
    assert "no such" in told(desk, YOU, do="withdraw", id=id, given={"token": token})["said"]
    assert told(desk, do="withdraw", id=id, given={"token": token}, unfolded=[id])["html"].count("data-token=") == 1


def test_two_over_one_clip_are_laid_side_by_side_the_earlier_first(desk: Desk) -> None:
    sound = clip()
    first = kept_by(desk, ME.key, comparison=compared(sound, heard(ALPHA, "hello word")))
    second = kept_by(desk, ME.key, comparison=compared(sound, heard(ALPHA, "hello world"), heard(BETA, HOSTILE)))
    for one, other in ((first, second), (second, first)):
        html = told(desk, do="beside", id=one, given={"other": other})["beside"]
        assert "50.0 % → <b>0.0 %</b>" in html
        assert "−50.0 points" in html
        assert '<del class="es-d">word</del> <ins class="es-i">world</ins>' in html
        assert not {"img", "script"} & set(Tags(html).names)
    elsewhere = kept_by(desk, ME.key, seed=7)
    assert "different clips" in told(desk, do="beside", id=first, given={"other": elsewhere})["said"]
    assert "Show what changed" in told(desk, unfolded=[first])["html"]
    assert "Show what changed" not in told(desk, unfolded=[elsewhere])["html"]


def test_of_two_long_texts_only_what_differs_is_shown() -> None:
    marked = [Mark("same", "hit") for _ in range(300)]
    marked[150] = Mark("other", "substitution", "one")
    shown = kept.shortened(marked)
    assert [each for each in shown if isinstance(each, int)] == [146, 145]
    assert marked[150] in shown
    assert len(kept.shortened(marked[:20])) == 20


def test_a_browser_may_send_anything(desk: Desk) -> None:
    kept_by(desk, ME.key)
    for sent in (None, 7, [], {"limit": "x", "unfolded": 3, "given": 4, "search": {}}, {"limit": -5, "number": "1"}):
        assert answer(desk, Asked.of(sent), ME, NOWHERE)["total"] == 1
    assert told(desk, do="drop table")["said"] == "That cannot be done here."
    assert told(desk, search='" OR * NEAR(')["total"] == 0


def test_where_nothing_is_kept_the_page_says_how_that_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    quiet = Desk(Settings(history=False), HearingPool(), Lookout())
    assert "--history" in kept.off(space=False)
    build_page(quiet)
    assert "Nothing is kept here" in answer(quiet, Asked.of({}), ME, NOWHERE)["said"]


def test_a_kept_clip_is_served_from_where_nobody_finds_it_and_under_its_name(desk: Desk, tmp_path: Path) -> None:
    id = kept_by(desk, ME.key, "../a\0 talk.wav")
    path = desk.kept_clip(id, ME.key, tmp_path / "uploads")
    assert path is not None
    assert path.is_relative_to(tmp_path / "uploads" / "kept")
    assert (path.name, id in str(path)) == ("a talk.flac", False)
    assert desk.clip(str(path)).seconds == pytest.approx(0.5)
    assert desk.kept_clip(id, EVERYBODY, tmp_path / "uploads") == path


def test_where_no_audio_is_kept_the_clip_is_known_again_by_its_sound(tmp_path: Path) -> None:
    desk = Desk(Settings(history_folder=tmp_path, keep_audio=False), HearingPool(), Lookout())
    id = kept_by(desk, ME.key)
    assert "no sound" in told(desk)["html"]
    assert desk.kept_clip(id, ME.key, tmp_path) is None
    assert desk.history is not None
    opened = desk.history.comparison(id, ME.key)
    assert any("audio is not kept" in remark for remark in opened.remarks)
    assert desk.is_clip_of(opened.comparison, clip("another name.wav"), ME.key)
    assert not desk.is_clip_of(opened.comparison, clip(seed=5), ME.key)
    assert desk.is_clip_of(replace(opened.comparison, kept_as=None), clip(seed=5), ME.key)  # a file does not say more


def test_what_was_opened_again_takes_one_more_system_and_another_normaliser(desk: Desk) -> None:
    *_, first = desk.compare("a visit", CLIP, [Contender(spec_for("moonshine"))], owner=ME.key)
    assert desk.history is not None
    assert first.kept_as is not None
    opened = desk.history.comparison(first.kept_as, ME.key).comparison
    (column,) = opened.columns
    assert column.contender.spec.target == NOT_RUNNABLE
    assert desk.runnable(column.contender).spec.target == spec_for("moonshine").target
    *_, more = desk.compare(
        "a visit", CLIP, [Contender(spec_for("pocketsphinx"))], into=opened, owner=OWNER.key, whose=EVERYBODY
    )
    assert more.kept_as == first.kept_as  # an owner changes a visitor's, which stays the visitor's
    assert desk.history.get(first.kept_as, ME.key).owner == ME.key
    otherwise = rescored(more, normaliser("none"))
    desk.keep_changed(otherwise, YOU.key)
    assert desk.history.comparison(first.kept_as, ME.key).comparison.normaliser == more.normaliser
    desk.keep_changed(otherwise, ME.key)
    assert desk.history.comparison(first.kept_as, ME.key).comparison.normaliser == normaliser("none")
    assert len(desk.history.revisions(first.kept_as, ME.key)) == 2
    desk.keep_changed(replace(otherwise, kept_as=None), ME.key)  # as of one opened from a file: nothing happens
    assert desk.history.list(ME.key).total == 1


def test_conversations_about_the_clip_are_read_as_text_and_taken_along(desk: Desk) -> None:
    assert desk.history is not None
    id, sound = kept_by(desk, ME.key), clip()
    talk = new(BETA, sound).asked(Prompt(None, "question", f"Who speaks? {HOSTILE}"))
    talk = replace(talk, exchanges=(replace(talk.exchanges[0], text=f"- Helen {HOSTILE}"),))
    desk.history.conversations.keep(talk, sound, ME.key)
    desk.history.conversations.keep(replace(talk, id="other"), sound, YOU.key)
    html = told(desk, unfolded=[id])["html"]
    assert html.count("Who speaks?") == 1
    assert not {"img", "script"} & set(Tags(html).names)
    file = told(desk, do="talk", id=id, given={"number": "0"})["file"]
    assert file == {"name": "earshot-clip-conversation.md", "text": to_markdown(talk)}
    assert file["text"] == markdown(desk.history.conversations.about(id, ME.key)[0].document)
    assert "not there any more" in told(desk, do="talk", id=id, given={"number": "1"})["said"]


def test_what_was_asked_before_a_conversation_was_cleared_stays_kept(tmp_path: Path) -> None:
    script = tmp_path / "answers.json"
    script.write_text('{"takes": [[{"say": "hello"}]], "answers": [[{"say": "Yes."}]], "repeat": true}', encoding="utf-8")
    with closing(Pool(Settings(runners=(f"scripted:{script}",)), Lookout())) as pool:
        talking = Desk(Settings(history_folder=tmp_path / "talks"), pool, Lookout())
        path = str(tone(tmp_path / "clip.wav"))
        heard_as = talking.clip(path)
        assert talking.history is not None
        id = talking.history.keep(compared(heard_as), heard_as, ME.key)
        name = talking.conversations.begin("a visit", path, Contender(spec_for(f"scripted:{script}")), ME.key)
        for question in ("One?", "Two?"):
            list(talking.conversations.ask("a visit", name, Prompt(None, "question", question)))
        talking.conversations.clear("a visit", name)
        list(talking.conversations.ask("a visit", name, Prompt(None, "question", "Three?")))
        found = [each.document["exchanges"] for each in talking.history.conversations.about(id, ME.key)]
        assert [[one["prompt"]["text"] for one in each] for each in found] == [["One?", "Two?"], ["Three?"]]
        assert found[1][0]["answer"] == "Yes."
