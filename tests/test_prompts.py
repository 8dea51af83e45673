"""Prompt templates: what is rendered, what is refused and how, and that nobody's text poses as a control token."""

from __future__ import annotations

import copy
import json
import pickle
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.base import PromptError
from runners.oddities import oddities
from runners.prompts import (
    BUILT_IN,
    LONGEST_LABEL,
    LONGEST_NAME,
    LONGEST_TEXT,
    LONGEST_VALUE,
    TASKS,
    VARIABLES,
    PromptTemplate,
    Templates,
    checked,
    from_plain,
    gaps,
    neutralised,
    read_file,
    render,
    template_from,
    to_plain,
    typed,
    variables_in,
)
from runners.settings import Settings

CONTROL_TOKENS = (
    # Phi-4, Qwen, Whisper, Llama 3, DeepSeek, Granite
    "<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|audio|>", "<|audio_1|>", "<|endoftext|>", "<|im_start|>",
    "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|startoftranscript|>", "<|en|>", "<|0.00|>", "<|eot_id|>",
    "<\uff5cUser\uff5c>", "<|start_of_role|>",
    # Llama 2, Gemma, BERT and T5 style, Mistral and Voxtral
    "<s>", "</s>", "<<SYS>>", "<</SYS>>", "<unk>", "<pad>", "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>", "<unused7>",
    "<audio_soft_token>", "<extra_id_0>", "<BOS_TOKEN>", "<im_start>", "<asr_text>", "<<ST_7>>",
    "[INST]", "[/INST]", "[AUDIO]", "[BEGIN_AUDIO]", "[TRANSCRIBE]", "[SYSTEM_PROMPT]",
    "[TOOL_CALLS]", "[CLS]", "[SEP]", "[PAD]", "[MASK]",
)  # fmt: skip


def template(text: str, **defaults: str) -> PromptTemplate:
    return PromptTemplate("mine", "transcription", text, "Mine", defaults, "own")


def wrong(template: PromptTemplate) -> str:
    """All that is said about a template that cannot be used."""
    with pytest.raises(PromptError) as error:
        checked(template)
    return f"{error.value} {error.value.fix}"


def test_every_task_has_several_built_in_templates_that_can_be_used() -> None:
    for task in TASKS:
        assert len(Templates().of_task(task)) >= 3
    for built_in in BUILT_IN:
        assert checked(built_in).origin == "built-in"
        assert neutralised(built_in.text) == built_in.text
        prompt = render(built_in, dict.fromkeys(VARIABLES, "seven"))
        assert (prompt.template, prompt.task) == (built_in.name, built_in.task)


def test_the_model_cards_wordings_are_kept_to_the_letter() -> None:
    assert render(Templates().get("plain")).text == "Transcribe the audio clip into text."
    assert render(Templates().get("translate"), {"language": "German"}).text == "Translate the audio to German."
    assert render(Templates().get("translate-both"), {"language": "German"}).text == (
        "Transcribe the audio to text, and then translate the audio to German. Use <sep> as a separator between the original "
        "transcript and the translation."
    )


def test_a_default_stands_where_nothing_or_a_blank_was_given() -> None:
    summary = Templates().get("summary")
    assert "in 3 sentences" in render(summary).text
    assert "in 3 sentences" in render(summary, {"sentences": " \n"}).text
    assert "in 5 sentences" in render(summary, {"sentences": " 5 "}).text


def test_every_gap_is_named_at_once() -> None:
    with pytest.raises(PromptError) as error:
        render(template("{terms} {language} {terms} {sentences}", sentences="2"))
    assert str(error.value) == "The prompt template “mine” lacks {terms} and {language}."
    assert "terms, names and words to expect" in str(error.value.fix)
    assert "language, the language to write in" in str(error.value.fix)


@pytest.mark.parametrize("blank", ["", "  ", "\x00", "\u200b\ufeff", "\x1b\t"])
def test_what_cannot_be_seen_fills_no_gap(blank: str) -> None:
    assert gaps(template("{terms}"), {"terms": blank}) == ("terms",)
    with pytest.raises(PromptError, match="lacks"):
        render(template("{terms}"), {"terms": blank})


def test_a_variable_that_nobody_knows_is_refused_with_the_one_that_was_meant() -> None:
    said = wrong(template("{term} {colour}"))
    assert "{term} and {colour}" in said
    assert "Did you mean {terms} for {term}?" in said
    assert "{sentences}" in said
    with pytest.raises(PromptError, match=r"no variable \{sentense\}"):
        render(template("Listen."), {"sentense": "3"})


def test_values_that_a_template_does_not_have_are_left_aside() -> None:
    assert render(template("Listen."), {"terms": "x" * (LONGEST_VALUE + 1), "topic": "rain"}).text == "Listen."


def test_braces_stand_for_themselves_when_they_are_doubled() -> None:
    doubled = template("Answer as {{\"terms\": \"{terms}\"}} or {{{{}}}}.")  # fmt: skip
    assert variables_in(doubled.text) == ("terms",)
    assert render(doubled, {"terms": "a {language} b }}"}).text == 'Answer as {"terms": "a {language} b }}"} or {{}}.'


@pytest.mark.parametrize("text", ["{", "a } b", "{terms", "terms}", "{terms}}", "{a{terms}"])
def test_a_brace_that_stands_alone_is_refused(text: str) -> None:
    said = wrong(template(text))
    assert "A brace stands alone." in said
    assert "{{" in said


@pytest.mark.parametrize("text", ["{}", "{0}", "{terms!r}", "{terms:>9}", "{terms.x}", "{terms[0]}", "{__class__}"])
def test_a_variable_is_a_name_and_nothing_more(text: str) -> None:
    assert "variables that nobody knows" in wrong(template(text))


@pytest.mark.parametrize("name", ["", "Caps", "two words", "-first", "ä", "a" * (LONGEST_NAME + 1), "a#b", "a\n", "a,b", "<b>"])
def test_a_bad_name_is_refused(name: str) -> None:
    assert "name will not do" in wrong(PromptTemplate(name, "chat", "Listen.", "Mine"))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (PromptTemplate("mine", "poetry", "Listen.", "Mine"), "Choose one of: transcription"),  # type: ignore[arg-type]
        (PromptTemplate("mine", "chat", " \u200b", "Mine"), "It says nothing."),
        (PromptTemplate("mine", "chat", "x" * (LONGEST_TEXT + 1), "Mine"), "8,000 are taken at most"),
        (PromptTemplate("mine", "chat", "Listen.", ""), "label"),
        (PromptTemplate("mine", "chat", "Listen.", "two\nlines"), "label"),
        (PromptTemplate("mine", "chat", "Listen.", "\x1b[31mred"), "label"),
        (PromptTemplate("mine", "chat", "Listen.", "x" * (LONGEST_LABEL + 1)), "label"),
        (template("Listen.", tems="x"), "Did you mean {terms} for {tems}?"),
        (template("{terms}", terms="x" * (LONGEST_VALUE + 1)), "{terms} is too long"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_fix(bad: PromptTemplate, says: str) -> None:
    assert says in wrong(bad)


def test_a_value_that_is_too_long_is_refused_by_name() -> None:
    with pytest.raises(PromptError, match=r"\{terms\} is too long"):
        render(template("{terms}"), {"terms": "x" * (LONGEST_VALUE + 1)})


TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from("<>|[]{}/\u200b\uff5c\uff1c\x00 \n"), max_size=60)
LOADED = st.lists(st.sampled_from(CONTROL_TOKENS) | TEXTS, max_size=6).map("".join)


def holds_a_control_token(text: str) -> bool:
    """Whether a tokenizer finds one, in the text itself or in what it makes of it first."""
    unseen = str.maketrans("", "", "\u200b\u200c\u200d\ufeff\u00ad")
    forms = {form for plain in (text, text.translate(unseen)) for form in (plain, unicodedata.normalize("NFKC", plain))}
    return any(token in form for form in forms for token in (*CONTROL_TOKENS, "<|", "|>"))


@given(
    TEXTS.filter(lambda text: "{" not in text and "}" not in text), st.dictionaries(st.sampled_from(sorted(VARIABLES)), LOADED)
)
def test_rendering_fills_every_gap_or_names_it(before: str, values: dict[str, str]) -> None:
    mine = template(before + "Listen: {terms} {topic}.", topic="rain")
    if gaps(mine, values):
        with pytest.raises(PromptError, match=r"lacks \{terms\}"):
            render(mine, values)
        return
    text = render(mine, values).text
    assert "{terms}" not in text.replace(neutralised(values["terms"]).strip(), "")
    assert "{topic}" not in text.replace(neutralised(values.get("topic", "rain")).strip(), "")
    assert not holds_a_control_token(text)
    assert text == text.strip()


@given(LOADED)
def test_nobodys_text_holds_a_control_token(text: str) -> None:
    safe = neutralised(text)
    assert not holds_a_control_token(safe)
    assert neutralised(safe) == safe
    assert (
        holds_a_control_token(text)
        or any(ch in text for ch in "<>[|\uff1c\uff5c\r")
        or safe == "".join(ch for ch in text if ch in "\n\t" or unicodedata.category(ch) != "Cc")
    )
    safe.encode()


@pytest.mark.parametrize("token", CONTROL_TOKENS)
def test_a_person_still_reads_what_was_meant(token: str) -> None:
    safe = neutralised(f"before {token} after")
    assert safe.startswith("before ")
    assert safe.endswith(" after")
    assert token.strip("<>[]/|\uff5c") in safe
    assert len(safe) == len(f"before {token} after")


@pytest.mark.parametrize(
    "text", ["Use <sep> here", "[laughs] a < b > c || d", "if x <= 3 | y => 4", "<b>bold</b>", "👩‍👩‍👧 می‌خواهم"]
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert neutralised(text) == text


def test_pieces_that_make_a_token_together_are_found() -> None:
    assert not holds_a_control_token(render(template("a <{terms}"), {"terms": "|end|>"}).text)
    assert not holds_a_control_token(render(template("{terms}{topic}"), {"terms": "</", "topic": "s>"}).text)


def test_half_a_surrogate_pair_and_control_characters_cannot_break_a_tokenizer() -> None:
    assert neutralised("a\ud83d b\x00\x1b[31m\r\nc\td") == "a\ufffd b[31m\nc\td"


@pytest.mark.parametrize("text", ["<" * 50_000, "<|" * 25_000, "[" * 50_000, "<\u200b" * 25_000, "|" * 50_000, "<a" * 25_000])
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    neutralised(text)
    assert time.process_time() - began < 20  # what grows with the square takes minutes


def test_what_somebody_typed_needs_no_template() -> None:
    prompt = typed("  Who says {terms} <|end|>?  ")
    assert (prompt.template, prompt.task, prompt.text) == (None, "question", "Who says {terms} <¦end¦>?")
    for blank in ("", " \u200b "):
        with pytest.raises(PromptError, match="Nothing is asked"):
            typed(blank)
    with pytest.raises(PromptError, match="8,001 characters"):
        typed("x" * (LONGEST_TEXT + 1))


NAMES = st.from_regex(rf"[a-z0-9][a-z0-9-]{{0,{LONGEST_NAME - 1}}}", fullmatch=True)
WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
OWN = st.builds(
    PromptTemplate,
    name=NAMES,
    task=st.sampled_from(TASKS),
    text=WORDS.map(lambda text: "Listen: " + text.replace("{", "{{").replace("}", "}}") + " {terms}"),
    label=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=40).map(lambda text: "L" + text),
    defaults=st.dictionaries(st.sampled_from(sorted(VARIABLES)), WORDS, max_size=2),
    origin=st.just("own"),
)


@given(st.lists(OWN, max_size=4, unique_by=lambda each: each.name))
def test_an_export_comes_back_as_it_was(templates: list[PromptTemplate]) -> None:
    exported = json.loads(json.dumps(to_plain(templates)))
    assert from_plain(exported) == tuple(templates)
    assert from_plain(exported, "deployer") == tuple(
        PromptTemplate(each.name, each.task, each.text, each.label, each.defaults, "deployer") for each in templates
    )


@given(st.lists(OWN, max_size=3, unique_by=lambda each: each.name))
def test_a_deployers_file_says_the_same_in_toml_and_in_json(
    tmp_path_factory: pytest.TempPathFactory, templates: list[PromptTemplate]
) -> None:
    folder = tmp_path_factory.mktemp("prompts")
    (folder / "prompts.json").write_text(json.dumps(to_plain(templates)), encoding="utf-8")
    (folder / "prompts.toml").write_text(toml_of(templates), encoding="utf-8")
    read = read_file(folder / "prompts.toml")
    assert read == read_file(folder / "prompts.json")
    assert [each.to_plain() for each in read] == [each.to_plain() for each in templates]


def toml_of(templates: list[PromptTemplate]) -> str:
    """Tables as a person would write them."""
    lines = []
    for each in templates:
        lines += [f"[{each.name}]", f'task = "{each.task}"', f"label = {toml_string(each.label)}"]
        lines += [f"text = {toml_string(each.text)}", f"[{each.name}.defaults]"]
        lines += [f"{name} = {toml_string(value)}" for name, value in each.defaults.items()]
    return "\n".join(lines)


def toml_string(text: str) -> str:
    return '"' + "".join(ch if ch.isprintable() and ch not in '"\\' else f"\\U{ord(ch):08x}" for ch in text) + '"'


def test_a_deployers_file_may_leave_out_what_is_plain(tmp_path: Path) -> None:
    (tmp_path / "prompts.toml").write_text(
        '[ward-round]\ntask = "summarization"\ntext = "In {sentences}."\ndefaults = {sentences = 4}'
    )
    assert read_file(tmp_path / "prompts.toml") == (
        PromptTemplate("ward-round", "summarization", "In {sentences}.", "Ward round", {"sentences": "4"}, "deployer"),
    )


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("[a]\ntask = x\n", "line 2"),
        ('[a]\ntask = "chat"', "“a” has no text"),
        ('[a]\ntext = "x"', "one of the tasks transcription"),
        ('[a]\ntask = "chat"\ntext = 3', "“a” has no text"),
        ('[a]\ntask = "caht"\ntext = "x"', "no task “caht”"),
        ('[a]\ntask = "chat"\ntext = "{lang}"', "“a” cannot be used"),
        ('[a]\ntask = "chat"\ntext = "x"\nlabl = "A"', 'Did you mean "label"?'),
        ('[a]\ntask = "chat"\ntext = "x"\ndefaults = {terms = true}', "defaults of the prompt template “a”"),
        ('[a]\ntask = "chat"\ntext = "x"\ndefaults = "terms"', "defaults of the prompt template “a”"),
        ('[A]\ntask = "chat"\ntext = "x"', "small letters"),
        ('text = "x"', "name in brackets"),
        ('[a]\ntask = "chat"\ntext = "x"\n[a]\n', "line 4"),
    ],
)
def test_a_fault_in_a_deployers_file_names_file_template_and_fix(tmp_path: Path, written: str, says: str) -> None:
    path = tmp_path / "prompts.toml"
    path.write_text(written)
    with pytest.raises(PromptError) as error:
        read_file(path)
    said = f"{error.value} {error.value.fix}"
    assert str(error.value).startswith(str(path))
    assert says in said
    assert error.value.fix


@pytest.mark.parametrize("content", [b"\xff\xfe[a]", b"{" * 100_000, b"[]", b'{"earshot_prompts": 9, "templates": []}', b"3"])
def test_what_is_no_export_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "export.json"
    path.write_bytes(content)
    with pytest.raises(PromptError, match=r"export\.json") as error:
        read_file(path)
    assert error.value.fix


@pytest.mark.parametrize(
    "plain",
    [None, [], "x", {"templates": []}, {"earshot_prompts": 1}, {"earshot_prompts": 1, "templates": {}},
     {"earshot_prompts": 1, "templates": [3]}, {"earshot_prompts": 1, "templates": [{"name": None}]},
     {"earshot_prompts": 2, "templates": []}],
)  # fmt: skip
def test_any_import_that_is_none_ends_in_words(plain: object) -> None:
    with pytest.raises(PromptError) as error:
        from_plain(plain)
    assert error.value.fix


def test_too_many_and_twice_the_same_are_refused() -> None:
    one = template("Listen.").to_plain()
    with pytest.raises(PromptError, match="Two prompt templates are called “mine”"):
        from_plain({"earshot_prompts": 1, "templates": [one, one]})
    with pytest.raises(PromptError, match="501 prompt templates"):
        from_plain({"earshot_prompts": 1, "templates": [{**one, "name": f"n{number}"} for number in range(501)]})


def test_a_deployers_file_is_found_where_earshot_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert tuple(Templates.of(Settings())) == BUILT_IN
    (tmp_path / "prompts.toml").write_text('[house]\ntask = "chat"\ntext = "Listen."')
    assert Templates.of(Settings()).get("house").origin == "deployer"
    (tmp_path / "other.toml").write_text('[other]\ntask = "chat"\ntext = "Listen."')
    templates = Templates.of(Settings(prompts_file=tmp_path / "other.toml"))
    assert "other" in templates
    assert "house" not in templates
    with pytest.raises(PromptError, match=r"missing\.toml cannot be read"):
        Templates.of(Settings(prompts_file=tmp_path / "missing.toml"))


def test_a_visitors_own_stand_beside_the_others_under_names_of_their_own() -> None:
    templates = Templates().with_own([template("Listen.").to_plain()])
    assert templates.get("mine").origin == "own"
    assert len(templates) == len(BUILT_IN) + 1
    with pytest.raises(PromptError, match="“verbatim” is taken by a built-in template"):
        Templates().with_own([{**template("Listen.").to_plain(), "name": "verbatim"}])


def test_a_name_in_a_deployers_file_that_is_taken_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('[verbatim]\ntask = "chat"\ntext = "Listen."')
    with pytest.raises(PromptError, match=r"p\.toml: the name “verbatim” is taken by a built-in template"):
        Templates.of(Settings(prompts_file=tmp_path / "p.toml"))


def test_an_unknown_name_is_told_what_there_is() -> None:
    with pytest.raises(PromptError) as error:
        Templates().get("verbatm")
    assert "“verbatm”" in str(error.value)
    assert 'Did you mean "verbatim"?' in str(error.value.fix)
    assert "who-said-what" in str(error.value.fix)


def test_templates_can_lie_in_a_session_and_cross_a_process() -> None:
    templates = Templates().with_own([template("{terms}", terms="x").to_plain()])
    assert copy.deepcopy(templates) == templates
    assert pickle.loads(pickle.dumps(templates)) == templates  # noqa: S301  # our own bytes
    assert len(set(templates)) == len(templates)


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("Sure, here is the transcription:\nhello", "preamble"),
        ("Sure! Here's the text of the audio clip. Hello", "preamble"),
        ("Certainly. Here are the bullet points: one", "preamble"),
        ("**Transcription:** hello", "preamble"),
        ("The transcription of the audio is: hello", "preamble"),
        ("Hier ist die Transkription: Hallo", "preamble"),
        ("Voici la transcription : bonjour", "preamble"),
        ("¡Claro! Aquí tienes la transcripción: hola", "preamble"),
        ("Sicher! Hier ist die Zusammenfassung: Es regnet.", "preamble"),
        ("Certainly! Below is the transcription of the audio. Hello", "preamble"),
        ("Based on the audio provided, here is a summary: it rains.", "preamble"),
        ("以下是音频的转录内容：你好", "preamble"),
        ("以下は音声の文字起こしです。こんにちは", "preamble"),
        ("I'm sorry, but I can't assist with that.", "refusal"),
        ("I’m sorry, I am unable to listen to audio files.", "refusal"),
        ("Sorry, I cannot do that.", "refusal"),
        ("I cannot listen to audio.", "refusal"),
        ("Unfortunately, I don't have the ability to hear audio.", "refusal"),
        ("As an AI language model, I only read text.", "refusal"),
        ("I apologize for the confusion, but I cannot hear audio.", "refusal"),
        ("I'm just a text-based model.", "refusal"),
        ("Es tut mir leid, ich kann keine Audiodateien anhören.", "refusal"),
        ("Entschuldigung, aber ich kann das nicht anhören.", "refusal"),
        ("很抱歉，我无法听取音频。", "refusal"),
        ("Hello there. Let me know if you need anything else!", "remark"),
        ("Hello there. Would you like me to translate it?", "remark"),
    ],
)
def test_a_models_own_words_are_flagged(text: str, flag: str) -> None:
    assert any(flag in oddity for oddity in oddities(text)), oddities(text)


@pytest.mark.parametrize(
    "text",
    ["", "Sure, I will be there at five.", "Here is the key to the shed.", "I can't believe it.", "Sorry, we are late.",
     "Of course we went by train.", "The audio was bad that day.", "Please schedule the budget review for Thursday.",
     "OK, next point. Let me know if you need a lift, she said, and off he went to the station.",
     "Natürlich kommen wir morgen.", "Voici le train.", "I'm an AI researcher.", "Entschuldigung, wo ist der Bahnhof?",
     "I apologise for being late, we cannot start yet."],
)  # fmt: skip
def test_ordinary_speech_is_not_flagged(text: str) -> None:
    assert oddities(text) == ()


def test_half_a_surrogate_pair_in_an_import_does_not_break_the_page() -> None:
    plain = json.loads(
        '{"name": "mine", "task": "chat", "text": "a\\ud83d", "label": "b\\ud83d", "defaults": {"terms": "\\ud83d"}}'
    )
    json.dumps(template_from(plain).to_plain(), ensure_ascii=False).encode()
    for wrong_one in ({**plain, "name": "\ud83d"}, {**plain, "\ud83d": 1}, {**plain, "defaults": {"\ud83d": "x"}}):
        with pytest.raises(PromptError) as error:
            template_from(wrong_one)
        f"{error.value} {error.value.fix}".encode()


def test_a_template_full_of_unknown_variables_is_refused_in_a_few_words() -> None:
    said = wrong(template("".join(f"{{v{number}}}" for number in range(1000))))
    assert "{v0}" in said
    assert len(said) < 2000


def test_a_template_without_a_name_is_refused() -> None:
    with pytest.raises(PromptError, match="no name"):
        template_from({"task": "chat", "text": "Listen."})
