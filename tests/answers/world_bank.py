"""Answers in the World Bank's form, written here after its documentation."""

from __future__ import annotations

import json
from typing import Any

from quantlib.sources.base import Payload

NAME = "NY.GDP.MKTP.KD.ZG.USA"


def row(year: str, value: float | None) -> dict[str, Any]:
    """Return one year."""
    return {
        "indicator": {"id": "NY.GDP.MKTP.KD.ZG", "value": "GDP growth (annual %)"},
        "country": {"id": "US", "value": "United States"},
        "countryiso3code": "USA",
        "date": year,
        "value": value,
        "unit": "",
        "obs_status": "",
        "decimal": 1,
    }


ROWS = [row("2023", None), row("2022", 2.5), row("2021", 6.1), row("2020", -2)]


def body(rows: list[dict[str, Any]] | None = ROWS, **head: Any) -> str:
    """Return a page of rows, the newest first."""
    count = len(rows or [])
    return json.dumps(
        [{"page": 1, "pages": 1, "per_page": 1000, "total": count, "lastupdated": "2024-06-28"} | head, rows]
    )


def refusal(number: str, key: str, said: str) -> Payload:
    """Return an answer that is an error, with status 200 as the World Bank gives it."""
    return Payload("world_bank", "macro", NAME, json.dumps([{"message": [{"id": number, "key": key, "value": said}]}]))


ANSWERS = [Payload("world_bank", "macro", NAME, body())]
REFUSALS = [
    refusal("120", "Invalid value", "The provided parameter value is not valid"),
    refusal("175", "Invalid format", "The indicator was not found. It may have been deleted or archived."),
    refusal("111", "Unknown endpoint", "The requested endpoint is not there"),
]
