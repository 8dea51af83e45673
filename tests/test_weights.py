"""Folders with weights: whole, damaged and hostile ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.here.weights import ForeignForm, UnreadableWeights, read_safetensors_header, read_weights
from tests.weight_files import checkpoint, index, matrices, safetensors, with_adapter


def test_parameters_are_counted_from_the_heads(tmp_path: Path) -> None:
    raw = safetensors(("F32", 400), ("F16", 200), ("I8", 10), ("F4", 5))
    found = read_weights(checkpoint(tmp_path, {"model.safetensors": raw}, model_type="whisper", architectures=["WhisperX"]))
    assert found.parameters == 100 + 100 + 10 + 10
    assert found.size_bytes == len(raw)
    assert (found.format, found.model_type, found.architectures) == ("safetensors", "whisper", ("WhisperX",))


def test_the_key_value_cache_is_counted_from_the_attention_matrices(tmp_path: Path) -> None:
    apart = {f"model.layers.{layer}.self_attn.{name}_proj.weight": (8, 32) for layer in range(3) for name in "kv"}
    found = read_weights(checkpoint(tmp_path / "apart", {"model.safetensors": matrices(apart)}))
    assert found.cached_numbers == 3 * (8 + 8)
    assert (found.cache_bytes_per_token("bfloat16"), found.cache_bytes_per_token("float32")) == (96, 192)
    assert found.cache_bytes_per_token("int4") == 96  # the cache itself stays in half precision
    fused = {  # 32 queries, 8 keys, 8 values
        "model.layers.0.self_attn.qkv_proj.weight": (48, 64),
        "model.layers.0.self_attn.o_proj.weight": (64, 32),
        "model.layers.0.mlp.down_proj.weight": (10, 10),
        "model.embed_tokens.weight": (5, 5),
    }
    found = read_weights(checkpoint(tmp_path / "fused", {"model.safetensors": matrices(fused)}))
    assert found.cached_numbers == 16
    assert found.layers_parameters == 48 * 64 + 64 * 32 + 100


def test_a_matrix_and_its_partner_may_lie_in_different_files(tmp_path: Path) -> None:
    names = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    files = {
        names[0]: matrices({"language_model.model.layers.7.self_attn.qkv_proj.weight": (48, 64)}),
        names[1]: matrices({"language_model.model.layers.7.self_attn.o_proj.weight": (64, 32)}),
    }
    found = read_weights(checkpoint(tmp_path, files | {"model.safetensors.index.json": index(*names)}))
    assert found.cached_numbers == 16


def test_an_encoder_has_no_cache(tmp_path: Path) -> None:
    shapes = {
        f"{part}.layers.0.self_attn.{name}_proj.weight": (8, 8) for part in ("audio_tower", "model.encoder") for name in "kv"
    }
    found = read_weights(checkpoint(tmp_path, {"model.safetensors": matrices(shapes)}))
    assert (found.cached_numbers, found.layers_parameters, found.cache_bytes_per_token("float16")) == (None, None, None)


@pytest.mark.parametrize("shape", [None, "8", [8], [8, -8], [10**9, 10**9], [8, 8.0], [-8, -1]])
def test_a_shape_that_lies_is_left_out_of_the_cache(tmp_path: Path, shape: object) -> None:
    tensor = {"dtype": "BF16", "shape": shape, "data_offsets": [0, 16]}
    raw = json.dumps({"model.layers.0.self_attn.k_proj.weight": tensor}).encode()
    file = len(raw).to_bytes(8, "little") + raw + bytes(16)
    assert read_weights(checkpoint(tmp_path, {"model.safetensors": file})).cached_numbers is None


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({"max_position_embeddings": 4096}, 4096),
        ({"text_config": {"max_position_embeddings": 8192}, "max_position_embeddings": 1}, 8192),
        ({"text_config": {}}, None),
        ({"text_config": 3, "max_position_embeddings": "many"}, None),
        ({"max_position_embeddings": 10**30}, None),
    ],
)
def test_the_longest_context_is_what_the_configuration_says(tmp_path: Path, config: dict[str, object], tokens: int) -> None:
    assert read_weights(checkpoint(tmp_path, {"model.safetensors": matrices({"a": (2,)})}, **config)).context_tokens == tokens


def test_an_adapter_counts_and_one_that_was_not_asked_for_does_not(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, {"model.safetensors": matrices({"a": (100,)})})
    with_adapter(with_adapter(folder), name="vision-lora")
    plain, whole = read_weights(folder), read_weights(folder, ("speech-lora",))
    assert (plain.parameters, whole.parameters) == (100, 132)
    assert whole.size_bytes == plain.size_bytes + (folder / "speech-lora" / "adapter_model.safetensors").stat().st_size


@pytest.mark.parametrize(
    ("lost", "why"),
    [
        ("speech-lora", "lacks speech-lora/adapter_config.json"),
        ("speech-lora/adapter_config.json", "lacks speech-lora/adapter_config.json"),
        ("speech-lora/adapter_model.safetensors", "lacks speech-lora/adapter_model.safetensors"),
    ],
)
def test_a_missing_adapter_is_named_with_the_fix(tmp_path: Path, lost: str, why: str) -> None:
    folder = with_adapter(checkpoint(tmp_path, {"model.safetensors": matrices({"a": (100,)})}))
    (folder / lost).rename(tmp_path / "elsewhere")
    with pytest.raises(UnreadableWeights, match=why) as caught:
        read_weights(folder, ("speech-lora",))
    assert "speech-lora" in (caught.value.fix or "")


@pytest.mark.parametrize("raw", [b"", matrices({"a": (100,)}, kept_bytes=50), b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_damaged_adapter_is_told(tmp_path: Path, raw: bytes) -> None:
    folder = with_adapter(checkpoint(tmp_path, {"model.safetensors": matrices({"a": (100,)})}), weights=raw)
    with pytest.raises(UnreadableWeights, match=r"adapter_model\.safetensors"):
        read_weights(folder, ("speech-lora",))


def test_a_form_that_runs_code_of_its_own_is_named_before_anything_else(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, {"model.safetensors": matrices({"a": (100,)})}, model_type="phi4mm")
    with pytest.raises(ForeignForm, match="code of its own") as caught:
        read_weights(folder, ("speech-lora",))
    assert "refs/pr/70" in (caught.value.fix or "")


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


def test_what_most_of_it_is_stored_in_is_known(tmp_path: Path) -> None:
    half = {"model.safetensors": safetensors(("BF16", 400), ("F32", 100))}
    assert read_weights(checkpoint(tmp_path / "half", half)).is_bfloat16
    single = {"model.safetensors": safetensors(("BF16", 100), ("F32", 400))}
    assert not read_weights(checkpoint(tmp_path / "single", single)).is_bfloat16
    assert not read_weights(checkpoint(tmp_path / "other", {"model.safetensors": safetensors(("F16", 400))})).is_bfloat16
    told = checkpoint(tmp_path / "told", {"pytorch_model.bin": bytes(4000)}, dtype="bfloat16")
    assert read_weights(told).is_bfloat16


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
