"""What Earshot adds: from the request to the finished result, over the API and in a browser, with runners of known duration.

``scripted`` runners wait for a known time. Over the API, what is left after their times is Earshot's own, beside a bare
Gradio endpoint that waits as long. In Chromium, the app's log says when each contender finished, and the page when its
column says "done".
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.servers import earshot, waiting_page
from benchmarks.tables import seconds, show

ADDED_TARGET_SECONDS = 0.25
SHOWN_TARGET_SECONDS = 0.3
DURATIONS_SECONDS = (0.30, 0.55, 0.20, 0.45, 0.70, 0.25, 0.60, 0.35)
"""Eight contenders, each of its own length."""


def scripts(folder: Path) -> list[str]:
    """Names of scripted runners that take so long each."""
    names = []
    for number, wait in enumerate(DURATIONS_SECONDS):
        path = folder / f"takes-{number}.json"
        path.write_text(json.dumps({"takes": [[{"wait": wait}, {"say": "a few words"}]], "repeat": True}), encoding="utf-8")
        names.append(f"scripted:{path}")
    return names


def main(rounds: int = 5) -> bool:
    """Print both tables; whether both bounds are kept."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "tone.wav"
        import soundfile

        soundfile.write(clip, 0.1 * np.sin(np.arange(16_000 * 3) / 20), 16_000)
        names = scripts(Path(folder))
        with _Log() as log:
            server, address = earshot("--runners", ",".join(names), log=log.end)
            with server:
                kept = _over_the_api(address, clip, names, rounds)
                return _in_a_browser(address, clip, names, log, rounds) and kept


def _over_the_api(address: str, clip: Path, names: list[str], rounds: int) -> bool:
    from gradio_client import Client, handle_file

    def ask(client: Any, count: int) -> float:
        started = time.perf_counter()
        last = client.submit(handle_file(clip), ",".join(names[:count]), api_name="/compare").result(timeout=120)
        if [row["status"] for row in last["results"]] != ["ok"] * count:
            raise SystemExit(f"not all ran: {last['results']}")
        return time.perf_counter() - started

    rows, kept = [], True
    with waiting_page() as bare_address:
        ours, bare = Client(address, verbose=False), Client(bare_address, verbose=False)
        for count in (1, 4, 8):
            expected = sum(DURATIONS_SECONDS[:count])
            cold = ask(ours, count) - expected if count == 8 else None
            ask(ours, count)
            added = [ask(ours, count) - expected for _ in range(rounds)]
            plain = []
            for _ in range(rounds):
                started = time.perf_counter()
                bare.predict(handle_file(clip), expected, api_name="/wait")
                plain.append(time.perf_counter() - started - expected)
            each = median(added) / count
            kept = kept and each < ADDED_TARGET_SECONDS
            rows.append(
                (
                    f"{count} contender{'s' * (count > 1)}, warm",
                    seconds(added),
                    f"{each:.3f} s",
                    seconds(plain),
                    f"{(expected + median(added)) / (expected + median(plain)):.2f}",
                )
            )
            if cold is not None:
                rows.append((f"{count} contenders, 4 of them started anew", f"{cold:.3f} s", f"{cold / count:.3f} s", "", ""))
    show(
        "Added over the API: request to finished result, minus the runners' own time",
        ("what", "added, median (range)", "a column", "bare endpoint that waits as long", "ratio of totals"),
        rows,
        note=f"target: under {ADDED_TARGET_SECONDS} s a column",
    )
    return kept


WATCH = """
() => {
  window.shownAt = {};
  const look = () => {
    for (const node of document.querySelectorAll('#es-board [data-state=ok]')) {
      const id = node.dataset.id;
      if (!(id in window.shownAt)) window.shownAt[id] = Date.now() / 1000;
    }
  };
  new MutationObserver(look).observe(document.querySelector('#es-board'), {subtree: true, childList: true, attributes: true});
}
"""


def _in_a_browser(address: str, clip: Path, names: list[str], log: _Log, rounds: int) -> bool:
    from playwright.sync_api import sync_playwright

    from tests.browser.chromium import FLAGS, find

    executable = find()
    if executable is None:
        print("\nShown in a browser: skipped, there is no Chromium here")
        return True
    late: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        for turn in range(rounds + 1):
            page = browser.new_page()
            page.goto(address)
            page.set_input_files("#es-audio input[type=file]", clip)
            page.get_by_text("0:03").first.wait_for()
            for name in names:
                page.locator(f'#es-cards input[value="{name}"]').check()
            page.evaluate(WATCH)
            log.finished.clear()
            page.get_by_role("button", name="Compare", exact=True).click()
            page.wait_for_function(f"Object.keys(window.shownAt).length === {len(names)}", timeout=60_000)
            shown_at = page.evaluate("window.shownAt")
            if turn:
                late += [shown_at[name] - log.finished[name] for name in names]
            page.close()
        browser.close()
    show(
        f"Shown in Chromium: from finished in the app to drawn in its column, {len(names)} contenders, {rounds} rounds",
        ("what", "median (range)"),
        [("finished to shown", seconds(late))],
        note=f"target: each within {SHOWN_TARGET_SECONDS} s",
    )
    return max(late) <= SHOWN_TARGET_SECONDS


class _Log:
    """The app's log, read as it is written: when each contender finished."""

    def __enter__(self) -> _Log:
        self.finished: dict[str, float] = {}
        self._reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._reader.stdin is not None
        self.end = self._reader.stdin
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def _read(self) -> None:
        assert self._reader.stdout is not None
        for line in self._reader.stdout:
            found = re.match(rb"(\S+ \S+) .*?'(scripted:[^']+)': ok", line)
            if found:
                when = datetime.strptime(found[1].decode(), "%Y-%m-%d %H:%M:%S,%f").astimezone()
                self.finished[found[2].decode()] = when.timestamp()

    def __exit__(self, *error: object) -> None:
        self.end.close()
        self._reader.wait(timeout=10)
