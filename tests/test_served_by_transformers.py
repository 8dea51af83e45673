"""Served models against a real ``transformers serve`` on this machine, with tiny checkpoints."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from runners.audio import pcm16
from runners.base import Contender, ModelLoadError, Prompt, TranscribeOptions
from tests import tiny_audio_chat, tiny_whisper
from tests.pools import fresh_pools, run
from tests.served_models import CLIP, ask, hear, loaded, row
from tests.watcher import Watcher

UNMET = "it needs transformers[serving], python-multipart and librosa"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where it listens; the models are named by their folders in each request."""
    try:
        from transformers.cli.serve import Serve
        from transformers.utils.import_utils import is_librosa_available, is_multipart_available, is_serve_available
    except ImportError:
        pytest.skip(UNMET)
    if not (is_serve_available() and is_multipart_available() and is_librosa_available()):
        pytest.skip(UNMET)
    listening = socket.create_server(("127.0.0.1", 0))

    class OnFreePort(Serve):
        def start_server(self) -> None:
            self._thread = threading.Thread(
                target=self.server.run, kwargs={"sockets": [listening]}, name="transformers serve", daemon=True
            )
            self._thread.start()

    serve = OnFreePort(device="cpu", dtype="float32", attn_implementation=None, quantization=None, non_blocking=True)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    finally:
        serve.kill_server()
        listening.close()


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper.whisper(tmp_path_factory.mktemp("whisper"), positions=40)


@pytest.fixture(scope="module")
def qwen2_audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_audio_chat.qwen2_audio(tmp_path_factory.mktemp("qwen2-audio"))


def by_itself(folder: Path) -> list[str]:
    """How the checkpoint begins by transformers' own call, without a server: later on near-ties flip."""
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    processor = WhisperProcessor.from_pretrained(folder)
    model = WhisperForConditionalGeneration.from_pretrained(folder)
    sent = np.frombuffer(pcm16(CLIP.samples), "<i2").astype(np.float32) / 32768  # what is left of it in 16 bits
    inputs = processor(sent, sampling_rate=16_000, return_tensors="pt")
    said: str = processor.batch_decode(model.generate(**inputs), skip_special_tokens=True)[0]
    return beginning(said)


def beginning(text: str) -> list[str]:
    return text.split()[:8]


def test_a_whisper_is_heard_in_one_answer_and_as_a_stream(address: str, whisper: Path) -> None:
    spec = row(address, model=str(whisper), longest_seconds=30)
    expected = by_itself(whisper)
    assert len(expected) == 8
    heard = hear(spec)
    assert beginning(heard.text) == expected
    assert heard.notes == ("this server gives no word times",)
    streamed = hear(row(address, model=str(whisper), longest_seconds=30, word_times=False))
    assert beginning(streamed.text) == expected
    assert streamed.notes == ()


def test_a_whisper_is_heard_in_its_child(address: str, whisper: Path) -> None:
    with fresh_pools() as pools:
        result = run(pools(), Contender(row(address, model=str(whisper))), clip=CLIP)
    assert result.status == "ok", result.error
    assert result.transcript is not None
    assert beginning(result.transcript.text) == by_itself(whisper)


def test_an_audio_chat_model_answers_and_transcribes_what_it_is_told(address: str, qwen2_audio: Path) -> None:
    spec = row(address, "chat", str(qwen2_audio))
    with loaded(spec) as runner:
        pieces, used = ask(runner, "What is it?", most_tokens=6)
        assert "".join(pieces)
        assert used.new_tokens == 6
        assert used.ended == "limit"
        assert used.prompt_tokens > 0
        alone, text_only = ask(runner, "What is it?", clip=None, most_tokens=6)
        assert alone
        assert text_only.prompt_tokens < used.prompt_tokens
        told = runner.transcribe(
            CLIP, TranscribeOptions(prompt=Prompt("verbatim", "transcription", "Write it down.")), Watcher()
        )
    assert isinstance(told.text, str)


def test_a_model_that_is_not_there_is_said_in_plain_words(address: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="server lab") as refusal:
        hear(row(address, model=str(tmp_path / "nothing")))
    assert "127.0.0.1" not in str(refusal.value)
    assert not isinstance(refusal.value, ModelLoadError)  # it answers 500, whatever the reason
