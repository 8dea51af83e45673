"""Kept comparisons: whole, safe to name, never replaced."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from comparisons import history
from comparisons.compare import Comparison, begin, fold
from runners.base import Clip, Contender, Prompt, RunnerSpec, TranscribeOptions, Transcript, TranscriptionResult
from runners.events import Finished

AT = datetime(2026, 8, 1, 12, 30, 5, tzinfo=UTC)


def comparison(source: str = "clip.wav") -> Comparison:
    who = Contender(RunnerSpec("alpha", "Alpha", "runners.scripted:Scripted", is_default=True))
    clip = Clip(np.zeros(16, np.float32), 1.0, source, reference="Hello, नमस्ते!", language="en")
    return fold(begin(clip, [who]), Finished(who, TranscriptionResult(who, "ok", Transcript("hello नमस्ते"))))


def test_a_kept_comparison_can_be_scored_again(tmp_path: Path) -> None:
    path = history.keep(comparison(), tmp_path / "kept" / "here", AT)
    whole = json.loads(path.read_text(encoding="utf-8"))
    assert whole["kept_at"] == "2026-08-01T12:30:05+00:00"
    assert whole["reference"] == {"text": "Hello, नमस्ते!", "seeded_by": None, "seed_label": None, "original": None}
    assert whole["language"] == "en"
    assert whole["results"][0]["transcript"] == "hello नमस्ते"
    assert whole["normaliser"]["name"] == "whisper-english"


def test_nothing_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    names = [history.keep(comparison(), tmp_path, AT).name for _ in range(3)]
    assert names == [f"2026-08-01T12-30-05Z clip{end}.json" for end in ("", " (2)", " (3)")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_a_file_system_without_links_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError("not here")

    monkeypatch.setattr(history.os, "link", no_links)
    first, second = (history.keep(comparison(), tmp_path, AT) for _ in range(2))
    assert first != second
    assert len(list(tmp_path.iterdir())) == 2
    assert json.loads(first.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source", ["../../etc/passwd", "C:\\x\\y.wav", "a" * 300, "🙂" * 90 + ".wav", "", "..", "a\x00b", "CON?*.wav"]
)
def test_untrusted_names_stay_in_the_folder(tmp_path: Path, source: str) -> None:
    path = history.keep(comparison(source), tmp_path, AT)
    assert path.parent == tmp_path
    assert path.is_file()


def test_what_a_prompted_system_was_told_is_kept(tmp_path: Path) -> None:
    spec = RunnerSpec("alpha", "Alpha", "runners.scripted:Scripted", is_default=True, takes_prompt=True)
    who = Contender(spec, TranscribeOptions(prompt=Prompt("short", "summarization", "Be brief.")))
    clip = Clip(np.zeros(16, np.float32), 1.0, "clip.wav", reference="Hello")
    kept = fold(begin(clip, [who]), Finished(who, TranscriptionResult(who, "ok", Transcript("hello"))))
    result = json.loads(history.keep(kept, tmp_path, AT).read_text(encoding="utf-8"))["results"][0]
    assert (result["contender"], result["template"], result["task"]) == ("alpha#short", "short", "summarization")
    assert (result["prompt"], result["scored"]) == ("Be brief.", False)
