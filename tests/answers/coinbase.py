"""Answers in Coinbase's form, written here after its documentation."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from quantlib.sources.base import Payload


def candle(day: str, close: float) -> dict[str, str]:
    """Return the candle of a day, everything written as text as Coinbase does."""
    start = int(pd.Timestamp(day).timestamp())
    prices = {"low": close - 2, "high": close + 2, "open": close - 1, "close": close, "volume": 12.5}
    return {"start": str(start), **{name: str(price) for name, price in prices.items()}}


def page(days: list[str]) -> dict[str, Any]:
    """Return a page of candles, the newest first."""
    return {"candles": [candle(day, 100.0 + int(day[-2:])) for day in reversed(days)]}


DAYS = [str(day.date()) for day in pd.date_range("2024-03-01", "2024-03-06")]
ANSWERS = [
    Payload("coinbase", "bars", "BTC-USD", json.dumps([page(DAYS)])),
    Payload("coinbase", "bars", "BTC-USD", json.dumps([page(DAYS[2:]), page(DAYS[:2]), page([])])),
]
UNKNOWN = {"error": "NOT_FOUND", "error_details": "Requested Entity is not found", "message": "not found"}
REFUSALS = [
    Payload("coinbase", "bars", "XYZ-USD", json.dumps(UNKNOWN), status=404),
    Payload("coinbase", "bars", "BTC-USD", '{"message":"Invalid API Key"}', status=401),
    Payload("coinbase", "bars", "BTC-USD", '{"errors":[{"id":"rate_limit","message":"Rate limit"}]}', status=429),
]
