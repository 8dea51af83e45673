"""Whisper through CTranslate2: what is heard, the conversion that is made once, and which folders are refused."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jiwer
import pytest

from runners import faster_whisper
from runners.audio import decode
from runners.base import Clip, DeviceKind, Dtype, ModelLoadError, Placement, TranscribeOptions, Transcript, UnsupportedOption
from runners.catalogue.names import spec_for
from runners.faster_whisper import FasterWhisper
from tests import tiny_wav2vec2, tiny_whisper
from tests.sounds import babble, silence
from tests.watcher import Watcher

pytest.importorskip("faster_whisper")

OPEN = TranscribeOptions()


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("EARSHOT_CACHE_FOLDER", str(folder))
        yield folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper.whisper(tmp_path_factory.mktemp("source"))


@pytest.fixture
def folder(source: Path, tmp_path: Path) -> Path:
    """A copy that a test may harm."""
    return Path(shutil.copytree(source, tmp_path / "whisper"))


def loaded(folder: Path, dtype: Dtype = "int8", device: DeviceKind = "cpu") -> FasterWhisper:
    runner = FasterWhisper(spec_for(f"faster-whisper:{folder}"))
    runner.load(folder, Placement(device, dtype), Watcher())
    return runner


def hear(runner: FasterWhisper, clip: Clip, options: TranscribeOptions = OPEN) -> Transcript:
    return runner.transcribe(clip, options, Watcher())


def kept(cache: Path) -> set[str]:
    return {path.name for path in (cache / "ctranslate2").glob("*")}


def test_spoken_digits_are_heard_as_well_as_noted(speech_weights: Path) -> None:
    digits = speech_weights / "digits-test"
    rows = [json.loads(line) for line in (digits / "manifest.jsonl").read_text().splitlines()]
    clips = [decode(digits / row["file"], max_seconds=60, max_bytes=10_000_000, reference=row["text"]) for row in rows]
    runner = loaded(speech_weights / "whisper-digits")
    short = [clip for clip in clips if clip.seconds < 30]
    heard = [hear(runner, clip) for clip in short]
    assert jiwer.wer([str(clip.reference) for clip in short], [one.text for one in heard]) <= 0.26  # noted: 25 %
    assert all(word.end is not None for one in heard for word in one.words)
    assert {one.language for one in heard} == {"en"}
    [long] = [clip for clip in clips if clip.seconds > 30]
    watcher = Watcher()
    batched = runner.transcribe(long, OPEN, watcher)
    assert len(batched.text.split()) > 30
    assert watcher.partials[-1] == batched.text
    assert hear(runner, silence(3)).text == ""


def test_version_3_is_converted_and_can_be_told_cantonese(source: Path, tmp_path: Path) -> None:
    runner = loaded(tiny_whisper.whisper(tmp_path, third=True))
    assert runner._model.model.n_mels == 128
    assert hear(runner, babble(3), TranscribeOptions(language="yue")).language == "yue"
    with pytest.raises(UnsupportedOption, match="'yue'"):
        hear(loaded(source), babble(3), TranscribeOptions(language="yue"))


def test_a_folder_is_converted_once(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept(cache)
    first = hear(loaded(folder), babble(3))
    assert len(kept(cache) - before) == 1

    def again(*_: object) -> None:
        raise AssertionError("converted a second time")

    monkeypatch.setattr(faster_whisper, "_convert", again)
    assert hear(loaded(folder), babble(3)) == first


def test_another_precision_or_a_changed_folder_is_another_conversion(folder: Path, cache: Path) -> None:
    before = kept(cache)
    loaded(folder)
    loaded(folder, "float32")
    assert len(kept(cache) - before) == 2
    state = (folder / "model.safetensors").stat()
    os.utime(folder / "model.safetensors", ns=(state.st_atime_ns, state.st_mtime_ns + 1_000_000))
    loaded(folder)
    assert len(kept(cache) - before) == 3


def test_a_conversion_that_is_broken_off_leaves_nothing(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept(cache)

    def broken(_: Path, target: Path, __: str) -> None:
        target.mkdir()
        (target / "model.bin").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(faster_whisper, "_convert", broken)
        with pytest.raises(KeyboardInterrupt):
            loaded(folder)
    assert kept(cache) == before
    assert loaded(folder)


def test_what_a_killed_conversion_left_is_removed_at_once_here_and_after_a_day_elsewhere(folder: Path, cache: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = f"unfinished-{platform.node()}"
    killed, under_way, elsewhere, old = (
        cache / "ctranslate2" / name
        for name in (f"{here}-{ended.pid}-a", f"{here}-{os.getpid()}-a", f"unfinished-x-{ended.pid}-a", "unfinished-x-1-a")
    )
    for left in (killed, under_way, elsewhere, old):
        (left / "model").mkdir(parents=True)
    os.utime(old, (0, 0))
    loaded(folder)
    assert not killed.exists()
    assert not old.exists()
    assert under_way.exists()
    assert elsewhere.exists()


def test_a_cache_that_cannot_be_written_says_which_setting_to_change(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    monkeypatch.setenv("EARSHOT_CACHE_FOLDER", str(tmp_path / "taken"))
    with pytest.raises(ModelLoadError, match="cannot be kept") as refused:
        loaded(folder)
    assert refused.value.fix is not None
    assert "EARSHOT_CACHE_FOLDER" in refused.value.fix


@pytest.fixture
def converted(source: Path, cache: Path, tmp_path: Path) -> Path:
    """A folder as the hub has them for CTranslate2."""
    loaded(source)
    [made] = [path for path in (cache / "ctranslate2").iterdir() if path.name == faster_whisper._key(source, "int8")]
    return Path(shutil.copytree(made, tmp_path / "converted"))


def test_a_converted_folder_is_loaded_as_it_is(converted: Path, cache: Path) -> None:
    before = kept(cache)
    runner = loaded(converted)
    assert kept(cache) == before
    assert hear(runner, babble(3), TranscribeOptions(language="de")).language == "de"


def test_a_missing_tokenizer_is_not_downloaded_instead(converted: Path) -> None:
    (converted / "tokenizer.json").unlink()
    with pytest.raises(ModelLoadError, match=r"tokenizer\.json") as refused:
        loaded(converted)
    assert refused.value.fix


def test_the_number_of_bands_is_checked(converted: Path) -> None:
    path = converted / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"feature_size": 128}))
    with pytest.raises(ModelLoadError, match="bands"):
        loaded(converted)


def _cut_short(folder: Path) -> None:
    path = folder / "model.bin"
    path.write_bytes(path.read_bytes()[:5000])


def _no_vocabulary(folder: Path) -> None:
    for path in folder.glob("vocabulary.*"):
        path.unlink()


@pytest.mark.parametrize("harm", [_cut_short, _no_vocabulary])
def test_a_damaged_conversion_is_refused_by_name(converted: Path, harm: Callable[[Path], None]) -> None:
    harm(converted)
    with pytest.raises(ModelLoadError) as refused:
        loaded(converted)
    assert str(converted) in str(refused.value)


def test_a_checkpoint_with_weights_missing_is_not_converted(folder: Path, cache: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = {key: value for key, value in load_file(folder / "model.safetensors").items() if "layers.0.fc1" not in key}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    before = kept(cache)
    with pytest.raises(ModelLoadError, match="fc1"):
        loaded(folder)
    assert kept(cache) == before


def test_a_folder_with_an_older_tokenizer_is_converted_too(folder: Path) -> None:
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    assert loaded(folder)


def test_a_language_that_no_whisper_knows_is_refused(source: Path) -> None:
    with pytest.raises(UnsupportedOption, match="'xx'"):
        hear(loaded(source), babble(1), TranscribeOptions(language="xx"))


def test_other_devices_and_precisions_are_refused_by_name(source: Path) -> None:
    with pytest.raises(UnsupportedOption, match="rocm"):
        loaded(source, device="rocm")
    with pytest.raises(UnsupportedOption, match="int8_float16"):
        loaded(source, "int8_float16")


def test_a_checkpoint_of_another_family_is_sent_there(tmp_path: Path) -> None:
    tiny_wav2vec2.wav2vec2(tmp_path)
    with pytest.raises(ModelLoadError, match="wav2vec2 checkpoint") as refused:
        loaded(tmp_path)
    assert refused.value.fix == f"Use ctc:{tmp_path}."


def test_a_converted_folder_is_sent_to_faster_whisper(converted: Path) -> None:
    from runners.whisper import Whisper

    with pytest.raises(ModelLoadError, match="CTranslate2 model") as refused:
        Whisper(spec_for(f"whisper:{converted}")).load(converted, Placement(), Watcher())
    assert refused.value.fix == f"Use faster-whisper:{converted}."


def test_a_translation_is_what_the_library_translates(source: Path) -> None:
    clip = babble(3)
    spoken = hear(loaded(source), clip, TranscribeOptions(language="de", word_times=False))
    runner, plain = loaded(source), loaded(source)._model  # of each the first use: it draws where it is unsure
    translated = hear(runner, clip, TranscribeOptions(language="de", translate_to="en"))
    parts, _ = plain.transcribe(clip.samples, language="de", task="translate", vad_filter=True, without_timestamps=True)
    assert translated.text == "".join(part.text for part in parts).strip()
    assert translated.text != spoken.text
    assert translated.words == ()
    assert any("no word times" in note for note in translated.notes)
    assert hear(runner, babble(40), TranscribeOptions(translate_to="en")).text


def test_it_translates_to_english_alone(source: Path) -> None:
    with pytest.raises(UnsupportedOption, match="'fr'") as refused:
        hear(loaded(source), babble(1), TranscribeOptions(translate_to="fr"))
    assert "English" in str(refused.value.fix)
