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
    Clip,
    ModelLoadError,
    Placement,
    RunnerError,
    RunnerSpec,
    TranscribeOptions,
    UnsupportedOption,
    Word,
)

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


def load(model: str | None, told: Told) -> scripted.Scripted:
    spec = RunnerSpec(family="scripted", label="Scripted", target="runners.scripted:Scripted", model=model)
    runner = scripted.Scripted(spec)
    runner.load(None, Placement(), told)
    return runner


@pytest.fixture
def play(tmp_path):
    """Write a script and load it."""

    def write(script, told: Told | None = None) -> scripted.Scripted:
        path = tmp_path / "script.json"
        path.write_text(script if isinstance(script, str) else json.dumps(script), encoding="utf-8")
        return load(str(path), told or Told())

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


def test_every_built_in_script_is_right():
    assert {"demo", "slow", "raises", "crashes", "hangs", "exits", "killed", "floods", "talks"} == set(scripted.built_in())
    for path in scripted._SCRIPTS.glob("*.json"):
        assert scripted._fault_in(json.loads(path.read_text(encoding="utf-8"))) is None
