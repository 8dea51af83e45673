"""How a name becomes a contender: ``family[:model[@revision]][+precision][+device][#template]``.

``runners.catalogue.names`` knows the systems, ``runners.prompts`` the templates; this puts the two together. The same words
serve on the command lines, in the API and on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from runners.base import Contender, Prompt, PromptError, RunnerSpec, TranscribeOptions
from runners.catalogue.names import is_here, spec_for, split_asked
from runners.prompts import Templates, render


def contender_for(
    name: str,
    templates: Templates,
    values: Mapping[str, str] = MappingProxyType({}),
    language: str | None = None,
    spec_for: Callable[[str], RunnerSpec] = spec_for,
) -> Contender:
    """The contender that a name means. Whether the system takes a prompt is found out when it runs (``check_options``).

    Args:
        values: of the templates' variables; those that this template lacks are left aside.
        language: ISO 639-1 code of the speech.
        spec_for: finds the system; a page that offers only some has its own.

    Raises:
        UnknownRunner: there is no such system.
        PromptError: there is no such template, or a variable of it has no value.
    """
    system, template = split_name(name)
    spec = spec_for(system)
    prompt: Prompt | None = None
    if template is not None:
        prompt = render(templates.get(template), values)
    return Contender(spec, TranscribeOptions(language=language, prompt=prompt))


def split_name(name: str) -> tuple[str, str | None]:
    """The system's name and the template's, None without one. A # in the path of a file or folder that is there is the path's.

    Raises:
        PromptError: nothing follows the #.
    """
    system, sign, template = name.rpartition("#")
    if not sign or is_here(split_asked(name)[0].partition(":")[2]):
        return name.strip(), None
    if not template.strip():
        raise PromptError(f"“{name}” names no prompt template after the #.", "Write its name there, or leave the # out.")
    return system.strip(), template.strip()


def unused(values: Mapping[str, str], names: Iterable[str], templates: Templates) -> list[str]:
    """The variables that none of these contenders' templates has, known or not.

    Raises:
        PromptError: there is no such template.
    """
    used = [templates.get(template) for _, template in map(split_name, names) if template is not None]
    return [value for value in values if not any(value in template.variables for template in used)]
