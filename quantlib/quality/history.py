"""What the checks look at: one symbol's bars from one source, beside its market and its other sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.errors import DataError
from quantlib.quality.calendars import Days, calendar_of
from quantlib.types import BAR_COLUMNS, FloatArray

FIELDS = ("open", "high", "low", "close", "volume", "adj_close")
PRICES = ("open", "high", "low", "close")
MONTH, QUARTER = 21, 63
#: Fewer symbols than this on a day are no market to compare with.
FEWEST = 5


def trailing_median(values: FloatArray, n: int = QUARTER) -> FloatArray:
    """Return the median of the `n` values before each one, the value itself left out; NaN until a third is known."""
    rolled = pd.Series(values).rolling(n, min_periods=n // 3).median().shift(1)
    return np.asarray(rolled.to_numpy(dtype=np.float64))


@dataclass(frozen=True, eq=False)
class Market:
    """The median of many symbols on each day: log return, overnight gap and move within the day."""

    ts: Days = field(default_factory=lambda: np.array([], dtype="datetime64[D]"))
    returns: FloatArray = field(default_factory=lambda: np.array([]))
    gaps: FloatArray = field(default_factory=lambda: np.array([]))
    bodies: FloatArray = field(default_factory=lambda: np.array([]))

    def at(self, ts: Days, name: str) -> FloatArray:
        """Return one of the three on some days; zero where too few symbols were there to say."""
        if not len(self.ts):
            return np.zeros(len(ts))
        place = np.minimum(np.searchsorted(self.ts, ts), len(self.ts) - 1)
        found = np.where(self.ts[place] == ts, getattr(self, name)[place], np.nan)
        return np.nan_to_num(found)


@dataclass(frozen=True, eq=False)
class History:
    """One symbol's daily bars from one source, in date order.

    Parameters
    ----------
    symbol, source
        Whose.
    calendar
        The exchange calendar it goes by.
    ts
        Session dates, ascending and unique; length T.
    open, high, low, close, volume, adj_close
        As delivered [T]; NaN where unknown, the close never.
    price_scale
        What the source's prices contain: "raw", "split_adjusted" or "adjusted".
    splits, dividends
        Known actions by ex-date: new shares per old one; currency per share.
    expected
        The last session it should have; None where nothing is expected after the last bar.
    market
        The same source's other symbols on the same calendar.
    others
        The same symbol from other sources.
    """

    symbol: str
    source: str
    calendar: str
    ts: Days
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    adj_close: FloatArray
    price_scale: str = "split_adjusted"
    splits: tuple[tuple[np.datetime64, float], ...] = ()
    dividends: tuple[tuple[np.datetime64, float], ...] = ()
    expected: np.datetime64 | None = None
    market: Market = field(default_factory=Market)
    others: tuple[History, ...] = ()

    def __len__(self) -> int:
        return len(self.ts)

    @cached_property
    def share_factor(self) -> FloatArray:
        """What raw prices are divided by to stand on today's share count; one where the source has done so."""
        factor = np.ones(len(self))
        if self.price_scale == "raw":
            for day, ratio in self.splits:
                factor[self.ts < day] *= ratio
        return factor

    def log(self, name: str) -> FloatArray:
        """Return the logarithm of a price on today's share count."""
        return np.asarray(np.log(getattr(self, name) / self.share_factor))

    @cached_property
    def returns(self) -> FloatArray:
        """Log return from close to close; the first is NaN."""
        out = np.full(len(self), np.nan)
        out[1:] = np.diff(self.log("close"))
        return out

    @cached_property
    def gaps(self) -> FloatArray:
        """Log move from the last close to the open; the first is NaN."""
        out = np.full(len(self), np.nan)
        out[1:] = self.log("open")[1:] - self.log("close")[:-1]
        return out

    @cached_property
    def bodies(self) -> FloatArray:
        """Log move from open to close."""
        return self.log("close") - self.log("open")

    @cached_property
    def typical(self) -> FloatArray:
        """Median size of the 63 returns before each one: robust volatility, blind to the fault itself."""
        return trailing_median(np.abs(self.returns))

    @cached_property
    def repeats(self) -> NDArray[np.bool_]:
        """Which bars have the close of the bar before, and either its high and low or no range at all."""
        same = self.close[1:] == self.close[:-1]
        again = (self.high[1:] == self.high[:-1]) & (self.low[1:] == self.low[:-1])
        unknown = np.isnan(self.high) | np.isnan(self.low)
        return np.asarray(np.r_[False, same & (again | (unknown | (self.high == self.low))[1:])])

    @property
    def thin(self) -> bool:
        """Whether more than a fifth of the bars repeat the one before: what moves then moves in jumps."""
        return len(self) > MONTH and bool(self.repeats.mean() > 0.2)

    def row(self, i: int) -> dict[str, float | None]:
        """Return one bar's values as delivered, None where unknown."""
        values = {name: float(getattr(self, name)[i]) for name in FIELDS}
        return {name: None if np.isnan(value) else value for name, value in values.items()}


def histories(
    bars: pd.DataFrame,
    *,
    calendars: Mapping[str, str] | None = None,
    scales: Mapping[str, str] | None = None,
    actions: pd.DataFrame | None = None,
    expected: Mapping[tuple[str, str], np.datetime64] | None = None,
) -> list[History]:
    """Return one history a symbol and source, each beside its market and its other sources.

    Parameters
    ----------
    bars
        Columns `quantlib.types.BAR_COLUMNS`, as the door let them in; any order of rows.
    calendars
        Calendar by symbol; those not named go by the ending of the symbol.
    scales
        Price scale by source; "split_adjusted" where not named.
    actions
        Columns symbol, source, ts, kind, value. A source without any of its own for a symbol takes another's.
    expected
        Last session that should be there, by symbol and source.

    Raises
    ------
    DataError
        A column is missing.
    """
    if missing := [name for name in BAR_COLUMNS if name not in bars.columns]:
        raise DataError(f"Bars to check lack the column {missing[0]}. Needed: {', '.join(BAR_COLUMNS)}.")
    if bars.empty:
        return []
    ordered = bars.sort_values(["symbol", "source", "ts"], kind="stable")
    keys = ordered["symbol"].astype("str") + "\x1f" + ordered["source"].astype("str")
    starts = np.flatnonzero(np.r_[True, (keys.to_numpy()[1:] != keys.to_numpy()[:-1])])
    bounds = [*starts.tolist(), len(ordered)]
    days = ordered["ts"].to_numpy().astype("datetime64[D]")
    columns = {name: ordered[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in FIELDS}
    found: list[History] = []
    for a, b in pairwise(bounds):
        symbol, source = str(ordered["symbol"].iloc[a]), str(ordered["source"].iloc[a])
        splits, dividends = _actions(actions, symbol, source)
        found.append(
            History(
                symbol=symbol,
                source=source,
                calendar=(calendars or {}).get(symbol) or calendar_of(symbol),
                ts=days[a:b],
                open=columns["open"][a:b],
                high=columns["high"][a:b],
                low=columns["low"][a:b],
                close=columns["close"][a:b],
                volume=columns["volume"][a:b],
                adj_close=columns["adj_close"][a:b],
                price_scale=(scales or {}).get(source, "split_adjusted"),
                splits=splits,
                dividends=dividends,
                expected=(expected or {}).get((symbol, source)),
            )
        )
    return _together(found)


Dated = tuple[tuple[np.datetime64, float], ...]


def _actions(actions: pd.DataFrame | None, symbol: str, source: str) -> tuple[Dated, Dated]:
    if actions is None or actions.empty:
        return (), ()
    mine = actions[actions["symbol"] == symbol]
    own = mine[mine["source"] == source]
    if own.empty and len(mine):
        own = mine[mine["source"] == mine["source"].min()]

    def of(kind: str) -> Dated:
        rows = own[own["kind"] == kind].sort_values("ts")
        return tuple(zip(rows["ts"].to_numpy().astype("datetime64[D]"), rows["value"].astype(float), strict=True))

    return of("split"), of("dividend")


def _together(found: list[History]) -> list[History]:
    """Return the histories with their markets and other sources."""
    groups: dict[tuple[str, str], list[History]] = {}
    by_symbol: dict[str, list[History]] = {}
    for one in found:
        groups.setdefault((one.source, one.calendar), []).append(one)
        by_symbol.setdefault(one.symbol, []).append(one)
    markets = {key: _market(members) for key, members in groups.items()}
    return [
        replace(
            one,
            market=markets[one.source, one.calendar],
            others=tuple(other for other in by_symbol[one.symbol] if other is not one),
        )
        for one in found
    ]


def _market(members: list[History]) -> Market:
    if len(members) < FEWEST:
        return Market()
    frame = pd.DataFrame(
        {name: np.concatenate([getattr(m, name) for m in members]) for name in ("returns", "gaps", "bodies")}
    )
    grouped = frame.groupby(np.concatenate([m.ts for m in members]))
    median = grouped.median().where(grouped.count() >= FEWEST)
    return Market(
        np.asarray(median.index.to_numpy().astype("datetime64[D]")), *(median[c].to_numpy() for c in median.columns)
    )
