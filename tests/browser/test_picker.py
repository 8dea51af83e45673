"""Choosing among all the systems of the catalogue, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from comparisons import figures
from runners.base import Availability, Placement
from runners.catalogue.names import offered
from runners.catalogue.presets import estimate
from runners.settings import Settings
from tests.browser.conftest import HOSTILE
from tests.serving import Served, serving

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
OFF = "wav2vec2"
ASKED = {
    "EARSHOT_DOWNLOADS": "1",
    "EARSHOT_DISABLED_RUNNERS": "ctc",
    "HF_HUB_OFFLINE": "0",
    "TRANSFORMERS_OFFLINE": "0",
    "HF_ENDPOINT": "http://127.0.0.1:9",
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The whole catalogue, none of it downloaded; what downloads would ask is never reached."""
    folder = tmp_path_factory.mktemp("picker")
    with serving(folder, **ASKED, HF_HOME=str(folder / "hub")) as app:
        yield app


def card(page: Page, name: str) -> Locator:
    return page.locator(f'#es-cards input[value="{name}"]')


def search(page: Page, words: str) -> None:
    page.get_by_role("searchbox", name="Search systems").fill(words)


def chosen(page: Page) -> list[str]:
    found: list[str] = page.evaluate("window.earshotShelf.chosen")
    return found


def shown(page: Page) -> set[str]:
    """Names of the systems whose cards are there, folded or not."""
    boxes = page.locator("#es-cards .es-pick label > input[value]")
    return set(boxes.evaluate_all("boxes => boxes.map(box => box.value)"))


def rows(page: Page) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in page.evaluate("window.earshotShelf.rows")}


def test_a_system_is_found_by_its_name_its_family_and_its_languages(visit: Visit) -> None:
    page = visit()
    everything = rows(page)
    assert len(everything) > 30
    search(page, "whisper small")
    expect(page.locator(".es-found")).to_contain_text("2 of")
    assert shown(page) == {"whisper", "faster-whisper"}
    expect(page.locator('#es-cards label[title="whisper"]')).to_contain_text("30 s at once, then in windows")
    search(page, "german whisper")
    expect(card(page, "whisper:openai/whisper-tiny")).to_be_visible()
    german = {name for name, row in everything.items() if "de" in (row["languages"] or ())}
    assert shown(page) <= german
    expect(page.locator(".es-found")).to_contain_text(f"of {len(everything)} systems match")


def test_a_search_without_a_find_says_so_and_leads_back(visit: Visit) -> None:
    page = visit()
    before = shown(page)
    search(page, "no such system")
    expect(page.locator("#es-cards")).to_contain_text("No system matches")
    expect(page.locator(".es-found [role=status]")).to_contain_text("0 of")
    page.get_by_role("button", name="Clear filters").click()
    expect(card(page, "moonshine")).to_be_visible()
    assert shown(page) == before
    expect(page.get_by_role("searchbox", name="Search systems")).to_be_focused()
    search(page, "canary")
    expect(card(page, "moonshine")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(card(page, "moonshine")).to_be_visible()


FILTERS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "Here now": lambda row: row["state"] == "available",
    "Open licence": lambda row: row["is_open"],
    "Streaming": lambda row: row["is_streaming"],
    "Chat": lambda row: row["can_chat"],
    "Word times": lambda row: row["has_word_times"],
}


def test_each_filter_leaves_what_it_says(visit: Visit) -> None:
    page = visit()
    for name, fits in FILTERS.items():
        wanted = {system for system, row in rows(page).items() if fits(row)}
        button = page.get_by_role("button", name=name, exact=True)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(page.locator(".es-found")).to_contain_text(f"{len(wanted)} of")
        everything = page.get_by_role("button", name="Show all")
        if everything.count():
            everything.click()
            expect(everything).to_have_count(0)
        assert shown(page) == wanted, name
        button.click()
        expect(page.locator(".es-found")).to_be_hidden()


def test_size_and_language_narrow_each_other(visit: Visit) -> None:
    page = visit()
    page.get_by_label("Understands the language").select_option("ja")
    page.get_by_label("Size").select_option("1e8")
    names = {
        name
        for name, row in rows(page).items()
        if "ja" in (row["languages"] or ()) and row["parameters"] is not None and row["parameters"] <= 1e8
    }
    expect(page.locator(".es-found")).to_contain_text(f"{len(names)} of")
    assert shown(page) == names


def test_a_preset_chooses_and_a_clear_unchooses(visit: Visit) -> None:
    page = visit()
    card(page, "pocketsphinx").uncheck()
    assert chosen(page) == ["moonshine"]
    preset = page.get_by_role("button", name="Offline now")
    preset.click()
    expect(preset).to_have_attribute("aria-pressed", "true")
    assert chosen(page) == ["moonshine", "pocketsphinx"]
    expect(page.locator("#es-selection [role=status]")).to_contain_text("2 chosen")
    page.get_by_role("button", name="Best small").click()
    expect(preset).to_have_attribute("aria-pressed", "false")
    for name in chosen(page):
        expect(card(page, name)).to_be_visible()  # out of the fold
        expect(card(page, name)).to_be_checked()
    page.locator("#es-selection").get_by_role("button", name="Clear").click()
    expect(page.locator("#es-selection [role=status]")).to_have_text("No system chosen")
    assert chosen(page) == []


def test_what_a_choice_takes_is_what_the_catalogue_says(visit: Visit) -> None:
    page = visit()
    known = {spec.name: spec for spec in offered(Settings())}
    for words, name in (("whisper small", "whisper"), ("whisper small", "faster-whisper"), ("canary", "canary")):
        search(page, words)
        card(page, name).check()
    told = rows(page)
    offers = [
        (
            known[name],
            Availability(
                told[name]["state"],
                download_bytes=told[name]["download_bytes"],
                placement=Placement(need_bytes=told[name]["need_bytes"]),
            ),
        )
        for name in chosen(page)
    ]
    takes = estimate(offers)
    assert takes.memory_bytes is not None
    line = page.locator("#es-selection [role=status]")
    expect(line).to_have_text(
        f"{len(offers)} chosen · downloads {figures.bytes_(takes.download_bytes)} "
        f"· needs {figures.bytes_(takes.memory_bytes)} of memory"
    )


def test_a_choice_is_remembered_and_names_that_mean_nothing_are_not(visit: Visit) -> None:
    page = visit()
    search(page, "whisper small")
    card(page, "whisper").check()
    again(page)
    expect(card(page, "whisper")).to_be_checked()  # among the first, out of the fold
    assert chosen(page) == ["moonshine", "pocketsphinx", "whisper"]
    for kept in ([HOSTILE, "nonesuch", f"moonshine#{HOSTILE}", "whisper"], [f"{OFF}"], "no list", [1, None]):
        page.evaluate("kept => localStorage.setItem('earshot.chosen', JSON.stringify(kept))", kept)
        again(page)
        expected = ["whisper"] if isinstance(kept, list) and "whisper" in kept else ["moonshine", "pocketsphinx"]
        assert chosen(page) == expected
    assert page.title() == "Earshot"


def again(page: Page) -> None:
    page.reload()
    page.wait_for_selector("#es-cards label")


def test_one_system_at_two_precisions_is_two_contenders_and_remembered(visit: Visit) -> None:
    page = visit()
    search(page, "whisper small")
    menu = page.locator('.es-told[data-system="whisper"]')
    menu.locator("summary").click()
    menu.get_by_label("bfloat16").check()
    page.keyboard.press("Escape")
    expect(menu.locator(".es-told-now")).to_contain_text("bfloat16")
    assert chosen(page) == ["moonshine", "pocketsphinx", "whisper", "whisper+bfloat16"]
    expect(page.locator("#es-selection [role=status]")).to_contain_text("4 chosen")
    again(page)
    assert chosen(page) == ["moonshine", "pocketsphinx", "whisper", "whisper+bfloat16"]


def test_what_is_asked_follows_what_the_chosen_can(visit: Visit) -> None:
    page = visit()
    language = page.get_by_label("Language", exact=True)
    target = page.get_by_label("Translate to")
    expect(page.locator("#es-selection [role=status]")).to_contain_text("2 chosen")
    expect(language).to_be_hidden()  # neither can be told one
    expect(target).to_be_hidden()
    expect(page.locator("#es-options")).to_contain_text("Word times (not Moonshine tiny)")
    search(page, "canary")
    card(page, "canary").check()
    expect(page.locator("#es-options p")).to_contain_text("Unless told, taken for English: Canary")
    target.select_option("en")
    expect(page.locator("#es-options p")).to_contain_text("Skipped until the spoken language is named")
    language.select_option("de")
    expect(page.locator("#es-options p")).to_contain_text("do not understand German: Moonshine tiny, PocketSphinx")
    expect(page.locator("#es-options p")).not_to_contain_text("Skipped until")
    expect(page.locator("#es-options p")).to_contain_text("do not translate to English: Moonshine tiny, PocketSphinx")
    expect(page.locator("#es-options p")).to_contain_text("A translation has no error rate")
    card(page, "canary").uncheck()
    expect(target).to_be_hidden()
    expect(language).to_be_hidden()
    expect(page.locator("#es-options p")).to_be_empty()
    search(page, "pocketsphinx")
    card(page, "pocketsphinx").uncheck()  # what is left can be asked nothing: no empty space stands for that
    expect(page.locator("#es-options")).to_be_hidden()


def test_the_button_is_on_the_first_screen_of_a_phone_and_what_cannot_run_is_folded(visit: Visit) -> None:
    page = visit(viewport={"width": 390, "height": 844})
    for name in ("Compare", "Cancel"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_in_viewport(ratio=1)
    absent = page.locator("#es-absent .off").first
    expect(absent).to_be_hidden()
    page.evaluate("document.querySelector('#es-absent details').open = true")  # as Gradio does with what it draws anew
    expect(absent).to_be_hidden()
    page.locator("#es-absent summary").click()
    expect(absent).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_nothing_serious_is_wrong_with_the_picker(visit: Visit, scheme: str, width: int) -> None:
    page = visit(color_scheme=scheme, viewport={"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width < 700:
        expect(page.get_by_label("Size")).to_be_hidden()
        page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="Chat", exact=True).click()
    expect(page.locator(".es-found")).to_contain_text("match")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    serious = [
        (each["id"], [node["html"][:160] for node in each["nodes"][:3]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    assert not serious
