"""What the Models tab shows and does, and what visitors may; without a browser and without a hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runners.base import Availability, RunnerSpec
from runners.catalogue.names import spec_for
from runners.hub import cache
from runners.hub.kept import Kept
from runners.hub.queue import Download
from runners.settings import Settings
from tests.hub_folders import WHOLE, cached
from tests.markup import Tags
from tests.weight_files import checkpoint
from ui.desk import Desk
from ui.lookout import Lookout
from ui.models_tab import Shelf
from ui.shelf import May, drawn, page_of, wanted

GB = 1_000_000_000
WHISPER = spec_for("whisper")

HOSTILE = "<img src=x onerror=\"alert('1')\"><script>alert(1)</script>"


class StandInPool:
    """Has a few models loaded and runs nothing."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def room(self) -> Any:
        return Lookout()()

    def children(self) -> list[Any]:
        return [type("Child", (), {"name": name})() for name in self.names]


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    return tmp_path / "home"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    names = ("moonshine", "whisper", "faster-whisper", "ctc")
    return Settings(runners=names, downloads=True, cache_folder=tmp_path / "cache")


def shelf(settings: Settings, *loaded: str) -> Shelf:
    return Shelf(Desk(settings, StandInPool(*loaded), Lookout()))  # type: ignore[arg-type]


def page(settings: Settings, **parts: Any) -> str:
    given: dict[str, Any] = {
        "downloads": (), "there": (), "missing": (), "systems": {}, "loaded": {}, "free_bytes": 50 * GB, "settings": settings,
        "may": May(), "now": 1e9, **parts,
    }  # fmt: skip
    return drawn(given.pop("downloads"), given.pop("there"), given.pop("missing"), **given)


def text(html: str) -> str:
    """What can be read of it."""
    return " ".join(Tags(html.replace("<", " <")).text.split())


def test_what_is_not_here_can_be_downloaded(settings: Settings) -> None:
    told = shelf(settings).shelf({})
    words = text(told["html"])
    assert "No model has been fetched yet" in words
    assert "openai/whisper-small" in words
    assert 'data-do="download" data-name="whisper"' in told["html"]
    assert 'data-name="moonshine"' not in told["html"]
    assert "free on the disk" in words
    assert not told["busy"]


def test_what_is_here_is_listed_with_its_systems_and_can_be_removed(settings: Settings, home: Path) -> None:
    folder = checkpoint(cached(home, "openai/whisper-small"), WHOLE)
    served = shelf(settings)
    told = served.shelf({})
    assert "Whisper small openai/whisper-small · main · last used today" in text(told["html"])
    assert 'data-do="download" data-name="whisper"' not in told["html"]
    after = served.shelf({"do": "remove", "name": "hub openai/whisper-small"})
    assert "openai/whisper-small is removed" in after["said"]
    assert not folder.exists()
    assert after["landed"] != told["landed"]
    assert 'data-do="download" data-name="whisper"' in after["html"]
    assert "not here any more" in served.shelf({"do": "remove", "name": "hub openai/whisper-small"})["said"]


def test_a_model_that_is_loaded_stays(settings: Settings, home: Path) -> None:
    folder = checkpoint(cached(home, "openai/whisper-small"), WHOLE)
    told = shelf(settings, "whisper+bfloat16").shelf({"do": "remove", "name": "hub openai/whisper-small"})
    assert "stays: It is loaded now" in told["said"]
    assert folder.exists()
    assert 'data-do="remove"' not in told["html"]


@pytest.mark.parametrize(
    "asked",
    [
        None,
        [],
        "remove",
        {"do": 1, "name": 2},
        {"do": "remove"},
        {"do": "remove", "name": "hub ../../x"},
        {"do": "remove", "name": ""},
        {"do": "cancel", "name": "nobody/knows"},
        {"do": "dismiss", "name": "x"},
        {"do": "explode", "name": "x"},
    ],
)
def test_whatever_a_browser_sends_is_answered(asked: Any, settings: Settings) -> None:
    told = shelf(settings).shelf(asked)
    assert told["html"]
    json.dumps(told)


def test_visitors_of_a_public_page_look_and_touch_nothing(settings: Settings, home: Path) -> None:
    folder = checkpoint(cached(home, "openai/whisper-small"), WHOLE)
    closed = settings.model_copy(update={"visitors_download": False, "visitors_remove": False, "show_logs": False})
    served = shelf(closed)
    told = served.shelf({})
    assert "data-do" not in told["html"]
    assert str(home) not in told["html"]
    assert "Whoever runs this page decides" in text(told["html"])
    assert "do not remove" in served.shelf({"do": "remove", "name": "hub openai/whisper-small"})["said"]
    assert "do not start" in served.shelf({"do": "download", "name": "ctc"})["said"]
    assert "do not stop" in served.shelf({"do": "cancel", "name": "x"})["said"]
    assert folder.exists()
    assert served.queue.downloads() == ()
    assert all("folder" not in each for each in served.models())


def test_a_system_that_is_not_offered_is_not_fetched(settings: Settings) -> None:
    closed = settings.model_copy(update={"visitors_add_models": False})
    served = shelf(closed)
    assert "not offered" in served.shelf({"do": "download", "name": "whisper:somebody/else"})["said"]
    assert served.queue.downloads() == ()


def test_offline_it_says_so_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    told = shelf(settings.model_copy(update={"downloads": False})).shelf({})
    assert "data-do" not in told["html"]
    assert text(told["html"]).count("Downloads are off") == 1
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE" in text(shelf(settings).shelf({})["html"])


def test_a_gated_model_says_where_its_licence_is_accepted_and_how_to_log_in(settings: Settings) -> None:
    gated = RunnerSpec("whisper", "Gated", "runners.whisper:Whisper", model="a/gated", gated=True, size_bytes=GB)
    missing = wanted([(gated, Availability("skipped", reason="x"))], settings)
    html = page(settings, missing=missing)
    assert 'href="https://huggingface.co/a/gated"' in html
    assert "Accept the licence" in text(html)
    assert "hf auth login" in text(html)
    assert "data-do" not in html


def test_what_an_earlier_attempt_left_is_taken_up(settings: Settings, home: Path) -> None:
    folder = cached(home, "openai/whisper-small")
    blobs = folder.parent.parent / "blobs"
    blobs.mkdir()
    (blobs / f"abc{cache.PART_ENDING}").write_bytes(bytes(3_000_000))
    words = text(shelf(settings).shelf({})["html"])
    assert " are here Resume" in words
    assert "in part: a download of it was stopped" in words


def test_weights_of_two_systems_are_one_row(settings: Settings) -> None:
    here = Availability("download")
    rows = wanted([(WHISPER, here), (spec_for("faster-whisper:openai/whisper-small"), here)], settings)
    assert len(rows) == 1
    assert rows[0].also == ("whisper-small",)


def test_what_could_not_run_here_is_folded_away_with_the_reason(settings: Settings) -> None:
    missing = wanted([(WHISPER, Availability("skipped", reason="needs 12 GB, 7 GB free"))], settings)
    words = text(page(settings, missing=missing))
    assert "1 that cannot run here now" in words
    assert "needs 12 GB, 7 GB free" in words


def downloads() -> Iterator[Download]:
    half = {"done_bytes": 378_000_000, "total_bytes": 967_000_000}
    yield Download("a/running", WHISPER, "running", **half, bytes_per_second=12e6)
    yield Download("a/asking", WHISPER, "running")
    yield Download("a/next", WHISPER, "queued", 1)
    yield Download("a/later", WHISPER, "queued", 2)
    yield Download("a/done", WHISPER, "done", 0, 967_000_000, 967_000_000)
    yield Download("a/failed", WHISPER, "failed", error="The hub cannot be reached.", fix="Check the network.")
    yield Download("a/cancelled", WHISPER, "cancelled", **half)


def test_downloads_say_how_they_stand(settings: Settings) -> None:
    html = page(settings, downloads=list(downloads()))
    words = text(html)
    assert 'value="39"' in html
    for said in (
        "378 MB of 967 MB · 12 MB/s · 49 s left", "asks the hub what there is", "a/next next Cancel", "2 in the queue",
        "967 MB fetched Dismiss", "The hub cannot be reached. → Check the network. Try again", "378 MB are kept Resume",
    ):  # fmt: skip
        assert said in words


def test_nothing_that_a_file_or_a_hub_is_called_becomes_markup(settings: Settings) -> None:
    spec = RunnerSpec(
        "whisper", HOSTILE, "runners.whisper:Whisper", model=f"a/{HOSTILE}", license=HOSTILE, languages=(HOSTILE,)
    )
    each = Kept("hub", HOSTILE, Path(HOSTILE), 1, revisions=(HOSTILE,), model_type=HOSTILE, made_of=HOSTILE, used_at=0.0)
    made = Kept("converted", HOSTILE, Path(HOSTILE), 1, made_of=HOSTILE, precision=HOSTILE)
    html = page(
        settings,
        downloads=[Download(HOSTILE, spec, "failed", error=HOSTILE, fix=HOSTILE), Download(HOSTILE, spec, "running")],
        there=[each, made],
        missing=wanted([(spec, Availability("skipped", reason=HOSTILE)), (WHISPER, Availability("download"))], settings),
        systems={"x": (HOSTILE,)},
        loaded={HOSTILE: HOSTILE},
    )
    tags = Tags(html)
    assert not {"img", "script", "iframe", "style", "svg"} & set(tags.names)
    assert not {name for name in tags.attributes if name.startswith("on") or name == "src"}
    assert page_of(spec) is None
    assert "onerror" in tags.text
