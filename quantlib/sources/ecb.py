"""European Central Bank: euro reference rates, one a working day, set at 14:15 in Frankfurt.

A rate is a price agreed between central banks, not one that was traded: bars have a close only. `EURUSD=X` is dollars
for a euro. The history comes from the ECB's data API as SDMX-JSON, whose end can be seen to be missing, unlike that
of a CSV; while that is down, as on weekends it can be, the XML file of the last 90 days is taken. Both forms are read.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as Xml

import pandas as pd
from pydantic import Field

from quantlib.sources.base import (
    Ask,
    Call,
    EmptyError,
    FormatError,
    NotFoundError,
    Parsed,
    PartialError,
    Payload,
    UnreachableError,
    bars_frame,
    within,
)
from quantlib.sources.bodies import read_xml, strange
from quantlib.sources.reading import Part, read
from quantlib.sources.transport import Answer, check_status, get

NAME, TITLE = "ecb", "European Central Bank"
API_URL, FILE_URL = "https://data-api.ecb.europa.eu", "https://www.ecb.europa.eu"


def request(ask: Ask, call: Call) -> Payload:
    """Return the reference rates of a pair, or the file of all rates of the last 90 days.

    Raises
    ------
    NotFoundError
        The symbol is not the euro against a currency.
    UnreachableError
        Neither place answers.
    """
    currency = _currency(ask.name)
    params = {"format": "jsondata", "detail": "dataonly"}
    if ask.start is not None:
        params["startPeriod"] = f"{ask.start:%Y-%m-%d}"
    if ask.end is not None:
        params["endPeriod"] = f"{ask.end:%Y-%m-%d}"
    series = f"{call.base_url or API_URL}/service/data/EXR/D.{currency}.EUR.SP00.A"
    try:
        answer = get(call, NAME, TITLE, series, params=params)
    except UnreachableError:
        answer = get(call, NAME, TITLE, f"{call.base_url or FILE_URL}/stats/eurofxref/eurofxref-hist-90d.xml")
    return Payload(NAME, ask.kind, ask.name, answer.text, ask.start, ask.end, answer.status, answer.url)


def _currency(symbol: str) -> str:
    found = re.fullmatch(r"EUR([A-Z]{3})=X", symbol)
    if found is None or found[1] == "EUR":
        raise NotFoundError(f"The European Central Bank sets rates of the euro only, such as EURUSD=X; got {symbol!r}.")
    return found[1]


def parse(payload: Payload) -> Parsed:
    """Return reference rates as bars that have a close only.

    Raises
    ------
    NotFoundError
        There is no rate for the currency.
    EmptyError
        No rate lies in the span asked for.
    FormatError
        Neither the JSON of the data API nor the XML of the files.
    """
    check_status(Answer(payload.status, payload.text, payload.url), TITLE)
    currency = _currency(payload.name)
    text = payload.text.strip()
    if "No results found" in text:
        raise EmptyError(f"The European Central Bank has no rate of {payload.name} in the span asked for.")
    found = _from_xml(payload, currency) if text[:1] == "<" else _from_json(payload, currency)
    days = pd.to_datetime(pd.Series([day for day, _ in found], dtype="str"), format="%Y-%m-%d", errors="coerce")
    rates = pd.to_numeric(pd.Series([rate for _, rate in found], dtype="object"), errors="coerce").astype("float64")
    if days.isna().any() or days.duplicated().any() or rates.isna().sum() > sum(rate is None for _, rate in found):
        raise strange(TITLE, payload, "holds a day or rate that cannot be read")
    known = pd.DataFrame({"ts": days, "close": rates}).dropna(subset="close").sort_values("ts")
    bars = within(bars_frame(known, payload.name, payload.source), "ts", payload)
    if bars.empty:
        raise EmptyError(f"The European Central Bank has no rate of {payload.name} in the span asked for.")
    closed = len(found) - len(known)
    return Parsed(bars=bars, notes=(f"{payload.name}: {closed} day(s) without a rate left out.",) if closed else ())


class _Value(Part):
    id: str


class _Dimension(Part):
    id: str
    members: list[_Value] = Field(alias="values")


class _Dimensions(Part):
    series: list[_Dimension]
    observation: list[_Dimension]


class _Structure(Part):
    dimensions: _Dimensions


class _Series(Part):
    observations: dict[str, list[Any]]


class _DataSet(Part):
    series: dict[str, _Series]


class _Body(Part):
    data_sets: list[_DataSet] = Field(alias="dataSets", min_length=1, max_length=1)
    structure: _Structure


def _from_json(payload: Payload, currency: str) -> list[tuple[str, float | None]]:
    """Return days and rates; the days stand apart from the rates, which say their place among them."""
    body = read(_Body, payload.text, payload, TITLE)
    dimensions = body.structure.dimensions
    meant = {dimension.id: [value.id for value in dimension.members] for dimension in dimensions.series}
    if meant.get("CURRENCY") != [currency] or meant.get("CURRENCY_DENOM") != ["EUR"] or meant.get("FREQ") != ["D"]:
        raise FormatError(f"Asked the European Central Bank for {payload.name} and got another series.")
    series = list(body.data_sets[0].series.values())
    if len(series) != 1 or [dimension.id for dimension in dimensions.observation] != ["TIME_PERIOD"]:
        raise strange(TITLE, payload, "does not hold one series by day")
    days = [value.id for value in dimensions.observation[0].members]
    found: list[tuple[str, float | None]] = []
    for place, observed in series[0].observations.items():
        rate = observed[0] if observed else None
        known = place.isdecimal() and int(place) < len(days)
        if not known or isinstance(rate, bool) or not isinstance(rate, int | float | None):
            raise strange(TITLE, payload, "holds a rate of no day, or one that is no number")
        found.append((days[int(place)], rate))
    if len(found) < len(days):
        raise PartialError(f"The European Central Bank names {len(days)} days of {payload.name} and sent {len(found)}.")
    return found


def _from_xml(payload: Payload, currency: str) -> list[tuple[str, str | None]]:
    root = read_xml(TITLE, payload)
    days = [(str(cube.get("time")), cube) for cube in root.iter() if _tag(cube) == "Cube" and cube.get("time")]
    if not days:
        raise strange(TITLE, payload, "holds no day of rates")
    found = [(day, rate.get("rate")) for day, cube in days for rate in cube if rate.get("currency") == currency]
    if not found:
        raise NotFoundError(f"The European Central Bank sets no rate of {payload.name}.")
    return found


def _tag(element: Xml.Element) -> str:
    return str(element.tag).rpartition("}")[2]
