"""A chart answer to change at will, and a local server that speaks Yahoo's form."""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

# Three sessions in New York: Friday before, Monday and Tuesday after the clocks went forward on 2022-03-13.
_FRIDAY, _MONDAY, _TUESDAY = 1646922600 + 86400, 1647264600, 1647264600 + 86400

_CHART: dict[str, Any] = {
    "meta": {
        "currency": "USD",
        "symbol": "ABC",
        "instrumentType": "EQUITY",
        "gmtoffset": -14400,
        "exchangeTimezoneName": "America/New_York",
        "regularMarketTime": _TUESDAY + 23402,
        "currentTradingPeriod": {"regular": {"start": _TUESDAY, "end": _TUESDAY + 23400}},
        "dataGranularity": "1d",
    },
    "timestamp": [_FRIDAY, _MONDAY, _TUESDAY],
    "events": {
        "dividends": {str(_MONDAY): {"amount": 0.5, "date": _MONDAY}},
        "splits": {str(_TUESDAY): {"date": _TUESDAY, "numerator": 3, "denominator": 2, "splitRatio": "3:2"}},
    },
    "indicators": {
        "quote": [
            {
                "open": [10.0, 11.0, 12.0],
                "high": [10.5, 11.5, 12.5],
                "low": [9.5, 10.5, 11.5],
                "close": [10.25, 11.25, 12.25],
                "volume": [1000, 2000, 3000],
            }
        ],
        "adjclose": [{"adjclose": [9.75, 11.25, 12.25]}],
    },
}


@pytest.fixture
def chart() -> dict[str, Any]:
    """Return one result of a chart answer; change it, then wrap it with `body`."""
    return copy.deepcopy(_CHART)


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
