"""Prompt templates: task wording with ``{variables}``, and what is made of it. Plain data; no model's wire format.

A template says what a prompted system should do with a clip. ``render`` fills in its variables and gives a ``Prompt``, with
every gap named in one error, and with what a model would take for a control token made harmless. Built-in templates come
first; a deployer adds some in ``prompts.toml``, and each visitor has their own in the browser. A name means one wording.

    [ward-round]
    task = "transcription"
    label = "Ward round"
    text = "Transcribe the audio clip into text. Spell these terms exactly: {terms}."
    defaults = {terms = "bisoprolol, ramipril"}

Two braces stand for one: ``{{`` and ``}}``.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from runners.base import Prompt, PromptError, Task
from runners.control_tokens import is_blank
from runners.control_tokens import neutralised as neutralised

if TYPE_CHECKING:
    from runners.settings import Settings

Origin = Literal["built-in", "deployer", "own"]

TASKS: tuple[Task, ...] = get_args(Task)
VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        "terms": "names and words to expect, separated by commas",
        "sentences": "how many sentences",
        "language": "the language to write in, such as German",
        "question": "what you want to know about the clip",
        "topic": "what to look out for in the clip",
    }
)
"""Every variable that a template may have, and what it is, for people."""

LONGEST_NAME, LONGEST_LABEL, LONGEST_TEXT, LONGEST_VALUE = 40, 80, 8000, 2000
"""Characters; a question that somebody types may be as long as a template."""
MOST_TEMPLATES = 500
"""In one file, or one visitor's own."""
PROMPTS_FILE = "prompts.toml"
"""A deployer's templates, if it lies in the folder where Earshot is started and the settings name no other file."""

_VERSION = 1
_MOST_NAMED = 10  # more that is wrong than that need not be told at once
_VERSION_KEY = "earshot_prompts"
_NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{LONGEST_NAME - 1}}}")
_NAME_RULE = f"Use up to {LONGEST_NAME} small letters a to z, digits and hyphens, such as ward-round."
_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True)
class PromptTemplate:
    """Task wording with ``{variables}``. Everything in it is untrusted unless its origin is built-in."""

    name: str
    """What follows the # in a contender's name; up to 40 small letters, digits and hyphens."""
    task: Task
    text: str
    label: str
    """What people call it."""
    defaults: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Values of variables that nobody filled in."""
    origin: Origin = "built-in"

    @property
    def variables(self) -> tuple[str, ...]:
        return variables_in(self.text)

    def to_plain(self) -> dict[str, Any]:
        """What JSON can hold of it; ``template_from`` reads it back."""
        return {
            "name": self.name,
            "task": self.task,
            "label": self.label,
            "text": self.text,
            "defaults": dict(self.defaults),
        }


def variables_in(text: str) -> tuple[str, ...]:
    """The variables of a template's text, each once, in order; known or not. Stray braces are left to ``checked``."""
    return tuple(dict.fromkeys(found[1].strip() for found in _PART.finditer(text) if found[1] is not None))


def checked(template: PromptTemplate) -> PromptTemplate:
    """The template, if it can be used.

    Raises:
        PromptError: it has a bad name, task, label, text, brace, variable or default; says all that is wrong, and the fix.
    """
    faults = list(_faults(template))
    if faults:
        raise PromptError(
            f"The prompt template {_quoted(template.name)} cannot be used: " + " ".join(what for what, _ in faults),
            " ".join(dict.fromkeys(fix for _, fix in faults)),
        )
    return template


def _faults(template: PromptTemplate) -> Iterator[tuple[str, str]]:
    """What is wrong, and what to do about it."""
    if not _NAME.fullmatch(template.name):
        yield "Its name will not do.", _NAME_RULE
    if template.task not in TASKS:
        yield f"There is no task {_quoted(template.task)}.", f"Choose one of: {', '.join(TASKS)}."
    if is_blank(template.label) or len(template.label) > LONGEST_LABEL or re.search(r"[\x00-\x1f\x7f]", template.label):
        yield "Its label will not do.", f"Give it a label of one line, up to {LONGEST_LABEL} characters."
    if is_blank(template.text):
        yield "It says nothing.", "Write what the model should do with the clip."
    if len(template.text) > LONGEST_TEXT:
        yield f"It has {len(template.text):,} characters.", f"{LONGEST_TEXT:,} are taken at most."
        return
    if any(found[0] in "{}" for found in _PART.finditer(template.text)):
        yield "A brace stands alone.", "Write {{ or }} where a brace is meant, and {name} for a variable."
    unknown = [name for name in variables_in(template.text) if name not in VARIABLES]
    if unknown:
        yield f"It has variables that nobody knows: {_braced(unknown)}.", _which_variables(unknown)
    unknown = [name for name in template.defaults if name not in VARIABLES]
    if unknown:
        yield f"It has defaults for variables that nobody knows: {_braced(unknown)}.", _which_variables(unknown)
    for name, value in template.defaults.items():
        if len(value) > LONGEST_VALUE:
            yield f"Its default for {_braced([name])} is too long.", f"{LONGEST_VALUE:,} characters are taken at most."


def gaps(template: PromptTemplate, values: Mapping[str, str] = MappingProxyType({})) -> tuple[str, ...]:
    """The variables of a template that have neither a value nor a default."""
    filled = _filled(template, values)
    return tuple(name for name in variables_in(template.text) if name not in filled)


def render(template: PromptTemplate, values: Mapping[str, str] = MappingProxyType({})) -> Prompt:
    """The prompt that a template gives with these values, safe to put into any model's wire format.

    A blank value counts as none. Values of variables that the template does not have are left aside, so that several
    templates can share them.

    Raises:
        PromptError: the template cannot be used; or a variable is not known, has too long a value, or has none. Every such
            variable is named.
    """
    checked(template)
    unknown = [name for name in values if name not in VARIABLES]
    if unknown:
        raise PromptError(f"There is no variable {_braced(unknown)}.", _which_variables(unknown))
    variables = variables_in(template.text)
    long = [name for name in variables if len(values.get(name, "")) > LONGEST_VALUE]
    if long:
        raise PromptError(f"The value of {_braced(long)} is too long.", f"{LONGEST_VALUE:,} characters are taken at most.")
    missing = gaps(template, values)
    if missing:
        raise PromptError(
            f"The prompt template {_quoted(template.name)} lacks {_braced(missing)}.",
            "Say what each is: " + "; ".join(f"{name}, {VARIABLES[name]}" for name in missing) + ".",
        )
    filled = _filled(template, values)

    def part(found: re.Match[str]) -> str:
        return found[0][0] if found[1] is None else filled[found[1].strip()]

    # Neutralised once more as a whole: pieces that are harmless apart may be a control token side by side.
    return Prompt(template.name, template.task, neutralised(_PART.sub(part, template.text)).strip())


def typed(text: str, task: Task = "question") -> Prompt:
    """The prompt that somebody typed, braces and all.

    Raises:
        PromptError: it is blank or too long.
    """
    text = text.strip()
    if len(text) > LONGEST_TEXT:
        raise PromptError(f"The question has {len(text):,} characters.", f"{LONGEST_TEXT:,} are taken at most.")
    safe = neutralised(text).strip()
    if is_blank(safe):
        raise PromptError("Nothing is asked.", "Write a question, or choose a prompt template.")
    return Prompt(None, task, safe)


def _filled(template: PromptTemplate, values: Mapping[str, str]) -> dict[str, str]:
    """What stands for each variable of the template that has a value or a default, neutralised."""
    filled = {}
    for name in variables_in(template.text):
        for value in (values.get(name, ""), template.defaults.get(name, "")):
            safe = neutralised(value).strip()
            if not is_blank(safe):
                filled[name] = safe
                break
    return filled


def to_plain(templates: Iterable[PromptTemplate]) -> dict[str, Any]:
    """What an export holds, for JSON."""
    return {_VERSION_KEY: _VERSION, "templates": [template.to_plain() for template in templates]}


def from_plain(plain: Any, origin: Origin = "own") -> tuple[PromptTemplate, ...]:
    """The templates of an export.

    Raises:
        PromptError: it is no export, one of a later version, or something in it cannot be used, by name.
    """
    if not isinstance(plain, Mapping) or _VERSION_KEY not in plain or not isinstance(plain.get("templates"), list):
        raise PromptError("This is no export of prompt templates.", "Choose a file that Earshot's Export made.")
    if plain[_VERSION_KEY] != _VERSION:
        raise PromptError(
            f"The export has version {_quoted(plain[_VERSION_KEY])}; this Earshot knows version {_VERSION}.",
            "Use the Earshot that made it, or a later one.",
        )
    return _templates_from(plain["templates"], origin)


def read_file(path: Path, origin: Origin = "deployer") -> tuple[PromptTemplate, ...]:
    """The templates of a deployer's file: TOML with a table for each, or the JSON that the page exports.

    Raises:
        PromptError: it cannot be read, or something in it cannot be used; names the file, the template and the fix.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if path.suffix.casefold() == ".json":
            return from_plain(json.loads(text), origin)
        tables = tomllib.loads(text)
        bare = [name for name, table in tables.items() if not isinstance(table, dict)]
        if bare:
            raise PromptError(
                f"{_quoted(bare[0])} stands outside of a template.", "Begin each template with its name in brackets: [name]."
            )
        return _templates_from([{**table, "name": name} for name, table in tables.items()], origin)
    except OSError as error:
        raise PromptError(f"{path} cannot be read: {error.strerror}.", "Name a file with prompt templates.") from error
    except PromptError as error:
        raise PromptError(f"{path}: {error}", error.fix) from error
    except RecursionError as error:
        raise PromptError(f"{path} cannot be read: it is nested too deeply.", "Mend the file.") from error
    except ValueError as error:  # not UTF-8, no TOML, no JSON: each says where
        raise PromptError(f"{path} cannot be read: {error}.", "Mend the file there.") from error


def template_from(plain: Any, origin: Origin = "own") -> PromptTemplate:
    """One template from what ``PromptTemplate.to_plain`` gives; ``label`` and ``defaults`` may be left out.

    Raises:
        PromptError: it cannot be used.
    """
    if not isinstance(plain, Mapping) or not isinstance(plain.get("name"), str):
        raise PromptError("A prompt template has no name.", _NAME_RULE)
    name = _whole(plain["name"])
    known = ("name", "task", "label", "text", "defaults")
    unknown = [key for key in plain if key not in known]
    if unknown:
        close = get_close_matches(str(unknown[0]), known, n=1)
        raise PromptError(
            f"The prompt template {_quoted(name)} has a key that nobody knows: {_quoted(unknown[0])}.",
            f'Did you mean "{close[0]}"?' if close else f"A template has: {', '.join(known)}.",
        )
    label = plain.get("label", name.replace("-", " ").capitalize())
    defaults = plain.get("defaults", {})
    texts = {"task": plain.get("task"), "text": plain.get("text"), "label": label}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise PromptError(
                f"The prompt template {_quoted(name)} has no {key}.",
                f"Give it one of the tasks {', '.join(TASKS)}." if key == "task" else f"Give it a {key} in quotation marks.",
            )
    if not isinstance(defaults, Mapping) or not all(
        isinstance(key, str) and (isinstance(value, str) or type(value) is int) for key, value in defaults.items()
    ):
        raise PromptError(
            f"The defaults of the prompt template {_quoted(name)} are not names with values.",
            'Write them like this: defaults = {sentences = "3"}.',
        )
    values = {_whole(key): _whole(str(value)) for key, value in defaults.items()}
    return checked(PromptTemplate(name, plain["task"], _whole(plain["text"]), _whole(label), values, origin))


def _templates_from(plain: list[Any], origin: Origin) -> tuple[PromptTemplate, ...]:
    if len(plain) > MOST_TEMPLATES:
        raise PromptError(f"These are {len(plain):,} prompt templates.", f"{MOST_TEMPLATES} are taken at most.")
    found: dict[str, PromptTemplate] = {}
    for each in plain:
        template = template_from(each, origin)
        if template.name in found:
            raise PromptError(f"Two prompt templates are called {_quoted(template.name)}.", "Give one another name.")
        found[template.name] = template
    return tuple(found.values())


def _whose(template: PromptTemplate) -> str:
    return {
        "built-in": "a built-in template",
        "deployer": "a template of whoever runs this Earshot",
        "own": "another of your templates",
    }[template.origin]


def _whole(text: str) -> str:
    """Text without halves of surrogate pairs, which JSON can hold and no page, file or terminal takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _quoted(name: object) -> str:
    text = _whole(str(name))
    return f"“{text if len(text) <= 60 else text[:59] + '…'}”"


def _braced(names: Iterable[str]) -> str:
    shown = [f"{{{name if len(name) <= 40 else name[:39] + '…'}}}" for name in islice(names, _MOST_NAMED)]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + f" and {shown[-1]}"


def _which_variables(unknown: Iterable[str]) -> str:
    close = {name: get_close_matches(name.casefold(), VARIABLES, n=1) for name in islice(unknown, _MOST_NAMED)}
    hints = [f"Did you mean {_braced(near)} for {_braced([name])}?" for name, near in close.items() if near]
    return " ".join([*hints, f"The variables are: {', '.join(f'{{{name}}}' for name in VARIABLES)}."])


BUILT_IN: tuple[PromptTemplate, ...] = read_file(Path(__file__).with_name("built_in_prompts.toml"), "built-in")


@dataclass(frozen=True)
class Templates:
    """All prompt templates that somebody can use; each name once."""

    every: tuple[PromptTemplate, ...] = BUILT_IN

    @classmethod
    def of(cls, settings: Settings) -> Templates:
        """The built-in ones and the deployer's.

        Raises:
            PromptError: the deployer's file is missing where the settings name one, or something in it is wrong.
        """
        path = settings.prompts_file
        if path is None and Path(PROMPTS_FILE).is_file():
            path = Path(PROMPTS_FILE)
        return cls() if path is None else cls()._with(read_file(path), str(path))

    def with_own(self, own: Iterable[Mapping[str, Any]]) -> Templates:
        """These and a visitor's own, each as ``PromptTemplate.to_plain`` gives it.

        Raises:
            PromptError: naming the one that cannot be used, or whose name is taken.
        """
        return self._with(_templates_from(list(own), "own"), None)

    def _with(self, more: Iterable[PromptTemplate], where: str | None) -> Templates:
        taken = {template.name: template for template in self.every}
        for template in more:
            other = taken.get(template.name)
            if other is not None:
                raise PromptError(
                    f"{where + ': t' if where else 'T'}he name {_quoted(template.name)} is taken by {_whose(other)}.",
                    "Give yours another name.",
                )
            taken[template.name] = template
        return Templates(tuple(taken.values()))

    def get(self, name: str) -> PromptTemplate:
        """The template of that name.

        Raises:
            PromptError: there is none; with names that are close.
        """
        found = next((template for template in self.every if template.name == name), None)
        if found is None:
            names = [template.name for template in self.every]
            close = get_close_matches(name.casefold(), names, n=1)
            hint = f'Did you mean "{close[0]}"? ' if close else ""
            raise PromptError(f"There is no prompt template {_quoted(name)}.", f"{hint}There are: {', '.join(names)}.")
        return found

    def of_task(self, *tasks: Task) -> tuple[PromptTemplate, ...]:
        return tuple(template for template in self.every if template.task in tasks)

    def __iter__(self) -> Iterator[PromptTemplate]:
        return iter(self.every)

    def __len__(self) -> int:
        return len(self.every)

    def __contains__(self, name: object) -> bool:
        return any(template.name == name for template in self.every)
