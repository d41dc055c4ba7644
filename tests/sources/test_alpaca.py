"""Alpaca: what is asked on how many pages, what becomes of it, and its refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from answers.alpaca import ACTIONS, BARS, EVENING, NEWS, news, stock
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from quantlib.errors import SourceError
from quantlib.sources import alpaca
from quantlib.sources.base import (
    Ask,
    BadKeyError,
    Call,
    EmptyError,
    FormatError,
    LimitError,
    NotFoundError,
    Parsed,
    PartialError,
    Payload,
)

KEY, SECRET = "k3y-canary", "s3cr3t-canary"


@pytest.fixture
def call(httpserver: HTTPServer, tmp_path: Path) -> Call:
    keys = {"ALPACA_API_KEY": SecretStr(KEY), "ALPACA_SECRET_KEY": SecretStr(SECRET)}
    return Call(home=tmp_path, keys=keys, base_url=httpserver.url_for("").rstrip("/"), attempts=1, wait=0.01)


def serve(httpserver: HTTPServer, *answers: tuple[int, object]) -> list[Request]:
    """Serve answers in turn; return the list of what was asked."""
    asked: list[Request] = []
    turns: Iterator[tuple[int, object]] = iter(answers)

    def handler(request: Request) -> Response:
        asked.append(request)
        status, body = next(turns)
        return Response(json.dumps(body), status, content_type="application/json")

    httpserver.expect_request("/v2/stocks/bars").respond_with_handler(handler)
    httpserver.expect_request("/v1/corporate-actions").respond_with_handler(handler)
    httpserver.expect_request("/v1beta1/news").respond_with_handler(handler)
    return asked


def read(text: str, kind: Any = "bars", status: int = 200, **span: object) -> Parsed:
    return alpaca.parse(Payload("alpaca", kind, "BRK-B", text, status=status, **span))


def test_a_stock_is_asked_for_raw_with_its_actions(call: Call, httpserver: HTTPServer) -> None:
    asked = serve(httpserver, (200, BARS), (200, ACTIONS))
    payload = alpaca.request(Ask.of("bars", "BRK-B", "2023-09-25", "2023-09-27"), call)
    assert [one.path for one in asked] == ["/v2/stocks/bars", "/v1/corporate-actions"]
    assert asked[0].args.to_dict() == {
        "symbols": "BRK.B",
        "start": "2023-09-25",
        "end": "2023-09-27",
        "timeframe": "1Day",
        "adjustment": "raw",
        "limit": "10000",
    }
    assert {one.headers["APCA-API-KEY-ID"] for one in asked} == {KEY}
    assert {one.headers["APCA-API-SECRET-KEY"] for one in asked} == {SECRET}
    assert "canary" not in payload.text + payload.url
    parsed = alpaca.parse(payload)
    assert parsed.bars["close"].tolist() == [247.0, 244.1, 120.3]
    assert parsed.bars["ts"].dt.strftime("%m-%d").tolist() == ["09-25", "09-26", "09-27"]
    assert parsed.actions[["kind", "value"]].to_numpy().tolist() == [
        ["split", 1.05],
        ["dividend", 0.125],
        ["split", 2.0],
    ]


def test_an_open_start_is_written_out_since_it_would_mean_today(call: Call, httpserver: HTTPServer) -> None:
    asked = serve(httpserver, (200, BARS), (200, ACTIONS))
    alpaca.request(Ask.of("bars", "SPY"), call)
    assert [one.args["start"] for one in asked] == ["2016-01-01"] * 2
    assert all("end" not in one.args for one in asked)


def test_every_page_is_fetched(call: Call, httpserver: HTTPServer) -> None:
    rows = BARS["bars"]["BRK.B"]
    first = {"bars": {"BRK.B": rows[:2]}, "next_page_token": "A=="}
    second = {"bars": {"BRK.B": rows[2:]}, "next_page_token": None}
    asked = serve(httpserver, (200, first), (200, second), (200, ACTIONS))
    parsed = alpaca.parse(alpaca.request(Ask.of("bars", "BRK-B"), call))
    assert [one.args.get("page_token") for one in asked] == [None, "A==", None]
    assert len(parsed.bars) == 3


def test_a_page_that_is_missing_is_a_partial_answer() -> None:
    for text in (stock({**BARS, "next_page_token": "A"}), stock(actions={**ACTIONS, "next_page_token": "A"})):
        with pytest.raises(PartialError, match="more pages for BRK-B"):
            read(text)
    with pytest.raises(PartialError, match="more pages"):
        read(news({**NEWS, "next_page_token": "A"}), "news")


def test_news_come_in_the_universe_s_spelling(call: Call, httpserver: HTTPServer) -> None:
    asked = serve(httpserver, (200, NEWS), (200, NEWS))
    parsed = alpaca.parse(alpaca.request(Ask.of("news", "BRK-B", "2023-09-26", "2023-09-26"), call))
    assert asked[0].args.to_dict() == {
        "symbols": "BRK.B",
        "start": "2023-09-26",
        "end": "2023-09-26T23:59:59Z",
        "sort": "desc",
        "limit": "50",
    }
    only = parsed.news.iloc[0]
    assert (only["id"], only["symbols"], only["url"]) == ("4179", ["BRK-B", "BTC-USD"], "")
    assert only["published_at"] == pd.Timestamp("2023-09-26T09:16:41Z")
    alpaca.request(Ask.of("news", "*"), call)
    assert "symbols" not in asked[1].args


@pytest.mark.parametrize(("answered", "days"), [(EVENING, 3), ("Wed, 27 Sep 2023 20:00:00 GMT", 2), ("", 2)])
def test_the_running_session_is_left_out(answered: str, days: int) -> None:
    assert len(read(stock(answered=answered)).bars) == days


def test_the_first_refusal_is_the_answer(call: Call, httpserver: HTTPServer) -> None:
    asked = serve(httpserver, (400, {"message": "invalid symbol: XYZ"}))
    payload = alpaca.request(Ask.of("bars", "XYZ"), call)
    assert len(asked) == 1
    with pytest.raises(NotFoundError, match="invalid symbol"):
        alpaca.parse(payload)


def test_a_refused_key_is_named_not_shown(call: Call, httpserver: HTTPServer) -> None:
    serve(httpserver, (403, {"message": f"{KEY} and {SECRET} are forbidden"}))
    with pytest.raises(BadKeyError, match="forbidden") as caught:
        alpaca.request(Ask.of("bars", "SPY"), call)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (403, "forbidden.", BadKeyError),
        (401, "", BadKeyError),
        (404, "Not Found", NotFoundError),
        (429, "too many requests.", LimitError),
        (422, "end must not be before start", FormatError),
    ],
)
def test_a_refusal_is_the_matching_error(status: int, message: str, error: type[SourceError]) -> None:
    for kind in ("bars", "news"):
        with pytest.raises(error, match=f"HTTP {status}") as caught:
            read(json.dumps({"message": message}), kind, status)
        assert type(caught.value) is error


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (stock({"bars": {}, "next_page_token": None}), EmptyError, "no finished session of BRK-B"),
        (stock({"bars": None, "next_page_token": None}), EmptyError, "no finished session of BRK-B"),
        (stock({"bars": {"XYZ": []}, "next_page_token": None}), FormatError, "got XYZ"),
        (stock({"bars": {}}), FormatError, "next_page_token"),
        (stock(actions={"next_page_token": None}), FormatError, "corporate_actions"),
        (json.dumps(BARS), FormatError, "not what was asked for"),
    ],
)
def test_a_broken_answer_is_named(text: str, error: type[SourceError], words: str) -> None:
    with pytest.raises(error, match=words):
        read(text)


def test_no_news_is_empty() -> None:
    with pytest.raises(EmptyError, match="no news about BRK-B"):
        read(news({"news": [], "next_page_token": None}), "news")


@pytest.mark.replay
def test_the_examples_of_its_own_client_are_read(replay: Path) -> None:
    folder = replay / "api" / "alpaca"
    bars = json.loads((folder / "historical_stock_data__get_bars_desc.json").read_text(encoding="utf-8"))["response"]
    text = stock(bars | {"next_page_token": None}, {"corporate_actions": {}, "next_page_token": None})
    parsed = alpaca.parse(Payload("alpaca", "bars", "TSLA", text))
    assert parsed.bars["close"].tolist() == [246.99, 244.12, 240.5]  # the example is in descending order
    actions = json.loads((folder / "corporate_actions__get_corporate_actions.json").read_text(encoding="utf-8"))
    groups = {
        kind: rows for kind, rows in actions["response"]["corporate_actions"].items() if rows[0].get("symbol") == "FCF"
    }
    bars["bars"]["FCF"] = bars["bars"].pop("TSLA")
    text = stock(bars | {"next_page_token": None}, {"corporate_actions": groups, "next_page_token": None})
    dividends = alpaca.parse(Payload("alpaca", "bars", "FCF", text)).actions
    assert dividends[["ts", "kind", "value"]].to_numpy().tolist() == [[pd.Timestamp("2023-05-04"), "dividend", 0.125]]
    found = json.loads((folder / "historical_news_data__get_news_2.json").read_text(encoding="utf-8"))["response"]
    assert alpaca.parse(Payload("alpaca", "news", "CWAN", news(found))).news["symbols"].tolist() == [["CWAN"]]
