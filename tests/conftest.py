"""Fixtures that more than one test file needs, and an environment in which no test reaches the network."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Set before anything imports gradio or huggingface_hub, which read them once.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # near-ties flip with the number of threads
os.environ["XDG_DATA_HOME"] = _home = tempfile.mkdtemp(prefix="earshot-tests-")  # nobody's own history
atexit.register(shutil.rmtree, _home, ignore_errors=True)
for name in [name for name in os.environ if name.startswith(("EARSHOT_", "SPACE", "SYSTEM"))]:
    if not name.startswith("EARSHOT_TEST_"):
        del os.environ[name]

import hypothesis  # noqa: E402
import pytest  # noqa: E402

if TYPE_CHECKING:
    from runners.base import Contender
    from runners.pool import Pool

# How long an example takes says more about what else the machine does than about the code. And who has changed nothing sees
# what they saw before; --hypothesis-profile=default looks for other examples.
hypothesis.settings.register_profile(
    "earshot",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
hypothesis.settings.load_profile("earshot")

# Shells start what they put into the background without it, and children inherit that: then no Ctrl-C could be tried.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where several workers share the tests (``-n``), a file stays with one of them: what its tests share is made once.

    All that is done in a browser is done by one worker, which begins with it: two browsers at once, each with its page, are
    more than a small machine draws in time.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file, _, _ = nodeid.partition("::")
            return "browser" if "/browser/" in file else file

    config.option.loadscopereorder = False  # the longest comes first as it is
    return ByFile(config, log)


def _folder(variable: str, holds: str) -> Path:
    folder = os.environ.get(variable)
    if not folder or not Path(folder).is_dir():
        pytest.skip(f"{variable} does not name a folder with {holds}")
    return Path(folder)


@pytest.fixture(scope="session")
def speech_clips() -> Path:
    """Real speech with references (``manifest.jsonl``) and odd files (``edge.jsonl``)."""
    return _folder("EARSHOT_TEST_CLIPS", "speech clips")


@pytest.fixture(scope="session")
def speech_weights() -> Path:
    """Small real checkpoints."""
    return _folder("EARSHOT_TEST_WEIGHTS", "small checkpoints")


@pytest.fixture
def pool() -> Iterator[Callable[..., Pool]]:
    """Makes pools; what they started ends with the test."""
    from tests.pools import fresh_pools

    with fresh_pools() as of:
        yield of


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., Contender]:
    """Makes contenders that play a script."""
    from tests.pools import scripts_in

    return scripts_in(tmp_path)


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A hub cache for this test alone, and nobody's token."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
