"""The transcripts side by side, in a real browser: heard, walked through, filtered, held against one another."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import HOSTILE
from tests.browser.steps import Visit, compared, run
from tests.plays import script
from tests.sounds import tone

pytestmark = pytest.mark.browser


SAID = "Good morning everybody. The weekend meeting is on Friday. Bring your notes please."
LONG_CLIP_SECONDS = 60.0


def timed(*words: tuple[str, float, float]) -> list[dict[str, Any]]:
    """Steps of a script: a transcript whose words have times."""
    return [{"say": " ".join(text for text, _, _ in words)}, {"words": [[*word, None] for word in words]}]


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tone(tmp_path_factory.mktemp("clips") / "a minute.wav", LONG_CLIP_SECONDS)


def word(view: Locator, side: int, text: str) -> Locator:
    """A word in a column's first passage."""
    return view.locator(".es-passage").first.locator(".es-cell").nth(side).locator(".es-v", has_text=text)


def marks(view: Locator, side: int) -> list[str]:
    """What is marked in a column, with the letter of its kind."""
    return view.evaluate(
        """(view, side) => [...view.querySelectorAll('.es-passage')].flatMap((passage) =>
            [...passage.querySelectorAll('.es-cell')[side].querySelectorAll('.es-s, .es-d, .es-i')].map((node) =>
                `${['.es-s', '.es-d', '.es-i'].find((kind) => node.matches(kind)).at(-1)} ${node.word[0]}`))""",
        side,
    )


def test_a_word_is_heard_by_a_click_and_lit_in_every_column(visit: Visit, long_clip: Path, tmp_path: Path) -> None:
    timed_one = script(tmp_path / "one.json", *timed(("Good", 0, 1), ("morning", 1, 2), ("everybody", 2, 58)))
    plain_one = script(tmp_path / "other.json", {"say": "Good morning everybody"})
    page = visit()
    view = compared(page, long_clip, [timed_one, plain_one], "Good morning everybody")
    word(view, 1, "everybody").click()
    page.wait_for_function("document.querySelector('#es-view audio').currentTime > 2")
    expect(view.locator(".es-cells .es-lit")).to_have_text(["everybody", "everybody"])
    expect(view.locator(".es-anchor .es-lit")).to_have_text(["everybody"])
    expect(view.locator(".es-play")).to_contain_text("Pause")
    page.keyboard.press("Space")
    expect(view.locator(".es-play")).to_contain_text("Play")
    assert page.evaluate("document.querySelector('#es-view audio').paused")
    # Whose times are estimated is said, of the system and of the word.
    expect(view.locator(".es-side").nth(0)).not_to_contain_text("≈")
    expect(view.locator(".es-side").nth(1)).to_contain_text("≈ times")
    word(view, 1, "morning").hover()
    expect(word(view, 1, "morning")).to_have_attribute("title", "≈ 0:01, estimated")


def test_a_passage_or_what_is_selected_is_heard_over_and_over(visit: Visit, long_clip: Path, tmp_path: Path) -> None:
    name = script(tmp_path / "one.json", *timed(("Good", 0, 0.3), ("morning", 0.3, 0.6), ("all", 0.6, 58)))
    page = visit()
    view = compared(page, long_clip, [name], "Good morning all")
    page.evaluate(
        """() => {
            const audio = document.querySelector('#es-view audio');
            window.rounds = 0;
            audio.addEventListener('seeked', () => { window.rounds += 1; });
            const words = document.querySelectorAll('#es-view .es-cell .es-v');
            getSelection().setBaseAndExtent(words[0].firstChild, 0, words[1].firstChild, 3);
        }"""
    )
    page.keyboard.press("l")
    expect(view.locator(".es-loop")).to_have_attribute("aria-pressed", "true")
    expect(view.locator(".es-loop")).to_have_text("Loop 0:00 – 0:00")
    page.wait_for_function("window.rounds >= 4")
    assert page.evaluate("document.querySelector('#es-view audio').currentTime") < 3
    page.evaluate("getSelection().removeAllRanges()")
    page.keyboard.press("Escape")
    expect(view.locator(".es-loop")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("l")
    expect(view.locator(".es-loop")).to_have_text("Loop 0:00 – 0:58")


def test_errors_are_walked_by_keys_that_leave_fields_alone(visit: Visit, long_clip: Path, tmp_path: Path) -> None:
    first = script(
        tmp_path / "first.json", {"say": "Good morning anybody. The week end meeting is on Friday. Bring notes please."}
    )
    second = script(tmp_path / "second.json", {"say": SAID.replace("Friday", "Monday")})
    page = visit()
    view = compared(page, long_clip, [first, second], SAID)
    assert marks(view, 0) == ["s anybody.", "s week end", "d your"]
    assert marks(view, 1) == ["s Monday."]
    expect(view.locator(".es-c:not(.es-view-legend *)")).to_have_text(["week end (for: weekend)"])
    count = view.locator(".es-count")
    expect(count).to_have_text("4 places")
    page.keyboard.press("n")
    expect(count).to_have_text("1 of 4 places")
    expect(view.locator(".es-cell .es-at")).to_contain_text(["anybody."])
    expect(view.locator(".es-anchor .es-at")).to_have_text(["everybody."])
    expect(view.locator(".es-told")).to_contain_text("the reference has “everybody.”")
    page.keyboard.press("n")
    expect(view.locator(".es-cell .es-at")).to_contain_text(["week end"])
    page.keyboard.press("p")
    page.keyboard.press("p")
    expect(count).to_have_text("4 of 4 places")  # before the first comes the last
    expect(view.locator(".es-cell .es-at")).to_contain_text(["your"])
    page.locator("#es-reference textarea").press_sequentially("np?")
    expect(count).to_have_text("4 of 4 places")
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_the_keys_are_told_and_can_be_kept_to_the_transcripts(visit: Visit, long_clip: Path, tmp_path: Path) -> None:
    page = visit()
    view = compared(page, long_clip, [script(tmp_path / "one.json", {"say": "Good evening"})], "Good morning")
    page.keyboard.press("?")
    dialog = view.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("next error")
    dialog.get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.locator("#es-go").focus()
    page.keyboard.press("n")
    expect(view.locator(".es-count")).to_have_text("1 place")
    view.locator(".es-rows").focus()
    page.keyboard.press("n")
    expect(view.locator(".es-count")).to_have_text("1 of 1 place")
    page.keyboard.press("?")
    dialog.get_by_role("checkbox").check()
    dialog.get_by_role("button", name="Close").click()


def test_only_what_differs_or_is_wrong_is_shown(visit: Visit, long_clip: Path, tmp_path: Path) -> None:
    lines = [
        "This line is alike in both of them, from its first word to its last one.",
        "Wrong in both of them is a word of this line, which is as long as the first one.",
        "Only one of them is wrong about a word of this line, and the other one is right.",
    ]
    reference = "\n".join(lines)
    both = reference.replace("Wrong in both", "Wring in both")
    systems = [script(tmp_path / "a.json", {"say": both}), script(tmp_path / "b.json", {"say": both.replace("about", "on")})]
    page = visit()
    view = compared(page, long_clip, systems, reference)
    shown = view.locator(".es-passage:visible .es-anchor")
    expect(shown).to_have_count(3)
    view.get_by_role("button", name="Only errors").click()
    expect(shown).to_contain_text(["Wrong in both", "Only one"])
    view.get_by_role("button", name="Where they differ").click()
    expect(shown).to_contain_text(["Only one"])
    expect(view.locator(".es-count")).to_have_text("1 place")
    page.keyboard.press("f")
    page.keyboard.press("f")
    expect(view.get_by_role("button", name="All", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(shown).to_have_count(3)


def test_without_a_reference_the_majority_is_the_measure_and_any_text_can_be_the_reference(
    visit: Visit, long_clip: Path, tmp_path: Path
) -> None:
    texts = ["the notes are ready", "the notes are ready", "the boats are ready"]
    systems = [script(tmp_path / f"{i}.json", {"say": text}) for i, text in enumerate(texts)]
    page = visit()
    view = compared(page, long_clip, systems)
    chooser = view.get_by_label("Held against")
    expect(chooser).to_have_value("majority")
    assert [marks(view, side) for side in range(3)] == [[], [], ["s boats"]]
    expect(view.locator(".es-anchor")).to_contain_text("notes2/3")
    expect(view.locator(".es-count")).to_have_text("1 place")
    expect(view).to_contain_text("agreement, not accuracy")
    chooser.select_option(systems[2])
    expect(view.locator(".es-side")).to_have_count(2)
    expect(view.locator(".es-anchor")).to_contain_text("boats")
    assert [marks(view, side) for side in range(2)] == [["s notes"], ["s notes"]]
    view.get_by_role("button", name="Use the text of 0.json as reference").click()
    expect(page.locator("#es-reference textarea")).to_have_value(texts[0])
    expect(view.locator(".es-side").nth(0)).to_contain_text("the reference was made from it")
    expect(view.locator(".es-side").nth(2)).to_contain_text("WER 25.0 %")


def test_an_hour_of_words_is_all_there_and_the_map_leads_to_its_end(visit: Visit, long_clip: Path, tmp_path: Path) -> None:
    chance = random.Random(5)  # noqa: S311
    words = ["".join(chance.choice("aeioulmnrst") for _ in range(chance.randint(3, 8))) for _ in range(9000)]
    heard = [word if chance.random() > 0.1 else "zzz" for word in words]
    page = visit()
    view = compared(page, long_clip, [script(tmp_path / "one.json", {"say": " ".join(heard)})], " ".join(words))
    found = view.evaluate("view => [...view.querySelectorAll('.es-cell .es-v:not(.es-d)')].map(node => node.word[0]).join(' ')")
    assert found.split() == heard
    expect(view.locator(".es-passage").last).not_to_be_in_viewport()
    view.get_by_role("slider").focus()
    page.keyboard.press("End")
    expect(view.locator(".es-passage").last).to_be_in_viewport()
    expect(view.get_by_role("slider")).to_have_attribute("aria-valuetext", "1:00 of 1:00")
    expect(view.locator(".es-heads")).to_be_in_viewport()  # the names stay


def test_what_the_browser_cannot_play_is_heard_all_the_same(visit: Visit, tmp_path: Path) -> None:
    import soundfile

    samples, rate = soundfile.read(tone(tmp_path / "tone.wav", 4.0))
    soundfile.write(tmp_path / "tone.aiff", samples, rate)
    page = visit()
    page.set_input_files("input[data-testid='Open any file-upload-button']", str(tmp_path / "tone.aiff"))
    expect(page.locator("#es-clip")).to_contain_text("0:04")
    view = run(page, [script(tmp_path / "one.json", *timed(("Good", 0, 1), ("morning", 1, 4)))])
    word(view, 0, "morning").click()
    page.wait_for_function("document.querySelector('#es-view audio').duration > 3.9")
    page.wait_for_function("document.querySelector('#es-view audio').currentTime >= 1")


def test_text_of_transcripts_stays_text(visit: Visit, long_clip: Path, tmp_path: Path) -> None:
    systems = [script(tmp_path / f"{i} <i>.json", {"say": f"{HOSTILE} {word}"}) for i, word in enumerate(["one", "two"])]
    page = visit()
    view = compared(page, long_clip, systems, f"{HOSTILE} three")
    expect(view.locator(".es-cell").nth(0)).to_contain_text("onerror")
    expect(view.locator(".es-side").nth(0)).to_contain_text("0 <i>.json")
    page.keyboard.press("n")
    view.locator(".es-cell .es-s").first.hover()
    assert view.locator("img, script, i:not(.es-map i)").count() == 0
    assert page.title() == "Earshot"


def test_on_a_phone_each_system_is_below_the_other_and_says_who_it_is(visit: Visit, long_clip: Path, tmp_path: Path) -> None:
    systems = [script(tmp_path / f"{word}.json", {"say": f"good {word} " * 30}) for word in ("evening", "night")]
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True)
    view = compared(page, long_clip, systems, "good morning " * 30)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    one, other = (view.locator(".es-cell").nth(i).bounding_box() for i in range(2))
    assert one is not None
    assert other is not None
    assert one["y"] < other["y"]
    assert one["x"] == other["x"]
    told = view.locator(".es-cell").nth(1).evaluate("cell => getComputedStyle(cell, '::before').content")
    assert "night.json" in told
