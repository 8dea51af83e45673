"""How a name becomes a row: ``family`` (its default model), or ``family:model[@revision]``, a hub id or a local folder."""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import get_close_matches

from runners.base import RunnerError, RunnerSpec, WeightsUnavailable
from runners.catalogue.rows import CHECKPOINTS, FAMILIES, RUNNERS, SCRIPTED
from runners.here.weights import Format, is_folder, local_folder, looks_like_path
from runners.settings import Settings


class UnknownRunner(RunnerError):
    """A name that no system answers to."""


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
