"""Where a reference comes from, and what stays known of it, in a real browser; and what stands around the rates."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import HOSTILE
from tests.browser.steps import Visit, cell, choose, column, give, pick, state

pytestmark = pytest.mark.browser


def reference(page: Page) -> Locator:
    return page.locator("#es-reference textarea")


def put(page: Page, text: str) -> None:
    """Write a reference, and leave the field."""
    reference(page).fill(text)
    reference(page).blur()


def test_a_systems_text_becomes_the_reference_is_corrected_and_stays_marked_until_it_is_emptied(
    visit: Visit, clip: Path, scripts: dict[str, str]
) -> None:
    page = visit()
    give(page, clip, "something else")
    choose(page, [scripts["hello"], scripts["hello again"]])
    page.click("#es-go")
    state(page, scripts["hello again"], "ok")
    reference(page).fill("something better")  # and from there straight to the button
    page.get_by_role("button", name="Use the text of hello.json as reference").click()
    expect(reference(page)).to_have_value("hello there world")
    expect(page.locator("#es-mark")).to_contain_text("Reference seeded by hello.json")
    rate = column(page, scripts["hello"]).locator(".es-rate")
    expect(rate).to_have_text("0.0 %")
    expect(column(page, scripts["hello"])).to_contain_text("Seeded by itself")
    expect(column(page, scripts["hello again"])).to_contain_text("reference seeded by hello.json")

    put(page, "hello there wide world")
    expect(page.locator("#es-mark")).to_contain_text("edited")
    expect(rate).to_have_text("25.0 %")
    expect(column(page, scripts["hello"])).to_contain_text("Seeded by itself")
    with page.expect_download() as download:
        page.click("#es-export button[data-kind=json]")
    told = json.loads(download.value.path().read_text(encoding="utf-8"))["reference"]
    assert (told["text"], told["seeded_by"], told["original"]) == (
        "hello there wide world",
        scripts["hello"],
        "hello there world",
    )

    page.get_by_role("button", name="Restore what it was").click()
    expect(reference(page)).to_have_value("hello there world")
    expect(rate).to_have_text("0.0 %")
    page.get_by_role("button", name="Back to the earlier text").click()
    expect(reference(page)).to_have_value("something better")
    expect(page.locator("#es-mark")).not_to_contain_text("seeded")
    expect(rate).to_have_text("150.0 %")


def test_without_a_reference_what_stands_large_is_agreement_and_says_so(
    visit: Visit, clip: Path, scripts: dict[str, str]
) -> None:
    page = visit()
    give(page, clip)
    choose(page, [scripts["hello"], scripts["hello again"], scripts["hostile"]])
    page.click("#es-go")
    state(page, scripts["hostile"], "ok")
    expect(column(page, scripts["hello"])).to_contain_text("agreement with what most of the others say, not accuracy")
    expect(page.locator("#es-verdicts")).to_contain_text("Without a reference nobody is right or wrong")
    page.get_by_role("button", name="Use majority as reference").click()
    expect(page.locator("#es-mark")).to_contain_text("seeded by the majority of 3")
    expect(column(page, scripts["hello"])).to_contain_text("WER")
    page.get_by_role("button", name="Empty it").click()
    expect(reference(page)).to_have_value("")
    expect(column(page, scripts["hello"])).to_contain_text("not accuracy")


FILES = {
    "said.txt": "hello there world",
    "said.srt": "1\n00:00:00,000 --> 00:00:00,500\n<i>hello there</i>\n\n2\n00:00:00,500 --> 00:00:01,000\nworld\n",
    "said.vtt": "WEBVTT\n\n00:00.000 --> 00:01.000 align:start\n<v Ann>hello there world\n",
    "manifest.jsonl": '{"audio_filepath": "other.wav", "text": "no"}\n'
    '{"audio_filepath": "a/tone.wav", "text": "hello there world"}\n',
}


def test_a_reference_is_read_from_files_of_many_kinds(visit: Visit, scripts: dict[str, str], tmp_path: Path) -> None:
    from tests.sounds import tone

    page = visit()
    give(page, tone(tmp_path / "tone.wav"))
    for name, content in FILES.items():
        file = tmp_path / name
        file.write_text(content, encoding="utf-8")
        put(page, "")
        page.set_input_files("input[data-testid='From a file-upload-button']", str(file))
        expect(reference(page)).to_have_value(re.compile(r"^hello there\sworld$"))
    choose(page, [scripts["hello"]])
    page.click("#es-go")
    expect(column(page, scripts["hello"]).locator(".es-rate")).to_have_text("0.0 %")


def test_a_file_without_this_clip_is_refused_in_words(visit: Visit, clip: Path, tmp_path: Path) -> None:
    page = visit()
    give(page, clip, "as it was")
    file = tmp_path / "manifest.json"
    file.write_text('[{"audio_filepath": "other.wav", "text": "no"}, {"audio_filepath": "third.wav", "text": "no"}]')
    page.set_input_files("input[data-testid='From a file-upload-button']", str(file))
    expect(page.locator("#es-status")).to_contain_text("other.wav")
    expect(reference(page)).to_have_value("as it was")


def test_that_nothing_was_said_is_a_reference_too(visit: Visit, clip: Path, scripts: dict[str, str]) -> None:
    page = visit()
    give(page, clip, "hello there world")
    choose(page, [scripts["hello"]])
    page.click("#es-go")
    shown = column(page, scripts["hello"])
    expect(shown.locator(".es-rate")).to_have_text("0.0 %")
    page.get_by_role("button", name="Nothing was said").click()
    expect(page.locator("#es-mark")).to_contain_text("Nothing was said in this clip")
    expect(shown.locator(".es-rate")).to_have_text("n/a")
    expect(shown).to_contain_text("3 words inserted")
    page.get_by_role("button", name="Back to the earlier text").click()
    expect(reference(page)).to_have_value("hello there world")
    expect(shown.locator(".es-rate")).to_have_text("0.0 %")


def test_another_rate_and_key_terms_need_no_new_run(visit: Visit, clip: Path, scripts: dict[str, str]) -> None:
    page = visit()
    give(page, clip, "hello there World")
    choose(page, [scripts["hello"]])
    page.click("#es-go")
    shown = column(page, scripts["hello"])
    expect(shown.locator(".es-rate")).to_have_text("0.0 %")
    page.locator("#es-terms textarea, #es-terms input").fill("World, <b>")
    page.locator("#es-terms textarea, #es-terms input").blur()
    shown.locator(".es-beyond summary").click()
    expect(shown.locator(".es-beyond")).to_contain_text("Key terms1 of 1")
    pick(page, "Error rate", "both")
    expect(shown.locator(".es-caption")).to_contain_text("WER and CER")
    expect(shown.locator(".es-beyond")).to_have_attribute("open", "")  # what was open stays so


def test_what_normalisation_did_and_pictures_are_there_when_they_are_opened(
    visit: Visit, clip: Path, scripts: dict[str, str]
) -> None:
    page = visit()
    give(page, clip, f"Um, twenty-one doctors {HOSTILE}")
    choose(page, [scripts["hello"], scripts["hostile"]])
    pick(page, "Normaliser", "whisper-english")
    page.click("#es-go")
    state(page, scripts["hostile"], "ok")
    page.get_by_role("button", name="What normalisation did").click()
    changes = page.locator("#es-normalised")
    expect(changes.locator(".es-became").first).to_contain_text("twenty-one")
    expect(changes.locator(".es-became b").first).to_have_text("21")
    expect(changes.locator(".es-gone", has_text="Um,")).to_have_count(1)
    expect(changes).to_contain_text("onerror")
    pick(page, "Normaliser", "none")
    expect(changes).to_contain_text("What none 1 made of each text")
    expect(changes.locator(".es-became")).to_have_count(0)
    page.get_by_role("button", name="Pictures").click()
    expect(page.locator("#es-pictures svg").first).to_be_visible()
    assert page.locator("#es-normalised img, #es-pictures img, #es-pictures script").count() == 0
    assert page.title() == "Earshot"


def test_one_system_is_held_against_another(visit: Visit, clip: Path, scripts: dict[str, str]) -> None:
    page = visit()
    give(page, clip, "hello there world")
    choose(page, [scripts["hello"], scripts["hello again"]])
    page.click("#es-go")
    state(page, scripts["hello again"], "ok")
    expect(cell(page, "hello.json")).to_contain_text("hello there world")
    page.locator("#es-view select").select_option(label="hello.json")
    expect(cell(page, "hello.json")).to_have_count(0)
    expect(cell(page, "hello again.json").locator("u.es-s")).to_contain_text("whirled")
