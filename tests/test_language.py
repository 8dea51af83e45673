"""A transcript in another language than was spoken is known by its script, or as English among others."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.beyond.hallucinations import flags
from comparisons.beyond.language import otherness
from runners.base import Transcript

ENGLISH = "Yesterday the committee met to look at the plans for the new bridge, and most of them were not happy with it."
GERMAN = "Gestern traf sich der Ausschuss, um die Pläne für die neue Brücke anzusehen, und die meisten waren nicht zufrieden."
RUSSIAN = "Вчера комитет собрался, чтобы посмотреть планы нового моста."
JAPANESE = "昨日、委員会は新しい橋の計画を見るために集まりました。"
CHINESE = "昨天委员会开会讨论了新桥的计划，大多数人都不满意。"
KOREAN = "어제 위원회는 새 다리의 계획을 보려고 모였습니다."


@pytest.mark.parametrize(
    ("text", "reference", "told"),
    [
        (ENGLISH, RUSSIAN, "It is written in Latin letters, the reference in Cyrillic letters"),
        (RUSSIAN, ENGLISH, "It is written in Cyrillic letters, the reference in Latin letters"),
        (CHINESE, JAPANESE, "It is written in Chinese characters, the reference in Kana"),
        (KOREAN, ENGLISH, "It is written in Hangul, the reference in Latin letters"),
        (ENGLISH, GERMAN, "It looks like English, the reference does not"),
        (GERMAN, ENGLISH, "It does not look like English, the reference does"),
    ],
)
def test_another_language_is_told(text: str, reference: str, told: str) -> None:
    assert otherness(text, reference) == told
    assert [(flag.suspicion, flag.text) for flag in flags(Transcript(text), 60, (), reference)] == [("other language", told)]


@pytest.mark.parametrize("text", [ENGLISH, GERMAN, RUSSIAN, JAPANESE, CHINESE, KOREAN])
def test_a_language_is_not_another_than_itself(text: str) -> None:
    assert otherness(text, text) is None
    assert otherness(text[: len(text) // 2], text) is None


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("", ENGLISH),
        (ENGLISH, ""),
        ("Ano", RUSSIAN),
        ("42 + 17 = 59", ENGLISH),
        ("東京タワー", "Tokyo Tower"),
        ("metformin lisinopril", "they gave her metformin and lisinopril in the morning before she left the house"),
        ("gestern Abend", ENGLISH),
        (f"iPhone 15 Pro {CHINESE}", CHINESE),
    ],
)
def test_too_little_says_nothing(text: str, reference: str) -> None:
    assert otherness(text, reference) is None


def test_what_a_poor_system_heard_is_still_english(speech_clips: Path) -> None:
    rows = [json.loads(line) for line in (speech_clips / "pocketsphinx-5.1.1.results.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) > 20
    for row in rows:
        assert otherness(row["hyp"], row["ref"]) is None, row["file"]


def test_real_references_differ_by_language(speech_clips: Path) -> None:
    rows = [json.loads(line) for line in (speech_clips / "manifest.jsonl").read_text("utf-8").splitlines()]
    rows = [row for row in rows if len(row["text"].split()) > 20 or row["language"] in ("zh", "ja")]
    assert {"en", "de", "zh", "ja"} <= {row["language"] for row in rows}
    for one, other in pairwise(rows):
        if one["language"] == other["language"]:
            assert otherness(one["text"], other["text"]) is None
        elif "en" in (one["language"], other["language"]):
            assert otherness(one["text"], other["text"]) is not None


@settings(max_examples=60)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_two_texts_can_be_held_against_each_other(text: str, reference: str) -> None:
    assert otherness(text, text) is None
    assert (otherness(text, reference) is None) == (otherness(reference, text) is None)
