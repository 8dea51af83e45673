"""``python -m comparisons``, run as people run it, with scripted runners."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from comparisons import report
from comparisons.__main__ import main
from comparisons.compare import Comparison, begin, fold, rescored
from comparisons.exports import Exported, exported
from comparisons.history.kept import LOCAL
from comparisons.history.store import History
from comparisons.normalise import normaliser
from comparisons.reference import Reference, text_of
from runners.audio import decode
from runners.base import Clip, Contender, RunnerSpec, Transcript, TranscriptionResult
from runners.events import Finished
from tests import commands
from tests.commands import LIMIT_SECONDS, ROOT
from tests.plays import script
from tests.sounds import tone
from ui.take_away import taken_away


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips, something that is no clip, and scripts."""
    here = tmp_path_factory.mktemp("command")
    for name, seconds in (("hello.wav", 1.0), ("again.wav", 2.0)):
        tone(here / name, seconds)
    (here / "notes.wav").write_text("no sound at all")
    script(here / "hears.json", {"say": "hello there, world"})
    script(here / "with, comma.json", {"say": "hello"})
    script(here / "fails.json", {"raise": "The model is tired.", "fix": "Let it sleep."})
    told = {"load": [], "takes": [[{"say": "hello"}]], "prompted": {"readable": [{"say": "Sure, here is the text: hello"}]}}
    (here / "told.json").write_text(json.dumps({**told, "repeat": True}))
    (here / "house.toml").write_text('[greet]\ntask = "summarization"\ntext = "Greet {topic} in {language}."')
    script(here / "waits.json", {"say": "hello"}, {"wait": 600})
    return here


started = partial(commands.started, "comparisons")
command = partial(commands.finished, "comparisons")


HEARS, FAILS, WAITS = "scripted:./hears.json", "scripted:./fails.json", "scripted:./waits.json"


def test_the_schema_is_printed_without_a_clip(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--schema"])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["properties"]["schema"] == {"const": "earshot-comparison"}


def test_one_clip_gives_one_json_object_and_nothing_else(folder: Path) -> None:
    code, out, err = command(
        folder,
        "hello.wav",
        "--runners",
        f"{HEARS},{FAILS}",
        "--reference",
        "Hello world!",
        "--language",
        "en",
        "--repeat",
        "2",
        "--format",
        "json",
    )
    assert code == 0, err
    whole = json.loads(out)
    assert whole["clip"] == {"source": "hello.wav", "seconds": 1.0}
    assert whole["normaliser"]["name"] == "whisper-english"
    heard, failed = whole["results"]
    assert heard["status"] == "ok"
    assert heard["transcript"] == "hello there, world"
    assert (heard["hits"], heard["insertions"], heard["wer"]) == (2, 1, 0.5)
    assert len(heard["runs"]) == 2
    assert (failed["status"], failed["error"], failed["fix"]) == ("skipped", "The model is tired.", "Let it sleep.")
    assert failed["wer"] is None
    assert "\r" not in err  # no progress bar in a pipe


def test_what_has_to_be_downloaded_is_said_before_it_is(folder: Path, tmp_path: Path) -> None:
    online = {"EARSHOT_DOWNLOADS": "1", "HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9"}
    clips, runners = ("hello.wav", "again.wav"), f"{HEARS},ctc,ctc+bfloat16"
    code, out, err = command(folder, *clips, "--runners", runners, "--format", "json", **online, HF_HOME=str(tmp_path))
    assert code == 0
    first, *rest = err.splitlines()
    assert re.fullmatch(r"Downloads 378 MB; needs at least \d.* of memory \(ctc\)\.", first), (
        err
    )  # one model, in two precisions
    assert not any(line.startswith("Downloads") for line in rest)
    assert len(out.splitlines()) == len(clips)


def test_several_clips_give_a_line_each_and_a_bad_one_is_left_out(folder: Path) -> None:
    code, out, err = command(folder, "hello.wav", "notes.wav", "again.wav", "--runners", HEARS, "--format", "json")
    assert code == 0
    assert [json.loads(line)["clip"]["source"] for line in out.splitlines()] == ["hello.wav", "again.wav"]
    assert "notes.wav" in err
    assert "Traceback" not in err


def test_the_table_is_for_people_and_the_reference_may_come_from_a_file(folder: Path) -> None:
    (folder / "reference.txt").write_text("hello there world\n", encoding="utf-8-sig")
    code, out, _ = command(folder, "hello.wav", "--runners", f"{HEARS},{FAILS}", "--reference-file", "reference.txt")
    assert code == 0
    assert "0.0 %" in out
    assert "hello there, world" in out
    assert "skipped: The model is tired. Let it sleep." in out


def test_metric_and_key_terms_count_as_on_the_page(folder: Path) -> None:
    (folder / "terms.txt").write_text("world\nZolpidem")
    code, out, err = command(
        folder,
        "hello.wav",
        "--runners",
        HEARS,
        "--reference",
        "hello world, Zolpidem",
        "--metric",
        "both",
        "--normaliser",
        "basic",
        "--key-terms",
        "hello, there",
        "--key-terms-file",
        "terms.txt",
        "--format",
        "json",
    )
    assert code == 0, err
    whole = json.loads(out)
    assert (whole["metric"], whole["normaliser"]["name"]) == ("both", "basic")
    assert whole["key_terms"] == ["hello", "there", "world", "Zolpidem"]
    page = rescored(said_in_json(whole), normaliser("basic"), metric="both", key_terms=whole["key_terms"])
    ours, theirs = report.to_dict(page)["results"][0], whole["results"][0]
    for name in ("wer", "cer", "hits", "substitutions", "deletions", "insertions", "measures", "flags", "interval"):
        assert theirs[name] == ours[name], name
    measured = theirs["measures"]
    assert (measured["key_terms_kept"], measured["key_terms_of"]) == (2, 3)
    assert measured["key_terms_missing"] == ["Zolpidem"]


def said_in_json(whole: dict[str, Any]) -> Comparison:
    """The comparison that the page would have of what the command line tells."""
    spec = RunnerSpec("scripted", "Scripted", "runners.scripted:Scripted")
    who = Contender(spec)
    times = np.arange(16_000) / 16_000
    clip = Clip((0.25 * np.sin(2 * np.pi * 220 * times)).astype(np.float32), whole["clip"]["seconds"], "hello.wav")
    began = begin(clip, [who], reference=Reference(whole["reference"]["text"]))
    heard = Transcript(whole["results"][0]["transcript"])
    return fold(began, Finished(who, TranscriptionResult(who, "ok", heard)))


def test_each_clip_finds_its_own_reference_in_a_manifest(folder: Path) -> None:
    lines = [
        {"audio_filepath": "/elsewhere/again.wav", "duration": 2.0, "text": "hello there world"},
        {"audio_filepath": "hello.wav", "duration": 1.0, "text": "hello"},
        {"audio_filepath": "third.wav", "duration": 1.0, "text": "not asked for"},
    ]
    (folder / "manifest.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    arguments = ("hello.wav", "again.wav", "--runners", f"{HEARS},{FAILS}", "--reference-file", "manifest.jsonl")
    code, out, err = command(folder, *arguments, "--format", "json")
    assert code == 0, err
    hello, again = [json.loads(line) for line in out.splitlines()]
    assert (hello["reference"]["text"], hello["results"][0]["wer"]) == ("hello", 2.0)
    assert (again["reference"]["text"], again["results"][0]["wer"]) == ("hello there world", 0.0)
    code, out, err = command(folder, *arguments)
    assert code == 0, err
    assert "50.0 %" in out.split("counts pooled")[1]


def test_a_clip_in_which_nothing_is_said_is_pooled_with_the_others(folder: Path) -> None:
    lines = [{"file": "hello.wav", "text": ""}, {"file": "again.wav", "text": "and there is the world"}]
    (folder / "one-silent.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    arguments = ("hello.wav", "again.wav", "--runners", HEARS, "--reference-file", "one-silent.jsonl")
    code, out, err = command(folder, *arguments)
    assert code == 0, err
    assert "of 5" in out.split("counts pooled")[1]
    assert out.count("whisper-english") == 2


def test_captions_and_a_kept_comparison_are_references(folder: Path) -> None:
    (folder / "said.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\n<i>hello</i> there\n")
    code, out, err = command(folder, "hello.wav", "--runners", HEARS, "--reference-file", "said.srt", "--format", "json")
    assert code == 0, err
    assert json.loads(out)["reference"]["text"] == "hello there"
    whole = json.loads(out)
    whole["reference"] = {"text": "hello", "seeded_by": "moonshine", "seed_label": "Moonshine", "original": "hello you"}
    (folder / "kept.json").write_text(json.dumps(whole))
    code, out, err = command(folder, "hello.wav", "--runners", HEARS, "--reference-file", "kept.json")
    assert code == 0, err
    assert "reference seeded by Moonshine, edited" in out


def test_csv_and_a_comma_inside_a_name(folder: Path) -> None:
    code, out, err = command(
        folder,
        "hello.wav",
        "--runners",
        r"scripted:./with\, comma.json",
        "--runners",
        HEARS,
        "--format",
        "csv",
        "--normaliser",
        "none",
    )
    assert code == 0, err
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["transcript"] for row in rows] == ["hello", "hello there, world"]
    assert {row["normaliser"] for row in rows} == {"none"}


def test_html_goes_into_a_file_and_the_comparison_is_kept(folder: Path) -> None:
    code, out, err = command(
        folder, "hello.wav", "--runners", HEARS, "--format", "html", "--output", "report.html", EARSHOT_HISTORY_FOLDER="kept"
    )
    assert (code, out) == (0, ""), err
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    history = History(folder / "kept")
    (row,) = history.list(LOCAL).rows
    assert (row.source, row.has_audio) == ("hello.wav", True)
    (made_with,) = history.comparison(row.id, LOCAL).comparison.made_with
    assert made_with.contenders == (HEARS,)


def test_a_history_that_cannot_be_kept_costs_no_result(folder: Path) -> None:
    (folder / "no-history").write_text("a file")
    code, out, err = command(
        folder, "hello.wav", "hello.wav", "--runners", HEARS, "--format", "csv", EARSHOT_HISTORY_FOLDER="no-history"
    )
    assert (code, out.count("hello.wav")) == (0, 2)
    assert err.count("Nothing will be kept: History cannot be kept in no-history: File exists.") == 1


def test_the_report_is_the_one_that_the_page_makes(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Comparison] = []

    def watched(form: str, comparisons: list[Comparison], **named: Any) -> Exported:
        seen.extend(comparisons)
        return exported(form, comparisons, **named)

    monkeypatch.setattr("comparisons.__main__.exported", watched)
    clip, runner, file = folder / "hello.wav", f"scripted:{folder / 'hears.json'}", tmp_path / "report.html"
    assert main([str(clip), "--runners", runner, "--reference", "hello", "--format", "html", "--output", str(file)]) == 0
    page = taken_away(
        seen[0], "wer", "html", lambda: decode(clip, max_seconds=10, max_bytes=10**6, reference="hello"), tmp_path
    )
    assert page.path is not None
    assert page.path.read_bytes() == file.read_bytes()
    assert b"data:audio/mpeg;base64," in file.read_bytes()


def test_captions_go_into_a_folder_and_who_has_no_times_is_named(folder: Path) -> None:
    script(folder / "times.json", {"say": "hello there"}, {"words": [["hello", 0.1, 0.4, None], ["there", 0.5, 0.9, None]]})
    both = f"scripted:./times.json,{HEARS}"
    code, _, err = command(folder, "hello.wav", "--runners", both, "--format", "srt")
    assert code == 2
    assert "name a folder with --output" in err
    code, out, err = command(folder, "hello.wav", "--runners", both, "--format", "srt", "--output", "captions")
    assert (code, out) == (0, ""), err
    (file,) = (folder / "captions").iterdir()
    assert file.name == "earshot-hello.times.json.srt"
    assert file.read_text(encoding="utf-8") == "1\n00:00:00,100 --> 00:00:01,000\nhello there\n"
    assert "hears.json does not say when its words were said" in err
    code, out, err = command(folder, "hello.wav", "--runners", HEARS, "--format", "vtt")
    assert (code, out) == (2, "")
    assert "There are no captions to write." in err
    code, _, err = command(folder, "hello.wav", "--runners", HEARS, "--format", "csv", "--title", "Mine")
    assert code == 2
    assert "are of the report" in err


def test_two_templates_of_one_system_are_two_contenders(folder: Path) -> None:
    told = "scripted:./told.json"
    code, out, err = command(
        folder,
        "hello.wav",
        "--runners",
        f"{told},{told}#readable,{told}#greet",
        "--prompts",
        "house.toml",
        "--var",
        "topic=the world",
        "--var",
        "language=German",
        "--reference",
        "hello",
        "--format",
        "json",
    )
    assert code == 0, err
    plain, readable, greet = json.loads(out)["results"]
    assert [each["contender"] for each in (plain, readable, greet)] == [told, f"{told}#readable", f"{told}#greet"]
    assert (plain["template"], plain["task"], plain["prompt"], plain["scored"]) == (None, "transcription", None, True)
    assert (plain["wer"], readable["wer"], greet["wer"]) == (0.0, 5.0, None)
    assert readable["transcript"] == "Sure, here is the text: hello"
    assert readable["oddities"] == ["begins with a preamble"]
    assert (greet["task"], greet["prompt"], greet["scored"]) == ("summarization", "Greet the world in German.", False)


def test_a_system_that_takes_no_prompt_is_skipped_by_name(folder: Path) -> None:
    code, out, _ = command(folder, "hello.wav", "--runners", f"moonshine#verbatim,{HEARS}", "--format", "json")
    assert code == 0
    assert "takes no prompt" in json.loads(out)["results"][0]["error"]


def test_who_cannot_translate_is_skipped_by_name(folder: Path) -> None:
    code, out, _ = command(folder, "hello.wav", "--runners", "moonshine,canary", "--translate-to", "en", "--format", "json")
    assert code == 3
    never, untold = json.loads(out)["results"]
    assert "does not translate" in never["error"]
    assert "translate nothing" in untold["error"]
    assert untold["fix"] == "Name the language that is spoken."
    assert (never["scored"], untold["scored"]) == (False, False)


def test_when_all_are_skipped_the_exit_code_is_3(folder: Path) -> None:
    code, out, _ = command(folder, "hello.wav", "--runners", FAILS, "--format", "json")
    assert code == 3
    assert json.loads(out)["results"][0]["status"] == "skipped"


def test_when_no_clip_can_be_read_the_exit_code_is_2(folder: Path) -> None:
    code, out, err = command(folder, "notes.wav", "missing.wav", "\x1b[31mred.wav", "--runners", HEARS)
    assert (code, out) == (2, "")
    assert "\x1b" not in err
    assert "notes.wav" in err
    assert "missing.wav" in err
    assert "Traceback" not in err


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_prints_what_finished_and_ends_every_child(folder: Path) -> None:
    child = started(folder, "hello.wav", "--runners", f"{HEARS},{WAITS}", "--format", "json")
    try:
        grandchildren = until_waiting(child)
        os.killpg(child.pid, signal.SIGINT)  # as a terminal does: everything in the group hears it
        out, err = child.communicate(timeout=LIMIT_SECONDS)
    finally:
        child.kill()
    assert child.returncode == 130, err
    assert [result["status"] for result in json.loads(out)["results"]] == ["ok", "cancelled"]
    assert "Traceback" not in err
    _, alive = psutil.wait_procs(grandchildren, timeout=LIMIT_SECONDS)
    assert not alive


def until_waiting(child: subprocess.Popen[str]) -> list[psutil.Process]:
    """Wait until the second runner has its process, and give all processes below the command."""
    parent = psutil.Process(child.pid)
    deadline = LIMIT_SECONDS * 20
    for _ in range(deadline):
        below = parent.children(recursive=True)
        workers = [each for each in below if any("runners.worker" in part for part in cmdline(each))]
        if len(workers) >= 2:
            return below
        if child.poll() is not None:
            break
        try:
            child.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("the second runner never began")


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_reader_that_goes_away_leaves_no_traceback(folder: Path) -> None:
    child = started(folder, "hello.wav", "again.wav", "--runners", HEARS, "--format", "json")
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    try:
        assert child.wait(LIMIT_SECONDS) == 141
        assert "Traceback" not in child.stderr.read()
    finally:
        child.kill()
        child.stderr.close()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])  # as Notepad and older editors write
def test_a_reference_file_is_read_in_the_encodings_that_editors_write(tmp_path: Path, encoding: str) -> None:
    said = tmp_path / "said.txt"
    said.write_bytes("Größe und Höhe\r\n".encode(encoding))
    assert text_of(said.read_bytes()) == "Größe und Höhe"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full")
def test_results_that_cannot_be_written_are_not_lost(folder: Path) -> None:
    code, out, err = command(folder, "hello.wav", "--runners", HEARS, "--format", "json", "--output", "/dev/full")
    assert code == 2
    assert "/dev/full could not be written" in err
    assert json.loads(out)["results"][0]["transcript"] == "hello there, world"


@pytest.mark.skipif(os.name != "posix", reason="terminals")
@pytest.mark.parametrize("columns", [100, 0])  # 0: a terminal that does not tell
def test_a_terminal_gets_a_progress_bar(folder: Path, columns: int) -> None:
    import termios

    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    environment = {**os.environ, "EARSHOT_DEVICE": "cpu", "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    child = subprocess.Popen(
        [sys.executable, "-m", "comparisons", "hello.wav", "--runners", HEARS],
        cwd=folder,
        env=environment,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := read_or_end(ours):
            shown += chunk
        assert child.wait(LIMIT_SECONDS) == 0
    finally:
        child.kill()
        os.close(ours)
    assert b"\rhello.wav: " in shown
    assert b"hello there, world" in shown


def read_or_end(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that nobody has the other side open any more
        return b""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["x.wav"], "--runners"),
        (["--runners", "scripted"], "CLIP"),
        (["x.wav", "--runners", ","], "no system is named"),
        (["x.wav", "--runners", "no-such-system"], "no-such-system"),
        (["x.wav", "--runners", "scripted", "--repeat", "0"], "write 1 or more"),
        (["x.wav", "--runners", "scripted", "--language", "?"], "not a language code"),
        (["x.wav", "--runners", "scripted", "--normaliser", "mine"], "whisper-english"),
        (["x.wav", "--runners", "scripted", "--format", "xml"], "table"),
        (["x.wav", "y.wav", "--runners", "scripted", "--reference", "x"], "one clip"),
        (["x.wav", "y.wav", "--runners", "scripted", "--reference-file", "said.txt"], "said.txt: it holds one reference"),
        (["x.wav", "y.wav", "--runners", "scripted", "--reference-file", "manifest.jsonl"], "It says nothing of y.wav"),
        (["x.wav", "--runners", "scripted", "--reference-file", "broken.jsonl"], "broken.jsonl: "),
        (["x.wav", "--runners", "scripted", "--reference-file", "bad.srt"], "bad.srt: "),
        (["x.wav", "--runners", "scripted", "--metric", "mine"], "wer"),
        (["x.wav", "--runners", "scripted", "--key-terms", "x" * 300], "300 characters"),
        (["x.wav", "--runners", "scripted", "--key-terms-file", "no-such-file.txt"], "no-such-file.txt"),
        (["x.wav", "--runners", "scripted", "--key-terms-file", "sound.txt"], "sound.txt: This is not a text file"),
        (["x.wav", "--runners", "scripted", "--reference", "x", "--reference-file", "y"], "not both"),
        (["x.wav", "--runners", "scripted", "--reference-file", "no-such-file.txt"], "no-such-file.txt"),
        (["x.wav", "--runners", "scripted", "--reference-file", "sound.txt"], "sound.txt: This is not a text file"),
        (["x.wav", "--runners", "scripted", "--output", "no-such-folder/x.html"], "no-such-folder"),
        (["x.wav", "--runners", "scripted", "--output", "."], "cannot be written"),
        (["x.wav", "--runners", "scripted#verbatm"], 'Did you mean "verbatim"?'),
        (["x.wav", "--runners", "scripted#terms"], "lacks {terms}"),
        (["x.wav", "--runners", "scripted#terms", "--var", "terms"], "write NAME=VALUE"),
        (["x.wav", "--runners", "scripted#terms", "--var", "tems=x"], "Did you mean {terms}"),
        (["x.wav", "--runners", "scripted#verbatim,scripted", "--var", "terms=x"], "none of the contenders"),
        (["x.wav", "--runners", "scripted", "--var", "terms=x"], "phi4-multimodal#terms"),
        (["x.wav", "--runners", "scripted", "--prompts", "no-such-file.toml"], "no-such-file.toml cannot be read"),
        (["x.wav", "--runners", "scripted", "--prompts", "bad.toml"], "no task"),
        (["x.wav", "--runners", "scripted", "--prompts", "broken.toml"], "broken.toml cannot be read: "),
        (["x.wav", "--runners", "scripted", "--prompts", "broken.toml"], "at line 2"),
        (["x.wav", "--runners", "scripted", "--prompts", "escapes.toml"], "“\ufffd[31mred”"),
    ],
)
def test_wrong_usage_is_explained_with_exit_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.toml").write_text('[mine]\ntask = "sing"\ntext = "Listen."')
    (tmp_path / "broken.toml").write_text("[mine]\ntask = sing")
    (tmp_path / "escapes.toml").write_text('["\\u001b[31mred"]\ntask = "chat"\ntext = "Listen."')
    (tmp_path / "said.txt").write_text("hello there")
    (tmp_path / "manifest.jsonl").write_text('{"audio_filepath": "x.wav", "text": "hello"}')
    (tmp_path / "broken.jsonl").write_text('{"audio_filepath": "x.wav", "text"')
    (tmp_path / "bad.srt").write_text("1\n00:00:00,000 --> never\nhello")
    (tmp_path / "sound.txt").write_bytes(b"RIFF\0\0\0\0WAVE")
    assert says in commands.refused(main, arguments, capsys)


def test_a_wrong_setting_is_explained(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EARSHOT_DEVICE", "abacus")
    assert "EARSHOT_DEVICE" in commands.refused(main, ["x.wav", "--runners", "scripted"], capsys)
