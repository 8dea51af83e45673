"""A shared comparison in a browser: what its address opens can be heard, and may do nothing else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette

from comparisons.history.kept import LOCAL
from comparisons.history.store import History
from comparisons.links import Links
from tests.keeping import ALPHA, clip, compared, heard
from tests.telling import PROMPTED
from ui.shared import shared

pytestmark = pytest.mark.browser


@contextmanager
def listening(app: Starlette) -> Iterator[str]:
    """The address at which an app answers meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{taken.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


def test_a_word_is_heard_by_whoever_has_the_link(browser: Browser, tmp_path: Path) -> None:
    history = History(tmp_path)
    links = Links(history)
    sound = clip(seconds=5)
    texts = (heard(PROMPTED, "one two three four five", timed=True), heard(ALPHA, "one two tree four five", timed=True))
    id = history.keep(compared(sound, *texts), sound, LOCAL)
    history.rename(id, "For everybody", LOCAL)
    tokens = {names: links.make(id, LOCAL, names=names).token for names in (True, False)}
    with listening(Starlette(routes=shared(links))) as address:
        for names, token in tokens.items():
            context = browser.new_context()
            page = context.new_page()
            asked: list[str] = []
            faults: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.on("pageerror", lambda error, faults=faults: faults.append(str(error)))
            page.goto(f"{address}/shared/{token}")
            view = page.locator(".es-view")
            expect(view).to_have_attribute("data-drawn", "all")
            expect(page.get_by_role("heading", name="For everybody")).to_have_count(int(names))
            expect(page.locator(".es-heads").get_by_text("Alpha")).to_have_count(int(names))
            view.locator(".es-cell .es-v").last.click()
            page.wait_for_function("() => document.querySelector('.es-view audio').currentTime > 0.4")
            assert {url for url in asked if not url.startswith(("data:", "blob:"))} == {f"{address}/shared/{token}"}
            assert not faults
            context.close()
        links.withdraw(tokens[True], LOCAL)
        page = browser.new_page()
        page.goto(f"{address}/shared/{tokens[True]}")
        expect(page.get_by_role("heading", name="There is no comparison here")).to_be_visible()
        page.close()
    history.close()
