"""Answers in Polygon's form, written here after its documentation."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from quantlib.sources.base import Payload
from quantlib.sources.reading import bundle

EVENING = "Tue, 15 Mar 2022 22:00:00 GMT"


def midnight(day: str) -> int:
    """Return the milliseconds of midnight in New York."""
    return int(pd.Timestamp(day, tz="America/New_York").timestamp() * 1000)


BARS: dict[str, Any] = {
    "ticker": "BRK.B",
    "queryCount": 3,
    "resultsCount": 3,
    "adjusted": False,
    "results": [
        {"v": 8.3e06, "vw": 45.3, "o": 46.25, "c": 45.39, "h": 46.9, "l": 43.3, "t": midnight("2022-03-11"), "n": 659},
        {"v": 9.4e06, "vw": 46.5, "o": 49.85, "c": 44.96, "h": 50.1, "l": 44.3, "t": midnight("2022-03-14"), "n": 807},
        {"v": 7.1e06, "vw": 22.5, "o": 22.0, "c": 23.1, "h": 23.4, "l": 21.9, "t": midnight("2022-03-15"), "n": 601},
    ],
    "status": "OK",
    "request_id": "0001",
    "count": 3,
}
DIVIDENDS: dict[str, Any] = {
    "results": [
        {"ticker": "BRK.B", "ex_dividend_date": "2022-03-14", "cash_amount": 0.26, "currency": "USD", "id": "E1"},
        {"ticker": "BRK.B", "ex_dividend_date": "2022-03-14", "cash_amount": 0.26, "currency": "USD", "id": "E2"},
        {"ticker": "BRK.B", "ex_dividend_date": "2022-03-14", "cash_amount": 1.0, "currency": "USD", "id": "E3"},
        {"ticker": "BRK.B", "ex_dividend_date": "2021-12-10", "cash_amount": 0.25, "currency": "USD", "id": "E4"},
        {"ticker": "BRK.B", "ex_dividend_date": "2022-03-11", "cash_amount": 3.0, "currency": "CAD", "id": "E5"},
    ],
    "status": "OK",
    "request_id": "0002",
}
SPLITS: dict[str, Any] = {
    "results": [
        {"ticker": "BRK.B", "execution_date": "2022-03-15", "split_from": 1, "split_to": 2, "id": "S1"},
    ],
    "status": "OK",
    "request_id": "0003",
}


def stock(bars: object = BARS, dividends: object = DIVIDENDS, splits: object = SPLITS, answered: str = EVENING) -> str:
    """Return the answers about a stock as `request` joins them."""
    parts = {"bars": bars, "dividends": dividends, "splits": splits}
    return bundle({**{name: [json.dumps(part)] for name, part in parts.items()}, "answered": [answered]})


ANSWERS = [Payload("polygon", "bars", "BRK-B", stock())]
REFUSALS = [
    Payload("polygon", "bars", "BRK-B", '{"status":"ERROR","error":"Unknown API Key"}', status=401),
    Payload("polygon", "bars", "BRK-B", '{"status":"NOT_FOUND","message":"Ticker not found."}', status=404),
]
