"""Asking about a clip on the page, in a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import HOSTILE
from tests.browser.steps import Visit, give
from tests.browser.templates import again, arrive, press, prompts, write
from tests.serving import Served, serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def systems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Names of systems that can talk, by what they do."""
    folder = tmp_path_factory.mktemp("systems")

    def script(name: str, **plays: Any) -> str:
        path = folder / f"{name}.json"
        path.write_text(json.dumps({"takes": [[{"say": "hello"}]], "repeat": True, **plays}), encoding="utf-8")
        return f"scripted:{path}"

    endless = [{"say": "it goes on "}, {"wait": 600}]
    listed = "## Actions\n\n- **Helen** calls back\n- Tom waits\n\nThat is all."
    return {
        "echo": script("echo", answers=[[{"say": "You said: "}, {"echo": True}]]),
        "journey": script("journey", answers=[*[[{"say": "You said: "}, {"echo": True}]] * 3, endless, [{"echo": True}]]),
        "endless": script("endless", answers=[endless]),
        "dies": script("dies", answers=[[{"say": "fine"}], [{"say": "it beg"}, {"kill": True}]]),
        "listed": script("listed", answers=[[{"say": listed}]]),
        "hostile": script("hostile <b>", answers=[[{"say": f"{HOSTILE} ![x](http://elsewhere.invalid/x.png)"}]]),
        "loading": script("loading", load=[{"wait": 600}]),
    }


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a checkpoint of Phi-4-multimodal from outside; nothing in it can be loaded."""
    folder = tmp_path_factory.mktemp("checkpoint")
    (folder / "speech-lora").mkdir()
    for name in ("tokenizer.json", "preprocessor_config.json", "speech-lora/adapter_config.json"):
        (folder / name).write_text("{}", encoding="utf-8")
    (folder / "config.json").write_text('{"model_type": "phi4_multimodal"}', encoding="utf-8")
    for name in ("model.safetensors", "speech-lora/adapter_model.safetensors"):
        weigh(folder / name, 1000)
    return folder


def weigh(path: Path, number_of_bytes: int) -> None:
    """A file of weights of that size; it takes no room on the disk."""
    tensor = {"dtype": "U8", "shape": [number_of_bytes], "data_offsets": [0, number_of_bytes]}
    header = json.dumps({"weight": tensor}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    os.truncate(path, 8 + len(header) + number_of_bytes)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, systems: dict[str, str], checkpoint: Path) -> Iterator[Served]:
    names = ",".join(["pocketsphinx", *systems.values(), "phi4-multimodal", f"phi4-multimodal:{checkpoint}"])
    with serving(tmp_path_factory.mktemp("ask"), "--runners", names, GRADIO_HEARTBEAT_INTERVAL="0.2") as app:
        yield app


def open_tab(page: Page) -> None:
    page.get_by_role("tab", name="Ask").click()
    expect(page.locator("#es-composer form")).to_be_visible()


def sample(page: Page) -> None:
    """Take the first sample on the Ask tab."""
    page.click("#es-ask-sample input")
    page.locator("#es-ask-sample [role=option]").nth(1).click()
    expect(page.locator("#es-ask-clip")).to_contain_text("kHz")
    expect(quick(page, "Summarise")).to_be_enabled()


def take(page: Page, system: str) -> None:
    page.locator(f'#es-systems input[value="{system}"]').check()


def chosen(page: Page) -> Locator:
    return page.locator("#es-systems input:checked")


def others(page: Page) -> Locator:
    """The button that unfolds the systems on a phone."""
    return page.locator(".es-others")


def quick(page: Page, name: str) -> Locator:
    return page.locator("#es-composer").get_by_role("button", name=name, exact=True)


def ask(page: Page, words: str) -> None:
    page.get_by_label("Your question").fill(words)
    page.get_by_label("Your question").press("Enter")


def exchange(page: Page, number: int) -> Locator:
    return page.locator(".es-exchange").nth(number - 1)


def state(page: Page, number: int, expected: str) -> None:
    expect(exchange(page, number)).to_have_attribute("data-state", expected)


def ready(page: Page, system: str, **options: Any) -> Page:
    open_tab(page)
    sample(page)
    take(page, system)
    return page


def test_from_a_sample_to_an_export(visit: Visit, systems: dict[str, str]) -> None:
    page = arrive(visit)
    prompts(page)
    write(page, "Mine", "Say what matters to us.")
    again(page)
    ready(page, systems["journey"])
    quick(page, "Transcribe").click()
    state(page, 1, "ok")
    expect(exchange(page, 1)).to_contain_text("You said: Transcribe the audio clip into text.")
    expect(exchange(page, 1)).to_contain_text("to the first token")
    expect(exchange(page, 1)).to_contain_text("tokens of context")
    quick(page, "Summarise").click()
    state(page, 2, "ok")
    ask(page, "Who speaks?")
    state(page, 3, "ok")
    expect(exchange(page, 3).locator(".es-prose")).to_have_text("You said: Who speaks?")
    ask(page, "And to whom?")
    expect(exchange(page, 4)).to_contain_text("it goes on")
    page.locator(".es-halt").click()
    state(page, 4, "cancelled")
    edit_template(page, "mine", "Say what matters to {topic}.")
    expect(page.locator(".es-exchange")).to_have_count(4)  # kept, while somebody was elsewhere
    page.select_option(".es-templates", label="Mine")
    expect(page.locator(".es-draft mark")).to_have_text("{topic}")
    expect(page.locator(".es-verdict")).to_contain_text("{topic}")
    expect(page.locator(".es-send")).to_be_disabled()
    page.locator('#es-composer [data-variable="topic"]').fill("the crew")
    expect(page.locator(".es-rendered")).to_have_text("Say what matters to the crew.")
    expect(page.locator(".es-send")).to_be_enabled()
    page.locator('#es-composer [data-variable="topic"]').press("Enter")
    state(page, 5, "ok")
    expect(exchange(page, 5).locator(".es-prose")).to_have_text("Say what matters to the crew.")
    with page.expect_download() as download:
        page.click("#es-ask-export button[data-kind=json]")
    kept = json.loads(download.value.path().read_text("utf-8"))
    assert [each["prompt"]["template"] for each in kept["exchanges"]] == ["plain", "summary", None, None, "mine"]
    assert download.value.suggested_filename.endswith("-conversation.json")
    with page.expect_download() as download:
        page.click("#es-ask-export button[data-kind=md]")
    assert "And to whom?" in download.value.path().read_text("utf-8")
    page.get_by_role("button", name="Clear").last.click()
    expect(page.locator(".es-exchange")).to_have_count(0)
    ask(page, "Still there?")
    state(page, 1, "ok")
    press_prompts_again(page)


def edit_template(page: Page, name: str, text: str) -> None:
    """Other words for a template of one's own; back on the Ask tab afterwards."""
    page.get_by_role("tab", name="Prompts").click()
    page.locator(f'.es-prompt-list [data-key="{name}"]').click()
    page.get_by_label("What it says").fill(text)
    press(page, "Save")
    expect(page.locator(".es-prompt-said")).to_contain_text("is saved")
    open_tab(page)


def press_prompts_again(page: Page) -> None:
    """A template that is deleted is no longer offered."""
    page.get_by_role("tab", name="Prompts").click()
    page.locator('.es-prompt-list [data-key="mine"]').click()
    press(page, "Delete")
    open_tab(page)
    expect(page.locator(".es-templates option", has_text="Mine")).to_have_count(0)


def test_an_answer_is_stopped_edited_and_asked_again(visit: Visit, systems: dict[str, str]) -> None:
    page = ready(visit(), systems["endless"])
    quick(page, "Summarise").click()
    expect(exchange(page, 1)).to_contain_text("it goes on")
    expect(exchange(page, 1)).to_have_attribute("aria-busy", "true")
    expect(page.locator(".es-halt")).to_be_focused()
    expect(page.locator("#es-ask-export button[data-kind=md]")).to_be_disabled()
    page.keyboard.press("Escape")
    state(page, 1, "cancelled")
    expect(exchange(page, 1)).to_contain_text("it goes on")
    expect(exchange(page, 1)).to_contain_text("stopped")
    expect(quick(page, "Summarise")).to_be_focused()
    page.get_by_role("button", name="Edit the last question").click()
    field = page.locator(".es-editor textarea")
    expect(field).to_be_focused()
    field.press("Escape")
    expect(field).to_have_count(0)
    expect(page.get_by_role("button", name="Edit the last question")).to_be_focused()
    page.keyboard.press("Enter")
    field.fill("Other words")
    field.press("Enter")
    expect(exchange(page, 1).locator(".es-said")).to_have_text("Other words")
    expect(exchange(page, 1)).to_contain_text("it goes on")
    page.locator(".es-halt").click()
    state(page, 1, "cancelled")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".es-halt")).to_be_visible()
    take(page, systems["echo"])
    expect(page.locator("#es-ask-status")).to_contain_text("begins a new conversation")
    page.keyboard.press("Escape")
    state(page, 1, "cancelled")
    expect(page.locator(".es-exchange")).to_have_count(1)
    expect(page.locator("#es-ask-status")).to_contain_text("begins a new conversation")  # and is not forgotten


def test_words_are_typed_in_lines_and_sent_as_they_are_shown(visit: Visit, systems: dict[str, str]) -> None:
    page = ready(visit(), systems["echo"])
    field = page.get_by_label("Your question")
    expect(page.locator(".es-send")).to_be_disabled()
    field.fill("One <|end|>")
    expect(page.locator(".es-safe")).to_contain_text("It will be sent as: One <¦end¦>")
    field.press("Shift+Enter")
    field.press_sequentially("two")
    field.press("Enter")
    state(page, 1, "ok")
    expect(exchange(page, 1).locator(".es-said")).to_have_text(re.compile(r"One <¦end¦>\s+two"))
    expect(field).to_have_value("")
    expect(field).to_be_focused()
    exchange(page, 1).get_by_role("button", name="Copy").click()
    expect(exchange(page, 1)).to_contain_text("Copied")


def test_an_answer_reads_as_text_and_lists(visit: Visit, systems: dict[str, str]) -> None:
    page = ready(visit(), systems["listed"])
    ask(page, "What is to be done?")
    state(page, 1, "ok")
    prose = exchange(page, 1).locator(".es-prose")
    expect(prose.locator("li")).to_have_text(["Helen calls back", "Tom waits"])
    expect(prose.locator("b")).to_have_text("Helen")
    expect(prose).not_to_contain_text("#")


def test_what_a_model_says_is_text_and_fetches_nothing(visit: Visit, systems: dict[str, str]) -> None:
    page = ready(visit(), systems["hostile"])  # ``visit`` fails if anything beyond this machine is asked for
    ask(page, HOSTILE)
    state(page, 1, "ok")
    expect(exchange(page, 1).locator(".es-prose")).to_contain_text("<img")
    assert page.locator("#es-talk img, #es-talk script, #es-talk a, #es-systems b b").count() == 0
    assert "taken over" not in page.title()


def test_a_child_killed_in_mid_answer_leaves_the_conversation_and_the_page(visit: Visit, systems: dict[str, str]) -> None:
    page = ready(visit(), systems["dies"])
    ask(page, "One?")
    state(page, 1, "ok")
    ask(page, "Two?")
    state(page, 2, "skipped")
    expect(exchange(page, 1)).to_contain_text("fine")
    expect(exchange(page, 2)).to_contain_text("it beg")
    expect(exchange(page, 2)).to_contain_text("killed")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    take(page, systems["echo"])
    expect(page.locator("#es-ask-status")).to_contain_text("begins a new conversation")
    ask(page, "Three?")
    state(page, 1, "ok")
    expect(page.locator(".es-exchange")).to_have_count(1)
    expect(page.locator("#es-ask-status p")).to_be_empty()


def test_what_a_checkpoint_lacks_is_said_in_the_conversation(visit: Visit, systems: dict[str, str], checkpoint: Path) -> None:
    page = ready(visit(), f"phi4-multimodal:{checkpoint}")  # it was whole when the page looked
    adapter = checkpoint / "speech-lora" / "adapter_config.json"
    adapter.rename(checkpoint / "elsewhere")
    ask(page, "One?")
    state(page, 1, "skipped")
    expect(exchange(page, 1).locator(".es-fault")).to_contain_text("lacks speech-lora/adapter_config.json")
    (checkpoint / "elsewhere").rename(adapter)
    weigh(checkpoint / "model.safetensors", 200_000_000_000)
    ask(page, "Two?")
    state(page, 2, "skipped")
    expect(exchange(page, 2).locator(".es-fault")).to_contain_text("GB free")
    shutil.rmtree(checkpoint)
    ask(page, "Three?")
    state(page, 3, "skipped")
    expect(exchange(page, 3).locator(".es-fault")).to_contain_text("is not there")
    expect(exchange(page, 1).locator(".es-said")).to_have_text("One?")  # the conversation is kept
    expect(page.locator("#es-ask-export button[data-kind=md]")).to_be_enabled()
    take(page, systems["echo"])
    ask(page, "Four?")  # and the page is alive
    state(page, 1, "ok")


def test_the_clip_of_compare_comes_along_and_a_conversation_is_not_taken_away(
    visit: Visit, clip: Path, systems: dict[str, str], tmp_path: Path
) -> None:
    page = visit()
    give(page, clip)
    open_tab(page)
    expect(page.locator("#es-ask-clip")).to_contain_text("onerror")  # its hostile name, as text
    take(page, systems["echo"])
    ask(page, "What is it?")
    state(page, 1, "ok")
    page.get_by_role("tab", name="Compare").click()
    page.click("#es-sample input")
    page.locator("#es-sample [role=option]").first.click()
    expect(page.locator("#es-clip")).not_to_contain_text("onerror")
    open_tab(page)
    expect(page.locator("#es-ask-clip")).to_contain_text("onerror")
    page.get_by_role("button", name="Use the clip from Compare").click()
    expect(page.locator("#es-ask-clip")).not_to_contain_text("onerror")
    expect(page.locator("#es-ask-status")).to_contain_text("begins a new conversation")
    expect(page.locator(".es-exchange")).to_have_count(1)


def test_two_visitors_talk_apart_and_a_closed_tab_ends_its_answer(visit: Visit, systems: dict[str, str]) -> None:
    one, other = ready(visit(), systems["endless"]), ready(visit(), systems["echo"])
    ask(one, "A secret?")
    expect(exchange(one, 1)).to_contain_text("it goes on")
    ask(other, "Mine?")
    state(other, 1, "queued")  # the device is taken
    expect(exchange(other, 1)).to_contain_text("waits for its turn")
    expect(other.locator("#es-talk")).not_to_contain_text("secret")
    one.reload()
    state(other, 1, "ok")
    open_tab(one)
    expect(one.locator(".es-exchange")).to_have_count(0)
    expect(one.locator("#es-talk")).to_contain_text("Ask about a clip")
    expect(other.locator(".es-exchange")).to_have_count(1)


def test_a_system_chosen_while_the_clip_is_looked_at_stays_chosen(visit: Visit, systems: dict[str, str]) -> None:
    page = visit()
    open_tab(page)
    late: list[Route] = []
    page.route("**/queue/join*", lambda route: late.append(route) if is_about_a_sample(route) else route.continue_())
    page.click("#es-ask-sample input")
    page.locator("#es-ask-sample [role=option]").nth(1).click()
    expect(page.locator("#es-ask-audio #waveform")).to_be_visible()
    take(page, systems["listed"])
    for route in late:
        route.continue_()
    page.unroute_all()
    expect(quick(page, "Summarise")).to_be_enabled()
    expect(page.locator("#es-ask-clip")).to_contain_text("kHz")
    expect(chosen(page)).to_have_value(systems["listed"])
    ask(page, "Who is it?")
    state(page, 1, "ok")
    expect(exchange(page, 1).locator(".es-prose")).to_contain_text("Helen")


def is_about_a_sample(route: Route) -> bool:
    return "samples/" in (route.request.post_data or "") or ".flac" in (route.request.post_data or "")


def test_loading_is_told_and_can_be_stopped(visit: Visit, systems: dict[str, str]) -> None:
    page = ready(visit(), systems["loading"])
    ask(page, "Well?")
    expect(exchange(page, 1)).to_contain_text("loading the model")
    page.locator(".es-halt").click()
    state(page, 1, "cancelled")
    expect(page.locator(".es-send")).to_be_visible()


def test_without_a_clip_and_where_nothing_can_talk_it_says_what_to_do(visit: Visit) -> None:
    page = visit()
    open_tab(page)
    expect(page.locator("#es-talk")).to_contain_text("Drop one in")
    expect(quick(page, "Transcribe")).to_be_disabled()
    expect(page.locator(".es-why")).to_contain_text("clip")
    page.locator("#es-systems summary").click()
    off = page.locator("#es-systems .off", has_text="Phi-4-multimodal")
    expect(off).to_contain_text("Its weights")
    expect(off).to_contain_text("→")


def test_with_no_system_that_can_talk_each_says_why(tmp_path: Path, browser: Any) -> None:
    with serving(tmp_path, "--runners", "pocketsphinx,phi4-multimodal,qwen2-audio") as app:
        page = browser.new_page()
        try:
            page.goto(app.url)
            page.wait_for_selector("#es-cards label")
            open_tab(page)
            expect(page.locator("#es-talk")).to_contain_text("Nothing here can answer yet")
            expect(page.locator("#es-systems .off").first).to_be_visible()
            for label in ("Phi-4-multimodal", "Qwen2-Audio"):
                expect(page.locator("#es-systems")).to_contain_text(label)
            expect(page.locator(".es-why")).to_contain_text("No system")
            children = psutil.Process(app.process.pid).children(recursive=True)
            assert not [child for child in children if "runners.worker" in " ".join(child.cmdline())]  # nothing was loaded
        finally:
            page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone(visit: Visit, systems: dict[str, str], theme: str) -> None:
    page = visit(viewport={"width": 390, "height": 844}, color_scheme=theme)
    open_tab(page)
    expect(page.locator("#es-talk")).to_contain_text("Drop one in")
    expect(page.locator(".es-send")).to_be_in_viewport(ratio=1)  # clip, system and conversation on one screen
    sample(page)
    expect(page.locator(".es-send")).to_be_in_viewport(ratio=1)
    expect(page.locator("#es-systems label:visible")).to_have_count(1)
    others(page).click()
    take(page, systems["listed"])
    expect(page.locator("#es-systems label:visible")).to_have_count(1)  # folded to the chosen one
    expect(page.locator("#es-systems label:visible input")).to_have_value(systems["listed"])
    ask(page, "A word of a hundred letters: " + "x" * 100)
    state(page, 1, "ok")
    page.select_option(".es-templates", "in-language")
    expect(page.locator(".es-draft")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.locator(".es-send")).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(page.locator(".es-draft")).to_be_hidden()
    expect(page.get_by_label("Your question")).to_be_in_viewport()


def test_keys_alone_unfold_the_systems_on_a_phone(visit: Visit, systems: dict[str, str]) -> None:
    page = visit(viewport={"width": 390, "height": 844})
    open_tab(page)
    first = chosen(page).input_value()
    others(page).focus()
    page.keyboard.press("Enter")
    expect(chosen(page)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(chosen(page)).not_to_have_value(first)
    expect(chosen(page)).to_be_focused()
    expect(others(page)).to_have_attribute("aria-expanded", "true")  # as long as keys go through them
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")  # past those that cannot run
    expect(others(page)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#es-systems label:visible")).to_have_count(1)
