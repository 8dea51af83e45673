"""Links to kept comparisons: whose they are, what they show, and that nothing else can be had by them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from comparisons.history.database import HistoryError
from comparisons.history.kept import EVERYBODY
from comparisons.history.rows import NotKept
from comparisons.history.store import History
from comparisons.links import MOST_OF_ONE, Links
from tests.keeping import clip, compared, heard
from tests.telling import FAILS, PROMPTED, TELLING, whole
from ui.shared import shared

HOSTILE = "<script>alert('x')</script> \"&' OR 1=1; DROP TABLE links; --"


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = History(tmp_path)
    yield made
    made.close()


@pytest.fixture
def links(history: History) -> Links:
    return Links(history)


@pytest.fixture
def browser(links: Links) -> TestClient:
    """Whoever opens addresses."""
    return TestClient(Starlette(routes=shared(links)))


def keep(history: History, owner: str = "visitor:one") -> str:
    return history.keep(compared(clip()), clip(), owner)


def test_a_link_is_its_owners_to_make_to_list_and_to_withdraw(history: History, links: Links) -> None:
    id = keep(history)
    first, second = links.make(id, "visitor:one", names=True), links.make(id, "visitor:one", names=False)
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", first.token)
    assert first.token != second.token
    assert {each.token: each.names for each in links.of(id, "visitor:one")} == {first.token: True, second.token: False}
    for meddles in (
        lambda: links.make(id, "visitor:two", names=True),
        lambda: links.of(id, "visitor:two"),
        lambda: links.withdraw(first.token, "visitor:two"),
        lambda: links.withdraw("x" * 32, "visitor:one"),
        lambda: links.make("x", "visitor:one", names=True),
    ):
        with pytest.raises(NotKept) as told:
            meddles()
        assert str(told.value) == str(NotKept())
    links.withdraw(first.token, "visitor:one")
    assert links.of(id, "visitor:one") == (second,)


def test_a_link_that_a_deployer_makes_is_its_owners_too(history: History, links: Links) -> None:
    id = keep(history)
    made = links.make(id, EVERYBODY, names=True)
    assert links.of(id, "visitor:one") == (made,)
    links.withdraw(made.token, "visitor:one")
    assert links.of(id, EVERYBODY) == ()


def test_a_comparison_has_only_so_many(history: History, links: Links) -> None:
    id = keep(history)
    for _ in range(MOST_OF_ONE):
        links.make(id, EVERYBODY, names=True)
    with pytest.raises(HistoryError, match="There are 50 links"):
        links.make(id, EVERYBODY, names=True)


def test_what_is_shown_is_the_comparison_as_it_is_now(history: History, links: Links, browser: TestClient) -> None:
    id = keep(history)
    path = f"/shared/{links.make(id, EVERYBODY, names=True).token}"
    before = browser.get(path)
    assert before.status_code == 200
    assert "Alpha" in before.text
    assert id not in before.text
    assert browser.get(path).text == before.text
    assert browser.head(path).status_code == 200
    history.change(id, compared(clip(), heard(PROMPTED, "hello new world")), EVERYBODY)
    assert "Zephyr" in browser.get(path).text


def test_withdrawn_deleted_and_made_up_look_the_same(history: History, links: Links, browser: TestClient) -> None:
    id, other = keep(history), keep(history)
    withdrawn, kept = links.make(id, EVERYBODY, names=True), links.make(id, EVERYBODY, names=False)
    in_bin = links.make(other, EVERYBODY, names=True)
    for each in (withdrawn, kept, in_bin):
        assert browser.get(f"/shared/{each.token}").status_code == 200
    links.withdraw(withdrawn.token, EVERYBODY)
    history.bin.put(other, EVERYBODY)
    gone = [browser.get(f"/shared/{token}") for token in (withdrawn.token, in_bin.token, "x" * 32)]
    assert {each.status_code for each in gone} == {404}
    assert len({each.text for each in gone}) == 1
    assert browser.get(f"/shared/{kept.token}").status_code == 200
    history.bin.restore(other, EVERYBODY)
    assert browser.get(f"/shared/{in_bin.token}").status_code == 200
    history.bin.put(other, EVERYBODY)
    history.bin.purge(older_than_seconds=-1)
    assert browser.get(f"/shared/{in_bin.token}").status_code == 404


@pytest.mark.parametrize(
    "token",
    [
        "", "x", "x" * 31, "x" * 33, "x" * 60_000, "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "a/b", "%00" * 32, "' OR '1'='1", "%",
        "_" * 32, "%" * 32, "<script>alert(1)</script>", "\u202e" * 32,
    ],
)  # fmt: skip
def test_a_token_that_was_tampered_with_opens_nothing(token: str, history: History, links: Links, browser: TestClient) -> None:
    made = links.make(keep(history), EVERYBODY, names=True)
    answer = browser.get(f"/shared/{token}")
    assert answer.status_code == 404
    assert "script" not in answer.text
    last = "A" if made.token[-1] != "A" else "B"
    for near in (made.token[:-1] + last, made.token.swapcase(), made.token + "/", " " + made.token):
        assert browser.get(f"/shared/{near}").status_code == 404
    assert browser.get(f"/shared/{made.token}").status_code == 200


def test_without_names_no_byte_says_whose_anything_is(history: History, links: Links, browser: TestClient) -> None:
    id = history.keep(whole(), clip(), "local")
    history.rename(id, "Zephyr against Boreas", EVERYBODY)
    history.set_notes(id, "Zephyr wins, says aeolus.", EVERYBODY)
    history.set_tags(id, ["Zephyr"], EVERYBODY)
    named, bare = (browser.get(f"/shared/{links.make(id, EVERYBODY, names=names).token}") for names in (True, False))
    assert "Zephyr against Boreas" in named.text
    assert "Zephyr wins, says aeolus." in named.text
    assert all("data:audio/" in page.text for page in (named, bare))
    served = (bare.text + "".join(f"{name}: {value}\n" for name, value in bare.headers.items())).lower()
    for word in (*TELLING, id):
        assert word not in served, word
    assert "system a" in served


def test_two_links_without_names_deal_the_letters_anew(history: History, links: Links) -> None:
    id = history.keep(whole(), clip(), "local")
    dealt = set()
    for _ in range(MOST_OF_ONE):
        shown = links.open(links.make(id, EVERYBODY, names=False).token)
        assert shown is not None
        dealt.add(repr(shown.comparison.columns[0].result))
    assert len(dealt) > 1


def test_whatever_was_typed_is_shown_as_text(history: History, links: Links, browser: TestClient, tmp_path: Path) -> None:
    named = clip(HOSTILE, HOSTILE)
    id = history.keep(compared(named, heard(PROMPTED, HOSTILE), heard(FAILS, "a")), named, HOSTILE)
    history.rename(id, HOSTILE, HOSTILE)
    history.set_notes(id, HOSTILE, HOSTILE)
    made = links.make(id, HOSTILE, names=True)
    page = browser.get(f"/shared/{made.token}").text
    assert "<script>alert" not in page
    assert "alert(" in page
    with pytest.raises(NotKept):
        links.withdraw(HOSTILE, HOSTILE)
    assert links.of(id, HOSTILE) == (made,)
    with sqlite3.connect(tmp_path / "earshot.db") as file:
        assert file.execute("SELECT count(*) FROM links").fetchone() == (1,)


def test_the_page_may_do_nothing_but_show_itself(history: History, links: Links, browser: TestClient) -> None:
    path = f"/shared/{links.make(keep(history), EVERYBODY, names=True).token}"
    answer = browser.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy
    assert "allow-same-origin" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert 'http-equiv="Content-Security-Policy"' in answer.text
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert browser.request(method, path).status_code == 405


def test_a_link_outlives_a_restart(history: History, links: Links, tmp_path: Path) -> None:
    made = links.make(keep(history), EVERYBODY, names=True)
    history.close()
    again = History(tmp_path)
    try:
        assert Links(again).open(made.token) is not None
    finally:
        again.close()
