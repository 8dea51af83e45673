"""Kyutai's speech-to-text: the words of its own call, and their times. ``test_encoder_decoders`` has what it shares."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners import kyutai_stt
from runners.base import Clip, Dtype, Placement, TranscribeOptions, Transcript
from runners.catalogue.names import spec_for
from runners.kyutai_stt import KyutaiStt
from tests import tiny_encoder_decoders as tiny_models
from tests.sounds import babble
from tests.watcher import Watcher


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.kyutai(tmp_path_factory.mktemp("kyutai"))


def loaded(folder: Path, dtype: Dtype = "float32") -> KyutaiStt:
    runner = KyutaiStt(spec_for(f"kyutai-stt:{folder}"))
    runner.load(folder, Placement("cpu", dtype), Watcher())
    return runner


def hear(runner: KyutaiStt, clip: Clip) -> Transcript:
    return runner.transcribe(clip, TranscribeOptions(), Watcher())


def test_kyutai_writes_what_its_own_processor_and_model_write(folder: Path) -> None:
    import soxr
    from transformers import (
        AutoTokenizer,
        KyutaiSpeechToTextFeatureExtractor,
        KyutaiSpeechToTextForConditionalGeneration,
        KyutaiSpeechToTextProcessor,
    )

    clip = babble(4)
    processor = KyutaiSpeechToTextProcessor(
        KyutaiSpeechToTextFeatureExtractor.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    )
    model = KyutaiSpeechToTextForConditionalGeneration.from_pretrained(folder, dtype="float32")
    output = model.generate(**processor(audio=soxr.resample(clip.samples, 16_000, 24_000), sampling_rate=24_000))
    wanted = processor.batch_decode(output, skip_special_tokens=True)[0].strip()
    heard = hear(loaded(folder), clip)
    assert heard.text == wanted
    assert [word.text for word in heard.words] == heard.text.split()


def test_kyutai_times_words_by_the_frame_they_come_in_less_the_delay(folder: Path) -> None:
    runner = loaded(folder)
    state = runner._loaded
    assert state is not None
    word = state.tokenizer.convert_tokens_to_ids(tiny_models.WORDS[0])
    # Nothing for 20 frames of 80 ms, a boundary and a word; after ten more another, without a boundary. Delay: 0.75 s.
    ids = [3] * 20 + [0, word] + [3] * 10 + [word] + [3] * 30
    first, second = kyutai_stt._words(state, ids, 6.0)
    assert first.start == pytest.approx(20 * 0.08 - 0.75)
    assert first.end == pytest.approx(32 * 0.08 - 0.75)
    assert second.start == pytest.approx(32 * 0.08 - 0.75)
    assert second.end == pytest.approx(33 * 0.08 - 0.75 + 1.0)
    [last] = kyutai_stt._words(state, [3] * 20 + [0, word], 1.0)
    assert last.end == 1.0


def test_a_decoder_in_half_precision_leaves_the_codec_in_single(folder: Path) -> None:
    runner = loaded(folder, "bfloat16")
    assert hear(runner, babble(2)).text
