"""A family's own ``generate``: the same ids as without being watched, told token by token, and stopped between two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runners.base import Cancelled, Placement
from runners.networks import checkpoint
from runners.networks.own_generate import generated
from runners.networks.tokens import Circles
from tests import tiny_audio_chat
from tests.watcher import Watcher

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

PROMPT = torch.arange(10, 20)[None]


class Counting(Circles):
    """Takes any so many tokens for a circle."""

    def __init__(self, enough: int) -> None:
        super().__init__()
        self.came: list[int] = []
        self._enough = enough

    def add(self, token: int) -> bool:
        self.came.append(token)
        return len(self.came) == self._enough


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    torch.set_num_threads(1)
    folder: Path = tiny_audio_chat.qwen2_audio(tmp_path_factory.mktemp("qwen2"))
    return checkpoint.load_model(transformers.Qwen2AudioForConditionalGeneration, folder, Placement())


def test_watching_changes_nothing_and_tells_the_ids_so_far(model: Any) -> None:
    told: list[list[int]] = []
    inputs = {"input_ids": PROMPT, "attention_mask": torch.ones_like(PROMPT)}
    plain = model.generate(**inputs, max_new_tokens=6, do_sample=False)
    watched = generated(model, inputs, Watcher(), said=lambda ids: told.append(ids()), max_new_tokens=6, do_sample=False)
    assert torch.equal(plain, watched)
    assert [len(ids) for ids in told] == list(range(PROMPT.shape[1] + 1, plain.shape[1] + 1))
    assert told[-1] == plain[0].tolist()


def test_a_cancel_goes_through_before_the_first_token_and_between_two(model: Any) -> None:
    whole = Watcher()
    generated(model, {"input_ids": PROMPT}, whole, max_new_tokens=6)
    for at, tokens in ((1, 0), (2, 0), (whole.checks - 6, 0), (whole.checks - 2, 3), (whole.checks, 5)):
        told: list[object] = []
        with pytest.raises(Cancelled):
            generated(model, {"input_ids": PROMPT}, Watcher(cancel_at=at), said=told.append, max_new_tokens=6)
        assert len(told) == tokens
    assert not any(module._forward_pre_hooks for module in model.modules() if isinstance(module, torch.nn.Conv1d))


def test_an_answer_ends_where_it_goes_in_circles(model: Any) -> None:
    plain = generated(model, {"input_ids": PROMPT}, Watcher(), max_new_tokens=6)
    circles = Counting(enough=3)
    ended = generated(model, {"input_ids": PROMPT}, Watcher(), circles=circles, max_new_tokens=6)
    assert circles.came == plain[0, PROMPT.shape[1] : PROMPT.shape[1] + 3].tolist() == ended[0, PROMPT.shape[1] :].tolist()


def test_numbers_take_the_models_precision(model: Any) -> None:
    from runners.networks.own_generate import _near

    half = model.to(torch.bfloat16)
    assert _near(half, torch.zeros(2)).dtype == torch.bfloat16
    assert _near(half, PROMPT).dtype == torch.int64
    assert _near(half, "auto") == "auto"
    model.to(torch.float32)
