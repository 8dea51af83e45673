"""What the page shows of plain data, without a browser: escaping, wording, grouping, contrast."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from comparisons.compare import Comparison, begin, fold, rescored
from comparisons.normalise import normaliser
from comparisons.reference import Reference, text_of
from runners.base import (
    Availability,
    Clip,
    Contender,
    RunnerError,
    RunnerSpec,
    Server,
    Transcript,
    TranscriptionResult,
)
from runners.events import Event, Finished, Loading, Partial, Running
from runners.here.machine import Device, Machine
from tests.markup import Tags
from ui import theme, views

HOSTILE = "<img src=x onerror=\"alert('1')\">&amp;{{7*7}}${7*7}"


def spec(name: str = "one", **fields: Any) -> RunnerSpec:
    return RunnerSpec(**{"family": name, "label": name.title(), "target": "x:Y", "is_default": True, **fields})


def comparison(*names: str, reference: str | None = "hello world", source: str = "clip.wav") -> Comparison:
    clip = Clip(np.zeros(16_000, np.float32), 1.0, source, reference=reference)
    return begin(clip, [Contender(spec(name)) for name in names])


def after(started: Comparison, *events: Event) -> Comparison:
    for event in events:
        started = fold(started, event, at=1.0)
    return started


def ok(name: str, text: str) -> Finished:
    contender = Contender(spec(name))
    result = TranscriptionResult(contender, "ok", Transcript(text), runs=(0.25,), rtf=0.25, load_seconds=0.5, device="cpu")
    return Finished(contender, result)


def skipped(name: str, why: str = "It died.", fix: str | None = None) -> Finished:
    contender = Contender(spec(name))
    return Finished(contender, TranscriptionResult(contender, "skipped", error=why, fix=fix, log=(why,), stage="load"))


def board(shown: Comparison, **options: Any) -> str:
    return "".join(each["html"] for each in views.board(shown, "chosen", 2.0, **options)["columns"])


def test_untrusted_text_is_text_everywhere() -> None:
    finished = after(
        comparison(HOSTILE, "two", reference=HOSTILE, source=HOSTILE), ok(HOSTILE, HOSTILE), skipped("two", HOSTILE)
    )
    running = after(comparison(HOSTILE), Partial(Contender(spec(HOSTILE)), HOSTILE))
    drawn = [
        board(finished),
        board(running),
        views.changes(finished),
        views.reference_mark(Reference.seeded("so", HOSTILE, HOSTILE)),
        views.summary(finished, "wer"),
        views.absent([(spec(HOSTILE), Availability("skipped", HOSTILE, HOSTILE))] * 5),
        views.clip_line(Clip(np.zeros(1, np.float32), 1.0, HOSTILE, warnings=(HOSTILE,))),
        views.clip_line(fault=RunnerError(HOSTILE, HOSTILE)),
    ]
    for html in drawn:
        tags = Tags(html)
        assert "img" not in tags.names
        assert not {name for name in tags.attributes if name.startswith("on")}
        assert "&lt;img" in html.lower()
        assert "49" not in html


def test_an_untrusted_name_is_text_among_the_verdicts_and_marks_too() -> None:
    seeded = replace(comparison(HOSTILE, "two"), reference=Reference.seeded("hello world", HOSTILE, HOSTILE))
    finished = after(seeded, ok(HOSTILE, "hello world"), ok("two", "hello there"))
    for html in (views.verdicts(finished), board(finished)):
        assert "img" not in Tags(html).names
        assert "&lt;img" in html.lower()


def test_what_a_rate_leaves_open_stands_beside_it() -> None:
    html = board(after(comparison("one"), ok("one", "hello word")))
    assert "too short for an interval" in html
    assert "Levenshtein" in html  # how words were aligned
    long = " ".join(f"word{number % 97}" for number in range(600))
    wrong = long.replace("word13 ", "ward ").replace("word50 ", "")
    html = board(after(comparison("one", reference=long), ok("one", wrong)))
    assert re.search(r"95 %: \d+\.\d to \d+\.\d %", html)


def test_transcripts_that_stand_elsewhere_leave_the_cards() -> None:
    finished = after(comparison("one"), ok("one", "hello werld"))
    assert 'class="es-transcript"' in board(finished)
    assert 'class="es-transcript"' not in board(finished, transcripts=False)


def test_without_a_reference_agreement_is_told_and_called_so() -> None:
    alike = comparison("one", "two", reference=None)
    running = after(alike, ok("one", "hello world"))
    assert "agreement" not in board(running)
    assert views.verdicts(running) == ""
    finished = after(running, ok("two", "hello world"))
    assert "100.0 %" in board(finished)
    assert "not accuracy" in board(finished)
    assert "Without a reference nobody is right or wrong" in views.verdicts(finished)


def test_two_contenders_are_told_apart_in_words_or_it_is_said_why_not() -> None:
    finished = after(comparison("one", "two"), ok("one", "hello world"), ok("two", "hello"))
    assert "Too little speech to tell One and Two apart" in views.verdicts(finished)


def test_key_terms_that_nobody_can_have_missed_are_named() -> None:
    finished = replace(after(comparison("one"), ok("one", "hello")), key_terms=("hello", "<b>Berlin</b>"))
    assert "This key term stands nowhere in the reference" in views.verdicts(finished)
    assert "&lt;b&gt;Berlin" in views.verdicts(finished)
    assert views.verdicts(replace(finished, key_terms=("hello",))) == ""


def test_of_a_long_text_the_changes_are_shown_and_not_all_of_it() -> None:
    long = " ".join(["word"] * 500 + ["Doctor", "isn't"] + ["word"] * 500)
    shown = after(comparison("one", reference=long), ok("one", "hello, world"))
    html = views.changes(rescored(shown, normaliser("whisper-english")))
    assert html.count("word") < 60
    assert "497 words" in html
    assert "<b>is not</b>" in html
    assert 'class="es-lightly"' in html  # Doctor lost its capital alone


def test_the_line_under_the_reference_says_what_can_be_said_alone() -> None:
    plain = Reference("so it was")
    assert views.reference_mark(plain) == ""
    assert "Back to the earlier text" in views.reference_mark(plain, can_go_back=True)
    edited = views.reference_mark(plain.edited("so was it"))
    assert "Restore what it was" in edited
    assert "flatters" not in edited
    assert "flatters" in views.reference_mark(Reference.seeded("so", "one", "One"))
    assert "Nothing was said" in views.reference_mark(Reference(""))


def test_a_column_keeps_its_place_and_shows_where_it_stands() -> None:
    one, two = Contender(spec("one")), Contender(spec("two"))
    shown = after(comparison("one", "two"), Loading(two, 250_000_000, 1_000_000_000), Running(one))
    columns = views.board(shown, "chosen", 3.5)
    assert columns["now"] == 3.5
    assert [each["id"] for each in columns["columns"]] == ["one", "two"]
    first, second = (each["html"] for each in columns["columns"])
    assert 'data-state="running"' in first
    assert "Cancel One" in first
    assert "250 MB" in second
    assert "<progress" in second
    assert "%" not in re.sub(r"<[^>]*>", "", first)


def test_a_column_that_nothing_happened_to_is_the_same_text() -> None:
    one, two = Contender(spec("one")), Contender(spec("two"))
    before = after(comparison("one", "two"), Running(one))
    later = after(before, Loading(two))
    assert views.board(before, "chosen", 1.0)["columns"][0] == views.board(later, "chosen", 9.0)["columns"][0]


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([], "0 of 2 done · 2 queued · clip.wav"),
        ([Running(Contender(spec("one")))], "0 of 2 done · 1 running · 1 queued · clip.wav"),
        ([ok("one", "hello")], "1 of 2 done · 1 queued · clip.wav"),
        ([ok("one", "hello"), skipped("two")], "1 of 2 done · 1 skipped · clip.wav"),
    ],
)
def test_the_status_counts_what_became_of_each(events: list[Event], says: str) -> None:
    assert views.progress(after(comparison("one", "two"), *events)) == says


def test_a_long_file_name_does_not_fill_the_status() -> None:
    told = views.progress(comparison("one", source="a meeting " * 30 + "of Tuesday.wav"))
    assert len(told) < 80
    assert told.endswith("of Tuesday.wav")


def test_the_summary_has_its_rows_from_the_start_and_never_rates_what_was_skipped() -> None:
    assert views.summary(comparison("one", "two"), "wer").count("<tr>") == 3
    html = views.summary(after(comparison("one", "two"), ok("one", "hello word"), skipped("two")), "wer")
    one, two = re.findall(r"<tr><th scope=\"row\">.*?</tr>", html)
    assert "50.0" in one
    assert not re.search(r"\d", re.sub(r"<[^>]*>", "", two))


def test_many_that_cannot_run_stand_apart_and_those_with_one_reason_share_a_card() -> None:
    off = Availability("skipped", "No weights.", "Allow downloads.")
    few = [(spec(name), off) for name in "abcd"]
    assert views.absent(few) == ""
    other = Availability("skipped", "Needs 9 GB, 4 GB free.")
    apart = views.absent([*few, (spec("e"), off), (spec("f"), Availability("available")), (spec("g"), other)])
    assert apart.count("No weights.") == apart.count("Needs 9 GB") == 1
    assert apart.count(" disabled") == 6
    described = set(re.findall(r'aria-describedby="([^"]+)"', apart))
    assert described <= set(re.findall(r' id="([^"]+)"', apart))


def test_a_fix_that_names_each_family_is_one_fix() -> None:
    off = [(spec(name), Availability("skipped", "No weights.", f"Name a folder: {name}:FOLDER.")) for name in "abcde"]
    apart = views.absent(off)
    assert apart.count("No weights.") == 1
    assert "Name a folder: FAMILY:FOLDER." in apart
    alone = views.absent([(one, off[0][1]) for one, _ in off])
    assert "Name a folder: a:FOLDER." in alone


def test_a_licence_of_ones_own_is_called_one() -> None:
    assert views.facts(spec(license="LicenseRef-NVIDIA-Open-Model")) == "NVIDIA Open Model licence"
    assert views.facts(spec(license="Apache-2.0")) == "Apache-2.0"


def test_an_rtf_that_the_way_to_a_server_is_part_of_says_so() -> None:
    shown = comparison("one", "two")
    there = replace(shown.columns[1].contender.spec, server=Server("lab", "http://inside/v1"))
    away = replace(shown.columns[1], contender=replace(shown.columns[1].contender, spec=there))
    shown = after(replace(shown, columns=(shown.columns[0], away)), ok("one", "hello word"))
    shown = after(shown, Finished(away.contender, replace(ok("two", "hello world").result, contender=away.contender)))
    table = views.summary(shown, "chosen")
    assert table.count("incl. network") == 1
    assert "inside" not in table


def test_the_machine_is_told_in_a_line() -> None:
    gpu = Device("rocm", "Radeon 8060S", 96_000_000_000)
    cpu = Device("cpu", "x86_64")
    assert (
        views.machine_line(Machine((cpu,), 2, 24_000_000_000, 18_000_000_000), False) == "CPU · 2 cores · 18 GB free · offline"
    )
    assert "Radeon 8060S, 96 GB · CPU · 16 cores" in views.machine_line(Machine((gpu, cpu), 16, 10**11, 10**11), True)


@pytest.mark.parametrize("encoded", ["Grüße, 世界".encode(), "\ufeffGrüße, 世界".encode(), "Grüße, 世界".encode("utf-16")])
def test_a_reference_is_read_from_any_usual_text_file(encoded: bytes) -> None:
    assert text_of(encoded + ("\n".encode("utf-16-le") if encoded[:1] == b"\xff" else b"\n")) == "Grüße, 世界"


def test_a_latin_1_text_is_read_and_other_files_are_refused() -> None:
    assert text_of("Grüße".encode("latin-1")) == "Grüße"
    with pytest.raises(ValueError, match="not a text file"):
        text_of(b"RIFF\0\0\0\0WAVE")


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: (L1 + 0.05) / (L2 + 0.05), L the relative luminance of sRGB."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("tokens", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_text_can_be_read_on_every_ground_it_stands_on(tokens: dict[str, str]) -> None:
    for name in ("ink", "soft", "accent", "ok", "bad", "sub", "del", "ins"):
        for ground in ("card", "page"):
            assert contrast(tokens[name], tokens[ground]) >= 4.5, (name, ground)
    for name in ("sub", "del", "ins"):
        assert contrast(tokens[name], tokens[f"{name}-bg"]) >= 4.5, name
    assert contrast(tokens["on-accent"], tokens["accent"]) >= 4.5
    assert contrast(tokens["edge"], tokens["card"]) >= 3  # edges of boxes


def test_the_style_sheet_asks_nothing_of_the_network() -> None:
    assert not re.search(r"url\(|@import|https?:", theme.style_sheet())
    assert not re.search(r"https?://(?!www\.w3\.org)", "".join(str(font) for font in theme.theme()._font))
