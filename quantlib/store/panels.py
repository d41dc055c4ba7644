"""Panels out of stored bars: the right versions, scattered into [time, symbol] arrays and adjusted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from psycopg import sql

from quantlib.errors import DataError, nearest
from quantlib.grades import Flag
from quantlib.store.adjust import Actions, booked_actions, find_factors
from quantlib.store.asof import NOW, AsOf, read_as_of
from quantlib.store.canonical import Series, choose_series
from quantlib.store.database import Store
from quantlib.types import PRICE_FIELDS, DateLike, FloatArray, Panel, PriceField, as_date, check_span

FIELDS = ("open", "high", "low", "close", "volume", "adj_close")
PRICES = ("open", "high", "low", "close")

# All statements of a read see one state of the database, whoever writes meanwhile.
_ONE_STATE = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
# The driver reads bulk results by COPY, half as fast again, but only where a statement has no parameters; so
# these are written out with their values, quoted by psycopg.
_NEWEST = sql.SQL("""
SELECT b.symbol, b.ts, {columns} FROM market_data.bars b
WHERE b.source = {source} AND b.symbol = ANY ({symbols}){span}
""")
_STORED_THEN = sql.SQL("""
SELECT b.symbol, b.ts, {columns}
FROM unnest({symbols}::text[], {sources}::text[], {highs}::date[], {moments}::timestamptz[])
     AS w (symbol, source, high, moment)
JOIN market_data.bars b ON b.symbol = w.symbol AND b.source = w.source
WHERE b.ts <= w.high AND b.recorded_at < w.moment{span}
UNION ALL
SELECT b.symbol, b.ts, {columns}
FROM unnest({symbols}::text[], {sources}::text[], {highs}::date[], {moments}::timestamptz[])
     AS w (symbol, source, high, moment)
JOIN market_data.bar_revisions b ON b.symbol = w.symbol AND b.source = w.source
WHERE b.ts <= w.high AND b.recorded_at < w.moment AND b.replaced_at >= w.moment{span}
""")
_SINCE, _UNTIL = sql.SQL(" AND b.ts >= {}"), sql.SQL(" AND b.ts <= {}")
# Only where the panel ends before an ex-date is the close of the session before it not in the panel itself.
_ACTIONS = """
SELECT (w.place - 1)::int AS place, a.ts, a.kind = 'split' AS split, a.value,
       CASE WHEN a.ts > $6 THEN (
           SELECT v.close
           FROM ((SELECT b.ts, b.close FROM market_data.bars b
                  WHERE b.symbol = w.symbol AND b.source = w.source AND b.ts < a.ts AND b.recorded_at < w.moment
                  ORDER BY b.ts DESC LIMIT 1)
                 UNION ALL
                 (SELECT r.ts, r.close FROM market_data.bar_revisions r
                  WHERE r.symbol = w.symbol AND r.source = w.source AND r.ts < a.ts
                    AND r.recorded_at < w.moment AND r.replaced_at >= w.moment
                  ORDER BY r.ts DESC LIMIT 1)) v
           ORDER BY v.ts DESC LIMIT 1) END AS before
FROM unnest($1::text[], $2::text[], $3::date[], $4::timestamptz[])
     WITH ORDINALITY AS w (symbol, source, last, moment, place)
JOIN market_data.actions a ON a.symbol = w.symbol AND a.source = w.source
WHERE a.ts > $5 AND a.ts <= w.last
  AND a.recorded_at < w.moment AND (a.replaced_at IS NULL OR a.replaced_at >= w.moment)
ORDER BY w.place, a.ts, a.kind
"""
# Of a series recorded then, the doubts that had been found; of one whose past is put together, all there are.
_FLAGS = """
SELECT g.ts, g.symbol, g.grade, g.reason
FROM unnest($1::text[], $2::text[], $3::date[], $4::timestamptz[]) AS w (symbol, source, high, found)
JOIN market_data.bar_grades g ON g.symbol = w.symbol AND g.source = w.source
WHERE g.ts BETWEEN $5 AND $6 AND g.ts <= w.high AND g.found_at < w.found
"""


def read_panel(
    store: Store,
    symbols: str | Sequence[str],
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    as_of: AsOf | None = None,
    adjust: bool = True,
    actions: bool = False,
    source: str | Sequence[str] | None = None,
    fields: Sequence[PriceField] = PRICE_FIELDS,
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
        Read what was known at the end of that day (UTC), or at a moment with its zone. For a series that was
        recorded by then, that is exactly what was stored then: bars, actions and all; nothing written later
        changes it. For a series first recorded later, the past is put together: its sessions up to that day,
        as they stood when all of them were first stored.
    adjust
        Put open, high, low and close on the scale of the last session known: by the dividends (and, where
        prices are as traded, the splits with the volume) of a source that delivers them, up to the last
        session known, even if the panel ends earlier; else by adj_close / close of the vendor, where a bar
        without an adj_close is NaN if its symbol has others, since leaving it unscaled would invent a jump.
        Prices without either stay as delivered. See `quantlib.store.adjust`.
    actions
        Leave prices as delivered and give what a holder gets beside them, for a backtest to book in the account:
        `extra["split"]`, new shares for one old (1 where none, or where the prices contain splits already), and
        `extra["dividend"]` per share after the split. Not together with `adjust`.
    source
        None takes each symbol's canonical source (`quantlib.store.canonical`); a name takes that one; several
        are tried in their order. Sources are never mixed within a symbol.
    fields
        What is needed, and quicker to read than everything; the close is always there, the others are NaN, as if
        unknown.

    Returns
    -------
    Panel
        NaN where a symbol has no bar or a value is unknown; `source` names the sources used, `flags` the doubts
        about them in the span.

    Raises
    ------
    DataError
        `actions` are asked for beside adjusted prices, or of a source that does not deliver them.
        A symbol or source is unknown, the end is before the start, `as_of` is a time without a zone, or the
        span holds no bar.

    Examples
    --------
    >>> read_panel(store, ["KO", "PEP"], start="2020-01-01", as_of="2022-06-30")  # doctest: +SKIP
    """
    wanted = [symbols] if isinstance(symbols, str) else list(symbols)
    if not wanted:
        raise DataError("No symbol was asked for. Name at least one.")
    if adjust and actions:
        raise DataError("Adjusted prices contain dividends and splits already. Ask for actions with adjust=False.")
    first, last = check_span(start, end)
    if unknown := [name for name in fields if name not in PRICE_FIELDS]:
        raise DataError(f"A bar has no field {unknown[0]!r}. {nearest(unknown[0], PRICE_FIELDS)}")
    wants = {*fields, "close"} | ({"adj_close"} if adjust else set())
    columns = [name for name in FIELDS if name in wants]
    known = read_as_of(as_of)
    low = (first if first is not None else as_date("0001-01-01")).date()
    high = min(known.day, NOW.day if last is None else last.date())
    with store.bulk() as cursor:
        cursor.execute(_ONE_STATE)
        series = choose_series(cursor, wanted, source, known)
        bars = _read_bars(cursor, series, columns, low, high, newest=known == NOW)
        if bars.num_rows == 0:
            asked = " to ".join("…" if s is None else f"{s:%Y-%m-%d}" for s in (first, last))
            raise DataError(
                f"No bars of {_some(wanted)} in {asked}{'' if as_of is None else f' as of {as_of}'}. Stored: "
                f"{min(one.offer.first for one in series)} to {max(one.offer.last for one in series)}."
            )
        days, values = _scatter(bars, wanted)
        if actions:
            _check_actions(series)
        happened = _read_actions(cursor, series, days) if adjust or actions else None
        found = [one.offer.before if one.offer.live else NOW.before for one in series]
        highs = [one.offer.high for one in series]
        cursor.execute(_FLAGS, [wanted, [one.source for one in series], highs, found, low, high])
        flags = [Flag(pd.Timestamp(ts), *rest) for ts, *rest in cursor.fetchall()]
    extra = {}
    if adjust and happened is not None:
        flags += _adjust(days, values, series, happened)
    elif happened is not None:
        extra = dict(zip(("split", "dividend"), booked_actions(days, len(wanted), happened, _raw(series)), strict=True))
    unasked = np.broadcast_to(np.nan, values["close"].shape)
    return Panel(
        index=pd.DatetimeIndex(days.astype("datetime64[D]").astype("datetime64[us]")),
        symbols=tuple(wanted),
        open=values.get("open", unasked),
        high=values.get("high", unasked),
        low=values.get("low", unasked),
        close=values["close"],
        volume=values.get("volume", unasked),
        source=",".join(sorted({one.source for one in series})),
        extra=extra,
        flags=tuple(flags),
    )


def _check_actions(series: Sequence[Series]) -> None:
    """Refuse sources that do not say what was paid: a holder's money would be missing without a word."""
    if lacking := [one for one in series if not one.offer.has_actions or one.offer.price_scale == "adjusted"]:
        named = ", ".join(f"{one.symbol} ({one.source})" for one in lacking[:3])
        raise DataError(
            f"There are no dividends and splits of {named}{' and others' if len(lacking) > 3 else ''}. Read adjusted "
            "prices, or ingest a source that delivers actions; docs/data.md says which."
        )


def _raw(series: Sequence[Series]) -> NDArray[np.bool_]:
    """Return by symbol whether its prices are as traded, before any split."""
    return np.array([one.offer.price_scale == "raw" for one in series])


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _read_bars(
    cursor: Any, series: Sequence[Series], columns: Sequence[str], low: date, high: date, *, newest: bool
) -> pa.Table:
    """Return the bars of each symbol's source in the state its offer names; quicker where that is the newest."""
    bounds = [_SINCE.format(low)] * (low > date.min) + [_UNTIL.format(high)] * (high < date.max)
    span = {"columns": sql.SQL(", ").join(sql.Identifier("b", name) for name in columns), "span": sql.Composed(bounds)}
    if newest:
        symbols: dict[str, list[str]] = {}
        for one in series:
            symbols.setdefault(one.source, []).append(one.symbol)
        asked = [_NEWEST.format(source=source, symbols=names, **span) for source, names in symbols.items()]
    else:
        asked = [
            _STORED_THEN.format(
                symbols=[one.symbol for one in series],
                sources=[one.source for one in series],
                highs=[one.offer.high for one in series],
                moments=[one.offer.before for one in series],
                **span,
            )
        ]
    tables = []
    for statement in asked:
        cursor.execute(statement.as_string())
        tables.append(cursor.fetch_arrow_table())
    return pa.concat_tables(tables)


def _scatter(bars: pa.Table, symbols: Sequence[str]) -> tuple[NDArray[np.int64], dict[str, FloatArray]]:
    """Return the union calendar as day numbers, and [time, symbol] arrays of the columns there are.

    Dates become row numbers by marking the days that occur, which is linear where sorting or pivoting is not.
    """
    day = bars["ts"].cast(pa.int32()).to_numpy()
    origin = int(day.min())
    occurs = np.zeros(int(day.max()) - origin + 1, dtype=bool)
    occurs[day - origin] = True
    rows, columns = (np.cumsum(occurs) - 1)[day - origin], pc.index_in(bars["symbol"], pa.array(symbols)).to_numpy()
    cells = rows * len(symbols) + columns
    values = {}
    for name in set(FIELDS).intersection(bars.column_names):
        values[name] = np.full((int(occurs.sum()), len(symbols)), np.nan)
        values[name].reshape(-1)[cells] = bars[name].to_numpy()
    return np.flatnonzero(occurs) + origin, values


def _read_actions(cursor: Any, series: Sequence[Series], days: NDArray[np.int64]) -> Actions:
    """Return the actions known then, of the symbols that are adjusted by them, up to their last session known."""
    places = [i for i, one in enumerate(series) if one.offer.has_actions and one.offer.price_scale != "adjusted"]
    if not places:
        none, no = np.zeros(0, dtype=np.int64), np.zeros(0)
        return Actions(none, none, np.zeros(0, dtype=bool), no, no)
    first, last = (pd.Timestamp(np.datetime64(int(days[i]), "D")).date() for i in (0, -1))
    asked = [series[i] for i in places]
    cursor.execute(
        _ACTIONS,
        [
            [one.symbol for one in asked],
            [one.source for one in asked],
            [one.offer.last for one in asked],
            [one.offer.before for one in asked],
            first,
            last,
        ],
    )
    table = cursor.fetch_arrow_table()
    return Actions(
        place=np.asarray(places, dtype=np.int64)[table["place"].to_numpy()],
        day=table["ts"].cast(pa.int32()).to_numpy().astype(np.int64),
        split=np.asarray(table["split"].to_numpy(zero_copy_only=False), dtype=bool),
        value=table["value"].to_numpy(),
        before=table["before"].to_numpy().astype(np.float64),
    )


def _adjust(
    days: NDArray[np.int64], values: dict[str, FloatArray], series: Sequence[Series], actions: Actions
) -> list[Flag]:
    """Adjust the arrays in place; return what could not be adjusted for."""
    _adjust_by_closes(values, [not one.offer.has_actions for one in series], actions)
    if not len(actions.value):
        return []
    raw = _raw(series)
    factors = find_factors(days, values["close"], actions, raw)
    for name in values.keys() & set(PRICES):
        values[name] *= factors.prices
    if "volume" in values and actions.split.any() and raw.any():
        values["volume"] *= factors.shares
    return [
        Flag(
            pd.Timestamp(np.datetime64(int(actions.day[i]), "D")),
            series[actions.place[i]].symbol,
            "suspect",
            f"a dividend of {actions.value[i]:g} is not below the close before it; prices are not adjusted by it",
        )
        for i in factors.refused
    ]


def _adjust_by_closes(values: dict[str, FloatArray], without_actions: Sequence[bool], actions: Actions) -> None:
    """Put prices on the scale of adj_close, in place, for the symbols that have one and no actions.

    A source with actions may have bars of the time before it had any: those that have an adj_close throughout.
    """
    close, adjusted = values["close"], values["adj_close"]
    has = np.isfinite(adjusted)
    partly = np.asarray(without_actions) & has.any(axis=0)
    wholly = (has | np.isnan(close)).all(axis=0) & has.any(axis=0)
    wholly &= ~np.isin(np.arange(close.shape[1]), actions.place)
    columns = np.flatnonzero(partly | wholly)
    if not len(columns):
        return
    with np.errstate(invalid="ignore"):
        factor = adjusted / close
        for name in values.keys() & {"open", "high", "low"}:
            # What equals the close must still equal it afterwards, to the last bit.
            scaled = np.where(values[name] == close, adjusted, values[name] * factor)
            values[name][:, columns] = scaled[:, columns]
    close[:, columns] = adjusted[:, columns]
