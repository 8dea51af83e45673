"""The Prompts tab, step by step."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.browser.steps import Visit


def arrive(visit: Visit, **options: object) -> Page:
    """The page, in a browser that keeps nothing yet."""
    page = visit(**options)
    page.evaluate("localStorage.clear()")
    again(page)
    return page


def again(page: Page) -> None:
    page.reload()
    page.wait_for_selector("#es-cards .es-told", state="attached")


def prompts(page: Page) -> None:
    page.get_by_role("tab", name="Prompts").click()
    expect(page.locator(".es-prompt-preview")).not_to_be_empty()


def press(page: Page, name: str) -> None:
    page.locator(".es-prompts").get_by_role("button", name=name, exact=True).click()


def said(page: Page) -> Locator:
    return page.locator(".es-prompt-said")


def write(page: Page, title: str, text: str) -> None:
    """A new template of one's own, saved."""
    press(page, "New")
    page.get_by_label("Title").fill(title)
    page.get_by_label("What it says").fill(text)
    press(page, "Save")
    expect(said(page)).to_contain_text("is saved")
