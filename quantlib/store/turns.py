"""Writers take turns: one transaction, its locks in a fixed order, and one moment for all it writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from adbc_driver_manager import dbapi

from quantlib.errors import DataError
from quantlib.store.counts import check_moment
from quantlib.store.database import Store

BARS, GRADES, REPAIRS = "market_data.bars", "market_data.bar_grades", "market_data.repairs"


class Turn(NamedTuple):
    """A transaction that nobody else writes some tables beside.

    Attributes
    ----------
    cursor
        Inside the transaction.
    at
        Moment stamped on everything it writes.
    tables
        The tables whose writers wait, with their schemas.
    """

    cursor: dbapi.Cursor
    at: datetime
    tables: frozenset[str]


@contextmanager
def take_turn(store: Store, *tables: str, at: datetime | None = None, within: Turn | None = None) -> Iterator[Turn]:
    """Give one transaction once no other writer of these tables is at work: stored whole at the end, or not at all.

    Locks are taken in the order of their names, so that two turns never wait for each other. Readers never wait.

    Parameters
    ----------
    store
        Where.
    tables
        What is going to be written, with the schema.
    at
        Moment of the write, with its zone; the server's clock if None.
    within
        A turn that has been taken already: it is used, and ends where it was taken.

    Raises
    ------
    DataError
        `at` has no zone, or the turn that was taken is not for these tables or this moment.
    """
    check_moment(at)
    if within is not None:
        if missing := sorted(set(tables) - within.tables):
            raise DataError(
                f"A turn for {', '.join(sorted(within.tables))} cannot write {missing[0]}. Take it for all."
            )
        if at not in {None, within.at}:
            raise DataError(f"A turn has one moment, {within.at}; {at} was given besides. Leave `at` out.")
        yield within
        return
    with store.bulk() as cursor:
        for table in sorted(set(tables)):
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext($1))", [table])
            cursor.fetchall()
        # The clock is read after the locks: versions of a row are then in the order they were written.
        cursor.execute("SELECT clock_timestamp()")
        yield Turn(cursor, at or cursor.fetchall()[0][0], frozenset(tables))
