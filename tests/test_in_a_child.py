"""Every family in a process of its own, the way the page runs it: started, loaded, and heard the same as in this one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from runners.base import Contender, Transcript
from tests.kinds import KINDS
from tests.pools import fresh_pools, in_background
from tests.subjects import CASES, CLIPS, loaded

OF_ANOTHER_CLASS = ("whisper-english", "whisper-v3", "whisper-bfloat16", "faster-whisper-v3", "granite-speech-adapter")
"""Cases whose code and network are those of a case that is tried: a child takes seconds to begin."""
TRIED = [name for name, case in CASES.items() if case.build and case.family != "scripted" and name not in OF_ANOTHER_CLASS]


def test_each_kind_of_network_that_a_row_relies_on_is_tried() -> None:
    def networks(cases: Iterable[str]) -> set[tuple[str, str | None]]:
        return {(CASES[kind.case].family, kind.model_type) for kind in KINDS.values() if kind.case in cases}

    built = {name for name, case in CASES.items() if case.build}
    assert networks(TRIED) == networks(built)


def told(transcript: Transcript) -> Transcript:
    """Without its notes: some are about how it came about."""
    return replace(transcript, notes=())


@pytest.mark.parametrize("name", TRIED)
def test_a_child_hears_what_this_process_hears(name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with loaded(name, tmp_path_factory) as subject, fresh_pools() as pools:
        pool = pools(cache_folder=tmp_path)
        placement = subject.placement
        spec = replace(subject.spec, asked_dtype=placement.dtype, asked_device=placement.device)
        thread, results = in_background(pool, Contender(spec), clip=CLIPS["short"])
        here = subject.heard("short")
        thread.join(300)
        (result,) = results
        assert (result.status, result.error, result.device, result.dtype) == ("ok", None, "cpu", placement.dtype)
        assert result.transcript is not None
        (child,) = pool.children()
        assert child.pid != os.getpid()
        assert psutil.Process(child.pid).ppid() == os.getpid()
        assert here.text, "two silences would prove nothing"
        assert told(result.transcript) == told(here)
