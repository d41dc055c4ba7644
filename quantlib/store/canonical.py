"""The canonical series: which source a symbol is read from, and what of it was known when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from quantlib.errors import DataError, nearest
from quantlib.store.asof import TICK, Bounds

FRESH_DAYS = 10
"""A source whose last bar is older than the newest of the symbol by more than this is out of date."""

# Each symbol's sources are found by hopping along the primary key, a few index reads instead of a scan. A bar is
# never taken away, so what was stored by a moment is what was first recorded by then.
_OFFERS = """
WITH RECURSIVE pairs AS (
    SELECT w.symbol, (SELECT min(b.source) FROM market_data.bars b WHERE b.symbol = w.symbol) AS source
    FROM unnest($1::text[]) AS w (symbol)
    UNION ALL
    SELECT p.symbol, (SELECT min(b.source) FROM market_data.bars b
                      WHERE b.symbol = p.symbol AND b.source > p.source)
    FROM pairs p WHERE p.source IS NOT NULL
), series AS MATERIALIZED (
    SELECT p.symbol, p.source,
           EXISTS (SELECT FROM market_data.bars b
                   WHERE b.symbol = p.symbol AND b.source = p.source AND b.recorded_at < $2)
        OR EXISTS (SELECT FROM market_data.bar_revisions r
                   WHERE r.symbol = p.symbol AND r.source = p.source AND r.recorded_at < $2) AS live
    FROM pairs p WHERE p.source IS NOT NULL
)
SELECT p.symbol, p.source,
       (SELECT min(b.ts) FROM market_data.bars b WHERE b.symbol = p.symbol AND b.source = p.source) AS first,
       CASE WHEN p.live THEN
           (SELECT b.ts FROM market_data.bars b
            WHERE b.symbol = p.symbol AND b.source = p.source AND b.ts <= $3
              AND (b.recorded_at < $2 OR EXISTS (
                   SELECT FROM market_data.bar_revisions r
                   WHERE r.symbol = b.symbol AND r.source = b.source AND r.ts = b.ts AND r.recorded_at < $2))
            ORDER BY b.ts DESC LIMIT 1)
       ELSE
           (SELECT max(b.ts) FROM market_data.bars b
            WHERE b.symbol = p.symbol AND b.source = p.source AND b.ts <= $4)
       END AS last,
       p.live, s.priority, coalesce(s.price_scale, ''), coalesce(s.has_actions, false)
FROM series p LEFT JOIN market_data.sources s USING (source)
"""
# The first moment at which all was stored that happened by a day: before it there is no state of the series to
# read, and mixing versions of several moments would mix the scales before and after a split.
_FIRST_WHOLE = """
SELECT greatest(
    (SELECT max(coalesce(v.first, b.recorded_at))
     FROM market_data.bars b
     LEFT JOIN (SELECT r.ts, min(r.recorded_at) AS first FROM market_data.bar_revisions r
                WHERE r.symbol = w.symbol AND r.source = w.source GROUP BY r.ts) v USING (ts)
     WHERE b.symbol = w.symbol AND b.source = w.source AND b.ts <= $3),
    (SELECT max(v.first)
     FROM (SELECT min(a.recorded_at) AS first FROM market_data.actions a
           WHERE a.symbol = w.symbol AND a.source = w.source AND a.ts <= $3 GROUP BY a.ts, a.kind) v))
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (symbol, source, place)
ORDER BY w.place
"""


class Offer(NamedTuple):
    """A source that has bars of a symbol.

    Attributes
    ----------
    first
        First session stored, by now.
    last
        Last session known then.
    live
        Whether the series was being recorded then; else its past is put together from what was recorded later.
    priority
        Of sources that are as fresh, the lowest is canonical; None where nobody described the source.
    price_scale
        What its prices contain; empty where nobody said.
    has_actions
        Whether prices are adjusted by its dividends and splits.
    """

    first: date
    last: date
    live: bool
    priority: int | None
    price_scale: str
    has_actions: bool


class Series(NamedTuple):
    """A symbol's chosen source, and the state of it to be read.

    Attributes
    ----------
    before
        Versions recorded before this and not replaced before it are read.
    high
        Last day to be read.
    """

    symbol: str
    source: str
    offer: Offer
    before: datetime
    high: date


def choose_series(
    cursor: Any, wanted: Sequence[str], source: str | Sequence[str] | None, known: Bounds
) -> list[Series]:
    """Return for each symbol where it is read from and in which state.

    Parameters
    ----------
    cursor
        Inside a transaction.
    wanted
        Symbols.
    source
        As `read_panel` takes it.
    known
        What was known then.

    Raises
    ------
    DataError
        A symbol, or a source for it, is unknown, or has no bar by then.
    """
    offers = _offers(cursor, wanted, known)
    chosen = [choose(symbol, offers[symbol], source) for symbol in wanted]
    series = [Series(s, name, offers[s][name], known.before, known.day) for s, name in zip(wanted, chosen, strict=True)]
    late = [one for one in series if not one.offer.live]
    if not late:
        return series
    cursor.execute(_FIRST_WHOLE, [[one.symbol for one in late], [one.source for one in late], known.whole])
    states = {one: row[0] + TICK for one, row in zip(late, cursor.fetchall(), strict=True)}
    return [one._replace(before=states[one], high=known.whole) if one in states else one for one in series]


def _offers(cursor: Any, wanted: Sequence[str], known: Bounds) -> dict[str, dict[str, Offer]]:
    cursor.execute(_OFFERS, [list(wanted), known.before, known.day, known.whole])
    offers: dict[str, dict[str, Offer]] = {symbol: {} for symbol in wanted}
    begins: dict[str, date] = {}
    for symbol, name, first, last, *rest in cursor.fetchall():
        begins[symbol] = min(first, begins.get(symbol, first))
        if last is not None:
            offers[symbol][name] = Offer(first, last, *rest)
    for symbol in wanted:
        if symbol not in begins:
            cursor.execute("SELECT DISTINCT symbol FROM market_data.bars")
            stored = [row[0] for row in cursor.fetchall()]
            raise DataError(f"No bars of {symbol!r} are stored. {nearest(symbol, stored)}")
        if not offers[symbol]:
            raise DataError(f"{symbol} has no bar up to {known.day:%Y-%m-%d}; its first is of {begins[symbol]}.")
    return offers


def choose(symbol: str, offers: Mapping[str, Offer], source: str | Sequence[str] | None) -> str:
    """Return the source to read a symbol from: the first accepted one, or the canonical one.

    Canonical is, among the sources whose last bar is at most `FRESH_DAYS` older than the newest, the one with
    the lowest priority number; those nobody described come last, and of equal ones the first by name. Sources
    first recorded later take part only where none was recorded then: loading another vendor's history must not
    change what an earlier day reads. The view `market_data.canonical_bars` chooses likewise.

    Raises
    ------
    DataError
        None of those accepted has the symbol.
    """
    if source is None:
        live = {name for name, offer in offers.items() if offer.live} or set(offers)
        newest = max(offers[name].last.toordinal() for name in live)
        fresh = [name for name in live if newest - offers[name].last.toordinal() <= FRESH_DAYS]
        return min(fresh, key=lambda name: (offers[name].priority is None, offers[name].priority or 0, name))
    accepted = [source] if isinstance(source, str) else list(source)
    for name in accepted:
        if name in offers:
            return name
    asked = " or ".join(map(repr, accepted)) or "no source"
    raise DataError(f"{symbol} has no bars from {asked}. {nearest(accepted[0] if accepted else '', offers)}")
