"""Fixture of a headless Chromium: one for the session, since Playwright runs only once at a time.

A pytest plugin, as `database` is.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Nothing of the browser's own may look like traffic of the app.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Return a headless Chromium; CHROMIUM names another than the one on the path."""
    from playwright.sync_api import sync_playwright

    binary = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(binary).exists():
        pytest.skip(f"no Chromium at {binary}; name one with CHROMIUM")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=binary, args=list(FLAGS))
        yield browser
        browser.close()
