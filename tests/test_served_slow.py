"""A server that takes its time: a slow answer is a whole one, a silent one and one without end are given up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runners.base import Contender, RunnerTimeout
from runners.events import Partial
from runners.isolation.limits import CANCEL_GRACE_SECONDS
from tests.fault_server import FaultServer, delta, fault_server, streamed
from tests.pools import Told, fresh_pools, run
from tests.served_models import CLIP, hear, row

ROUTES = pytest.mark.parametrize("route", ["transcriptions", "chat"])
WORDS = ("All ", "is ", "clear ", "up ", "here ", "and ", "over ", "there.")
PAUSE_SECONDS = 0.15


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server() as found:
        yield found


@ROUTES
def test_a_slow_answer_is_shown_as_it_comes_and_timed_whole(server: FaultServer, route: str) -> None:
    server.answers = [streamed(*map(delta, WORDS), delta(reason="stop"), pause_seconds=PAUSE_SECONDS)]
    patience = 6 * PAUSE_SECONDS  # with each piece, not with the answer
    told = Told()
    with fresh_pools() as pools:
        result = run(pools(), Contender(row(server.base_url, route, timeout_seconds=patience)), told=told, clip=CLIP)
    assert (result.status, result.error) == ("ok", None)
    assert result.transcript is not None
    assert result.transcript.text == "".join(WORDS)
    shown = [event.text for event in told.events if isinstance(event, Partial)]
    assert len(set(shown)) >= 2, "not all at once at the end"
    assert all(result.transcript.text.startswith(text.strip()) for text in shown)
    assert result.runs[0] >= len(WORDS) * PAUSE_SECONDS > patience
    assert len(server.requests) == 1, "slow is no reason to ask again"


@ROUTES
def test_an_answer_that_outlasts_the_deadline_is_skipped_however_much_it_says(server: FaultServer, route: str) -> None:
    server.answers = [streamed(*[delta("and on ")] * 600, pause_seconds=0.05)]
    told = Told()
    with fresh_pools() as pools:
        pool = pools(transcribe_timeout_seconds=0.2, transcribe_timeout_per_second=0)
        contender = Contender(row(server.base_url, route, timeout_seconds=0.2, retries=0))
        result = run(pool, contender, told=told, clip=CLIP)
        assert (result.status, result.stage, result.runs) == ("skipped", "transcribe", ())
        assert f"longer than {0.2 + CANCEL_GRACE_SECONDS:g} s to transcribe" in (result.error or "")
        assert "EARSHOT_TRANSCRIBE_TIMEOUT_SECONDS" in (result.fix or "")
        assert told.spoke.is_set()
        assert server.left.wait(20), "nobody listens any more"
        server.answers = [streamed(delta("Fine.", "stop"))]
        after = run(pool, contender, clip=CLIP)
        assert after.transcript is not None
        assert after.transcript.text == "Fine."


@ROUTES
def test_a_silent_server_is_not_waited_for_longer_than_the_settings_say(server: FaultServer, route: str) -> None:
    server.answers = [streamed(delta("All"), done=False, hangs=True)]
    with pytest.raises(RunnerTimeout, match=r"silent for 0\.3 s") as fault:
        hear(row(server.base_url, route, timeout_seconds=0.3))
    assert fault.value.fix
