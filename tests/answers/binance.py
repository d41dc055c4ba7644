"""Answers in Binance's form, as recorded in shape."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from quantlib.sources.base import Payload


def candle(day: str, close: float) -> list[Any]:
    """Return the candle of a day, prices written as text as Binance does."""
    start = int(pd.Timestamp(day).timestamp() * 1000)
    prices = [f"{close + change:.8f}" for change in (-1, 2, -2, 0)]
    return [start, *prices, "12.5", start + 86_399_999, "1250.0", 42, "6.0", "600.0", "0"]


DAYS = [str(day.date()) for day in pd.date_range("2024-02-27", "2024-03-04")]
CANDLES = [candle(day, 100.0 + place) for place, day in enumerate(DAYS)]
ANSWERS = [
    Payload("binance", "bars", "BTC-USD", json.dumps([CANDLES])),
    Payload("binance", "bars", "BTC-USD", json.dumps([CANDLES[3:], CANDLES[:4]])),
    Payload("binance", "bars", "BTC-USD", json.dumps(CANDLES)),
]
REFUSALS = [
    Payload("binance", "bars", "XYZ-USD", '{"code":-1121,"msg":"Invalid symbol."}', status=400),
    Payload("binance", "bars", "BTC-USD", '{"code":-2008,"msg":"Invalid Api-Key ID."}', status=400),
    Payload("binance", "bars", "BTC-USD", '{"code":-1003,"msg":"Way too much request weight used."}', status=418),
    Payload("binance", "bars", "BTC-USD", '{"code":-1100,"msg":"Illegal characters found."}', status=400),
]
