"""Finding weights in the hub's cache, without asking anybody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runners.base import WeightsUnavailable
from runners.catalogue.names import spec_for
from runners.hub import cache
from tests.hub_folders import WHOLE, cached
from tests.hub_server import COMMIT
from tests.weight_files import checkpoint, index, matrices, safetensors, with_adapter

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"HF_HUB_CACHE": "/c", "HF_HOME": "/h"}, "/c"),
        ({"HUGGINGFACE_HUB_CACHE": "/old"}, "/old"),
        ({"HF_HOME": "/h"}, "/h/hub"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"),
        ({"HF_HOME": "", "XDG_CACHE_HOME": "", "HOME": "/home/me"}, "/home/me/.cache/huggingface/hub"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")
def test_the_cache_is_where_the_hubs_client_has_it(
    variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(cache.cache_folder()) == folder
    environment = {"PATH": os.environ["PATH"], "HOME": "/home/me", **variables}
    if all(variables.values()):  # the client takes an empty HF_HOME for a folder; we do not
        script = "from huggingface_hub.constants import HF_HUB_CACHE; print(HF_HUB_CACHE)"
        theirs = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
        assert theirs.stdout.strip() == folder


def test_a_whole_model_is_found_by_branch_tag_and_commit(tmp_path: Path) -> None:
    folder = checkpoint(cached(tmp_path / "home"), WHOLE)
    cached(tmp_path / "home", revision="refs/pr/3")
    for revision in (None, "main", "refs/pr/3", COMMIT):
        assert cache.cached_folder("somebody/model", revision) == folder
    assert cache.cached_folder("somebody/model", "v9") is None
    assert cache.cached_folder("somebody/else") is None


def test_blobs_behind_links_are_followed_and_broken_links_are_not_there(tmp_path: Path) -> None:
    folder = checkpoint(cached(tmp_path / "home"), {})
    blob = folder.parent.parent / "blobs" / "abc"
    (folder / "model.safetensors").symlink_to(blob)
    assert cache.cached_folder("somebody/model") is None
    blob.parent.mkdir()
    blob.write_bytes(WHOLE["model.safetensors"])
    assert cache.cached_folder("somebody/model") == folder


def test_a_model_in_part_is_not_found(tmp_path: Path) -> None:
    shards = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    files = {shards[0]: safetensors(("F32", 4)), "model.safetensors.index.json": index(*shards)}
    folder = checkpoint(cached(tmp_path / "home"), files)
    assert cache.cached_folder("somebody/model") is None
    (folder / shards[1]).write_bytes(safetensors(("F32", 4)))
    assert cache.cached_folder("somebody/model") == folder


def test_a_file_that_the_client_noted_and_did_not_get_to_is_missed(tmp_path: Path) -> None:
    folder = checkpoint(cached(tmp_path / "home"), WHOLE)
    note = folder.parent.parent / "trees" / f"{COMMIT}.json"
    note.parent.mkdir()
    note.write_text(
        json.dumps({"files": {"config.json": {}, "preprocessor_config.json": {}, "model.onnx": {}, "README.md": {}}})
    )
    assert cache.cached_folder("somebody/model") is None
    (folder / "preprocessor_config.json").write_text("{}")
    assert cache.cached_folder("somebody/model") == folder
    note.write_text("nonsense")
    assert cache.cached_folder("somebody/model") == folder


@pytest.mark.parametrize(
    ("model", "revision"),
    [
        ("../../etc", None),
        ("/etc", None),
        ("a/..", None),
        ("somebody/model", "../../../elsewhere"),
        ("somebody/model", "/etc"),
        ("a\\..\\b", None),
    ],
)
def test_no_name_leads_out_of_the_cache(model: str, revision: str | None, tmp_path: Path) -> None:
    checkpoint(tmp_path / "elsewhere", WHOLE)
    cached(tmp_path / "home")
    assert cache.cached_folder(model, revision) is None


def test_a_branch_file_that_points_elsewhere_is_not_followed(tmp_path: Path) -> None:
    checkpoint(tmp_path / "home" / "hub" / "elsewhere", WHOLE)
    cached(tmp_path / "home", commit=COMMIT)
    (tmp_path / "home/hub/models--somebody--model/refs/main").write_text("../../elsewhere")
    assert cache.cached_folder("somebody/model") is None


def test_where_a_systems_weights_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.folder_of(spec_for("moonshine")) is None
    assert cache.folder_of(spec_for("scripted:slow")) is None
    folder = checkpoint(tmp_path / "my model@v1", WHOLE)
    assert cache.folder_of(spec_for(f"whisper:{folder}/")) == folder
    monkeypatch.chdir(tmp_path)
    assert cache.folder_of(spec_for("whisper:./my model@v1")) == folder
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder_of(spec_for("whisper:~/my model@v1")) == folder
    here = checkpoint(cached(tmp_path / "home", "openai/whisper-small"), WHOLE)
    assert cache.folder_of(spec_for("whisper")) == here


@pytest.mark.parametrize("name", ["whisper:/no/such/folder", "whisper:~nobody/x", "whisper", "ctc:someone/else@v1"])
def test_weights_that_are_not_here_are_told(name: str) -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        cache.folder_of(spec_for(name))
    assert caught.value.fix


def test_a_damaged_adapter_in_the_cache_is_no_model(tmp_path: Path) -> None:
    folder = with_adapter(checkpoint(cached(tmp_path / "home", revision="refs/pr/70"), WHOLE))
    assert cache.cached_folder("somebody/model", "refs/pr/70", ("speech-lora",)) == folder
    (folder / "speech-lora" / "adapter_model.safetensors").write_bytes(matrices({"lora_A": (4, 8)}, kept_bytes=3))
    assert cache.cached_folder("somebody/model", "refs/pr/70", ("speech-lora",)) is None
    assert (
        cache.missing_part("somebody/model", "refs/pr/70", ("speech-lora",)) == "holds only part of adapter_model.safetensors"
    )
    assert cache.missing_part("somebody/model", "main") is None
