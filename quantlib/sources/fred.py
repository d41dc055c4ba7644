"""FRED: macro series with every vintage, so that each value comes with the day it was published.

FRED answers a question about all of real time with one row per value and the first day it was valid: that is the
release. It says the day, not the hour, so a value counts as known from the end of that day in New York: never earlier
than it was. The archive of a series starts at some vintage; what was older by then counts as known from that day.

Rates and volatilities of markets are published every working day and not revised: of those only today's values are
asked for, and their release is estimated as the end of the next working day in New York.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.holiday import USFederalHolidayCalendar

from quantlib.errors import SourceError
from quantlib.sources.base import (
    Ask,
    BadKeyError,
    Call,
    EmptyError,
    LimitError,
    NotFoundError,
    Parsed,
    PartialError,
    Payload,
    Series,
    within,
)
from quantlib.sources.bodies import read_json, read_xml, strange
from quantlib.sources.transport import Answer, brief, check_status, get
from quantlib.types import MACRO_COLUMNS

NAME, TITLE, KEY = "fred", "FRED", "FRED_API_KEY"
BASE_URL = "https://api.stlouisfed.org"
FIRST, LAST = "1776-07-04", "9999-12-31"
"""All of real time, in FRED's words."""
LIMIT = 100_000
"""Rows a page may have."""
VINTAGES = 1_900
"""Vintages one question may cover; FRED refuses beyond 2,000."""
SERIES = (
    Series("GDP", "US gross domestic product", "billions of USD a year", "quarterly"),
    Series("GDPC1", "US gross domestic product, real", "billions of chained USD a year", "quarterly"),
    Series("CPIAUCSL", "US consumer prices", "index, 1982-84 = 100", "monthly"),
    Series("CPILFESL", "US consumer prices without food and energy", "index, 1982-84 = 100", "monthly"),
    Series("PCEPILFE", "US consumption prices without food and energy", "index, 2017 = 100", "monthly"),
    Series("UNRATE", "US unemployment rate", "percent", "monthly"),
    Series("PAYEMS", "US nonfarm payrolls", "thousands of people", "monthly"),
    Series("ICSA", "US initial jobless claims", "people", "weekly"),
    Series("INDPRO", "US industrial production", "index, 2017 = 100", "monthly"),
    Series("RSAFS", "US retail sales", "millions of USD", "monthly"),
    Series("HOUST", "US housing starts", "thousands a year", "monthly"),
    Series("UMCSENT", "Consumer sentiment, University of Michigan", "index, 1966 Q1 = 100", "monthly"),
    Series("M2SL", "US money stock M2", "billions of USD", "monthly"),
    Series("RECPROUSM156N", "US recession probability, smoothed", "percent", "monthly"),
    Series("FEDFUNDS", "Federal funds rate, monthly average", "percent a year", "monthly"),
    Series("DFF", "Federal funds rate, effective", "percent a year", "daily"),
    Series("DGS3MO", "US Treasury yield, 3 months", "percent a year", "daily"),
    Series("DGS2", "US Treasury yield, 2 years", "percent a year", "daily"),
    Series("DGS10", "US Treasury yield, 10 years", "percent a year", "daily"),
    Series("DGS30", "US Treasury yield, 30 years", "percent a year", "daily"),
    Series("T10Y2Y", "US Treasury yield, 10 less 2 years", "percentage points", "daily"),
    Series("VIXCLS", "VIX, implied volatility of the S&P 500", "percent a year", "daily"),
    Series("BAMLH0A0HYM2", "US high-yield spread, ICE BofA", "percentage points", "daily"),
    Series("DTWEXBGS", "US dollar against trading partners, broad", "index, January 2006 = 100", "daily"),
    Series("DCOILWTICO", "Crude oil, WTI at Cushing", "USD per barrel", "daily"),
)
# Published the working day after, and not revised. The dollar index and oil are not: they come out once a week.
_NEXT_DAY = re.compile(r"DFF|DGS\d+(MO)?|DFII\d+|T10Y(2Y|3M|IE)|T5YIE|VIXCLS|BAML\w+")
_TOO_MANY = "maximum number of vintage dates"
_NEW_YORK = "America/New_York"


class _Page(NamedTuple):
    """One answer: the span of real time it covers, how many rows there are in all, and those it holds."""

    real_start: str
    real_end: str
    total: int
    rows: list[dict[str, Any]]


def request(ask: Ask, call: Call) -> Payload:
    """Return the observations of a series, as one answer or a JSON list of answers.

    Raises
    ------
    NoKeyError
        No key is set.
    """
    key = call.key(KEY)

    def page(path: str, **params: str | int) -> Answer:
        return get(
            call,
            NAME,
            TITLE,
            f"{call.base_url or BASE_URL}/fred/series/{path}",
            params={"series_id": ask.name, "file_type": "json", **params},
            secret_params={"api_key": key},
        )

    span = {} if ask.start is None else {"observation_start": f"{ask.start:%Y-%m-%d}"}
    if ask.end is not None:
        span["observation_end"] = f"{ask.end:%Y-%m-%d}"

    def pages(**real: str) -> Iterator[Answer]:
        got = 0
        while True:
            answer = page("observations", limit=LIMIT, offset=got, **span, **real)
            yield answer
            rows, count = _held(answer)
            got += rows
            if not rows or got >= count:
                return

    answers = list(pages()) if _NEXT_DAY.fullmatch(ask.name) else list(pages(realtime_start=FIRST, realtime_end=LAST))
    if answers[-1].status == 400 and _TOO_MANY in answers[-1].text:
        answers = [
            answer
            for start, end in _spans(page("vintagedates", realtime_start=FIRST, realtime_end=LAST, limit=10_000))
            for answer in pages(realtime_start=start, realtime_end=end)
        ] or answers
    wrong = next((answer for answer in answers if answer.status != 200), None)
    last = wrong or answers[-1]
    body = last.text if wrong or len(answers) == 1 else f"[{','.join(answer.text for answer in answers)}]"
    return Payload(NAME, ask.kind, ask.name, body, ask.start, ask.end, last.status, last.url)


def _held(answer: Answer) -> tuple[int, int]:
    """Return how many rows an answer holds and how many there are in all; none if it cannot be read."""
    try:
        body = json.loads(answer.text)
        return len(body["observations"]), int(body["count"])
    except (ValueError, TypeError, LookupError):
        return 0, 0


def _spans(answer: Answer) -> Iterator[tuple[str, str]]:
    """Yield spans of real time without a gap, each with few enough vintages."""
    try:
        dates = list(map(str, json.loads(answer.text)["vintage_dates"]))
        starts = [FIRST, *dates[VINTAGES::VINTAGES]]
        ends = [f"{pd.Timestamp(start) - pd.Timedelta(days=1):%Y-%m-%d}" for start in starts[1:]]
    except (ValueError, TypeError, LookupError):
        return
    yield from zip(starts, [*ends, LAST], strict=True)


def parse(payload: Payload) -> Parsed:
    """Return the observations of an answer in FRED's JSON or XML, one row per value and release.

    A value that only carries on what was known before is no release and gives no row.

    Raises
    ------
    BadKeyError, LimitError, NotFoundError
        FRED says so.
    PartialError
        Fewer rows than FRED counts.
    EmptyError
        No value lies in the span asked for.
    FormatError
        Not FRED's form.
    """
    check_status(Answer(payload.status, payload.text, payload.url), TITLE)
    pages = list(_pages(payload))
    for real in {page[:2] for page in pages}:
        part = [page for page in pages if page[:2] == real]
        held, count = sum(len(page.rows) for page in part), max(page.total for page in part)
        if held < count:
            raise PartialError(f"FRED holds {count} values of {payload.name} and sent {held}; nothing of it is used.")
    raw = pd.DataFrame([row for page in pages for row in page.rows], columns=["date", "value", "realtime_start"])
    macro, notes = _observations(payload, raw)
    macro = within(macro, "period", payload)
    if macro.empty:
        raise EmptyError(f"FRED has no value of {payload.name} in the span asked for.")
    return Parsed(macro=macro, notes=notes)


def _pages(payload: Payload) -> Iterator[_Page]:
    text = payload.text.lstrip()
    if text[:1] == "<":
        root = read_xml(TITLE, payload)
        if root.tag == "error":
            raise _fault(payload, root.get("message", ""))
        body: Any = {**root.attrib, root.tag: [dict(child.attrib) for child in root]}
    else:
        body = read_json(TITLE, payload)
    for page in body if isinstance(body, list) and body else [body]:
        if isinstance(page, dict) and "error_message" in page:
            raise _fault(payload, str(page["error_message"]))
        if not isinstance(page, dict) or not isinstance(page.get("observations"), list):
            raise strange(TITLE, payload, "holds no observations")
        if not all(isinstance(row, dict) for row in page["observations"]):
            raise strange(TITLE, payload, "holds observations of another form")
        try:
            count = int(page["count"])
        except (KeyError, TypeError, ValueError, OverflowError):
            raise strange(TITLE, payload, "does not say how many observations there are") from None
        yield _Page(str(page.get("realtime_start")), str(page.get("realtime_end")), count, page["observations"])


def _fault(payload: Payload, said: str) -> SourceError:
    said = brief(said.removeprefix("Bad Request.").strip())
    lower = said.lower()
    if "api_key" in lower:
        return BadKeyError(f"FRED does not accept {KEY}: {said}")
    if "series does not exist" in lower:
        return NotFoundError(f"FRED does not know the series {payload.name!r}. Look for its id on FRED's pages.")
    if "too many requests" in lower or "rate limit" in lower:
        return LimitError(f"FRED refuses {payload.name} for now: {said}")
    return SourceError(f"FRED cannot answer for {payload.name}: {said}")


def _dates(payload: Payload, column: pd.Series) -> pd.Series:
    text = column.astype("str")
    if not text.str.fullmatch(r"\d{4}-\d\d-\d\d").all():
        raise strange(TITLE, payload, f"holds a {column.name} that is no date")
    found = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce").astype("datetime64[us]")
    if found.isna().any() or (found.dt.year > 2200).any():  # near the year 9999 no time zone can be applied
        raise strange(TITLE, payload, f"holds a {column.name} that is no date")
    return found


@cache
def _holidays() -> NDArray[np.datetime64]:
    """Return the days on which US offices are closed."""
    return USFederalHolidayCalendar().holidays("1900-01-01", "2100-12-31").to_numpy().astype("datetime64[D]")


def _observations(payload: Payload, raw: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return rows in MACRO_COLUMNS and what was left out; "." is FRED's word for no value."""
    if raw.isna().any(axis=None):
        raise strange(TITLE, payload, "holds observations without date, value or realtime_start")
    frame = pd.DataFrame({"period": _dates(payload, raw["date"]), "day": _dates(payload, raw["realtime_start"])})
    values = raw["value"].astype("str")
    frame["value"] = pd.to_numeric(values.where(values != "."), errors="coerce").astype("float64")
    if not np.isfinite(frame["value"][values != "."]).all():
        raise strange(TITLE, payload, "holds a value that is no number")
    missing = int(frame["value"].isna().sum())
    notes = (f"{payload.name}: {missing} value(s) FRED marks as missing are left out.",) if missing else ()
    frame = frame.dropna(subset="value").sort_values(["period", "day"], kind="stable")
    carried = (frame["period"] == frame["period"].shift()) & (frame["value"] == frame["value"].shift())
    frame = frame[~carried]
    daily = _NEXT_DAY.fullmatch(payload.name) is not None
    day = frame["day"]
    if daily:
        period = frame["period"].to_numpy().astype("datetime64[D]")
        day = pd.Series(np.busday_offset(period, 1, roll="backward", holidays=_holidays()), index=frame.index)
    midnight = (day + pd.Timedelta(days=1)).dt.tz_localize(_NEW_YORK).dt.tz_convert("UTC")
    frame = frame.assign(
        series=payload.name,
        released_at=midnight.astype("datetime64[us, UTC]"),
        release_basis="estimated" if daily else "recorded",
        source=payload.source,
    )
    return frame[list(MACRO_COLUMNS)].reset_index(drop=True), notes
