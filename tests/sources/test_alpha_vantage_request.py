"""Alpha Vantage asked through its client, against a local server: what is asked, in how many calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from answers.alpha_vantage import DAILY, DIVIDENDS, LIMIT, NEWS, PAIR, PREMIUM, SPLITS
from pydantic import SecretStr

from quantlib.sources import alpha_vantage
from quantlib.sources.base import Ask, BadKeyError, Call, LimitError, NotFoundError

KEY = "s3cr3t+k3y/canary"


@pytest.fixture
def call(vendor: Any, tmp_path: Path) -> Call:
    return Call(home=tmp_path, keys={alpha_vantage.KEY: SecretStr(KEY)}, base_url=vendor.url, attempts=1, wait=0.01)


def answer(vendor: Any, *bodies: object) -> None:
    vendor.answers = [(200, json.dumps(body), 0) for body in bodies]


def asked(vendor: Any) -> list[dict[str, str]]:
    queries = [{k: v[0] for k, v in parse_qs(urlsplit(path).query).items()} for path in vendor.asked]
    assert all(query.pop("apikey") == KEY for query in queries)
    return queries


def long(days: int) -> dict[str, Any]:
    """Return a daily series of so many days up to 2024-06-10."""
    one = DAILY["Time Series (Daily)"]["2024-06-07"]
    index = pd.bdate_range(end="2024-06-10", periods=days)
    return {**DAILY, "Time Series (Daily)": {f"{day:%Y-%m-%d}": one for day in reversed(index)}}


def test_a_stock_takes_three_calls(call: Call, vendor: Any) -> None:
    answer(vendor, DAILY, DIVIDENDS, SPLITS)
    payload = alpha_vantage.request(Ask.of("bars", "ABC"), call)
    assert [urlsplit(path).path for path in vendor.asked] == ["/query"] * 3
    queries = asked(vendor)
    assert [query["function"] for query in queries] == ["TIME_SERIES_DAILY", "DIVIDENDS", "SPLITS"]
    assert {query["symbol"] for query in queries} == {"ABC"}
    assert queries[0]["outputsize"] == "compact"
    parsed = alpha_vantage.parse(payload)
    assert (len(parsed.bars), len(parsed.actions)) == (2, 3)
    assert [json.loads(body[0]) for body in json.loads(payload.text).values()] == [DAILY, DIVIDENDS, SPLITS]
    assert "apikey" not in payload.url


def test_the_whole_history_is_asked_for_only_where_the_short_one_ends_too_early(call: Call, vendor: Any) -> None:
    answer(vendor, long(100), DIVIDENDS, SPLITS)
    alpha_vantage.request(Ask.of("bars", "ABC", pd.bdate_range(end="2024-06-10", periods=100)[0]), call)
    assert len(asked(vendor)) == 3
    vendor.asked.clear()
    answer(vendor, long(100), long(300), DIVIDENDS, SPLITS)
    payload = alpha_vantage.request(Ask.of("bars", "ABC"), call)
    assert [query.get("outputsize") for query in asked(vendor)] == ["compact", "full", None, None]
    assert len(alpha_vantage.parse(payload).bars) == 300


def test_a_key_without_the_whole_history_gives_the_short_one_and_says_so(call: Call, vendor: Any) -> None:
    answer(vendor, long(100), {"Information": PREMIUM}, DIVIDENDS, SPLITS)
    parsed = alpha_vantage.parse(alpha_vantage.request(Ask.of("bars", "ABC"), call))
    assert len(parsed.bars) == 100
    assert parsed.notes == ("ABC: the key covers the last 100 sessions only.",)


@pytest.mark.parametrize("before", range(3))
def test_the_first_refusal_is_the_answer_and_no_more_calls_are_spent(call: Call, vendor: Any, before: int) -> None:
    answer(vendor, *[DAILY, DIVIDENDS, SPLITS][:before], {"Information": LIMIT})
    payload = alpha_vantage.request(Ask.of("bars", "ABC"), call)
    assert len(vendor.asked) == before + 1
    with pytest.raises(LimitError, match="spreading out"):
        alpha_vantage.parse(payload)


@pytest.mark.parametrize(("symbol", "base", "quoted"), [("EURUSD=X", "EUR", "USD"), ("JPY=X", "USD", "JPY")])
def test_a_pair_takes_one_call(call: Call, vendor: Any, symbol: str, base: str, quoted: str) -> None:
    answer(vendor, PAIR)
    payload = alpha_vantage.request(Ask.of("bars", symbol), call)
    assert asked(vendor) == [
        {"function": "FX_DAILY", "from_symbol": base, "to_symbol": quoted, "outputsize": "compact"}
    ]
    assert json.loads(payload.text) == PAIR


def test_news_are_asked_for_by_ticker_and_span(call: Call, vendor: Any) -> None:
    answer(vendor, NEWS)
    alpha_vantage.request(Ask.of("news", "BTC-USD", "2024-06-09", "2024-06-10"), call)
    alpha_vantage.request(Ask.of("news", "*"), call)
    first, second = asked(vendor)
    assert (first["function"], first["tickers"], first["limit"]) == ("NEWS_SENTIMENT", "CRYPTO:BTC", "1000")
    assert (first["time_from"], first["time_to"]) == ("20240609T0000", "20240610T2359")
    assert not {"tickers", "time_from", "time_to"} & set(second)


def test_the_key_it_repeats_is_not_in_the_answer(call: Call, vendor: Any) -> None:
    answer(vendor, {"Information": f"We have detected your API key as {KEY}: 25 requests per day."})
    payload = alpha_vantage.request(Ask.of("news", "ABC"), call)
    assert KEY not in payload.text + payload.url
    vendor.answers = [(401, f"{KEY} is no key", 0)]
    with pytest.raises(BadKeyError) as caught:
        alpha_vantage.request(Ask.of("news", "ABC"), call)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("symbol", ["^GSPC", "BTC-USD", "EURUS=X", "GC=F"])
def test_what_it_does_not_have_is_not_asked_for(call: Call, vendor: Any, symbol: str) -> None:
    with pytest.raises(NotFoundError):
        alpha_vantage.request(Ask.of("bars", symbol), call)
    assert vendor.asked == []
