"""Yahoo's chart form: one JSON answer read into finished daily bars, dividends and splits."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pandas as pd
from pydantic import Field

from quantlib.errors import SourceError
from quantlib.sources.base import (
    EmptyError,
    FormatError,
    LimitError,
    NotFoundError,
    Parsed,
    Payload,
    bars_frame,
    within,
)
from quantlib.sources.reading import ActionRow, Part, actions_frame, read
from quantlib.sources.transport import brief

_DAY = 86_400


class _Quote(Part):
    open: list[float | None] | None = None
    high: list[float | None] | None = None
    low: list[float | None] | None = None
    close: list[float | None] | None = None
    volume: list[float | None] | None = None


class _AdjClose(Part):
    adjclose: list[float | None] | None = None


class _Indicators(Part):
    quote: list[_Quote] = Field(min_length=1)
    adjclose: list[_AdjClose] = Field(default_factory=list)


class _Dividend(Part):
    date: int
    amount: float


class _Split(Part):
    date: int
    numerator: float = Field(gt=0)
    denominator: float = Field(gt=0)


class _Events(Part):
    dividends: dict[str, _Dividend] = Field(default_factory=dict)
    splits: dict[str, _Split] = Field(default_factory=dict)


class _Session(Part):
    start: int
    end: int


class _TradingPeriod(Part):
    regular: _Session


class _Meta(Part):
    symbol: str
    granularity: str = Field(alias="dataGranularity")
    zone: str = Field(alias="exchangeTimezoneName")
    market_time: int | None = Field(default=None, alias="regularMarketTime")
    period: _TradingPeriod | None = Field(default=None, alias="currentTradingPeriod")


class _Result(Part):
    meta: _Meta
    indicators: _Indicators
    timestamp: list[int] | None = None
    events: _Events | None = None


class _Fault(Part):
    code: str | None = None
    description: str | None = None


class _Chart(Part):
    result: list[_Result] | None = None
    error: _Fault | None = None


class _Body(Part):
    chart: _Chart | None = None
    finance: _Chart | None = None  # where Yahoo's gateway, not the chart service, reports a fault


def parse_chart(payload: Payload) -> Parsed:
    """Return the finished daily bars, dividends and splits of a chart answer.

    Rows without a close are dropped, never filled; so is the session still running when the answer was
    written. Whether it runs is read from the answer itself: the market's last time lies before the end of
    the current trading period. A market open around the clock ends its session when the next one starts.

    Raises
    ------
    NotFoundError
        Yahoo does not know the symbol.
    EmptyError
        No finished session lies in the span asked for.
    LimitError
        Yahoo refuses.
    FormatError
        Not JSON, cut short, not daily, another symbol, or a part missing.
    """
    symbol = payload.name
    result = _result(payload)
    meta = result.meta
    if meta.symbol.upper() != symbol.upper():
        raise FormatError(f"Asked Yahoo for {symbol} and got {meta.symbol}; nothing was read.")
    if meta.granularity != "1d":
        raise FormatError(f"Asked Yahoo for daily bars of {symbol} and got {meta.granularity} bars; accepted: 1d.")
    if not result.timestamp:
        raise EmptyError(f"Yahoo has no bars for {symbol} in the span asked for.")

    rows = _columns(result, result.timestamp)
    notes = []
    known = rows.dropna(subset="close")
    if dropped := len(rows) - len(known):
        notes.append(f"{symbol}: left out {dropped} row(s) without a close.")
    known, note = _finished(known, meta)
    if note:
        notes.append(f"{symbol}: {note}")
    # The day just ended can come twice: as its own row and as the last quote. The last is the newer.
    if len(known) > 1 and known["ts"].iloc[-1] == known["ts"].iloc[-2]:
        known = known.drop(index=known.index[-2])
    bars = within(bars_frame(known, symbol, payload.source), "ts", payload)
    if bars.empty:
        raise EmptyError(f"Yahoo has no finished session of {symbol} in the span asked for.")
    return Parsed(bars=bars, actions=within(_actions(result, payload), "ts", payload), notes=tuple(notes))


def _result(payload: Payload) -> _Result:
    """Return the one result of the body, or raise what the body says instead."""
    symbol = payload.name
    body = read(_Body, payload.text, payload, "Yahoo")
    part = body.chart or body.finance
    if part is None:
        raise FormatError(f"Yahoo's answer for {symbol} has no part named chart (HTTP {payload.status}).")
    if part.error is not None:
        raise _fault(symbol, part.error, payload.status)
    if not part.result:
        raise EmptyError(f"Yahoo's answer for {symbol} holds no result.")
    return part.result[0]


def _fault(symbol: str, fault: _Fault, status: int) -> SourceError:
    said = ": ".join(filter(None, (fault.code, fault.description))) or f"HTTP {status}"
    lower = said.lower()
    if "data doesn't exist" in lower or "date range" in lower:
        return EmptyError(f"Yahoo has no bars for {symbol} in the span asked for ({said}).")
    if status == 404 or "not found" in lower or "delisted" in lower:
        return NotFoundError(f"Yahoo does not know the symbol {symbol!r} ({said}). Write it as Yahoo does, e.g. BRK-B.")
    if status in {401, 403, 429} or "too many" in lower or "unauthorized" in lower or "crumb" in lower:
        return LimitError(f"Yahoo refuses {symbol} for now ({said}). Try again in some minutes.")
    return SourceError(f"Yahoo cannot answer for {symbol} ({said}).")


def _columns(result: _Result, seconds: list[int]) -> pd.DataFrame:
    """Return timestamps as session dates and the price columns beside them, nothing dropped yet."""
    symbol = result.meta.symbol
    adjusted = result.indicators.adjclose[0].adjclose if result.indicators.adjclose else None
    columns = {**dict(result.indicators.quote[0]), "adj_close": adjusted}
    for name, values in columns.items():
        if values is None:
            raise FormatError(f"Yahoo's answer for {symbol} has no column {name}.")
        if len(values) != len(seconds):
            raise FormatError(
                f"Yahoo's answer for {symbol} has {len(values)} values of {name} for {len(seconds)} days."
            )
    frame = pd.DataFrame(columns, dtype="float64")
    frame.insert(0, "ts", _sessions(seconds, result.meta))
    return frame


def _sessions(seconds: list[int], meta: _Meta) -> pd.DatetimeIndex:
    """Return the session date of each moment: its calendar date where the exchange stands, summer time included."""
    try:
        zone = ZoneInfo(meta.zone)
    except (KeyError, ValueError, IndexError, OSError):  # by the name: no such zone, a path, nothing, a folder
        raise FormatError(
            f"Yahoo names a time zone for {meta.symbol} that is not known: {brief(meta.zone)!r}."
        ) from None
    try:
        moments = pd.DatetimeIndex(pd.to_datetime(seconds, unit="s", utc=True)).tz_convert(zone)
    except (ValueError, OverflowError):
        raise FormatError(f"Yahoo's answer for {meta.symbol} holds a time that is no date.") from None
    return moments.tz_localize(None).normalize().as_unit("us")


def _finished(rows: pd.DataFrame, meta: _Meta) -> tuple[pd.DataFrame, str]:
    """Return the rows of ended sessions, and a note on what was left out."""
    if rows.empty:
        return rows, ""
    if meta.period is None or meta.market_time is None:
        last = rows["ts"].iloc[-1]
        return rows[rows["ts"] < last], f"the answer does not say whether {last:%Y-%m-%d} has ended, so it is left out."
    session = meta.period.regular
    end = session.end
    if end - session.start >= _DAY - 60:  # written as 23:59 where trading never stops
        end = session.start + _DAY
    if meta.market_time >= end:
        return rows, ""
    today = _sessions([session.start], meta)[0]
    ended = rows[rows["ts"] < today]
    return ended, f"the unfinished session of {today:%Y-%m-%d} is left out." if len(ended) < len(rows) else ""


def _actions(result: _Result, payload: Payload) -> pd.DataFrame:
    events = result.events or _Events()
    dividends, splits = list(events.dividends.values()), list(events.splits.values())
    days = _sessions([event.date for event in dividends] + [event.date for event in splits], result.meta).date
    rows = [ActionRow(day, "dividend", event.amount) for day, event in zip(days, dividends, strict=False)]
    rows += [
        ActionRow(day, "split", event.numerator / event.denominator)
        for day, event in zip(days[len(dividends) :], splits, strict=True)
    ]
    return actions_frame(rows, payload.name, payload.source)
