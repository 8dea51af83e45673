"""The cards of the picker, and the whole catalogue behind them."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page

ASKED = {
    "EARSHOT_DOWNLOADS": "1",
    "EARSHOT_DISABLED_RUNNERS": "ctc",
    "HF_HUB_OFFLINE": "0",
    "TRANSFORMERS_OFFLINE": "0",
    "HF_ENDPOINT": "http://127.0.0.1:9",
}
"""An app that offers all of the catalogue but one family, and may download, from where nobody answers."""


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


def again(page: Page) -> None:
    page.reload()
    page.wait_for_selector("#es-cards label")
