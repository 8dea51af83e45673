"""Folders with weights: whole, damaged and hostile ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.weights import UnreadableWeights, read_safetensors_header, read_weights


def safetensors(*tensors: tuple[str, int], kept_bytes: int | None = None) -> bytes:
    """A safetensors file of zeros: pairs of type and size in bytes; ``kept_bytes`` cuts what follows the head."""
    head, end = {}, 0
    for number, (dtype, size) in enumerate(tensors):
        head[f"t{number}"] = {"dtype": dtype, "shape": [size], "data_offsets": [end, end + size]}
        end += size
    raw = json.dumps(head | {"__metadata__": {"format": "pt"}}).encode()
    return len(raw).to_bytes(8, "little") + raw + bytes(end if kept_bytes is None else kept_bytes)


def checkpoint(folder: Path, weights: dict[str, bytes], **config: object) -> Path:
    """A folder with a configuration, a tokenizer and the given weight files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    for name, raw in weights.items():
        (folder / name).write_bytes(raw)
    return folder


def index(*names: str) -> bytes:
    return json.dumps({"weight_map": {f"t{number}": name for number, name in enumerate(names)}}).encode()


def test_parameters_are_counted_from_the_heads(tmp_path: Path) -> None:
    raw = safetensors(("F32", 400), ("F16", 200), ("I8", 10), ("F4", 5))
    found = read_weights(checkpoint(tmp_path, {"model.safetensors": raw}, model_type="whisper", architectures=["WhisperX"]))
    assert found.parameters == 100 + 100 + 10 + 10
    assert found.size_bytes == len(raw)
    assert (found.format, found.model_type, found.architectures) == ("safetensors", "whisper", ("WhisperX",))


def test_shards_add_up(tmp_path: Path) -> None:
    names = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    files = {name: safetensors(("F32", 400)) for name in names}
    found = read_weights(checkpoint(tmp_path, files | {"model.safetensors.index.json": index(*names)}))
    assert found.parameters == 200


def test_a_missing_shard_is_named_by_number(tmp_path: Path) -> None:
    names = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    checkpoint(tmp_path, {names[0]: safetensors(("F32", 4)), "model.safetensors.index.json": index(*names)})
    with pytest.raises(UnreadableWeights, match="lacks 1 of the 2"):
        read_weights(tmp_path)


def test_an_index_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(safetensors(("F32", 4)))
    folder = checkpoint(tmp_path / "model", {"model.safetensors.index.json": index("../secret")})
    with pytest.raises(UnreadableWeights, match="lacks 1 of the 1"):
        read_weights(folder)


@pytest.mark.parametrize(("stored", "bits"), [("float16", 16), ("torch.float32", 32), (None, None)])
def test_pytorch_files_have_a_size_and_what_the_configuration_says(tmp_path: Path, stored: str, bits: int | None) -> None:
    found = read_weights(checkpoint(tmp_path, {"pytorch_model.bin": bytes(4000)}, torch_dtype=stored))
    assert (found.format, found.parameters, found.stored_bits, found.size_bytes) == ("pytorch", None, bits, 4000)


def test_a_ctranslate2_folder(tmp_path: Path) -> None:
    checkpoint(tmp_path, {"model.bin": bytes(4000), "vocabulary.json": b"[]"})
    (tmp_path / "tokenizer.json").unlink()
    assert read_weights(tmp_path).format == "ctranslate2"


def test_safetensors_come_before_pickles(tmp_path: Path) -> None:
    checkpoint(tmp_path, {"pytorch_model.bin": bytes(10), "model.safetensors": safetensors(("F32", 4))})
    assert read_weights(tmp_path).format == "safetensors"


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "holds no weights"),
        ({"model.safetensors": b""}, "empty model.safetensors"),
        ({"model.safetensors": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"}, "Git LFS pointer"),
        ({"model.safetensors": safetensors(("F32", 400), kept_bytes=100)}, "only part"),
        ({"model.safetensors": b"\xff" * 8 + b"{}" * 2000}, "damaged or incomplete"),
        ({"model.safetensors": (2**62).to_bytes(8, "little") + bytes(2000)}, "damaged or incomplete"),
        ({"model.safetensors": (4).to_bytes(8, "little") + b"nope" + bytes(2000)}, "damaged"),
        ({"model.safetensors": (2000).to_bytes(8, "little") + b"[" * 2000}, "damaged"),
        ({"model.safetensors": (10).to_bytes(8, "little") + b'{"a": [1]}' + bytes(2000)}, "damaged"),
        ({"model.safetensors.index.json": b"{}"}, "damaged"),
        ({"model.safetensors.index.json": b'{"weight_map": [1]}'}, "damaged"),
    ],
)
def test_what_is_not_whole_says_why(tmp_path: Path, files: dict[str, bytes], why: str) -> None:
    with pytest.raises(UnreadableWeights, match=why):
        read_weights(checkpoint(tmp_path, files))


@pytest.mark.parametrize("offsets", [[0, -4], [8, 4], [0, 1.5], [0, "4"], [True, 4], [0], "04", None, [0, 10**400]])
def test_offsets_that_lie_are_refused(tmp_path: Path, offsets: object) -> None:
    raw = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": offsets}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(64))
    with pytest.raises(UnreadableWeights):
        read_safetensors_header(path)


def test_tensors_that_share_bytes_are_not_counted_twice_over(tmp_path: Path) -> None:
    raw = json.dumps({str(number): {"dtype": "F32", "data_offsets": [0, 64]} for number in range(100)}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(64))
    with pytest.raises(UnreadableWeights):
        read_safetensors_header(path)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "model.safetensors"
    path.write_bytes(raw)
    try:
        header = read_safetensors_header(path)
    except UnreadableWeights:
        return
    assert header.tensor_bytes <= len(raw)


def test_a_folder_that_is_not_there_or_not_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnreadableWeights, match="is not there"):
        read_weights(tmp_path / "nobody")
    with pytest.raises(UnreadableWeights, match="is a file"):
        read_weights(tmp_path / "file")


def test_no_configuration_and_no_tokenizer_are_told(tmp_path: Path) -> None:
    checkpoint(tmp_path, {"model.safetensors": safetensors(("F32", 4))})
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(UnreadableWeights, match="tokenizer"):
        read_weights(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(UnreadableWeights, match=r"config\.json"):
        read_weights(tmp_path)


@pytest.mark.parametrize("raw", [b"nope", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_configuration_is_told(tmp_path: Path, raw: bytes) -> None:
    checkpoint(tmp_path, {"model.safetensors": safetensors(("F32", 4))})
    (tmp_path / "config.json").write_bytes(raw)
    with pytest.raises(UnreadableWeights, match=r"damaged config\.json"):
        read_weights(tmp_path)


def test_a_link_to_nowhere_is_no_file(tmp_path: Path) -> None:
    checkpoint(tmp_path, {})
    (tmp_path / "model.safetensors").symlink_to(tmp_path / "gone")
    with pytest.raises(UnreadableWeights, match="holds no weights"):
        read_weights(tmp_path)


def test_the_heads_agree_with_the_real_library(speech_weights: Path) -> None:
    safe_open = pytest.importorskip("safetensors").safe_open
    for name in ("whisper-digits", "wav2vec2-digits", "moonshine-tiny-en"):
        with safe_open(speech_weights / name / "model.safetensors", "np") as file:
            counted = 0
            for key in file.keys():  # noqa: SIM118  # not a dict
                shape = file.get_slice(key).get_shape()
                size = 1
                for length in shape:
                    size *= length
                counted += size
        assert read_weights(speech_weights / name).parameters == counted
