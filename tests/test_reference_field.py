"""What the reference field holds: what it was filled with stays known while a person edits it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from comparisons.compare import Comparison, begin, fold
from comparisons.reference import Reference
from runners.base import Clip, Contender, RunnerSpec, Transcript, TranscriptionResult
from runners.events import Finished
from ui.references import Filled, current, read, seed


def heard(**texts: str) -> Comparison:
    clip = Clip(np.zeros(16_000, np.float32), 1.0, "clip.wav", language="en")
    specs = {name: RunnerSpec(family=name, label=name.title(), target="x:Y", is_default=True) for name in texts}
    comparison = begin(clip, [Contender(spec) for spec in specs.values()])
    for name, text in texts.items():
        contender = Contender(specs[name])
        comparison = fold(comparison, Finished(contender, TranscriptionResult(contender, "ok", Transcript(text), runs=(1.0,))))
    return comparison


def test_an_empty_field_is_no_reference_and_forgets_what_filled_it() -> None:
    filled = Filled(Reference.seeded("so it was", "one", "One"), "")
    assert current(" \n", None) is None
    assert current("", filled) is None


def test_an_empty_field_is_a_reference_for_who_said_that_nothing_was_said() -> None:
    silent = Filled(Reference(""), "what stood there", "silence")
    assert current(" ", silent) == Reference("")
    assert current("but it was", silent) == Reference("but it was")


def test_typed_words_are_a_reference_of_nobody() -> None:
    assert current(" so it was ", None) == Reference("so it was")


def test_an_edited_text_is_still_seeded_and_keeps_what_it_was() -> None:
    filled = Filled(Reference.seeded("so it was", "one", "One"), "")
    assert current("so it was", filled) is filled.reference
    edited = current("so was it", filled)
    assert edited is not None
    assert (edited.text, edited.seed, edited.original) == ("so was it", "one", "so it was")


def test_a_contender_or_the_majority_gives_its_text() -> None:
    shown = heard(one="hello there world", two="hello there whirled", three="hello there, world")
    assert seed(shown, "two") == Reference.seeded("hello there whirled", "two", "Two")
    most = seed(shown, "majority")
    assert most.text.replace(",", "") == "hello there world"
    assert most.label == "reference seeded by the majority of 3"


@pytest.mark.parametrize("name", ["nobody", "majority", ""])
def test_what_is_not_there_is_no_reference(name: str) -> None:
    with pytest.raises(ValueError, match="not there any more"):
        seed(heard(one="alone"), name)


def test_silence_is_not_taken_for_a_reference() -> None:
    with pytest.raises(ValueError, match="no word in the text of One"):
        seed(heard(one=" ", two="hello"), "one")


def test_a_manifest_gives_the_words_of_this_clip_alone(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    rows = [{"audio_filepath": f"{name}.wav", "text": f"this is {name}", "duration": 1.0} for name in ("one", "two")]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert read(str(path), "/uploads/two.wav").text == "this is two"
    with pytest.raises(ValueError, match="one"):
        read(str(path), "/uploads/three.wav")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.references.LARGEST_FILE", 10)
    path = tmp_path / "long.txt"
    path.write_text("much too long", encoding="utf-8")
    with pytest.raises(ValueError, match="larger than"):
        read(str(path), None)
