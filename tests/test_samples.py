"""The samples in the repository are what their list says, and their script makes them again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from runners.audio import decode
from samples import make

FOLDER = Path(make.__file__).parent
ROWS = json.loads((FOLDER / "samples.json").read_text("utf-8"))


def test_list_and_files_agree() -> None:
    assert 4 <= len(ROWS) <= 6
    assert {row["file"] for row in ROWS} == {path.name for path in FOLDER.glob("*.flac")}
    assert all(set(row) == {"file", "title", "text", "language", "what"} and all(row.values()) for row in ROWS)
    assert sum(path.stat().st_size for path in FOLDER.glob("*.flac")) < 3_000_000


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_each_is_short_and_decodes_without_complaint(row: dict[str, str]) -> None:
    clip = decode(FOLDER / row["file"], max_seconds=60, max_bytes=10**6)
    assert 5 <= clip.seconds <= 40
    assert not clip.warnings
    assert 1.5 < len(row["text"].split()) / clip.seconds < 3.5


def test_one_is_telephone_and_one_needs_cutting() -> None:
    files = [soundfile.info(FOLDER / row["file"]) for row in ROWS]
    assert sorted({file.samplerate for file in files}) == [8000, 16000]
    assert max(file.duration for file in files) > 30  # Whisper's window


def test_the_script_makes_the_same_again(tmp_path: Path) -> None:
    if missing := make.missing_programs():
        pytest.skip(f"the voices are missing: {', '.join(missing)}")
    made = make.make(tmp_path)
    assert [path.name for path in made] == [row["file"] for row in ROWS]
    assert json.loads((tmp_path / "samples.json").read_text("utf-8")) == ROWS
    for path in made:  # other versions of the voices may sound a little different
        assert soundfile.info(path).duration == pytest.approx(soundfile.info(FOLDER / path.name).duration, rel=0.1)


def test_missing_voices_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("sys.argv", ["make.py"])
    assert make.main() == 1
    assert "sudo apt install flite espeak-ng" in capsys.readouterr().err
