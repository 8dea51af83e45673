"""What the README says exists: commands, flags, runners, settings, endpoints, files; and a Space can read its head."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import app
from comparisons.__main__ import main as compare_main
from comparisons.compare import Comparison, begin, fold
from comparisons.reference import Reference
from comparisons.report import to_dict
from runners.ask import main as ask_main
from runners.base import Clip, Contender, Placement, RunnerError, Tested, TranscribeOptions, Transcript, TranscriptionResult
from runners.catalogue.listing import markdown
from runners.catalogue.names import offered, spec_for
from runners.catalogue.rows import RUNNERS, SCRIPTED
from runners.events import Finished
from runners.prompts import BUILT_IN, read_file
from runners.scripted import Scripted
from runners.scripts.reading import built_in
from runners.settings import IN_THE_FILE_ALONE, Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SPACE_COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def head() -> dict:
    return yaml.safe_load(README.split("---\n")[1])


def requirements(name: str) -> list[Requirement]:
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def test_a_space_can_read_the_front_matter() -> None:
    front = head()
    assert front["sdk"] == "gradio"
    assert front["python_version"] == "3.12"
    assert (ROOT / front["app_file"]).is_file()
    assert front["title"] == "Earshot"
    assert len(front["short_description"]) <= 60  # the hub refuses more
    assert front["license"] == "mit"
    assert {front["colorFrom"], front["colorTo"]} <= SPACE_COLOURS
    wanted = next(each for each in requirements("requirements.txt") if each.name == "gradio")
    assert Version(front["sdk_version"]) in wanted.specifier
    assert Version(version("gradio")) in wanted.specifier


def test_requirements_take_the_torch_of_zero_gpu_and_the_newest_tried() -> None:
    torch = next(each for each in requirements("requirements.txt") if each.name == "torch")
    for tried in ("2.8.0", "2.9.1", "2.10.0", "2.11.0", "2.13.0"):
        assert tried in torch.specifier
    assert "2.14.0" not in torch.specifier


@pytest.mark.parametrize(
    "package", ["gradio", "transformers", "accelerate", "torch", "librosa", "soundfile", "jiwer", "pandas"]
)
def test_the_packages_that_were_asked_for_are_required(package: str) -> None:
    assert package in {each.name for each in requirements("requirements.txt")}


def test_system_packages_have_plain_names() -> None:
    for line in (ROOT / "packages.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", line)


def test_the_table_of_systems_is_what_the_rows_say() -> None:
    table = README.split("## The systems\n\n")[1].split("\n\n")[0]
    rows = [spec for spec in RUNNERS if spec.family != SCRIPTED]
    assert table.splitlines() == markdown(rows).splitlines(), "print it with: python -m runners --table"


def test_the_words_of_the_table_are_explained() -> None:
    explained = README.split("## The systems\n\n")[1].split("\n\n", 1)[1].split("A system is named")[0].casefold()
    marked = set(re.findall(r"\*([^*]+)\*", explained.replace("\n", " ")))
    abilities = {word for line in markdown(RUNNERS).splitlines()[2:] for word in line.split(" | ")[4].split(" · ") if word}
    assert {*get_args(Tested), "at pauses", "windows", "chunks"} <= {word.removeprefix("a ") for word in marked}
    assert abilities <= marked


def test_sections_that_the_text_points_to_are_there() -> None:
    titles = re.findall(r"^##+ (.+)$", README, re.MULTILINE)
    pointed = re.findall(r"\(see \*([^*]+)\*\)", README)
    assert pointed
    assert set(pointed) <= set(titles)


def test_runner_names_in_the_text_are_names() -> None:
    families = {spec.family for spec in RUNNERS}
    names = set(re.findall(r"`((?:" + "|".join(families) + r"):[^`\s]+)`", README))
    assert names
    for name in names:
        assert spec_for(name).name == name or spec_for(name).is_default


def test_the_script_in_the_text_plays_and_the_built_in_ones_are_named(tmp_path: Path) -> None:
    (text,) = blocks("json")
    script = tmp_path / "mine.json"
    script.write_text(text, encoding="utf-8")
    runner = Scripted(spec_for(f"scripted:{script}"))
    clip = Clip(np.zeros(16_000, np.float32), 1.0, "a.wav")
    runner.load(None, Placement(), Quiet())
    assert runner.transcribe(clip, TranscribeOptions(), Quiet()).text == "Half a sentence."
    with pytest.raises(RunnerError, match="The second time it fails"):
        runner.transcribe(clip, TranscribeOptions(), Quiet())
    listed = README.split("Built-in scripts for `scripted` are")[1].split(":")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == set(built_in())


class Quiet:
    """Progress that nobody reads."""

    def downloading(self, done_bytes: int, total_bytes: int | None) -> None: ...

    def partial(self, text: str) -> None: ...

    def check(self) -> None: ...


def test_the_fields_that_the_text_explains_exist() -> None:
    spec = spec_for("scripted")
    result = TranscriptionResult(Contender(spec), "ok", Transcript("red " * 60), runs=(0.1,), rtf=0.1)
    clip = Clip(np.zeros(16_000, np.float32), 1.0, "a.wav")
    known = set(names_in(to_dict(scored(clip, result))))
    explained = README.split("In JSON and CSV")[1].split("\n\n")[0]
    for name in set(re.findall(r"`([a-z_]+)`", explained)) - {"null", "ok", "skipped", "cancelled"}:
        assert name in known, name


def scored(clip: Clip, result: TranscriptionResult) -> Comparison:
    other = replace(result, contender=Contender(spec_for("scripted:talks")))
    comparison = begin(clip, [result.contender, other.contender], reference=Reference("red " * 60))
    for each in (result, other):
        comparison = fold(comparison, Finished(each.contender, each))
    return comparison


def names_in(value: Any) -> Iterator[str]:
    """Every name in a JSON value, however deep."""
    if isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from names_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from names_in(each)


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE))
    assert {"demo", "test", "bench"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_flags_of_the_page_exist() -> None:
    known = {option for action in app.flags()._actions for option in action.option_strings}
    page = "".join(README.split(f"## {title}")[1].split("\n## ")[0] for title in ("On the page", "Settings"))
    for flag in set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", page)):
        assert flag in known, flag


def test_every_setting_has_a_flag_that_is_documented() -> None:
    shown = subprocess.run([sys.executable, "app.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for field in Settings.model_fields:
        if field in IN_THE_FILE_ALONE:
            assert f"[{field}" in README  # a table of the file
            continue
        assert f"--{field.replace('_', '-')}" in shown
        assert f"EARSHOT_{field.upper()}" in shown


def test_flags_of_the_command_line_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        compare_main(["--help"])
    with pytest.raises(SystemExit):
        ask_main(["--help"])
    shown = capsys.readouterr().out
    section = README.split("## On the command line")[1].split("\n## ")[0]
    for flag in set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", section)):
        assert flag in shown, flag


def test_settings_and_variables_exist(tmp_path: Path) -> None:
    fields = set(Settings.model_fields)
    for name in set(re.findall(r"\bEARSHOT_([A-Z_]+)\b", README)) - {"TEST_CLIPS", "TEST_WEIGHTS"}:
        assert name.lower() in fields, name
    (prompts,) = [text for text in blocks("toml") if "\ntask = " in text]
    files = [text for text in blocks("toml") if text != prompts]
    assert len(files) >= 3
    for text in files:
        assert offered(Settings(**tomllib.loads(text)))
    (tmp_path / "prompts.toml").write_text(prompts, encoding="utf-8")
    (template,) = read_file(tmp_path / "prompts.toml")
    assert template.name in prompts


def test_templates_in_the_text_exist() -> None:
    built_in_names = {template.name for template in BUILT_IN}
    named = set(re.findall(r"#([a-z][a-z-]*)[\",]", README)) | set(re.findall(r"--template ([a-z][a-z-]*)", README))
    assert named
    assert named <= built_in_names | {"template"}


def test_endpoints_and_files_exist() -> None:
    api = (ROOT / "ui" / "api.py").read_text(encoding="utf-8")
    for endpoint in set(re.findall(r'api_name="/([a-z_]+)"', README)):
        assert f'api_name="{endpoint}"' in api, endpoint
    for path in set(re.findall(r"\b(?:samples|runners|comparisons|ui|tests)/[\w./-]+\.\w+\b", README)):
        assert (ROOT / path).is_file(), path
    everywhere = README.split("## Where everything lives")[1]
    for name in re.findall(r"^([a-z]+(?:/|\.py)) ", everywhere, re.MULTILINE):
        assert (ROOT / name).exists(), name


def test_python_examples_compile() -> None:
    for block in blocks("python"):
        compile(block, "README.md", "exec")


def test_the_listing_command_lists_every_offered_runner() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "runners", "--json"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    names = {row["name"] for row in json.loads(done.stdout)}
    assert {"moonshine", "pocketsphinx", "whisper", "faster-whisper", "ctc"} <= names
