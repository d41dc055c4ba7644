"""European Central Bank: reference rates out of two forms, and the file that stands in for the data API."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from answers.ecb import RATES, XML, body
from pytest_httpserver import HTTPServer

from quantlib.sources import ecb
from quantlib.sources.base import (
    Ask,
    Call,
    EmptyError,
    FormatError,
    NotFoundError,
    Parsed,
    PartialError,
    Payload,
    UnreachableError,
)

PATH, FILE = "/service/data/EXR/D.USD.EUR.SP00.A", "/stats/eurofxref/eurofxref-hist-90d.xml"


def parse(text: object, name: str = "EURUSD=X", **more: Any) -> Parsed:
    return ecb.parse(Payload("ecb", "bars", name, text if isinstance(text, str) else json.dumps(text), **more))


def test_both_forms_give_the_same_closes_and_nothing_else() -> None:
    for text in (body(), XML):
        bars = parse(text).bars
        assert bars["ts"].tolist() == [pd.Timestamp("2024-03-28"), pd.Timestamp("2024-04-02")]
        assert bars["close"].tolist() == [1.0811, 1.0749]
        assert bars[["open", "high", "low", "volume", "adj_close"]].isna().all(axis=None)
    assert parse(body()).notes == ("EURUSD=X: 1 day(s) without a rate left out.",)
    assert parse(XML, "EURJPY=X").bars["close"].tolist() == [163.45, 162.97]


def test_rates_are_matched_to_days_by_their_place() -> None:
    shuffled = body()
    series = shuffled["dataSets"][0]["series"]["0:0:0:0:0"]
    series["observations"] = dict(reversed(series["observations"].items()))
    assert parse(shuffled).bars["close"].tolist() == [1.0811, 1.0749]


def test_a_day_without_an_entry_is_a_partial_answer() -> None:
    cut = body()
    del cut["dataSets"][0]["series"]["0:0:0:0:0"]["observations"]["2"]
    with pytest.raises(PartialError, match="names 3 days"):
        parse(cut)


def test_another_currency_is_refused() -> None:
    with pytest.raises(FormatError, match="another series"):
        parse(body(currency="GBP"))


def test_a_span_keeps_both_ends() -> None:
    assert parse(XML, start=pd.Timestamp("2024-04-01"), end=pd.Timestamp("2024-04-02")).bars["close"].tolist() == [
        1.0749
    ]
    with pytest.raises(EmptyError):
        parse(XML, start=pd.Timestamp("2024-04-03"))
    with pytest.raises(EmptyError):
        parse("No results found.", status=404)


@pytest.mark.parametrize("symbol", ["USDJPY=X", "EUREUR=X", "EURUSD", "BTC-USD"])
def test_only_the_euro_has_reference_rates(symbol: str, call: Call, httpserver: HTTPServer) -> None:
    with pytest.raises(NotFoundError, match="the euro only"):
        ecb.request(Ask.of("bars", symbol), call)
    assert httpserver.log == []


def test_the_data_api_is_asked_for_one_currency_and_the_span(call: Call, httpserver: HTTPServer) -> None:
    query = {"format": "jsondata", "detail": "dataonly", "startPeriod": "2024-03-28", "endPeriod": "2024-04-02"}
    httpserver.expect_request(PATH, query_string=query).respond_with_json(body())
    payload = ecb.request(Ask.of("bars", "EURUSD=X", "2024-03-28", "2024-04-02"), call)
    assert len(ecb.parse(payload).bars) == len(RATES) - 1


def test_while_the_data_api_is_down_the_file_of_90_days_stands_in(call: Call, httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_data("maintenance", status=503)
    httpserver.expect_request(FILE).respond_with_data(XML, content_type="text/xml")
    assert len(ecb.parse(ecb.request(Ask.of("bars", "EURUSD=X"), call)).bars) == 2
    httpserver.clear()
    httpserver.expect_request(PATH).respond_with_data("maintenance", status=503)
    httpserver.expect_request(FILE).respond_with_data("maintenance", status=503)
    with pytest.raises(UnreachableError):
        ecb.request(Ask.of("bars", "EURUSD=X"), call)
