"""Alpha Vantage's answers: refusals in words, daily series, dividends and splits, news with their scores."""

from __future__ import annotations

import hashlib
import re
from datetime import date
from typing import Literal

import pandas as pd
from pydantic import Field

from quantlib.errors import SourceError
from quantlib.models import MODELS
from quantlib.sources.base import (
    BadKeyError,
    EmptyError,
    FormatError,
    LimitError,
    NotFoundError,
    Parsed,
    Payload,
    bars_frame,
    within,
)
from quantlib.sources.reading import ActionRow, Part, actions_frame, read, unbundle
from quantlib.sources.transport import brief

TITLE = "Alpha Vantage"
COMPACT, MOST_NEWS = 100, 1000
"""Rows of a compact answer, and the most articles it gives at once."""
PARTS = ("daily", "dividends", "splits")
"""The answers that make up the bars of a stock."""


class _Said(Part):
    error: str | None = Field(default=None, alias="Error Message")
    information: str | None = Field(default=None, alias="Information")
    note: str | None = Field(default=None, alias="Note")


class _Row(Part):
    open: str = Field(alias="1. open")
    high: str = Field(alias="2. high")
    low: str = Field(alias="3. low")
    close: str = Field(alias="4. close")
    volume: str | None = Field(default=None, alias="5. volume")


class _StockMeta(Part):
    of: str = Field(alias="2. Symbol")
    refreshed: str = Field(alias="3. Last Refreshed")


class _Stock(Part):
    meta: _StockMeta = Field(alias="Meta Data")
    rows: dict[date, _Row] = Field(alias="Time Series (Daily)")


class _PairMeta(Part):
    base: str = Field(alias="2. From Symbol")
    quoted: str = Field(alias="3. To Symbol")
    refreshed: str = Field(alias="5. Last Refreshed")


class _Pair(Part):
    meta: _PairMeta = Field(alias="Meta Data")
    rows: dict[date, _Row] = Field(alias="Time Series FX (Daily)")


class _Dividend(Part):
    day: str = Field(alias="ex_dividend_date")
    amount: str


class _Dividends(Part):
    of: str = Field(alias="symbol")
    data: list[_Dividend]


class _Split(Part):
    day: str = Field(alias="effective_date")
    factor: str = Field(alias="split_factor")


class _Splits(Part):
    of: str = Field(alias="symbol")
    data: list[_Split]


class _Score(Part):
    ticker: str
    relevance: str = Field(alias="relevance_score")
    score: str = Field(alias="ticker_sentiment_score")


class _Article(Part):
    title: str
    url: str
    published: str = Field(alias="time_published")
    summary: str = ""
    publisher: str = Field(default="", alias="source")
    scores: list[_Score] = Field(default_factory=list, alias="ticker_sentiment")


class _Feed(Part):
    feed: list[_Article]


def pair(symbol: str) -> tuple[str, str]:
    """Return the two currencies of a symbol such as `EURUSD=X`, or `JPY=X` for dollars in yen."""
    found = re.fullmatch(r"([A-Z]{3})?([A-Z]{3})=X", symbol)
    if found is None:
        raise NotFoundError(f"{symbol!r} is no currency pair. Write it like EURUSD=X.")
    return found[1] or "USD", found[2]


def refusal(text: str, name: str) -> SourceError | None:
    """Return the error a body with HTTP 200 says in words; None where it does not."""
    try:
        said = _Said.model_validate_json(text)
    except ValueError:
        return None
    words = said.error or said.information or said.note
    if words is None:
        return None
    lower, quoted = words.lower(), brief(words)
    if any(sign in lower for sign in ("rate limit", "call frequency", "requests per", "request per", "sparingly")):
        return LimitError(f"{TITLE} refuses for now: too many requests. It said: {quoted}")
    if "premium" in lower:
        return BadKeyError(f"{TITLE} gives this to premium keys only, and yours is none. It said: {quoted}")
    if any(sign in lower for sign in ("apikey", "api key")) and "invalid api call" not in lower:
        return BadKeyError(f"{TITLE} does not accept the key. It said: {quoted}")
    if said.error is not None or "invalid inputs" in lower:
        return NotFoundError(f"{TITLE} does not know {name!r}. It said: {quoted}")
    return FormatError(f"{TITLE} answered {name} with words only: {quoted}")


def parse(payload: Payload) -> Parsed:
    """Return bars with their dividends and splits, or news with their scores.

    A day that was not over when the series was last refreshed is left out: for a currency pair that day itself,
    for a stock where the refresh names a time before 16:00.

    Raises
    ------
    LimitError, BadKeyError, NotFoundError
        It says so, in whatever words.
    EmptyError
        Nothing in the span asked for.
    FormatError
        Anything else that cannot be read.
    """
    if (said := refusal(payload.text, payload.name)) is not None:
        raise said
    if payload.kind == "news":
        return _parse_news(payload)
    return _parse_pair(payload) if payload.name.endswith("=X") else _parse_stock(payload)


def _parse_pair(payload: Payload) -> Parsed:
    answer = read(_Pair, payload.text, payload, TITLE)
    if (answer.meta.base, answer.meta.quoted) != pair(payload.name):
        raise FormatError(f"Asked {TITLE} for {payload.name} and got {brief(answer.meta.base + answer.meta.quoted)}.")
    return _bars(payload, answer.rows, answer.meta.refreshed, pd.Timedelta(days=1))


def _parse_stock(payload: Payload) -> Parsed:
    parts = unbundle(payload, TITLE, PARTS)
    answer = read(_Stock, parts["daily"][0], payload, TITLE)
    dividends = read(_Dividends, parts["dividends"][0], payload, TITLE)
    splits = read(_Splits, parts["splits"][0], payload, TITLE)
    for of in (answer.meta.of, dividends.of, splits.of):
        if of.upper() != payload.name.upper():
            raise FormatError(f"Asked {TITLE} for {payload.name} and got {brief(of)}; nothing was read.")
    parsed = _bars(payload, answer.rows, answer.meta.refreshed, pd.Timedelta(hours=16))
    rows = [_action(payload, "dividend", one.day, one.amount) for one in dividends.data]
    rows += [_action(payload, "split", one.day, one.factor) for one in splits.data]
    known = [row for row in rows if row is not None]
    actions = within(actions_frame(known, payload.name, payload.source), "ts", payload)
    return Parsed(bars=parsed.bars, actions=actions, notes=parsed.notes)


def _bars(payload: Payload, rows: dict[date, _Row], refreshed: str, over: pd.Timedelta) -> Parsed:
    """Return the bars of days that were over `over` after their midnight at the last refresh."""
    # An odd date is a pandas error, an odd number NaN: the door names it.
    values = {day: row.model_dump() for day, row in sorted(rows.items())}
    frame = pd.DataFrame.from_dict(values, orient="index", columns=["open", "high", "low", "close", "volume"])
    frame = frame.apply(pd.to_numeric, errors="coerce")
    frame.insert(0, "ts", pd.to_datetime([f"{day:%Y-%m-%d}" for day in values], errors="coerce").as_unit("us"))
    moment = pd.to_datetime(refreshed, errors="coerce")
    if not isinstance(moment, pd.Timestamp) or moment.tz is not None:
        raise FormatError(f"{TITLE} says of {payload.name} that it was last refreshed at {brief(refreshed)!r}.")
    notes = []
    if moment != moment.normalize() and not (frame["ts"] + over <= moment).all():
        frame = frame[frame["ts"] + over <= moment]
        notes.append(f"{payload.name}: the unfinished session of {moment:%Y-%m-%d} is left out.")
    bars = bars_frame(frame, payload.name, payload.source)
    if len(bars) and len(rows) == COMPACT and (payload.start is None or payload.start < bars["ts"].iloc[0]):
        notes.append(f"{payload.name}: the key covers the last {COMPACT} sessions only.")
    bars = within(bars, "ts", payload)
    if bars.empty:
        raise EmptyError(f"{TITLE} has no finished session of {payload.name} in the span asked for.")
    return Parsed(bars=bars, notes=tuple(notes))


def _action(payload: Payload, kind: Literal["dividend", "split"], day: str, value: str) -> ActionRow | None:
    """Return one line; None where it is only announced, without a date or an amount."""
    if "None" in {day, value}:
        return None
    try:
        return ActionRow(date.fromisoformat(day), kind, float(value))
    except ValueError:
        said = brief(f"{day} {value}")
        raise FormatError(f"{TITLE} gives {payload.name} a {kind} that cannot be read: {said!r}.") from None


def _parse_news(payload: Payload) -> Parsed:
    articles = read(_Feed, payload.text, payload, TITLE).feed
    news, scores = [], []
    for one in articles:
        key = hashlib.sha256(one.url.encode()).hexdigest()[:16]
        moment = pd.to_datetime(one.published, format="%Y%m%dT%H%M%S", errors="coerce", utc=True)
        about = [(symbol, score) for score in one.scores if (symbol := _symbol(score.ticker))]
        news.append((key, moment, one.title, one.summary, one.url, one.publisher, sorted({s for s, _ in about})))
        scores += [(symbol, moment, score.score, score.relevance, key) for symbol, score in about]
    rows = pd.DataFrame(news, columns=["id", "published_at", "title", "summary", "url", "publisher", "symbols"])
    rows = _stamped(rows, "published_at", payload).drop_duplicates("id")
    marks = pd.DataFrame(scores, columns=["symbol", "scored_at", "score", "relevance", "about"])
    marks = _stamped(marks, "scored_at", payload).drop_duplicates(["symbol", "about"]).assign(measure="news_sentiment")
    marks[["score", "relevance"]] = marks[["score", "relevance"]].apply(pd.to_numeric, errors="coerce")
    if rows.empty:
        raise EmptyError(f"{TITLE} has no news about {payload.name} in the span asked for.")
    most = f"{payload.name}: more than {MOST_NEWS} articles; the older ones are missing."
    return Parsed(
        news=rows[list(MODELS["news"].columns())].reset_index(drop=True),
        sentiment=marks[list(MODELS["sentiment"].columns())].reset_index(drop=True),
        notes=(most,) if len(articles) >= MOST_NEWS else (),
    )


def _stamped(rows: pd.DataFrame, column: str, payload: Payload) -> pd.DataFrame:
    """Return the rows of the span asked for, their moments in UTC, with the name of the source."""
    days = rows.assign(
        source=payload.source, day=pd.to_datetime(rows[column], utc=True).dt.tz_localize(None).dt.normalize()
    )
    days[column] = pd.to_datetime(rows[column], utc=True).dt.as_unit("us")
    return within(days, "day", payload)


def _symbol(ticker: str) -> str:
    """Return a ticker of the news in the universe's spelling; empty for a currency."""
    market, _, name = ticker.rpartition(":")
    return {"": name, "CRYPTO": f"{name}-USD"}.get(market, "")
