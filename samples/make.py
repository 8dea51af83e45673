"""Make the sample clips and their references: python samples/make.py [--out DIR]

The texts are ours, spoken by flite and espeak-ng, then given the rooms, lines and noises that recordings have.
Everything is computed from fixed seeds, so the same voices give the same sound. It needs the Debian packages flite and
espeak-ng, and numpy, soundfile and soxr.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float64]

RATE = 16_000
"""Hertz."""
PEAK = 0.7
"""Full scale is 1."""


@dataclass(frozen=True)
class Line:
    """What one voice says in one breath."""

    text: str
    voice: str
    """``flite:NAME`` or ``espeak:NAME``; espeak-ng's names are languages, with ``+variant``."""
    pause_seconds: float = 0.35
    """Silence behind it."""


@dataclass(frozen=True)
class Sample:
    file: str
    title: str
    what: str
    lines: tuple[Line, ...]
    finish: Callable[[Samples], Samples]
    """From the bare voices at ``RATE`` to how the clip sounds, at ``rate``."""
    rate: int = RATE

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)


def speak(line: Line) -> Samples:
    """One line as its voice says it, shape (T,), at ``RATE``, and the pause behind it."""
    program, _, voice = line.voice.partition(":")
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "line.wav"
        if program == "flite":
            command = ["flite", "-voice", voice, "-t", line.text, "-o", str(wav)]
        else:
            command = ["espeak-ng", "-v", voice, "-s", "150", "-w", str(wav), line.text]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        voiced, rate = soundfile.read(wav, dtype="float64")
    voiced = soxr.resample(voiced, rate, RATE, quality="VHQ")
    voiced = voiced / np.abs(voiced).max()  # the programs differ in loudness
    return np.concatenate([voiced, np.zeros(int(line.pause_seconds * RATE))])


def clean(voices: Samples) -> Samples:
    """As spoken."""
    return voices


def workshop(voices: Samples) -> Samples:
    """A hall with a machine in it: noise falling 3 dB an octave and mains hum, the voice 17 dB above."""
    random = np.random.default_rng(3)
    spectrum = np.fft.rfft(random.standard_normal(len(voices)))
    hertz = np.fft.rfftfreq(len(voices), 1 / RATE)
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(hertz, 40)), n=len(voices))
    seconds = np.arange(len(voices)) / RATE
    noise /= noise.std()
    noise += sum(np.sin(2 * np.pi * 50 * k * seconds) / k for k in (1, 2, 3, 6))
    return room(voices) + noise * (voices.std() / noise.std()) * 10 ** (-17 / 20)


def telephone(voices: Samples) -> Samples:
    """A telephone line: 300 to 3400 Hz, 8000 samples a second, µ-law, a little hiss."""
    narrow = soxr.resample(voices, RATE, 8000, quality="VHQ")
    spectrum = np.fft.rfft(narrow)
    hertz = np.fft.rfftfreq(len(narrow), 1 / 8000)
    edges = 1 / (1 + (300 / np.maximum(hertz, 1)) ** 8) / (1 + (hertz / 3400) ** 16)  # soft: a hard edge rings
    narrow = np.fft.irfft(spectrum * edges, n=len(narrow))
    narrow = narrow / np.abs(narrow).max() * PEAK + np.random.default_rng(4).normal(0, 0.002, len(narrow))
    # µ-law, 8 bits, as in ITU-T G.711: mu = 255.
    coded = np.round(np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256) * 127) / 127
    return np.sign(coded) * np.expm1(np.abs(coded) * np.log(256)) / 255


def room(voices: Samples) -> Samples:
    """A room: an echo that has faded by 60 dB after 0.3 s, 12 dB below the voice, and a very quiet hiss."""
    random = np.random.default_rng(5)
    seconds = np.arange(int(0.3 * RATE)) / RATE
    echo = random.standard_normal(len(seconds)) * 10 ** (-3 * seconds / 0.3)
    echo *= 10 ** (-12 / 20) / np.sqrt(np.square(echo).sum())
    echo[0] = 1
    length = len(voices) + len(echo)
    wet = np.fft.irfft(np.fft.rfft(voices, length) * np.fft.rfft(echo, length), n=length)[: len(voices)]
    return wet + random.normal(0, 0.001, len(voices))


_SLT, _RMS, _AWB, _ESPEAK = "flite:slt", "flite:rms", "flite:awb", "espeak:en-us"

SAMPLES = (
    Sample(
        "briefing.flac",
        "Morning briefing",
        "one clear voice, no noise",
        (
            Line("Good morning, everyone. This is Maria Keller, from the office in Rotterdam.", _SLT),
            Line("The first of the Falcon Seven cameras left the warehouse on Tuesday, two days early.", _SLT),
            Line("All forty eight of them passed the inspection. Thank you for a remarkable spring.", _SLT),
        ),
        clean,
    ),
    Sample(
        "workshop.flac",
        "Report from the workshop",
        "a voice 17 dB above a running machine",
        (
            Line("The pump in the second hall is running hot again.", _RMS),
            Line("I measured ninety two degrees at noon, so I switched it off and called Robert in Manchester.", _RMS),
            Line("Please order a new seal before Friday.", _RMS),
        ),
        workshop,
    ),
    Sample(
        "telephone.flac",
        "A message on the telephone",
        "8 kHz telephone line, 300 to 3400 Hz",
        (
            Line("Hello, this is Helen Carter from Northwind Travel.", _SLT),
            Line("Your seats to Lisbon on the fourteenth of March have been moved to the morning flight.", _SLT),
            Line("It leaves from gate fifteen at twenty past six. Please call me if that is too early for you.", _SLT),
        ),
        telephone,
        rate=8000,
    ),
    Sample(
        "two-voices.flac",
        "Two people and a bank",
        "two voices taking turns in a room",
        (
            Line("Do we have an answer from the bank in Singapore yet?", _SLT, 0.5),
            Line("Not yet. Hannah spoke to them this morning, and they want to see the figures for June.", _ESPEAK, 0.4),
            Line("Then send them June, and the forecast for July as well.", _SLT, 0.5),
            Line("I will. Shall I copy the auditors?", _ESPEAK, 0.4),
            Line("Yes please, and keep a note of the date.", _SLT, 0.3),
        ),
        room,
    ),
    Sample(
        "ferry.flac",
        "The ferry from Aberdeen",
        "a Scottish accent",
        (
            Line("Good afternoon. I have news about the ferry from Aberdeen to the northern islands.", _AWB),
            Line("The storm has passed, so the boat will leave at half past five.", _AWB),
            Line("Bring a warm coat and a good book. The crossing takes eleven hours.", _AWB),
        ),
        clean,
    ),
    Sample(
        "meeting.flac",
        "The library's yearly meeting",
        "long enough to be cut into pieces",
        (
            Line("Welcome to the yearly meeting of the library in Harbour Street.", _RMS, 0.6),
            Line("My name is Thomas Reed, and I have been the treasurer since last autumn.", _RMS, 0.7),
            Line("Let me begin with the numbers. In the past year we had twelve thousand visitors.", _RMS, 0.6),
            Line("The new reading room was finished in April, and it is full every evening.", _RMS, 0.7),
            Line(
                "The roof is a different story. Two builders have looked at it, and both of them shook their heads.", _RMS, 0.7
            ),
            Line("The repair will cost about eighty thousand pounds, and we have saved half of that.", _RMS, 0.7),
            Line("I would like to hear your ideas. Thank you.", _RMS, 0.3),
        ),
        room,
    ),
)


def make(folder: Path) -> list[Path]:
    """Write every clip and ``samples.json`` into ``folder``; returns the clips' paths."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for sample in SAMPLES:
        lead = np.zeros(int(0.25 * RATE))
        sound = sample.finish(np.concatenate([lead, *(speak(line) for line in sample.lines)]))
        sound = sound / np.abs(sound).max() * PEAK
        soundfile.write(folder / sample.file, sound, sample.rate, subtype="PCM_16", format="FLAC")
        rows.append({"file": sample.file, "title": sample.title, "text": sample.text, "language": "en", "what": sample.what})
    (folder / "samples.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [folder / sample.file for sample in SAMPLES]


def missing_programs() -> list[str]:
    """Debian packages of the voices that are not installed."""
    return [program for program in ("flite", "espeak-ng") if shutil.which(program) is None]


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the sample clips and samples.json.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to (default: this one)")
    folder = parser.parse_args().out
    if missing := missing_programs():
        print(f"The voices are missing. Install them: sudo apt install {' '.join(missing)}", file=sys.stderr)
        return 1
    for path in make(folder):
        print(f"{path}  {soundfile.info(path).duration:.1f} s  {path.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
