"""What people do on the page, in a real browser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import HOSTILE
from tests.browser.steps import Visit, cell, choose, column, give, state

pytestmark = pytest.mark.browser


def test_a_newcomer_plays_a_sample_and_sees_two_systems_side_by_side(visit: Visit) -> None:
    page = visit()
    page.click("#es-sample input")
    page.locator("#es-sample [role=option]").first.click()
    expect(page.locator("#es-clip")).to_contain_text("kHz")
    expect(page.locator("#es-reference textarea")).not_to_have_value("")
    page.click("#es-go")
    expect(column(page, "moonshine")).to_be_in_viewport()
    for name, label in (("moonshine", "Moonshine tiny"), ("pocketsphinx", "PocketSphinx")):
        expect(column(page, name)).to_have_attribute("data-state", "ok", timeout=120_000)
        expect(column(page, name).locator(".es-rate")).to_contain_text("%")
        expect(column(page, name)).to_contain_text("whisper-english")
        expect(column(page, name)).to_contain_text("RTF")
        expect(page.locator("#es-summary")).to_contain_text(label)
    rates = [float(column(page, name).locator(".es-rate").inner_text().split()[0]) for name in ("moonshine", "pocketsphinx")]
    assert rates[0] < rates[1]
    expect(page.locator("#es-status")).to_contain_text("2 of 2 done")


def test_what_cannot_run_says_why_and_what_to_do(visit: Visit) -> None:
    page = visit()
    card = page.locator("#es-cards .off", has=page.locator("input[value='whisper']"))
    expect(card).to_contain_text("downloads are off")
    expect(card).to_contain_text("whisper:FOLDER")
    box = card.locator("input")
    box.focus()
    expect(box).to_be_focused()
    box.press("Space")
    expect(box).not_to_be_checked()


def test_a_system_that_dies_is_skipped_with_its_reason_and_its_neighbour_goes_on(
    visit: Visit, clip: Path, scripts: dict[str, str]
) -> None:
    page = visit()
    give(page, clip, "hello there, world")
    choose(page, ["scripted:crashes", scripts["hello"]])
    page.click("#es-go")
    state(page, scripts["hello"], "ok")
    state(page, "scripted:crashes", "skipped")
    skipped = column(page, "scripted:crashes")
    expect(skipped).not_to_contain_text("%")
    skipped.locator("summary").click()
    expect(skipped.locator("pre")).to_be_visible()
    expect(page.locator(".es-column").last).to_have_attribute("data-id", "scripted:crashes")  # skipped ones are last
    skipped.get_by_role("button", name="again").click()
    expect(page.locator("#es-status")).to_contain_text("1 of 2 done · 1 skipped")
    state(page, scripts["hello"], "ok")


def test_one_column_is_cancelled_and_the_rest_goes_on_then_all(visit: Visit, clip: Path, scripts: dict[str, str]) -> None:
    page = visit()
    give(page, clip)
    first, second, third = scripts["endless"], scripts["endless too"], scripts["endless three"]
    choose(page, [first, second, third])
    page.click("#es-go")
    expect(column(page, first)).to_contain_text("it goes on")
    places = [each.get_attribute("data-id") for each in page.locator(".es-column").all()]
    expect(page.locator("#es-export button[data-kind=csv]")).to_be_disabled()
    top = page.locator(".es-board").evaluate("board => board.offsetTop")
    column(page, first).get_by_role("button", name="Cancel").click()
    state(page, first, "cancelled")
    state(page, second, "running")
    assert [each.get_attribute("data-id") for each in page.locator(".es-column").all()] == places  # nothing jumps
    page.click("#es-stop")
    state(page, second, "cancelled")
    state(page, third, "cancelled")
    expect(page.locator("#es-status")).to_contain_text("0 of 3 done · 3 cancelled")
    expect(page.locator("#es-export button[data-kind=csv]")).to_be_enabled()
    assert page.locator(".es-board").evaluate("board => board.offsetTop") == top


def test_two_visitors_do_not_see_each_other(visit: Visit, clip: Path, scripts: dict[str, str]) -> None:
    one, other = visit(), visit()
    give(one, clip)
    choose(one, [scripts["hello"]])
    one.click("#es-go")
    state(one, scripts["hello"], "ok")
    expect(other.locator(".es-column")).to_have_count(0)
    expect(other.locator("#es-clip")).to_contain_text("Your clip")
    other.click("#es-stop")
    other.click("#es-go")
    expect(other.locator("#es-status")).to_contain_text("There is no clip yet")


def test_closing_the_tab_frees_the_device(visit: Visit, clip: Path, scripts: dict[str, str]) -> None:
    leaving, staying = visit(), visit()
    give(leaving, clip)
    choose(leaving, [scripts["endless"]])
    leaving.click("#es-go")
    state(leaving, scripts["endless"], "running")
    leaving.close()
    give(staying, clip)
    choose(staying, [scripts["hello"]])
    staying.click("#es-go")
    state(staying, scripts["hello"], "ok")


def test_the_page_says_what_is_missing(visit: Visit, clip: Path, scripts: dict[str, str]) -> None:
    page = visit()
    page.click("#es-go")
    expect(page.locator("#es-status")).to_contain_text("There is no clip yet")
    give(page, clip)
    choose(page, [])
    page.click("#es-go")
    expect(page.locator("#es-status")).to_contain_text("No system is chosen")
    choose(page, [scripts["hello"]])
    page.click("#es-go")
    expect(column(page, scripts["hello"])).to_contain_text("no reference")


def test_a_file_that_is_no_sound_is_refused_where_it_was_dropped(visit: Visit, tmp_path: Path) -> None:
    bad = tmp_path / "notes.wav"
    bad.write_text("dear diary", encoding="utf-8")
    page = visit()
    page.set_input_files("#es-audio input[type=file]", str(bad))
    expect(page.locator("#es-clip .es-fault")).to_contain_text("not audio")


def test_another_reference_normaliser_and_order_need_no_new_run(visit: Visit, clip: Path, scripts: dict[str, str]) -> None:
    page = visit()
    give(page, clip, "hello there World")
    choose(page, [scripts["hello"]])
    page.click("#es-go")
    rate = column(page, scripts["hello"]).locator(".es-rate")
    expect(rate).to_have_text("0.0 %")
    page.click("input[aria-label=Normaliser]")
    page.get_by_role("option", name="none").click()
    expect(rate).to_have_text("33.3 %")
    expect(column(page, scripts["hello"])).to_contain_text("none 1")
    page.fill("#es-reference textarea", "hello there world and all")
    page.locator("#es-reference textarea").blur()
    expect(rate).to_have_text("40.0 %")
    expect(cell(page, "hello.json").locator("del.es-d")).to_have_count(2)


def test_results_leave_as_tables_and_as_a_report_with_or_without_sound(
    visit: Visit, clip: Path, scripts: dict[str, str]
) -> None:
    page = visit()
    give(page, clip, "hello there world")
    choose(page, [scripts["hello"]])
    page.click("#es-go")
    state(page, scripts["hello"], "ok")
    files = {}
    for kind in ("csv", "json", "md", "html", "silent"):
        with page.expect_download() as download:
            page.click(f"#es-export button[data-kind={kind}]")
        files[kind] = download.value.path().read_text(encoding="utf-8")
    assert download.value.suggested_filename.endswith(".html")
    assert "hello there world" in files["csv"]
    assert json.loads(files["json"])["results"][0]["wer"] == 0
    assert files["md"].startswith("**")
    assert files["html"].lstrip().startswith("<!doctype html>")
    assert "data:audio/mpeg;base64," in files["html"]
    assert "data:audio" not in files["silent"]
    page.click("#es-export button[data-kind=srt]")
    expect(page.locator("#es-export [role=status]")).to_contain_text("hello.json does not say when its words were said")


def test_a_model_is_added_by_its_name_or_refused_with_what_there_is(visit: Visit, tmp_path: Path) -> None:
    said = tmp_path / "said <i>.json"
    said.write_text('{"takes": [[{"say": "hello"}]]}', encoding="utf-8")
    page = visit()
    page.get_by_role("button", name="Add a model").click()
    field = page.get_by_label("Model", exact=True)
    field.fill("nonesuch")
    field.press("Enter")
    expect(page.locator("#es-status")).to_contain_text("There is no system called 'nonesuch'")
    field.fill(f"scripted:{said}")
    field.press("Enter")
    card = page.locator("#es-cards label", has_text="said <i>.json")
    expect(card.locator("input")).to_be_checked()
    expect(page.locator("#es-cards input[value=moonshine]")).to_be_checked()  # what was ticked stays so
    for number in range(4):
        field.fill(f"whisper:/nowhere/{number}")
        field.press("Enter")
        expect(page.locator("#es-status")).to_contain_text(f"The folder /nowhere/{number} is not there")
    expect(page.locator("#es-absent .off")).to_have_count(5)  # with the whisper that was there; too many for the cards
    expect(page.locator("#es-cards .off")).to_have_count(0)
    expect(card.locator("input")).to_be_checked()


def test_a_video_can_be_opened(visit: Visit, speech_clips: Path) -> None:
    page = visit()
    page.set_input_files("input[data-testid='Open any file-upload-button']", str(speech_clips / "edge" / "jfk-video.mp4"))
    expect(page.locator("#es-clip")).to_contain_text("0:11")


def test_another_clip_does_not_keep_the_words_of_a_sample(visit: Visit, clip: Path) -> None:
    page = visit()
    page.click("#es-sample input")
    page.locator("#es-sample [role=option]").first.click()
    expect(page.locator("#es-reference textarea")).not_to_have_value("")
    page.locator("#es-audio").get_by_label("Clear").click()
    expect(page.locator("#es-clip")).to_contain_text("Your clip")
    give(page, clip)
    expect(page.locator("#es-reference textarea")).to_have_value("")


def test_keys_alone_lead_from_the_sample_to_the_result(visit: Visit, scripts: dict[str, str]) -> None:
    page = visit()
    press = page.keyboard.press
    _tab_to(page, "#es-sample input")
    press("ArrowDown")
    press("Enter")
    expect(page.locator("#es-clip")).to_contain_text("kHz")
    for name in ("moonshine", "pocketsphinx", scripts["hello"]):
        _tab_to(page, f"#es-cards input[value='{name}']")
        press("Space")
    expect(page.locator(f"#es-cards input[value='{scripts['hello']}']")).to_be_checked()
    expect(page.locator("#es-cards input[value=moonshine]")).not_to_be_checked()
    _tab_to(page, "#es-go")
    press("Enter")
    state(page, scripts["hello"], "ok")


def _tab_to(page: Page, selector: str) -> None:
    for _ in range(80):
        if page.evaluate("selector => document.activeElement === document.querySelector(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached with the Tab key")


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_needs_no_sideways_scrolling(visit: Visit, clip: Path, scripts: dict[str, str], width: int) -> None:
    page = visit(viewport={"width": width, "height": 844}, has_touch=True)
    give(page, clip, "hello there world")
    choose(page, [scripts["hello"], "scripted:crashes"])
    page.click("#es-go")
    state(page, scripts["hello"], "ok")
    state(page, "scripted:crashes", "skipped")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    tops = [each.bounding_box() for each in page.locator(".es-column").all()]
    assert tops[0]["y"] < tops[1]["y"]  # below each other
    assert tops[0]["x"] == tops[1]["x"]


def test_the_dark_page_is_dark_and_the_light_one_light(visit: Visit) -> None:
    def brightness(scheme: str) -> float:
        page = visit(color_scheme=scheme)
        told = page.evaluate("getComputedStyle(document.querySelector('#es-cards label')).backgroundColor")
        return sum(map(int, told.removeprefix("rgb(").removesuffix(")").split(","))) / 3

    assert brightness("light") > 240
    assert brightness("dark") < 50


def test_text_from_anywhere_stays_text(visit: Visit, clip: Path, scripts: dict[str, str]) -> None:
    page = visit()
    give(page, clip, HOSTILE)
    expect(page.locator("#es-clip")).to_contain_text("onerror")
    choose(page, [scripts["hostile"], scripts["hostile fault"], scripts["hello"]])
    page.click("#es-go")
    for name, ends in (("hostile", "ok"), ("hostile fault", "skipped"), ("hello", "ok")):
        state(page, scripts[name], ends)
    expect(cell(page, "hostile <b>.json").first).to_contain_text("onerror")
    expect(column(page, scripts["hostile fault"])).to_contain_text("<script>")
    assert (
        page.locator(
            "#es-board img, #es-board script, #es-clip img, #es-cards img, #es-summary img, #es-view img, #es-view script"
        ).count()
        == 0
    )
    assert page.title() == "Earshot"
