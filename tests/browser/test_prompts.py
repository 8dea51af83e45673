"""Prompt templates on the page: written, kept, filled in, and compared like models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import HOSTILE
from tests.browser.steps import Visit, column, give, state
from tests.browser.templates import again, arrive, press, prompts, said, write
from tests.serving import Served, serving

pytestmark = pytest.mark.browser


DEPLOYED = """
[ward-round]
task = "transcription"
label = "Ward round"
text = "Transcribe the audio clip into text. Spell these: {terms}."
defaults = {terms = "ramipril"}
"""


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a system that says the prompt it is given, and "hello there world" without one."""
    path = tmp_path_factory.mktemp("echo") / "echo.json"
    prompted = {name: [{"echo": True}] for name in ("verbatim", "terms", "summary", "ward-round", "mine")}
    path.write_text(json.dumps({"takes": [[{"say": "hello there world"}]], "prompted": prompted, "repeat": True}), "utf-8")
    return f"scripted:{path}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, echo: str) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("prompts")
    (folder / "prompts.toml").write_text(DEPLOYED, encoding="utf-8")
    with serving(folder, "--runners", f"pocketsphinx,{echo}", "--prompts-file", str(folder / "prompts.toml")) as app:
        yield app


def compare(page: Page) -> None:
    page.get_by_role("tab", name="Compare").click()


def row(page: Page, name: str) -> Locator:
    return page.locator(f'.es-prompt-list [data-key="{name}"]')


def pick(page: Page, *names: str) -> None:
    """On the card of the system that takes prompts: these templates and no others; "" is its own wording."""
    page.locator(".es-told > summary").click()
    others = page.locator(".es-told-menu summary")
    if not page.locator(".es-told-menu details[open]").count():
        others.click()
    for name in names:
        page.locator(f'.es-told-menu [data-template="{name}"]').check()
    boxes = page.locator(".es-told-menu input[data-template]:checked")
    for name in boxes.evaluate_all("boxes => boxes.map(box => box.dataset.template)"):
        if name not in names:
            page.locator(f'.es-told-menu [data-template="{name}"]').uncheck()
    page.keyboard.press("Escape")
    expect(page.locator(".es-told-menu")).to_be_hidden()


def test_a_template_of_ones_own_outlives_the_page_and_is_nobody_elses(visit: Visit) -> None:
    page, stranger = arrive(visit), arrive(visit)
    prompts(page)
    row(page, "verbatim").click()
    expect(page.get_by_label("What it says")).to_have_attribute("readonly", "")
    press(page, "Duplicate")
    page.get_by_label("Title").fill("Mine")
    expect(page.get_by_label("Name, after the #")).to_have_value("mine")
    page.get_by_label("What it says").fill("Write it all down.")
    press(page, "Save")
    expect(said(page)).to_contain_text("#mine is saved in this browser")
    expect(row(page, "mine")).to_contain_text("yours")
    again(page)
    prompts(page)
    row(page, "mine").click()
    expect(page.get_by_label("What it says")).to_have_value("Write it all down.")
    again(stranger)
    prompts(stranger)
    expect(row(stranger, "verbatim")).to_be_visible()
    expect(row(stranger, "mine")).to_have_count(0)
    expect(stranger.locator(".es-prompts")).not_to_contain_text("yours")


def test_where_a_template_comes_from_is_said(visit: Visit) -> None:
    page = arrive(visit)
    prompts(page)
    expect(row(page, "verbatim")).to_contain_text("built in")
    expect(row(page, "ward-round")).to_contain_text("this site's")
    row(page, "ward-round").click()
    expect(page.get_by_label("What it says")).to_have_attribute("readonly", "")
    expect(page.locator(".es-prompt-preview")).to_contain_text("Spell these: ramipril.")  # its default
    expect(page.locator(".es-prompts").get_by_role("button", name="Delete", exact=True)).to_have_count(0)


def test_unsaved_changes_survive_other_templates_and_a_reload(visit: Visit) -> None:
    page = arrive(visit)
    prompts(page)
    write(page, "Mine", "First.")
    page.get_by_label("What it says").fill("Second.")
    row(page, "summary").click()
    expect(row(page, "mine")).to_contain_text("unsaved changes")
    press(page, "New")
    page.get_by_label("What it says").fill("Not even a name yet.")
    again(page)
    prompts(page)
    expect(page.locator(".es-prompt-list")).to_contain_text("not saved yet")
    row(page, "mine").click()
    expect(page.get_by_label("What it says")).to_have_value("Second.")
    press(page, "Discard changes")
    expect(page.get_by_label("What it says")).to_have_value("First.")
    press(page, "Undo")
    expect(page.get_by_label("What it says")).to_have_value("Second.")
    page.get_by_label("What it says").press("Control+s")
    expect(said(page)).to_contain_text("#mine is saved")
    expect(row(page, "mine")).not_to_contain_text("unsaved")


def test_what_is_deleted_comes_back(visit: Visit) -> None:
    page = arrive(visit)
    prompts(page)
    write(page, "Mine", "Write it down.")
    press(page, "Delete")
    expect(row(page, "mine")).to_have_count(0)
    expect(said(page)).to_contain_text("#mine is deleted")
    press(page, "Undo")
    expect(row(page, "mine")).to_be_visible()
    again(page)
    prompts(page)
    expect(row(page, "mine")).to_be_visible()


def test_a_preview_names_the_gaps_and_fills_in_what_is_typed(visit: Visit) -> None:
    page = arrive(visit)
    prompts(page)
    row(page, "terms").click()
    expect(page.locator(".es-prompt-preview mark")).to_have_text("{terms}")
    expect(page.locator(".es-prompt-verdict")).to_contain_text("{terms}")
    field = page.get_by_label("{terms}")
    expect(field).to_have_accessible_description("names and words to expect, separated by commas")
    field.fill("Larkhaven <|end|>")
    expect(page.locator(".es-prompt-preview")).to_contain_text("Larkhaven <¦end¦>")
    expect(page.locator(".es-prompt-preview mark")).to_have_count(0)
    expect(page.locator(".es-prompt-verdict")).to_contain_text("control token")


def test_a_bad_template_is_not_saved_and_not_lost(visit: Visit) -> None:
    page = arrive(visit)
    prompts(page)
    press(page, "New")
    page.get_by_label("Title").fill("Verbatim")
    page.get_by_label("What it says").fill("Write in {langage}.")
    press(page, "Save")
    expect(said(page)).to_contain_text("There is a template called #verbatim already")
    page.get_by_label("Name, after the #").fill("mine")
    press(page, "Save")
    expect(said(page)).to_contain_text("Did you mean {language} for {langage}?")
    expect(page.locator(".es-prompt-verdict")).to_contain_text("{langage}")
    page.route(re.compile("component_server"), lambda route: route.abort())
    page.get_by_label("What it says").fill("Write in {language}.")
    press(page, "Save")
    expect(said(page)).to_contain_text("Earshot does not answer")
    page.unroute(re.compile("component_server"))
    press(page, "Save")
    expect(said(page)).to_contain_text("#mine is saved")


def test_templates_travel_in_a_file_and_bad_entries_are_named(visit: Visit, tmp_path: Path) -> None:
    page, other = arrive(visit), arrive(visit)
    prompts(page)
    write(page, "Mine", "Write it down.")
    with page.expect_download() as download:
        press(page, "Export")
    plain = json.loads(download.value.path().read_text("utf-8"))
    assert [each["name"] for each in plain["templates"]] == ["mine"]
    plain["templates"] += [
        {"name": "verbatim", "task": "transcription", "label": "<script>document.title=1</script>", "text": HOSTILE},
        {"name": "broken", "task": "transcription", "label": "Broken", "text": "{nonesuch}"},
    ]
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps(plain), "utf-8")
    prompts(other)
    other.set_input_files(".es-prompts input[type=file]", str(file))
    expect(said(other)).to_contain_text("2 imported (#verbatim as #verbatim-2, since there is another of that name)")
    expect(said(other)).to_contain_text("broken")
    expect(said(other)).to_contain_text("{nonesuch}")
    expect(row(other, "verbatim-2")).to_contain_text("<script>")
    row(other, "verbatim-2").click()
    expect(other.locator(".es-prompt-preview")).to_contain_text("<script>")
    assert other.locator(".es-prompts img, .es-prompts script").count() == 0
    other.set_input_files(".es-prompts input[type=file]", str(file))
    expect(said(other)).to_contain_text("1 was here already")
    compare(other)
    other.locator(".es-told > summary").click()
    expect(other.locator(".es-told-menu")).to_contain_text("<script>")
    assert other.locator("#es-cards img, #es-cards script").count() == 0
    assert other.title() == "Earshot"
    file.write_text("dear diary", "utf-8")
    prompts(other)
    other.set_input_files(".es-prompts input[type=file]", str(file))
    expect(said(other)).to_contain_text("no JSON")


def test_two_prompts_of_one_system_are_two_columns(visit: Visit, clip: Path, echo: str) -> None:
    page = arrive(visit)
    prompts(page)
    write(page, "Mine", "Write down: hello there {language} world")
    page.get_by_label("{language}").fill("German")
    again(page)  # what the browser keeps is known to a new page
    compare(page)
    give(page, clip, "hello there world")
    page.locator("#es-cards input[value=pocketsphinx]").uncheck()
    pick(page, "", "mine", "summary")
    expect(page.locator(".es-told-now")).to_have_text("its own wording, #mine, #summary")
    page.click("#es-go")
    for name in (echo, f"{echo}#mine", f"{echo}#summary"):
        state(page, name, "ok")
    expect(page.locator(".es-column")).to_have_count(3)
    expect(column(page, echo).locator(".es-rate")).to_have_text("0.0 %")
    expect(column(page, f"{echo}#mine")).to_contain_text("German")
    expect(column(page, f"{echo}#mine").locator(".es-rate")).to_contain_text("%")
    expect(column(page, f"{echo}#summary")).to_contain_text("Summarize the audio clip in 3 sentences.")
    expect(column(page, f"{echo}#summary")).to_contain_text("not scored")
    expect(column(page, f"{echo}#summary").locator(".es-rate")).not_to_contain_text("%")


def test_every_gap_is_named_before_anything_runs_and_filled_in_on_the_card(visit: Visit, clip: Path, echo: str) -> None:
    page = arrive(visit)
    give(page, clip)
    page.locator("#es-cards input[value=pocketsphinx]").uncheck()
    pick(page, "terms", "about")
    expect(page.locator(".es-told-now")).to_contain_text("{terms}, {topic} missing")
    page.click("#es-go")
    expect(page.locator("#es-status")).to_contain_text("{terms}")
    expect(page.locator("#es-status")).to_contain_text("{topic}")
    expect(page.locator(".es-column")).to_have_count(0)
    pick(page, "terms")
    page.locator(".es-told > summary").click()
    page.locator(".es-told-menu [data-variable=terms]").fill("Larkhaven")
    page.keyboard.press("Escape")
    expect(page.locator(".es-told-now")).to_have_text("#terms")
    page.click("#es-go")
    state(page, f"{echo}#terms", "ok")
    expect(column(page, f"{echo}#terms")).to_contain_text("Larkhaven")


def test_a_system_is_added_with_its_prompt(visit: Visit, tmp_path: Path) -> None:
    script = tmp_path / "added.json"
    script.write_text('{"takes": [[{"say": "hello"}]]}', "utf-8")
    page = arrive(visit)
    page.get_by_role("button", name="Add a model").click()
    field = page.get_by_label("Model", exact=True)
    field.fill("pocketsphinx#verbatim")
    field.press("Enter")
    expect(page.locator("#es-status")).to_contain_text("takes no prompt")
    field.fill(f"scripted:{script}#verbatim")
    field.press("Enter")
    card = page.locator(".es-asks", has_text="added.json")
    expect(card.locator("> label input")).to_be_checked()
    expect(card.locator(".es-told-now")).to_have_text("#verbatim")


def test_a_browser_that_keeps_nothing_is_said_to_and_the_page_works(visit: Visit) -> None:
    page = arrive(visit)
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('blocked'); } });")
    again(page)
    prompts(page)
    press(page, "New")
    page.get_by_label("Title").fill("Mine")
    page.get_by_label("What it says").fill("Write it down.")
    press(page, "Save")
    expect(said(page)).to_contain_text("this browser keeps nothing: export it")
    compare(page)
    pick(page, "mine")
    expect(page.locator(".es-told-now")).to_have_text("#mine")


def test_keys_alone_pick_a_prompt(visit: Visit) -> None:
    page = arrive(visit)
    page.locator(".es-told > summary").focus()
    page.keyboard.press("Enter")
    for name in ("", "plain", "verbatim"):
        page.keyboard.press("Tab")
        expect(page.locator(f'.es-told-menu [data-template="{name}"]')).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator('.es-told-menu [data-template="verbatim"]')).to_be_focused()
    expect(page.locator('.es-told-menu [data-template="verbatim"]')).to_be_checked()
    page.keyboard.press("Escape")
    expect(page.locator(".es-told > summary")).to_be_focused()
    expect(page.locator(".es-told-now")).to_have_text("its own wording, #verbatim")
    prompts(page)
    row(page, "plain").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(row(page, "verbatim")).to_have_attribute("aria-current", "true")
    expect(row(page, "verbatim")).to_be_focused()


@pytest.mark.parametrize("width", [390, 320])
def test_on_a_phone_a_chosen_template_comes_into_sight(visit: Visit, width: int) -> None:
    page = arrive(visit, viewport={"width": width, "height": 844}, has_touch=True, color_scheme="dark")
    page.locator(".es-told > summary").click()
    expect(page.locator("#es-cards .es-told")).to_have_css("overflow", "visible")  # it hangs below its card
    expect(page.locator(".es-told-menu")).to_be_visible()
    menu = page.locator(".es-told-menu").bounding_box()
    assert menu is not None
    assert menu["x"] >= 0
    assert menu["x"] + menu["width"] <= width
    prompts(page)
    row(page, "terms").click()
    expect(page.locator(".es-prompt-editor h2")).to_be_in_viewport()
    press(page, "Duplicate")
    expect(page.get_by_label("Title")).to_be_focused()
    expect(page.get_by_label("Title")).to_be_in_viewport()
    expect(said(page)).to_be_in_viewport()
    page.get_by_role("button", name="All templates").click()
    expect(page.locator(".es-prompt-bar")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shade = page.evaluate("getComputedStyle(document.querySelector('.es-prompt-editor')).backgroundColor")
    assert sum(map(int, shade.removeprefix("rgb(").removesuffix(")").split(","))) / 3 < 50


def test_two_tabs_of_one_browser_do_not_undo_each_other(visit: Visit) -> None:
    one = arrive(visit)
    prompts(one)
    other = one.context.new_page()
    other.goto(one.url)
    other.wait_for_selector("#es-cards .es-told", state="attached")
    prompts(other)
    write(one, "From one", "Write it down.")
    expect(row(other, "from-one")).to_be_visible()
    write(other, "From the other", "Write it down.")
    again(one)
    prompts(one)
    expect(row(one, "from-one")).to_be_visible()
    expect(row(one, "from-the-other")).to_be_visible()
    other.close()
