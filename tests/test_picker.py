"""What the picker is told of systems, and what of it comes back from a browser."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from runners.base import (
    Availability,
    Beyond,
    Contender,
    Placement,
    Prompt,
    RunnerSpec,
    Server,
    TranscribeOptions,
    UnsupportedOption,
    check_options,
)
from runners.catalogue.names import offered, spec_for
from runners.catalogue.presets import Preset
from runners.here.availability import as_plain
from runners.here.ways import Way
from runners.settings import Settings
from ui import picker
from ui.options import Wishes


def spec(family: str = "a", **facts: Any) -> RunnerSpec:
    return RunnerSpec(family, facts.pop("label", family), "x:Y", is_default=True, **facts)


def test_a_row_says_what_the_command_line_says_of_a_system() -> None:
    whisper = spec(parameters=1_550_000_000, languages=tuple("abcd"), license="MIT", can_chat=True, translates_to=("en",))
    found = Availability("download", download_bytes=3_090_000_000, placement=Placement(need_bytes=4_000_000_000))
    row = picker.row(whisper, found)
    assert row.items() >= as_plain(whisper, found).items()
    assert row["facts"] == "1.6 B · 4 languages · MIT"
    assert row["at_once"] is None
    assert row["where"] == "download 3.1 GB"
    assert (row["licence"], row["license_is_open"]) == ("MIT", True)
    assert picker.row(spec(license="LicenseRef-NVIDIA-Open-Model"), found)["licence"] == "NVIDIA Open Model licence"
    assert picker.row(spec(), found)["licence"] is None
    assert (
        picker.row(spec(parameters=27_000_000, languages=("de", "en")), Availability("available"))["facts"] == "27 M · de, en"
    )


def test_languages_that_nobody_names_are_not_refused() -> None:
    glm = spec_for("glm-asr")
    assert picker.row(glm, Availability("available"))["facts"] == "2.3 B · en, zh, yue and others · MIT"
    assert [each.options.language for each in Wishes(language="de").told([Contender(glm)])] == [None]
    narrowed = replace(glm, understands_others=False)
    assert [each.options.language for each in Wishes(language="de").told([Contender(narrowed)])] == ["de"]
    with pytest.raises(UnsupportedOption, match="does not understand"):
        check_options(narrowed, TranscribeOptions(language="de"))
    with pytest.raises(UnsupportedOption, match="cannot be told"):  # which is another thing
        check_options(glm, TranscribeOptions(language="de"))


@pytest.mark.parametrize(
    ("seconds", "beyond", "says"),
    [
        (20, "pauses", "20 s at once, then cut at pauses"),
        (30.0, "windows", "30 s at once, then in windows"),
        (60, "chunks", "60 s at once, then in chunks"),
        (3600, "pauses", "60 min at once, then cut at pauses"),
        (100, "pauses", "100 s at once, then cut at pauses"),
    ],
)
def test_a_card_says_how_much_is_heard_at_once_and_what_becomes_of_more(seconds: float, beyond: Beyond, says: str) -> None:
    row = picker.row(spec(license="MIT", longest_transcribed_seconds=seconds, beyond=beyond), Availability("available"))
    assert (row["facts"], row["at_once"]) == ("MIT", says)
    assert (row["longest_transcribed_seconds"], row["beyond"]) == (seconds, beyond)


def test_a_row_says_where_a_system_runs_and_never_its_servers_address() -> None:
    assert picker.row(spec(), Availability("available"))["where"] == "here now"
    assert picker.row(spec(), Availability("download"))["where"] == "download"
    served = spec(model="whisper-1", server=Server("lab", "http://inside:8000/v1", key_variable="LAB_KEY"))
    row = picker.row(served, Availability("available"))
    assert row["where"] == "served by lab"
    assert "inside" not in json.dumps(row)
    assert "LAB_KEY" not in json.dumps(row)


def words(*ways: Way) -> list[tuple[str | None, str, str]]:
    row = picker.row(spec(), Availability("available"), ways)
    assert [each["asked"] for each in row["ways"]] == [way.asked for way in ways]
    return [(each["on"], each["says"], each["briefly"]) for each in row["ways"]]


def test_a_card_words_its_precisions_and_names_devices_where_there_are_several() -> None:
    by_itself = Way(None, None, Placement("cuda", "bfloat16", 3))
    half = Way("float16", None, Placement("cuda", "float16", 3))
    on_cpu = Way(None, "cpu", Placement("cpu", "float32", 6))
    precise = Way("bfloat16", "cpu", Placement("cpu", "bfloat16", 3))
    assert words() == []
    assert words(by_itself, half) == [(None, "Automatic (bfloat16)", "bfloat16"), (None, "float16", "float16")]
    assert words(by_itself, half, on_cpu, precise) == [
        (None, "Automatic (bfloat16, CUDA)", "bfloat16 on CUDA"),
        (None, "float16", "float16 on CUDA"),
        ("On the CPU", "Automatic (float32)", "float32 on CPU"),
        ("On the CPU", "bfloat16", "bfloat16 on CPU"),
    ]
    assert words(on_cpu, Way(None, "mps", Placement("mps", "float16")))[1][0] == "On the Apple GPU (MPS)"


def test_rows_and_presets_travel_as_json() -> None:
    offers = [(each, Availability("available")) for each in offered(Settings())]
    value = picker.value(offers, [Preset("Small", "Little ones.", ("a",))], None, free_bytes=7)
    assert json.loads(json.dumps(value)) == value
    assert (value["chosen"], value["free_bytes"]) == (None, 7)
    assert value["presets"] == [{"name": "Small", "says": "Little ones.", "names": ["a"]}]
    names = [row["name"] for row in value["rows"]]
    assert len(names) == len(set(names)) > 20


def told(one: RunnerSpec, asked: Wishes) -> TranscribeOptions:
    (contender,) = asked.told([Contender(one)])
    return contender.options


def test_a_language_is_told_to_who_can_be_told_and_left_to_who_finds_it_out() -> None:
    german = Wishes.of({"language": "de"})
    assert told(spec(languages=("de", "en"), can_choose_language=True), german).language == "de"
    assert told(spec(languages=("de", "en")), german).language is None  # it finds it out, as the page says
    assert told(spec(languages=None), german).language is None
    assert told(spec(languages=("en", "fr")), german).language == "de"  # and is refused
    assert told(spec(languages=("de",)), german).language == "de"
    binding = replace(german, is_binding=True)
    assert told(spec(languages=("de", "en")), binding).language == "de"  # an API's caller is told so


def test_options_reach_every_contender_with_its_prompt() -> None:
    prompt = Prompt("verbatim", "transcription", "Write.")
    (contender,) = Wishes.of({"translate_to": "en", "word_times": False}).told(
        [Contender(spec(), TranscribeOptions(prompt=prompt))]
    )
    assert contender.options == TranscribeOptions(prompt=prompt, translate_to="en", word_times=False)
    assert not contender.is_scored


@pytest.mark.parametrize("sent", [None, 7, [], "en", {}, {"language": 3}, {"language": "<b>", "translate_to": ["en"]}])
def test_a_browser_may_send_anything(sent: Any) -> None:
    assert Wishes.of(sent) == Wishes()


def test_a_samples_language_is_known_where_nobody_can_be_told_it() -> None:
    assert Wishes.of({"language": "", "spoken": "de"}) == Wishes(None, "de")
