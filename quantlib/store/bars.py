"""Daily bars: the check at the door, the write that keeps what it replaces, and what there is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import adbc_driver_manager
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from quantlib.errors import DataError, nearest
from quantlib.store.counts import WriteCount, check_moment
from quantlib.store.database import Store
from quantlib.store.turns import BARS, Turn, take_turn
from quantlib.types import BAR_COLUMNS

PRICES = ("open", "high", "low", "close", "adj_close")
NUMBERS = ("open", "high", "low", "close", "volume", "adj_close")
TOLERANCE = 1e-6
"""How far, relative to the price, open and close may lie outside low and high: vendors round."""
_SYMBOL = r"[A-Za-z0-9.^=_-]{1,32}"
_DAY = r"^(\d{4}-\d{2}-\d{2}|\d{8})(?:[T ](\S+))?$"
_MIDNIGHT = r"00:00(?::00(?:\.0+)?)?(?:Z|[+-]\d{2}:?\d{2})?"


def check_bars(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the bars that can be stored, and those that cannot with the reason.

    A row is rejected for the first of these that holds: a symbol or source that is no name; a date that is
    missing, unreadable or has a time of day; a value that is no number or infinite; no close; a price not
    above zero; a negative volume; a high below the low; an open or close outside low and high; a second
    identical row (the first is kept); a row that contradicts another of the same symbol, date and source
    (none is kept). Open, high, low, volume and adj_close may be NaN: unknown.

    Parameters
    ----------
    frame
        Columns `quantlib.types.BAR_COLUMNS`, in any order.

    Returns
    -------
    good
        Columns in the order of `BAR_COLUMNS`, `ts` as datetime64[us], numbers as float64; sorted by symbol,
        source and date.
    rejected
        The rows as they came, under their index, with a column `reason`.

    Raises
    ------
    DataError
        A column is missing or unknown.
    """
    if missing := [name for name in BAR_COLUMNS if name not in frame.columns]:
        raise DataError(
            f"Bars lack the column {missing[0]}. Needed: {', '.join(BAR_COLUMNS)}; came: "
            f"{', '.join(map(str, frame.columns)) or 'none'}."
        )
    if unknown := [name for name in frame.columns if name not in BAR_COLUMNS]:
        raise DataError(f"Bars have a column {unknown[0]!r} nobody knows. {nearest(str(unknown[0]), BAR_COLUMNS)}")
    reason = np.full(len(frame), "", dtype=object)

    def reject(rows: NDArray[np.bool_], why: str) -> None:
        reason[(reason == "") & rows] = why

    symbol, source = _names(frame["symbol"]), _names(frame["source"])
    reject(~symbol.str.fullmatch(_SYMBOL).to_numpy(dtype=bool), "symbol is not a name")
    reject(~source.str.fullmatch(_SYMBOL).to_numpy(dtype=bool), "source is not a name")
    day, timed = _days(frame["ts"])
    reject(timed, "ts has a time of day, a daily bar has its session date")
    reject(day.isna().to_numpy(), "date is missing or unreadable")
    numbers: dict[str, NDArray[np.float64]] = {}
    for name in NUMBERS:
        numbers[name] = _floats(frame[name])
        reject(np.isnan(numbers[name]) & frame[name].notna().to_numpy(), f"{name} is not a number")
        reject(np.isinf(numbers[name]), f"{name} is infinite")
    reject(np.isnan(numbers["close"]), "no close")
    for name in PRICES:
        reject(numbers[name] <= 0, f"{name} is not above zero")
    reject(numbers["volume"] < 0, "volume is negative")
    with np.errstate(over="ignore"):
        low, high = numbers["low"] * (1 - TOLERANCE), numbers["high"] * (1 + TOLERANCE)
    reject(high < low, "high is below low")
    for name in ("open", "close"):
        reject((numbers[name] < low) | (numbers[name] > high), f"{name} is outside low and high")

    clean = pd.DataFrame({"symbol": symbol, "ts": day, **numbers, "source": source})[list(BAR_COLUMNS)]
    sound = clean[reason == ""]
    again = sound.duplicated(keep="first")
    conflicting = sound.drop(index=sound.index[again]).duplicated(["symbol", "ts", "source"], keep=False)
    keys = pd.MultiIndex.from_frame(sound[["symbol", "ts", "source"]])
    contradicted = keys.isin(keys[~again.to_numpy()][conflicting.to_numpy()])
    rows = np.flatnonzero(reason == "")
    reason[rows[contradicted]] = "contradicts another row of the same symbol, date and source"
    reason[rows[again.to_numpy() & ~contradicted]] = "duplicate of a row that was kept"

    good = clean[reason == ""].sort_values(["symbol", "source", "ts"], ignore_index=True)
    rejected = frame[reason != ""].assign(reason=pd.array(reason[reason != ""], dtype="str"))
    return good, rejected


def _names(column: pd.Series) -> pd.Series:
    """Return text as `str`, and an empty name for what is not text: a bool read from TRUE is no symbol."""
    if not isinstance(column.dtype, pd.StringDtype):
        column = column.map(lambda value: value if isinstance(value, str) else "")
    return column.astype("str").fillna("").reset_index(drop=True)


def _days(column: pd.Series) -> tuple[pd.Series, NDArray[np.bool_]]:
    """Return session dates (NaT where unreadable) and which values had a time of day."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_localize(None)  # midnight where the market is
    if column.dtype.kind == "M":
        days = column.dt.as_unit("us").reset_index(drop=True)
        return days, (days.notna() & (days != days.dt.normalize())).to_numpy()
    parts = column.astype("str").reset_index(drop=True).str.strip().str.extract(_DAY)
    timed = parts[1].notna() & ~parts[1].str.fullmatch(_MIDNIGHT).fillna(value=False).astype(bool)
    text = parts[0].str.replace("-", "")
    return pd.to_datetime(text, format="%Y%m%d", errors="coerce").dt.as_unit("us"), timed.to_numpy(dtype=bool)


def _floats(column: pd.Series) -> NDArray[np.float64]:
    if column.dtype.kind not in "fiu" or not isinstance(column.dtype, np.dtype):
        column = pd.to_numeric(column, errors="coerce")
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


# The driver reads bulk results by COPY, half as fast again, but only where a statement has no parameters; so
# the values go into settings of the transaction first.
_ASK = """
SELECT set_config('write.symbols', $1::text[]::text, true), set_config('write.sources', $2::text[]::text, true),
       set_config('write.firsts', $3::date[]::text, true), set_config('write.lasts', $4::date[]::text, true),
       set_config('write.low', $5::date::text, true), set_config('write.high', $6::date::text, true)
"""
# The last condition lets TimescaleDB leave out the chunks a delivery does not reach.
_STORED = """
SELECT (w.place - 1)::int AS place, b.ts, b.open, b.high, b.low, b.close, b.volume, b.adj_close
FROM unnest(current_setting('write.symbols')::text[], current_setting('write.sources')::text[],
            current_setting('write.firsts')::date[], current_setting('write.lasts')::date[])
     WITH ORDINALITY AS w (symbol, source, first, last, place)
JOIN market_data.bars b ON b.symbol = w.symbol AND b.source = w.source AND b.ts BETWEEN w.first AND w.last
WHERE b.ts BETWEEN current_setting('write.low')::date AND current_setting('write.high')::date
"""
_CHANGED = """
CREATE TEMP TABLE changed_bars (
    symbol text NOT NULL, ts date NOT NULL, open double precision, high double precision, low double precision,
    close double precision, volume double precision, adj_close double precision, source text NOT NULL
) ON COMMIT DROP
"""
_KEEP_OLD = """
INSERT INTO market_data.bar_revisions
      (symbol, source, ts, open, high, low, close, volume, adj_close, recorded_at, replaced_at)
SELECT b.symbol, b.source, b.ts, b.open, b.high, b.low, b.close, b.volume, b.adj_close, b.recorded_at, $1
FROM market_data.bars b
JOIN changed_bars c ON b.symbol = c.symbol AND b.source = c.source AND b.ts = c.ts AND b.ts BETWEEN $2 AND $3
ON CONFLICT DO NOTHING
"""
_REPLACE = """
UPDATE market_data.bars b
SET open = c.open, high = c.high, low = c.low, close = c.close, volume = c.volume, adj_close = c.adj_close,
    recorded_at = $1
FROM changed_bars c
WHERE b.symbol = c.symbol AND b.source = c.source AND b.ts = c.ts AND b.ts BETWEEN $2 AND $3
"""
_SERIES = """
INSERT INTO market_data.bar_series AS s (symbol, source, first, last, bars, first_recorded_at, recorded_at)
SELECT w.symbol, w.source, w.first, w.last, w.bars, $6, $6
FROM unnest($1::text[], $2::text[], $3::date[], $4::date[], $5::integer[]) AS w (symbol, source, first, last, bars)
ON CONFLICT (symbol, source) DO UPDATE
SET first = least(s.first, excluded.first), last = greatest(s.last, excluded.last), bars = s.bars + excluded.bars,
    first_recorded_at = least(s.first_recorded_at, excluded.first_recorded_at),
    recorded_at = greatest(s.recorded_at, excluded.recorded_at)
"""


def write_bars(
    store: Store, good: pd.DataFrame, *, at: datetime | None = None, within: Turn | None = None
) -> WriteCount:
    """Return how many bars were new, changed and unchanged, having stored them all or none.

    A row that differs from the stored one replaces it; the old version is kept in
    `market_data.bar_revisions` with the time it was replaced. A row that is stored just so is not touched.
    Writers take turns, so any number may write the same rows at once.

    Parameters
    ----------
    store
        Where to.
    good
        The first result of `check_bars`.
    at
        Time stamped on the rows, with its zone; the server's clock if None.
    within
        The turn (`quantlib.store.turns`) that this write is a part of; one of its own if None.

    Raises
    ------
    DataError
        The frame has not been through `check_bars`, or `at` has no zone.
    """
    if tuple(good.columns) != BAR_COLUMNS:
        raise DataError(
            f"Bars to write have the columns {', '.join(map(str, good.columns))}. Pass what check_bars returned first."
        )
    check_moment(at)
    if good.empty:
        return WriteCount()
    incoming = _Incoming(good)
    try:
        with take_turn(store, BARS, at=at, within=within) as turn:
            cursor, stamp = turn.cursor, turn.at
            cursor.execute(_ASK, incoming.reach())
            cursor.fetchall()
            cursor.execute(_STORED)
            new, changed = incoming.compare(cursor.fetch_arrow_table())
            if changed.any():
                span = [stamp, *incoming.span]
                cursor.execute(_CHANGED)
                cursor.adbc_ingest("changed_bars", _to_arrow(good[changed]), mode="append", temporary=True)
                cursor.execute("ANALYZE changed_bars")  # or the planner reads all bars to update a few
                cursor.execute(_KEEP_OLD, span)
                cursor.execute(_REPLACE, span)
                cursor.execute("DROP TABLE changed_bars")  # another write of the same turn may need one
            if new.any():
                table = _to_arrow(good if new.all() else good[new])
                stamps = pa.repeat(pa.scalar(stamp, pa.timestamp("us", tz="UTC")), table.num_rows)
                table = table.append_column("recorded_at", stamps)
                cursor.adbc_ingest("bars", table, mode="append", db_schema_name="market_data")
            if (written := new | changed).any():
                cursor.execute(_SERIES, [*incoming.series(written, counted=new), stamp])
    except adbc_driver_manager.Error as error:
        if str(error.sqlstate or "")[:2] not in {"21", "22", "23"}:
            raise
        text = next((line for line in str(error).splitlines() if line.strip()), "")
        raise DataError(f"The bars break a rule of the table ({text}). Pass them through check_bars first.") from None
    n_new, n_changed = int(new.sum()), int(changed.sum())
    return WriteCount(n_new, n_changed, len(good) - n_new - n_changed)


class _Incoming:
    """Bars to be written, by number of their series and day, to be compared with stored ones."""

    def __init__(self, good: pd.DataFrame) -> None:
        self._day = good["ts"].to_numpy().astype("datetime64[D]").astype(np.int64)
        symbol, symbols = pd.factorize(good["symbol"])
        source, sources = pd.factorize(good["source"])
        pairs, self._place = np.unique(symbol * len(sources) + source, return_inverse=True)
        self._symbols = [str(symbols[i]) for i in pairs // len(sources)]
        self._sources = [str(sources[i]) for i in pairs % len(sources)]
        self._values = {name: good[name].to_numpy() for name in NUMBERS}
        self.span = [good["ts"].min().date(), good["ts"].max().date()]

    def reach(self) -> list[Any]:
        """Return symbol, source, first and last day of every series, then first and last day of all."""
        rows = np.ones(len(self._place), dtype=bool)
        return [*self.series(rows, counted=rows)[:4], *self.span]

    def series(self, rows: NDArray[np.bool_], *, counted: NDArray[np.bool_]) -> list[list[Any]]:
        """Return symbol, source, first and last day of the rows of every series that has some, and how many count."""
        first = np.full(len(self._symbols), np.iinfo(np.int64).max)
        last = np.full(len(self._symbols), np.iinfo(np.int64).min)
        np.minimum.at(first, self._place[rows], self._day[rows])
        np.maximum.at(last, self._place[rows], self._day[rows])
        there = np.flatnonzero(first <= last)
        days = [array[there].astype("datetime64[D]").astype(object).tolist() for array in (first, last)]
        counts = np.bincount(self._place[counted], minlength=len(self._symbols))[there].tolist()
        return [[self._symbols[i] for i in there], [self._sources[i] for i in there], *days, counts]

    def compare(self, stored: pa.Table) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which rows are new, and which differ from what is stored; unknown equals unknown.

        Raises
        ------
        DataError
            Two rows are of the same series and day.
        """
        first = int(self._day.min())
        width = int(self._day.max()) - first + 1
        keys = self._place * width + (self._day - first)
        if len(np.unique(keys)) != len(keys):
            raise DataError("Two bars are of the same symbol, source and day. Pass them through check_bars first.")
        there = np.asarray(stored["place"], dtype=np.int64) * width
        there += np.asarray(stored["ts"].cast(pa.int32()), dtype=np.int64) - first
        order = np.argsort(there, kind="stable")
        at = np.searchsorted(there, keys, sorter=order)
        found = at < len(there)
        found[found] = there[order[at[found]]] == keys[found]
        rows = order[at[found]]
        differs = np.zeros(len(rows), dtype=bool)
        for name, values in self._values.items():
            ours, theirs = values[found], stored[name].to_numpy()[rows]
            differs |= (ours != theirs) & ~(np.isnan(ours) & np.isnan(theirs))
        changed = np.zeros(len(keys), dtype=bool)
        changed[found] = differs
        return ~found, changed


def _to_arrow(good: pd.DataFrame) -> pa.Table:
    """Return the frame as Arrow columns; NaN becomes null, which SQL can compare."""
    columns = {}
    for name in BAR_COLUMNS:
        kind = pa.date32() if name == "ts" else pa.string() if name in {"symbol", "source"} else pa.float64()
        values = good[name].to_numpy().astype("datetime64[D]") if name == "ts" else good[name]
        columns[name] = pa.array(values, type=kind, from_pandas=True)
    return pa.table(columns)


def coverage(store: Store) -> pd.DataFrame:
    """Return what bars there are: one row per symbol and source, sorted.

    Returns
    -------
    DataFrame
        `symbol`, `source`, `first` and `last` session, number of `bars`, `recorded_at` of the newest write.
    """
    with store.bulk() as cursor:
        cursor.execute(
            "SELECT symbol, source, first, last, bars::bigint AS bars, recorded_at "
            "FROM market_data.bar_series ORDER BY symbol, source"
        )
        table = cursor.fetch_arrow_table()
    frame: pd.DataFrame = table.to_pandas(date_as_object=False)
    return frame.astype({"symbol": "str", "source": "str", "first": "datetime64[us]", "last": "datetime64[us]"})
