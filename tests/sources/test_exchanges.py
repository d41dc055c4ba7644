"""Exchanges through ccxt: pairs, pages, the day still running, and refusals by kind."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from answers import binance as binance_answers
from answers import coinbase as coinbase_answers
from answers import kraken as kraken_answers
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from quantlib.sources.base import (
    Ask,
    BadKeyError,
    Call,
    EmptyError,
    FormatError,
    LimitError,
    NotFoundError,
    Payload,
    UnreachableError,
)
from quantlib.sources.exchanges import BINANCE, COINBASE, KRAKEN, Exchange

DAY = 86_400_000


def payload(exchange: Exchange, body: object, **more: Any) -> Payload:
    return Payload(exchange.name, "bars", "BTC-USD", body if isinstance(body, str) else json.dumps(body), **more)


def ms(day: str) -> int:
    return int(pd.Timestamp(day).timestamp() * 1000)


def test_a_candle_becomes_the_bar_of_its_utc_day_and_the_newest_proves_only_the_one_before() -> None:
    parsed = BINANCE.parse(payload(BINANCE, binance_answers.CANDLES))
    bars = parsed.bars.set_index("ts")
    assert bars.index.tolist() == pd.date_range("2024-02-27", "2024-03-03").tolist()
    last = bars.loc[pd.Timestamp("2024-03-03"), ["open", "high", "low", "close", "volume"]].tolist()
    assert last == [104.0, 107.0, 103.0, 105.0, 12.5]
    assert parsed.notes == ("BTC-USD: 2024-03-04 may not be over and is left out.",)
    assert bars["adj_close"].isna().all()


@pytest.mark.parametrize(
    ("exchange", "answers"), [(BINANCE, binance_answers), (COINBASE, coinbase_answers), (KRAKEN, kraken_answers)]
)
def test_every_exchange_s_form_gives_ordered_bars(exchange: Exchange, answers: Any) -> None:
    for answer in answers.ANSWERS:
        bars = exchange.parse(answer).bars
        assert bars["ts"].tolist() == pd.to_datetime(answers.DAYS[:-1]).tolist()
        assert (bars["high"] - bars["low"]).tolist() == [4.0] * len(bars)
        assert (bars["close"] - bars["open"]).tolist() == [1.0] * len(bars)
        assert set(bars["volume"]) == {12.5}


def test_a_candle_beyond_the_span_proves_its_last_day() -> None:
    parsed = BINANCE.parse(payload(BINANCE, binance_answers.CANDLES, end=pd.Timestamp("2024-03-03")))
    assert parsed.bars["ts"].iloc[-1] == pd.Timestamp("2024-03-03")
    assert parsed.notes == ()


def test_candles_that_do_not_start_at_midnight_are_refused() -> None:
    hourly = [[row[0] + 3_600_000, *row[1:]] for row in binance_answers.CANDLES]
    with pytest.raises(FormatError, match="midnight UTC"):
        BINANCE.parse(payload(BINANCE, hourly))


def test_a_missing_price_is_a_changed_form_not_a_bar() -> None:
    rows = [list(row) for row in binance_answers.CANDLES]
    rows[2][4] = None
    with pytest.raises(FormatError, match="lacks a time or price in 1"):
        BINANCE.parse(payload(BINANCE, rows))


@pytest.mark.parametrize(
    ("exchange", "status", "body", "error"),
    [
        (BINANCE, 400, '{"code":-1121,"msg":"Invalid symbol."}', NotFoundError),
        (BINANCE, 400, '{"code":-2008,"msg":"Invalid Api-Key ID."}', BadKeyError),
        (BINANCE, 418, '{"code":-1003,"msg":"Way too much request weight used; IP banned."}', LimitError),
        (BINANCE, 200, "[[]]", EmptyError),
        (KRAKEN, 200, '{"error":["EQuery:Unknown asset pair"]}', NotFoundError),
        (KRAKEN, 200, '{"error":["EGeneral:Too many requests"]}', LimitError),
        (KRAKEN, 200, '{"error":["EService:Unavailable"]}', UnreachableError),
        (COINBASE, 404, json.dumps(coinbase_answers.UNKNOWN), NotFoundError),
        (COINBASE, 401, '{"message":"Invalid API Key"}', BadKeyError),
        (COINBASE, 200, '{"message":"Invalid API Key"}', BadKeyError),
        (COINBASE, 200, '{"bids":[["1124.64","0.399",1]]}', FormatError),
    ],
)
def test_refusals_by_kind(exchange: Exchange, status: int, body: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        exchange.parse(payload(exchange, body, status=status))


def serve_binance(httpserver: HTTPServer, first: str, last: str) -> list[dict[str, str]]:
    """Answer as Binance does for a coin listed on one day and running on another; return the questions."""
    asked: list[dict[str, str]] = []

    def klines(request: Request) -> Response:
        asked.append(request.args.to_dict())
        end = min(int(request.args.get("endTime", 10**14)), ms(last))
        start = max(int(request.args.get("startTime", 0)), ms(first))
        starts = range(-(-start // DAY) * DAY, end + 1, DAY)[-int(request.args["limit"]) :]
        rows = [binance_answers.candle(str(pd.Timestamp(day, unit="ms").date()), 100.0) for day in starts]
        return Response(json.dumps(rows))

    httpserver.expect_request("/api/v3/klines").respond_with_handler(klines)
    return asked


def test_pages_are_asked_newest_first_until_the_listing(call: Call, httpserver: HTTPServer) -> None:
    asked = serve_binance(httpserver, "2019-05-01", "2024-03-04")
    answer = BINANCE.request(Ask.of("bars", "BTC-USD"), call)
    assert {question["symbol"] for question in asked} == {"BTCUSDT"}
    assert {question["interval"] for question in asked} == {"1d"}
    assert "endTime" not in asked[0]
    assert len(asked) == 3  # 1,770 days: a thousand, the rest, and an empty page
    bars = BINANCE.parse(answer).bars
    assert bars["ts"].tolist() == pd.date_range("2019-05-01", "2024-03-03").tolist()


def test_a_span_is_asked_with_two_days_more_and_no_page_before_its_start(call: Call, httpserver: HTTPServer) -> None:
    asked = serve_binance(httpserver, "2019-05-01", "2024-03-04")
    answer = BINANCE.request(Ask.of("bars", "ETH-USD", "2023-01-05", "2023-01-10"), call)
    assert len(asked) == 1
    assert asked[0]["symbol"] == "ETHUSDT"
    assert ms("2023-01-11") <= int(asked[0]["endTime"]) < ms("2023-01-12")
    assert BINANCE.parse(answer).bars["ts"].tolist() == pd.date_range("2023-01-05", "2023-01-10").tolist()


def test_a_span_that_ends_today_leaves_the_running_day_out(call: Call, httpserver: HTTPServer) -> None:
    serve_binance(httpserver, "2019-05-01", "2024-03-04")
    answer = BINANCE.request(Ask.of("bars", "BTC-USD", "2024-03-01", "2024-03-04"), call)
    assert BINANCE.parse(answer).bars["ts"].iloc[-1] == pd.Timestamp("2024-03-03")


def test_coinbase_is_asked_for_300_days_at_a_time(call: Call, httpserver: HTTPServer) -> None:
    asked: list[dict[str, str]] = []

    def candles(request: Request) -> Response:
        asked.append(request.args.to_dict())
        start, end = int(request.args["start"]), int(request.args["end"])
        assert end - start <= 300 * 86_400
        days = pd.date_range(max(pd.Timestamp(start, unit="s").ceil("D"), pd.Timestamp("2023-01-01")), periods=400)
        days = days[days <= min(pd.Timestamp(end, unit="s"), pd.Timestamp("2024-03-04"))]
        return Response(json.dumps(coinbase_answers.page([str(day.date()) for day in days])))

    path = "/api/v3/brokerage/market/products/BTC-USD/candles"
    httpserver.expect_request(path).respond_with_handler(candles)
    answer = COINBASE.request(Ask.of("bars", "BTC-USD", None, "2024-03-03"), call)
    assert {question["granularity"] for question in asked} == {"ONE_DAY"}
    bars = COINBASE.parse(answer).bars
    assert bars["ts"].tolist() == pd.date_range("2023-01-01", "2024-03-03").tolist()


def test_kraken_has_its_own_names_and_one_page(call: Call, httpserver: HTTPServer) -> None:
    query = {"pair": "XBTUSD", "interval": "1440"}
    httpserver.expect_request("/0/public/OHLC", query_string=query).respond_with_json(kraken_answers.PAGE)
    answer = KRAKEN.request(Ask.of("bars", "BTC-USD"), call)
    assert answer.text == f"[{json.dumps(kraken_answers.PAGE, indent=4)}]"
    assert len(httpserver.log) == 1
    assert len(KRAKEN.parse(answer).bars) == 5


def test_a_refusal_comes_back_as_delivered_whatever_the_client_makes_of_it(call: Call, httpserver: HTTPServer) -> None:
    said = '{"code":-1121,"msg":"Invalid symbol."}'
    httpserver.expect_request("/api/v3/klines").respond_with_data(said, status=400)
    answer = BINANCE.request(Ask.of("bars", "XYZ-USD"), call)
    assert (answer.status, answer.text) == (400, said)
    assert len(httpserver.log) == 1


def test_a_web_page_in_the_middle_of_the_pages_is_no_answer(call: Call, httpserver: HTTPServer) -> None:
    rows = [binance_answers.candle(str(day.date()), 9.0) for day in pd.date_range("2021-06-09", "2024-03-04")]
    httpserver.expect_ordered_request("/api/v3/klines").respond_with_json(rows)
    httpserver.expect_ordered_request("/api/v3/klines").respond_with_data("<html>Just a moment</html>")
    with pytest.raises(FormatError, match="a web page"):
        BINANCE.parse(BINANCE.request(Ask.of("bars", "BTC-USD"), call))


def test_an_exchange_that_repeats_its_newest_page_is_not_asked_for_ever(call: Call, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v3/klines").respond_with_json(binance_answers.CANDLES)
    answer = BINANCE.request(Ask.of("bars", "BTC-USD"), call)
    assert len(httpserver.log) == 2
    assert len(BINANCE.parse(answer).bars) == 6


def test_limits_and_faults_by_status(call: Call, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/api/v3/klines").respond_with_data("busy", status=503)
    httpserver.expect_ordered_request("/api/v3/klines").respond_with_data("slow down", status=429)
    with pytest.raises(LimitError):
        BINANCE.request(Ask.of("bars", "BTC-USD"), call)
    assert len(httpserver.log) == 2


def test_what_is_no_coin_asks_nobody(call: Call, httpserver: HTTPServer) -> None:
    with pytest.raises(NotFoundError, match="such as BTC-USD; got"):
        KRAKEN.request(Ask.of("bars", "^GSPC"), call)
    assert httpserver.log == []
