"""How a name becomes a row: ``family`` (its default model), or ``family:model[@revision]``, a hub id or a local folder.

After either may come what it runs in and on, ``+precision`` and ``+device``: "whisper+bfloat16", "ctc:./mine+float32+cuda".
What a server has is ``openai:model@server``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import get_args

from runners.base import DeviceKind, Dtype, RunnerError, RunnerSpec, WeightsUnavailable
from runners.catalogue import servers
from runners.catalogue.rows import CHECKPOINTS, FAMILIES, RUNNERS, SCRIPTED
from runners.here.weights import Format, is_folder, local_folder, looks_like_path
from runners.settings import Settings, where_set


class UnknownRunner(RunnerError):
    """A name that no system answers to."""


def spec_for(name: str, settings: Settings | None = None) -> RunnerSpec:
    """The row that a name means: ``family[:model[@revision]][+precision][+device]``.

    A model of no row gets its family's abilities, and None for what cannot be known without loading it.

    Args:
        settings: with rows, labels and servers of the deployer's; None knows Earshot's own rows alone.

    Raises:
        UnknownRunner: no such family, what follows the colon is neither a hub id nor a folder, or no such server.
    """
    return _find(name, rows(settings), settings)


def split_asked(name: str) -> tuple[str, Dtype | None, DeviceKind | None]:
    """A name without what it asks for, then the precision and the device; a + in the path of what is there is the path's."""
    dtype: Dtype | None = None
    device: DeviceKind | None = None
    while True:
        rest, plus, last = name.rpartition("+")
        if not plus or is_here(name.partition(":")[2]):
            return name, dtype, device
        asked_dtype, asked_device = _DTYPES.get(last.strip()), _DEVICES.get(last.strip())
        if asked_dtype is not None and dtype is None:
            dtype = asked_dtype
        elif asked_device is not None and device is None:
            device = asked_device
        else:
            return name, dtype, device
        name = rest  # a space in front of the + may be the end of a folder's name


def is_here(model: str) -> bool:
    """True if a path is there, whatever it is."""
    try:
        return bool(model) and (local_folder(model).exists() or Path(model).exists())
    except (OSError, ValueError):
        return False


def asking(spec: RunnerSpec, dtype: Dtype | None, device: DeviceKind | None) -> RunnerSpec:
    """A system in that precision on that device, a contender of its own beside the system as it is.

    Raises:
        UnknownRunner: it does not run on this machine, so that neither can be chosen.
    """
    if dtype is None and device is None:
        return spec
    if spec.server is not None:
        raise UnknownRunner(
            f"{spec.label} runs on a server, which chooses device and precision.", "Leave out what follows the last +."
        )
    says = ", ".join(part for part in (dtype, _DEVICES_SAY[device] if device is not None else None) if part)
    return replace(spec, asked_dtype=dtype, asked_device=device, label=f"{spec.label} ({says})")


def rows(settings: Settings | None = None) -> tuple[RunnerSpec, ...]:
    """Earshot's rows, then those of the settings' servers and models; with the settings' labels.

    Raises:
        UnknownRunner: the settings name a model that is none, or one of them twice.
    """
    if settings is None:
        return RUNNERS
    served: list[RunnerSpec] = []
    for name, server in settings.servers.items():
        try:
            served += servers.rows_of({name: server})
        except servers.UnknownServer as wrong:
            raise UnknownRunner(f"{where_set(('servers', name), server)}: {wrong}", wrong.fix) from wrong
    found = {row.name: row for row in (*RUNNERS, *served)}
    told: set[str] = set()
    for place, model in enumerate(settings.models):
        spec = _of_setting(model.name, tuple(found.values()), settings, ("models", place, "name"))
        if spec.name in told:
            raise UnknownRunner(
                f"{where_set(('models', place, 'name'), model.name)}: {model.name!r} is said something of twice.",
                "Write both into one [[models]].",
            )
        told.add(spec.name)
        found[spec.name] = model.applied_to(spec)
    return tuple(found.values())


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
    """The systems that these settings offer, in order, each once: those that ``runners`` names, or all rows there are.

    Raises:
        UnknownRunner: a name in ``runners``, ``extra_runners``, ``disabled_runners`` or ``models`` is not known, or none is
            offered; with the place where that name stands.
    """
    known = rows(settings)

    def named(field: str, names: Sequence[str]) -> list[RunnerSpec]:
        return [_of_setting(name, known, settings, (field, place)) for place, name in enumerate(names)]

    if settings.runners is None:
        unasked = {row.name for row in RUNNERS if row.family == SCRIPTED}  # one that [[models]] adds is asked for
        specs = [spec for spec in known if spec.name not in unasked]
    else:
        specs = named("runners", settings.runners)
    specs += named("extra_runners", settings.extra_runners)
    named("disabled_runners", settings.disabled_runners)  # one that is misspelt would switch nothing off
    hidden = {_find(model.name, known, settings).name for model in settings.models if model.hidden}
    specs = [spec for spec in specs if spec.name not in hidden]
    if not specs:
        raise UnknownRunner("No system is named.", f"Name at least one: {', '.join(FAMILIES)}.")
    return tuple({spec.name: spec for spec in specs}.values())


def offered_spec(name: str, settings: Settings) -> RunnerSpec | None:
    """The offered system of a name; one of them in a precision or on a device of the name's choice counts as offered."""
    here = {spec.name: spec for spec in offered(settings)}
    try:
        spec = spec_for(name, settings)
    except UnknownRunner:
        return None
    as_it_is = replace(spec, asked_dtype=None, asked_device=None).name
    return spec if spec.name in here or as_it_is in here else None


def choices(name: str, specs: Sequence[RunnerSpec]) -> str:
    """What else could be chosen, for whoever named what is not offered: all names, or those that come close to it."""
    known = [spec.name for spec in specs]
    if len(known) > _MOST_NAMES:
        known = get_close_matches(name, known, n=3, cutoff=0.5) or known[:_MOST_NAMES]
    left = len(specs) - len(known)
    return ", ".join(known) + (f", and {left} more" if left else "")


_MOST_NAMES = 12
"""That a sentence can hold."""

_DTYPES: Mapping[str, Dtype] = MappingProxyType({dtype: dtype for dtype in get_args(Dtype)})
_DEVICES: Mapping[str, DeviceKind] = MappingProxyType({kind: kind for kind in get_args(DeviceKind)})
_DEVICES_SAY: Mapping[DeviceKind, str] = MappingProxyType(
    {"cpu": "CPU", "cuda": "CUDA", "rocm": "ROCm", "mps": "MPS", "xpu": "XPU"}
)


def _find(name: str, known: tuple[RunnerSpec, ...], settings: Settings | None) -> RunnerSpec:
    by_name = {row.name: row for row in known}
    exact = by_name.get(name)
    if exact is not None and (exact.server is not None or _asks(exact)):  # the model of a server may have a + in its name
        return exact
    bare, dtype, device = split_asked(name)
    spec = _model_named(bare, known, settings)
    spec = asking(by_name.get(spec.name, spec), dtype, device)
    return by_name.get(spec.name, spec)


def _model_named(name: str, known: tuple[RunnerSpec, ...], settings: Settings | None) -> RunnerSpec:
    """The row of a name that asks for no precision or device."""
    family, colon, rest = name.partition(":")
    family = family.strip()
    if family == servers.FAMILY:
        return _served(rest, known, settings)
    default = next((spec for spec in known if spec.family == family and spec.is_default and not _asks(spec)), None)
    if default is None:
        raise _unknown_family(family, known)
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
        raise _not_a_model(family, rest, known)
    row = next((spec for spec in known if spec.family == family and spec.model == model and not _asks(spec)), None)
    if row is None:
        return _added(default, model, revision or None)
    # A row's own revision in so many words is the row itself, so that it has one name.
    return replace(row, revision=revision, is_default=False) if revision and revision != row.revision else row


def _asks(spec: RunnerSpec) -> bool:
    return spec.asked_dtype is not None or spec.asked_device is not None


def _served(rest: str, known: tuple[RunnerSpec, ...], settings: Settings | None) -> RunnerSpec:
    """What a server has, by ``model@server``, or ``model`` alone where only one server can be meant."""
    there = settings.servers if settings is not None else {}
    rest = rest.strip()
    if not rest:
        raise UnknownRunner("What is served has a name after the colon.", "Write openai:MODEL@SERVER.")
    model, at, server = rest.rpartition("@")
    whole = not at or (server not in there and any(row.server is not None and row.model == rest for row in known))
    try:
        spec = servers.served(rest, None, there) if whole else servers.served(model, server, there)
    except servers.UnknownServer as wrong:
        raise UnknownRunner(str(wrong), wrong.fix) from wrong
    return next((row for row in known if row.name == spec.name), spec)


def _of_setting(name: str, known: tuple[RunnerSpec, ...], settings: Settings, path: tuple[str | int, ...]) -> RunnerSpec:
    try:
        return _find(name, known, settings)
    except UnknownRunner as wrong:
        raise UnknownRunner(f"{where_set(path, name)}: {wrong}", wrong.fix) from wrong


_FORM = (
    "family:model[@revision][+precision][+device], where model is a hub id such as openai/whisper-small, "
    "or a folder such as ./my-whisper"
)
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
        understands_others=False,
        license=None,
        size_bytes=None,
        stored_dtype=None,
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


def _unknown_family(family: str, known: tuple[RunnerSpec, ...]) -> UnknownRunner:
    bare, plus, asked = family.partition("+")
    if plus and any(spec.family == bare.strip() for spec in known):
        return _not_asked(family, asked)
    names = {spec.name.casefold(): spec.name for spec in known}
    names |= {spec.model.rpartition("/")[2].casefold(): spec.name for spec in known if spec.model}
    close = get_close_matches(family.casefold(), names, n=1)
    hint = f'Did you mean "{names[close[0]]}"?' if close else f"The families are: {', '.join(FAMILIES)}."
    return UnknownRunner(f"There is no system called {family!r}.", f"{hint} Write a family, or {_FORM}.")


def _not_asked(name: str, asked: str) -> UnknownRunner:
    """What follows a + is neither a precision nor a device, or is a second one."""
    last = asked.rpartition("+")[2].strip()
    close = get_close_matches(last.casefold(), [*_DTYPES, *_DEVICES], n=1, cutoff=0.5)
    hint = f'Did you mean "+{close[0]}"? ' if close and close[0] != last else ""
    return UnknownRunner(
        f"In {name!r}, {last!r} is no precision or device, or there are two.",
        f"{hint}Precisions: {', '.join(_DTYPES)}. Devices: {', '.join(_DEVICES)}. One of each at most.",
    )


def _not_a_model(family: str, rest: str, known: tuple[RunnerSpec, ...]) -> UnknownRunner:
    model, plus, asked = rest.partition("+")
    if plus and _is_hub_id(model.strip().partition("@")[0]):
        return _not_asked(f"{family}:{rest}", asked)
    names = {spec.model.casefold(): spec.name for spec in known if spec.family == family and spec.model}
    names |= {model.rpartition("/")[2]: name for model, name in names.items()}
    names |= {model.removeprefix("whisper-").removeprefix("faster-whisper-"): name for model, name in names.items()}
    close = get_close_matches(rest.casefold(), names, n=1)
    hint = f'Did you mean "{names[close[0]]}"? ' if close else ""
    return UnknownRunner(f"{rest!r} is neither a folder here nor a model's id on the hub.", f"{hint}Write {_FORM}.")
