"""Fixtures of the browser tests: the app served from a prepared home, and a headless Chromium that is watched."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from prepared import ROOT, Home, prepared_home

START_SECONDS = 60
# Opened on a page's address, Streamlit's client looks for its server beside that address first, then at the root.
PROBES = ("/_stcore/health", "/_stcore/host-config")


@dataclass
class Watch:
    """What a browser page asked for and complained about."""

    requests: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def beyond_loopback(self) -> list[str]:
        """Requests that would leave this machine."""
        return [
            url
            for url in self.requests
            if not url.startswith(("data:", "blob:", "file:"))
            and urlsplit(url).hostname not in {"127.0.0.1", "localhost"}
        ]


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    """Return a home with the sample and the pipeline's results."""
    with prepared_home() as prepared:
        yield prepared


@pytest.fixture(scope="session")
def address(home: Home) -> Iterator[str]:
    """Return where the app is served, as `streamlit run app/main.py` serves it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = "import sys; sys.argv = ['streamlit', *sys.argv[1:]]; from streamlit.web.cli import main; main()"
    command, environment = home.command(code, "run", str(ROOT / "app" / "main.py"), "--server.port", str(port))
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + START_SECONDS
            while time.monotonic() < end and server.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.2)
            else:
                log.seek(0)
                pytest.fail(f"the app did not start:\n{log.read().decode()}")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=20)


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder screenshots go to: the one SCREENSHOTS names, else a temporary one."""
    folder = Path(os.environ["SCREENSHOTS"]) if os.environ.get("SCREENSHOTS") else tmp_path_factory.mktemp("shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def watched(chromium: Any) -> Callable[[int, int, str], AbstractContextManager[tuple[Any, Watch]]]:
    """Return a function of width, height and colour scheme that gives a watched browser page."""
    return partial(_watched, chromium)


@contextmanager
def _watched(browser: Any, width: int, height: int, scheme: str) -> Iterator[tuple[Any, Watch]]:
    """Give a new browser page of a size and colour scheme, and what it asks for and complains about."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    watch = Watch()

    def heard(message: Any) -> None:
        source = message.location.get("url", "")
        if message.type == "error" and not source.endswith(PROBES):
            watch.faults.append(f"{message.text} {source}")

    page.on("request", lambda request: watch.requests.append(request.url))
    page.on("websocket", lambda socket: watch.requests.append(socket.url))
    page.on("console", heard)
    page.on("pageerror", lambda error: watch.faults.append(str(error)))
    yield page, watch
    page.close()
