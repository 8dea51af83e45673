"""Which licences of weights are open: anybody may use them, for anything, if they say whose they are.

Everything else is for the reader to read: licences that forbid a use, that ask for an account, or that are a company's own.
"""

from __future__ import annotations

OPEN = ("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-4.0", "CC-BY-3.0", "CC0-1.0", "ISC", "Unlicense")
"""SPDX identifiers, of those that catalogues of speech models use."""


def is_open(license_: str | None) -> bool | None:
    """Whether a licence is open; None if it is not known."""
    return None if license_ is None else license_ in OPEN
