"""Each reason for which a system cannot run, with its fix, and where it is placed if it can."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from runners.base import RunnerSpec
from runners.catalogue.names import offered, spec_for
from runners.catalogue.rows import RUNNERS
from runners.here.availability import as_plain, availability
from runners.here.machine import Device
from runners.here.need import gigabytes, needed_bytes
from runners.here.packages import Requirement
from runners.here.weights import read_weights
from runners.settings import Settings
from tests.stand_ins import GB, ONLINE, everything_is_installed, gpu, in_cache, machine, skipped
from tests.weight_files import checkpoint, index, safetensors

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return everything_is_installed(monkeypatch, tmp_path)


def whisper_folder(folder: Path, *, parameters: int = 1000) -> Path:
    raw = safetensors(("F32", 4 * parameters), kept_bytes=0)
    path = checkpoint(folder, {}, model_type="whisper", architectures=["WhisperForConditionalGeneration"])
    with (path / "model.safetensors").open("wb") as file:  # sparse: takes no room on the disk
        file.write(raw)
        file.truncate(len(raw) + 4 * parameters)
    return path


def test_what_needs_no_download_is_available() -> None:
    for name in ("moonshine", "pocketsphinx", "scripted"):
        found = availability(spec_for(name), machine(), Settings(downloads=False))
        assert (found.state, found.reason, found.fix) == ("available", None, None)


def test_what_is_only_on_the_hub_says_how_much_would_be_fetched() -> None:
    found = availability(spec_for("whisper"), machine(), ONLINE)
    assert (found.state, found.download_bytes) == ("download", 972_000_000)
    assert found.ok


@pytest.mark.parametrize("named", ["whisper", "whisper:openai/whisper-tiny"])
def test_switched_off_by_family_or_name(named: str) -> None:
    settings = Settings(disabled_runners=(named,), downloads=True)
    skipped(availability(spec_for("whisper:openai/whisper-tiny"), machine(), settings), "Switched off", "DISABLED_RUNNERS")
    assert availability(spec_for("ctc"), machine(), settings).ok


@pytest.mark.parametrize("name", ["whisper", "whisper:openai/whisper-small", "whisper:openai/whisper-small@main"])
def test_a_model_that_is_switched_off_has_no_other_name_to_run_under(name: str) -> None:
    settings = Settings(disabled_runners=("whisper:openai/whisper-small",), downloads=True)
    skipped(availability(spec_for(name), machine(), settings), "Switched off", "DISABLED_RUNNERS")
    assert availability(spec_for("whisper:openai/whisper-tiny"), machine(), settings).ok


def test_a_precision_of_what_is_switched_off_is_switched_off_too() -> None:
    settings = Settings(disabled_runners=("whisper:openai/whisper-tiny", "ctc+bfloat16"), downloads=True)
    skipped(
        availability(spec_for("whisper:openai/whisper-tiny+float32"), machine(), settings), "Switched off", "DISABLED_RUNNERS"
    )
    skipped(availability(spec_for("ctc+bfloat16"), machine(), settings), "Switched off", "DISABLED_RUNNERS")
    assert availability(spec_for("ctc"), machine(), settings).ok


SERVED = Settings(
    servers={"lab": {"base_url": "http://inside:8000/v1", "key": "LAB_KEY", "models": [{"model": "a/b", "route": "chat"}]}},
    downloads=False,
)


def test_what_is_served_needs_its_key_and_nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    (spec,) = [spec for spec in offered(SERVED) if spec.server]
    monkeypatch.delenv("LAB_KEY", raising=False)
    without = availability(spec, machine(free_gb=0.01), SERVED)
    skipped(without, "lab", "LAB_KEY")
    monkeypatch.setenv("LAB_KEY", "sesame")
    found = availability(spec, machine(free_gb=0.01), SERVED)
    assert found.state == "available"
    for each in (without, found):
        plain = as_plain(spec, each)
        assert (plain["server"], plain["device"], plain["dtype"], plain["need_bytes"]) == ("lab", None, None, None)
        assert plain["can_chat"]
        for secret in ("inside", "sesame"):
            assert secret not in f"{plain}"


def test_what_is_served_can_be_switched_off_by_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "sesame")
    for named in ("openai:a/b@lab", "openai:a/b"):
        settings = SERVED.model_copy(update={"disabled_runners": (named,)})
        spec = spec_for("openai:a/b@lab", settings)
        skipped(availability(spec, machine(), settings), "Switched off", "DISABLED_RUNNERS")


def test_a_missing_package_has_its_install_line(packages: Path) -> None:
    shutil.rmtree(packages / "torch")
    skipped(availability(spec_for("whisper"), machine(), ONLINE), "torch is not installed", "pip install torch")
    shutil.rmtree(packages / "transformers")
    found = availability(spec_for("ctc"), machine(), ONLINE)
    skipped(found, "transformers and torch are not installed", "pip install transformers torch")


def test_a_missing_package_comes_before_missing_weights(packages: Path) -> None:
    shutil.rmtree(packages / "torch")
    skipped(availability(spec_for("whisper"), machine(), Settings(downloads=False)), "not installed", "pip install")


def test_versions_of_moonshine_that_leave_its_weights_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runners.here.packages.importlib.metadata.version", lambda name: "0.1.2")
    found = availability(spec_for("moonshine"), machine(), Settings())
    skipped(found, "moonshine-voice 0.1.2 is installed", 'pip install "moonshine-voice>=0.0.60,<0.1"')


def test_a_wheel_without_its_model(packages: Path) -> None:
    shutil.rmtree(packages / "moonshine_voice" / "assets")
    skipped(availability(spec_for("moonshine"), machine(), Settings()), "lacks the model", "--force-reinstall")


def test_a_platform_without_a_wheel_is_told_so(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(packages / "moonshine_voice")
    monkeypatch.setattr("runners.here.packages.platform.machine", lambda: "riscv64")
    skipped(availability(spec_for("moonshine"), machine(), Settings()), "no wheel for this machine", "PocketSphinx")


@pytest.mark.parametrize(
    ("text", "version", "allowed"),
    [
        ("torch", "1.0", True),
        ("x>=0.0.60,<0.1", "0.0.59", False),
        ("x>=0.0.60,<0.1", "0.0.60", True),
        ("x>=0.0.60,<0.1", "0.0.73.post1", True),
        ("x>=0.0.60,<0.1", "0.1.0", False),
        ("x==2.0", "2.0.0+cpu", True),
        ("x>=2", "10.1", True),
    ],
)
def test_version_bounds_are_compared_as_numbers(text: str, version: str, allowed: bool) -> None:
    assert Requirement.read(text).allows(version) is allowed


def test_what_needs_a_gpu_says_so() -> None:
    spec = replace(spec_for("whisper"), needs_gpu=True)
    skipped(availability(spec, machine(), ONLINE), "Needs a GPU", "a machine with one")
    skipped(availability(spec, machine(probed=False), ONLINE), "none was looked for yet", "a machine with one")
    assert availability(spec, machine(gpu()), ONLINE).placement.device == "cuda"
    skipped(availability(spec, machine(gpu(free_gb=0.1)), ONLINE), "Needs", "Free some memory")  # never the CPU


def test_downloads_that_are_off_have_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    found = availability(spec_for("ctc"), machine(), Settings(downloads=False))
    skipped(found, "not on this machine, and downloads are off", "EARSHOT_DOWNLOADS=1")
    assert "ctc:FOLDER" in (found.fix or "")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    skipped(availability(spec_for("ctc"), machine(), Settings()), "downloads are off", "Unset HF_HUB_OFFLINE")
    skipped(availability(spec_for("ctc"), machine(), ONLINE), "HF_HUB_OFFLINE is set", "Unset HF_HUB_OFFLINE")


def test_a_gated_model_needs_somebody_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = replace(spec_for("whisper"), gated=True)
    skipped(availability(spec, machine(), ONLINE), "licence must be accepted", "https://huggingface.co/openai/whisper-small")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert availability(spec, machine(), ONLINE).state == "download"
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "hub-home").mkdir()
    (tmp_path / "hub-home" / "token").write_text("hf_secret")
    found = availability(spec, machine(), ONLINE)
    assert found.state == "download"
    assert "hf_secret" not in repr(found)


def test_a_disk_that_is_too_small_is_told_before_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", ("total", "used", "free"))  # shaped like shutil's
    monkeypatch.setattr("runners.hub.downloadable.shutil.disk_usage", lambda folder: usage(GB, GB - 500_000_000, 500_000_000))
    skipped(availability(spec_for("whisper"), machine(), ONLINE), "takes 972 MB on the disk, 500 MB are free", "HF_HOME")
    assert availability(spec_for("ctc"), machine(), ONLINE).state == "download"


def test_what_an_earlier_attempt_fetched_is_not_counted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(folder: Path) -> None:
        checkpoint(folder, {"model-00001-of-00002.safetensors": b""})
        with (folder / "model-00001-of-00002.safetensors").open("wb") as file:
            file.truncate(900_000_000)

    in_cache(tmp_path / "hub-home", "openai/whisper-small", half)
    usage = namedtuple("usage", ("total", "used", "free"))
    monkeypatch.setattr("runners.hub.downloadable.shutil.disk_usage", lambda folder: usage(GB, GB - 500_000_000, 500_000_000))
    found = availability(spec_for("whisper"), machine(), ONLINE)
    assert found.state == "download"
    assert found.download_bytes == pytest.approx(72_000_000, abs=100)


def test_a_cached_model_is_available_without_the_network(tmp_path: Path) -> None:
    in_cache(tmp_path / "hub-home", "openai/whisper-small", whisper_folder)
    found = availability(spec_for("whisper"), machine(), Settings(downloads=False))
    assert (found.state, found.download_bytes) == ("available", None)


def test_a_revision_has_weights_of_its_own(tmp_path: Path) -> None:
    in_cache(tmp_path / "hub-home", "openai/whisper-small", whisper_folder, revision="v2")
    settings = Settings(downloads=False)
    assert availability(spec_for("whisper:openai/whisper-small@v2"), machine(), settings).ok
    assert availability(spec_for("whisper:openai/whisper-small@" + "c0ffee" * 6 + "0000"), machine(), settings).ok
    assert not availability(spec_for("whisper"), machine(), settings).ok


def test_a_download_that_stopped_halfway_is_not_taken_for_a_model(tmp_path: Path) -> None:
    shard = "model-00001-of-00002.safetensors"
    files = {shard: safetensors(("F32", 4)), "model.safetensors.index.json": index(shard, "model-00002-of-00002.safetensors")}
    snapshot = in_cache(tmp_path / "hub-home", "openai/whisper-small", lambda folder: checkpoint(folder, files))
    (snapshot.parent.parent / "blobs").mkdir()
    (snapshot.parent.parent / "blobs" / "abc.incomplete").write_bytes(b"half")
    assert availability(spec_for("whisper"), machine(), ONLINE).state == "download"
    assert not availability(spec_for("whisper"), machine(), Settings(downloads=False)).ok


@pytest.mark.parametrize("name", ["whisper", "faster-whisper", "ctc"])
def test_a_folder_is_read_before_it_is_loaded(name: str, tmp_path: Path) -> None:
    skipped(availability(spec_for(f"{name}:{tmp_path}/gone"), machine(), ONLINE), "is not there", "whole checkpoint")
    skipped(availability(spec_for(f"{name}:{tmp_path}"), machine(), ONLINE), "holds no config.json", "whole checkpoint")


def test_a_folder_needs_no_network(tmp_path: Path) -> None:
    folder = whisper_folder(tmp_path / "my whisper@home")
    for family in ("whisper", "faster-whisper"):
        assert availability(spec_for(f"{family}:{folder}"), machine(), Settings(downloads=False)).state == "available"


def test_a_folder_of_another_family_is_sent_there(tmp_path: Path) -> None:
    folder = whisper_folder(tmp_path / "w")
    skipped(
        availability(spec_for(f"ctc:{folder}"), machine(), ONLINE), "'whisper', not a model with a CTC", f"whisper:{folder}"
    )
    head = {"model.safetensors": safetensors(("F32", 4))}
    ctc = checkpoint(tmp_path / "c", head, model_type="wav2vec2", architectures=["Wav2Vec2ForCTC"])
    skipped(availability(spec_for(f"whisper:{ctc}"), machine(), ONLINE), "'wav2vec2', not a Whisper", f"ctc:{ctc}")
    base = checkpoint(tmp_path / "b", head, model_type="wav2vec2", architectures=["Wav2Vec2ForPreTraining"])
    skipped(availability(spec_for(f"ctc:{base}"), machine(), ONLINE), "not a model with a CTC head", "another model")
    converted = checkpoint(tmp_path / "f", {"model.bin": bytes(4000)})
    skipped(availability(spec_for(f"whisper:{converted}"), machine(), ONLINE), "ctranslate2", f"faster-whisper:{converted}")
    assert availability(spec_for(f"faster-whisper:{converted}"), machine(), ONLINE).ok


def test_converting_a_folder_needs_packages_of_its_own(packages: Path, tmp_path: Path) -> None:
    shutil.rmtree(packages / "transformers")
    folder = whisper_folder(tmp_path / "w")
    skipped(availability(spec_for(f"faster-whisper:{folder}"), machine(), ONLINE), "to convert", "pip install transformers")


def test_the_need_comes_from_the_files_and_is_held_against_what_is_free(tmp_path: Path) -> None:
    folder = whisper_folder(tmp_path / "big", parameters=2_500_000_000)
    spec = spec_for(f"whisper:{folder}")
    # 1.2 x 2.5 billion x 4 bytes + 0.6 GB
    whole = Settings(dtype="float32", downloads=True)
    skipped(availability(spec, machine(free_gb=7.1), whole), "Needs 12.6 GB, 7.1 GB free.", "EARSHOT_DTYPE=bfloat16")
    assert availability(spec, machine(free_gb=12.7), ONLINE).placement.dtype == "float32"
    assert availability(spec, machine(free_gb=7.1), ONLINE).placement.dtype == "bfloat16"  # rather than not at all
    skipped(availability(spec, machine(free_gb=6.1), ONLINE), "Needs 6.6 GB, 6.1 GB free.", "smaller model")


def test_a_model_that_does_not_fit_is_offered_a_smaller_one() -> None:
    found = availability(spec_for("whisper:openai/whisper-large-v3"), machine(free_gb=3), ONLINE)
    skipped(found, "Needs 4.3 GB, 3.0 GB free", "Whisper tiny")


@pytest.mark.parametrize(
    ("name", "device", "placed"),
    [
        ("whisper", None, ("cpu", "float32")),
        ("whisper", gpu("cuda"), ("cuda", "bfloat16")),
        ("whisper", gpu("cuda", bfloat16=False), ("cuda", "float16")),
        ("whisper", gpu("rocm"), ("rocm", "bfloat16")),
        ("whisper", gpu("mps", bfloat16=False), ("mps", "float16")),
        ("ctc", gpu("xpu"), ("xpu", "bfloat16")),
        ("faster-whisper", None, ("cpu", "int8")),
        ("faster-whisper", gpu("cuda"), ("cuda", "float16")),
        ("faster-whisper", gpu("rocm"), ("cpu", "int8")),
        ("moonshine", gpu("cuda"), ("cpu", "int8")),
        ("pocketsphinx", gpu("cuda"), ("cpu", "float32")),
    ],
)
def test_each_system_goes_where_it_runs_best(name: str, device: Device | None, placed: tuple[str, str]) -> None:
    found = availability(spec_for(name), machine(*[device] if device else []), ONLINE)
    assert (found.placement.device, found.placement.dtype) == placed


def test_without_room_on_the_gpu_the_cpu_takes_it() -> None:
    assert availability(spec_for("whisper"), machine(gpu(free_gb=0.5)), ONLINE).placement.device == "cpu"


def test_without_room_anywhere_the_roomiest_is_told() -> None:
    found = availability(spec_for("whisper:openai/whisper-large-v3"), machine(gpu(free_gb=4), free_gb=2), ONLINE)
    skipped(found, "Needs 4.3 GB, 4.0 GB free on the NVIDIA GPU", "Free some memory")


def test_a_gpu_that_shares_the_main_memory_counts_what_its_driver_offers() -> None:
    spec = spec_for("whisper:openai/whisper-large-v3")
    shared = gpu("rocm", free_gb=90, shared=True)
    assert availability(spec, machine(shared, free_gb=1), ONLINE).placement.device == "rocm"
    small = availability(spec, machine(gpu("rocm", free_gb=1, shared=True), free_gb=1.5), ONLINE)
    skipped(small, "1.5 GB free", "Free some memory")


def test_a_named_device_is_the_only_one_tried() -> None:
    cuda = Settings(device="cuda", downloads=True)
    skipped(availability(spec_for("whisper"), machine(), cuda), "has no NVIDIA GPU (CUDA)", "EARSHOT_DEVICE to auto")
    skipped(availability(spec_for("whisper"), machine(gpu(free_gb=0.5)), cuda), ["0.5 GB", "500 MB"][1], "Free some")
    assert availability(spec_for("whisper"), machine(gpu()), Settings(device="cpu", downloads=True)).placement.device == "cpu"
    rocm = Settings(device="rocm", downloads=True)
    skipped(availability(spec_for("faster-whisper"), machine(gpu("rocm")), rocm), "does not run on the AMD GPU", "auto")
    assert availability(spec_for("moonshine"), machine(gpu("rocm")), rocm).placement.device == "cpu"


def test_a_named_precision_is_used_or_refused_by_name() -> None:
    half = Settings(dtype="float16", downloads=True)
    skipped(availability(spec_for("whisper"), machine(), half), "CPU does not compute in float16", "float32, bfloat16")
    assert availability(spec_for("whisper"), machine(gpu()), half).placement.dtype == "float16"
    brain = Settings(dtype="bfloat16", downloads=True)
    skipped(availability(spec_for("faster-whisper"), machine(gpu()), brain), "does not compute in bfloat16", "float16, float32")
    on_old = brain.model_copy(update={"device": "cuda"})
    skipped(availability(spec_for("whisper"), machine(gpu(bfloat16=False)), on_old), "does not compute in bfloat16", "float16")
    assert availability(spec_for("moonshine"), machine(), brain).placement.dtype == "int8"  # it has no choice


def test_a_model_of_unknown_size_is_tried() -> None:
    found = availability(spec_for("whisper:someone/their-whisper"), machine(free_gb=0.1), ONLINE)
    assert (found.state, found.download_bytes, found.placement.need_bytes) == ("download", None, None)


def test_ctranslate2_needs_room_for_the_file_as_it_is_stored(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, {"model.bin": b"x" * 2_000_000})
    spec = spec_for(f"faster-whisper:{folder}")
    assert needed_bytes(spec, "int8", read_weights(folder)) == 300_000_000 + 2_400_000
    assert needed_bytes(spec, "float32", read_weights(folder)) == 300_000_000 + 4_800_000


@pytest.mark.parametrize(("count", "text"), [(7_100_000_000, "7.1 GB"), (378_000_000, "378 MB"), (0, "0 MB")])
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert gigabytes(count) == text


@pytest.mark.parametrize("row", RUNNERS, ids=lambda row: row.name)
def test_every_skipped_row_has_a_reason_and_a_fix(row: RunnerSpec, packages: Path) -> None:
    shutil.rmtree(packages)
    found = availability(row, machine(free_gb=0.001), Settings(downloads=False))
    if row.family != "scripted":
        assert found.reason
        assert found.fix


def test_looking_at_everything_imports_nothing_heavy_and_asks_nobody(tmp_path: Path) -> None:
    whisper_folder(tmp_path / "w")
    script = f"""
import socket, sys

def refuse(*arguments, **options):
    raise AssertionError("the network was used")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from runners.here.availability import as_plain, availability
from runners.catalogue.names import spec_for
from runners.catalogue.rows import RUNNERS
from runners.here.machine import look
from runners.settings import read_settings

settings = read_settings(downloads=True)
for spec in (*RUNNERS, spec_for("whisper:{tmp_path / "w"}"), spec_for("ctc:someone/else")):
    found = availability(spec, look(), settings)
    assert found.ok or (found.reason and found.fix), found
heavy = "torch transformers librosa ctranslate2 faster_whisper av moonshine_voice pocketsphinx huggingface_hub numba".split()
print([name for name in heavy if name in sys.modules])
"""
    environment = {name: value for name, value in os.environ.items() if name not in {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.stdout == "[]\n"
