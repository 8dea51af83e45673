"""What a judge's browser gets and may send, through the real page's doors: no text says whose it is, no vote counts twice."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from comparisons.history.kept import EVERYBODY
from comparisons.history.store import History
from comparisons.reviews.review import Method
from comparisons.reviews.store import Reviews
from tests.reviewing import SECRETS, SYSTEMS, Held, Judging, held, whole
from ui.doors import LONGEST_BODY_BYTES
from ui.review_pages import FILES

HOSTILE = "<script>document.title='taken'</script>'; DROP TABLE judges; --"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    with held(tmp_path_factory.mktemp("reviews")) as there:
        yield there


@pytest.fixture
def judging() -> Iterator[Any]:
    """Begins to judge, by a link."""
    people: list[Judging] = []

    def begin(link: str, *, joins: bool = True, **options: Any) -> Judging:
        people.append(Judging(link, **options))
        if joins:
            assert people[-1].join().status_code == 200
        return people[-1]

    yield begin
    for each in people:
        each.close()


def bytes_of(answer: httpx.Response) -> bytes:
    """All that came: the status, each header, and the body unpacked."""
    head = b"".join(name + b": " + value + b"\n" for name, value in answer.headers.raw)
    return head + answer.content


def tells(got: bytes) -> list[str]:
    """The secrets that are in it, whatever their case, also as UTF-16 or base64."""
    low = got.lower()
    found = []
    for secret in SECRETS:
        plain = secret.encode()
        forms = [plain.lower(), secret.encode("utf-16-le").lower(), plain.hex().encode()]
        encoded = [base64.b64encode(b"x" * shift + plain)[4:-4] for shift in range(3)]
        if any(form in low for form in forms) or any(len(form) > 4 and form in got for form in encoded):
            found.append(secret)
    return found


@pytest.mark.parametrize("method", ["best", "pairwise", "rating"])
def test_no_byte_that_a_judge_gets_before_the_verdict_says_whose_a_text_is(page: Held, method: Method, judging: Any) -> None:
    id, link = page.make(method)
    judge = judging(link, joins=False)
    asked = [judge.get()]
    for name in re.findall(r'(?:href|src)="(assets/[^"]+)"', judge.got[0].text):
        asked.append(judge.http.get(f"{page.url}/review/{name}"))
    asked += [judge.http.get(f"{page.url}/review/assets/{name}") for name in FILES]
    judge.join("Ann")
    judge.get()
    while (task := judge.task()) is not None:
        judge.get(f"/clip/{task['clip']}")
        judge.get(f"/clip/{task['clip']}", range="bytes=0-99")
        judge.http.head(f"{link}/clip/{task['clip']}")
        column = task["columns"][0]
        mark = {"letter": column["letter"], "at": 0, "word": column["words"][0]["text"], "comment": "?"}
        judge.post("/vote", {"clip": task["clip"], "vote": {**whole(task), "choice": "Z"}})
        assert judge.vote(task, marks=[mark]).status_code == 200
        judge.vote(task)
    judge.get()
    for path in (
        "/clip/0",
        "/clip/99",
        f"/clip/{10**20}",
        "/clip/x",
        "/outcome",
        "/export",
        "/votes",
        "/../..",
        "/task/1",
        "/verdict",
    ):
        assert judge.get(path).status_code < 500
    judge.post("/vote", {"clip": 99, "vote": {}})
    judge.post("/vote", [])
    got = asked + judge.got
    assert len(got) > 20
    assert [(str(each.url), tells(bytes_of(each))) for each in got if tells(bytes_of(each))] == []
    assert id not in "".join(each.text for each in got if "audio" not in each.headers["content-type"])
    page.reviews.close(id, EVERYBODY)
    shown = judge.get()
    assert all(each.label in shown.text for each in SYSTEMS)  # so that the secrets that were looked for are the right ones


def test_only_texts_and_letters_are_in_a_task(page: Held, judging: Any) -> None:
    task = judging(page.make("pairwise")[1]).task()
    assert task.keys() == {"title", "question", "method", "clip", "place", "of", "seconds", "columns", "pairs"}
    assert [column["letter"] for column in task["columns"]] == ["A", "B", "C"]
    assert all(column.keys() == {"letter", "words"} for column in task["columns"])
    assert all(word.keys() == {"text", "after", "start", "end"} for column in task["columns"] for word in column["words"])


def test_judges_see_other_letters_and_each_the_same_again(page: Held, judging: Any) -> None:
    link = page.make(clips=3)[1]
    seen = set()
    for _ in range(12):
        judge = judging(link)
        task = judge.task()
        assert judge.task() == task
        seen.add((task["clip"], *(column["words"][1]["text"] for column in task["columns"])))
    assert len(seen) > 3


def test_a_judge_goes_on_where_they_paused_and_is_thanked_at_the_end(page: Held, judging: Any) -> None:
    id, link = page.make(clips=3)
    judge = judging(link, joins=False)
    assert "Begin" in judge.get().text
    assert "3 clips" in judge.got[-1].text
    judge.join(" Ann ")
    assert 'id="judging"' in judge.get().text
    first = judge.task()
    assert (first["place"], first["of"]) == (1, 3)
    told = judge.vote(first).json()["task"]
    assert told["place"] == 2
    again = judging(link, joins=False, cookies=judge.http.cookies)
    assert again.task() == told
    assert 'id="judging"' in again.get().text
    while (task := again.task()) is not None:
        assert again.vote(task).status_code == 200
    assert "Thank you" in again.get().text
    votes = page.reviews.casts(id, EVERYBODY)
    assert {cast.judge.name for cast in votes} == {"Ann"}
    assert len(votes) == 3
    assert {cast.ballot.best for cast in votes} == {SYSTEMS[0].name}


def test_the_cookie_is_for_the_server_alone(page: Held, judging: Any) -> None:
    judge = judging(page.make()[1], joins=False)
    assert "set-cookie" not in judge.get().headers
    crumb = judge.join().headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Lax", f"Max-Age={400 * 86_400}"} <= set(crumb.split("; "))
    assert "set-cookie" not in judge.join().headers  # pressed twice: still one judge
    behind = httpx.post(f"{judge.link}/join", json={}, headers={"x-forwarded-proto": "https"}, timeout=60)
    assert behind.headers["set-cookie"].startswith("__Host-earshot-judge-")
    assert "; Secure" in behind.headers["set-cookie"]


def test_votes_are_kept_through_a_restart(page: Held, judging: Any) -> None:
    id, link = page.make()
    judge = judging(link)
    judge.vote(judge.task())
    again = Reviews(History(page.history.database.folder))
    assert again.casts(id, EVERYBODY) == page.reviews.casts(id, EVERYBODY)
    assert len(again.casts(id, EVERYBODY)) == 1


def test_a_second_vote_is_told_so_and_changes_nothing(page: Held, judging: Any) -> None:
    id, link = page.make()
    judge = judging(link)
    task = judge.task()
    judge.vote(task)
    before = page.reviews.casts(id, EVERYBODY)
    answer = judge.vote(task, choice="none good")
    assert (answer.status_code, answer.text) == (409, "You have voted on this clip already. Go on with the next one.\n")
    assert page.reviews.casts(id, EVERYBODY) == before


def test_of_twenty_votes_at_the_same_moment_one_counts(page: Held, judging: Any) -> None:
    id, link = page.make()
    judge = judging(link)
    task = judge.task()
    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(lambda _: judge.vote(task).status_code, range(20)))
    assert sorted(codes) == [200] + [409] * 19
    assert len(page.reviews.casts(id, EVERYBODY)) == 1


def test_whoever_has_no_cookie_or_another_review_s_votes_nothing(page: Held, judging: Any) -> None:
    id, link = page.make()
    other_id, other_link = page.make()
    judge, other = judging(link), judging(other_link)
    task = judge.task()
    name, secret = next(iter(judge.http.cookies.items()))
    other_secret = next(iter(other.http.cookies.values()))
    for cookies in (
        {},
        {name: ""},
        {name: other_secret},
        {name: secret[:-1]},
        {name: "x" * 43},
        {name: "'%20OR%201=1%20--"},
        {"earshot": secret},
        dict(other.http.cookies),
    ):
        stranger = judging(link, joins=False, cookies=cookies)
        assert stranger.vote(task).status_code == 401
        assert stranger.get("/task").status_code == 401
        assert stranger.get(f"/clip/{task['clip']}").status_code == 401
    assert page.reviews.casts(id, EVERYBODY) == page.reviews.casts(other_id, EVERYBODY) == ()
    assert judge.vote(task).status_code == 200


def test_a_vote_is_its_judge_s_whatever_else_is_sent(page: Held, judging: Any) -> None:
    id, link = page.make()
    one, two = judging(link), judging(link)
    task = two.task()
    sent = {"clip": task["clip"], "vote": {**whole(task), "judge": 1}}
    assert two.post("/vote", sent).status_code == 400
    assert two.post("/vote", {**sent, "judge": 1}).status_code == 400
    assert two.vote(task).status_code == 200
    assert [cast.judge.number for cast in page.reviews.casts(id, EVERYBODY)] == [2]
    assert one.task() is not None


@pytest.mark.parametrize("method", ["best", "pairwise", "rating"])
def test_what_answers_no_task_is_refused_in_words(page: Held, method: Method, judging: Any) -> None:
    id, link = page.make(method, clips=1)
    judge = judging(link)
    task = judge.task()
    vote = whole(task)
    wrong: list[Any] = [
        [],
        "vote",
        {"clip": task["clip"]},
        {"clip": str(task["clip"]), "vote": vote},
        {"clip": True, "vote": vote},
        {"clip": 0, "vote": vote},
        {"clip": 10**30, "vote": vote},
        {"clip": task["clip"], "vote": vote, "more": 1},
        {"clip": task["clip"], "vote": {**vote, "heard": False}},
        {"clip": task["clip"], "vote": {**vote, "choice": None}},
        {"clip": task["clip"], "vote": {**vote, "choice": "Z"}},
        {"clip": task["clip"], "vote": {**vote, "choice": SYSTEMS[0].name}},
        {"clip": task["clip"], "vote": {**vote, "choice": [{"left": "A", "right": "A", "says": "left"}] * 3}},
        {"clip": task["clip"], "vote": {**vote, "choice": {"A": 6, "B": 1, "C": 1}}},
        {"clip": task["clip"], "vote": {**vote, "marks": [{"letter": "A", "at": 999, "word": "the"}]}},
        {"clip": task["clip"], "vote": {**vote, "marks": [{"letter": "A", "at": 0, "word": "elsewhere"}]}},
    ]
    for sent in wrong:
        answer = judge.post("/vote", sent)
        assert answer.status_code == 400, sent
        assert answer.text.strip().endswith((".", "?"))
    for content in (b"", b"null", b"{", b"[" * 30_000, b"\xff\xfe", b'{"clip": NaN'):
        sent = judge.http.post(f"{link}/vote", content=content, headers={"content-type": "application/json"})
        assert sent.status_code == 400
    assert page.reviews.casts(id, EVERYBODY) == ()
    assert judge.vote(task).status_code == 200


def test_too_much_is_refused(page: Held, judging: Any) -> None:
    id, link = page.make()
    judge = judging(link)
    task = judge.task()
    assert judge.vote(task, more="x" * LONGEST_BODY_BYTES).status_code == 413
    assert judge.post("/join", {"name": "x" * LONGEST_BODY_BYTES}).status_code == 413
    assert judge.http.post(f"{link}/vote", content=b"a=1", headers={"content-type": "text/plain"}).status_code == 415
    assert page.reviews.casts(id, EVERYBODY) == ()


def test_another_site_s_page_can_send_nothing(page: Held, judging: Any) -> None:
    id, link = page.make()
    judge = judging(link)
    task = judge.task()
    for headers in ({"origin": "https://other.example"}, {"origin": page.url, "sec-fetch-site": "cross-site"}):
        sent = {"clip": task["clip"], "vote": whole(task)}
        assert judge.post("/vote", sent, **headers).status_code == 403
        assert judge.post("/join", {}, **headers).status_code == 403
    assert page.reviews.casts(id, EVERYBODY) == ()
    assert judge.post("/vote", {"clip": task["clip"], "vote": whole(task)}, origin=page.url).status_code == 200


@pytest.mark.parametrize(
    "token", ["x", "x" * 32, "x" * 33, "assets/%2e%2e/page.py", "%2e%2e%2f%2e%2e", "'%20OR%201=1--", "%00" * 32, "<b>", "a/b/c"]
)
def test_a_made_up_link_leads_nowhere(page: Held, token: str) -> None:
    page.make()
    gone = httpx.get(f"{page.url}/review/{token}", timeout=60)
    assert gone.status_code == 404
    assert "<b>" not in gone.text
    for path in ("task", "clip/1"):
        assert httpx.get(f"{page.url}/review/{token}/{path}", timeout=60).status_code == 404
    for path in ("join", "vote"):
        assert httpx.post(f"{page.url}/review/{token}/{path}", json={}, timeout=60).status_code in (404, 405)


def test_a_withdrawn_review_says_so_wherever_a_judge_is(page: Held, judging: Any) -> None:
    id, link = page.make()
    judge = judging(link)
    task = judge.task()
    page.reviews.withdraw(id, EVERYBODY)
    assert judge.get().status_code == 404
    assert "withdrawn" in judge.got[-1].text
    for answer in (judge.get("/task"), judge.vote(task), judge.join(), judge.get(f"/clip/{task['clip']}")):
        assert answer.status_code == 404
        assert "withdrawn" in answer.text
    assert page.reviews.casts(id, EVERYBODY) == ()
    page.reviews.renew(id, EVERYBODY)
    judge.link = page.link(id)
    assert judge.task() == task  # the same judge goes on by the new link


def test_a_closed_review_shows_the_verdict_and_takes_no_more_votes(page: Held, judging: Any) -> None:
    id, link = page.make()
    people = [judging(link) for _ in range(3)]
    for judge in people:
        judge.vote(judge.task())
    left = people[0].task()
    page.reviews.close(id, EVERYBODY)
    for answer in (people[0].vote(left), people[0].get("/task"), people[0].join(), people[0].get(f"/clip/{left['clip']}")):
        assert answer.status_code == 410
        assert "closed" in answer.text
    shown = people[0].get().text
    assert "What you said" in shown
    assert f"{SYSTEMS[0].label} is the best" in shown
    assert "3 judges, 3 votes" in shown
    assert "secretnotes" not in shown
    stranger = judging(link, joins=False).get()
    assert stranger.status_code == 200
    assert "What you said" not in stranger.text
    assert len(page.reviews.casts(id, EVERYBODY)) == 3


def test_what_people_type_stays_text(page: Held, judging: Any) -> None:
    id, link = page.make(clips=1, title=f"Ear {HOSTILE}", question=f"Which {HOSTILE}")
    judge = judging(link, joins=False)
    welcome = judge.get().text
    judge.join(HOSTILE)
    task = judge.task()
    word = {"letter": "A", "at": 0, "word": task["columns"][0]["words"][0]["text"], "comment": HOSTILE}
    assert judge.vote(task, marks=[word]).status_code == 200
    page.reviews.close(id, EVERYBODY)
    for shown in (welcome, judge.get().text):
        assert "&lt;script&gt;document" in shown
        assert "<script>document" not in shown
    (cast,) = page.reviews.casts(id, EVERYBODY)
    assert (cast.judge.name, cast.ballot.marks[0].comment) == (HOSTILE[:60], HOSTILE)
    assert judge.post("/join", {"name": 5}).status_code == 410
    other = judging(page.make()[1], joins=False)
    for name in (5, [], {"a": 1}):
        assert other.post("/join", {"name": name}).status_code == 400


def test_a_clip_is_played_from_wherever_it_is_asked_for(page: Held, judging: Any) -> None:
    judge = judging(page.make()[1])
    number = judge.task()["clip"]
    full = judge.get(f"/clip/{number}")
    assert (full.status_code, full.headers["content-type"], full.content[:4]) == (200, "audio/flac", b"fLaC")
    part = judge.get(f"/clip/{number}", range="bytes=4-9")
    assert (part.status_code, part.content) == (206, full.content[4:10])
    assert part.headers["content-range"] == f"bytes 4-9/{len(full.content)}"
    assert "content-disposition" not in full.headers
    assert judge.get("/clip/99").status_code == 404


def test_nothing_inline_runs_and_no_other_site_is_told_or_asked(page: Held, judging: Any) -> None:
    judge = judging(page.make()[1], joins=False)
    judge.get()
    judge.join()
    judge.get()
    for shown in (judge.got[0], judge.got[-1]):
        policy = shown.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert shown.headers["referrer-policy"] == "no-referrer"
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|https?://", shown.text)
    assert judge.http.get(f"{page.url}/review/assets/../page.py").status_code == 404
    assert judge.http.get(f"{page.url}/review/assets/review.html").status_code == 404


def test_addresses_are_relative_so_that_a_proxy_s_prefix_is_kept(page: Held, judging: Any) -> None:
    judge = judging(page.make()[1], joins=False)
    assert re.findall(r'(?:href|src)="(?!assets/)', judge.get().text) == []
    for name in FILES:
        text = (Path(__file__).parent.parent / "ui/assets" / name).read_text(encoding="utf-8")
        assert not re.search(r"""(fetch|from|url)\(? ?["'`]/""", text)
