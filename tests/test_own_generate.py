"""A family's own ``generate``: the same ids as without being watched, told token by token, and stopped between two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runners.base import Cancelled, Placement
from runners.networks import checkpoint
from runners.networks.own_generate import generated
from tests import tiny_audio_chat
from tests.watcher import Watcher

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

PROMPT = torch.arange(10, 20)[None]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    torch.set_num_threads(1)
    folder: Path = tiny_audio_chat.qwen2_audio(tmp_path_factory.mktemp("qwen2"))
    return checkpoint.load_model(transformers.Qwen2AudioForConditionalGeneration, folder, Placement())


def test_watching_changes_nothing_and_tells_the_ids_so_far(model: Any) -> None:
    told: list[list[int]] = []
    inputs = {"input_ids": PROMPT, "attention_mask": torch.ones_like(PROMPT)}
    plain = model.generate(**inputs, max_new_tokens=6, do_sample=False)
    watched = generated(model, inputs, Watcher(), said=told.append, max_new_tokens=6, do_sample=False)
    assert torch.equal(plain, watched)
    assert [len(ids) for ids in told] == list(range(PROMPT.shape[1] + 1, plain.shape[1] + 1))
    assert told[-1] == plain[0].tolist()


def test_a_cancel_goes_through_before_the_first_token_and_between_two(model: Any) -> None:
    whole = Watcher()
    generated(model, {"input_ids": PROMPT}, whole, max_new_tokens=6)
    for at, tokens in ((1, 0), (2, 0), (whole.checks - 6, 0), (whole.checks - 2, 3), (whole.checks, 5)):
        told: list[list[int]] = []
        with pytest.raises(Cancelled):
            generated(model, {"input_ids": PROMPT}, Watcher(cancel_at=at), said=told.append, max_new_tokens=6)
        assert len(told) == tokens
    assert not any(module._forward_pre_hooks for module in model.modules() if isinstance(module, torch.nn.Conv1d))


def test_criteria_of_the_caller_are_kept(model: Any) -> None:
    def enough(ids: Any, scores: Any, **rest: Any) -> Any:
        return torch.full((len(ids),), ids.shape[1] >= PROMPT.shape[1] + 2)

    assert generated(model, {"input_ids": PROMPT}, Watcher(), stopping_criteria=[enough], max_new_tokens=6).shape[1] == 12


def test_numbers_take_the_models_precision(model: Any) -> None:
    from runners.networks.own_generate import _near

    half = model.to(torch.bfloat16)
    assert _near(half, torch.zeros(2)).dtype == torch.bfloat16
    assert _near(half, PROMPT).dtype == torch.int64
    assert _near(half, "auto") == "auto"
    model.to(torch.float32)
