"""Answers in Finnhub's form, written here after its documentation."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from quantlib.sources.base import EVERYTHING, Kind, Payload


def payload(kind: Kind, name: str, body: Any, status: int = 200, **span: Any) -> Payload:
    return Payload("finnhub", kind, name, json.dumps(body), status=status, **span)


def second(moment: str) -> int:
    """Return the second of a moment in New York."""
    return int(pd.Timestamp(moment, tz="America/New_York").timestamp())


QUOTE: dict[str, Any] = {
    "c": 60.12,
    "d": 0.31,
    "dp": 0.5184,
    "h": 60.4,
    "l": 59.7,
    "o": 59.9,
    "pc": 59.81,
    "t": second("2024-03-05 16:00:01"),
}
UNKNOWN: dict[str, Any] = {"c": 0, "d": None, "dp": None, "h": 0, "l": 0, "o": 0, "pc": 0, "t": 0}
EARNINGS: dict[str, Any] = {
    "earningsCalendar": [
        {
            "date": "2024-04-30",
            "epsActual": None,
            "epsEstimate": 0.7103,
            "hour": "bmo",
            "quarter": 1,
            "revenueActual": None,
            "revenueEstimate": 11042135000,
            "symbol": "KO",
            "year": 2024,
        },
        {
            "date": "2024-02-13",
            "epsActual": 0.49,
            "epsEstimate": 0.4934,
            "hour": "amc",
            "quarter": 4,
            "revenueActual": 10849000000,
            "revenueEstimate": 10676700000,
            "symbol": "KO",
            "year": 2023,
        },
    ]
}
RELEASES: dict[str, Any] = {
    "economicCalendar": [
        {
            "actual": 8.4,
            "country": "AU",
            "estimate": 6.9,
            "event": "Current Account Balance",
            "impact": "low",
            "prev": 1,
            "time": "2024-06-04 01:30:00",
            "unit": "AUD",
        },
        {
            "actual": None,
            "country": "EU",
            "estimate": None,
            "event": "ECB Press Conference",
            "impact": "high",
            "prev": None,
            "time": "2024-06-06 12:45:00",
            "unit": "",
        },
    ]
}
NEWS: list[dict[str, Any]] = [
    {
        "category": "company news",
        "datetime": second("2024-03-04 20:30:00"),
        "headline": "A drink  sells well",
        "id": 25286,
        "image": "",
        "related": "KO",
        "source": "Example Times",
        "summary": "More of it was sold.",
        "url": "https://example.com/a",
    },
    {
        "category": "company news",
        "datetime": second("2024-03-04 09:00:00"),
        "headline": "Another drink",
        "id": 25287,
        "image": "",
        "related": "KO",
        "source": "Example Times",
        "summary": "",
        "url": "https://example.com/b",
    },
]
ANSWERS = [
    payload("bars", "KO", QUOTE),
    payload("earnings", "KO", EARNINGS),
    payload("releases", EVERYTHING, RELEASES),
    payload("news", "KO", NEWS),
]
REFUSALS = [
    payload("news", "KO", {"error": "Invalid API key"}, 401),
    payload("releases", EVERYTHING, {"error": "You don't have access to this resource."}, 403),
    payload("bars", "KO", {"error": "API limit reached. Please try again later. Remaining Limit: 0"}, 429),
    payload("bars", "KO", {"error": "API limit reached. Please try again later. Remaining Limit: 0"}),
    payload("bars", "XXXX", UNKNOWN),
    payload("news", "KO", []),
    payload("earnings", "KO", {"earningsCalendar": []}),
]
