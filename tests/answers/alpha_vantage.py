"""Answers in Alpha Vantage's form, written here after its documentation."""

from __future__ import annotations

import json
from typing import Any

from quantlib.sources.base import Payload
from quantlib.sources.reading import bundle

DAILY: dict[str, Any] = {
    "Meta Data": {
        "1. Information": "Daily Prices (open, high, low, close) and Volumes",
        "2. Symbol": "ABC",
        "3. Last Refreshed": "2024-06-10",
        "4. Output Size": "Compact",
        "5. Time Zone": "US/Eastern",
    },
    "Time Series (Daily)": {
        "2024-06-10": {
            "1. open": "120.37",
            "2. high": "123.10",
            "3. low": "117.01",
            "4. close": "121.79",
            "5. volume": "314162700",
        },
        "2024-06-07": {
            "1. open": "1197.70",
            "2. high": "1216.92",
            "3. low": "1180.22",
            "4. close": "1208.88",
            "5. volume": "41238580",
        },
    },
}
DIVIDENDS: dict[str, Any] = {
    "symbol": "ABC",
    "data": [
        {
            "ex_dividend_date": "2024-06-11",
            "declaration_date": "2024-05-22",
            "record_date": "2024-06-11",
            "payment_date": "2024-06-28",
            "amount": "0.01",
        },
        {
            "ex_dividend_date": "2024-06-07",
            "declaration_date": "None",
            "record_date": "None",
            "payment_date": "None",
            "amount": "0.04",
        },
    ],
}
SPLITS: dict[str, Any] = {"symbol": "ABC", "data": [{"effective_date": "2024-06-10", "split_factor": "10.0000"}]}
PAIR: dict[str, Any] = {
    "Meta Data": {
        "1. Information": "Forex Daily Prices (open, high, low, close)",
        "2. From Symbol": "EUR",
        "3. To Symbol": "USD",
        "4. Output Size": "Compact",
        "5. Last Refreshed": "2024-06-11 09:25:00",
        "6. Time Zone": "UTC",
    },
    "Time Series FX (Daily)": {
        "2024-06-11": {"1. open": "1.0765", "2. high": "1.0774", "3. low": "1.0720", "4. close": "1.0741"},
        "2024-06-10": {"1. open": "1.0779", "2. high": "1.0801", "3. low": "1.0733", "4. close": "1.0765"},
    },
}
NEWS: dict[str, Any] = {
    "items": "2",
    "sentiment_score_definition": "x <= -0.35: Bearish",
    "feed": [
        {
            "title": "ABC splits its shares",
            "url": "https://news.example/abc-splits",
            "time_published": "20240610T133000",
            "authors": ["A. Writer"],
            "summary": "Ten for one.",
            "source": "Example News",
            "overall_sentiment_score": 0.21,
            "ticker_sentiment": [
                {"ticker": "ABC", "relevance_score": "0.91", "ticker_sentiment_score": "0.34"},
                {"ticker": "CRYPTO:BTC", "relevance_score": "0.05", "ticker_sentiment_score": "-0.10"},
                {"ticker": "FOREX:USD", "relevance_score": "0.05", "ticker_sentiment_score": "0.0"},
            ],
        },
        {
            "title": "Markets in the morning",
            "url": "https://news.example/morning",
            "time_published": "20240609T235959",
            "ticker_sentiment": [],
        },
    ],
}


def stock(daily: object = DAILY, dividends: object = DIVIDENDS, splits: object = SPLITS) -> str:
    """Return the three answers about a stock as `request` joins them."""
    parts = {"daily": daily, "dividends": dividends, "splits": splits}
    return bundle({name: [json.dumps(part)] for name, part in parts.items()})


LIMIT = (
    "Thank you for using Alpha Vantage! Please consider spreading out your free API requests more sparingly (1 request "
    "per second). You may subscribe to any of the premium plans to lift the free key rate limit (25 requests per day)."
)
PREMIUM = (
    "Thank you for using Alpha Vantage! This is a premium endpoint. You may subscribe to any of the premium plans."
)
ANSWERS = [
    Payload("alpha_vantage", "bars", "ABC", stock()),
    Payload("alpha_vantage", "bars", "EURUSD=X", json.dumps(PAIR)),
    Payload("alpha_vantage", "news", "ABC", json.dumps(NEWS)),
]
REFUSALS = [
    Payload("alpha_vantage", "bars", "ABC", json.dumps({"Information": LIMIT})),
    Payload("alpha_vantage", "bars", "ABC", json.dumps({"Information": PREMIUM})),
    Payload("alpha_vantage", "news", "ABC", json.dumps({"Error Message": "Invalid API call. Please retry."})),
]
