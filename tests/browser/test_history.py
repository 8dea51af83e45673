"""What was compared is found again, opened, worked on, deleted and had back, in a real browser; also after a kill."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import HOSTILE, NEW_VISITOR
from tests.browser.steps import cell, choose, column, give, pick, state
from tests.plays import script
from tests.serving import Served, serving
from tests.sounds import tone

pytestmark = pytest.mark.browser

SAID = "hello there World"


def visited(browser: Browser, served: Served, **options: object) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}, **options).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(30_000)
    page.add_init_script(NEW_VISITOR)
    page.on("pageerror", lambda error: pytest.fail(f"script: {error}"))
    page.goto(served.url)
    page.wait_for_selector("#es-cards label")
    return page


def history(page: Page) -> Locator:
    """The rows of the tab."""
    page.get_by_role("tab", name="History").click()
    expect(page.get_by_label("Search kept comparisons")).to_be_visible()
    return page.locator(".es-kept")


def told(page: Page) -> Locator:
    return page.locator(".es-history-told")


def compare(page: Page, clip: Path, names: list[str]) -> None:
    give(page, clip, SAID)
    choose(page, names)
    page.click("#es-go")
    for name in names:
        state(page, name, "ok")
    expect(page.locator("#es-export button[data-kind=json]")).to_be_enabled()


def serious(page: Page) -> list[tuple[str, list[str]]]:
    found = Axe().run(page).response["violations"]
    return [
        (each["id"], [node["html"][:160] for node in each["nodes"][:3]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


def test_what_was_compared_is_kept_found_opened_worked_on_and_survives_a_kill(browser: Browser, tmp_path: Path) -> None:
    hello, whirled, low = (
        script(tmp_path / f"{name}.json", {"say": text})
        for name, text in (("hello", "hello there world"), ("whirled", "hello there whirled"), ("low", "low there world"))
    )
    clip = tone(tmp_path / "a talk.wav", 2.0)
    flags = ("--runners", ",".join((hello, whirled, low)), "--history-folder", str(tmp_path / "history"))
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    with serving(tmp_path / "first", *flags) as served:
        page = visited(browser, served)
        rows = history(page)
        expect(page.locator(".es-history-list")).to_contain_text("Nothing is kept yet")
        page.get_by_role("tab", name="Compare").click()
        compare(page, clip, [hello, whirled])

        # found, named, tagged
        rows = history(page)
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("a talk.wav")
        expect(rows).to_contain_text("hello.json WER 0.0 %")
        rows.get_by_role("button", name="Details").click()
        page.get_by_label("Name", exact=True).fill(f"Monday {HOSTILE}")
        page.get_by_label("Tags, separated by commas").fill("good, week 3")
        page.get_by_label("Notes", exact=True).fill("To be shown")
        page.get_by_label("Notes", exact=True).press("Control+Enter")
        expect(told(page)).to_contain_text("Saved")
        expect(rows.locator("h3").first).to_contain_text("Monday <img")
        page.get_by_label("Search kept comparisons").fill("nonesuch")
        expect(page.locator(".es-history-list")).to_contain_text("Nothing found")
        page.get_by_label("Search kept comparisons").fill("shown whirl")
        expect(rows).to_have_count(1)
        page.get_by_label("Tagged", exact=True).select_option("week 3")
        expect(told(page)).to_contain_text("1 found")
        assert page.title() == "Earshot"
        served.process.kill()
        served.process.wait(20)
        page.context.close()

    with serving(tmp_path / "second", *flags) as served:
        page = visited(browser, served)
        rows = history(page)
        rows.get_by_role("button", name="Open").click()
        expect(page.locator("#es-status")).to_contain_text("Opened: 2 of 2 done")
        expect(column(page, whirled).locator(".es-rate")).to_have_text("33.3 %")
        expect(page.locator("#es-reference textarea")).to_have_value(SAID)
        expect(page.locator("#es-clip")).to_contain_text("0:02")
        expect(page.locator(f"#es-cards input[value='{hello}']")).to_be_checked()
        expect(page.locator(f"#es-cards input[value='{low}']")).not_to_be_checked()
        page.get_by_label("Notes, kept in History").fill("To be shown on Monday")
        page.get_by_label("Notes, kept in History").blur()
        expect(page.locator("#es-status")).to_contain_text("The notes are kept")
        word = cell(page, "whirled.json").locator(".es-v").last
        word.click()
        expect(page.locator("#es-view .es-clock")).not_to_have_text("0:00 / 0:02")

        # scored otherwise, with one more system: kept under the same name
        pick(page, "Normaliser", "none")
        expect(column(page, hello).locator(".es-rate")).to_have_text("33.3 %")
        choose(page, [hello, whirled, low])
        page.get_by_role("button", name="Add to this comparison").click()
        state(page, low, "ok")
        expect(page.locator("#es-status")).to_contain_text("3 of 3 done")
        rows = history(page)
        expect(rows).to_contain_text("To be shown on Monday")
        expect(rows).to_contain_text("low.json WER 66.7 %")
        expect(rows).to_contain_text("hello.json WER 33.3 %")

        # deleted, had back
        rows.get_by_role("button", name="Delete").click()
        expect(rows).to_have_count(0)
        expect(page.get_by_role("button", name="Undo")).to_be_focused()
        page.keyboard.press("Enter")
        expect(rows).to_have_count(1)
        rows.get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Bin").click()
        expect(rows).to_have_count(1)
        rows.get_by_role("button", name="Delete for good").first.click()
        expect(rows.get_by_role("button", name="Keep it")).to_be_focused()
        page.keyboard.press("Escape")
        expect(rows.get_by_role("button", name="Restore")).to_be_visible()
        rows.get_by_role("button", name="Delete for good").first.click()
        rows.get_by_role("button", name="Delete for good").last.click()
        expect(page.locator(".es-history-list")).to_contain_text("The bin is empty")
        page.context.close()


def test_two_are_laid_side_by_side_linked_and_nothing_serious_is_wrong_with_the_tab(browser: Browser, tmp_path: Path) -> None:
    hello = script(tmp_path / "hello.json", {"say": "hello there whirled"})
    with serving(tmp_path, "--runners", hello, "--history-folder", str(tmp_path / "history")) as served:
        for scheme in ("light", "dark"):
            page = visited(browser, served, color_scheme=scheme)
            if scheme == "light":
                compare(page, tone(tmp_path / "talk.wav"), [hello])
                page.fill("#es-reference textarea", f"{SAID} {HOSTILE}")
                page.click("#es-go")
                expect(column(page, hello).locator(".es-rate")).not_to_have_text("33.3 %")
            rows = history(page)
            expect(rows).to_have_count(2)
            rows.first.get_by_role("button", name="Details").click()
            links = rows.first.get_by_role("link")
            if scheme == "light":
                page.get_by_role("button", name="Make one without names").click()
            expect(links).to_have_count(1)
            page.get_by_role("button", name="Show what changed").click()
            expect(page.get_by_role("heading", name="What changed")).to_be_focused()
            assert not serious(page)
            page.set_viewport_size({"width": 390, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            if scheme == "light":
                page.get_by_role("button", name="Open both side by side").click()
                expect(page.locator(".es-column")).to_have_count(2)
                expect(page.locator("#es-into")).to_be_hidden()
            page.context.close()


def test_a_comparison_that_was_taken_away_as_json_is_opened_again_and_heard_once_its_clip_is_there(
    visit: Callable[..., Page], clip: Path, scripts: dict[str, str]
) -> None:
    page = visit()
    compare(page, clip, [scripts["hello"]])
    with page.expect_download() as download:
        page.click("#es-export button[data-kind=json]")
    kept = Path(download.value.path())
    other = visit()
    history(other)
    bad = clip.with_name("bad.json")
    bad.write_text(json.dumps({"schema": HOSTILE}), encoding="utf-8")
    other.set_input_files("input[data-testid='Open a file-upload-button']", str(bad))
    expect(told(other)).to_contain_text("not a comparison that Earshot wrote")
    good = bad.with_name("good.json")
    good.write_bytes(kept.read_bytes())
    other.set_input_files("input[data-testid='Open a file-upload-button']", str(good))
    expect(other.locator("#es-status")).to_contain_text("The clip is not in the file")
    expect(column(other, scripts["hello"]).locator(".es-rate")).to_have_text("0.0 %")
    expect(other.locator("#es-reference textarea")).to_have_value(SAID)
    other.set_input_files("#es-audio input[type=file]", str(clip))
    expect(other.get_by_role("button", name="Add to this comparison")).to_be_visible()
    expect(other.locator("#es-reference textarea")).to_have_value(SAID)
