"""A browser, and pages of the real app in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser import chromium
from tests.plays import script
from tests.serving import Served, serving
from tests.sounds import tone

HOSTILE = "<img src=x onerror=\"document.title='taken over'\"><script>document.title='taken over'</script>"
"""Text that shows in the title if a page ever takes it for HTML."""

NEW_VISITOR = """
if (!window.name) {
  window.name = "visited";
  try { localStorage.removeItem("earshot.chosen"); } catch { /* kept by nobody */ }
}
"""
"""Forgets what an earlier test chose, when a tab opens its first page and not when it is loaded again."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = chromium.find()
    if found is None:
        pytest.skip("no Chromium here: python -m tests.browser.chromium installs one")
    expect.set_options(timeout=40_000)  # a busy machine draws late
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(chromium.FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Names of scripted contenders, by what they do."""
    folder = tmp_path_factory.mktemp("scripts")

    return {
        "hello": script(folder / "hello.json", {"say": "hello there world"}),
        "hello again": script(folder / "hello again.json", {"say": "hello there whirled"}),
        "endless": script(folder / "endless.json", {"say": "it goes on "}, {"wait": 600}),
        "endless too": script(folder / "endless-too.json", {"wait": 600}),
        "endless three": script(folder / "endless-three.json", {"wait": 600}),
        "hostile": script(folder / "hostile <b>.json", {"say": HOSTILE}),
        "hostile fault": script(folder / "hostile-fault.json", {"raise": HOSTILE, "fix": HOSTILE}),
    }


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, scripts: dict[str, str]) -> Iterator[Served]:
    names = ",".join(["moonshine", "pocketsphinx", "whisper", "scripted:crashes", *scripts.values()])
    with serving(tmp_path_factory.mktemp("browser"), "--runners", names) as app:
        yield app


@pytest.fixture(scope="session")
def kinds(browser: Browser) -> dict[str, BrowserContext]:
    """Browser contexts by their options; tests share them, so that scripts are fetched and compiled once."""
    return {}


@pytest.fixture
def visit(browser: Browser, served: Served, kinds: dict[str, BrowserContext]) -> Iterator[Callable[..., Page]]:
    """Opens the page for a new visitor . Afterwards: no script failed, nothing left this machine."""
    pages: list[Page] = []
    faults: list[str] = []

    def open_page(**options: Any) -> Page:
        kind = f"{options} {len(pages)}"  # a tab behind another would be slow: browsers save their time
        if kind not in kinds:
            kinds[kind] = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
            kinds[kind].set_default_timeout(30_000)
        page = kinds[kind].new_page()
        page.add_init_script(NEW_VISITOR)
        pages.append(page)
        page.on("pageerror", lambda error: faults.append(f"script: {error}"))
        page.on("request", lambda request: _is_ours(request.url) or faults.append(f"request: {request.url}"))
        page.goto(served.url)
        page.wait_for_selector("#es-audio input[type=file]", state="attached")
        page.wait_for_selector("#es-cards label")
        return page

    yield open_page
    for page in pages:
        page.close()
    assert not faults


def _is_ours(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "data:", "blob:"))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A second of sound under a hostile name."""
    return tone(tmp_path / "<img src=x onerror=alert(1)>.wav")
