"""What people do on the page, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

Visit = Callable[..., Page]


def give(page: Page, clip: Path, reference: str = "") -> None:
    page.set_input_files("#es-audio input[type=file]", str(clip))
    expect(page.locator("#es-clip")).to_contain_text("kHz")
    if reference:
        page.fill("#es-reference textarea", reference)


def choose(page: Page, names: Sequence[str]) -> None:
    """Tick these cards and no others."""
    for box in page.locator("#es-cards .es-pick label > input[value]:not([aria-disabled])").all():
        box.set_checked(box.get_attribute("value") in names)


def column(page: Page, name: str) -> Locator:
    return page.locator(f'.es-column[data-id="{name}"]')


def cell(page: Page, label: str) -> Locator:
    """What a system has in a passage of the transcripts side by side."""
    return page.locator(f'#es-view .es-cell[aria-label="{label}"]')


def state(page: Page, name: str, expected: str) -> None:
    expect(column(page, name)).to_have_attribute("data-state", expected)


def compared(page: Page, clip: Path, systems: Sequence[str], reference: str = "") -> Locator:
    """Compare these scripted systems, which the visitor adds; gives the view once it is drawn."""
    give(page, clip, reference)
    return run(page, systems)


def run(page: Page, systems: Sequence[str]) -> Locator:
    """The same on the clip that is there."""
    page.get_by_role("button", name="Add a model").click()
    field = page.get_by_label("Model", exact=True)
    for name in systems:
        field.fill(name)
        field.press("Enter")
        expect(page.locator(f'#es-cards input[value="{name}"]')).to_be_checked()
    choose(page, systems)
    page.click("#es-go")
    for name in systems:
        expect(column(page, name)).to_have_attribute("data-state", "ok", timeout=30_000)
    view = page.locator("#es-view .es-view[data-drawn=all]")
    expect(view.locator(".es-side")).to_have_count(len(systems))
    return view


def pick(page: Page, field: str, option: str) -> None:
    page.click(f"input[aria-label='{field}']")
    page.get_by_role("option", name=option).click()
