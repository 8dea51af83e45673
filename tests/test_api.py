"""Asking about a clip over the API, through the real client of a real app."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.client import Job
from gradio_client.exceptions import AppError

from tests.plays import script
from tests.serving import ROOT, Served, serving, visiting
from tests.sounds import tone

DEPLOYED = """
[ward-round]
task = "summarization"
label = "Ward round"
text = "Summarize the ward round. Mind {terms}."
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def echo(folder: Path) -> str:
    """Says each question back, in two pieces."""
    return script(folder / "echo.json", answers=[[{"say": "You said: "}, {"echo": True}]], takes=[[{"say": "x"}]])


@pytest.fixture(scope="module")
def endless(folder: Path) -> str:
    forever = [{"say": "it goes on "}, {"wait": 600}]
    return script(folder / "endless.json", answers=[forever], takes=[forever])


@pytest.fixture(scope="module")
def prompted(folder: Path) -> str:
    return script(folder / "prompted.json", takes=[[{"say": "one two"}]], prompted={"summary": [{"say": "Numbers."}]})


@pytest.fixture(scope="module")
def dies(folder: Path) -> str:
    return script(
        folder / "dies.json", answers=[[{"say": "fine"}], [{"say": "it beg"}, {"kill": True}]], takes=[[{"say": "x"}]]
    )


@pytest.fixture(scope="module")
def served(folder: Path, echo: str, endless: str, dies: str, prompted: str) -> Iterator[Served]:
    (folder / "prompts.toml").write_text(DEPLOYED, encoding="utf-8")
    names = ",".join(["pocketsphinx", echo, endless, dies, prompted])
    flags = ("--runners", names, "--prompts-file", str(folder / "prompts.toml"))
    with serving(folder, *flags, GRADIO_HEARTBEAT_INTERVAL="0.2") as app:
        yield app


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    with visiting(served) as client:
        yield client


@pytest.fixture(scope="module")
def clip(folder: Path) -> Path:
    return tone(folder / "clip.wav")


def ask(client: Client, clip: Path | None, **inputs: str) -> dict[str, Any]:
    found: dict[str, Any] = client.submit(handle_file(str(clip)) if clip else None, **inputs, api_name="/ask").result(
        timeout=60
    )
    return found


def test_templates_are_listed_with_their_variables(client: Client) -> None:
    rows = {row["name"]: row for row in client.predict(api_name="/templates")}
    assert rows["summary"]["task"] == "summarization"
    assert set(rows["summary"]["variables"]) == {"sentences"}
    assert rows["summary"]["defaults"] == {"sentences": "3"}
    assert (rows["summary"]["origin"], rows["ward-round"]["origin"]) == ("built-in", "deployer")


def test_an_answer_streams_and_a_conversation_goes_on(client: Client, clip: Path, echo: str) -> None:
    job = client.submit(handle_file(str(clip)), runner=echo, question="Who speaks?", api_name="/ask")
    first = job.result(timeout=60)
    assert [len(each["exchanges"]) for each in job.outputs()] == [1] * len(job.outputs())
    assert job.outputs()[0]["exchanges"][0]["status"] in ("queued", "loading", "running")
    (exchange,) = first["exchanges"]
    assert (exchange["status"], exchange["answer"]) == ("ok", "You said: Who speaks?")
    assert exchange["prompt"] == {"template": None, "task": "question", "text": "Who speaks?"}
    assert exchange["tokens"]["new"] > 0
    assert exchange["first_token_seconds"] >= 0
    second = ask(client, None, template="summary", values='{"sentences": 2}', conversation=first["conversation"])
    assert [each["answer"] for each in second["exchanges"]] == [
        "You said: Who speaks?",
        "You said: Summarize the audio clip in 2 sentences.",
    ]
    assert second["exchanges"][1]["tokens"]["reused"] > 0
    assert second["clip"]["seconds"] == 1.0


def test_a_question_fits_into_a_template_with_room_for_it(client: Client, clip: Path, echo: str) -> None:
    told = ask(client, clip, runner=echo, template="ask", question="Who <|end|> speaks?")
    text = told["exchanges"][0]["prompt"]["text"]
    assert "Who" in text
    assert "<|" not in text


def test_a_template_after_a_systems_name_is_what_is_asked(client: Client, clip: Path, echo: str) -> None:
    told = ask(client, clip, runner=f"{echo}#bullets")
    assert told["exchanges"][0]["prompt"]["template"] == "bullets"
    assert told["system"]["name"] == echo
    with pytest.raises(AppError, match="named twice"):
        ask(client, clip, runner=f"{echo}#bullets", template="summary")


def test_nobody_goes_on_with_anothers_conversation(served: Served, client: Client, clip: Path, echo: str) -> None:
    name = ask(client, clip, runner=echo, question="A secret?")["conversation"]
    with visiting(served) as stranger, pytest.raises(AppError, match="no such conversation"):
        ask(stranger, None, question="What was asked?", conversation=name)
    assert len(ask(client, None, question="And?", conversation=name)["exchanges"]) == 2


def test_a_child_that_dies_in_mid_answer_is_told_and_the_conversation_kept(client: Client, clip: Path, dies: str) -> None:
    name = ask(client, clip, runner=dies, question="One?")["conversation"]
    first, failed = ask(client, None, question="Two?", conversation=name)["exchanges"]
    assert first["answer"] == "fine"
    assert (failed["status"], failed["answer"]) == ("skipped", "it beg")
    assert "killed" in failed["error"]
    assert failed["fix"]


def begun(client: Client, clip: Path, runner: str, api_name: str = "/ask") -> Job:
    """A call whose first words have come."""
    more = {"question": "Well?", "runner": runner} if api_name == "/ask" else {"runners": runner}
    job = client.submit(handle_file(str(clip)), **more, api_name=api_name)
    until = time.monotonic() + 60
    while not any("it goes on" in json.dumps(each) or '"running"' in json.dumps(each) for each in job.outputs()):
        assert time.monotonic() < until, "it did not begin"
        time.sleep(0.02)
    return job


def test_a_job_that_is_cancelled_stops_in_mid_answer_and_the_conversation_goes_on(
    client: Client, clip: Path, endless: str, served: Served
) -> None:
    job = begun(client, clip, endless)
    job.cancel()  # returns once the server has stopped, although the model says nothing for ten minutes
    name = job.outputs()[-1]["conversation"]
    stopped = json.loads(client.predict(name, "json", api_name="/export"))["exchanges"][0]
    assert (stopped["status"], stopped["answer"]) == ("cancelled", "it goes on ")
    second = client.submit(None, question="And?", conversation=name, api_name="/ask")
    assert len(next(iter(second))["exchanges"]) == 2
    second.cancel()
    assert "Traceback" not in served.said()


def test_cancelling_one_comparison_leaves_another_of_the_same_caller(
    client: Client, clip: Path, echo: str, endless: str
) -> None:
    job = begun(client, clip, endless, api_name="/compare")
    other = client.submit(handle_file(str(clip)), runners=echo, api_name="/compare")
    job.cancel()
    assert [result["status"] for result in other.result(timeout=60)["results"]] == ["ok"]


def test_a_client_gets_what_the_page_exports(served: Served, client: Client, clip: Path, echo: str) -> None:
    told = ask(client, clip, runner=echo, question="<img src=x> [a](http://b) *c*")
    name = told.pop("conversation")
    markdown = client.predict(name, api_name="/export")
    assert markdown.startswith("# A conversation about clip.wav\n")
    assert "You said: \\<img src=x\\> \\[a\\](http\\://b) \\*c\\*" in markdown
    assert json.loads(client.predict(name, "json", api_name="/export")) == told
    assert name not in markdown
    with pytest.raises(AppError, match=r"has no form 'pdf'.*md, json"):
        client.predict(name, "pdf", api_name="/export")
    with visiting(served) as stranger, pytest.raises(AppError, match="no such conversation"):
        stranger.predict(name, api_name="/export")


def test_the_program_in_the_readme_runs_as_it_stands(
    served: Served, clip: Path, echo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for written, here in (
        ("http://localhost:7860", served.url),
        ("moonshine,pocketsphinx", echo),
        ("phi4-multimodal", echo),
        ("meeting.wav", clip.as_posix()),
    ):
        assert written in program
        program = program.replace(written, here)
    exec(compile(program, "README.md", "exec"), {})  # noqa: S102
    said = capsys.readouterr().out
    assert "\n['ok']\n" in said
    assert "\nYou said: Summarize the audio clip in 3 sentences.\n" in said
    assert "You said: Who will do what?\n# A conversation about clip.wav\n" in said


def test_prompts_are_compared_like_models(client: Client, clip: Path, echo: str, prompted: str) -> None:
    compared = client.predict(
        handle_file(str(clip)),
        runners=f"{prompted}#verbatim, {prompted}#terms, {prompted}#summary",
        reference="one two",
        values='{"terms": "<|end|> bisoprolol"}',
        api_name="/compare",
    )
    verbatim, terms, summary = compared["results"]
    assert (verbatim["template"], verbatim["scored"], verbatim["wer"]) == ("verbatim", True, 0.0)
    assert "<¦end¦> bisoprolol" in terms["prompt"]
    assert (summary["task"], summary["scored"], summary["wer"]) == ("summarization", False, None)


def test_who_cannot_translate_is_skipped_by_name(client: Client, clip: Path) -> None:
    compared = client.predict(
        handle_file(str(clip)), runners="pocketsphinx, canary", reference="one two", translate_to="en", api_name="/compare"
    )
    never, untold = compared["results"]
    assert "does not translate" in never["error"]
    assert "translate nothing" in untold["error"]
    assert untold["fix"] == "Name the language that is spoken."
    for told in (never, untold):
        assert (told["status"], told["scored"], told["wer"]) == ("skipped", False, None)


@pytest.mark.parametrize(
    ("template", "values", "says"),
    [
        ("#terms", "", "lacks {terms}"),
        ("#verbatim", '{"terms": "x"}', "No runner has a prompt template with {terms}"),
        ("#verbatim", "terms=x", "no JSON object"),
        ("#nonesuch", "", "no prompt template “nonesuch”"),
    ],
)
def test_what_a_comparison_cannot_be_told_is_refused(
    client: Client, clip: Path, echo: str, template: str, values: str, says: str
) -> None:
    with pytest.raises(AppError, match=says):
        client.predict(handle_file(str(clip)), runners=echo + template, values=values, api_name="/compare")


def test_a_caller_who_leaves_stops_the_answer(served: Served, clip: Path, echo: str, endless: str) -> None:
    with visiting(served) as leaving:
        begun(leaving, clip, endless)
    with visiting(served) as staying:  # the device is free again
        assert ask(staying, clip, runner=echo, question="Free?")["exchanges"][0]["status"] == "ok"


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({}, "Nothing is asked"),
        ({"question": "Why?", "template": "summary"}, "no room for a question"),
        ({"question": "Why?", "values": '{"sentences": 2}'}, "no template"),
        ({"template": "sumary"}, "Did you mean"),
        ({"template": "ward-round"}, "terms"),
        ({"template": "summary", "values": '{"sentence": 2}'}, "sentence"),
        ({"template": "summary", "values": "[1]"}, "no JSON object"),
        ({"question": "Why?", "runner": "nonesuch"}, "nonesuch"),
        ({"question": "Why?", "runner": "pocketsphinx"}, "cannot talk about a clip"),
        ({"question": "Why?", "conversation": "nonesuch"}, "keeps to its clip"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(client: Client, clip: Path, inputs: dict[str, str], says: str) -> None:
    with pytest.raises(AppError, match=says):
        ask(client, clip, **inputs)


def test_without_a_clip_or_a_conversation_there_is_nothing_to_ask_about(client: Client) -> None:
    with pytest.raises(AppError, match="There is no clip"):
        ask(client, None, question="Why?")


def test_where_nothing_can_talk_it_says_why_for_each(tmp_path: Path) -> None:
    with serving(tmp_path, "--runners", "pocketsphinx,phi4-multimodal", HF_HUB_OFFLINE="1") as app, visiting(app) as client:
        clip = tone(tmp_path / "clip.wav")
        with pytest.raises(AppError, match="Phi-4-multimodal: "):
            ask(client, clip, question="Why?")
