"""What axe-core finds on the page with results: nothing serious, in light and in dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.steps import Visit, compared
from tests.plays import script
from tests.sounds import tone

pytestmark = pytest.mark.browser

SAID = "Good morning everybody. The weekend meeting is on Friday. Bring your notes please."


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_is_wrong_with_the_page_of_results(visit: Visit, tmp_path: Path, scheme: str) -> None:
    page = visit(color_scheme=scheme)
    systems = [
        script(tmp_path / "first.json", {"say": "Good morning anybody. The week end meeting is on a Friday. Bring notes."}),
        script(
            tmp_path / "second.json",
            {"say": SAID},
        ),
        script(tmp_path / "third.json", {"say": "Good evening"}),
    ]
    view = compared(page, tone(tmp_path / "clip.wav", 10.0), systems, SAID)
    for state in ("reference", "majority", "dialog"):
        if state == "majority":
            view.get_by_label("Held against").select_option("majority")
            view.locator(".es-support").first.wait_for()
        if state == "dialog":
            page.keyboard.press("?")
            page.locator("dialog[open]").wait_for()
        else:
            page.keyboard.press("n")
        found = Axe().run(page).response["violations"]
        serious = [
            (each["id"], [node["html"][:160] for node in each["nodes"][:3]])
            for each in found
            if each["impact"] in ("serious", "critical")
        ]
        assert not serious, f"{state}: {serious}"
