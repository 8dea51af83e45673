"""The README's table of who may do what, cell by cell, through the real app: the table and what is true cannot part."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from tests.plays import script
from tests.reviewing import Judging
from tests.serving import ROOT, serving
from tests.sounds import tone

README = (ROOT / "README.md").read_text(encoding="utf-8")
FROM_AFAR = {"X-Forwarded-For": "203.0.113.5"}
"""What a proxy tells: somebody else asks, so it is a visitor."""
ADD, FETCH, REMOVE = (f"where `visitors_{what}` is on" for what in ("add_models", "download", "remove"))
LINK = "anyone with a comparison's link"
JUDGE = "judge with a review's link"
NO_REVIEW = "There is no such review."


def table() -> dict[tuple[str, str], str]:
    """Action and column -> what the cell says."""
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in README.split("## Who may do what\n\n")[1].split("\n\n")[0].splitlines()
    ]
    head, _, *body = rows
    return {(row[0], who): cell for row in body for who, cell in zip(head[1:], row[1:], strict=True)}


@dataclass(frozen=True)
class Reviewed:
    """A review, and what it is of."""

    comparison: str
    id: str
    link: str


class Asks:
    """Somebody at the API."""

    def __init__(self, url: str, clip: Path, runner: str, second: str, headers: dict[str, str]) -> None:
        self.url = url
        self._client = Client(url, verbose=False, headers=headers)
        self._clip, self._runner, self._second = handle_file(str(clip)), runner, second

    def __call__(self, endpoint: str, *values: Any, **named: Any) -> Any:
        return self._client.predict(*values, api_name=f"/{endpoint}", **named)

    def compare(self, runner: str | None = None) -> dict[str, Any]:
        return self("compare", self._clip, runners=runner or self._runner, reference="hello there world")

    def ask(self) -> dict[str, Any]:
        return self("ask", self._clip, runner=self._runner, question="Who?")

    def keep(self) -> str:
        """The id of a comparison of theirs."""
        self.compare()
        return str(self("history")["comparisons"][0]["id"])

    def shelf(self, **asked: str) -> str:
        """What the tab *Models* says to something that a browser asks of it."""
        return str(self._tab("es-models", asked)["said"])

    def reviews(self, **asked: Any) -> dict[str, Any]:
        """What the tab *Reviews* answers."""
        return self._tab("es-reviews", asked)

    def make_review(self, *comparisons: str) -> dict[str, Any]:
        """What comes of making a review of comparisons of two systems each."""
        systems = [self._runner, self._second]
        return self.reviews(do="make", title="By ear", method="best", comparisons=list(comparisons), systems=systems)

    def review(self, kept: str | None = None) -> Reviewed:
        """A new review of theirs, of that comparison or of a new one."""
        if kept is None:
            self.compare(f"{self._runner},{self._second}")
            kept = str(self("history")["comparisons"][0]["id"])
        told = self.make_review(kept)
        row = told["html"].split(f'data-id="{told["made"]}"')[1].split("</article>")[0]
        (token,) = re.findall(r"/review/([\w-]{32})", row)
        return Reviewed(kept, told["made"], f"{self.url}/review/{token}")

    def _tab(self, elem_id: str, asked: dict[str, Any]) -> dict[str, Any]:
        config = self._client.config
        (tab,) = [each["id"] for each in config["components"] if each["props"].get("elem_id") == elem_id]
        answer = httpx.post(
            f"{self.url}/gradio_api/component_server",
            json={"session_hash": self._client.session_hash, "component_id": tab, "fn_name": "told", "data": asked},
            headers=self._client.headers,
            timeout=60,
        )
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    def close(self) -> None:
        self._client.close()


@dataclass
class Scene:
    """Everybody at a running app, and what they have kept."""

    owner: Asks
    visitor: Asks
    other: Asks
    """Another visitor."""
    closed_owner: Asks
    """At an app that lets nobody add, fetch or remove models."""
    closed_visitor: Asks
    owners: str
    visitors: str
    others: str
    link: dict[str, Any]
    """To what the owner has kept."""
    hidden: str
    """Name of a system that is not offered."""
    owners_review: Reviewed
    visitors_review: Reviewed
    others_review: Reviewed

    def who(self, column: str) -> Asks:
        return self.owner if column == "owner" else self.visitor

    def closed(self, column: str) -> Asks:
        return self.closed_owner if column == "owner" else self.closed_visitor

    def theirs(self, column: str) -> tuple[list[str], list[str]]:
        """What somebody may reach, and what is not there for them."""
        if column == "owner":
            return [self.owners, self.visitors, self.others], []
        return [self.visitors], [self.owners, self.others]

    def reviews(self, column: str) -> tuple[list[Reviewed], list[Reviewed]]:
        """The same of reviews."""
        if column == "owner":
            return [self.owners_review, self.visitors_review, self.others_review], []
        return [self.visitors_review], [self.owners_review, self.others_review]


def known() -> dict[str, str]:
    """A browser of its own: the cookie by which a visitor is known."""
    return {"Cookie": f"earshot={secrets.token_urlsafe(32)}"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("who")
    (folder / "closed").mkdir()
    play = {"takes": [[{"say": "hello there world"}]], "answers": [[{"say": "Nobody."}]], "repeat": True}
    (folder / "hello.json").write_text(json.dumps(play), encoding="utf-8")
    hello, hidden = f"scripted:{folder / 'hello.json'}", script(folder / "hidden.json", {"say": "hush"})
    clip = tone(folder / "clip.wav")
    shut = ("--no-visitors-add-models", "--no-visitors-download", "--no-visitors-remove")
    people: list[Asks] = []

    def someone(url: str, headers: dict[str, str]) -> Asks:
        people.append(Asks(url, clip, hello, hidden, headers))
        return people[-1]

    with (
        serving(folder, "--runners", hello, XDG_DATA_HOME=str(folder / "kept")) as app,
        serving(folder / "closed", "--runners", hello, "--no-history", *shut) as closed,
    ):
        owner, visitor, other = someone(app.url, {}), *(someone(app.url, FROM_AFAR | known()) for _ in range(2))
        owners = owner.keep()
        yield Scene(
            owner,
            visitor,
            other,
            someone(closed.url, {}),
            someone(closed.url, FROM_AFAR),
            owners,
            visitor.keep(),
            other.keep(),
            owner("link", owners),
            hidden,
            owner.review(),
            visitor.review(),
            other.review(),
        )
        for each in people:
            each.close()


def refused(what: Callable[[], Any], says: str = "no such comparison") -> None:
    with pytest.raises(AppError, match=says):
        what()


def compares(scene: Scene, column: str) -> None:
    assert scene.who(column).compare()["results"][0]["transcript"] == "hello there world"
    assert scene.who(column).ask()["exchanges"][0]["answer"] == "Nobody."


def sees(scene: Scene, column: str) -> None:
    who, (theirs, hidden) = scene.who(column), scene.theirs(column)
    listed = {each["id"] for each in who("history", search="hello", limit=200)["comparisons"]}
    assert set(theirs) <= listed
    assert not set(hidden) & listed
    for id in theirs:
        assert who("kept", id)["results"]
    for id in hidden:
        refused(lambda id=id: who("kept", id))


def describes(scene: Scene, column: str) -> None:
    who, (theirs, hidden) = scene.who(column), scene.theirs(column)
    for id in theirs:
        told = who("describe", id, title=f"By {column}", tags=["mine"], notes="Noted.")
        assert (told["title"], told["tags"], told["notes"]) == (f"By {column}", ["mine"], "Noted.")
    for id in hidden:
        refused(lambda id=id: who("describe", id, title="Taken"))
    assert all(each["title"] != "Taken" for each in scene.owner("history")["comparisons"])


def deletes(scene: Scene, column: str) -> None:
    who, (theirs, hidden) = scene.who(column), scene.theirs(column)
    for id in theirs:
        assert who("delete", id)["deleted_at"]
        refused(lambda id=id: who("kept", id))
        assert id in {each["id"] for each in who("history", deleted=True)["comparisons"]}
        assert who("restore", id)["deleted_at"] is None
        assert who("kept", id)
    for id in hidden:
        refused(lambda id=id: who("delete", id))
        scene.owner("delete", id)
        refused(lambda id=id: who("restore", id))
        scene.owner("restore", id)


def links(scene: Scene, column: str) -> None:
    who, (theirs, hidden) = scene.who(column), scene.theirs(column)
    for id in theirs:
        made = who("link", id, names=False)
        assert made["token"] in {each["token"] for each in who("links", id)}
        assert httpx.get(made["address"], timeout=60).status_code == 200
    for id in hidden:
        refused(lambda id=id: who("link", id))
        refused(lambda id=id: who("links", id))


def withdraws(scene: Scene, column: str) -> None:
    who, (theirs, hidden) = scene.who(column), scene.theirs(column)
    for id in theirs:
        made = scene.owner("link", id)
        who("withdraw", made["token"])
        assert httpx.get(made["address"], timeout=60).status_code == 404
    for id in hidden:
        made = scene.owner("link", id)
        refused(lambda made=made: who("withdraw", made["token"]))
        assert httpx.get(made["address"], timeout=60).status_code == 200


def opens(scene: Scene, column: str) -> None:
    headers = {} if column == "owner" else FROM_AFAR
    shown = httpx.get(scene.link["address"], headers=headers, timeout=60)
    assert shown.status_code == 200
    assert "hello" in shown.text
    assert "set-cookie" not in shown.headers
    assert scene.owners not in shown.text


def names_models(scene: Scene, column: str) -> None:
    assert scene.who(column).compare(scene.hidden)["results"][0]["transcript"] == "hush"
    refused(lambda: scene.closed(column).compare(scene.hidden), "not offered here")


def downloads(scene: Scene, column: str) -> None:
    says = "do not start downloads here"
    with pytest.raises(AppError) as told:  # the network is off
        scene.who(column)("download", "ctc")
    assert says not in str(told.value)
    refused(lambda: scene.closed(column)("download", "ctc"), says)
    assert says in scene.closed(column).shelf(do="download", name="ctc")


def removes(scene: Scene, column: str) -> None:
    says = "do not remove models here"
    assert says not in scene.who(column).shelf(do="remove", name="hub nobody/nothing")
    assert says in scene.closed(column).shelf(do="remove", name="hub nobody/nothing")


def makes_reviews(scene: Scene, column: str) -> None:
    who, (theirs, hidden) = scene.who(column), scene.reviews(column)
    for each in theirs:
        made = who.make_review(each.comparison)
        assert not made["fault"]
        assert made["made"] in who.reviews()["html"]
    for each in hidden:
        told = who.make_review(each.comparison)
        assert (told["made"], "no such comparison" in told["fault"]) == (None, True)


def sees_outcomes(scene: Scene, column: str) -> None:
    if column == JUDGE:
        review = scene.owner.review(scene.owners_review.comparison)
        judge = Judging(review.link)
        judge.join()
        assert "hush" in str(judge.task())
        assert "scripted" not in judge.get().text
        scene.owner.reviews(do="close", id=review.id)
        assert "hello" in judge.get().text
        judge.close()
        return
    who, (theirs, hidden) = scene.who(column), scene.reviews(column)
    for each in theirs:
        told = who.reviews(do="export", id=each.id, kind="json", unfolded=[each.id])
        assert json.loads(told["file"]["text"])["review"]["id"] == each.id
        assert "Krippendorff" in told["html"]
    for each in hidden:
        told = who.reviews(do="export", id=each.id, kind="json")
        assert (told["file"], told["fault"].startswith(NO_REVIEW), each.id in told["html"]) == (None, True, False)


def ends_reviews(scene: Scene, column: str) -> None:
    who, (theirs, hidden) = scene.who(column), scene.reviews(column)
    people = [scene.owner, scene.visitor, scene.other] if column == "owner" else [scene.visitor]
    for review in [each.review(old.comparison) for each, old in zip(people, theirs, strict=True)]:
        assert httpx.get(review.link, timeout=60).status_code == 200
        assert who.reviews(do="withdraw", id=review.id)["said"]
        assert httpx.get(review.link, timeout=60).status_code == 404
        for do in ("renew", "close", "delete"):
            assert who.reviews(do=do, id=review.id)["said"]
        assert review.id not in who.reviews()["html"]
    for review in hidden:
        for do in ("withdraw", "renew", "close", "delete"):
            told = who.reviews(do=do, id=review.id)
            assert (told["said"], told["fault"].startswith(NO_REVIEW)) == ("", True)
        assert "Begin" in httpx.get(review.link, timeout=60).text


def judges(scene: Scene, column: str) -> None:
    headers = {JUDGE: {}, "owner": {}, "visitor": FROM_AFAR}[column]
    judge = Judging(scene.owners_review.link, headers=headers)
    judge.join("Ann")
    task = judge.task()
    assert task is not None
    assert judge.vote(task).status_code == 200
    assert judge.vote(task).status_code == 409
    judge.close()


def by_link_nothing(action: str) -> Callable[[Scene, str], None]:
    """With a link alone: its address is only read, and its token stands for nothing else."""

    def test(scene: Scene, column: str) -> None:
        if column == JUDGE:
            as_judge_nothing(scene)
            return
        token, address = scene.link["token"], scene.link["address"]
        asked = {"action": action, "comparison": scene.owners}
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert httpx.request(method, address, json=asked, timeout=60).status_code == 405
        assert httpx.get(f"{address}/{scene.owners}", timeout=60).status_code == 404
        for endpoint in ("kept", "delete", "restore", "link", "links", "describe"):
            refused(lambda endpoint=endpoint: scene.owner(endpoint, token))
            refused(lambda endpoint=endpoint: scene.visitor(endpoint, token))
        refused(lambda: scene.visitor("withdraw", token))
        assert httpx.get(address, timeout=60).status_code == 200

    return test


def as_judge_nothing(scene: Scene) -> None:
    """With a review's link alone one judges, and its token stands for nothing else."""
    link = scene.owners_review.link
    token = link.rsplit("/", 1)[1]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert httpx.request(method, link, json={"id": scene.owners_review.id}, timeout=60).status_code == 405
    for path in ("votes", "outcome", scene.owners, scene.owners_review.id):
        assert httpx.get(f"{link}/{path}", timeout=60).status_code == 404
    for endpoint in ("kept", "delete", "restore", "link", "links", "describe", "withdraw"):
        refused(lambda endpoint=endpoint: scene.visitor(endpoint, token))
    for do in ("close", "withdraw", "renew", "delete", "export"):
        assert scene.visitor.reviews(do=do, id=token, kind="json")["fault"].startswith(NO_REVIEW)
    assert httpx.get(f"{scene.owner.url}/shared/{token}", timeout=60).status_code == 404
    assert "Begin" in httpx.get(link, timeout=60).text


ACTIONS: dict[str, tuple[Callable[[Scene, str], None], dict[str, str]]] = {
    "Compare clips, ask about them": (compares, {"owner": "yes", "visitor": "yes", LINK: "no", JUDGE: "no"}),
    "See, search and reopen what is kept": (sees, {"owner": "everybody's", "visitor": "their own", LINK: "no", JUDGE: "no"}),
    "Rename, tag and annotate it": (describes, {"owner": "everybody's", "visitor": "their own", LINK: "no", JUDGE: "no"}),
    "Delete it, and take that back": (deletes, {"owner": "everybody's", "visitor": "their own", LINK: "no", JUDGE: "no"}),
    "Make and see links to it": (links, {"owner": "everybody's", "visitor": "their own", LINK: "no", JUDGE: "no"}),
    "Withdraw a link": (withdraws, {"owner": "everybody's", "visitor": "their own", LINK: "no", JUDGE: "no"}),
    "Open a link": (opens, {"owner": "yes", "visitor": "yes", LINK: "yes", JUDGE: "no"}),
    "Make blind reviews of what is kept": (
        makes_reviews,
        {"owner": "everybody's", "visitor": "their own", LINK: "no", JUDGE: "no"},
    ),
    "See and export what came of a review": (
        sees_outcomes,
        {"owner": "everybody's", "visitor": "their own", LINK: "no", JUDGE: "once it is closed"},
    ),
    "Close, withdraw and delete a review": (
        ends_reviews,
        {"owner": "everybody's", "visitor": "their own", LINK: "no", JUDGE: "no"},
    ),
    "Judge in a review": (judges, {"owner": "with its link", "visitor": "with its link", LINK: "no", JUDGE: "yes"}),
    "Name models that are not offered": (names_models, {"owner": ADD, "visitor": ADD, LINK: "no", JUDGE: "no"}),
    "Download models": (downloads, {"owner": FETCH, "visitor": FETCH, LINK: "no", JUDGE: "no"}),
    "Remove models": (removes, {"owner": REMOVE, "visitor": REMOVE, LINK: "no", JUDGE: "no"}),
}
"""What each row says, and the test of its cells."""


def test_the_table_says_what_is_tested() -> None:
    assert table() == {(action, who): cell for action, (_, cells) in ACTIONS.items() for who, cell in cells.items()}


@pytest.mark.parametrize(("action", "column"), list(table()))
def test_the_cell_is_true(action: str, column: str, scene: Scene) -> None:
    test, cells = ACTIONS[action]
    (by_link_nothing(action) if cells[column] == "no" else test)(scene, column)


@pytest.mark.parametrize("id", ["", "x" * 100_000, "../../etc/passwd", "' OR 1=1 --", "<script>", "\0"])
def test_what_is_no_id_is_no_comparison(id: str, scene: Scene) -> None:
    for endpoint in ("kept", "delete", "link", "withdraw"):
        refused(lambda endpoint=endpoint: scene.owner(endpoint, id))


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (-1, 0), (10_000, 0), (5, -1), (5, 2**70)])
def test_a_part_of_the_list_that_is_none_is_refused(limit: int, offset: int, scene: Scene) -> None:
    refused(lambda: scene.visitor("history", limit=limit, offset=offset), "no such part")


def test_where_nothing_is_kept_nobody_has_a_history(scene: Scene) -> None:
    refused(lambda: scene.closed_owner("history"), "Nothing is kept here")
    assert httpx.get(f"{scene.closed_owner.url}/shared/{'x' * 32}", timeout=60).status_code == 404
