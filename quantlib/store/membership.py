"""Membership: who was on a list from when to when, as far as anybody wrote it down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.models.market import Membership
from quantlib.store.asof import AsOf
from quantlib.store.database import Store
from quantlib.store.rows import to_frame
from quantlib.store.versions import read_versions, write_versions
from quantlib.types import DateLike, as_date


def write_drawings(store: Store, lists: Mapping[str, Mapping[date, Sequence[str]]]) -> None:
    """Bring the membership of every list in line with all its drawings.

    A symbol is a member from the drawing that first has it to the first that has it no more. Where a record of
    changes (basis `history`) says that it was a member on the first day, that record stands.

    Parameters
    ----------
    store
        Where to.
    lists
        By name, all lists there are: the symbols by the day each version was drawn up.
    """
    known = read_versions(store, "membership", where={"basis": "history"})
    recorded = dict(list(known.groupby(["list", "symbol"])))
    rows = [
        Membership(list=name, symbol=symbol, member_from=begin, member_to=end, basis="drawn_up")
        for name, drawings in lists.items()
        for symbol, begin, end in _spells(drawings)
        if (name, symbol) not in recorded or not _on(recorded[name, symbol], pd.Timestamp(begin)).any()
    ]
    frame = to_frame(Membership, list(rows)).sort_values(list(Membership.key), ignore_index=True)
    write_versions(store, "membership", frame, complete={"basis": "drawn_up"})


def _spells(drawings: Mapping[date, Sequence[str]]) -> list[tuple[str, date, date | None]]:
    """Return symbol, first drawing with it, and first drawing without it after that."""
    spells: list[tuple[str, date, date | None]] = []
    since: dict[str, date] = {}
    for day in sorted(drawings):
        members = set(drawings[day])
        spells += [(symbol, since.pop(symbol), day) for symbol in sorted(set(since) - members)]
        since |= dict.fromkeys(members - set(since), day)
    return spells + [(symbol, begin, None) for symbol, begin in sorted(since.items())]


def _on(members: pd.DataFrame, day: pd.Timestamp) -> pd.Series:
    """Tell which memberships cover a day."""
    return (members["member_from"] <= day) & ~(members["member_to"] <= day)


def read_members(store: Store, name: str, on: DateLike | None = None, as_of: AsOf | None = None) -> pd.DataFrame:
    """Return the memberships of a list, sorted by symbol and day.

    Parameters
    ----------
    store
        Where from.
    name
        The list.
    on
        Only who was on it that day; everybody ever if None.
    as_of
        As it was known then (`read_versions`).

    Returns
    -------
    DataFrame
        `symbol`, `member_from`, `member_to` (NaT while on it) and `basis`: `drawn_up` says that the list is
        only known as one of that day, so testing it over earlier days is look-ahead.

    Raises
    ------
    DataError
        No list of that name has ever had a member.
    """
    members = read_versions(store, "membership", where={"list": name}, as_of=as_of)
    if members.empty:
        names = read_versions(store, "membership")["list"].unique().tolist()
        if name not in names:
            raise DataError(f"No list {name!r} is stored. {nearest(name, names)}")
    if on is not None:
        members = members[_on(members, as_date(on, "on"))]
    columns = ["symbol", "member_from", "member_to", "basis"]
    return members[columns].sort_values(["symbol", "member_from"], ignore_index=True)
