"""The exported report in a browser, from a file, without a network: it is read, heard, filtered and printed."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from comparisons import report
from comparisons.compare import rescored
from comparisons.reference import Reference
from comparisons.sound import small
from runners.base import Clip, Word
from tests.browser.conftest import HOSTILE
from tests.browser.pdf import letters, pages
from tests.reported import MOONSHINE, PHI, SPHINX, WHISPER, compared, ran, skipped, wrong

pytestmark = pytest.mark.browser

Shows = Callable[..., Page]

SECONDS = 60
SAID = " ".join(f"word{number}" for number in range(120)) + "."
TIMES = tuple(Word(word, at / 2, at / 2 + 0.4) for at, word in enumerate(SAID.split()))
TITLE = "Which one for the ferry?"
NOTES = "Heard twice.\n" + HOSTILE


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    steps = np.arange(SECONDS * 16_000)
    clip = Clip((0.2 * np.sin(steps * 2 * np.pi * 220 / 16_000)).astype(np.float32), float(SECONDS), "a minute.wav")
    sound = small(clip)
    one = rescored(
        replace(
            compared(SAID, ran(MOONSHINE, SAID, words=TIMES), ran(SPHINX, wrong(4)), ran(WHISPER, wrong(9)), skipped(PHI)),
            seconds=float(SECONDS),
            silences=(),
        ),
        key_terms=("word5",),
    )
    seeded = rescored(replace(one, reference=Reference("before", seed="moonshine", seed_label="Moonshine").edited(SAID)))
    hostile = compared(HOSTILE, ran(SPHINX, HOSTILE), ran(MOONSHINE, HOSTILE + " too"), skipped(PHI, HOSTILE), name=HOSTILE)
    made = {
        "one": report.to_html(one, title=TITLE, notes=NOTES, sound=sound),
        "several": report.to_html([seeded, one], sound=[sound, None]),
        "majority": report.to_html(rescored(replace(one, reference=None))),
        "hostile": report.to_html(rescored(hostile, key_terms=(HOSTILE,)), title=HOSTILE, notes=HOSTILE, sound=sound),
    }
    folder = tmp_path_factory.mktemp("reports")
    paths = {}
    for name, html in made.items():
        paths[name] = folder / f"{name}.html"
        paths[name].write_text(html, encoding="utf-8")
    return paths


@pytest.fixture
def shows(browser: Browser, files: dict[str, Path]) -> Iterator[Shows]:
    """Opens a report where there is no network; afterwards nothing was asked of anybody, and no script failed."""
    contexts: list[BrowserContext] = []
    asked: list[str] = []
    faults: list[str] = []

    def opened(name: str, scheme: str = "light", width: int = 1280, **options: object) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
            **options,  # type: ignore[arg-type]
        )
        contexts.append(context)
        context.set_offline(True)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(files[name].as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert {url for url in asked if not url.startswith(("data:", "blob:"))} <= {path.as_uri() for path in files.values()}
    assert not faults


def drawn(page: Page, number: int = 0) -> None:
    """Wait until the transcripts of a clip are all there."""
    expect(page.locator(".es-view").nth(number)).to_have_attribute("data-drawn", "all")


@pytest.mark.parametrize("name", ["one", "several", "majority"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_nothing_serious_is_wrong_with_a_report(shows: Shows, name: str, scheme: str, width: int) -> None:
    page = shows(name, scheme, width, bypass_csp=True)  # or axe itself may not run
    drawn(page)
    for fold in page.locator("details").all():
        fold.evaluate("fold => { fold.open = true; }")
    found = Axe().run(page).response["violations"]
    assert not [(each["id"], each["nodes"][0]["html"][:160]) for each in found if each["impact"] in ("serious", "critical")]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_word_is_heard_where_there_is_no_network(shows: Shows) -> None:
    page = shows("one")
    drawn(page)
    expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    view = page.locator(".es-view")
    word = view.locator(".es-passage").nth(2).locator(".es-cell").nth(0).locator(".es-v").nth(1)
    start = word.evaluate("node => node.word[2] / 100")
    assert start > 10
    word.click()
    page.wait_for_function("from => document.querySelector('.es-view audio').currentTime > from", arg=start)
    assert page.evaluate("document.querySelector('.es-view audio').currentTime") < start + 20  # there, and not elsewhere
    assert abs(page.evaluate("document.querySelector('.es-view audio').duration") - SECONDS) < 0.2
    expect(view.locator(".es-play")).to_contain_text("Pause")
    page.keyboard.press("Space")
    expect(view.locator(".es-play")).to_contain_text("Play")
    assert page.evaluate("document.querySelector('.es-view audio').paused")


def test_errors_are_walked_and_filtered_as_on_the_page(shows: Shows) -> None:
    page = shows("one")
    drawn(page)
    view = page.locator(".es-view")
    expect(view.locator(".es-side")).to_have_count(3)
    page.keyboard.press("n")
    expect(view.locator(".es-count")).to_contain_text("1 of ")
    expect(view.locator(".es-told")).to_contain_text("the reference has “word1”")
    view.get_by_role("button", name="Only errors").click()
    expect(view.get_by_role("button", name="Only errors")).to_have_attribute("aria-pressed", "true")
    expect(view.locator(".es-passage:visible:not(.es-is-wrong)")).to_have_count(0)
    page.keyboard.press("?")
    view.get_by_role("button", name="Close").click()
    expect(view.get_by_role("dialog")).to_be_hidden()
    # What only Earshot can do is not offered.
    expect(view.locator("select")).to_be_hidden()
    expect(view.get_by_role("button", name="Use")).to_have_count(0)


def test_a_report_without_sound_has_no_player(shows: Shows) -> None:
    page = shows("majority")
    drawn(page)
    expect(page.locator(".es-play")).to_be_hidden()
    expect(page.locator(".es-view-legend")).to_contain_text("Held against: Majority of 3.")
    page.locator(".es-map").focus()
    page.keyboard.press("End")  # the map still leads through the passages
    expect(page.locator(".es-passage").last).to_be_in_viewport()


def test_of_several_clips_each_has_its_own_view_and_sound(shows: Shows) -> None:
    page = shows("several")
    drawn(page, 0)
    drawn(page, 1)
    views = page.locator(".es-view")
    expect(views.nth(0).locator(".es-play")).to_be_visible()
    expect(views.nth(1).locator(".es-play")).to_be_hidden()
    views.nth(1).locator(".es-rows").focus()
    page.keyboard.press("n")
    expect(views.nth(1).locator(".es-count")).to_contain_text("1 of ")
    expect(views.nth(0).locator(".es-count")).not_to_contain_text(" of ")


def test_paper_has_every_transcript(shows: Shows) -> None:
    page = shows("one")
    drawn(page)
    pdf = page.pdf(prefer_css_page_size=True)
    text = unicodedata.normalize("NFKC", letters(pdf))
    assert 2 <= pages(pdf) <= 12
    assert text.count("word119.") == 1 + 1 + 3  # the reference, and in the view above those of three systems
    for system in ("Moonshinetiny", "PocketSphinx", "Whispersmall", "Needs11.2GB,4.1GBfree."):
        assert system in text
    assert "Play" not in text
    assert page.locator("details[open]").count() == 0  # what was unfolded for it is folded again


def test_without_scripts_there_are_figures_and_plain_transcripts(shows: Shows) -> None:
    page = shows("one", java_script_enabled=False)
    expect(page.get_by_role("region", name="Summary of budget.flac")).to_contain_text("PocketSphinx")
    expect(page.locator("noscript p").nth(0)).to_have_text(SAID)
    expect(page.locator("noscript h3")).to_have_text(["Moonshine tiny", "Whisper small", "PocketSphinx"])
    expect(page.locator(".es-sound")).to_be_visible()
    expect(page.locator(".es-view")).to_be_hidden()


def test_passages_stand_beside_each_other_and_on_a_phone_below_each_other(shows: Shows) -> None:
    for width, beside in ((1280, True), (390, False)):
        page = shows("one", width=width)
        drawn(page)
        first, second = (page.locator(".es-cell").nth(number).bounding_box() for number in (0, 1))
        assert first is not None
        assert second is not None
        assert (first["y"] == second["y"]) is beside
        assert (first["x"] == second["x"]) is not beside


def test_pictures_take_the_colours_of_light_and_dark(shows: Shows) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        text = shows("one", scheme).locator("figure svg text").last
        colours.add(text.evaluate("text => getComputedStyle(text).fill"))
    assert len(colours) == 2


def test_what_looks_like_html_stays_text_and_no_other_script_runs(shows: Shows) -> None:
    page = shows("hostile")
    drawn(page)
    assert "taken over" not in page.title().replace(HOSTILE, "")
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2  # the data, and what draws it
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(page.locator(".notes").first).to_have_text(HOSTILE)
    expect(page.locator(".row h2")).to_have_text(HOSTILE)
    expect(page.locator(".es-cell").first).to_contain_text("taken over")
    page.evaluate("""() => {
        const added = document.createElement('script');
        added.textContent = "document.title = 'taken over'";
        document.body.append(added);
    }""")
    assert page.title() != "taken over"
