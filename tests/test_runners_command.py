"""``python -m runners``: what people and programs read from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from runners.__main__ import main, plain, table
from runners.base import Availability, Placement, RunnerSpec
from runners.catalogue.listing import markdown
from runners.catalogue.names import spec_for
from runners.catalogue.rows import RUNNERS
from runners.here.availability import as_plain, availability
from runners.here.machine import Device, Machine
from runners.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
GB = 1_000_000_000
CPU = Device("cpu", "a processor", 16 * GB, 9 * GB, shares_main_memory=True)
MACHINE = Machine(devices=(CPU,), cores=4, memory_total_bytes=16 * GB, memory_free_bytes=9 * GB, probed=True)
READY = Availability("available", placement=Placement("cuda", "float16", 2_100_000_000))
TO_FETCH = Availability("download", download_bytes=972_000_000, placement=Placement("cpu", "float32", 1_800_000_000))
SKIPPED = Availability("skipped", reason="Needs 12.3 GB, 7.1 GB free.", fix="Free some memory.")


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe is tested elsewhere; here the machine is always the same one."""
    monkeypatch.setattr("runners.__main__.probe", lambda: MACHINE)


def test_the_table_is_aligned_and_says_why_not() -> None:
    rows = [(spec_for("moonshine"), READY), (spec_for("whisper"), TO_FETCH), (spec_for("ctc"), SKIPPED)]
    gpu = Device("cuda", "H200", 150 * GB, 140 * GB)
    machine = replace(MACHINE, devices=(gpu, *MACHINE.devices), notes=("The driver is old.",))
    assert table(machine, rows) == (
        "This machine: H200, 140.0 GB free; a processor, 9.0 GB free; 4 cores.\n"
        "Note: The driver is old.\n"
        "\n"
        "NAME       STATE            DEVICE  PRECISION  MEMORY  PARAMETERS\n"
        "moonshine  available        cuda    float16    2.1 GB  27 M\n"
        "whisper    download 972 MB  cpu     float32    1.8 GB  244 M\n"
        "\n"
        "SKIPPED\n"
        "ctc\n"
        "    Needs 12.3 GB, 7.1 GB free.\n"
        "    Fix: Free some memory.\n"
    )


def test_those_that_are_skipped_for_one_reason_have_it_said_once() -> None:
    off = [(spec_for(name), replace(SKIPPED, fix=f"Name a folder: {name}:FOLDER.")) for name in ("ctc", "whisper")]
    named = "SKIPPED\nctc\nwhisper\n    Needs 12.3 GB, 7.1 GB free.\n    Fix: Name a folder: FAMILY:FOLDER.\n"
    assert table(MACHINE, off).endswith(named)


def test_a_pinned_revision_and_a_spread_model_are_shown() -> None:
    spread = Availability("available", placement=Placement("cuda", "bfloat16", 12_000_000_000, spread=True))
    assert table(MACHINE, [(spec_for("phi4-multimodal"), spread), (spec_for("moonshine"), READY)]).endswith(
        "NAME             STATE      DEVICE        PRECISION  MEMORY   PARAMETERS  REVISION\n"
        "phi4-multimodal  available  cuda, spread  bfloat16   12.0 GB  5574 M      refs/pr/70\n"
        "moonshine        available  cuda          float16    2.1 GB   27 M\n"
    )
    skipped = table(MACHINE, [(spec_for("phi4-multimodal"), SKIPPED)])
    assert "phi4-multimodal (microsoft/Phi-4-multimodal-instruct@refs/pr/70)\n    Needs" in skipped


def test_a_folders_name_cannot_steer_the_terminal() -> None:
    spec = replace(spec_for("whisper"), model="/models/\x1b[2Jx\x07", is_default=False)
    found = Availability("skipped", reason="\x1b]0;title\x07", fix=None)
    text = table(MACHINE, [(spec, READY), (spec, found)])
    assert "\x1b" not in text
    assert "\x07" not in text
    assert plain("ünï 语音") == "ünï 语音"


def test_long_reasons_are_wrapped_and_an_install_line_stays_whole() -> None:
    found = Availability("skipped", reason="word " * 60, fix='pip install "moonshine-voice>=0.0.60,<0.1"')
    lines = table(MACHINE, [(spec_for("moonshine"), found)], width=60).splitlines()
    assert max(len(line) for line in lines[3:]) <= 60
    assert any("moonshine-voice>=0.0.60,<0.1" in line for line in lines)


def test_no_system_that_can_run_leaves_no_empty_table() -> None:
    assert "NAME" not in table(MACHINE, [(spec_for("ctc"), SKIPPED)])


def test_json_says_the_same_with_null_for_unknown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--json", "--runners", f"moonshine,whisper:{tmp_path}/gone"]) == 0
    answer = json.loads(capsys.readouterr().out)
    moonshine, folder = answer
    assert moonshine["name"] == "moonshine"
    assert (folder["state"], folder["device"], folder["parameters"], folder["license"]) == ("skipped", None, None, None)
    assert "is not there" in folder["reason"]
    assert folder["fix"]
    assert (moonshine["takes_prompt"], moonshine["can_chat"], moonshine["spread"], folder["spread"]) == (
        False,
        False,
        False,
        None,
    )


def test_json_tells_programs_what_a_system_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "--runners", "phi4-multimodal"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["takes_prompt"], row["can_chat"], row["revision"]) == (True, True, "refs/pr/70")


def test_json_holds_every_ability_of_a_row() -> None:
    plain = as_plain(spec_for("whisper+bfloat16"), READY)
    kept_inside = {"target", "is_default", "requires", "files", "folders", "can_be_spread", "audio_tokens_per_second"}
    kept_inside |= {"stored_dtype"}
    assert {field.name for field in fields(RunnerSpec)} - kept_inside <= set(plain)
    assert (plain["asked_dtype"], plain["asked_device"], plain["license_is_open"]) == ("bfloat16", None, True)


def test_the_table_for_documents_has_a_row_a_model_with_families_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--table", "--runners", "ctc,whisper,ctc:facebook/mms-1b-all,phi4-multimodal+int4"]) == 0
    header, rule, *rows = [line[2:-2].split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert header == ["runner", "model", "parameters", "languages", "can", "times", "long clips", "tested how", "licence"]
    assert set(rule) == {"---"}
    assert [row[0] for row in rows] == ["`ctc`", "`ctc:facebook/mms-1b-all`", "`whisper`", "`phi4-multimodal+int4`"]
    assert rows[0][1] == "[wav2vec 2.0 base](https://huggingface.co/facebook/wav2vec2-base-960h)"
    assert [row[2:7] for row in rows] == [
        ["94 M", "en", "", "words", "30 s at once, then in chunks"],
        ["965 M", "34", "language", "words", "30 s at once, then in chunks"],
        ["244 M", "99", "language · translates", "words", "30 s at once, then in windows"],
        ["5.6 B", "8", "prompt · chat", "segments", "40 s at once, then cut at pauses"],
    ]
    assert [row[7] for row in rows] == [spec_for(row[0].strip("`")).tested or "not tested" for row in rows]
    assert [row[8] for row in rows] == ["Apache-2.0", "CC-BY-NC-4.0", "Apache-2.0", "MIT"]


def test_a_name_cannot_break_out_of_its_cell() -> None:
    spec = replace(spec_for("whisper:/models/x"), label="a | b\n<img> [x](y) `z`", model="/models/x`|y\n", license="<b>")
    table_ = markdown([spec])
    assert len(table_.splitlines()) == 3
    assert "a \\| b \\<img\\>" in table_
    assert table_.splitlines()[2].replace("\\|", "").count("|") == 10


def test_what_is_served_is_listed_with_its_server(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("earshot.toml").write_text(
        '[servers.lab]\nbase_url = "http://inside/v1"\n[[servers.lab.models]]\nmodel = "a/b"\n', encoding="utf-8"
    )
    assert main(["--runners", "pocketsphinx,openai:a/b"]) == 0
    listed = capsys.readouterr().out
    assert "openai:a/b@lab  available  lab" in listed
    assert "inside" not in listed
    assert main(["--json", "--runners", "openai:a/b@lab"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["server"], row["device"], row["tested"]) == ("lab", None, "server")


@pytest.mark.parametrize("row", RUNNERS, ids=lambda row: row.name)
def test_every_row_is_plain_json(row: object) -> None:
    spec = next(each for each in RUNNERS if each is row)
    assert json.loads(json.dumps(as_plain(spec, availability(spec, MACHINE, Settings()))))["name"] == spec.name


def test_everything_offered_is_listed_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    text = capsys.readouterr().out
    for row in RUNNERS:
        listed = [line for line in text.splitlines() if line.split(" ")[0] == row.name]
        assert len(listed) == (0 if row.family == "scripted" else 1), row.name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--runners", "wisper"], 'Did you mean "whisper"?'), (["--runners", "whisper:x/../y"], "neither a folder")],
)
def test_a_wrong_name_is_wrong_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err


def test_a_wrong_setting_is_wrong_usage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_DEVICE", "abacus")
    assert main([]) == 2
    assert "device" in capsys.readouterr().err


def test_an_unknown_flag_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--no-such-flag"])
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_it_runs_as_a_command_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "runners", "--json", "--runners", "scripted,pocketsphinx"],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [row["name"] for row in json.loads(done.stdout)] == ["scripted", "pocketsphinx"]
