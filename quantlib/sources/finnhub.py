"""Finnhub: last quotes of US stocks, earnings dates, news, and the economic calendar.

A quote becomes the bar of its day once that session has ended; its volume is not given. It is as traded, and
Finnhub gives no splits with it. The economic calendar needs a paid plan.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, TypeVar

import pandas as pd
from pydantic import Field, NaiveDatetime, TypeAdapter, ValidationError

from quantlib.errors import SourceError
from quantlib.models import MODELS
from quantlib.models.base import Finite
from quantlib.sources.base import (
    EVERYTHING,
    Ask,
    BadKeyError,
    Call,
    EmptyError,
    FormatError,
    LimitError,
    NotFoundError,
    Parsed,
    Payload,
    bars_frame,
    within,
)
from quantlib.sources.reading import NEW_YORK, Part, read, us_ticker
from quantlib.sources.transport import brief, get

__all__ = ["KEY", "NAME", "parse", "request"]

NAME, TITLE = "finnhub", "Finnhub"
KEY = "FINNHUB_API_KEY"
URL = "https://finnhub.io/api/v1"
_CLOSE = pd.Timedelta(hours=16)
# News want both ends; ends left open are put where there is nothing beyond.
_FIRST, _LAST = "2000-01-01", "2099-12-31"
_SESSIONS = {"bmo": "before_open", "dmh": "during", "amc": "after_close"}
_COUNTRIES = {"EU": "EA", "UK": "GB"}
Seconds = Annotated[int, Field(ge=0, lt=4_102_444_800)]
T = TypeVar("T")


class _Quote(Part):
    open: Finite | None = Field(alias="o")
    high: Finite | None = Field(alias="h")
    low: Finite | None = Field(alias="l")
    close: Finite | None = Field(alias="c")
    moment: Seconds = Field(alias="t")


class _Earnings(Part):
    symbol: str
    day: date = Field(alias="date")
    hour: str | None = None
    year: int | None = None
    quarter: int | None = None
    expected: Finite | None = Field(default=None, alias="epsEstimate")
    actual: Finite | None = Field(default=None, alias="epsActual")


class _EarningsCalendar(Part):
    rows: list[_Earnings] = Field(alias="earningsCalendar")


class _Release(Part):
    country: str
    event: str
    time: NaiveDatetime  # in UTC
    actual: Finite | None = None
    estimate: Finite | None = None
    previous: Finite | None = Field(default=None, alias="prev")
    unit: str | None = None
    impact: str | None = None


class _EconomicCalendar(Part):
    rows: list[_Release] = Field(alias="economicCalendar")


class _Article(Part):
    id: int
    headline: str
    published: Seconds = Field(alias="datetime")
    publisher: str = Field(default="", alias="source")
    summary: str = ""
    url: str = ""


class _Fault(Part):
    error: str


_NEWS = TypeAdapter(list[_Article])


def request(ask: Ask, call: Call) -> Payload:
    """Return Finnhub's answer: the last quote, or what lies in the span of a calendar or the news.

    Earnings and news of `EVERYTHING` are those of all US companies, and of the market.

    Raises
    ------
    NoKeyError
        `FINNHUB_API_KEY` is not set.
    NotFoundError
        Neither a US stock nor an ETF.
    """
    headers = {"X-Finnhub-Token": call.key(KEY)}
    everything = ask.name == EVERYTHING
    params: dict[str, object] = {} if everything else {"symbol": us_ticker(ask.name, TITLE)}
    if ask.kind == "bars":
        path = "/quote"
    elif ask.kind == "news" and everything:
        path, params = "/news", {"category": "general"}
    else:
        path = {"earnings": "/calendar/earnings", "releases": "/calendar/economic"}.get(ask.kind, "/company-news")
        open_ends = (_FIRST, _LAST) if ask.kind == "news" else (None, None)
        for name, day, otherwise in zip(("from", "to"), (ask.start, ask.end), open_ends, strict=True):
            if end := otherwise if day is None else f"{day:%Y-%m-%d}":
                params[name] = end
    answer = get(call, NAME, TITLE, f"{call.base_url or URL}{path}", params=params, secret_headers=headers)
    return Payload(NAME, ask.kind, ask.name, answer.text, ask.start, ask.end, answer.status, answer.url)


def parse(payload: Payload) -> Parsed:
    """Return the bar of an ended session, earnings, economic releases or news.

    Raises
    ------
    BadKeyError, LimitError, NotFoundError
        It refuses, in words or by its HTTP status; or its quote is all zeros, as for symbols it does not know.
    EmptyError
        Nothing in the span asked for, or a session that still runs.
    FormatError
        Anything else that cannot be read.
    """
    _refuse(payload)
    if payload.kind == "bars":
        return Parsed(bars=_bar(payload))
    if payload.kind == "earnings":
        return Parsed(security_events=_earnings(payload))
    if payload.kind == "releases":
        return Parsed(releases=_releases(payload))
    return Parsed(news=_news(payload))


def _refuse(payload: Payload) -> None:
    """Raise what an answer says that is an error."""
    try:
        words = _Fault.model_validate_json(payload.text).error
    except ValidationError:
        if payload.status == 200:
            return
        words = payload.text
    said = f"HTTP {payload.status}: {brief(words)}"
    lower = words.lower()
    error: SourceError
    if payload.status == 429 or "limit reached" in lower:
        error = LimitError(f"{TITLE} refuses for now: too many requests ({said}).")
    elif payload.status in {401, 403} or "api key" in lower or "access" in lower:
        error = BadKeyError(f"{TITLE} does not accept the key, or its plan does not cover this ({said}).")
    elif payload.status == 404 or "symbol" in lower:
        error = NotFoundError(f"{TITLE} does not know {payload.name!r} ({said}).")
    else:
        error = FormatError(f"{TITLE} answered {payload.name} with something that cannot be read ({said}).")
    raise error


def _bar(payload: Payload) -> pd.DataFrame:
    quote = read(_Quote, payload.text, payload, TITLE)
    if not quote.close or not quote.moment:
        raise NotFoundError(f"{TITLE} has no quote of {payload.name!r}: it answers zeros for what it does not know.")
    moment = pd.Timestamp(quote.moment, unit="s", tz=NEW_YORK).tz_localize(None)
    day = moment.normalize()
    if moment < day + _CLOSE:
        raise EmptyError(f"{TITLE}'s last quote of {payload.name} is of a session that had not ended: {moment}.")
    values = pd.DataFrame([{"ts": day.as_unit("us"), **quote.model_dump(exclude={"moment"})}])
    bars = within(bars_frame(values, payload.name, payload.source), "ts", payload)
    return _some(bars, payload, "session")


def _earnings(payload: Payload) -> pd.DataFrame:
    found = read(_EarningsCalendar, payload.text, payload, TITLE).rows
    if payload.name != EVERYTHING and (others := {one.symbol for one in found} - {payload.name.replace("-", ".")}):
        raise FormatError(f"Asked {TITLE} for {payload.name} and got {brief(min(others))}; nothing was read.")
    rows = [
        {
            "symbol": _ours(one.symbol),
            "source": payload.source,
            "kind": "earnings",
            "ts": pd.Timestamp(one.day).as_unit("us"),
            "session": _SESSIONS.get(one.hour or "", ""),
            "expected": one.expected,
            "actual": one.actual,
            "period": f"{one.year}-Q{one.quarter}" if one.year and one.quarter else "",
        }
        for one in found
        if one.symbol
    ]
    return _some(within(_table("security_events", rows, "ts"), "ts", payload), payload, "earnings date")


def _releases(payload: Payload) -> pd.DataFrame:
    rows: list[dict[str, Any]] = [
        {
            "source": payload.source,
            "country": _COUNTRIES.get(one.country, one.country),
            "name": _line(one.event),
            "released_at": pd.Timestamp(one.time, tz="UTC").as_unit("us"),
            "period": "",
            "actual": one.actual,
            "forecast": one.estimate,
            "forecast_kind": _kind(one.estimate),
            "previous": one.previous,
            "revised": None,
            "unit": _line(one.unit or ""),
            "importance": one.impact if one.impact in {"low", "medium", "high"} else "",
        }
        for one in read(_EconomicCalendar, payload.text, payload, TITLE).rows
        if _line(one.event)
    ]
    return _some(_of_days(_table("releases", rows, "released_at"), "released_at", payload), payload, "release")


def _kind(estimate: float | None) -> Literal["survey", "none"]:
    return "none" if estimate is None else "survey"


def _news(payload: Payload) -> pd.DataFrame:
    try:
        found = _NEWS.validate_json(payload.text)
    except ValidationError as error:
        what = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise FormatError(
            f"{TITLE} answered {payload.name} with something that is no list of news ({brief(what)}): "
            f"{brief(payload.text)!r}. Try again later."
        ) from None
    about = [] if payload.name == EVERYTHING else [payload.name]
    rows: list[dict[str, Any]] = [
        {
            "source": payload.source,
            # The same article comes again for other symbols: each is a row of its own, so that none replaces another.
            "id": ":".join([str(one.id), *about]),
            "published_at": pd.Timestamp(one.published, unit="s", tz="UTC").as_unit("us"),
            "title": _line(one.headline),
            "summary": _line(one.summary),
            "url": _line(one.url),
            "publisher": _line(one.publisher),
            "symbols": about,
        }
        for one in found
        if _line(one.headline)
    ]
    return _some(_of_days(_table("news", rows, "published_at"), "published_at", payload), payload, "article")


def _table(name: str, rows: list[dict[str, Any]], time: str) -> pd.DataFrame:
    """Return rows as a table, the last of several with the same key, in the order of their time."""
    model = MODELS[name]
    frame = pd.DataFrame(rows, columns=list(model.columns()))
    if rows:
        frame[time] = pd.DatetimeIndex(frame[time]).as_unit("us")
    return frame.drop_duplicates(list(model.key), keep="last").sort_values(time, kind="stable", ignore_index=True)


def _of_days(frame: pd.DataFrame, column: str, payload: Payload) -> pd.DataFrame:
    """Return the rows whose moment lies on a day of the payload's span, in UTC."""
    if frame.empty:
        return frame
    days = frame.assign(day=frame[column].dt.tz_localize(None).dt.normalize())
    return within(days, "day", payload).drop(columns="day")


def _some(frame: pd.DataFrame, payload: Payload, what: str) -> pd.DataFrame:
    if frame.empty:
        of = "" if payload.name == EVERYTHING else f" of {payload.name}"
        raise EmptyError(f"{TITLE} has no {what}{of} in the span asked for.")
    return frame


def _line(text: str) -> str:
    """Return a text on one line, without signs the store cannot hold."""
    return " ".join(text.replace("\x00", " ").split())


def _ours(symbol: str) -> str:
    """Return a symbol with its share class after a dash, as the universe has it."""
    stem, dot, share = symbol.rpartition(".")
    return f"{stem}-{share}" if dot and len(share) == 1 else symbol
