"""A blind review in real browsers: made on the tab, judged by three people, its outcome seen, its link withdrawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from comparisons.history.kept import EVERYBODY
from tests.browser.conftest import HOSTILE
from tests.reviewing import SYSTEMS, TEXTS, Held, held, keep

pytestmark = pytest.mark.browser

Open = Callable[..., Page]

DESK = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    with held(tmp_path_factory.mktemp("reviews")) as there:
        yield there


@pytest.fixture
def people(browser: Browser) -> Iterator[Open]:
    """Opens an address as somebody new. Afterwards: no script failed, nothing left this machine."""
    faults: list[str] = []
    contexts = []

    def come(address: str, **options: Any) -> Page:
        contexts.append(browser.new_context(**{**DESK, **options}))
        contexts[-1].set_default_timeout(30_000)
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: faults.append(f"script: {error}"))
        page.on(
            "request",
            lambda request: (
                request.url.startswith(("http://127.0.0.1:", "data:", "blob:")) or faults.append(f"request: {request.url}")
            ),
        )
        page.goto(address)
        return page

    yield come
    for each in contexts:
        each.close()
    assert not faults


def begin(judge: Page, name: str | None = None) -> None:
    if name is not None:
        judge.get_by_label("Your name, if you like").fill(name)
    judge.get_by_role("button", name="Begin").click()
    expect(judge.locator("#progress")).to_contain_text("1 of")


def hear(judge: Page) -> None:
    judge.get_by_role("button", name="Play").click()
    heard(judge)


def heard(judge: Page) -> None:
    """Waits until all of the clip was heard."""
    expect(judge.locator("#choices:not(:disabled)")).to_have_count(1)
    expect(judge.locator("#heard")).to_be_empty()


def column(judge: Page, text: str) -> Locator:
    return judge.locator("#columns section").filter(has=judge.locator(".text", has_text=re.compile(rf"^{text}")))


def letter(judge: Page, text: str) -> str:
    return column(judge, text).locator("h2").inner_text()


def sound(judge: Page) -> None:
    """Nothing serious is wrong with the page, and it fits."""
    found = Axe().run(judge).response["violations"]
    assert [
        (each["id"], [node["html"][:160] for node in each["nodes"][:3]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ] == []
    size = judge.viewport_size
    assert size is not None
    assert judge.evaluate("document.documentElement.scrollWidth") <= size["width"]


def reviews(tab: Page) -> Locator:
    tab.get_by_role("tab", name="Reviews").click()
    shown = tab.locator("#es-reviews")
    expect(shown.get_by_role("button", name="New review")).to_be_visible()
    return shown


def test_a_review_is_made_judged_by_three_and_its_link_withdrawn(page: Held, people: Open) -> None:
    for number in (1, 2):
        page.history.rename(keep(page.history, number), f"Talk {number} {HOSTILE}", EVERYBODY)
    owner = people(page.url)
    tab = reviews(owner)
    tab.get_by_role("button", name="New review").click()
    tab.get_by_label("Title", exact=True).fill(f"Board {HOSTILE}")
    for number in (1, 2):
        tab.get_by_role("checkbox", name=re.compile(rf"^Talk {number}")).check()
    for each in SYSTEMS:
        expect(tab.get_by_role("checkbox", name=each.label, exact=True)).to_be_checked()
    tab.get_by_role("button", name="Make the review").click()
    review = tab.locator(".es-review").filter(has_text="Board")
    link = review.get_by_role("textbox", name="Link to")
    expect(link).to_have_value(re.compile(r"/review/[\w-]{32}$"))
    address = link.input_value()
    expect(review).to_contain_text("Nobody has voted yet")

    # One with a mouse, who marks a word and comments on it.
    ann = people(address)
    begin(ann, "Ann")
    expect(ann.locator("#choices:disabled")).to_have_count(1)
    hear(ann)
    wrong = column(ann, TEXTS[1])
    ann.get_by_role("button", name="Mark words").click()
    wrong.get_by_role("button", name="meat").click()
    ann.get_by_label("Comment on meat").fill(HOSTILE)
    ann.get_by_role("button", name="Mark words").click()
    ann.reload()  # nothing that was chosen and marked is lost
    expect(ann.get_by_label("Comment on meat")).to_have_value(HOSTILE)
    expect(ann.locator("#choices:not(:disabled)")).to_have_count(1)
    ann.locator(".choice").filter(has_text=re.compile(f"^{letter(ann, TEXTS[0])}")).click()
    sound(ann)
    ann.get_by_role("button", name="Send").click()
    expect(ann.locator("#progress")).to_have_text("2 of 2")
    ann.reload()  # paused: goes on here
    expect(ann.locator("#progress")).to_have_text("2 of 2")
    hear(ann)
    ann.locator(".choice").filter(has_text=re.compile(f"^{letter(ann, TEXTS[0])}")).click()
    ann.get_by_role("button", name="Send").click()
    expect(ann.get_by_role("heading", name="Thank you")).to_be_visible()

    # One by the keyboard alone, in the dark.
    ben = people(address, color_scheme="dark")
    expect(ben.get_by_role("button", name="Begin")).to_be_visible()
    ben.keyboard.press("Tab")
    ben.keyboard.type("Ben")
    ben.keyboard.press("Enter")
    for place in ("1 of 2", "2 of 2"):
        expect(ben.locator("#progress")).to_have_text(place)
        expect(ben.get_by_role("button", name="Play")).to_be_enabled()
        ben.keyboard.press("1")
        expect(ben.locator("#told")).to_contain_text("Hear the clip first")
        ben.keyboard.press("Space")
        heard(ben)
        ben.keyboard.press(str(ord(letter(ben, TEXTS[0])) - ord("A") + 1))
        expect(ben.get_by_role("button", name="Send")).to_be_enabled()
        if place == "1 of 2":
            sound(ben)
        ben.keyboard.press("Enter")
    expect(ben.get_by_role("heading", name="Thank you")).to_be_visible()

    # One on a phone, with a finger.
    cy = people(address, **PHONE)
    begin(cy)
    for place in ("1 of 2", "2 of 2"):
        expect(cy.locator("#progress")).to_have_text(place)
        cy.get_by_role("button", name="Play").tap()
        heard(cy)
        cy.locator(".choice").filter(has_text=re.compile(f"^{letter(cy, TEXTS[0])}")).tap()
        if place == "1 of 2":
            sound(cy)
        cy.get_by_role("button", name="Send").tap()
    expect(cy.get_by_role("heading", name="Thank you")).to_be_visible()

    review.get_by_role("button", name="Hide the outcome").click()
    review.get_by_role("button", name="See the outcome").click()
    expect(review).to_contain_text("3 judges, 6 votes")
    first = review.get_by_role("row").filter(has_text=SYSTEMS[0].label)
    expect(first.get_by_role("cell").first).to_have_text("6")
    expect(review).to_contain_text("Krippendorff")
    expect(review.locator(".es-wrong")).to_contain_text("meat")
    expect(review.locator(".es-wrong")).to_contain_text(f"Ann: {HOSTILE}")
    with owner.expect_download() as saved:
        review.get_by_role("button", name="Votes, CSV").click()
    assert Path(saved.value.path()).read_text(encoding="utf-8").count(f"best,{SYSTEMS[0].label},,best") == 6
    found = Axe().run(owner, "#es-reviews").response["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:160]) for each in found if each["impact"] in ("serious", "critical")] == []

    review.get_by_role("button", name="Withdraw the link").click()
    expect(review).to_contain_text("link withdrawn")
    ann.reload()
    expect(ann.get_by_role("heading", name="There is no review here")).to_be_visible()
    for each in (owner, ann, ben, cy):
        assert each.title() != "taken over"


@pytest.mark.parametrize("method", ["pairwise", "rating"])
def test_the_other_ways_to_vote_go_by_keys_too(page: Held, people: Open, method: Any) -> None:
    id, link = page.make(method, clips=1)
    judge = people(link)
    begin(judge)
    judge.keyboard.press("Space")
    heard(judge)
    if method == "pairwise":
        for pair in (1, 2, 3):
            expect(judge.locator("#pair")).to_contain_text(f"Pair {pair} of 3")
            expect(judge.locator("#columns section")).to_have_count(2)
            judge.keyboard.press(str(pair))
            judge.keyboard.press("Enter")
    else:
        for rating in (5, 3, 1):
            judge.keyboard.press(str(rating))
        judge.keyboard.press("Enter")
    expect(judge.get_by_role("heading", name="Thank you")).to_be_visible()
    (cast,) = page.reviews.casts(id, EVERYBODY)
    if method == "pairwise":
        assert [duel.says for duel in cast.ballot.duels] == ["left", "right", "tie"]
    else:
        assert sorted(rating for _, rating in cast.ballot.ratings) == [1, 3, 5]


def test_a_vote_without_a_connection_or_after_the_end_is_told_and_not_lost(page: Held, people: Open) -> None:
    id, link = page.make(clips=2)
    judge = people(link)
    begin(judge)
    hear(judge)
    judge.keyboard.press("2")
    judge.context.set_offline(True)
    judge.get_by_role("button", name="Send").click()
    expect(judge.locator("#told")).to_contain_text("There is no connection")
    judge.context.set_offline(False)
    judge.get_by_role("button", name="Send").click()
    expect(judge.locator("#progress")).to_have_text("2 of 2")
    hear(judge)
    judge.keyboard.press("0")
    page.reviews.withdraw(id, EVERYBODY)
    judge.get_by_role("button", name="Send").click()
    expect(judge.locator("#told")).to_contain_text("withdrawn")
    expect(judge.get_by_role("radio", name="None is good")).to_be_checked()
    page.reviews.renew(id, EVERYBODY)
    judge.goto(page.link(id))  # the same judge goes on by the new link
    expect(judge.locator("#progress")).to_have_text("2 of 2")
    page.reviews.close(id, EVERYBODY)
    judge.reload()
    expect(judge.get_by_role("heading", name="What you said")).to_be_visible()
    sound(judge)


def test_words_are_heard_and_marked_by_keys_and_by_a_long_press(page: Held, people: Open) -> None:
    judge = people(page.make(clips=1)[1])
    begin(judge)
    text = column(judge, TEXTS[0])
    text.get_by_role("button", name="the").focus()
    judge.keyboard.press("ArrowRight")
    expect(text.get_by_role("button", name="meeting")).to_be_focused()
    judge.keyboard.press("m")
    expect(judge.get_by_label("Comment on meeting")).to_be_visible()
    judge.get_by_role("button", name="Take back the mark on meeting").click()
    expect(judge.locator("#marked")).to_be_hidden()
    text.get_by_role("button", name="monday").click(delay=1200)  # longer than a press
    expect(judge.get_by_label("Comment on monday")).to_be_visible()
    text.get_by_role("button", name="is", exact=True).focus()
    judge.keyboard.press("Enter")
    expect(judge.get_by_role("button", name="Pause")).to_be_visible()
    judge.keyboard.press("Space")
    expect(judge.get_by_role("button", name="Play")).to_be_visible()


def test_a_review_is_closed_and_deleted_only_when_one_is_sure(page: Held, people: Open) -> None:
    id, _ = page.make(title="To be ended")
    owner = people(page.url, **PHONE, color_scheme="dark")
    tab = reviews(owner)
    review = tab.locator(f'[data-id="{id}"]')
    review.get_by_role("button", name="Close: To be ended").click()
    expect(review.get_by_role("button", name="Keep as it is").first).to_be_focused()
    owner.keyboard.press("Escape")
    expect(review.get_by_role("button", name="Close the review")).to_be_hidden()
    expect(review.locator(".es-state")).to_have_text("open")
    review.get_by_role("button", name="Close: To be ended").click()
    review.get_by_role("button", name="Close the review").click()
    expect(review.locator(".es-state")).to_have_text("closed")
    assert owner.evaluate("document.documentElement.scrollWidth") == 390
    review.get_by_role("button", name="Delete: To be ended").click()
    review.get_by_role("button", name="Delete the review").click()
    expect(review).to_have_count(0)
    assert id not in {each.id for each in page.reviews.list(EVERYBODY)}
