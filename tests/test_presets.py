"""Selections with a name, and what a selection takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runners.base import Availability, Placement, RunnerSpec, Server
from runners.catalogue import presets as module
from runners.catalogue.licenses import OPEN, is_open
from runners.catalogue.names import offered, spec_for
from runners.catalogue.presets import MOST, SMALL_PARAMETERS, estimate, presets
from runners.catalogue.rows import RUNNERS
from runners.settings import Settings

GB = 1_000_000_000
HERE = Availability("available", placement=Placement(need_bytes=2 * GB))
TO_FETCH = Availability("download", download_bytes=GB, placement=Placement(need_bytes=3 * GB))
SKIPPED = Availability("skipped", reason="No.", fix="Yes.")


def told(found: Availability, settings: Settings = Settings()) -> dict[str, tuple[str, ...]]:  # noqa: B008  # frozen
    return {each.name: each.names for each in presets([(spec, found) for spec in offered(settings)], settings)}


def test_built_in_presets_name_systems_that_are_what_they_say() -> None:
    names = told(TO_FETCH)
    assert set(names) == {"Offline now", "Best small", "Best open", "Chat about audio"}
    small = [spec_for(name) for name in names["Best small"]]
    assert small
    assert all((spec.parameters or SMALL_PARAMETERS) < SMALL_PARAMETERS for spec in small)
    assert names["Best open"]
    assert all(spec_for(name).license in OPEN for name in names["Best open"])
    assert all(spec_for(name).can_chat for name in names["Chat about audio"])
    assert all(0 < len(set(each)) == len(each) <= MOST for name, each in names.items() if name != "Offline now")


def test_offline_is_what_needs_no_download_and_no_server() -> None:
    assert told(TO_FETCH)["Offline now"] == ()
    served = replace(spec_for("whisper"), is_default=False, server=Server("lab", "http://x/v1"))
    offers = [(spec_for("moonshine"), HERE), (spec_for("ctc"), TO_FETCH), (served, HERE), (spec_for("scripted"), HERE)]
    assert {each.name: each.names for each in presets(offers, Settings())}["Offline now"] == ("moonshine",)


def test_offline_takes_the_largest_of_each_family() -> None:
    names = ("whisper:openai/whisper-tiny", "whisper:openai/whisper-medium", "whisper", "pocketsphinx")
    offers = [(spec_for(name), HERE) for name in names]
    assert presets(offers, Settings())[0].names == ("whisper:openai/whisper-medium", "pocketsphinx")


def test_what_cannot_run_here_is_in_no_built_in_preset() -> None:
    assert set(told(SKIPPED).values()) == {()}


def test_a_deployers_presets_come_first_and_replace_the_built_in_ones_by_name() -> None:
    settings = Settings(presets={"Ward round": ("moonshine", "phi4-multimodal#verbatim"), "Best small": ("whisper",)})
    found = presets([(spec_for("ctc"), HERE)], settings)
    assert [each.name for each in found] == ["Ward round", "Best small", "Offline now", "Best open", "Chat about audio"]
    assert found[0].names == ("moonshine", "phi4-multimodal#verbatim")
    assert found[1].names == ("whisper",)


@pytest.mark.parametrize("model", sorted({*module._BEST_SMALL, *module._BEST_OPEN, *module._CHAT}))
def test_what_presets_rank_is_in_the_catalogue(model: str) -> None:
    assert model in {spec.model for spec in RUNNERS}


def test_an_estimate_adds_downloads_and_takes_the_largest_need() -> None:
    big = replace(TO_FETCH, download_bytes=5 * GB, placement=Placement(need_bytes=9 * GB))
    chosen = [(spec_for("moonshine"), HERE), (spec_for("whisper"), TO_FETCH), (spec_for("phi4-multimodal"), big)]
    found = estimate(chosen)
    assert (found.download_bytes, found.memory_bytes, found.memory_name) == (6 * GB, 9 * GB, "phi4-multimodal")
    assert found.unknown_downloads == ()


def test_a_model_in_two_precisions_is_downloaded_once() -> None:
    chosen = [(spec_for(name), TO_FETCH) for name in ("whisper", "whisper+bfloat16", "ctc")]
    assert estimate(chosen).download_bytes == 2 * GB


def test_a_need_that_is_not_known_is_told_and_a_servers_is_nobodys() -> None:
    served = replace(spec_for("whisper"), is_default=False, server=Server("lab", "http://x/v1"))
    unknown = Availability("available", placement=Placement())
    found = estimate([(spec_for("moonshine"), HERE), (spec_for("pocketsphinx"), unknown), (served, unknown)])
    assert (found.memory_bytes, found.unknown_needs) == (2 * GB, ("pocketsphinx",))


def test_downloads_fit_the_disk_together_or_not() -> None:
    chosen = [(spec_for(name), TO_FETCH) for name in ("whisper", "ctc")]
    assert estimate(chosen, 2 * GB).fits_disk
    assert not estimate(chosen, 2 * GB - 1).fits_disk
    assert estimate(chosen).fits_disk  # nobody knows


def test_an_estimate_says_what_it_does_not_know() -> None:
    unknown = Availability("download", placement=Placement())
    mine = spec_for("whisper:someone/theirs")
    found = estimate([(mine, unknown), (spec_for("ctc"), SKIPPED)])
    assert found.unknown_downloads == found.unknown_needs == (mine.name,)
    assert (found.download_bytes, found.memory_bytes, found.memory_name) == (0, None, None)
    nothing: list[tuple[RunnerSpec, Availability]] = []
    assert estimate(nothing).memory_bytes is None


def test_a_licence_is_open_or_not_or_not_known() -> None:
    assert [is_open(name) for name in ("MIT", "CC-BY-NC-4.0", "LicenseRef-Gemma", None)] == [True, False, False, None]
