"""Polygon: what is asked on how many pages, what becomes of it, and its refusals."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from answers.polygon import BARS, DIVIDENDS, SPLITS, stock
from pydantic import SecretStr

from quantlib.errors import SourceError
from quantlib.sources import polygon
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

KEY = "s3cr3t+k3y/canary"


@pytest.fixture
def call(vendor: Any, tmp_path: Path) -> Call:
    return Call(home=tmp_path, keys={polygon.KEY: SecretStr(KEY)}, base_url=vendor.url, attempts=1, wait=0.01)


def answer(vendor: Any, *bodies: object) -> None:
    vendor.answers = [(200, json.dumps(body), 0) for body in bodies]


def asked(vendor: Any) -> list[tuple[str, dict[str, str]]]:
    split = [urlsplit(path) for path in vendor.asked]
    out = [(one.path, {k: v[0] for k, v in parse_qs(one.query).items()}) for one in split]
    assert all(query.pop("apiKey") == KEY for _, query in out)
    return out


def read(text: str, status: int = 200, **span: object) -> Parsed:
    return polygon.parse(Payload("polygon", "bars", "BRK-B", text, status=status, **span))


def with_(tree: dict[str, Any], **changes: object) -> dict[str, Any]:
    return {**copy.deepcopy(tree), **changes}


def test_a_stock_takes_three_calls_and_comes_raw(call: Call, vendor: Any) -> None:
    answer(vendor, BARS, DIVIDENDS, SPLITS)
    payload = polygon.request(Ask.of("bars", "BRK-B", "2022-03-11", "2022-03-15"), call)
    assert asked(vendor) == [
        (
            "/v2/aggs/ticker/BRK.B/range/1/day/2022-03-11/2022-03-15",
            {"adjusted": "false", "sort": "asc", "limit": "50000"},
        ),
        ("/stocks/v1/dividends", {"ticker": "BRK.B", "limit": "1000"}),
        ("/stocks/v1/splits", {"ticker": "BRK.B", "limit": "1000"}),
    ]
    parsed = polygon.parse(payload)
    assert parsed.bars["close"].tolist() == [45.39, 44.96, 23.1]
    assert KEY not in payload.text + payload.url


def test_sessions_are_new_york_days_and_dividends_of_a_day_are_one() -> None:
    parsed = read(stock(), start=pd.Timestamp("2022-03-11"))
    assert parsed.bars["ts"].dt.strftime("%Y-%m-%d").tolist() == ["2022-03-11", "2022-03-14", "2022-03-15"]
    assert parsed.bars["adj_close"].isna().all(), "the store adjusts by the actions"
    # Two equal lines are one dividend listed twice, a third is another one of the same day.
    assert parsed.actions[["ts", "kind", "value"]].to_numpy().tolist() == [
        [pd.Timestamp("2022-03-14"), "dividend", 1.26],
        [pd.Timestamp("2022-03-15"), "split", 2.0],
    ]
    assert parsed.notes == ("BRK-B: a dividend of 2022-03-11 in CAD is left out.",)


@pytest.mark.parametrize(
    ("answered", "days"),
    [
        ("Tue, 15 Mar 2022 20:19:00 GMT", 2),
        ("Tue, 15 Mar 2022 20:20:00 GMT", 3),
        ("Tue, 15 Mar 2022 14:00:00 GMT", 2),
        ("", 2),
        ("yesterday", 2),
    ],
)
def test_the_running_session_is_left_out(answered: str, days: int) -> None:
    parsed = read(stock(answered=answered))
    assert len(parsed.bars) == days
    assert any("2022-03-15" in note for note in parsed.notes) == (days == 2)


def test_every_page_is_fetched_from_the_host_we_know(call: Call, vendor: Any) -> None:
    first = with_(
        BARS, results=BARS["results"][:2], resultsCount=2, next_url="https://elsewhere.example/v2/more?cursor=A"
    )
    second = with_(BARS, results=BARS["results"][2:], resultsCount=1)
    answer(vendor, first, second, DIVIDENDS, SPLITS)
    payload = polygon.request(Ask.of("bars", "BRK-B"), call)
    assert asked(vendor)[1] == ("/v2/more", {"cursor": "A"})
    assert len(polygon.parse(payload).bars) == 3


def test_pages_without_end_are_a_partial_answer(call: Call, vendor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polygon, "MOST_PAGES", 3)
    answer(vendor, with_(BARS, next_url="https://api.example/v2/more?cursor=A"))
    with pytest.raises(FormatError):  # the last answer repeats itself, where dividends should be
        polygon.parse(polygon.request(Ask.of("bars", "BRK-B"), call))
    assert len(vendor.asked) == 9
    with pytest.raises(PartialError, match="more pages for BRK-B"):
        read(stock(with_(BARS, next_url="https://api.example/v2/more")))
    with pytest.raises(PartialError, match="more pages"):
        read(stock(splits=with_(SPLITS, next_url="https://api.example/v2/more")))


def test_the_first_refusal_is_the_answer(call: Call, vendor: Any) -> None:
    answer(vendor, BARS, {"status": "NOT_AUTHORIZED", "message": "You are not entitled to this data."})
    vendor.answers[1] = (400, vendor.answers[1][1], 0)
    payload = polygon.request(Ask.of("bars", "BRK-B"), call)
    assert len(vendor.asked) == 2
    with pytest.raises(BadKeyError, match="not entitled"):
        polygon.parse(payload)


@pytest.mark.parametrize("symbol", ["^GSPC", "BTC-USD", "EURUSD=X", "brk"])
def test_what_it_is_not_asked_for(call: Call, vendor: Any, symbol: str) -> None:
    with pytest.raises(NotFoundError, match="US stocks and ETFs only"):
        polygon.request(Ask.of("bars", symbol), call)
    assert vendor.asked == []


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"status": "ERROR", "error": "Unknown API Key"}, 200, BadKeyError),
        ({"status": "ERROR", "error": "You've exceeded the maximum requests per minute"}, 200, LimitError),
        ({"status": "NOT_AUTHORIZED", "message": "Your plan doesn't include this data timeframe."}, 200, BadKeyError),
        ({"status": "NOT_FOUND", "message": "Data not found."}, 404, NotFoundError),
        ({"status": "ERROR", "error": "from must be before to"}, 400, FormatError),
    ],
)
def test_a_refusal_is_the_matching_error(body: dict[str, str], status: int, error: type[SourceError]) -> None:
    with pytest.raises(error) as caught:
        read(json.dumps(body), status)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (stock(with_(BARS, results=[], resultsCount=0)), EmptyError, "no finished session of BRK-B"),
        (stock(with_(BARS, results=None, resultsCount=0)), EmptyError, "no finished session of BRK-B"),
        (stock(with_(BARS, resultsCount=4)), PartialError, "counts 4 bars of BRK-B and gives 3"),
        (stock(with_(BARS, adjusted=True)), FormatError, "split-adjusted prices"),
        (stock(with_(BARS, ticker="XYZ")), FormatError, "got XYZ"),
        (stock(splits={"results": [with_(SPLITS["results"][0], ticker="XYZ")]}), FormatError, "got XYZ"),
        (stock(splits={"results": [with_(SPLITS["results"][0], split_from=0)]}), FormatError, "split_from"),
        (stock(dividends={"status": "OK"}), FormatError, "changed its form at results"),
        (json.dumps(BARS), FormatError, "not what was asked for"),
        (json.dumps({"bars": [json.dumps(BARS)]}), FormatError, "lack dividends, splits, answered"),
    ],
)
def test_a_broken_answer_is_named(text: str, error: type[SourceError], words: str) -> None:
    with pytest.raises(error, match=words):
        read(text)
