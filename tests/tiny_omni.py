"""Tiny random checkpoints of networks that talk about a clip, built from each family's own config."""

from __future__ import annotations

from tests.case import Case

CASES: dict[str, Case] = {}
