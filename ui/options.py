"""What a visitor asks of all systems they chose: the language, a translation, word times."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runners.base import Contender, RunnerSpec

_CODE = re.compile(r"[a-z]{2,3}([-_][a-z0-9]{2,8})*")


@dataclass(frozen=True)
class Wishes:
    """The value of ``ui.components.options_field``."""

    language: str | None = None
    """Code that those systems are told that can be told one."""
    spoken: str | None = None
    """Code of the clip's language; a sample's is known even where no chosen system can be told it."""
    translate_to: str | None = None
    word_times: bool = True
    is_binding: bool = False
    """True refuses a system that cannot be told the language; False leaves one that understands it to find it out."""

    @staticmethod
    def of(value: Any) -> Wishes:
        """A browser may send anything; what is no code counts as none."""
        given = value if isinstance(value, Mapping) else {}
        language = _code(given.get("language"))
        return Wishes(
            language,
            language or _code(given.get("spoken")),
            _code(given.get("translate_to")),
            given.get("word_times") is not False,
        )

    def told(self, contenders: Sequence[Contender]) -> list[Contender]:
        """The contenders with these options; what one of them cannot do is refused when it runs (``check_options``)."""
        return [
            replace(
                each,
                options=replace(
                    each.options,
                    language=None if self._is_found_out(each.spec) else self.language,
                    translate_to=self.translate_to,
                    word_times=self.word_times,
                ),
            )
            for each in contenders
        ]

    def _is_found_out(self, spec: RunnerSpec) -> bool:
        understands = self.language is None or spec.may_understand(self.language)
        return not self.is_binding and understands and not spec.can_choose_language and spec.languages != (self.language,)


def _code(value: Any) -> str | None:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None
