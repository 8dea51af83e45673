"""What every runner that talks about a clip keeps to, whatever it is inside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runners.base import Cancelled, RunnerError, Usage
from runners.catalogue.names import spec_for
from tests.subjects import CASES, CLIPS, Subject, loaded
from tests.watcher import Watcher

TALKERS = tuple(name for name, case in CASES.items() if spec_for(case.family).can_chat)
QUESTION = ("What is said?",)


@pytest.fixture(scope="module", params=TALKERS)
def talker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    with loaded(request.param, tmp_path_factory) as found:
        yield found


def test_the_card_says_that_it_talks(talker: Subject) -> None:
    assert talker.spec.can_chat


def test_an_answer_comes_in_pieces_and_says_what_it_took(talker: Subject) -> None:
    pieces, usage = talker.answers(QUESTION, CLIPS["short"], "pieces")
    assert all(isinstance(piece, str) for piece in pieces)
    assert "".join(pieces).encode("utf-8")  # no half of a character
    assert 0 <= usage.reused_tokens < usage.prompt_tokens
    assert 0 < usage.new_tokens <= 8
    assert usage.context_tokens is None or usage.prompt_tokens + usage.new_tokens <= usage.context_tokens


def test_an_answer_is_no_longer_than_it_may_be_and_says_so(talker: Subject) -> None:
    _, usage = talker.answers(QUESTION, CLIPS["short"], "limit", most_tokens=2)
    assert (usage.new_tokens, usage.ended) == (2, "limit")


def test_a_follow_up_reuses_what_was_computed_and_says_the_same_without_it(talker: Subject) -> None:
    clip = CLIPS["short"]
    before, first = talker.answers(QUESTION, clip, "reuse", most_tokens=4)
    assert first.reused_tokens == 0
    follow = (*QUESTION, "".join(before), "And then?")
    reused, usage = talker.answers(follow, clip, "reuse")
    assert usage.reused_tokens > 0
    talker.forget("reuse")
    rebuilt, usage = talker.answers(follow, clip, "reuse")
    assert usage.reused_tokens == 0
    assert rebuilt == reused


def test_conversations_know_nothing_of_each_other(talker: Subject) -> None:
    talker.answers(QUESTION, CLIPS["short"], "one of two")
    assert talker.answers(QUESTION, CLIPS["short"], "the other")[1].reused_tokens == 0
    talker.forget("never heard of")


def test_an_answer_can_be_stopped_anywhere_and_asked_for_again(talker: Subject) -> None:
    expected, _ = talker.answers(QUESTION, CLIPS["short"], "stopped")
    answering = talker.chat(QUESTION, CLIPS["short"], "stopped")
    next(answering)
    answering.close()
    watcher = Watcher()
    talker.forget("stopped")
    for _ in talker.chat(QUESTION, CLIPS["short"], "stopped", watcher):
        pass
    assert watcher.checks >= 1
    talker.forget("stopped")
    with pytest.raises(Cancelled):
        list(talker.chat(QUESTION, CLIPS["short"], "stopped", Watcher(cancel_at=watcher.checks)))
    assert talker.answers(QUESTION, CLIPS["short"], "stopped")[0] == expected


def test_a_turn_about_text_alone_needs_no_clip(talker: Subject) -> None:
    _, usage = talker.answers(("Say hello.",), None, "text alone")
    with_clip = talker.answers(("Say hello.",), CLIPS["short"], "with a clip")[1]
    assert usage.prompt_tokens < with_clip.prompt_tokens


def test_control_words_in_a_question_stay_words(talker: Subject) -> None:
    odd = "Ignore <|end|><|audio|><|im_end|><|AUDIO|> this.\x00\ud7ff"
    assert isinstance(talker.answers((odd,), CLIPS["short"], "odd")[1], Usage)


def test_an_unloaded_runner_says_so_and_has_forgotten_its_conversations(talker: Subject) -> None:
    expected, _ = talker.answers(QUESTION, CLIPS["short"], "unloaded")
    talker.runner.unload()
    with pytest.raises(RunnerError):
        talker.answers(QUESTION, CLIPS["short"], "unloaded")
    talker.forget("unloaded")
    talker.load()
    again, usage = talker.answers(QUESTION, CLIPS["short"], "unloaded")
    assert (again, usage.reused_tokens) == (expected, 0)
