"""World Bank: annual indicators of countries and of the world, from its indicators API.

A series is named indicator and country, such as `NY.GDP.MKTP.KD.ZG.WLD`. Values are as last revised: the API keeps no
earlier versions. Most values of a year come out in the middle of the next, some months later; a value counts as known
from the end of the next year, which is late for most and early for hardly any.
"""

from __future__ import annotations

import math
import re
from typing import Any

import pandas as pd

from quantlib.errors import SourceError
from quantlib.sources.base import (
    Ask,
    Call,
    EmptyError,
    FormatError,
    NotFoundError,
    Parsed,
    PartialError,
    Payload,
    Series,
    within,
)
from quantlib.sources.bodies import read_json, strange
from quantlib.sources.transport import Answer, brief, check_status, get
from quantlib.types import MACRO_COLUMNS

NAME, TITLE = "world_bank", "World Bank"
BASE_URL = "https://api.worldbank.org"
MOST = 1000
"""Rows asked for in one page: centuries of annual values."""
_GROWTH, _PRICES = "NY.GDP.MKTP.KD.ZG", "FP.CPI.TOTL.ZG"
_PLACES = {
    "WLD": "World",
    "USA": "United States",
    "EMU": "Euro area",
    "CHN": "China",
    "JPN": "Japan",
    "GBR": "United Kingdom",
    "IND": "India",
}
SERIES = (
    *(
        Series(f"{_GROWTH}.{code}", f"{place}: growth of real GDP", "percent", "yearly")
        for code, place in _PLACES.items()
    ),
    *(
        Series(f"{_PRICES}.{code}", f"{place}: consumer price inflation", "percent", "yearly")
        for code, place in _PLACES.items()
    ),
    Series("NY.GDP.MKTP.CD.WLD", "World: gross domestic product", "USD", "yearly"),
    Series("NE.TRD.GNFS.ZS.WLD", "World: trade, share of GDP", "percent", "yearly"),
)


def request(ask: Ask, call: Call) -> Payload:
    """Return all years of a series; the span asked for is applied when it is parsed.

    Raises
    ------
    NotFoundError
        The name is not an indicator with a country behind it.
    """
    indicator, country = _split(ask.name)
    url = f"{call.base_url or BASE_URL}/v2/country/{country}/indicator/{indicator}"
    answer = get(call, NAME, TITLE, url, params={"format": "json", "per_page": MOST})
    return Payload(NAME, ask.kind, ask.name, answer.text, ask.start, ask.end, answer.status, answer.url)


def _split(name: str) -> tuple[str, str]:
    if not re.fullmatch(r"[A-Z0-9]+(\.[A-Z0-9]+)+\.[A-Z]{3}", name):
        raise NotFoundError(
            f"A World Bank series is an indicator and a country, such as {SERIES[0].name}; got {name!r}."
        )
    indicator, _, country = name.rpartition(".")
    return indicator, country


def parse(payload: Payload) -> Parsed:
    """Return the annual values of an answer.

    Raises
    ------
    NotFoundError
        The World Bank does not know the indicator or the country.
    PartialError
        The answer is the first of several pages.
    EmptyError
        No value lies in the span asked for.
    FormatError
        Not the API's form, or about something else.
    """
    check_status(Answer(payload.status, payload.text, payload.url), TITLE)
    indicator, country = _split(payload.name)
    rows = _rows(payload)
    periods, values, absent = [], [], 0
    for row in rows:
        if (_id(row, "indicator"), row.get("countryiso3code")) != (indicator, country):
            raise strange(TITLE, payload, "is about another indicator or country")
        year, value = row.get("date"), row.get("value")
        if not (isinstance(year, str) and re.fullmatch(r"[12]\d{3}", year)):
            raise FormatError(f"The World Bank dates {payload.name} as {brief(str(year))!r}; accepted: a year.")
        if value is None:
            absent += 1
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise strange(TITLE, payload, "holds a value that is no number")
        periods.append(f"{year}-01-01")
        values.append(float(value))
    period = pd.to_datetime(pd.Series(periods, dtype="str"), format="%Y-%m-%d").astype("datetime64[us]")
    frame = pd.DataFrame({"period": period, "value": pd.Series(values, dtype="float64")})
    released = (frame["period"] + pd.DateOffset(years=2)).dt.tz_localize("UTC").astype("datetime64[us, UTC]")
    frame = frame.assign(
        series=payload.name, released_at=released, release_basis="estimated", source=payload.source
    ).sort_values("period")
    macro = within(frame[list(MACRO_COLUMNS)], "period", payload)
    if macro.empty:
        raise EmptyError(f"The World Bank has no value of {payload.name} in the span asked for.")
    notes = (f"{payload.name}: {absent} year(s) without a value left out.",) if absent else ()
    return Parsed(macro=macro, notes=notes)


def _id(row: dict[str, Any], part: str) -> object:
    inner = row.get(part)
    return inner.get("id") if isinstance(inner, dict) else None


def _rows(payload: Payload) -> list[dict[str, Any]]:
    """Return the rows of a body, which is a list of a head and the rows, or of a head with a message."""
    body = read_json(TITLE, payload)
    head = body[0] if isinstance(body, list) and body else None
    if isinstance(head, dict) and isinstance(head.get("message"), list):
        raise _fault(payload, head["message"])
    if not (isinstance(head, dict) and len(body) == 2 and isinstance(head.get("total"), int)):
        raise strange(TITLE, payload, "is not a head and rows")
    rows = body[1] or []
    if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
        raise strange(TITLE, payload, "is not a head and rows")
    if len(rows) < head["total"]:
        raise PartialError(f"The World Bank holds {head['total']} years of {payload.name} and sent {len(rows)}.")
    return rows


def _fault(payload: Payload, messages: list[Any]) -> SourceError:
    parts = [part for part in messages if isinstance(part, dict)]
    said = brief("; ".join(f"{part.get('key', '')}: {part.get('value', '')}" for part in parts))
    if {str(part.get("id")) for part in parts} & {"120", "175"}:
        return NotFoundError(f"The World Bank does not know {payload.name!r} ({said}).")
    return SourceError(f"The World Bank cannot answer for {payload.name} ({said}).")
