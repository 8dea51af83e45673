"""Loading a checkpoint where its placement says: on several devices that are not here, and in 4 or 8 bits."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runners.base import ModelLoadError, OutOfMemory, Placement, UnsupportedOption
from runners.networks import checkpoint
from tests import tiny_audio_chat, tiny_phi4

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

GB = 1_000_000_000


@pytest.fixture(scope="module")
def phi4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return tiny_phi4.phi4_multimodal(tmp_path_factory.mktemp("phi4"))


@pytest.fixture(scope="module")
def outline() -> Any:
    """Phi-4-multimodal as it is published, 9.49 GB in bfloat16, without its weights."""
    accelerate = pytest.importorskip("accelerate")
    config = transformers.Phi4MultimodalConfig(num_attention_heads=24, tie_word_embeddings=True)
    with accelerate.init_empty_weights():
        model = transformers.Phi4MultimodalForCausalLM._from_config(config, dtype=torch.bfloat16)
    model.tie_weights()
    return model


def machine(monkeypatch: pytest.MonkeyPatch, *free_gb: float, main_gb: float = 0) -> None:
    """Pretend that this machine has GPUs with so much free memory."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free_gb))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (round(free_gb[index] * GB), 80 * GB))
    monkeypatch.setattr(checkpoint, "look", lambda: SimpleNamespace(memory_free_bytes=round(main_gb * GB)))


def held_gb(outline: Any, places: dict[str, Any]) -> dict[Any, float]:
    """What each place holds."""
    held: dict[Any, int] = dict.fromkeys(places.values(), 0)
    seen: set[int] = set()
    for name, place in places.items():
        for each in outline.get_submodule(name).parameters():
            if id(each) not in seen:
                seen.add(id(each))
                held[place] += each.numel() * each.element_size()
    assert sum(held.values()) == sum(each.numel() * each.element_size() for each in outline.parameters())
    return {place: size_bytes / GB for place, size_bytes in held.items()}


SPREAD = Placement("cuda", "bfloat16", need_bytes=12 * GB, spread=True)


@pytest.mark.parametrize("free_gb", [(7.5, 7.5), (7.5, 7.5, 7.5), (23.0, 3.0), (4.5, 7.5, 7.5)])
def test_accelerators_share_a_model_and_keep_room_each(
    free_gb: tuple[float, ...], outline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, *free_gb, main_gb=100)
    held = held_gb(outline, checkpoint._device_map(outline, SPREAD, main_memory=True))
    assert "cpu" not in held
    for place, size_gb in held.items():
        assert size_gb <= free_gb[place] - 1.2


def test_only_layers_wait_in_main_memory(outline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 7.5, main_gb=16)
    places = checkpoint._device_map(outline, SPREAD, main_memory=True)
    assert {name.rpartition(".")[0] for name, place in places.items() if place == "cpu"} == {"model.layers"}
    assert places["model.embed_tokens_extend"] == places["lm_head"] == places["model.layers.0"] == 0
    assert held_gb(outline, places)[0] < 7.5 - 1.2


@pytest.mark.parametrize(("free_gb", "main_gb"), [((7.5,), 2.0), ((2.0,), 100.0), ((4.0, 4.0), 0.0)])
def test_too_little_room_is_told_before_anything_is_read(
    free_gb: tuple[float, ...], main_gb: float, outline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, *free_gb, main_gb=main_gb)
    with pytest.raises(OutOfMemory, match="does not fit") as caught:
        checkpoint._device_map(outline, SPREAD, main_memory=main_gb > 0)
    assert caught.value.fix


def test_a_spread_model_says_the_same(phi4: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parts are all put on the CPU here; what matters is that accelerate takes every name."""
    pytest.importorskip("accelerate")
    machine(monkeypatch, 7.5, main_gb=16)
    places = checkpoint._device_map

    def on_the_cpu(*arguments: Any, **options: Any) -> dict[str, Any]:
        return dict.fromkeys(places(*arguments, **options), "cpu")

    monkeypatch.setattr(checkpoint, "_device_map", on_the_cpu)
    ids = torch.arange(10, 20)[None]
    whole = checkpoint.load_model(transformers.AutoModelForCausalLM, phi4, Placement())
    spread = checkpoint.load_model(transformers.AutoModelForCausalLM, phi4, Placement("cuda", "float32", 1000, spread=True))
    assert not spread.training
    with torch.inference_mode():
        assert torch.equal(whole(ids).logits, spread(ids).logits)


@pytest.mark.parametrize(
    ("placement", "dtype"),
    [
        (Placement(), torch.float32),
        (Placement("cpu", "bfloat16"), torch.bfloat16),
        (Placement("mps", "float16"), torch.float16),
        (Placement("cpu", "int4"), torch.bfloat16),
        (Placement("xpu", "int8"), torch.bfloat16),
    ],
)
def test_what_is_not_in_few_bits_is_in_half_precision(placement: Placement, dtype: Any) -> None:
    assert checkpoint.torch_dtype(placement) == dtype


def test_an_old_gpu_computes_in_the_other_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert checkpoint.torch_dtype(Placement("cuda", "int4")) == torch.float16


def test_a_precision_of_another_library_is_refused(phi4: Path) -> None:
    with pytest.raises(UnsupportedOption, match="int8_float16"):
        checkpoint.load_model(transformers.AutoModelForCausalLM, phi4, Placement("cuda", "int8_float16"))


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
def test_the_layers_alone_are_in_few_bits(phi4: Path) -> None:
    model = checkpoint.load_model(transformers.AutoModelForCausalLM, phi4, Placement("cpu", "int8"))
    whole = checkpoint.load_model(transformers.AutoModelForCausalLM, phi4, Placement("cpu", "bfloat16"))
    stored = {name: each.dtype for name, each in model.named_parameters()}
    assert stored["model.layers.0.mlp.down_proj.weight"] == torch.int8
    assert {dtype for name, dtype in stored.items() if "layers" not in name or "embed_tokens_extend" in name} == {
        torch.bfloat16
    }
    ids = torch.arange(10, 20)[None]
    with torch.inference_mode():
        logits, expected = model(ids).logits.float(), whole(ids).logits.float()
    assert (logits - expected).abs().mean() < 0.1 * expected.abs().mean()


def test_a_folder_without_its_adapter_and_one_that_runs_code_are_told(phi4: Path, tmp_path: Path) -> None:
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).symlink_to(phi4 / name)
    (tmp_path / "config.json").write_text('{"model_type": "phi4_multimodal"}')
    with pytest.raises(ModelLoadError, match="lacks speech-lora/adapter_config") as caught:
        checkpoint.read(tmp_path, "phi4-multimodal", ("speech-lora",))
    assert "speech-lora" in (caught.value.fix or "")
    found = checkpoint.read(tmp_path, "phi4-multimodal")
    assert checkpoint.family_of(found) == "phi4-multimodal"
    assert "phi4-multimodal:" in (checkpoint.foreign(found, "a Whisper checkpoint").fix or "")
    (tmp_path / "config.json").write_text('{"model_type": "phi4mm"}')
    with pytest.raises(ModelLoadError, match="code of its own") as caught:
        checkpoint.read(tmp_path, "phi4-multimodal", ("speech-lora",))
    assert "refs/pr/70" in (caught.value.fix or "")


@pytest.mark.parametrize(
    ("config", "family"),
    [
        ({"model_type": "whisper"}, "whisper"),
        ({"model_type": "qwen2_audio"}, "qwen2-audio"),
        ({"model_type": "granite_speech"}, "granite-speech"),
        ({"model_type": "voxtral_realtime"}, "voxtral-realtime"),
        ({"model_type": "wav2vec2", "architectures": ["Wav2Vec2ForCTC"]}, "ctc"),
        ({"model_type": "bert"}, None),
        ({}, None),
    ],
)
def test_a_folder_is_told_by_what_the_catalogue_knows(config: dict[str, Any], family: str | None, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer.json").write_text("{}")
    found = checkpoint.read(tmp_path, "ctc")
    assert checkpoint.family_of(found) == family
    fix = checkpoint.foreign(found, "a Canary checkpoint").fix or ""
    assert (f"{family}:{tmp_path}" in fix) == (family is not None)
    if config.get("model_type") == "granite_speech":
        assert checkpoint.read_of(tmp_path, "granite-speech") == found
        with pytest.raises(ModelLoadError, match="is a granite_speech checkpoint, not a Qwen3-ASR model") as caught:
            checkpoint.read_of(tmp_path, "qwen3-asr")
        assert caught.value.fix == f"Use granite-speech:{tmp_path}."


def test_the_heads_of_the_files_agree_with_the_network(phi4: Path) -> None:
    """Parameters and the cache's size, against what transformers really allocates."""
    found = checkpoint.read(phi4, "phi4-multimodal", ("speech-lora",))
    model = checkpoint.load_model(transformers.AutoModelForCausalLM, phi4, Placement())
    plain = checkpoint.read(phi4, "phi4-multimodal")
    stored = {each.data_ptr(): each.numel() for each in model.state_dict().values()}  # the head is the embeddings over again
    assert plain.parameters == sum(stored.values())
    assert found.parameters is not None
    assert plain.parameters is not None
    assert found.parameters > plain.parameters
    with torch.inference_mode():
        cache = model(torch.arange(10, 27)[None], use_cache=True).past_key_values
    held_bytes = sum(each.numel() * each.element_size() for layer in cache.layers for each in (layer.keys, layer.values))
    assert found.cache_bytes_per_token("float32") == held_bytes / 17
    assert found.context_tokens == model.config.max_position_embeddings


def test_the_heads_of_another_familys_files_agree_too(tmp_path: Path) -> None:
    found = checkpoint.read(tiny_audio_chat.qwen2_audio(tmp_path), "qwen2-audio")
    model = checkpoint.load_model(transformers.Qwen2AudioForConditionalGeneration, tmp_path, Placement())
    assert checkpoint.family_of(found) == "qwen2-audio"
    assert found.parameters == sum(each.numel() for each in model.parameters())
    with torch.inference_mode():
        cache = model(input_ids=torch.arange(5, 15)[None], use_cache=True).past_key_values
    assert found.cached_numbers == sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers) / 10


def test_every_part_of_every_family_has_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 7.5, 7.5)
    outline = checkpoint._outline(
        transformers.Qwen2AudioForConditionalGeneration, tiny_audio_chat.qwen2_audio(tmp_path), torch.float32
    )
    places = checkpoint._device_map(outline, Placement("cuda", "float32", spread=True), main_memory=False)
    assert places["model.audio_tower"] == places["model.multi_modal_projector"] == places["lm_head"] == 0
    assert all(any(name.startswith(f"{part}.") for part in places) for name, _ in outline.named_parameters())
