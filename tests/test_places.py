"""Where a large model goes: devices alone and together, main memory, precisions, and the clip that it is to hear."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from runners.base import RunnerSpec
from runners.catalogue.names import spec_for
from runners.catalogue.rows import CHECKPOINTS, RUNNERS
from runners.here.availability import availability
from runners.here.machine import ZERO_GPU, Device
from runners.here.need import needed_bytes
from runners.here.weights import read_weights
from runners.settings import Settings
from tests.stand_ins import ONLINE, everything_is_installed, gpu, in_cache, machine, skipped
from tests.weight_files import checkpoint, matrices, safetensors, with_adapter

FROM_HUB = [row for row in RUNNERS if row.model is not None and row.parameters is not None and row.size_bytes is not None]


@pytest.fixture(autouse=True)
def packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return everything_is_installed(monkeypatch, tmp_path)


PHI4_SHAPES: dict[str, tuple[int, ...]] = {
    "model.embed_tokens.weight": (200_064, 3072),
    "model.embed_tokens_extend.audio_embed.all": (466_432_256,),
    "model.embed_tokens_extend.image_embed.all": (441_550_016,),
    "model.norm.weight": (3072,),
} | {
    f"model.layers.{layer}.{name}": shape
    for layer in range(32)
    for name, shape in {
        "self_attn.qkv_proj.weight": (5120, 3072),
        "self_attn.o_proj.weight": (3072, 3072),
        "mlp.gate_up_proj.weight": (16_384, 3072),
        "mlp.down_proj.weight": (3072, 8192),
        "input_layernorm.weight": (3072,),
        "post_attention_layernorm.weight": (3072,),
    }.items()
}
"""The whole network's, encoders as one tensor each."""
PHI4_ADAPTER = {"all": (461_373_440,)}
PHI4_CONFIG = {"model_type": "phi4_multimodal", "architectures": ["Phi4MultimodalForCausalLM"]}
CACHED_BYTES = 2 * 32 * 8 * 128 * 2  # keys and values, layers, heads, their width, bytes


def phi4_folder(folder: Path) -> Path:
    """A checkpoint of full size that takes no room on the disk."""
    checkpoint(folder, {}, **PHI4_CONFIG)
    with_adapter(folder, weights=b"")
    for path, shapes in (("model.safetensors", PHI4_SHAPES), ("speech-lora/adapter_model.safetensors", PHI4_ADAPTER)):
        raw = matrices(shapes, kept_bytes=0)
        with (folder / path).open("wb") as file:
            file.write(raw)
            file.truncate(len(raw) + 2 * sum(math.prod(shape) for shape in shapes.values()))
    return folder


SMALL_GPU = gpu(free_gb=7.5)


@pytest.mark.parametrize("here", [True, False], ids=["a folder", "not fetched yet"])
@pytest.mark.parametrize(
    ("accelerators", "free_gb", "placed"),
    [
        ([], 32, ("cpu", "float32", False)),
        ([], 12.5, ("cpu", "bfloat16", False)),  # a laptop with 16 GB, without a GPU
        ([gpu(free_gb=23)], 12, ("cuda", "bfloat16", False)),
        ([gpu(free_gb=14.5, bfloat16=False)], 12, ("cuda", "float16", False)),
        ([gpu("rocm", free_gb=90, shared=True)], 12, ("rocm", "bfloat16", False)),
        ([gpu("mps", free_gb=21, shared=True)], 21, ("mps", "bfloat16", False)),
        ([gpu("mps", free_gb=10.7, shared=True)], 12.5, ("cpu", "bfloat16", False)),
        ([SMALL_GPU, SMALL_GPU], 4, ("cuda", "bfloat16", True)),
        ([gpu(free_gb=11.3)], 30, ("cuda", "bfloat16", True)),  # little of it waits in main memory
        ([SMALL_GPU], 30, ("cpu", "float32", False)),  # too much of it would
        ([SMALL_GPU], 9, ("cuda", "bfloat16", True)),  # but there is no other room
        ([gpu("rocm", free_gb=7.5, shared=True)], 12.5, ("cpu", "bfloat16", False)),  # that memory is the main memory
        ([SMALL_GPU, gpu("xpu", free_gb=7.5)], 12.5, ("cpu", "bfloat16", False)),  # two kinds do not share a model
        ([ZERO_GPU], 30, ("cuda", "bfloat16", False)),
    ],
)
def test_a_large_model_goes_where_there_is_room(
    accelerators: list[Device], free_gb: float, placed: tuple[str, str, bool], here: bool, tmp_path: Path
) -> None:
    name = f"phi4-multimodal:{phi4_folder(tmp_path / 'p')}" if here else "phi4-multimodal"
    found = availability(spec_for(name), machine(*accelerators, free_gb=free_gb), ONLINE)
    assert found.ok, found
    assert (found.placement.device, found.placement.dtype, found.placement.spread) == placed


def test_what_is_fetched_and_what_is_needed_agree_with_the_files(tmp_path: Path) -> None:
    folder = spec_for(f"phi4-multimodal:{phi4_folder(tmp_path / 'p')}")
    weights = read_weights(tmp_path / "p", folder.folders)
    row = spec_for("phi4-multimodal")
    assert row.size_bytes is not None
    assert weights.size_bytes < row.size_bytes < 1.01 * weights.size_bytes
    for dtype in ("float32", "bfloat16", "int8", "int4"):
        before, after = needed_bytes(row, dtype, None, 1524), needed_bytes(folder, dtype, weights, 1524)
        assert before == pytest.approx(after, rel=0.01)


def test_a_laptop_without_room_is_told_what_would_fit(tmp_path: Path) -> None:
    spec = spec_for(f"phi4-multimodal:{phi4_folder(tmp_path / 'p')}")
    found = availability(spec, machine(free_gb=9), ONLINE)
    skipped(found, "Needs 12.0 GB, 9.0 GB free.", "EARSHOT_DTYPE=int4: 7.4 GB, slow on a CPU, after pip install")
    skipped(availability(spec, machine(free_gb=4), ONLINE), "Needs 12.0 GB, 4.0 GB free.", "or choose a smaller model")
    assert "int4" not in (availability(spec, machine(free_gb=4), ONLINE).fix or "")


def test_the_cache_of_the_clip_is_part_of_the_need(tmp_path: Path) -> None:
    spec = spec_for(f"phi4-multimodal:{phi4_folder(tmp_path / 'p')}")

    def need(clip_seconds: float | None, *, chat: bool) -> int:
        placement = availability(spec, machine(gpu()), ONLINE, clip_seconds=clip_seconds, chat=chat).placement
        assert placement.need_bytes is not None
        return placement.need_bytes

    short = need(4, chat=True)
    assert need(1800, chat=True) - short == (22_500 - 50) * CACHED_BYTES
    assert need(7200, chat=True) == need(1800, chat=True)  # asked about in parts
    assert need(4, chat=False) == short
    assert need(1800, chat=False) - short == (500 - 50) * CACHED_BYTES  # transcribed in pieces of 40 s
    assert need(None, chat=True) == need(None, chat=False) == need(40, chat=False)
    tight = machine(free_gb=12.5)
    assert availability(spec, tight, ONLINE, clip_seconds=30, chat=True).ok
    skipped(
        availability(spec, tight, ONLINE, clip_seconds=1800, chat=True), "Needs 14.9 GB, 12.5 GB free", "take a shorter clip"
    )
    assert "shorter" not in (availability(spec, machine(free_gb=9), ONLINE, clip_seconds=1800, chat=True).fix or "")
    assert "shorter" not in (availability(spec, machine(free_gb=9), ONLINE, clip_seconds=4).fix or "")


def test_layers_in_4_or_8_bits_need_their_package(tmp_path: Path, packages: Path) -> None:
    spec = spec_for(f"phi4-multimodal:{phi4_folder(tmp_path / 'p')}")
    small = Settings(dtype="int4", downloads=True)
    found = availability(spec, machine(free_gb=9), small)
    skipped(found, "bitsandbytes is not installed, and needed for int4", 'pip install "bitsandbytes>=')
    (packages / "bitsandbytes").mkdir()
    (packages / "bitsandbytes" / "__init__.py").write_text("")
    found = availability(spec, machine(free_gb=9), small)
    assert (found.placement.device, found.placement.dtype) == ("cpu", "int4")
    # 3.22 billion in 4 bits with their scales, 1.98 billion in 16, the share for work, 1524 tokens, the libraries
    expected = 3.2216e9 * 0.5 * 1.125 + 1.984e9 * 2 + 0.08 * 5.2057e9 * 2 + 1524 * CACHED_BYTES + 0.6e9
    assert found.placement.need_bytes == pytest.approx(expected, rel=0.001)
    assert availability(spec, machine(gpu(free_gb=7.5)), small).placement.device == "cuda"
    eight = Settings(dtype="int8", downloads=True)
    assert availability(spec, machine(gpu(free_gb=9)), eight).placement.dtype == "int8"
    skipped(availability(spec, machine(), eight), "CPU does not compute in int8", "float32, bfloat16")
    assert availability(spec_for("whisper"), machine(), small).placement.dtype == "float32"  # it fits as it is
    assert availability(spec_for("faster-whisper"), machine(), eight).placement.dtype == "int8"  # a precision of its own


def test_layers_in_few_bits_are_never_spread_into_main_memory(packages: Path) -> None:
    (packages / "bitsandbytes").mkdir()
    (packages / "bitsandbytes" / "__init__.py").write_text("")
    eight = Settings(dtype="int8", device="cuda", downloads=True)
    skipped(availability(spec_for("phi4-multimodal"), machine(gpu(free_gb=6), free_gb=30), eight), "Needs", "Free some")
    both = machine(gpu(free_gb=6), gpu(free_gb=6))
    assert availability(spec_for("phi4-multimodal"), both, eight).placement.spread


def test_a_named_gpu_may_be_helped_by_main_memory_and_the_cpu_by_nothing() -> None:
    here = machine(SMALL_GPU, free_gb=30)
    assert availability(spec_for("phi4-multimodal"), here, Settings(device="cuda", downloads=True)).placement.spread
    found = availability(spec_for("phi4-multimodal"), machine(gpu(), free_gb=5), Settings(device="cpu", downloads=True))
    skipped(found, "Needs 12.1 GB, 5.0 GB free.", "Free some memory")


def test_a_large_model_that_cannot_be_spread_is_not() -> None:
    spec = replace(spec_for("phi4-multimodal"), can_be_spread=False)
    skipped(availability(spec, machine(SMALL_GPU, SMALL_GPU, free_gb=4), ONLINE), "7.5 GB free on the NVIDIA GPU", "Free some")


def test_what_a_folder_of_phi4_lacks_is_named(tmp_path: Path) -> None:
    folder = phi4_folder(tmp_path / "p")
    spec = spec_for(f"phi4-multimodal:{folder}")
    shutil.rmtree(folder / "speech-lora")
    skipped(availability(spec, machine(), ONLINE), "lacks speech-lora/", "Put the folder speech-lora")
    (folder / "config.json").write_text('{"model_type": "phi4mm", "auto_map": {}}')
    skipped(availability(spec, machine(), ONLINE), "in the form that runs code of its own", "refs/pr/70")
    (folder / "config.json").write_text('{"model_type": "phi3"}')
    with_adapter(folder)
    skipped(availability(spec, machine(), ONLINE), "'phi3', not a Phi-4-multimodal model", "another model")


def test_phi4_is_found_at_its_pinned_revision_alone(tmp_path: Path) -> None:
    offline = Settings(downloads=False)
    model = "microsoft/Phi-4-multimodal-instruct"
    snapshot = in_cache(tmp_path / "hub-home", model, phi4_folder, revision="refs/pr/70")
    assert availability(spec_for("phi4-multimodal"), machine(), offline).state == "available"
    assert not availability(spec_for(f"phi4-multimodal:{model}@main"), machine(), offline).ok
    (snapshot / "speech-lora" / "adapter_model.safetensors").unlink()
    found = availability(spec_for("phi4-multimodal"), machine(), offline)
    skipped(found, "What is on this machine of its weights lacks speech-lora/adapter_model.safetensors", "downloads on")
    assert availability(spec_for("phi4-multimodal"), machine(), ONLINE).state == "download"


def test_a_cached_main_branch_of_phi4_is_not_fetched_again(tmp_path: Path) -> None:
    model = "microsoft/Phi-4-multimodal-instruct"
    fill = {"model.safetensors": safetensors(("BF16", 4))}
    in_cache(tmp_path / "hub-home", model, lambda folder: checkpoint(folder, fill, model_type="phi4mm"))
    found = availability(spec_for(f"phi4-multimodal:{model}@main"), machine(), ONLINE)
    skipped(found, f"{model}@main holds Phi-4-multimodal in the form that runs code of its own", "Use phi4-multimodal")


def test_an_older_peft_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runners.here.packages.importlib.metadata.version", lambda name: "0.17.0")
    skipped(
        availability(spec_for("phi4-multimodal"), machine(), ONLINE), "peft 0.17.0 is installed", 'pip install "peft>=0.20"'
    )


def test_a_revision_of_the_hub_is_switched_off_by_its_full_name() -> None:
    off = Settings(disabled_runners=("phi4-multimodal:microsoft/Phi-4-multimodal-instruct@refs/pr/70",), downloads=True)
    skipped(availability(spec_for("phi4-multimodal"), machine(), off), "Switched off", "DISABLED_RUNNERS")


@pytest.mark.parametrize(
    ("name", "placed"),
    [
        ("whisper", ("cuda", "bfloat16")),
        ("whisper+float32", ("cuda", "float32")),
        ("whisper+cpu", ("cpu", "float32")),
        ("whisper+bfloat16+cpu", ("cpu", "bfloat16")),
        ("whisper:openai/whisper-tiny+float16", ("cuda", "float16")),
        ("faster-whisper+int8_float16", ("cuda", "int8_float16")),
        ("phi4-multimodal+int4", ("cuda", "int4")),
        ("moonshine+int8", ("cpu", "int8")),
    ],
)
def test_what_a_name_asks_for_is_what_it_gets(name: str, placed: tuple[str, str], packages: Path) -> None:
    (packages / "bitsandbytes").mkdir()
    (packages / "bitsandbytes" / "__init__.py").touch()
    found = availability(spec_for(name), machine(gpu(), free_gb=30), ONLINE)
    assert found.ok, found
    assert (found.placement.device, found.placement.dtype) == placed


@pytest.mark.parametrize(
    ("name", "placed"),
    [
        ("whisper", ("cpu", "float32")),
        ("whisper+bfloat16", ("cpu", "bfloat16")),
        ("whisper+cuda", ("cuda", "float32")),
        ("whisper+cuda+float16", ("cuda", "float16")),
        ("faster-whisper+int8", ("cpu", "int8")),
    ],
)
def test_what_a_name_asks_for_wins_over_the_settings(name: str, placed: tuple[str, str]) -> None:
    settings = Settings(device="cpu", dtype="float32", downloads=True)
    found = availability(spec_for(name), machine(gpu(), free_gb=30), settings)
    assert (found.placement.device, found.placement.dtype) == placed


@pytest.mark.parametrize(
    ("name", "reason", "fix"),
    [
        ("moonshine+float32", "does not compute in float32", "+int8"),
        ("moonshine+cuda", "does not run on the NVIDIA GPU", "without +cuda"),
        ("whisper+int8", "does not compute in int8", "+float32"),
        ("whisper+float16", "The CPU does not compute in float16", "+bfloat16"),
        ("whisper+cuda", "This machine has no NVIDIA GPU", "without +cuda"),
        ("phi4-multimodal+int8", "does not compute in int8", "without a precision"),
        ("phi4-multimodal+float32", "Needs", "+bfloat16 after its name"),
    ],
)
def test_what_a_name_asks_for_in_vain_is_refused_and_not_replaced(name: str, reason: str, fix: str) -> None:
    skipped(availability(spec_for(name), machine(free_gb=16), ONLINE), reason, fix)


@pytest.mark.parametrize(
    ("stored", "computes", "asked", "dtype"),
    [
        ("bfloat16", True, "", "bfloat16"),
        ("bfloat16", False, "", "float32"),  # it would be slow
        ("float32", True, "", "float32"),  # it would lose what the weights hold
        ("bfloat16", True, "+float32", "float32"),
        ("float32", True, "+bfloat16", "bfloat16"),
    ],
)
def test_a_cpu_computes_in_the_half_precision_that_weights_are_stored_in_if_it_can(
    stored: str, computes: bool, asked: str, dtype: str, tmp_path: Path
) -> None:
    weights = safetensors(("BF16" if stored == "bfloat16" else "F32", 1000))
    folder = checkpoint(tmp_path / "w", {"model.safetensors": weights}, model_type="whisper")
    here = machine()
    cpu = replace(here.devices[-1], has_bfloat16=computes)
    found = availability(spec_for(f"whisper:{folder}{asked}"), replace(here, devices=(cpu,)), ONLINE)
    assert found.placement.dtype == dtype


def stored(row: RunnerSpec) -> tuple[int, int]:
    """How many of what is fetched of a row are in its stored precision, and how many in float32 beside it."""
    assert row.parameters is not None
    assert row.size_bytes is not None
    if row.stored_dtype == "float32":
        return 0, min(row.parameters, row.size_bytes // 4)
    fetched = min(row.parameters, row.size_bytes // 2)  # parts that a row counts may not be fetched
    precise = (row.size_bytes - 2 * fetched) // 2
    return fetched - precise, precise


def fetched_folder(row: RunnerSpec, folder: Path) -> Path:
    """What a download of the row leaves here, as far as heads and sizes tell; it takes no room on the disk."""
    heard = CHECKPOINTS[row.family]
    kind = heard.model_types[0] if heard.model_types else "wav2vec2"
    checkpoint(folder, {}, model_type=kind, architectures=[f"Tiny{heard.architecture_ending or ''}"])
    for name in row.folders:
        with_adapter(folder, name=name)
    if "ctranslate2" in heard.formats:
        with (folder / "model.bin").open("wb") as file:
            file.truncate(row.size_bytes)
        return folder
    half, precise = stored(row)
    cached = min(heard.cached_numbers or 0, half)
    head: dict[str, dict[str, object]] = {}
    end = 0
    name_in_head = {"bfloat16": "BF16", "float16": "F16"}.get(row.stored_dtype or "", "F32")
    for name, dtype, count, width in (
        ("model.layers.0.self_attn.k_proj.weight", name_in_head, cached, 2),
        ("model.rest", name_in_head, half - cached, 2),
        ("model.precise", "F32", precise, 4),
    ):
        if count:
            head[name] = {"dtype": dtype, "shape": [count, 1], "data_offsets": [end, end + width * count]}
            end += width * count
    raw = json.dumps(head).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        file.truncate(8 + len(raw) + end)
    return folder


@pytest.mark.parametrize("row", FROM_HUB, ids=lambda row: row.name)
def test_a_rows_stored_precision_fits_what_is_fetched(row: RunnerSpec) -> None:
    half, precise = stored(row)
    assert row.stored_dtype in ("float32", "bfloat16", "float16")
    if row.stored_dtype == "float32":
        assert row.parameters is not None
        assert 0.97 < (row.size_bytes or 0) / (4 * row.parameters) < 1.15  # more is fetched than weights, such as adapters
    else:
        assert 0 <= precise < half / 4


@pytest.mark.parametrize("computes", [True, False], ids=["bfloat16", "no bfloat16"])
@pytest.mark.parametrize("row", FROM_HUB, ids=lambda row: row.name)
def test_a_row_goes_and_needs_before_its_download_what_it_does_after(
    row: RunnerSpec, computes: bool, tmp_path: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (packages / "soxr").mkdir()
    (packages / "soxr" / "__init__.py").touch()
    monkeypatch.setattr("runners.hub.downloadable.disk_free_bytes", lambda folder: None)
    monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
    here = machine(free_gb=300)
    here = replace(here, devices=(replace(here.devices[-1], has_bfloat16=computes),))
    before = availability(row, here, ONLINE)
    assert before.state == "download"
    in_cache(
        tmp_path / "hub-home", row.model or "", lambda folder: fetched_folder(row, folder), revision=row.revision or "main"
    )
    after = availability(row, here, ONLINE)
    assert after.state == "available"
    assert (before.placement.device, before.placement.dtype) == (after.placement.device, after.placement.dtype)
    assert before.placement.need_bytes == pytest.approx(after.placement.need_bytes, rel=0.01)
    if "int8" not in row.dtypes or "torch" in row.requires:
        assert before.placement.dtype == ("bfloat16" if computes and row.stored_dtype == "bfloat16" else "float32")


def test_phi4_takes_half_as_much_where_a_cpu_computes_in_the_precision_of_its_weights() -> None:
    here = machine(free_gb=40)
    able = replace(here, devices=(replace(here.devices[-1], has_bfloat16=True),))
    found = availability(spec_for("phi4-multimodal"), able, ONLINE)
    assert found.placement.dtype == "bfloat16"
    assert found.placement.need_bytes == pytest.approx(12e9, rel=0.03)  # as the README says
