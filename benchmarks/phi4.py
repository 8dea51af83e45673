"""What Phi-4-multimodal costs through Earshot, beside doing without: random weights of any size, on whatever device is there.

Follow-ups from what the turn before computed against sending everything again; a transcription against the library's bare
``generate``; memory of page and child; and how far decoding is from the floor that memory bandwidth sets.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil

from benchmarks.quiet import Quiet
from benchmarks.random_phi4 import SIZES, build, parts
from benchmarks.tables import megabytes, seconds, show
from runners.base import SAMPLE_RATE, ChatOptions, ChatResult, Clip, Contender, Placement, TranscribeOptions, Turn, Usage
from runners.catalogue.names import spec_for
from runners.here.machine import look
from runners.phi4_multimodal import PLAIN_PROMPT, SYSTEM, Phi4Multimodal
from runners.pool import Pool
from runners.settings import read_settings

FOLLOW_UP_TARGET = 6
"""A follow-up after a 30 s clip is to begin so many times sooner than with everything sent again, at 0.3 B and above."""
TRANSCRIPTION_TARGET = 0.05
CONVERSATIONS = 50
OPENED_SECONDS = 5
"""Of the clip that each of them is about."""
QUESTION = Turn("user", "Summarise the clip in three sentences.")
FOLLOW_UP = Turn("user", "Who is speaking, and about what?")
ANSWER_TOKENS = 16
DECODED_TOKENS = 64
TRANSCRIBED_SECONDS = 5


@dataclass
class _Turned:
    """One turn as it was measured."""

    text: str
    first_seconds: float
    seconds: float
    usage: Usage


def main(size: str = "tiny", rounds: int = 5) -> bool | None:
    """Print what is measured at one of ``SIZES``, in ``rounds`` timed turns of each after one that warms everything up.

    Returns whether the bounds are kept; None at the smallest size, of which nothing but bookkeeping is seen.
    """
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"  # read when the library is imported, here and in children
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / f"phi4-{size}"
        # In a process of its own: this one stays as small as the page's, and building leaves nothing behind.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as child:
            child.submit(build, folder, SIZES[size], [PLAIN_PROMPT, SYSTEM, QUESTION.text, FOLLOW_UP.text]).result()
        _memory(folder, size)
        kept = _inside(folder, size, rounds)
    return None if size == "tiny" else kept


def sound(clip_seconds: float) -> Clip:
    """Noise in syllables: it costs what speech costs."""
    at = np.arange(round(clip_seconds * SAMPLE_RATE)) / SAMPLE_RATE
    noise = np.random.default_rng(0).normal(0, 0.1, len(at))
    return Clip((noise * (0.3 + 0.7 * np.sin(2 * np.pi * 2 * at) ** 2)).astype(np.float32), clip_seconds, "noise.wav")


def _memory(folder: Path, size: str) -> None:
    """What the page's process and the child hold, and whether it grows while conversations come and go."""
    settings = read_settings(downloads=False)
    contender = Contender(spec_for(f"phi4-multimodal:{folder}"))
    watched = psutil.Process()
    before = watched.memory_info().rss
    pool = Pool(settings, look)

    def ask(clip: Clip, conversation: str, *turns: Turn) -> ChatResult:
        options = ChatOptions(conversation, most_tokens=4)
        result = pool.chat(contender, clip, turns, options, report=lambda event: None, cancel=threading.Event())
        if result.usage is None:
            raise SystemExit(f"Phi-4 of random weights, {size}: {result.error} {result.fix or ''}")
        return result

    try:
        first = ask(sound(30), "first", QUESTION)
        usage = first.usage
        assert usage is not None
        pool.forget("first")
        sizes: list[tuple[int, int]] = []
        clip = sound(OPENED_SECONDS)
        for number in range(CONVERSATIONS):
            name = f"conversation {number}"
            answer = ask(clip, name, QUESTION)
            ask(clip, name, QUESTION, Turn("assistant", answer.text), FOLLOW_UP)
            pool.forget(name)
            sizes.append((watched.memory_info().rss, pool.children()[0].memory_bytes or 0))
    finally:
        pool.close()
    settled = CONVERSATIONS // 5  # allocators take what they need in the first few
    # Medians, because a child is caught now with, now without the buffers of its last turn.
    (page_then, child_then), (page_now, child_now) = (
        (median(page for page, _ in some), median(child for _, child in some))
        for some in (sizes[settled : 2 * settled], sizes[-settled:])
    )
    rows = [
        ("this process, before", megabytes(before), ""),
        (f"this process, conversations {settled} to {2 * settled}", megabytes(page_then), f"{page_then / before:.2f}"),
        (f"this process, the last {settled} of {CONVERSATIONS}", megabytes(page_now), f"{page_now / page_then:.3f}"),
        (f"the child, conversations {settled} to {2 * settled}", megabytes(child_then), ""),
        (f"the child, the last {settled} of {CONVERSATIONS}", megabytes(child_now), f"{child_now / child_then:.3f}"),
    ]
    kept = usage.cache_bytes or 0
    tokens = usage.prompt_tokens + usage.new_tokens
    shape = SIZES[size]
    number_bytes = 4 if first.dtype == "float32" else 2
    expected = 2 * shape.layers * shape.kv_heads * (shape.hidden // shape.heads) * number_bytes * tokens
    rows.append((f"kept for one about 30 s of audio: {tokens} tokens", f"{kept / 1e6:.1f} MB", f"{kept / expected:.3f}"))
    show(
        f"Memory at {size}, {first.device}, {first.dtype}: {CONVERSATIONS} conversations of two turns opened and closed",
        ("median", "resident", "ratio"),
        rows,
        note="ratios to the row before; of what is kept, to its keys and values alone. Target: nothing grows",
    )


def _inside(folder: Path, size: str, rounds: int) -> bool:
    """What is timed in this process, where nothing but the runner stands around the network."""
    import torch

    device = look().accelerators[0].kind if torch.cuda.is_available() else "cpu"
    placement = Placement(device, "bfloat16" if device != "cpu" or size == "full" else "float32")
    runner = Phi4Multimodal(spec_for(f"phi4-multimodal:{folder}"))
    started = time.perf_counter()
    runner.load(folder, placement, Quiet())
    network = _network(runner)
    title = f"{size}, {placement.device}, {placement.dtype}, {torch.get_num_threads()} threads"
    counts = parts(network.model)
    show(
        f"Phi-4-multimodal of random weights: {title}, loaded in {time.perf_counter() - started:.1f} s",
        ("part", "parameters"),
        [(part, f"{count / 1e6:.1f} M") for part, count in [*counts.items(), ("together", sum(counts.values()))]],
        note="an adapter that is merged counts as none of its own",
    )
    kept = _follow_ups(runner, title, rounds)
    kept = _transcription(runner, folder, title, rounds) and kept
    _decoding(runner, folder, title, rounds)
    _prefill(runner, title, placement, (30, 300, 1800) if device != "cpu" or size == "tiny" else (30, 300))
    runner.unload()
    return kept


def _network(runner: Any) -> Any:
    """The network that the runner has loaded: the alternatives run on the very same weights, in the same place."""
    return runner._loaded.network


def _turn(runner: Any, clip: Clip | None, turns: Sequence[Turn], conversation: str, most_tokens: int) -> _Turned:
    started = time.perf_counter()
    pieces = runner.chat(clip, tuple(turns), ChatOptions(conversation, most_tokens), Quiet())
    text, first_seconds = "", 0.0
    while True:
        try:
            text += next(pieces)
            first_seconds = first_seconds or time.perf_counter() - started
        except StopIteration as end:
            return _Turned(text, first_seconds, time.perf_counter() - started, end.value)


def _follow_ups(runner: Any, title: str, rounds: int) -> bool:
    clip = sound(30)
    opening: list[float] = []
    reused: list[float] = []
    resent: list[float] = []
    same = True
    for turn in range(rounds + 1):
        first = _turn(runner, clip, [QUESTION], "kept", ANSWER_TOKENS)
        turns = [QUESTION, Turn("assistant", first.text), FOLLOW_UP]
        follow_up = _turn(runner, clip, turns, "kept", ANSWER_TOKENS)
        again = _turn(runner, clip, turns, "sent again", ANSWER_TOKENS)
        runner.forget("kept")
        runner.forget("sent again")
        same = same and follow_up.text == again.text
        if turn:
            opening.append(first.first_seconds)
            reused.append(follow_up.first_seconds)
            resent.append(again.first_seconds)
    show(
        f"Time to the first token of a follow-up after a 30 s clip: {title}",
        ("way", "median (range)", "ratio"),
        [
            ("the first question", seconds(opening), f"{median(opening) / median(reused):.1f}"),
            ("follow-up, everything sent again", seconds(resent), f"{median(resent) / median(reused):.1f}"),
            (f"follow-up, {follow_up.usage.reused_tokens} tokens reused", seconds(reused), "1.0"),
        ],
        note=f"target at 0.3 B and above: {FOLLOW_UP_TARGET} times; both ways said {'the same' if same else 'NOT THE SAME'}",
    )
    return same and median(resent) >= FOLLOW_UP_TARGET * median(reused)


def _transcription(runner: Any, folder: Path, title: str, rounds: int) -> bool:
    """The runner's whole call against ``generate`` alone on the same network, prompt and number of tokens."""
    clip, network = sound(TRANSCRIBED_SECONDS), _network(runner)
    forwards = _Forwards(network.model)
    heard = runner.transcribe(clip, TranscribeOptions(), Quiet())
    count = forwards.count
    forwards.close()
    bare = _bare_generate(network, folder, clip, count)
    ours: list[float] = []
    theirs: list[float] = []
    for turn in range(rounds + 1):
        for call, times in ((lambda: runner.transcribe(clip, TranscribeOptions(), Quiet()), ours), (bare, theirs)):
            started = time.perf_counter()
            said = call()
            if turn:
                times.append(time.perf_counter() - started)
    words = str(said).split()
    common = next((i for i, (a, b) in enumerate(zip(words, heard.text.split(), strict=False)) if a != b), len(words))
    show(
        f"Transcription of {TRANSCRIBED_SECONDS} s, {count} forwards: {title}",
        ("way", "median (range)", "ratio"),
        [
            ("the library's generate, inputs made beforehand", seconds(theirs), "1.00"),
            ("Earshot's runner, from the samples", seconds(ours), f"{median(ours) / median(theirs):.2f}"),
        ],
        note=f"target: at most {1 + TRANSCRIPTION_TARGET:.2f}; the first {common} of {len(words)} words are the same",
    )
    return median(ours) <= (1 + TRANSCRIPTION_TARGET) * median(theirs)


class _Forwards:
    """Counts how often a network runs."""

    def __init__(self, model: Any) -> None:
        self.count = 0
        self._hook = model.register_forward_pre_hook(self._add)

    def _add(self, *_: Any) -> None:
        self.count += 1

    def close(self) -> None:
        self._hook.remove()


def _bare_generate(network: Any, folder: Path, clip: Clip, tokens: int, **options: Any) -> Callable[[], str]:
    """A ``generate`` call on inputs that are made once, written as the model card says."""
    import torch
    from transformers import AutoFeatureExtractor

    made = AutoFeatureExtractor.from_pretrained(folder)(clip.samples, sampling_rate=SAMPLE_RATE, return_tensors="pt")
    heard = "<|audio|>" * int(made["audio_embed_sizes"][0])
    words = f"<|system|>{SYSTEM}<|end|><|user|>{heard}{PLAIN_PROMPT}<|end|><|assistant|>"
    prompt = network.tokenizer(words, return_tensors="pt")
    inputs = {**prompt, "audio_input_features": made["audio_input_features"], "audio_embed_sizes": made["audio_embed_sizes"]}
    inputs = {name: value.to(network.model.device) for name, value in inputs.items()}
    inputs.pop("token_type_ids", None)
    length = {"max_new_tokens": tokens, "min_new_tokens": tokens, "do_sample": False}

    def call() -> str:
        with torch.inference_mode():
            ids = network.model.generate(**inputs, **length, **options)
        return str(network.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))

    return call


def _decoding(runner: Any, folder: Path, title: str, rounds: int) -> None:
    """Tokens a second at batch 1, beside the floor: each token needs every weight of the decoder once.

    The library's static cache compiles its forward on a GPU, where the graph is captured once and replayed.
    """
    network, clip = _network(runner), sound(5)
    bandwidth = _copy_bandwidth(network.model.device)
    floor = _decoder_bytes(network.model) / bandwidth
    ways: dict[str, Callable[[], float]] = {"Earshot's runner": lambda: _token_seconds(runner, clip)}
    for way, options in (("the library's generate", {}), ("generate, static cache", {"cache_implementation": "static"})):
        short = _bare_generate(network, folder, clip, 1, **options)
        long = _bare_generate(network, folder, clip, 1 + DECODED_TOKENS, **options)
        ways[way] = partial(_difference, short, long)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds + 1):
        for way, measure in ways.items():
            each = measure()
            if turn:
                times[way].append(each)
    rows = [("the decoder's weights read once", f"{floor * 1e3:.2f} ms", f"{1 / floor:.1f}", "1.0")]
    for way, values in times.items():
        each = median(values)
        rows.append((way, f"{each * 1e3:.2f} ms", f"{1 / each:.1f}", f"{each / floor:.1f}"))
    show(
        f"Decoding {DECODED_TOKENS} tokens at batch 1: {title}",
        ("way", "a token", "tokens/s", "/ floor"),
        rows,
        note=f"{_decoder_bytes(network.model) / 1e9:.3f} GB of weights; a copy moves {bandwidth / 1e9:.1f} GB/s",
    )


def _token_seconds(runner: Any, clip: Clip) -> float:
    turned = _turn(runner, clip, [QUESTION], "decoded", DECODED_TOKENS)
    runner.forget("decoded")
    return (turned.seconds - turned.first_seconds) / max(1, turned.usage.new_tokens - 1)


def _difference(short: Callable[[], Any], long: Callable[[], Any]) -> float:
    """Seconds a token, by what more tokens take longer."""
    begun = time.perf_counter()
    short()
    between = time.perf_counter()
    long()
    return ((time.perf_counter() - between) - (between - begun)) / DECODED_TOKENS


def _decoder_bytes(model: Any) -> int:
    """Bytes of weights that one token needs: all layers and the head; of the embeddings one row, unless the head is they."""
    weights = {weight.data_ptr(): weight for weight in [*model.model.layers.parameters(), *model.lm_head.parameters()]}
    return sum(weight.numel() * weight.element_size() for weight in weights.values())


def _copy_bandwidth(device: Any) -> float:
    """Bytes a second that a large copy reads and writes together."""
    import torch

    numbers = 1 << (28 if device.type != "cpu" else 26)
    source = torch.ones(numbers, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    times = []
    for _ in range(6):
        _wait(device)
        started = time.perf_counter()
        target.copy_(source)
        _wait(device)
        times.append(time.perf_counter() - started)
    return 2 * source.numel() * source.element_size() / min(times[1:])


def _wait(device: Any) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _prefill(runner: Any, title: str, placement: Placement, lengths: Sequence[float]) -> None:
    import torch

    on_gpu = placement.torch_device == "cuda"
    rows = []
    for clip_seconds in lengths:
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        turned = _turn(runner, sound(clip_seconds), [QUESTION], "long", 1)
        runner.forget("long")
        rows.append(
            (
                f"{clip_seconds:g} s of audio",
                f"{turned.usage.prompt_tokens:,}",
                f"{turned.first_seconds:.2f} s",
                f"{clip_seconds / turned.first_seconds:.0f}",
                megabytes(torch.cuda.max_memory_allocated()) if on_gpu else "",
            )
        )
    show(f"Prefill, once each: {title}", ("", "tokens", "seconds", "times real time", "peak memory"), rows)
