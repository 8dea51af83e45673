"""A deployer's page: what ``earshot.toml`` adds, renames and hides, its served models and its presets, in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from comparisons import figures
from tests.browser.cards import again, card, chosen, rows, search, shown
from tests.browser.steps import Visit, column, give, state
from tests.commands import ROOT, finished
from tests.fault_server import FaultServer, fault_server, said
from tests.hub_folders import repository
from tests.hub_server import CHUNK_BYTES, Hub, serve
from tests.plays import script
from tests.serving import Served, serving, visiting
from tests.sounds import tone
from tests.stand_ins import in_cache
from tests.weight_files import checkpoint, safetensors
from ui import views

browser = pytest.mark.browser

KEY = "sesame-4711"
LABEL = "Moonshine <b>of the ward</b>"
SMALL = """
import shutil
from collections import namedtuple

import psutil

memory = psutil.virtual_memory()
psutil.virtual_memory = lambda: memory._replace(total=8_000_000_000, available=6_000_000_000)
shutil.disk_usage = lambda folder: namedtuple("usage", "total used free")(40_000_000_000, 20_000_000_000, 20_000_000_000)
"""
"""A machine on which what is free does not move between two looks: less of it than any has that runs these tests."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deployed")


@pytest.fixture(scope="module")
def lab() -> Iterator[FaultServer]:
    """The deployer's server, which hears the same in everything."""
    with fault_server() as found:
        found.answers = [said({"text": "hello there world"})]
        yield found


@pytest.fixture(scope="module")
def far() -> Iterator[Hub]:
    """A hub that has one model, at one revision."""
    hub = repository()
    hub.revision = "v2"
    with serve(hub) as found:
        yield found


@pytest.fixture(scope="module")
def play(folder: Path) -> str:
    return script(folder / "play.json", {"say": "hello there whirled"})


@pytest.fixture(scope="module")
def environment(folder: Path, far: Hub) -> dict[str, str]:
    """Where the page and the command line run alike."""
    (folder / "sitecustomize.py").write_text(SMALL, encoding="utf-8")
    return {
        "PYTHONPATH": f"{folder}:{ROOT}",
        "EARSHOT_DEVICE": "cpu",
        "EARSHOT_DOWNLOADS": "1",
        "EARSHOT_CACHE_FOLDER": str(folder / "cache"),
        "HF_HOME": str(folder / "home"),
        "HF_ENDPOINT": far.url,
        "HF_HUB_OFFLINE": "0",
        "TRANSFORMERS_OFFLINE": "0",
        "HF_TOKEN": "",
        "NO_PROXY": "127.0.0.1",
        "LAB_KEY": KEY,
    }


@pytest.fixture(scope="module")
def served(folder: Path, lab: FaultServer, play: str, environment: dict[str, str]) -> Iterator[Served]:
    """The whole catalogue, as a deployer changed it."""
    weights = {"model.safetensors": safetensors(("F32", 1000))}
    checkpoint(folder / "ward", weights, model_type="whisper")
    in_cache(folder / "home", "someone/kept", lambda there: checkpoint(there, weights, model_type="whisper"), revision="v3")
    settings = f"""
chosen = ["moonshine", "openai:a/model@lab"]
disabled_runners = ["ctc"]

[[models]]
name = "pocketsphinx"
hidden = true

[[models]]
name = "moonshine"
label = "{LABEL}"
license = "MIT"

[[models]]
name = "{play}"
label = "A play"
languages = ["de", "en"]

[[models]]
name = "whisper:{folder / "ward"}"
label = "Ward Whisper"

[[models]]
name = "whisper:someone/kept@v3"
label = "Kept Whisper"

[[models]]
name = "whisper:someone/kept@v4"
label = "Newer Whisper"

[[models]]
name = "whisper:somebody/model@v2"
label = "Somebody's Whisper"

[servers.lab]
base_url = "{lab.base_url}"
key = "LAB_KEY"
models = [{{ model = "a/model", label = "The lab's" }}]

[servers.shut]
base_url = "{lab.base_url}"
key = "NOBODY_SET_THIS"
models = [{{ model = "b" }}]

[presets]
"Ward round" = ["{play}", "openai:a/model@lab"]
"""
    with serving(folder, settings=settings, **environment) as app:
        yield app


def settled(page: Page) -> dict[str, dict[str, Any]]:
    """The rows, once the page knows of the machine's GPUs: then their reasons are the last."""
    page.wait_for_function("!window.earshotShelf.rows.some(({ reason }) => reason?.includes('looked for yet'))")
    expect(page.locator("#es-absent")).not_to_contain_text("looked for yet")
    return rows(page)


DRAWN = """
boxes => boxes.map(box => ({
  name: box.value,
  label: box.parentElement.querySelector("b").textContent,
  facts: box.parentElement.querySelector("span")?.textContent ?? "",
  why: box.closest(".off")?.querySelector("p").textContent ?? null,
}))
"""


def drawn(page: Page, part: str) -> dict[str, dict[str, str | None]]:
    """What the cards of a part of the page say, by their systems' names; runs of white space are one blank."""
    cards = page.locator(f"{part} .es-pick label > input[value]").evaluate_all(DRAWN)
    return {each["name"]: {key: " ".join(text.split()) if text else text for key, text in each.items()} for each in cards}


def worded(line: dict[str, Any], at_once: str | None = None) -> dict[str, str | None]:
    """How a card says what the command line says of a system.

    Args:
        at_once: how much it hears at once, where such cards say that.
    """
    facts = [
        views.parameters(line["parameters"]) if line["parameters"] else "",
        views.languages(line["languages"]) + (" and others" if line["understands_others"] else "") if line["languages"] else "",
        views.licence(line["license"]) if line["license"] else "",
    ]
    told = " · ".join(fact for fact in facts if fact)
    if line["state"] == "skipped":
        told = " · ".join(fact for fact in (told, at_once) if fact)
        why = f"{line['reason']} → {line['fix']}".replace("https://huggingface.co/", "huggingface.co/")  # a link there
        return {"name": line["name"], "label": line["label"], "facts": told, "why": why}
    where = "● here now"
    if line["server"]:
        where = f"served by {line['server']}"
    elif line["state"] == "download":
        size = line["download_bytes"]
        where = f"download {figures.bytes_(size)}" if size else "download"
    return {"name": line["name"], "label": line["label"], "facts": f"{told}{at_once or ''}{where}", "why": None}


def of_any(cards: dict[str, dict[str, str | None]]) -> dict[str, dict[str, str | None]]:
    """The cards, where a fix names any family: a card of systems of several families says FAMILY."""
    return {
        name: {**card, "why": re.sub(r"[\w-]+:FOLDER", "FAMILY:FOLDER", card["why"]) if card["why"] else None}
        for name, card in cards.items()
    }


@browser
def test_the_page_shows_what_the_command_line_says_of_every_system(
    visit: Visit, folder: Path, environment: dict[str, str]
) -> None:
    page = visit()
    on_page = settled(page)
    code, out, err = finished("runners", folder, "--json", **environment)
    assert code == 0, err
    told = {line["name"]: line for line in json.loads(out)}
    assert len(told) > 60
    assert set(on_page) == set(told)
    for name, line in told.items():
        assert {key: on_page[name][key] for key in line} == line
    assert {line["state"] for line in told.values()} == {"available", "download", "skipped"}
    whys = " ".join(f"{line['reason']} {line['fix']}" for line in told.values())
    for why in ("Switched off", "licence must be accepted", "6.0 GB free", "20.0 GB are free", "wants a key"):
        assert why in whys

    off = {name: worded(line) for name, line in told.items() if line["state"] == "skipped"}
    assert of_any(drawn(page, "#es-absent")) == of_any(off)
    expected = of_any({name: worded(line, on_page[name]["at_once"]) for name, line in told.items()})
    in_cards = {}
    for letter in "ae":  # each system has one of them in its names
        search(page, letter)
        page.get_by_role("button", name="Show all").click()
        in_cards |= of_any(drawn(page, "#es-cards"))
    assert in_cards == expected


@browser
def test_rows_presets_and_a_served_model_are_as_the_deployer_wrote_them(
    visit: Visit, served: Served, lab: FaultServer, play: str, tmp_path: Path
) -> None:
    page = visit()
    assert "pocketsphinx" not in settled(page)
    assert chosen(page) == ["moonshine", "openai:a/model@lab"]
    cards = drawn(page, "#es-cards")
    words = {
        "moonshine": (LABEL, "27 M · en · MIT20 s at once, then cut at pauses● here now"),
        play: ("A play", "de, en● here now"),
        f"whisper:{served.log.parent / 'ward'}": ("Ward Whisper", "30 s at once, then in windows● here now"),
        "whisper:someone/kept@v3": ("Kept Whisper", "30 s at once, then in windows● here now"),
        "whisper:someone/kept@v4": ("Newer Whisper", "30 s at once, then in windowsdownload"),
        "openai:a/model@lab": ("The lab's", "10 min at once, then cut at pausesserved by lab"),
    }
    assert {name: (cards[name]["label"], cards[name]["facts"]) for name in words} == words
    assert page.title() == "Earshot"

    page.get_by_role("button", name="Ward round").click()
    assert sorted(chosen(page)) == ["openai:a/model@lab", play]
    give(page, tone(tmp_path / "clip.wav"), "hello there world")
    page.click("#es-go")
    for name, rate in ((play, "33.3 %"), ("openai:a/model@lab", "0.0 %")):
        state(page, name, "ok")
        expect(column(page, name).locator(".es-rate")).to_have_text(rate)
    there = column(page, "openai:a/model@lab")
    expect(there).to_contain_text("The lab's")
    expect(there).to_contain_text("incl. network")
    expect(column(page, play)).not_to_contain_text("incl. network")
    assert {request.headers["authorization"] for request in lab.requests} == {f"Bearer {KEY}"}
    sent = page.content() + page.evaluate("JSON.stringify([window.gradio_config, window.earshotShelf])") + served.said()
    for secret in (KEY, "LAB_KEY", lab.base_url, lab.base_url.removeprefix("http://").removesuffix("/v1")):
        assert secret not in sent
    assert "NOBODY_SET_THIS" in sent  # whoever runs this is told which key is missing


@browser
def test_a_visitor_finds_reads_why_not_begins_a_download_and_comes_back_to_the_same_choice(
    visit: Visit, far: Hub, play: str
) -> None:
    page = visit()
    assert len(settled(page)) > 60
    search(page, "small whisper")
    expect(card(page, "whisper")).to_be_visible()
    assert shown(page) == {"whisper", "faster-whisper"}
    page.get_by_role("button", name="Ward round").click()
    expect(page.locator("#es-selection [role=status]")).to_contain_text("2 chosen")
    search(page, "wav2vec")
    off = page.locator("#es-cards .off").first
    expect(off).to_contain_text("Switched off by whoever runs this page")
    expect(off).to_contain_text("It is named in EARSHOT_DISABLED_RUNNERS; take it out to use it.")
    box = off.locator("input").first
    box.focus()
    box.press("Space")
    expect(box).not_to_be_checked()

    search(page, "somebody")
    system = "whisper:somebody/model@v2"
    page.locator(f'.es-told[data-system="{system}"] > summary').click()
    page.locator(f'[data-fetch="{system}"]').click()
    expect(page.get_by_role("button", name="Download Somebody's Whisper")).to_be_focused()
    far.stall_after = 12 * CHUNK_BYTES
    page.keyboard.press("Enter")
    load = page.locator('.es-model[data-id^="load somebody/model"]')
    expect(load).to_contain_text(re.compile(r"1[23] MB of 25 MB"), timeout=60_000)
    load.get_by_role("button", name="Cancel").click()
    expect(load).to_contain_text("are kept")
    assert any("v2" in asked for asked in far.asked)

    again(page)
    assert sorted(chosen(page)) == ["openai:a/model@lab", play]
    expect(page.get_by_role("button", name="Ward round")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("endpoint", ["compare", "ask"])
def test_nobody_makes_the_page_ask_an_address_of_their_own(served: Served, lab: FaultServer, endpoint: str) -> None:
    before = len(lab.requests)
    with fault_server() as stranger, visiting(served) as client:
        stranger.answers = [said({"text": "caught"})]
        address = stranger.base_url.removesuffix("/v1")
        field, rest = ("runner", {"question": "Why?"}) if endpoint == "ask" else ("runners", {})
        clip = handle_file(str(tone(served.log.parent / "asked.wav")))
        for server in (stranger.base_url, address, address.removeprefix("http://"), "elsewhere", f"lab@{address}"):
            named = {field: f"openai:x@{server}"}
            with pytest.raises(AppError, match=r"no server called.*The servers are: lab, shut"):
                client.predict(clip, **named, **rest, api_name=f"/{endpoint}")
        assert stranger.requests == []
    assert len(lab.requests) == before
