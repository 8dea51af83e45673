"""Answers, token by token: one sequence, greedy or sampled, over a plain ``forward`` of a transformers network that hears.

Not transformers' ``generate``, for three reasons: an answer has to be a generator that can be stopped between two tokens
and inside a long prefill; what one turn computed has to be there for the next; and ``generate`` of Phi-4-multimodal goes
wrong where the rotary factors switch (``Network.switch_tokens``), because it drops the cache and sends one token alone.

No answer can come about without its audio: whatever is forwarded, each audio token in it comes with its features, or
nothing is forwarded at all. A network that gets audio tokens without features would answer from nothing, without an error.
"""

from __future__ import annotations

import gc
import math
import unicodedata
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from runners.base import ChatOptions, Ended, OutOfMemory, Progress, PromptError, RunnerError, Usage
from runners.decode import clock
from runners.networks import checkpoint
from runners.networks.chat_cache import ChatCache, Kept, common_length
from runners.networks.pace import Pace
from runners.networks.tokens import Circles, Detokeniser

LIKELIEST = 50
"""A sampled token is one of so many: the long tail of a vocabulary has no say. Transformers' own default for ``top_k``."""


@dataclass(frozen=True)
class Sound:
    """Audio of a prompt. It is encoded only where no cache has it."""

    digest: str
    """Names the samples: equal for equal audio."""
    tokens: int
    """Audio tokens that stand for it in the prompt."""
    inputs: Callable[[Progress], Mapping[str, Any]]
    """Makes the arguments of ``forward`` that carry its features, on whatever device."""


@dataclass(frozen=True)
class Wire:
    """A prompt in the model's own wire format."""

    ids: tuple[int, ...]
    """Everything before the answer: audio tokens, earlier turns, the question."""
    sound: Sound | None = None


@dataclass(frozen=True)
class Network:
    """A causal network that hears, with what has to be known to run it token by token."""

    model: Any
    """Its ``forward`` takes ``input_ids``, ``past_key_values``, ``use_cache`` and what ``Sound.inputs`` makes."""
    tokenizer: Any
    audio_token: int
    """Id of the token that stands for a piece of audio."""
    stop_ids: frozenset[int]
    """Tokens that end an answer."""
    silent_ids: frozenset[int] = frozenset()
    """Tokens that may never be answered besides ``audio_token``, such as other placeholders."""
    context_tokens: int | None = None
    """The most tokens that it can hold."""
    switch_tokens: int | None = None
    """Sequences longer than this are computed with other rotary factors, all their places; None if there is no switch."""
    forward_options: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of every forward, such as ``logits_to_keep=1`` where the model takes it."""


class Decoding:
    """One answer while it is written."""

    def __init__(
        self, network: Network, wire: Wire, options: ChatOptions, progress: Progress, memory: ChatCache | None = None
    ) -> None:
        """Takes out of ``memory`` what the conversation keeps; ``give_back`` puts back what there is at the end.

        Raises:
            PromptError: the prompt is longer than the network's context, or its audio tokens are not its audio's.
        """
        _refuse_misfit(network, wire)
        self._network = network
        self._wire = wire
        self._options = options
        self._progress = progress
        self._memory = memory
        self._ids = list(wire.ids)  # prompt and answer
        self._kept = memory.take(options.conversation) if memory is not None else None
        self._random: Any = None
        self._never: Any = None  # ids of the tokens that may not be answered, on the device
        self.ended: Ended = "complete"
        self.reused_tokens = 0

    @property
    def new_tokens(self) -> int:
        return len(self._ids) - len(self._wire.ids)

    def give_back(self) -> int | None:
        """Keep for the next turn what has been computed; returns its bytes, None if nothing is kept."""
        kept, self._kept = self._kept, None
        if kept is None or not kept.ids or self._memory is None:
            return None
        return self._memory.keep(self._options.conversation, kept, self._options.cache_bytes)

    def tokens(self) -> Iterator[int]:
        """Yield the answer's token ids, without the one that ends it.

        Raises:
            Cancelled: between two tokens, or between two layers of the prefill.
            OutOfMemory: the sequence does not fit.
            RunnerError: the network computes what is no number.
        """
        self._reuse()
        most, circles = self._most_tokens(), Circles()
        while True:
            token = self._choose(self._advance())
            if token in self._network.stop_ids:
                return
            if self.new_tokens >= most:
                self.ended = "limit"
                return
            self._ids.append(token)
            yield token
            if circles.add(token):
                self.ended = "loop"
                return
            self._progress.check()

    def _most_tokens(self) -> int:
        room = self._network.context_tokens
        return self._options.most_tokens if room is None else min(self._options.most_tokens, room - len(self._wire.ids))

    def _is_far(self) -> bool:
        switch = self._network.switch_tokens
        return switch is not None and len(self._ids) > switch

    def _reuse(self) -> None:
        """Cut what is kept back to what this prompt begins with."""
        kept, ids, sound = self._kept, self._wire.ids, self._wire.sound
        if kept is None:
            return
        # The last token is always forwarded: its logits begin the answer.
        common = min(common_length(kept.ids, ids), len(ids) - 1)
        if sound is not None:
            last = len(ids) - 1 - ids[::-1].index(self._network.audio_token)
            # Audio comes as a whole: it is there with the very same samples, or it is sent again, and all with it: the few
            # tokens before it are no gain, and a long prompt after a cache needs a mask of gigabytes.
            if common <= last or kept.sound != sound.digest:
                common = 0
        if common == 0 or kept.is_far != self._is_far():
            self._kept = None
            return
        kept.cut(common)
        if self._network.audio_token not in kept.ids:
            kept.sound = None
        self.reused_tokens = common

    def _advance(self) -> Any:
        """Forward what has not been forwarded; returns the logits after the last token, shape (vocabulary,), float32."""
        if self._kept is not None and self._kept.is_far != self._is_far():
            # The sequence has passed the switch: every key computed before it is for other rotary factors.
            self._kept = None
        if self._kept is None:
            self._kept = Kept(self._cache(), is_far=self._is_far())
        kept = self._kept
        if self._memory is not None and not self.new_tokens:
            self._memory.make_room(self._memory.bytes_per_token * len(self._ids), self._options.cache_bytes)
        try:
            return self._forward(kept)
        except OutOfMemory:
            if not self._memory:
                raise
        # Other conversations can be computed anew; this one has somebody waiting.
        self._memory.clear()
        give_back(self._network.model)
        return self._forward(kept)

    def _cache(self) -> Any:
        """An empty cache.

        A conversation can be cut back to any place of it, so all is kept. An answer that nothing comes after keeps what its
        layers still look at, as ``generate`` does: of those with a sliding window, the window.
        """
        from transformers import DynamicCache

        return DynamicCache(config=self._network.model.config) if self._memory is None else DynamicCache()

    def _forward(self, kept: Kept) -> Any:
        begin = len(kept.ids)
        try:
            return self._compute(self._ids[begin:], kept)
        except BaseException:
            if self._memory is None:
                self._kept = None  # nothing comes after, and a window that has moved cannot be moved back
            else:
                kept.cut(begin)  # a forward that is stopped or fails has filled some layers
            raise

    def _compute(self, ids: list[int], kept: Kept) -> Any:
        import torch

        network, sound = self._network, self._wire.sound
        audio: Mapping[str, Any] = {}
        count = ids.count(network.audio_token)
        if count:
            if sound is None or count != sound.tokens:
                raise RuntimeError("audio tokens without their audio: the answer would come from nothing")
            audio = sound.inputs(self._progress)
        elif sound is not None and kept.sound != sound.digest:
            raise RuntimeError("a prompt with audio is continued from a cache without it")
        device = network.model.get_input_embeddings().weight.device
        if device.type == "meta":  # accelerate keeps it elsewhere, and moves what comes in
            device = torch.device("cpu")
        with torch.inference_mode(), checkpoint.memory_limits():
            step = torch.tensor([ids], device=device)
            with checked(network.model, self._progress) if len(ids) > 1 else nullcontext():
                output = network.model(
                    input_ids=step, past_key_values=kept.cache, use_cache=True, **audio, **network.forward_options
                )
            # Taken from the output and not from what went in: a network may make a cache of its own.
            kept.cache = output.past_key_values
            kept.ids += ids
            if sound is not None:
                kept.sound = sound.digest
            return output.logits[0, -1].float()

    def _choose(self, logits: Any) -> int:
        import torch

        with torch.inference_mode():
            if self._never is None:  # once an answer: on a GPU each copy from here makes it wait
                self._never = torch.tensor([self._network.audio_token, *self._network.silent_ids], device=logits.device)
            logits.index_fill_(0, self._never, -math.inf)
            token = int(logits.argmax())
            if not math.isfinite(float(logits[token])):
                # The likeliest of no numbers would be the first of the vocabulary, over and over.
                self._kept = None
                raise _no_number(self._network.model.dtype)
            if self._options.temperature <= 0:
                return token
            if self._random is None:
                self._random = torch.Generator()
                if self._options.seed is None:
                    self._random.seed()
                else:
                    self._random.manual_seed(self._options.seed)
            # On the CPU, so that a seed means the same on every device.
            likeliest = logits.cpu().topk(min(LIKELIEST, len(logits)))
            chances = (likeliest.values / self._options.temperature).softmax(-1)
            return int(likeliest.indices[torch.multinomial(chances, 1, generator=self._random)])


def answer(
    network: Network, wire: Wire, options: ChatOptions, progress: Progress, memory: ChatCache | None = None
) -> Generator[str, None, Usage]:
    """Answer a prompt: yields pieces of text as they come, returns what it took.

    With ``memory``, what the conversation keeps is used, and what this turn computes is kept, also when the turn is
    closed or cancelled. Without, nothing outlives the answer.

    Raises:
        PromptError: the prompt does not fit the context.
        Cancelled: somebody asked to stop.
        OutOfMemory: it does not fit, not even after all other conversations have been forgotten.
    """
    decoding = Decoding(network, wire, options, progress, memory)
    text = Detokeniser(network.tokenizer)
    try:
        for token in decoding.tokens():
            piece = text.add(token)
            if piece:
                yield piece
        piece = text.rest()
        if piece:
            yield piece
    finally:
        cache_bytes = decoding.give_back()
    notes = [endings(decoding.ended)]
    if memory is not None and cache_bytes is None:
        notes.append("the conversation is larger than the memory for chats: the next answer starts from the beginning")
    return Usage(
        prompt_tokens=len(wire.ids),
        reused_tokens=decoding.reused_tokens,
        new_tokens=decoding.new_tokens,
        context_tokens=network.context_tokens,
        cache_bytes=cache_bytes,
        ended=decoding.ended,
        notes=tuple(note for note in notes if note is not None),
    )


def write(
    network: Network, wire: Wire, most_tokens: int, progress: Progress, whole: Callable[[str], str] = str
) -> tuple[str, Ended]:
    """Answer a prompt that is no conversation: returns the whole text, and how it ended.

    ``whole`` makes of the text so far what is told on the way, such as what earlier pieces have said before it.
    """
    pieces = answer(network, wire, ChatOptions("", most_tokens), progress)
    text, pace = "", Pace()
    while True:
        try:
            text += next(pieces)
        except StopIteration as end:
            usage: Usage = end.value
            return text.strip(), usage.ended
        if pace.is_due():
            progress.partial(whole(text.strip()))


@contextmanager
def checked(model: Any, progress: Progress) -> Iterator[None]:
    """Let a cancel through before each matrix product of a forward: a prefill on a CPU can take minutes."""
    import torch

    hooks = [
        module.register_forward_pre_hook(lambda *_: progress.check())
        for module in model.modules()
        if isinstance(module, torch.nn.Linear | torch.nn.Conv1d | torch.nn.Conv2d)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def endings(ended: Ended) -> str | None:
    """What a reader should know about how an answer ended; None if the model was simply done."""
    return {
        "complete": None,
        "limit": "ended at the most tokens it may have, not by itself",
        "loop": "ended because it said the same thing over and over",
    }[ended]


def joined(before: str, as_paragraphs: bool, said: str) -> str:
    """Two pieces of text as one; without a space where the script has none."""
    if not before or not said:
        return before or said
    if as_paragraphs:
        return f"{before}\n\n{said}"
    is_wide = all(unicodedata.east_asian_width(character) in "WF" for character in (before[-1], said[0]))
    return before + ("" if is_wide else " ") + said


def span(begin: float, end: float) -> str:
    """Seconds of the clip, for a reader: "from 0:40 to 1:15"."""
    return f"from {clock(begin)} to {clock(end)}"


def give_back(model: Any) -> None:
    """Return to the device what tensors that were dropped have held."""
    import torch

    gc.collect()
    device: Any = getattr(torch, model.device.type, None)
    if hasattr(device, "empty_cache"):  # a CPU has none
        with suppress(RuntimeError):
            device.empty_cache()


def _no_number(dtype: Any) -> RunnerError:
    precision = str(dtype).removeprefix("torch.")
    other = "float32" if precision == "bfloat16" else "bfloat16, or to float32 where there is room"
    fix = "Fetch the weights again: they are damaged." if precision == "float32" else f"Set EARSHOT_DTYPE to {other}."
    return RunnerError(f"The model computes in {precision} what is no number (it overflows).", fix)


def _refuse_misfit(network: Network, wire: Wire) -> None:
    wanted = wire.sound.tokens if wire.sound is not None else 0
    if wire.ids.count(network.audio_token) != wanted or (wire.sound is not None and not wanted):
        raise PromptError(
            "The prompt's audio tokens are not those of its audio.", "Leave control tokens such as <|audio|> out of the text."
        )
    if network.context_tokens is not None and len(wire.ids) >= network.context_tokens:
        raise PromptError(
            f"The conversation takes {len(wire.ids):,} tokens; the model's context holds {network.context_tokens:,}.",
            "Begin a new conversation, or choose a shorter clip.",
        )
