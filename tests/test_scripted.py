"""A script is played as written, and a wrong one says which step is wrong."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

from runners import scripted
from runners.base import (
    AudioError,
    Cancelled,
    ChatOptions,
    Clip,
    DeviceUnfit,
    ModelLoadError,
    Placement,
    Prompt,
    RunnerError,
    RunnerSpec,
    TranscribeOptions,
    Turn,
    UnsupportedOption,
    Usage,
    Word,
)
from runners.scripts import reading
from tests import answers

CLIP = Clip(np.zeros(160, np.float32), 0.01, "silence.wav")


class Told:
    """Keeps what a runner tells."""

    def __init__(self, cancel_at: str | None = None) -> None:
        self.texts: list[str] = []
        self.cancel = threading.Event()
        self._cancel_at = cancel_at

    def downloading(self, done_bytes, total_bytes):
        raise AssertionError("a script has nothing to download")

    def partial(self, text):
        self.texts.append(text)
        if text == self._cancel_at:
            self.cancel.set()

    def check(self):
        if self.cancel.is_set():
            raise Cancelled


def load(model: str | None, told: Told, placement: Placement | None = None) -> scripted.Scripted:
    spec = RunnerSpec(family="scripted", label="Scripted", target="runners.scripted:Scripted", model=model)
    runner = scripted.Scripted(spec)
    runner.load(None, placement or Placement(), told)
    return runner


def answer(runner: scripted.Scripted, *said: str, clip: Clip | None = CLIP, told: Told | None = None, **options):
    """The pieces of an answer to the last of these turns, the user's and the runner's by turns, and what it took."""
    turns = tuple(Turn("assistant" if number % 2 else "user", text) for number, text in enumerate(said))
    chatting = runner.chat(clip, turns, ChatOptions(options.pop("conversation", "one"), **options), told or Told())
    return answers.pieces(chatting)


@pytest.fixture
def play(tmp_path):
    """Write a script and load it."""

    def write(script, told: Told | None = None, placement: Placement | None = None) -> scripted.Scripted:
        path = tmp_path / "script.json"
        path.write_text(script if isinstance(script, str) else json.dumps(script), encoding="utf-8")
        return load(str(path), told or Told(), placement)

    return write


def test_it_says_what_the_script_says_bit_by_bit(play):
    told = Told()
    runner = play({"takes": [[{"say": "one "}, {"wait": 0.01}, {"say": "two"}, {"words": [["one"], ["two", 0.1, 0.2, None]]}]]})
    transcript = runner.transcribe(CLIP, TranscribeOptions(language="en"), told)
    assert transcript.text == "one two"
    assert transcript.words == (Word("one"), Word("two", 0.1, 0.2))
    assert transcript.language == "en"
    assert told.texts == ["one ", "one two"]


def test_takes_follow_each_other_and_then_run_out(play):
    runner = play({"takes": [[{"say": "first"}], []]})
    assert [runner.transcribe(CLIP, TranscribeOptions(), Told()).text for _ in range(2)] == ["first", ""]
    with pytest.raises(RunnerError, match="2 takes"):
        runner.transcribe(CLIP, TranscribeOptions(), Told())


def test_a_repeating_script_begins_again(play):
    runner = play({"takes": [[{"say": "a"}], [{"say": "b"}]], "repeat": True})
    assert [runner.transcribe(CLIP, TranscribeOptions(), Told()).text for _ in range(5)] == ["a", "b", "a", "b", "a"]


def test_a_wait_ends_when_somebody_asks_to_stop(play):
    told = Told(cancel_at="now")
    runner = play({"takes": [[{"say": "now"}, {"wait": 3600}]]})
    with pytest.raises(Cancelled):
        runner.transcribe(CLIP, TranscribeOptions(), told)


def test_it_fails_in_the_way_that_the_script_asks_for(play):
    runner = play({"takes": [[{"raise": "no", "fix": "yes", "kind": "audio"}]]})
    with pytest.raises(AudioError, match="no") as caught:
        runner.transcribe(CLIP, TranscribeOptions(), Told())
    assert caught.value.fix == "yes"


def test_it_can_fail_while_loading(play):
    with pytest.raises(ModelLoadError, match="damaged"):
        play({"load": [{"raise": "damaged", "kind": "load"}]})


def test_a_prompt_chooses_its_take_and_others_follow_each_other(play):
    runner = play({"takes": [[{"say": "first"}], [{"say": "second"}]], "prompted": {"readable": [{"say": "First."}]}})

    def hear(template: str | None) -> str:
        options = TranscribeOptions(prompt=template and Prompt(template, "transcription", "Write it down."))
        return runner.transcribe(CLIP, options, Told()).text

    assert [hear(template) for template in (None, "readable", "readable", "verbatim")] == [
        "first",
        "First.",
        "First.",
        "second",
    ]


def test_the_prompt_is_said_back_where_the_script_asks_for_it(play):
    runner = play({"takes": [[{"echo": True}]]})
    prompt = Prompt(None, "question", "Who speaks?")
    assert runner.transcribe(CLIP, TranscribeOptions(prompt=prompt), Told()).text == "Who speaks?"


def test_an_answer_comes_in_pieces_and_says_what_it_took(play):
    runner = play({"answers": [[{"say": "one "}, {"say": "two three"}, {"echo": True}]]})
    pieces, usage = answer(runner, "What now?", clip=Clip(np.zeros(160, np.float32), 4.0, "a.wav"))
    assert pieces == ["one ", "two three", "What now?"]
    assert usage == Usage(prompt_tokens=52, reused_tokens=0, new_tokens=4, context_tokens=32_768, cache_bytes=56_000)


def test_the_second_question_gets_the_second_answer_however_often_it_is_asked(play):
    runner = play({"answers": [[{"say": "a"}], [{"say": "b"}], [{"say": "c"}]], "repeat": True})
    assert [answer(runner, *["x"] * said)[0] for said in (1, 3, 3, 5, 7)] == [["a"], ["b"], ["b"], ["c"], ["a"]]


def test_chance_gives_another_answer_and_a_seed_the_same_one_again(play):
    runner = play({"answers": [[{"say": text}] for text in "abcdefgh"], "repeat": True})
    by_seed = {seed: answer(runner, "x", temperature=0.7, seed=seed)[0] for seed in range(30)}
    assert ["a"] not in by_seed.values()
    assert len({pieces[0] for pieces in by_seed.values()}) > 3
    assert all(answer(runner, "x", temperature=0.7, seed=seed)[0] == pieces for seed, pieces in by_seed.items())


def test_answers_that_run_out_say_so(play):
    with pytest.raises(RunnerError, match="0 answers"):
        answer(play({"takes": [[{"say": "a"}]], "repeat": True}), "Why?")


def test_a_later_turn_reuses_what_an_earlier_one_has_read_and_said(play):
    runner = play({"answers": [[{"say": "one two"}], [{"say": "three"}]], "repeat": True})
    clip = Clip(np.ones(160, np.float32), 8.0, "a.wav")
    first = answer(runner, "first question", clip=clip)[1]
    follow = ("first question", "one two", "and then")
    assert (first.prompt_tokens, first.reused_tokens) == (102, 0)
    assert answer(runner, *follow, clip=clip)[1].reused_tokens == 104
    assert answer(runner, *follow, clip=clip)[1].reused_tokens == 105  # all but the one that must be read anew
    assert answer(runner, "first thought", "one two", "and then", clip=clip)[1].reused_tokens == 101
    assert answer(runner, *follow, clip=clip, conversation="another")[1].reused_tokens == 0
    assert answer(runner, *follow, clip=CLIP)[1].reused_tokens == 0  # another clip
    assert answer(runner, *follow, clip=None, conversation="text alone")[1].prompt_tokens == 6


def test_what_is_forgotten_is_read_again_with_the_same_answer(play):
    runner = play({"answers": [[{"say": "one two"}]], "repeat": True})
    before = answer(runner, "first question")[0]
    runner.forget("one")
    runner.forget("never heard of")
    after, usage = answer(runner, "first question")
    assert (after, usage.reused_tokens) == (before, 0)


def test_the_conversation_that_was_used_least_recently_makes_room(play):
    runner = play({"answers": [[{"say": "yes"}]], "repeat": True})

    def reused(conversation: str) -> int:
        return answer(runner, "a b c", clip=None, conversation=conversation, cache_bytes=9000)[1].reused_tokens

    assert [reused(name) for name in ("one", "two", "one", "three", "one", "two")] == [0, 0, 2, 0, 2, 0]
    assert answer(runner, "a b c", clip=None, cache_bytes=3999)[1].cache_bytes == 0
    assert answer(runner, "a b c", clip=None, cache_bytes=9000)[1].reused_tokens == 0


def test_an_answer_ends_at_the_most_tokens_it_may_have(play):
    runner = play({"answers": [[{"say": f"{number} "} for number in range(100)]]})
    pieces, usage = answer(runner, "Count.", most_tokens=7)
    assert len(pieces) == 7
    assert (usage.new_tokens, usage.ended) == (7, "limit")


def test_an_answer_that_is_stopped_leaves_it_ready_for_the_next(play):
    runner = play({"answers": [[{"say": "one "}, {"wait": 3600}], [{"say": "two"}]]})
    chatting = runner.chat(None, (Turn("user", "a b"),), ChatOptions("c"), Told())
    assert next(chatting) == "one "
    chatting.close()
    pieces, usage = answer(runner, "a b", "one ", "c", clip=None, conversation="c")
    assert pieces == ["two"]
    assert usage.reused_tokens == 3


def test_an_answers_wait_ends_when_somebody_asks_to_stop(play):
    told = Told()
    runner = play({"answers": [[{"say": "one"}, {"wait": 3600}]]})
    chatting = runner.chat(None, (Turn("user", "a"),), ChatOptions("c"), told)
    next(chatting)
    told.cancel.set()
    with pytest.raises(Cancelled):
        next(chatting)


def test_a_step_for_a_gpu_is_passed_over_on_a_cpu(play):
    script = {"load": [{"raise": "unfit", "kind": "device", "on": "gpu"}], "takes": [[{"say": "fine"}]]}
    assert play(script).transcribe(CLIP, TranscribeOptions(), Told()).text == "fine"
    with pytest.raises(DeviceUnfit, match="unfit"):
        play(script, placement=Placement("rocm"))


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("[]", "not an object"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ({"takes": 1}, '"takes"'),
        ({"tales": []}, "'tales'"),
        ({"repeat": 1}, '"repeat"'),
        ({"takes": [[], {}]}, "take 2"),
        ({"takes": [[{"say": "a"}, {"shout": "b"}]]}, "step 2 of take 1 has the unknown key 'shout'"),
        ({"takes": [[{}]]}, "step 1 of take 1"),
        ({"takes": [[{"say": "a", "wait": 1}]]}, "'wait' beside 'say'"),
        ({"answers": {}}, '"answers"'),
        ({"answers": [[{"say": 1}]]}, "step 1 of answer 1"),
        ({"prompted": []}, '"prompted"'),
        ({"prompted": {"verbatim": [{"echo": False}]}}, "step 1 of the take for 'verbatim'"),
        ({"load": [{"say": "a", "on": "tpu"}]}, '"on"'),
        ({"load": [{"wait": "long"}]}, "step 1 of load needs a number of seconds"),
        ({"load": [{"wait": True}]}, "step 1 of load"),
        ({"load": [{"crash": False}]}, "needs true"),
        ({"load": [{"exit": 256}]}, "0 to 255"),
        ({"load": [{"flood": -1}]}, "number of bytes"),
        ({"load": [{"words": [[1]]}]}, "list of"),
        ({"load": [{"raise": "a", "kind": "odd"}]}, "out of memory"),
        ({"load": [{"raise": "a", "kind": []}]}, "out of memory"),
        ({"load": [{"raise": "a", "fix": 1}]}, '"fix"'),
    ],
)
def test_a_wrong_script_says_what_is_wrong_with_it(play, script, says):
    with pytest.raises(ModelLoadError) as caught:
        play(script)
    assert says in str(caught.value)
    assert caught.value.fix


def test_a_script_that_is_not_there_names_those_that_are():
    for name in ("nonsense", "../scripted", "missing.json"):
        with pytest.raises(ModelLoadError) as caught:
            load(name, Told())
        assert "demo" in str(caught.value.fix)


@pytest.mark.parametrize("name", ["crashes", "hangs", "exits", "killed"])
def test_a_fault_that_would_end_this_process_is_refused_here(name):
    with pytest.raises(UnsupportedOption, match="not its own"):
        load(name, Told())


@pytest.mark.parametrize("steps", [{"answers": [[{"exit": 1}]]}, {"prompted": {"verbatim": [{"kill": True}]}}])
def test_such_a_fault_is_found_in_every_corner_of_a_script(play, steps):
    with pytest.raises(UnsupportedOption, match="not its own"):
        play(steps)


def test_every_built_in_script_is_right():
    assert {"demo", "slow", "raises", "crashes", "hangs", "exits", "killed", "floods", "talks"} == set(reading.built_in())
    for path in reading.BUILT_IN.glob("*.json"):
        assert reading._fault_in(json.loads(path.read_text(encoding="utf-8"))) is None


@pytest.mark.parametrize("name", ["demo", "talks"])
def test_the_scripts_for_trying_the_page_answer_every_question(name):
    answers = json.loads((reading.BUILT_IN / f"{name}.json").read_text(encoding="utf-8"))["answers"]
    texts = ["".join(step.get("say", "") for step in steps).split() for steps in answers]
    assert len(texts) >= 3
    assert all(len(words) > 5 for words in texts)
