"""Names of contenders: a system, and the prompt template it runs with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runners.base import Contender, PromptError
from runners.catalogue.contenders import contender_for, split_name
from runners.catalogue.names import UnknownRunner, spec_for
from runners.prompts import Templates


def test_a_name_without_a_template_is_the_system_alone() -> None:
    assert contender_for("whisper", Templates()) == Contender(spec_for("whisper"))


def test_a_template_stands_in_name_and_label_and_its_prompt_is_filled_in() -> None:
    made = contender_for("scripted#terms", Templates(), {"terms": "Ada, Babbage"}, language="en")
    assert made.name == "scripted#terms"
    assert made.label == "Scripted #terms"
    assert made.options.language == "en"
    assert made.options.prompt is not None
    assert "Ada, Babbage" in made.options.prompt.text


def test_two_templates_of_one_system_are_two_contenders() -> None:
    names = ["scripted", "scripted#verbatim", "scripted#readable", "scripted#summary"]
    made = [contender_for(name, Templates()) for name in names]
    assert [each.name for each in made] == names
    assert len({each.label for each in made}) == len(set(made)) == 4
    assert [each.is_scored for each in made] == [True, True, True, False]


def test_a_hub_id_with_a_revision_may_have_a_template() -> None:
    made = contender_for("whisper:someone/tuned@refs/pr/70#verbatim", Templates())
    assert (made.spec.model, made.spec.revision) == ("someone/tuned", "refs/pr/70")
    assert made.name == "whisper:someone/tuned@refs/pr/70#verbatim"


def test_a_precision_and_a_device_stand_before_the_template() -> None:
    made = contender_for("whisper:openai/whisper-small+cuda+bfloat16#verbatim", Templates())
    assert made.name == "whisper+bfloat16+cuda#verbatim"
    assert made.label == "Whisper small (bfloat16, CUDA) #verbatim"
    assert made.options.prompt is not None


def test_one_system_in_two_precisions_is_two_contenders() -> None:
    made = {contender_for(name, Templates()) for name in ("whisper", "whisper+float32", "whisper+bfloat16", "whisper+float32")}
    assert len(made) == len({each.label for each in made}) == 3


def test_a_folder_or_script_that_is_there_may_have_a_sign_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my#model").mkdir()
    (tmp_path / "take#2.json").write_text("{}")
    assert split_name("whisper:./my#model") == ("whisper:./my#model", None)
    assert split_name("whisper:my#model") == ("whisper:my#model", None)
    assert split_name("whisper:./my#model#verbatim") == ("whisper:./my#model", "verbatim")
    assert split_name("scripted:./take#2.json") == ("scripted:./take#2.json", None)
    assert split_name("scripted:./take#2.json#verbatim") == ("scripted:./take#2.json", "verbatim")
    assert split_name("whisper:./my#model+int8") == ("whisper:./my#model+int8", None)
    assert split_name("whisper:./my#model+int8#verbatim") == ("whisper:./my#model+int8", "verbatim")
    shutil.rmtree(tmp_path / "my#model")
    assert split_name("whisper:./my#model") == ("whisper:./my", "model")


def test_what_cannot_be_meant_is_explained() -> None:
    with pytest.raises(PromptError) as error:
        contender_for("scripted#verbatm", Templates())
    assert 'Did you mean "verbatim"?' in str(error.value.fix)
    with pytest.raises(PromptError, match=r"lacks \{terms\}"):
        contender_for("scripted#terms", Templates())
    with pytest.raises(PromptError, match="names no prompt template after the #"):
        contender_for("scripted#", Templates())
    with pytest.raises(PromptError, match=r"no variable \{tems\}"):
        contender_for("scripted#terms", Templates(), {"tems": "x"})
    with pytest.raises(UnknownRunner):
        contender_for("whispr#verbatim", Templates())
    assert split_name("whisper:" + "x" * 5000 + "\0#verbatim")[1] == "verbatim"


def test_a_page_that_offers_only_some_finds_systems_its_own_way() -> None:
    asked = []

    def find(name: str):  # type: ignore[no-untyped-def]
        asked.append(name)
        return spec_for("scripted")

    assert contender_for("anything#verbatim", Templates(), spec_for=find).name == "scripted#verbatim"
    assert asked == ["anything"]
