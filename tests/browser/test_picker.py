"""Choosing among all the systems of the catalogue, in a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from comparisons import outlay
from runners.base import Availability, Placement
from runners.catalogue.names import offered, spec_for
from runners.catalogue.presets import MOST, SMALL_PARAMETERS, Estimate, estimate
from runners.settings import Settings
from tests.browser.cards import ASKED, again, card, chosen, rows, search, shown
from tests.browser.conftest import HOSTILE
from tests.browser.steps import Visit
from tests.serving import Served, serving

pytestmark = pytest.mark.browser

OFF = "wav2vec2"
SERVERS = """
[servers.lab]
base_url = "http://127.0.0.1:9/v1"
models = [{model = "heard"}, {model = "streams", word_times = false}, {model = "asked", route = "chat", license = "MIT"}]
"""
UNHEARD_OF = "whisper:somebody/unheard-of"
"""A model of which nothing is known before it is fetched."""
FREE = "free => Object.defineProperty(earshotShelf, 'free', { get: () => free, set: () => {} })"
"""Lets the page believe in a disk with so much room, whatever the server tells it."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The whole catalogue and more, none of it here, and models of a server; what downloads would ask is never reached."""
    folder = tmp_path_factory.mktemp("picker")
    with serving(
        folder, settings=f'{SERVERS}\n[[models]]\nname = "{UNHEARD_OF}"\n', **ASKED, HF_HOME=str(folder / "hub")
    ) as app:
        yield app


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
    "Made for streaming": lambda row: row["is_streaming"],
    "Chat": lambda row: row["can_chat"],
    "Word times": lambda row: row["has_word_times"],
}


def all_shown(page: Page) -> set[str]:
    """Names of the systems that match, after "show all"."""
    everything = page.get_by_role("button", name="Show all")
    if everything.count():
        everything.click()
        expect(everything).to_have_count(0)
    return shown(page)


def test_each_filter_leaves_what_it_says(visit: Visit) -> None:
    page = visit()
    for name, fits in FILTERS.items():
        wanted = {system for system, row in rows(page).items() if fits(row)}
        button = page.get_by_role("button", name=name, exact=True)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(page.locator(".es-found")).to_contain_text(f"{len(wanted)} of")
        assert all_shown(page) == wanted, name
        button.click()
        expect(page.locator(".es-found")).to_be_hidden()


def test_what_is_streamed_by_a_server_is_found_beside_what_was_made_for_it(visit: Visit) -> None:
    page = visit()
    page.get_by_role("button", name="Made for streaming").click()
    names = all_shown(page)
    assert {"nemotron", "openai:streams@lab", "openai:asked@lab"} <= names
    assert "openai:heard@lab" not in names


def test_a_licence_is_chosen_as_the_cards_name_it(visit: Visit) -> None:
    page = visit()
    licence = page.get_by_label("Licence", exact=True)
    everything = rows(page)
    for choice, fits in {
        "Open licences": lambda row: row["license_is_open"] is True,
        "MIT": lambda row: row["license"] == "MIT",
        "NVIDIA Open Model licence": lambda row: row["license"] == "LicenseRef-NVIDIA-Open-Model",
        "Licence not named": lambda row: row["license"] is None,
    }.items():
        licence.select_option(label=choice)
        wanted = {name for name, row in everything.items() if fits(row)}
        assert wanted
        expect(page.locator(".es-found [role=status]")).to_have_text(f"{len(wanted)} of {len(everything)} systems match")
        assert all_shown(page) == wanted, choice
        assert all(choice in row["facts"] for name, row in everything.items() if name in wanted and row["license"]) or (
            choice == "Open licences"
        )
    groups = licence.locator("optgroup").evaluate_all("groups => groups.map(each => [...each.children].map(one => one.label))")
    assert [("MIT" in group, "NVIDIA Open Model licence" in group) for group in groups] == [(True, False), (False, True)]
    page.get_by_role("button", name="Clear filters").click()
    expect(licence).to_have_value("")


def test_size_and_language_narrow_each_other_and_hide_nothing_that_names_neither(visit: Visit) -> None:
    page = visit()
    everything = rows(page)
    page.get_by_label("Understands the language").select_option("ja")
    speaks = {name for name, row in everything.items() if "ja" in (row["languages"] or ())}
    silent = {name for name, row in everything.items() if row["languages"] is None or row["understands_others"]}
    assert {"gemma", "openai:heard@lab", "glm-asr"} <= silent
    found = page.locator(".es-found [role=status]")
    expect(found).to_have_text(
        f"{len(speaks)} of {len(everything)} systems match · {len(silent)} more do not name their languages"
    )
    assert all_shown(page) == speaks | silent
    unnamed = page.get_by_role("group", name="Languages not named")
    assert set(unnamed.locator("label > input[value]").evaluate_all("boxes => boxes.map(box => box.value)")) == silent
    page.get_by_label("Size", exact=True).select_option("1e8")
    small = {name for name in speaks if (everything[name]["parameters"] or 1e9) <= 1e8}
    unsure = {name for name in silent if (everything[name]["parameters"] or 0) <= 1e8}
    assert "gemma" not in unsure  # it names its size
    expect(found).to_have_text(
        f"{len(small)} of {len(everything)} systems match · {len(unsure)} more do not name their languages or size"
    )
    assert shown(page) == small | unsure
    page.get_by_label("Understands the language").select_option("")
    expect(page.get_by_role("group", name="Size not named").locator('input[value="pocketsphinx"]')).to_be_visible()


PRESETS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "Best small": lambda row: row["parameters"] < SMALL_PARAMETERS,
    "Best open": lambda row: row["license_is_open"],
    "Chat about audio": lambda row: row["can_chat"],
}


def test_a_preset_chooses_and_a_clear_unchooses(visit: Visit) -> None:
    page = visit()
    card(page, "pocketsphinx").uncheck()
    assert chosen(page) == ["moonshine"]
    preset = page.get_by_role("button", name="Offline now")
    preset.click()
    expect(preset).to_have_attribute("aria-pressed", "true")
    assert chosen(page) == ["moonshine", "pocketsphinx"]
    expect(page.locator("#es-selection [role=status]")).to_contain_text("2 chosen")
    for title, keeps in PRESETS.items():
        button = page.get_by_role("button", name=title)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(preset).to_have_attribute("aria-pressed", "false")
        everything, names = rows(page), chosen(page)
        assert 1 < len(names) <= MOST, title
        assert all(keeps(everything[name]) for name in names), title
        for name in names:
            expect(card(page, name)).to_be_visible()  # out of the fold
            expect(card(page, name)).to_be_checked()
        expect(page.locator("#es-selection [role=status]")).to_contain_text(f"{len(names)} chosen")
    page.locator("#es-selection").get_by_role("button", name="Clear").click()
    expect(page.locator("#es-selection [role=status]")).to_have_text("No system chosen")
    assert chosen(page) == []


def test_what_a_choice_takes_is_what_the_catalogue_says(visit: Visit) -> None:
    page = visit()
    known = {spec.name: spec for spec in (*offered(Settings()), spec_for(UNHEARD_OF))}
    names = (("whisper small", "whisper"), ("whisper small", "faster-whisper"), ("canary", "canary"), ("unheard", UNHEARD_OF))
    for words, name in names:
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
    assert takes.unknown_needs == (UNHEARD_OF,)
    line = page.locator("#es-selection [role=status]")
    expect(line).to_have_text(f"{len(offers)} chosen · {on_page(takes)}")
    card(page, UNHEARD_OF).uncheck()
    whole = estimate([offer for offer in offers if offer[0].name != UNHEARD_OF])
    expect(line).to_have_text(f"{len(offers) - 1} chosen · {on_page(whole)}")
    assert "at least" not in on_page(whole)


def on_page(takes: Estimate) -> str:
    """The command line's words as the page has them beside its button, where it names no system."""
    words = re.sub(r" \([^)]+\)", "", outlay.line(takes) or "").rstrip(".").replace("; ", " · ")
    return words[:1].lower() + words[1:]


def test_a_choice_that_the_disk_cannot_take_is_warned_of(visit: Visit, served: Served) -> None:
    page = visit()
    line = page.locator("#es-selection [role=status]")
    assert page.evaluate("earshotShelf.free") == pytest.approx(shutil.disk_usage(served.log.parent).free, rel=0.2)
    page.evaluate(FREE, 1_000_000_000)
    search(page, "whisper small")
    card(page, "whisper").check()
    expect(line).to_contain_text("3 chosen · downloads 972 MB · needs")
    card(page, "faster-whisper").check()
    warned = on_page(Estimate(972_000_000 + 486_000_000, (), None, None, disk_free_bytes=1_000_000_000))
    assert "more than" in warned
    expect(line).to_contain_text(f"4 chosen · {warned} · needs")
    expect(line.locator(".es-full")).to_have_text(warned)
    card(page, "faster-whisper").uncheck()
    expect(line.locator(".es-full")).to_have_count(0)


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
    assert page.evaluate("earshotShelf.mayUnderstand(earshotShelf.get('glm-asr'), 'de')")  # which is not among those it names
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
        expect(page.get_by_label("Size", exact=True)).to_be_hidden()
        page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="Chat", exact=True).click()
    page.get_by_label("Understands the language").select_option("de")
    page.get_by_label("Licence", exact=True).select_option("open")
    page.evaluate(FREE, 1)
    page.get_by_role("button", name="Best small").click()
    expect(page.get_by_role("group", name="Languages not named")).to_be_visible()
    expect(page.locator(".es-full")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    serious = [
        (each["id"], [node["html"][:160] for node in each["nodes"][:3]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    assert not serious
