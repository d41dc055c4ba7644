"""Alpha Vantage's answers read into bars, actions, news and scores, and its refusals told apart."""

from __future__ import annotations

import copy
import json
from typing import Any

import pandas as pd
import pytest
from answers.alpha_vantage import DAILY, DIVIDENDS, LIMIT, NEWS, PAIR, PREMIUM, SPLITS, stock

from quantlib.errors import SourceError
from quantlib.sources.alpha_vantage import parse
from quantlib.sources.base import BadKeyError, EmptyError, FormatError, LimitError, NotFoundError, Parsed, Payload


def read(text: str, name: str = "ABC", kind: Any = "bars", **span: object) -> Parsed:
    return parse(Payload("alpha_vantage", kind, name, text, **span))


def changed(tree: Any, *path: Any, to: object) -> Any:
    """Return a copy of an answer with one value set."""
    place = tree = copy.deepcopy(tree)
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = to
    return tree


def test_a_stock_s_prices_are_raw_with_its_actions_beside() -> None:
    parsed = read(stock())
    bars = parsed.bars
    assert bars["ts"].tolist() == [pd.Timestamp("2024-06-07"), pd.Timestamp("2024-06-10")]
    assert bars["close"].tolist() == [1208.88, 121.79]
    assert bars["volume"].tolist() == [41238580.0, 314162700.0]
    assert bars["adj_close"].isna().all(), "the store adjusts by the actions"
    assert parsed.actions[["ts", "kind", "value"]].to_numpy().tolist() == [
        [pd.Timestamp("2024-06-07"), "dividend", 0.04],
        [pd.Timestamp("2024-06-10"), "split", 10.0],
        [pd.Timestamp("2024-06-11"), "dividend", 0.01],
    ]


def test_what_lies_beyond_the_span_is_left_out() -> None:
    day = pd.Timestamp("2024-06-10")
    parsed = read(stock(), start=day, end=day)
    assert parsed.bars["ts"].tolist() == [day]
    assert parsed.actions["kind"].tolist() == ["split"]
    with pytest.raises(EmptyError, match="of ABC in the span"):
        read(stock(), start=pd.Timestamp("2024-06-11"))


@pytest.mark.parametrize(
    ("refreshed", "days"), [("2024-06-10", 2), ("2024-06-10 16:00:01", 2), ("2024-06-10 15:59:00", 1)]
)
def test_a_stock_s_running_session_is_left_out(refreshed: str, days: int) -> None:
    parsed = read(stock(changed(DAILY, "Meta Data", "3. Last Refreshed", to=refreshed)))
    assert len(parsed.bars) == days
    assert len(parsed.notes) == 2 - days


def test_a_pair_s_day_ends_at_midnight() -> None:
    parsed = read(json.dumps(PAIR), "EURUSD=X")
    assert parsed.bars["ts"].tolist() == [pd.Timestamp("2024-06-10")]
    assert parsed.bars[["open", "high", "low", "close"]].to_numpy().tolist() == [[1.0779, 1.0801, 1.0733, 1.0765]]
    assert parsed.bars["volume"].isna().all()
    assert "unfinished session of 2024-06-11" in parsed.notes[0]


def test_a_short_history_is_said_to_be_short() -> None:
    days = pd.bdate_range("2024-01-22", periods=100)
    one = DAILY["Time Series (Daily)"]["2024-06-07"]
    rows = {f"{day:%Y-%m-%d}": one for day in reversed(days)}
    text = stock(changed(DAILY, "Time Series (Daily)", to=rows))
    assert read(text).notes == ("ABC: the key covers the last 100 sessions only.",)
    assert read(text, start=days[0]).notes == ()


def test_an_announced_dividend_without_date_or_amount_is_no_dividend() -> None:
    for field in ("ex_dividend_date", "amount"):
        dividends = changed(DIVIDENDS, "data", 0, field, to="None")
        assert (read(stock(dividends=dividends)).actions["kind"] == "dividend").sum() == 1


def test_news_carry_their_scores() -> None:
    parsed = read(json.dumps(NEWS), kind="news")
    assert parsed.news["published_at"].tolist() == [
        pd.Timestamp("2024-06-10T13:30:00Z"), pd.Timestamp("2024-06-09T23:59:59Z"),
    ]  # fmt: skip
    assert parsed.news["symbols"].tolist() == [["ABC", "BTC-USD"], []]
    assert parsed.sentiment[["symbol", "score", "relevance"]].to_numpy().tolist() == [
        ["ABC", 0.34, 0.91],
        ["BTC-USD", -0.10, 0.05],
    ]
    assert set(parsed.sentiment["about"]) == {parsed.news["id"].iloc[0]}
    early = read(json.dumps(NEWS), kind="news", end=pd.Timestamp("2024-06-09"))
    assert early.news["title"].tolist() == ["Markets in the morning"]
    assert early.sentiment.empty


def test_no_news_is_empty() -> None:
    with pytest.raises(EmptyError, match="no news about ABC"):
        read('{"items": "0", "feed": []}', kind="news")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"Information": PREMIUM}, BadKeyError),
        ({"Information": LIMIT}, LimitError),
        ({"Note": "Our standard API call frequency is 5 calls per minute. Please visit /premium/."}, LimitError),
        (
            {"Information": "We have detected your API key as ABC and our rate limit is 25 requests per day."},
            LimitError,
        ),
        ({"Error Message": "the parameter apikey is invalid or missing. Please claim your free API key"}, BadKeyError),
        ({"Information": "The **demo** API key is for demo purposes only."}, BadKeyError),
        ({"Error Message": "Invalid API call. Please retry or visit the documentation."}, NotFoundError),
        ({"Information": "Invalid inputs. Please refer to the API documentation"}, NotFoundError),
        ({"Information": "Something new."}, FormatError),
    ],
)
def test_what_it_says_in_words_is_the_matching_error(body: dict[str, str], error: type[SourceError]) -> None:
    for kind in ("bars", "news"):
        with pytest.raises(error) as caught:
            read(json.dumps(body), kind=kind)
        assert type(caught.value) is error


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (stock(changed(DAILY, "Meta Data", "2. Symbol", to="XYZ")), "got XYZ"),
        (stock(dividends=changed(DIVIDENDS, "symbol", to="XYZ")), "got XYZ"),
        (stock(splits=changed(SPLITS, "data", 0, "split_factor", to="ten")), "split that cannot be read"),
        (stock(splits=changed(SPLITS, "data", 0, "effective_date", to="2024-02-30")), "split that cannot be read"),
        (stock(changed(DAILY, "Time Series (Daily)", "2024-06-10", "4. close", to=121.79)), "changed its form"),
        (stock(changed(DAILY, "Meta Data", "3. Last Refreshed", to="yesterday")), "last refreshed at 'yesterday'"),
        (json.dumps(DAILY), "not what was asked for"),
        (json.dumps({"daily": [json.dumps(DAILY)]}), "lack dividends, splits"),
    ],
)
def test_a_broken_answer_is_named(text: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read(text)


def test_a_number_that_is_none_is_left_for_the_door() -> None:
    bars = read(stock(changed(DAILY, "Time Series (Daily)", "2024-06-10", "4. close", to="-"))).bars
    assert bars["close"].isna().tolist() == [False, True]


def test_another_pair_is_named() -> None:
    with pytest.raises(FormatError, match="got EURUSD"):
        read(json.dumps(PAIR), "EURGBP=X")
