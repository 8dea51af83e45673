"""Systems whose weights come inside their packages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from runners.base import RunnerSpec
from runners.catalogue.rows.kinds import Bundle

BUNDLES: Mapping[str, Bundle] = MappingProxyType(
    {
        "moonshine-voice": Bundle(
            inside="assets/tiny-en",
            platforms=(("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")),
            platforms_say="Linux (x86-64 or arm64, glibc 2.34 or later), macOS 15 on Apple silicon, and Windows",
        ),
        "pocketsphinx": Bundle(inside="model/en-us/en-us"),
    }
)
"""By package name as pip has it."""

ROWS: tuple[RunnerSpec, ...] = (
    RunnerSpec(
        family="moonshine",
        label="Moonshine tiny",
        target="runners.moonshine:Moonshine",
        is_default=True,
        parameters=27_000_000,
        languages=("en",),
        license="MIT",
        requires=("moonshine-voice>=0.0.60,<0.1",),  # later wheels leave the weights out
        dtypes=("int8",),
        devices=("cpu",),
        has_segment_times=True,
        longest_transcribed_seconds=20,
        beyond="pauses",
        tested="real weights",
    ),
    RunnerSpec(
        family="pocketsphinx",
        label="PocketSphinx",
        target="runners.pocketsphinx:PocketSphinx",
        is_default=True,
        size_bytes=38_000_000,  # its model folder in the package
        languages=("en",),
        license="BSD-2-Clause",
        requires=("pocketsphinx",),
        dtypes=("float32",),
        devices=("cpu",),
        has_word_times=True,
        longest_transcribed_seconds=60,
        beyond="pauses",
        tested="real weights",
    ),
)
