"""What goes wrong with a server ends in plain words and a fix: skipped, never scored, and without addresses or keys."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from comparisons.run import compare
from runners.base import (
    AudioError,
    Cancelled,
    ChatOptions,
    Contender,
    MissingPackage,
    ModelLoadError,
    Placement,
    RunnerError,
    RunnerTimeout,
    TranscribeOptions,
    TranscriptionResult,
    Turn,
    UnsupportedOption,
    WeightsUnavailable,
)
from runners.events import Finished
from runners.isolation.child_log import masker, secrets_in
from runners.isolation.host import RunnerHost
from runners.isolation.spawner import child_environment
from runners.settings import Settings
from tests.fault_server import Answer, FaultServer, delta, fault_server, refused, said, streamed
from tests.pools import Told, ask, fresh_pools, in_background, run, scripts_in, wait_until
from tests.served_models import CLIP, hear, loaded, row
from tests.watcher import Watcher

KEY = "lab-key-4711-do-not-tell"
GOOD = {"text": "hello", "words": [{"word": "hello", "start": 0, "end": 1}]}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server() as found:
        yield found


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", KEY)


def fault(server: FaultServer, kind: type[RunnerError] = RunnerError, route: str = "transcriptions", **settings) -> RunnerError:
    """What hearing a clip ends with; it has a fix, and neither the key nor the address."""
    with pytest.raises(kind) as raised:
        hear(row(server.base_url, route, **settings))
    error = raised.value
    assert error.fix
    for text in (str(error), error.fix):
        assert KEY not in text
        assert "127.0.0.1" not in text
        assert "\x1b" not in text
    return error


@pytest.mark.parametrize(
    ("status", "kind", "what", "fix"),
    [
        (301, RunnerError, "elsewhere", "base_url"),
        (400, UnsupportedOption, "refused the request", "route"),
        (401, RunnerError, "does not accept the key", "LAB_KEY"),
        (403, RunnerError, "forbids", "access"),
        (404, ModelLoadError, "knows no model", "base_url"),
        (413, AudioError, "too large", "longest_seconds"),
        (429, RunnerError, "too many requests", "Wait"),
        (500, RunnerError, "failed", "log"),
        (503, RunnerError, "not ready", "Wait"),
        (504, RunnerTimeout, "gave up", "shorter"),
    ],
)
@pytest.mark.parametrize("route", ["transcriptions", "chat"])
@pytest.mark.usefixtures("key")
def test_every_status_has_its_words(
    server: FaultServer, route: str, status: int, kind: type[RunnerError], what: str, fix: str
) -> None:
    message = f"bad key {KEY} at {server.base_url}\x1b[31m\n<b>now</b>"
    server.answers = [refused(status, message, Location=f"{server.base_url}/other", Retry_After="0")]
    error = fault(server, kind, route, key="LAB_KEY", retries=0)
    assert what in str(error)
    assert str(status) in str(error)
    assert fix in (error.fix or "")
    if status >= 400:
        assert "bad key ••• at •••" in str(error)


def test_a_redirect_is_not_followed(server: FaultServer) -> None:
    with fault_server() as other:
        other.answers = [said(GOOD)]
        server.answers = [refused(307, Location=f"{other.base_url}/audio/transcriptions")]
        fault(server)
        assert not other.requests


class Job(Watcher):
    """What a host wants to tell besides."""

    def loading(self) -> None: ...
    def running(self) -> None: ...


def test_not_now_is_asked_again_and_that_time_is_not_counted(server: FaultServer) -> None:
    server.answers = [refused(429, Retry_After="0.6"), refused(503, Retry_After="0"), said(GOOD)]
    host = RunnerHost(row(server.base_url))
    host.load(Placement(), Job())
    began = time.perf_counter()
    heard = host.transcribe(CLIP, TranscribeOptions(), 1, Job())
    assert time.perf_counter() - began - heard.runs[0] >= 0.6
    assert heard.transcript.text == "hello"
    assert any("asked again 2 times" in note for note in heard.transcript.notes)
    again = host.transcribe(CLIP, TranscribeOptions(), 1, Job())
    assert again.runs[0] > 0, "nothing is left out for what was waited before"
    host.unload()


def test_a_chat_is_asked_again_too_and_neither_its_first_word_nor_its_end_counts_the_wait(server: FaultServer) -> None:
    server.answers = [refused(429, Retry_After="0.6"), streamed(delta("Fine.", "stop"))]
    host = RunnerHost(row(server.base_url, "chat"))
    host.load(Placement(), Job())
    began = time.perf_counter()
    replied = host.chat(CLIP, (Turn("user", "How is it?"),), ChatOptions("one"), Job())
    took = time.perf_counter() - began
    host.unload()
    assert replied.text == "Fine."
    assert any("asked again once" in note for note in replied.usage.notes)
    assert replied.first_token_seconds is not None
    assert took - replied.first_token_seconds >= 0.6
    assert took - replied.seconds >= 0.6


def test_a_server_is_asked_again_only_so_often_and_not_after_long_waits_or_spent_quotas(server: FaultServer) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1))
    for answer, requests in (
        (refused(429, Retry_After="0"), 3),
        (refused(429, Retry_After="3600"), 1),
        (refused(429, Retry_After=later), 1),
        (refused(429, code="insufficient_quota"), 1),
        (refused(500), 1),
    ):
        server.requests.clear()
        server.answers = [answer]
        fault(server, retries=2)
        assert len(server.requests) == requests


def test_a_wait_before_the_next_attempt_can_be_cancelled(server: FaultServer) -> None:
    server.answers = [refused(429, Retry_After="29")]

    class OnceRefused(Watcher):
        def check(self) -> None:
            if server.asked.is_set() and not server.at_once:
                raise Cancelled

    with pytest.raises(Cancelled):
        hear(row(server.base_url), watcher=OnceRefused())


PAGE = Answer(b"<!doctype html><title>Welcome</title>", kind="text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (PAGE, "type 'text/html'"),
        (Answer(b"hello", kind=""), "does not say what it is"),
        (Answer(b"{", kind="application/json"), "no JSON"),
        (Answer(b"", kind="application/json"), "empty"),
        (Answer(b"\xff\xfe\x00", kind="application/json"), "no JSON"),
        (Answer(b"[" * 100_000, kind="application/json"), "no JSON"),
        (said(["hello"]), "no object"),
        (said({"txt": "hello"}), "not what was asked for"),
        (said({"text": 7}), "not what was asked for"),
        (said({"text": None, "choices": []}), "not what was asked for"),
        (Answer(b"\x1f\x8b\x08", headers={"Content-Encoding": "gzip"}), "compressed"),
        (said({"error": "CUDA error"}), "CUDA error"),
    ],
)
@pytest.mark.parametrize("route", ["transcriptions", "chat"])
def test_an_answer_of_another_kind_is_no_transcript(server: FaultServer, route: str, answer: Answer, what: str) -> None:
    server.answers = [answer]
    assert what in str(fault(server, route=route))


@pytest.mark.parametrize("route", ["transcriptions", "chat"])
@pytest.mark.parametrize(
    "answer",
    [
        streamed(delta("All cl"), done=False, breaks=True),
        streamed(delta("All cl"), done=False),
        streamed(done=False),
        Answer(b'{"text": "All cl', breaks=True),
        Answer(b'data: {"choices": [{"del', kind="text/event-stream", breaks=True),
    ],
)
def test_an_answer_that_is_cut_off_is_no_transcript(server: FaultServer, route: str, answer: Answer) -> None:
    server.answers = [answer]
    assert "cut off" in str(fault(server, route=route)) or "damaged" in str(fault(server, route=route))


@pytest.mark.parametrize("route", ["transcriptions", "chat"])
def test_an_error_in_the_middle_of_a_stream_is_no_transcript(server: FaultServer, route: str) -> None:
    server.answers = [streamed(delta("All cl"), {"error": {"message": "CUDA out of memory"}})]
    assert "out of memory" in str(fault(server, route=route))
    server.answers = [streamed(delta("All cl"), '{"error": "broken "quotes""}', done=False)]
    assert "damaged" in str(fault(server, route=route))


@pytest.mark.parametrize("route", ["transcriptions", "chat"])
@pytest.mark.parametrize(
    "answer",
    [
        Answer(kind="text/event-stream", endless=b"data: " + b"x" * 65_536),
        Answer(kind="text/event-stream", endless=b": nothing\n" * 6_000),
        Answer(endless=b" " * 65_536),
    ],
)
def test_an_answer_without_end_is_given_up(server: FaultServer, route: str, answer: Answer) -> None:
    server.answers = [answer]
    assert "does not end" in str(fault(server, route=route))


def test_a_refusal_without_end_is_given_up_too(server: FaultServer) -> None:
    server.answers = [Answer(status=500, kind="text/plain", endless=b"no" * 30_000)]
    assert "500" in str(fault(server))


def test_a_server_that_is_not_there_cannot_be_reached() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening: nobody else gets it
        with pytest.raises(RunnerError, match="cannot be reached") as refusal:
            hear(row(f"http://127.0.0.1:{taken.getsockname()[1]}/v1"))
    assert refusal.value.fix


def test_a_server_that_speaks_something_else_is_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with listening.accept()[0] as client:
                client.recv(65_536)
                client.sendall(b"220 mail ready\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(RunnerError) as refusal:
            hear(row(f"http://127.0.0.1:{listening.getsockname()[1]}/v1"))
        thread.join(20)
    assert refusal.value.fix


def test_a_key_that_is_not_set_is_asked_for_by_the_name_of_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_KEY", raising=False)
    with pytest.raises(WeightsUnavailable, match="key") as refusal, loaded(row("http://lab/v1", key="LAB_KEY")):
        pass
    assert "LAB_KEY" in (refusal.value.fix or "")


def test_without_the_client_the_install_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openai", None)
    with pytest.raises(MissingPackage) as refusal, loaded(row("http://lab/v1")):
        pass
    assert "pip install openai" in (refusal.value.fix or "")


@pytest.mark.usefixtures("key")
def test_in_its_child_it_is_skipped_with_nothing_of_the_key_and_the_next_request_works(server: FaultServer) -> None:
    with fresh_pools() as pools:
        pool = pools()
        contender = Contender(row(server.base_url, key="LAB_KEY"))
        server.answers = [refused(401, f"the key {KEY} is wrong")]
        result = run(pool, contender, clip=CLIP)
        assert (result.status, result.stage) == ("skipped", "transcribe")
        assert "does not accept the key" in (result.error or "")
        assert KEY not in repr(result)
        (child,) = pool.children()
        server.answers = [said(GOOD)]
        result = run(pool, contender, clip=CLIP, repeat=2)
        assert (result.status, result.transcript and result.transcript.text) == ("ok", "hello")
        assert (result.device, result.dtype, result.load_seconds, result.peak_memory) == (None, None, None, None)
        assert len(result.runs) == 2
        assert result.rtf is not None
        assert [each.pid for each in pool.children()] == [child.pid]
        assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"


def test_a_turn_in_its_child_streams_and_is_cancelled_at_once(server: FaultServer) -> None:
    with fresh_pools() as pools:
        pool, contender = pools(), Contender(row(server.base_url, "chat"))
        server.answers = [streamed(delta("So "), delta("far"), done=False, hangs=True)]
        told, cancel = Told(), threading.Event()
        results: list = []
        thread = threading.Thread(
            target=lambda: results.append(ask(pool, contender, clip=CLIP, told=told, cancel=cancel)), daemon=True
        )
        thread.start()
        assert told.spoke.wait(60)
        cancel.set()
        assert server.left.wait(20)
        thread.join(20)
        assert (results[0].status, results[0].text.startswith("So")) == ("cancelled", True)
        assert len(pool.children()) == 1  # no kill was needed


def test_served_contenders_run_beside_each_other_as_many_as_their_server_takes(server: FaultServer) -> None:
    gate = threading.Event()
    server.answers = [said(GOOD, starts=gate)]
    contenders = [Contender(row(server.base_url, model=f"model-{number}", requests_at_once=2)) for number in range(4)]
    with fresh_pools() as pools:
        results: list[TranscriptionResult] = []
        events = compare(CLIP, contenders, pools())
        thread = threading.Thread(
            target=lambda: results.extend(event.result for event in events if isinstance(event, Finished))
        )
        thread.start()
        wait_until(lambda: server.at_once == 2, 60)
        gate.set()
        thread.join(60)
    assert [result.status for result in results] == ["ok"] * 4
    assert server.most_at_once == 2


def test_a_wait_for_a_busy_server_is_cancelled_at_once(server: FaultServer) -> None:
    gate, cancel = threading.Event(), threading.Event()
    server.answers = [said(GOOD, starts=gate)]
    with fresh_pools() as pools:
        pool, contender = pools(), Contender(row(server.base_url, requests_at_once=1))
        first, firsts = in_background(pool, contender, clip=CLIP)
        wait_until(lambda: server.at_once == 1, 60)
        second, seconds = in_background(pool, contender, clip=CLIP, cancel=cancel)
        cancel.set()
        second.join(20)
        assert seconds[0].status == "cancelled"
        gate.set()
        first.join(20)
        assert firsts[0].status == "ok"
    assert len(server.requests) == 1


def test_a_server_takes_no_turn_on_the_device(server: FaultServer, tmp_path) -> None:
    server.answers = [said(GOOD)]
    with fresh_pools() as pools:
        pool, cancel, told = pools(), threading.Event(), Told()
        local = scripts_in(tmp_path)("busy", [{"say": "on"}, {"hang": True}])
        thread, results = in_background(pool, local, cancel=cancel, told=told)
        assert told.spoke.wait(60)  # it holds the device
        assert run(pool, Contender(row(server.base_url)), clip=CLIP).status == "ok"
        cancel.set()
        thread.join(20)
        assert results[0].status == "cancelled"


def test_what_is_switched_off_or_lacks_its_key_is_skipped_before_anything_is_asked(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAB_KEY", raising=False)
    with fresh_pools() as pools:
        result = run(pools(), Contender(row(server.base_url, key="LAB_KEY")), clip=CLIP)
    assert (result.status, result.stage) == ("skipped", "availability")
    assert "LAB_KEY" in (result.error or "") + (result.fix or "")
    assert not server.requests


def test_inline_it_works_the_same(server: FaultServer) -> None:
    server.answers = [said(GOOD)]
    with fresh_pools() as pools:
        result = run(pools(isolation="inline"), Contender(row(server.base_url)), clip=CLIP)
    assert (result.status, result.device) == ("ok", None)


def test_a_child_gets_the_key_of_its_own_server_and_its_log_hides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB", KEY)
    monkeypatch.setenv("CLOUD_API_KEY", "another-one")
    environment = child_environment(Settings(), row("http://lab/v1", key="LAB"))
    assert environment["LAB"] == KEY
    assert "CLOUD_API_KEY" not in environment
    assert "LAB" not in child_environment(Settings(), row("http://lab/v1"))
    assert masker(secrets_in({"LAB": KEY}, ("LAB",)))(f"sent {KEY}") == "sent •••"


def test_a_server_learns_its_own_key_and_nothing_else_of_the_environment(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("OPENAI_API_KEY", "of-another"),
        ("OPENAI_ORG_ID", "of-another"),
        ("OPENAI_PROJECT_ID", "of-another"),
        ("OPENAI_CUSTOM_HEADERS", "Authorization: of-another\nX-Other: of-another"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LAB_KEY", KEY)
    server.answers = [said(GOOD)]
    hear(row(server.base_url, key="LAB_KEY"))
    hear(row(server.base_url))
    with_key, without = (request.headers for request in server.requests)
    assert with_key["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in without
    assert "of-another" not in repr(server.requests)


def test_what_cannot_be_a_key_or_a_proxy_is_told_without_repeating_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "half\nhalf")
    with pytest.raises(WeightsUnavailable, match="is no key") as refusal, loaded(row("http://lab/v1", key="LAB_KEY")):
        pass
    assert "half" not in f"{refusal.value}{refusal.value.fix}"
    monkeypatch.setenv("ALL_PROXY", "gopher://me:secret@proxy")
    with pytest.raises(ModelLoadError, match="proxy") as refused_proxy, loaded(row("http://lab/v1")):
        pass
    assert "secret" not in f"{refused_proxy.value}{refused_proxy.value.fix}"


@pytest.mark.parametrize("isolation", ["process", "inline"])
def test_letters_that_no_file_takes_are_not_in_a_transcript(server: FaultServer, isolation: str) -> None:
    server.answers = [Answer(b'{"text": "odd \\ud800", "words": [{"word": "\\udc00", "start": 0, "end": 1e999}]}')]
    with fresh_pools() as pools:
        result = run(pools(isolation=isolation), Contender(row(server.base_url)), clip=CLIP)
    assert result.transcript is not None
    assert result.transcript.text == "odd ?"
    repr(result).encode()
