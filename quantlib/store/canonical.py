"""The canonical series: which source a symbol is read from, and what of it was known when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from quantlib.errors import DataError, nearest
from quantlib.store.asof import NOW, Bounds

FRESH_DAYS = 10
"""A source whose last bar is older than the newest of the symbol by more than this is out of date."""
LONG_DAYS = 365
"""A source with bars over fewer days than this, and over less than half the days of another, has too few."""

_NEWEST = """
SELECT p.symbol, p.source, p.first, p.first, p.last, true, $2::timestamptz, $3::date,
       s.priority, coalesce(s.price_scale, ''), coalesce(s.has_actions, false)
FROM market_data.bar_series p LEFT JOIN market_data.sources s USING (source)
WHERE p.symbol = ANY ($1)
"""
# A bar is never taken away, so what was stored by a moment is what was first recorded by then. A series that was not
# yet recorded is read as it stood when the first of its bars up to that day was: whatever is written afterwards has a
# later stamp, so it changes nothing, and as all is of one moment, scales before and after a split never mix.
_THEN = """
WITH states AS MATERIALIZED (
    SELECT p.symbol, p.source, p.first AS begin, p.first_recorded_at < $2 AS live,
           CASE WHEN p.first_recorded_at < $2 THEN $3::date ELSE $4::date END AS high,
           CASE WHEN p.first_recorded_at < $2 THEN $2::timestamptz ELSE interval '1 microsecond' + least(
               (SELECT min(b.recorded_at) FROM market_data.bars b
                WHERE b.symbol = p.symbol AND b.source = p.source AND b.ts <= $4),
               (SELECT min(r.recorded_at) FROM market_data.bar_revisions r
                WHERE r.symbol = p.symbol AND r.source = p.source AND r.ts <= $4)) END AS before
    FROM market_data.bar_series p WHERE p.symbol = ANY ($1)
)
SELECT p.symbol, p.source, p.begin,
       least((SELECT b.ts FROM market_data.bars b
              WHERE b.symbol = p.symbol AND b.source = p.source AND b.ts <= p.high AND b.recorded_at < p.before
              ORDER BY b.ts LIMIT 1),
             (SELECT r.ts FROM market_data.bar_revisions r
              WHERE r.symbol = p.symbol AND r.source = p.source AND r.ts <= p.high AND r.recorded_at < p.before
              ORDER BY r.ts LIMIT 1)) AS first,
       greatest((SELECT b.ts FROM market_data.bars b
                 WHERE b.symbol = p.symbol AND b.source = p.source AND b.ts <= p.high AND b.recorded_at < p.before
                 ORDER BY b.ts DESC LIMIT 1),
                (SELECT r.ts FROM market_data.bar_revisions r
                 WHERE r.symbol = p.symbol AND r.source = p.source AND r.ts <= p.high AND r.recorded_at < p.before
                 ORDER BY r.ts DESC LIMIT 1)) AS last,
       p.live, p.before, p.high, s.priority, coalesce(s.price_scale, ''), coalesce(s.has_actions, false)
FROM states p LEFT JOIN market_data.sources s USING (source)
"""


class Offer(NamedTuple):
    """A source that has bars of a symbol.

    Attributes
    ----------
    first
        First session known then.
    last
        Last session known then.
    live
        Whether the series was being recorded then; else its past is put together from what was recorded later.
    before
        Versions recorded before this and not replaced before it are read.
    high
        Last day to be read.
    priority
        Of sources that are as good, the lowest is canonical; None where nobody described the source.
    price_scale
        What its prices contain; empty where nobody said.
    has_actions
        Whether prices are adjusted by its dividends and splits.
    """

    first: date
    last: date
    live: bool
    before: datetime
    high: date
    priority: int | None
    price_scale: str
    has_actions: bool


class Series(NamedTuple):
    """A symbol's chosen source, and what it offers."""

    symbol: str
    source: str
    offer: Offer


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
    return [Series(symbol, name, offers[symbol][name]) for symbol, name in zip(wanted, chosen, strict=True)]


def _offers(cursor: Any, wanted: Sequence[str], known: Bounds) -> dict[str, dict[str, Offer]]:
    if known == NOW:
        cursor.execute(_NEWEST, [list(wanted), known.before, known.day])
    else:
        cursor.execute(_THEN, [list(wanted), known.before, known.day, known.whole])
    offers: dict[str, dict[str, Offer]] = {symbol: {} for symbol in wanted}
    begins: dict[str, date] = {}
    columns = [column.to_pylist() for column in cursor.fetch_arrow_table().columns]
    for symbol, name, begin, first, last, *rest in zip(*columns, strict=True):
        begins[symbol] = min(begin, begins.get(symbol, begin))
        if last is not None:
            offers[symbol][name] = Offer(first, last, *rest)
    for symbol in wanted:
        if symbol not in begins:
            cursor.execute("SELECT DISTINCT symbol FROM market_data.bar_series")
            stored = [row[0] for row in cursor.fetchall()]
            raise DataError(f"No bars of {symbol!r} are stored. {nearest(symbol, stored)}")
        if not offers[symbol]:
            raise DataError(f"{symbol} has no bar up to {known.day:%Y-%m-%d}; its first is of {begins[symbol]}.")
    return offers


def choose(symbol: str, offers: Mapping[str, Offer], source: str | Sequence[str] | None) -> str:
    """Return the source to read a symbol from: the first accepted one, or the canonical one.

    Candidates are the sources whose bars span `LONG_DAYS`, or half of the longest span: a few fresh quotes do not
    outrank decades. Canonical is, among the candidates whose last bar is at most `FRESH_DAYS` older than the
    newest of them, the one with the lowest priority number; those nobody described come last, and of equal ones
    the first by name. Sources first recorded later take part only where none was recorded then: loading another
    vendor's history must not change what a recorded day reads. The view `market_data.canonical_bars` chooses
    likewise.

    Raises
    ------
    DataError
        None of those accepted has the symbol.
    """
    if source is None:
        live = {name for name, offer in offers.items() if offer.live} or set(offers)
        days = {name: (offers[name].last - offers[name].first).days for name in live}
        long = [name for name in live if days[name] >= min(LONG_DAYS, max(days.values()) / 2)]
        newest = max(offers[name].last for name in long)
        fresh = [name for name in long if (newest - offers[name].last).days <= FRESH_DAYS]
        return min(fresh, key=lambda name: (offers[name].priority is None, offers[name].priority or 0, name))
    accepted = [source] if isinstance(source, str) else list(source)
    for name in accepted:
        if name in offers:
            return name
    asked = " or ".join(map(repr, accepted)) or "no source"
    raise DataError(f"{symbol} has no bars from {asked}. {nearest(accepted[0] if accepted else '', offers)}")
