"""A chart answer to change at will, and a local server that speaks Yahoo's form."""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from answers.yahoo import CHART
from pytest_httpserver import HTTPServer

from quantlib.sources.base import Call


@pytest.fixture
def call(tmp_path: Path, httpserver: HTTPServer) -> Call:
    """Return how a vendor without a key is asked, at a local server."""
    return Call(tmp_path, base_url=httpserver.url_for("").rstrip("/"), attempts=2, wait=0.001, timeout=5.0)


@pytest.fixture
def chart() -> dict[str, Any]:
    """Return one result of a chart answer; change it, then wrap it with `body`."""
    return copy.deepcopy(CHART)


@pytest.fixture
def body() -> Callable[[dict[str, Any]], str]:
    """Return a function that wraps a result as Yahoo does."""
    return lambda result: json.dumps({"chart": {"result": [result], "error": None}})


@dataclass
class Vendor:
    """A server with answers to give in turn, the last one for ever after: status, body, seconds to wait."""

    url: str = ""
    answers: list[tuple[int, str, float]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def next(self) -> tuple[int, str, float]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """Serve prepared answers on a loopback port."""
    state = Vendor()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            status, text, wait = state.next()
            time.sleep(wait)
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if text.startswith("{") else "text/html")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            try:
                self.wfile.write(data)
            except OSError:  # the client gave up waiting, as the test wants
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Keep the test output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()
