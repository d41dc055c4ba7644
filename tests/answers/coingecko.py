"""Answers in CoinGecko's form: candles as recorded in shape, charts and refusals after its documentation."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from quantlib.sources.base import Payload

HOUR = 3_600_000


def at(moment: str) -> int:
    """Return a moment of UTC in milliseconds."""
    return int(pd.Timestamp(moment).timestamp() * 1000)


NOW = at("2024-03-05 13:37:05")
# The price at 00:00 is the close of the day before; the last point is of this moment, in the middle of 5 March.
CHART: dict[str, Any] = {
    "prices": [
        [at("2024-03-02"), 100.0],
        [at("2024-03-03"), 110.0],
        [at("2024-03-04"), 120.0],
        [at("2024-03-05"), 130.0],
        [NOW, 135.0],
    ],
    "market_caps": [
        [at("2024-03-02"), 0.0],
        [at("2024-03-03"), 1100.0],
        [at("2024-03-04"), 1200.0],
        [at("2024-03-05"), None],
        [NOW, 1350.0],
    ],
    "total_volumes": [
        [at("2024-03-02"), 10.0],
        [at("2024-03-03"), 11.0],
        [at("2024-03-04"), 12.0],
        [at("2024-03-05"), 13.0],
        [NOW, 13.5],
    ],
}
# Candles of four hours, stamped with their end, from noon of 2 March: that day is not whole, the 3rd and 4th are.
CANDLES: list[list[float]] = [
    [end, 100.0 + place, 103.0 + place, 97.0 + place, 101.0 + place]
    for place, end in enumerate(range(at("2024-03-02 16:00"), at("2024-03-05 16:00") + 1, 4 * HOUR))
]


def both(chart: object = CHART, candles: object = CANDLES) -> str:
    """Return chart and candles as `request` puts them together."""
    return json.dumps({"market_chart": chart, "ohlc": candles})


ANSWERS = [
    Payload("coingecko", "bars", "BTC-USD", both()),
    Payload("coingecko", "bars", "BTC-USD", json.dumps(CANDLES)),
    Payload("coingecko", "market_caps", "ETH-USD", json.dumps(CHART)),
]
LIMIT = {"status": {"error_code": 429, "error_message": "You've exceeded the Rate Limit."}}
TOO_LONG = {"error": {"status": {"error_code": 10012, "error_message": "Your request exceeds the allowed time range."}}}
REFUSALS = [
    Payload("coingecko", "bars", "BTC-USD", '{"error":"coin not found"}', status=404),
    Payload("coingecko", "bars", "BTC-USD", json.dumps(LIMIT), status=429),
    Payload("coingecko", "bars", "BTC-USD", json.dumps(TOO_LONG), status=401),
]
