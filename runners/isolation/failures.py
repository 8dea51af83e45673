"""Failures as plain data: whatever a runner raised, in a sentence that a card can show, and back into an error."""

from __future__ import annotations

from runners import base
from runners.base import RunnerError
from runners.here import memory
from runners.isolation import wire

_LONGEST_SENTENCE = 600


def plain(error: BaseException) -> RunnerError:
    """Any failure as one that says what happened and what to do, no longer than a card can show."""
    if isinstance(error, RunnerError):
        kind: type[RunnerError] = next(
            (kind for kind in type(error).__mro__ if getattr(base, kind.__name__, None) is kind), RunnerError
        )
        fixed: RunnerError = kind(_sentence(str(error)), _sentence(error.fix) if error.fix else None)
        return fixed
    what = _sentence(f"{type(error).__name__}: {error}" if str(error).strip() else type(error).__name__)
    if isinstance(error, ModuleNotFoundError):
        return base.MissingPackage(f"The package {error.name!r} is not installed.", "Install the package that provides it.")
    if memory.is_shortage(error):
        return base.OutOfMemory(
            f"Not enough memory ({what}).", "Choose a smaller model or a smaller precision, or close other programs."
        )
    return RunnerError(what, "Run it again; if it fails again, the last lines of its log say more.")


def failure_message(error: RunnerError) -> wire.Message:
    """An error as plain data."""
    return {"type": type(error).__name__, "what": str(error), "fix": error.fix}


def failure_from(message: wire.Message) -> RunnerError:
    """The error that ``failure_message`` made plain; a type that is not known here is a plain ``RunnerError``."""
    kind = getattr(base, str(message.get("type")), None)
    if not (isinstance(kind, type) and issubclass(kind, RunnerError)):
        kind = RunnerError
    fix = message.get("fix")
    failure: RunnerError = kind(str(message.get("what")), None if fix is None else str(fix))
    return failure


def _sentence(text: str) -> str:
    text = wire.printable(text).strip()
    return text if len(text) <= _LONGEST_SENTENCE else text[: _LONGEST_SENTENCE - 1] + "…"
