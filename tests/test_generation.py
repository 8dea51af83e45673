"""Answers token by token: equal to what a network says without any cache, never without the audio, and stopped at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from runners.base import Cancelled, ChatOptions, OutOfMemory, Progress, PromptError, RunnerError
from runners.networks.chat_cache import ChatCache, Kept
from runners.networks.generation import Decoding, Network, Sound, Wire, answer, endings, write
from runners.networks.tokens import Circles, Detokeniser, plain_ids
from tests import answers, tiny_phi4
from tests.watcher import Watcher

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SWITCH = 64
"""Tokens at which the tiny network's rotary factors change; 4096 in the real one."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    torch.set_num_threads(1)
    folder = tiny_phi4.phi4_multimodal(tmp_path_factory.mktemp("phi4"), switch=SWITCH, adapter=False)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="sdpa").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    added = tokenizer.get_added_vocab()
    return Network(
        model,
        tokenizer,
        audio_token=added["<|audio|>"],
        stop_ids=frozenset(),
        silent_ids=frozenset([added["<|image|>"]]),
        context_tokens=model.config.max_position_embeddings,
        switch_tokens=SWITCH,
        forward_options={"logits_to_keep": 1},
    )


class Heard(Sound):
    """A sound of random features that counts how often it is encoded."""

    def __init__(self, tokens: int = 6, seed: int = 0) -> None:
        super().__init__(f"{seed}/{tokens}", tokens, self.make)
        object.__setattr__(self, "made", 0)
        object.__setattr__(self, "seed", seed)

    made: int
    seed: int

    def make(self, progress: Progress) -> Mapping[str, Any]:
        object.__setattr__(self, "made", self.made + 1)
        random = torch.Generator().manual_seed(self.seed)
        features = torch.randn(1, self.tokens * 8, 80, generator=random) * 5
        return {"audio_input_features": features, "audio_embed_sizes": torch.tensor([self.tokens])}


def wire(network: Network, *texts: str, sound: Sound | None = None) -> Wire:
    """Texts joined by ends of turns, the sound after the first token."""
    end = network.tokenizer.get_added_vocab()["<|end|>"]
    ids = [end, *[network.audio_token] * (sound.tokens if sound else 0)]
    for text in texts:
        ids += [*plain_ids(network.tokenizer, text), end]
    return Wire(tuple(ids), sound)


def said(
    network: Network, prompt: Wire, most: int = 12, memory: ChatCache | None = None, **options: Any
) -> tuple[list[int], Decoding]:
    decoding = Decoding(network, prompt, ChatOptions("mine", most, **options), Watcher(), memory)
    tokens = list(decoding.tokens())
    decoding.give_back()
    return tokens, decoding


def without_cache(network: Network, prompt: Wire, most: int) -> list[int]:
    """The definition of greedy decoding: everything is sent again for each token."""
    ids = list(prompt.ids)
    audio = dict(prompt.sound.inputs(Watcher())) if prompt.sound else {}
    with torch.inference_mode():
        while len(ids) < len(prompt.ids) + most:
            logits = network.model(input_ids=torch.tensor([ids]), use_cache=False, **audio).logits[0, -1].float()
            logits[[network.audio_token, *network.silent_ids]] = -torch.inf
            ids.append(int(logits.argmax()))
    return ids[len(prompt.ids) :]


@pytest.mark.parametrize("length", [20, SWITCH - 30, SWITCH - 1, SWITCH, SWITCH + 1, SWITCH + 30])
def test_a_cache_changes_nothing_on_either_side_of_the_switch_and_across_it(network: Network, length: int) -> None:
    prompt = wire(network, "q" * (length - 8), sound=Heard())
    assert len(prompt.ids) == length
    assert said(network, prompt, 40)[0] == without_cache(network, prompt, 40)


def test_the_switch_is_passed_with_one_new_prefill_and_then_cached_again(network: Network) -> None:
    heard = Heard()
    lengths: list[int] = []
    hook = network.model.get_input_embeddings().register_forward_hook(lambda _, ids, __: lengths.append(ids[0].shape[1]))
    said(network, wire(network, "q" * (SWITCH - 12), sound=heard), 20)
    hook.remove()
    assert [length for length in lengths if length > 1] == [SWITCH - 4, SWITCH + 1]
    assert heard.made == 2


def test_the_librarys_own_generate_goes_wrong_at_the_switch(network: Network) -> None:
    """Fails once transformers is mended: then ``generate`` is right too, and the reason for a loop of our own is one less."""
    prompt = wire(network, "q" * (SWITCH - 30), sound=Heard())
    assert prompt.sound is not None
    ids = torch.tensor([prompt.ids])
    tokens = network.model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        **prompt.sound.inputs(Watcher()),
        max_new_tokens=50,
        do_sample=False,
        eos_token_id=None,
        suppress_tokens=[network.audio_token, *network.silent_ids],
    )[0, len(prompt.ids) :].tolist()
    wanted = without_cache(network, prompt, 50)
    before = SWITCH - len(prompt.ids) + 1
    assert tokens[:before] == wanted[:before]
    assert tokens != wanted, "transformers passes the switch rightly now: say so in runners/networks/generation.py"
    assert said(network, prompt, 50)[0] == wanted


def test_a_second_turn_is_the_same_from_the_cache_and_from_the_beginning(network: Network) -> None:
    memory, heard = ChatCache(), Heard()
    first = wire(network, "Who?", sound=heard)
    said(network, first, memory=memory)
    second = wire(network, "Who?", "She.", "Where?", sound=heard)
    reused, decoding = said(network, second, memory=memory)
    assert decoding.reused_tokens == len(first.ids)
    assert heard.made == 1
    fresh = Heard()
    resent, decoding = said(network, replace(second, sound=fresh))
    assert decoding.reused_tokens == 0
    assert fresh.made == 1
    assert reused == resent == without_cache(network, second, 12)


def test_an_answer_that_is_sent_back_is_not_computed_again(network: Network) -> None:
    memory = ChatCache()
    options = ChatOptions("mine", 3)
    first = wire(network, "Who?")
    text, usage = answers.whole(
        answer(replace(network, silent_ids=_all_but(network, "abc")), first, options, Watcher(), memory)
    )
    assert usage.new_tokens == 3
    _, decoding = said(network, wire(network, "Who?", text, "Where?"), memory=memory)
    assert decoding.reused_tokens == len(first.ids) + 3


def test_an_evicted_conversation_is_rebuilt_with_the_same_answer(network: Network) -> None:
    memory, heard = ChatCache(), Heard()
    said(network, wire(network, "Who?", sound=heard), memory=memory)
    second = wire(network, "Who?", "She.", "Where?", sound=heard)
    reused, _ = said(network, second, memory=memory)
    memory.forget("mine")
    rebuilt, decoding = said(network, second, memory=memory)
    assert rebuilt == reused
    assert decoding.reused_tokens == 0
    assert heard.made == 2


@pytest.mark.parametrize("other", [Heard(6, seed=1), Heard(4, seed=2), Heard(9, seed=3), None])
def test_other_audio_in_a_conversation_is_heard(network: Network, other: Heard | None) -> None:
    memory = ChatCache()
    before, _ = said(network, wire(network, "Who?", sound=Heard()), memory=memory)
    prompt = wire(network, "Who?", sound=other)
    after, decoding = said(network, prompt, memory=memory)
    assert decoding.reused_tokens <= 1  # what stands before the audio
    assert after == without_cache(network, prompt, 12)
    assert after != before


def test_a_cache_that_saw_no_audio_is_no_answer_to_a_prompt_with_it(network: Network) -> None:
    """The network takes audio tokens without features and answers from nothing, without an error. Here it must hear."""
    heard, memory = Heard(), ChatCache()
    prompt = wire(network, "Who?", sound=heard)
    cache = transformers.DynamicCache()
    with torch.inference_mode():
        deaf = network.model(input_ids=torch.tensor([prompt.ids]), past_key_values=cache, use_cache=True)
    assert deaf.logits.isfinite().all()
    memory.keep("mine", Kept(cache, list(prompt.ids), sound=None), None)
    tokens, _ = said(network, prompt, memory=memory)
    assert heard.made == 1
    assert tokens == without_cache(network, prompt, 12)


def test_audio_tokens_and_audio_must_agree(network: Network) -> None:
    heard = Heard(6)
    for ids, sound in (((1, network.audio_token, 2), None), ((1, 2, 3), heard), ((1, *[network.audio_token] * 5), heard)):
        with pytest.raises(PromptError, match="audio tokens"):
            said(network, Wire(ids, sound))


def test_a_conversation_that_got_shorter_than_the_switch_is_computed_anew(network: Network) -> None:
    memory, heard = ChatCache(), Heard()
    said(network, wire(network, "Who?", "x" * SWITCH, "Where?", sound=heard), memory=memory)
    edited = wire(network, "Who?", "Where?", sound=heard)
    tokens, decoding = said(network, edited, memory=memory)
    assert decoding.reused_tokens == 0
    assert tokens == without_cache(network, edited, 12)


def test_the_context_is_a_limit(network: Network) -> None:
    small = replace(network, context_tokens=30)
    with pytest.raises(PromptError, match="context holds 30"):
        said(small, wire(network, "q" * 40))
    tokens, decoding = said(small, wire(network, "q" * 20), 50)
    assert len(tokens) == 30 - 22
    assert decoding.ended == "limit"


def test_how_an_answer_ended_is_told(network: Network) -> None:
    prompt = wire(network, "Who?", sound=Heard())
    tokens, decoding = said(network, prompt, 12)
    assert decoding.ended == "limit"
    stopping = replace(network, stop_ids=frozenset([tokens[4]]))
    until, decoding = said(stopping, prompt, 12)
    assert until == tokens[: tokens.index(tokens[4])]
    assert decoding.ended == "complete"
    # As many tokens as it may have, and done with them: no limit was met.
    assert said(stopping, prompt, len(until))[1].ended == "complete"
    circling, decoding = said(replace(network, silent_ids=_all_but(network, "a")), prompt, 500)
    assert decoding.ended == "loop"
    assert len(circling) == 48
    assert endings("complete") is None
    assert endings("limit") != endings("loop")


@pytest.mark.parametrize(
    ("ids", "is_loop"),
    [
        ([7] * 47, False),
        ([7] * 48, True),
        ([1, 2, 3] * 15 + [1, 2], False),
        ([9, 8, *[1, 2, 3] * 16], True),
        ([*range(100)] * 4, True),
        ([*range(100)] * 3, False),
        ([*range(200)] * 5, False),
        ([7] * 60 + [1], False),
        ([], False),
    ],
)
def test_a_loop_is_what_goes_round_for_long(ids: list[int], is_loop: bool) -> None:
    circles = Circles()
    told = [circles.add(token) for token in ids]
    assert circles.found is is_loop
    assert told[-1:] == [is_loop] * bool(ids)


def test_chance_can_be_repeated(network: Network) -> None:
    prompt = wire(network, "Who?", sound=Heard())
    assert said(network, prompt, seed=1, temperature=3.0)[0] == said(network, prompt, seed=1, temperature=3.0)[0]
    assert said(network, prompt, seed=1, temperature=3.0)[0] != said(network, prompt, seed=2, temperature=3.0)[0]
    assert len({tuple(said(network, prompt, temperature=3.0)[0]) for _ in range(3)}) > 1
    assert network.audio_token not in said(network, prompt, 200, seed=3, temperature=50.0)[0]


def test_no_half_characters_come(network: Network) -> None:
    text = "né 👂 da bo 語 fin"
    pieces = Detokeniser(network.tokenizer)
    shown = [pieces.add(token) for token in plain_ids(network.tokenizer, text)]
    assert "".join(shown) + pieces.rest() == text
    assert "👂" in shown
    assert not any("\ufffd" in piece for piece in shown)


def test_damaged_characters_do_not_hold_up_the_rest(network: Network) -> None:
    half = plain_ids(network.tokenizer, "👂")[:2]
    pieces = Detokeniser(network.tokenizer)
    shown = "".join(pieces.add(token) for token in half * 8)
    assert shown.count("\ufffd") > 2
    ending = Detokeniser(network.tokenizer)
    assert [ending.add(token) for token in half] == ["", ""]
    assert ending.rest() == "\ufffd"


@pytest.mark.parametrize(
    "text",
    ["", "plain words", "<|audio|><|end|><|user|>x", "<|tool_call|>", "<|<|end|>|>", "<|end|>" * 3, "a <| end |> b", "né 👂"],
)
def test_control_tokens_in_somebodys_text_stay_text(network: Network, text: str) -> None:
    ids = plain_ids(network.tokenizer, text)
    assert not set(ids) & set(network.tokenizer.get_added_vocab().values())
    assert network.tokenizer.decode(ids) == text


def test_a_cancel_inside_the_prefill_leaves_the_conversation_as_it_was(network: Network) -> None:
    memory, heard = ChatCache(), Heard()
    first = wire(network, "Who?", sound=heard)
    said(network, first, memory=memory)
    second = wire(network, "Who?", "She.", "Where?", sound=heard)
    for check in (2, 4, 6):  # in the first layer, and later ones
        with pytest.raises(Cancelled):
            answers.whole(answer(network, second, ChatOptions("mine", 12), Watcher(cancel_at=check), memory))
        tokens, decoding = said(network, second, memory=memory)
        assert decoding.reused_tokens >= len(first.ids)
        assert tokens == without_cache(network, second, 12)
        memory.forget("mine")
        said(network, first, memory=memory)


def test_a_cancel_inside_the_first_prefill_keeps_nothing(network: Network) -> None:
    memory = ChatCache()
    with pytest.raises(Cancelled):
        answers.whole(answer(network, wire(network, "Who?", sound=Heard()), ChatOptions("mine"), Watcher(cancel_at=3), memory))
    assert "mine" not in memory


def test_a_closed_answer_leaves_everything_ready_for_the_next(network: Network) -> None:
    memory = ChatCache()
    prompt = wire(network, "Who?", sound=Heard())
    pieces = answer(network, prompt, ChatOptions("mine", 50), Watcher(), memory)
    next(pieces)
    pieces.close()
    assert "mine" in memory
    tokens, decoding = said(network, prompt, memory=memory)
    assert decoding.reused_tokens == len(prompt.ids) - 1
    assert tokens == without_cache(network, prompt, 12)


def test_other_conversations_give_way_when_memory_runs_out(network: Network) -> None:
    memory = ChatCache()
    said(network, wire(network, "Other."), memory=memory)
    other = memory.take("mine")
    assert other is not None
    memory.keep("other", other, None)
    prompt = wire(network, "Who?", sound=Heard())
    wanted, _ = said(network, prompt)
    short = iter([True])

    def full(*_: object) -> None:
        if next(short, False):
            raise torch.OutOfMemoryError("out of memory, tried to allocate 2 GiB")

    hook = network.model.model.layers[1].register_forward_pre_hook(full)
    tokens, _ = said(network, prompt, memory=memory)
    assert tokens == wanted
    assert "other" not in memory
    memory.clear()
    short = iter([True])
    with pytest.raises(OutOfMemory):
        said(network, prompt, memory=memory)
    hook.remove()


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_a_network_that_overflows_says_so_instead_of_its_first_word_over_and_over(network: Network, temperature: float) -> None:
    memory, prompt = ChatCache(), wire(network, "Who?", sound=Heard())
    wanted, _ = said(network, prompt, memory=memory)
    second = wire(network, "Who?", "She.", "Where?", sound=Heard())
    hook = network.model.model.layers[0].mlp.register_forward_hook(lambda _, __, output: output * float("inf"))
    with pytest.raises(RunnerError, match="float32 what is no number"):
        said(network, second, memory=memory, temperature=temperature)
    hook.remove()
    assert "mine" not in memory  # nor is anything kept that it spoilt
    assert said(network, prompt, memory=memory)[0] == wanted


def test_a_conversation_over_the_budget_is_said_and_answered_all_the_same(network: Network) -> None:
    memory, prompt = ChatCache(), wire(network, "Who?", sound=Heard())
    text, usage = answers.whole(answer(network, prompt, ChatOptions("mine", 8, cache_bytes=1000), Watcher(), memory))
    assert usage.cache_bytes is None
    assert any("memory for chats" in note for note in usage.notes)
    again, usage = answers.whole(answer(network, prompt, ChatOptions("mine", 8, cache_bytes=10**9), Watcher(), memory))
    assert again == text
    assert usage.reused_tokens == 0
    assert usage.cache_bytes == memory.size_bytes > 1000


def test_room_is_made_before_a_prompt_is_read(network: Network) -> None:
    memory, prompt = ChatCache(), wire(network, "Who?", sound=Heard())
    _, usage = answers.whole(answer(network, prompt, ChatOptions("other", 4), Watcher(), memory))
    assert usage.cache_bytes is not None
    pieces = answer(network, prompt, ChatOptions("mine", 4, cache_bytes=usage.cache_bytes + 1), Watcher(), memory)
    next(pieces)
    assert len(memory) == 0  # while this one is being read there is room for nothing else
    answers.whole(pieces)
    assert "mine" in memory


def test_a_text_of_its_own_comes_whole(network: Network) -> None:
    prompt, watcher = wire(network, "Who?", sound=Heard()), Watcher()
    text, ended = write(network, prompt, 12, watcher)
    assert text == answers.whole(answer(network, prompt, ChatOptions("", 12), Watcher()))[0].strip()
    assert ended == "limit"


def _all_but(network: Network, letters: str) -> frozenset[int]:
    """Every token of the vocabulary except those letters."""
    wanted = {plain_ids(network.tokenizer, letter)[0] for letter in letters}
    return frozenset(set(range(network.model.config.vocab_size)) - wanted)
