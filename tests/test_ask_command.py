"""``python -m runners.ask``, run as people run it, with scripted systems."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from runners.ask import main
from tests import commands, plays
from tests.commands import LIMIT_SECONDS, ROOT
from tests.sounds import tone


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip, something that is no clip, scripts, and prompt templates."""
    here = tmp_path_factory.mktemp("command")
    tone(here / "hello.wav")
    (here / "notes.wav").write_text("no sound at all")
    script(here / "answers.json", [{"say": "Grüße, "}, {"say": "世界 👋"}], [{"say": "Second."}])
    script(here / "echoes.json", [{"echo": True}])
    script(here / "steers.json", [{"say": "red\x1b[31m \u202eback"}])
    script(here / "fails.json", [{"say": "It beg"}, {"raise": "The model is tired.", "fix": "Let it sleep."}])
    script(here / "waits.json", [{"say": "First."}], [{"say": "It begins"}, {"wait": 600}])
    script(here / "damaged.json", [{"say": "x"}], load=[{"raise": "The weights are damaged.", "kind": "load"}])
    script(here / "a:b#c.json", [{"say": "An odd name."}])
    (here / "prompts.toml").write_text(
        '[ours]\ntask = "question"\ntext = "Our own wording: {topic}."\n\n'
        '[asks]\ntask = "question"\ntext = "About the clip: {question}"\n',
        encoding="utf-8",
    )
    return here


def script(path: Path, *answers: list[dict[str, Any]], load: list[dict[str, Any]] | None = None) -> None:
    plays.script(path, answers=answers, load=load or [])


def started(folder: Path, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    return commands.started("runners.ask", folder, *arguments, PYTHONIOENCODING="ascii", **settings)


def command(folder: Path, *arguments: str, **settings: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    return commands.finished("runners.ask", folder, *arguments, PYTHONIOENCODING="ascii", **settings)


ANSWERS, ECHOES, FAILS, WAITS = (f"scripted:./{name}.json" for name in ("answers", "echoes", "fails", "waits"))


def test_one_question_gives_its_answer_and_nothing_else(folder: Path) -> None:
    code, out, err = command(folder, "hello.wav", "--runner", ANSWERS, "--question", "What is it?")
    assert (code, out, err) == (0, "Grüße, 世界 👋\n", "")


def test_template_and_questions_are_one_conversation(folder: Path) -> None:
    code, out, err = command(
        folder, "hello.wav", "--runner", ANSWERS, "--template", "summary", "--var", "sentences=2", "--question", "Who?", "When?"
    )
    assert code == 0, err
    assert out == (
        "> Summarize the audio clip in 2 sentences.\n\nGrüße, 世界 👋\n\n> Who?\n\nSecond.\n\n> When?\n\nGrüße, 世界 👋\n"
    )


def test_json_has_prompts_answers_seconds_and_tokens(folder: Path) -> None:
    code, out, err = command(
        folder, "hello.wav", "--runner", f"{ANSWERS}#summary", "--question", "Who?", "--most-tokens", "1", "--json"
    )
    assert code == 0, err
    whole = json.loads(out)
    first, second = whole["exchanges"]
    assert whole["clip"]["source"] == "hello.wav"
    assert first["prompt"] == {
        "template": "summary",
        "task": "summarization",
        "text": "Summarize the audio clip in 3 sentences.",
    }
    assert (first["status"], first["answer"]) == ("ok", "Grüße, ")
    assert first["tokens"]["ended"] == "limit"
    assert first["seconds"] >= first["first_token_seconds"] >= 0
    assert (second["prompt"]["text"], second["answer"]) == ("Who?", "Second.")
    assert second["tokens"]["reused"] > 12
    assert "Note: ended at the most tokens" in err


def test_a_template_with_a_question_in_it_words_every_question(folder: Path) -> None:
    code, out, err = command(
        folder,
        "hello.wav",
        "--runner",
        ECHOES,
        "--prompts",
        "prompts.toml",
        "--template",
        "asks",
        "--question",
        "Who?",
        "When?",
    )
    assert code == 0, err
    assert out.splitlines()[2::4] == ["About the clip: Who?", "About the clip: When?"]


def test_a_deployers_templates_are_there_without_being_named(folder: Path) -> None:
    code, out, err = command(folder, "hello.wav", "--runner", f"{ECHOES}#ours", "--var", "topic=tides = high")
    assert (code, out) == (0, "Our own wording: tides = high.\n"), err


@pytest.mark.skipif(os.name != "posix", reason="names of files")
def test_odd_characters_in_a_folders_name(folder: Path) -> None:
    code, out, err = command(folder, "hello.wav", "--runner", "scripted:./a:b#c.json", "--question", "What?")
    assert (code, out) == (0, "An odd name.\n"), err
    code, out, err = command(folder, "hello.wav", "--runner", "scripted:./a:b#c.json#plain")
    assert (code, out) == (0, "An odd name.\n"), err


def test_an_answer_cannot_steer_the_terminal(folder: Path) -> None:
    code, out, _ = command(folder, "hello.wav", "--runner", "scripted:./steers.json", "--question", "What?")
    assert code == 0
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "red" in out


def test_when_nothing_is_answered_the_exit_code_is_3_and_the_rest_is_still_asked(folder: Path) -> None:
    code, out, err = command(folder, "hello.wav", "--runner", FAILS, "--question", "One?", "Two?")
    assert code == 3
    assert out.count("It beg") == 2  # what came is kept
    assert err.count("SKIPPED: The model is tired. Let it sleep.") == 2


def test_a_system_that_cannot_run_is_asked_once(folder: Path) -> None:
    code, out, err = command(folder, "hello.wav", "--runner", "scripted:./damaged.json", "--question", "One?", "Two?", "--json")
    assert code == 3
    assert "The weights are damaged." in err
    assert "Not asked: 1 more" in err
    (exchange,) = json.loads(out)["exchanges"]
    assert (exchange["status"], exchange["stage"]) == ("skipped", "load")


@pytest.mark.parametrize("clip", ["notes.wav", "missing.wav", "."])
def test_a_clip_that_cannot_be_read_is_explained_with_exit_code_2(folder: Path, clip: str) -> None:
    code, out, err = command(folder, clip, "--runner", ANSWERS, "--question", "What?")
    assert (code, out) == (2, "")
    assert clip in err
    assert "Traceback" not in err


def until_said(child: subprocess.Popen[str], words: str) -> str:
    """What was printed up to these words."""
    assert child.stdout is not None
    said = ""
    while words not in said:
        character = child.stdout.read(1)
        assert character, f"it ended after {said!r}"
        said += character
    return said


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_answers_come_as_they_are_made_and_ctrl_c_keeps_them(folder: Path) -> None:
    child = started(folder, "hello.wav", "--runner", WAITS, "--question", "One?", "Two?", "Three?")
    try:
        said = until_said(child, "It begins")  # long before the answer is complete
        below = psutil.Process(child.pid).children(recursive=True)
        os.killpg(child.pid, signal.SIGINT)  # as a terminal does: everything in the group hears it
        out, err = child.communicate(timeout=LIMIT_SECONDS)
    finally:
        child.kill()
    assert child.returncode == 130, err
    assert said + out == "> One?\n\nFirst.\n\n> Two?\n\nIt begins\n"
    assert "Stopped." in err
    assert "Traceback" not in err
    assert below
    _, alive = psutil.wait_procs(below, timeout=LIMIT_SECONDS)
    assert not alive


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_still_gives_json(folder: Path) -> None:
    ours, theirs = os.openpty()  # a terminal for what is said besides, so that it can be seen when the answer has begun
    environment = {**os.environ, "EARSHOT_DEVICE": "cpu", "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    child = subprocess.Popen(
        [sys.executable, "-m", "runners.ask", "hello.wav", "--runner", WAITS, "--question", "1?", "2?", "--json"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    try:
        while b"It begins" not in shown:
            shown += os.read(ours, 65536)
        os.killpg(child.pid, signal.SIGINT)
        out, _ = child.communicate(timeout=LIMIT_SECONDS)
    finally:
        child.kill()
        os.close(ours)
    assert child.returncode == 130
    assert b"tokens/s" in shown or b"s in all" in shown  # figures of the first answer
    exchanges = json.loads(out)["exchanges"]
    assert [(each["status"], each["answer"]) for each in exchanges] == [("ok", "First."), ("cancelled", "It begins")]


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_reader_that_goes_away_leaves_no_traceback(folder: Path) -> None:
    child = started(folder, "hello.wav", "--runner", WAITS, "--question", "One?", "Two?")
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    try:
        assert child.wait(LIMIT_SECONDS) == 141
        assert "Traceback" not in child.stderr.read()
    finally:
        child.kill()
        child.stderr.close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["x.wav"], "--runner"),
        (["--runner", "scripted"], "CLIP"),
        (["x.wav", "--runner", "scripted"], "Give --question, or --template with one of: plain"),
        (["x.wav", "--runner", "no-such-system", "--question", "x"], "no-such-system"),
        (["x.wav", "--runner", "scripted", "--template", "sumary"], "summary"),
        (["x.wav", "--runner", "scripted#"], "names no prompt template"),
        (["x.wav", "--runner", "scripted#plain", "--template", "summary"], "named twice"),
        (["x.wav", "--runner", "scripted", "--question", " "], "Nothing is asked"),
        (["x.wav", "--runner", "scripted", "--template", "terms"], "{terms}"),
        (["x.wav", "--runner", "scripted", "--template", "plain", "--var", "sentences=3"], "has no {sentences}"),
        (["x.wav", "--runner", "scripted", "--template", "summary", "--var", "sentence=3"], "{sentences}"),
        (["x.wav", "--runner", "scripted", "--template", "summary", "--var", "sentences"], "NAME=VALUE"),
        (["x.wav", "--runner", "scripted", "--question", "x", "--var", "sentences=3"], "--template"),
        (["x.wav", "--runner", "scripted", "--question", "x", "--most-tokens", "0"], "write 1 or more"),
        (["x.wav", "--runner", "whisper", "--question", "x"], "phi4-multimodal"),
        (["x.wav", "--runner", "scripted", "--question", "x", "--prompts", "no-such.toml"], "no-such.toml"),
        (["x.wav", "--runner", "scripted", "--question", "x", "--prompts", "bad.toml"], "bad.toml"),
    ],
)
def test_wrong_usage_is_explained_with_exit_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.toml").write_text("[x\n")
    assert says in commands.refused(main, arguments, capsys)


def test_a_wrong_setting_is_explained(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EARSHOT_DEVICE", "abacus")
    assert "EARSHOT_DEVICE" in commands.refused(main, ["x.wav", "--runner", "scripted", "--question", "x"], capsys)
