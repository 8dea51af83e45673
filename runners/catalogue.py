"""Which systems exist: one row a model, and how a name becomes a row.

A system is named ``family`` (its default model), or ``family:model[@revision]``, where ``model`` is a hub id or a local
folder. To add a system, write its file and its row here.

Sizes are those of the files that ``runners.here.hub`` would fetch, as the model's page on the hub shows them, rounded;
languages are the codes that the model itself uses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from types import MappingProxyType

from runners.base import DeviceKind, Dtype, RunnerError, RunnerSpec, WeightsUnavailable
from runners.here.weights import Format, is_folder, local_folder, looks_like_path
from runners.settings import Settings

SCRIPTED = "scripted"
"""The family that says what a script tells it: for tests and for trying the page, offered only where it is named."""


class UnknownRunner(RunnerError):
    """A name that no system answers to."""


@dataclass(frozen=True)
class Heard:
    """What ``config.json`` says in a checkpoint that a family can load."""

    says: str
    """For people: "a Whisper model"."""
    model_types: tuple[str, ...] = ()
    architecture_ending: str | None = None
    """Known by the name of its class, where the types are too many to list."""
    formats: tuple[Format, ...] = ("safetensors", "pytorch")
    converts: tuple[Format, ...] = ()
    """Which of these are converted on first use."""
    converting_requires: tuple[str, ...] = ()
    """Packages that only the conversion needs."""
    layers_share: float | None = None
    """How much of the default model's parameters lies in its decoder's layers, which are what 8 and 4 bits concern."""
    cached_numbers: int | None = None
    """Numbers that a token takes in the default model's key-value cache; both for when its files are not here to say."""
    may_choose_language: bool = False
    """Some models of the family can be told the language, others not; the runner finds out, and refuses, when it loads."""

    def fits(self, model_type: str | None, architectures: tuple[str, ...], kind: Format) -> bool:
        """True if such a checkpoint may be loaded; a configuration that does not say what it is gets the benefit."""
        if kind not in self.formats:
            return False
        if kind == "ctranslate2":  # its config.json names no model type
            return True
        if self.architecture_ending and architectures:
            return any(name.endswith(self.architecture_ending) for name in architectures)
        return model_type is None or not self.model_types or model_type in self.model_types


CHECKPOINTS: Mapping[str, Heard] = MappingProxyType(
    {
        "whisper": Heard("a Whisper model for transformers", model_types=("whisper",)),
        "faster-whisper": Heard(
            "a Whisper model, for CTranslate2 or transformers",
            model_types=("whisper",),
            formats=("ctranslate2", "safetensors", "pytorch"),
            converts=("safetensors", "pytorch"),
            converting_requires=("transformers", "torch"),
        ),
        "ctc": Heard("a model with a CTC head (…ForCTC)", architecture_ending="ForCTC", may_choose_language=True),
        "phi4-multimodal": Heard(
            "a Phi-4-multimodal model with native weights",
            model_types=("phi4_multimodal",),
            formats=("safetensors",),
            layers_share=0.62,  # 32 layers of 100.7 million in 5.2 billion
            cached_numbers=65_536,  # 32 layers, keys and values, 8 heads of 128
        ),
        "qwen2-audio": Heard(
            "a Qwen2-Audio model",
            model_types=("qwen2_audio",),
            formats=("safetensors",),
            layers_share=0.77,  # 32 layers of 202.4 million in 8.4 billion
            cached_numbers=262_144,  # 32 layers, keys and values, 32 heads of 128
        ),
    }
)
"""By family; a family without an entry takes any folder and finds out when it loads."""


@dataclass(frozen=True)
class Bundle:
    """A package that carries its model."""

    inside: str
    """Folder of the model, inside the package's own."""
    platforms: tuple[tuple[str, str], ...] = ()
    """Pairs of ``sys.platform`` and ``platform.machine()`` that have a wheel; empty: any, since it can be built."""
    platforms_say: str = ""
    """The same for people."""


BUNDLES: Mapping[str, Bundle] = MappingProxyType(
    {
        "moonshine-voice": Bundle(
            inside="assets/tiny-en",
            platforms=(("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")),
            platforms_say="Linux (x86-64 or arm64, glibc 2.34 or later), macOS 15 on Apple silicon, and Windows",
        ),
        "pocketsphinx": Bundle(inside="model/en-us/en-us"),
    }
)
"""By package name as pip has it."""

_MB = 1_000_000
_WHISPER_CODES = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml cy "
    "sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo "
    "uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su"
)
_WHISPER_LANGUAGES = tuple(_WHISPER_CODES.split())
_WHISPER_V3_LANGUAGES = (*_WHISPER_LANGUAGES, "yue")
_CT2_FILES = ("config.json", "model.bin", "tokenizer.json", "preprocessor_config.json", "vocabulary.*")
_TORCH_QUANTISED: tuple[Dtype, ...] = ("float32", "bfloat16", "float16", "int8", "int4")
_TORCH_ON_ANY: tuple[DeviceKind, ...] = ("cpu", "cuda", "rocm", "mps", "xpu")


def _whisper(model: str, label: str, millions: int, megabytes: int, languages: tuple[str, ...], license_: str) -> RunnerSpec:
    return RunnerSpec(
        family="whisper",
        label=label,
        target="runners.whisper:Whisper",
        model=model,
        is_default=model == "openai/whisper-small",
        parameters=millions * 1_000_000,
        languages=languages,
        license=license_,
        requires=("transformers", "torch"),
        size_bytes=megabytes * _MB,
        devices=_TORCH_ON_ANY,
        can_choose_language=True,
        has_word_times=True,
        has_segment_times=True,
    )


def _faster_whisper(model: str, label: str, millions: int, megabytes: int, languages: tuple[str, ...]) -> RunnerSpec:
    dtypes: tuple[Dtype, ...] = ("int8", "float16", "int8_float16", "float32")
    return RunnerSpec(
        family="faster-whisper",
        label=label,
        target="runners.faster_whisper:FasterWhisper",
        model=model,
        is_default=model == "Systran/faster-whisper-small",
        parameters=millions * 1_000_000,
        languages=languages,
        license="MIT",
        requires=("faster-whisper",),
        size_bytes=megabytes * _MB,
        files=_CT2_FILES,
        dtypes=dtypes,
        devices=("cpu", "cuda"),
        can_choose_language=True,
        has_word_times=True,
        has_segment_times=True,
    )


def _ctc(model: str, label: str, millions: int, megabytes: int, license_: str) -> RunnerSpec:
    return RunnerSpec(
        family="ctc",
        label=label,
        target="runners.ctc:Ctc",
        model=model,
        is_default=model == "facebook/wav2vec2-base-960h",
        parameters=millions * 1_000_000,
        languages=("en",),
        license=license_,
        requires=("transformers", "torch"),
        size_bytes=megabytes * _MB,
        devices=_TORCH_ON_ANY,
        has_word_times=True,
    )


RUNNERS: tuple[RunnerSpec, ...] = (
    RunnerSpec(
        family="moonshine",
        label="Moonshine tiny",
        target="runners.moonshine:Moonshine",
        is_default=True,
        parameters=27_000_000,
        languages=("en",),
        license="MIT",
        requires=("moonshine-voice>=0.0.60,<0.1",),  # later wheels leave the weights out
        dtypes=("int8",),
        devices=("cpu",),
        has_segment_times=True,
    ),
    RunnerSpec(
        family="pocketsphinx",
        label="PocketSphinx",
        target="runners.pocketsphinx:PocketSphinx",
        is_default=True,
        languages=("en",),
        license="BSD-2-Clause",
        requires=("pocketsphinx",),
        dtypes=("float32",),
        devices=("cpu",),
        has_word_times=True,
    ),
    _whisper("openai/whisper-tiny", "Whisper tiny", 39, 155, _WHISPER_LANGUAGES, "Apache-2.0"),
    _whisper("openai/whisper-base", "Whisper base", 74, 295, _WHISPER_LANGUAGES, "Apache-2.0"),
    _whisper("openai/whisper-small", "Whisper small", 244, 972, _WHISPER_LANGUAGES, "Apache-2.0"),
    _whisper("openai/whisper-medium", "Whisper medium", 769, 3060, _WHISPER_LANGUAGES, "Apache-2.0"),
    _whisper("openai/whisper-large-v3", "Whisper large-v3", 1550, 3092, _WHISPER_V3_LANGUAGES, "Apache-2.0"),
    _whisper("openai/whisper-large-v3-turbo", "Whisper large-v3-turbo", 809, 1623, _WHISPER_V3_LANGUAGES, "MIT"),
    _whisper("distil-whisper/distil-large-v3.5", "Distil-Whisper large-v3.5", 756, 3030, ("en",), "MIT"),
    _faster_whisper("Systran/faster-whisper-tiny", "faster-whisper tiny", 39, 78, _WHISPER_LANGUAGES),
    _faster_whisper("Systran/faster-whisper-base", "faster-whisper base", 74, 148, _WHISPER_LANGUAGES),
    _faster_whisper("Systran/faster-whisper-small", "faster-whisper small", 244, 486, _WHISPER_LANGUAGES),
    _faster_whisper("Systran/faster-whisper-medium", "faster-whisper medium", 769, 1531, _WHISPER_LANGUAGES),
    _faster_whisper("Systran/faster-whisper-large-v3", "faster-whisper large-v3", 1550, 3091, _WHISPER_V3_LANGUAGES),
    _faster_whisper(
        "deepdml/faster-whisper-large-v3-turbo-ct2", "faster-whisper large-v3-turbo", 809, 1621, _WHISPER_V3_LANGUAGES
    ),
    _faster_whisper("Systran/faster-distil-whisper-large-v3", "faster-whisper distil-large-v3", 756, 1516, ("en",)),
    _ctc("facebook/wav2vec2-base-960h", "wav2vec 2.0 base", 94, 378, "Apache-2.0"),
    _ctc("facebook/hubert-large-ls960-ft", "HuBERT large", 316, 1263, "Apache-2.0"),
    _ctc("facebook/data2vec-audio-base-960h", "data2vec audio base", 93, 373, "Apache-2.0"),
    # Its adapters for other languages, 9 MB each, are not fetched; a folder that has them can be told the language.
    _ctc("facebook/mms-1b-all", "MMS 1B (its English adapter)", 965, 3860, "CC-BY-NC-4.0"),
    RunnerSpec(
        family="phi4-multimodal",
        label="Phi-4-multimodal",
        target="runners.phi4_multimodal:Phi4Multimodal",
        model="microsoft/Phi-4-multimodal-instruct",
        revision="refs/pr/70",  # its main branch holds a form that runs code of its own
        is_default=True,
        parameters=5_574_000_000,  # with its adapter for pictures, which is not fetched
        languages=("en", "zh", "de", "fr", "it", "ja", "es", "pt"),
        license="MIT",
        requires=("transformers", "torch", "peft>=0.20", "accelerate"),  # transformers 5.23 refuses an older peft
        # In bfloat16: language model 3.836, audio encoder 0.466, vision encoder 0.442 and speech adapter 0.461 billion.
        size_bytes=10_430 * _MB,
        dtypes=_TORCH_QUANTISED,
        devices=_TORCH_ON_ANY,
        has_segment_times=True,
        takes_prompt=True,
        can_chat=True,
        longest_prompt_seconds=1800,
        longest_transcribed_seconds=40,
        audio_tokens_per_second=12.5,
        folders=("speech-lora",),
        can_be_spread=True,
    ),
    RunnerSpec(
        family="qwen2-audio",
        label="Qwen2-Audio 7B",
        target="runners.qwen2_audio:Qwen2Audio",
        model="Qwen/Qwen2-Audio-7B-Instruct",
        is_default=True,
        parameters=8_397_000_000,
        languages=("en", "zh", "yue", "fr", "it", "es", "de", "ja"),
        license="Apache-2.0",
        requires=("transformers", "torch", "accelerate"),
        size_bytes=16_800 * _MB,
        dtypes=_TORCH_QUANTISED,
        devices=_TORCH_ON_ANY,
        has_segment_times=True,
        takes_prompt=True,
        can_chat=True,
        longest_prompt_seconds=240,
        longest_transcribed_seconds=30,
        audio_tokens_per_second=25,
        can_be_spread=True,
    ),
    RunnerSpec(
        family=SCRIPTED,
        label="Scripted",
        target="runners.scripted:Scripted",
        is_default=True,
        dtypes=("float32",),
        devices=("cpu",),
        can_choose_language=True,
        has_word_times=True,
        has_segment_times=True,
        takes_prompt=True,
        can_chat=True,
    ),
)

FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(spec.family for spec in RUNNERS))


def spec_for(name: str) -> RunnerSpec:
    """The row that a name means: ``family``, ``family:model`` or ``family:model@revision``.

    A model of no row gets its family's abilities, and None for what cannot be known without loading it.

    Raises:
        UnknownRunner: no such family, or what follows the colon is neither a hub id nor a folder.
    """
    family, colon, rest = name.partition(":")
    family = family.strip()
    default = next((spec for spec in RUNNERS if spec.family == family and spec.is_default), None)
    if default is None:
        raise _unknown_family(family)
    if not colon:
        return default
    if not rest.strip() or any(ord(character) < 32 for character in rest):
        raise UnknownRunner(f"{name!r} names no model after the colon.", f'Write "{family}", or {_FORM}.')
    if family == SCRIPTED:
        return replace(default, model=rest, label=_last_part(rest), is_default=False)
    if default.model is None:
        raise UnknownRunner(
            f"{default.label} carries its model inside its package; another cannot be named.", f'Write just "{family}".'
        )
    if is_folder(rest):
        return _added(default, _folder_name(rest), None)
    model, at, revision = rest.strip().partition("@")
    if not _is_hub_id(model) or (at and not _is_revision(revision)):
        raise _not_a_model(family, rest)
    row = next((spec for spec in RUNNERS if spec.family == family and spec.model == model), None)
    if row is None:
        return _added(default, model, revision or None)
    # A row's own revision in so many words is the row itself, so that it has one name.
    return replace(row, revision=revision, is_default=False) if revision and revision != row.revision else row


def check_family(spec: RunnerSpec, model_type: str | None, architectures: tuple[str, ...], kind: Format) -> None:
    """Refuse a checkpoint that is not one of the system's family, by what its ``config.json`` says.

    Raises:
        WeightsUnavailable: with the name to use instead, where another family takes such a checkpoint.
    """
    expected = CHECKPOINTS.get(spec.family)
    if expected is None or spec.model is None or expected.fits(model_type, architectures, kind):
        return
    others = [
        family
        for family, each in CHECKPOINTS.items()
        if family != spec.family
        and (architectures or not each.architecture_ending)
        and each.fits(model_type, architectures, kind)
    ]
    known = others and (model_type is not None or kind == "ctranslate2")
    name = spec.name.partition(":")[2]
    raise WeightsUnavailable(
        f"{local_folder(spec.model).name if is_folder(spec.model) else spec.model} holds a model of type "
        f"{model_type or (architectures[0] if architectures else kind)!r}, not {expected.says}.",
        f"Name it as {' or '.join(f'{family}:{name}' for family in others)}." if known else "Name another model.",
    )


def offered(settings: Settings) -> tuple[RunnerSpec, ...]:
    """The systems that these settings offer, in order, each once.

    Raises:
        UnknownRunner: a name in ``runners``, ``extra_runners`` or ``disabled_runners`` is not known, or none is offered.
    """
    if settings.runners is None:
        specs = [spec for spec in RUNNERS if spec.family != SCRIPTED]
    else:
        specs = [spec_for(name) for name in settings.runners]
    specs += [spec_for(name) for name in settings.extra_runners]
    for name in settings.disabled_runners:  # one that is misspelt would switch nothing off
        spec_for(name)
    if not specs:
        raise UnknownRunner("No system is named.", f"Name at least one: {', '.join(FAMILIES)}.")
    return tuple({spec.name: spec for spec in specs}.values())


_FORM = "family:model[@revision], where model is a hub id such as openai/whisper-small, or a folder such as ./my-whisper"
_HUB_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
_LONGEST_HUB_ID = 96  # the hub's own limit


def _is_hub_id(model: str) -> bool:
    """True for ``organisation/name`` as the hub allows it: no path tricks, no address."""
    return (
        len(model) <= _LONGEST_HUB_ID
        and re.fullmatch(f"{_HUB_PART}/{_HUB_PART}", model) is not None
        and "--" not in model  # the hub's cache writes "/" so
        and ".." not in model
        and not model.endswith(".git")
    )


def _is_revision(revision: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}", revision) is not None and ".." not in revision


def _added(default: RunnerSpec, model: str, revision: str | None) -> RunnerSpec:
    heard = CHECKPOINTS.get(default.family)
    return replace(
        default,
        model=model,
        revision=revision,
        label=_last_part(model),
        is_default=False,
        parameters=None,
        languages=None,
        license=None,
        size_bytes=None,
        files=(),
        gated=False,
        needs_gpu=False,
        can_choose_language=default.can_choose_language or (heard is not None and heard.may_choose_language),
    )


def _folder_name(folder: str) -> str:
    """The folder as it was written, without a trailing slash, and never to be mistaken for a hub id."""
    bare = folder.rstrip(_slashes(folder))
    if not bare or bare.endswith(":"):  # the root itself
        return folder
    return bare if looks_like_path(bare) else f"./{bare}"


def _last_part(model: str) -> str:
    return next((part for part in reversed(re.split(f"[{re.escape(_slashes(model))}]", model)) if part), model)


def _slashes(folder: str) -> str:
    """What separates the parts of a path: a backslash is an ordinary letter except where Windows wrote the path."""
    return "/\\" if re.match(r"[A-Za-z]:[\\/]|\.{0,2}\\", folder) else "/"


def _unknown_family(family: str) -> UnknownRunner:
    known = {spec.name.casefold(): spec.name for spec in RUNNERS}
    known |= {spec.model.rpartition("/")[2].casefold(): spec.name for spec in RUNNERS if spec.model}
    close = get_close_matches(family.casefold(), known, n=1)
    hint = f'Did you mean "{known[close[0]]}"? ' if close else ""
    return UnknownRunner(
        f"There is no system called {family!r}.", f"{hint}The families are: {', '.join(FAMILIES)}. Write a family, or {_FORM}."
    )


def _not_a_model(family: str, rest: str) -> UnknownRunner:
    rows = {spec.model.casefold(): spec.name for spec in RUNNERS if spec.family == family and spec.model}
    rows |= {model.rpartition("/")[2]: name for model, name in rows.items()}
    rows |= {model.removeprefix("whisper-").removeprefix("faster-whisper-"): name for model, name in rows.items()}
    close = get_close_matches(rest.casefold(), rows, n=1)
    hint = f'Did you mean "{rows[close[0]]}"? ' if close else ""
    return UnknownRunner(f"{rest!r} is neither a folder here nor a model's id on the hub.", f"{hint}Write {_FORM}.")
