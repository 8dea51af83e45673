"""Tiny random checkpoints of networks with a CTC head beyond the classics, built from each family's own config."""

from __future__ import annotations

from tests.case import Case

CASES: dict[str, Case] = {}
