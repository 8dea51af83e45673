"""The app as a process: its flags, its API through the real client, and what a Space makes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from comparisons.history.kept import EVERYBODY
from comparisons.history.store import History
from runners.settings import IN_THE_FILE_ALONE, Settings
from runners.settings_file import SETTINGS_FILE
from tests.plays import script
from tests.serving import ROOT, Served, free_port, serving, visiting
from tests.sounds import tone


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def hello(folder: Path) -> str:
    return script(folder / "hello.json", {"say": "hello there world"})


@pytest.fixture(scope="module")
def endless(folder: Path) -> str:
    return script(folder / "endless.json", {"say": "on "}, {"wait": 600})


@pytest.fixture(scope="module")
def served(folder: Path, hello: str, endless: str) -> Iterator[Served]:
    names = ",".join(["moonshine", "scripted:raises", hello, endless])
    flags = ("--runners", names, "--disabled-runners", "moonshine", "--history-folder", str(folder / "kept"))
    with serving(folder, *flags, GRADIO_HEARTBEAT_INTERVAL="0.2") as app:  # so it notices soon that somebody left
        yield app


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    with visiting(served) as client:
        yield client


@pytest.fixture(scope="module")
def clip(folder: Path) -> Path:
    return tone(folder / "a <b> clip.wav")


def test_fifteen_endpoints_and_no_more_are_public(client: Client) -> None:
    offered = set(client.view_api(return_format="dict")["named_endpoints"])
    systems = {"/compare", "/runners", "/ask", "/export", "/templates", "/models", "/download"}
    kept = {"/history", "/kept", "/describe", "/delete", "/restore", "/link", "/links", "/withdraw"}
    assert offered == systems | kept
    assert not client.view_api(return_format="dict")["unnamed_endpoints"]


def test_runners_says_why_one_cannot_run_and_what_to_do(client: Client, hello: str) -> None:
    rows = {row["name"]: row for row in client.predict(api_name="/runners")}
    assert rows[hello]["state"] == "available"
    assert rows[hello]["reason"] is None
    assert rows["moonshine"]["state"] == "skipped"
    assert "witched off" in rows["moonshine"]["reason"]
    assert "EARSHOT_DISABLED_RUNNERS" in rows["moonshine"]["fix"]


def test_compare_streams_the_whole_result_each_time(client: Client, clip: Path, hello: str, folder: Path) -> None:
    job = client.submit(
        handle_file(str(clip)), runners=f"{hello}, scripted:raises", reference="hello there, World!", api_name="/compare"
    )
    job.result(timeout=60)
    streamed = job.outputs()
    assert [len(each["results"]) for each in streamed] == [2] * len(streamed)
    assert {result["status"] for result in streamed[0]["results"]} == {"queued"}
    ran, skipped = streamed[-1]["results"]
    assert (ran["status"], ran["transcript"], ran["wer"]) == ("ok", "hello there world", 0.0)
    assert streamed[-1]["normaliser"]["name"] == "whisper-english"
    assert streamed[-1]["clip"]["seconds"] == 1.0
    assert (skipped["status"], skipped["wer"], skipped["transcript"]) == ("skipped", None, None)
    assert skipped["error"]
    history = History(folder / "kept")
    (row,) = history.list(EVERYBODY, search="hello there world", system="scripted:raises").rows
    assert history.audio(row.id, row.owner) is not None


def test_a_call_chooses_its_metric_and_its_key_terms(client: Client, clip: Path, hello: str) -> None:
    inputs = {"runners": hello, "reference": "Hello their World", "api_name": "/compare"}
    told = client.predict(handle_file(str(clip)), metric="both", key_terms="World, their", **inputs)
    assert (told["metric"], told["key_terms"]) == ("both", ["World", "their"])
    assert told["reference"]["text"] == "Hello their World"
    assert told["reference"]["seeded_by"] is None
    (result,) = told["results"]
    assert result["wer"] == pytest.approx(1 / 3)
    assert result["cer"] is not None
    assert client.predict(handle_file(str(clip)), metric="cer", **inputs)["results"][0]["wer"] is None


def test_repeat_gives_as_many_runs(client: Client, clip: Path, hello: str) -> None:
    result = client.predict(handle_file(str(clip)), runners=hello, repeat=3, api_name="/compare")
    assert len(result["results"][0]["runs"]) == 3
    assert result["results"][0]["wer"] is None  # no reference, no rate


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"runners": ""}, "No system is chosen"),
        ({"runners": "nonesuch"}, "nonesuch"),
        ({"normaliser": "nonesuch"}, "nonesuch"),
        ({"metric": "nonesuch"}, "wer, cer, both"),
        ({"key_terms": "x" * 1000}, "x"),
        ({"repeat": 0}, "0 times"),
        ({"repeat": 1.5}, "1.5 times"),
        ({"repeat": 1e9}, "times"),
        ({"reference": "word " * 50_000}, "characters"),
    ],
)
def test_wrong_input_is_refused_in_words(client: Client, clip: Path, hello: str, inputs: dict[str, Any], says: str) -> None:
    with pytest.raises(AppError, match=says):
        client.predict(handle_file(str(clip)), **{"runners": hello, **inputs}, api_name="/compare")


def test_what_is_not_audio_is_refused_and_the_next_clip_is_taken(client: Client, clip: Path, hello: str, folder: Path) -> None:
    bad = folder / "notes.wav"
    bad.write_text("dear diary", encoding="utf-8")
    with pytest.raises(AppError, match="not audio"):
        client.predict(handle_file(str(bad)), runners=hello, api_name="/compare")
    assert client.predict(handle_file(str(clip)), runners=hello, api_name="/compare")["results"][0]["status"] == "ok"


@pytest.mark.parametrize("endpoint", ["compare", "ask"])
@pytest.mark.parametrize("path", ["/etc/passwd", str(ROOT / "pyproject.toml"), "/proc/self/environ"])
def test_a_caller_cannot_read_the_servers_files(served: Served, hello: str, path: str, endpoint: str) -> None:
    """The client of gradio uploads what it is given; a caller of another mind names a path of the server's."""
    rest = {"compare": ["", "", "", 1], "ask": ["What is it?", "", "", ""]}
    clip = {"path": path, "meta": {"_type": "gradio.FileData"}}
    request = urllib.request.Request(  # noqa: S310
        f"{served.url}/gradio_api/call/{endpoint}",
        data=json.dumps({"data": [clip, hello, *rest[endpoint]]}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{served.url}/gradio_api/call/{endpoint}/{event}", timeout=30) as answer:  # noqa: S310
        told = answer.read().decode()
    assert "event: error" in told
    assert "root:" not in told
    assert "plain text" not in told  # it was not even looked at


def test_a_caller_who_leaves_stops_their_run(served: Served, clip: Path, hello: str, endless: str) -> None:
    with visiting(served) as leaving:
        job = leaving.submit(handle_file(str(clip)), runners=endless, api_name="/compare")
        _wait_for(lambda: any(each["results"][0]["status"] == "running" for each in job.outputs()))
    with visiting(served) as staying:  # the device is free again
        assert staying.submit(handle_file(str(clip)), runners=hello, api_name="/compare").result(timeout=90)


def test_on_a_space_visitors_cannot_name_folders_or_models(tmp_path: Path) -> None:
    with serving(tmp_path, SPACE_ID="someone/earshot", SYSTEM="spaces", HF_HUB_OFFLINE="1") as space, visiting(space) as client:
        names = {row["name"] for row in client.predict(api_name="/runners")}
        assert {"moonshine", "pocketsphinx", "whisper"} <= names
        assert "scripted" not in names
        clip = handle_file(str(tone(tmp_path / "clip.wav")))
        for name in ("scripted", f"whisper:{tmp_path}", "whisper:openai/whisper-unheard-of", "ctc:../../etc"):
            with pytest.raises(AppError, match="not offered here"):
                client.predict(clip, runners=name, api_name="/compare")


def test_help_tells_of_every_setting() -> None:
    told = _run("--help")
    assert told.returncode == 0
    words = told.stdout.replace("\n", " ")
    for field in Settings.model_fields:
        if field in IN_THE_FILE_ALONE:
            assert f"--{field}" not in words
            assert field in words.partition("earshot.toml")[2]
            continue
        assert f"--{field.replace('_', '-')}" in words
        assert f"EARSHOT_{field.upper()}" in words


@pytest.mark.parametrize(
    ("flags", "names"),
    [(["--port", "70000"], "port"), (["--device", "toaster"], "device"), (["--runners", "nonesuch"], "nonesuch")],
)
def test_a_wrong_setting_is_named_and_nothing_starts(flags: list[str], names: str) -> None:
    told = _run(*flags)
    assert told.returncode == 2
    assert names in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("settings", "line", "fix"),
    [
        ("port = 1\nhost = here\n", 2, "write name = value"),
        ('[[models]]\nname = "whisper"\nlable = "Ours"\n', 3, "did you mean label?"),
        ('[[models]]\nname = "ctc"\n\n[[models]]\nname = "whipser:/models/x"\n', 5, 'Did you mean "whisper"?'),
        ('[servers.lab]\nbase_url = "gpu-1:8000"\n', 2, "begins with http:// or https://"),
        ('[[models]]\nname = "moonshine"\nhidden = true\n[presets]\nward = ["moonshine"]\n', 5, "Add it with [[models]]"),
    ],
)
def test_a_wrong_settings_file_is_refused_with_its_line_and_the_fix_and_nothing_starts(
    settings: str, line: int, fix: str, tmp_path: Path
) -> None:
    (tmp_path / SETTINGS_FILE).write_text(settings, encoding="utf-8")
    told = _run(folder=tmp_path)
    assert told.returncode == 2
    assert f"{SETTINGS_FILE}, line {line}" in told.stderr
    assert fix in told.stderr
    assert "Traceback" not in told.stderr
    assert told.stdout == ""


def test_a_history_that_cannot_be_kept_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a letter")
    told = _run("--history-folder", str(tmp_path / "file"), "--runners", "scripted")
    assert told.returncode == 2
    assert f"Earshot cannot start: History cannot be kept in {tmp_path / 'file'}" in told.stderr
    assert "EARSHOT_HISTORY=0" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_port_in_use_is_told_plainly(served: Served) -> None:
    port = served.url.rpartition(":")[2]
    told = _run("--port", port, "--runners", "scripted")
    assert told.returncode == 2
    assert port in told.stderr
    assert "--port" in told.stderr
    assert "Traceback" not in told.stderr


def test_importing_the_app_is_light() -> None:
    heavy = (
        "torch",
        "transformers",
        "librosa",
        "ctranslate2",
        "faster_whisper",
        "av",
        "soundfile",
        "jiwer",
        "whisper_normalizer",
    )
    code = f"import sys, app, ui.page; print([name for name in {heavy!r} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.skipif(os.name != "posix", reason="signals are posix's")
def test_interrupting_the_app_ends_its_children(tmp_path: Path) -> None:
    endless = script(tmp_path / "endless.json", {"wait": 600})
    clip = tone(tmp_path / "clip.wav")
    with serving(tmp_path, "--runners", endless) as app:
        client = Client(app.url, verbose=False)
        job = client.submit(handle_file(str(clip)), runners=endless, api_name="/compare")
        _wait_for(lambda: any(each["results"][0]["status"] == "running" for each in job.outputs()))
        children = psutil.Process(app.process.pid).children(recursive=True)
        assert children
        app.process.send_signal(signal.SIGINT)
        assert app.process.wait(30) == 0
        _, alive = psutil.wait_procs(children, timeout=30)
        assert not alive
        assert "Traceback" not in app.said()


def _run(*flags: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    if "--port" not in flags:
        flags = (*flags, "--port", str(free_port()))
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py"), *flags], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def _wait_for(happened: Any, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)
