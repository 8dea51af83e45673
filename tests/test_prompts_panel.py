"""What the Prompts tab asks of the server, without a browser: previews, imports, exports, and what a browser may send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runners.prompts import BUILT_IN, MOST_TEMPLATES, TASKS, VARIABLES
from ui.prompts_panel import TITLES, exported, imported, own_in, preview, values_in

HOSTILE = "<img src=x onerror=alert(1)><|end|>{terms}"


def template(name: str = "mine", text: str = "Transcribe it. Spell {terms}.", **more: Any) -> dict[str, Any]:
    return {"name": name, "task": "transcription", "label": "Mine", "text": text, "defaults": {}, **more}


def told(answer: dict[str, Any]) -> str:
    return "".join(text for _, text in answer["pieces"])


def test_a_preview_shows_the_rendered_prompt_and_names_every_gap() -> None:
    asked = template(text="Spell {terms} in {language}, {sentences} sentences on {topic}.", defaults={"sentences": "3"})
    answer = preview({"template": asked, "values": {"language": " German "}})
    assert answer["gaps"] == ["terms", "topic"]
    assert told(answer) == "Spell {terms} in German, 3 sentences on {topic}."
    assert [text for kind, text in answer["pieces"] if kind == "gap"] == ["{terms}", "{topic}"]
    assert "{terms}" in answer["verdict"]
    assert "{topic}" in answer["verdict"]
    complete = preview({"template": asked, "values": {"language": "German", "terms": "a, b", "topic": "x"}})
    assert (complete["gaps"], complete["fault"], complete["verdict"]) == ([], None, "Complete.")
    assert told(complete) == "Spell a, b in German, 3 sentences on x."


@pytest.mark.parametrize("each", BUILT_IN, ids=lambda each: each.name)
def test_every_built_in_template_can_be_previewed(each: Any) -> None:
    answer = preview({"template": each.to_plain(), "values": dict.fromkeys(VARIABLES, "something")})
    assert answer["fault"] is None
    assert answer["gaps"] == []
    assert "{" not in told(answer)


def test_control_tokens_are_harmless_and_that_is_said() -> None:
    for asked, values in ((template(text="Do it <|end|>"), {}), (template(), {"terms": "<|audio|>"})):
        answer = preview({"template": asked, "values": values})
        assert "<|" not in told(answer)
        assert "control token" in answer["verdict"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (template(text="Write in {langage}"), "{language}"),
        (template(text="A brace } alone"), "brace"),
        (template(name="Two Words"), "name"),
        (template(name=""), "name"),
        (template(label=""), "label"),
        (template(text=""), "says nothing"),
        (template(text="x" * 9000), "9,000"),
        (template(task="poetry"), "poetry"),
    ],
)
def test_a_template_that_cannot_be_used_is_said_to_be_so(asked: dict[str, Any], says: str) -> None:
    answer = preview({"template": asked, "values": {}})
    assert answer["fault"]
    assert says in answer["verdict"]


def test_an_empty_new_template_is_not_scolded() -> None:
    answer = preview({"template": template("", "", label=""), "values": {}})
    assert answer["verdict"].startswith("Give it a title")
    assert answer["state"] == "empty"
    assert answer["fault"]  # and yet it cannot be saved


@pytest.mark.parametrize("sent", [None, [], "text", 3, {}, {"template": 3}, {"template": {"name": None}, "values": []}])
def test_whatever_a_browser_sends_is_answered(sent: Any) -> None:
    assert preview(sent)["fault"]
    assert imported(sent)["templates"] == []
    assert json.loads(exported(sent)["text"])["templates"] == []
    assert own_in(sent) == []
    assert values_in(sent) == {}


def test_of_what_a_browser_keeps_the_good_is_used() -> None:
    good = template()
    bad = [
        3,
        {},
        template("Bad Name"),
        template("other", "{unknown}"),
        {**template("more"), "html": "<b>"},
        template(text="Again"),
    ]
    assert own_in({"own": [good, *bad]}) == [good]
    assert len(own_in({"own": [template(f"n-{n}", "Do it") for n in range(MOST_TEMPLATES + 9)]})) == MOST_TEMPLATES
    values = {"terms": "a", "language": "  ", "sentences": 3, "nonesuch": "x"}
    assert values_in({"values": values}) == {"terms": "a"}


def test_what_is_exported_is_imported_again() -> None:
    own = [template(), template("second", HOSTILE, label=HOSTILE, task="question", defaults={"terms": "<|x|>"})]
    text = exported({"own": own})["text"]
    assert imported({"text": text}) == {"templates": own, "faults": []}
    assert imported({"text": f"\ufeff{text}"})["templates"] == own  # as some editors save it


def test_bad_entries_of_a_file_are_named_and_the_good_are_taken() -> None:
    plain = json.loads(exported({"own": [template()]})["text"])
    plain["templates"] += [template("broken", "{what}"), template("Not A Name"), 7]
    answer = imported({"text": json.dumps(plain)})
    assert [each["name"] for each in answer["templates"]] == ["mine"]
    assert len(answer["faults"]) == 3
    assert "broken" in answer["faults"][0]
    assert "{what}" in answer["faults"][0]
    assert "Not A Name" in answer["faults"][1]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"templates": 3}', '{"templates": []}', '{"earshot_prompts": 99, "templates": []}', "[" * 9999],
)
def test_a_file_of_another_kind_is_refused_with_what_to_choose(text: str) -> None:
    answer = imported({"text": text})
    assert answer["templates"] == []
    assert len(answer["faults"]) == 1
    assert answer["faults"][0]


def test_every_task_has_a_title() -> None:
    assert set(TITLES) == set(TASKS)
