"""How children are started: from one thread, with an environment of what they need and nothing else."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from runners.base import RunnerSpec
from runners.here.machine import look, visible_cores
from runners.settings import Settings

_ROOT = Path(__file__).resolve().parent.parent.parent

_KEPT_VARIABLES = """
    PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR TMP TEMP VIRTUAL_ENV LD_LIBRARY_PATH LD_PRELOAD
    SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT APPDATA LOCALAPPDATA USERPROFILE PROGRAMDATA NUMBER_OF_PROCESSORS
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
"""
_KEPT_PREFIXES = """
    LC_ XDG_ DYLD_ HF_ HUGGINGFACE_ HUGGING_FACE_ TRANSFORMERS_ TORCH PYTORCH_ CUDA NVIDIA_ CUBLAS_ CUDNN_ HIP_ ROCR_ ROCM_ HSA_
    MIOPEN_ GPU_ AMD_ ZE_ SYCL_ ONEAPI_ OMP_ GOMP_ KMP_ MKL_ OPENBLAS_ NUMEXPR_ NUMBA_ CT2_ ORT_ MALLOC_ GLIBC_
"""


def child_environment(settings: Settings, spec: RunnerSpec | None = None) -> dict[str, str]:
    """What a child gets of this process's environment: what finds its libraries, devices and weights, and the key of its
    own server; no other's keys.
    """
    names, prefixes = frozenset(_KEPT_VARIABLES.split()), tuple(_KEPT_PREFIXES.split())
    environment = {
        name: value for name, value in os.environ.items() if name.upper() in names or name.upper().startswith(prefixes)
    }
    environment |= {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH")))),
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "EARSHOT_CACHE_FOLDER": str(settings.cache_folder),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    key_variable = spec.server.key_variable if spec is not None and spec.server is not None else None
    if key_variable is not None and key_variable in os.environ:
        environment[key_variable] = os.environ[key_variable]
    if not settings.downloads:
        environment["HF_HUB_OFFLINE"] = "1"
    cores = look().cores
    if cores < visible_cores():  # a thread for each core of the host, on the two that a container grants, is many times slower
        environment.setdefault("OMP_NUM_THREADS", str(cores))
    return environment


class Spawner:
    """Starts children from one thread that lives as long as the pool.

    The kernel is asked to kill a child when its parent ends, and by that it means the *thread* that started it; started
    from a thread that serves one request, every child would be killed when that request is done.
    """

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def start(self, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a child with three pipes, in a session of its own, so that it can be killed with all that it started.

        Raises:
            OSError: it cannot be started.
            RuntimeError: the spawner is closed.
        """
        answer: Future[subprocess.Popen[bytes]] = Future()

        def order() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment),
                start_new_session=os.name == "posix",
            )

        with self._lock:
            if self._closed:
                raise RuntimeError("the spawner is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="spawner", daemon=True)
                self._thread.start()
            self._orders.put((order, answer))
        return answer.result()

    def close(self) -> None:
        """End the thread; on Linux its children end with it."""
        with self._lock:
            self._closed = True
            self._orders.put(None)

    def _serve(self) -> None:
        while (asked := self._orders.get()) is not None:
            order, answer = asked
            try:
                answer.set_result(order())
            except BaseException as error:  # the caller gets it, this thread goes on
                answer.set_exception(error)
