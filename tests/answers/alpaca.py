"""Answers in Alpaca's form, written here after its documentation."""

from __future__ import annotations

import json
from typing import Any

from quantlib.sources.base import Payload
from quantlib.sources.reading import bundle

EVENING = "Wed, 27 Sep 2023 22:00:00 GMT"
BARS: dict[str, Any] = {
    "bars": {
        "BRK.B": [
            {
                "t": "2023-09-25T04:00:00Z",
                "o": 243.4,
                "h": 247.1,
                "l": 238.3,
                "c": 247.0,
                "v": 1046687,
                "n": 11,
                "vw": 244.2,
            },
            {
                "t": "2023-09-26T04:00:00Z",
                "o": 243.0,
                "h": 249.6,
                "l": 241.7,
                "c": 244.1,
                "v": 1020337,
                "n": 11,
                "vw": 245.6,
            },
            {
                "t": "2023-09-27T04:00:00Z",
                "o": 122.1,
                "h": 122.7,
                "l": 117.3,
                "c": 120.3,
                "v": 1366162,
                "n": 13,
                "vw": 120.2,
            },
        ]
    },
    "next_page_token": None,
}
ACTIONS: dict[str, Any] = {
    "corporate_actions": {
        "forward_splits": [
            {
                "id": "1",
                "symbol": "BRK.B",
                "ex_date": "2023-09-27",
                "new_rate": 2,
                "old_rate": 1,
                "process_date": "2023-09-27",
            }
        ],
        "cash_dividends": [
            {"id": "2", "symbol": "BRK.B", "ex_date": "2023-09-26", "rate": 0.125, "special": False, "foreign": False}
        ],
        "stock_dividends": [{"id": "3", "symbol": "BRK.B", "ex_date": "2023-09-25", "rate": 0.05}],
    },
    "next_page_token": None,
}
NEWS: dict[str, Any] = {
    "news": [
        {
            "id": 4179,
            "headline": "BRK.B splits",
            "author": "Desk",
            "created_at": "2023-09-26T09:16:41Z",
            "updated_at": "2023-09-26T09:16:41Z",
            "summary": "",
            "content": "",
            "images": [],
            "url": None,
            "source": "example",
            "symbols": ["BRK.B", "BTCUSD"],
        }
    ],
    "next_page_token": None,
}


def stock(bars: object = BARS, actions: object = ACTIONS, answered: str = EVENING) -> str:
    """Return the answers about a stock as `request` joins them."""
    return bundle({"bars": [json.dumps(bars)], "actions": [json.dumps(actions)], "answered": [answered]})


def news(*pages: object) -> str:
    """Return pages of news as `request` joins them."""
    return bundle({"news": [json.dumps(page) for page in pages or (NEWS,)], "answered": [EVENING]})


ANSWERS = [Payload("alpaca", "bars", "BRK-B", stock()), Payload("alpaca", "news", "BRK-B", news())]
REFUSALS = [
    Payload("alpaca", "bars", "BRK-B", '{"message": "forbidden."}', status=403),
    Payload("alpaca", "bars", "BRK-B", '{"code": 42210000, "message": "invalid symbol: BRK.B"}', status=400),
]
