"""Voxtral, Qwen-Omni, Gemma and Audio Flamingo: the real loading path on tiny random checkpoints, beside what the library
itself makes of the same clip.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runners.audio_chat import AudioChat
from runners.base import (
    SAMPLE_RATE,
    Cancelled,
    ChatOptions,
    ChatResult,
    Clip,
    Contender,
    ModelLoadError,
    Placement,
    Prompt,
    RunnerSpec,
    TranscribeOptions,
    Turn,
    Usage,
)
from runners.catalogue.names import spec_for
from runners.catalogue.rows import audio_chat as rows
from runners.dialects import audio_flamingo, gemma, qwen_omni
from runners.here.machine import look
from runners.networks import checkpoint
from runners.networks.hearing import Hearing
from runners.pool import Pool
from runners.settings import read_settings
from tests import answers, tiny_omni
from tests.sounds import babble, pausing
from tests.watcher import Watcher
from tests.weight_files import damaged

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
torch.set_num_threads(1)

QUESTION = Turn("user", "What is said?")
MOST = 24


class Loaded:
    """A runner with its tiny checkpoint."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.family = tiny_omni.CASES[name].family
        self.folder = folder
        self.runner = load(self.family, folder)

    @property
    def hearing(self) -> Hearing:
        assert self.runner._loaded is not None
        return self.runner._loaded

    def chat(self, clip: Clip | None, *turns: Turn, conversation: str = "first") -> tuple[str, Usage]:
        pieces = self.runner.chat(clip, turns, ChatOptions(conversation, most_tokens=MOST), Watcher())
        return answers.whole(pieces)

    def asked(self, clip: Clip, options: TranscribeOptions) -> str:
        """The words of the prompt that a clip is transcribed with, control tokens and places for audio left out."""
        prompts: list[Any] = []
        watcher = Watcher()

        def seen(_: Any, __: Any, given: dict[str, Any]) -> None:
            prompts.append(given["input_ids"])
            watcher.cancel_at = 0  # the prompt is all that is wanted

        hook = self.hearing.network.model.register_forward_pre_hook(seen, with_kwargs=True)
        try:
            with pytest.raises(Cancelled):
                self.runner.transcribe(clip, options, watcher)
        finally:
            hook.remove()
        return str(self.hearing.network.tokenizer.decode(prompts[0][0], skip_special_tokens=True))


def load(family: str, folder: Path, dtype: Any = "float32") -> AudioChat:
    runner = AudioChat(RunnerSpec(family, "A network", "runners.audio_chat:AudioChat", str(folder)))
    runner.load(folder, Placement("cpu", dtype), Watcher())
    return runner


@pytest.fixture(scope="module", params=tiny_omni.CASES)
def each(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Loaded:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("torchvision", "torchaudio", "timm", "mistral_common"):  # importing one of these fails
            patch.setitem(sys.modules, name, None)
        return Loaded(request.param, folders[request.param])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    built: dict[str, Path] = {}
    for name, case in tiny_omni.CASES.items():
        assert case.build is not None
        built[name] = case.build(tmp_path_factory.mktemp("omni") / name)
    return built


@pytest.fixture
def windows(each: Loaded) -> Iterator[list[int]]:
    """Grows by the number of windows whenever the audio encoder runs."""
    seen: list[int] = []
    tower = each.hearing.network.model.model.audio_tower
    first = next(part for part in tower.modules() if isinstance(part, torch.nn.Conv1d | torch.nn.Conv2d))
    hook = first.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    yield seen
    hook.remove()


# What the library does with the same clip --------------------------------------------------------------------------------


def said(text: str, audio: bool = False) -> dict[str, Any]:
    return {"role": "user", "content": [*[{"type": "audio", "audio": "x"}] * audio, {"type": "text", "text": text}]}


def librarys(name: str, folder: Path, samples: np.ndarray, messages: list[dict[str, Any]]) -> tuple[Any, dict[str, Any]]:
    """A fresh network of the family's published class, and what its processor makes of a conversation about a clip."""
    if name == "voxtral":  # its processor's text comes from mistral-common
        tokenizer = voxtral_tokenizer(folder)
        processor = transformers.VoxtralProcessor.__new__(transformers.VoxtralProcessor)
        processor.feature_extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
        options = {"sampling_rate": SAMPLE_RATE, "padding": True, "truncation": False, "pad_to_multiple_of": 480_000}
        features = processor._retrieve_input_features([samples], 3000, return_tensors="pt", **options)
        text = "<s>"
        for number, message in enumerate(messages):
            words = "".join(part.get("text", "") for part in message["content"])
            audio = "[BEGIN_AUDIO]" + "[AUDIO]" * 375 if number == 0 else ""
            text += f"[INST]{audio}{words}[/INST]" if message["role"] == "user" else f"{words}</s>"
        words = tokenizer(text, add_special_tokens=False, return_tensors="pt")
        words.pop("token_type_ids", None)
        return of_class("VoxtralForConditionalGeneration", folder), {**words, "input_features": features}
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    if name == "audio-flamingo":
        processor = transformers.AudioFlamingo3Processor(
            transformers.WhisperFeatureExtractor.from_pretrained(folder),
            tokenizer,
            chat_template=(folder / "chat_template.jinja").read_text("utf-8"),
        )
        text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return of_class("AudioFlamingo3ForConditionalGeneration", folder), dict(processor(text=[text], audio=[samples]))
    # The others' processors want pictures' processors too, which want torchvision: their halves for sound are asked alone.
    if name in ("qwen2.5-omni", "qwen3-omni"):
        template = json.loads((folder / "chat_template.json").read_text("utf-8"))["chat_template"]
        second = name == "qwen2.5-omni"
        kind = transformers.Qwen2_5OmniProcessor if second else transformers.Qwen3OmniMoeProcessor
        processor = kind.__new__(kind)
        processor.feature_extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
        processor.audio_token = tokenizer.convert_ids_to_tokens(tiny_ids(folder)["audio"])
        options = {"sampling_rate": SAMPLE_RATE, "return_attention_mask": True, "return_tensors": "pt"}
        options |= {} if second else {"padding": True, "truncation": False, "n_window": 50}
        features, places = processor._process_audio([samples], **options)
        network = "Qwen2_5OmniThinkerForConditionalGeneration" if second else "Qwen3OmniMoeThinkerForConditionalGeneration"
        kept = {part: features[part] for part in ("input_features", "feature_attention_mask")}
    else:
        template = (folder / "chat_template.jinja").read_text("utf-8")
        third = name == "gemma3n"
        ears = transformers.Gemma3nAudioFeatureExtractor if third else transformers.Gemma4AudioFeatureExtractor
        kept = dict(ears.from_pretrained(folder)([samples], return_tensors="pt"))
        if third:
            places = ["\n\n<start_of_audio>" + "<audio_soft_token>" * 188 + "<end_of_audio>\n\n"]
        else:
            processor = transformers.Gemma4Processor.__new__(transformers.Gemma4Processor)
            processor.audio_token, processor.boa_token, processor.eoa_token = "<|audio|>", "<|audio>", "<audio|>"
            places = [processor.replace_audio_token(kept, audio_idx=0)]
        network = "" if third else "Gemma4ForConditionalGeneration"
    mark = tokenizer.convert_ids_to_tokens(tiny_ids(folder)["audio"])
    text = tokenizer.apply_chat_template(messages, chat_template=template, add_generation_prompt=True, tokenize=False)
    text = text.replace(mark, places[0])
    model = of_class(network, folder) if network else gemma.third_without_eyes().from_pretrained(folder).eval()
    return model, {**tokenizer(text, add_special_tokens=False, return_tensors="pt"), **kept}


def voxtral_tokenizer(folder: Path) -> Any:
    from transformers.integrations.mistral.tokenizer import MistralConverter

    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=MistralConverter(str(folder / "tekken.json")).converted(), eos_token="</s>"
    )


def tiny_ids(folder: Path) -> dict[str, int]:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config = config.get("thinker_config", config)
    return {"audio": config.get("audio_token_id", config.get("audio_token_index"))}


def of_class(name: str, folder: Path) -> Any:
    return getattr(transformers, name).from_pretrained(folder, dtype=torch.float32).eval()


def generated(model: Any, tokenizer: Any, inputs: dict[str, Any], most: int = MOST) -> str:
    with torch.inference_mode():
        ids = model.generate(**inputs, max_new_tokens=most, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    return str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


@pytest.mark.parametrize("seconds", [0.5, 3.01, 7])
def test_an_answer_is_the_librarys_own(each: Loaded, seconds: float) -> None:
    clip = babble(seconds, seed=3)
    model, inputs = librarys(each.name, each.folder, clip.samples, [said(QUESTION.text, audio=True)])
    text, usage = each.chat(clip, QUESTION, conversation=f"{seconds}")
    assert usage.prompt_tokens == inputs["input_ids"].shape[1]
    assert text == generated(model, each.hearing.network.tokenizer, inputs)
    assert len(set(text)) > 4


def test_a_conversation_is_the_librarys_own(each: Loaded) -> None:
    clip = babble(2)
    turns = (Turn("user", "What?"), Turn("assistant", "Ba da."), Turn("user", "Why?"))
    earlier = [said("What?", audio=True), {"role": "assistant", "content": [{"type": "text", "text": "Ba da."}]}, said("Why?")]
    model, inputs = librarys(each.name, each.folder, clip.samples, earlier)
    first, _ = each.chat(clip, turns[0], conversation="long")
    text, usage = each.chat(clip, *turns, conversation="long")
    assert usage.reused_tokens > 0  # most of the first turn's cache, cut back to what both begin with
    assert text == generated(model, each.hearing.network.tokenizer, inputs)
    assert first != text


@pytest.mark.parametrize("each", ["voxtral", "audio-flamingo"], indirect=True)
def test_many_windows_are_encoded_some_at_a_time_and_heard_the_same(
    each: Loaded, windows: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = pausing(70, at=(25, 50))
    at_once, _ = each.chat(clip, QUESTION, conversation="at once")
    monkeypatch.setattr("runners.networks.hearing.WINDOWS_AT_ONCE", 2)
    in_groups, _ = each.chat(clip, QUESTION, conversation="in groups")
    assert windows == [3, 2, 1]
    assert in_groups == at_once


def test_answers_depend_on_what_is_heard(each: Loaded) -> None:
    noise = Clip(np.random.default_rng(0).normal(0, 0.1, 3 * SAMPLE_RATE).astype(np.float32), 3.0, "noise.wav")
    assert each.chat(babble(3), QUESTION)[0] != each.chat(noise, QUESTION)[0]


def test_voxtrals_format_is_mistrals(folders: dict[str, Path]) -> None:
    """``encode_instruct`` and ``encode_transcription`` of mistral-common 1.8, by hand: no space anywhere."""
    voxtral = Loaded("voxtral", folders["voxtral"])
    hearing, clip = voxtral.hearing, babble(31)
    tokenizer = hearing.network.tokenizer

    def text(ids: tuple[int, ...]) -> str:
        return str(tokenizer.decode(ids, skip_special_tokens=False)).replace("[AUDIO]" * 375, "<30 s>")

    turns = (Turn("user", "What?"), Turn("assistant", "Ba da."), Turn("user", "Why?"))
    audio = "[BEGIN_AUDIO]<30 s><30 s>"
    assert text(hearing.wire(clip.samples, turns).ids) == f"<s>[INST]{audio}What?[/INST]Ba da.</s>[INST]Why?[/INST]"
    assert text(hearing.request(clip.samples, None).ids) == f"<s>[INST]{audio}[/INST][TRANSCRIBE]"
    assert text(hearing.request(clip.samples, "en").ids) == f"<s>[INST]{audio}[/INST]lang:en[TRANSCRIBE]"
    heard = hearing.request(clip.samples, "en")
    assert heard.sound is not None
    features = heard.sound.inputs(Watcher())["input_features"]
    assert features.shape == (2, 128, 3000)
    model = of_class("VoxtralForConditionalGeneration", voxtral.folder)
    told = voxtral.runner.transcribe(babble(3), TranscribeOptions(language="en"), Watcher())
    brief = hearing.request(babble(3).samples, "en")
    assert brief.sound is not None
    inputs = {"input_ids": torch.tensor([brief.ids]), **brief.sound.inputs(Watcher())}
    expected = generated(model, tokenizer, {**inputs, "attention_mask": torch.ones_like(inputs["input_ids"])}, 20)
    assert told.text.startswith(expected.strip()[:10])
    assert told.language == "en"


def test_there_are_as_many_tokens_as_the_encoder_makes(each: Loaded) -> None:
    hearing = each.hearing
    for samples in (1, 1600, 1601, 8159, 8160, 8161, 15_999, 16_000, 16_161, 33_333, 480_000, 480_001):
        wire = hearing.wire(np.zeros(samples, np.float32) + 0.1, (QUESTION,))
        assert wire.sound is not None
        inputs = wire.sound.inputs(Watcher())
        assert wire.ids.count(hearing.network.audio_token) == wire.sound.tokens
        if each.name == "gemma3n":  # fills up its windows inside
            assert wire.sound.tokens == 188 * len(inputs["input_features"])
            continue
        with torch.inference_mode():
            made = hearing.network.model.model.get_audio_features(**inputs, return_dict=True)
        features = made.pooler_output
        count = int(made.attention_mask.sum()) if each.name == "gemma4" else features.reshape(-1, features.shape[-1]).shape[0]
        assert wire.sound.tokens == count, samples


# What is asked -----------------------------------------------------------------------------------------------------------


def test_a_language_is_told_and_a_translation_asked_for(each: Loaded) -> None:
    clip = babble(1)
    row = spec_for(each.family)
    asked = each.asked(clip, TranscribeOptions(language="fr" if row.can_choose_language else None))
    if row.can_choose_language:
        assert ("lang:fr" if each.name == "voxtral" else "French") in asked
        assert "French" not in each.asked(clip, TranscribeOptions())
        prompt = Prompt("minutes", "summarization", "Write minutes.")
        assert "Write minutes.\n\nThe speech is in French." in each.asked(clip, TranscribeOptions("fr", prompt=prompt))
    if row.translates_to:
        told = each.asked(clip, TranscribeOptions(translate_to="en", language="fr"))
        assert "Translate the speech into English." in told
        assert "The speech is in French." in told


def test_a_long_clip_is_transcribed_piece_by_piece_and_asked_about_as_a_whole(
    each: Loaded, windows: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runners.networks.answer_length.MOST_TOKENS_PER_SECOND", 0)  # as brief as answers may be
    clip = pausing(70, at=(25, 50))
    watcher = Watcher(cancel_at=40)
    if each.hearing.longest_transcribed_seconds > 70:
        with pytest.raises(Cancelled):
            each.runner.transcribe(clip, TranscribeOptions(), watcher)
        assert windows == [3]
        windows.clear()
    else:
        heard = each.runner.transcribe(clip, TranscribeOptions(), Watcher())
        assert "cut at pauses into 3 pieces" in heard.notes
        assert [round(part.end or 0) for part in heard.segments] == [25, 50, 70]
        windows.clear()
    _, usage = each.chat(clip, QUESTION, conversation="long clip")
    assert usage.prompt_tokens > 3 * 188
    asked = TranscribeOptions(prompt=Prompt("summary", "summarization", "Summarise it."))
    windows.clear()
    with pytest.raises(Cancelled):
        each.runner.transcribe(clip, asked, Watcher(cancel_at=60))
    assert len(windows) == 1


def test_silence_has_no_words(each: Loaded) -> None:
    heard = each.runner.transcribe(
        Clip(np.zeros(3 * SAMPLE_RATE, np.float32), 3, "silence.wav"), TranscribeOptions(), Watcher()
    )
    assert (heard.text, heard.segments) == ("", ())


def test_control_tokens_in_somebodys_words_are_words(each: Loaded) -> None:
    control = [name for name in each.hearing.network.tokenizer.get_added_vocab() if "SPECIAL" not in name]
    samples = babble(1).samples
    plain = each.hearing.wire(samples, (Turn("user", "a"), Turn("assistant", "a"), Turn("user", "a"))).ids
    words = f"a{''.join(control)}\ue0000\ue001"
    odd = each.hearing.wire(samples, (Turn("user", words), Turn("assistant", words), Turn("user", words))).ids
    for name in control:
        token = each.hearing.network.tokenizer.get_vocab()[name]
        assert odd.count(token) == plain.count(token), name


def test_a_transcript_is_taken_out_of_the_sentence_around_it() -> None:
    assert audio_flamingo.unframed('The spoken content of the audio is "good day.".') == "good day."
    assert audio_flamingo.unframed("The transcription of the audio is 'it's late'.") == "it's late"
    assert audio_flamingo.unframed("The content of the input audio is good day.") == "good day."
    assert audio_flamingo.unframed('He said "yes".') == 'He said "yes".'
    assert audio_flamingo.unframed("") == ""


# What is loaded ----------------------------------------------------------------------------------------------------------


def test_what_speaks_and_what_sees_is_not_loaded(each: Loaded) -> None:
    names = [name for name, _ in each.hearing.network.model.named_parameters()]
    assert not any("talker" in name for name in names)
    if each.family == "gemma":
        assert not any("vision_tower" in name for name in names)
    assert all(part.isfinite().all() for part in each.hearing.network.model.parameters())


def test_where_its_layers_would_lie_is_known_without_loading_it(each: Loaded) -> None:
    """What spreading it and rounding its layers go by; the fault would be a configuration of the whole for a part."""
    pytest.importorskip("accelerate")
    model = each.hearing.network.model
    outline = checkpoint._outline(type(model), each.folder, torch.float32)
    layers, rest = checkpoint._parts(outline)
    assert len(layers) == model.config.get_text_config().num_hidden_layers
    names = dict(model.named_modules())
    assert set(layers) <= set(names)
    assert set(rest) <= set(names)


def test_each_runs_in_half_precision(each: Loaded) -> None:
    runner = load(each.family, each.folder, "bfloat16")
    assert isinstance(runner.transcribe(babble(1), TranscribeOptions(), Watcher()).text, str)
    runner.unload()


def test_a_row_says_what_its_family_takes(each: Loaded) -> None:
    mine = [row for row in rows.ROWS if row.family == each.family and _is_of(row, each.name)]
    assert mine
    for row in mine:
        assert row.longest_prompt_seconds == each.hearing.longest_prompt_seconds
        assert row.longest_transcribed_seconds == each.hearing.longest_transcribed_seconds
        made = each.hearing.wire(np.ones(30 * SAMPLE_RATE, np.float32), (QUESTION,)).sound
        assert made is not None
        assert row.audio_tokens_per_second == pytest.approx(made.tokens / 30, rel=0.01)


def _is_of(row: RunnerSpec, name: str) -> bool:
    marks = {"qwen2.5-omni": "Qwen2.5", "qwen3-omni": "Qwen3", "gemma3n": "gemma-3n", "gemma4": "gemma-4"}
    return marks.get(name, "") in (row.model or "")


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("voxtral", {"preprocessor_config": None}, "has no feature extractor"),
        ("voxtral", {"tekken": None}, "tokenizer or vocabulary"),
        ("voxtral", {"tekken": "half"}, "cannot be loaded"),
        ("voxtral", {"config": {"audio_token_id": 7}}, r"gives \[AUDIO\] another number"),
        ("voxtral", {"preprocessor_config": {"feature_size": 80}}, "feature extractor makes 80 x 3000"),
        ("voxtral", {"model": "half"}, "holds only part of model.safetensors"),
        ("audio-flamingo", {"chat_template": None}, "has no chat template"),
        ("audio-flamingo", {"config": {"audio_token_id": 4000}}, "does not know the token that stands for audio"),
        ("gemma4", {"config": {"audio_config": None}}, "does not hear"),
        ("qwen2.5-omni", {"chat_template": {"chat_template": "{{ messages[0].nothing.at_all }}"}}, "cannot be used"),
        ("qwen2.5-omni", {"chat_template": {"chat_template": "Hello"}}, "has no place for audio"),
        ("qwen2.5-omni", {"config": {"model_type": "whisper"}}, "is a whisper checkpoint, not a Qwen2.5-Omni"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named_with_its_fault(
    folders: dict[str, Path], tmp_path: Path, name: str, changes: dict[str, Any], words: str
) -> None:
    broken = damaged(folders[name], tmp_path / "broken", **changes)
    with pytest.raises(ModelLoadError, match=words) as caught:
        load(tiny_omni.CASES[name].family, broken)
    assert "broken" in str(caught.value)
    assert caught.value.fix


def test_a_folder_of_another_family_is_told_where_it_belongs(each: Loaded) -> None:
    other = "gemma" if each.family == "voxtral" else "voxtral"
    with pytest.raises(ModelLoadError) as caught:
        load(other, each.folder)
    assert caught.value.fix == f"Use {each.family}:{each.folder}."
    assert checkpoint.family_of(checkpoint.read(each.folder, each.family)) == each.family


def test_a_vocabulary_of_transformers_does_as_well_as_mistrals(folders: dict[str, Path], tmp_path: Path) -> None:
    own = Loaded("voxtral", folders["voxtral"])
    copy = tmp_path / "copy"
    shutil.copytree(own.folder, copy)
    own.hearing.network.tokenizer.save_pretrained(copy)
    (copy / "tekken.json").unlink()
    other = Loaded("voxtral", copy)
    samples = babble(1).samples
    assert other.hearing.wire(samples, (QUESTION,)).ids == own.hearing.wire(samples, (QUESTION,)).ids


def test_tokens_a_second_are_the_families() -> None:
    assert (qwen_omni.tokens_of_second(16_000), qwen_omni.tokens_of_third(16_000)) == (25, 13)
    assert gemma.tokens_of_fourth(30 * SAMPLE_RATE) == 750
    assert audio_flamingo.audio_tokens(30 * SAMPLE_RATE) == 750


def test_it_talks_from_a_child_process(folders: dict[str, Path], tmp_path: Path) -> None:
    """The whole way, by its name: judged, started, loaded and asked twice about the clip."""
    pool = Pool(read_settings(device="cpu", dtype="float32", downloads=False, cache_folder=tmp_path), look)

    def ask(*turns: Turn) -> ChatResult:
        contender = Contender(spec_for(f"voxtral:{folders['voxtral']}"))
        options = ChatOptions("first", most_tokens=MOST)
        return pool.chat(contender, babble(2), turns, options, report=lambda event: None, cancel=threading.Event())

    try:
        first = ask(QUESTION)
        second = ask(QUESTION, Turn("assistant", first.text), Turn("user", "And then?"))
    finally:
        pool.close()
    assert (first.status, second.status) == ("ok", "ok"), (first.error, second.error)
    assert first.usage
    assert second.usage
    assert second.usage.reused_tokens >= first.usage.prompt_tokens - 1
