"""Tiny random checkpoints of language models that write down what they hear, built from each family's own config."""

from __future__ import annotations

from tests.case import Case

CASES: dict[str, Case] = {}
