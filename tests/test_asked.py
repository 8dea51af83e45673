"""What is asked for: a clip and contenders, and what a browser may send in their place."""

from __future__ import annotations

from typing import Any

import pytest

from comparisons.reference import Reference
from runners.settings import Settings
from ui.asked import asked, chosen_in, first_choice, ways
from ui.desk import Desk, Refused
from ui.lookout import Lookout
from ui.options import Wishes


@pytest.fixture
def desk() -> Desk:
    """Nothing runs on it."""
    return Desk(Settings(chosen=("whisper", "moonshine")), object(), Lookout())  # type: ignore[arg-type]


def test_a_deployers_choice_is_ticked_first(desk: Desk) -> None:
    assert first_choice(desk) == ["whisper", "moonshine"]


@pytest.mark.parametrize("value", [None, [], "moonshine", {}, {"chosen": "moonshine"}, {"chosen": [1, None, {}]}])
def test_a_browser_may_send_anything_as_its_choice(value: Any) -> None:
    assert chosen_in(value) == []


@pytest.mark.parametrize(
    ("path", "names", "says"),
    [(None, ["moonshine"], "no clip yet"), ("", ["moonshine"], "no clip yet"), ("a.wav", [], "No system")],
)
def test_what_is_missing_is_said_before_anything_is_read(desk: Desk, path: str | None, names: list[str], says: str) -> None:
    with pytest.raises(Refused, match=says) as told:
        asked(desk, path, "", Wishes(), names)
    assert told.value.fix


def test_automatic_rules_suit_the_language_and_the_reference() -> None:
    english, words = ways("", "", "en", Reference("hello world"))
    assert (english.name, words) == ("whisper-english", "wer")
    chinese, letters = ways("", "", "zh", Reference("你好世界"))
    assert chinese.name != english.name
    assert letters == "cer"
    basic, both = ways("none", "both", "en", None)
    assert (basic.name, both) == ("none", "both")
