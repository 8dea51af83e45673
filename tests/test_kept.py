"""What lies in the caches, and what it takes to remove it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runners.hub import cache
from runners.hub.kept import (
    CONVERTED,
    MADE_OF,
    Kept,
    NotRemoved,
    as_plain,
    clear_leftovers,
    kept,
    readers_of,
    remove,
    systems_of,
)
from runners.settings import Settings
from tests.hub_folders import WHOLE, cached
from tests.hub_server import COMMIT
from tests.weight_files import checkpoint, safetensors


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def cache_folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def linked(home: Path, model: str = "somebody/model") -> Path:
    """A model as the hub's client lays it out where there are links: contents in ``blobs``, names in ``snapshots``."""
    folder = checkpoint(cached(home, model), WHOLE)
    (folder / "config.json").write_text('{"model_type": "whisper"}')
    blobs = folder.parent.parent / "blobs"
    blobs.mkdir()
    for name in [path.name for path in folder.iterdir()]:
        (folder / name).rename(blobs / name)
        (folder / name).symlink_to(blobs / name)
    return folder.parent.parent


def converted(cache_folder: Path, home: Path) -> Path:
    folder = cache_folder / CONVERTED / "0123abcd"
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(bytes(500))
    source = cached(home, "openai/whisper-small")
    (folder / MADE_OF).write_text(json.dumps({"folder": str(source), "dtype": "int8"}))
    return folder


def test_nothing_is_there_where_there_is_no_cache(cache_folder: Path) -> None:
    assert kept(cache_folder) == ()


def test_models_are_listed_by_size_with_revision_and_type(home: Path, cache_folder: Path) -> None:
    repository = linked(home)
    checkpoint(cached(home, "a/larger"), {"model.safetensors": safetensors(("F32", 90_000))})
    larger, smaller = kept(cache_folder)
    assert (larger.name, smaller.name) == ("a/larger", "somebody/model")
    assert smaller.folder == repository
    assert smaller.size_bytes == sum(blob.stat().st_size for blob in (repository / "blobs").iterdir())
    assert smaller.revisions == ("main",)
    assert smaller.model_type == "whisper"
    assert smaller.is_whole
    assert smaller.used_at == pytest.approx(max(path.stat().st_atime for path in repository.rglob("*.safetensors")), abs=5)


def test_two_revisions_share_what_they_have_in_common(home: Path, cache_folder: Path) -> None:
    repository = linked(home)
    (repository / "refs/refs/pr").mkdir(parents=True)
    (repository / "refs/refs/pr/7").write_text("abcdef" * 6)
    other = repository / "snapshots" / ("abcdef" * 6)
    other.mkdir()
    (other / "model.safetensors").symlink_to(repository / "blobs" / "model.safetensors")
    third = repository / "snapshots" / ("123456" * 6)
    third.mkdir()
    (each,) = kept(cache_folder)
    assert set(each.revisions) == {"main", "refs/pr/7", "123456123456"}
    assert each.size_bytes == sum(blob.stat().st_size for blob in (repository / "blobs").iterdir())


def test_a_model_in_part_says_so(home: Path, cache_folder: Path) -> None:
    repository = linked(home)
    (repository / "snapshots" / COMMIT / "model.safetensors").unlink()
    (repository / "blobs" / "model.safetensors").rename(repository / "blobs" / f"abc{cache.PART_ENDING}")
    (each,) = kept(cache_folder)
    assert not each.is_whole
    assert each.unfinished_bytes == len(WHOLE["model.safetensors"])


def test_a_damaged_cache_is_still_listed(home: Path, cache_folder: Path) -> None:
    repository = linked(home)
    (repository / "blobs" / "config.json").write_text("nonsense")
    (repository / "refs" / "main").write_bytes(b"\xff\xfe")
    (repository / "snapshots" / COMMIT / "broken").symlink_to(repository / "blobs" / "gone")
    (home / "hub" / "models--lonely").mkdir()
    (home / "hub" / "datasets--a--b").mkdir()
    assert {each.name for each in kept(cache_folder)} == {"somebody/model", "lonely"}


def test_conversions_say_what_they_were_made_of(home: Path, cache_folder: Path) -> None:
    folder = converted(cache_folder, home)
    (cache_folder / CONVERTED / "unfinished-here-1-x").mkdir()
    each = next(each for each in kept(cache_folder) if each.kind == "converted")
    assert (each.name, each.made_of, each.precision, each.is_whole) == ("0123abcd", "openai/whisper-small", "int8", True)
    (folder / MADE_OF).write_text("[1]")
    unknown = next(each for each in kept(cache_folder) if each.kind == "converted")
    assert (unknown.made_of, unknown.precision) == (None, None)


def test_a_removed_model_is_gone_and_nothing_else(home: Path, cache_folder: Path, tmp_path: Path) -> None:
    repository = linked(home)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "weights.bin").write_bytes(b"somebody's")
    (repository / "snapshots" / COMMIT / "extra").symlink_to(outside)
    other = linked(home, "a/other")
    conversion = converted(cache_folder, home)
    each = next(each for each in kept(cache_folder) if each.name == "somebody/model")
    assert remove(each, cache_folder) == each.size_bytes
    assert not repository.exists()
    assert not list((home / "hub").glob(".earshot-removed-*"))
    assert (outside / "weights.bin").exists()
    assert other.exists()
    (made,) = [each for each in kept(cache_folder) if each.kind == "converted"]
    remove(made, cache_folder)
    assert not conversion.exists()
    with pytest.raises(NotRemoved, match="not in the cache any more"):
        remove(each, cache_folder)


def test_nothing_outside_of_the_caches_is_removed(home: Path, cache_folder: Path, tmp_path: Path) -> None:
    elsewhere = checkpoint(tmp_path / "elsewhere", WHOLE)
    linked(home)
    (home / "hub" / "models--a--link").symlink_to(elsewhere)
    for folder in (elsewhere, home / "hub" / ".." / ".." / "elsewhere", home / "hub" / "models--a--link"):
        with pytest.raises(NotRemoved):
            remove(Kept("hub", "a/link", folder, 1), cache_folder)
    assert (elsewhere / "model.safetensors").exists()
    assert "a/link" not in {each.name for each in kept(cache_folder)}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="open files are looked for on Linux")
def test_a_model_that_another_program_reads_stays(home: Path, cache_folder: Path) -> None:
    repository = linked(home)
    weights = repository / "snapshots" / COMMIT / "model.safetensors"
    script = f"import sys; held = open({str(weights)!r}, 'rb'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdin is not None
        assert reader.stdout.readline() == b"open\n"
        assert readers_of(repository) == (reader.pid,)
        (each,) = kept(cache_folder)
        with pytest.raises(NotRemoved, match=f"process {reader.pid}"):
            remove(each, cache_folder)
        reader.stdin.close()
    assert remove(each, cache_folder) > 0


def test_what_a_killed_removal_left_is_cleared_away(home: Path, cache_folder: Path) -> None:
    linked(home)
    left = home / "hub" / ".earshot-removed-abc"
    left.mkdir()
    (left / "blob").write_bytes(b"x")
    clear_leftovers(cache_folder)
    assert not left.exists()
    assert len(kept(cache_folder)) == 1


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may delete anything")
def test_a_cache_that_cannot_be_written_keeps_its_models(home: Path, cache_folder: Path) -> None:
    linked(home)
    (each,) = kept(cache_folder)
    (home / "hub").chmod(0o500)
    try:
        with pytest.raises(NotRemoved, match="could not be deleted"):
            remove(each, cache_folder)
    finally:
        (home / "hub").chmod(0o700)
    assert kept(cache_folder)


def test_systems_are_told_by_their_model() -> None:
    assert systems_of(Settings())["openai/whisper-small"] == ("Whisper small",)


def test_where_a_model_lies_is_not_for_everybody(home: Path, cache_folder: Path) -> None:
    linked(home)
    (each,) = kept(cache_folder)
    assert "folder" not in as_plain(each, show_folder=False)
    assert json.loads(json.dumps(as_plain(each)))["folder"] == str(each.folder)
