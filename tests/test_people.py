"""Who asks, through a real page: the owner of this machine, whoever signed in, visitors; and doors beside the page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio_client import Client
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from runners.settings import SETTINGS_FILE, Settings, SettingsError, read_settings
from ui.doors import LONGEST_BODY_BYTES, address, as_json, door, gone
from ui.people import Visits, accounts, person, signs_in_with_hugging_face

HERE = Settings(host="127.0.0.1")
OPEN = Settings(host="0.0.0.0")  # noqa: S104  # nothing listens there: what is asked is what the settings say
PROFILE = {"userinfo": {"preferred_username": "anna"}, "expires_at": time.time() + 3600}


class Played:
    """What the session cookie of Hugging Face's login would hold."""

    def __init__(self, app: Any, session: dict[str, Any]) -> None:
        self._app = app
        self._session = session

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app({**scope, "session": self._session}, receive, send)


def who_of(settings: Settings) -> Callable[[gr.Request], dict[str, Any]]:
    def who(request: gr.Request) -> dict[str, Any]:
        asks = person(request, settings)
        return {"key": asks.key, "role": asks.role, "name": asks.name, "link": address(request, "/shared/x")}

    return who


@contextmanager
def paged(settings: Settings, session: dict[str, Any] | None = None, **launched: Any) -> Iterator[str]:
    """A page with one event and three doors, on a free port; gives its address."""

    def beside(request: Request, body: bytes) -> Response:
        asks = person(request, settings)
        return as_json({"key": asks.key, "role": asks.role, "name": asks.name, "body": body.decode()})

    def breaks(request: Request, body: bytes) -> Response:
        raise RuntimeError("secret words")

    doors = [
        door("/who", beside),
        door("/tell", beside, takes=True),
        door("/breaks", breaks),
        door("/gone/{token:path}", lambda request, body: gone("comparison")),
    ]
    with gr.Blocks(analytics_enabled=False) as page:
        gr.api(who_of(settings), api_name="who", queue=False)
    middleware = [Middleware(Visits, settings=settings)]
    if session is not None:
        middleware.insert(0, Middleware(Played, session=session))
    page.launch(
        server_name="127.0.0.1",
        server_port=None,
        auth=accounts(settings) if settings.login else None,
        app_kwargs={"routes": doors, "middleware": middleware},
        prevent_thread_lock=True,
        ssr_mode=False,
        quiet=True,
        **launched,
    )
    try:
        yield page.local_url.rstrip("/")
    finally:
        page.close(verbose=False)


@pytest.fixture(scope="module")
def pages() -> Iterator[Callable[..., str]]:
    """Pages by their settings, each begun once."""
    with ExitStack() as open_pages:
        begun: dict[int, str] = {}

        def page(settings: Settings) -> str:
            if id(settings) not in begun:
                begun[id(settings)] = open_pages.enter_context(paged(settings))
            return begun[id(settings)]

        yield page


def who(url: str, *, session: str = "s", cookies: Any = None, **headers: str) -> dict[str, Any]:
    """What the page's event says of whoever asks."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = httpx.post(
        f"{url}/gradio_api/run/who", json={"data": [], "session_hash": session}, headers=sent, cookies=cookies, timeout=60
    )
    answer.raise_for_status()
    return answer.json()["data"][0]


def test_whoever_reaches_a_page_of_this_machine_from_it_owns_it(pages: Callable[..., str]) -> None:
    url = pages(HERE)
    assert who(url) == {"key": "local", "role": "owner", "name": None, "link": f"{url}/shared/x"}
    assert httpx.get(f"{url}/who", timeout=60).json()["role"] == "owner"
    assert Client(url, verbose=False).predict(api_name="/who")["role"] == "owner"
    assert "set-cookie" not in httpx.get(url, timeout=60).headers


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1:1", "[::1]:7860", "localhost"])
def test_it_has_many_names(pages: Callable[..., str], host: str) -> None:
    assert who(pages(HERE), host=host)["role"] == "owner"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "rebound.example:7860", "origin": "http://rebound.example:7860", "sec_fetch_site": "same-origin"},
        {"host": "localhost.example"},
        {"host": "127.0.0.1.example"},
        {"host": "[::1"},
        {"origin": "https://other.example"},
        {"origin": "http://localhost:3000", "sec_fetch_site": "same-site"},
        {"origin": "null"},
        {"x_forwarded_for": "203.0.113.5"},
        {"x_forwarded_for": "127.0.0.1"},
        {"forwarded": "for=203.0.113.5"},
        {"x_real_ip": "203.0.113.5"},
        {"x_forwarded_host": "earshot.example"},
    ],
)
def test_bent_names_other_sites_and_proxies_are_not_the_owner(pages: Callable[..., str], headers: dict[str, str]) -> None:
    asks = who(pages(HERE), **headers)
    assert asks["role"] == "visitor"
    assert asks["key"].startswith("visitor:")


@pytest.mark.parametrize("settings", [OPEN, Settings(share=True), Settings(host="earshot.example")])
def test_a_page_that_others_can_reach_has_visitors_alone(pages: Callable[..., str], settings: Settings) -> None:
    assert who(pages(settings))["role"] == "visitor"


def test_a_visitor_is_the_same_from_the_first_page_on_and_another_is_another(pages: Callable[..., str]) -> None:
    url = pages(OPEN)
    with httpx.Client(timeout=60) as one, httpx.Client(timeout=60) as other:
        first = one.get(url)
        (crumb,) = first.headers.get_list("set-cookie")
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(crumb.split("; "))
        assert "no-store" in first.headers["cache-control"]
        mine = who(url, session="a", cookies=one.cookies)["key"]
        assert who(url, session="b", cookies=one.cookies)["key"] == mine
        one.get(url)
        assert who(url, cookies=one.cookies)["key"] == mine
        assert one.get(f"{url}/who").json()["key"] == mine
        secret = one.cookies["earshot"]
        assert len(secret) == 43
        assert secret not in mine
        other.get(url)
        assert who(url, cookies=other.cookies)["key"] != mine


def test_a_client_without_cookies_is_known_by_its_session(pages: Callable[..., str]) -> None:
    url = pages(OPEN)
    assert who(url, session="one")["key"] == who(url, session="one")["key"] != who(url, session="two")["key"]
    client = Client(url, verbose=False)
    assert client.predict(api_name="/who")["key"] == client.predict(api_name="/who")["key"]
    assert httpx.get(f"{url}/who", timeout=60).json()["key"] != httpx.get(f"{url}/who", timeout=60).json()["key"]


@pytest.mark.parametrize("crumb", ["", "a", "x" * 44, "x" * 42 + "=", "x" * 4000, "'; DROP TABLE comparisons; --"])
def test_a_cookie_that_nobody_was_given_is_none(pages: Callable[..., str], crumb: str) -> None:
    url = pages(OPEN)
    assert who(url, session="one", cookie=f"earshot={crumb}")["key"] == who(url, session="one")["key"]
    assert httpx.get(url, headers={"cookie": f"earshot={crumb}"}, timeout=60).headers["set-cookie"]


def test_a_session_that_is_called_as_a_cookie_is_not_its_visitor(pages: Callable[..., str]) -> None:
    url = pages(OPEN)
    assert who(url, cookie="earshot=" + "x" * 43)["key"] != who(url, session="x" * 43)["key"]


def test_by_https_no_neighbour_can_give_somebody_a_cookie(pages: Callable[..., str]) -> None:
    url = pages(OPEN)
    crumb = httpx.get(url, headers={"x-forwarded-proto": "https"}, timeout=60).headers["set-cookie"]
    assert crumb.startswith("__Host-earshot=")
    assert "; Secure; SameSite=Lax" in crumb
    tossed = who(url, session="one", cookie="earshot=" + "x" * 43, x_forwarded_proto="https")
    assert tossed["key"] == who(url, session="one")["key"]


def test_the_page_of_another_site_acts_without_cookies(pages: Callable[..., str]) -> None:
    url = pages(OPEN)
    crumb = "earshot=" + "x" * 43
    mine = who(url, cookie=crumb)["key"]
    assert who(url, cookie=crumb, origin=url)["key"] == mine
    assert who(url, cookie=crumb, origin="https://other.example")["key"] != mine
    assert who(url, cookie=crumb, origin=url, sec_fetch_site="cross-site")["key"] != mine
    assert "set-cookie" not in httpx.get(url, headers={"origin": "https://other.example"}, timeout=60).headers


def signed_in(url: str, name: str, password: str) -> httpx.Cookies:
    answer = httpx.post(f"{url}/login", data={"username": name, "password": password}, timeout=60)
    answer.raise_for_status()
    return answer.cookies


@pytest.fixture(scope="module")
def login() -> Iterator[Settings]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANNA_PASSWORD", "correct horse")
        patch.setenv("BEN_PASSWORD", "battery staple")
        yield Settings(login={"anna": "ANNA_PASSWORD", "ben": "BEN_PASSWORD"}, owners=("anna",))


def test_signed_in_people_are_themselves_and_only_owners_own(pages: Callable[..., str], login: Settings) -> None:
    url = pages(login)
    for name, password, role in (("anna", "correct horse", "owner"), ("ben", "battery staple", "visitor")):
        cookies = signed_in(url, name, password)
        asks = who(url, cookies=cookies)
        assert (asks["key"], asks["role"], asks["name"]) == (f"user:{name}", role, name)
        beside = httpx.get(f"{url}/who", cookies=cookies, timeout=60).json()
        assert (beside["key"], beside["role"]) == (f"user:{name}", role)


def test_with_a_login_nobody_is_the_owner_for_sitting_here(pages: Callable[..., str], login: Settings) -> None:
    url = pages(login)
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        who(url)
    assert httpx.get(f"{url}/who", timeout=60).json()["role"] == "visitor"
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        signed_in(url, "anna", "battery staple")
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        signed_in(url, "eve", "x")


def test_another_site_cannot_use_somebodys_login(pages: Callable[..., str], login: Settings) -> None:
    url = pages(login)
    cookies = signed_in(url, "anna", "correct horse")
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        who(url, cookies=cookies, origin="https://other.example")
    beside = httpx.get(f"{url}/who", cookies=cookies, headers={"origin": "https://other.example"}, timeout=60)
    assert beside.json()["role"] == "visitor"


def test_without_owners_all_who_sign_in_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNA_PASSWORD", "correct horse")
    with paged(Settings(login={"anna": "ANNA_PASSWORD"})) as url:
        assert who(url, cookies=signed_in(url, "anna", "correct horse"))["role"] == "owner"


def test_a_password_that_is_not_set_is_told_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(SETTINGS_FILE).write_text('owners = ["ben"]\n[login]\nanna = "hunter2"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"login\.anna \(earshot\.toml, line 3\).*not set") as told:
        accounts(read_settings())
    assert "hunter2" not in str(told.value)
    monkeypatch.setenv("hunter2", "")
    with pytest.raises(SettingsError, match="is empty"):
        accounts(read_settings())
    monkeypatch.setenv("hunter2", "x")
    with pytest.raises(SettingsError, match=r"earshot\.toml, line 1.*'ben' cannot sign in; there are: anna"):
        accounts(read_settings())
    Path(SETTINGS_FILE).write_text('owners = ["ben"]\n', encoding="utf-8")
    with pytest.raises(SettingsError, match="nobody signs in here"):
        accounts(read_settings())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[login]\nanna = "my password!"\n', "line 1: login: beside 'anna' belongs the NAME"),
        ('[login]\n" anna" = "ANNA"\n', "no spaces around it"),
        ('login = "anna"\n', "write\n    [login]"),
    ],
)
def test_a_wrong_login_is_refused_and_never_repeated(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(SETTINGS_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as told:
        read_settings()
    assert says in str(told.value)
    assert "my password" not in str(told.value)


@pytest.fixture
def space(monkeypatch: pytest.MonkeyPatch) -> None:
    on_anna_s_space(monkeypatch)


def on_anna_s_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this were a Space of anna's with ``hf_oauth``."""
    for name, value in (
        ("SYSTEM", "spaces"),
        ("SPACE_ID", "anna/earshot"),
        ("SPACE_AUTHOR_NAME", "anna"),
        ("SPACE_HOST", "anna-earshot.hf.space"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("gradio.oauth.OAUTH_CLIENT_ID", "an id")
    monkeypatch.setattr("gradio.oauth.OAUTH_CLIENT_SECRET", "a secret")


def asks(settings: Settings, session: dict[str, Any] | None, **headers: str) -> Any:
    scope: dict[str, Any] = {"type": "http", "scheme": "https", "client": ("127.0.0.1", 1), "path": "/", "session": session}
    return person(Request({**scope, "headers": [(k.encode(), v.encode()) for k, v in headers.items()]}), settings)


@pytest.mark.usefixtures("space")
def test_on_a_space_its_author_is_the_owner_once_signed_in() -> None:
    settings = Settings()
    assert (asks(settings, {"oauth_info": PROFILE}).key, asks(settings, {"oauth_info": PROFILE}).role) == ("user:anna", "owner")
    ben = {"oauth_info": {**PROFILE, "userinfo": {"preferred_username": "ben"}}}
    assert (asks(settings, ben).key, asks(settings, ben).role) == ("user:ben", "visitor")
    assert asks(Settings(owners="ben"), ben).role == "owner"
    assert asks(settings, {"oauth_info": {**PROFILE, "expires_at": time.time() - 1}}).name is None
    assert asks(settings, {}).role == "visitor"
    assert asks(settings, {"oauth_info": PROFILE}, origin="https://other.example").name is None


def test_the_cookie_of_a_space_lives_inside_the_page_of_another_site(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = OPEN.model_copy(update={"owners": ("anna",)})
    with paged(OPEN) as url, paged(settings, {"oauth_info": PROFILE}) as signed_in_url:
        on_anna_s_space(monkeypatch)  # not before: there Gradio waits for files to change
        assert who(url)["role"] == "visitor"
        crumb = httpx.get(url, timeout=60).headers["set-cookie"]
        assert who(signed_in_url)["role"] == "owner"
    assert crumb.startswith("__Host-earshot=")
    assert crumb.endswith("; HttpOnly; Secure; SameSite=None; Partitioned")


@pytest.mark.parametrize("variables", [{}, {"SPACE_ID": "anna/earshot"}])
def test_off_a_space_a_played_login_counts_for_nothing(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio plays the login wherever SYSTEM does not say that this is a Space."""
    monkeypatch.setattr("gradio.oauth.OAUTH_CLIENT_ID", "an id")
    monkeypatch.setattr("gradio.oauth.OAUTH_CLIENT_SECRET", "a secret")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = OPEN.model_copy(update={"owners": ("anna",)})
    assert not signs_in_with_hugging_face(settings)
    assert asks(settings, {"oauth_info": PROFILE}).role == "visitor"


def test_the_front_matter_asks_a_space_for_its_login() -> None:
    head = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    assert "\nhf_oauth: true\n" in head


@pytest.mark.usefixtures("space")
def test_the_button_is_there_on_a_space_alone_and_where_it_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ui.people.find_spec", lambda name: object())
    assert signs_in_with_hugging_face(Settings())
    assert not signs_in_with_hugging_face(Settings(login={"anna": "ANNA_PASSWORD"}))
    monkeypatch.setattr("ui.people.find_spec", lambda name: None)
    assert not signs_in_with_hugging_face(Settings())
    assert "gradio[oauth]" in caplog.text
    monkeypatch.setattr("gradio.oauth.OAUTH_CLIENT_ID", None)
    assert not signs_in_with_hugging_face(Settings())


def test_a_door_keeps_its_address_to_itself(pages: Callable[..., str]) -> None:
    url = pages(HERE)
    for path, status in (("/who", 200), ("/gone/x", 404), ("/breaks", 500), ("/tell", 405)):
        answer = httpx.get(url + path, timeout=60)
        assert answer.status_code == status
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "noindex" in answer.headers["x-robots-tag"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "secret words" not in answer.text
    assert httpx.head(f"{url}/who", timeout=60).status_code == 200


def test_doors_are_read_and_those_that_take_something_take_it_from_their_own_pages(pages: Callable[..., str]) -> None:
    url = pages(HERE)
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert httpx.request(method, f"{url}/who", timeout=60).status_code == 405
    tell = f"{url}/tell"
    assert httpx.post(tell, json={"a": 1}, timeout=60).json()["body"] == '{"a":1}'
    assert httpx.post(tell, json={}, headers={"origin": url}, timeout=60).status_code == 200
    assert httpx.post(tell, json={}, headers={"origin": "https://other.example"}, timeout=60).status_code == 403
    assert httpx.post(tell, json={}, headers={"origin": url, "sec-fetch-site": "cross-site"}, timeout=60).status_code == 403
    assert httpx.post(tell, content=b"{}", headers={"content-type": "text/plain"}, timeout=60).status_code == 415
    assert httpx.post(tell, json="x" * LONGEST_BODY_BYTES, timeout=60).status_code == 413


def test_what_is_not_there_says_so_in_plain_words(pages: Callable[..., str]) -> None:
    url = pages(OPEN)
    said = {
        httpx.get(f"{url}/gone/{token}", timeout=60).text
        for token in ("a", "<b>", "x" * 5000, "%2e%2e/%2e%2e/etc/passwd", "a/b/c")
    }
    assert len(said) == 1
    assert "withdrawn, or it never was one" in said.pop()


@pytest.mark.parametrize("path", ["/earshot", ""])
def test_doors_work_behind_a_proxys_prefix(path: str) -> None:
    """One proxy hands on the whole path, the other takes its prefix away."""
    with paged(HERE, root_path="/earshot") as url:
        assert httpx.get(f"{url}{path}/who", timeout=60).json()["role"] == "owner"
        assert who(url + path)["link"] == f"{url}/earshot/shared/x"
        behind = who(url + path, x_forwarded_host="demo.example", x_forwarded_proto="https")
        assert behind["link"] == "https://demo.example/earshot/shared/x"
    with paged(OPEN, root_path="/earshot") as url:
        assert httpx.get(f"{url}{path}/", timeout=60).headers["set-cookie"].startswith("earshot=")
