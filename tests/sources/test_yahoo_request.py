"""Yahoo's request against a local server: what is asked, what is tried again, and how it fails."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from answers.yahoo import EARNINGS

from quantlib.errors import DataError
from quantlib.sources import yahoo
from quantlib.sources.base import Ask, Call, FormatError, LimitError, NotFoundError, OpenGate, Payload, UnreachableError

NOT_FOUND = (
    '{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found, symbol may be delisted"}}}'
)
Fetch = Callable[..., Payload]


@pytest.fixture
def fetch(vendor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    """Return `request` bound to the local server; cookies, which live on other hosts, are not fetched."""
    from yfinance.data import YfData

    monkeypatch.setattr(YfData, "_get_cookie_and_crumb", lambda self, timeout=30: (None, "basic"))

    def fetch(
        symbol: str = "ABC", start: Any = None, end: Any = None, *, kind: Any = "bars", **options: Any
    ) -> Payload:
        settings = {"base_url": vendor.url, "timeout": 5.0, "attempts": 3, "wait": 0.01} | options
        return yahoo.request(Ask.of(kind, symbol, start, end), Call(home=tmp_path / "cache", **settings))

    return fetch


def test_the_body_comes_back_as_delivered_and_parses(
    fetch: Fetch, vendor: Any, chart: dict[str, Any], body: Callable[[dict[str, Any]], str]
) -> None:
    vendor.answers = [(200, body(chart), 0)]
    payload = fetch()
    assert payload == Payload("yahoo", "bars", "ABC", body(chart), url=payload.url)
    assert payload.url == f"{vendor.url}{vendor.asked[0]}"
    assert len(yahoo.parse(payload).bars) == 3


def test_the_span_asked_for_covers_every_time_zone(fetch: Fetch, vendor: Any) -> None:
    vendor.answers = [(200, "{}", 0)]
    payload = fetch("BRK-B", "2022-03-14", "2022-03-15")
    assert (payload.start, payload.end) == (pd.Timestamp("2022-03-14"), pd.Timestamp("2022-03-15"))
    asked = urlsplit(vendor.asked[0])
    assert asked.path == "/v8/finance/chart/BRK-B"
    query = {name: values[0] for name, values in parse_qs(asked.query).items()}
    assert query["interval"] == "1d"
    assert query["events"] == "div,splits"
    # Sydney opens 2022-03-14 at 23:00 UTC the day before; Honolulu's 2022-03-15 ends at 10:00 UTC the day after.
    assert int(query["period1"]) <= pd.Timestamp("2022-03-13T23:00Z").timestamp()
    assert int(query["period2"]) >= pd.Timestamp("2022-03-16T10:00Z").timestamp()


def test_an_open_span_asks_for_explicit_times_since_range_max_gives_monthly_bars(fetch: Fetch, vendor: Any) -> None:
    vendor.answers = [(200, "{}", 0)]
    fetch("^GSPC")
    asked = urlsplit(vendor.asked[0])
    assert asked.path == "/v8/finance/chart/%5EGSPC"
    query = parse_qs(asked.query)
    assert "range" not in query
    assert int(query["period1"][0]) < pd.Timestamp("1927-12-30").timestamp()
    assert int(query["period2"][0]) > pd.Timestamp("2100-01-01").timestamp()


def test_an_unknown_symbol_is_asked_for_once_and_named(fetch: Fetch, vendor: Any) -> None:
    vendor.answers = [(404, NOT_FOUND, 0)]
    payload = fetch("APPL")
    assert len(vendor.asked) == 2  # the client repeats a refusal with its other cookie; no retry on top of that
    with pytest.raises(NotFoundError, match=r"'APPL'.*may be delisted"):
        yahoo.parse(payload)


@pytest.mark.parametrize("status", [500, 503])
def test_a_passing_fault_is_tried_again(fetch: Fetch, vendor: Any, status: int) -> None:
    vendor.answers = [(status, "Service Unavailable", 0)] * 4 + [(200, "{}", 0)]
    assert fetch().status == 200
    assert len(vendor.asked) == 5  # the client repeats each refusal once with its other cookie


def test_a_lasting_fault_is_given_up(fetch: Fetch, vendor: Any) -> None:
    vendor.answers = [(502, "no", 0)]
    with pytest.raises(UnreachableError, match="HTTP 502"):
        fetch()
    assert len(vendor.asked) == 6  # three attempts, each repeated by the client


def test_a_limit_is_not_run_against(fetch: Fetch, vendor: Any) -> None:
    vendor.answers = [(429, "no", 0)]
    with pytest.raises(LimitError, match="too many requests"):
        fetch()
    assert len(vendor.asked) == 2  # one attempt, repeated by the client


def test_every_attempt_passes_the_gate(fetch: Fetch, vendor: Any) -> None:
    seen: list[str] = []

    class Gate(OpenGate):
        def enter(self, source: str) -> None:
            seen.append(f"{source} enters")

        def failed(self, source: str, error: Exception) -> None:
            seen.append(f"{source} {type(error).__name__}")

    vendor.answers = [(500, "no", 0)] * 2 + [(200, "{}", 0)]
    fetch(gate=Gate())
    assert seen == ["yahoo enters", "yahoo enters"], "a question that is answered in the end is no fault"


def test_earnings_dates_are_asked_for_on_the_page_the_client_reads(fetch: Fetch, vendor: Any) -> None:
    vendor.answers = [(200, EARNINGS, 0)]
    payload = fetch("ABC", "2025-06-01", kind="earnings")
    asked = urlsplit(vendor.asked[0])
    assert asked.path == "/calendar/earnings"
    assert parse_qs(asked.query) == {"symbol": ["ABC"], "offset": ["0"], "size": ["100"]}
    assert payload.body == EARNINGS
    assert yahoo.parse(payload).security_events["ts"].dt.year.tolist() == [2025, 2025, 2026]


def test_silence_runs_into_the_timeout_and_is_tried_again(fetch: Fetch, vendor: Any) -> None:
    vendor.answers = [(200, "{}", 0.6), (200, "{}", 0)]
    assert fetch(timeout=0.2).status == 200
    vendor.answers = [(200, "{}", 0.6)]
    with pytest.raises(UnreachableError, match="not reachable"):
        fetch(timeout=0.2, attempts=1)


def test_no_server_at_all_is_unreachable(fetch: Fetch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(UnreachableError, match=r"not reachable.*--source sample"):
            fetch(base_url=address, attempts=2)


def test_a_fault_inside_the_client_is_unreachable(fetch: Fetch, vendor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from yfinance.data import YfData

    def broken(self: YfData, timeout: int = 30) -> None:
        raise TypeError("'NoneType' object is not subscriptable")

    monkeypatch.setattr(YfData, "_get_cookie_and_crumb", broken)
    with pytest.raises(UnreachableError, match="not subscriptable"):
        fetch(attempts=1)


def test_a_cache_folder_that_cannot_be_made_does_not_matter(fetch: Fetch, vendor: Any, tmp_path: Path) -> None:
    vendor.answers = [(200, "{}", 0)]
    (tmp_path / "cache").write_text("a file in the way", encoding="utf-8")
    assert fetch().status == 200


def test_a_web_page_instead_of_data_is_named(fetch: Fetch, vendor: Any) -> None:
    vendor.answers = [(200, "<html><body>Will be right back...</body></html>", 0)]
    with pytest.raises(FormatError, match="a web page"):
        yahoo.parse(fetch())


def test_a_span_that_ends_before_it_starts_asks_nobody(fetch: Fetch, vendor: Any) -> None:
    with pytest.raises(DataError, match="before the start"):
        fetch("ABC", "2022-03-15", "2022-03-14")
    assert vendor.asked == []


def test_caches_stay_in_the_folder_given(fetch: Fetch, vendor: Any, tmp_path: Path) -> None:
    from yfinance import cache

    vendor.answers = [(200, "{}", 0)]
    fetch()
    places = [m.get_location() for m in (cache._TzDBManager, cache._CookieDBManager, cache._ISINDBManager)]
    assert set(places) == {str(tmp_path / "cache")}


def test_importing_the_sources_does_not_import_the_client() -> None:
    code = "import sys, quantlib.sources; sys.exit(any(m in sys.modules for m in ('yfinance', 'skfolio', 'arch')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
