"""Downloads that a person starts: the queue of the page, and the command; with a hub that runs on this machine."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runners.base import RunnerSpec, UnsupportedOption, WeightsUnavailable
from runners.catalogue.names import spec_for
from runners.downloads import main
from runners.hub import cache
from runners.hub.pace import ago, duration, progress, speed
from runners.hub.queue import Download, DownloadQueue, name_of
from runners.settings import Settings
from tests.hub_folders import MODEL, begun, repository
from tests.hub_server import CHUNK_BYTES, Hub, serve
from tests.serving import ROOT

NAME = "somebody/model"
LIMIT_SECONDS = 60.0


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, and a network."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("EARSHOT_CACHE_FOLDER", str(tmp_path / "cache"))
    return tmp_path / "home"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve(repository()) as hub_:
        monkeypatch.setenv("HF_ENDPOINT", hub_.url)
        yield hub_


@pytest.fixture
def queue() -> Iterator[DownloadQueue]:
    made = DownloadQueue(Settings(downloads=True))
    yield made
    made.close()


def over(queue: DownloadQueue, name: str = NAME) -> Download:
    found = queue.wait(name, LIMIT_SECONDS)
    assert found is not None
    assert found.is_over, found
    return found


def under_way(queue: DownloadQueue, least_bytes: int) -> Download:
    found = queue.wait(NAME, LIMIT_SECONDS, lambda each: each.is_over or (each.done_bytes or 0) >= least_bytes)
    assert found is not None
    assert found.state == "running", found
    return found


def test_a_download_is_followed_to_its_end(served: Hub, queue: DownloadQueue) -> None:
    assert queue.add(spec_for(MODEL)).state in ("queued", "running")
    assert queue.is_busy()
    done = over(queue)
    assert done.state == "done"
    assert done.done_bytes == done.total_bytes
    assert cache.cached_folder(NAME) is not None
    assert not queue.is_busy()
    queue.dismiss(NAME)
    assert queue.downloads() == ()


def test_a_cancelled_download_ends_at_once_and_is_taken_up_again(served: Hub, queue: DownloadQueue, home: Path) -> None:
    served.stall_after = 14 * CHUNK_BYTES
    queue.add(spec_for(MODEL))
    under_way(queue, 12 * CHUNK_BYTES)
    queue.cancel(NAME)
    cancelled = over(queue)
    assert cancelled.state == "cancelled"
    assert cancelled.done_bytes is not None
    (part,) = begun(home)
    left_bytes = part.stat().st_size
    served.stall_after = None
    served.release.set()
    queue.add(spec_for(MODEL))
    assert over(queue).state == "done"
    assert served.ranges[-1] == str(left_bytes)
    assert len(queue.downloads()) == 1


def test_downloads_come_one_after_another(served: Hub, queue: DownloadQueue) -> None:
    served.stall_after = 2 * CHUNK_BYTES
    queue.add(spec_for(MODEL))
    under_way(queue, CHUNK_BYTES)
    queue.add(spec_for(f"{MODEL}@v2"))
    queue.add(spec_for(f"{MODEL}@v3"))
    assert [(each.name, each.place) for each in queue.downloads()] == [(NAME, 0), (f"{NAME}@v2", 1), (f"{NAME}@v3", 2)]
    assert not [asked for asked in served.asked if "v2" in asked]
    queue.add(spec_for(MODEL))  # is under way already
    assert len(queue.downloads()) == 3
    queue.cancel(f"{NAME}@v2")
    assert over(queue, f"{NAME}@v2").state == "cancelled"
    waiting = queue.get(f"{NAME}@v3")
    assert waiting is not None
    assert waiting.place == 1
    served.stall_after = None
    served.release.set()
    assert over(queue, f"{NAME}@v3").state == "done"
    assert over(queue).state == "done"


def test_what_the_hub_refuses_is_told(served: Hub, queue: DownloadQueue) -> None:
    served.errors = {"a/gated": (403, "GatedRepo")}
    queue.add(spec_for("whisper:a/gated"))
    failed = over(queue, "a/gated")
    assert failed.state == "failed"
    assert "licence to be accepted" in (failed.error or "")
    assert "https://huggingface.co/a/gated" in (failed.fix or "")


def test_what_cannot_come_to_an_end_is_refused_and_no_network_is_waited_for(
    served: Hub, queue: DownloadQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnsupportedOption, match="needs no download"):
        queue.add(spec_for("moonshine"))
    gated = RunnerSpec("whisper", "Gated", "runners.whisper:Whisper", model="a/gated", gated=True)
    with pytest.raises(WeightsUnavailable, match="nobody is logged in") as refused:
        queue.add(gated)
    assert "https://huggingface.co/a/gated" in (refused.value.fix or "")
    assert "hf auth login" in (refused.value.fix or "")
    usage = type("Usage", (), {"total": 9, "used": 8, "free": 1_000_000})
    with monkeypatch.context() as full:
        full.setattr("runners.hub.downloadable.shutil.disk_usage", lambda folder: usage)
        with pytest.raises(WeightsUnavailable, match="1 MB are free"):
            queue.add(spec_for("whisper"))
    with pytest.raises(WeightsUnavailable, match="downloads are off"):
        DownloadQueue(Settings(downloads=False)).add(spec_for(MODEL))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsUnavailable, match="HF_HUB_OFFLINE"):
        queue.add(spec_for(MODEL))
    assert served.asked == []
    assert queue.downloads() == ()


def test_systems_with_the_same_weights_share_a_download() -> None:
    assert name_of(spec_for(f"{MODEL}+cpu")) == name_of(spec_for(f"faster-whisper:{NAME}")) == NAME
    assert name_of(spec_for(f"{MODEL}@v2")) == f"{NAME}@v2"


def test_a_closed_queue_has_ended_its_children(served: Hub) -> None:
    queue = DownloadQueue(Settings(downloads=True))
    served.stall_after = CHUNK_BYTES
    queue.add(spec_for(MODEL))
    queue.add(spec_for(f"{MODEL}@v2"))
    under_way(queue, CHUNK_BYTES // 2)
    queue.close()
    assert {over(queue).state, over(queue, f"{NAME}@v2").state} == {"cancelled"}
    with pytest.raises(UnsupportedOption):
        queue.add(spec_for(f"{MODEL}@v3"))


@pytest.mark.parametrize(
    ("done", "total", "pace", "words"),
    [
        (378_000_000, 967_000_000, 12e6, "378 MB of 967 MB · 12 MB/s · 49 s left"),
        (378_000_000, 967_000_000, None, "378 MB of 967 MB"),
        (378_000_000, 967_000_000, 0.0, "378 MB of 967 MB · nothing comes now"),
        (967_000_000, 967_000_000, 12e6, "967 MB of 967 MB"),
        (5_000_000, None, 2e6, "5 MB · 2.0 MB/s"),
    ],
)
def test_progress_in_words(done: int, total: int | None, pace: float | None, words: str) -> None:
    assert progress(done, total, pace) == words


def test_paces_and_times_in_words() -> None:
    assert [speed(value) for value in (0, 35_400, 400_000, 12_300_000)] == ["0 kB/s", "35 kB/s", "0.4 MB/s", "12 MB/s"]
    assert [duration(value) for value in (0.2, 59, 59.7, 720, 12_000)] == ["1 s", "59 s", "1 min", "12 min", "3 h 20 min"]
    assert [ago(86_400 * days) for days in (0.4, 1, 12, 150)] == ["today", "yesterday", "12 days ago", "5 months ago"]


# The command


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runners.downloads", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def here(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The command in this process, which is quicker: for all that does not reach the network."""
    status = main(arguments)
    said = capsys.readouterr()
    return status, said.out, said.err


def test_the_command_fetches_lists_and_removes(
    served: Hub, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = command(MODEL)
    assert fetched.returncode == 0, fetched.stderr
    assert fetched.stdout.strip() == f"{NAME} is in {cache.cached_folder(NAME)}"
    assert f"{NAME} is here already" in here(capsys, MODEL)[1]
    listed = here(capsys, "--list")[1]
    assert re.search(rf"^{NAME} +\d+ MB +main ", listed, re.M)
    assert str(home / "hub") in listed
    (plain,) = json.loads(here(capsys, "--list", "--json")[1])
    assert (plain["name"], plain["is_whole"], plain["revisions"]) == (NAME, True, ["main"])
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))  # which is no terminal
    status, _, error = here(capsys, "--remove", NAME)
    assert status == 1
    assert "--yes" in error
    assert cache.cached_folder(NAME) is not None
    status, said, _ = here(capsys, "--remove", MODEL, "--yes")
    assert status == 0
    assert "freed" in said
    assert cache.cached_folder(NAME) is None
    assert "not on this machine" in here(capsys, "--remove", NAME, "--yes")[2]
    assert "There are no models" in here(capsys, "--list")[1]


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is a signal")
def test_ctrl_c_stops_the_command_and_the_same_one_goes_on(served: Hub, home: Path) -> None:
    served.stall_after = 8 * CHUNK_BYTES
    child = subprocess.Popen(
        [sys.executable, "-m", "runners.downloads", MODEL], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + LIMIT_SECONDS
    while not any(part.stat().st_size for part in begun(home)):
        assert time.monotonic() < until
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=LIMIT_SECONDS)
    assert child.returncode == 130
    assert "goes on from here" in out
    assert begun(home)
    served.stall_after = None
    served.release.set()
    assert command(MODEL).returncode == 0
    assert served.ranges


def test_wrong_usage_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert here(capsys)[0] == 2
    assert here(capsys, "whisper", "--list")[0] == 2
    status, _, error = here(capsys, "wisper")
    assert status == 2
    assert "whisper" in error
    assert "needs no download" in here(capsys, "moonshine")[1]


def test_the_command_says_why_nothing_is_fetched(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    status, _, error = here(capsys, MODEL)
    assert status == 1
    assert "downloads are off" in error
