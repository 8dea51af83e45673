"""What conversations keep: how much, which goes first, and how it is cut back."""

from __future__ import annotations

import pytest

from runners.networks.chat_cache import ChatCache, Kept, common_length

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def kept(tokens: int, layers: int = 2) -> Kept:
    """Two heads of four float32 numbers: 64 bytes a token and layer, keys and values together."""
    cache = transformers.DynamicCache()
    for layer in range(layers):
        numbers = torch.arange(tokens * 8, dtype=torch.float32).reshape(1, 2, tokens, 4)
        cache.update(numbers, -numbers, layer)
    return Kept(cache, list(range(tokens)))


def test_a_conversation_gets_back_what_it_kept() -> None:
    memory, mine = ChatCache(), kept(5)
    assert memory.keep("mine", mine, None) == 5 * 2 * 64
    assert memory.take("yours") is None
    assert memory.take("mine") is mine
    assert memory.take("mine") is None
    assert memory.size_bytes == 0


def test_the_least_recently_used_goes_first() -> None:
    memory, budget = ChatCache(), 3 * 5 * 128
    for name in ("a", "b", "c"):
        memory.keep(name, kept(5), budget)
    used = memory.take("a")
    assert used is not None
    memory.keep("a", used, budget)
    memory.keep("d", kept(5), budget)
    assert [name for name in "abcd" if name in memory] == ["a", "c", "d"]
    assert memory.size_bytes <= budget


def test_what_is_larger_than_the_budget_is_not_kept() -> None:
    memory = ChatCache()
    memory.keep("small", kept(1), 1000)
    assert memory.keep("large", kept(50), 1000) is None
    assert "large" not in memory


def test_room_is_made_before_it_is_needed() -> None:
    memory = ChatCache()
    memory.keep("a", kept(5), None)
    memory.keep("b", kept(5), None)
    memory.make_room(5 * 128, 10 * 128)
    assert "a" not in memory
    assert "b" in memory
    memory.make_room(1_000_000, 10 * 128)
    assert len(memory) == 0


def test_conversations_are_forgotten_one_by_one_or_all_together() -> None:
    memory = ChatCache()
    for name in ("a", "b", "c"):
        memory.keep(name, kept(2), None)
    memory.forget("b")
    memory.forget("never heard of")
    assert [name for name in "abc" if name in memory] == ["a", "c"]
    memory.clear()
    assert memory.size_bytes == 0


def test_a_cache_is_cut_to_a_length_in_every_layer() -> None:
    mine = kept(6)
    mine.cache.update(torch.ones(1, 2, 3, 4), torch.ones(1, 2, 3, 4), 0)  # a forward that was stopped after the first layer
    mine.cut(4)
    assert mine.ids == [0, 1, 2, 3]
    assert [layer.get_seq_length() for layer in mine.cache.layers] == [4, 4]
    assert mine.size_bytes == 4 * 128
    assert torch.equal(mine.cache.layers[1].keys, kept(6).cache.layers[1].keys[..., :4, :])


def test_nothing_that_was_cut_off_stays_in_memory_where_all_was() -> None:
    mine = kept(6)
    mine.cut(0)
    assert sum(part.untyped_storage().nbytes() for layer in mine.cache.layers for part in (layer.keys, layer.values)) == 0


@pytest.mark.parametrize(
    ("first", "second", "length"), [([], [], 0), ([1], [], 0), ([1, 2], [1, 2, 3], 2), ([1, 2, 4], [1, 2, 3], 2), ([5], [6], 0)]
)
def test_the_beginning_that_two_sequences_share(first: list[int], second: list[int], length: int) -> None:
    assert common_length(first, second) == length
