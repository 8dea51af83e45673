"""What our code costs around each family: a run through Earshot's runner against transformers asked plainly, in one process.

A first run through the runner is watched: which clips its feature extractor was given, and what its network was asked,
``generate`` or ``forward``, with which inputs. Asking the same of the same objects again, without anything of ours between
them, is the plain call: features, ``generate`` for as many tokens, the ids decoded. Where a family's feature extractor needs
torchaudio, both sides have the features that we compute instead. Transducers, whose loop is our own, stand against their
processor and ``generate``. Both are timed turn by turn.

Networks are the random ones of the tests, made many times as wide where the family's configuration allows it; the others
stay a few numbers wide, PyTorch has next to nothing to compute in them, and our share is as large as it can be. The clip is
lengthened until a plain call takes long enough to be timed. Processor time is compared, on one thread: other programs on the
machine have a part in it only through the caches that they share.

Two families are left to parts of their own: faster-whisper (``isolation``) and Phi-4-multimodal (``phi4``).

Measured with it on two cores without other work, medians: whisper 0.98, its English form 1.00, wav2vec2 1.01, HuBERT 0.99,
data2vec 1.00, WavLM 1.00, wav2vec2-BERT 1.00, MMS 1.01, Parakeet CTC 1.02, TDT 0.99 and RNNT 1.00, MedASR 0.96, Granite
TurboCTC 1.00, Nemotron 0.99 and streaming 0.70, Canary 1.02, Cohere 1.01, Moonshine 0.98 and streaming 1.00, SeamlessM4T
1.01, Kyutai 0.99, Granite Speech 1.01 and with its adapter 1.03, Qwen3-ASR 1.03, Voxtral 0.94 and Realtime 1.00, GLM-ASR
1.01, VibeVoice 1.03, Fun-ASR 1.03, Qwen2-Audio 0.92, Qwen2.5-Omni 0.87, Qwen3-Omni 0.93, Gemma 3n 1.03 and 4 1.00, Audio
Flamingo 0.90. What is under one has less bookkeeping than ``generate``.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import itertools
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.quiet import Quiet
from benchmarks.tables import seconds, show
from runners.base import Clip, Placement, TranscribeOptions
from runners.catalogue.names import spec_for
from runners.networks import spectrogram
from runners.networks.spectrogram import GraniteSpectrogram
from tests.sounds import babble

TARGET = 1.05
CALL_SECONDS = 0.5
"""A clip is lengthened until a plain call takes so long, or until it is ``LONGEST_SECONDS`` long."""
FIRST_SECONDS = 10.0
LONGEST_SECONDS = 80.0
WIDTHS = (4, 16, 64)
OPTIONS = TranscribeOptions(word_times=False)
_WIDTHS = """
hidden_size intermediate_size d_model encoder_ffn_dim decoder_ffn_dim ffn_dim head_dim decoder_hidden_size output_dim
hidden_dim output_hidden_size conv_dim prompt_intermediate_size speech_encoder_intermediate_size encoder_hidden_size
"""
WIDENED = frozenset(_WIDTHS.split())
"""Settings of a network that are widths, by the names that families have for them."""
LEFT_TO_OTHERS = ("faster-whisper", "phi4-multimodal")
OWN_FEATURES = ("log_mel", "kaldi_filter_bank", "stacked")
"""Functions of ``runners.networks.spectrogram`` that stand for a feature extractor which needs torchaudio."""
TRANSDUCERS = ("parakeet", "nemotron")


@dataclass
class _Watched:
    """What a runner asked of transformers in one run."""

    features: list[Callable[[], Any]] = field(default_factory=list)
    answers: list[Callable[[], Any]] = field(default_factory=list)

    def again(self) -> None:
        """Ask it all once more."""
        for part in (*self.features, *self.answers):
            part()


@dataclass
class _Prefill:
    """A network that is run token by token: its first inputs, and how often it was asked in all."""

    inputs: dict[str, Any]
    forwards: int = 1


@dataclass(frozen=True)
class _Times:
    """Processor seconds of the rounds, turn by turn."""

    clip_seconds: float
    plain: list[float]
    ours: list[float]

    @property
    def ratio(self) -> float:
        """Median of the rounds' own ratios."""
        return median(mine / theirs for mine, theirs in zip(self.ours, self.plain, strict=True))

    @property
    def of_the_quickest(self) -> float:
        return min(self.ours) / min(self.plain)

    def cells(self) -> tuple[str, ...]:
        """As they stand in the table."""
        ratios = (f"{self.ratio:.2f}", f"{self.of_the_quickest:.2f}")
        return f"{self.clip_seconds:.0f} s", seconds(self.plain), seconds(self.ours), *ratios


def main(
    rounds: int = 5,
    names: tuple[str, ...] = (),
    most_seconds: float = LONGEST_SECONDS,
    widths: tuple[int, ...] = WIDTHS,
) -> bool:
    """Print the table; whether each family is in bounds, by its median or by the quickest call of each.

    Args:
        rounds: timed turns of each, after one that warms up.
        names: cases of the tests, such as "parakeet-tdt"; all if empty.
        most_seconds: of the clip.
        widths: how many times as wide as the tests' the networks may be; the least of them that takes long enough.
    """
    import torch
    from transformers.utils import logging

    from tests.subjects import CASES

    logging.set_verbosity_error()
    torch.set_num_threads(1)  # what is compared is bookkeeping; a second thread's luck would be most of the range
    rows, kept = [], True
    for name, case in CASES.items():
        if case.build is None or case.dtype != "float32" or case.family in (*LEFT_TO_OTHERS, "scripted"):
            continue
        if names and name not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            built = case.build(Path(folder) / "tiny")
            width, times = _measured(case.family, built, rounds, most_seconds, widths)
            kept = kept and min(times.ratio, times.of_the_quickest) <= TARGET
            rows.append((name, f"x{width}", *times.cells()))
            print("  ".join(rows[-1]), flush=True, file=sys.stderr)  # the table comes after minutes
        gc.collect()
    show(
        "A clip through Earshot's runner, against transformers asked plainly in the same process",
        ("family", "width", "clip", "plainly", "Earshot", "ratio", "of the quickest"),
        rows,
        note=f"target: at most {TARGET:.2f}; ratio: median of the rounds' own ratios; processor time of one thread;\n"
        "  on a busy machine the quickest of each are nearer to what they cost, for other programs only ever add to it",
    )
    return kept


def widened(tiny: Path, folder: Path, times: int) -> None:
    """Write to ``folder`` what lies in ``tiny``, with a network of random numbers that is so many times as wide.

    Raises:
        Exception: of any kind, from a family whose widths hang together in another way.
    """
    import torch
    import transformers

    shutil.copytree(tiny, folder)
    (folder / "model.safetensors").unlink()
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(_wide(settings, times)), encoding="utf-8")
    torch.manual_seed(0)
    network = getattr(transformers, settings["architectures"][0])(transformers.AutoConfig.from_pretrained(folder))
    generation = folder / "generation_config.json"
    if generation.is_file():
        network.generation_config = transformers.GenerationConfig.from_pretrained(folder)
    network.save_pretrained(folder)


def _wide(settings: Any, times: int) -> Any:
    if isinstance(settings, list):
        return [_wide(part, times) for part in settings]
    if not isinstance(settings, dict):
        return settings
    return {name: _times(part, times) if name in WIDENED else _wide(part, times) for name, part in settings.items()}


def _times(width: Any, times: int) -> Any:
    if isinstance(width, list):
        return [_times(part, times) for part in width]
    return width * times if isinstance(width, int) else width


def _measured(family: str, tiny: Path, rounds: int, most_seconds: float, widths: tuple[int, ...]) -> tuple[int, _Times]:
    """Measure a family at the least of the widths at which a clip of moderate length takes long enough; that width too."""
    runner, times = None, 1
    for width in widths:
        wide = tiny.with_name(f"wide{width}")
        try:
            widened(tiny, wide, width)
            runner, times = _loaded(family, wide), width
            plain = _plain(runner, family, babble(FIRST_SECONDS))
            if _spent(plain) >= CALL_SECONDS / 2:
                break
        except Exception:  # whatever a family's code says of a width that it does not like
            break
    return times, _compared(runner or _loaded(family, tiny), family, rounds, most_seconds)


def _loaded(family: str, folder: Path) -> Any:
    spec = spec_for(f"{family}:{folder}")
    module, _, kind = spec.target.partition(":")
    runner = getattr(importlib.import_module(module), kind)(spec)
    runner.load(folder, Placement(), Quiet())
    return runner


def _plain(runner: Any, family: str, clip: Clip) -> Callable[[], Any]:
    return _plain_transducer(runner, clip) if family in TRANSDUCERS else _watched(runner, clip, OPTIONS).again


def _spent(call: Callable[[], Any]) -> float:
    """Processor seconds of a call."""
    started = time.process_time()
    call()
    return time.process_time() - started


def _compared(runner: Any, family: str, rounds: int, most_seconds: float) -> _Times:
    length = FIRST_SECONDS
    while True:
        clip = babble(length)
        plain = _plain(runner, family, clip)
        plain()
        if _spent(plain) >= CALL_SECONDS or length >= most_seconds:
            break
        length = min(2 * length, most_seconds)

    def ours() -> None:
        runner.transcribe(clip, OPTIONS, Quiet())

    bare: list[float] = []
    through: list[float] = []
    for turn in range(rounds + 1):
        calls = [(plain, bare), (ours, through)]
        for call, times in calls if turn % 2 else reversed(calls):  # neither always goes first
            spent = _spent(call)
            if turn:
                times.append(spent)
    runner.unload()
    return _Times(length, bare, through)


def _plain_transducer(runner: Any, clip: Clip) -> Callable[[], Any]:
    import torch

    loaded = runner._loaded

    def call() -> Any:
        with torch.inference_mode():
            said = loaded.model.generate(**loaded.processor(clip.samples, sampling_rate=clip.sample_rate))
        return loaded.processor.batch_decode(said.sequences, skip_special_tokens=True)

    return call


def _watched(runner: Any, clip: Clip, options: TranscribeOptions) -> _Watched:
    """Run once, and note what transformers was asked."""
    found = _Watched()
    prefills: list[_Prefill] = []
    [model] = itertools.islice(_networks(runner), 1)
    tokenizer = next(_tokenizers(runner), None)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_noting_features(found))
        depth = [0]  # of calls inside calls: what a network asks of its parts is its own affair
        if hasattr(model, "generate"):
            stack.enter_context(_noting_generate(model, tokenizer, found, depth))

        def enter(part: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            depth[0] += 1
            if depth[0] > 1:
                return
            if part is not model:
                found.answers.append(lambda: _without_gradients(part, *args, **kwargs))
                return
            ids = kwargs.get("input_ids")
            if ids is not None and prefills and ids.shape[1] == 1:
                prefills[-1].forwards += 1
            else:
                prefills.append(_Prefill({key: value for key, value in kwargs.items() if key != "past_key_values"}))

        def leave(*_: Any) -> None:
            depth[0] -= 1

        encoder = model.get_encoder() if model.config.is_encoder_decoder else None  # it can be run by itself
        for part in (model, encoder):
            if part is not None:
                stack.callback(part.register_forward_pre_hook(enter, with_kwargs=True).remove)
                stack.callback(part.register_forward_hook(leave, always_call=True).remove)
        runner.transcribe(clip, options, Quiet())
    found.answers += [_forwarded(model, tokenizer, prefill) for prefill in prefills]
    return found


def _without_gradients(network: Any, *args: Any, **kwargs: Any) -> Any:
    import torch

    with torch.inference_mode():
        return network(*args, **kwargs)


def _forwarded(model: Any, tokenizer: Any, prefill: _Prefill) -> Callable[[], Any]:
    """A plain ``generate`` of as many tokens; for a network that names a letter a frame, one forward."""
    import torch

    ids = prefill.inputs.get("input_ids")

    def call() -> Any:
        with torch.inference_mode():
            if ids is None:
                return tokenizer.batch_decode(model(**prefill.inputs).logits.argmax(-1))
            exactly = {"max_new_tokens": prefill.forwards, "min_new_tokens": prefill.forwards, "do_sample": False}
            kept = {key: value for key, value in prefill.inputs.items() if key not in ("use_cache", "logits_to_keep")}
            said = model.generate(**{"attention_mask": torch.ones_like(ids), **kept}, **exactly)
            return tokenizer.decode(said[0, ids.shape[1] :], skip_special_tokens=True)

    return call


@contextlib.contextmanager
def _noting_generate(model: Any, tokenizer: Any, found: _Watched, depth: list[int]) -> Iterator[None]:
    plain = model.generate

    def noted(*args: Any, **kwargs: Any) -> Any:
        import torch

        tokens = [0]

        def counts(ids: Any, scores: Any, **rest: Any) -> Any:
            tokens[0] += 1
            return torch.zeros(len(ids), dtype=torch.bool)

        asked = dict(kwargs)
        watched = "stopping_criteria" in kwargs
        if watched:
            kwargs["stopping_criteria"].append(counts)
        depth[0] += 1
        try:
            said = plain(*args, **kwargs)
        finally:
            depth[0] -= 1
        asked.pop("stopping_criteria", None)
        if watched:  # it may have been stopped where it went in circles
            asked["max_new_tokens"] = tokens[0]

        def again() -> None:
            with torch.inference_mode():
                ids = plain(*args, **asked)
            ids = getattr(ids, "sequences", ids)
            if tokenizer is not None and hasattr(ids, "tolist"):
                tokenizer.batch_decode(ids, skip_special_tokens=True)

        found.answers.append(again)
        return said

    model.generate = noted
    try:
        yield
    finally:
        del model.generate


@contextlib.contextmanager
def _noting_features(found: _Watched) -> Iterator[None]:
    """Note each outermost call of a feature extractor of transformers', or of ours where theirs needs torchaudio."""
    from transformers.feature_extraction_utils import FeatureExtractionMixin

    inside = [False]

    def noted(plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if inside[0]:
                return plain(*args, **kwargs)
            found.features.append(lambda: plain(*args, **kwargs))
            inside[0] = True
            try:
                return plain(*args, **kwargs)
            finally:
                inside[0] = False

        return call

    kinds = [kind for kind in (*_below(FeatureExtractionMixin), GraniteSpectrogram) if "__call__" in vars(kind)]
    places = [*((kind, "__call__") for kind in kinds), *((spectrogram, name) for name in OWN_FEATURES)]
    with contextlib.ExitStack() as stack:
        for held, name in places:
            plain = getattr(held, name)
            stack.callback(setattr, held, name, plain)
            setattr(held, name, noted(plain))
        yield


def _below(kind: type[Any]) -> Iterator[Any]:
    for below in kind.__subclasses__():
        yield below
        yield from _below(below)


def _networks(held: Any) -> Iterator[Any]:
    from transformers import PreTrainedModel

    return (part for part in _parts(held) if isinstance(part, PreTrainedModel))


def _tokenizers(held: Any) -> Iterator[Any]:
    return (part for part in _parts(held) if hasattr(part, "batch_decode") and not hasattr(part, "feature_extractor"))


def _parts(held: Any, depth: int = 4) -> Iterator[Any]:
    """What an object holds, and what that holds."""
    for part in getattr(held, "__dict__", {}).values():
        yield part
        if (depth and type(part).__module__.startswith("runners")) or hasattr(part, "feature_extractor"):
            yield from _parts(part, depth - 1)
