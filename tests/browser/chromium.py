"""Where the browser tests find Chromium, and ``python -m tests.browser.chromium``, which installs one if there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""A browser that asks nothing of the network besides what the page asks."""


def find() -> str | None:
    """Path of a Chromium: ``EARSHOT_TEST_CHROMIUM``, one on the PATH, or the one that Playwright downloaded."""
    named = os.environ.get("EARSHOT_TEST_CHROMIUM")
    if named:
        return named
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        path = shutil.which(name)
        if path:
            return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
        return path if Path(path).exists() else None


def install() -> None:
    """Install one: Debian's package where we are root on a Debian, else the one that Playwright offers."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
        subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], check=True, env=environment, stdout=subprocess.DEVNULL)
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


def main() -> int:
    if find() is None:
        print("No Chromium here: installing one for the browser tests.", file=sys.stderr)  # noqa: T201
        try:
            install()
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"It could not be installed ({error}); the browser tests will be skipped.", file=sys.stderr)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
