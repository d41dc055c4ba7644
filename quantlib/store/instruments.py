"""Instruments and the universe: what is known about each symbol, and the lists drawn up of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on

from quantlib.errors import DataError, nearest
from quantlib.store.counts import WriteCount
from quantlib.store.database import Store
from quantlib.store.membership import write_drawings
from quantlib.store.upsert import upsert
from quantlib.types import DateLike, Instrument, as_date

_META = sa.MetaData(schema="market_data")
_INSTRUMENTS = sa.Table(
    "instruments",
    _META,
    sa.Column("symbol", sa.Text, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("name", "kind", "currency", "exchange", "sector")),
    sa.Column("tags", ARRAY(sa.Text)),
    *(sa.Column(name, sa.Date) for name in ("listed", "delisted")),
    sa.Column("updated_at", sa.DateTime(timezone=True)),
)
_LISTS = sa.Table(
    "universe_lists",
    _META,
    sa.Column("list", sa.Text, primary_key=True),
    sa.Column("drawn_at", sa.Date, primary_key=True),
    sa.Column("title", sa.Text),
)
_MEMBERS = sa.Table(
    "universe_members",
    _META,
    sa.Column("list", sa.Text, primary_key=True),
    sa.Column("drawn_at", sa.Date, primary_key=True),
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer),
)


@dataclass(frozen=True)
class UniverseList:
    """A named list of symbols as it was drawn up on a date.

    Attributes
    ----------
    name
        Key, such as `largest-etfs`.
    title
        What a reader sees.
    drawn_at
        The date it was drawn up; testing it over earlier dates is look-ahead.
    symbols
        Its members, in its order.
    """

    name: str
    title: str
    drawn_at: date
    symbols: tuple[str, ...]


def write_instruments(store: Store, instruments: Iterable[Instrument]) -> WriteCount:
    """Return how many instruments were new, changed and unchanged; all are stored or none."""
    rows = [instrument.model_dump() | {"tags": list(instrument.tags)} for instrument in instruments]
    if not rows:
        return WriteCount()
    with store.begin() as connection:
        return upsert(connection, _INSTRUMENTS, rows, stamp="updated_at")


def read_instruments(store: Store, symbols: Iterable[str] | None = None) -> dict[str, Instrument]:
    """Return instruments by symbol: those named, in that order, or all, by name.

    Raises
    ------
    DataError
        A symbol is not among them.
    """
    names = list(Instrument.model_fields)
    with store.begin() as connection:
        query = sa.select(*(_INSTRUMENTS.c[name] for name in names)).order_by(_INSTRUMENTS.c.symbol)
        found = {row.symbol: Instrument(**row._mapping) for row in connection.execute(query)}
    if symbols is None:
        return found
    wanted = list(symbols)
    if missing := [symbol for symbol in wanted if symbol not in found]:
        raise DataError(f"Instrument {missing[0]!r} is not stored. {nearest(missing[0], found)}")
    return {symbol: found[symbol] for symbol in wanted}


def write_universe(store: Store, lists: Iterable[UniverseList]) -> WriteCount:
    """Return how many memberships were new, changed (moved or left) and unchanged.

    A list written again under the same date becomes exactly what is given; one with a new date is kept
    beside the old. The membership of the list (`read_members`) follows from all its dates.
    """
    total, written = WriteCount(), list(lists)
    with store.begin() as connection:
        for one in written:
            key = {"list": one.name, "drawn_at": one.drawn_at}
            upsert(connection, _LISTS, [key | {"title": one.title}])
            gone = connection.execute(
                sa.delete(_MEMBERS)
                .where(_MEMBERS.c.list == one.name, _MEMBERS.c.drawn_at == one.drawn_at)
                .where(_MEMBERS.c.symbol.not_in(one.symbols))
            ).rowcount
            rows = [key | {"symbol": s, "position": i} for i, s in enumerate(one.symbols, start=1)]
            total = total.plus(upsert(connection, _MEMBERS, rows)).plus(WriteCount(changed=gone))
    write_drawings(store, _drawings(store))
    return total


def _drawings(store: Store) -> dict[str, dict[date, list[str]]]:
    """Return by list its symbols by each day it was drawn up."""
    query = sa.select(_LISTS.c.list, _LISTS.c.drawn_at, _MEMBERS.c.symbol).outerjoin(
        _MEMBERS, (_MEMBERS.c.list == _LISTS.c.list) & (_MEMBERS.c.drawn_at == _LISTS.c.drawn_at)
    )
    found: dict[str, dict[date, list[str]]] = {}
    with store.begin() as connection:
        for name, day, symbol in connection.execute(query):
            found.setdefault(name, {}).setdefault(day, []).extend([symbol] if symbol else [])
    return found


def read_universe(store: Store, *, as_of: DateLike | None = None) -> dict[str, UniverseList]:
    """Return the newest version of every list by name, or the newest drawn up by `as_of`."""
    newest = sa.select(_LISTS).ext(distinct_on(_LISTS.c.list)).order_by(_LISTS.c.list, _LISTS.c.drawn_at.desc())
    if as_of is not None:
        newest = newest.where(_LISTS.c.drawn_at <= as_date(as_of, "as_of").date())
    lists = newest.subquery()
    query = (
        sa.select(lists, _MEMBERS.c.symbol)
        .outerjoin(_MEMBERS, (_MEMBERS.c.list == lists.c.list) & (_MEMBERS.c.drawn_at == lists.c.drawn_at))
        .order_by(lists.c.list, _MEMBERS.c.position)
    )
    found: dict[str, UniverseList] = {}
    with store.begin() as connection:
        for row in connection.execute(query):
            before = found[row.list].symbols if row.list in found else ()
            members = before if row.symbol is None else (*before, row.symbol)
            found[row.list] = UniverseList(row.list, row.title, row.drawn_at, members)
    return found
