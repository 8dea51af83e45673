"""Half precision on a CPU against single, in one process, turn by turn; and whether compiling pays within one session.

What decides what ``runners.here.places`` takes by itself on a CPU. Networks of random weights, the size of those that
people run there, for the time; real weights, where ``EARSHOT_TEST_WEIGHTS`` and ``EARSHOT_TEST_CLIPS`` name folders, for
what is lost.

Measured on a busy machine (AMD EPYC with AVX512-BF16 but without AMX, one thread, torch 2.13, two or three rounds), as
time in bfloat16 by time in float32:

    Whisper small            hears 30 s in 0.60, writes in 1.00
    a decoder of 0.5 B       reads 400 tokens in 0.35, writes in 0.74
    36 clips of real speech  none is written otherwise (Moonshine tiny, and the Whisper and wav2vec 2.0 that know digits)

So a CPU that has the instructions computes in bfloat16 by itself where the weights are stored in it; weights stored in
float32 stay in it unless ``+bfloat16`` is asked for. Two layers of Whisper small took 121 s to compile and then wrote in
0.90 of the time, which pays after 290 clips; a static cache alone took 1.17 of it. Neither pays within a session, so
Earshot does neither.
"""

from __future__ import annotations

import copy
import importlib
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.quiet import Quiet
from benchmarks.tables import seconds, show
from comparisons.normalise import normaliser
from comparisons.score import pooled, score
from runners.audio import decode
from runners.base import Dtype, Placement, Runner, TranscribeOptions
from runners.catalogue.names import spec_for
from runners.here.machine import look

NEW_TOKENS = 24
"""About what 8 s of speech are written down in."""
PROMPT_TOKENS = 400
"""What half a minute of sound is to a language model, with its prompt."""

COMPILED_LAYERS = 2
"""All twelve of Whisper small take minutes to compile."""
LONGEST_SECONDS = 60
"""Of a clip of real speech that is heard in both precisions."""

_COMPARED: tuple[Dtype, Dtype] = ("float32", "bfloat16")
Call = Callable[[Any], Any]


def main(rounds: int = 5, weights: Path | None = None, clips: Path | None = None, *, compiled: bool = True) -> None:
    """Print what each network takes in each precision, then what compiling costs and saves, then what precision loses."""
    import torch

    cpu = look().devices[-1]
    says = "computes in bfloat16" if cpu.has_bfloat16 else "has no instructions for bfloat16"
    print(f"{cpu.name} {says}; {torch.get_num_threads()} threads; torch {torch.__version__}")
    for name, build in (("Whisper small, random weights", _whisper), ("decoder of 0.5 B, random weights", _decoder)):
        torch.manual_seed(0)
        network, steps = build()
        _precisions(name, network, steps, rounds)
        del network, steps
    if weights is not None:
        _losses(weights, clips)
    if compiled:
        network, steps = _whisper(COMPILED_LAYERS)
        _compiling(f"{COMPILED_LAYERS} layers of Whisper small", network, list(steps.values())[-1], rounds)


def _whisper(layers: int = 12) -> tuple[Any, dict[str, Call]]:
    """244 million parameters: its steps are hearing a window of 30 s, and writing."""
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration
    from transformers.modeling_outputs import BaseModelOutput

    width: dict[str, Any] = {"d_model": 768, "encoder_layers": layers, "decoder_layers": layers, "vocab_size": 51_865}
    heads = {
        f"{part}_{what}": count
        for part in ("encoder", "decoder")
        for what, count in (("attention_heads", 12), ("ffn_dim", 3072))
    }
    network = WhisperForConditionalGeneration(WhisperConfig(**width, **heads)).eval()
    features = torch.randn(1, 80, 3000)  # (clips, bands, frames)
    states = torch.randn(1, 1500, 768)  # (clips, frames, width)

    def hear(model: Any) -> Any:
        return model.model.encoder(features.to(model.dtype))

    def write(model: Any) -> Any:
        return model.generate(
            encoder_outputs=BaseModelOutput(last_hidden_state=states.to(model.dtype)),
            decoder_input_ids=torch.tensor([[50_258]]),
            do_sample=False,
            **_tokens(model),
        )

    return network, {"hear 30 s": hear, f"write {NEW_TOKENS} tokens": write}


def _decoder() -> tuple[Any, dict[str, Call]]:
    """494 million parameters in the shape of a small language model: its steps are reading the sound, and writing."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    network = Qwen2ForCausalLM(
        Qwen2Config(
            hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2,
            tie_word_embeddings=True,
        )
    ).eval()  # fmt: skip
    prompt = torch.randint(0, 150_000, (1, PROMPT_TOKENS))  # (clips, tokens)

    def read(model: Any) -> Any:
        return model(prompt, logits_to_keep=1)

    def write(model: Any) -> Any:
        return model.generate(prompt[:, :8], do_sample=False, **_tokens(model))

    return network, {f"read {PROMPT_TOKENS} tokens": read, f"write {NEW_TOKENS} tokens": write}


def _tokens(model: Any) -> dict[str, Any]:
    """As many tokens in every precision, whatever they are."""
    static = getattr(model, "wants_static_cache", False)
    return {
        "min_new_tokens": NEW_TOKENS,
        "max_new_tokens": NEW_TOKENS,
        "pad_token_id": 0,
        **({"cache_implementation": "static"} if static else {}),
    }


def _precisions(name: str, network: Any, steps: dict[str, Call], rounds: int) -> None:
    import torch

    half = copy.deepcopy(network).to(torch.bfloat16)
    rows = []
    for step, call in steps.items():
        taken = _turns({"float32": partial(call, network), "bfloat16": partial(call, half)}, rounds)
        ratio = median(taken["bfloat16"]) / median(taken["float32"])
        rows.append([step, seconds(taken["float32"]), seconds(taken["bfloat16"]), f"{ratio:.2f}"])
    show(name, ["step", "float32", "bfloat16", "ratio"], rows, note="ratio: bfloat16 / float32, below 1 is faster")


def _compiling(name: str, network: Any, write: Call, rounds: int) -> None:
    """Writing with a static cache, and with that and ``torch.compile``, against neither."""
    import torch

    static = copy.copy(network)
    static.wants_static_cache = True
    compiled = copy.copy(network)
    compiled.wants_static_cache = True
    compiled.forward = torch.compile(network.forward)
    began = time.perf_counter()
    with torch.inference_mode():
        write(compiled)
        write(compiled)  # what is seen anew once, is compiled anew
    compiling_seconds = time.perf_counter() - began
    calls = {"as it is": lambda: write(network), "static cache": lambda: write(static), "compiled": lambda: write(compiled)}
    taken = _turns(calls, rounds)
    usual = median(taken["as it is"])
    rows = [[kind, seconds(each), f"{median(each) / usual:.2f}"] for kind, each in taken.items()]
    saved = usual - median(taken["compiled"])
    after = f"pays after {compiling_seconds / saved:.0f} such calls" if saved > 0 else "never pays"
    show(
        f"{name}: writing in float32", ["how", "time", "ratio"], rows, note=f"compiling took {compiling_seconds:.0f} s: {after}"
    )


def _turns(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each call, turn by turn, after one turn that does not count."""
    import torch

    taken: dict[str, list[float]] = {kind: [] for kind in calls}
    with torch.inference_mode():
        for turn in range(rounds + 1):
            for kind, call in calls.items():
                began = time.perf_counter()
                call()
                if turn:
                    taken[kind].append(time.perf_counter() - began)
    return taken


def _losses(weights: Path, clips: Path | None) -> None:
    """What real weights write in half precision and in single, scored, through Earshot's runners."""
    digits = _manifest(weights / "digits-test")
    speech = [row for row in _manifest(clips) if row[2] == "en"] if clips is not None else []
    rows = []
    for name, heard, rule in (
        (f"whisper:{weights / 'whisper-digits'}", digits, "basic"),
        (f"ctc:{weights / 'wav2vec2-digits'}", digits, "basic"),
        (f"moonshine-transformers:{weights / 'moonshine-tiny-en'}", speech, "whisper-english"),
    ):
        if not heard or not Path(name.partition(":")[2]).is_dir():
            print(f"skipped: {name} (its weights or clips are not given)")
            continue
        single, half = (_said(name, [path for path, _, _ in heard], dtype) for dtype in _COMPARED)
        rates = [_rate(said, heard, rule) for said in (single, half)]
        changed = sum(one != other for one, other in zip(single, half, strict=True))
        rows.append([name.partition(":")[0], *rates, f"{changed} of {len(heard)}"])
    if rows:
        show("what is lost, with real weights", ["system", "WER float32", "WER bfloat16", "clips written otherwise"], rows)


def _said(name: str, clips: list[Path], dtype: Dtype) -> list[str]:
    spec = spec_for(name)
    module, _, kind = spec.target.partition(":")
    runner: Runner = getattr(importlib.import_module(module), kind)(spec)
    runner.load(Path(spec.model or ""), Placement("cpu", dtype), Quiet())
    options = TranscribeOptions(language="en" if spec.family == "whisper" else None, word_times=False)
    try:
        return [
            runner.transcribe(decode(clip, max_seconds=LONGEST_SECONDS, max_bytes=100_000_000), options, Quiet()).text
            for clip in clips
        ]
    finally:
        runner.unload()


def _rate(said: list[str], heard: list[tuple[Path, str, str]], rule: str) -> str:
    scores = [score(text, each, normaliser(rule), "en")[0] for each, (_, text, _) in zip(said, heard, strict=True)]
    found = pooled(scores)
    return f"{100 * found.wer:.1f} %" if found is not None and found.wer is not None else "none"


def _manifest(folder: Path) -> list[tuple[Path, str, str]]:
    """Clips that are not too long: path, text, language."""
    rows = map(json.loads, (folder / "manifest.jsonl").read_text("utf-8").splitlines())
    return [(folder / row["file"], row["text"], row["language"]) for row in rows if row["duration_s"] <= LONGEST_SECONDS]
