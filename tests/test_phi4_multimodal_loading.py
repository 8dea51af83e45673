"""Phi-4-multimodal on a tiny random checkpoint: what is loaded, and what is refused."""

from __future__ import annotations

import importlib.util
import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from runners.base import (
    SAMPLE_RATE,
    Cancelled,
    Clip,
    ModelLoadError,
    Placement,
    Prompt,
    TranscribeOptions,
    Transcript,
)
from runners.catalogue.names import spec_for
from runners.here import weights
from runners.networks import adapters, checkpoint
from runners.phi4_multimodal import PLAIN_PROMPT, SYSTEM, Phi4Multimodal
from tests import tiny_phi4, tiny_wav2vec2
from tests.sounds import babble
from tests.watcher import Watcher

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("peft")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return tiny_phi4.phi4_multimodal(tmp_path_factory.mktemp("phi4") / "tiny")


@pytest.fixture(scope="module")
def runner(folder: Path) -> Phi4Multimodal:
    return loaded(folder)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """The checkpoint, to be damaged."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def loaded(folder: Path, placement: Placement | None = None) -> Phi4Multimodal:
    runner = Phi4Multimodal(spec_for(f"phi4-multimodal:{folder}"))
    runner.load(folder, placement or Placement(), Watcher())
    return runner


def refusal(folder: Path) -> ModelLoadError:
    with pytest.raises(ModelLoadError) as caught:
        loaded(folder)
    assert caught.value.fix
    return caught.value


def heard(runner: Phi4Multimodal, clip: Clip, prompt: Prompt | None = None) -> Transcript:
    return runner.transcribe(clip, TranscribeOptions(prompt=prompt), Watcher())


def with_adapter(folder: Path, placement: Placement) -> tuple[Any, str]:
    model = checkpoint.load_model(
        transformers.AutoModelForCausalLM, folder, Placement(dtype="float32"), attn_implementation="sdpa"
    )
    return model, adapters.attach(model, folder, "speech-lora", placement, Watcher())


def logits(model: Any) -> Any:
    with torch.inference_mode():
        return model(input_ids=torch.arange(20)[None]).logits


# What is loaded


def test_it_says_what_the_network_says_of_the_prompt_in_its_wire_format(folder: Path, runner: Phi4Multimodal) -> None:
    """Built here from its parts, through peft's own classes, without any cache."""
    from peft import PeftModel

    clip = babble(3)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    model = PeftModel.from_pretrained(model, str(folder / "speech-lora")).eval()
    audio = extractor(clip.samples, sampling_rate=SAMPLE_RATE, return_tensors="pt")
    placeholders = "<|audio|>" * int(audio.audio_embed_sizes[0])
    text = f"<|system|>{SYSTEM}<|end|><|user|>{placeholders}{PLAIN_PROMPT}<|end|><|assistant|>"
    ids = tokenizer(text, add_special_tokens=False).input_ids
    silent, ends = tokenizer.convert_tokens_to_ids(["<|audio|>", "<|image|>"]), tokenizer.get_added_vocab().values()
    length = len(ids)
    with torch.inference_mode():
        while len(ids) < length + 124:
            scores = model(input_ids=torch.tensor([ids]), **audio, use_cache=False).logits[0, -1]
            scores[silent] = -torch.inf
            if int(scores.argmax()) in ends:
                break
            ids.append(int(scores.argmax()))
    assert heard(runner, clip).text == tokenizer.decode(ids[length:]).strip() != ""


def test_nothing_of_the_checkpoints_own_code_and_no_torchvision_is_needed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    asked: list[bool | None] = []
    original = transformers.AutoModelForCausalLM.from_pretrained

    def watched(*args: Any, **options: Any) -> Any:
        asked.append(options.get("trust_remote_code"))
        return original(*args, **options)

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", watched)
    monkeypatch.setattr(
        transformers.AutoProcessor, "from_pretrained", lambda *_, **__: pytest.fail("a processor was asked for")
    )
    assert heard(loaded(folder), babble(1)).text
    assert asked == [False]


def test_the_parameters_are_counted_not_typed_in(folder: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    tensors = [each for name, each in model.state_dict().items() if name != "lm_head.weight"]  # which is the embedding
    tensors += _adapter_tensors(folder).values()
    assert weights.read_weights(folder, ("speech-lora",)).parameters == sum(each.numel() for each in tensors)


def test_without_its_adapter_the_network_says_something_else(folder: Path) -> None:
    bare = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    merged, note = with_adapter(folder, Placement())
    unmerged, other_note = with_adapter(folder, Placement(spread=True))
    assert "not merged" not in note
    assert "not merged" in other_note
    assert not adapters.adapted(merged)
    assert len(adapters.adapted(unmerged)) == 8
    assert unmerged.active_adapters() == [adapters.ADAPTER_NAME]
    assert not torch.allclose(logits(bare), logits(merged), atol=0.1)
    torch.testing.assert_close(logits(unmerged), logits(merged), atol=2e-4, rtol=1e-3)


def test_what_became_of_the_adapter_is_said(folder: Path, runner: Phi4Multimodal) -> None:
    assert "speech-lora merged into the weights" in heard(runner, babble(1)).notes


def test_an_adapter_that_memory_has_no_room_to_merge_stays_beside_the_weights(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peft.tuners.lora import Linear

    merges = iter(range(100))
    original = Linear.merge

    def merge(self: Any, **options: Any) -> None:
        if next(merges) >= 3:
            raise torch.OutOfMemoryError("out of memory")
        original(self, **options)

    wanted, _ = with_adapter(folder, Placement())
    monkeypatch.setattr(Linear, "merge", merge)
    model, note = with_adapter(folder, Placement())
    assert "not merged" in note
    assert "memory is short" in note
    torch.testing.assert_close(logits(model), logits(wanted), atol=2e-4, rtol=1e-3)


def test_the_adapters_name_keeps_the_loaders_report_true(folder: Path) -> None:
    """Called "speech", the network's own ``up_proj_for_speech`` is taken for a part of it that the file lacks."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    where = {"subfolder": "speech-lora", "local_files_only": True}
    assert model.load_adapter(str(folder), adapter_name="speech", adapter_kwargs=where).missing_keys
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    assert not model.load_adapter(str(folder), adapter_name=adapters.ADAPTER_NAME, adapter_kwargs=where).missing_keys


def test_an_adapter_that_names_modules_by_their_endings_changes_only_what_it_holds(folder: Path, copy: Path) -> None:
    settings = json.loads((copy / "speech-lora/adapter_config.json").read_text())
    settings["target_modules"] = ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]  # the audio encoder has such names too
    (copy / "speech-lora/adapter_config.json").write_text(json.dumps(settings))
    wanted, _ = with_adapter(folder, Placement())
    model, _ = with_adapter(copy, Placement(spread=True))
    assert all(name.startswith("model.layers.") for name in adapters.adapted(model))
    torch.testing.assert_close(logits(model), logits(wanted), atol=2e-4, rtol=1e-3)


def test_bfloat16_and_a_second_load_work(folder: Path) -> None:
    runner = loaded(folder, Placement(dtype="bfloat16"))
    first = heard(runner, babble(1))
    runner.unload()
    with pytest.raises(ModelLoadError, match="not loaded"):
        heard(runner, babble(1))
    runner.load(folder, Placement(dtype="bfloat16"), Watcher())
    assert heard(runner, babble(1)) == first


def test_a_snapshots_commit_is_shown(folder: Path, tmp_path: Path) -> None:
    commit = "0123456789abcdef" * 2 + "01234567"
    snapshot = Path(shutil.copytree(folder, tmp_path / "models--a--b" / "snapshots" / commit))
    assert "weights of commit 0123456789ab" in heard(loaded(snapshot), babble(1)).notes


@pytest.mark.parametrize("wrapped", ["base_model.model.", ""])
def test_layers_may_lie_elsewhere(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runner: Phi4Multimodal, wrapped: str
) -> None:
    """One layer on disk, as accelerate does it, stands for one in main memory beside a GPU; the adapter follows it there,
    whether its file has peft's names or the network's own."""
    pytest.importorskip("accelerate")
    parts = _adapter_tensors(copy)
    _save_adapter(copy, {wrapped + name.removeprefix("base_model.model."): part for name, part in parts.items()})

    def spread(auto_class: Any, where: Path, placement: Placement, **options: Any) -> Any:
        places = {"model.layers.1": "disk", "model.layers.0": "cpu", "lm_head": "cpu", "model.norm": "cpu"}
        places |= {f"model.{name}": "cpu" for name in ("embed_tokens", "embed_tokens_extend", "rotary_emb", "embed_dropout")}
        return auto_class.from_pretrained(where, device_map=places, offload_folder=tmp_path, **options).eval()

    monkeypatch.setattr(checkpoint, "load_model", spread)
    said = heard(loaded(copy, Placement(spread=True)), babble(2))
    assert said.text == heard(runner, babble(2)).text
    assert any("not merged" in note and "spread" in note for note in said.notes)


@pytest.mark.skipif(not importlib.util.find_spec("bitsandbytes"), reason="bitsandbytes is not installed")
@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_layers_may_be_rounded_to_few_bits(tmp_path: Path, dtype: Any) -> None:
    wide = tiny_phi4.phi4_multimodal(tmp_path / "wide", width=64)
    runner = loaded(wide, Placement(dtype=dtype))
    said = heard(runner, babble(1))
    assert said.text
    assert any("not merged" in note and dtype in note for note in said.notes)


# What is refused


def test_a_folder_of_the_form_with_code_of_its_own_is_named_with_the_fix(copy: Path) -> None:
    settings = json.loads((copy / "config.json").read_text()) | {"model_type": "phi4mm"}
    (copy / "config.json").write_text(json.dumps(settings))
    error = refusal(copy)
    assert "phi4mm" in str(error)
    assert "refs/pr/70" in str(error.fix)


def test_another_familys_folder_is_refused(tmp_path: Path) -> None:
    error = refusal(tiny_wav2vec2.wav2vec2(tmp_path / "other"))
    assert "wav2vec2" in str(error)
    assert "ctc:" in str(error.fix)


@pytest.mark.parametrize("gone", ["speech-lora", "speech-lora/adapter_config.json", "speech-lora/adapter_model.safetensors"])
def test_a_missing_adapter_is_named(copy: Path, gone: str) -> None:
    path = copy / gone
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    assert "speech-lora" in str(refusal(copy))


def _adapter_tensors(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "speech-lora/adapter_model.safetensors")


def _save_adapter(folder: Path, tensors: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    save_file(tensors, folder / "speech-lora/adapter_model.safetensors", metadata={"format": "pt"})


def test_an_untrained_adapter_is_refused(tmp_path: Path) -> None:
    error = refusal(tiny_phi4.phi4_multimodal(tmp_path / "zero", zeroed=True))
    assert "B matrices are zero" in str(error)


def test_a_damaged_adapter_is_refused(copy: Path) -> None:
    path = copy / "speech-lora/adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    assert "adapter_model.safetensors" in str(refusal(copy))


def test_an_adapter_with_a_part_missing_is_refused(copy: Path) -> None:
    tensors = _adapter_tensors(copy)
    del tensors["base_model.model.model.layers.1.mlp.down_proj.lora_B.weight"]
    _save_adapter(copy, tensors)
    error = refusal(copy)
    assert "lacks 1 of its parts, such as model.layers.1.mlp.down_proj" in str(error)


def test_an_adapter_of_other_shapes_is_refused(copy: Path) -> None:
    _save_adapter(
        copy, {name: each[..., :3].contiguous() if "lora_A" in name else each for name, each in _adapter_tensors(copy).items()}
    )
    assert "other shapes" in str(refusal(copy))


def test_another_models_adapter_is_refused(copy: Path) -> None:
    tensors = _adapter_tensors(copy)
    more = {name.replace("layers.1", "layers.7"): each.clone() for name, each in tensors.items() if "layers.1" in name}
    _save_adapter(copy, tensors | more)
    assert "for another model" in str(refusal(copy))


def test_an_adapter_that_fits_nowhere_is_refused(copy: Path) -> None:
    settings = json.loads((copy / "speech-lora/adapter_config.json").read_text()) | {"target_modules": ["to_q", "to_v"]}
    (copy / "speech-lora/adapter_config.json").write_text(json.dumps(settings))
    assert "speech-lora" in str(refusal(copy))


def test_numbers_that_are_none_in_the_adapter_are_refused(copy: Path) -> None:
    tensors = _adapter_tensors(copy)
    next(iter(tensors.values()))[0, 0] = torch.nan
    _save_adapter(copy, tensors)
    assert "damaged" in str(refusal(copy))


def test_a_tokenizer_without_the_wire_formats_tokens_is_refused(copy: Path) -> None:
    path = copy / "tokenizer.json"
    path.write_text(path.read_text().replace("<|assistant|>", "<|helper|>"))
    assert "<|assistant|>" in str(refusal(copy))


def test_a_cancel_while_loading_is_heard(folder: Path) -> None:
    for check in (1, 3, 6):
        with pytest.raises(Cancelled):
            Phi4Multimodal(spec_for(f"phi4-multimodal:{folder}")).load(folder, Placement(), Watcher(cancel_at=check))


def test_nothing_is_logged_as_random(folder: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.WARNING):
        loaded(folder)
    assert "newly initialized" not in caplog.text + "".join(capfd.readouterr())
