"""Answers in Kraken's form, written here after its documentation."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from quantlib.sources.base import Payload


def candle(day: str, close: float) -> list[Any]:
    """Return the candle of a day: the seventh value is the volume, the sixth an average price."""
    prices = [str(close + change) for change in (-1, 2, -2, 0)]
    return [int(pd.Timestamp(day).timestamp()), *prices, "99.5", "12.5", 42]


DAYS = [str(day.date()) for day in pd.date_range("2024-03-01", "2024-03-06")]
PAGE = {
    "error": [],
    "result": {
        "XXBTZUSD": [candle(day, 100.0 + place) for place, day in enumerate(DAYS)],
        "last": int(pd.Timestamp("2024-03-05").timestamp()),
    },
}
ANSWERS = [Payload("kraken", "bars", "BTC-USD", json.dumps([PAGE]))]
REFUSALS = [
    Payload("kraken", "bars", "XYZ-USD", '{"error":["EQuery:Unknown asset pair"]}'),
    Payload("kraken", "bars", "BTC-USD", '{"error":["EGeneral:Too many requests"]}'),
    Payload("kraken", "bars", "BTC-USD", '{"error":["EAPI:Invalid key"]}'),
    Payload("kraken", "bars", "BTC-USD", '{"error":["EService:Unavailable"]}'),
]
