"""Models are fetched, followed, cancelled, taken up and removed on their tab, from a hub that runs on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from gradio_client import Client
from playwright.sync_api import Locator, Page, expect

from tests.browser.steps import Visit
from tests.hub_folders import repository
from tests.hub_server import CHUNK_BYTES, Hub, serve
from tests.serving import Served, serving

pytestmark = pytest.mark.browser


SYSTEM = "whisper:somebody/model"


@pytest.fixture(scope="module")
def far() -> Iterator[Hub]:
    with serve(repository()) as hub:
        yield hub


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, far: Hub) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("models")
    there = {
        "HF_HOME": str(folder / "home"),
        "HF_ENDPOINT": far.url,
        "HF_HUB_OFFLINE": "0",
        "HF_TOKEN": "",
        "NO_PROXY": "127.0.0.1",
    }
    with serving(folder, "--runners", f"pocketsphinx,whisper,faster-whisper,ctc,{SYSTEM}", **there) as app:
        yield app


def models(page: Page) -> None:
    page.get_by_role("tab", name="Models").click()
    expect(page.locator(".es-models-list")).to_contain_text("To download")


def row(page: Page, start: str) -> Locator:
    return page.locator(f'.es-model[data-id^="{start}"]')


def told(page: Page) -> Locator:
    return page.locator(".es-models [role=status]")


def search(page: Page) -> Locator:
    return page.get_by_role("searchbox", name="Search models")


def test_a_download_is_followed_cancelled_taken_up_and_removed(visit: Visit, far: Hub) -> None:
    far.stall_after = 12 * CHUNK_BYTES
    whole = f"{len(far.files['model.safetensors']) / 1e6:.0f} MB"
    page = visit()
    models(page)
    search(page).fill("somebody")
    expect(told(page)).to_contain_text("1 of ")
    page.get_by_role("button", name="Download model").click()
    load = row(page, "load somebody/model")
    expect(load).to_contain_text(re.compile(rf"1[23] MB of {whole}"), timeout=60_000)
    expect(load.get_by_role("progressbar")).to_be_visible()

    page.reload()  # the download goes on, and whoever comes back sees it
    models(page)
    expect(load).to_contain_text(f"of {whole}")
    load.get_by_role("button", name="Cancel").click()
    expect(load).to_contain_text("are kept")

    far.stall_after = None
    far.release.set()
    load.get_by_role("button", name="Resume").click()
    expect(load).to_contain_text(f"{whole} fetched", timeout=60_000)
    assert far.ranges
    here = row(page, "hub somebody/model")
    expect(here).to_contain_text("last used today")
    load.get_by_role("button", name="Dismiss").click()
    expect(load).to_have_count(0)

    here.get_by_role("button", name="Remove").click()
    expect(here.get_by_role("button", name="Keep")).to_be_focused()
    page.keyboard.press("Escape")
    expect(here.get_by_role("button", name="Remove")).to_be_focused()
    here.get_by_role("button", name="Remove").click()
    here.get_by_role("button", name="Delete").click()
    expect(told(page)).to_contain_text(f"somebody/model is removed: {whole} freed.")
    expect(here).to_have_count(0)
    expect(page.get_by_role("button", name="Download model")).to_be_visible()


def test_models_are_found_by_their_words(visit: Visit) -> None:
    page = visit()
    models(page)
    search(page).fill("whisper small")
    expect(page.locator(".es-model[data-words]:visible")).to_have_count(2)
    search(page).fill("zzz")
    expect(told(page)).to_have_text("No model matches.")
    expect(page.locator(".es-model[data-words]:visible")).to_have_count(0)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".es-model[data-words]:visible")).not_to_have_count(0)
    expect(search(page)).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_is_wrong_with_the_tab(visit: Visit, scheme: str) -> None:
    page = visit(color_scheme=scheme)
    models(page)
    found = Axe().run(page, "#es-models").response["violations"]
    serious = [
        (each["id"], [node["html"][:160] for node in each["nodes"][:3]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    assert not serious


def test_a_phone_shows_the_models_without_scrolling_sideways(visit: Visit) -> None:
    page = visit(viewport={"width": 390, "height": 844})
    models(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_programs_see_the_models_too(served: Served, tmp_path: Path) -> None:
    client = Client(served.url, verbose=False, download_files=str(tmp_path))
    assert isinstance(client.predict(api_name="/models"), list)
    last = client.submit(SYSTEM, api_name="/download")
    assert last.result(60)["state"] == "done"
    assert [each["name"] for each in client.predict(api_name="/models")] == ["somebody/model"]
