"""The exported report in a browser: it needs no server, no script, and leaves nobody out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from comparisons import report
from comparisons.compare import rescored
from comparisons.reference import Reference
from tests.browser.conftest import HOSTILE
from tests.reported import MOONSHINE, PHI, SPHINX, WHISPER, compared, ran, skipped, wrong

pytestmark = pytest.mark.browser

Shows = Callable[..., Page]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    said = " ".join(f"word{number}" for number in range(120)) + "."
    one = rescored(
        compared(said, ran(MOONSHINE, said), ran(SPHINX, wrong(4)), ran(WHISPER, wrong(9)), skipped(PHI)), key_terms=("word5",)
    )
    seeded = rescored(replace(one, reference=Reference("before", seed="moonshine", seed_label="Moonshine").edited(said)))
    hostile = compared(HOSTILE, ran(SPHINX, HOSTILE), ran(MOONSHINE, HOSTILE + " too"), skipped(PHI, HOSTILE), name=HOSTILE)
    made = {
        "one": one,
        "several": [seeded, one],
        "majority": rescored(replace(one, reference=None)),
        "hostile": rescored(hostile, key_terms=(HOSTILE,)),
    }
    folder = tmp_path_factory.mktemp("reports")
    paths = {}
    for name, comparison in made.items():
        paths[name] = folder / f"{name}.html"
        paths[name].write_text(report.to_html(comparison), encoding="utf-8")
    return paths


@pytest.fixture
def shows(browser: Browser, files: dict[str, Path]) -> Iterator[Shows]:
    """Opens a report; afterwards nothing was asked of anybody."""
    pages: list[Page] = []
    asked: list[str] = []

    def opened(name: str, scheme: str = "light", width: int = 1280) -> Page:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        pages.append(page)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(files[name].as_uri())
        return page

    yield opened
    for page in pages:
        page.close()
    assert set(asked) <= {path.as_uri() for path in files.values()}


@pytest.mark.parametrize("name", ["one", "several", "majority"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_nothing_serious_is_wrong_with_a_report(shows: Shows, name: str, scheme: str, width: int) -> None:
    page = shows(name, scheme, width)
    for fold in page.locator("details").all():
        fold.evaluate("fold => { fold.open = true; }")
    found = Axe().run(page).response["violations"]
    assert not [(each["id"], each["nodes"][0]["html"][:160]) for each in found if each["impact"] in ("serious", "critical")]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_passages_stand_beside_each_other_and_on_a_phone_below_each_other(shows: Shows) -> None:
    for width, beside in ((1280, True), (390, False)):
        first, second = (shows("one", width=width).locator(".cell").nth(number).bounding_box() for number in (0, 1))
        assert first is not None
        assert second is not None
        assert (first["y"] == second["y"]) is beside
        assert (first["x"] == second["x"]) is not beside


def test_pictures_take_the_colours_of_light_and_dark(shows: Shows) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        text = shows("one", scheme).locator("figure svg text").last
        colours.add(text.evaluate("text => getComputedStyle(text).fill"))
    assert len(colours) == 2


def test_what_looks_like_html_stays_text_and_no_script_runs(shows: Shows) -> None:
    page = shows("hostile")
    assert "taken over" not in page.title().replace(HOSTILE, "")
    assert page.locator("img, script").count() == 0
    assert HOSTILE in page.locator("figure svg desc").all_text_contents()[0] or page.locator("h2").inner_text() == HOSTILE
    assert page.locator(".cell").first.inner_text().count("taken over") == HOSTILE.count("taken over")
