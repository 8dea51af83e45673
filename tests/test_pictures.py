"""Pictures of a comparison: what they show, in words too, and that no text in them is ever more than text."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from comparisons.compare import Comparison, begin, fold
from comparisons.normalise import normaliser
from comparisons.pictures import BINS, Picture, pictures, pooled_pictures
from comparisons.statistics.pooling import pooled_rows
from runners.base import Clip, Contender, RunnerSpec, Transcript, TranscriptionResult, Word
from runners.events import Finished

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = "one two three four five six seven eight nine ten"
HOSTILE = "<script>alert('x')</script> $x^2$ \\alpha \"&\" \x1b[31m\u202e #010101 音声"


def heard(label: str, text: str, rtf: float | None = 0.1, *, words: tuple[Word, ...] = ()) -> tuple[Contender, Finished]:
    who = Contender(RunnerSpec(label.casefold(), label, "runners.scripted:Scripted", is_default=True))
    return who, Finished(who, TranscriptionResult(who, "ok", Transcript(text, words=words), runs=(1.0,), rtf=rtf))


def compared(*columns: tuple[Contender, Finished], reference: str | None = REFERENCE, language: str = "en") -> Comparison:
    clip = Clip(np.zeros(16_000, np.float32), 10.0, "clip.wav", reference=reference, language=language)
    comparison = begin(clip, [who for who, _ in columns], normaliser("basic"))
    for _, event in columns:
        comparison = fold(comparison, event)
    return comparison


@pytest.fixture(scope="module")
def three() -> dict[str, Picture]:
    timed = tuple(Word(word, float(second), second + 0.8) for second, word in enumerate(REFERENCE.split()))
    wrong = "one two three four five six seven eight mine tent"
    ending = tuple(Word(word, float(second), second + 0.8) for second, word in enumerate(wrong.split()))
    comparison = compared(
        heard("Slow", REFERENCE, 0.8, words=timed),
        heard("Quick", wrong, 0.02, words=ending),
        heard("Chatty", "one two three and four five six eight nine ten", 0.1),
    )
    return {picture.name: picture for picture in pictures(comparison)}


def drawn(picture: Picture) -> ElementTree.Element:
    return ElementTree.fromstring(picture.svg)  # noqa: S314  # a picture of ours


def texts(picture: Picture) -> dict[str, tuple[float, float]]:
    """Each text of a picture, with where it stands: right and down from the top left corner."""
    found = {}
    for element in drawn(picture).iter("{http://www.w3.org/2000/svg}text"):
        place = re.search(r"translate\(([\d.-]+) ([\d.-]+)\)", element.get("transform", ""))
        x, y = place.groups() if place else (element.get("x"), element.get("y"))
        found[element.text or ""] = (float(x or 0), float(y or 0))
    return found


def test_there_are_three_with_a_title_and_words_for_who_cannot_see_them(three: dict[str, Picture]) -> None:
    assert list(three) == ["speed", "kinds", "times"]
    for picture in three.values():
        root = drawn(picture)
        assert root.get("role") == "img"
        assert [element.tag.rpartition("}")[2] for element in root][:2] == ["title", "desc"]
        assert (root[0].text, root[1].text) == (picture.title, picture.says)
        for label in ("Slow", "Quick", "Chatty"):
            assert label in picture.says
            assert label in texts(picture)


def test_who_is_quick_stands_left_and_who_errs_much_stands_high(three: dict[str, Picture]) -> None:
    places = texts(three["speed"])
    assert "Quick: WER 20.0 % at RTF 0.02" in three["speed"].says
    assert places["Quick"][1] < places["Slow"][1]
    assert places["0.02"][0] < places["0.10"][0] < places["0.50"][0]
    assert places["20 %"][1] < places["0 %"][1]


def test_kinds_of_errors_are_counted(three: dict[str, Picture]) -> None:
    assert "Slow: 0 words substituted, 0 added, 0 missing, of 10" in three["kinds"].says
    assert "Quick: 2 words substituted, 0 added, 0 missing, of 10" in three["kinds"].says
    assert "Chatty: 0 words substituted, 1 added, 1 missing, of 10" in three["kinds"].says
    assert "S 2 · I 0 · D 0" in texts(three["kinds"])


def test_errors_stand_where_they_were_made(three: dict[str, Picture]) -> None:
    says = three["times"].says
    assert "Slow: 0 errors" in says
    assert "Quick: 2 errors" in says  # as the score counts them, also where two are one mark
    shapes = [
        [float(x) for x in re.findall(r"[ML] ([\d.-]+) ", path.get("d", ""))]
        for path in drawn(three["times"]).iter("{http://www.w3.org/2000/svg}path")
        if "--es-accent" in path.get("style", "")
    ]
    assert len(shapes) == 3
    assert all(len(shape) > BINS for shape in shapes)


def test_several_clips_are_shown_pooled() -> None:
    one = compared(heard("A", "one two three four five six seven eight nine ten"), heard("B", "one"))
    two = compared(heard("A", "one too three four five six seven eight nine ten"), heard("B", "one"))
    speed, kinds = pooled_pictures(pooled_rows([one, two]))
    assert "A: WER 5.0 %" in speed.says
    assert "A: 1 word substituted, 0 added, 0 missing, of 20" in kinds.says
    assert pooled_pictures(pooled_rows([])) == ()


def test_who_could_not_be_scored_is_not_shown_without_errors() -> None:
    comparison = compared(heard("A", "one"), heard("B", "one"))
    lost = replace(comparison.columns[1], score=None, alignment=None, score_error="It could not be scored.")
    for picture in pictures(replace(comparison, columns=(comparison.columns[0], lost))):
        assert "B" not in texts(picture)


def test_without_a_rate_there_is_nothing_to_show() -> None:
    assert pictures(compared(heard("A", "one two"), reference=None)) == ()
    assert pictures(compared(heard("A", "one two"), reference="")) == ()
    assert pictures(compared()) == ()


def test_without_an_rtf_there_is_no_picture_of_speed() -> None:
    for rtf in (None, 0.0):
        assert "speed" not in [picture.name for picture in pictures(compared(heard("A", "one two", rtf)))]


def test_rates_over_a_hundred_percent_are_not_cut_off() -> None:
    shown = {picture.name: picture for picture in pictures(compared(heard("A", "a b c d e f g h", 0.1), reference="one two"))}
    assert "A: WER 400.0 %" in shown["speed"].says
    assert "400 %" in texts(shown["speed"])
    assert "400 %" in texts(shown["kinds"])


def test_an_interval_is_part_of_the_picture() -> None:
    reference = " ".join(f"w{number}" for number in range(200))
    wrong = " ".join(f"w{number}" if number % 10 else "oops" for number in range(200))
    comparison = compared(heard("A", wrong), reference=reference)
    interval = comparison.columns[0].interval
    assert interval is not None
    says = pictures(comparison)[0].says
    assert f"10.0 % ({100 * interval.low:.1f} % to {100 * interval.high:.1f} %)" in says


def test_labels_of_systems_that_are_alike_do_not_lie_on_each_other() -> None:
    columns = [heard(f"System {number}", REFERENCE, 0.1) for number in range(8)]
    comparison = compared(*columns)
    places = texts(pictures(comparison)[0])
    heights = sorted(place[1] for label, place in places.items() if label.startswith("System"))
    assert len(heights) == 8
    assert all(later - before > 10 for before, later in itertools.pairwise(heights))
    assert heights[0] > 0
    assert heights[-1] < 250


def test_no_text_is_more_than_text() -> None:
    hostile = heard(HOSTILE, HOSTILE)
    for picture in pictures(compared(hostile, heard("B", "one"), reference=HOSTILE + " one two three")):
        root = drawn(picture)
        assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {"svg", "title", "desc", "path", "text"}
        assert "<script" not in picture.svg
        assert "\x1b" not in picture.svg
        assert "\u202e" not in picture.svg
        assert any((text or "").startswith("<script>alert('x')</script> $x^2$") for text in texts(picture))


def test_a_picture_refers_to_nothing_and_changes_nothing_outside_it(three: dict[str, Picture]) -> None:
    for picture in three.values():
        assert not re.search(r"(?:href|src|id|class)=|url\(|<style|@import|<use|<defs", picture.svg)
        for style in re.findall(r'style="([^"]*)"', picture.svg):
            assert not re.search(r"#0\d0\d0\d", style)
            assert "font-family" not in style


def test_colours_come_from_the_page_in_light_and_dark(three: dict[str, Picture]) -> None:
    for picture in three.values():
        for colour in re.findall(r"(?:fill|stroke): ([^;\"]+)", picture.svg):
            assert colour == "none" or colour.startswith("var(--es-")


def test_the_same_comparison_gives_the_same_picture() -> None:
    comparison = compared(heard("A", "one two tree"), heard("B", "one"))
    assert pictures(comparison) == pictures(comparison)


def test_a_long_label_is_cut() -> None:
    assert "L" * 43 + "…" in texts(pictures(compared(heard("L" * 200, "one")))[0])


def test_a_chinese_clip_is_shown_by_its_character_rate() -> None:
    speed, kinds, _ = pictures(compared(heard("A", "今天天汽"), reference="今天天气", language="zh"))
    assert "A: CER 25.0 %" in speed.says
    assert "A: 1 character substituted" in kinds.says


def test_drawing_needs_no_pyplot() -> None:
    script = (
        "import sys; from tests.test_pictures import compared, heard; from comparisons.pictures import pictures;"
        "assert 'matplotlib' not in sys.modules; assert pictures(compared(heard('A', 'one')));"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "False", done.stderr
