"""Fetching weights from a hub that runs on this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runners.base import RunnerSpec, WeightsUnavailable
from runners.catalogue.names import spec_for
from runners.catalogue.rows import RUNNERS
from runners.dialects.mms import MMS_CODES
from runners.hub import cache
from runners.hub.fetch import download, wanted_files
from tests.hub_folders import MODEL, begun, repository
from tests.hub_server import CHUNK_BYTES, COMMIT, Hub, Reports, serve
from tests.weight_files import index, matrices, safetensors

pytestmark = pytest.mark.usefixtures("own_cache")  # every test, off the real cache

ROOT = Path(__file__).resolve().parent.parent


def test_one_set_of_weights_is_fetched_and_no_code() -> None:
    names = [
        ".gitattributes", "README.md", "config.json", "tokenizer.json", "vocab.json", "merges.txt", "modeling_x.py",
        "model.safetensors", "model.fp32.safetensors", "model.safetensors.index.fp32.json", "pytorch_model.bin",
        "flax_model.msgpack", "tf_model.h5", "onnx/model.onnx", "onnx/config.json", "adapter.eng.safetensors", "model.onnx",
        "training_args.bin", "pytorch_model.bin.index.json",
    ]  # fmt: skip
    wanted = set(wanted_files(names))
    assert {"config.json", "tokenizer.json", "vocab.json", "merges.txt", "model.safetensors"} <= wanted
    assert not {name for name in wanted if name.endswith((".py", ".bin", ".h5", ".msgpack", ".onnx", ".md", ".index.json"))}
    assert not {name for name in wanted if "/" in name or "fp32.safetensors" in name or "adapter" in name}


def test_pickles_are_fetched_only_where_there_is_nothing_else() -> None:
    assert wanted_files(["pytorch_model.bin", "config.json", "tf_model.h5"]) == ("config.json", "pytorch_model.bin")
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"]
    assert set(wanted_files([*shards, "pytorch_model.bin"])) == set(shards)
    assert set(wanted_files(["model.bin", "vocabulary.txt", "config.json"])) == {
        "model.bin",
        "vocabulary.txt",
        "config.json",
    }


def test_a_row_may_name_its_files() -> None:
    row = next(row for row in RUNNERS if row.files)
    assert set(wanted_files(["model.bin", "config.json", "extra.json", "x/config.json"], row.files)) == {
        "model.bin",
        "config.json",
    }


def test_mms_comes_with_the_adapters_of_the_languages_that_its_row_names() -> None:
    row = spec_for("ctc:facebook/mms-1b-all")
    names = ["config.json", "vocab.json", "model.safetensors", "pytorch_model.bin", "README.md"]
    adapters = [f"adapter.{name}.{kind}" for name in (*MMS_CODES.values(), "abk") for kind in ("bin", "safetensors")]
    wanted = wanted_files([*names, *adapters], row.files)
    assert {"config.json", "vocab.json", "model.safetensors", "adapter.deu.safetensors"} <= set(wanted)
    fetched = {name.split(".")[1] for name in wanted if name.startswith("adapter.")}
    assert fetched == {MMS_CODES[code] for code in row.languages or ()}
    assert not {name for name in wanted if not name.endswith((".json", ".safetensors"))}
    assert "cmn-script_simplified" in fetched


def test_downloads_that_the_hubs_client_forbids_are_refused_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsUnavailable, match="HF_HUB_OFFLINE"):
        download(spec_for("whisper"), Reports())


def test_a_folder_is_never_downloaded(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable, match="is not there"):
        download(spec_for(f"whisper:{tmp_path}/gone"), Reports())
    with pytest.raises(WeightsUnavailable, match="inside its package"):
        download(spec_for("moonshine"), Reports())


# The client reads its address and whether it may use the network once, when it is imported: so these run in a child.
CHILD = """
import json, os, sys
sys.path.insert(0, {root!r})
from runners.hub import cache, fetch
from runners.base import Cancelled, RunnerError
from runners.catalogue.names import spec_for
from tests.hub_server import Reports

fetch._SECONDS_BETWEEN_REPORTS = 0.002
answers = []
for name in {names!r}:
    progress = Reports(stop_after={stop_after!r})
    answer = {{"folder": None, "error": None, "fix": None, "cancelled": False}}
    try:
        answer["folder"] = str(fetch.download(spec_for(name), progress))
    except Cancelled:
        answer["cancelled"] = True
    except RunnerError as error:
        answer |= {{"error": str(error), "fix": error.fix}}
    answers.append(answer | {{"reports": progress.reports}})
print(json.dumps(answers), flush=True)
os._exit(0)  # as a runner's process ends: the client's threads may still wait for data
"""


def fetch(served: Hub, home: Path, name: str = MODEL, *, stop_after: int | None = None) -> dict[str, Any]:
    return fetch_all(served, home, [name], stop_after=stop_after)[0]


def fetch_all(
    served: Hub, home: Path, names: list[str], *, stop_after: int | None = None, token: str = "", before: str = ""
) -> list[dict[str, Any]]:
    home.mkdir(exist_ok=True)
    script = before + CHILD.format(root=str(ROOT), names=names, stop_after=stop_after)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "HF_HOME": str(home), "HF_ENDPOINT": served.url, "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_TELEMETRY": "1",
    }  # fmt: skip
    if token:
        environment["HF_TOKEN"] = token
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=home, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert token == "" or token not in done.stdout + done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    assert len(answers) == len(names)
    return list(answers)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def test_a_model_is_fetched_with_progress_and_then_found(home: Path) -> None:
    with serve(repository()) as served:
        answer = fetch(served, home)
    assert answer["error"] is None, answer
    folder = Path(answer["folder"])
    assert {path.name for path in folder.iterdir()} == {"config.json", "tokenizer.json", "model.safetensors"}
    assert cache.cached_folder("somebody/model") == folder
    total_bytes = sum(len(served.files[path.name]) for path in folder.iterdir())
    done = [report[0] for report in answer["reports"]]
    assert {report[1] for report in answer["reports"]} == {total_bytes}
    assert done == sorted(done)
    assert done[-1] == total_bytes
    assert any(0 < value < total_bytes for value in done)


def test_a_cancelled_download_stops_at_once_and_can_be_had_again(home: Path) -> None:
    with serve(repository()) as served:
        served.stall_after = 14 * CHUNK_BYTES  # the client hands on 10 MiB at a time; the rest never comes
        answer = fetch(served, home, stop_after=CHUNK_BYTES)
        assert answer["cancelled"]
        assert cache.cached_folder("somebody/model") is None
        served.stall_after = None
        served.release.set()
        again = fetch(served, home)
    assert again["folder"], again
    assert again["reports"][-1][0] == again["reports"][-1][1]


def test_a_cancelled_download_goes_on_where_it_was_left(home: Path) -> None:
    with serve(repository()) as served:
        served.stall_after = 14 * CHUNK_BYTES
        assert fetch(served, home, stop_after=12 * CHUNK_BYTES)["cancelled"]
        (part,) = begun(home)
        left_bytes = part.stat().st_size
        assert left_bytes >= 8 * CHUNK_BYTES
        assert cache.present_bytes("somebody/model") >= left_bytes
        served.stall_after = None
        served.release.set()
        again = fetch(served, home)
    assert served.ranges[-1] == str(left_bytes)
    assert again["reports"][0][0] >= left_bytes
    assert (Path(again["folder"]) / "model.safetensors").read_bytes() == served.files["model.safetensors"]
    assert not begun(home)


@pytest.mark.parametrize("takes_ranges", [True, False], ids=["ranges", "no-ranges"])
def test_a_connection_that_breaks_is_made_again(home: Path, takes_ranges: bool) -> None:
    with serve(repository()) as served:
        served.cuts = [6 * CHUNK_BYTES, 3 * CHUNK_BYTES]
        served.takes_ranges = takes_ranges
        answer = fetch(served, home)
    assert answer["error"] is None, answer
    assert served.ranges[0] == str(6 * CHUNK_BYTES)
    assert (Path(answer["folder"]) / "model.safetensors").read_bytes() == served.files["model.safetensors"]


def test_a_beginning_of_something_else_is_thrown_away(home: Path) -> None:
    with serve(repository()) as served:
        served.stall_after = 14 * CHUNK_BYTES
        assert fetch(served, home, stop_after=12 * CHUNK_BYTES)["cancelled"]
        (part,) = begun(home)
        part.write_bytes(b"\xff" * part.stat().st_size)
        served.stall_after = None
        served.release.set()
        answer = fetch(served, home)
    assert (Path(answer["folder"]) / "model.safetensors").read_bytes() == served.files["model.safetensors"]


def test_a_file_that_is_longer_than_was_told_does_not_fill_the_disk(home: Path) -> None:
    with serve(repository()) as served:
        served.listed = {"model.safetensors": 20 * CHUNK_BYTES}
        answer = fetch(served, home)
    assert "not what the hub says" in answer["error"]
    assert sum(part.stat().st_size for part in begun(home)) <= 20 * CHUNK_BYTES
    assert cache.cached_folder("somebody/model") is None


def test_a_download_for_which_the_disk_is_too_small_fetches_no_weights(home: Path) -> None:
    sizes = "import shutil\nshutil.disk_usage = lambda folder: type('U', (), {'total': 9, 'used': 0, 'free': 1_000_000})\n"
    with serve(repository()) as served:
        answer = fetch_all(served, home, [MODEL], before=sizes)[0]
        assert not [asked for asked in served.asked if "GET" in asked and asked.endswith(".safetensors")]
    assert "The download takes" in answer["error"]
    assert "1 MB are free" in answer["error"]
    assert "HF_HOME" in answer["fix"]


def test_files_that_are_here_are_not_fetched_again(home: Path) -> None:
    with serve(repository()) as served:
        folder = Path(fetch(served, home)["folder"])
        large = folder / "model.safetensors"
        large.resolve().unlink()
        large.unlink()
        served.asked.clear()
        again = fetch(served, home)
    fetched = [asked.rpartition("/")[2] for asked in served.asked if asked.startswith("GET /somebody/model/resolve/")]
    assert fetched == ["model.safetensors"]
    assert again["reports"][0][0] >= len(served.files["config.json"] + served.files["tokenizer.json"])
    assert again["reports"][-1][0] == again["reports"][-1][1]


def test_what_a_killed_download_left_is_cleared_away(home: Path) -> None:
    blobs = home / "hub" / "models--somebody--model" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "old.incomplete").write_bytes(b"half")
    os.utime(blobs / "old.incomplete", (0, 0))
    (blobs / "new.incomplete").write_bytes(b"another process is at work on this")
    with serve(repository()) as served:
        assert fetch(served, home)["folder"]
    assert [path.name for path in blobs.glob("*.incomplete")] == ["new.incomplete"]


def test_what_the_hub_refuses_is_told_without_the_token(home: Path) -> None:
    refusals = {
        "a/gated": ((403, "GatedRepo"), "licence to be accepted", "https://huggingface.co/a/gated"),
        "a/gated-401": ((401, "GatedRepo"), "licence to be accepted", "hf auth login"),
        "a/nobody": ((404, "RepoNotFound"), "no model a/nobody", "spelling"),
        "a/old": ((404, "RevisionNotFound"), "no revision", "https://huggingface.co/a/old"),
        "a/denied": ((401, ""), "refused a/denied (401)", "HF_TOKEN"),
        "a/forbidden": ((403, ""), "refused a/forbidden (403)", "HF_TOKEN"),
        "a/teapot": ((418, ""), "an error (418)", "later"),
    }
    names = [f"whisper:{model}" for model in refusals] + ["whisper:somebody/model"]
    bare = Hub(
        files={"README.md": b"hello", "config.json": b"{}", "tokenizer.json": b"{}"},
        errors={model: answer for model, (answer, _, _) in reversed(refusals.items())},
    )
    with serve(bare) as served:
        answers = fetch_all(served, home, names, token="hf_" + "secret" * 5)
    for answer, (_, error, fix) in zip(answers, refusals.values(), strict=False):
        assert error in answer["error"]
        assert fix in answer["fix"]
    assert "holds no weights" in answers[-1]["error"]


def test_a_hub_that_cannot_be_reached_is_told(home: Path) -> None:
    with serve(repository()) as served:
        pass  # its address is free again
    answer = fetch(served, home)
    assert answer["error"] == "The hub cannot be reached."
    assert answer["fix"]


def test_a_hub_that_never_answers_is_not_waited_for(home: Path) -> None:
    soon = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport runners.hub.fetch as f; f.SILENT_SECONDS = 0.3\n"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hub = Hub({}, url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        answer = fetch_all(hub, home, [MODEL], before=soon)[0]
    assert answer["error"] == "The hub cannot be reached."


PHI4 = "phi4-multimodal:somebody/model@refs/pr/70"


def phi4_repository(model_type: str = "phi4_multimodal", *, lost: tuple[str, ...] = ()) -> Hub:
    """What a multimodal model's repository holds, adapters for hearing and for seeing among it."""
    names = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    files = {
        "config.json": json.dumps({"model_type": model_type}).encode(),
        "tokenizer.json": b"{}",
        "preprocessor_config.json": b"{}",
        "modeling_phi4mm.py": b"raise SystemExit",
        "figures/architecture.png": bytes(10),
        names[0]: safetensors(("BF16", 4 * CHUNK_BYTES)),
        names[1]: safetensors(("BF16", 6 * CHUNK_BYTES)),
        "model.safetensors.index.json": index(*names),
    }
    for adapter in ("speech-lora", "vision-lora"):
        files[f"{adapter}/adapter_config.json"] = b"{}"
        files[f"{adapter}/adapter_model.safetensors"] = matrices({"lora_A": (4, CHUNK_BYTES)})
        files[f"{adapter}/README.md"] = b"..."
    return Hub(files={name: raw for name, raw in files.items() if name not in lost}, revision="refs/pr/70")


def test_an_adapter_is_fetched_with_its_model_at_a_revision_with_slashes(home: Path) -> None:
    with serve(phi4_repository()) as served:
        answer = fetch(served, home, PHI4)
    assert answer["error"] is None, answer
    folder = Path(answer["folder"])
    fetched = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {name for name in fetched if "/" in name} == {
        "speech-lora/adapter_config.json",
        "speech-lora/adapter_model.safetensors",
    }
    assert not {name for name in fetched if name.endswith((".py", ".png", ".md"))}
    total_bytes = sum(len(served.files[name]) for name in fetched)
    assert answer["reports"][-1] == [total_bytes, total_bytes]
    assert cache.folder_of(spec_for(PHI4)) == folder
    assert cache.cached_folder("somebody/model", COMMIT, ("speech-lora",)) == folder
    assert cache.cached_folder("somebody/model", "main", ("speech-lora",)) is None


def test_an_adapter_that_is_missing_in_the_cache_is_fetched_alone(home: Path) -> None:
    with serve(phi4_repository()) as served:
        folder = Path(fetch(served, home, PHI4)["folder"])
        adapter = folder / "speech-lora" / "adapter_model.safetensors"
        adapter.resolve().unlink()
        adapter.unlink()
        assert cache.cached_folder("somebody/model", "refs/pr/70", ("speech-lora",)) is None
        part = cache.missing_part("somebody/model", "refs/pr/70", ("speech-lora",))
        assert "lacks speech-lora/adapter_model.safetensors" in (part or "")
        served.asked.clear()
        assert fetch(served, home, PHI4)["folder"] == str(folder)
    got = [asked for asked in served.asked if asked.startswith("GET /somebody/model/resolve/")]
    assert [asked.rpartition("/")[2] for asked in got] == ["adapter_model.safetensors"]
    assert cache.missing_part("somebody/model", "refs/pr/70", ("speech-lora",)) is None


def test_what_would_be_of_no_use_is_not_fetched(home: Path) -> None:
    with serve(phi4_repository("phi4mm")) as served:
        other_form = fetch(served, home, PHI4)
        assert not [asked for asked in served.asked if "GET" in asked and asked.endswith(".safetensors")]
    assert "somebody/model@refs/pr/70 on the hub holds Phi-4-multimodal in the form that runs code" in other_form["error"]
    assert "Use phi4-multimodal" in other_form["fix"]
    with serve(phi4_repository("whisper")) as served:
        other_family = fetch(served, home / "2", PHI4)
        assert not [asked for asked in served.asked if "GET" in asked and asked.endswith(".safetensors")]
    assert "'whisper', not a Phi-4-multimodal model" in other_family["error"]
    assert "whisper:somebody/model@refs/pr/70" in other_family["fix"]
    with serve(phi4_repository(lost=("speech-lora/adapter_model.safetensors",))) as served:
        deaf = fetch(served, home / "3", PHI4)
        assert not [asked for asked in served.asked if "GET" in asked and asked.endswith(".safetensors")]
    assert "has no speech-lora/adapter_model.safetensors" in deaf["error"]
    with serve(phi4_repository()) as served:
        elsewhere = fetch(served, home / "4", "phi4-multimodal:somebody/model@refs/pr/71")
    assert elsewhere["error"] == "somebody/model has no revision 'refs/pr/71'."


def test_a_revision_is_what_is_asked_for(home: Path) -> None:
    with serve(repository()) as served:
        answer = fetch(served, home, "whisper:somebody/model@v2")
    assert answer["folder"]
    assert any("v2" in asked for asked in served.asked)
    assert cache.cached_folder("somebody/model", "v2") == Path(answer["folder"])
    assert cache.cached_folder("somebody/model") is None


def test_every_row_of_the_hub_can_be_asked_for() -> None:
    rows: list[RunnerSpec] = [row for row in RUNNERS if row.model]
    for row in rows:
        assert cache.cached_folder(row.model or "") is None
