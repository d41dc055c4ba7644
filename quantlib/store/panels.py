"""Panels out of stored bars: which source, which version, and the scatter into [time, symbol] arrays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from quantlib.errors import DataError, nearest
from quantlib.store.database import Store
from quantlib.types import DateLike, FloatArray, Panel, as_date, check_span

FIELDS = ("open", "high", "low", "close", "volume", "adj_close")

# Each symbol's sources are found by hopping along the primary key, a few index reads instead of a scan.
_SOURCES = """
WITH RECURSIVE pairs AS (
    SELECT w.symbol, (SELECT min(b.source) FROM market_data.bars b WHERE b.symbol = w.symbol) AS source
    FROM unnest($1::text[]) AS w (symbol)
    UNION ALL
    SELECT p.symbol, (SELECT min(b.source) FROM market_data.bars b
                      WHERE b.symbol = p.symbol AND b.source > p.source)
    FROM pairs p WHERE p.source IS NOT NULL
)
SELECT p.symbol, p.source,
       (SELECT min(b.ts) FROM market_data.bars b WHERE b.symbol = p.symbol AND b.source = p.source) AS first,
       (SELECT max(b.ts) FROM market_data.bars b
        WHERE b.symbol = p.symbol AND b.source = p.source AND b.ts <= $2) AS last
FROM pairs p WHERE p.source IS NOT NULL
"""
# The driver reads bulk results by COPY, half as fast again, but only where a statement has no parameters; so
# the values go into settings of the transaction first.
_ASK = """
SELECT set_config('panel.symbols', $1::text[]::text, true), set_config('panel.sources', $2::text[]::text, true),
       set_config('panel.low', $3::date::text, true), set_config('panel.high', $4::date::text, true)
"""
_BARS = """
SELECT (w.place - 1)::int AS place, b.ts, b.open, b.high, b.low, b.close, b.volume, b.adj_close
FROM unnest(current_setting('panel.symbols')::text[], current_setting('panel.sources')::text[])
     WITH ORDINALITY AS w (symbol, source, place)
JOIN market_data.bars b ON b.symbol = w.symbol AND b.source = w.source
WHERE b.ts BETWEEN current_setting('panel.low')::date AND current_setting('panel.high')::date
"""
# Of the versions replaced after the moment, the first replaced is the one that was in force then.
_VERSIONS = """
SELECT DISTINCT ON (w.place, b.ts)
       (w.place - 1)::int AS place, b.ts, b.open, b.high, b.low, b.close, b.volume, b.adj_close
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (symbol, source, place)
JOIN market_data.bar_revisions b ON b.symbol = w.symbol AND b.source = w.source
WHERE b.ts BETWEEN $3 AND $4 AND b.replaced_at >= $5
ORDER BY w.place, b.ts, b.replaced_at
"""


# Where a series has been restated since the moment, bars first written after it stand on the new scale while the
# versions in force then stand on the old one: together they would show a jump that never was.
_STRANGERS = """
SELECT (w.place - 1)::int AS place, b.ts
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (symbol, source, place)
JOIN market_data.bars b ON b.symbol = w.symbol AND b.source = w.source
WHERE b.ts BETWEEN $3 AND $4 AND b.recorded_at >= $5
  AND EXISTS (SELECT FROM market_data.bar_revisions r WHERE r.symbol = w.symbol AND r.source = w.source
              AND r.recorded_at < $5 AND r.replaced_at >= $5)
  AND NOT EXISTS (SELECT FROM market_data.bar_revisions r WHERE r.symbol = w.symbol AND r.source = w.source
                  AND r.ts = b.ts AND r.recorded_at < $5)
"""


def read_panel(
    store: Store,
    symbols: str | Sequence[str],
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    as_of: DateLike | None = None,
    adjust: bool = True,
    source: str | Sequence[str] | None = None,
) -> Panel:
    """Return stored daily bars as a panel, on the union of the symbols' session dates.

    Parameters
    ----------
    store
        Where from.
    symbols
        Names in the order the columns shall have.
    start, end
        First and last session wanted, both included; open where None.
    as_of
        Read what was known at the end of that day (UTC): no later session, and of every bar replaced since,
        the version in force then. A bar that was first written later, such as history filled in from the
        past, counts as known at its session date; but not where the series has been restated since, as by a
        split: old and new scale are never mixed.
    adjust
        Scale open, high, low and close by adj_close / close, so that close is the adjusted close. A symbol
        without any adj_close in the span stays as delivered; where a symbol has some, a bar without one is
        NaN, since leaving it unscaled would invent a jump. Volume is as delivered: dividends do not change
        how many shares were traded, and vendors give close and volume on the same share count.
    source
        None takes for each symbol the source with the newest bar (of equal ones the first by name); a name
        takes that one; several are tried in their order. Sources are never mixed within a symbol.

    Returns
    -------
    Panel
        NaN where a symbol has no bar or a value is unknown; `source` names the sources used.

    Raises
    ------
    DataError
        A symbol or source is unknown, the end is before the start, or the span holds no bar.

    Examples
    --------
    >>> read_panel(store, ["KO", "PEP"], start="2020-01-01", as_of="2022-06-30")  # doctest: +SKIP
    """
    wanted = [symbols] if isinstance(symbols, str) else list(symbols)
    if not wanted:
        raise DataError("No symbol was asked for. Name at least one.")
    first, last = check_span(start, end)
    known = None if as_of is None else as_date(as_of, "as_of")
    low = first if first is not None else as_date("0001-01-01")
    high = min(stamp for stamp in (last, known, as_date("9999-12-31")) if stamp is not None)
    with store.bulk() as cursor:
        offers = _offers(cursor, wanted, known)
        chosen = [_choose(symbol, offers[symbol], source) for symbol in wanted]
        where = [wanted, chosen, low.date(), max(low, high).date()]
        cursor.execute(_ASK, where)
        cursor.fetchall()
        cursor.execute(_BARS)
        tables = [cursor.fetch_arrow_table()]
        if known is not None:
            moment = (known + pd.Timedelta(days=1)).tz_localize("UTC").to_pydatetime()
            cursor.execute(_VERSIONS, [*where, moment])
            tables.append(cursor.fetch_arrow_table())
            cursor.execute(_STRANGERS, [*where, moment])
            tables = _without(tables, cursor.fetch_arrow_table())
    if high < low or tables[0].num_rows == 0:
        spans = [offers[symbol][name] for symbol, name in zip(wanted, chosen, strict=True)]
        asked = " to ".join("…" if s is None else f"{s:%Y-%m-%d}" for s in (first, last))
        raise DataError(
            f"No bars of {_some(wanted)} in {asked}{'' if known is None else f' as of {known:%Y-%m-%d}'}. "
            f"Stored: {min(s.first for s in spans)} to {max(s.last for s in spans)}."
        )
    index, values = _scatter(tables, len(wanted))
    if adjust:
        _adjust(values)
    return Panel(
        index=index,
        symbols=tuple(wanted),
        open=values["open"],
        high=values["high"],
        low=values["low"],
        close=values["close"],
        volume=values["volume"],
        source=",".join(sorted(set(chosen))),
    )


def _without(tables: Sequence[pa.Table], strangers: pa.Table) -> list[pa.Table]:
    """Return tables of bars without those named by place and day."""
    if strangers.num_rows == 0:
        return list(tables)
    return [table.join(strangers, keys=["place", "ts"], join_type="left anti") for table in tables]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


class _Span(NamedTuple):
    first: date
    last: date


def _offers(cursor: Any, wanted: Sequence[str], known: pd.Timestamp | None) -> dict[str, dict[str, _Span]]:
    """Return for each symbol the sources that have bars by then, with their first and last session."""
    until = known if known is not None else as_date("9999-12-31")
    cursor.execute(_SOURCES, [wanted, until.date()])
    offers: dict[str, dict[str, _Span]] = {symbol: {} for symbol in wanted}
    begins: dict[str, date] = {}
    for symbol, name, first, last in cursor.fetchall():
        begins[symbol] = min(first, begins.get(symbol, first))
        if last is not None:
            offers[symbol][name] = _Span(first, last)
    for symbol in wanted:
        if symbol not in begins:
            cursor.execute("SELECT DISTINCT symbol FROM market_data.bars")
            stored = [row[0] for row in cursor.fetchall()]
            raise DataError(f"No bars of {symbol!r} are stored. {nearest(symbol, stored)}")
        if not offers[symbol]:
            raise DataError(f"{symbol} has no bar up to {until:%Y-%m-%d}; its first is of {begins[symbol]}.")
    return offers


def _choose(symbol: str, offers: dict[str, _Span], source: str | Sequence[str] | None) -> str:
    """Return the source to read a symbol from: the first accepted one, or the one with the newest bar."""
    if source is None:
        return min(offers, key=lambda name: (-offers[name].last.toordinal(), name))
    accepted = [source] if isinstance(source, str) else list(source)
    for name in accepted:
        if name in offers:
            return name
    asked = " or ".join(map(repr, accepted)) or "no source"
    raise DataError(f"{symbol} has no bars from {asked}. {nearest(accepted[0] if accepted else '', offers)}")


def _scatter(tables: Sequence[pa.Table], n: int) -> tuple[pd.DatetimeIndex, dict[str, FloatArray]]:
    """Return the union calendar and [time, symbol] arrays; a later table's bars stand over an earlier one's.

    Dates become row numbers by marking the days that occur, which is linear where sorting or pivoting is not.
    """
    days = [np.asarray(table["ts"].cast(pa.int32())) for table in tables]
    origin = int(days[0].min())
    occurs = np.zeros(int(days[0].max()) - origin + 1, dtype=bool)
    occurs[days[0] - origin] = True
    row_of = np.cumsum(occurs) - 1
    shape = (int(occurs.sum()), n)
    values = {name: np.full(shape, np.nan) for name in FIELDS}
    for table, day in zip(tables, days, strict=True):
        rows, columns = row_of[day - origin], np.asarray(table["place"])
        for name, array in values.items():
            array[rows, columns] = table[name].to_numpy()
    dates = (np.flatnonzero(occurs) + origin).astype("datetime64[D]").astype("datetime64[us]")
    return pd.DatetimeIndex(dates), values


def _adjust(values: dict[str, FloatArray]) -> None:
    """Put prices on the scale of adj_close, in place, for the symbols that have one."""
    close, adjusted = values["close"].copy(), values["adj_close"]
    has = np.isfinite(adjusted).any(axis=0)
    with np.errstate(invalid="ignore"):
        factor = adjusted / close
        for name in ("open", "high", "low", "close"):
            # What equals the close must still equal it afterwards, to the last bit.
            scaled = np.where(values[name] == close, adjusted, values[name] * factor)
            values[name] = np.where(has, scaled, values[name])
