"""CoinGecko through pycoingecko: daily closes, the candles of the last month, market values and turnover of ten coins.

A bar is a UTC day. What CoinGecko stamps 00:00 is the end of the day before, so that day gets it; a point at any
other time of day belongs to a day still running and is left out. Closes come from the daily chart, a year back at
most without a paid plan. Open, high and low come from the candles, which are shorter than a day for the last 30 days
only; beyond that they span four days and are not daily bars, so there only the close is known. CoinGecko counts
volume in dollars, not in coins: it is kept as the measure `turnover`, and the bars' volume stays unknown.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from quantlib.errors import SourceError, nearest
from quantlib.sources.base import (
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
from quantlib.sources.bodies import read_json, strange
from quantlib.sources.library import through
from quantlib.sources.transport import Answer, brief, check_status
from quantlib.types import FloatArray

NAME, TITLE = "coingecko", "CoinGecko"
BASE_URL = "https://api.coingecko.com"
KEY = "COINGECKO_API_KEY"
COINS = {
    "BTC-USD": "bitcoin",
    "ETH-USD": "ethereum",
    "XRP-USD": "ripple",
    "BNB-USD": "binancecoin",
    "SOL-USD": "solana",
    "TRX-USD": "tron",
    "DOGE-USD": "dogecoin",
    "ADA-USD": "cardano",
    "BCH-USD": "bitcoin-cash",
    "LINK-USD": "chainlink",
}
_DAY = 86_400_000
_YEAR, _MONTH = "365", "30"


def request(ask: Ask, call: Call) -> Payload:
    """Return the daily chart of a coin, for bars together with its candles as one JSON object.

    Parameters
    ----------
    ask
        `bars` or `market_caps` of one of `COINS`.
    call
        May hold a demo key, which raises the limits.

    Raises
    ------
    NotFoundError
        The symbol is none of `COINS`.
    """
    from pycoingecko import CoinGeckoAPI  # noqa: PLC0415  only needed when asking

    coin = COINS.get(ask.name)
    if coin is None:
        raise NotFoundError(f"CoinGecko is asked for ten coins only, not for {ask.name!r}. {nearest(ask.name, COINS)}")
    client = CoinGeckoAPI(retries=0)  # retries and their count are ours
    client.api_base_url = f"{call.base_url or BASE_URL}/api/v3/"
    client.request_timeout = call.timeout
    key = call.keys[KEY].get_secret_value() if KEY in call.keys else ""
    if key:
        client.session.headers["x-cg-demo-api-key"] = key

    def chart() -> object:
        return client.get_coin_market_chart_by_id(coin, "usd", _YEAR, interval="daily")

    def candles() -> object:
        return client.get_coin_ohlc_by_id(coin, "usd", _MONTH)

    answer = through(call, NAME, TITLE, client.session, chart, key)
    body = answer.text
    if ask.kind == "bars" and answer.status == 200:
        second = through(call, NAME, TITLE, client.session, candles, key)
        if second.status == 200:
            body = f'{{"market_chart": {body}, "ohlc": {second.text}}}'
        else:
            answer, body = second, second.text
    return Payload(NAME, ask.kind, ask.name, body, ask.start, ask.end, answer.status, answer.url)


def parse(payload: Payload) -> Parsed:
    """Return bars and measures of an answer: a chart, candles, or both as `request` puts them together.

    Raises
    ------
    NotFoundError
        CoinGecko does not know the coin.
    BadKeyError, LimitError
        It refuses.
    EmptyError
        No finished day lies in the span asked for.
    FormatError
        Neither a chart nor candles, or candles longer than a day.
    """
    check_status(Answer(payload.status, payload.text, payload.url), TITLE)
    body = read_json(TITLE, payload)
    chart, candles = body, None
    if isinstance(body, list):
        chart, candles = None, body or None
    elif isinstance(body, dict) and "ohlc" in body:
        chart, candles = body.get("market_chart"), body["ohlc"]
    if chart is None and candles is None:
        raise strange(TITLE, payload, "is neither a chart nor candles")
    if chart is not None and not (isinstance(chart, dict) and "prices" in chart):
        raise _fault(payload, chart)
    daily, notes = _chart(payload, chart), []
    days = pd.DataFrame() if candles is None else _days(payload, candles)
    bars = daily[["ts", "close"]]
    if not days.empty:
        bars = days if chart is None else bars.merge(days.drop(columns="close"), on="ts", how="left")
        # Chart and candles are two records of the same prices: where they contradict, the close alone is kept.
        beside = (bars["close"] > bars["high"]) | (bars["close"] < bars["low"])
        bars.loc[beside, ["open", "high", "low"]] = np.nan
        if beside.any():
            notes.append(f"{payload.name}: on {int(beside.sum())} day(s) the candles contradict the close; left out.")
    frame = within(bars_frame(bars.dropna(subset="close"), payload.name, payload.source), "ts", payload)
    measures = within(_measures(payload, daily), "ts", payload)
    if payload.kind == "market_caps":
        frame = frame.iloc[:0]
    if frame.empty and measures.empty:
        raise EmptyError(f"CoinGecko has no finished day of {payload.name} in the span asked for.")
    if len(idle := frame[frame["open"].isna()]):
        notes.append(f"{payload.name}: on {len(idle)} of {len(frame)} day(s) only the close is known.")
    return Parsed(bars=frame, measures=measures, notes=tuple(notes))


def _fault(payload: Payload, body: object) -> SourceError:
    """Return the error a body says that is no chart: its words lie at three different places."""
    found: Any = body
    for part in ("error", "status", "error_message"):
        if isinstance(found, dict) and part in found:
            found = found[part]
    if not (isinstance(body, dict) and isinstance(found, str)):
        return strange(TITLE, payload, "is neither a chart nor candles")
    said, lower = brief(found), found.lower()
    if payload.status == 404 or "not find coin" in lower or "not found" in lower:
        return NotFoundError(f"CoinGecko does not know the coin behind {payload.name} ({said}).")
    if "rate limit" in lower or "too many" in lower:
        return LimitError(f"CoinGecko refuses {payload.name} for now ({said}). Try again in a minute.")
    if "api key" in lower or "exceeds the allowed time range" in lower:
        return BadKeyError(f"CoinGecko's plan does not cover {payload.name} ({said}). Set {KEY}, or ask for less.")
    return SourceError(f"CoinGecko cannot answer for {payload.name} ({said}).")


def _numbers(payload: Payload, rows: object, width: int, what: str) -> FloatArray:
    """Return rows of numbers as an array [n, width], times ascending and unique."""
    try:
        table = np.asarray(rows, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        raise strange(TITLE, payload, f"holds {what} that are no table of numbers") from None
    if table.size == 0:
        return np.empty((0, width))
    if table.ndim != 2 or table.shape[1] != width:
        raise strange(TITLE, payload, f"holds {what} of another shape")
    times = table[:, 0]
    if not (np.isfinite(times).all() and (np.abs(times) < 1e14).all()):
        raise strange(TITLE, payload, f"holds {what} at impossible times")
    return table[np.unique(times, return_index=True)[1]]


def _ended(midnights: FloatArray) -> pd.DatetimeIndex:
    """Return the days that end at these midnights, given in milliseconds."""
    return pd.to_datetime(midnights.astype("int64") - _DAY, unit="ms").as_unit("us")


def _chart(payload: Payload, chart: dict[str, Any] | None) -> pd.DataFrame:
    """Return ts, close, market_cap and turnover of the finished days; NaN where unknown."""
    names = {"close": "prices", "market_cap": "market_caps", "turnover": "total_volumes"}
    columns = {}
    for column, name in names.items():
        table = _numbers(payload, (chart or {}).get(name, []), 2, name)
        if len(table) > 1 and np.median(np.diff(table[:, 0])) != _DAY:
            raise strange(TITLE, payload, f"holds {name} that are not one a day")
        table = table[table[:, 0] % _DAY == 0]
        columns[column] = pd.Series(table[:, 1], index=_ended(table[:, 0]))
    frame = pd.DataFrame(columns)
    return frame.where(frame > 0).rename_axis("ts").reset_index()  # zero stands for unknown


def _days(payload: Payload, candles: object) -> pd.DataFrame:
    """Return ts, open, high, low, close of the days all of whose candles are there and over.

    A candle is stamped with its end. The last may still be running, so it only proves that those before are over.
    """
    table = _numbers(payload, candles, 5, "candles")
    if not len(table):
        return pd.DataFrame(columns=["ts", "open", "high", "low", "close"])
    step = np.median(np.diff(table[:, 0])) if len(table) > 1 else 0.0
    if step > _DAY:
        raise FormatError(
            f"CoinGecko answered {payload.name} with candles of {step / _DAY:g} days; accepted: a day or shorter. "
            "Ask for 30 days at most."
        )
    if step <= 0 or _DAY % step:
        raise strange(TITLE, payload, "holds candles that do not divide a day")
    frame = pd.DataFrame(table[:-1], columns=["end", "open", "high", "low", "close"])
    frame["midnight"] = np.ceil(frame["end"] / _DAY) * _DAY
    grouped = frame.groupby("midnight")
    days = grouped.agg(open=("open", "first"), high=("high", "max"), low=("low", "min"), close=("close", "last"))
    days = days[(grouped.size() == _DAY / step) & (grouped["end"].last() == days.index)]
    return days.set_axis(_ended(days.index.to_numpy(dtype=np.float64))).rename_axis("ts").reset_index()


def _measures(payload: Payload, daily: pd.DataFrame) -> pd.DataFrame:
    """Return market_cap and turnover in USD as rows of `Measure`."""
    tall = daily.melt(id_vars="ts", value_vars=["market_cap", "turnover"], var_name="measure").dropna(subset="value")
    tall = tall.assign(symbol=payload.name, source=payload.source, unit="USD")
    return tall[["symbol", "source", "ts", "measure", "value", "unit"]].reset_index(drop=True)
