"""CoinGecko: what a day is, what candles may stand for one, and how it is asked through pycoingecko."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from answers.coingecko import CANDLES, CHART, HOUR, LIMIT, TOO_LONG, at, both
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from quantlib.sources import coingecko
from quantlib.sources.base import (
    Ask,
    BadKeyError,
    Call,
    EmptyError,
    FormatError,
    LimitError,
    NotFoundError,
    Parsed,
    Payload,
    UnreachableError,
)

KEY = "canary-key-1234"


def parse(body: str, kind: str = "bars", **more: object) -> Parsed:
    return coingecko.parse(Payload("coingecko", kind, "BTC-USD", body, **more))  # type: ignore[arg-type]


def day(text: str) -> pd.Timestamp:
    return pd.Timestamp(text)


def test_the_price_at_midnight_is_the_close_of_the_day_before_and_the_running_day_is_left_out() -> None:
    bars = parse(json.dumps(CHART)).bars
    assert bars["ts"].tolist() == pd.date_range("2024-03-01", "2024-03-04").tolist()
    assert bars["close"].tolist() == [100.0, 110.0, 120.0, 130.0]
    assert bars[["open", "high", "low", "volume"]].isna().all(axis=None)


def test_only_whole_days_of_candles_give_open_high_and_low() -> None:
    bars = parse(json.dumps(CANDLES)).bars.set_index("ts")
    # Candles 3 to 8 end at 04:00 on the 3rd to 00:00 on the 4th; those of the 2nd and the 5th are not all there.
    assert bars.index.tolist() == [day("2024-03-03"), day("2024-03-04")]
    assert bars.loc[day("2024-03-03"), ["open", "high", "low", "close"]].tolist() == [103.0, 111.0, 100.0, 109.0]
    gap = [candle for candle in CANDLES if candle[0] != at("2024-03-03 12:00")]
    assert parse(json.dumps(gap)).bars["ts"].tolist() == [day("2024-03-04")]


def test_the_last_candle_may_still_be_running() -> None:
    until = [candle for candle in CANDLES if candle[0] <= at("2024-03-05")]
    assert parse(json.dumps(until)).bars["ts"].tolist() == [day("2024-03-03")]


def test_closes_are_those_of_the_chart_and_candles_that_contradict_one_are_dropped() -> None:
    parsed = parse(both())
    bars = parsed.bars.set_index("ts")
    assert bars["close"].tolist() == [100.0, 110.0, 120.0, 130.0]
    assert bars["high"].isna().tolist() == [True, True, True, True]  # 120 > 111 on the 3rd, 130 > 117 on the 4th
    assert any("2 day(s) the candles contradict" in note for note in parsed.notes)
    fitting = {"prices": [[at("2024-03-04"), 108.0], [at("2024-03-05"), 114.0]]}
    bars = parse(both(fitting)).bars
    assert bars[["open", "high", "low", "close"]].to_numpy().tolist() == [
        [103.0, 111.0, 100.0, 108.0],
        [109.0, 117.0, 106.0, 114.0],
    ]


def test_candles_of_four_days_are_not_passed_off_as_daily_bars() -> None:
    long = [[at("2024-01-01") + n * 96 * HOUR, 1.0, 2.0, 0.5, 1.5] for n in range(10)]
    with pytest.raises(FormatError, match=r"candles of 4 days.*30 days at most"):
        parse(json.dumps(long))
    with pytest.raises(FormatError, match="candles of 4 days"):
        parse(both(candles=long))


def test_hourly_points_are_not_a_daily_chart() -> None:
    hourly = {"prices": [[at("2024-03-01") + n * HOUR, 1.0] for n in range(60)]}
    with pytest.raises(FormatError, match="not one a day"):
        parse(json.dumps(hourly))


def test_market_values_and_turnover_are_in_dollars_and_zero_is_unknown() -> None:
    parsed = parse(json.dumps(CHART), "market_caps")
    assert parsed.bars.empty
    caps = parsed.measures[parsed.measures["measure"] == "market_cap"].set_index("ts")["value"]
    assert caps.to_dict() == {day("2024-03-02"): 1100.0, day("2024-03-03"): 1200.0}
    turnover = parsed.measures[parsed.measures["measure"] == "turnover"].set_index("ts")["value"]
    assert turnover.tolist() == [10.0, 11.0, 12.0, 13.0]
    assert set(parsed.measures["unit"]) == {"USD"}


def test_a_span_keeps_both_ends_and_an_empty_one_says_so() -> None:
    span = {"start": day("2024-03-02"), "end": day("2024-03-03")}
    assert parse(json.dumps(CHART), **span).bars["close"].tolist() == [110.0, 120.0]
    with pytest.raises(EmptyError, match="no finished day of BTC-USD"):
        parse(json.dumps(CHART), start=day("2024-03-05"))


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, {"error": "coin not found"}, NotFoundError),
        (200, LIMIT, LimitError),
        (429, LIMIT, LimitError),
        (401, TOO_LONG, BadKeyError),
        (200, TOO_LONG, BadKeyError),
    ],
)
def test_refusals_by_kind(status: int, body: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse(json.dumps(body), status=status)


CHART_PATH, CANDLE_PATH = "/api/v3/coins/bitcoin/market_chart", "/api/v3/coins/bitcoin/ohlc"


def test_bars_take_a_daily_chart_and_a_month_of_candles_kept_as_delivered(call: Call, httpserver: HTTPServer) -> None:
    chart = {"vs_currency": "usd", "days": "365", "interval": "daily"}
    httpserver.expect_request(CHART_PATH, query_string=chart).respond_with_data(json.dumps(CHART))
    month = {"vs_currency": "usd", "days": "30"}
    httpserver.expect_request(CANDLE_PATH, query_string=month).respond_with_data(json.dumps(CANDLES))
    payload = coingecko.request(Ask.of("bars", "BTC-USD"), call)
    assert payload.text == both()
    assert "x-cg-demo-api-key" not in httpserver.log[0][0].headers
    assert len(coingecko.parse(payload).bars) == 4


def test_market_caps_take_one_call_and_the_key_goes_into_the_header_only(call: Call, httpserver: HTTPServer) -> None:
    httpserver.expect_request(CHART_PATH, headers={"x-cg-demo-api-key": KEY}).respond_with_data(json.dumps(CHART))
    keyed = Call(call.home, {coingecko.KEY: SecretStr(KEY)}, call.base_url)
    payload = coingecko.request(Ask.of("market_caps", "BTC-USD"), keyed)
    assert len(httpserver.log) == 1
    assert KEY not in payload.url
    assert KEY not in httpserver.log[0][0].url
    assert len(coingecko.parse(payload).measures) == 6


def test_what_the_client_calls_an_error_is_kept_as_delivered(call: Call, httpserver: HTTPServer) -> None:
    httpserver.expect_request(CHART_PATH).respond_with_data('{"error":"coin not found"}', status=404)
    payload = coingecko.request(Ask.of("bars", "BTC-USD"), call)
    assert (payload.status, payload.text) == (404, '{"error":"coin not found"}')


def test_a_fault_of_the_second_call_is_the_answer(call: Call, httpserver: HTTPServer) -> None:
    httpserver.expect_request(CHART_PATH).respond_with_data(json.dumps(CHART))
    httpserver.expect_request(CANDLE_PATH).respond_with_data('{"error":"coin not found"}', status=404)
    with pytest.raises(NotFoundError):
        coingecko.parse(coingecko.request(Ask.of("bars", "BTC-USD"), call))


def test_faults_are_tried_again_limits_are_not(call: Call, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request(CHART_PATH).respond_with_data("busy", status=503)
    httpserver.expect_ordered_request(CHART_PATH).respond_with_data(json.dumps(LIMIT), status=429)
    with pytest.raises(LimitError):
        coingecko.request(Ask.of("market_caps", "BTC-USD"), call)
    assert len(httpserver.log) == 2


def test_a_redirect_is_not_followed_with_a_key(call: Call, httpserver: HTTPServer) -> None:
    elsewhere = {"Location": httpserver.url_for("/elsewhere")}
    httpserver.expect_request(CHART_PATH).respond_with_data("", status=302, headers=elsewhere)
    with pytest.raises(FormatError, match="another address"):
        coingecko.request(Ask.of("market_caps", "BTC-USD"), call)
    assert len(httpserver.log) == 1


def test_no_server_is_unreachable(tmp_path: Path) -> None:
    call = Call(tmp_path, base_url="http://127.0.0.1:9", attempts=2, wait=0.001)
    with pytest.raises(UnreachableError, match="not reachable"):
        coingecko.request(Ask.of("bars", "BTC-USD"), call)


def test_a_symbol_that_is_none_of_the_ten_asks_nobody(call: Call, httpserver: HTTPServer) -> None:
    with pytest.raises(NotFoundError, match="Did you mean DOGE-USD"):
        coingecko.request(Ask.of("bars", "DOG-USD"), call)
    assert httpserver.log == []
