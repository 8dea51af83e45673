"""Every kind of file becomes a clip, or an error that says what to do, in bounded time and memory."""

from __future__ import annotations

import itertools
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from runners.audio import PAUSE_SECONDS, cut_at_pauses, decode, is_silent, pcm16, silences
from runners.base import SAMPLE_RATE, AudioError, Clip

HOUR = 3600.0


def read(path: Path, *, max_seconds: float = HOUR, max_bytes: int = 100_000_000) -> Clip:
    return decode(path, max_seconds=max_seconds, max_bytes=max_bytes)


def tone(hertz: float, seconds: float, rate: int = SAMPLE_RATE, level: float = 0.3) -> NDArray[np.float32]:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def loudest_hertz(clip: Clip) -> float:
    spectrum = np.abs(np.fft.rfft(clip.samples * np.hanning(len(clip.samples))))
    return float(np.fft.rfftfreq(len(clip.samples), 1 / clip.sample_rate)[spectrum.argmax()])


def wav_header(*, rate: int = 16000, channels: int = 1, bits: int = 16, length: int) -> bytes:
    fmt = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    return (
        b"RIFF"
        + struct.pack("<I", min(36 + length, 0xFFFFFFFF))
        + b"WAVEfmt \x10\0\0\0"
        + fmt
        + b"data"
        + struct.pack("<I", length)
    )


def encode(
    path: Path,
    codec: str | None,
    *,
    video: bool = False,
    seconds: float = 3,
    live: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a 440 Hz tone as libav's encoders do; ``live`` as a browser does, unable to go back and fill in the length."""
    import av

    class Pipe:
        def write(self, content: bytes) -> int:
            with path.open("ab") as file:
                return file.write(content)

    target: Any = Pipe() if live else str(path)
    wave_form, size = tone(440, seconds, 48000)[None], 960 if codec == "libopus" else 1024
    with av.open(target, "w", format=path.suffix[1:] if live else None, options=options or {}) as container:
        picture = container.add_stream("mpeg4", rate=10) if video else None
        sound = container.add_stream(codec, rate=48000, layout="mono") if codec else None
        if picture:
            picture.width = picture.height = 32
            picture.pix_fmt = "yuv420p"
            for _ in range(round(seconds * 10)):
                container.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
            container.mux(picture.encode(None))
        if sound:
            for first in range(0, wave_form.shape[1], size):
                part = np.ascontiguousarray(wave_form[:, first : first + size])
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 48000, first
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return path


# What files hold


@settings(max_examples=40)
@given(
    kind=st.sampled_from(
        [("WAV", depth) for depth in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")]
        + [
            ("AIFF", "PCM_16"),
            ("FLAC", "PCM_16"),
            ("FLAC", "PCM_24"),
            ("W64", "PCM_16"),
            ("OGG", "VORBIS"),
            ("MP3", "MPEG_LAYER_III"),
        ]
    ),
    rate=st.sampled_from([8000, 16000, 22050, 44100, 48000]),
    channels=st.integers(1, 2),
    hertz=st.floats(200, 3000),
    seconds=st.floats(0.3, 2),
)
def test_any_depth_rate_and_channels_keep_length_and_pitch(
    tmp_path_factory: pytest.TempPathFactory, kind: tuple[str, str], rate: int, channels: int, hertz: float, seconds: float
) -> None:
    path = tmp_path_factory.mktemp("any") / "clip.bin"
    sound = np.tile(tone(hertz, seconds, rate)[:, None], (1, channels))
    soundfile.write(path, sound, rate, format=kind[0], subtype=kind[1])
    clip = read(path)
    is_lossy = kind[0] in {"MP3", "OGG"}
    slack = 0.1 if is_lossy else 1e-3
    assert clip.seconds == pytest.approx(len(sound) / rate, abs=slack)
    assert len(clip.samples) == pytest.approx(clip.seconds * SAMPLE_RATE, abs=2)
    assert clip.samples.dtype == np.float32
    assert loudest_hertz(clip) == pytest.approx(hertz, abs=2 / seconds)
    assert np.abs(clip.samples).max() == pytest.approx(0.3, abs=0.12 if is_lossy else 0.06)
    assert not clip.warnings


@pytest.mark.parametrize(
    ("name", "codec", "video", "live"),
    [
        ("clip.mp4", "aac", False, False),
        ("clip.m4a", "aac", False, False),
        ("clip.webm", "libopus", False, True),
        ("clip.opus", "libopus", False, False),
        ("film.mp4", "aac", True, False),
        ("film.mkv", "libopus", True, False),
        ("clip.mp3", "mp3", False, False),
    ],
)
def test_compressed_sound_and_video(tmp_path: Path, name: str, codec: str, video: bool, live: bool) -> None:
    clip = read(encode(tmp_path / name, codec, video=video, live=live))
    assert clip.seconds == pytest.approx(3, abs=0.1)
    assert loudest_hertz(clip) == pytest.approx(440, abs=2)
    assert clip.source == name
    assert not clip.warnings


def test_sound_above_8_khz_does_not_fold_down(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "high.wav", tone(10_000, 2, 44100), 44100)
    middle = read(tmp_path / "high.wav").samples[2000:-2000]
    assert np.sqrt(np.square(middle).mean()) < 1e-3 * 0.3


def test_channels_are_averaged(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "six.wav", np.full((8000, 6), [0.6, 0, 0, 0, 0, 0]), 16000, subtype="FLOAT")
    assert read(tmp_path / "six.wav").samples == pytest.approx(0.1, abs=1e-6)


def test_names_do_not_matter(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440, 1), 16000)
    for name in ("a.mp3", "a.raw", "语音 & #1.txt", "http-x.wav"):
        (tmp_path / name).write_bytes((tmp_path / "a.wav").read_bytes())
        assert read(tmp_path / name).seconds == 1


def test_what_the_caller_knows_goes_along(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440, 1), 16000)
    clip = decode(tmp_path / "a.wav", max_seconds=9, max_bytes=10**6, reference="hm", language="en", source="upload.wav")
    assert (clip.reference, clip.language, clip.source) == ("hm", "en", "upload.wav")


# What is wrong with files


def refusal(path: Path, *, max_seconds: float = HOUR, max_bytes: int = 100_000_000) -> AudioError:
    with pytest.raises(AudioError) as caught:
        read(path, max_seconds=max_seconds, max_bytes=max_bytes)
    assert str(caught.value).endswith(".")
    assert caught.value.fix
    assert str(path) not in str(caught.value) + caught.value.fix
    return caught.value


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"meeting notes\n" * 50, "plain text"),
        (b"#EXTM3U\n#EXTINF:10,\n/etc/passwd\n#EXT-X-ENDLIST\n", "plain text"),
        (b"ffconcat version 1.0\nfile 'other.wav'\n", "plain text"),
        (b"%PDF-1.7\n\0" + bytes(range(256)) * 4, "a PDF"),
        (b"PK\x03\x04" + bytes(range(256)) * 4, "ZIP"),
        (bytes(range(256)) * 40, "not audio"),
        (wav_header(length=32000)[:30], "damaged"),
        (wav_header(length=0), "header but no sound"),
        (wav_header(length=16000 * 2 * 86400 // 2), "header but no sound"),
        (wav_header(length=960) + bytes(range(96)) * 10, "30 ms of audio is too short"),
        (wav_header(length=32000, rate=1) + b"ab" * 16000, "announces 1 samples a second"),
        (wav_header(length=32000, rate=1_000_000) + b"ab" * 16000, "announces 1000000 samples a second"),
        (wav_header(length=64000, channels=500) + b"ab" * 32000, "500 channels"),
        (wav_header(length=64000, bits=64) + b"ab" * 32000, "damaged"),
        (b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(range(255)) * 400, "damaged"),
    ],
)
def test_bad_files_are_refused_in_plain_words(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "clip.wav").write_bytes(content)
    assert says in str(refusal(tmp_path / "clip.wav"))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "folder" in str(refusal(tmp_path))
    assert "no such file" in str(refusal(tmp_path / "gone.wav"))
    assert "cannot be opened" in str(refusal(tmp_path / "zero\0.wav"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_and_devices_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert "pipe or a device" in str(refusal(tmp_path / "pipe.wav"))
    (tmp_path / "endless.wav").symlink_to("/dev/zero")
    assert "pipe or a device" in str(refusal(tmp_path / "endless.wav"))


def test_limits(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440, 5), 16000)
    assert "limit is 4.0 s of audio; this is 5.0 s" in str(refusal(tmp_path / "a.wav", max_seconds=4))
    assert "MB" in str(refusal(tmp_path / "a.wav", max_bytes=1000))
    assert "limit" in str(refusal(encode(tmp_path / "a.webm", "libopus", live=True), max_seconds=2))
    assert read(tmp_path / "a.wav", max_seconds=5).seconds == 5


def test_video_without_sound(tmp_path: Path) -> None:
    assert "no sound track" in str(refusal(encode(tmp_path / "mute.mp4", None, video=True)))


@pytest.mark.parametrize("seconds", [3, 60])
def test_copy_protected_file(tmp_path: Path, seconds: float) -> None:
    # The longer, the surer that a decoder takes some of its packets, encrypted anew each time, for sound.
    scheme = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "76" * 16, "encryption_kid": "a7" * 16}
    bought = encode(tmp_path / "bought.mp4", "aac", seconds=seconds, options=scheme)
    assert refusal(bought).args[0] == "The file is copy-protected (encrypted)."


def test_a_file_that_decodes_too_slowly_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440, 5), 16000)
    monkeypatch.setattr("runners.decode.GRACE_SECONDS", -10.0)
    assert "too long to decode" in str(refusal(tmp_path / "a.wav"))


# What can be mended


def test_header_that_claims_24_hours(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav_header(length=16000 * 2 * 86400 // 2) + pcm16(tone(440, 3)))
    clip = read(tmp_path / "a.wav")
    assert clip.seconds == 3
    assert clip.warnings == ("The file gives 3.0 s of sound; its header announces 12 h.",)


@pytest.mark.parametrize("name", ["a.flac", "a.aiff", "a.wav", "a.webm", "a.mp4"])
def test_truncated_files_give_what_is_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name in {"a.webm", "a.mp4"}:
        codec = "libopus" if name == "a.webm" else "aac"
        encode(path, codec, seconds=10, options={"movflags": "faststart"} if codec == "aac" else {})
    else:
        noise = np.random.default_rng(1).normal(0, 0.1, 160_000).astype(np.float32)  # a tone is too small to cut in FLAC
        soundfile.write(path, noise, 16000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip = read(path)
    assert 3.5 < clip.seconds < 6
    assert len(clip.warnings) == 1
    assert "announces 10.0 s" in clip.warnings[0]


def test_garbage_in_the_middle_is_left_out(tmp_path: Path) -> None:
    content = bytearray(encode(tmp_path / "a.mp3", "mp3", seconds=10).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = np.random.default_rng(2).bytes(4000)
    (tmp_path / "a.mp3").write_bytes(content)
    clip = read(tmp_path / "a.mp3")
    assert 9 < clip.seconds < 10.1
    assert clip.warnings


def test_samples_that_are_not_numbers(tmp_path: Path) -> None:
    sound = tone(440, 1)
    sound[100:110], sound[200] = np.nan, np.inf
    soundfile.write(tmp_path / "a.wav", sound, 16000, subtype="FLOAT")
    clip = read(tmp_path / "a.wav")
    assert np.isfinite(clip.samples).all()
    assert clip.warnings == ("11 samples are not numbers (NaN or infinite) and became silence.",)
    soundfile.write(tmp_path / "b.wav", np.full(16000, np.nan), 16000, subtype="FLOAT")
    assert "not numbers" in str(refusal(tmp_path / "b.wav"))


def test_samples_on_another_scale(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440, 1) * 32768, 16000, subtype="FLOAT")
    clip = read(tmp_path / "a.wav")
    assert np.abs(clip.samples).max() == pytest.approx(1)
    assert "times full scale" in clip.warnings[0]


def test_silence_is_a_clip_with_a_warning(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(48000), 16000)
    assert read(tmp_path / "a.wav").warnings == ("The clip is silent.",)
    assert is_silent(np.full(100, 0.5, np.float32))
    assert is_silent(np.zeros(0, np.float32))
    assert not is_silent(tone(440, 1, level=1e-3))


def test_a_flac_bomb_is_refused_in_little_memory(tmp_path: Path) -> None:
    with soundfile.SoundFile(tmp_path / "bomb.flac", "w", samplerate=44100, channels=2, subtype="PCM_16") as file:
        for _ in range(40):
            file.write(np.zeros((44100 * 60, 2), np.int16))
    assert (tmp_path / "bomb.flac").stat().st_size < 1_000_000
    program = (
        "import sys; from pathlib import Path; from runners.here import memory; from runners.audio import decode\n"
        "from runners.base import Placement\n"
        "try: decode(Path(sys.argv[1]), max_seconds=7200, max_bytes=10**9)\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "print(memory.peak_bytes(Placement()))"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "bomb.flac"], capture_output=True, text=True, timeout=60)
    error, peak = done.stdout.strip().splitlines()
    assert error.startswith("AudioError The file unpacks to more than 500 times its size")
    assert int(peak) < 300_000_000


def test_importing_it_stays_light() -> None:
    program = (
        "import sys, runners.audio; print([m for m in ('av', 'soundfile', 'soxr', 'librosa', 'scipy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip() == "[]"


def test_every_odd_file_does_what_its_table_says(speech_clips: Path) -> None:
    wrong = []
    for line in (speech_clips / "edge.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        try:
            clip = read(speech_clips / row["file"])
            became = "clip with warnings" if clip.warnings else "clip"
        except AudioError as error:
            became = "error" if error.fix else "error without fix"
        expect = row["expect"]
        if expect == "transcript":
            good = became == "clip" and abs(clip.seconds - 11) < 0.1
        elif "partial" in expect or "gap" in expect:
            good = became == "clip with warnings"
        elif expect.startswith("empty") and "or clear error" not in expect:
            good = became in {"clip", "clip with warnings"}
        else:
            good = became == "error"
        if not good:
            wrong.append((row["file"], expect, became))
    assert not wrong


# Clips


@settings(max_examples=50)
@given(seed=st.integers(0, 1000), length=st.integers(0, 400_000), longest=st.floats(0.1, 12))
def test_pieces_cover_everything_once_and_none_is_too_long(seed: int, length: int, longest: float) -> None:
    random = np.random.default_rng(seed)
    samples = (random.normal(0, 0.1, length) * (random.random() < 0.7)).astype(np.float32)
    pieces = cut_at_pauses(samples, longest)
    assert pieces[0][0] == 0
    assert pieces[-1][1] == length
    assert all(before[1] == after[0] for before, after in itertools.pairwise(pieces))
    assert all(last - first <= longest * SAMPLE_RATE for first, last in pieces)
    assert len(pieces) == 1 or min(last - first for first, last in pieces) >= longest * SAMPLE_RATE * 0.05
    assert pieces == cut_at_pauses(samples, longest)


def test_cuts_fall_into_the_pauses() -> None:
    speech = np.random.default_rng(1).normal(0, 0.1, 30 * SAMPLE_RATE).astype(np.float32)
    for pause in (8.0, 15.5, 23.0):
        speech[int(pause * SAMPLE_RATE) :][: SAMPLE_RATE // 2] = 0
    cuts = [last / SAMPLE_RATE for _, last in cut_at_pauses(speech, 10)[:-1]]
    assert cuts == pytest.approx([8.25, 15.75, 23.25], abs=0.1)


def spoken(*stretches: tuple[float, bool], level: float = 0.2, room: float = 0.0, seed: int = 0) -> NDArray[np.float32]:
    """Noise as loud as speech and as fast up and down (five syllables a second), with gaps: (seconds, somebody speaks)."""
    noise = np.random.default_rng(seed)
    parts = []
    for seconds, speaks in stretches:
        count = round(seconds * SAMPLE_RATE)
        swing = 0.55 + 0.45 * np.sin(2 * np.pi * 5 * np.arange(count) / SAMPLE_RATE)
        parts.append(level * speaks * swing * noise.standard_normal(count) + room * noise.standard_normal(count))
    return np.concatenate(parts).astype(np.float32)


TALK = ((1.0, False), (3.0, True), (1.5, False), (2.0, True), (0.1, False), (1.0, True), (2.0, False))


@pytest.mark.parametrize(("level", "room"), [(0.2, 0.0), (0.2, 0.0002), (0.2, 0.02), (0.002, 0.0), (0.002, 0.0002)], ids=str)
def test_silences_are_found_in_quiet_recordings_and_noisy_rooms(level: float, room: float) -> None:
    found = silences(spoken(*TALK, level=level, room=room))
    assert len(found) == 3  # a tenth of a second is no pause
    for (start, end), (first, last) in zip(found, [(0.0, 1.0), (4.0, 5.5), (8.6, 10.6)], strict=True):
        assert abs(start - first) < 0.2
        assert abs(end - last) < 0.2
    assert found[0][0] == 0
    assert found[-1][1] == pytest.approx(10.6)


def test_soft_words_are_not_silence() -> None:
    loud, soft = spoken((3, True)), spoken((2, True), level=0.02)
    pause = spoken((1, False), room=0.0001)
    assert [round(start) for start, _ in silences(np.concatenate([loud, pause, soft, pause, loud]))] == [3, 6]


def test_a_slammed_door_makes_no_silence_of_speech_and_rare_speech_is_heard() -> None:
    door = spoken((0.1, True), level=1.0)
    assert silences(np.concatenate([spoken((3, True), level=0.03), door, spoken((3, True), level=0.03)])) == ()
    rare = np.concatenate([spoken((100, False), room=0.0005), spoken((3, True)), spoken((100, False), room=0.0005)])
    assert [(round(start), round(end)) for start, end in silences(rare)] == [(0, 100), (103, 203)]


def test_a_clip_in_which_nothing_is_heard_is_one_silence() -> None:
    assert silences(np.zeros(3 * SAMPLE_RATE, np.float32)) == ((0.0, 3.0),)
    assert silences(spoken((5, False), room=0.001)) == ((0.0, 5.0),)  # an empty room
    assert silences(tone(440, 2)) == ()  # that is heard


@pytest.mark.parametrize("shape", [(0,), (1,), (159,), (4000,), (2, 16000), (0, 2)], ids=str)
def test_what_is_too_short_or_no_clip_has_no_silences(shape: tuple[int, ...]) -> None:
    assert silences(np.zeros(shape, np.float32)) == ()


@given(st.lists(st.tuples(st.floats(0.05, 3), st.booleans()), min_size=1, max_size=8), st.integers(0, 99))
@settings(max_examples=15)
def test_silences_are_in_order_apart_and_inside_the_clip(stretches: list[tuple[float, bool]], seed: int) -> None:
    samples = spoken(*stretches, seed=seed)
    found = silences(samples)
    places = [0.0, *itertools.chain.from_iterable(found), len(samples) / SAMPLE_RATE]
    assert places == sorted(places)
    assert all(end - start >= PAUSE_SECONDS for start, end in found)


def test_pauses_of_a_real_speech_are_silences(speech_clips: Path) -> None:
    """“And so, my fellow Americans | ask not | what your country can do for you | ask what you can do …”."""
    found = silences(read(speech_clips / "jfk.flac").samples)
    middles = [round((start + end) / 2, 1) for start, end in found if end - start > 0.4]
    assert middles == pytest.approx([2.7, 4.9, 7.9], abs=0.3)
